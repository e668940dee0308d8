"""Direct summation of single rows whose outputs lie side by side: depthwise and one channel.

The outputs of a place along the lines of x are a line of y: sums go there straight from the
registers, of eight vectors at a time: those of one long line, or of several short ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.vectors.sums import multiply_lines
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["sum_lines"]

Array = np.ndarray[Any, np.dtype[Any]]

TOGETHER = 8  # vectors, of one line or of several


@compiled
def sum_lines(
    x: Array, at: int, offsets: Array, w: Array, begin: int, y: Array, to: int,
    pitches: tuple[int, int], lines: int, length: int,
) -> None:  # fmt: skip
    """Write lines of y from `to` on, of lines of x from `at` on; `pitches` apart in x and in y."""
    lanes = VECTOR // y.itemsize
    ahead, pitch = pitches
    place = 0
    while place < length:
        left = length - place
        vectors = (left + lanes - 1) // lanes
        vectors = 8 if vectors >= 8 else 4 if vectors >= 4 else 2 if vectors >= 2 else 1
        count, together = min(left, vectors * lanes), TOGETHER // vectors
        line = 0
        while line < lines:
            several = together if line + together <= lines else 1
            source, target = at + line * ahead + place, to + line * pitch + place
            multiply_lines(x, source, offsets, w, begin, y, target, pitches, count,
                           (vectors, several))  # fmt: skip
            line += several
        place += count
