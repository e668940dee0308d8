"""From a layer to a small picture of its matrix, without building the matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.kronecker import Kronecker
from convmat.geometry.weights import slots
from convmat.geometry.window import Geometry, solve
from convmat.operator import BuiltOperator, KroneckerOperator, LayerOperator, Operator

__all__ = ["Colours", "Entries", "Raster", "entries", "levels", "rasterise"]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]

CHUNK = 1 << 18  # entries held at a time
BUDGET = 1 << 21  # entries looked at for one picture; more rows than that are sampled
GOLDEN = (math.sqrt(5) - 1) / 2


class Entries(NamedTuple):
    """Stored entries of a matrix, one element each, not sorted.

    slot is the flat index of the weight entry; where there is no weight, -1.
    """

    row: Array
    column: Array
    slot: Array
    value: Array


class Colours(NamedTuple):
    """The colour of an entry: by its tap, or without taps by its weight.

    palette : (colours, 3)
    levels : the distinct weights, ascending; None if there are taps
    """

    palette: Array
    levels: Array | None

    def of(self, part: Entries) -> Array:
        """Return the colour of each entry, shape (entries, 3)."""
        if self.levels is None:
            number = part.slot % len(self.palette)
        else:
            rank = np.searchsorted(self.levels, _level(part.value))
            number = rank * len(self.palette) // max(len(self.levels), 1)
        colour: Array = self.palette[number]
        return colour


class Raster(NamedTuple):
    """A matrix, or a window of it, as pixels of `step` x `step` entries.

    colour : (height, width, 3) mean colour of the entries of each pixel, 0 to 1
    filled : (height, width) whether a pixel holds any entry
    """

    colour: Array
    filled: Array
    step: int


def entries(A: Operator, rows: Array) -> Entries:
    """Return the entries of some rows, from the relation; cost is that of these rows alone."""
    if isinstance(A, LayerOperator):
        row, column, slot = _layer_entries(A.geometry, rows)
        return Entries(row, column, slot, A.weight.reshape(-1)[slot])
    if isinstance(A, KroneckerOperator):
        row, column, value = _separable_entries(A.record, rows)
        return Entries(row, column, np.full(len(row), -1), value)
    block = A.matrix().tocsr()[rows].tocoo()
    return Entries(rows[block.row], block.col, np.full(block.nnz, -1), block.data)


def _layer_entries(geometry: Geometry, rows: Array) -> tuple[Array, Array, Array]:
    channel, *outputs = np.unravel_index(rows, geometry.out_shape)
    out, inner = geometry.group_channels
    group, within = channel // out, channel % out

    # Flat input position and flat tap of every candidate: (rows, candidates so far).
    position = tap = np.zeros((len(rows), 1), np.int64)
    inside = np.ones((len(rows), 1), bool)
    for axis, o in zip(geometry.axes, outputs, strict=True):
        line = axis.taps()
        first, start, length = solve(line, axis.stride * o.astype(np.int64) - axis.pad)
        step = np.arange(max(int(length.max(initial=0)), 1))
        position = _nest(position * axis.n_in, start[:, None] + line.advance * step)
        tap = _nest(tap * axis.kernel, first[:, None] + line.period * step)
        inside = _nest(inside, step < length[:, None], np.logical_and)
    tap = np.where(inside, tap, 0)

    table = slots(geometry).reshape(geometry.groups, out, inner, -1)
    b = np.arange(inner)[:, None]
    slot = table[group[:, None, None], within[:, None, None], b, tap[:, None, :]]
    plane = math.prod(geometry.in_shape[1:])
    column = (group[:, None, None] * inner + b) * plane + position[:, None, :]
    keep = np.broadcast_to(inside[:, None, :], slot.shape)
    return np.broadcast_to(rows[:, None, None], slot.shape)[keep], column[keep], slot[keep]


def _separable_entries(record: Kronecker, rows: Array) -> tuple[Array, Array, Array]:
    position = [np.zeros(len(rows), np.int64) for _ in record.maps]
    values = np.unravel_index(rows, [digit.size for digit in record.out_digits])
    for digit, value in zip(record.out_digits, values, strict=True):
        position[digit.axis] = position[digit.axis] * digit.size + value
    column = np.zeros((len(rows), 1), np.int64)
    weight = np.ones((len(rows), 1))
    inside = np.ones((len(rows), 1), bool)
    for axis, (part, o) in enumerate(zip(record.maps, position, strict=True)):
        begin, length = part.begin[o], part.begin[o + 1] - part.begin[o]
        step = np.arange(length.max(initial=0))
        met = step < length[:, None]
        entry = np.where(met, begin[:, None] + step, 0)
        column = _nest(column, record.columns_of(axis, part.inputs)[entry])
        weight = _nest(weight, part.values(weight.dtype)[entry], np.multiply)
        inside = _nest(inside, met, np.logical_and)
    return np.broadcast_to(rows[:, None], inside.shape)[inside], column[inside], weight[inside]


def _nest(outer: Array, inner: Array, combine: Any = np.add) -> Array:
    """Combine every element of `outer` with every one of `inner`, row by row."""
    nested: Array = combine(outer[:, :, None], inner[:, None, :]).reshape(len(outer), -1)
    return nested


def levels(A: Operator) -> Array:
    """Return the distinct weights of an operator without taps, in ascending order.

    They are rounded to single precision, and those of a complex operator are sizes.
    """
    if isinstance(A, KroneckerOperator):
        values = np.ones(1)
        for part in A.record.maps:
            values = np.unique(np.multiply.outer(values, np.unique(part.values(values.dtype))))
    else:
        values = A.matrix().tocsr().data
    return np.unique(_level(values))


def _level(values: Array) -> Array:
    sizes: Array = (abs(values) if values.dtype.kind == "c" else values).astype(np.float32)
    return sizes


def rasterise(A: Operator, rows: Span, columns: Span, colours: Colours, most: int) -> Raster:
    """Return the picture of a window of the matrix, at most `most` pixels high and wide.

    While a pixel is one entry the picture is exact. Beyond, if the window holds more entries
    than `BUDGET`, rows are sampled evenly. Memory is bounded by `most` squared and `CHUNK`.
    """
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    step = max(-(-max(height, width) // most), 1)
    shape = -(-height // step), -(-width // step)
    total = np.zeros((3, shape[0] * shape[1]))
    count = np.zeros(shape[0] * shape[1])
    for part in _parts(A, rows, at_least=shape[0]):
        inside = (part.column >= columns[0]) & (part.column < columns[1])
        pixel = (part.row[inside] - rows[0]) // step * shape[1]
        pixel = pixel + (part.column[inside] - columns[0]) // step
        colour = colours.of(part)[inside]
        count += np.bincount(pixel, minlength=count.size)
        for channel in range(3):
            total[channel] += np.bincount(pixel, colour[:, channel], count.size)
    mean = (total / np.maximum(count, 1)).T.reshape(*shape, 3)
    return Raster(mean, count.reshape(shape) > 0, step)


def _parts(A: Operator, rows: Span, at_least: int) -> Iterator[Entries]:
    """Yield the entries of the rows, or of an even sample of them, a chunk at a time."""
    if not isinstance(A, BuiltOperator):
        yield entries(A, np.arange(*rows))
        return
    widest = max(A.longest_row, 1)
    picked = _sample(rows, max(BUDGET // widest, at_least))
    size = max(CHUNK // widest, 1)
    for start in range(0, len(picked), size):
        yield entries(A, picked[start : start + size])


def _sample(rows: Span, most: int) -> Array:
    """Return all rows, or `most` of them: one from each of as many equal strata.

    Where in its stratum a row lies follows the golden-ratio sequence, so that no period of the
    matrix (a stride, an image line) can hide behind the step of the sample.
    """
    start, stop = rows
    if stop - start <= most:
        return np.arange(start, stop)
    stratum = np.arange(most)
    return start + ((stratum + stratum * GOLDEN % 1) * ((stop - start) / most)).astype(np.int64)
