import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_training.columns import (
    Features,
    Numeric,
    OneHot,
    Ordinal,
    check_names,
    columns_digest,
    columns_document,
    encode,
    learn_columns,
    names_of,
    read_columns,
    read_features,
)
from churn_training.errors import TrainingError

COLUMNS = (
    Numeric("bets_7d"),
    OneHot("market", "gb"),
    OneHot("market", "us-nj"),
    Ordinal("first_product", ("casino", "sport")),
)


def test_features_are_the_nullable_fields_of_the_vector(features: Features) -> None:
    assert features.numeric[0] == "days_since_last_bet"
    assert features.categorical == ("market", "acquisition_source", "first_product")
    assert "asOf" not in features.names


def test_features_an_unreadable_schema_is_said(tmp_path: Path) -> None:
    file = tmp_path / "feature-vector.avsc"
    file.write_text(json.dumps({"type": "record"}))
    with pytest.raises(TrainingError, match=r"cannot be read from feature-vector\.avsc"):
        read_features(file)


def test_encode_null_and_unknown_levels_are_zeros_in_one_hot_and_nan_elsewhere() -> None:
    rows = pd.DataFrame(
        {
            "bets_7d": [0.1, np.nan, 3.0],
            "market": pd.Series(["us-nj", "fr", None], dtype="str"),
            "first_product": pd.Series(["sport", None, "racing"], dtype="str"),
        }
    )
    encoded = encode(rows, COLUMNS)
    assert encoded.dtype == np.float32
    nan = np.nan
    expected = np.array([[0.1, 0, 1, 1], [nan, 0, 0, nan], [3, 0, 0, nan]], dtype=np.float32)
    np.testing.assert_array_equal(encoded, expected)


def test_learn_levels_come_sorted_and_rare_ones_get_no_column(features: Features) -> None:
    levels = pd.Series(["b"] * 20 + ["a"] * 20 + ["c"] * 19)
    rows = pd.DataFrame(dict.fromkeys(features.categorical, levels))
    one_hot = learn_columns(rows, ["market", "bets_7d"], features, "one-hot")
    assert names_of(one_hot) == ["bets_7d", "market_a", "market_b"]
    ordinal = learn_columns(rows, ["market", "bets_7d"], features, "ordinal")
    assert ordinal == (Numeric("bets_7d"), Ordinal("market", ("a", "b")))


def test_document_read_back_gives_the_same_columns(features: Features, tmp_path: Path) -> None:
    file = tmp_path / "columns.json"
    file.write_text(json.dumps(columns_document(COLUMNS)))
    assert read_columns(file, features) == COLUMNS
    assert columns_digest(COLUMNS) != columns_digest(COLUMNS[::-1])


@pytest.mark.parametrize(
    "text",
    [
        '["bets_7d", "market_gb"]',
        '{"columns": ["bets_7d", "market_gb"]}',
        "\ufeffbets_7d\r\n\r\n# a remark\r\nmarket_gb\r\n",
    ],
)
def test_read_columns_takes_every_form(text: str, features: Features, tmp_path: Path) -> None:
    file = tmp_path / "columns.txt"
    file.write_text(text)
    assert read_columns(file, features) == (Numeric("bets_7d"), OneHot("market", "gb"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no column"),
        ("[]", "names no column"),
        ("a\nb\na", "names columns twice: a"),
        ('{"features": ["a"]}', "must be a JSON list"),
        ('["a", 3]', "entry 1 is 3"),
        ('[{"name": "a", "levels": []}]', "entry 0 is"),
        ('["a"', "is no JSON"),
    ],
)
def test_read_columns_says_what_is_wrong(
    text: str, message: str, features: Features, tmp_path: Path
) -> None:
    file = tmp_path / "columns.json"
    file.write_text(text)
    with pytest.raises(TrainingError, match=message):
        read_columns(file, features)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["b", "a", "c"], "in another order: at 0 stands b, in the columns a"),
        (["a", "b"], "lack c:"),
        (["a", "b", "c", "d"], "also have d:"),
        (["a", "x", "c"], "name x where the columns have b:"),
    ],
)
def test_check_names_names_each_difference(given: list[str], message: str) -> None:
    columns = tuple(Numeric(name) for name in "abc")
    check_names(["a", "b", "c"], columns, "the model's features")
    with pytest.raises(TrainingError, match=f"the model.s features .*{message}"):
        check_names(given, columns, "the model's features")
