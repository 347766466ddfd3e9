"""Does the ONNX model say what XGBoost says?"""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime

from .errors import TrainingError
from .forest import Forest

MAX_THRESHOLD_ROWS = 20_000
HOLED_ROWS = 200
# More levels than any list has; XGBoost itself counts categories up to 2^24.
MAX_CODE = 65_536


@dataclass(frozen=True)
class Parity:
    """A probability's largest difference from XGBoost, and what it might have been."""

    rows: int
    max_difference: float
    tolerance: float

    def text(self) -> str:
        return f"passed: max {self.max_difference:.2e} over {self.rows} rows"


def tolerance(leaf_sum: float) -> float:
    """Sums of float32 leaves in another order differ the more, the larger the leaves are."""
    return min(1e-5, max(1e-6, 2.5e-7 * leaf_sum))


def onnx_probabilities(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    [answer] = session.run(["probabilities"], {session.get_inputs()[0].name: x.astype(np.float32)})
    return answer[:, 1]


def check_parity(converted: onnx.ModelProto, forest: Forest, x: np.ndarray) -> Parity:
    """Refuses a model that differs from XGBoost on any of these rows, or gives no number."""
    allowed = tolerance(forest.leaf_sum)
    difference = np.abs(
        onnx_probabilities(converted, x).astype(np.float64) - forest.probabilities(x)
    )
    difference = np.nan_to_num(difference, nan=np.inf)
    row = int(np.argmax(difference))
    if not difference[row] <= allowed:
        raise TrainingError(
            f"parity: the ONNX model differs from XGBoost by {difference[row]:.3g} (row {row} of "
            f"{len(x)}), allowed is {allowed:.1e}; it is not registered"
        )
    return Parity(rows=len(x), max_difference=float(difference[row]), tolerance=allowed)


def checked_rows(forest: Forest, x: np.ndarray, seed: int, at_least: int = 0) -> np.ndarray:
    """The rows given, the edges, every threshold, and as many moved rows as are still wanting."""
    rows = np.vstack([x, edge_rows(forest, x, seed), threshold_rows(forest, x, seed)])
    moved = moved_rows(forest, x, seed, max(0, at_least - len(rows)))
    return np.vstack([rows, moved]).astype(np.float32)


def threshold_rows(
    forest: Forest, x: np.ndarray, seed: int, most: int = MAX_THRESHOLD_ROWS
) -> np.ndarray:
    """Real rows with one value put on a split's threshold, and just below and above it."""
    thresholds = [pair for pair in forest.thresholds if pair[0] not in forest.categorical]
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


def edge_rows(forest: Forest, x: np.ndarray, seed: int) -> np.ndarray:
    """All null, all zero, minus zero, the largest numbers, real rows with holes, infinity."""
    width = x.shape[1]
    most = np.finfo(np.float32).max
    constant = [np.full((1, width), value, np.float32) for value in (np.nan, 0, -0.0, most, -most)]
    draw = np.random.default_rng(seed)
    holed = x[draw.integers(0, len(x), HOLED_ROWS)].astype(np.float32)
    holed[draw.random(holed.shape) < 0.3] = np.nan
    one_hole = np.repeat(x[draw.integers(0, len(x), 1)], width, axis=0).astype(np.float32)
    np.fill_diagonal(one_hole, np.nan)
    infinite = [np.full((1, width), value, np.float32) for value in (np.inf, -np.inf)]
    return only_codes(forest, np.vstack([*constant, holed, one_hole, *infinite]))


def moved_rows(forest: Forest, x: np.ndarray, seed: int, count: int) -> np.ndarray:
    """Real rows with one value replaced by another row's, by null, by zero or by an extreme."""
    draw = np.random.default_rng(seed + 1)
    rows = x[draw.integers(0, len(x), count)].astype(np.float32)
    feature = draw.integers(0, x.shape[1], count)
    most = np.finfo(np.float32).max
    extremes = np.array([np.nan, 0, -0.0, 1, -1, most, -most, np.inf, -np.inf], np.float32)
    values = x[draw.integers(0, len(x), count), feature].astype(np.float32)
    with np.errstate(over="ignore"):
        scaled = values * draw.normal(1, 0.5, count).astype(np.float32)
    chosen = np.choose(draw.integers(0, 3, count), [values, scaled, draw.choice(extremes, count)])
    rows[np.arange(count), feature] = chosen
    return only_codes(forest, rows)


def only_codes(forest: Forest, rows: np.ndarray) -> np.ndarray:
    """A feature that is split by category takes codes or null: the stream has nothing else."""
    for feature in forest.categorical:
        values = rows[:, feature]
        is_code = (values >= 0) & (values == np.floor(values)) & np.isfinite(values)
        values[~is_code | (values > MAX_CODE)] = np.nan
    return rows
