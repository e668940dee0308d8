"""Copy inputs with their padding, so that every read of a kernel is a plain vector.

Along the last axis inputs that are `split` apart stand side by side: what a strided window reads
for consecutive outputs is consecutive. Zeros are written wherever a window reaches beyond the
input; complex numbers become two channels, real and imaginary parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.layout.phases import AXES, Phase
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.vectors.copies import clear, copy, separate

__all__ = ["OF_GROUP", "Planes", "fill", "pad"]

Array = np.ndarray[Any, np.dtype[Any]]

OF_GROUP = 3  # of `Planes.lines`, behind those of the axes


@dataclass(frozen=True)
class Planes:
    """How padded copies of the channels of a group lie in memory.

    Attributes
    ----------
    low : how far the copy begins before the input, per axis
    shape : (n0, n1, split, pitch) of a channel
    lines : int64 array (4,)
        How far to move in the copy for a place j along each axis, and for a group.
    offsets : for each phase, int64 (channels of a group * reads)
        Where in the copy each of its reads lies, for place 0.
    """

    low: tuple[int, int, int]
    shape: tuple[int, int, int, int]
    lines: Array
    offsets: tuple[Array, ...]

    @property
    def channel(self) -> int:
        """Elements of a channel."""
        return math.prod(self.shape)

    @classmethod
    def of(
        cls,
        found: Sequence[Phase],
        boxes: list[tuple[int, int, int]],
        channels: int,
    ) -> Planes:
        """Lay out what the phases read at places below `boxes`, of so many channels in a group."""
        low, size = [], []
        for d in range(AXES):
            read = [(p.reads[d], box[d]) for p, box in zip(found, boxes, strict=True)]
            read = [(reads, places) for reads, places in read if len(reads)]
            advance = found[0].places.advance[d]
            low.append(max([0, *(-int(reads[0]) for reads, _ in read)]))
            last = max([0, *(int(reads[-1]) + advance * (n - 1) for reads, n in read)])
            size.append(low[d] + max(last, 0) + 1)
        split = found[0].places.advance[2]
        pitch = -(-size[2] // split)
        line = split * pitch
        channel = size[0] * size[1] * line
        advance0, advance1, _ = found[0].places.advance
        lines = np.array([advance0 * size[1] * line, advance1 * line, 1, channels * channel])
        offsets = []
        for phase in found:
            at0, at1, at2 = (r + before for r, before in zip(phase.reads, low, strict=True))
            inside = (
                (np.arange(channels) * channel)[:, None, None, None]
                + (at0 * size[1] * line)[:, None, None]
                + (at1 * line)[:, None]
                + at2 % split * pitch
                + at2 // split
            )
            offsets.append(np.ascontiguousarray(inside.reshape(-1)))
        return cls(
            (low[0], low[1], low[2]), (size[0], size[1], split, pitch), lines, tuple(offsets)
        )


@compiled
def pad(
    team: int, x: Array, shape: Any, parts: int, start: Any, planes: Array, first: int, last: int
) -> None:
    """Write whole padded copies of the channels [first, last) of x; see `fill`."""
    if shared(team):
        return
    some = planes[first * parts : last * parts]
    fill(x, shape, parts, first, last - first, start, some, planes.shape[1:3])


@compiled
def fill(
    x: Array,
    shape: Any,
    parts: int,
    first: int,
    count: int,
    start: Any,
    planes: Array,
    stretch: Any,
) -> None:
    """Copy channels [first, first + count) of x into planes, from input `start` on.

    x is flat, of channels of `shape`, each number of so many `parts`; planes is
    (channels * parts, n0, n1, split, pitch), of which `stretch` = (n0, n1) are wanted.
    """
    if planes.shape[3] * parts == 1:
        _fill_whole(x, shape, first, count, start, planes, stretch)
    else:
        _fill_parts(x, shape, parts, first, count, start, planes, stretch)


@compiled
def _fill_whole(
    x: Array, shape: Any, first: int, count: int, start: Any, planes: Array, stretch: Any
) -> None:
    """Copy lines as they are, with zeros around them."""
    n0, n1, n2 = shape
    flat, pitch = planes.reshape(-1), planes.shape[4]
    low = min(max(-start[2], 0), pitch)
    high = min(max(n2 - start[2], low), pitch)
    for plane in range(count):
        for r0 in range(stretch[0]):
            i0 = r0 + start[0]
            for r1 in range(stretch[1]):
                i1 = r1 + start[1]
                to = ((plane * planes.shape[1] + r0) * planes.shape[2] + r1) * pitch
                if (i0 < 0) | (i0 >= n0) | (i1 < 0) | (i1 >= n1):
                    clear(flat, to, pitch)
                    continue
                line = (((first + plane) * n0 + i0) * n1 + i1) * n2 + start[2]
                clear(flat, to, low)
                copy(flat, to + low, x, line + low, high - low)
                clear(flat, to + high, pitch - high)


@compiled
def _fill_parts(
    x: Array, shape: Any, parts: int, first: int, count: int, start: Any, planes: Array,
    stretch: Any,
) -> None:  # fmt: skip
    """Copy the parts of lines: inputs that are `split` apart, and parts of complex numbers."""
    n0, n1, n2 = shape
    split, pitch = planes.shape[3], planes.shape[4]
    flat = planes.reshape(-1)
    # Place q of part h of a line holds input start + split*q + h, if there is such an input.
    low, high = np.empty(split, np.int64), np.empty(split, np.int64)
    most, least = 0, pitch
    for h in range(split):
        ahead = start[2] + h
        low[h] = min(max(-(ahead // split), 0), pitch)
        high[h] = min(max((n2 - 1 - ahead) // split + 1, low[h]), pitch)
        most, least = max(most, low[h]), min(least, high[h])
    apart = (split == 2) | (split == 4) | (split == 8)  # as in `SIDE_BY_SIDE`
    together = apart & (parts == 1) & (least > most)
    common = (most, least) if together else (pitch, pitch)  # places that are copied together
    for plane in range(count * parts):
        channel, part = first + plane // parts, plane % parts
        for r0 in range(stretch[0]):
            i0 = r0 + start[0]
            for r1 in range(stretch[1]):
                i1 = r1 + start[1]
                to = ((plane * planes.shape[1] + r0) * planes.shape[2] + r1) * split * pitch
                if (i0 < 0) | (i0 >= n0) | (i1 < 0) | (i1 >= n1):
                    clear(flat, to, split * pitch)
                else:
                    line = ((channel * n0 + i0) * n1 + i1) * n2 + start[2]
                    _fill_line(x, line, parts, part, flat, to, pitch, low, high, common)


@inlined
def _fill_line(
    x: Array, line: int, parts: int, part: int, y: Array, to: int, pitch: int, low: Array,
    high: Array, common: tuple[int, int],
) -> None:  # fmt: skip
    split, (first, last) = len(low), common
    if first < last:
        separate(y, to + first, pitch, x, line + split * first, last - first, split)
    for h in range(split):
        place, source = to + h * pitch, line + h
        for q in range(low[h]):
            y[place + q] = 0
        for q in range(low[h], min(first, high[h])):
            y[place + q] = x[(source + split * q) * parts + part]
        for q in range(max(last, low[h]), high[h]):
            y[place + q] = x[(source + split * q) * parts + part]
        for q in range(high[h], pitch):
            y[place + q] = 0
