"""Implicit matrix multiplication: a layer as products of small dense tiles.

For each phase the layer is a matrix product: rows (output channels) by places, summed over what
each place reads. Pixels of some places are copied side by side into a panel that stays in cache;
each tile of 8 rows by three vectors of places is then summed in registers. The panel plays the
part of im2col, of which no more than one panel per thread ever exists.

Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008), section 4, for
panels and tiles; Georganas et al., "Anatomy of high-performance deep learning convolutions on
SIMD architectures" (2018), section 2, for the direct forms of them.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.costs import Work, tile_cycles
from convmat.kernels.cpu.layout.packing import pack, real_weight
from convmat.kernels.cpu.layout.panels import (
    AT,
    IMAGE,
    J0,
    J1,
    J2,
    LENGTH,
    WIDE,
    Group,
    Panels,
    Source,
    segments_of,
    source_of,
)
from convmat.kernels.cpu.layout.phases import (
    COUNT0,
    COUNT1,
    COUNT2,
    FIRST,
    INTERLEAVED,
    Places,
    parts_of,
    phases,
)
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.vectors.copies import copy, copy_lines, interleave
from convmat.kernels.cpu.vectors.sums import BLOCKS, ROWS, multiply_in, multiply_rows
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["DEPTH", "Gemm", "Tile", "store", "work"]

Array = np.ndarray[Any, np.dtype[Any]]

DEPTH = 1024  # reads of a panel: 256 KB in cache
FEW = 3  # places of which it pays to have rows in the lanes of a vector
MANY = max(BLOCKS)  # blocks of rows that are then summed at once, at most

multiply = multiply_in(ROWS)


class Tile(NamedTuple):
    """Sums of so many rows from the first on, those of the next so far apart."""

    first: int
    height: int
    pitch: int


class Span(NamedTuple):
    """Some blocks of the rows of a group: where its weights begin, the first block, the last."""

    begin: int
    low: int
    high: int


class Gemm(Panels):
    """The packed weight of a layer, and where everything lies.

    Parameters
    ----------
    geometry : Geometry of at most three axes
    weight : array (groups, out, inner, *kernel), from `correlation_weight`
    dtype : float32, float64, complex64, complex128, int64 or uint64
    """

    def __init__(self, geometry: Geometry, weight: Array, dtype: np.dtype[Any]) -> None:
        super().__init__(geometry, dtype, (1, 1, 1), work(geometry, dtype, 1))
        wide = real_weight(geometry, weight, dtype)
        self.packed = [pack(wide, phase) for phase in self.phases]
        lanes = VECTOR // self.real.itemsize
        self.panel = np.arange(DEPTH) * (lanes * (WIDE + 1))

    def scratch(self, images: int, threads: int) -> int:
        """Bytes of padded inputs and of a panel for each thread."""
        return self.padding(images) + threads * DEPTH * VECTOR * (WIDE + 1)

    def tiles(self, planes: Array, y: Array, number: int, splits: int) -> tuple[Any, Any]:
        """Return the kernel that writes the panels of a phase, and its arguments."""
        phase = self.phases[number]
        return _tiles, (
            Source(planes, self.planes.offsets[number], self.planes.lines), self.panel,
            self.packed[number], phase.rows, phase.places, y, splits,
        )  # fmt: skip


@lru_cache(maxsize=256)
def work(geometry: Geometry, dtype: np.dtype[Any], images: int) -> Work:
    """Return what `Gemm` does for so many images."""
    parts, real = parts_of(dtype)
    lanes = VECTOR // real.itemsize
    inner = geometry.group_channels[1] * parts
    total, weights = Work(calls=2), 0
    for phase in phases(geometry, parts):
        box, reads = phase.places.box, inner * phase.taps_read
        places, blocks = images * math.prod(box), -(-len(phase.rows) // ROWS)
        panels, vectors = -(-places // (WIDE * lanes)), -(-places // lanes)
        lines = panels + images * box[0] * box[1]  # every panel cuts a line
        stored = geometry.groups * places * len(phase.rows)
        cycles: float = vectors * tile_cycles(WIDE, ROWS) / WIDE
        tiles: float = panels * -(-reads // DEPTH)
        if places <= FEW:
            cycles, tiles = places, places / MANY
        done = Work(
            cycles=geometry.groups * blocks * reads * cycles,
            tiles=geometry.groups * blocks * tiles,
            lines=geometry.groups * lines * (1 + len(phase.rows)),
            moved=geometry.groups * reads * (vectors + lines / 2) + stored / lanes,
            apart=geometry.groups * places * phase.rows_apart,
        )
        total, weights = total.plus(done), weights + geometry.groups * blocks * ROWS * reads
    moved = images * geometry.in_channels * parts * math.prod(a.n_in for a in geometry.axes) / lanes
    return total._replace(moved=total.moved + 2 * moved).with_weights(weights * real.itemsize)


@compiled
def _tiles(
    team: int, source: Source, panel_offsets: Array, packed: Array, rows: Array, places: Places,
    y: Array, splits: int, first: int, last: int,
) -> None:  # fmt: skip
    """Write the tiles [first, last) of (group, panel of places, split of the rows)."""
    if shared(team):
        return
    (planes, offsets, lines), (box, _, steps) = source, places
    groups, blocks, reads = packed.shape[0], packed.shape[1], packed.shape[2]
    lanes = VECTOR // planes.itemsize
    width, pitch = WIDE * lanes, (WIDE + 1) * lanes
    total = y.shape[0] * box[0] * box[1] * box[2]
    panels = (total + width - 1) // width
    panel = np.empty(min(reads, DEPTH) * pitch + lanes, planes.dtype)
    sums = np.empty(MANY * ROWS * width, planes.dtype)
    segments = np.empty((width, 6), np.int64)
    weights, flat, outputs = packed.reshape(-1), y.reshape(-1), y.shape[2]
    for item in range(first, last):
        split, group = item % splits, Group(item // splits // panels, groups, outputs)
        place = item // splits % panels * width
        count = min(width, total - place)
        met = segments_of(place, count, box, segments)
        vectors = (count + lanes - 1) // lanes
        low, high = blocks * split // splits, blocks * (split + 1) // splits
        if (count <= FEW) & (reads > 0):
            some = Span(group.number * blocks * reads, low, high)
            _few(source, weights, some, sums, segments, met, rows, steps, flat, group)
            continue
        if reads == 0:  # outputs that meet no input
            sums[:] = 0
            for block in range(low, high):
                tile = Tile(block * ROWS, ROWS, width)
                store(sums, tile, segments, met, rows, steps, flat, group, False)
        for start in range(0, reads, DEPTH):
            depth = min(DEPTH, reads - start)
            for s in range(met):
                base = source_of(segments, s, group, lines)
                at, length = segments[s, AT], segments[s, LENGTH]
                copy_lines(planes, base, offsets, start, depth, panel, at, pitch, length)
            for block in range(low, high):
                w = ((group.number * blocks + block) * reads + start) * ROWS
                multiply(panel, 0, panel_offsets, weights, w, depth, sums, 0, width,
                         (vectors, ROWS))  # fmt: skip
                tile = Tile(block * ROWS, ROWS, width)
                store(sums, tile, segments, met, rows, steps, flat, group, start > 0)


@compiled
def _few(
    source: Source, weights: Array, blocks: Span, sums: Array, segments: Array, met: int,
    rows: Array, steps: Any, y: Array, group: Group,
) -> None:  # fmt: skip
    """Write the rows of few places, some blocks at once, straight from the padded input."""
    planes, offsets, lines = source
    width, reads, block = WIDE * (VECTOR // y.itemsize), len(offsets), blocks.low
    while block < blocks.high:
        several = 4 if blocks.high - block >= 4 else 2 if blocks.high - block >= 2 else 1
        for start in range(0, reads, DEPTH):  # as in panels: all places are summed alike
            some, depth = offsets[start:], min(DEPTH, reads - start)
            w = (blocks.begin + block * reads + start) * ROWS
            for s in range(met):
                base = source_of(segments, s, group, lines)
                for j in range(segments[s, LENGTH]):
                    multiply_rows(planes, base + j, some, weights, w, depth, sums,
                                  segments[s, AT] + j, width, (several, reads * ROWS))  # fmt: skip
            for b in range(several):
                tile = Tile((block + b) * ROWS, ROWS, width)
                store(sums[b * ROWS * width :], tile, segments, met, rows, steps, y, group,
                      start > 0)  # fmt: skip
        block += several


@inlined
def store(
    sums: Array, tile: Tile, segments: Array, met: int, rows: Array, steps: Any, y: Array,
    group: Group, add: bool,
) -> None:  # fmt: skip
    """Write the sums of a tile where they belong in y, or add them.

    No function is called here but what is written into the code: Numba would count references for
    every tile.
    """
    step = steps[2]
    count = min(tile.height, rows.shape[0] - tile.first)
    for s in range(met):
        j0, j1, j2 = segments[s, J0], segments[s, J1], segments[s, J2]
        base = (segments[s, IMAGE] * group.groups + group.number) * group.outputs
        base += j0 * steps[0] + j1 * steps[1] + j2 * step
        b = 0
        while b < count:
            row = tile.first + b
            length = _places_met(rows, row, j0, j1, j2, segments[s, LENGTH])
            to, source = base + rows[row, FIRST], b * tile.pitch + segments[s, AT]
            lines = 1 if add | (b + rows[row, INTERLEAVED] > count) else rows[row, INTERLEAVED]
            b += lines
            if add:
                for j in range(length):
                    y[to + step * j] += sums[source + j]
            elif step == 1:
                copy(y, to, sums, source, length)
            elif lines > 1:
                interleave(y, to, sums, source, tile.pitch, length, lines)
            else:
                for j in range(length):
                    y[to + step * j] = sums[source + j]


@inlined
def _places_met(rows: Array, row: int, j0: int, j1: int, j2: int, length: int) -> Any:
    """Return how many places of a line a row has."""
    if (j0 >= rows[row, COUNT0]) | (j1 >= rows[row, COUNT1]):
        return 0
    return max(min(length, rows[row, COUNT2] - j2), 0)
