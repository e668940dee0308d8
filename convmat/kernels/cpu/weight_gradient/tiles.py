"""The weight gradient of layers with many channels, as products of small dense tiles.

Input and output gradient are copied with their channels last, some lines at a time. There what a
tap reads at a place is a plain vector of channels, and taps side by side are one longer vector. A
tile of the gradient is 8 rows of one of the two by three vectors of the other; it is summed over
places in registers, without a copy for each tap.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled
from convmat.kernels.costs import tile_cycles
from convmat.kernels.cpu.layout.phases import AXES, parts_of, three_axes
from convmat.kernels.cpu.threads.pieces import pieces_for
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.writer import VECTOR
from convmat.kernels.cpu.weight_gradient.sums import CYCLE, Gradient, Slots
from convmat.kernels.cpu.weight_gradient.vectors import SHAPES, Operand, finite, outer, transpose

__all__ = ["Tiles"]

Array = np.ndarray[Any, np.dtype[Any]]

WIDE, ROWS = SHAPES[0]  # vectors and rows of the widest tile
X_AT, W_AT, VECTORS = range(3)  # columns of tiles: where vectors and rows begin, how many vectors
DEPTH = 256  # places that are summed before they are added to what was summed before
CHUNK = 1 << 19  # bytes of copies at a time, which stay in cache
SUMS = 1 << 19  # bytes of sums at a time, if all places are copied at once


class Channels(NamedTuple):
    """Images of groups of channels: their shape, and how many numbers each number is."""

    shape: tuple[int, int, int]
    parts: int
    channels: int  # of a group
    groups: int


class Box(NamedTuple):
    """Places of images from `image` on, and how many channels of each stand side by side."""

    image: int
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    width: int


class Chunk(NamedTuple):
    """So many places, whose sums are added to what is there, or replace it; from a tile on."""

    places: int
    fresh: bool
    ahead: int


class Tiles:
    """Where everything lies; of a geometry without inserted zeros (base 1).

    Parameters
    ----------
    geometry : Geometry of at most three axes
    dtype : float32, float64, complex64, complex128, int64 or uint64
    images : int
        The batch.
    over_outputs : bool
        Whether vectors run over output channels, and rows over inputs; or the reverse.
    """

    def __init__(
        self, geometry: Geometry, dtype: np.dtype[Any], images: int, *, over_outputs: bool
    ) -> None:
        self.geometry = geometry
        self.images = images
        self.axes = three_axes(geometry.axes)
        self.parts, self.real = parts_of(dtype)
        self.lanes = VECTOR // self.real.itemsize
        self.outputs, self.channels = (n * self.parts for n in geometry.group_channels)
        self.over_outputs = over_outputs
        # Taps side by side along the last axis read channels side by side.
        self.joined = self.axes[2].kernel if self.axes[2].dilation == 1 else 1
        self.span = self.joined * self.channels
        vectors, rows = self.outputs, self.span
        if not over_outputs:
            vectors, rows = rows, vectors
        count = -(-vectors // self.lanes)
        tiles = -(-count // WIDE)
        self.ends = [count * t // tiles for t in range(tiles + 1)]
        self.blocks = -(-rows // ROWS)
        self.lines = math.prod(axis.kernel for axis in self.axes) // self.joined
        self.chunk = self._chunk()
        self.together = self._blocks_at_once(tiles)  # blocks of rows that are written together

    def cycles(self) -> float:
        """Estimate the cycles of one thread."""
        images = self.images
        places = images * math.prod(axis.n_out for axis in self.axes)
        tile = sum(tile_cycles(b - a, ROWS) for a, b in zip(self.ends, self.ends[1:], strict=False))
        tiles = self.geometry.groups * self.lines * self.blocks
        inputs = images * math.prod(axis.n_in for axis in self.axes) * self.channels
        copied = (inputs + places * self.outputs) * self.geometry.groups / 2
        stored = tiles * len(self.ends) * ROWS * WIDE * 2 + 2 * math.prod(
            self.geometry.weight_shape
        )
        cycles: float = places * tiles * tile + copied + stored
        return cycles

    def _chunk(self) -> tuple[int, int, int]:
        """Return (images, axis, places along it) that are copied at a time."""
        size = [axis.n_out for axis in self.axes]
        axis = next((d for d in range(AXES) if size[d] > 1), AXES - 1)
        whole = size[axis]
        most = CHUNK // self.real.itemsize
        if self._elements(axis, whole) <= most:
            return max(1, min(self.images, most // self._elements(axis, whole))), axis, whole
        # What is read grows by the same for each further place.
        one, two = self._elements(axis, 1), self._elements(axis, 2)
        places: int = 1 + max(most - one, 0) // max(two - one, 1)
        least: int = -(-DEPTH * whole // math.prod(size))
        return 1, axis, min(max(places, least), whole)

    def _box(self, axis: int, places: int) -> tuple[int, int, int]:
        """Return the inputs that are read by so many places along an axis."""
        n = [places if d == axis else self.axes[d].n_out for d in range(AXES)]
        i, j, k = (
            a.stride * (m - 1) + a.dilation * (a.kernel - 1) + 1
            for a, m in zip(self.axes, n, strict=True)
        )
        return i, j, k

    def _elements(self, axis: int, places: int) -> int:
        """Return the elements of the copies of an image, or of a part of it."""
        others = math.prod(self.axes[d].n_out for d in range(AXES) if d != axis)
        read = self.channels * math.prod(self._box(axis, places))
        elements: int = self.geometry.groups * (read + self._width() * places * others)
        return elements

    def _width(self) -> int:
        """Return the output channels that are kept, in whole blocks."""
        return self.outputs if self.over_outputs else -(-self.outputs // self.lanes) * self.lanes

    def gradient(self, x: Array, g: Array) -> Array | None:
        """Return the gradient, if it is finite; x (batch, C_in, ...) and g (batch, C_out, ...)."""
        axes, groups, batch = self.axes, self.geometry.groups, self.images
        images, axis, length = self.chunk
        box, sizes = self._box(axis, length), [axis.n_out for axis in axes]
        line = math.prod(sizes) // sizes[axis]  # places for each one along the axis
        places, width = length * line, min(self._width(), self._block())
        blocks = self._width() // width
        room = WIDE * self.lanes  # vectors may end beyond the last channel
        read = _aligned(images * groups * math.prod(box) * self.channels + room, self.real)
        size = images * groups * blocks * places * width + room
        weighing = _aligned(size, self.real, clear=self._width() > self.outputs)
        read[-room:] = weighing[-room:] = 0  # or what means nothing might not be finite
        items, tables, slots = self._tables
        known = np.ones(len(items), np.bool_)
        result = Gradient(self.geometry, x.dtype, slots)
        each = slots.size // (ROWS * WIDE * self.lanes)  # tiles of a unit
        units = some_units = len(items) // each
        whole = images >= batch and length == sizes[axis]
        if whole:  # no more sums are kept than stay in cache
            some_units = max(min(units, SUMS // (slots.size * self.real.itemsize)), 1)
        sums = _aligned(some_units * slots.size, self.real)
        operands = (weighing, read) if self.over_outputs else (read, weighing)
        own = [Operand(*pair) for pair in zip(operands, tables, strict=True)]
        flat_x, flat_g = x.reshape(-1).view(self.real), g.reshape(-1).view(self.real)
        in_shape = axes[0].n_in, axes[1].n_in, axes[2].n_in
        pieces = pieces_for(self.seconds)
        out, inner = self.geometry.group_channels
        of_x = Channels(in_shape, self.parts, inner, groups)
        of_g = Channels((1, 1, math.prod(sizes)), self.parts, out, groups)
        for image in range(0, batch, images):
            for begin in range(0, sizes[axis], length):
                some = min(images, batch - image)
                start: Any = tuple(
                    (a.stride * begin if d == axis else 0) - a.pad for d, a in enumerate(axes)
                )
                box_x = Box(image, start, box, self.channels)
                box_g = Box(image, (0, 0, begin * line), (1, 1, places), width)
                copy_x, copy_g = (flat_x, of_x, box_x, read), (flat_g, of_g, box_g, weighing)
                together(_channels_last, copy_x, some * groups * box[0] * box[1], pieces)
                together(_channels_last, copy_g, some * groups * blocks, pieces)
                count = some * min(length, sizes[axis] - begin) * line
                for unit in range(0, units, some_units):
                    now = min(some_units, units - unit)
                    chunk = Chunk(count, image + begin == 0, unit * each)
                    together(_sum_tiles, (*own, items, chunk, sums, known), now * each, pieces)
                    if image + images >= batch and begin + length >= sizes[axis]:
                        result.write(sums, unit, now)
        return result.array if known.all() else None

    @cached_property
    def seconds(self) -> float:
        """About how long one thread takes."""
        return CYCLE * self.cycles()

    @cached_property
    def _tables(self) -> tuple[Array, tuple[Array, Array], Slots]:
        """Where tiles, places and results lie: the same for every chunk, and every call."""
        images, axis, length = self.chunk
        box = self._box(axis, length)
        places = length * math.prod(a.n_out for d, a in enumerate(self.axes) if d != axis)
        return self._items(box, places), self._places(images, axis, length, box), self._slots()

    def _blocks_at_once(self, tiles: int) -> int:
        """Return of how many blocks of rows the sums stay in cache, if rows are outputs."""
        size = tiles * self.lines * ROWS * WIDE * VECTOR
        fit = [n for n in range(1, self.blocks + 1) if self.blocks % n == 0 and n * size <= SUMS]
        return self.blocks if self.over_outputs else max(fit, default=1)

    def _block(self) -> int:
        """Return how many output channels stand side by side."""
        return self.outputs if self.over_outputs else self.lanes

    def _places(
        self, images: int, axis: int, length: int, box: tuple[int, int, int]
    ) -> tuple[Array, Array]:
        """Return where the places of a chunk lie in the copies: what vectors run over, and rows."""
        groups, axes = self.geometry.groups, self.axes
        j = np.indices([length if d == axis else axes[d].n_out for d in range(AXES)])
        j0, j1, j2 = (a.stride * one.reshape(-1) for a, one in zip(axes, j, strict=True))
        inside = ((j0 * box[1] + j1) * box[2] + j2) * self.channels
        image = np.arange(images)[:, None] * groups
        x_places = (image * (math.prod(box) * self.channels) + inside).reshape(-1)
        places = np.arange(len(j0)) * self._block()
        g_places = (image * (len(j0) * self._width()) + places).reshape(-1)
        return (g_places, x_places) if self.over_outputs else (x_places, g_places)

    def _items(self, box: tuple[int, int, int], places: int) -> Array:
        """Return of every tile where its vectors and its rows begin, and how many vectors."""
        a0, a1, a2 = self.axes
        taps2 = 1 if self.joined == a2.kernel else a2.kernel
        k0, k1, k2 = (k.reshape(-1) for k in np.indices((a0.kernel, a1.kernel, taps2)))
        line = (k0 * a0.dilation * box[1] + k1 * a1.dilation) * box[2] + k2 * a2.dilation
        group, ahead, line, tile, block = (
            n.reshape(-1)
            for n in np.meshgrid(
                np.arange(self.geometry.groups),
                np.arange(0, self.blocks, self.together),
                line * self.channels,
                np.arange(len(self.ends) - 1),
                np.arange(self.together),
                indexing="ij",
            )
        )
        x_begin = group * (math.prod(box) * self.channels) + line
        g_begin = group * (places * self._width())
        ends = np.array(self.ends)
        lanes, row = ends[tile] * self.lanes, (ahead + block) * ROWS
        if self.over_outputs:
            vectors_at, rows_at = g_begin + lanes, x_begin + row
        else:
            width = self._block()  # a block of rows lies in a block of channels
            vectors_at = x_begin + lanes
            rows_at = g_begin + row // width * (places * width) + row % width
        return np.stack([vectors_at, rows_at, ends[tile + 1] - ends[tile]], 1)

    def _slots(self) -> Slots:
        """Return where sums are."""
        size = ROWS * WIDE * self.lanes
        tiles = len(self.ends) - 1
        vectors, rows = self.outputs, self.span
        if not self.over_outputs:
            vectors, rows = rows, min(vectors, self.together * ROWS)
        e = np.arange(vectors)
        tile = np.searchsorted(np.array(self.ends) * self.lanes, e, "right") - 1
        of_vectors = tile * (self.together * size) + e - np.array(self.ends)[tile] * self.lanes
        r = np.arange(rows)
        of_rows = r // ROWS * size + r % ROWS * (WIDE * self.lanes)
        of_outputs, of_span = of_vectors, of_rows
        if not self.over_outputs:
            of_outputs, of_span = of_rows, of_vectors
        line = tiles * self.together * size
        inside = of_span.reshape(self.joined, self.channels)
        of_reads = np.arange(self.lines)[:, None, None] * line + inside
        return Slots.of(self.lines * line, of_outputs, of_reads.reshape(-1, self.channels))


def _aligned(count: int, dtype: np.dtype[Any], *, clear: bool = False) -> Array:
    """Return memory that begins with a line of cache: whole vectors of channels cross none."""
    memory = (np.zeros if clear else np.empty)(count + VECTOR // dtype.itemsize, dtype)
    begin = -memory.ctypes.data % VECTOR // dtype.itemsize
    return memory[begin : begin + count]


@compiled
def _sum_tiles(
    team: int, x: Operand, w: Operand, items: Array, chunk: Chunk, y: Array, known: Array,
    first: int, last: int,
) -> None:  # fmt: skip
    """Add sums over the places of a chunk to its tiles [first, last), and look for NaN.

    Unlike other kernels it must not be called again for the same tiles, as it would be after an
    error: there is nothing in it that raises.
    """
    if shared(team):
        return
    (x_numbers, x_places), (w_numbers, w_places), (count, fresh, ahead) = x, w, chunk
    pitch = WIDE * (VECTOR // y.itemsize)
    for start in range(0, count, DEPTH):
        steps, new = min(DEPTH, count - start), fresh & (start == 0)
        x_some = Operand(x_numbers, x_places[start:])
        w_some = Operand(w_numbers, w_places[start:])
        for item in range(first, last):
            tile = ahead + item
            a, b, vectors = items[tile, X_AT], items[tile, W_AT], items[tile, VECTORS]
            to = item * ROWS * pitch
            outer(x_some, a, w_some, b, steps, new, y, to, pitch, (vectors, ROWS))
            if start + steps == count:
                known[tile] = True
                for row in range(ROWS):
                    known[tile] &= finite(y, to + row * pitch, vectors)


@compiled
def _channels_last(
    team: int, x: Array, given: Channels, wanted: Box, y: Array, first: int, last: int
) -> None:
    """Copy the lines [first, last) of (image, group, block of channels, i0, i1) of a box.

    x is flat. The box begins at `start`, and is zero where it reaches beyond the shape. In y a
    line is (box[2], width); what lies beyond the last channel of a group means nothing.
    """
    if shared(team):
        return
    (shape, parts, channels, groups), (image, start, box, width) = given, wanted
    lanes = VECTOR // x.itemsize
    n0, n1, n2 = shape
    blocks = (channels * parts + width - 1) // width
    plane = n0 * n1 * n2
    low = min(max(-start[2], 0), box[2])
    high = max(min(n2 - start[2], box[2]), low)
    for item in range(first, last):
        q, i1 = item // box[1], item % box[1] + start[1]
        q, i0 = q // box[0], q % box[0] + start[0]
        q, begin = q // blocks, q % blocks * width
        to = item * box[2] * width
        if (i0 < 0) | (i0 >= n0) | (i1 < 0) | (i1 >= n1):
            y[to : to + box[2] * width] = 0
            continue
        y[to : to + low * width] = 0
        there = min(width, channels * parts - begin)
        source = (image * groups + q) * channels * plane + (i0 * n1 + i1) * n2 + start[2]
        squares = there - there % lanes if (parts == 1) & (high - low >= lanes) else 0
        for c in range(0, squares, lanes):
            at, place = source + (begin + c) * plane, low
            while place < high:
                place = min(place, high - lanes)  # the last square meets the one before
                transpose(x, at + place, plane, y, to + place * width + c, width)
                place += lanes
        # A square of few channels writes over the next places, which are written after it.
        left, behind = low, (lanes - 1) // width
        few = (parts == 1) & (there < lanes) & (2 * there >= lanes)
        while few & (left + lanes + behind <= high):
            at = source + begin * plane + left
            if at + (lanes - 1) * plane + lanes > x.shape[0]:
                break
            transpose(x, at, plane, y, to + left * width, width)
            left += lanes
        for c in range(squares, there):
            channel, part = (begin + c) // parts, (begin + c) % parts
            at = source + channel * plane
            for place in range(left, high):
                y[to + place * width + c] = x[(at + place) * parts + part]
        y[to + high * width : to + box[2] * width] = 0
