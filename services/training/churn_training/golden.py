"""Which rows must score the same wherever the model is loaded?"""

import json
from typing import Any

import numpy as np
from xgboost import XGBClassifier

from .export import edge_rows, threshold_rows
from .train import probabilities

TEST_ROWS = 110
THRESHOLD_ROWS = 60
HOLED_ROWS = 30


def golden_rows(model: XGBClassifier, x: np.ndarray, seed: int) -> np.ndarray:
    """Rows of the test days, rows with holes, the edges, and rows on split thresholds."""
    draw = np.random.default_rng(seed)
    picked = x[draw.choice(len(x), min(TEST_ROWS, len(x)), replace=False)].astype(np.float32)
    edges = edge_rows(x, seed)[: 5 + HOLED_ROWS]  # not infinity, which JSON does not know
    return np.vstack([picked, edges, threshold_rows(model, x, seed, THRESHOLD_ROWS)])


def golden_document(model: XGBClassifier, rows: np.ndarray, columns: list[str]) -> dict[str, Any]:
    """The float32 values themselves as numbers, so that reading them back rounds nothing."""
    return {
        "columns": columns,
        "rows": to_json_rows(rows),
        "probabilities": [float(p) for p in probabilities(model, rows)],
    }


def to_json_rows(rows: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in rows]


def read_golden(text: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Columns, float32 rows and probabilities of a golden file."""
    document = json.loads(text)
    rows = [[np.nan if value is None else value for value in row] for row in document["rows"]]
    return document["columns"], np.array(rows, np.float32), np.array(document["probabilities"])
