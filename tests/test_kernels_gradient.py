"""The compiled weight gradient: the sums of its definition, exactly on integers."""

import os
import subprocess
import sys

import numpy as np
import pytest
import test_apply
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import CASES, integers
from strategies import layer

import convmat as cm
from convmat.geometry.window import Geometry, Window
from convmat.kernels.cpu.conv import in_numpy
from convmat.kernels.cpu.weight_gradient import lines, tiles
from convmat.kernels.cpu.weight_gradient.choosing import _chosen, candidates, weight_gradient
from convmat.kernels.cpu.weight_gradient.lines import Lines
from convmat.kernels.cpu.weight_gradient.tiles import Tiles
from convmat.operator.base import unit_roundoff

DTYPES = ("f4", "f8", "c8", "c16", "i8", "u8")


def shapes():
    """Layers for which each way of summing is chosen, with remainders of all sorts."""
    return test_apply.shapes() | {
        "rows": cm.conv(integers((3, 3, 2, 2)), (3, 130, 40), padding=(2, 1)),
        "wide": cm.conv(integers((70, 50, 3, 3)), (50, 12, 14), padding=1, stride=(1, 2)),
        "groups": cm.conv(integers((18, 9, 3)), (27, 61), padding=1, groups=3),
        "far": cm.conv(integers((1, 1, 3, 3)), (1, 60, 300), dilation=(20, 90), stride=(2, 3)),
        "few": cm.conv(integers((24, 12, 2, 3)), (24, 9, 50), padding=2, groups=2),
    }


def numbers(A, dtype, images=2):
    return (
        integers((images, *A.in_shape), dtype, seed=3),
        integers((images, *A.out_shape), dtype, seed=4),
    )


def summed(made, geometry, x, g):
    """Sum in the given way, x and g exchanged where it is of the transposed geometry."""
    gradient = made.gradient(*((x, g) if made.geometry == geometry else (g, x)))
    assert gradient is not None
    return gradient


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", shapes())
def test_integers_are_exact_in_every_way(name, dtype):
    for A in (shapes()[name], shapes()[name].T):
        x, g = numbers(A, dtype)
        expected = in_numpy.weight_gradient(A.geometry, x, g, x.dtype)
        found = candidates(A.geometry, x.dtype, len(x))
        assert {type(made) for made in found} == {Tiles, Lines}
        for made in found:
            gradient = summed(made, A.geometry, x, g)
            assert gradient.dtype == x.dtype
            assert gradient.flags.c_contiguous
            np.testing.assert_array_equal(gradient, expected)
        np.testing.assert_array_equal(A.weight_gradient(x, g), expected)


def test_what_no_cache_holds_is_cut_into_chunks():
    A = cm.conv(integers((16, 40, 3, 3)), (40, 20, 20), padding=1)
    x, g = numbers(A, "f8", 6)
    found = [made for made in candidates(A.geometry, x.dtype, 6) if isinstance(made, Tiles)]
    assert all(made.chunk[0] < 6 for made in found)
    for made in found:
        expected = in_numpy.weight_gradient(A.geometry, x, g, x.dtype)
        np.testing.assert_array_equal(summed(made, A.geometry, x, g), expected)


@pytest.mark.parametrize("dtype", ["f4", "c16"])
@pytest.mark.parametrize("name", shapes())
def test_places_are_cut_into_chunks_and_blocks(name, dtype, monkeypatch):
    monkeypatch.setattr(tiles, "CHUNK", 1 << 12)
    monkeypatch.setattr(tiles, "SUMS", 1 << 13)
    monkeypatch.setattr(lines, "IN_CACHE", 1 << 11)
    monkeypatch.setattr(lines, "PARTIAL", 1 << 9)
    for A in (shapes()[name], shapes()[name].T):
        x, g = numbers(A, dtype, 3)
        expected = in_numpy.weight_gradient(A.geometry, x, g, x.dtype)
        for made in candidates(A.geometry, x.dtype, len(x)):
            np.testing.assert_array_equal(summed(made, A.geometry, x, g), expected)


