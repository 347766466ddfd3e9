import json

import numpy as np
import onnx
import pytest
from onnx import helper
from xgboost import XGBClassifier

from churn_training.errors import TrainingError
from churn_training.export import (
    PROBABILITY_TOLERANCE,
    check_parity,
    edge_rows,
    onnx_probabilities,
    split_thresholds,
    threshold_rows,
    to_onnx,
)
from churn_training.golden import golden_document, golden_rows, read_golden
from churn_training.train import fit, probabilities

WIDTH = 6
COLUMNS = [f"c{index}" for index in range(WIDTH)]


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    draw = np.random.default_rng(3)
    x = draw.normal(0, 10, (1_500, WIDTH)).astype(np.float32)
    x[draw.random(x.shape) < 0.1] = np.nan
    return x


@pytest.fixture(scope="module")
def y(x: np.ndarray) -> np.ndarray:
    odds = np.nan_to_num(x[:, 0]) / 10 - np.nan_to_num(x[:, 1], nan=5) / 20
    return (np.random.default_rng(4).random(len(x)) < 1 / (1 + np.exp(-odds))).astype(np.int8)


@pytest.fixture(scope="module")
def model(x: np.ndarray, y: np.ndarray) -> XGBClassifier:
    return fit(x, y, seed=7, n_estimators=40)


def every_row(model: XGBClassifier, x: np.ndarray) -> np.ndarray:
    return np.vstack([x, edge_rows(x, 1), threshold_rows(model, x, 1)])


def test_onnx_has_one_float_input_and_named_outputs(model: XGBClassifier) -> None:
    converted = to_onnx(model)
    [given] = converted.graph.input
    assert given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert given.type.tensor_type.shape.dim[1].dim_value == WIDTH
    assert [output.name for output in converted.graph.output] == ["label", "probabilities"]
    assert [entry.domain for entry in converted.opset_import] == ["ai.onnx.ml"]
    assert [node.op_type for node in converted.graph.node] == ["TreeEnsembleClassifier"]


def test_parity_holds_on_nulls_extremes_and_every_threshold(
    model: XGBClassifier, x: np.ndarray
) -> None:
    rows = every_row(model, x)
    parity = check_parity(to_onnx(model), model, rows)
    assert parity.rows == len(rows)
    assert parity.max_difference <= PROBABILITY_TOLERANCE


def test_parity_refuses_a_changed_leaf(model: XGBClassifier, x: np.ndarray) -> None:
    converted = to_onnx(model)
    weights = attribute(converted, "class_weights").floats
    weights[0] += 0.001
    with pytest.raises(TrainingError, match=r"parity: .* differs from XGBoost"):
        check_parity(converted, model, every_row(model, x))


def test_parity_refuses_a_threshold_one_step_away(model: XGBClassifier, x: np.ndarray) -> None:
    converted = to_onnx(model)
    values = attribute(converted, "nodes_values").floats
    values[0] = float(np.nextafter(np.float32(values[0]), np.float32(np.inf)))
    with pytest.raises(TrainingError, match="parity"):
        check_parity(converted, model, threshold_rows(model, x, 1))


def test_parity_refuses_a_null_that_goes_the_other_way(model: XGBClassifier, x: np.ndarray) -> None:
    converted = to_onnx(model)
    tracks = attribute(converted, "nodes_missing_value_tracks_true").ints
    tracks[0] = 1 - tracks[0]
    with pytest.raises(TrainingError, match="parity"):
        check_parity(converted, model, every_row(model, x))


def test_parity_refuses_a_score_that_is_no_number(model: XGBClassifier, x: np.ndarray) -> None:
    converted = to_onnx(model)
    attribute(converted, "class_weights").floats[0] = float("nan")
    with pytest.raises(TrainingError, match="differs from XGBoost by inf"):
        check_parity(converted, model, x)


def test_thresholds_go_right_when_equal(model: XGBClassifier, x: np.ndarray) -> None:
    rows = threshold_rows(model, x, 1)
    assert len(rows) == 3 * len(split_thresholds(model))
    assert len(threshold_rows(model, x, 1, most=60)) == 60
    below, at, above = probabilities(model, rows).reshape(-1, 3).T
    np.testing.assert_array_equal(at, above)
    assert (below != at).any()


def test_parity_holds_when_every_leaf_is_positive(x: np.ndarray, y: np.ndarray) -> None:
    # Some ONNX Runtimes leave out the sigmoid when no leaf is negative.
    model = with_leaves(fit(x, y, seed=7, n_estimators=10), lambda leaf: abs(leaf) + 0.01)
    rows = every_row(model, x)
    assert probabilities(model, rows).min() > 0.5
    check_parity(to_onnx(model), model, rows)


def test_a_model_without_a_split_is_refused_or_right(x: np.ndarray, y: np.ndarray) -> None:
    for value in (0.0, 0.3):
        model = fit(x, y, seed=7, n_estimators=1, min_child_weight=1e9)
        model = with_leaves(model, lambda _, value=value: value)
        assert split_thresholds(model) == []
        assert threshold_rows(model, x, 1).shape == (0, WIDTH)
        try:
            converted = to_onnx(model)
            check_parity(converted, model, x)
        except TrainingError as error:
            assert "parity" in str(error)  # noqa: PT017
        else:
            difference = onnx_probabilities(converted, x) - probabilities(model, x)
            assert np.abs(difference).max() <= PROBABILITY_TOLERANCE


def test_golden_rows_read_back_score_the_same(model: XGBClassifier, x: np.ndarray) -> None:
    rows = golden_rows(model, x, seed=7)
    text = json.dumps(golden_document(model, rows, COLUMNS), allow_nan=False)
    columns, read, expected = read_golden(text)
    assert columns == COLUMNS
    assert 190 <= len(read) <= 220
    assert np.isnan(read).all(axis=1).any()
    np.testing.assert_array_equal(read, rows)
    assert np.abs(onnx_probabilities(to_onnx(model), read) - expected).max() <= 1e-6


def attribute(model: onnx.ModelProto, name: str) -> onnx.AttributeProto:
    [tree] = [node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier"]
    [found] = [attribute for attribute in tree.attribute if attribute.name == name]
    assert helper.get_attribute_value(found) is not None
    return found


def with_leaves(model: XGBClassifier, change: object) -> XGBClassifier:
    """The same trees with other leaf values."""
    document = json.loads(model.get_booster().save_raw("json"))
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        for node, left in enumerate(tree["left_children"]):
            if left < 0:
                leaf = float(change(tree["split_conditions"][node]))
                tree["split_conditions"][node] = tree["base_weights"][node] = leaf
    changed = XGBClassifier()
    changed.load_model(bytearray(json.dumps(document), "utf8"))
    changed.n_classes_ = 2
    return changed
