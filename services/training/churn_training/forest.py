"""Which trees decide, and from which sum do they start?"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from xgboost import Booster, DMatrix

from .errors import TrainingError

MAX_BASE_MARGIN = 10.0


@dataclass(frozen=True)
class Tree:
    """
    One entry a node; the root is node 0, a leaf has left -1 and its value in `condition`. A row
    goes left where its value is below the condition as float32, where it is null by `default_left`,
    and in a split by category where the category is not among `categories[node]`.
    """

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    condition: np.ndarray
    default_left: np.ndarray
    categories: dict[int, tuple[int, ...]]
    # What each split took off the training's loss.
    gain: np.ndarray

    @property
    def leaf(self) -> np.ndarray:
        return self.left < 0

    def reachable(self) -> Iterator[int]:
        """From the root down; pruned nodes that stayed in the file are left out."""
        waiting = [0]
        while waiting:
            node = waiting.pop()
            yield node
            if self.left[node] >= 0:
                waiting += [int(self.right[node]), int(self.left[node])]


@dataclass(frozen=True)
class Forest:
    """The trees that serve, as XGBoost's own predictions use them."""

    booster: Booster
    objective: str
    kind: str
    width: int
    # Trees are made in rounds, num_parallel_tree in each.
    rounds: int
    rounds_in_file: int
    trees: tuple[Tree, ...]
    # Log odds before the first tree.
    base_margin: float
    base_score: float
    # XGBoost's document of these trees alone, as an equal gbtree with objective binary:logistic.
    native: str
    # What the codes of a feature stand for, where the model says so, by the feature's index.
    category_names: dict[int, tuple[str, ...]]

    @cached_property
    def leaf_sum(self) -> float:
        """How far the sum of the leaves can get from the base: what rounding errors scale with."""
        return float(sum(np.abs(tree.condition[tree.leaf]).max() for tree in self.trees))

    @cached_property
    def depth(self) -> int:
        return max(depth_of(tree) for tree in self.trees)

    @cached_property
    def thresholds(self) -> list[tuple[int, np.float32]]:
        """Every distinct (feature index, threshold) of a split by number."""
        return sorted(
            {
                (int(tree.feature[node]), np.float32(tree.condition[node]))
                for tree in self.trees
                for node in tree.reachable()
                if not tree.leaf[node] and node not in tree.categories
            }
        )

    @cached_property
    def categorical(self) -> frozenset[int]:
        """Indices of the features that some split asks for by category."""
        return frozenset(int(tree.feature[node]) for tree in self.trees for node in tree.categories)

    @cached_property
    def importance(self) -> np.ndarray:
        """Share of each column in the gain of all splits (XGBoost's total_gain)."""
        gain = np.zeros(self.width)
        for tree in self.trees:
            for node in tree.reachable():
                if not tree.leaf[node]:
                    gain[tree.feature[node]] += tree.gain[node]
        return gain / (gain.sum() or 1)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """XGBoost's own answer for float32 rows, one float64 each."""
        x = np.asarray(x, np.float32)
        whole = (0, self.rounds)
        raw = self.objective == "binary:logitraw"
        answer = np.empty(len(x), np.float32)
        # XGBoost refuses infinity in a DMatrix, and takes it in place.
        infinite = np.isinf(x).any(axis=1)
        if infinite.any():
            answer[infinite] = self.booster.inplace_predict(
                x[infinite], iteration_range=whole, validate_features=False
            )
        if not infinite.all():
            answer[~infinite] = self.booster.predict(
                DMatrix(x[~infinite]), iteration_range=whole, validate_features=False
            )
        margins = answer.astype(np.float64)
        return 1 / (1 + np.exp(-margins)) if raw else margins


def depth_of(tree: Tree) -> int:
    depth = {0: 0}
    for node in tree.reachable():
        for child in (int(tree.left[node]), int(tree.right[node])):
            if not tree.leaf[node]:
                depth[child] = depth[node] + 1
    return max(depth.values())


def read_forest(booster: Booster, rounds: int | None = None) -> Forest:
    """The first `rounds` rounds of a booster of trees, all of them if left out."""
    document = json.loads(booster.save_raw("json"))
    learner = document["learner"]
    gradient_booster = learner["gradient_booster"]
    kind = gradient_booster["name"]
    model = (gradient_booster["gbtree"] if kind == "dart" else gradient_booster)["model"]
    starts = model["iteration_indptr"]
    rounds = len(starts) - 1 if rounds is None else rounds
    kept = starts[rounds]
    weights = gradient_booster.get("weight_drop", [1.0] * len(model["trees"]))
    documents = [
        scaled(tree, weight) if kind == "dart" else tree
        for tree, weight in zip(model["trees"][:kept], weights, strict=False)
    ]
    objective = learner["objective"]["name"]
    base_score = read_base_score(learner["learner_model_param"]["base_score"])
    return Forest(
        booster=booster,
        objective=objective,
        kind=kind,
        width=int(learner["learner_model_param"]["num_feature"]),
        rounds=rounds,
        rounds_in_file=len(starts) - 1,
        trees=tuple(read_tree(tree) for tree in documents),
        base_margin=base_margin(base_score, objective),
        base_score=base_score,
        native=native_document(document, {**model, "trees": documents}, rounds),
        category_names=read_category_names(model.get("cats", {})),
    )


