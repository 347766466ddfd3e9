"""Is a file a binary classifier of XGBoost, and how is it loaded?"""

import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xgboost import Booster
from xgboost.core import XGBoostError

from .errors import TrainingError
from .ubjson import read_ubjson

# What becomes of the sum of the leaves: both are trained as log odds.
OBJECTIVES = ("binary:logistic", "reg:logistic", "binary:logitraw")
NEEDED = "needed is a binary classifier with objective binary:logistic (or reg:logistic)"
FOREIGN = {
    "binary:hinge": "its trees decide without saying how sure they are",
    "multi:": "it tells several classes apart",
    "rank:": "it puts rows in an order, which is no probability",
    "survival:": "it foretells a time",
    "reg:": "it is a regression",
    "count:": "it is a regression of counts",
}
COMPRESSED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\x78": "zlib"}
PICKLE = re.compile(rb"\x80[\x02-\x05]|ccopy_reg\n|cxgboost|\(dp\d|c__builtin__")
# The old binary format: these many bytes of numbers, then the objective's name after its length.
OLD_HEADER_BYTES = 136
# Arrays of a tree in XGBoost's document that have one entry for each node.
NODE_ARRAYS = ("left_children", "right_children", "split_indices", "split_conditions")


@dataclass(frozen=True)
class BoosterFile:
    """A loaded model, and the file it came from."""

    booster: Booster
    kind: str
    content: bytes
    # The XGBoost that wrote it, as 3.2.0, or unknown.
    version: str
    objective: str


