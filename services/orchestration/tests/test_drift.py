"""The threshold knows how many rows there are."""

import random

import pytest

from churn_orchestration.drift import chi_squared, measure_drift

SHARES = [0.1] * 10


def counts_of(rows: int, weights: list[float], seed: int = 5) -> list[int]:
    draw = random.Random(seed)
    counts = [0] * len(weights)
    for picked in draw.choices(range(len(weights)), weights, k=rows):
        counts[picked] += 1
    return counts


@pytest.mark.parametrize(
    ("freedom", "tabulated", "within"),
    [(5, 20.515, 0.012), (9, 27.877, 0.007), (19, 43.820, 0.004)],
)
def test_chi_squared_agrees_with_the_tables(freedom: int, tabulated: float, within: float) -> None:
    assert chi_squared(freedom, 0.999) == pytest.approx(tabulated, rel=within)


@pytest.mark.parametrize("rows", [1_000, 5_000, 50_000])
def test_the_same_spread_is_steady_at_any_size(rows: int) -> None:
    for seed in range(20):
        drift = measure_drift(counts_of(rows, SHARES, seed), SHARES, 20_000)
        assert drift.verdict == "steady"


def test_few_rows_say_nothing_however_they_are_spread() -> None:
    assert measure_drift([999, *[0] * 9], SHARES, 20_000).verdict == "insufficient-data"
    assert measure_drift([0] * 10, SHARES, 20_000).verdict == "insufficient-data"


def test_a_small_shift_is_seen_in_many_rows_and_is_not_called_large() -> None:
    weights = [0.14, 0.12, *[0.1] * 6, 0.08, 0.06]
    drift = measure_drift(counts_of(20_000, weights), SHARES, 20_000)
    assert drift.threshold < drift.psi < 0.1
    assert drift.verdict == "shifted"


def test_a_large_shift_is_called_large() -> None:
    weights = [0.3, 0.2, *[0.08] * 6, 0.01, 0.01]
    assert measure_drift(counts_of(2_000, weights), SHARES, 20_000).verdict == "far-shifted"


def test_other_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="3 bins of scores and 10"):
        measure_drift([1, 2, 3], SHARES, 100)
