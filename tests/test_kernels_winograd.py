"""Fast convolution against sums in double precision, within its bound."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import get_num_threads, set_num_threads

import convmat as cm
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry, Window
from convmat.kernels.cpu.conv.gemm import Gemm
from convmat.kernels.cpu.conv.winograd import Winograd, error_factor, taps
from convmat.kernels.cpu.conv.winograd_vectors import spread
from convmat.kernels.cpu.vectors.writer import VECTOR

GUARD = 64


def layer(kernel, sizes, pads, channels, groups=1, stride=1):
    """Return a convolution; its transpose has phases where the stride is more than 1."""
    axes = tuple(
        Window(n, (n + 2 * pad - kernel) // stride + 1, kernel, stride, 1, 1, pad)
        for n, pad in zip(sizes, pads, strict=True)
    )
    return Geometry(axes, *channels, groups)


def numbers(rng, shape, dtype):
    values = rng.uniform(-1, 1, shape)
    return (values + 1j * rng.uniform(-1, 1, shape) if dtype.kind == "c" else values).astype(dtype)


def check(geometry, tile, dtype, images=2):
    """Compare with products in double precision; nothing is written beside the output."""
    dtype, rng = np.dtype(dtype), np.random.default_rng(5)
    algorithm = cm.symbolic.winograd((tile,) * len(geometry.axes), taps(geometry))
    weight = numbers(rng, geometry.weight_shape, dtype)
    x = numbers(rng, (images, *geometry.in_shape), dtype)
    x.flags.writeable = False
    w = correlation_weight(geometry, weight)
    size = images * math.prod(geometry.out_shape)
    memory = np.full(size + 2 * GUARD, 7, dtype)
    y = memory[GUARD : GUARD + size].reshape(images, *geometry.out_shape)
    y[:] = np.nan
    Winograd(geometry, w, dtype, algorithm)(x, y)
    assert (memory[:GUARD] == 7).all()
    assert (memory[GUARD + size :] == 7).all()
    wide = np.result_type(dtype, np.float64)
    truth = np.empty(y.shape, wide)
    Gemm(geometry, w.astype(wide), wide)(x.astype(wide), truth)
    largest = np.abs(w).max(axis=(1, *range(3, w.ndim))).sum(axis=-1).max()
    bound = error_factor(algorithm, geometry, dtype) * np.abs(x).max() * largest
    assert np.abs(y - truth).max() <= bound
    return np.abs(y - truth).max()


CASES = {
    "one axis": (layer(3, (37,), (1,), (5, 9)), 2),
    "two axes": (layer(3, (9, 11), (1, 0), (3, 20)), 2),
    "tiles of four": (layer(3, (9, 11), (1, 1), (6, 8), 2), 4),
    "three axes": (layer(3, (4, 5, 6), (1, 1, 1), (2, 3)), 2),
    "two taps": (layer(2, (8, 7), (0, 1), (3, 4)), 3),
    "adjoint": (layer(3, (9, 11), (1, 0), (3, 20)).transpose(), 2),
    "phases": (layer(4, (10, 12), (1, 1), (6, 4), stride=2).transpose(), 2),
    "three phases": (layer(6, (15, 19), (1, 2), (4, 3), stride=3).transpose(), 2),
}


# A kernel is compiled for each case and dtype: besides those of float32, these are enough to
# see every way through them, and the others are slow.
WIDER = {
    "f8": ("two axes", "tiles of four", "phases"),
    "c8": ("two axes", "phases"),
    "c16": ("two axes", "three axes"),
}


def each_case():
    for name, dtype in itertools.product(CASES, ("f4", "f8", "c8", "c16")):
        slow = name not in WIDER.get(dtype, CASES)
        yield pytest.param(name, dtype, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("name", "dtype"), list(each_case()))
def test_within_the_bound(name, dtype):
    check(*CASES[name], dtype)


@pytest.mark.parametrize("tile", [2, 4])
def test_many_channels_are_summed_in_parts(tile):
    check(layer(3, (8, 9), (1, 1), (300, 9)), tile, "f4")


def test_tiles_of_two_err_about_as_little_as_sums():
    """Of root mean squares, at most twice that of sums without transforms, far below the bound."""
    geometry, dtype = layer(3, (28, 28), (1, 1), (64, 16)), np.dtype("f4")
    rng = np.random.default_rng(5)
    w = correlation_weight(geometry, numbers(rng, geometry.weight_shape, dtype))
    x = numbers(rng, (1, *geometry.in_shape), dtype)
    truth = np.empty((1, *geometry.out_shape))
    Gemm(geometry, w.astype("f8"), truth.dtype)(x.astype("f8"), truth)
    errors = []
    for run in (
        Winograd(geometry, w, dtype, cm.symbolic.winograd((2, 2), (3, 3))),
        Gemm(geometry, w, dtype),
    ):
        y = np.empty(truth.shape, dtype)
        run(x, y)
        errors.append(float(np.sqrt(np.square(y - truth).mean())))
    assert 0 < errors[0] <= 2 * errors[1], errors


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.tuples(st.integers(3, 60), st.integers(3, 60)),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    channels=st.tuples(st.integers(1, 4), st.integers(1, 20)),
    images=st.integers(0, 3),
    transposed=st.booleans(),
)
def test_any_size(sizes, pads, channels, images, transposed):
    geometry = layer(3, sizes, pads, channels)
    if images:
        check(geometry.transpose() if transposed else geometry, 2, "f4", images)


@pytest.mark.parametrize("dtype", ["f4", "c16"])
def test_threads_do_not_change_a_bit(dtype):
    geometry, dtype = layer(3, (30, 31), (1, 1), (16, 40)), np.dtype(dtype)
    rng, results = np.random.default_rng(1), []
    w = correlation_weight(geometry, numbers(rng, geometry.weight_shape, dtype))
    x = numbers(rng, (3, *geometry.in_shape), dtype)
    before = get_num_threads()
    try:
        for threads in (1, min(2, before)):
            set_num_threads(threads)
            run = Winograd(geometry, w, dtype, cm.symbolic.winograd((2, 2), (3, 3)))
            results.append(np.empty((3, *geometry.out_shape), dtype))
            run(x, results[-1])
    finally:
        set_num_threads(before)
    assert results[0].tobytes() == results[1].tobytes()


def test_adjoint():
    geometry = layer(3, (12, 17), (1, 0), (6, 10))
    rng, dtype = np.random.default_rng(2), np.dtype("f8")
    weight = numbers(rng, geometry.weight_shape, dtype)
    algorithm = cm.symbolic.winograd((4, 4), (3, 3))
    x = numbers(rng, (1, *geometry.in_shape), dtype)
    g = numbers(rng, (1, *geometry.out_shape), dtype)
    y, back = np.empty_like(g), np.empty_like(x)
    for record, source, target in ((geometry, x, y), (geometry.transpose(), g, back)):
        Winograd(record, correlation_weight(record, weight), dtype, algorithm)(source, target)
    assert np.vdot(g, y) == pytest.approx(np.vdot(back, x), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(
    ("geometry", "rule"),
    [
        (layer(3, (9, 9), (1, 1), (2, 2), stride=2), "stride 1"),
        (Geometry((Window(9, 5, 3, 1, 1, 2, 0),), 2, 2), "dilation 1"),
        (layer(3, (9, 9), (1, 1), (2, 2), stride=2).transpose(), "multiple"),
    ],
)
def test_refused(geometry, rule):
    with pytest.raises(cm.GeometryError, match=rule):
        taps(geometry)


def test_refused_integers_and_other_taps():
    geometry = layer(3, (9, 9), (1, 1), (2, 2))
    w = correlation_weight(geometry, np.ones(geometry.weight_shape))
    with pytest.raises(cm.GeometryError, match="rounded"):
        Winograd(geometry, w, np.dtype("i8"), cm.symbolic.winograd((2, 2), (3, 3)))
    with pytest.raises(cm.GeometryError, match="taps"):
        Winograd(geometry, w, np.dtype("f8"), cm.symbolic.winograd((2, 2), (2, 3)))


def test_spread_is_its_definition():
    """Two lines of tiles of two, three elements apart."""
    lanes = VECTOR // 8
    x = np.arange(4.0 * lanes)
    y = np.zeros(80)
    compiled_spread(x, 2 * lanes, y, 11)
    expected = np.zeros(80)
    for a in range(11):
        expected[4 + 3 * a] = x[a % 2 * 2 * lanes + a // 2]
    assert (y == expected).all()


def compiled_spread(x, pitch, y, count):
    from convmat.kernels.compiling import compiled

    def run(x, pitch, y, count):
        spread(x, 0, pitch, y, 4, count, False, 2, 1, 3)

    compiled(run)(x, pitch, y, count)
