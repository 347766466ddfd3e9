"""How is the model fitted?"""

from typing import Any

import numpy as np
from xgboost import XGBClassifier

# Every tree serves: no early stopping, because the ONNX converter would take the trees that
# XGBoost's own predictions leave out. Never a warm start: the converter would see bogus classes.
HYPERPARAMETERS: dict[str, Any] = {
    "n_estimators": 200,
    "max_depth": 5,
    "learning_rate": 0.05,
    "min_child_weight": 20,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "reg_lambda": 5.0,
    "tree_method": "hist",
    "objective": "binary:logistic",
}


def fit(x: np.ndarray, y: np.ndarray, seed: int, **overrides: Any) -> XGBClassifier:  # noqa: ANN401
    """Fits on bare float32 rows: the features are then f0, f1, … as the converter asks."""
    model = XGBClassifier(**{**HYPERPARAMETERS, **overrides}, random_state=seed, missing=np.nan)
    return model.fit(np.asarray(x, np.float32), np.asarray(y))


def probabilities(model: XGBClassifier, x: np.ndarray) -> np.ndarray:
    return model.predict_proba(np.asarray(x, np.float32))[:, 1]
