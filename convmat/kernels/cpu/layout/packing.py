"""Weights in the order in which register tiles read them: several rows side by side."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import as_strided

from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.layout.phases import Phase, parts_of
from convmat.kernels.cpu.threads.pieces import pieces_for
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.sums import ROWS

__all__ = ["COPIED", "SOME", "Chosen", "Order", "Weight", "gather", "pack", "real_weight"]

Array = np.ndarray[Any, np.dtype[Any]]

SOME = 16  # input channels of which all rows are packed, before the next: one may be far away
COPIED = 1e-9  # seconds in which a number is copied


class Weight(NamedTuple):
    """A weight (parts, groups, out, inner, k0, k1, k2) of real numbers, wherever it lies.

    Attributes
    ----------
    memory : read-only array of one axis that holds it
    start : where in the memory its first entry lies
    strides, shape : in numbers, for each axis
    """

    memory: Array
    start: int
    strides: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: Array) -> Weight:
        """Look at the memory of an array, which may be turned around but has no gaps."""
        low, high = byte_bounds(array)
        if high - low != array.nbytes:
            array = np.ascontiguousarray(array)
            low, _ = byte_bounds(array)
        corner = array[tuple(slice(-1, None) if s < 0 else slice(1) for s in array.strides)]
        memory = as_strided(corner, (array.size,), (array.itemsize,), writeable=False)
        strides = tuple(s // array.itemsize for s in array.strides)
        start = (array.__array_interface__["data"][0] - low) // array.itemsize
        return cls(memory, start, strides, array.shape)


class Chosen(NamedTuple):
    """A block of so many rows of a group, and the first of `SOME` input channels."""

    group: int
    block: int
    height: int
    channel: int


class Order(NamedTuple):
    """Where weights are written: the first, those of the next channel, those of the next read."""

    at: int
    per_channel: int
    per_read: int


def real_weight(geometry: Geometry, weight: Array, dtype: np.dtype[Any]) -> Weight:
    """Return a weight (groups, out, inner, *kernel), from `correlation_weight`, as real numbers.

    (a + ib)(x + iy) has the parts ax - by and bx + ay: two rows over two channels.
    """
    groups, out, inner = weight.shape[:3]
    kernel = (1,) * (3 - len(geometry.axes)) + geometry.kernel
    w = weight.astype(dtype, copy=False).reshape(groups, out, inner, *kernel)
    if dtype.kind != "c":
        return Weight.of(w[None].view(parts_of(dtype)[1]))
    both = np.stack([np.stack([w.real, -w.imag], 3), np.stack([w.imag, w.real], 3)])
    return Weight.of(both.reshape(2, groups, out, inner * 2, *kernel))


def pack(weight: Weight, phase: Phase, rows: int = ROWS, memory: Array | None = None) -> Array:
    """Return the weights of a phase as (groups, blocks of rows, reads, rows of a block).

    In the memory, if some of the right size is given.
    """
    blocks, reads = -(-len(phase.rows) // rows), weight.shape[3] * phase.taps_read
    shape = weight.shape[1], blocks, reads, rows
    if memory is None:
        memory = np.empty(math.prod(shape), weight.memory.dtype)
    packed = memory.reshape(shape)
    pieces = pieces_for(COPIED * packed.size)
    items = shape[0] * -(-weight.shape[3] // SOME) * shape[1]
    together(_pack, (weight, phase.taps, packed), items, pieces)
    return packed


@compiled
def _pack(team: int, w: Weight, taps: Any, packed: Array, first: int, last: int) -> None:
    if shared(team):
        return
    w = Weight(*w)
    blocks, height = packed.shape[1], packed.shape[3]
    reads = taps[0].shape[1] * taps[1].shape[1] * taps[2].shape[1]
    flat, size = packed.reshape(-1), packed.shape[2] * height
    begins, offsets = np.empty(height, np.int64), np.empty(reads * height, np.int64)
    chunks = (w.shape[3] + SOME - 1) // SOME
    for item in range(first, last):
        group, channel, block = (
            item // blocks // chunks,
            item // blocks % chunks * SOME,
            item % blocks,
        )
        at = (group * blocks + block) * size + channel * reads * height
        order = Order(at, reads * height, height)
        gather(w, taps, Chosen(group, block, height, channel), begins, offsets, flat, order)


@inlined
def gather(
    w: Weight, taps: Any, chosen: Chosen, begins: Array, offsets: Array, to: Array, order: Order
) -> None:
    """Write a block of rows; row = ((channel, phase along each axis), part).

    Of `SOME` input channels, if there are so many: of the c-th and of read t to the places from
    ``at + c*per_channel + t*per_read`` on. `begins` and `offsets` have room for the rows, and for
    the rows of every read.
    """
    group, block, height, channel = chosen
    taps0, taps1, taps2 = taps
    parts, inner, strides = w.shape[0], w.shape[3], w.strides
    members = len(taps0) * len(taps1) * len(taps2)
    rows = min(height, w.shape[2] * members * parts - block * height)
    reads = taps0.shape[1] * taps1.shape[1] * taps2.shape[1]
    for b in range(rows):
        row = block * height + b
        part, member, out = row % parts, row // parts % members, row // (parts * members)
        begins[b] = w.start + part * strides[0] + group * strides[1] + out * strides[2]
        begins[b] += channel * strides[3]
        via0 = taps0[member // (len(taps1) * len(taps2))]
        via1 = taps1[member // len(taps2) % len(taps1)]
        via2 = taps2[member % len(taps2)]
        t = 0
        for k0 in via0:
            for k1 in via1:
                for k2 in via2:
                    offsets[t * height + b] = k0 * strides[4] + k1 * strides[5] + k2 * strides[6]
                    t += 1
    for c in range(min(SOME, inner - channel)):
        for t in range(reads):
            place = order.at + c * order.per_channel + t * order.per_read
            if rows < height:
                to[place : place + height] = 0
            for b in range(rows):
                to[place + b] = w.memory[begins[b] + offsets[t * height + b]]
        for b in range(rows):
            begins[b] += strides[3]
