"""Every kind of booster becomes an ONNX model that says what XGBoost says."""

import json
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper
from xgboost import Booster, DMatrix

from churn_training.errors import TrainingError
from churn_training.fit import fit
from churn_training.forest import Forest, best_rounds, read_forest
from churn_training.golden import golden_document, golden_rows, read_golden
from churn_training.onnx_model import to_onnx
from churn_training.parity import (
    check_parity,
    checked_rows,
    onnx_probabilities,
    threshold_rows,
    tolerance,
)

from .boosters import (
    NAMES,
    WIDTH,
    changed,
    grow,
    grow_by_category,
    grow_stopped_early,
    make_x,
    make_y,
    with_leaves,
)

ROWS = 10_000

KINDS: dict[str, Callable[[], Booster]] = {
    "gbtree": grow,
    "300 trees": lambda: grow(300, max_depth=6, learning_rate=0.05),
    "dart": lambda: grow(booster="dart", rate_drop=0.3),
    "random forest": lambda: grow(3, num_parallel_tree=7, subsample=0.6, colsample_bynode=0.6),
    "base score": lambda: grow(base_score=0.07),
    "positive weight": lambda: grow(scale_pos_weight=9),
    "logitraw": lambda: grow(objective="binary:logitraw", base_score=-1.5),
    "reg:logistic": lambda: grow(objective="reg:logistic"),
    "lossguide": lambda: grow(grow_policy="lossguide", max_leaves=9, max_depth=0),
    "exact": lambda: grow(tree_method="exact"),
    "by category": grow_by_category,
    # Some ONNX Runtimes leave out the sigmoid when no leaf is negative.
    "positive leaves": lambda: with_leaves(grow(), lambda leaf: abs(leaf) + 0.01),
    "large leaves": lambda: with_leaves(grow(), lambda leaf: leaf * 20),
    "one leaf a tree": lambda: grow(3, min_child_weight=1e9),
    "first tree nought": lambda: with_leaves(grow(1, min_child_weight=1e9), lambda _: 0.0),
}


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return make_x()


@pytest.fixture(scope="module")
def forest() -> Forest:
    return read_forest(grow())


def real_rows(forest: Forest, x: np.ndarray) -> np.ndarray:
    x = x.copy()
    for feature in forest.categorical:
        x[:, feature] = np.arange(len(x)) % 3
    return x


@pytest.mark.parametrize("kind", KINDS)
def test_parity_over_ten_thousand_rows(kind: str, x: np.ndarray) -> None:
    forest = read_forest(KINDS[kind]())
    rows = checked_rows(forest, real_rows(forest, x), 1, ROWS)
    parity = check_parity(to_onnx(forest), forest, rows)
    assert parity.rows >= ROWS
    assert parity.max_difference <= tolerance(forest.leaf_sum) <= 1e-5
    spread = np.ptp(forest.probabilities(rows))
    assert spread == 0 if kind in ("one leaf a tree", "first tree nought") else spread > 0.1


@pytest.mark.parametrize("kind", ["dart", "logitraw", "random forest", "by category"])
def test_the_native_document_is_an_equal_gbtree(kind: str, x: np.ndarray) -> None:
    forest = read_forest(KINDS[kind]())
    rows = real_rows(forest, x)
    equal = Booster()
    equal.load_model(bytearray(forest.native, "utf8"))
    assert json.loads(forest.native)["learner"]["gradient_booster"]["name"] == "gbtree"
    answer = equal.predict(DMatrix(rows), validate_features=False)
    assert np.abs(answer - forest.probabilities(rows)).max() <= 1e-6


def test_early_stopping_the_best_trees_are_those_that_scikit_learn_predicts_with(
    x: np.ndarray,
) -> None:
    booster = grow_stopped_early()
    rounds = best_rounds(booster)
    assert rounds is not None
    assert rounds < booster.num_boosted_rounds()
    best, every = read_forest(booster, rounds), read_forest(booster)
    assert (len(best.trees), best.rounds_in_file) == (rounds, booster.num_boosted_rounds())
    expected = booster.predict(DMatrix(x), iteration_range=(0, booster.best_iteration + 1))
    rows = checked_rows(best, x, 1, ROWS)
    assert check_parity(to_onnx(best), best, rows).max_difference <= 1e-6
    assert np.abs(onnx_probabilities(to_onnx(best), x) - expected).max() <= 1e-6
    assert np.abs(onnx_probabilities(to_onnx(every), x) - expected).max() > 0.01