def read_booster(file: Path) -> BoosterFile:
    """
    Takes JSON and UBJSON, told apart by what they hold. The document is checked before XGBoost sees
    it: some damaged files end its process. Raises TrainingError for anything but a binary
    classifier of trees.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise TrainingError(f"the model {file} cannot be read: {error.strerror}") from error
    try:
        kind, document = parse_document(content)
        objective = check_document(document)
    except TrainingError as error:
        raise TrainingError(f"{file.name} {error}") from error
    booster = Booster()
    try:
        booster.load_model(bytearray(content.strip() if kind == "json" else content))
    except (XGBoostError, ValueError) as error:
        reason = str(error).partition("Stack trace")[0].strip().replace("\n", " ")
        raise TrainingError(f"{file.name} cannot be loaded by XGBoost: {reason}") from error
    version = document.get("version")
    return BoosterFile(
        booster=booster,
        kind=kind,
        content=content,
        version=".".join(map(str, version)) if isinstance(version, list) else "unknown",
        objective=objective,
    )


def parse_document(content: bytes) -> tuple[str, Any]:
    """`json` or `ubj` with what it says. The error continues a sentence that begins with a file."""
    text = content.strip()
    if text == b"":
        raise TrainingError("is empty: save the model again with Booster.save_model")
    if PICKLE.match(content):
        raise TrainingError(
            "is a pickle, which runs whatever code it holds when it is opened, and which XGBoost "
            'does not promise to read again: save the model with model.save_model("model.json")'
        )
    if is_old_binary(content):
        raise TrainingError(
            "is in XGBoost's old binary format, which XGBoost 3.1 and later cannot read: convert "
            'it with XGBoost 2.x or 3.0, Booster.load_model and then save_model("model.json")'
        )
    for magic, name in COMPRESSED.items():
        if content.startswith(magic):
            raise TrainingError(f"is compressed ({name}): unpack it first")
    if text.startswith(b"["):
        raise TrainingError(
            "is a text dump (dump_model), from which XGBoost cannot load a model: save it with "
            'save_model("model.json")'
        )
    if not content.lstrip().startswith(b"{"):
        raise TrainingError(
            "is no XGBoost model: it begins with neither JSON nor UBJSON. Save the model with "
            'Booster.save_model("model.json")'
        )
    kind = "ubj" if content[:1] == b"{" and content[1:2] in b"iUIlL" else "json"
    try:
        return kind, read_ubjson(content) if kind == "ubj" else json.loads(text)
    except (ValueError, RecursionError) as error:
        name = {"ubj": "UBJSON", "json": "JSON"}[kind]
        raise TrainingError(f"is no whole {name} file: {error}") from error


def is_old_binary(content: bytes) -> bool:
    start = OLD_HEADER_BYTES + (4 if content.startswith(b"binf") else 0)
    if content.startswith(b"bs64") or len(content) < start + 8:
        return content.startswith((b"bs64", b"binf"))
    (length,) = struct.unpack_from("<Q", content, start)
    name = content[start + 8 : start + 8 + min(length, 64)]
    return 0 < length <= 64 and re.fullmatch(rb"[a-z]+:[a-z]+", name) is not None


def check_document(document: Any) -> str:  # noqa: ANN401
    """Gives the objective. The error continues a sentence that begins with the file's name."""
    try:
        learner = document["learner"]
        parameters = learner["learner_model_param"]
        objective = learner["objective"]["name"]
        gradient_booster = learner["gradient_booster"]
        booster = gradient_booster["name"]
        classes = int(parameters.get("num_class", 0))
        targets = int(parameters.get("num_target", 1))
        width = int(parameters["num_feature"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrainingError(
            f"is no model that XGBoost saved (it lacks {error}): save it with "
            'Booster.save_model("model.json")'
        ) from error
    if objective not in OBJECTIVES:
        reasons = [why for start, why in FOREIGN.items() if str(objective).startswith(start)]
        why = reasons[0] if reasons else "what its sums mean is not known here"
        raise TrainingError(f"has the objective {objective}: {why}; {NEEDED}")
    if booster not in ("gbtree", "dart"):
        raise TrainingError(f"is a {booster} model, which has no trees; needed is gbtree or dart")
    if classes > 1:
        raise TrainingError(f"tells {classes} classes apart; {NEEDED}")
    if targets > 1:
        raise TrainingError(f"foretells {targets} targets at once; {NEEDED}")
    try:
        model = (gradient_booster["gbtree"] if booster == "dart" else gradient_booster)["model"]
        trees = model["trees"]
        for number, tree in enumerate(trees):
            check_tree(tree, number, width)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TrainingError(f"is damaged: its trees cannot be read ({error!r})") from error
    if len(trees) == 0:
        raise TrainingError("holds no trees: it was saved before it was trained")
    if booster == "dart" and len(gradient_booster.get("weight_drop", [])) != len(trees):
        raise TrainingError("is damaged: weight_drop has not one weight for each tree")
    return str(objective)


def check_tree(tree: dict[str, Any], number: int, width: int) -> None:
    """Every array is whole, and every node but the root is the child of exactly one."""
    vector = int(tree["tree_param"].get("size_leaf_vector", 0))
    if vector > 1:
        raise TrainingError(f"has leaves of {vector} values; {NEEDED}")
    nodes = int(tree["tree_param"]["num_nodes"])
    if nodes < 1 or any(len(tree[name]) != nodes for name in NODE_ARRAYS):
        raise TrainingError(f"is damaged: tree {number} has not one entry for each node")
    left, right = (np.array(tree[f"{side}_children"], np.int64) for side in ("left", "right"))
    feature = np.array(tree["split_indices"], np.int64)
    split = left >= 0
    children = np.sort(np.concatenate([left[split], right[split]]))
    # Pruned nodes may stay behind without a parent; a child must never have two, nor be the root.
    sound = len(children) == 0 or (
        children[0] > 0 and children[-1] < nodes and (np.diff(children) > 0).all()
    )
    if not sound or (right[~split] >= 0).any():
        raise TrainingError(f"is damaged: the nodes of tree {number} form no tree")
    if ((feature[split] < 0) | (feature[split] >= width)).any():
        raise TrainingError(f"is damaged: tree {number} asks for a feature beyond {width}")
    conditions = np.array(tree["split_conditions"], np.float64)
    if np.isnan(conditions).any() or np.isinf(conditions[~split]).any():
        raise TrainingError(f"is damaged: tree {number} holds a value that is no number")