@given(layer(), st.booleans(), st.integers(1, 3), st.sampled_from(["f8", "c16", "i8"]))
@settings(max_examples=150)
def test_all_geometries(case, transposed, images, dtype):
    A = cm.conv(case.weight(transposed=False), case.in_shape, **case.keywords(transposed=False))
    A = A.T if transposed else A
    x, g = numbers(A, dtype, images)
    expected = in_numpy.weight_gradient(A.geometry, x, g, x.dtype)
    for made in candidates(A.geometry, x.dtype, images):
        np.testing.assert_array_equal(summed(made, A.geometry, x, g), expected)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.kind == "layer"])
def test_every_registered_layer(name):
    A = CASES[name].make()
    if len(A.geometry.axes) > 3:
        assert not candidates(A.geometry, np.dtype("f8"), 2)
    x, g = numbers(A, "f8")
    expected = in_numpy.weight_gradient(A.geometry, x, g, x.dtype)
    np.testing.assert_array_equal(weight_gradient(A.geometry, x, g, x.dtype), expected)
    for made in candidates(A.geometry, x.dtype, 2):
        np.testing.assert_array_equal(summed(made, A.geometry, x, g), expected)


def test_each_way_is_chosen_somewhere():
    chosen = [
        _chosen(B.geometry, np.dtype("f4"), 2) for A in shapes().values() for B in (A, A.T)
    ]  # fmt: skip
    assert {type(made) for made in chosen} == {Tiles, Lines}
    assert {made.over_outputs for made in chosen if isinstance(made, Tiles)} == {False, True}


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16"])
@pytest.mark.parametrize("name", shapes())
def test_floats_are_within_their_bound(name, dtype):
    rng = np.random.default_rng(8)
    A = shapes()[name]
    dtype = np.dtype(dtype)
    wide = np.dtype("D" if dtype.kind == "c" else "d")

    def some(shape):
        real, imaginary = rng.standard_normal((2, 3, *shape))
        return (real + 1j * imaginary if dtype.kind == "c" else real).astype(dtype)

    x, g = some(A.in_shape), some(A.out_shape)
    exact = in_numpy.weight_gradient(A.geometry, x, g, wide)
    size = in_numpy.weight_gradient(A.geometry, abs(x), abs(g), np.dtype("f8"))
    terms = in_numpy.weight_gradient(A.geometry, x != 0, g != 0, np.dtype("i8"))
    room = 1 if dtype != wide else 2  # the reference rounds as well
    for made in candidates(A.geometry, dtype, 3):
        bound = room * terms * unit_roundoff(dtype) * size
        assert (abs(summed(made, A.geometry, x, g) - exact) <= bound).all()


@pytest.mark.parametrize("name", ["channels", "phases", "depthwise", "volume", "dilated"])
def test_the_dot_test(name):
    for A in (shapes()[name], shapes()[name].T):
        x, g = numbers(A, "c16")
        weight = integers(A.weight.shape, "c16", seed=6)
        form = (g * A.with_weight(weight)(x, algorithm="direct")).sum()
        assert (A.weight_gradient(x, g) * weight).sum() == form
        np.testing.assert_array_equal(
            A.weight_gradient(x, g).ravel(), A.weight_matrix(x).T @ g.ravel()
        )


def test_integers_wrap_around():
    A = shapes()["rows"]
    x, g = numbers(A, "i8")
    for dtype in ("i8", "u8"):
        large = (x * 2**60).astype(dtype), (g * (2**61 + 1)).astype(dtype)
        expected = in_numpy.weight_gradient(A.geometry, *large, np.dtype(dtype))
        np.testing.assert_array_equal(A.weight_gradient(*large), expected)
    assert A.weight_gradient(x.astype("i1"), g.astype("i2")).dtype == np.int64


def test_any_order_in_memory_and_read_only():
    A = shapes()["channels"]
    x, g = numbers(A, "f8")
    expected = A.weight_gradient(x, g)
    x.flags.writeable = g.flags.writeable = False
    wide = np.zeros((*g.shape[:-1], 2 * g.shape[-1]))
    wide[..., ::2] = g
    for read in (x, np.asfortranarray(x), x[:, ::-1].copy()[:, ::-1]):
        for weighing in (g, np.asfortranarray(g), wide[..., ::2]):
            np.testing.assert_array_equal(A.weight_gradient(read, weighing), expected)
    many = A.weight_gradient(x.reshape(2, 1, *A.in_shape), g.reshape(2, 1, *A.out_shape))
    np.testing.assert_array_equal(many, expected)


