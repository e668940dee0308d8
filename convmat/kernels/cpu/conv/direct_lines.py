"""Direct summation of single rows whose outputs lie side by side: depthwise and one channel.

The outputs of a place along the lines of x are a line of y: sums go there straight from the
registers, of eight vectors at a time: those of one long line, or of several short ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.vectors.sums import multiply_lines
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["sum_lines"]

Array = np.ndarray[Any, np.dtype[Any]]


@compiled
def sum_lines(
    x: Array, at: int, ahead: int, offsets: Array, w: Array, begin: int, steps: int, y: Array,
    to: int, pitch: int, lines: int, length: int,
) -> None:  # fmt: skip
    """Write lines of y from `to` on, `pitch` apart, of lines of x from `at` on, `ahead` apart."""
    lanes = VECTOR // y.itemsize
    place = 0
    while place < length:
        left = length - place
        vectors = (left + lanes - 1) // lanes
        vectors = 8 if vectors >= 8 else 4 if vectors >= 4 else 2 if vectors >= 2 else 1
        count, together = min(left, vectors * lanes), 8 // vectors
        line = 0
        while line < lines:
            several = together if line + together <= lines else 1
            source, target = at + line * ahead + place, to + line * pitch + place
            _tile(x, source, ahead, offsets, w, begin, steps, y, target, pitch, count, vectors,
                  several)  # fmt: skip
            line += several
        place += count


@inlined
def _tile(
    x: Array, at: int, ahead: int, offsets: Array, w: Array, begin: int, steps: int, y: Array,
    to: int, pitch: int, count: int, vectors: int, lines: int,
) -> None:  # fmt: skip
    """Sum a tile, of one of the shapes that there is machine code for: where they are literals."""
    if vectors == 8:
        multiply_lines(x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, 8, 1)
    elif (vectors == 4) & (lines == 2):
        multiply_lines(x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, 4, 2)
    elif vectors == 4:
        multiply_lines(x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, 4, 1)
    elif (vectors == 2) & (lines == 4):
        multiply_lines(x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, 2, 4)
    elif vectors == 2:
        multiply_lines(x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, 2, 1)
    elif lines == 8:
        multiply_lines(x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, 1, 8)
    else:
        multiply_lines(x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, 1, 1)
