"""The entries of a matrix before it is built: a record, its numbers, and the builders of its kind.

`convmat.matrix.csr` asks these for rows of CSR arrays, and knows of nothing else. Whoever reads a
matrix row by row, to compare or to draw it, asks them too, or a `StoredEntries` in their place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.pattern import Record, enumerate_kronecker, enumerate_pattern, grid_size
from convmat.geometry.weights import as_dtype, converted, correlation_weight, slots
from convmat.geometry.window import Geometry, solve
from convmat.matrix.nonzero import NonzeroEntries

__all__ = [
    "Entries",
    "KroneckerEntries",
    "LayerEntries",
    "Picked",
    "Rows",
    "Stored",
    "StoredEntries",
]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]
Buffers = tuple[Array, Array, Array]

# Below this many candidates the NumPy grid answers within milliseconds, less than it costs to
# import Numba; above it the compiled builder is worth loading.
GRID_LIMIT = 1 << 18
SORT_LIMIT = 1 << 15  # the same, where NumPy has to sort the entries


class Picked(NamedTuple):
    """Stored entries of some rows of a matrix, one element each, not sorted.

    slot is the flat index of the weight entry; where there is no weight, -1.
    """

    row: Array
    column: Array
    slot: Array
    value: Array


class Rows(Protocol):
    """A matrix that is read by rows; it may never be held whole."""

    def before(self, row: int) -> int:
        """Return the stored entries of all rows before this one."""

    def csr(self, rows: Span) -> Buffers:
        """Return (indptr, indices, data) of the rows [start, stop)."""

    def pick(self, rows: Array) -> Picked:
        """Return the entries of some rows; cost is that of these rows alone."""

    def distinct(self) -> Array:
        """Return the numbers that entries have, ascending and without repetition."""


class Stored(Protocol):
    """What there is to know of entries that will be stored, and how to come by them."""

    @property
    def record(self) -> Record:
        """Which output meets which input."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def before(self, row: int) -> int:
        """Return the stored entries of all rows before this one."""

    def csr(self, rows: Span) -> Buffers:
        """Return (indptr, indices, data) of the rows [start, stop)."""


class Entries(Rows, Stored, Protocol):
    """What `convmat.matrix.csr` needs to know of a layer."""

    def transpose(self) -> Entries:
        """Return the entries of the transposed matrix."""

    def converted(self, dtype: Any) -> Entries:
        """Return the entries in another dtype, or refuse to round or cut them."""

    def csr(self, rows: Span, out: Buffers | None = None) -> Buffers:
        """Return (indptr, indices, data) of the rows [start, stop), into `out` if it is given."""

    def refill(self, rows: Span, data: Array) -> None:
        """Write the values alone."""

    def nonzero(self) -> Stored:
        """Return the entries without those whose weight is zero."""


