"""
Scores vectors again with the model that each score names, without any of the scorer's code.

A line of JSON for each score on stdin: {model, version, features, score}. For each one line of
JSON on stdout: {recomputed} or {problem}.
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import mlflow
import numpy as np
import onnx
import pandas as pd
from mlflow.exceptions import MlflowException

from churn_training.columns import Column, encode, read_columns, read_features
from churn_training.parity import onnx_probabilities


def load(model: str, version: str) -> tuple[onnx.ModelProto, tuple[Column, ...]]:
    """Columns of their own, not the scorer's projection of them."""
    uri = mlflow.MlflowClient().get_model_version_download_uri(model, version)
    onnx_file, columns_file = (
        Path(mlflow.artifacts.download_artifacts(artifact_uri=f"{uri}/{name}"))
        for name in ("model.onnx", "columns.json")
    )
    return onnx.load(str(onnx_file)), read_columns(columns_file, read_features())


def main() -> None:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    asked = [json.loads(line) for line in sys.stdin]
    of_model: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, one in enumerate(asked):
        of_model[one["model"], one["version"]].append(index)
    answers: list[dict[str, object]] = [{}] * len(asked)
    for (model, version), indexes in of_model.items():
        try:
            loaded, columns = load(model, version)
        except (MlflowException, OSError) as error:
            for index in indexes:
                answers[index] = {"problem": f"version {version} of {model}: {error}"}
            continue
        rows = pd.DataFrame([asked[index]["features"] for index in indexes])
        numeric = list(read_features().numeric)
        rows[numeric] = rows[numeric].astype(np.float64)
        scores = onnx_probabilities(loaded, encode(rows, columns))
        for index, score in zip(indexes, scores, strict=True):
            answers[index] = {"recomputed": float(score)}
    for answer in answers:
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
