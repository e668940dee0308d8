"""The way of sums that make up a weight gradient into the weight's own layout."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.layout.phases import parts_of
from convmat.kernels.cpu.threads.pieces import pieces_for
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.weight_gradient.vectors import spread

__all__ = ["CYCLE", "Gradient", "Slots"]

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 16  # output channels
CYCLE = 2.5e-10  # seconds, about
STORED = 1e-9  # seconds in which a number is stored
TAP, CHANNEL, COUNT, PLACE = range(4)  # columns of `Slots.runs`


class Slots(NamedTuple):
    """Where sums of real numbers are.

    The output channels of a group, or as many of them as `outputs` has, are a unit. The sum for
    (unit, output, tap, channel) is at ``unit*size + outputs[output] + reads[tap, channel]``,
    where real and imaginary part count as outputs and channels of their own. Of `runs` each is the
    tap and the first of so many channels whose sums are `pitch` apart, and where they begin.
    """

    size: int
    outputs: Array
    reads: Array
    runs: Array
    pitch: int

    @classmethod
    def of(cls, size: int, outputs: Array, reads: Array) -> Slots:
        """Find the runs, and bring them into the order of channels."""
        reads = np.ascontiguousarray(reads)
        pitch = int(reads[0, 1] - reads[0, 0]) if reads.shape[1] > 1 else 1
        begins = np.ones(reads.shape, np.bool_)
        begins[:, 1:] = np.diff(reads) != pitch
        tap, channel = np.nonzero(begins)
        flat = np.append(tap * reads.shape[1] + channel, reads.size)
        runs = np.stack([tap, channel, np.diff(flat), reads[tap, channel]], 1)
        return cls(size, outputs, reads, runs[np.argsort(channel, kind="stable")], pitch)


class Layout(NamedTuple):
    """Where the weight has its entries, of which a group has so many units of output channels.

    An entry is as far from the one with all indices 0 as `strides` of its group, output and input
    channel say, and `taps`.
    """

    begin: int
    strides: tuple[int, int, int]
    taps: Array
    outputs: int
    units: int


class Gradient:
    """A gradient in the layout of the weight, which is written unit by unit."""

    def __init__(self, geometry: Geometry, dtype: np.dtype[Any], slots: Slots) -> None:
        self.geometry = geometry
        self.slots = slots
        self.parts, real = parts_of(dtype)
        self.array = np.empty(geometry.weight_shape, dtype)
        self.flat = self.array.reshape(-1).view(real)
        self.each = len(slots.outputs) // self.parts  # output channels of a unit

    def write(self, sums: Array, first: int, units: int) -> None:
        """Write so many units from the first on, of which these are the sums."""
        blocks = units * -(-self.each // BLOCK)
        pieces = pieces_for(STORED * units * self.each * self.slots.reads.size)
        arguments = sums, self.slots, self.flat, _layout(self.geometry, self.each), first
        together(_store if self.parts == 1 else _combine, arguments, blocks, pieces)


@lru_cache(maxsize=256)
def _layout(geometry: Geometry, each: int) -> Layout:
    """Look at the layout of a weight, with so many output channels in a unit."""
    weight = np.empty(geometry.weight_shape, np.int8)
    view = correlation_weight(geometry, weight)
    begin = view.__array_interface__["data"][0] - weight.ctypes.data
    group, out, inner, *steps = view.strides
    taps = np.tensordot(steps, np.indices(geometry.kernel), 1).reshape(-1)
    outputs = geometry.group_channels[0]
    return Layout(begin, (group, out, inner), taps, outputs, -(-outputs // each))


@compiled
def _store(
    team: int,
    sums: Array,
    slots: Slots,
    y: Array,
    layout: Layout,
    ahead: int,
    first: int,
    last: int,
) -> None:
    """Write some blocks [first, last) of the output channels of units from `ahead` on."""
    if shared(team):
        return
    size, outputs, _, runs, pitch = slots
    begin, strides, taps, channels, units = layout
    each = outputs.shape[0]
    blocks = (each + BLOCK - 1) // BLOCK
    for item in range(first, last):
        unit, some = item // blocks, item % blocks * BLOCK
        group, before = (ahead + unit) // units, (ahead + unit) % units * each
        here = begin + group * strides[0] + before * strides[1]
        for run in range(runs.shape[0]):
            tap, channel, count = runs[run, TAP], runs[run, CHANNEL], runs[run, COUNT]
            for o in range(some, min(some + BLOCK, each, channels - before)):
                to = here + o * strides[1] + channel * strides[2] + taps[tap]
                at = unit * size + outputs[o] + runs[run, PLACE]
                spread(y, to, strides[2], sums, at, pitch, count)


@compiled
def _combine(
    team: int,
    sums: Array,
    slots: Slots,
    y: Array,
    layout: Layout,
    ahead: int,
    first: int,
    last: int,
) -> None:
    """Do the same for complex numbers, from the products of their parts."""
    if shared(team):
        return
    size, outputs, reads, _, _ = slots
    begin, strides, taps, channels, units = layout
    each = outputs.shape[0] // 2
    blocks = (each + BLOCK - 1) // BLOCK
    for item in range(first, last):
        unit, some = item // blocks, item % blocks * BLOCK
        group, before = (ahead + unit) // units, (ahead + unit) % units * each
        here = begin + group * strides[0] + before * strides[1]
        for o in range(some, min(some + BLOCK, each, channels - before)):
            real, imaginary = unit * size + outputs[2 * o], unit * size + outputs[2 * o + 1]
            for k in range(taps.shape[0]):
                to = here + o * strides[1] + taps[k]
                for c in range(reads.shape[1] // 2):
                    x_real, x_imaginary = reads[k, 2 * c], reads[k, 2 * c + 1]
                    place = 2 * (to + c * strides[2])
                    y[place] = sums[real + x_real] - sums[imaginary + x_imaginary]
                    y[place + 1] = sums[real + x_imaginary] + sums[imaginary + x_real]
