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
from churn_training.golden import read_golden
from churn_training.parity import onnx_probabilities

from .boosters import NAMES, grow, make_x, save
from .conftest import make_rows

FILES = (
    "MLmodel",
    "model.onnx",
    "columns.json",
    "golden.json",
    "X_test_sample.json",
    "reference_profile.json",
    "xgboost/model.json",
    "training_config.json",
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
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    yield uri
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


def test_the_registered_folder_holds_every_file_and_serves(
    data: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--data", str(data), "--champion"]) == 0
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
    assert version.tags["variant"] == result["variant"] == "standard"
    assert version.tags["data_sha256"] == hashlib.sha256(data.read_bytes()).hexdigest()
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


def test_a_market_has_a_model_of_its_own_and_a_seed_makes_it_again(
    features: Features, tmp_path: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "set.csv"
    make_rows(features, rows=6_000).to_csv(file, index=False)
    folders = []
    for _ in range(2):
        assert main(["train", "--data", str(file), "--market", "gb", "--variant", "ordinal"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["name"], result["variant"]) == ("churn-gb", "ordinal")
        folders.append(Path(result["artifactLocation"].removeprefix("file://")))
    assert mlflow.MlflowClient().get_registered_model("churn-gb").aliases == {}
    for name in ("columns.json", "golden.json", "training_config.json", "model.onnx"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    configuration = json.loads((folders[0] / "training_config.json").read_text())
    assert (configuration["rows"], configuration["seed"]) == (["gb"], 7)
    columns = json.loads((folders[0] / "columns.json").read_text())
    assert columns[-1] == {"name": "first_product", "levels": ["racing", "sport"]}


def test_a_model_from_elsewhere_is_registered_beside_them(
    tmp_path: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save(grow(300, max_depth=6), tmp_path, "model.ubj")
    sample, columns = tmp_path / "X_test_sample.json", tmp_path / "columns.txt"
    pd.DataFrame(make_x(200), columns=NAMES).to_json(sample, orient="split")
    columns.write_text("\n".join(NAMES))
    given = ["--model", model, "--sample", sample, "--columns", columns, "--market", "us-nj"]
    assert main(["import", *map(str, given), "--champion"]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (result["name"], result["trees"], result["columns"]) == ("churn-us-nj", 300, 6)
    assert result["parityRows"] >= 10_000
    assert result["parityMaxDifference"] <= result["tolerance"]
    assert "parity: at most" in output.err

    version = mlflow.MlflowClient().get_model_version_by_alias("churn-us-nj", "champion")
    assert (version.tags["imported"], version.tags["market"]) == ("true", "us-nj")
    loaded = mlflow.onnx.load_model("models:/churn-us-nj@champion")
    folder = Path(result["artifactLocation"].removeprefix("file://"))
    _, rows, expected = read_golden((folder / "golden.json").read_text())
    assert np.abs(onnx_probabilities(loaded, rows) - expected).max() <= result["tolerance"]


def test_an_import_that_fails_registers_nothing(
    tmp_path: Path, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save(grow(2, objective="reg:squarederror"), tmp_path)
    files = ["--model", str(model), "--sample", "none.json", "--columns", "none.txt"]
    assert main(["import", *files, "--market", "us-nj"]) == 1
    assert "model.json has the objective reg:squarederror" in capsys.readouterr().err
    assert list(mlflow.MlflowClient().search_registered_models()) == []


def test_a_market_that_can_be_no_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "--model", "m", "--sample", "s", "--columns", "c", "--market", "US NJ"])
    assert "lower-case letters, digits and hyphens" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="stake_7d"), "lacks columns: stake_7d"),
        (lambda rows: rows.assign(churned=0), "rows is churned"),
        (lambda rows: rows.head(300), "too few rows of market default: "),
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
    assert main(["train", "--data", str(file)]) == 1
    output = capsys.readouterr()
    assert message in output.err
    assert output.out == ""


def test_mlflow_away_is_said_before_training(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert main(["train", "--data", str(data)]) == 1
    assert "MLflow is not reachable at http://127.0.0.1:9" in capsys.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert main(["train", "--data", str(data)]) == 1
    assert "MLFLOW_TRACKING_URI is not set" in capsys.readouterr().err
