"""Direct summation of many rows, or of rows whose outputs lie apart, in register tiles.

A tile is so many vectors of places times up to eight rows. Its sums go to memory that stays in
the first cache, and from there to where they belong, segment by segment: what it has of one line.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.conv.gemm import Tile, store
from convmat.kernels.cpu.layout.panels import AT, IMAGE, J0, J1, J2, LENGTH, Group
from convmat.kernels.cpu.vectors.sums import ROWS, VECTORS, multiply_in
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["Blocks", "Box", "lines_at_once", "sum_tiles"]

Array = np.ndarray[Any, np.dtype[Any]]

# The vectors of the widest tile of so many rows.
WIDEST = np.array([VECTORS.get(rows, (0,))[0] for rows in range(ROWS + 1)])

multiply = multiply_in(*VECTORS)


class Box(NamedTuple):
    """Places [start, stop) of one image, and how they lie in a block of padded input.

    A place along the first two axes is `lines` further on. Tiles may `run_on` over the ends of
    lines: what is summed between two lines is not stored. A place of the outputs is `steps`
    further on.
    """

    image: int
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    lines: tuple[int, int]
    run_on: bool
    steps: tuple[int, int, int]


class Blocks(NamedTuple):
    """Some blocks of rows, of those whose weights are packed from `begin` on."""

    begin: int
    height: int
    low: int
    high: int


@compiled
def sum_tiles(
    x: Array, offsets: Array, weights: Array, blocks: Blocks, rows: Array, box: Box, group: Group,
    sums: Array, segments: Array, y: Array,
) -> None:  # fmt: skip
    """Write the places of a box, of one group and some blocks of its rows.

    x is the padded block. `sums` and `segments` have room for those of a tile.
    """
    lanes, reads = VECTOR // y.itemsize, len(offsets)
    if reads == 0:  # outputs that meet no input
        sums[:] = 0
    height, start, stop = blocks.height, box.start, box.stop
    widest = WIDEST[height]
    pitch, length = box.lines[1], stop[2] - start[2]
    several = 1
    if box.run_on:  # of this phase there may be no line in the last block
        several = max(lines_at_once(stop[1] - start[1], length, pitch, lanes), 1)
    for j0 in range(start[0], stop[0]):
        for j1 in range(start[1], stop[1], several):
            line = (j0 - start[0]) * box.lines[0] + (j1 - start[1]) * pitch
            place, end = 0, (several - 1) * pitch + length
            while place < end:
                vectors = _width(widest, (end - place + lanes - 1) // lanes)
                wide = vectors * lanes
                met = _segments(place, min(wide, end - place), pitch, length, segments)
                for s in range(met):
                    segments[s, IMAGE], segments[s, J0] = box.image, j0
                    segments[s, J1] += j1
                    segments[s, J2] += start[2]
                for b in range(blocks.low, blocks.high):
                    if reads > 0:
                        w = blocks.begin + b * reads * height
                        multiply(x, line + place, offsets, weights, w, reads, sums, 0, wide,
                                 (vectors, height))  # fmt: skip
                    tile = Tile(b * height, height, wide)
                    store(sums, tile, segments, met, rows, box.steps, y, group, False)
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
            segments[met, AT], segments[met, LENGTH] = at, min(length - first, count - at)
            segments[met, J1], segments[met, J2] = line, first
            met += 1
        at, line, first = at + pitch - first, line + 1, 0
    return met
