"""The rounding error of a plan stays below its bound, in the units of the output."""

from __future__ import annotations

import numpy as np
import pytest

import convmat as cm

RNG = np.random.default_rng(7)

LAYERS = {
    "line": (cm.conv, (2, 3, 5), (3, 40), {"stride": 2, "padding": 1}),
    "plane": (cm.conv, (4, 3, 3, 3), (3, 17, 18), {"padding": 1}),
    "dilated": (cm.conv, (2, 2, 3, 3), (2, 20, 20), {"dilation": 2}),
    "channels": (cm.conv, (16, 16, 3, 3), (16, 12, 12), {"padding": 1}),
    "groups": (cm.conv, (6, 2, 3, 3), (4, 11, 11), {"groups": 2}),
    "wide": (cm.conv, (1, 1, 9, 9), (1, 40, 40), {"padding": 4}),
    "volume": (cm.conv, (2, 2, 2, 3, 2), (2, 7, 8, 9), {}),
    "transposed": (cm.conv_transpose, (3, 2, 4, 4), (3, 9, 9), {"stride": 2, "padding": 1}),
}
ALGORITHMS = ("auto", "direct", "gemm", "winograd", "fft", "separable", "sparse")
PRECISE = {"f": np.float64, "d": np.longdouble, "F": np.complex128, "D": np.clongdouble}


def numbers(shape, kind, scale):
    made = RNG.standard_normal(shape) * np.exp(scale * RNG.standard_normal(shape))
    if kind in "FD":
        made = made + 1j * RNG.standard_normal(shape)
    return made.astype(kind)


def precisely(layer, x):
    """Multiply by the matrix in a dtype of more digits."""
    wide = PRECISE[x.dtype.char]
    dense = layer.matrix().toarray().astype(wide)
    return (x.reshape(len(x), -1).astype(wide) @ dense.T).reshape(len(x), *layer.out_shape)


@pytest.mark.parametrize("kind", "fdFD")
@pytest.mark.parametrize("name", LAYERS)
def test_no_error_is_larger_than_its_bound(name, kind):
    make, weight_shape, shape, options = LAYERS[name]
    served = 0
    for scale, factor in ((0.0, 1.0), (2.0, 1e3), (0.5, 1e-6)):
        weight = numbers(weight_shape, kind, scale)
        x = numbers((2, *shape), kind, scale) * np.dtype(kind).type(factor)
        layer = make(weight, shape, **options)
        wanted = precisely(layer, x)
        for algorithm in ALGORITHMS:
            for precision in ("default", "fast"):
                try:
                    plan = layer.plan(x.shape, algorithm=algorithm, precision=precision)
                except cm.GeometryError:
                    continue  # it cannot serve
                bound = plan.error_for(x)
                assert 0 < bound < 0.5 * np.abs(wanted).max()
                assert np.abs(plan(x) - wanted).max() <= bound, (algorithm, precision)
                served += 1
    assert served >= 12


def test_the_bound_grows_with_the_numbers():
    weight = numbers((2, 1, 3), "f", 0.0)
    layer = cm.conv(weight, (1, 9))
    x = numbers((1, 9), "f", 0.0)
    plan = layer.plan(x.shape)
    assert plan.largest_sum == np.abs(weight.astype(float)).sum((1, 2)).max()
    assert plan.error_for(x) == plan.error * float(np.abs(x).max()) * plan.largest_sum
    assert plan.error_for(8 * x) == 8 * plan.error_for(x)
    louder = layer.with_weight(4 * weight).plan(x.shape)
    assert louder.error_for(x) == 4 * plan.error_for(x)
    assert plan.error_for(0 * x) == 0
    with pytest.raises(cm.GeometryError, match="as planned"):
        plan.error_for(x[None].repeat(2, 0))


def test_integers_have_no_rounding_error():
    layer = cm.conv(np.array([[[1, -128, 3]]], np.int8), (1, 9))
    x = np.full((1, 9), -128, np.int8)
    plan = layer.plan(x.shape)
    assert plan.error_for(x) == 0
    assert plan.largest_sum == 132
    assert "error at most 0: nothing is rounded" in str(plan)


def test_the_plan_prints_the_unit():
    layer = cm.conv(np.ones((1, 1, 3), "f"), (1, 9))
    plan = layer.plan((1, 9))
    (line,) = (line for line in str(plan).splitlines() if "error at most" in line)
    assert f"{plan.error:.2g} * max|x| * 3" in line
    assert "error_for(x)" in line
