"""The models of the comparison, and what XGBoost says of their rows.

models.py train TRAINING_SET FOLDER    a model over our features, as its maker hands it over
models.py score MODEL ROWS SCORES      XGBoost's scores of float32 rows
models.py fold EVENTS FOLDER           folds events (JSON lines) into the peers' 30 features and trains
                                       a model over them: model.onnx, columns.json, scores
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import player_state
from churn_training.columns import encode, learn_columns, names_of, read_features
from churn_training.dataset import at_risk, mature, read_rows
from churn_training.forest import read_forest
from churn_training.onnx_model import to_onnx
from xgboost import Booster, XGBClassifier

SEED = 7
SAMPLE_ROWS = 300
LEARNED_ROWS = 200_000


def fit(x: np.ndarray, y: np.ndarray) -> Booster:
    """The size of model that both tasks and all contenders have."""
    model = XGBClassifier(
        n_estimators=300,
        max_depth=6,
        learning_rate=0.1,
        tree_method="hist",
        random_state=SEED,
        missing=np.nan,
    )
    model.fit(x, y)
    return model.get_booster()


def train(training_set: Path, folder: Path) -> None:
    features = read_features()
    rows = mature(at_risk(read_rows(training_set, features)))
    columns = learn_columns(rows, features.names, features, "one-hot")
    names, x = names_of(columns), np.asarray(encode(rows, columns), np.float32)
    fit(x, rows["churned"].to_numpy()).save_model(folder / "model.json")
    (folder / "columns.json").write_text(json.dumps(names))
    sample = pd.DataFrame(x[:SAMPLE_ROWS], columns=names)
    sample.to_json(folder / "sample.json", orient="split")


def score(model: Path, rows: Path, scores: Path) -> None:
    booster = Booster(model_file=model)
    x = np.fromfile(rows, np.float32).reshape(-1, booster.num_features())
    booster.inplace_predict(x).astype(np.float32).tofile(scores)


def fold(events: Path, folder: Path) -> None:
    x = np.array(list(folded(events)), np.float32)
    draw = np.random.default_rng(SEED)
    # Who comes seldom, bets little or is new leaves: enough for trees of full depth.
    odds = 0.8 * x[:, 15] - 0.15 * x[:, 5] + 0.002 * x[:, 7] - 0.02 * x[:, 16] - 0.3 * x[:, 19]
    left = draw.random(len(x)) < 1 / (1 + np.exp(-np.clip(odds, -20, 20)))
    learned = draw.permutation(len(x))[:LEARNED_ROWS]
    booster = fit(x[learned], left[learned].astype(np.int8))
    (folder / "model.onnx").write_bytes(to_onnx(read_forest(booster)).SerializeToString())
    (folder / "columns.json").write_text(json.dumps(player_state.COLUMNS))
    booster.inplace_predict(x).astype(np.float32).tofile(folder / "scores")


def folded(events: Path) -> Iterator[list[float]]:
    players: dict[str, player_state.PlayerState] = {}
    with events.open() as lines:
        for line in lines:
            event = json.loads(line)
            player = players.get(event["playerId"])
            player, row = player_state.apply(player, event)
            players[event["playerId"]] = player
            yield row


if __name__ == "__main__":
    command, *paths = sys.argv[1:]
    {"train": train, "score": score, "fold": fold}[command](*map(Path, paths))
