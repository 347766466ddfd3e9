"""Is one of two models that scored the same rows better, by more than chance?"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from .evaluate import clipped


@dataclass(frozen=True)
class Difference:
    """Of one figure, candidate less champion, with an interval and the chance of no difference."""

    champion: float
    candidate: float
    difference: float
    low: float
    high: float
    p: float

    def document(self) -> dict[str, float]:
        return dict(vars(self))


def compare_aucs(
    y: np.ndarray,
    champion: np.ndarray,
    candidate: np.ndarray,
    players: np.ndarray,
    confidence: float,
) -> Difference:
    """
    Two areas under the ROC curve on the same rows: y 0 or 1, scores and players of shape [n]. The
    variance is DeLong's (Biometrics 44, 1988), computed from midranks (Sun and Xu, IEEE Signal
    Processing Letters 21, 2014) and summed by player (Obuchowski, Biometrics 53, 1997), because a
    player's days are not independent; with one row a player it is DeLong's own. Two-sided, normal.
    """
    positive = y == 1
    aucs, above, below = [], [], []
    for scores in (champion, candidate):
        of_positive, of_negative = auc_components(y, scores)
        aucs.append(float(of_positive.mean()))
        above.append(of_positive)
        below.append(of_negative)
    variance = clustered_variance(
        above[1] - above[0], below[1] - below[0], players[positive], players[~positive]
    )
    difference = aucs[1] - aucs[0]
    error = float(np.sqrt(variance))
    if error == 0:
        same = difference == 0
        return Difference(*aucs, difference, difference, difference, 1.0 if same else 0.0)
    normal = NormalDist()
    reach = normal.inv_cdf((1 + confidence) / 2) * error
    p = 2 * normal.cdf(-abs(difference) / error)
    return Difference(*aucs, difference, difference - reach, difference + reach, p)


def auc_components(y: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Of each positive row the share of negatives that it is scored above, of each negative row the
    share of positives that are scored above it; a tie is half. The mean of either is the AUC.
    """
    positive = y == 1
    above, below = scores[positive], scores[~positive]
    ranks = midranks(scores)
    of_positive = (ranks[positive] - midranks(above)) / len(below)
    of_negative = 1 - (ranks[~positive] - midranks(below)) / len(above)
    return of_positive, of_negative


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def clustered_variance(
    of_positive: np.ndarray,
    of_negative: np.ndarray,
    positive_players: np.ndarray,
    negative_players: np.ndarray,
) -> float:
    """Of the mean of the components, whose players are given beside them."""
    n1, n0 = len(of_positive), len(of_negative)
    players, index = np.unique(
        np.concatenate([positive_players, negative_players]), return_inverse=True
    )
    mean = of_positive.mean()

    def sums(components: np.ndarray, of: np.ndarray) -> np.ndarray:
        return np.bincount(of, weights=components - mean, minlength=len(players))

    above, below = sums(of_positive, index[:n1]), sums(of_negative, index[n1:])
    k1, k0, k = len(np.unique(index[:n1])), len(np.unique(index[n1:])), len(players)
    if min(k1, k0) < 2:
        raise ValueError(f"{k1} players churned and {k0} stayed: two of each are the least")
    s1 = k1 / (k1 - 1) * float(above @ above) / n1
    s0 = k0 / (k0 - 1) * float(below @ below) / n0
    between = k / (k - 1) * float(above @ below)
    return max(0.0, s1 / n1 + s0 / n0 + 2 * between / (n1 * n0))


def compare_log_losses(
    y: np.ndarray,
    champion: np.ndarray,
    candidate: np.ndarray,
    players: np.ndarray,
    confidence: float,
    draws: int,
    seed: int,
) -> Difference:
    """
    Two mean log losses on the same rows, below zero when the candidate's is lower. Players are
    drawn with replacement, each with all their rows; the interval is of percentiles. The same seed
    gives the same answer. p counts the draws on the other side of zero, twice, and is never 0.
    """
    losses = [log_losses(y, scores) for scores in (champion, candidate)]
    means = [float(loss.mean()) for loss in losses]
    _, index = np.unique(players, return_inverse=True)
    rows = np.bincount(index).astype(np.float64)
    sums = np.bincount(index, weights=losses[1] - losses[0])
    draw = np.random.default_rng(seed)
    found = np.empty(draws)
    for number in range(draws):
        chosen = draw.integers(0, len(rows), len(rows))
        found[number] = sums[chosen].sum() / rows[chosen].sum()
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    side = min(int((found <= 0).sum()), int((found >= 0).sum()))
    p = min(1.0, 2 * (side + 1) / (draws + 1))
    return Difference(*means, means[1] - means[0], float(low), float(high), p)


def log_losses(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    p = clipped(np.asarray(scores, np.float64))
    return -np.where(y == 1, np.log(p), np.log(1 - p))