def read_base_score(text: str) -> float:
    """`5E-1`, or since XGBoost 3.1 a list of one."""
    values = json.loads(text)
    if isinstance(values, list):
        if len(values) != 1:
            raise TrainingError(f"the model has {len(values)} base scores; one class has one")
        [values] = values
    return float(values)


def base_margin(base_score: float, objective: str) -> float:
    """Of binary:logitraw the base score is log odds already, of the others a probability."""
    if objective == "binary:logitraw":
        if abs(base_score) > MAX_BASE_MARGIN:
            raise TrainingError(
                f"the model starts from log odds of {base_score}; beyond {MAX_BASE_MARGIN:.0f} no "
                "score would tell players apart: train it with another base_score"
            )
        return base_score
    if not 0 < base_score < 1:
        raise TrainingError(f"the model's base score is {base_score}; it must be a probability")
    return -math.log(1 / base_score - 1)


def read_category_names(cats: dict[str, Any]) -> dict[int, tuple[str, ...]]:
    """Names of texts only: XGBoost keeps them end to end, one byte an entry."""
    names = {}
    for index, encoded in enumerate(cats.get("enc", [])):
        offsets = encoded.get("offsets", [])
        if len(offsets) > 1:
            letters = np.array(encoded["values"], np.int8).tobytes()
            names[index] = tuple(letters[start:end].decode() for start, end in pairwise(offsets))
    return names


def read_tree(tree: dict[str, Any]) -> Tree:
    left = np.array(tree["left_children"], np.int64)
    default_left = np.array(tree["default_left"], bool)
    sets = zip(
        tree.get("categories_nodes", []),
        tree.get("categories_segments", []),
        tree.get("categories_sizes", []),
        strict=True,
    )
    categories = {
        int(node): tuple(int(code) for code in tree["categories"][start : start + size])
        for node, start, size in sets
    }
    by_category = np.flatnonzero((np.array(tree["split_type"], np.int64) == 1) & (left >= 0))
    for node in by_category:
        if not categories.get(int(node)):
            raise TrainingError("the model has a split by category without categories")
    return Tree(
        left=left,
        right=np.array(tree["right_children"], np.int64),
        feature=np.array(tree["split_indices"], np.int64),
        condition=np.array(tree["split_conditions"], np.float32),
        default_left=default_left,
        categories={int(node): categories[int(node)] for node in by_category},
        gain=np.array(tree["loss_changes"], np.float64),
    )


def scaled(tree: dict[str, Any], weight: float) -> dict[str, Any]:
    """DART weighs whole trees: their leaves times the weight add up to the same."""
    conditions = [
        float(np.float32(value) * np.float32(weight)) if left < 0 else value
        for value, left in zip(tree["split_conditions"], tree["left_children"], strict=True)
    ]
    return {**tree, "split_conditions": conditions}


def native_document(document: dict[str, Any], model: dict[str, Any], rounds: int) -> str:
    learner = document["learner"]
    objective = {**learner["objective"], "name": "binary:logistic"}
    learner_parameters = dict(learner["learner_model_param"])
    if learner["objective"]["name"] == "binary:logitraw":
        odds = read_base_score(learner_parameters["base_score"])
        learner_parameters["base_score"] = json.dumps([1 / (1 + math.exp(-odds))])
    kept = len(model["trees"])
    parameters = {**model["gbtree_model_param"], "num_trees": str(kept)}
    served = {
        **model,
        "gbtree_model_param": parameters,
        "iteration_indptr": model["iteration_indptr"][: rounds + 1],
        "tree_info": model["tree_info"][:kept],
    }
    # With fewer trees than it names, a best iteration would point at nothing.
    return json.dumps(
        {
            **document,
            "learner": {
                **learner,
                "attributes": {},
                "learner_model_param": learner_parameters,
                "objective": objective,
                "gradient_booster": {"name": "gbtree", "model": served},
            },
        }
    )


def best_rounds(booster: Booster) -> int | None:
    """As many rounds as XGBoost's scikit-learn wrapper predicts with after early stopping."""
    text = booster.attr("best_iteration")
    if text is None:
        return None
    try:
        rounds = int(text) + 1
    except ValueError:
        rounds = 0
    if not 1 <= rounds <= booster.num_boosted_rounds():
        raise TrainingError(
            f"the model's best_iteration is {text}, but it has {booster.num_boosted_rounds()} "
            "rounds of trees: put the attribute right, or import with --trees all"
        )
    return rounds
