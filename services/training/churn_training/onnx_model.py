"""How do XGBoost's trees become one ONNX operator?"""

import numpy as np
import onnx
from onnx import TensorProto, helper

from .forest import Forest, Tree

ML_DOMAIN = "ai.onnx.ml"
ML_OPSET = 3
# The oldest ONNX file that knows this operator set: runtimes refuse files newer than themselves.
IR_VERSION = 8


def to_onnx(forest: Forest) -> onnx.ModelProto:
    """One tree classifier: float input [n, width]; outputs label, and probabilities [n, 2]."""
    nodes = _Nodes()
    for number, tree in enumerate(forest.trees):
        nodes.add(number, tree)
    classifier = helper.make_node(
        "TreeEnsembleClassifier",
        ["input"],
        ["label", "probabilities"],
        domain=ML_DOMAIN,
        base_values=[forest.base_margin],
        classlabels_int64s=[0, 1],
        post_transform="LOGISTIC",
        # One score only: it is the log odds of label 1.
        class_ids=[0] * len(nodes.leaves["class_treeids"]),
        **nodes.splits,
        **nodes.leaves,
    )
    graph = helper.make_graph(
        [classifier],
        "churn",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [None, forest.width])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(ML_DOMAIN, ML_OPSET)],
        ir_version=IR_VERSION,
        producer_name="churnstream",
    )
    onnx.checker.check_model(model)
    return model


class _Nodes:
    """The operator's attributes, one entry a node."""

    def __init__(self) -> None:
        splits = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids")
        more = ("falsenodeids", "missing_value_tracks_true")
        self.splits: dict[str, list] = {f"nodes_{name}": [] for name in (*splits, *more)}
        self.leaves: dict[str, list] = {
            f"class_{name}": [] for name in ("treeids", "nodeids", "weights")
        }

    def add(self, number: int, tree: Tree) -> None:
        order = list(tree.reachable())
        free = len(tree.left)
        for node in order:
            if tree.leaf[node]:
                self._leaf(number, node, tree.condition[node])
                continue
            feature, left, right = (
                int(values[node]) for values in (tree.feature, tree.left, tree.right)
            )
            goes_left = bool(tree.default_left[node])
            if node not in tree.categories:
                value = float(tree.condition[node])
                self._split(number, node, "BRANCH_LT", feature, value, (left, right), goes_left)
                continue
            # Is it this category, or this …: each "yes" goes right, the last "no" left.
            *earlier, last = tree.categories[node]
            for code in earlier:
                follows = (right, free)
                self._split(number, node, "BRANCH_EQ", feature, float(code), follows, not goes_left)
                node, free = free, free + 1
            self._split(
                number, node, "BRANCH_EQ", feature, float(last), (right, left), not goes_left
            )

    def _split(
        self,
        number: int,
        node: int,
        mode: str,
        feature: int,
        value: float,
        follows: tuple[int, int],
        null_follows_true: bool,
    ) -> None:
        row = (number, node, feature, value, mode, *follows, int(null_follows_true))
        for column, entry in zip(self.splits.values(), row, strict=True):
            column.append(entry)

    def _leaf(self, number: int, node: int, value: np.float32) -> None:
        self._split(number, node, "LEAF", 0, 0.0, (0, 0), null_follows_true=False)
        for column, entry in zip(self.leaves.values(), (number, node, float(value)), strict=True):
            column.append(entry)
