"""Direct summation of many rows, or of rows whose outputs lie apart, in register tiles.

A tile is so many vectors of places times up to eight rows. Its sums go to memory that stays in
the first cache, and from there to where they belong, segment by segment: a segment is what a tile
has of one line, as (place in the tile, image, j0, j1, j2, length).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.conv.gemm import store
from convmat.kernels.cpu.vectors.sums import multiply
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["WIDEST", "lines_at_once", "sum_tiles"]

Array = np.ndarray[Any, np.dtype[Any]]

WIDEST = 8  # vectors of a tile


@compiled
def sum_tiles(
    x: Array, lines: Array, run_on: bool, offsets: Array, weights: Array, begin: int, height: int,
    some: Any, rows: Array, steps: Any, start: Any, stop: Any, image: int, group: int, groups: int,
    outputs: int, sums: Array, segments: Array, y: Array,
) -> None:  # fmt: skip
    """Write the places [start, stop) of one image and group, of blocks of rows `some`.

    x is the padded block, in which a place along an axis is `lines` further on; where tiles may
    `run_on` over the ends of lines, what is summed between two lines is not stored. Weights of
    the group are packed from `begin` on.
    """
    lanes, reads = VECTOR // y.itemsize, len(offsets)
    if reads == 0:  # outputs that meet no input
        sums[:] = 0
    widest = 3 if height == 8 else 4 if height == 4 else WIDEST
    pitch, length = lines[1], stop[2] - start[2]
    several = 1
    if run_on:  # of this phase there may be no line in the last block
        several = max(lines_at_once(stop[1] - start[1], length, pitch, lanes), 1)
    for j0 in range(start[0], stop[0]):
        for j1 in range(start[1], stop[1], several):
            line = (j0 - start[0]) * lines[0] + (j1 - start[1]) * pitch
            place, end = 0, (several - 1) * pitch + length
            while place < end:
                vectors = _width(widest, (end - place + lanes - 1) // lanes)
                wide = vectors * lanes
                met = _segments(place, min(wide, end - place), pitch, length, segments)
                for s in range(met):
                    segments[s, 1], segments[s, 2] = image, j0
                    segments[s, 3] += j1
                    segments[s, 4] += start[2]
                for b in range(some[0], some[1]):
                    if reads > 0:
                        w = begin + b * reads * height
                        _tile(x, line + place, offsets, weights, w, reads, sums, wide, vectors,
                              height)  # fmt: skip
                    store(sums, wide, segments, met, rows, b * height, height, steps, y,
                          groups, group, outputs, False)  # fmt: skip
                place += wide


@inlined
def lines_at_once(lines: int, length: int, pitch: int, lanes: int) -> int:
    """Return over how many lines a tile may run on: what is summed between them is not stored."""
    apart = lines * ((length + lanes - 1) // lanes + 1)  # to begin a line costs about a vector
    together = ((lines - 1) * pitch + length + lanes - 1) // lanes
    return lines if together <= apart else 1


@inlined
def _width(widest: int, left: int) -> int:
    """Return the vectors of the widest tile that fills no more than are left."""
    vectors = widest
    while vectors > left and vectors > 1:
        vectors = 2 if vectors == 3 else vectors // 2
    return vectors


@inlined
def _segments(place: int, count: int, pitch: int, length: int, segments: Array) -> int:
    """List the segments in [place, place + count), without image and j0, from line 0 on."""
    met, at, line, first = 0, 0, place // pitch, place % pitch
    while at < count:
        if first < length:
            segments[met, 0], segments[met, 3], segments[met, 4] = at, line, first
            segments[met, 5] = min(length - first, count - at)
            met += 1
        at, line, first = at + pitch - first, line + 1, 0
    return met


@inlined
def _tile(
    x: Array, at: int, offsets: Array, w: Array, begin: int, steps: int, y: Array, pitch: int,
    vectors: int, height: int,
) -> None:  # fmt: skip
    """Sum a tile, of one of the shapes that there is machine code for: where they are literals."""
    if height == 1:
        _tile_of_1(x, at, offsets, w, begin, steps, y, pitch, vectors)
    elif height == 2:
        _tile_of_2(x, at, offsets, w, begin, steps, y, pitch, vectors)
    elif height == 4:
        _tile_of_4(x, at, offsets, w, begin, steps, y, pitch, vectors)
    else:
        _tile_of_8(x, at, offsets, w, begin, steps, y, pitch, vectors)


@inlined
def _tile_of_1(
    x: Array, at: int, offsets: Array, w: Array, begin: int, steps: int, y: Array, pitch: int,
    vectors: int,
) -> None:  # fmt: skip
    if vectors == 8:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 8, 1)
    elif vectors == 4:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 4, 1)
    elif vectors == 2:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 2, 1)
    else:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 1, 1)


@inlined
def _tile_of_2(
    x: Array, at: int, offsets: Array, w: Array, begin: int, steps: int, y: Array, pitch: int,
    vectors: int,
) -> None:  # fmt: skip
    if vectors == 8:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 8, 2)
    elif vectors == 4:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 4, 2)
    elif vectors == 2:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 2, 2)
    else:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 1, 2)


@inlined
def _tile_of_4(
    x: Array, at: int, offsets: Array, w: Array, begin: int, steps: int, y: Array, pitch: int,
    vectors: int,
) -> None:  # fmt: skip
    if vectors == 4:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 4, 4)
    elif vectors == 2:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 2, 4)
    else:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 1, 4)


@inlined
def _tile_of_8(
    x: Array, at: int, offsets: Array, w: Array, begin: int, steps: int, y: Array, pitch: int,
    vectors: int,
) -> None:  # fmt: skip
    if vectors == 3:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 3, 8)
    elif vectors == 2:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 2, 8)
    else:
        multiply(x, at, offsets, w, begin, steps, y, 0, pitch, 1, 8)
