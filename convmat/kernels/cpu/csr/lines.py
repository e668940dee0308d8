"""A geometry cut into lines, most of which are copies of a few templates.

The output positions along the last axis are cut into blocks of rows. A *line* is one block of
one output channel at one position of the other axes. Along an axis, all positions whose window
lies inside the input look alike up to a shift (with base > 1: all those of one phase), so most
lines are a *template*, the column indices of one such line, plus a constant; their values are
one row of weights repeated. Lines at the boundary get templates of their own when they recur,
and are composed on the spot when they do not.

Where a line begins in the arrays is a closed form of prefix sums per axis, so there is no
counting pass, and any thread can write any line.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from convmat.geometry.pattern import index_dtype
from convmat.geometry.window import Geometry, Progression, Window
from convmat.kernels.compiling import as_progression, as_window, compiled, solve

__all__ = ["Tables", "Templates", "compose", "locate", "make_tables", "make_templates"]

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 2048  # entries of a line, so that a template stays in the first-level cache
COMBINATIONS = 1 << 14  # of the classes of all axes: each has a place in a table
KEPT = 32  # boundary classes per axis that may have a template
RECURRING = 4  # a template must serve this many lines of each channel
LEAST_ENTRIES = 16 * BLOCK  # all templates together: at least this many entries,
MOST_ENTRIES = 1 << 19  # at most this many, and in between a small part of the matrix
INT32 = np.iinfo(np.int32).max


class Tables(NamedTuple):
    """A geometry as arrays, with one row or one stretch for each axis.

    A unit is one output position, or one block of rows on the last axis. Units of one digit
    look alike up to a shift of the input position.
    """

    windows: Array  # (axes, 7) the fields of Window
    taps: Array  # (axes, 8) the fields of its Progression
    units: Array  # (axes,) number of units
    begin: Array  # (axes,) where the axis begins in the three arrays below
    first: int  # the unit of the first axis that stands there; other axes begin with unit 0
    digit: Array  # class of each unit, -1 if it has no template
    shift: Array  # input position of each unit relative to the first of its class
    before: Array  # entries of the axis before each unit, and their total at the end
    rest: Array  # (axes,) entries of all later axes together
    place: Array  # (axes,) template key = sum of digit * place
    rows: int  # rows per block
    entries: int  # entries of an output channel
    width: int  # entries of a row, at most
    inner: int  # input channels of a group
    group: int  # output channels of a group


class Templates(NamedTuple):
    """Lines to be copied: columns and slots of one line of each kept combination of digits."""

    number: Array  # which template a key has, -1 if none was worth keeping
    begin: Array  # where each template begins in columns and slot
    ptr: Array  # (templates, rows per block + 1) entries before each row
    columns: Array
    slot: Array


def make_tables(geometry: Geometry, rows: tuple[int, int]) -> Tables:
    """Cut every axis of a geometry into units, the first as far as the rows [start, stop) reach.

    That axis is the one that is long in a matrix too large to hold, of which rows are wanted.
    """
    axes = geometry.axes
    out, inner = geometry.group_channels
    cut = [1] * (len(axes) - 1) + [_block_rows(geometry)]
    counts = [-(-axis.n_out // size) for axis, size in zip(axes, cut, strict=True)]
    first, last = _first_axis(geometry, rows, cut[0])
    stretches = [(first, last), *((0, count) for count in counts[1:])]
    parts = [
        _units(axis, size, stretch, axis._replace(n_out=stretch[0] * size).nnz, _classes(geometry))
        for axis, size, stretch in zip(axes, cut, stretches, strict=True)
    ]
    sizes = [int(part[0].max(initial=-1)) + 1 for part in parts]
    lengths = np.array([len(part[0]) for part in parts])
    nnz = [axis.nnz for axis in axes]
    return Tables(
        windows=np.array(axes, np.int64),
        taps=np.array([axis.taps() for axis in axes], np.int64),
        units=np.array(counts),
        begin=np.cumsum(lengths) - lengths,
        first=first,
        digit=np.concatenate([part[0] for part in parts]),
        shift=np.concatenate([part[1] for part in parts]),
        before=np.concatenate([part[2] for part in parts]),
        rest=np.array([math.prod(nnz[d + 1 :]) for d in range(len(axes))]),
        place=np.array([math.prod(sizes[d + 1 :]) for d in range(len(axes))]),
        rows=cut[-1],
        entries=geometry.nnz // geometry.out_channels,
        width=geometry.longest_row,
        inner=inner,
        group=out,
    )


def _block_rows(geometry: Geometry) -> int:
    """Rows per block: about BLOCK entries, a whole number of phases if they are that few."""
    last = geometry.axes[-1]
    rows = max(BLOCK // geometry.longest_row, 1)
    period: int = last.outputs().period
    if period <= _classes(geometry) // 2:
        rows = max(rows // period, 1) * period
    return min(rows, int(last.n_out))


def _classes(geometry: Geometry) -> int:
    """Classes that an axis may have, so that their combinations stay few in any dimension."""
    return max(int(COMBINATIONS ** (1 / len(geometry.axes))), 4)


def _first_axis(geometry: Geometry, rows: tuple[int, int], size: int) -> tuple[int, int]:
    """Units of the first axis that the rows [start, stop) need: all, if channels are crossed."""
    units = -(-geometry.axes[0].n_out // size)
    plane = math.prod(axis.n_out for axis in geometry.axes)
    start, stop = rows
    if start == stop:
        return 0, 1  # which none of them reads
    if start // plane != (stop - 1) // plane:
        return 0, units
    unit = plane // geometry.axes[0].n_out * size
    return start % plane // unit, (stop - 1) % plane // unit + 1


def make_templates(geometry: Geometry, tables: Tables) -> Templates:
    """Choose the combinations of digits that recur most, and compose a line of each."""
    models, repeats, lengths = [], np.ones(1, np.int64), np.full(1, tables.inner)
    ends = [*tables.begin[1:], len(tables.digit)]
    for d, (at, end) in enumerate(zip(tables.begin, ends, strict=True)):
        digit = tables.digit[at:end]
        _, model, count = np.unique(digit[digit >= 0], return_index=True, return_counts=True)
        model = np.flatnonzero(digit >= 0)[model]
        entries = np.diff(tables.before[at + d : end + d + 1])[model]
        models.append(model + (tables.first if d == 0 else 0))
        repeats = np.multiply.outer(repeats, count).ravel()
        lengths = np.multiply.outer(lengths, entries).ravel()
    budget = min(max(LEAST_ENTRIES, geometry.nnz // 64), MOST_ENTRIES)
    order = np.argsort(-repeats, kind="stable")
    kept = order[(np.cumsum(lengths[order]) <= budget) & (repeats[order] >= RECURRING)]
    number = np.full(len(repeats), -1)
    number[kept] = np.arange(len(kept))
    begin = np.concatenate([[0], np.cumsum(lengths[kept])])
    digits = np.unravel_index(kept, [len(model) for model in models])
    # In rows, which are contiguous as in `build`: for other layouts Numba would compile again.
    units = np.stack([model[digit] for model, digit in zip(models, digits, strict=True)], axis=1)
    dtype = index_dtype(geometry)
    columns = np.empty(begin[-1], dtype)
    slot = np.empty(begin[-1], np.int64 if math.prod(geometry.weight_shape) > INT32 else np.int32)
    ptr = np.empty((len(kept), tables.rows + 1), dtype)
    for t in range(len(kept)):
        compose(tables, units[t], ptr[t], columns[begin[t] :], slot[begin[t] :])
    return Templates(number, begin, ptr, columns, slot)


def _units(
    axis: Window, rows: int, stretch: tuple[int, int], entries: int, most: int
) -> tuple[Array, Array, Array]:
    """Cut a stretch of an axis into units of `rows`: digit, shift, and entries before each."""
    count = stretch[1] - stretch[0]
    digit = np.full(count, -1)
    shift = np.zeros(count, np.int64)
    before = np.full(count + 1, entries)
    _cut(axis, axis.taps(), axis.outputs(), rows, stretch[0], most, digit, shift, before)
    return digit, shift, before


@compiled
def _cut(
    axis: Window,
    taps: Progression,
    outputs: Progression,
    rows: int,
    first: int,
    most: int,
    digit: Array,
    shift: Array,
    before: Array,
) -> None:
    """Fill digit, shift and entries before each of the units of `rows` outputs from `first` on.

    Of `most` classes at most half are phases of the interior, and half boundary.
    """
    reach = axis.dilation * (axis.kernel - 1) - axis.pad
    inside = -(-axis.pad // axis.stride)  # the first o whose window begins inside the input
    outside = (axis.base * (axis.n_in - 1) - reach) // axis.stride + 1  # first that overhangs
    alike = outputs.period <= most // 2 and (rows == 1 or rows % outputs.period == 0)
    model = np.full(outputs.period if alike else 0, -1)  # the first interior unit of each phase
    classes = 0
    boundary = 0
    for u in range(len(digit)):
        o = (first + u) * rows
        phase = o % outputs.period
        whole = alike and inside <= o and o + rows <= min(outside, axis.n_out)
        if whole and model[phase] >= 0:
            like = model[phase]
            digit[u] = digit[like]
            shift[u] = (u - like) * rows // outputs.period * outputs.advance
            before[u + 1] = before[u] + before[like + 1] - before[like]
            continue
        if whole:
            model[phase] = u
        if whole or boundary < min(KEPT, most // 2):
            digit[u] = classes
            classes += 1
            boundary += not whole
        before[u + 1] = before[u]
        for row in range(o, min(o + rows, axis.n_out)):
            before[u + 1] += solve(taps, axis.stride * row - axis.pad)[2]


@compiled
def compose(tables: Tables, unit: Array, ptr: Array, columns: Array, slot: Array) -> None:
    """Write one line from the relation: its columns and slots in group 0, entries before rows."""
    windows, taps = tables.windows, tables.taps
    last = len(windows) - 1
    count = tables.inner
    column = np.empty(tables.width, np.int64)
    entry = np.empty(tables.width, np.int64)
    for b in range(count):
        column[b] = entry[b] = b
    for d in range(last):
        axis, line = as_window(windows[d]), as_progression(taps[d])
        k, i, n = solve(line, axis.stride * unit[d] - axis.pad)
        for e in range(count - 1, -1, -1):  # backwards, for the list grows in place
            c, s = column[e] * axis.n_in + i, entry[e] * axis.kernel + k
            for j in range(n):
                column[e * n + j] = c + j * line.advance
                entry[e * n + j] = s + j * line.period
        count *= n
    axis, line = as_window(windows[last]), as_progression(taps[last])
    at = 0
    ptr[0] = 0
    for row in range(len(ptr) - 1):
        o = unit[last] * tables.rows + row
        if o < axis.n_out:
            k, i, n = solve(line, axis.stride * o - axis.pad)
            for e in range(count):
                c, s = column[e] * axis.n_in + i, entry[e] * axis.kernel + k
                for j in range(n):
                    columns[at] = c + j * line.advance
                    slot[at] = s + j * line.period
                    at += 1
        ptr[row + 1] = at


@njit(forceinline=True)  # as a call it would copy all of the tables
def locate(tables: Tables, line: int, unit: Array) -> tuple[int, int, int, int, int]:
    """Set `unit` to the units of a line; return (channel, row, entries before, key, shift)."""
    axes = len(unit)
    for d in range(axes - 1, -1, -1):
        unit[d] = line % tables.units[d]
        line //= tables.units[d]
    row = line
    position, fixed, key, shift = 0, tables.inner, 0, 0
    for d in range(axes):
        at = tables.begin[d] + unit[d] - (tables.first if d == 0 else 0)
        before = tables.before[at + d]
        position += fixed * before * tables.rest[d]
        fixed *= tables.before[at + d + 1] - before
        digit = tables.digit[at]
        key = key + digit * tables.place[d] if min(key, digit) >= 0 else -1
        shift = shift * tables.windows[d, 0] + tables.shift[at]
        row = row * tables.windows[d, 1] + unit[d] * (tables.rows if d == axes - 1 else 1)
    return line, row, line * tables.entries + position, key, shift
