"""The statistics of two models on the same rows, against hand, obvious code and chance itself."""

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from churn_training.paired import (
    auc_components,
    compare_aucs,
    compare_log_losses,
    midranks,
)


def scored(rows: int, seed: int, players: int | None = None) -> tuple[np.ndarray, ...]:
    """Labels, two scores that share some noise and have ties, players."""
    draw = np.random.default_rng(seed)
    y = (draw.random(rows) < 0.3).astype(int)
    shared = draw.normal(size=rows)
    scores = [
        np.round(1 / (1 + np.exp(-(y + shared + draw.normal(size=rows)))), 2) for _ in range(2)
    ]
    who = np.arange(rows) if players is None else draw.integers(0, players, rows)
    return y, *scores, who


def slow_components(y: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair, as DeLong, DeLong and Clarke-Pearson write it."""

    def kernel(x: float, z: float) -> float:
        return 1.0 if x > z else 0.5 if x == z else 0.0

    above, below = scores[y == 1], scores[y == 0]
    return (
        np.array([np.mean([kernel(x, z) for z in below]) for x in above]),
        np.array([np.mean([kernel(x, z) for x in above]) for z in below]),
    )


def slow_variance(y: np.ndarray, champion: np.ndarray, candidate: np.ndarray) -> float:
    """DeLong's contrast of two AUCs from the covariances of the components."""
    of_champion, of_candidate = (slow_components(y, s) for s in (champion, candidate))
    total = 0.0
    for first, second in zip(of_champion, of_candidate, strict=True):
        covariance = np.cov(first, second, ddof=1)
        total += (covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]) / len(first)
    return total


def test_midranks_equal_values_share_the_mean_of_their_ranks() -> None:
    assert midranks(np.array([0.5, 0.1, 0.5, 0.9])).tolist() == [2.5, 1.0, 2.5, 4.0]


@pytest.mark.parametrize("seed", range(5))
def test_auc_components_are_those_of_every_pair(seed: int) -> None:
    y, scores, *_ = scored(120, seed)
    fast, slow = auc_components(y, scores), slow_components(y, scores)
    for found, expected in zip(fast, slow, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert fast[0].mean() == pytest.approx(roc_auc_score(y, scores))


def test_compare_aucs_gives_what_the_hand_gives() -> None:
    # Components 1, 2/3 and 1/2, 1, 1 against a constant: variance 1/36 + 1/36, z = √2.
    y = np.array([1, 1, 0, 0, 0])
    candidate = np.array([0.9, 0.4, 0.5, 0.3, 0.1])
    found = compare_aucs(y, np.full(5, 0.5), candidate, np.arange(5), 0.95)
    assert (found.champion, found.candidate) == (0.5, pytest.approx(5 / 6))
    assert found.p == pytest.approx(0.157299, abs=1e-6)
    half = 1.959964 / np.sqrt(18)
    assert (found.low, found.high) == (
        pytest.approx(1 / 3 - half, abs=1e-6),
        pytest.approx(1 / 3 + half, abs=1e-6),
    )


@pytest.mark.parametrize("seed", range(5))
def test_compare_aucs_with_one_row_a_player_is_delongs_test(seed: int) -> None:
    y, champion, candidate, players = scored(150, seed)
    found = compare_aucs(y, champion, candidate, players, 0.6826894921)
    assert found.high - found.difference == pytest.approx(
        np.sqrt(slow_variance(y, champion, candidate)), rel=1e-9
    )


def test_compare_aucs_a_row_told_many_times_is_not_more_certain() -> None:
    y, champion, candidate, players = scored(300, 11)
    once = compare_aucs(y, champion, candidate, players, 0.95)
    five = compare_aucs(*(np.repeat(x, 5) for x in (y, champion, candidate, players)), 0.95)
    naive = compare_aucs(
        *(np.repeat(x, 5) for x in (y, champion, candidate)), np.arange(1_500), 0.95
    )
    assert five.p == pytest.approx(once.p, rel=0.02)
    assert naive.p < once.p / 2


def test_compare_aucs_finds_a_difference_by_chance_as_often_as_it_says() -> None:
    found = [compare_aucs(*scored(400, seed), 0.95).p < 0.05 for seed in range(400)]
    assert 0.02 < np.mean(found) < 0.09


def test_compare_aucs_the_same_scores_are_no_difference() -> None:
    y, champion, _, players = scored(100, 1)
    found = compare_aucs(y, champion, champion, players, 0.95)
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_compare_aucs_one_player_alone_of_a_class_is_refused() -> None:
    y = np.array([1, 1, 0, 0])
    with pytest.raises(ValueError, match="1 players churned"):
        compare_aucs(y, np.arange(4), np.arange(4)[::-1], np.array([1, 1, 2, 3]), 0.95)


def test_compare_log_losses_gives_scikit_learns_means_and_the_same_interval_again() -> None:
    y, champion, candidate, players = scored(300, 3, players=90)
    first, again, other = (
        compare_log_losses(y, champion, candidate, players, 0.95, 500, seed) for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    bounded = [np.clip(s, 1e-7, 1 - 1e-7) for s in (champion, candidate)]
    assert [first.champion, first.candidate] == pytest.approx([log_loss(y, s) for s in bounded])
    assert first.low <= first.difference <= first.high


def test_compare_log_losses_is_as_wide_as_the_spread_of_players_says() -> None:
    draw = np.random.default_rng(5)
    players = np.repeat(np.arange(400), 3)
    of_player = draw.normal(0, 0.1, 400)
    y = np.ones(1_200)
    champion = np.full(1_200, 0.5)
    candidate = np.exp(np.log(0.5) - of_player[players])
    found = compare_log_losses(y, champion, candidate, players, 0.6826894921, 4_000, 7)
    assert (found.high - found.low) / 2 == pytest.approx(of_player.std() / 20, rel=0.05)


def test_compare_log_losses_finds_a_difference_by_chance_as_often_as_it_says() -> None:
    found = [compare_log_losses(*scored(200, seed), 0.95, 300, 7).p < 0.05 for seed in range(300)]
    assert 0.02 < np.mean(found) < 0.10
