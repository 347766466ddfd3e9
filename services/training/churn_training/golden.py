"""Which rows must score the same wherever the model is loaded?"""

import json
from typing import Any

import numpy as np

from .forest import Forest
from .parity import edge_rows, threshold_rows

TEST_ROWS = 110
THRESHOLD_ROWS = 60
HOLED_ROWS = 30


def golden_rows(forest: Forest, x: np.ndarray, seed: int) -> np.ndarray:
    """Rows of the test days, rows with holes, the edges, and rows on split thresholds."""
    draw = np.random.default_rng(seed)
    picked = x[draw.choice(len(x), min(TEST_ROWS, len(x)), replace=False)].astype(np.float32)
    edges = edge_rows(forest, x, seed)[: 5 + HOLED_ROWS]
    rows = np.vstack([picked, edges, threshold_rows(forest, x, seed, THRESHOLD_ROWS)])
    return rows[~np.isinf(rows).any(axis=1)]  # JSON does not know infinity


def golden_document(forest: Forest, rows: np.ndarray, columns: list[str]) -> dict[str, Any]:
    """The float32 values themselves as numbers, so that reading them back rounds nothing."""
    return {
        "columns": columns,
        "rows": to_json_rows(rows),
        "probabilities": [float(p) for p in forest.probabilities(rows)],
        "leafSum": forest.leaf_sum,
    }


def to_json_rows(rows: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in rows]


def read_golden(text: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Columns, float32 rows and probabilities of a golden file."""
    document = json.loads(text)
    rows = [[np.nan if value is None else value for value in row] for row in document["rows"]]
    return document["columns"], np.array(rows, np.float32), np.array(document["probabilities"])
