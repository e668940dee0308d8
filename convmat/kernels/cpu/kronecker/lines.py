"""The loops of Kronecker layers: lines of outputs, as many at a time as are read in one way."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.kronecker.segments import (
    COLUMN,
    COLUMNS,
    COUNT,
    FIRST,
    LAST,
    PAIRED,
    ROW,
    STEP,
    TAP,
    TAPS,
    Line,
)
from convmat.kernels.cpu.kronecker.vectors import (
    Entries,
    Lines,
    combine,
    combine_pairs,
    separate,
    spread,
)
from convmat.kernels.cpu.threads.sharing import shared

__all__ = ["Outer", "write_lines"]

Array = np.ndarray[Any, np.dtype[Any]]

TOGETHER, MOST = 1 << 12, 64  # numbers and lines that are summed before they are written
# How an output line is read: not at all (padding with zeros); as one input line as it is (padding,
# pixel shuffle, nearest); as a sum of input lines that is made first; or with the entries of all
# axes multiplied out (bilinear, average pooling), so that no sum is made in between.
NOTHING, ALONE, SUMMED, PRODUCTS = range(4)


class Outer(NamedTuple):
    """All axes but the last: which input lines each output line reads."""

    sizes: Array  # (axes,) outputs
    starts: Array  # (axes,) where the axis begins in `rows` and `begin`
    rows: Array  # what each output adds to the row number
    begin: Array  # the first entry of each output, and the last
    ends: Array
    columns: Array  # what each entry adds to the column number
    weights: Array
    longest: int  # entries of an output line, at most
    plain: bool  # whether each output line meets one input line at most, with weight 1


class Reading(NamedTuple):
    """What is read of every line: so many columns from `low` on, for so many lines at most.

    Lines that are read may go `onwards` to the next ones, after the last block of each; where
    they are `copied`, sums of them are made first.
    """

    low: int
    span: int
    most: int
    onwards: bool
    copied: bool


@compiled
def write_lines(  # noqa: PLR0912, PLR0915, as arrays are counted at every call
    team: int,
    x: Array,
    y: Array,
    outer: Outer,
    line: Line,
    shape: Any,
    copied: bool,
    first: int,
    last: int,
) -> None:
    """Write the items [first, last) of (image, outputs of the other axes, block of a line).

    Lines that follow one another and are read in the same way are written together: what they
    have in common is looked up once.
    """
    if shared(team):
        return
    outer, line = Outer(*outer), Line(*line)
    blocks, split, pitch = len(line.blocks), line.split, line.pitch
    most = outer.longest + 1
    many = 0 if copied | outer.plain else outer.longest * len(line.offsets)
    together = 1 if blocks > 1 else MOST
    if copied | (split > 1):
        together = max(min(TOGETHER // max(line.span, 1), together), 1)
    sums = np.empty(together * line.span if copied else 0, y.dtype)
    halves = np.empty(together * split * pitch if split > 1 else 0, y.dtype)
    made = np.empty(line.outputs, y.dtype)
    read = np.empty(together, np.int64)
    lines = Lines(np.empty(together, np.int64), read)
    one = Lines(np.zeros(1, np.int64), np.empty(1, np.int64))
    listed = Entries(np.empty(most, np.int64), np.empty(most, y.dtype))
    products = Entries(np.empty(many, np.int64), np.empty(many, y.dtype))
    own = Entries(line.offsets, line.weights)
    at = np.zeros(len(outer.sizes) + 1, np.int64)
    _locate(first // blocks, outer.sizes, at)
    places, segments, scattered = line.blocks, line.segments, line.scattered
    own_begin, own_rows = line.begin, line.rows
    item = first
    while item < last:
        block = item % blocks
        some, span = (places[block, FIRST], places[block, LAST]), places[block, COLUMNS]
        reading = Reading(
            places[block, COLUMN], span, min(together, last - item), block + 1 == blocks, copied
        )
        count, way, met = _read_lines(x, outer, shape, at, reading, listed, lines, sums, one)
        item += count
        source, entries, times = x, own, 1
        if way == PRODUCTS:
            if scattered:
                low, high = own_begin[some[0]], own_begin[some[1]]
            else:
                final = some[1] - 1
                low, high = segments[some[0], TAP], segments[final, TAP] + segments[final, TAPS]
            _multiply_out(low, high, own, met, listed, products)
            entries, times = products, met
        elif way == NOTHING:
            times = 0
        else:
            if way == SUMMED:
                source = sums
            if split > 1:
                for n in range(count):
                    _split(halves, n * split * pitch, source, read[n], span, split, pitch)
                    read[n] = n * split * pitch
                source = halves
        if scattered:
            _gather(y, source, lines, count, own_begin, own_rows, entries, times, some)
        else:
            _write_segments(y, source, lines, count, segments, entries, times, some, made, one)


@inlined
def _locate(number: int, sizes: Array, at: Array) -> None:
    """Set the outputs of all axes but the last for a line, and behind them its image."""
    for d in range(len(sizes) - 1, -1, -1):
        at[d], number = number % sizes[d], number // sizes[d]
    at[len(sizes)] = number


@compiled
def _read_lines(  # noqa: C901, PLR0912, PLR0915, as arrays are counted at every call
    x: Array,
    outer: Outer,
    shape: Any,
    at: Array,
    reading: Reading,
    listed: Entries,
    lines: Lines,
    sums: Array,
    one: Lines,
) -> tuple[int, int, int]:
    """Find where output lines begin and what they read, for as many as are read in one way.

    Returns how many, in which way, and how many input lines the last one meets, which are
    `listed`. Sums of lines are made one by one.
    """
    sizes, starts, rows, begin = outer.sizes, outer.starts, outer.rows, outer.begin
    ends, columns, weights = outer.ends, outer.columns, outer.weights
    (bases, scales), (to, read), span = listed, lines, reading.span
    table = Entries(columns, weights)
    axes, count, way, before = len(sizes), 0, NOTHING, 1
    while count < reading.most:
        row, met = at[axes] * shape[0], 1
        base, scale = at[axes] * shape[1] + reading.low, weights.dtype.type(1)
        several, entry = 0, 0
        for d in range(axes):
            o = starts[d] + at[d]
            row += rows[o]
            first, entries = begin[o], ends[o] - begin[o]
            if entries == 1:
                base += columns[first]
                scale *= weights[first]
            elif several == 0:
                entry = first
            elif (count == 0) | (way != PRODUCTS):  # whose list is still needed
                _multiply_lists(several, met, table, entry, first, entries, listed)
            several += entries != 1
            met *= entries
        this = NOTHING
        if (met == 1) & (scale == 1):
            this = ALONE
        elif met > 0:
            this = SUMMED if reading.copied else PRODUCTS
        if (count > 0) & (way == SUMMED) & (this == ALONE):
            this = SUMMED  # a copy takes less time than to begin anew
        if (count > 0) & (this != way):
            break
        in_table = (several == 1) & (scale == 1)
        if (count > 0) & (this == PRODUCTS):
            # Their entries are those of the line before, moved on, or a list of their own.
            if (not in_table) | (met != before):
                break
            base += columns[entry]
            same = 0
            for e in range(met):
                moved = columns[entry + e] - columns[entry]
                same += (bases[e] == moved) & (scales[e] == weights[entry + e])
            if same < met:
                break
        elif (this == PRODUCTS) | ((this == SUMMED) & (not in_table)):
            if several == 0:
                bases[0], scales[0] = 0, scale
            else:
                _finish_list(several, met, table, entry, scale, listed)
            base += bases[0]
            for a in range(met - 1, -1, -1):
                bases[a] -= bases[0]
        way, to[count], read[count], before = this, row, base, met
        if this == SUMMED:
            read[count] = count * span
            one.read[0] = base
            if in_table:
                combine(sums, x, one, 1, count * span, span, table, entry, met)
            else:
                combine(sums, x, one, 1, count * span, span, listed, 0, met)
        count += 1
        d = axes if reading.onwards else -1
        while d >= 0:
            d -= 1
            at[d] += 1
            if d < 0 or at[d] < sizes[d]:
                break
            at[d] = 0
    return count, way, before


@compiled
def _multiply_lists(
    several: int, met: int, table: Entries, entry: int, first: int, entries: int, listed: Entries
) -> None:
    """Multiply the entries of the axes before, which are still in the table if of one axis."""
    (columns, weights), (bases, scales) = table, listed
    for a in range(met - 1, -1, -1):
        base, scale = bases[a], scales[a]
        if several == 1:
            base, scale = columns[entry + a], weights[entry + a]
        for e in range(entries):
            bases[a * entries + e] = base + columns[first + e]
            scales[a * entries + e] = scale * weights[first + e]


@compiled
def _finish_list(
    several: int, met: int, table: Entries, entry: int, scale: Any, listed: Entries
) -> None:
    """Multiply the entries of axes with several by the weight of the axes with one."""
    (columns, weights), (bases, scales) = table, listed
    for a in range(met):
        if several == 1:
            bases[a], scales[a] = columns[entry + a], weights[entry + a]
        scales[a] *= scale


@compiled
def _multiply_out(
    first: int, last: int, own: Entries, met: int, listed: Entries, products: Entries
) -> None:
    """Write the entries of a block for every input line that is met: those of one tap together."""
    (offsets, weights), (bases, scales), (columns, multiples) = own, listed, products
    for entry in range(first, last):
        for a in range(met):
            columns[entry * met + a] = bases[a] + offsets[entry]
            multiples[entry * met + a] = scales[a] * weights[entry]


@inlined
def _split(y: Array, to: int, x: Array, at: int, count: int, split: int, pitch: int) -> None:
    """y[to + h*pitch + j] = x[at + split*j + h]: numbers `split` apart come to stand together."""
    if split == 2:
        separate(y, to, to + pitch, x, at, count // 2)
        if count % 2:
            y[to + count // 2] = x[at + count - 1]
    else:
        for h in range(split):
            for j in range((count - h + split - 1) // split):
                y[to + h * pitch + j] = x[at + split * j + h]


@compiled
def _gather(
    y: Array,
    x: Array,
    lines: Lines,
    many: int,
    begin: Array,
    rows: Array,
    entries: Entries,
    times: int,
    some: tuple[int, int],
) -> None:
    """Write outputs one by one, each of all lines: the sum of its own entries."""
    (to, read), (offsets, weights) = lines, entries
    zero = np.zeros(1, y.dtype)[0]
    for o in range(some[0], some[1]):
        first, last, row = begin[o] * times, begin[o + 1] * times, rows[o]
        if last - first == 2:
            one, two = offsets[first], offsets[first + 1]
            weight, other = weights[first], weights[first + 1]
            for n in range(many):
                y[to[n] + row] = weight * x[read[n] + one] + other * x[read[n] + two]
        else:
            for n in range(many):
                total = zero
                for entry in range(first, last):
                    total += weights[entry] * x[read[n] + offsets[entry]]
                y[to[n] + row] = total


@compiled
def _write_segments(
    y: Array,
    x: Array,
    lines: Lines,
    many: int,
    segments: Array,
    entries: Entries,
    times: int,
    some: tuple[int, int],
    made: Array,
    one: Lines,
) -> None:
    """Write segments of outputs, each of all lines.

    In the innermost loops of `kronecker.vectors`: sums of shifted lines (`combine`; a copy is the
    sum of one with weight 1), two that alternate (`combine_pairs`: upsampling and pixel shuffle by
    2), or numbers a step apart (`spread`).
    """
    (to, read), (offsets, weights) = lines, entries
    g, stop = some
    while g < stop:
        row, step, count = segments[g, ROW], segments[g, STEP], segments[g, COUNT]
        tap, taps = segments[g, TAP] * times, segments[g, TAPS] * times
        if taps == 0:
            for n in range(many):
                for j in range(count):
                    y[to[n] + row + step * j] = 0
        elif count == 1:
            for n in range(many):
                total = weights[tap] * x[read[n] + offsets[tap]]
                for t in range(tap + 1, tap + taps):
                    total += weights[t] * x[read[n] + offsets[t]]
                y[to[n] + row] = total
        elif step == 1:
            combine(y, x, lines, many, row, count, entries, tap, taps)
        elif segments[g, PAIRED]:
            g += 1
            others = segments[g, TAPS] * times
            combine_pairs(y, x, lines, many, row, count, entries, tap, taps, others)
        else:
            for n in range(many):
                one.read[0] = read[n]
                combine(made, x, one, 1, 0, count, entries, tap, taps)
                spread(y, to[n] + row, step, made, count)
        g += 1
