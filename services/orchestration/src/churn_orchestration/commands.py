"""How does one of the repository's commands run as part of a step?"""

import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import IO, Any

import dagster as dg

from .errors import RefusedError, TroubleError

# EX_TEMPFAIL of sysexits.h.
TRY_AGAIN = 75
SHOWN_LINES = 12
END_WITHIN_SECONDS = 20


class Commands(dg.ConfigurableResource):
    """
    Runs `score`, `publish-scores` and `replay` under Dagster Pipes, so that what they log stands
    in the run, and gives the JSON of their last line. PipesSubprocessClient would do, but it hides
    the exit code, and the code says whether trying again helps.
    """

    home: str
    # The interpreter that has XGBoost: services/training/requirements.txt.
    training_python: str = ""

    def score(self, context: dg.OpExecutionContext, *arguments: str) -> dict[str, Any]:
        return self._node(context, "services/batch/src/main.ts", arguments)

    def publish_scores(self, context: dg.OpExecutionContext, batch_id: str) -> dict[str, Any]:
        return self._node(context, "services/batch/src/publish-main.ts", [batch_id])

    def replay(self, context: dg.OpExecutionContext, *arguments: str) -> dict[str, Any]:
        return self._node(context, "services/replay/src/main.ts", arguments)

    def compare_scores(self, *arguments: str) -> dict[str, Any]:
        """XGBoost's own answer beside the scores that were stored. It knows nothing of Dagster."""
        return self.training("churn_training.compare", *arguments)

    def training(self, module: str, *arguments: str) -> dict[str, Any]:
        """Without Pipes, which they do not speak: what they say stands in the step's own log."""
        if self.training_python == "":
            raise RefusedError(
                "TRAINING_PYTHON is not set: the interpreter of services/training's packages"
            )
        command = [self.training_python, "-m", module, *arguments]
        folder = Path(self.home) / "services" / "training"
        return result_of(module, *run_to_end(command, folder, os.environ))

    def _node(
        self, context: dg.OpExecutionContext, script: str, arguments: Sequence[str]
    ) -> dict[str, Any]:
        home = Path(self.home)
        node = home / "node_modules" / ".bin" / "node"
        command = [str(node), str(home / script), *arguments, "--json"]
        with dg.open_pipes_session(
            context=getattr(context, "op_execution_context", context),
            context_injector=dg.PipesTempFileContextInjector(),
            message_reader=dg.PipesTempFileMessageReader(),
        ) as session:
            env = {**os.environ, **session.get_bootstrap_env_vars()}
            ended = run_to_end(command, home, env)
        return result_of(Path(script).parent.parent.name, *ended)


def result_of(name: str, code: int, stdout: str, tail: Sequence[str]) -> dict[str, Any]:
    """
    Raises TroubleError at exit code 75 or when the command was killed, RefusedError at any other
    failure, each with the last lines that it wrote.
    """
    why = "\n".join(tail) or "it wrote nothing to stderr"
    if code == 0:
        return last_object(stdout, name)
    if code == TRY_AGAIN:
        raise TroubleError(f"{name}: {why}")
    if code < 0:
        raise TroubleError(f"{name} was ended by {signal.Signals(-code).name}: {why}")
    raise RefusedError(f"{name} ended with exit code {code}: {why}")


def run_to_end(
    command: Sequence[str], folder: Path, env: Mapping[str, str]
) -> tuple[int, str, Sequence[str]]:
    """Exit code, stdout and the last lines of stderr. An interrupted step takes it along."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise RefusedError(f"{command[0]} cannot be started: {error}") from error
    tail: deque[str] = deque(maxlen=SHOWN_LINES)
    shown = Thread(target=forward, args=(process.stderr, tail))
    shown.start()
    try:
        stdout = process.stdout.read()
        code = process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    finally:
        shown.join()
    return code, stdout, tail


def forward(lines: IO[str], tail: deque[str]) -> None:
    """Into the step's own log, and remembered for the error."""
    for line in lines:
        sys.stderr.write(line)
        tail.append(line.rstrip("\n"))


def last_object(stdout: str, name: str) -> dict[str, Any]:
    lines = stdout.strip().splitlines()
    try:
        document = json.loads(lines[-1])
    except (IndexError, ValueError):
        document = None
    if not isinstance(document, dict):
        raise RefusedError(f"{name} ended well but its last line is no JSON object: {lines[-1:]}")
    return document
