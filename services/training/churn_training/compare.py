"""python -m churn_training.compare: are scores that a batch stored what XGBoost itself says?"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from xgboost import Booster

from .columns import Column, OneHot, Ordinal, encode_column, read_columns, read_features
from .errors import TrainingError
from .forest import read_forest
from .parity import tolerance

SEED = 7


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="churn_training.compare", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of the version")
    parser.add_argument("--vectors", type=Path, required=True, help=".parquet or .jsonl")
    parser.add_argument("--scores", type=Path, required=True, help=".parquet, with row and score")
    parser.add_argument("--rows", type=int, default=500, help="at most so many are compared")
    options = parser.parse_args(arguments)
    try:
        result = compare(options.model, options.vectors, options.scores, options.rows)
    except TrainingError as error:
        print(f"training: {error}", file=sys.stderr, flush=True)
        return 1
    print(json.dumps(result), flush=True)
    return 0


def compare(model: Path, vectors: Path, scores: Path, most: int) -> dict[str, float]:
    """
    The largest difference of a probability over a sample of the scored rows, and what is allowed.
    Only xgboost/model.json and columns.json are read of the version: neither its ONNX file nor the
    scorer's projection has a part in the answer. Raises TrainingError where rows do not fit.
    """
    booster = Booster()
    booster.load_model(model / "xgboost" / "model.json")
    forest = read_forest(booster)
    columns = read_columns(model / "columns.json", read_features())
    rows = read_rows(vectors)
    scored = pd.read_parquet(scores, columns=["row", "score"])
    if len(scored) > most:
        scored = scored.sample(most, random_state=SEED)
    if len(scored) == 0:
        raise TrainingError(f"{scores.name} has no scores")
    if scored["row"].min() < 0 or scored["row"].max() >= len(rows):
        raise TrainingError(f"{scores.name} names rows that {vectors.name} has not")
    picked = rows.iloc[scored["row"]].reset_index(drop=True)
    x = encode_rows(picked, columns, vectors.name)
    difference = np.abs(forest.probabilities(x) - scored["score"].to_numpy(np.float64))
    return {
        "rows": len(scored),
        "maxDifference": float(np.nan_to_num(difference, nan=1.0).max()),
        "tolerance": tolerance(forest.leaf_sum),
    }


def read_rows(file: Path) -> pd.DataFrame:
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    # pandas' own reader rounds the last digit of numbers.
    with file.open() as lines:
        return pd.DataFrame([json.loads(line) for line in lines])


def encode_rows(rows: pd.DataFrame, columns: Sequence[Column], name: str) -> np.ndarray:
    """Float32, from the model's own columns where they are there, else from the categories."""
    values = []
    for column in columns:
        match column:
            case OneHot(feature) if column.name not in rows and feature in rows:
                values.append(encode_column(rows, column))
            case Ordinal(own) if own in rows and not is_numeric_dtype(rows[own].dtype):
                values.append(encode_column(rows, column))
            case _ if column.name in rows:
                values.append(rows[column.name].to_numpy(np.float64))
            case _:
                raise TrainingError(f"{name} has no column {column.name}")
    return np.column_stack(values).astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
