"""The compiled builder gives what the definition on a grid gives, whatever path it takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convmat as cm
from convmat.geometry.pattern import enumerate_pattern, grid_size
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry, Window
from convmat.kernels.cpu.csr import build, lines
from convmat.kernels.cpu.vectors.stream import stream
from convmat.matrix.entries import GRID_LIMIT

DTYPES = ["i1", "f4", "f8", "c16"]  # entries of 1, 4, 8 and 16 bytes


def small(least, most):
    return st.integers(least, most)


def windows(most):
    return st.builds(
        Window,
        n_in=small(1, most),
        n_out=small(1, most),
        kernel=small(1, 5),
        stride=small(1, 4),
        base=small(1, 4),
        dilation=small(1, 4),
        pad=small(-4, 8),
    )


@st.composite
def geometries(draw):
    ndim = draw(small(1, 3))
    axes = tuple(draw(windows({1: 60, 2: 25, 3: 8}[ndim])) for _ in range(ndim))
    groups = draw(small(1, 2))
    inner, outer = groups * draw(small(1, 3)), groups * draw(small(1, 3))
    return Geometry(axes, inner, outer, groups, draw(st.booleans()))


def numbered(geometry, dtype):
    """Return a weight whose entries all differ (as far as the dtype can tell)."""
    numbers = np.arange(1, np.prod(geometry.weight_shape) + 1)
    return numbers.astype(dtype).reshape(geometry.weight_shape)


@pytest.fixture(params=["whole lines", "short blocks", "no templates"])
def tuning(request, monkeypatch):
    block, entries = {
        "whole lines": (2048, 32768),
        "short blocks": (7, 32768),
        "no templates": (50, 0),
    }[request.param]
    monkeypatch.setattr(lines, "BLOCK", block)
    monkeypatch.setattr(lines, "LEAST_ENTRIES", entries)
    monkeypatch.setattr(lines, "MOST_ENTRIES", entries)
    build._whole_plan.cache_clear()
    yield request.param
    build._whole_plan.cache_clear()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.usefixtures("tuning")
@given(data=st.data())
def test_equals_the_definition(dtype, data):
    geometry = data.draw(geometries())
    weight = numbered(geometry, dtype)
    expected = enumerate_pattern(geometry)
    indptr, indices, values = build.csr(geometry, correlation_weight(geometry, weight))
    np.testing.assert_array_equal(indptr, expected.indptr)
    np.testing.assert_array_equal(indices, expected.indices)
    np.testing.assert_array_equal(values, weight.reshape(-1)[expected.slot])
    assert (indptr.dtype, indices.dtype) == (np.int32, np.int32)
    assert values.dtype == np.dtype(dtype)


@pytest.mark.usefixtures("tuning")
@given(data=st.data())
def test_row_blocks_write_their_rows_and_nothing_else(data):
    geometry = data.draw(geometries())
    rows = geometry.shape[0]
    start = data.draw(small(0, rows))
    stop = data.draw(small(start, rows))
    weight = numbered(geometry, "f4")
    p = enumerate_pattern(geometry)
    first, last = int(p.indptr[start]), int(p.indptr[stop])
    arrays = []
    for length, dtype in ((stop - start + 1, "i4"), (last - first, "i4"), (last - first, "f4")):
        arrays.append(np.full(length + 40, -7, dtype))
    offset = data.draw(small(0, 17))
    indptr, indices, values = (a[offset : len(a) - 40 + offset] for a in arrays)
    build.csr(
        geometry, correlation_weight(geometry, weight), (start, stop), (indptr, indices, values)
    )
    np.testing.assert_array_equal(indptr, p.indptr[start : stop + 1] - first)
    np.testing.assert_array_equal(indices, p.indices[first:last])
    np.testing.assert_array_equal(values, weight.reshape(-1)[p.slot[first:last]])
    for whole, part in zip(arrays, (indptr, indices, values), strict=True):
        outside = np.r_[whole[:offset], whole[offset + len(part) :]]
        assert (outside == -7).all()


@given(geometry=geometries())
def test_long_indices(geometry):
    """The same kernels in 64 bits, as chosen for matrices beyond 2³¹ entries."""
    weight = numbered(geometry, "f8")
    p = enumerate_pattern(geometry)
    arrays = np.empty(len(p.indptr), "i8"), np.empty(len(p.indices), "i8"), np.empty(len(p.slot))
    wide = pytest.MonkeyPatch()
    with wide.context() as patch:
        for module in (build, lines):
            patch.setattr(module, "index_dtype", lambda _: np.dtype(np.int64))
        build._whole_plan.cache_clear()
        indptr, indices, values = build.csr(
            geometry, correlation_weight(geometry, weight), None, arrays
        )
        build._whole_plan.cache_clear()
    np.testing.assert_array_equal(indptr, p.indptr)
    np.testing.assert_array_equal(indices, p.indices)
    np.testing.assert_array_equal(values, weight.reshape(-1)[p.slot])


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("count", [0, 1, 5, 63, 64, 65, 200, 777])
def test_stream_at_every_alignment(dtype, count):
    source = np.arange(1000).astype(dtype)
    for at in range(0, 70, 3):
        target = np.full(2000, 7, dtype)
        stream(target, at, source, 3, count, np.dtype(dtype).type(5))
        expected = np.full(2000, 7, dtype)
        expected[at : at + count] = source[3 : 3 + count] + np.dtype(dtype).type(5)
        np.testing.assert_array_equal(target, expected)


LARGE = {
    "1-D": ((1, 1, 9), (1, 100_003), {"padding": "same"}),
    "2-D": ((1, 1, 5, 3), (1, 301, 300), {"padding": 2}),
    "stride": ((2, 1, 3, 3), (1, 301, 300), {"padding": 1, "stride": (3, 2)}),
    "dilation": ((1, 1, 3, 3), (1, 301, 300), {"padding": 3, "dilation": (3, 2)}),
    "channels": ((7, 6, 3, 3), (6, 40, 39), {"padding": 1}),
    "groups": ((6, 2, 3, 3), (4, 90, 77), {"padding": (0, 2), "groups": 2}),
    "depthwise": ((30, 1, 3, 3), (30, 80, 81), {"groups": 30, "stride": 2}),
    "3-D": ((1, 1, 3, 3, 3), (1, 30, 29, 31), {"padding": 1}),
    "4-D": ((1, 1, 2, 3, 2, 3), (1, 11, 12, 13, 14), {"padding": 1}),
    "kernel larger than input": ((1, 1, 90, 90), (1, 60, 60), {"padding": "full"}),
    "long lines of few rows": ((1, 1, 3, 3), (1, 30_000, 3), {"padding": 1}),
}


@pytest.mark.parametrize("transposed", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("name", LARGE)
def test_large_matrices_are_canonical_and_agree_with_the_matrix_free_product(name, transposed):
    weight_shape, in_shape, options = LARGE[name]
    rng = np.random.default_rng(3)
    weight = rng.integers(-9, 10, weight_shape).astype("f8")
    operator = cm.conv(weight, in_shape, **options)
    operator = operator.T if transposed else operator
    assert grid_size(operator.geometry) > GRID_LIMIT
    matrix = operator.matrix()
    assert matrix.nnz == operator.nnz
    assert matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes == operator.nbytes
    bare = type(matrix)((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
    assert bare.has_canonical_format
    x = rng.integers(-9, 10, operator.in_shape).astype("f8")
    np.testing.assert_array_equal(matrix @ x.ravel(), operator(x, algorithm="direct").ravel())
    y = rng.integers(-9, 10, operator.out_shape).astype("f8")
    np.testing.assert_array_equal(matrix.T @ y.ravel(), operator.T(y, algorithm="direct").ravel())


def test_refills_of_a_large_matrix():
    rng = np.random.default_rng(5)
    first, second = rng.integers(-9, 10, (2, 3, 2, 3, 3)).astype("f4")
    old = cm.conv(first, (2, 100, 120), padding=1)
    new = cm.conv(second, (2, 100, 120), padding=1)
    matrix = old.matrix()
    buffers = matrix.indptr, matrix.indices, matrix.data
    assert new.matrix(out=matrix, values_only=True) is matrix
    assert (matrix != new.matrix()).nnz == 0
    assert old.matrix(out=matrix) is matrix
    assert (matrix != old.matrix()).nnz == 0
    assert all(
        a is b for a, b in zip(buffers, (matrix.indptr, matrix.indices, matrix.data), strict=True)
    )
    with pytest.raises(cm.GeometryError, match="structure is unknown"):
        cm.conv(second, (2, 100, 120), padding=1, dilation=1, stride=1).matrix(
            out=matrix.copy(), values_only=True
        )


def test_a_stored_zero_of_the_weight_stays():
    weight = np.zeros((1, 1, 3, 3), "f4")
    matrix = cm.conv(weight, (1, 300, 300)).matrix()
    assert matrix.nnz == 298 * 298 * 9
    assert not matrix.data.any()


def test_a_window_that_meets_no_input():
    """All taps fall into the padding: rows without entries, on the compiled path too."""
    geometry = Geometry((Window(5, 400, 3, 1, 1, 1, 900), Window(300, 300, 3, 1, 1, 1, 1)), 1, 1)
    indptr, indices, _ = build.csr(geometry, np.ones(9))
    assert not indptr.any()
    assert len(indices) == 0


def test_phases_of_a_large_base():
    """More phases than a template table would hold still come out right."""
    geometry = Geometry((Window(40, 400, 3, 1, 97, 1, 1), Window(50, 300, 5, 3, 7, 2, 2)), 2, 3)
    p = enumerate_pattern(geometry)
    indptr, indices, slot = build.csr(geometry, np.arange(np.prod(geometry.weight_shape)))
    np.testing.assert_array_equal(indptr, p.indptr)
    np.testing.assert_array_equal(indices, p.indices)
    np.testing.assert_array_equal(slot, p.slot)
