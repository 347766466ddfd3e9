"""How good is the model on days it has not seen?"""

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

# Judgement for 28 days and mixed tenure; above it the features probably know the answer.
AUC_BAND = (0.78, 0.88)
RECENCY = (
    "days_since_last_bet",
    "days_since_last_deposit",
    "days_since_last_session",
    "silence_ratio",
)


def test_metrics(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    p = np.asarray(p, np.float64)
    return {
        "auc": float(roc_auc_score(y, p)),
        "pr_auc": float(average_precision_score(y, p)),
        "log_loss": float(log_loss(y, clipped(p))),
        "brier": float(brier_score_loss(y, p)),
        "base_rate": float(np.mean(y)),
        "mean_score": float(np.mean(p)),
        "calibration_slope": calibration_slope(y, p),
    }


def clipped(p: np.ndarray) -> np.ndarray:
    """ONNX Runtime's sigmoid reaches 0 exactly; a logarithm must not."""
    return np.clip(p, 1e-7, 1 - 1e-7)


def calibration_slope(y: np.ndarray, p: np.ndarray) -> float:
    """Slope of a logistic regression of y on the score's log odds: 1 is right, below 1 too bold."""
    odds = np.log(clipped(p) / (1 - clipped(p)))
    if np.ptp(odds) < 1e-9:
        return float("nan")
    design = np.column_stack([np.ones_like(odds), odds])
    weights = np.array([0.0, 1.0])
    for _ in range(25):
        fitted = 1 / (1 + np.exp(-design @ weights))
        curvature = design.T @ (design * (fitted * (1 - fitted))[:, None])
        step = np.linalg.lstsq(curvature, design.T @ (y - fitted), rcond=None)[0]
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    return float(weights[1])


def auc_verdict(auc: float) -> str:
    low, high = AUC_BAND
    if auc > high:
        return "high"
    return "low" if auc < low else "ok"


def strongest_alone(
    x: np.ndarray, y: np.ndarray, columns: list[str], most: int = 5
) -> list[tuple[str, float]]:
    """The columns that alone separate best, with their AUC in whichever direction."""
    found = []
    for index, column in enumerate(columns):
        values = np.nan_to_num(x[:, index].astype(np.float64), nan=-1e30)
        auc = float(roc_auc_score(y, values))
        found.append((column, max(auc, 1 - auc)))
    return sorted(found, key=lambda pair: -pair[1])[:most]
