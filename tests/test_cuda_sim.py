"""Kernels for GPUs in Numba's simulator, in a process of its own: ``nox -s cuda``.

Every thread runs in Python, and memory that it may not touch is out of its reach. What no thread
writes is poisoned.
"""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, integers
from numba import cuda
from numba.core import config

import convmat as cm
from convmat.geometry.arguments import GeometryError
from convmat.kernels.cuda import arrays, windows

pytestmark = pytest.mark.cuda

COMPOSED = ("Scaled", "Sum", "Block")
PAIRS = ["f4-f4", "f8-f8", "c8-c8", "c16-c16", "i8-i8", "u8-u8", "f2-f4", "i1-i8", "?-f4", "f4-c8"]


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """Fill new memory with what no sum gives."""
    assert config.ENABLE_CUDASIM, "run with NUMBA_ENABLE_CUDASIM=1"
    real = cuda.device_array

    def device_array(shape, dtype, **options):
        made = real(shape, dtype, **options)
        np.frombuffer(made._ary, np.uint8)[:] = 0xFB  # NaN, and for integers something far away
        return made

    monkeypatch.setattr(cuda, "device_array", device_array)


@pytest.fixture
def writes(monkeypatch):
    """Count how often each number is written."""
    found = {}
    write = arrays.Memory.__setitem__

    def counted(self, at, value):
        place = id(self.numbers), self._place(at)
        found[place] = found.get(place, 0) + 1
        write(self, at, value)

    monkeypatch.setattr(arrays.Memory, "__setitem__", counted)
    return found


def axes_of(operator):
    return len(operator.geometry.axes) if hasattr(operator, "geometry") else 0


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_the_registry(name, transposed, writes):
    made = CASES[name].make()
    A = made.T if transposed else made
    x = integers((2, *A.in_shape), "f4", seed=1)
    composed = type(A).__name__ in COMPOSED
    if composed or axes_of(A) > 3 or any(axes_of(B) > 3 for B in getattr(A, "_pair", ())):
        with pytest.raises(GeometryError, match="GPU"):
            A(cuda.to_device(x))
        return
    if type(A).__name__ == "Product" and any(type(B).__name__ in COMPOSED for B in A._pair):
        with pytest.raises(GeometryError, match="has no kernel yet"):
            A(cuda.to_device(x))
        return
    y = A(cuda.to_device(x))
    assert isinstance(y, type(cuda.to_device(x)))
    expected = A(x)
    matrix = A.matrix(dtype=np.result_type(A.dtype, "f8"))
    assert y.dtype == expected.dtype
    found = y.copy_to_host()
    np.testing.assert_allclose(found.reshape(2, -1), (matrix @ x.reshape(2, -1).T).T, rtol=1e-6)
    if not hasattr(A, "_pair"):
        assert sorted(writes.values()) == [1] * y.size
    np.testing.assert_array_equal(A(cuda.to_device(x)).copy_to_host(), found)  # the very bits


@pytest.mark.parametrize("pair", PAIRS)
def test_dtypes(pair):
    read, dtype = map(np.dtype, pair.split("-"))
    w = integers((8, 2, 3, 2), dtype)
    A = cm.conv(w, (4, 5, 6), stride=2, padding=1, groups=2)
    mean = cm.upsample((2, 3), scale_factor=2, mode="linear")
    for B in (A, A.T, cm.pad((2, 3, 4), 1), mean):
        x = np.abs(integers((3, *B.in_shape), "i8", seed=2)).astype(read)
        y, expected = B(cuda.to_device(x)), B(x)
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.copy_to_host(), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", "i1", "u8", "?"])
@pytest.mark.parametrize(
    ("in_shape", "options"),
    [
        ((2, 9), {"kernel_size": 3, "stride": 2, "padding": 1}),
        ((2, 7, 5), {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0)}),
        ((1, 4, 5, 6), {"kernel_size": 2, "ceil_mode": True}),
    ],
)
def test_max_pooling(in_shape, options, dtype, writes):
    pool = cm.max_pool(in_shape, **options)
    x = np.abs(integers((2, *in_shape), "i8", seed=3)).astype(dtype)
    if x.dtype.kind == "f":
        x.flat[[3, 4, 7]] = np.nan, np.nan, -np.inf
    (y, switches), expected = pool(cuda.to_device(x)), pool(x)
    assert (y.dtype, switches.dtype) == (x.dtype, np.int64)
    np.testing.assert_array_equal(y.copy_to_host(), expected[0])
    np.testing.assert_array_equal(switches.copy_to_host(), expected[1])
    assert sorted(writes.values()) == [1] * (y.size + switches.size)
    np.testing.assert_array_equal(pool.values(cuda.to_device(x)).copy_to_host(), expected[0])


