"""Stored scores beside XGBoost's own."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_training.compare import main
from churn_training.forest import read_forest

from .boosters import NAMES, grow, make_x

ROWS = 300


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version whose second column is one-hot and whose third is ordinal."""
    booster = grow()
    (tmp_path / "xgboost").mkdir()
    booster.save_model(tmp_path / "xgboost" / "model.json")
    columns = [NAMES[0], "market_gb", {"name": "device", "levels": ["android", "ios"]}, *NAMES[3:]]
    (tmp_path / "columns.json").write_text(json.dumps(columns))
    return tmp_path


def vectors() -> tuple[pd.DataFrame, np.ndarray]:
    x = make_x(ROWS)
    draw = np.random.default_rng(2)
    x[:, 1] = draw.integers(0, 2, ROWS)
    x[:, 2] = draw.integers(0, 2, ROWS)
    frame = pd.DataFrame(x.astype(np.float64), columns=NAMES)
    frame["c1"] = np.where(x[:, 1] == 1, "gb", "us-nj")
    frame["c2"] = np.where(x[:, 2] == 1, "ios", "android")
    return frame.rename(columns={"c1": "market", "c2": "device"}), x


def compare(
    version: Path,
    rows: Path,
    scores: np.ndarray,
    capsys: pytest.CaptureFixture[str],
    most: int = 200,
) -> dict[str, float]:
    file = version / "scores.parquet"
    order = np.random.default_rng(9).permutation(ROWS)
    pd.DataFrame({"row": order, "score": scores[order]}).to_parquet(file)
    code = main(
        [
            *("--model", str(version), "--vectors", str(rows)),
            *("--scores", str(file), "--rows", str(most)),
        ]
    )
    assert code == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["vectors.parquet", "vectors.jsonl"])
def test_scores_of_the_model_are_no_further_than_allowed(
    kind: str, version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, x = vectors()
    write(frame, version / kind)
    scores = read_forest(grow()).probabilities(x)
    answer = compare(version, version / kind, scores, capsys)
    assert answer["rows"] == 200
    assert answer["maxDifference"] <= answer["tolerance"]


def test_one_wrong_score_is_seen(version: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame, x = vectors()
    write(frame, version / "vectors.parquet")
    scores = read_forest(grow()).probabilities(x)
    scores[17] += 0.001
    answer = compare(version, version / "vectors.parquet", scores, capsys, most=ROWS)
    assert answer["maxDifference"] == pytest.approx(0.001, rel=1e-3)
    assert answer["maxDifference"] > answer["tolerance"]


def test_the_models_own_columns_are_taken_as_they_are(
    version: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, x = vectors()
    own = frame.drop(columns=["market", "device"])
    own["market_gb"], own["device"] = x[:, 1].astype(float), x[:, 2].astype(float)
    write(own, version / "vectors.jsonl")
    scores = read_forest(grow()).probabilities(x)
    answer = compare(version, version / "vectors.jsonl", scores, capsys)
    assert answer["maxDifference"] <= answer["tolerance"]


def test_a_missing_column_is_named(version: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame, _ = vectors()
    write(frame.drop(columns=["c4"]), version / "vectors.parquet")
    pd.DataFrame({"row": [0], "score": [0.5]}).to_parquet(version / "scores.parquet")
    arguments = ["--vectors", str(version / "vectors.parquet"), "--model", str(version)]
    assert main([*arguments, "--scores", str(version / "scores.parquet")]) == 1
    assert "vectors.parquet has no column c4" in capsys.readouterr().err


def write(frame: pd.DataFrame, file: Path) -> None:
    if file.suffix == ".parquet":
        frame.to_parquet(file)
    else:
        frame.to_json(file, orient="records", lines=True, double_precision=15)
