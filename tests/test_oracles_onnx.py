"""The node tests of ONNX, stored by scripts/make_onnx_oracles.py with their expected outputs.

ONNX writes a layer in keywords of its own; what follows translates them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from test_oracles import read

import convmat as cm

ABOUT, CASES = read("onnx")
NEAR = 1e-3, 1e-5  # ONNX's own tolerances: some of its outputs have four decimals
PADDING_MODES = {
    "constant": "zeros",
    "edge": "replicate",
    "reflect": "reflect",
    "wrap": "circular",
}


def pads(attributes: dict[str, Any], ndim: int) -> Any:
    """Return the padding of windows, which ONNX names or writes as all lows, then all highs."""
    name = attributes.get("auto_pad", "NOTSET")
    if name != "NOTSET":
        return name.lower()
    ends = attributes.get("pads", [0] * (2 * ndim))
    return list(zip(ends[:ndim], ends[ndim:], strict=True))


def windows(case: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords of convolutions and poolings."""
    attributes = case["attributes"]
    return {
        "stride": attributes.get("strides", 1),
        "padding": pads(attributes, case["in_0"].ndim - 2),
    }


def average_pool(case: dict[str, Any]) -> Any:
    attributes = case["attributes"]
    return cm.avg_pool(
        case["in_0"].shape[1:],
        attributes["kernel_shape"],
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
        count_include_pad=bool(attributes.get("count_include_pad", 0)),
        **windows(case),
    )


def global_average_pool(case: dict[str, Any]) -> Any:
    return cm.adaptive_avg_pool(case["in_0"].shape[1:], 1)


def convolution(case: dict[str, Any]) -> Any:
    attributes = case["attributes"]
    options = windows(case) | {
        "dilation": attributes.get("dilations", 1),
        "groups": attributes.get("group", 1),
    }
    shape = case["in_0"].shape[1:]
    if case["operator"] == "Conv":
        return cm.conv(case["in_1"], shape, **options)
    if "output_shape" in attributes:
        options["output_size"] = attributes["output_shape"]
    elif "output_padding" in attributes:
        options["output_padding"] = attributes["output_padding"]
    return cm.conv_transpose(case["in_1"], shape, **options)


def col2im(case: dict[str, Any]) -> Any:
    attributes = case["attributes"]
    out_shape = case["out_0"].shape[1:]
    return cm.fold(
        out_shape,
        case["in_2"].astype(int),
        stride=attributes.get("strides", 1),
        padding=pads(attributes, len(out_shape) - 1),
        dilation=attributes.get("dilations", 1),
    )


def shuffle(case: dict[str, Any]) -> Any:
    attributes = case["attributes"]
    make = cm.pixel_shuffle if case["operator"] == "DepthToSpace" else cm.pixel_unshuffle
    order = attributes.get("mode", "DCR").lower()
    return make(case["in_0"].shape[1:], attributes["blocksize"], order)


def resize(case: dict[str, Any]) -> Any:
    attributes = case["attributes"]
    shape = case["in_0"].shape
    axes = attributes.get("axes", range(len(shape)))
    options: dict[str, Any] = {"mode": attributes.get("mode", "nearest")}
    scales = case.get("in_1" if case["operator"] == "Upsample" else "in_2")
    if scales is not None:
        factors = [np.float32(1)] * len(shape)
        for axis, factor in zip(axes, scales, strict=True):
            factors[axis] = np.float32(factor)  # which knows that 0.6 is 6/10
        options["scale_factor"] = factors[2:]
    else:
        sizes = list(shape)
        for axis, size in zip(axes, case["in_3"], strict=True):
            sizes[axis] = int(size)
        options["size"] = sizes[2:]
    if case["operator"] == "Resize":
        named = attributes.get("coordinate_transformation_mode", "half_pixel")
        options["coordinate_transformation_mode"] = named
        if options["mode"] == "nearest":
            options["nearest_mode"] = attributes.get("nearest_mode", "round_prefer_floor")
    return cm.upsample(shape[1:], **options)


def max_unpool(case: dict[str, Any]) -> Any:
    """Unpool to the size that the windows imply; what is wider is so at the high ends."""
    attributes = case["attributes"]
    channels, *pooled = case["in_0"].shape[1:]
    rows = zip(pooled, attributes["strides"], attributes["kernel_shape"], strict=True)
    implied = [(n - 1) * stride + kernel for n, stride, kernel in rows]
    U = cm.unpool((channels, *implied), case["in_1"][0].astype(int) % math.prod(implied))
    wanted = case["out_0"].shape[2:]
    more = [(0, m - n) for n, m in zip(implied, wanted, strict=True)]
    return cm.pad(U.out_shape, more) @ U


def pad(case: dict[str, Any]) -> Any:
    """Pad every axis, those of batch and channels too: the whole input is one channel."""
    shape = case["in_0"].shape
    axes = case.get("in_3", np.arange(len(shape))).astype(int)
    ends = case["in_1"].astype(int).reshape(2, -1)
    padding = [(0, 0)] * len(shape)
    for axis, low, high in zip(axes, *ends.tolist(), strict=True):
        padding[axis] = low, high
    return cm.pad((1, *shape), padding, PADDING_MODES[case["attributes"]["mode"]])


MAKERS = {
    "AveragePool": average_pool,
    "Col2Im": col2im,
    "Conv": convolution,
    "ConvTranspose": convolution,
    "DepthToSpace": shuffle,
    "GlobalAveragePool": global_average_pool,
    "MaxUnpool": max_unpool,
    "Pad": pad,
    "Resize": resize,
    "SpaceToDepth": shuffle,
    "Upsample": resize,
}


def named(case: dict[str, Any]) -> str:
    return str(case["name"])


@pytest.mark.parametrize("case", [c for c in CASES if c["operator"] != "MaxPool"], ids=named)
def test_expected_outputs(case: dict[str, Any]) -> None:
    A = MAKERS[case["operator"]](case)
    x, expected = case["in_0"], case["out_0"]
    if case["operator"] == "Pad":
        x, expected = x[None], expected[None]
        cells = A(np.ones_like(x))  # 0 where the constant stands
        expected = expected - case.get("in_2", 0.0) * (1 - cells)
    y = A(x)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, *NEAR)
    rows = expected.reshape(-1, A.shape[0])
    columns = x.reshape(len(rows), -1).T
    np.testing.assert_allclose((A.matrix() @ columns).T, rows, *NEAR)


@pytest.mark.parametrize("case", [c for c in CASES if c["operator"] == "MaxPool"], ids=named)
def test_expected_winners(case: dict[str, Any]) -> None:
    attributes, x = case["attributes"], case["in_0"]
    pool = cm.max_pool(
        x.shape[1:],
        attributes["kernel_shape"],
        dilation=attributes.get("dilations", 1),
        ceil_mode=bool(attributes.get("ceil_mode", 0)),
        **windows(case),
    )
    y, switches = pool(x)
    np.testing.assert_array_equal(y, case["out_0"])
    for image, best, places in zip(x, y, switches, strict=True):
        np.testing.assert_array_equal(cm.selection(x.shape[1:], places)(image), best)
    if "out_1" in case:
        assert x.shape[:2] == (1, 1), "positions start anew in each channel"
        if attributes.get("storage_order") == 1:  # columns first
            height, width = x.shape[2:]
            switches = switches % width * height + switches // width
        np.testing.assert_array_equal(switches, case["out_1"])


def test_all_operators_are_there() -> None:
    assert ABOUT["onnx"]
    assert {case["operator"] for case in CASES} == {*MAKERS, "MaxPool"}
    assert len(CASES) >= 80
