"""Models of every kind that XGBoost saves, small and always the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost
from xgboost import Booster, DMatrix

WIDTH = 6
NAMES = [f"c{index}" for index in range(WIDTH)]
DEVICES = ("android", "ios", "web")
LOGISTIC: dict[str, Any] = {
    "objective": "binary:logistic",
    "max_depth": 4,
    "learning_rate": 0.3,
    "seed": 5,
    "tree_method": "hist",
}


def make_x(rows: int = 1_500) -> np.ndarray:
    draw = np.random.default_rng(3)
    x = draw.normal(0, 10, (rows, WIDTH)).astype(np.float32)
    x[draw.random(x.shape) < 0.1] = np.nan
    return x


def make_y(x: np.ndarray) -> np.ndarray:
    odds = np.nan_to_num(x[:, 0]) / 10 - np.nan_to_num(x[:, 1], nan=5) / 20
    return (np.random.default_rng(4).random(len(x)) < 1 / (1 + np.exp(-odds))).astype(np.int8)


def grow(rounds: int = 20, label: np.ndarray | None = None, **parameters: Any) -> Booster:  # noqa: ANN401
    x = make_x()
    rows = DMatrix(x, make_y(x) if label is None else label, feature_names=NAMES)
    return xgboost.train({**LOGISTIC, **parameters}, rows, rounds)


def grow_stopped_early() -> Booster:
    """It learns by heart: the best round is not the last."""
    x = make_x()
    y = np.random.default_rng(1).integers(0, 2, len(x))
    train, test = (DMatrix(x[part], y[part]) for part in (slice(0, 500), slice(500, None)))
    return xgboost.train(
        {**LOGISTIC, "max_depth": 8},
        train,
        50,
        evals=[(test, "test")],
        early_stopping_rounds=8,
        verbose_eval=False,
    )


def grow_by_category() -> Booster:
    """The first feature is a category, split by sets of its levels."""
    draw = np.random.default_rng(8)
    device = draw.integers(0, len(DEVICES), 1_500)
    rest = make_x()[:, 1:]
    y = (draw.random(1_500) < np.where(device == 1, 0.7, 0.2)).astype(int)
    frame = pd.DataFrame(rest, columns=NAMES[1:])
    frame.insert(0, "device", pd.Categorical.from_codes(device, DEVICES))
    rows = DMatrix(frame, y, enable_categorical=True)
    return xgboost.train({**LOGISTIC, "max_cat_to_onehot": 1}, rows, 15)


def grow_linear() -> Booster:
    x = np.nan_to_num(make_x())
    parameters = {"booster": "gblinear", "objective": "binary:logistic"}
    return xgboost.train(parameters, DMatrix(x, make_y(x)), 2)


def changed(booster: Booster, change: Callable[[dict[str, Any]], None]) -> Booster:
    """The same model after a change of its JSON document."""
    document = json.loads(booster.save_raw("json"))
    change(document)
    other = Booster()
    other.load_model(bytearray(json.dumps(document), "utf8"))
    return other


def with_leaves(booster: Booster, change: Callable[[float], float]) -> Booster:
    """The same trees with other leaf values."""

    def put(document: dict[str, Any]) -> None:
        for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
            for node, left in enumerate(tree["left_children"]):
                if left < 0:
                    leaf = float(change(tree["split_conditions"][node]))
                    tree["split_conditions"][node] = tree["base_weights"][node] = leaf

    return changed(booster, put)


def save(booster: Booster, folder: Path, name: str = "model.json") -> Path:
    file = folder / name
    booster.save_model(file)
    return file
