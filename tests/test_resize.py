"""Resizing against exact loops, ONNX's documented answers, and PyTorch where it is installed."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import naive
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_pool import REASON, same_as_torch

import convmat as cm
from convmat.geometry.resampling import CONVENTIONS, ROUNDINGS
from convmat.geometry.sizes import as_scale

SQUARE = np.arange(1.0, 17).reshape(1, 4, 4)
WIDE = np.arange(1.0, 9).reshape(1, 2, 4)
SMALL = np.arange(1.0, 5).reshape(1, 2, 2)
KINDS = {"linear": "linear", "cubic": "cubic", "nearest": "nearest", "nearest-exact": "nearest"}


@given(
    spatial=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    mode=st.sampled_from(sorted(KINDS)),
    convention=st.none() | st.sampled_from(CONVENTIONS),
    rounding=st.none() | st.sampled_from(ROUNDINGS),
    data=st.data(),
)
def test_matrix_is_the_definition(spatial, mode, convention, rounding, data) -> None:
    if mode == "nearest-exact":
        convention = None
    if mode != "nearest":
        rounding = None
    options: dict[str, Any] = {"mode": mode}
    if data.draw(st.booleans()):
        size = [data.draw(st.integers(1, 6)) for _ in spatial]
        scales = [Fraction(m, n) for n, m in zip(spatial, size, strict=True)]
        options["size"] = size
    else:
        scales = [Fraction(data.draw(st.integers(4, 30)), 10) for _ in spatial]
        size = [math.floor(n * s) for n, s in zip(spatial, scales, strict=True)]
        assume(min(size) >= 1 and math.prod(size) <= 300)
        options["scale_factor"] = [float(s) for s in scales]
    standard = {"nearest": "asymmetric"}.get(mode, "half_pixel")
    usual = "round_prefer_floor" if convention else "floor"
    axes = [
        naive.resize_axis(
            n,
            m,
            s,
            KINDS[mode],
            convention or standard,
            "round_prefer_ceil" if mode == "nearest-exact" else rounding or usual,
        )
        for n, m, s in zip(spatial, size, scales, strict=True)
    ]
    A = cm.upsample(
        (2, *spatial),
        coordinate_transformation_mode=convention,
        nearest_mode=rounding,
        **options,
    )
    assert A.out_shape == (2, *size)
    truth = naive.on_each_channel(2, naive.resize_plane(axes))
    np.testing.assert_allclose(A.matrix().toarray(), truth, rtol=1e-15, atol=0)
    assert A.nnz == np.count_nonzero(truth)


# Inputs and answers as printed in the documentation of ONNX's operator Resize.
@pytest.mark.parametrize(
    ("x", "options", "y"),
    [
        (SMALL, {"scale_factor": (2, 3)}, np.repeat(np.repeat(SMALL, 2, 1), 3, 2)),
        (
            WIDE,
            {"scale_factor": 0.6, "coordinate_transformation_mode": "half_pixel"},
            [[[1, 3]]],
        ),
        (
            SMALL,
            {"scale_factor": 2, "mode": "linear"},
            [
                [
                    [1, 1.25, 1.75, 2],
                    [1.5, 1.75, 2.25, 2.5],
                    [2.5, 2.75, 3.25, 3.5],
                    [3, 3.25, 3.75, 4],
                ]
            ],
        ),
        (
            SMALL,
            {"scale_factor": 2, "mode": "linear", "align_corners": True},
            [
                [
                    [1, 4 / 3, 5 / 3, 2],
                    [5 / 3, 2, 7 / 3, 8 / 3],
                    [7 / 3, 8 / 3, 3, 10 / 3],
                    [3, 10 / 3, 11 / 3, 4],
                ]
            ],
        ),
        (WIDE, {"scale_factor": 0.6, "mode": "linear"}, [[[8 / 3, 13 / 3]]]),
        (
            WIDE,
            {
                "scale_factor": 0.6,
                "mode": "linear",
                "coordinate_transformation_mode": "align_corners",
            },
            [[[1, 22 / 7]]],  # printed as 3.142857: aligned with an output of 2.4 samples
        ),
        (
            WIDE,
            {"scale_factor": 0.6, "mode": "linear", "align_corners": True},
            [[[1, 4]]],  # as PyTorch has it, and ONNX had at first
        ),
        (
            SQUARE,
            {
                "size": (3, 1),
                "mode": "linear",
                "coordinate_transformation_mode": "pytorch_half_pixel",
            },
            [[[5 / 3], [7], [37 / 3]]],
        ),
        (
            SQUARE,
            {"scale_factor": 0.8, "mode": "cubic"},
            [
                [
                    [1.47119141, 2.78125, 4.08251953],
                    [6.71142578, 8.02148438, 9.32275391],
                    [11.91650391, 13.2265625, 14.52783203],
                ]
            ],
        ),
        (
            SQUARE,
            {
                "scale_factor": 0.8,
                "mode": "cubic",
                "coordinate_transformation_mode": "align_corners",
            },
            [
                [
                    [1, 2.39519159, 3.79038317],
                    [6.58076634, 7.97595793, 9.37114951],
                    [12.16153268, 13.55672427, 14.95191585],
                ]
            ],
        ),
        (
            np.arange(1.0, 3).reshape(1, 2),
            {"size": 7, "coordinate_transformation_mode": "half_pixel"},
            [[1, 1, 1, 1, 2, 2, 2]],
        ),
    ],
)
def test_answers_of_onnx(x, options, y) -> None:
    A = cm.upsample(x.shape, **options)
    np.testing.assert_allclose(A(x), y, rtol=2e-7)


@pytest.mark.parametrize(
    ("convention", "rounding", "row"),
    [
        ("half_pixel", "ceil", [1, 2, 2, 3, 3, 4, 4, 4]),
        ("align_corners", "floor", [1, 1, 1, 2, 2, 3, 3, 4]),
        ("asymmetric", "round_prefer_ceil", [1, 2, 2, 3, 3, 4, 4, 4]),
    ],
)
def test_nearest_answers_of_onnx(convention, rounding, row) -> None:
    A = cm.upsample((1, 4, 4), 8, coordinate_transformation_mode=convention, nearest_mode=rounding)
    np.testing.assert_array_equal(A(SQUARE)[0], np.add.outer(4 * np.array(row) - 4, row))


def test_cubic_answers_of_onnx_are_exact() -> None:
    up = cm.upsample((1, 4, 4), scale_factor=2, mode="cubic")(SQUARE)
    first = [0.47265625, 0.76953125, 1.24609375, 1.875, 2.28125, 2.91015625, 3.38671875, 3.68359375]
    np.testing.assert_array_equal(up[0, 0], first)
    np.testing.assert_array_equal(up[0, :, 0], 4 * np.array(first) - 4 * first[0] + first[0])
    asymmetric = cm.upsample(
        (1, 4, 4), scale_factor=2, mode="cubic", coordinate_transformation_mode="asymmetric"
    )(SQUARE)
    row = [1, 1.40625, 2, 2.5, 3, 3.59375, 4, 4.09375]
    np.testing.assert_array_equal(asymmetric[0, 0], row)


def interpolate(**options: Any) -> Any:
    torch = pytest.importorskip("torch", reason=REASON)
    return lambda x: torch.nn.functional.interpolate(x, **options)


MODES = [
    (1, "linear"),
    (2, "bilinear"),
    (3, "trilinear"),
    (2, "bicubic"),
    *((ndim, mode) for ndim in (1, 2, 3) for mode in ("nearest", "nearest-exact", "area")),
]


@pytest.mark.parametrize(("ndim", "mode"), MODES)
@given(data=st.data())
def test_sizes_as_torch(ndim, mode, data) -> None:
    pytest.importorskip("torch", reason=REASON)
    spatial = [data.draw(st.integers(1, 6)) for _ in range(ndim)]
    size = [data.draw(st.integers(1, 9)) for _ in range(ndim)]
    options: dict[str, Any] = {"size": size, "mode": mode}
    if "linear" in mode or "cubic" in mode:
        options["align_corners"] = data.draw(st.booleans())
    same_as_torch(cm.upsample((2, *spatial), **options), interpolate(**options))


def scale_is_ignored(n: int, scale: float) -> bool:
    """Say whether PyTorch may take the ratio of the sizes, 1 or 2, for the scale."""
    return math.floor(n * as_scale(scale)) in (n, 2 * n) and scale not in (1, 2)


@pytest.mark.parametrize(("ndim", "mode"), MODES)
@pytest.mark.parametrize("scale", [0.5, 0.6, 1 / 3, 1, 1.3, 1.5, 1.7, 2, 2.3, 3])
def test_scales_as_torch(ndim, mode, scale) -> None:
    pytest.importorskip("torch", reason=REASON)
    for aligned in (False, True) if "linear" in mode or "cubic" in mode else (False,):
        for spatial in ((4, 3, 5)[:ndim], (7, 10, 6)[:ndim]):
            if any(scale_is_ignored(n, scale) for n in spatial):
                continue
            options = {"scale_factor": float(scale), "mode": mode}
            theirs = {**options, "align_corners": aligned} if aligned else options
            A = cm.upsample((1, *spatial), **options, align_corners=aligned)
            same_as_torch(A, interpolate(**theirs))


@pytest.mark.parametrize(("mode", "scale"), [("nearest", 1.3), ("nearest", 2.3), ("bilinear", 1.3)])
def test_torch_may_ignore_a_scale_that_keeps_or_doubles_the_size(mode, scale) -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    x = torch.arange(9, dtype=torch.float64).reshape(1, 1, 3, 3) ** 2
    assert scale_is_ignored(3, scale)
    by_scale = cm.upsample((1, 3, 3), scale_factor=scale, mode=mode)
    by_size = cm.upsample((1, 3, 3), size=by_scale.out_shape[1:], mode=mode)
    assert by_scale.record != by_size.record
    theirs = interpolate(scale_factor=scale, mode=mode)(x).numpy()
    assert any(np.allclose(theirs, A(x.numpy()), rtol=1e-14) for A in (by_scale, by_size))


def test_unequal_scales_as_torch() -> None:
    options = {"scale_factor": [1.5, 0.7], "mode": "bilinear"}
    same_as_torch(cm.upsample((2, 5, 7), **options), interpolate(**options))


def test_nearest_of_torch_may_miss_by_one_input() -> None:
    # Where o*n/m is whole a rounding error downwards takes the input before it.
    torch = pytest.importorskip("torch", reason=REASON)
    sizes = [(n, m) for n in range(1, 65) for m in range(1, 65)]
    differing = 0
    for n, m in sizes:
        x = torch.arange(n, dtype=torch.float32)[None, None]
        theirs = interpolate(size=m, mode="nearest")(x)[0, 0].numpy().astype(int)
        ours = cm.upsample((1, n), size=m).record.maps[1].inputs
        np.testing.assert_array_equal(ours, [o * n // m for o in range(m)])
        wrong = np.flatnonzero(theirs != ours)
        assert all(o * n % m == 0 and theirs[o] == ours[o] - 1 for o in wrong)
        differing += len(wrong) > 0
    assert differing / len(sizes) < 0.02
    assert cm.upsample((1, 26), size=22).record.maps[1].inputs[11] == 13
    x = torch.arange(26, dtype=torch.float32)[None, None]
    assert interpolate(size=22, mode="nearest")(x)[0, 0, 11] in (12, 13)  # 12 in PyTorch 2.13


def test_sizes_of_products_that_floats_round_down() -> None:
    # 45 * 1.4 is 63; torch multiplies floats and has 62.
    torch = pytest.importorskip("torch", reason=REASON)
    assert cm.upsample((1, 45), scale_factor=1.4).out_shape == (1, 63)
    assert interpolate(scale_factor=1.4)(torch.zeros(1, 1, 45)).shape[2] in (62, 63)


def test_names_of_one_and_the_same_map() -> None:
    def maps(**options: Any) -> Any:
        return cm.upsample((1, 5, 7), size=(8, 4), **options).record

    def named(convention: str, mode: str, rounding: str | None = None) -> Any:
        return maps(mode=mode, coordinate_transformation_mode=convention, nearest_mode=rounding)

    assert maps() == named("asymmetric", "nearest", "floor")
    assert maps(mode="nearest-exact") == named("half_pixel", "nearest", "round_prefer_ceil")
    assert named("half_pixel", "nearest") == named("half_pixel", "nearest", "round_prefer_floor")
    assert maps(mode="bilinear") == maps(mode="linear") == named("half_pixel", "linear")
    assert maps(mode="bicubic", align_corners=True) == named("align_corners", "cubic")
    assert maps(mode="area").maps == cm.adaptive_avg_pool((1, 5, 7), (8, 4)).record.maps
    assert maps(nearest_mode="ceil") != maps()


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "cubic", "area"])
def test_the_same_size_changes_nothing(mode) -> None:
    for options in ({"size": (4, 5)}, {"scale_factor": 1}, {"scale_factor": np.float32(1)}):
        A = cm.upsample((3, 4, 5), mode=mode, **options)
        assert all(part.unchanging for part in A.record.maps)


@pytest.mark.parametrize("r", [1, 2, 3, 4, 5])
def test_nearest_by_a_whole_factor_is_a_transposed_convolution_with_ones(r) -> None:
    ones = np.ones((1, 1, r, r))
    transposed = cm.conv_transpose(ones, (1, 3, 4), stride=r).matrix()
    up = cm.upsample((1, 3, 4), scale_factor=r).matrix()
    np.testing.assert_array_equal(up.toarray(), transposed.toarray())


def test_a_float_is_read_in_its_own_precision() -> None:
    third = np.array([1.7, 0.6], np.float32)
    single = cm.upsample((1, 10, 10), scale_factor=third, mode="bilinear")
    double = cm.upsample((1, 10, 10), scale_factor=(1.7, 0.6), mode="bilinear")
    assert single.record == double.record
    assert single.out_shape == (1, 17, 6)
    exactly = cm.upsample(
        (1, 10, 10), scale_factor=(Fraction(17, 10), Fraction(3, 5)), mode="linear"
    )
    assert exactly.record == double.record
    assert as_scale(1.7) == Fraction(17, 10)


def test_repr() -> None:
    A = cm.upsample((1, 3), scale_factor=2, mode="linear", align_corners=True)
    assert "upsample, linear, align_corners" in repr(A)
    assert "transpose of upsample" in repr(A.T)
    named = cm.upsample((1, 3), 2, coordinate_transformation_mode="half_pixel", nearest_mode="ceil")
    assert "upsample, nearest, half_pixel, ceil" in repr(named)


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("in_shape", {"in_shape": (4,), "size": 2}),
        ("size", {}),
        ("size", {"size": 2, "scale_factor": 2}),
        ("size", {"size": 0}),
        ("size", {"size": 2.0}),
        ("size", {"size": (1, 2, 3)}),
        ("size", {"size": "8"}),
        ("scale_factor", {"scale_factor": 0}),
        ("scale_factor", {"scale_factor": -1.5}),
        ("scale_factor", {"scale_factor": math.nan}),
        ("scale_factor", {"scale_factor": math.inf}),
        ("scale_factor", {"scale_factor": "2"}),
        ("scale_factor", {"scale_factor": True}),
        ("scale_factor", {"scale_factor": 1j}),
        ("scale_factor", {"scale_factor": (2, 2, 2)}),
        ("scale_factor", {"scale_factor": (2, None)}),
        ("scale_factor", {"scale_factor": 0.2}),  # no output left of 4 samples
        ("mode", {"size": 2, "mode": "lanczos"}),
        ("mode", {"size": 2, "mode": "trilinear"}),
        ("mode", {"in_shape": (1, 4), "size": 2, "mode": "bilinear"}),
        ("mode", {"in_shape": (1, 4), "size": 2, "mode": "bicubic"}),
        ("mode", {"size": 2, "mode": None}),
        ("align_corners", {"size": 2, "align_corners": True}),
        ("align_corners", {"size": 2, "align_corners": True, "mode": "area"}),
        ("align_corners", {"size": 2, "align_corners": 0}),
        ("nearest_mode", {"size": 2, "mode": "linear", "nearest_mode": "floor"}),
        ("nearest_mode", {"size": 2, "mode": "nearest-exact", "nearest_mode": "floor"}),
        ("nearest_mode", {"size": 2, "nearest_mode": "round"}),
    ],
)
def test_bad_arguments(argument, arguments) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.upsample(**{"in_shape": (1, 4, 4), **arguments})
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("named", "options", "part"),
    [
        ("tf_crop_and_resize", {"mode": "linear"}, "not linear"),
        ("half pixel", {"mode": "linear"}, "known name"),
        ("half_pixel", {"mode": "area"}, "no meaning"),
        ("half_pixel", {"mode": "nearest-exact"}, "no meaning"),
        ("half_pixel", {"mode": "linear", "align_corners": True}, "align_corners"),
        ("align_corners", {"mode": "linear", "align_corners": True}, "align_corners"),
    ],
)
def test_conventions_that_are_refused(named, options, part) -> None:
    with pytest.raises(cm.GeometryError, match=part) as caught:
        cm.upsample((1, 4), 8, coordinate_transformation_mode=named, **options)
    assert caught.value.argument == "coordinate_transformation_mode"