@pytest.mark.parametrize("batch", [(), (0,), (1,), (2, 3)])
def test_batches(batch):
    A = cm.conv(integers((1, 1, 3), "f4"), (1, 5))
    x = integers((*batch, 1, 5), "f4")
    y = A(cuda.to_device(x)) if x.size else A(cuda.device_array(x.shape, x.dtype))
    assert y.shape == (*batch, 1, 3)
    np.testing.assert_array_equal(y.copy_to_host(), A(x))


def test_nan_and_infinity_reach_what_the_matrix_says():
    A = cm.conv(np.ones((1, 1, 3), "f4"), (1, 9), stride=2, padding=1)
    x = np.arange(18, dtype="f4").reshape(2, 1, 9)
    x[0, 0, 3], x[1, 0, 8] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(A(cuda.to_device(x)).copy_to_host(), A(x))


def test_a_weight_may_lie_on_the_device():
    w = integers((1, 1, 3), "f4")
    x = integers((1, 5), "f4")
    np.testing.assert_array_equal(cm.conv(cuda.to_device(w), (1, 5))(x), cm.conv(w, (1, 5))(x))


def test_what_is_prepared_is_kept(monkeypatch):
    A = cm.conv(integers((1, 1, 3), "f4"), (1, 5))
    B = cm.avg_pool((1, 4), 2)
    given = [(operator, cuda.to_device(integers(operator.in_shape, "f4"))) for operator in (A, B)]
    for operator, x in given:
        operator(x)
    monkeypatch.setattr(cuda, "to_device", None)
    for operator, x in given:
        operator(x)
        with pytest.raises(TypeError):
            operator.T(operator(x))


@pytest.mark.parametrize("step", [1, -1])
def test_reads_out_of_range_are_found(step, monkeypatch):
    real = windows.tables

    def shifted(axes, rows):
        table, steps = real(axes, rows)
        table[-3 * axes[-1].n_out : -2 * axes[-1].n_out] += step
        return table, steps

    monkeypatch.setattr(windows, "tables", shifted)
    x = cuda.to_device(integers((1, 5), "f4"))
    with pytest.raises(IndexError, match="lies outside of 5 numbers"):
        cm.conv(integers((1, 1, 3), "f4"), (1, 5))(x)


def refused(pattern, call):
    with pytest.raises(GeometryError, match=pattern):
        call()


def test_refusals():
    A = cm.conv(integers((1, 1, 3), "f4"), (1, 5))
    host = integers((2, 1, 5), "f4")
    x, g = cuda.to_device(host), integers((2, 1, 3), "f4")
    refused("must have shape", lambda: A(cuda.to_device(host[0, 0])))
    refused("out = .*leave it out", lambda: A(x, out=np.empty((2, 1, 3), "f4")))
    refused("algorithm = 'fft'.*'direct'", lambda: A(x, algorithm="fft"))
    refused("x = .*x.cpu", lambda: A.matvec(x))
    refused("g = .*g.cpu", lambda: A.weight_gradient(host, cuda.to_device(g)))
    refused("x = .*x.cpu", lambda: A.weight_gradient(x, g))
    refused("must be in C order", lambda: A(x[:, :, ::-1]))
    refused("no kernel yet", lambda: (A + A)(x))
    pairs = cuda.to_device(integers((1, 5), "c8"))
    refused("must hold real numbers", lambda: cm.max_pool((1, 5), 2)(pairs))
    long = cuda.device_array((0, 1, 1 << 31), "f4")
    refused("numbers of a group", lambda: cm.conv(np.ones((1, 1, 1)), (1, 1 << 31))(long))
    many = cuda.to_device(np.ones((1, 1, 1, 1, 1), "f4"))
    refused("more axes or numbers", lambda: cm.pad((1, 1, 1, 1, 1), 1)(many))
