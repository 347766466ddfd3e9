"""How a command's end is understood."""

import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from churn_orchestration.commands import last_object, run_to_end
from churn_orchestration.errors import RefusedError


def run(script: str) -> tuple[int, str, list[str]]:
    code, stdout, tail = run_to_end([sys.executable, "-c", script], Path(), {})
    return code, stdout, list(tail)


def test_stdout_and_the_last_lines_of_stderr_are_kept() -> None:
    script = "import sys\nprint('out')\nfor i in range(99): print(i, file=sys.stderr)\nsys.exit(3)"
    code, stdout, tail = run(script)
    assert (code, stdout) == (3, "out\n")
    assert tail == [str(index) for index in range(87, 99)]


def test_a_command_that_is_not_there_is_refused() -> None:
    with pytest.raises(RefusedError, match="nowhere/node cannot be started"):
        run_to_end(["nowhere/node"], Path(), {})


def test_a_command_ends_with_its_step(tmp_path: Path) -> None:
    """As Dagster interrupts a step: by an exception where it waits."""
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    script = (
        "import pathlib, time\n"
        f"pathlib.Path({str(begun)!r}).touch()\n"
        "try: time.sleep(60)\n"
        f"except KeyboardInterrupt: pathlib.Path({str(ended)!r}).touch()\n"
    )

    def interrupt_once_begun() -> None:
        while not begun.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    Thread(target=interrupt_once_begun).start()
    with pytest.raises(KeyboardInterrupt):
        run_to_end([sys.executable, "-c", script], tmp_path, dict(os.environ))
    assert ended.exists()


def test_the_result_is_the_last_line() -> None:
    assert last_object('progress\n{"a": 1}\n', "score") == {"a": 1}


@pytest.mark.parametrize("stdout", ["", "done", "[1]"])
def test_an_end_without_a_result_is_refused(stdout: str) -> None:
    with pytest.raises(RefusedError, match="its last line is no JSON object"):
        last_object(stdout, "score")
