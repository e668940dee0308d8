"""Direct summation along the lines of the output: for layers with few channels.

A block of the padded input is copied to memory that stays in cache; then every line of outputs
is summed in registers, several vectors of places and up to eight rows at a time, straight from
that copy (`direct_tiles`; `direct_lines` for single rows). Each entry of the matrix is added
once, in the order of the entries of a row, and besides them only products with the zeros of the
padding: this is the reference of all other algorithms.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.costs import Work, seconds, tile_cycles
from convmat.kernels.cpu.conv.direct_lines import sum_lines
from convmat.kernels.cpu.conv.direct_tiles import Blocks, Box, lines_at_once, sum_tiles
from convmat.kernels.cpu.layout.packing import Weight, pack, real_weight
from convmat.kernels.cpu.layout.panels import Group
from convmat.kernels.cpu.layout.phases import AXES, FIRST, Phase, parts_of, phases, three_axes
from convmat.kernels.cpu.layout.planes import OF_GROUP, Planes, fill
from convmat.kernels.cpu.threads.pieces import pieces_for, threads
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.sums import ROWS, VECTORS
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["Direct", "work"]

Array = np.ndarray[Any, np.dtype[Any]]
Triple = tuple[int, int, int]

MOST_VECTORS = max(vectors[0] for vectors in VECTORS.values())  # of a line of a tile
MOST_SUMS = max(rows * vectors[0] for rows, vectors in VECTORS.items())  # the same of all its rows
IN_CACHE = 1 << 18  # bytes of padded input of a block
MOST = 1 << 22  # the same, where a block in cache would copy its border too often
FIRST_CACHE = 1 << 14  # bytes of what a tile reads, half of a small first cache
MISS = 1.0  # cycles that a vector takes longer from the second


class Input(NamedTuple):
    """Inputs one after the other, their shape, and how many numbers each of them is."""

    x: Array
    shape: Triple
    parts: int


class Cut(NamedTuple):
    """How places are cut into blocks, and how the padded input of one lies in memory.

    Attributes
    ----------
    block, counts : places of a block, and how many blocks there are, per axis
    advance : see `Places`
    plane, low, lines : `shape`, `low` and `lines` of `Planes`
    """

    block: Triple
    counts: Triple
    advance: Triple
    plane: tuple[int, int, int, int]
    low: Triple
    lines: Array


class Piece(NamedTuple):
    """A block of places from `start` on, of an image and group, and which part of the rows."""

    start: Triple
    number: int  # of image and group
    split: int
    splits: int


class Tables(NamedTuple):
    """All phases, one after the other.

    Attributes
    ----------
    boxes, steps : int64 (phases, 3), see `Places`
    heights, blocks : how many rows are in a block of them, and how many blocks
    rows, offsets : of all phases, as in `Phase` and `Planes`
    rows_of, offsets_of : int64 (phases + 1), where those of each phase begin
    weights : int64 (phases + 1), the same of the packed weights of each group
    in_lines : see `Phase`
    """

    boxes: Array
    steps: Array
    heights: Array
    blocks: Array
    rows: Array
    rows_of: Array
    offsets: Array
    offsets_of: Array
    weights: Array
    in_lines: Array


def _tables(found: Sequence[Phase], planes: Planes) -> Tables:
    """List the phases of a layer."""

    def starts(counts: Iterable[int]) -> Array:
        return np.array([0, *itertools.accumulate(counts)])

    heights = [_height(len(phase.rows)) for phase in found]
    blocks = [-(-len(phase.rows) // height) for phase, height in zip(found, heights, strict=True)]
    sizes = [b * h * len(o) for b, h, o in zip(blocks, heights, planes.offsets, strict=True)]
    return Tables(
        np.array([phase.places.box for phase in found]),
        np.array([phase.places.steps for phase in found]),
        np.array(heights),
        np.array(blocks),
        np.concatenate([phase.rows for phase in found]),
        starts(len(phase.rows) for phase in found),
        np.concatenate(planes.offsets),
        starts(len(offsets) for offsets in planes.offsets),
        starts(sizes),
        np.array([phase.in_lines for phase in found]),
    )


class Direct:
    """The packed weight of a layer, and how its blocks lie in memory.

    Parameters
    ----------
    geometry : Geometry of at most three axes
    weight : array (groups, out, inner, *kernel), from `correlation_weight`
    dtype : float32, float64, complex64, complex128, int64 or uint64
    """

    def __init__(self, geometry: Geometry, weight: Array, dtype: np.dtype[Any]) -> None:
        self.geometry = geometry
        self.dtype = dtype
        self.parts, self.real = parts_of(dtype)
        self.phases = phases(geometry, self.parts)
        self.channels = geometry.group_channels[1] * self.parts
        self.box, self.block, self.planes = _layout(geometry, dtype)
        self.seconds = seconds(work(geometry, dtype, 1), 1)
        self.tables = _tables(self.phases, self.planes)
        self.packed = self._pack(real_weight(geometry, weight, dtype))

    def _pack(self, weight: Weight) -> Array:
        """Return the weights of all phases, one after the other."""
        starts = self.geometry.groups * self.tables.weights
        packed = np.empty(starts[-1], self.real)
        for number, (phase, height) in enumerate(
            zip(self.phases, self.tables.heights, strict=True)
        ):
            pack(weight, phase, int(height), packed[starts[number] : starts[number + 1]])
        return packed

    @property
    def scratch(self) -> int:
        """Bytes of the block that each thread works on."""
        return self.planes.channel * self.channels * self.real.itemsize

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, C_out, ...) of x (batch, C_in, ...), both contiguous, of the dtype."""
        source = x.reshape(-1).view(self.real)
        a0, a1, a2 = three_axes(self.geometry.axes)
        shape = a0.n_in, a1.n_in, a2.n_in
        outputs = y.reshape(-1).view(self.real).reshape(len(x), self.geometry.groups, -1)
        n0, n1, n2 = (-(-n // b) for n, b in zip(self.box, self.block, strict=True))
        counts = n0, n1, n2
        blocks = len(x) * self.geometry.groups * math.prod(counts)

        pieces = pieces_for(len(x) * self.seconds)
        splits = self._splits(blocks) if pieces > 1 else 1
        advance, planes = self.phases[0].places.advance, self.planes
        arguments = (
            Input(source, shape, self.parts),
            Cut(self.block, counts, advance, planes.shape, planes.low, planes.lines),
            self.tables, self.packed, outputs, splits,
        )  # fmt: skip
        together(_blocks, arguments, blocks * splits, pieces)

    def _splits(self, blocks: int) -> int:
        """Return how to split the rows among threads, where few blocks divide unevenly."""
        splits, tall = 1, int(self.tables.blocks.max())
        while (
            blocks * splits % threads() and blocks * splits < 2 * threads() and 2 * splits <= tall
        ):
            splits *= 2
        return splits


@lru_cache(maxsize=256)
def _layout(geometry: Geometry, dtype: np.dtype[Any]) -> tuple[Triple, Triple, Planes]:
    """Return how many places there are, how many make a block, and how a block lies in memory.

    Few enough to stay in cache, if borders allow.
    """
    parts, real = parts_of(dtype)
    every, channels = phases(geometry, parts), geometry.group_channels[1] * parts
    advance = every[0].places.advance
    block = box = _largest([phase.places.box for phase in every])
    while True:
        planes = Planes.of(every, [_smaller(p.places.box, block) for p in every], channels)
        size = planes.channel * channels * real.itemsize
        if size <= IN_CACHE:
            return box, block, planes
        whole = *planes.shape[:2], planes.shape[2] * planes.shape[3]
        moved = [advance[d] * block[d] for d in range(AXES)]
        able = [d for d in range(AXES) if block[d] > 1]
        cheap = [d for d in able if moved[d] >= 8 * max(whole[d] - moved[d], 1)]
        if not able or (not cheap and size <= MOST):
            return box, block, planes
        axis = (cheap or able)[0]
        half = list(block)
        half[axis] = -(-block[axis] // 2)
        block = (half[0], half[1], half[2])


@lru_cache(maxsize=256)
def work(geometry: Geometry, dtype: np.dtype[Any], images: int) -> Work:
    """Return what `Direct` does for so many images."""
    parts, real = parts_of(dtype)
    lanes = VECTOR // real.itemsize
    inner = geometry.group_channels[1] * parts
    whole, block, filled = _layout(geometry, dtype)
    weights, fills = 0, images * geometry.in_channels * parts
    fills *= math.prod(-(-n // b) for n, b in zip(whole, block, strict=True))
    total = Work(
        calls=1,
        lines=fills * math.prod(filled.shape[:3]),
        moved=2 * fills * filled.channel / lanes,
    )
    for phase in phases(geometry, parts):
        box, height = phase.places.box, _height(len(phase.rows))
        planes = images * geometry.groups * box[0]
        widest, line = VECTORS[height][0], math.ceil(box[2] / lanes)
        vectors, tiles = box[1] * line, box[1] * math.ceil(line / widest)
        if phase.in_lines:
            tiles = -(-vectors // widest)
        elif phase.places.advance[1:] == (1, 1):
            pitch = box[2] + int(np.ptp(phase.reads[2])) if phase.taps_read else box[2]
            if lines_at_once(box[1], box[2], pitch, lanes) > 1:
                vectors = -(-((box[1] - 1) * pitch + box[2]) // lanes)
                tiles = -(-vectors // widest)
        blocks, reads = -(-len(phase.rows) // height), inner * phase.taps_read
        stored = planes * box[1] * box[2] * len(phase.rows)
        # Lines that a tile reads, each for some taps; the first cache may not hold them.
        read = inner * len(phase.reads[0]) * len(phase.reads[1])
        read *= min(len(phase.reads[2]), phase.places.advance[2])
        missed = read if read * widest * VECTOR > FIRST_CACHE else 0
        cycles = reads * tile_cycles(widest, height) / widest + missed * MISS
        done = Work(
            cycles=planes * vectors * blocks * cycles,
            tiles=planes * tiles * blocks,
            lines=0 if phase.in_lines else planes * len(phase.rows) * (tiles + box[1]),
            moved=stored / lanes,
            apart=planes * box[1] * box[2] * phase.rows_apart,
        )
        total = total.plus(done)
        weights += geometry.groups * blocks * height * reads
    return total.with_weights(weights * real.itemsize)


def _largest(boxes: list[Triple]) -> Triple:
    return max(b[0] for b in boxes), max(b[1] for b in boxes), max(b[2] for b in boxes)


def _smaller(box: Triple, block: Triple) -> Triple:
    return min(box[0], block[0]), min(box[1], block[1]), min(box[2], block[2])


def _height(rows: int) -> int:
    return next((height for height in VECTORS if height >= rows), ROWS)


@compiled
def _blocks(
    team: int, given: Input, cut: Cut, tables: Tables, packed: Array, y: Array, splits: int,
    first: int, last: int,
) -> None:  # fmt: skip
    """Write the outputs in the blocks [first, last) of (image, group, place, split of the rows)."""
    if shared(team):
        return
    (x, shape, parts), cut, tables = given, Cut(*cut), Tables(*tables)
    block, counts, advance, low = cut.block, cut.counts, cut.advance, cut.low
    n0, n1, split_in, pitch = cut.plane
    lanes, size = VECTOR // y.itemsize, cut.lines[OF_GROUP]
    channels = size // (n0 * n1 * split_in * pitch)
    memory = np.zeros(size + (MOST_VECTORS + 1) * lanes, y.dtype)
    planes = memory[:size].reshape((channels, n0, n1, split_in, pitch))
    sums = np.empty(MOST_SUMS * lanes, y.dtype)
    segments = np.zeros((MOST_VECTORS * lanes + 1, 6), np.int64)
    for item in range(first, last):
        q, split = item // splits, item % splits
        q, b2 = q // counts[2], q % counts[2] * block[2]
        q, b1 = q // counts[1], q % counts[1] * block[1]
        q, b0 = q // counts[0], q % counts[0] * block[0]
        begin = advance[0] * b0 - low[0], advance[1] * b1 - low[1], advance[2] * b2 - low[2]
        fill(x, shape, parts, q * (channels // parts), channels // parts, begin, planes, (n0, n1))
        piece = Piece((b0, b1, b2), q, split, splits)
        for p in range(len(tables.heights)):
            _phase(memory, cut, tables, p, packed, piece, sums, segments, y)


@inlined
def _phase(
    x: Array, cut: Cut, tables: Tables, p: int, packed: Array, piece: Piece, sums: Array,
    segments: Array, y: Array,
) -> None:  # fmt: skip
    """Write the outputs of a phase whose places are in a block."""
    boxes, height, blocks, start = tables.boxes, tables.heights[p], tables.blocks[p], piece.start
    steps = tables.steps[p, 0], tables.steps[p, 1], tables.steps[p, 2]
    stop = (
        min(start[0] + cut.block[0], boxes[p, 0]),
        min(start[1] + cut.block[1], boxes[p, 1]),
        min(start[2] + cut.block[2], boxes[p, 2]),
    )
    groups, outputs, flat = y.shape[1], y.shape[2], y.reshape(-1)
    image, group = piece.number // groups, piece.number % groups
    low, high = blocks * piece.split // piece.splits, blocks * (piece.split + 1) // piece.splits
    rows = tables.rows[tables.rows_of[p] : tables.rows_of[p + 1]]
    offsets = tables.offsets[tables.offsets_of[p] : tables.offsets_of[p + 1]]
    begin = groups * tables.weights[p] + group * (tables.weights[p + 1] - tables.weights[p])
    lines = cut.lines[0], cut.lines[1]
    if not tables.in_lines[p]:
        run_on = (cut.advance[1] == 1) & (cut.plane[2] == 1)
        box = Box(image, start, stop, lines, run_on, steps)
        sum_tiles(x, offsets, packed, Blocks(begin, height, low, high), rows, box,
                  Group(group, groups, outputs), sums, segments, flat)  # fmt: skip
    elif low < high:
        to = piece.number * outputs + rows[0, FIRST] + start[1] * steps[1] + start[2]
        for j0 in range(start[0], stop[0]):
            sum_lines(x, (j0 - start[0]) * lines[0], offsets, packed, begin, flat,
                      to + j0 * steps[0], (lines[1], steps[1]), stop[1] - start[1],
                      stop[2] - start[2])  # fmt: skip
