"""Stored answers of PyTorch, made by scripts/make_oracles.py."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convmat as cm

FOLDER = Path(__file__).parent / "oracles"
FILES = [f"{layer}{ndim}d" for layer in ("conv", "conv_transpose") for ndim in (1, 2, 3)]


def read(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what is said about a file, and its cases with their arrays cut out."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as stored:
        about, numbers = json.loads(str(stored["about"])), stored["numbers"].astype(float)
    at = 0
    for case in about["cases"]:
        for array, shape in case.pop("shapes").items():
            size = math.prod(shape)
            case[array] = numbers[at : at + size].reshape(shape)
            at += size
    assert at == numbers.size
    return about, about["cases"]


@pytest.mark.parametrize("name", FILES)
def test_answers_are_those_of_torch(name: str) -> None:
    about, cases = read(name)
    assert about["torch"]
    assert about["numpy"]
    assert len(cases) >= 25
    constructor = getattr(cm, name[:-2])
    for number, case in enumerate(cases):
        said = f"case {number}: {case['options']}"
        A = constructor(case["weight"], case["in_shape"], **case["options"])
        x, g = case["x"], case["y_grad"]
        np.testing.assert_array_equal(A(x), case["y"], said)
        np.testing.assert_array_equal(A.T(g), case["x_grad"], said)
        gradient = A.weight_matrix(x).T @ g.ravel()
        np.testing.assert_array_equal(gradient, case["weight_grad"].ravel(), said)
        matrix = A.matrix()
        np.testing.assert_array_equal(matrix @ x[0].ravel(), case["y"][0].ravel(), said)


def test_the_cases_cover_the_options() -> None:
    convolutions = [case["options"] for ndim in (1, 2, 3) for case in read(f"conv{ndim}d")[1]]
    paddings = [options["padding"] for options in convolutions]
    assert {"same", "valid"} <= {p for p in paddings if isinstance(p, str)}
    assert any(low != high for p in paddings if isinstance(p, list) for low, high in p)
    transposed = [
        case["options"] for ndim in (1, 2, 3) for case in read(f"conv_transpose{ndim}d")[1]
    ]
    per_axis = [
        axis
        for o in transposed
        for axis in zip(o["stride"], o["dilation"], o["output_padding"], strict=True)
    ]
    assert any(s > a > 0 for s, d, a in per_axis)
    assert any(d > a >= s for s, d, a in per_axis)
    for options in (convolutions, transposed):
        assert any(o["groups"] > 1 for o in options)
        assert any(max(o["dilation"]) > 1 and max(o["stride"]) > 1 for o in options)


@pytest.mark.parametrize("name", ["pooling", "resizing"])
def test_answers_of_layers_without_a_weight(name: str) -> None:
    _, cases = read(name)
    assert {len(case["in_shape"]) for case in cases} == {2, 3, 4}
    for number, case in enumerate(cases):
        said = f"case {number}: {case['layer']}, {case['in_shape']}, {case['options']}"
        A = getattr(cm, case["layer"])(case["in_shape"], **case["options"])
        for ours, theirs in ((A(case["x"]), case["y"]), (A.T(case["y_grad"]), case["x_grad"])):
            np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13, err_msg=said)


def test_the_cases_of_layers_without_a_weight_cover_the_options() -> None:
    resizings = [case["options"] for case in read("resizing")[1]]
    assert len({options["mode"] for options in resizings}) == 7
    assert any(options.get("align_corners") for options in resizings)
    assert sum("scale_factor" in options for options in resizings) > 10
    poolings = read("pooling")[1]
    assert {case["layer"] for case in poolings} == {"avg_pool", "adaptive_avg_pool"}
    plain = [case["options"] for case in poolings if case["layer"] == "avg_pool"]
    for word in ("ceil_mode", "count_include_pad"):
        assert {options[word] for options in plain} == {False, True}
    assert any(options.get("divisor_override") for options in plain)


@pytest.mark.parametrize("case", read("moves")[1], ids=lambda case: case["layer"])
def test_answers_of_layers_that_move_numbers_about(case: dict[str, Any]) -> None:
    A = getattr(cm, case["layer"])(case["in_shape"], **case["options"])
    np.testing.assert_array_equal(A(case["x"]), case["y"])
    np.testing.assert_array_equal(A.T(case["y_grad"]), case["x_grad"])
    np.testing.assert_array_equal(A.matrix() @ case["x"].ravel(), case["y"].ravel())


@pytest.mark.parametrize("case", read("max_pooling")[1], ids=lambda case: case["layer"])
def test_answers_of_max_poolings(case: dict[str, Any]) -> None:
    switches = case["switches"][0].astype(int)
    pool = cm.max_pool(case["in_shape"], **case["options"])
    if case["layer"] == "max_pool":
        y, found = pool(case["x"])
        np.testing.assert_array_equal(y, case["y"])
        np.testing.assert_array_equal(found[0], switches)
        A = cm.selection(case["in_shape"], switches)
    else:
        assert switches.shape == pool.out_shape
        A = cm.unpool(case["in_shape"], switches)
    np.testing.assert_array_equal(A(case["x"]), case["y"])
    np.testing.assert_array_equal(A.T(case["y_grad"]), case["x_grad"])
    np.testing.assert_array_equal(A.matrix() @ case["x"].ravel(), case["y"].ravel())


def test_the_cases_of_moves_and_max_poolings_cover_the_options() -> None:
    moves = read("moves")[1]
    names = {"pad", "pixel_shuffle", "pixel_unshuffle", "unfold", "fold"}
    assert {case["layer"] for case in moves} == names
    paddings = [case["options"] for case in moves if case["layer"] == "pad"]
    assert {o["mode"] for o in paddings} == {"zeros", "reflect", "replicate", "circular"}
    assert any(low < 0 < high for o in paddings for low, high in o["padding"])
    poolings = read("max_pooling")[1]
    assert {case["layer"] for case in poolings} == {"max_pool", "unpool"}
    assert any(case["options"].get("ceil_mode") for case in poolings)
    assert any(max(case["options"].get("dilation", [1])) > 1 for case in poolings)
    winners = [case["switches"][0, 0].ravel().tolist() for case in poolings]
    assert any(len(set(w)) < len(w) for w in winners), "some winners are shared"


def test_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.npz")) < 300_000
