import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_training.columns import Encoding, Features, learn_encoding, read_features
from churn_training.errors import TrainingError

ENCODING = Encoding(
    numeric=("bets_7d", "stake_7d"), levels={"market": ("gb", "us-nj"), "first_product": ("sport",)}
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


def test_columns_numbers_first_then_levels_in_order() -> None:
    assert ENCODING.columns == [
        "bets_7d",
        "stake_7d",
        "market_gb",
        "market_us-nj",
        "first_product_sport",
    ]


def test_encode_an_unknown_or_null_level_is_all_zeros_and_a_null_number_nan() -> None:
    rows = pd.DataFrame(
        {
            "bets_7d": [1.0, np.nan, 3.0],
            "stake_7d": [0.1, 2.0, np.nan],
            "market": pd.Series(["us-nj", "fr", None], dtype="str"),
            "first_product": pd.Series(["sport", None, "casino"], dtype="str"),
        }
    )
    encoded = ENCODING.encode(rows)
    assert encoded.dtype == np.float32
    np.testing.assert_array_equal(
        encoded,
        np.array([[1, 0.1, 0, 1, 1], [np.nan, 2, 0, 0, 0], [3, np.nan, 0, 0, 0]], dtype=np.float32),
    )


def test_learn_levels_come_sorted_and_rare_ones_get_no_column(features: Features) -> None:
    names = dict.fromkeys(features.categorical, pd.Series(["b"] * 20 + ["a"] * 20 + ["c"] * 19))
    encoding = learn_encoding(pd.DataFrame(names), features)
    assert encoding.levels["market"] == ("a", "b")
