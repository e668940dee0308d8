"""From a layer to a small picture of its matrix, without building the matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry import Geometry, solve
from convmat.operator import LayerOperator, Operator
from convmat.weights import slots

__all__ = ["Entries", "Raster", "entries", "rasterise"]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]

CHUNK = 1 << 18  # entries held at a time
BUDGET = 1 << 21  # entries looked at for one picture; more rows than that are sampled
GOLDEN = (math.sqrt(5) - 1) / 2


class Entries(NamedTuple):
    """Stored entries of a matrix, one element each, not sorted.

    slot is the flat index of the weight entry; -1 where the operator is not a single layer.
    """

    row: Array
    column: Array
    slot: Array
    value: Array


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


def _nest(outer: Array, inner: Array, combine: Any = np.add) -> Array:
    """Combine every element of `outer` with every one of `inner`, row by row."""
    nested: Array = combine(outer[:, :, None], inner[:, None, :]).reshape(len(outer), -1)
    return nested


def rasterise(A: Operator, rows: Span, columns: Span, palette: Array, most: int) -> Raster:
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
        colour = palette[part.slot[inside] % len(palette)]
        count += np.bincount(pixel, minlength=count.size)
        for channel in range(3):
            total[channel] += np.bincount(pixel, colour[:, channel], count.size)
    mean = (total / np.maximum(count, 1)).T.reshape(*shape, 3)
    return Raster(mean, count.reshape(shape) > 0, step)


def _parts(A: Operator, rows: Span, at_least: int) -> Iterator[Entries]:
    """Yield the entries of the rows, or of an even sample of them, a chunk at a time."""
    if not isinstance(A, LayerOperator):
        yield entries(A, np.arange(*rows))
        return
    geometry = A.geometry
    widest = geometry.group_channels[1] * math.prod(
        -(-axis.kernel // axis.taps().period) for axis in geometry.axes
    )
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