@dataclass(frozen=True)
class LayerEntries:
    """A geometry and its weight."""

    record: Geometry
    weight: Array

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the weight."""
        return self.weight.dtype

    def transpose(self) -> LayerEntries:
        """Return the transposed geometry with the very same weight."""
        return LayerEntries(self.record.transpose(), self.weight)

    def converted(self, dtype: Any) -> LayerEntries:
        """Convert the weight."""
        return LayerEntries(self.record, converted(self.weight, dtype))

    @property
    def _small(self) -> bool:
        return grid_size(self.record) <= GRID_LIMIT

    def csr(self, rows: Span, out: Buffers | None = None) -> Buffers:
        """Build in NumPy what is small, in Numba what is not."""
        if self._small:
            p = enumerate_pattern(self.record)
            values = self.weight.reshape(-1)
            return _cut(p.indptr, p.indices, lambda part: values[p.slot[part]], rows, out)
        from convmat.kernels.cpu.csr import build

        return build.csr(self.record, correlation_weight(self.record, self.weight), rows, out)

    def refill(self, rows: Span, data: Array) -> None:
        """Write the values alone."""
        if self._small:
            data[:] = self.csr(rows)[2]
            return
        from convmat.kernels.cpu.csr import build

        build.values(self.record, correlation_weight(self.record, self.weight), rows, data)

    def nonzero(self) -> Stored:
        """Leave out weights that are zero."""
        return self if (self.weight != 0).all() else NonzeroEntries(self.record, self.weight)

    def before(self, row: int) -> int:
        """Return the stored entries of all rows before this one."""
        return self.record.entries_before(row)

    def pick(self, rows: Array) -> Picked:
        """Return the entries of some rows, from the relation."""
        channel, *outputs = np.unravel_index(rows, self.record.out_shape)
        out, inner = self.record.group_channels
        group, within = channel // out, channel % out

        # Flat input position and flat tap of every candidate: (rows, candidates so far).
        position = tap = np.zeros((len(rows), 1), np.int64)
        inside = np.ones((len(rows), 1), bool)
        for axis, o in zip(self.record.axes, outputs, strict=True):
            line = axis.taps()
            first, start, length = solve(line, axis.stride * o.astype(np.int64) - axis.pad)
            step = np.arange(max(int(length.max(initial=0)), 1))
            position = _nest(position * axis.n_in, start[:, None] + line.advance * step)
            tap = _nest(tap * axis.kernel, first[:, None] + line.period * step)
            inside = _nest(inside, step < length[:, None], np.logical_and)
        tap = np.where(inside, tap, 0)

        table = slots(self.record).reshape(self.record.groups, out, inner, -1)
        b = np.arange(inner)[:, None]
        slot = table[group[:, None, None], within[:, None, None], b, tap[:, None, :]]
        plane = math.prod(self.record.in_shape[1:])
        column = (group[:, None, None] * inner + b) * plane + position[:, None, :]
        keep = np.broadcast_to(inside[:, None, :], slot.shape)
        row = np.broadcast_to(rows[:, None, None], slot.shape)[keep]
        return Picked(row, column[keep], slot[keep], self.weight.reshape(-1)[slot[keep]])

    def distinct(self) -> Array:
        """Return the weights."""
        return np.unique(self.weight)


@dataclass(frozen=True)
class KroneckerEntries:
    """A Kronecker layer in a dtype."""

    record: Kronecker
    dtype: np.dtype[Any]

    def transpose(self) -> KroneckerEntries:
        """Return the transposed record."""
        return KroneckerEntries(self.record.transpose(), self.dtype)

    def converted(self, dtype: Any) -> KroneckerEntries:
        """Choose a dtype that holds the weights: any float, or an integer if they are whole."""
        wanted = as_dtype(dtype)
        if wanted.kind in "iu" and not self.record.fits(wanted):
            raise GeometryError(
                "dtype",
                dtype,
                "would change the weights, which are not whole numbers in its range",
                "use one such as 'f8'",
            )
        return KroneckerEntries(self.record, wanted)

    def csr(self, rows: Span, out: Buffers | None = None) -> Buffers:
        """Build in NumPy what is small, in Numba what is not."""
        if self.record.nnz <= SORT_LIMIT:
            indptr, indices, values = enumerate_kronecker(self.record, self.dtype)
            return _cut(indptr, indices, lambda part: values[part], rows, out)
        from convmat.kernels.cpu.csr import kronecker

        return kronecker.csr(self.record, self.dtype, rows, out)

    def refill(self, rows: Span, data: Array) -> None:
        """Write the values alone."""
        data[:] = self.csr(rows)[2]

    def nonzero(self) -> Stored:
        """Return these: no map keeps a zero."""
        return self

    def before(self, row: int) -> int:
        """Return the stored entries of all rows before this one."""
        return self.record.entries_before(row)

    def pick(self, rows: Array) -> Picked:
        """Return the entries of some rows, from the maps."""
        position = [np.zeros(len(rows), np.int64) for _ in self.record.maps]
        values = np.unravel_index(rows, [digit.size for digit in self.record.out_digits])
        for digit, value in zip(self.record.out_digits, values, strict=True):
            position[digit.axis] = position[digit.axis] * digit.size + value
        column = np.zeros((len(rows), 1), np.int64)
        weight = np.ones((len(rows), 1), self.dtype)
        inside = np.ones((len(rows), 1), bool)
        for axis, (part, o) in enumerate(zip(self.record.maps, position, strict=True)):
            begin, length = part.begin[o], part.begin[o + 1] - part.begin[o]
            step = np.arange(length.max(initial=0))
            met = step < length[:, None]
            entry = np.where(met, begin[:, None] + step, 0)
            column = _nest(column, self.record.columns_of(axis, part.inputs)[entry])
            weight = _nest(weight, part.values(self.dtype)[entry], np.multiply)
            inside = _nest(inside, met, np.logical_and)
        row = np.broadcast_to(rows[:, None], inside.shape)[inside]
        return Picked(row, column[inside], np.full(len(row), -1), weight[inside])

    def distinct(self) -> Array:
        """Return the products of the weights of all axes."""
        values = np.ones(1, self.dtype)
        for part in self.record.maps:
            values = np.unique(np.multiply.outer(values, np.unique(part.values(self.dtype))))
        return values


class StoredEntries:
    """The rows of a matrix that is held."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.tocsr()
        if not self.matrix.has_canonical_format:
            self.matrix = self.matrix.copy()
            self.matrix.sum_duplicates()

    def before(self, row: int) -> int:
        """Return the stored entries of all rows before this one."""
        return int(self.matrix.indptr[row])

    def csr(self, rows: Span) -> Buffers:
        """Return (indptr, indices, data) of the rows [start, stop)."""
        part = self.matrix[slice(*rows)]
        return part.indptr, part.indices, part.data

    def pick(self, rows: Array) -> Picked:
        """Return the entries of some rows."""
        part = self.matrix[rows].tocoo()
        return Picked(rows[part.row], part.col, np.full(part.nnz, -1), part.data)

    def distinct(self) -> Array:
        """Return the numbers that are stored."""
        return np.unique(self.matrix.data)


def _nest(outer: Array, inner: Array, combine: Any = np.add) -> Array:
    """Combine every element of `outer` with every one of `inner`, row by row."""
    nested: Array = combine(outer[:, :, None], inner[:, None, :]).reshape(len(outer), -1)
    return nested


def _cut(indptr: Array, indices: Array, values: Any, rows: Span, out: Buffers | None) -> Buffers:
    """Cut rows out of a whole pattern."""
    start, stop = rows
    part = slice(int(indptr[start]), int(indptr[stop]))
    made = indptr[start : stop + 1] - indptr[start], indices[part], values(part)
    if out is None:
        return made
    for target, source in zip(out, made, strict=True):
        target[:] = source
    return out
