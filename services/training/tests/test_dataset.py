from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_training.columns import Features
from churn_training.dataset import (
    HORIZON_DAYS,
    at_risk,
    check_enough_rows,
    check_no_leakage,
    mature,
    newest,
    of_market,
    read_rows,
    split_by_time,
)
from churn_training.errors import TrainingError

from .conftest import FIRST_DAY


def test_split_labels_of_training_rows_end_before_the_test_begins(rows: pd.DataFrame) -> None:
    split = split_by_time(rows)
    assert split.train["day"].max() + HORIZON_DAYS == split.test["day"].min() - 1
    assert split.test["day"].max() == rows["day"].max()
    assert len(split.train) + len(split.test) + split.in_gap == len(rows)


def test_split_a_label_that_looks_into_the_test_is_refused(rows: pd.DataFrame) -> None:
    split = split_by_time(rows)
    late = rows[rows["day"] == split.test["day"].min() - HORIZON_DAYS]
    with pytest.raises(TrainingError, match="leakage"):
        check_no_leakage(pd.concat([split.train, late]), split.test)


def test_split_a_short_history_is_refused_with_its_length(rows: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match=r"span 29 days.*at least 30"):
        split_by_time(rows[rows["day"] < FIRST_DAY + 29])


def test_split_too_few_rows_are_refused_with_their_number(rows: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match=r"too few training rows: \d+, at least 500"):
        split_by_time(rows.iloc[:400])


def test_split_too_few_churners_are_refused_with_their_number(rows: pd.DataFrame) -> None:
    churned = rows[rows["churned"] == 1]
    with pytest.raises(TrainingError, match=r"too few churned among \d+ training rows: \d+"):
        split_by_time(rows.drop(churned.index[20:]))


def test_at_risk_drops_who_has_churned_and_keeps_who_never_bet() -> None:
    rows = pd.DataFrame({"days_since_last_bet": [0.0, 27.999, 28.0, 90.0, np.nan]})
    assert at_risk(rows).index.tolist() == [0, 1, 4]


def test_mature_drops_the_days_on_which_only_stayers_are_known(rows: pd.DataFrame) -> None:
    newest = rows["day"].max()
    censored = rows[(rows["day"] <= newest - 10) | (rows["churned"] == 0)]
    stray = rows[(rows["day"] == newest - 9) & (rows["churned"] == 1)].iloc[:1]
    assert mature(pd.concat([censored, stray]))["day"].max() == newest - 10


def test_mature_no_churner_at_all_is_refused(rows: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match="none of 3000 rows is churned"):
        mature(rows.assign(churned=0))


def test_read_reads_gzip_null_and_every_bit(
    raw_rows: pd.DataFrame, features: Features, tmp_path: Path
) -> None:
    file = tmp_path / "set.csv.gz"
    raw_rows.to_csv(file, index=False)
    rows = read_rows(file, features)
    name = "days_since_last_bet"
    np.testing.assert_array_equal(rows[name].to_numpy(), raw_rows[name].to_numpy())
    assert rows["acquisition_source"].isna().sum() == raw_rows["acquisition_source"].isna().sum()


def test_read_a_text_that_looks_like_null_is_a_text(features: Features, tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    names = ["player_id", "as_of", *features.names, "churned"]
    values = {"player_id": "NA", "as_of": "86400000", "market": "nan", "churned": "0"}
    file.write_text(f"{','.join(names)}\n{','.join(values.get(name, '') for name in names)}\n")
    [row] = read_rows(file, features).to_dict("records")
    assert (row["player_id"], row["market"], row["day"]) == ("NA", "nan", 1)
    assert np.isnan(row["bets_7d"])


def test_read_missing_columns_are_named(
    raw_rows: pd.DataFrame, features: Features, tmp_path: Path
) -> None:
    file = tmp_path / "set.csv"
    raw_rows.drop(columns=["bets_7d", "churned"]).to_csv(file, index=False)
    with pytest.raises(TrainingError, match="lacks columns: bets_7d, churned"):
        read_rows(file, features)


def test_read_a_label_that_is_neither_is_refused(
    raw_rows: pd.DataFrame, features: Features, tmp_path: Path
) -> None:
    file = tmp_path / "set.csv"
    raw_rows.head(5).assign(churned=2).to_csv(file, index=False)
    with pytest.raises(TrainingError, match="must be 0 or 1"):
        read_rows(file, features)


def test_read_a_file_that_is_not_there_is_refused(features: Features, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="cannot be read"):
        read_rows(tmp_path / "none.csv", features)


def test_market_an_unknown_one_is_refused_with_those_there_are(rows: pd.DataFrame) -> None:
    assert set(of_market(rows, ["gb"])["market"]) == {"gb"}
    assert len(of_market(rows, None)) == len(rows)
    with pytest.raises(TrainingError, match="no row is of market fr; there are: au-nsw, gb, us-nj"):
        of_market(rows, ["fr"])


def test_newest_keeps_that_many_days(rows: pd.DataFrame) -> None:
    last = rows["day"].max()
    assert sorted(set(newest(rows, 3)["day"])) == [last - 2, last - 1, last]
    assert len(newest(rows, None)) == len(rows)


def test_enough_rows_says_which_file_asks_for_more(rows: pd.DataFrame) -> None:
    check_enough_rows(rows, len(rows), "gb")
    with pytest.raises(TrainingError, match=r"3000 .* markets/gb\.toml asks for at least 3001"):
        check_enough_rows(rows, len(rows) + 1, "gb")
