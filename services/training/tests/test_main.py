"""The command, with MLflow on a SQLite file in place of a server."""

import hashlib
import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from churn_training.__main__ import main
from churn_training.columns import Features
from churn_training.export import onnx_probabilities
from churn_training.golden import read_golden
from churn_training.train import HYPERPARAMETERS

from .conftest import make_rows

FILES = (
    "MLmodel",
    "model.onnx",
    "columns.json",
    "golden.json",
    "X_test_sample.json",
    "reference_profile.json",
    "xgboost/model.json",
)
ONE_HOT = ("market_", "acquisition_source_", "first_product_")


@pytest.fixture
def data(raw_rows: pd.DataFrame, tmp_path: Path) -> Path:
    file = tmp_path / "set.csv"
    raw_rows.to_csv(file, index=False)
    return file


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(HYPERPARAMETERS, "n_estimators", 15)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    yield uri
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def test_the_registered_folder_holds_every_file_and_serves(
    data: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(data), "--champion"]) == 0
    output = capsys.readouterr()
    [line] = output.out.splitlines()
    result = json.loads(line)
    assert result["name"] == "churn-default"
    assert "warning: the test AUC" in output.err

    client = mlflow.MlflowClient()
    version = client.get_model_version_by_alias("churn-default", "champion")
    assert str(version.version) == result["version"]
    assert version.tags["onnx_parity"].startswith("passed")
    assert version.tags["auc_check"] == "low"
    assert client.get_run(version.run_id).data.metrics["auc"] == result["auc"]

    folder = Path(result["artifactLocation"].removeprefix("file://"))
    assert [file for file in FILES if not (folder / file).is_file()] == []
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert version.tags["sha256"] == digest
    columns = json.loads((folder / "columns.json").read_text())
    named, rows, expected = read_golden((folder / "golden.json").read_text())
    assert named == columns
    loaded = mlflow.onnx.load_model("models:/churn-default@champion")
    assert np.abs(onnx_probabilities(loaded, rows) - expected).max() <= 1e-6

    inputs = mlflow.models.get_model_info("models:/churn-default@champion").signature.inputs
    assert inputs.input_names() == columns
    assert {column.type.name for column in inputs} == {"double"}
    assert [c.name for c in inputs if c.required] == [c for c in columns if c.startswith(ONE_HOT)]
    sample = json.loads((folder / "X_test_sample.json").read_text())
    assert list(sample[0]) == columns


def test_a_market_has_a_model_of_its_own(
    features: Features, tmp_path: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "set.csv"
    make_rows(features, rows=6_000).to_csv(file, index=False)
    assert main(["--data", str(file), "--market", "gb"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "churn-gb"
    assert mlflow.MlflowClient().get_registered_model("churn-gb").aliases == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="stake_7d"), "lacks columns: stake_7d"),
        (lambda rows: rows.assign(churned=0), "rows is churned"),
        (lambda rows: rows.head(300), "too few training rows: "),
    ],
)
def test_data_that_cannot_be_learnt_from_ends_the_command(
    change: object,
    message: str,
    raw_rows: pd.DataFrame,
    tmp_path: Path,
    registry: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "bad.csv"
    change(raw_rows).to_csv(file, index=False)
    assert main(["--data", str(file)]) == 1
    output = capsys.readouterr()
    assert message in output.err
    assert output.out == ""


def test_mlflow_away_is_said_before_training(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert main(["--data", str(data)]) == 1
    assert "MLflow is not reachable at http://127.0.0.1:9" in capsys.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert main(["--data", str(data)]) == 1
    assert "MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err
