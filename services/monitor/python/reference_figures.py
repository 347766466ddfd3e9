"""
What do scikit-learn and SciPy say? One JSON object on stdin, one on stdout; only tests ask.

{scores, churned, tails: [[x, degrees], ...], quantiles: [[tail, degrees], ...]}
"""

import json
import sys

import numpy as np
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score


def auc_error(y: np.ndarray, p: np.ndarray) -> float:
    """DeLong's standard error straight from its definition: every pair is looked at."""
    churned, stayed = p[y == 1][:, None], p[y == 0][None, :]
    above = (churned > stayed) + 0.5 * (churned == stayed)
    of_churned, of_stayed = above.mean(axis=1), above.mean(axis=0)
    variance = of_churned.var(ddof=1) / len(of_churned) + of_stayed.var(ddof=1) / len(of_stayed)
    return float(np.sqrt(variance))


def calibration_error(y: np.ndarray, p: np.ndarray, bins: int = 10) -> float:
    parts = np.array_split(np.argsort(p, kind="stable"), bins)
    return float(sum(len(part) / len(p) * abs(p[part].mean() - y[part].mean()) for part in parts))


def lift(y: np.ndarray, p: np.ndarray, share: float) -> float:
    top = np.argsort(-p, kind="stable")[: max(1, round(len(p) * share))]
    return float(y[top].mean() / y.mean())


def figures(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    clipped = np.clip(p, 1e-7, 1 - 1e-7)
    odds = np.log(clipped / (1 - clipped))[:, None]
    line = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-14, max_iter=1000)
    line.fit(odds, y)
    return {
        "auc": float(roc_auc_score(y, p)),
        "aucError": auc_error(y, p),
        "averagePrecision": float(average_precision_score(y, p)),
        "logLoss": float(log_loss(y, clipped)),
        "brier": float(brier_score_loss(y, p)),
        "calibrationError": calibration_error(y, p),
        "slope": float(line.coef_[0][0]),
        "intercept": float(line.intercept_[0]),
        "lift": lift(y, p, 0.1),
    }


def main() -> None:
    asked = json.load(sys.stdin)
    answer = {
        "figures": [figures(np.array(y), np.array(p)) for p, y in asked["labelled"]],
        "tails": [float(chi2.sf(x, degrees)) for x, degrees in asked["tails"]],
        "quantiles": [float(chi2.isf(tail, degrees)) for tail, degrees in asked["quantiles"]],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
