"""Store the node tests of ONNX that speak of convmat's layers, for tests to check without ONNX.

    python scripts/make_onnx_oracles.py [file]

Needs the package ``onnx``, whose own test suite the cases come from: inputs, attributes and
expected outputs. The file holds ``about``, a JSON text with the version and, of every case, its
name, operator, attributes and arrays, and ``numbers``, all arrays end to end in single precision.
Left out are cases with large arrays, and those of what is no linear operator with a matrix of its
own here: see `left_out`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import command_line
import numpy as np

OPERATORS = (
    "AveragePool",
    "Col2Im",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "GlobalAveragePool",
    "MaxPool",
    "MaxUnpool",
    "Pad",
    "Resize",
    "SpaceToDepth",
    "Upsample",
)
LARGEST = 1000  # numbers in one case


def left_out(operator: str, attributes: dict[str, Any]) -> bool:
    """Say whether a case asks for something that convmat does not offer."""
    if operator == "AveragePool":
        return any(dilation > 1 for dilation in attributes.get("dilations", []))
    return (
        attributes.get("antialias", 0) == 1
        or attributes.get("exclude_outside", 0) == 1
        or attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize"
        or "keep_aspect_ratio_policy" in attributes
    )


def plain(value: Any) -> Any:
    """Return an attribute as what JSON can hold."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (int, float, str)):
        return value
    return [plain(entry) for entry in value]


def arrays_of(test: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Return inputs and outputs by their place: in_0, in_1, ..., out_0, ..."""
    (node,), graph = test.model.graph.node, test.model.graph
    inputs, outputs = test.data_sets[0]
    given = {slot.name: array for slot, array in zip(graph.input, inputs, strict=True)}
    given |= {slot.name: array for slot, array in zip(graph.output, outputs, strict=True)}
    places = [(f"in_{at}", name) for at, name in enumerate(node.input)]
    places += [(f"out_{at}", name) for at, name in enumerate(node.output)]
    return {place: np.asarray(given[name]) for place, name in places if name}


def main() -> None:
    """Write the file named on the command line, or tests/oracles/onnx.npz."""
    here = Path(__file__).resolve().parent.parent / "tests" / "oracles" / "onnx.npz"
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?", type=command_line.writable, default=here)
    path = parser.parse_args().file
    try:
        import onnx
        from onnx.backend.test.case.node import collect_testcases
    except ModuleNotFoundError:
        parser.error("ONNX is missing: pip install onnx")
    cases, numbers = [], []
    for test in sorted(collect_testcases(None), key=lambda test: str(test.name)):
        model: Any = test.model  # there always, though ONNX's types do not say so
        nodes = model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in OPERATORS:
            continue
        attributes = {a.name: plain(onnx.helper.get_attribute_value(a)) for a in nodes[0].attribute}
        arrays = arrays_of(test)
        too_large = sum(array.size for array in arrays.values()) > LARGEST
        if too_large or left_out(nodes[0].op_type, attributes):
            continue
        shapes = {place: array.shape for place, array in arrays.items()}
        case = {"name": test.name, "operator": nodes[0].op_type}
        cases.append({**case, "attributes": attributes, "shapes": shapes})
        numbers += [array.ravel().astype(np.float32) for array in arrays.values()]
    about = {"onnx": onnx.__version__, "numpy": np.__version__, "cases": cases}
    np.savez_compressed(path, about=json.dumps(about), numbers=np.concatenate(numbers))
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    command_line.run(main)