def test_early_stopping_a_best_round_that_is_not_there_is_refused() -> None:
    booster = grow(3)
    booster.set_attr(best_iteration="9")
    with pytest.raises(TrainingError, match="best_iteration is 9, but it has 3 rounds"):
        best_rounds(booster)


def test_base_score_beyond_any_probability_is_refused() -> None:
    def put(document: dict) -> None:
        document["learner"]["learner_model_param"]["base_score"] = "[4E1]"

    with pytest.raises(TrainingError, match="starts from log odds of 40"):
        read_forest(changed(grow(2, objective="binary:logitraw"), put))


def test_fit_the_same_seed_gives_the_same_probabilities(x: np.ndarray) -> None:
    settings = {"n_estimators": 10, "max_depth": 3, "subsample": 0.7}
    first, again, other = (fit(x, make_y(x), settings, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.probabilities(x), again.probabilities(x))
    assert (first.probabilities(x) != other.probabilities(x)).any()


def test_onnx_has_one_float_input_and_named_outputs(forest: Forest) -> None:
    converted = to_onnx(forest)
    [given] = converted.graph.input
    assert given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert given.type.tensor_type.shape.dim[1].dim_value == WIDTH
    assert [output.name for output in converted.graph.output] == ["label", "probabilities"]
    assert [entry.domain for entry in converted.opset_import] == ["ai.onnx.ml"]
    assert [node.op_type for node in converted.graph.node] == ["TreeEnsembleClassifier"]


def leaf_moved(converted: onnx.ModelProto) -> None:
    attribute(converted, "class_weights").floats[0] += 0.001


def threshold_moved(converted: onnx.ModelProto) -> None:
    values = attribute(converted, "nodes_values").floats
    values[0] = float(np.nextafter(np.float32(values[0]), np.float32(np.inf)))


def null_turned(converted: onnx.ModelProto) -> None:
    tracks = attribute(converted, "nodes_missing_value_tracks_true").ints
    tracks[0] = 1 - tracks[0]


def no_number(converted: onnx.ModelProto) -> None:
    attribute(converted, "class_weights").floats[0] = float("nan")


@pytest.mark.parametrize("break_it", [leaf_moved, threshold_moved, null_turned, no_number])
def test_parity_refuses_a_model_that_was_changed(
    break_it: Callable[[onnx.ModelProto], None], forest: Forest, x: np.ndarray
) -> None:
    converted = to_onnx(forest)
    break_it(converted)
    with pytest.raises(TrainingError, match=r"parity: .* differs from XGBoost by"):
        check_parity(converted, forest, checked_rows(forest, x, 1))


def test_thresholds_go_right_when_equal(forest: Forest, x: np.ndarray) -> None:
    rows = threshold_rows(forest, x, 1)
    assert len(rows) == 3 * len(forest.thresholds)
    assert len(threshold_rows(forest, x, 1, most=60)) == 60
    below, at, above = forest.probabilities(rows).reshape(-1, 3).T
    np.testing.assert_array_equal(at, above)
    assert (below != at).any()


def test_golden_rows_read_back_score_the_same(forest: Forest, x: np.ndarray) -> None:
    rows = golden_rows(forest, x, seed=7)
    text = json.dumps(golden_document(forest, rows, NAMES), allow_nan=False)
    columns, read, expected = read_golden(text)
    assert columns == NAMES
    assert 190 <= len(read) <= 220
    assert np.isnan(read).all(axis=1).any()
    np.testing.assert_array_equal(read, rows)
    assert np.abs(onnx_probabilities(to_onnx(forest), read) - expected).max() <= 1e-6


def attribute(model: onnx.ModelProto, name: str) -> onnx.AttributeProto:
    [found] = [attribute for attribute in model.graph.node[0].attribute if attribute.name == name]
    assert helper.get_attribute_value(found) is not None
    return found
