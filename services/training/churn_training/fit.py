"""How is the model fitted?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from xgboost import XGBClassifier

from .forest import Forest, read_forest

OBJECTIVE = "binary:logistic"


def fit(x: np.ndarray, y: np.ndarray, hyperparameters: Mapping[str, Any], seed: int) -> Forest:
    """Fits on bare float32 rows. Every tree serves: no early stopping, no warm start."""
    model = XGBClassifier(**hyperparameters, objective=OBJECTIVE, random_state=seed, missing=np.nan)
    model.fit(np.asarray(x, np.float32), np.asarray(y))
    return read_forest(model.get_booster())
