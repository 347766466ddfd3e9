"""A data scientist's own script, with nothing but mlflow and xgboost: plain_model.py NAME"""

import sys

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import infer_signature
from xgboost import XGBClassifier

name = sys.argv[1]
draw = np.random.default_rng(7)
x = draw.normal(size=(500, 4)).astype(np.float32)
model = XGBClassifier(n_estimators=10).fit(x, x[:, 0] + draw.normal(size=500) > 0)
with mlflow.start_run():
    info = mlflow.xgboost.log_model(
        model, name="model", signature=infer_signature(x, model.predict(x)), model_format="json"
    )
version = mlflow.register_model(info.model_uri, name).version
MlflowClient().set_registered_model_alias(name, "champion", version)
print(version)
