"""Small made-up histories: what the tests train on."""

import numpy as np
import pandas as pd
import pytest

from churn_training.columns import Features, read_features
from churn_training.dataset import DAY_MS

FIRST_DAY = 20_000


def make_rows(features: Features, rows: int = 3_000, days: int = 90, seed: int = 1) -> pd.DataFrame:
    """Players who churn the likelier the longer they have been silent and the newer they are."""
    draw = np.random.default_rng(seed)
    values = {name: np.round(draw.gamma(1.5, 10, rows), 2) for name in features.numeric}
    values["days_since_last_bet"] = draw.gamma(1, 5, rows)
    values["days_since_last_bet"][draw.random(rows) < 0.05] = np.nan
    for name in ("average_odds_30d", "silence_ratio"):
        values[name][draw.random(rows) < 0.2] = np.nan
    odds = -1.2 + 0.12 * np.nan_to_num(values["days_since_last_bet"], nan=9)
    odds -= 0.05 * values["active_days_30d"]
    texts = {
        "market": draw.choice(["gb", "us-nj", "au-nsw"], rows),
        "acquisition_source": draw.choice(["organic", "affiliate", None], rows),
        "first_product": draw.choice(["sport", "racing"], rows),
    }
    day = FIRST_DAY + draw.integers(0, days, rows)
    return pd.DataFrame(
        {
            "player_id": [f"p{index % 500}" for index in range(rows)],
            "as_of": day * DAY_MS + draw.integers(0, DAY_MS, rows),
            **values,
            **texts,
            "churned": (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype(int),
        }
    )


@pytest.fixture(scope="session")
def features() -> Features:
    return read_features()


@pytest.fixture(scope="session")
def raw_rows(features: Features) -> pd.DataFrame:
    return make_rows(features)


@pytest.fixture(scope="session")
def rows(raw_rows: pd.DataFrame) -> pd.DataFrame:
    return raw_rows.assign(day=raw_rows["as_of"] // DAY_MS)
