"""XGBoost's own predictor: kernel_baseline.py FOLDER

Trains the models of the bench into the folder and says so; then answers each line
`MODEL ROWS CALLS` with the processor microseconds that a row costs, in calls of so many rows.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from churn_training.forest import read_forest
from churn_training.onnx_model import to_onnx
from xgboost import Booster, DMatrix, train

WIDTH = 40
TRAINED_ROWS = 20_000
ASKED_ROWS = 10_000
# Levels of the first two columns in the model that splits by category.
LEVELS = 12
MODELS = {
    "300 trees, depth 6": {"rounds": 300, "max_depth": 6},
    "100 trees, depth 4": {"rounds": 100, "max_depth": 4},
    "300 trees, depth 6, categories": {"rounds": 300, "max_depth": 6},
    "100 trees, depth 12": {"rounds": 100, "max_depth": 12},
    "1,000 trees, depth 6": {"rounds": 1_000, "max_depth": 6},
}


def make_rows(count: int, seed: int, categories: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(count, WIDTH)).astype(np.float32)
    x[:, :categories] = draw.integers(0, LEVELS, (count, categories))
    x[draw.random(x.shape) < 0.05] = np.nan
    return x


def make_labels(x: np.ndarray) -> np.ndarray:
    z = np.nan_to_num(x)
    odds = z[:, :8] @ np.linspace(1, -1, 8) + z[:, 0] * z[:, 1] % 3 + np.sin(3 * z[:, 2])
    return (np.random.default_rng(4).random(len(x)) < 1 / (1 + np.exp(-odds))).astype(np.int8)


def grow(folder: Path, number: int, name: str) -> tuple[Booster, np.ndarray]:
    rounds, depth = MODELS[name]["rounds"], MODELS[name]["max_depth"]
    categories = 2 if "categories" in name else 0
    x = make_rows(TRAINED_ROWS, 1, categories)
    frame = pd.DataFrame(x)
    for column in range(categories):
        frame[column] = pd.Categorical(frame[column], categories=range(LEVELS))
    parameters = {
        "objective": "binary:logistic",
        "max_depth": depth,
        "learning_rate": 0.05,
        "tree_method": "hist",
        "nthread": 1,
        "seed": 5,
    }
    types = ["c"] * categories + ["q"] * (WIDTH - categories)
    rows = DMatrix(
        frame.to_numpy(np.float32), make_labels(x), feature_types=types, enable_categorical=True
    )
    booster = train(parameters, rows, rounds)
    asked = make_rows(ASKED_ROWS, 2, categories)
    (folder / f"{number}.onnx").write_bytes(to_onnx(read_forest(booster)).SerializeToString())
    asked.tofile(folder / f"{number}.rows")
    return booster, asked


def main(folder: Path) -> None:
    grown = [grow(folder, number, name) for number, name in enumerate(MODELS)]
    print(json.dumps({"models": list(MODELS), "width": WIDTH}), flush=True)
    for line in sys.stdin:
        model, count, calls = map(int, line.split())
        booster, rows = grown[model]
        some = rows[:count]
        start = time.process_time()
        for _ in range(calls):
            booster.inplace_predict(some)
        spent = time.process_time() - start
        print(json.dumps(spent / calls / count * 1e6), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
