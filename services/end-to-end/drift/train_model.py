"""Trains the model of the drift table without a registry: train_model.py ROWS.csv FOLDER."""

import sys
from pathlib import Path

import onnx

from churn_training.artifact import write_extras
from churn_training.train_model import train_model

KEPT = {"model.onnx", "columns.json", "reference_profile.json"}


def main() -> None:
    rows, folder = Path(sys.argv[1]), Path(sys.argv[2])
    say = lambda line: print(line, file=sys.stderr)  # noqa: E731
    candidate = train_model(rows, "default", "standard", 7, say)
    onnx.save(candidate.onnx, str(folder / "model.onnx"))
    write_extras(candidate, folder)
    for file in sorted(folder.rglob("*"), reverse=True):
        if file.is_dir():
            file.rmdir()
        elif file.name not in KEPT:
            file.unlink()


if __name__ == "__main__":
    main()
