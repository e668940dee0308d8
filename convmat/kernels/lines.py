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

from convmat.geometry import Geometry, Progression, Window
from convmat.kernels._rule import as_progression, as_window, solve
from convmat.pattern import index_dtype

__all__ = ["Tables", "Templates", "compose", "locate", "make_tables", "make_templates"]

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 2048  # entries of a line, so that a template stays in the first-level cache
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
    digit: Array  # class of each unit, -1 if it has no template
    shift: Array  # input position of each unit relative to the first of its class
    before: Array  # entries of the axis before each unit, and their total at the end
    rest: Array  # (axes,) entries of all later axes together
    place: Array  # (axes,) template key = sum of digit * place
    rows: int  # rows per block
    width: int  # entries of a row, at most
    inner: int  # input channels of a group
    group: int  # output channels of a group
    channels: int  # output channels


class Templates(NamedTuple):
    """Lines to be copied: columns and slots of one line of each kept combination of digits."""

    number: Array  # which template a key has, -1 if none was worth keeping
    begin: Array  # where each template begins in columns and slot
    ptr: Array  # (templates, rows per block + 1) entries before each row
    columns: Array
    slot: Array


def make_tables(geometry: Geometry) -> Tables:
    """Cut every axis of a geometry into units."""
    axes = geometry.axes
    out, inner = geometry.group_channels
    rows = _block_rows(geometry)
    parts = [_units(axis, axis.taps(), axis.outputs(), 1) for axis in axes[:-1]]
    parts.append(_units(axes[-1], axes[-1].taps(), axes[-1].outputs(), rows))
    sizes = [int(part[0].max()) + 1 for part in parts]
    units = np.array([len(part[0]) for part in parts])
    nnz = [axis.nnz for axis in axes]
    return Tables(
        windows=np.array(axes, np.int64),
        taps=np.array([axis.taps() for axis in axes], np.int64),
        units=units,
        begin=np.cumsum(units) - units,
        digit=np.concatenate([part[0] for part in parts]),
        shift=np.concatenate([part[1] for part in parts]),
        before=np.concatenate([part[2] for part in parts]),
        rest=np.array([math.prod(nnz[d + 1 :]) for d in range(len(axes))]),
        place=np.array([math.prod(sizes[d + 1 :]) for d in range(len(axes))]),
        rows=rows,
        width=_width(geometry),
        inner=inner,
        group=out,
        channels=geometry.out_channels,
    )


def _width(geometry: Geometry) -> int:
    """Entries of a row, at most."""
    taps: list[int] = [-(-axis.kernel // axis.taps().period) for axis in geometry.axes]
    return geometry.group_channels[1] * math.prod(taps)


def _block_rows(geometry: Geometry) -> int:
    """Rows per block: about BLOCK entries, a whole number of phases."""
    last = geometry.axes[-1]
    period: int = last.outputs().period
    rows: int = min(max(BLOCK // _width(geometry) // period, 1) * period, last.n_out)
    return rows


def make_templates(geometry: Geometry, tables: Tables) -> Templates:
    """Choose the combinations of digits that recur most, and compose a line of each."""
    models, repeats, lengths = [], np.ones(1, np.int64), np.full(1, tables.inner)
    for d, (at, units) in enumerate(zip(tables.begin, tables.units, strict=True)):
        digit = tables.digit[at : at + units]
        _, model, count = np.unique(digit[digit >= 0], return_index=True, return_counts=True)
        model = np.flatnonzero(digit >= 0)[model]
        entries = np.diff(tables.before[at + d : at + d + units + 1])[model]
        models.append(model)
        repeats = np.multiply.outer(repeats, count).ravel()
        lengths = np.multiply.outer(lengths, entries).ravel()
    budget = min(max(LEAST_ENTRIES, geometry.nnz // 64), MOST_ENTRIES)
    order = np.argsort(-repeats, kind="stable")
    kept = order[(np.cumsum(lengths[order]) <= budget) & (repeats[order] >= RECURRING)]
    number = np.full(len(repeats), -1)
    number[kept] = np.arange(len(kept))
    begin = np.concatenate([[0], np.cumsum(lengths[kept])])
    digits = np.unravel_index(kept, [len(model) for model in models])
    units = np.array([model[digit] for model, digit in zip(models, digits, strict=True)])
    dtype = index_dtype(geometry)
    columns = np.empty(begin[-1], dtype)
    slot = np.empty(begin[-1], np.int64 if math.prod(geometry.weight_shape) > INT32 else np.int32)
    ptr = np.empty((len(kept), tables.rows + 1), dtype)
    for t in range(len(kept)):
        compose(tables, units[:, t], ptr[t], columns[begin[t] :], slot[begin[t] :])
    return Templates(number, begin, ptr, columns, slot)


@njit(cache=True)
def _units(
    axis: Window, taps: Progression, outputs: Progression, rows: int
) -> tuple[Array, Array, Array]:
    """Cut an axis into units of `rows` outputs: their digit, shift, and entries before each."""
    units = -(-axis.n_out // rows)
    digit = np.full(units, -1)
    shift = np.zeros(units, np.int64)
    before = np.zeros(units + 1, np.int64)
    reach = axis.dilation * (axis.kernel - 1) - axis.pad
    inside = -(-axis.pad // axis.stride)  # the first o whose window begins inside the input
    outside = (axis.base * (axis.n_in - 1) - reach) // axis.stride + 1  # first that overhangs
    model = np.full(outputs.period, -1)  # the first interior unit of each phase
    classes = 0
    boundary = 0
    for u in range(units):
        o = u * rows
        phase = o % outputs.period
        whole = inside <= o and o + rows <= min(outside, axis.n_out)
        if whole and model[phase] >= 0:
            like = model[phase]
            digit[u] = digit[like]
            shift[u] = (u - like) * rows // outputs.period * outputs.advance
            before[u + 1] = before[u] + before[like + 1] - before[like]
            continue
        if whole:
            model[phase] = u
        if whole or boundary < KEPT:
            digit[u] = classes
            classes += 1
            boundary += not whole
        before[u + 1] = before[u]
        for row in range(o, min(o + rows, axis.n_out)):
            before[u + 1] += solve(taps, axis.stride * row - axis.pad)[2]
    return digit, shift, before


@njit(cache=True)
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


@njit(cache=True)
def locate(tables: Tables, line: int, unit: Array) -> tuple[int, int, int, int, int]:
    """Set `unit` to the units of a line; return (channel, row, entries before, key, shift)."""
    axes = len(unit)
    for d in range(axes - 1, -1, -1):
        unit[d] = line % tables.units[d]
        line //= tables.units[d]
    row = line
    position, fixed, key, shift = 0, tables.inner, 0, 0
    for d in range(axes):
        at = tables.begin[d] + unit[d]
        before = tables.before[at + d]
        position += fixed * before * tables.rest[d]
        fixed *= tables.before[at + d + 1] - before
        digit = tables.digit[at]
        key = key + digit * tables.place[d] if min(key, digit) >= 0 else -1
        shift = shift * tables.windows[d, 0] + tables.shift[at]
        row = row * tables.windows[d, 1] + unit[d] * (tables.rows if d == axes - 1 else 1)
    channel_entries = tables.inner * tables.before[tables.units[0]] * tables.rest[0]
    return line, row, line * channel_entries + position, key, shift
