"""The entries of a layer whose weights are not zero: counted, and placed without the others.

A weight with few taps in a large window, such as a path of motion, leaves most of the pattern
empty. Each weight that is not zero is followed through the outputs that it meets, so that the
matrix of the whole window is never there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from convmat.geometry.pattern import index_for
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry, solve

__all__ = ["NonzeroEntries"]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]

STRETCH = 1 << 18  # rows at a time, so that what is held beside the matrix stays small


@dataclass(frozen=True)
class NonzeroEntries:
    """A geometry and its weight, of which zeros are left out."""

    record: Geometry
    weight: Array

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the weight."""
        return self.weight.dtype

    @property
    def nnz(self) -> int:
        """Entries in all."""
        return self.before(self.record.shape[0])

    def before(self, row: int) -> int:
        """Return the stored entries of all rows before this one: closed form, nothing is built."""
        axes = self.record.axes
        weights = self._weights().reshape(*self._weights().shape[:2], *self.record.kernel)
        taps = np.count_nonzero(weights, axis=1)  # how many of them each output channel has
        met = [axis.meetings() for axis in axes]
        channel, rest = divmod(row, math.prod(self.record.out_shape[1:]))
        entries = _of_boxes(taps[:channel].sum(0), met)
        for d, axis in enumerate(axes if rest else ()):
            # The outputs before on this axis, at the place of the row on those before it.
            o, rest = divmod(rest, math.prod(later.n_out for later in axes[d + 1 :]))
            before = axis._replace(n_out=o).meetings()
            entries += _of_boxes(taps[channel], [*met[:d], before, *met[d + 1 :]])
            met[d] = axis._replace(n_out=o + 1).meetings() - before
        return entries

    def csr(self, rows: Span) -> tuple[Array, Array, Array]:
        """Return (indptr, indices, data) of the rows [start, stop), canonical."""
        start, stop = rows
        stored = self.before(stop) - self.before(start)
        index = index_for(max(self.nnz, *self.record.shape))
        indptr = np.zeros(stop - start + 1, index)
        indices, data = np.empty(stored, index), np.empty(stored, self.dtype)
        for first, last in self._stretches(rows):
            # Counts, then where each row begins, then up to where it is written.
            upto = np.zeros(last - first + 1, index)
            for row, _, _ in self._placed(first, last):
                upto[row + 1] += 1
            upto[0] = indptr[first - start]
            begin = np.cumsum(upto, out=upto)[:-1].copy()
            indptr[first - start + 1 : last - start + 1] = upto[1:]
            for row, column, value in self._placed(first, last):
                at = begin[row]
                indices[at], data[at] = column, value
                begin[row] = at + 1
        return indptr, indices, data

    def _weights(self) -> Array:
        """Return the weight as (output channel, input channel of its group, flat tap)."""
        out, inner = self.record.out_channels, self.record.group_channels[1]
        return correlation_weight(self.record, self.weight).reshape(out, inner, -1)

    def _stretches(self, rows: Span) -> Iterator[Span]:
        """Cut rows where channels begin; in one that is long, between outputs of its first axis."""
        total, plane = self.record.shape[0], math.prod(self.record.out_shape[1:])
        begins = list(range(0, total, max(STRETCH // plane, 1) * plane))
        if plane > STRETCH:
            unit = plane // self.record.out_shape[1]
            within = range(0, plane, max(STRETCH // unit, 1) * unit)
            begins = [channel + position for channel in begins for position in within]
        for first, last in itertools.pairwise([*begins, total]):
            if max(first, rows[0]) < min(last, rows[1]):
                yield max(first, rows[0]), min(last, rows[1])

    def _placed(self, first: int, last: int) -> Iterator[tuple[Array, Array, Array]]:
        """Yield (row after `first`, column, value) of entries: in each row the columns ascend."""
        record = self.record
        out, inner = record.group_channels
        planes = math.prod(record.out_shape[1:]), math.prod(record.in_shape[1:])
        channels = np.arange(first // planes[0], -(-last // planes[0]))
        weights = self._weights()[channels]
        wanted = [(0, axis.n_out) for axis in record.axes]
        if len(channels) == 1:
            unit = planes[0] // record.axes[0].n_out
            wanted[0] = first % planes[0] // unit, (last - 1) % planes[0] // unit + 1
        for b in range(inner):
            for tap in np.flatnonzero((weights[:, b] != 0).any(0)):
                met = np.flatnonzero(weights[:, b, tap] != 0)
                channel = channels[met][:, None]
                outputs, inputs = self._along(int(tap), wanted)
                row = (channel * planes[0] + outputs - first).ravel()
                column = ((channel // out * inner + b) * planes[1] + inputs).ravel()
                value = np.repeat(weights[met, b, tap], outputs.size)
                if len(row) and (row[0] < 0 or row[-1] >= last - first):
                    inside = (row >= 0) & (row < last - first)
                    row, column, value = row[inside], column[inside], value[inside]
                yield row, column, value

    def _along(self, tap: int, wanted: list[Span]) -> tuple[Array, Array]:
        """Return the flat outputs in a box that a tap meets, and the flat inputs it reads there."""
        outputs = inputs = np.zeros(1, np.int64)
        taps = np.unravel_index(tap, self.record.kernel)
        for axis, k, (low, high) in zip(self.record.axes, taps, wanted, strict=True):
            line = axis.outputs()
            begin, start, length = (int(n) for n in solve(line, axis.dilation * k - axis.pad))
            skipped = min(max(-(-(low - begin) // line.period), 0), length)
            step = np.arange(skipped, min(max(-(-(high - begin) // line.period), 0), length))
            outputs = np.add.outer(outputs * axis.n_out, begin + line.period * step).ravel()
            inputs = np.add.outer(inputs * axis.n_in, start + line.advance * step).ravel()
        return outputs, inputs


def _of_boxes(taps: Array, met: list[Array]) -> int:
    """Return the entries of outputs that each tap meets `met` times along each axis."""
    return int((taps * reduce(np.multiply.outer, met)).sum())
