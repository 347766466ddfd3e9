"""A model from elsewhere, from its files to what will be registered."""

import json
from pathlib import Path

import numpy as np
import pytest

from churn_training.artifact import Candidate, signature
from churn_training.columns import names_of
from churn_training.errors import TrainingError
from churn_training.import_model import import_model
from churn_training.parity import onnx_probabilities

from .boosters import DEVICES, NAMES, grow, grow_by_category, grow_stopped_early, make_x, save

said: list[str] = []


def bring(folder: Path, **changes: object) -> Candidate:
    """Imports what lies in the folder; files that are not there yet are made."""
    said.clear()
    model = folder / "model.json"
    if not model.exists():
        save(grow(), folder)
    for name, content in {
        "columns.json": changes.pop("columns", NAMES),
        "sample.json": changes.pop("sample", records()),
    }.items():
        (folder / name).write_text(json.dumps(content))
    return import_model(
        model,
        folder / "sample.json",
        folder / "columns.json",
        "us-nj",
        said.append,
        **changes,
    )


def records(rows: int = 300, names: list[str] = NAMES) -> list[dict[str, float | None]]:
    return [
        {n: None if np.isnan(v) else float(v) for n, v in zip(names, row, strict=True)}
        for row in make_x(rows)
    ]


def test_what_is_said_of_it_comes_from_the_file(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.json"
    metrics.write_text('{"auc": 0.83, "n": 5}')
    made = bring(tmp_path, metrics=metrics, train_window="2025-01-01/2025-06-30")
    assert made.parity.rows >= 10_000
    assert said[-1].startswith("parity: at most ")
    assert made.metrics == {"auc": 0.83, "n": 5.0}
    assert {
        "objective": "binary:logistic",
        "booster": "gbtree",
        "model_format": "json",
        "model_xgboost_version": "3.2.0",
        "trees": 20,
        "max_tree_depth": 4,
        "num_feature": 6,
        "sample_rows": 300,
        "train_window": "2025-01-01/2025-06-30",
    }.items() <= made.params.items()
    assert set(made.tags) == {
        "market",
        "imported",
        "train_window",
        "git_commit",
        "model_file_sha256",
        "onnx_parity",
        "columns_sha256",
    }
    assert made.files["xgboost/original.json"] == (tmp_path / "model.json").read_bytes()
    assert [f["name"] for f in made.profile["features"]] == NAMES
    gain = grow().get_score(importance_type="total_gain")
    told = {f["name"]: f["importance"] for f in made.profile["features"]}
    assert told == pytest.approx({name: gain[name] / sum(gain.values()) for name in NAMES})
    assert made.golden["columns"] == NAMES
    assert made.golden["leafSum"] > 0
    assert {column.type.name for column in signature(made.columns).inputs} == {"double"}


def test_early_stopping_best_is_the_default_and_all_must_be_asked_for(tmp_path: Path) -> None:
    booster = grow_stopped_early()
    save(booster, tmp_path)
    best = bring(tmp_path, columns=[f"f{i}" for i in range(6)], sample=[[0.5] * 6] * 20)
    told = [line for line in said if "after early stopping" in line]
    assert told == [
        f"{booster.best_iteration + 1} of {booster.num_boosted_rounds()} rounds of trees are "
        f"taken: best_iteration is {booster.best_iteration} after early stopping "
        "(--trees all takes all)"
    ]
    every = bring(
        tmp_path, columns=[f"f{i}" for i in range(6)], sample=[[0.5] * 6] * 20, trees="all"
    )
    assert best.params["rounds"] == booster.best_iteration + 1
    assert every.params["rounds"] == every.params["rounds_in_file"] == booster.num_boosted_rounds()
    assert (best.params["trees_option"], every.params["trees_option"]) == ("best", "all")


def categorical_columns(levels: tuple[str, ...] = DEVICES) -> list[object]:
    return [{"name": "device", "levels": list(levels)}, *NAMES[1:]]


def categorical_sample() -> list[dict[str, object]]:
    texts = (*DEVICES, None)
    return [
        {"device": texts[row % 4], **{n: v for n, v in record.items() if n != "c0"}}
        for row, record in enumerate(records())
    ]


def test_splits_by_category_serve_through_their_codes(tmp_path: Path) -> None:
    save(grow_by_category(), tmp_path)
    made = bring(tmp_path, columns=categorical_columns(), sample=categorical_sample())
    assert made.params["categorical_splits"] is True
    rows = np.zeros((3, 6), np.float32)
    rows[:, 0] = range(3)
    android, ios, web = onnx_probabilities(made.onnx, rows)
    assert ios > 2 * max(android, web)


@pytest.mark.parametrize(
    ("columns", "sample", "message"),
    [
        (
            ["device", *NAMES[1:]],
            [{**record, "device": 1} for record in records(names=["device", *NAMES[1:]])],
            "splits device by category .*must name the levels",
        ),
        (
            categorical_columns(DEVICES[::-1]),
            categorical_sample(),
            "was trained with android, ios, web",
        ),
    ],
)
def test_splits_by_category_need_the_levels_they_were_trained_with(
    columns: list[object], sample: list[object], message: str, tmp_path: Path
) -> None:
    save(grow_by_category(), tmp_path)
    with pytest.raises(TrainingError, match=message):
        bring(tmp_path, columns=columns, sample=sample)


def test_a_small_sample_is_warned_of_and_parity_still_has_its_rows(tmp_path: Path) -> None:
    made = bring(tmp_path, sample=records(3))
    assert any(line.startswith("warning: a sample of 3 rows") for line in said)
    assert made.parity.rows >= 10_000


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([NAMES[1], NAMES[0], *NAMES[2:]], "are in another order: at 0 stands c0"),
        (NAMES[:-1], "also have c5"),
        ([*NAMES, "c6"], "lack c6"),
        (["age", *NAMES[1:]], "name c0 where the columns have age"),
    ],
)
def test_columns_that_are_not_the_models_are_refused(
    columns: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=f"the model's features .*{message}"):
        bring(tmp_path, columns=columns)


def test_a_model_without_names_goes_by_the_number_of_columns(tmp_path: Path) -> None:
    save(grow_stopped_early(), tmp_path)
    made = bring(tmp_path)
    assert names_of(made.columns) == NAMES
    with pytest.raises(TrainingError, match="takes 6 features, the columns file names 5"):
        bring(tmp_path, columns=NAMES[:-1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "must be a JSON object of numbers"),
        ('{"auc": "0.8"}', 'auc is "0.8", it must be a number'),
        ('{"auc": true}', "auc is true"),
        ('{"auc": NaN}', "auc is NaN"),
        ('{"by": {"auc": 1}}', "by is "),
        ('{"a\\"b": 1}', "is no name of a metric"),
        ("{", "cannot be read"),
    ],
)
def test_metrics_that_are_no_numbers_are_refused_with_the_key(
    content: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(content)
    with pytest.raises(TrainingError, match=f"the metrics .*{message}"):
        bring(tmp_path, metrics=file)


@pytest.mark.parametrize("window", ["2025", "2025-06-30/2025-01-01", "a/b", "2025-01-01/"])
def test_a_train_window_that_is_none_is_refused(window: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the train window"):
        bring(tmp_path, train_window=window)
