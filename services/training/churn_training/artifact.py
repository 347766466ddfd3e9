"""What does the model's folder hold beside the ONNX model, and what is its signature?"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from xgboost import XGBClassifier

from .columns import Encoding
from .export import Parity
from .golden import golden_document, to_json_rows

SAMPLE_ROWS = 200


@dataclass(frozen=True)
class Trained:
    """A model that kept parity, with all that is to be said about it."""

    model: XGBClassifier
    onnx: onnx.ModelProto
    encoding: Encoding
    golden_rows: np.ndarray
    sample: np.ndarray
    profile: dict[str, Any]
    parity: Parity
    metrics: dict[str, float]
    params: dict[str, Any]
    tags: dict[str, str]


def write_extras(trained: Trained, folder: Path) -> None:
    """The files that the scorer, SHAP and monitoring read, beside MLmodel and model.onnx."""
    columns = trained.encoding.columns
    write_json(folder / "columns.json", columns)
    golden = golden_document(trained.model, trained.golden_rows, columns)
    write_json(folder / "golden.json", golden)
    write_json(folder / "X_test_sample.json", to_records(trained.sample, columns))
    write_json(folder / "reference_profile.json", trained.profile)
    (folder / "xgboost").mkdir()
    trained.model.save_model(folder / "xgboost" / "model.json")


def write_json(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, allow_nan=False) + "\n")


def to_records(rows: np.ndarray, columns: list[str]) -> list[dict[str, float | None]]:
    """As pandas writes with orient="records"."""
    return [dict(zip(columns, row, strict=True)) for row in to_json_rows(rows)]


def signature(encoding: Encoding) -> ModelSignature:
    """Doubles throughout; a numeric feature may be missing, a one-hot column is always 0 or 1."""
    inputs = [
        ColSpec(DataType.double, column, required=column not in encoding.numeric)
        for column in encoding.columns
    ]
    outputs = [
        TensorSpec(np.dtype(np.int64), (-1,), "label"),
        TensorSpec(np.dtype(np.float32), (-1, 2), "probabilities"),
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def input_example(trained: Trained) -> pd.DataFrame:
    return pd.DataFrame(trained.sample[:5].astype(np.float64), columns=trained.encoding.columns)


def columns_digest(columns: list[str]) -> str:
    return hashlib.sha256("\n".join(columns).encode()).hexdigest()
