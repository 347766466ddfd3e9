"""What does the model's folder hold beside the ONNX model, and what is its signature?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from .columns import Column, OneHot, columns_digest, columns_document, names_of
from .forest import Forest
from .golden import golden_document, golden_rows, to_json_rows
from .onnx_model import to_onnx
from .parity import Parity, check_parity, checked_rows

# Compared with XGBoost at the least.
PARITY_ROWS = 10_000
SAMPLE_ROWS = 200
EXAMPLE_ROWS = 5


@dataclass(frozen=True)
class Candidate:
    """A model that kept parity, with all that is to be said about it."""

    forest: Forest
    onnx: onnx.ModelProto
    columns: tuple[Column, ...]
    golden: dict[str, Any]
    sample: np.ndarray
    profile: dict[str, Any]
    parity: Parity
    metrics: dict[str, float]
    params: dict[str, Any]
    tags: dict[str, str]
    # Further files of the folder, by their path in it.
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Converted:
    """An ONNX model that says what XGBoost says, and the rows that the scorer admits it by."""

    onnx: onnx.ModelProto
    golden: dict[str, Any]
    sample: np.ndarray
    parity: Parity
    tags: dict[str, str]


def convert(
    forest: Forest,
    columns: Sequence[Column],
    x: np.ndarray,
    seed: int,
    parity_rows: int = 0,
    sample_rows: int = SAMPLE_ROWS,
) -> Converted:
    """
    `x` are real rows, float32. At least `parity_rows` rows are compared; at most `sample_rows` of
    `x` are kept in X_test_sample.json. Raises TrainingError where ONNX and XGBoost differ.
    """
    converted = to_onnx(forest)
    parity = check_parity(converted, forest, checked_rows(forest, x, seed, parity_rows))
    golden = golden_rows(forest, x, seed)
    check_parity(converted, forest, golden)
    draw = np.random.default_rng(seed)
    picked = (
        draw.choice(len(x), sample_rows, replace=False) if len(x) > sample_rows else slice(None)
    )
    return Converted(
        onnx=converted,
        golden=golden_document(forest, golden, names_of(columns)),
        sample=x[picked],
        parity=parity,
        tags={"onnx_parity": parity.text(), "columns_sha256": columns_digest(columns)},
    )


def write_extras(candidate: Candidate, folder: Path) -> None:
    """The files that the scorer, SHAP and monitoring read, beside MLmodel and model.onnx."""
    names = names_of(candidate.columns)
    documents = {
        "columns.json": columns_document(candidate.columns),
        "golden.json": candidate.golden,
        "X_test_sample.json": to_records(candidate.sample, names),
        "reference_profile.json": candidate.profile,
    }
    files = {
        **{name: to_json(document) for name, document in documents.items()},
        "xgboost/model.json": candidate.forest.native.encode(),
        **candidate.files,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def to_json(value: object) -> bytes:
    return (json.dumps(value, allow_nan=False) + "\n").encode()


def to_records(rows: np.ndarray, columns: list[str]) -> list[dict[str, float | None]]:
    """As pandas writes with orient="records"."""
    return [dict(zip(columns, row, strict=True)) for row in to_json_rows(rows)]


def signature(columns: Sequence[Column]) -> ModelSignature:
    """Doubles throughout; all but a one-hot column, which is always 0 or 1, may be missing."""
    inputs = [
        ColSpec(DataType.double, column.name, required=isinstance(column, OneHot))
        for column in columns
    ]
    outputs = [
        TensorSpec(np.dtype(np.int64), (-1,), "label"),
        TensorSpec(np.dtype(np.float32), (-1, 2), "probabilities"),
    ]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def input_example(candidate: Candidate) -> pd.DataFrame:
    return pd.DataFrame(
        candidate.sample[:EXAMPLE_ROWS].astype(np.float64), columns=names_of(candidate.columns)
    )
