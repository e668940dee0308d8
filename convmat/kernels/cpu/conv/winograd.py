"""Fast convolution: tiles of the output from fewer multiplications than there are taps.

Each phase of a layer whose places and reads are neighbours is cut into tiles. Tiles stand side by
side as lanes of vectors: their inputs are transformed, channel by channel, into a panel that
stays in cache; the products are those of a matrix multiplication for every entry of the
transformed tiles; and the sums over channels are transformed back and put in place. The
matrices are exact and come from outside; kernels are compiled for them, one for each algorithm.

Winograd, "Arithmetic Complexity of Computations" (1980); Lavin and Gray, "Fast algorithms for
convolutional neural networks" (2016), section 4.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.costs import Work, tile_cycles
from convmat.kernels.cpu.conv.winograd_vectors import as_text, spread, transform
from convmat.kernels.cpu.layout.packing import (
    COPIED,
    SOME,
    Chosen,
    Order,
    Weight,
    gather,
    real_weight,
)
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
    tiled,
)
from convmat.kernels.cpu.layout.phases import (
    AXES,
    COUNT0,
    COUNT1,
    COUNT2,
    FIRST,
    Phase,
    Places,
    parts_of,
    phases,
)
from convmat.kernels.cpu.threads.pieces import pieces_for
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.copies import copy_lines
from convmat.kernels.cpu.vectors.sums import ROWS, multiply_in
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["Winograd", "error_factor", "taps", "work"]

Array = np.ndarray[Any, np.dtype[Any]]

PANEL = 1 << 19  # bytes of transformed inputs of a thread: half of the second cache
IDENTITY = ((1,),)

multiply = multiply_in(ROWS)


def taps(geometry: Geometry) -> tuple[int, ...]:
    """Return the taps along each axis that an algorithm must have to serve this layer.

    They are the kernel's, or for a transposed convolution those of each of its phases, or along
    an axis of one input what meets it.

    Raises
    ------
    GeometryError
        Places or reads are not neighbours, or phases have different numbers of taps.
    """
    found = set()
    for phase in phases(geometry):
        apart = any((np.diff(reads) != 1).any() for reads in phase.reads)
        if apart or phase.places.advance != (1, 1, 1):
            raise _refusal("needs stride 1 and dilation 1")
        found.add(tuple(len(reads) for reads in phase.reads))
    if len(found) != 1 or 0 in min(found):
        raise _refusal(
            "needs a kernel that is a multiple of the transposed stride, and outputs that all meet "
            "an input"
        )
    sizes: tuple[int, ...] = found.pop()
    return sizes[AXES - len(geometry.axes) :]


def error_factor(algorithm: Any, geometry: Geometry, dtype: np.dtype[Any]) -> float:
    """Return how many times max |x| times the sum of max |w| over channels the error may be.

    Every term of an output passes ``n`` roundings at most: those of a tile, and one for each
    channel that is added. The bound is ``n u / (1 - n u)`` times the algorithm's `amplification`.
    The sum goes over the channels of a group of the largest weight of each. A complex number is
    two channels and two outputs, which together err by at most sqrt(2) times as much as each.
    """
    parts, _ = parts_of(dtype)
    unit = np.finfo(dtype).eps / 2
    n = algorithm.roundings + geometry.group_channels[1] * parts
    return float(parts**1.5 * float(algorithm.amplification) * n * unit / (1 - n * unit))


class Winograd(Panels):
    """The transformed weight of a layer, and how its tiles lie.

    Parameters
    ----------
    geometry : Geometry of at most three axes
    weight : array (groups, out, inner, *kernel), from `correlation_weight`
    dtype : float32, float64, complex64 or complex128
    algorithm : result of `convmat.symbolic.winograd`
        One factor for each axis, with the `taps` of the geometry.

    Raises
    ------
    GeometryError
        The layer is not a correlation with neighbouring reads, or the dtype is of integers.
    """

    def __init__(
        self, geometry: Geometry, weight: Array, dtype: np.dtype[Any], algorithm: Any
    ) -> None:
        if dtype.kind not in "fc":
            raise GeometryError(
                "dtype", dtype, "is rounded by fast convolution", "use algorithm='gemm'"
            )
        sizes = tuple(len(factor.filter[0]) for factor in algorithm.factors)
        if sizes != taps(geometry):
            raise _refusal(f"needs an algorithm for {taps(geometry)} taps, not {sizes}")
        data, filters, output = _texts(algorithm)
        self.tile = _tile(algorithm)
        self.points = math.prod(len(factor.data) for factor in algorithm.factors)
        super().__init__(geometry, dtype, self.tile, work(geometry, dtype, 1, algorithm))
        wide = real_weight(geometry, weight, dtype)
        change = _filter_kernel(filters)
        self.packed = [_transformed(wide, phase, self.points, change) for phase in self.phases]
        period = self.phases[0].places.steps[2] // self.parts
        self.kernel = _tile_kernel(data, output, self.tile[2], self.parts, period)
        width = WIDE * VECTOR
        self.depth = max(1, min(self.channels, PANEL // (self.points * width)))
        self.offsets = np.arange(self.depth) * (width // self.real.itemsize)

    def scratch(self, images: int, threads: int) -> int:
        """Bytes of padded inputs, and of a panel, sums and tiles for each thread."""
        lines = self.points * (self.depth * WIDE + 1 + (ROWS + 2 + self.parts) * (WIDE + 1))
        return self.padding(images) + threads * lines * VECTOR

    def tiles(self, planes: Array, y: Array, number: int, splits: int) -> tuple[Any, Any]:
        """Return the kernel that writes the panels of a phase, and its arguments."""
        phase = self.phases[number]
        places = phase.places._replace(box=self.boxes[number], advance=self.tile)
        return self.kernel, (
            Source(planes, self.planes.offsets[number], self.planes.lines), self.offsets,
            self.packed[number], phase.rows, places, y, splits,
        )  # fmt: skip


@lru_cache(maxsize=64)
def _texts(algorithm: Any) -> tuple[str, str, str]:
    """Return the matrices that transform data, filters and sums, as kernels take them."""
    before = (IDENTITY,) * (AXES - len(algorithm.factors))
    data, filters, output = (
        as_text(before + tuple(getattr(factor, role) for factor in algorithm.factors))
        for role in ("data", "filter", "output")
    )
    return data, filters, output


def _tile(algorithm: Any) -> tuple[int, int, int]:
    """Return the outputs of a tile along each axis."""
    sizes = [len(factor.output) for factor in algorithm.factors]
    one, two, three = [1] * (AXES - len(sizes)) + sizes
    return one, two, three


@lru_cache(maxsize=256)
def work(geometry: Geometry, dtype: np.dtype[Any], images: int, algorithm: Any) -> Work:
    """Return what `Winograd` does for so many images."""
    parts, real = parts_of(dtype)
    lanes = VECTOR // real.itemsize
    channels, groups = geometry.group_channels[1] * parts, geometry.groups
    tile = _tile(algorithm)
    points = math.prod(len(factor.data) for factor in algorithm.factors)
    total, weights = Work(calls=2), 0
    for phase in phases(geometry, parts):
        box = tiled(phase, tile).places.box
        vectors = -(-images * math.prod(box) // lanes)
        panels, blocks = -(-vectors // WIDE), -(-len(phase.rows) // ROWS)
        lines = panels + images * box[0] * box[1]
        outputs = vectors * len(phase.rows) * math.prod(tile)
        done = Work(
            cycles=groups * vectors * blocks * points * channels * tile_cycles(WIDE, ROWS) / WIDE,
            tiles=groups * panels * blocks * points,
            lines=groups * lines * (channels * points / 4 + len(phase.rows) * math.prod(tile[:2])),
            moved=groups * points * vectors * 3 * (channels + len(phase.rows)) + 2 * outputs,
        )
        total = total.plus(done)
        weights += groups * blocks * ROWS * points * channels
    numbers = images * geometry.in_channels * parts * math.prod(a.n_in for a in geometry.axes)
    total = total._replace(moved=total.moved + 2 * numbers / lanes, apart=total.apart + numbers)
    return total.with_weights(weights * real.itemsize)


def _refusal(rule: str) -> GeometryError:
    return GeometryError("algorithm", "winograd", rule, "use algorithm='gemm'")


def _transformed(weight: Weight, phase: Phase, points: int, change: Any) -> Array:
    """Return the weights as (groups, blocks, points, channels, rows of a block), transformed.

    For whole vectors there may be a channel more, of which nothing is read.
    """
    groups, channels = weight.shape[1], weight.shape[3]
    blocks, lanes = -(-len(phase.rows) // ROWS), VECTOR // weight.memory.itemsize
    whole = -(-channels * ROWS // lanes) * lanes // ROWS
    packed = np.empty((groups, blocks, points, whole, ROWS), weight.memory.dtype)
    pieces = pieces_for(COPIED * packed.size)
    together(change, (weight, phase.taps, packed), groups * -(-channels // SOME) * blocks, pieces)
    return packed


@lru_cache(maxsize=64)
def _filter_kernel(matrices: str) -> Any:
    """Compile the transform of the weights for an algorithm."""

    def change(team: int, w: Weight, taps: Any, packed: Array, first: int, last: int) -> None:
        if shared(team):
            return
        w = Weight(*w)
        blocks, points, line = packed.shape[1], packed.shape[2], packed.shape[3] * ROWS
        reads = taps[0].shape[1] * taps[1].shape[1] * taps[2].shape[1]
        lanes, some = VECTOR // packed.itemsize, SOME * ROWS
        chunks = (w.shape[3] + SOME - 1) // SOME
        begins, offsets = np.empty(ROWS, np.int64), np.empty(reads * ROWS, np.int64)
        apart = np.zeros(reads * some, packed.dtype)
        flat = packed.reshape(-1)
        for item in range(first, last):
            q, block = item // blocks, item % blocks
            group, channel = q // chunks, q % chunks * SOME
            chosen, order = Chosen(group, block, ROWS, channel), Order(0, ROWS, some)
            gather(w, taps, chosen, begins, offsets, apart, order)
            to = (group * blocks + block) * points * line + channel * ROWS
            vectors = min(some, line - channel * ROWS) // lanes
            transform(apart, 0, some, flat, to, line, vectors, matrices)

    return compiled(change)


@lru_cache(maxsize=64)
def _tile_kernel(  # noqa: C901, one nest of loops
    data: str, output: str, tile2: int, parts: int, step: int
) -> Any:
    """Compile the loops over panels for an algorithm.

    What the closure holds are texts and integers, which is why the machine code is kept on disk
    like that of any other kernel.
    """

    def tiles(
        team: int, source: Source, panel_offsets: Array, packed: Array, rows: Array,
        places: Places, y: Array, splits: int, first: int, last: int,
    ) -> None:  # fmt: skip
        """Write the tiles [first, last) of (group, panel of tiles, split of the rows).

        A place is a tile of outputs. Of each panel and some channels: `_read` and `transform`
        every channel; then for a block of rows `multiply` them for every entry of the transformed
        tiles, `transform` the sums back, and `spread` them over the outputs.
        """
        if shared(team):
            return
        (planes, offsets, lines), (box, tile, steps) = source, places
        groups, blocks, points, whole = packed.shape[:4]
        channels, depth = offsets.shape[0] // points, panel_offsets.shape[0]
        lanes = VECTOR // planes.itemsize
        width, pitch = WIDE * lanes, (WIDE + 1) * lanes
        reach = depth * width + lanes  # from entry to entry, not a power of two
        total = y.shape[0] * box[0] * box[1] * box[2]
        panels = (total + width - 1) // width
        every = (total + lanes - 1) // lanes
        read = np.zeros(points * pitch + lanes, planes.dtype)
        panel = np.empty(points * reach, planes.dtype)
        sums = np.zeros(points * ROWS * width, planes.dtype)
        inside = tile[0] * tile[1] * tile[2]
        done = np.zeros(inside * parts * pitch + lanes, planes.dtype)
        segments = np.empty((width, 6), np.int64)
        weights, flat, outputs = packed.reshape(-1), y.reshape(-1), y.shape[2]
        for item in range(first, last):
            split, group = item % splits, Group(item // splits // panels, groups, outputs)
            number = item // splits % panels
            place = every * number // panels * lanes  # panels of nearly one size
            count = min(every * (number + 1) // panels * lanes, total) - place
            met = segments_of(place, count, box, segments)
            vectors = (count + lanes - 1) // lanes
            low, high = blocks * split // splits, blocks * (split + 1) // splits
            for start in range(0, channels, depth):
                some = min(depth, channels - start)
                for c in range(some):
                    entries = (start + c) * points, points
                    _read(planes, offsets, lines, entries, group, segments, met, read, pitch)
                    transform(read, 0, pitch, panel, c * width, reach, vectors, data)
                for block in range(low, high):
                    w = ((group.number * blocks + block) * points * whole + start) * ROWS
                    for k in range(points):
                        multiply(panel, k * reach, panel_offsets, weights, w + k * whole * ROWS,
                                 some, sums, k * ROWS * width, width, (vectors, ROWS))  # fmt: skip
                    for b in range(0, min(ROWS, rows.shape[0] - block * ROWS), parts):
                        for part in range(parts):
                            transform(sums, (b + part) * width, ROWS * width, done,
                                      part * pitch, parts * pitch, vectors, output)  # fmt: skip
                        row = block * ROWS + b
                        for s in range(met):
                            column = tile[2] * segments[s, J2]
                            length = min(tile[2] * segments[s, LENGTH], rows[row, COUNT2] - column)
                            image = (segments[s, IMAGE] * groups + group.number) * outputs
                            first_to = image + rows[row, FIRST] + column * steps[2]
                            for a in range(tile[0] * tile[1]):
                                o0 = tile[0] * segments[s, J0] + a // tile[1]
                                o1 = tile[1] * segments[s, J1] + a % tile[1]
                                if (o0 < rows[row, COUNT0]) & (o1 < rows[row, COUNT1]):
                                    to = first_to + o0 * steps[0] + o1 * steps[1]
                                    at = a * tile[2] * parts * pitch + segments[s, AT]
                                    spread(done, at, pitch, flat, to, length, start > 0,
                                           tile2, parts, step)  # fmt: skip

    return compiled(tiles)


@inlined
def _read(
    planes: Array, offsets: Array, lines: Array, entries: tuple[int, int], group: Group,
    segments: Array, met: int, read: Array, pitch: int,
) -> None:  # fmt: skip
    """Copy what the tiles of a panel read of a channel: the entries from the first, so many."""
    for s in range(met):
        base = source_of(segments, s, group, lines)
        at, length = segments[s, AT], segments[s, LENGTH]
        copy_lines(planes, base, offsets, entries[0], entries[1], read, at, pitch, length)