@pytest.mark.parametrize("name", ["one channel", "channels", "phases", "no overlap", "strided"])
def test_nan_and_infinity_go_where_taps_meet_them(name):
    A = shapes()[name]
    for value in (np.nan, np.inf):
        for which in range(2):
            for place in (0, 1):
                pair = [np.ones((1, *A.in_shape)), np.ones((1, *A.out_shape))]
                pair[which].flat[place * (pair[which].size // 2 + 3)] = value
                met = [np.isfinite(one).astype("f8") for one in pair]
                whole = A.weight_gradient(np.ones_like(met[0]), np.ones_like(met[1]))
                gradient = A.weight_gradient(*pair)
                reached = A.weight_gradient(*met) != whole
                np.testing.assert_array_equal(~np.isfinite(gradient), reached)
                np.testing.assert_array_equal(gradient[~reached], whole[~reached])


def test_no_inputs_give_zeros():
    A = shapes()["wide"]
    gradient = A.weight_gradient(np.zeros((0, *A.in_shape)), np.zeros((0, *A.out_shape)))
    np.testing.assert_array_equal(gradient, np.zeros(A.weight.shape))


def test_what_there_is_no_kernel_for():
    A = shapes()["rows"]
    x, g = numbers(A, "f8")
    assert A.weight_gradient(x.astype("g"), g).dtype == np.longdouble
    np.testing.assert_array_equal(A.weight_gradient(x.astype("g"), g), A.weight_gradient(x, g))
    both = Geometry((Window(12, 9, 3, 2, 3, 1, 2),), 2, 3)
    assert candidates(both, np.dtype("f8"), 1) == []
    x, g = integers((1, *both.in_shape)), integers((1, *both.out_shape), seed=1)
    expected = in_numpy.weight_gradient(both, x, g, x.dtype)
    np.testing.assert_array_equal(weight_gradient(both, x, g, x.dtype), expected)


@pytest.mark.parametrize(
    "name", ["channels", "strided", "phases", "depthwise", "dilated", "volume"]
)
def test_values_of_pytorch(name):
    torch = pytest.importorskip("torch")
    A = shapes()[name]
    x, g = numbers(A, "f8")
    axes, flipped = A.geometry.axes, A.geometry.flipped
    read, weighing, weight = (torch.from_numpy(np.array(one)) for one in (x, g, A.weight))
    pads = [axis.transpose().pad if flipped else axis.pad for axis in axes]
    _, gradient, _ = torch.ops.aten.convolution_backward(
        weighing, read, weight, None,
        [axis.base if flipped else axis.stride for axis in axes], pads,
        [axis.dilation for axis in axes], flipped, [0] * len(axes), A.geometry.groups,
        [False, True, False],
    )  # fmt: skip
    np.testing.assert_array_equal(A.weight_gradient(x, g), gradient.numpy())


PROGRAM = """
import hashlib, sys
import numba, numpy
sys.path.insert(0, sys.argv[1])
import test_kernels_gradient as tests
assert numba.get_num_threads() == int(sys.argv[2])
rng = numpy.random.default_rng(1)
for name, A in tests.shapes().items():
    for B in (A, A.T):
        for dtype in ("f4", "c16"):
            x, g = (rng.standard_normal((3, *s)).astype(dtype) for s in (B.in_shape, B.out_shape))
            for made in tests.candidates(B.geometry, x.dtype, 3):
                gradient = tests.summed(made, B.geometry, x, g)
                print(name, type(made).__name__, hashlib.sha256(gradient.tobytes()).hexdigest())
"""


def test_bits_do_not_depend_on_the_number_of_threads():
    def told(threads):
        env = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", PROGRAM, os.path.dirname(__file__), str(threads)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    alone = told(1)
    assert len(alone) >= 2 * 2 * 3 * len(shapes())
    assert told(2) == alone
    assert told(3) == alone
