"""Rows come out the same, however pandas wrote them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_training.columns import Column, Features, Numeric, OneHot, Ordinal
from churn_training.errors import TrainingError
from churn_training.sample import read_sample

COLUMNS: tuple[Column, ...] = (
    Numeric("bets_7d"),
    Numeric("is_new"),
    OneHot("market", "gb"),
    OneHot("market", "us-nj"),
    Ordinal("device", ("android", "ios")),
)
NAN = np.nan
EXPECTED = np.array([[1.5, 1, 1, 0, 0], [NAN, 0, 0, 1, 1], [-2, 1, 0, 0, NAN]])
ENCODED = pd.DataFrame(
    {
        "bets_7d": [1.5, None, -2.0],
        "is_new": [True, False, True],
        "market_gb": [1, 0, 0],
        "market_us-nj": [0, 1, 0],
        "device": ["android", "ios", None],
    }
)
RAW = ENCODED.drop(columns=["market_gb", "market_us-nj"]).assign(market=["gb", "us-nj", "fr"])

WRITERS: dict[str, Callable[[pd.DataFrame], str]] = {
    "records": lambda rows: rows.to_json(orient="records"),
    "split": lambda rows: rows.to_json(orient="split"),
    "split without index": lambda rows: rows.to_json(orient="split", index=False),
    "columns": lambda rows: rows.to_json(orient="columns"),
    "index": lambda rows: rows.to_json(orient="index"),
    "table": lambda rows: rows.to_json(orient="table"),
    "lines": lambda rows: rows.to_json(orient="records", lines=True),
    "one object of lists": lambda rows: json.dumps(
        {name: json.loads(rows[name].to_json(orient="values")) for name in rows}
    ),
    "csv": lambda rows: rows.to_csv(index=False),
    "csv with index": lambda rows: rows.to_csv(),
    "byte order mark": lambda rows: "\ufeff" + rows.to_json(orient="records"),
}


def read(text: str, tmp_path: Path, features: Features, columns: tuple = COLUMNS) -> np.ndarray:
    file = tmp_path / "sample.json"
    file.write_text(text)
    return read_sample(file, columns, features).values


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("rows", [ENCODED, ENCODED[ENCODED.columns[::-1]], RAW])
def test_every_orientation_gives_the_same_rows(
    form: str, rows: pd.DataFrame, features: Features, tmp_path: Path
) -> None:
    values = read(WRITERS[form](rows), tmp_path, features)
    np.testing.assert_array_equal(values, EXPECTED)


def test_values_have_no_names_and_take_the_columns_order(
    features: Features, tmp_path: Path
) -> None:
    values = read(ENCODED.to_json(orient="values"), tmp_path, features)
    np.testing.assert_array_equal(values, EXPECTED)
    with pytest.raises(TrainingError, match="has 4 columns without names, the model 5"):
        read("[[1, 2, 3, 4]]", tmp_path, features)


def test_a_category_that_the_catalogue_has_not_fills_its_columns(
    features: Features, tmp_path: Path
) -> None:
    columns = (Numeric("age"), Numeric("device_ios"), Numeric("device_web"))
    text = '[{"age": 30, "device": "web"}, {"age": 40, "device": null}]'
    values = read(text, tmp_path, features, columns)
    np.testing.assert_array_equal(values, [[30, 0, 1], [40, 0, 0]])


def changed(**cells: object) -> str:
    record = {"bets_7d": 1, "is_new": 0, "market_gb": 0, "market_us-nj": 1, "device": "ios"}
    return json.dumps([record, {**record, **cells}])


def without(*names: str) -> str:
    return ENCODED.drop(columns=list(names)).to_json(orient="records")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "has no rows"),
        ("{}", "has no rows"),
        ("bets_7d,is_new\n", "has no rows"),
        ("", "has no rows"),
        ('[{"bets_7d": 1', "is no JSON"),
        ("[1, 2]", "a list of neither objects nor lists"),
        ("[[1, 2, 3, 4, 5], [1]]", "has 1 cells in row 1 where 5 are due"),
        ("a,b\n1\n", "has 1 cells in row 0, its header 2"),
        (without("bets_7d", "device"), "lacks the columns bets_7d, device"),
        (without("market_gb"), "lacks the columns market_gb"),
        (ENCODED.assign(age=1).to_json(orient="records"), "columns that the model has not: age"),
        (
            ENCODED.rename(columns={"bets_7d": "bets"}).to_json(orient="records"),
            "lacks the columns bets_7d and has columns that the model has not: bets",
        ),
        (changed(bets_7d="many"), 'has "many" in column bets_7d, row 1'),
        (changed(bets_7d=[1]), r"has \[1\] in column bets_7d, row 1"),
        (changed(bets_7d=1e300), "beyond the largest float32"),
        (changed(market_gb=None), "has null in column market_gb, row 1: a one-hot column is 0 or"),
        (changed(device=2), "has 2 in column device, row 1: its codes are 0 to 1"),
        (RAW.assign(market=1).to_json(orient="records"), "has 1 in column market, row 0"),
    ],
)
def test_what_is_wrong_is_said_with_the_place(
    text: str, message: str, features: Features, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=rf"the sample sample\.json .*{message}"):
        read(text, tmp_path, features)
