"""How do the steps of a retraining call the repository's commands?"""

import json
import os
from pathlib import Path
from typing import Any

from ..commands import Commands, run_to_end
from ..errors import RefusedError

# Until every live scorer has said that it serves what was promoted.
PROMOTE_WAIT = "60s"


class RetrainingCommands(Commands):
    """Raises as Commands does."""

    def train(self, *arguments: str) -> dict[str, Any]:
        """Registers a version without an alias."""
        return self.training("churn_training", "train", *arguments)

    def retraining_set(self, *arguments: str) -> dict[str, Any]:
        return self.training("churn_training.retraining_set", *arguments)

    def judge(self, *arguments: str) -> dict[str, Any]:
        return self.training("churn_training.judge", *arguments)

    def challenge(self, model: str, version: str) -> dict[str, Any]:
        """Does not wait: what the scorers say of it is for the trial."""
        return self._model("challenge", model, version, "--no-wait")

    def end_challenge(self, model: str) -> dict[str, Any]:
        return self._model("challenge", model, "--off")

    def promote(self, model: str, version: str) -> dict[str, Any]:
        return self._model("promote", model, version, "--wait", PROMOTE_WAIT)

    def _model(self, *arguments: str) -> dict[str, Any]:
        """npm run model: its answer says more than its exit code."""
        home = Path(self.home)
        script = home / "services" / "model-cli" / "src" / "main.ts"
        node = home / "node_modules" / ".bin" / "node"
        code, stdout, tail = run_to_end(
            [str(node), str(script), *arguments, "--json"], home, dict(os.environ)
        )
        if code == 0:
            return answer_in(stdout)
        why = "\n".join(tail)
        if stdout.strip():
            why = f"{answer_in(stdout).get('text', '')}\n{why}"
        raise RefusedError(f"npm run model -- {' '.join(arguments)}: {why.strip()}")


def answer_in(stdout: str) -> dict[str, Any]:
    """The other commands end with one line of JSON; this one writes nothing else, over many."""
    try:
        document = json.loads(stdout)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RefusedError(f"npm run model gave no JSON object: {stdout[:200]}")
    return document
