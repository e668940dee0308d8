"""Convolution and transposed convolution restated literally, on index arrays.

An array holds at each place the number of the input that stands there, or -1 for a zero that was
inserted or padded. Stretching, padding and reading windows of such arrays gives every entry of
the matrix. Nothing here uses `Window`, its transpose, or the builders: it is what they are
compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "Channels",
    "Options",
    "convolution_entries",
    "convolution_inputs",
    "transposed_entries",
    "transposed_inputs",
]

# Indexed by tuples of slices, which NumPy's types do not follow through unpacking.
IntArray = Any


class Options(NamedTuple):
    """One axis in the words of frameworks; symbols as in `theorems`."""

    n: int
    m: int
    k: int
    s: int
    d: int
    p0: int
    p1: int
    a: int

    @classmethod
    def choose(cls, n: int, m: int, k: int, s: int, d: int, p0: int) -> Options:
        """Add a high padding and an output padding that give these sizes.

        Only p1 - a is determined: ``n = s(m-1) + d(k-1) + 1 - p0 - p1 + a``. Equal paddings are
        chosen where 0 <= a < s allows them, else the least a with a p1 that is not negative.
        """
        rest = s * (m - 1) + d * (k - 1) + 1 - p0 - n
        a = p0 - rest if 0 <= p0 - rest < s and p0 >= 0 else max(0, -rest)
        return cls(n, m, k, s, d, p0, rest + a, a)


class Channels(NamedTuple):
    """Groups, and channels of one group at the convolution's output and input."""

    groups: int
    out: int
    inner: int


def convolution_inputs(axis: Options) -> Callable[[IntArray, IntArray], IntArray]:
    """Pad, then read windows at stride s: a function to the input of (output, tap), or -1.

    Memory: the padded line of n + p0 + p1 numbers.
    """
    line = _pad(np.arange(axis.n), 0, axis.p0, axis.p1)
    return lambda output, tap: line[axis.s * output + axis.d * tap]


def transposed_inputs(axis: Options) -> Callable[[IntArray, IntArray], IntArray]:
    """Insert zeros, pad, read windows: the same for taps of the flipped kernel.

    Memory: the stretched and padded line of n + d(k-1) numbers, twice.
    """
    line = _stretch_and_pad(np.arange(axis.m), (axis,))
    return lambda output, tap: line[output + axis.d * tap]


def convolution_entries(
    axes: Sequence[Options], channels: Channels
) -> tuple[IntArray, IntArray, IntArray]:
    """Return (indptr, indices, slot) of the N-D convolution's matrix."""
    groups, out, inner = channels
    place = _numbers(groups, inner, *(a.n for a in axes))
    for d, axis in enumerate(axes):
        place = _pad(place, d + 2, axis.p0, axis.p1)
    rows = _numbers(groups, out, *(a.m for a in axes))
    weight = _numbers(groups, out, inner, *(a.k for a in axes))

    def entries() -> Iterator[tuple[IntArray, IntArray, IntArray]]:
        for tap in np.ndindex(*(a.k for a in axes)):
            starts = [a.d * t for a, t in zip(axes, tap, strict=True)]
            read = tuple(
                slice(start, start + a.s * (a.m - 1) + 1, a.s)
                for a, start in zip(axes, starts, strict=True)
            )
            yield rows, place[(..., *read)], weight[(..., *tap)]

    return _compress(entries(), rows.size)


def transposed_entries(
    axes: Sequence[Options], channels: Channels
) -> tuple[IntArray, IntArray, IntArray]:
    """Return (indptr, indices, slot) of the N-D transposed convolution's matrix."""
    groups, out, inner = channels
    place = _stretch_and_pad(_numbers(groups, out, *(a.m for a in axes)), axes)
    rows = _numbers(groups, inner, *(a.n for a in axes))
    weight = _numbers(groups, out, inner, *(a.k for a in axes)).swapaxes(1, 2)

    def entries() -> Iterator[tuple[IntArray, IntArray, IntArray]]:
        for flip in np.ndindex(*(a.k for a in axes)):
            read = tuple(slice(a.d * f, a.d * f + a.n) for a, f in zip(axes, flip, strict=True))
            tap = tuple(a.k - 1 - f for a, f in zip(axes, flip, strict=True))
            yield rows, place[(..., *read)], weight[(..., *tap)]

    return _compress(entries(), rows.size)


def _numbers(*shape: int) -> IntArray:
    return np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape)


def _stretch_and_pad(place: IntArray, axes: Sequence[Options]) -> IntArray:
    """Insert s - 1 zeros between neighbours on the last axes, then pad for a flipped kernel."""
    first = place.ndim - len(axes)
    sizes = [a.s * (a.m - 1) + 1 for a in axes]
    stretched: IntArray = np.full((*place.shape[:first], *sizes), -1, np.int64)
    stretched[(..., *(slice(None, None, a.s) for a in axes))] = place
    for d, a in enumerate(axes, first):
        stretched = _pad(stretched, d, a.d * (a.k - 1) - a.p0, a.d * (a.k - 1) - a.p1 + a.a)
    return stretched


def _pad(place: IntArray, axis: int, low: int, high: int) -> IntArray:
    """Add -1 at both ends of an axis; a negative amount crops."""
    size = place.shape[axis]
    shape = list(place.shape)
    shape[axis] = max(0, size + low + high)
    padded: IntArray = np.full(shape, -1, np.int64)
    start, stop = max(0, -low), min(size, size + high)
    if start < stop:
        before = (slice(None),) * axis
        kept = place[(*before, slice(start, stop))]
        padded[(*before, slice(start + low, stop + low))] = kept
    return padded


def _compress(
    entries: Iterator[tuple[IntArray, IntArray, IntArray]], count: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Sort (rows, columns, slots), given per tap by group and channels, into CSR arrays."""
    found = []
    for rows, columns, slots in entries:
        spread = slots.reshape(*slots.shape, *[1] * (rows.ndim - 2))
        grid = np.broadcast_arrays(rows[:, :, None], columns[:, None], spread)
        inside = grid[1] >= 0
        found.append([part[inside] for part in grid])
    row, column, slot = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((column, row))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=count))])
    return indptr, column[order], slot[order]
