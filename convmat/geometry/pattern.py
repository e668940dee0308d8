"""Which output meets which input through which slot, and what the matrix will cost.

`enumerate_pattern` restates the relation on a dense grid in NumPy: short, obviously right, and
quick while the grid is small. Large patterns come from `kernels.cpu.csr.build`, which gives the
same arrays.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.axis_map import quotients
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.weights import slots
from convmat.geometry.window import Geometry

__all__ = [
    "Pattern",
    "entries_between",
    "enumerate_kronecker",
    "enumerate_pattern",
    "grid_size",
    "index_dtype",
    "index_for",
    "nbytes",
]

Record = Geometry | Kronecker
IntArray = np.ndarray[Any, np.dtype[np.integer[Any]]]


class Pattern(NamedTuple):
    """CSR arrays of a layer before its numbers: row r meets ``indices[indptr[r]:indptr[r+1]]``.

    indptr, indices : int32 or int64 arrays of length rows + 1 and nnz, columns ascending
    slot : integer array of length nnz, the flat index of the weight entry
    shape : (rows, columns)
    """

    indptr: IntArray
    indices: IntArray
    slot: IntArray
    shape: tuple[int, int]


def index_dtype(record: Record) -> np.dtype[Any]:
    """Return int32 while every index and the number of entries fit, int64 beyond."""
    return index_for(max(record.nnz, *record.shape))


def index_for(largest: int) -> np.dtype[Any]:
    """Return the dtype of indices up to the largest."""
    return np.dtype(np.int32 if largest <= np.iinfo(np.int32).max else np.int64)


def entries_between(record: Record, start: int, stop: int) -> int:
    """Return the stored entries of the rows [start, stop)."""
    return record.entries_before(stop) - record.entries_before(start)


def nbytes(record: Record, dtype: np.dtype[Any], rows: tuple[int, int] | None = None) -> int:
    """Return the bytes of the CSR matrix, or of a block of its rows, before it is built."""
    start, stop = rows or (0, record.shape[0])
    entries = entries_between(record, start, stop)
    index = index_dtype(record).itemsize
    return entries * (index + dtype.itemsize) + (stop - start + 1) * index


def grid_size(geometry: Geometry) -> int:
    """Return the number of candidates (output, input channel, tap) that a dense grid holds."""
    rows = geometry.shape[0]
    return rows * geometry.group_channels[1] * math.prod(geometry.kernel)


def enumerate_pattern(geometry: Geometry) -> Pattern:
    """Build the pattern by trying every (output, input channel, tap); cost `grid_size`.

    Entries come out sorted, for along every axis i grows with k.

    Examples
    --------
    >>> from convmat.geometry.window import Window
    >>> g = Geometry((Window(4, 2, 3, 1, 1, 1, 0),), in_channels=1, out_channels=1)
    >>> p = enumerate_pattern(g)
    >>> p.indptr.tolist(), p.indices.tolist(), p.slot.tolist()
    ([0, 3, 6], [0, 1, 2, 1, 2, 3], [0, 1, 2, 0, 1, 2])
    """
    plane, valid = _plane(geometry)
    out, inner = geometry.group_channels
    n_out, taps = plane.shape

    # Axes of the grid: group, output channel, output position, input channel, tap.
    grid = (geometry.groups, out, n_out, inner, taps)
    mask = np.broadcast_to(valid[:, None, :], grid)
    channel = np.arange(geometry.in_channels).reshape(geometry.groups, 1, 1, inner, 1)
    n_in = math.prod(axis.n_in for axis in geometry.axes)
    column = channel * n_in + plane[:, None, :]
    slot = slots(geometry).reshape(geometry.groups, out, 1, inner, taps)

    dtype = index_dtype(geometry)
    indptr = np.zeros(geometry.shape[0] + 1, dtype)
    np.cumsum(mask.sum((3, 4)).ravel(), out=indptr[1:])
    indices = np.broadcast_to(column, grid)[mask].astype(dtype, copy=False)
    return Pattern(indptr, indices, np.broadcast_to(slot, grid)[mask], geometry.shape)


def enumerate_kronecker(record: Kronecker, dtype: np.dtype[Any]) -> tuple[IntArray, IntArray, Any]:
    """Return (indptr, indices, values) of a Kronecker layer by sorting; O(nnz log nnz).

    For dtype object the values are SymPy numbers.
    """
    rows, columns = np.zeros(1, np.int64), np.zeros(1, np.int64)
    # Products of many fractions may need Python integers where each alone does not.
    number = np.dtype(np.int64 if record.largest_number < 2**63 else object)
    numerator, denominator = np.ones(1, number), np.ones(1, number)
    for axis, part in enumerate(record.maps):
        rows = np.add.outer(rows, record.rows_of(axis, part.outputs)).ravel()
        columns = np.add.outer(columns, record.columns_of(axis, part.inputs)).ravel()
        numerator = np.multiply.outer(numerator, part.numerators).ravel()
        denominator = np.multiply.outer(denominator, part.denominators).ravel()
    order = np.lexsort((columns, rows))
    index = index_dtype(record)
    indptr = np.searchsorted(rows[order], np.arange(record.shape[0] + 1)).astype(index)
    indices = columns[order].astype(index)
    return indptr, indices, quotients(numerator[order], denominator[order], dtype)


def _plane(geometry: Geometry) -> tuple[IntArray, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Flat input position of every (output position, flat tap), and whether it is inside."""
    ndim = len(geometry.axes)
    position: Any = np.int64(0)
    valid: Any = np.bool_(True)
    for d, axis in enumerate(geometry.axes):
        shape = [1] * (2 * ndim)
        shape[d], shape[ndim + d] = axis.n_out, axis.kernel
        inputs = axis.inputs().reshape(shape)
        position = position * axis.n_in + inputs
        valid = valid & (inputs >= 0)
    flat = math.prod(geometry.out_shape[1:]), math.prod(geometry.kernel)
    return position.reshape(flat), valid.reshape(flat)
