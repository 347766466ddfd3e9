"""Which code, files and libraries was a version made from?"""

import hashlib
import subprocess
from importlib import metadata
from pathlib import Path

import xgboost

from .errors import TrainingError


def git_commit() -> str:
    """Of the working tree that this code stands in, or unknown outside of one."""
    command = ["git", "rev-parse", "HEAD"]
    here = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def versions() -> dict[str, str]:
    found = {name: metadata.version(name) for name in ("onnxruntime", "onnx")}
    return {"version_xgboost": xgboost.__version__} | {
        f"version_{name}": version for name, version in found.items()
    }


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file_sha256(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise TrainingError(f"{file.name} cannot be read: {error.strerror}") from error
