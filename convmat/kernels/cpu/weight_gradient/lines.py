"""The weight gradient of layers with few channels in a group, along the lines of places.

A block of input and output gradient is copied to memory that stays in cache, with padding so
that a place has the same distance to all that it reads. Each entry of the gradient is then a sum
over whole vectors of places; up to twelve of them are kept in registers.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.layout.phases import AXES, parts_of, three_axes
from convmat.kernels.cpu.threads.pieces import pieces_for
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.copies import copy_lines
from convmat.kernels.cpu.vectors.writer import VECTOR
from convmat.kernels.cpu.weight_gradient.sums import CYCLE, Gradient, Slots
from convmat.kernels.cpu.weight_gradient.vectors import HEIGHTS, Vectors, apart, correlate

__all__ = ["Lines"]

Array = np.ndarray[Any, np.dtype[Any]]
Triple = tuple[int, int, int]

UNIT, MOST = HEIGHTS[0], HEIGHTS[-1]  # entries at once: a multiple, and at most
IN_CACHE = 1 << 17  # bytes of copies of a block
PARTIAL = 1 << 22  # bytes of sums over parts of the places


class Layout(NamedTuple):
    """A layer, how its places are cut into blocks, and how the padded input of one lies in memory.

    Attributes
    ----------
    in_shape, out_shape : positions along each axis
    parts, groups, channels, outputs : numbers of a number, and of a group
    start, strides : the input that the first tap of place 0 reads, and how far on the next does
    block, counts : places of a block, and how many blocks there are, per axis
    planes : (n0, n1, split, pitch) of a channel, as in `Planes`
    taps : where place 0 reads, by channel and tap; of `height` taps at a time
    blocks, run : of all images, and how many of them are summed by one item
    """

    in_shape: Triple
    out_shape: Triple
    parts: int
    groups: int
    channels: int
    outputs: int
    start: Triple
    strides: Triple
    block: Triple
    counts: Triple
    planes: tuple[int, int, int, int]
    taps: Array
    height: int
    blocks: int
    run: int


class Lines:
    """Where everything lies; of a geometry without inserted zeros (base 1).

    Parameters
    ----------
    geometry : Geometry of at most three axes
    dtype : float32, float64, complex64, complex128, int64 or uint64
    images : int
        The batch.
    """

    def __init__(self, geometry: Geometry, dtype: np.dtype[Any], images: int) -> None:
        self.geometry = geometry
        self.images = images
        self.axes = three_axes(geometry.axes)
        self.parts, self.real = parts_of(dtype)
        self.lanes = VECTOR // self.real.itemsize
        self.outputs, self.channels = (n * self.parts for n in geometry.group_channels)
        entries = self.channels * math.prod(axis.kernel for axis in self.axes)
        tiles = -(-entries // MOST)
        self.height = -(-entries // (tiles * UNIT)) * UNIT
        self.tiles = -(-entries // self.height)
        a0, a1, a2 = self.axes
        self.places: Triple = (a0.n_out, a1.n_out, a2.n_out)
        self.block = self._block()

    def cycles(self) -> float:
        """Estimate the cycles of one thread."""
        planes = self._planes(self.block)
        blocks = math.prod(self._counts()) * self.images * self.geometry.groups
        lines = self.block[0] * self.block[1]
        vectors = lines * -(-self.block[2] // self.lanes)
        copied = self.channels * (math.prod(planes) / 8 + 10 * planes[0] * planes[1])
        tile = 0.75 * self.height * vectors + 6 * self.height
        cycles: float = blocks * (self.outputs * self.tiles * tile + copied + 200)
        return cycles

    def _planes(self, block: Triple) -> tuple[int, int, int, int]:
        """Return (n0, n1, split, pitch) of the inputs of a block, for each channel."""
        n0, n1, n2 = (
            a.stride * (n - 1) + a.dilation * (a.kernel - 1) + 1
            for a, n in zip(self.axes, block, strict=True)
        )
        split = self.axes[2].stride
        return n0, n1, split, -(-n2 // split)

    def _block(self) -> Triple:
        """Return how many places are summed at a time: few enough to stay in cache."""
        block = list(self.places)
        while True:
            now = block[0], block[1], block[2]
            size = self.channels * math.prod(self._planes(now)) + self.outputs * math.prod(now)
            reach = [  # beyond the block, what is copied for its neighbour as well
                n * a.stride > 2 * a.dilation * (a.kernel - 1) and n > 1
                for n, a in zip(block, self.axes, strict=True)
            ]
            if not any(reach) or size * self.real.itemsize <= IN_CACHE:
                return now
            axis = reach.index(True)
            half = -(-block[axis] // 2)
            if axis == AXES - 1:  # a whole number of vectors
                half = -(-half // self.lanes) * self.lanes
            if half == block[axis]:
                return now
            block[axis] = half

    def _counts(self) -> Triple:
        a, b, c = (-(-n // m) for n, m in zip(self.places, self.block, strict=True))
        return a, b, c

    def gradient(self, x: Array, g: Array) -> Array | None:
        """Return the gradient, if it is finite; x (batch, C_in, ...) and g (batch, C_out, ...)."""
        layout, slots = self._tables
        groups, parts = layout.groups, -(-layout.blocks // layout.run)
        partial = np.empty((parts, groups, layout.outputs * len(layout.taps)), self.real)
        weighing = g
        if self.parts == 2:  # complex numbers as two channels
            weighing = np.stack([g.real, g.imag], 2)
        flat_x, flat_g = x.reshape(-1).view(self.real), weighing.reshape(-1).view(self.real)
        arguments = flat_x, flat_g, layout, partial
        together(_lines, arguments, parts * groups, pieces_for(self.seconds))
        sums = partial.sum(0).reshape(-1)
        if not np.isfinite(sums).all():
            return None
        result = Gradient(self.geometry, x.dtype, slots)
        result.write(sums, 0, groups)
        return result.array

    @cached_property
    def seconds(self) -> float:
        """About how long one thread takes."""
        return CYCLE * self.cycles()

    @cached_property
    def _tables(self) -> tuple[Layout, Slots]:
        """How places and reads lie, and results: the same for every call."""
        outputs = np.arange(self.outputs) * (self.tiles * self.height)
        reads = np.arange(self.channels * math.prod(self.geometry.kernel))
        each = self.outputs * self.tiles * self.height
        slots = Slots.of(each, outputs, reads.reshape(self.channels, -1).T)
        groups, planes, (a0, a1, a2) = self.geometry.groups, self._planes(self.block), self.axes
        blocks = self.images * math.prod(self._counts())
        most = max(PARTIAL // (groups * each * self.real.itemsize), 1)
        layout = Layout(
            (a0.n_in, a1.n_in, a2.n_in), self.places, self.parts, groups, self.channels,
            self.outputs, (-a0.pad, -a1.pad, -a2.pad), (a0.stride, a1.stride, a2.stride),
            self.block, self._counts(), planes, self._taps(planes), self.height, blocks,
            -(-blocks // most),
        )  # fmt: skip
        return layout, slots

    def _taps(self, planes: tuple[int, int, int, int]) -> Array:
        """Return where place 0 reads, by channel and tap; the first again, for whole tiles."""
        _, n1, split, pitch = planes
        k = np.indices([axis.kernel for axis in self.axes]).reshape(AXES, -1)
        r0, r1, r2 = (a.dilation * one for a, one in zip(self.axes, k, strict=True))
        inside = (r0 * n1 + r1) * split * pitch + r2 % split * pitch + r2 // split
        channel = np.arange(self.channels)[:, None] * math.prod(planes)
        taps = np.zeros(self.tiles * self.height, np.int64)
        taps[: channel.size * inside.size] = (channel + inside).reshape(-1)
        return taps


@compiled
def _lines(team: int, x: Array, g: Array, layout: Layout, y: Array, first: int, last: int) -> None:
    """Write the sums [first, last) of (some blocks of places, group)."""
    if shared(team):
        return
    (
        in_shape, out_shape, parts, groups, channels, outputs, start, strides, block, counts,
        planes, taps, height, blocks, run,
    ) = layout  # fmt: skip
    lanes, (n0, n1, split, pitch) = VECTOR // x.itemsize, planes
    plane = n0 * n1 * split * pitch
    # Vectors that end behind a line meet numbers there, which zeros in g make no matter.
    memory = np.zeros(channels * plane + 2 * lanes, x.dtype)
    offsets = np.arange(n1) * in_shape[2]
    places = out_shape[0] * out_shape[1] * out_shape[2]
    most = block[0] * block[1] * ((block[2] + lanes - 1) // lanes)
    vectors = Vectors(np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64))
    flat, entries, steps, shape = y.reshape(-1), taps.shape[0], 0, (0, 0, 0)
    for item in range(first, last):
        group = item % groups
        begin = item // groups * run
        flat[item * outputs * entries : (item + 1) * outputs * entries] = 0
        for q in range(begin, min(begin + run, blocks)):
            b2 = q % counts[2] * block[2]
            b1 = q // counts[2] % counts[1] * block[1]
            r = q // (counts[2] * counts[1])
            b0, image = r % counts[0] * block[0], r // counts[0] * groups + group
            now = (
                min(block[0], out_shape[0] - b0),
                min(block[1], out_shape[1] - b1),
                min(block[2], out_shape[2] - b2),
            )
            if now != shape:
                shape, steps = now, _vectors(now, strides, planes, out_shape, lanes, vectors)
            corner = (
                start[0] + strides[0] * b0, start[1] + strides[1] * b1, start[2] + strides[2] * b2
            )  # fmt: skip
            if split * parts == 1:
                _pad(x, in_shape, image * channels, channels, corner, memory, planes, offsets)
            else:
                _split(x, in_shape, parts, image * channels, channels, corner, memory, planes)
            place = (b0 * out_shape[1] + b1) * out_shape[2] + b2
            for o in range(outputs):
                at = (image * outputs + o) * places + place
                for t in range(0, entries, height):
                    to = (item * outputs + o) * entries + t
                    correlate(memory, taps, t, g, at, vectors, steps, flat, to, height)


@inlined
def _vectors(
    shape: Any, strides: Any, planes: Any, out_shape: Any, lanes: int, vectors: Vectors
) -> Any:
    """List the vectors of a block: where they begin in x, in g, and how many places they hold."""
    n, (_, n1, split, pitch) = 0, planes
    for j0 in range(shape[0]):
        for j1 in range(shape[1]):
            line = (j0 * strides[0] * n1 + j1 * strides[1]) * split * pitch
            to = (j0 * out_shape[1] + j1) * out_shape[2]
            for j2 in range(0, shape[2], lanes):
                vectors.x[n] = line + j2
                vectors.g[n] = to + j2
                vectors.lengths[n] = min(lanes, shape[2] - j2)
                n += 1
    return n


@inlined
def _pad(
    x: Array, shape: Any, first: int, channels: int, start: Any, y: Array, planes: Any,
    offsets: Array,
) -> None:  # fmt: skip
    """Copy channels from `first` on into y, in whole vectors, and clear what is not of x."""
    n0, n1, _, pitch = planes
    low = min(max(-start[2], 0), pitch)
    high = max(min(shape[2] - start[2], pitch), low)
    above = min(max(-start[1], 0), n1)
    below = max(min(shape[1] - start[1], n1), above)
    for row in range(channels * n0):
        i0 = row % n0 + start[0]
        to = row * n1 * pitch
        if (i0 < 0) | (i0 >= shape[0]) | (above == below) | (low == high):
            y[to : to + n1 * pitch] = 0
            continue
        line = (first + row // n0) * shape[0] + i0
        source = (line * shape[1] + start[1] + above) * shape[2] + start[2] + low
        count, length, place = below - above, high - low, to + above * pitch
        copy_lines(x, source, offsets, 0, count, y, place + low, pitch, length)
        y[to : place + low] = 0
        for r in range(1, count):
            for j in range(place + (r - 1) * pitch + high, place + r * pitch + low):
                y[j] = 0
        y[place + (count - 1) * pitch + high : to + n1 * pitch] = 0


@inlined
def _split(
    x: Array, shape: Any, parts: int, first: int, channels: int, start: Any, y: Array, planes: Any
) -> None:
    """Do the same where what is side by side in the copy is not so in x."""
    n0, n1, split, pitch = planes
    for h in range(split):
        # position q holds input start + split*q + h
        ahead = start[2] + h
        low = min(max(-(ahead // split), 0), pitch)
        high = min(max((shape[2] - 1 - ahead) // split + 1, low), pitch)
        for plane in range(channels * n0):
            channel, i0 = first + plane // n0, plane % n0 + start[0]
            line = (channel // parts * shape[0] + i0) * shape[1] + start[1]
            from_line = (line * shape[2] + ahead + split * low) * parts + channel % parts
            to = (plane * n1 * split + h) * pitch
            for r1 in range(n1):
                i1 = r1 + start[1]
                inside = (i0 >= 0) & (i0 < shape[0]) & (i1 >= 0) & (i1 < shape[1])
                begin, end = (low, high) if inside else (pitch, pitch)
                for q in range(begin):
                    y[to + q] = 0
                if end > begin:
                    apart(y, to + begin, x, from_line, split * parts, end - begin)
                for q in range(end, pitch):
                    y[to + q] = 0
                to += split * pitch
                from_line += shape[2] * parts
