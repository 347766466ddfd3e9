"""A model from elsewhere with its sample and columns: make_booster.py FOLDER catalogue|foreign|classes"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

ROWS = 2_000


def main(folder: Path, kind: str) -> None:
    draw = np.random.default_rng(1)
    market = draw.choice(["gb", "us-nj", "au-nsw"], ROWS)
    x = pd.DataFrame(
        {
            "days_since_last_bet": draw.gamma(1, 5, ROWS),
            "bets_7d": draw.poisson(5, ROWS),
            "stake_7d": np.where(draw.random(ROWS) < 0.1, np.nan, draw.gamma(2, 30, ROWS)),
            "active_days_30d": draw.integers(0, 30, ROWS),
            "market_gb": (market == "gb").astype(int),
            "market_us-nj": (market == "us-nj").astype(int),
        }
    )
    if kind == "foreign":
        x = x.rename(columns={"stake_7d": "loyalty_points"})
    odds = -1 + 0.15 * x["days_since_last_bet"] - 0.05 * x["active_days_30d"]
    y = draw.random(ROWS) < 1 / (1 + np.exp(-odds))
    objective = {"objective": "binary:logistic", "max_depth": 4}
    if kind == "classes":
        objective = {"objective": "multi:softprob", "num_class": 2}
    booster = xgboost.train(objective, xgboost.DMatrix(x, y), 30)
    booster.save_model(folder / "model.ubj")
    x.head(300).to_json(folder / "X_test_sample.json", orient="split")
    (folder / "columns.json").write_text(json.dumps(list(x.columns)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
