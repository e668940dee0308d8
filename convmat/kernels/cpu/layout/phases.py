"""Split a layer into phases: outputs that read the same taps, a fixed step apart.

Of ``base*i = stride*o + dilation*k - pad`` the outputs ``o = first + period*j`` meet the same
taps, and read the inputs ``i = read + advance*j``. A convolution has one phase; a transposed
convolution one for each residue of its stride, and no phase ever multiplies by an inserted zero.
Along an axis of a single input there is one for what meets it, and one for what does not.
Phases with the very same reads are handled as further channels of one another: of a transposed
convolution whose windows do not overlap that is all of them.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from convmat.geometry.window import Geometry, Window

__all__ = [
    "AXES",
    "COUNT0",
    "COUNT1",
    "COUNT2",
    "FIRST",
    "INTERLEAVED",
    "Phase",
    "Places",
    "parts_of",
    "phases",
    "three_axes",
]

Array = np.ndarray[Any, np.dtype[Any]]
Triple = tuple[int, int, int]

FIRST, COUNT0, COUNT1, COUNT2, INTERLEAVED = range(5)  # columns of `Phase.rows`

AXES = 3  # the kernels have loops over three; shorter layers get axes of size one in front
STEPS = (2, 4, 8)  # of outputs that can be interleaved: `SIDE_BY_SIDE`, which needs a compiler
POINT = Window(1, 1, 1, 1, 1, 1, 0)


class Places(NamedTuple):
    """A box of places j = (j0, j1, j2), and how far inputs and outputs move from one to the next.

    A `NamedTuple` of integers, because Numba accepts those as arguments. Outputs are counted in
    elements.
    """

    box: Triple
    advance: Triple
    steps: Triple


@dataclass(frozen=True, eq=False)
class Phase:
    """Outputs that read the same inputs, relative to their own place.

    The *rows* are what is computed at each place: output channels of a group, for every phase
    that is merged into this one, and for complex numbers real and imaginary part.

    Attributes
    ----------
    places : Places
    reads : per axis, the inputs that place 0 reads, ascending; they may lie outside the input
    taps : per axis, int64 (merged phases, reads), through which tap
    rows : int64 (rows, 5)
        First output, in elements of the group's outputs, places along the axes, and how many
        rows from this one on fill each other's gaps: 1, 2, 4 or 8.
    """

    places: Places
    reads: tuple[Array, Array, Array]
    taps: tuple[Array, Array, Array]
    rows: Array

    @cached_property
    def taps_read(self) -> int:
        """Inputs read of each channel at a place."""
        return math.prod(len(reads) for reads in self.reads)

    @property
    def in_lines(self) -> bool:
        """Whether there is one row, and its outputs lie side by side."""
        return len(self.rows) == 1 and self.places.steps[2] == 1 and self.taps_read > 0

    @property
    def rows_apart(self) -> int:
        """Rows whose outputs can only be written one by one."""
        step = self.places.steps[2]
        written = int(np.count_nonzero(self.rows[:, INTERLEAVED] > 1))
        return 0 if step == 1 else len(self.rows) - step * written


class _Part(NamedTuple):
    """Phases of one axis that are merged."""

    firsts: tuple[int, ...]
    counts: tuple[int, ...]
    reads: Array
    taps: Array


def three_axes(axes: tuple[Window, ...]) -> tuple[Window, ...]:
    """Put points in front: a layer along fewer axes is one along three."""
    return (POINT,) * (AXES - len(axes)) + axes


@cache
def parts_of(dtype: np.dtype[Any]) -> tuple[int, np.dtype[Any]]:
    """Return how many real numbers a number has, and their dtype: kernels know no others.

    Sums and products of int64 have the bits of those of uint64, so that one kernel serves both.
    """
    if dtype == np.uint64:
        return 1, np.dtype(np.int64)
    return (2, np.dtype(f"f{dtype.itemsize // 2}")) if dtype.kind == "c" else (1, dtype)


@lru_cache(maxsize=256)
def phases(geometry: Geometry, parts: int = 1) -> tuple[Phase, ...]:
    """Return the phases of a layer of at most three axes; `parts` is 2 for complex numbers."""
    axes = three_axes(geometry.axes)
    periods = [_period(axis) for axis in axes]
    sizes = [axis.n_out for axis in axes]
    elements = [parts * math.prod(sizes[d + 1 :]) for d in range(AXES)]
    advance: Any = tuple(axis.stride // math.gcd(axis.stride, axis.base) for axis in axes)
    steps: Any = tuple(period * element for period, element in zip(periods, elements, strict=True))
    channel = parts * math.prod(sizes)
    found = []
    for chosen in itertools.product(*(_parts(axis) for axis in axes)):
        firsts = _product([one.firsts for one in chosen])
        counts = _product([one.counts for one in chosen])
        starts = (
            channel * np.arange(geometry.group_channels[0])[:, None, None]
            + (firsts @ np.array(elements))[:, None]
            + np.arange(parts)
        )
        members = np.repeat(np.tile(counts, (geometry.group_channels[0], 1)), parts, axis=0)
        rows = np.column_stack([starts.reshape(-1), members])
        box: Any = tuple(max(one.counts) for one in chosen)
        reads: Any
        taps: Any
        reads, taps = zip(*((one.reads, one.taps) for one in chosen), strict=True)
        places = Places(box, advance, steps)
        found.append(Phase(places, reads, taps, _interleaved(rows, steps[2])))
    return tuple(found)


def _interleaved(rows: Array, step: int) -> Array:
    """Add to rows (first, places...) how many of them lie side by side, as far as they go."""
    number = np.ones(len(rows), np.int64)
    if step in STEPS and len(rows) >= step:
        moved = rows.copy()
        moved[:, FIRST] -= np.arange(len(rows))
        alike: Array = np.all(moved[1:] == moved[:-1], axis=1)  # as the row before, one further on
        together: Array = np.all(sliding_window_view(alike, step - 1), axis=1)
        number[: len(together)][together] = step
    return np.column_stack([rows, number])


def _product(choices: list[tuple[int, ...]]) -> Array:
    """Return all combinations, the last axis fastest, as rows."""
    grid = np.meshgrid(*(np.array(one, np.int64) for one in choices), indexing="ij")
    return np.stack(grid, -1).reshape(-1, len(choices))


def _period(axis: Window) -> int:
    """Return how far apart outputs of one phase are.

    Where outputs, no more than there are taps, read a single input, each is a phase of its own,
    and those that meet it are merged into one.
    """
    single = _single(axis)
    return int(max(axis.n_out, 1) if single else axis.base // math.gcd(axis.stride, axis.base))


def _single(axis: Window) -> bool:
    """Say whether outputs that read an axis of one input are merged."""
    return bool(axis.n_in == 1 and axis.n_out <= axis.kernel)


def _parts(axis: Window) -> list[_Part]:
    """Return the phases of an axis, those with the same reads as one."""
    period = _period(axis)
    merged: dict[tuple[int, ...], list[tuple[int, list[int]]]] = {}
    for first in range(min(period, axis.n_out)):
        met = [
            (numerator // axis.base, k)
            for k in range(axis.kernel)
            if (numerator := axis.stride * first + axis.dilation * k - axis.pad) % axis.base == 0
            and (numerator == 0 or not _single(axis))
        ]
        reads = tuple(read for read, _ in met)
        merged.setdefault(reads, []).append((first, [k for _, k in met]))
    return [
        _Part(
            tuple(first for first, _ in members),
            tuple(-(-(axis.n_out - first) // period) for first, _ in members),
            np.array(reads, np.int64),
            np.array([taps for _, taps in members], np.int64).reshape(len(members), len(reads)),
        )
        for reads, members in merged.items()
    ]
