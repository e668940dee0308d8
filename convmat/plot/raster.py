"""From an operator to a small picture of its matrix, which of a layer is not built."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from convmat.matrix.entries import Picked
from convmat.operator import Operator

__all__ = ["Colours", "Raster", "levels", "rasterise"]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]

CHUNK = 1 << 18  # entries held at a time
BUDGET = 1 << 21  # entries looked at for one picture; more rows than that are sampled
GOLDEN = (math.sqrt(5) - 1) / 2


class Colours(NamedTuple):
    """The colour of an entry: by its tap, or without taps by its weight.

    palette : (colours, 3)
    levels : the distinct weights, ascending; None if there are taps
    """

    palette: Array
    levels: Array | None

    def of(self, part: Picked) -> Array:
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


def levels(A: Operator) -> Array:
    """Return the distinct weights of an operator without taps, in ascending order.

    They are rounded to single precision, and those of a complex operator are sizes.
    """
    return np.unique(_level(A._entries().distinct()))


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


def _parts(A: Operator, rows: Span, at_least: int) -> Iterator[Picked]:
    """Yield the entries of the rows, or of an even sample of them, a chunk at a time."""
    matrix = A._entries()
    held = matrix.before(rows[1]) - matrix.before(rows[0])
    picked = _sample(rows, max(BUDGET * (rows[1] - rows[0]) // max(held, 1), at_least))
    size = max(CHUNK // max(A.longest_row, 1), 1)
    for start in range(0, len(picked), size):
        yield matrix.pick(picked[start : start + size])


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
