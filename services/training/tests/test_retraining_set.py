"""What a set is good for, before anything is learned from it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn_training.columns import Features, learn_columns
from churn_training.dataset import DAY_MS, HORIZON_DAYS, day_text, read_rows, split_by_time
from churn_training.profile import features_profile
from churn_training.retraining_set import main
from churn_training.train_model import train_model

from .conftest import FIRST_DAY, make_rows

LONG_AGO = "2000-01-01"


@pytest.fixture
def folder(tmp_path: Path, features: Features) -> Path:
    rows = make_rows(features, rows=4_000)
    columns = learn_columns(rows, features.names, features, "one-hot")
    document = {"features": features_profile(rows, columns)}
    (tmp_path / "profile.json").write_text(json.dumps(document))
    rows.to_csv(tmp_path / "set.csv.gz", index=False)
    return tmp_path


def prepare(
    folder: Path, capsys: pytest.CaptureFixture[str], seen: str = LONG_AGO, days: int = 14
) -> dict[str, Any]:
    options = {
        "data": folder / "set.csv.gz",
        "market": "default",
        "profile": folder / "profile.json",
        "test-days": days,
        "seen-until": seen,
        "cohort": folder / "cohort.csv",
    }
    given = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    assert main(given) == 0
    return json.loads(capsys.readouterr().out)


def test_the_cohort_is_the_test_days_of_the_training(
    folder: Path, features: Features, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = prepare(folder, capsys)
    trained = train_model(
        folder / "set.csv.gz", "default", "usual", 7, lambda _: None, test_days=14
    )
    assert answer["trainWindow"] == trained.tags["train_window"]
    assert answer["cohort"]["window"] == trained.params["test_window"]
    assert answer["cohort"]["rows"] == trained.params["rows_test"]
    assert answer["usable"] == trained.params["rows_usable"]
    cohort = read_rows(folder / "cohort.csv", features)
    assert cohort["day"].nunique() == 14
    split = split_by_time(
        read_rows(folder / "set.csv.gz", features).query("not days_since_last_bet >= 28"), 14
    )
    pd.testing.assert_frame_equal(cohort.reset_index(drop=True), split.test.reset_index(drop=True))
    assert split.train["day"].max() + HORIZON_DAYS < cohort["day"].min()


def test_days_that_the_champion_has_seen_are_left_out_of_the_cohort(
    folder: Path, features: Features, capsys: pytest.CaptureFixture[str]
) -> None:
    last = FIRST_DAY + 89
    answer = prepare(folder, capsys, seen=day_text(last - 5))
    assert answer["cohort"]["window"] == f"{day_text(last - 4)}/{day_text(last)}"
    cohort = read_rows(folder / "cohort.csv", features)
    assert len(cohort) == answer["cohort"]["rows"] > 0
    none = prepare(folder, capsys, seen=day_text(last))
    assert (none["cohort"]["rows"], none["cohort"]["window"]) == (0, None)


def test_nulls_and_unseen_levels_are_shares_of_the_usable_rows(
    folder: Path, features: Features, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make_rows(features, rows=4_000)
    draw = np.random.default_rng(1)
    rows.loc[draw.random(4_000) < 0.4, "average_odds_30d"] = np.nan
    rows.loc[draw.random(4_000) < 0.3, "first_product"] = "virtual"
    rows.to_csv(folder / "set.csv.gz", index=False)
    found = {one["feature"]: one for one in prepare(folder, capsys)["quality"]}
    assert set(found) == set(features.names)
    odds, product = found["average_odds_30d"], found["first_product"]
    assert odds["nulls"] == pytest.approx(0.2 + 0.8 * 0.4, abs=0.03)
    assert odds["reference_nulls"] == pytest.approx(0.2, abs=0.03)
    assert (odds["unseen"], product["reference_unseen"]) == (None, 0.0)
    assert product["unseen"] == pytest.approx(0.3, abs=0.03)


def test_a_set_that_training_would_refuse_says_why(
    folder: Path, features: Features, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make_rows(features, rows=4_000)
    rows[rows["as_of"] < (FIRST_DAY + 40) * DAY_MS].to_csv(folder / "set.csv.gz", index=False)
    answer = prepare(folder, capsys)
    assert "too few training rows" in answer["problem"]
    assert answer["usable"] > 0
    assert not (folder / "cohort.csv").exists()


def test_an_empty_set_says_why(
    folder: Path, features: Features, capsys: pytest.CaptureFixture[str]
) -> None:
    make_rows(features, rows=4_000).iloc[:0].to_csv(folder / "set.csv.gz", index=False)
    answer = prepare(folder, capsys)
    assert (answer["rows"], answer["usable"]) == (0, 0)
    assert "there is nothing to learn" in answer["problem"]
