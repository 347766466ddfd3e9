"""Changes a version's folder: make_variant.py FOLDER slow|shifted|foreign-operator"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper

SLOWER = 100
SHIFT = 4.0


def main(folder: Path, kind: str) -> None:
    file = folder / "model.onnx"
    model = onnx.load(str(file))
    [trees] = [node for node in model.graph.node if node.op_type.startswith("TreeEnsemble")]
    if kind == "slow":
        add_idle_trees(trees, SLOWER - 1)
        pass_on(model, trees)
    elif kind == "shifted":
        shift(trees)
    elif kind == "foreign-operator":
        model.graph.node.append(helper.make_node("Print", ["input"], ["printed"], domain="example"))
        model.opset_import.append(helper.make_opsetid("example", 1))
    else:
        raise SystemExit(f"unknown kind {kind}")
    file.write_bytes(model.SerializeToString())
    if kind == "shifted":
        rewrite_golden(folder)


def add_idle_trees(trees: onnx.NodeProto, times: int) -> None:
    """As many trees again that weigh nothing: the scores stay the same to the last bit."""
    attributes = {attribute.name: attribute for attribute in trees.attribute}
    known = {name: helper.get_attribute_value(value) for name, value in attributes.items()}
    count = max(known["nodes_treeids"]) + 1
    for name, values in known.items():
        is_list = isinstance(values, list) and name.startswith(("nodes_", "class_"))
        if not is_list or name == "classlabels_int64s":
            continue
        added: list = []
        for time in range(1, times + 1):
            if name.endswith("_treeids"):
                added += [value + time * count for value in values]
            elif name == "class_weights":
                added += [0.0] * len(values)
            else:
                added += values
        attributes[name].CopyFrom(helper.make_attribute(name, [*values, *added]))


def pass_on(model: onnx.ModelProto, trees: onnx.NodeProto) -> None:
    """A second operator, so that ONNX Runtime scores it: the forest kernel would be fast enough."""
    trees.output[1] = "passed_on"
    model.graph.node.append(helper.make_node("Identity", ["passed_on"], ["probabilities"]))
    model.opset_import.append(helper.make_opsetid("", 15))


def shift(trees: onnx.NodeProto) -> None:
    for attribute in trees.attribute:
        if attribute.name == "base_values":
            moved = [value + SHIFT for value in attribute.floats]
            attribute.CopyFrom(helper.make_attribute("base_values", moved))
            return
    trees.attribute.append(helper.make_attribute("base_values", [SHIFT]))


def rewrite_golden(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    rows = [[np.nan if value is None else value for value in row] for row in golden["rows"]]
    session = onnxruntime.InferenceSession((folder / "model.onnx").read_bytes())
    feed = {session.get_inputs()[0].name: np.array(rows, np.float32)}
    [answer] = session.run(["probabilities"], feed)
    golden["probabilities"] = [float(p) for p in answer[:, 1]]
    (folder / "golden.json").write_text(json.dumps(golden))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
