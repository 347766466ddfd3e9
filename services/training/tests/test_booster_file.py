import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from xgboost import Booster

from churn_training.booster_file import read_booster
from churn_training.errors import TrainingError
from churn_training.forest import read_forest
from churn_training.ubjson import read_ubjson

from .boosters import grow, grow_by_category, grow_linear, make_x, make_y, save

CONVERT = "convert it with XGBoost 2.x or 3.0"


def old_binary(prefix: bytes = b"") -> bytes:
    name = b"binary:logistic"
    return prefix + bytes(136) + struct.pack("<Q", len(name)) + name + bytes(64)


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
@pytest.mark.parametrize("make", [grow, grow_by_category])
def test_the_format_is_told_by_the_content(
    name: str, make: Callable[[], Booster], tmp_path: Path
) -> None:
    booster = make()
    # Named as if it were in another format.
    file = save(booster, tmp_path, name).rename(tmp_path / "model.bin")
    read = read_booster(file)
    assert (read.kind, read.version) == (name.removeprefix("model."), "3.2.0")
    x = np.abs(np.nan_to_num(make_x(50)))
    x[:, 0] %= 3
    x = np.floor(x)
    expected = read_forest(booster).probabilities(x)
    np.testing.assert_array_equal(read_forest(read.booster).probabilities(x), expected)


def test_a_json_file_may_be_indented_and_start_with_blanks(tmp_path: Path) -> None:
    file = save(grow(2), tmp_path)
    file.write_text("\n  " + json.dumps(json.loads(file.read_text()), indent=2) + "\n")
    assert read_booster(file).kind == "json"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (old_binary(), CONVERT),
        (old_binary(b"binf"), CONVERT),
        (b"bs64" + bytes(300), CONVERT),
        (pickle.dumps({"a": 1}), "is a pickle, which runs whatever code it holds"),
        (b"\x1f\x8b" + bytes(40), r"is compressed \(gzip\)"),
        (b"[0:[f0<0.5] yes=1,no=2]", "a text dump"),
        (b"player,score\n1,0.4\n", "begins with neither JSON nor UBJSON"),
        (b'{"a": 1}', "is no model that XGBoost saved"),
        (b'{"learner": [', "is no whole JSON file"),
    ],
)
def test_what_is_no_model_is_refused_with_what_to_do(
    content: bytes, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "model.json"
    file.write_bytes(content)
    with pytest.raises(TrainingError, match=rf"model\.json .*{message}"):
        read_booster(file)


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(name: str, share: float, tmp_path: Path) -> None:
    file = save(grow(3), tmp_path, name)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(TrainingError, match=r"is no whole (JSON|UBJSON) file"):
        read_booster(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.json cannot be read"):
        read_booster(tmp_path / "none.json")


X = make_x()
Y = make_y(X)
FOREIGN: dict[str, tuple[Callable[[], Booster], str]] = {
    "classes": (
        lambda: grow(2, label=np.arange(len(X)) % 3, objective="multi:softprob", num_class=3),
        "objective multi:softprob: it tells several classes apart; needed is a binary classifier",
    ),
    "regression": (
        lambda: grow(2, objective="reg:squarederror"),
        "objective reg:squarederror: it is a regression",
    ),
    "counts": (lambda: grow(2, objective="count:poisson"), "a regression of counts"),
    "ranking": (lambda: grow(2, objective="rank:pairwise"), "puts rows in an order"),
    "survival": (
        lambda: grow(2, label=Y + 1, objective="survival:cox"),
        "objective survival:cox: it foretells a time",
    ),
    "hinge": (lambda: grow(2, objective="binary:hinge"), "without saying how sure they are"),
    "linear": (grow_linear, "is a gblinear model, which has no trees"),
    "targets": (
        lambda: grow(2, label=np.column_stack([Y, 1 - Y])),
        "foretells 2 targets at once",
    ),
    "no trees": (lambda: grow(0), "holds no trees"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_models_are_refused_with_what_is_needed(kind: str, tmp_path: Path) -> None:
    make, message = FOREIGN[kind]
    with pytest.raises(TrainingError, match=message):
        read_booster(save(make(), tmp_path))


def child_of_two(tree: dict) -> None:
    tree["left_children"][0] = tree["right_children"][0]


def endless(tree: dict) -> None:
    tree["left_children"][0] = 0


def unknown_feature(tree: dict) -> None:
    tree["split_indices"][0] = 99


def array_short(tree: dict) -> None:
    tree["split_conditions"].pop()


@pytest.mark.parametrize("damage", [child_of_two, endless, unknown_feature, array_short])
def test_damaged_trees_are_refused_before_xgboost_sees_them(
    damage: Callable[[dict], None], tmp_path: Path
) -> None:
    file = save(grow(2), tmp_path)
    document = json.loads(file.read_text())
    damage(document["learner"]["gradient_booster"]["model"]["trees"][1])
    file.write_text(json.dumps(document))
    with pytest.raises(TrainingError, match=r"is damaged: .*tree 1"):
        read_booster(file)


def test_ubjson_reads_what_json_says(tmp_path: Path) -> None:
    booster = grow(3)
    content = save(booster, tmp_path, "model.ubj").read_bytes()
    one, other = read_ubjson(content), json.loads(booster.save_raw("json"))
    trees, expected = (d["learner"]["gradient_booster"]["model"]["trees"] for d in (one, other))
    assert trees[0]["left_children"] == expected[0]["left_children"]
    assert [np.float32(v) for v in trees[0]["split_conditions"]] == [
        np.float32(v) for v in expected[0]["split_conditions"]
    ]
    with pytest.raises(ValueError, match="something follows its end"):
        read_ubjson(content + b"x")
    with pytest.raises(ValueError, match="nested more than"):
        read_ubjson(b"[" * 200)
