"""The weight gradient of layers with few channels in a group, along the lines of places.

A block of input and output gradient is copied to memory that stays in cache, with padding so
that a place has the same distance to all that it reads. Each entry of the gradient is then a sum
over whole vectors of places; up to twelve of them are kept in registers.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

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
from convmat.kernels.cpu.weight_gradient.vectors import apart, correlate

__all__ = ["Lines"]

Array = np.ndarray[Any, np.dtype[Any]]
Triple = tuple[int, int, int]

MOST = 12  # entries at once, of which there is machine code for multiples of
UNIT = 3
IN_CACHE = 1 << 17  # bytes of copies of a block
PARTIAL = 1 << 22  # bytes of sums over parts of the places


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
        groups, planes = self.geometry.groups, self._planes(self.block)
        taps, slots, start, strides = self._tables
        entries = self.outputs * self.tiles * self.height
        blocks = self.images * math.prod(self._counts())
        most = max(PARTIAL // (groups * entries * self.real.itemsize), 1)
        run = -(-blocks // most)
        parts = -(-blocks // run)
        partial = np.empty((parts, groups, entries), self.real)
        weighing = g
        if self.parts == 2:  # complex numbers as two channels
            weighing = np.stack([g.real, g.imag], 2)
        flat_x, flat_g = x.reshape(-1).view(self.real), weighing.reshape(-1).view(self.real)
        in_shape = tuple(axis.n_in for axis in self.axes)
        arguments = (
            flat_x, flat_g, in_shape, self.places, self.parts, groups, self.channels,
            self.outputs, start, strides, self.block, self._counts(), planes, taps, self.height,
            blocks, run, partial,
        )  # fmt: skip
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
    def _tables(self) -> tuple[Array, Slots, Any, Any]:
        """Where reads and results lie, and how places move: the same for every call."""
        outputs = np.arange(self.outputs) * (self.tiles * self.height)
        reads = np.arange(self.channels * math.prod(self.geometry.kernel))
        each = self.outputs * self.tiles * self.height
        slots = Slots.of(each, outputs, reads.reshape(self.channels, -1).T)
        start = tuple(-axis.pad for axis in self.axes)
        strides = tuple(axis.stride for axis in self.axes)
        return self._taps(self._planes(self.block)), slots, start, strides

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
def _lines(
    team: int, x: Array, g: Array, in_shape: Any, out_shape: Any, parts: int, groups: int,
    channels: int, outputs: int, start: Any, strides: Any, block: Any, counts: Any, planes: Any,
    taps: Array, height: int, blocks: int, run: int, y: Array, first: int, last: int,
) -> None:  # fmt: skip
    """Write the sums [first, last) of (some blocks of places, group)."""
    if shared(team):
        return
    lanes = VECTOR // x.itemsize
    plane = planes[0] * planes[1] * planes[2] * planes[3]
    # Vectors that end behind a line meet numbers there, which zeros in g make no matter.
    memory = np.zeros(channels * plane + 2 * lanes, x.dtype)
    offsets = np.arange(planes[1]) * in_shape[2]
    places = out_shape[0] * out_shape[1] * out_shape[2]
    most = block[0] * block[1] * ((block[2] + lanes - 1) // lanes)
    vectors = np.empty((3, most), np.int64)  # where they begin in x and g, and their lengths
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
            if planes[2] * parts == 1:
                _pad(x, in_shape, image * channels, channels, corner, memory, planes, offsets)
            else:
                _split(x, in_shape, parts, image * channels, channels, corner, memory, planes)
            place = (b0 * out_shape[1] + b1) * out_shape[2] + b2
            for o in range(outputs):
                at = (image * outputs + o) * places + place
                for t in range(0, entries, height):
                    to = (item * outputs + o) * entries + t
                    if height == 3:
                        correlate(memory, 0, vectors[0], taps, t, g, at, vectors[1], vectors[2],
                                  steps, flat, to, 3)  # fmt: skip
                    elif height == 6:
                        correlate(memory, 0, vectors[0], taps, t, g, at, vectors[1], vectors[2],
                                  steps, flat, to, 6)  # fmt: skip
                    elif height == 9:
                        correlate(memory, 0, vectors[0], taps, t, g, at, vectors[1], vectors[2],
                                  steps, flat, to, 9)  # fmt: skip
                    else:
                        correlate(memory, 0, vectors[0], taps, t, g, at, vectors[1], vectors[2],
                                  steps, flat, to, 12)  # fmt: skip


@inlined
def _vectors(
    shape: Any, strides: Any, planes: Any, out_shape: Any, lanes: int, vectors: Array
) -> Any:
    """List the vectors of a block: where they begin in x, in g, and how many places they hold."""
    n = 0
    for j0 in range(shape[0]):
        for j1 in range(shape[1]):
            line = (j0 * strides[0] * planes[1] + j1 * strides[1]) * planes[2] * planes[3]
            to = (j0 * out_shape[1] + j1) * out_shape[2]
            for j2 in range(0, shape[2], lanes):
                vectors[0, n] = line + j2
                vectors[1, n] = to + j2
                vectors[2, n] = min(lanes, shape[2] - j2)
                n += 1
    return n


@inlined
def _pad(
    x: Array, shape: Any, first: int, channels: int, start: Any, y: Array, planes: Any,
    offsets: Array,
) -> None:  # fmt: skip
    """Copy channels from `first` on into y, in whole vectors, and clear what is not of x."""
    n1, pitch = planes[1], planes[3]
    low = min(max(-start[2], 0), pitch)
    high = max(min(shape[2] - start[2], pitch), low)
    above = min(max(-start[1], 0), n1)
    below = max(min(shape[1] - start[1], n1), above)
    for row in range(channels * planes[0]):
        i0 = row % planes[0] + start[0]
        to = row * n1 * pitch
        if (i0 < 0) | (i0 >= shape[0]) | (above == below) | (low == high):
            y[to : to + n1 * pitch] = 0
            continue
        line = (first + row // planes[0]) * shape[0] + i0
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
    split, pitch = planes[2], planes[3]
    for h in range(split):
        # position q holds input start + split*q + h
        ahead = start[2] + h
        low = min(max(-(ahead // split), 0), pitch)
        high = min(max((shape[2] - 1 - ahead) // split + 1, low), pitch)
        for plane in range(channels * planes[0]):
            channel, i0 = first + plane // planes[0], plane % planes[0] + start[0]
            line = (channel // parts * shape[0] + i0) * shape[1] + start[1]
            from_line = (line * shape[2] + ahead + split * low) * parts + channel % parts
            to = (plane * planes[1] * split + h) * pitch
            for r1 in range(planes[1]):
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
