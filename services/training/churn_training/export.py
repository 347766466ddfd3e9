"""Does the ONNX model say what XGBoost says?"""

import json
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnxmltools.convert import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from xgboost import XGBClassifier

from .errors import TrainingError
from .train import probabilities

TARGET_OPSET = 15
PROBABILITY_TOLERANCE = 1e-6
MAX_THRESHOLD_ROWS = 20_000


@dataclass(frozen=True)
class Parity:
    rows: int
    max_difference: float


def to_onnx(model: XGBClassifier) -> onnx.ModelProto:
    """One tree classifier: float input [n, width]; outputs label, and probabilities [n, 2]."""
    width = model.n_features_in_
    converted = convert_xgboost(
        model,
        initial_types=[("input", FloatTensorType([None, width]))],
        target_opset=TARGET_OPSET,
    )
    operators = [node.op_type for node in converted.graph.node]
    outputs = [output.name for output in converted.graph.output]
    if "TreeEnsembleClassifier" not in operators or "ZipMap" in operators:
        raise TrainingError(f"the converter made {', '.join(operators)}, not a tree classifier")
    if outputs != ["label", "probabilities"]:
        raise TrainingError(f"the converter named the outputs {', '.join(outputs)}")
    return converted


def onnx_probabilities(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    [answer] = session.run(["probabilities"], {session.get_inputs()[0].name: x.astype(np.float32)})
    return answer[:, 1]


def check_parity(converted: onnx.ModelProto, model: XGBClassifier, x: np.ndarray) -> Parity:
    """Refuses a model that differs from XGBoost on any of these rows, or gives no number."""
    difference = np.abs(
        onnx_probabilities(converted, x).astype(np.float64)
        - probabilities(model, x).astype(np.float64)
    )
    largest = float(np.max(np.nan_to_num(difference, nan=np.inf)))
    if not largest <= PROBABILITY_TOLERANCE:
        row = int(np.argmax(np.nan_to_num(difference, nan=np.inf)))
        raise TrainingError(
            f"parity: the ONNX model differs from XGBoost by {largest:.3g} (row {row} of {len(x)}),"
            f" allowed is {PROBABILITY_TOLERANCE:.0e}; it is not registered"
        )
    return Parity(rows=len(x), max_difference=largest)


def split_thresholds(model: XGBClassifier) -> list[tuple[int, np.float32]]:
    """Every distinct (feature index, threshold), from the native JSON: exact to the last bit."""
    document = json.loads(model.get_booster().save_raw("json"))
    pairs = set()
    for tree in document["learner"]["gradient_booster"]["model"]["trees"]:
        for left, feature, threshold in zip(
            tree["left_children"], tree["split_indices"], tree["split_conditions"], strict=True
        ):
            if left >= 0:
                pairs.add((int(feature), np.float32(threshold)))
    return sorted(pairs)


def threshold_rows(
    model: XGBClassifier, x: np.ndarray, seed: int, most: int = MAX_THRESHOLD_ROWS
) -> np.ndarray:
    """Real rows with one value put on a split's threshold, and just below and above it."""
    thresholds = split_thresholds(model)
    if not thresholds or most < 3:
        return np.empty((0, x.shape[1]), np.float32)
    draw = np.random.default_rng(seed)
    if len(thresholds) * 3 > most:
        kept = draw.choice(len(thresholds), most // 3, replace=False)
        thresholds = [thresholds[index] for index in sorted(kept)]
    features = np.repeat([feature for feature, _ in thresholds], 3)
    at = np.array([threshold for _, threshold in thresholds], np.float32)
    below, above = np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))
    rows = x[np.repeat(draw.integers(0, len(x), len(at)), 3)].astype(np.float32)
    rows[np.arange(len(rows)), features] = np.column_stack([below, at, above]).ravel()
    return rows


def edge_rows(x: np.ndarray, seed: int) -> np.ndarray:
    """All null, all zero, minus zero, the largest numbers, real rows with holes, infinity."""
    width = x.shape[1]
    most = np.finfo(np.float32).max
    constant = [np.full((1, width), value, np.float32) for value in (np.nan, 0, -0.0, most, -most)]
    draw = np.random.default_rng(seed)
    holed = x[draw.integers(0, len(x), 200)].astype(np.float32)
    holed[draw.random(holed.shape) < 0.3] = np.nan
    one_hole = np.repeat(x[draw.integers(0, len(x), 1)], width, axis=0).astype(np.float32)
    np.fill_diagonal(one_hole, np.nan)
    infinite = [np.full((1, width), value, np.float32) for value in (np.inf, -np.inf)]
    return np.vstack([*constant, holed, one_hole, *infinite])
