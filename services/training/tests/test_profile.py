import numpy as np
import pandas as pd
import pytest

from churn_training.evaluate import auc_verdict, calibration_slope, strongest_alone
from churn_training.profile import (
    categorical_profile,
    numeric_profile,
    score_profile,
    with_importance,
)


def test_numeric_profile_bins_hold_a_tenth_each_and_nulls_are_counted_apart() -> None:
    values = np.concatenate([np.arange(1_000.0), np.full(250, np.nan)])
    profile = numeric_profile("bets_7d", values)
    assert (profile["count"], profile["nullRate"]) == (1250, 0.2)
    assert len(profile["edges"]) == 9
    assert profile["shares"] == pytest.approx([0.1] * 10)


def test_numeric_profile_a_value_that_many_share_has_a_bin_of_its_own() -> None:
    profile = numeric_profile("deposits_7d", np.array([0.0] * 80 + list(range(1, 21))))
    assert profile["edges"][0] == 0
    assert profile["shares"][0] == pytest.approx(0.8)
    assert len(profile["shares"]) == len(profile["edges"]) + 1


@pytest.mark.parametrize("values", [[np.nan, np.nan], [3.0, 3.0]])
def test_numeric_profile_nothing_known_or_one_value_has_no_edge(values: list[float]) -> None:
    assert numeric_profile("bets_7d", np.array(values))["edges"] == []


def test_categorical_profile_levels_others_and_nulls_sum_to_one() -> None:
    values = pd.Series(["gb", "gb", "fr", None], dtype="str")
    profile = categorical_profile("market", values, ("gb", "us-nj"))
    assert profile["levels"] == {"gb": 0.5, "us-nj": 0.0}
    assert (profile["other"], profile["nullRate"]) == (0.25, 0.25)


def test_score_profile_counts_the_ends() -> None:
    profile = score_profile(np.array([0.0, 0.5, 1.0]))
    assert len(profile["shares"]) == 20
    assert profile["shares"][0] == profile["shares"][19] == pytest.approx(1 / 3)


def test_calibration_slope_of_true_probabilities_is_one() -> None:
    draw = np.random.default_rng(1)
    p = draw.random(40_000)
    y = (draw.random(40_000) < p).astype(int)
    assert calibration_slope(y, p) == pytest.approx(1, abs=0.05)
    bold = 1 / (1 + np.exp(-2 * np.log(p / (1 - p))))
    assert calibration_slope(y, bold) == pytest.approx(0.5, abs=0.03)


def test_auc_outside_the_band_is_said_and_the_leaking_column_named() -> None:
    assert [auc_verdict(auc) for auc in (0.7, 0.8, 0.95)] == ["low", "ok", "high"]
    draw = np.random.default_rng(1)
    y = draw.integers(0, 2, 500)
    x = np.column_stack([draw.random(500), -y + draw.random(500) / 10])
    assert strongest_alone(x, y, ["noise", "leak"], most=1) == [("leak", 1.0)]


def test_with_importance_columns_of_one_feature_add_up() -> None:
    features = [{"name": "bets_7d"}, {"name": "market"}]
    weighted = with_importance(features, ["bets_7d", "market", "market"], np.array([0.5, 0.3, 0.2]))
    assert [feature["importance"] for feature in weighted] == [0.5, 0.5]
