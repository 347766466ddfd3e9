"""What did the data and the scores look like at training, for drift to be measured against?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .columns import Column, Numeric, OneHot, Ordinal

BINS = 10
SCORE_BINS = 20


def features_profile(rows: pd.DataFrame, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Of the features that the columns are made of: numbers first, then categories."""
    levels: dict[str, tuple[str, ...]] = {}
    profiles = []
    for column in columns:
        match column:
            case Numeric(name):
                profiles.append(numeric_profile(name, rows[name].to_numpy(np.float64)))
            case OneHot(feature, level):
                levels[feature] = (*levels.get(feature, ()), level)
            case Ordinal(name, known):
                levels[name] = known
    return [
        *profiles,
        *(categorical_profile(name, rows[name], known) for name, known in levels.items()),
    ]


def columns_profile(values: np.ndarray, columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Of encoded columns, where nothing else is known: numbers, and categories by their codes."""
    return [
        categorical_profile(column.name, to_levels(values[:, index], column.levels), column.levels)
        if isinstance(column, Ordinal)
        else numeric_profile(column.name, values[:, index].astype(np.float64))
        for index, column in enumerate(columns)
    ]


def with_importance(
    features: list[dict[str, Any]], names: Sequence[str], importance: np.ndarray
) -> list[dict[str, Any]]:
    """`names` and `importance` by column of the model: which feature it is of, and its share."""
    shares = dict.fromkeys(names, 0.0)
    for name, share in zip(names, importance, strict=True):
        shares[name] += float(share)
    return [{**feature, "importance": shares[feature["name"]]} for feature in features]


def to_levels(codes: np.ndarray, levels: tuple[str, ...]) -> pd.Series:
    texts = [None if np.isnan(code) else levels[int(code)] for code in codes]
    return pd.Series(texts, dtype="str")


def reference_profile(
    features: list[dict[str, Any]], rows: int, scores: np.ndarray, churned: np.ndarray | None
) -> dict[str, Any]:
    """`features` over that many rows; score and, where labels are known, calibration."""
    return {
        "schemaVersion": 1,
        "rows": rows,
        "features": features,
        "score": score_profile(scores),
        "calibration": [] if churned is None else calibration(scores, churned),
    }


def numeric_profile(name: str, values: np.ndarray) -> dict[str, Any]:
    """Bin i holds the values above edges[i - 1] and up to edges[i]; shares are of known values."""
    known = values[~np.isnan(values)]
    profile: dict[str, Any] = {
        "name": name,
        "type": "numeric",
        "count": len(values),
        "nullRate": float(np.isnan(values).mean()),
    }
    if len(known) == 0:
        return {**profile, "mean": None, "sd": None, "min": None, "max": None} | {
            "edges": [],
            "shares": [],
        }
    # A value that many rows share, mostly zero, makes quantiles equal: then there are fewer bins.
    quantiles = np.quantile(known, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = [edge for edge in np.unique(quantiles) if edge < known.max()]
    return {
        **profile,
        "mean": float(known.mean()),
        "sd": float(known.std()),
        "min": float(known.min()),
        "max": float(known.max()),
        "edges": [float(edge) for edge in edges],
        "shares": shares(known, np.array(edges)),
    }


def categorical_profile(name: str, values: pd.Series, levels: tuple[str, ...]) -> dict[str, Any]:
    known = values.notna()
    return {
        "name": name,
        "type": "categorical",
        "count": len(values),
        "nullRate": float(1 - known.mean()),
        "levels": {level: float((values == level).mean()) for level in levels},
        "other": float((known & ~values.isin(levels)).mean()),
    }


def score_profile(scores: np.ndarray) -> dict[str, Any]:
    edges = np.arange(1, SCORE_BINS) / SCORE_BINS
    return {
        "count": len(scores),
        "mean": float(np.mean(scores, dtype=np.float64)),
        "sd": float(np.std(scores, dtype=np.float64)),
        "edges": [float(edge) for edge in edges],
        "shares": shares(scores, edges),
    }


def calibration(scores: np.ndarray, churned: np.ndarray) -> list[dict[str, float]]:
    """Bins of equal size, lowest scores first: what was foretold and what happened."""
    parts = np.array_split(np.argsort(scores, kind="stable"), BINS)
    return [
        {
            "count": len(part),
            "meanScore": float(np.mean(scores[part], dtype=np.float64)),
            "churnRate": float(np.mean(churned[part])),
        }
        for part in parts
        if len(part) > 0
    ]


def shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    bins = np.searchsorted(edges, values, side="left")
    counts = np.bincount(bins, minlength=len(edges) + 1)
    return [float(count / len(values)) for count in counts]
