"""The loops of Kronecker layers: lines of outputs, as many at a time as are read in one way."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.kronecker.segments import Line
from convmat.kernels.cpu.kronecker.vectors import combine, combine_pairs, separate, spread
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


@compiled
def write_lines(  # noqa: PLR0912, as arrays are counted at every call
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
    blocks, split, pitch = len(line.blocks), line.split, line.pitch
    most = outer.longest + 1
    bases, scales = np.empty(most, np.int64), np.empty(most, y.dtype)
    many = 0 if copied | outer.plain else outer.longest * len(line.offsets)
    products, multiples = np.empty(many, np.int64), np.empty(many, y.dtype)
    together = 1 if blocks > 1 else MOST
    if copied | (split > 1):
        together = max(min(TOGETHER // max(line.span, 1), together), 1)
    sums = np.empty(together * line.span if copied else 0, y.dtype)
    halves = np.empty(together * split * pitch if split > 1 else 0, y.dtype)
    made = np.empty(line.outputs, y.dtype)
    to, read = np.empty(together, np.int64), np.empty(together, np.int64)
    zero, own = np.zeros(1, np.int64), np.empty(1, np.int64)
    at = np.zeros(len(outer.sizes) + 1, np.int64)
    _locate(first // blocks, outer.sizes, at)
    sizes, starts, rows, begin = outer.sizes, outer.starts, outer.rows, outer.begin
    ends, columns, scaling = outer.ends, outer.columns, outer.weights
    places, segments, offsets, weights = line.blocks, line.segments, line.offsets, line.weights
    own_begin, own_rows, scattered = line.begin, line.rows, line.scattered
    item = first
    while item < last:
        block = item % blocks
        start, stop = places[block, 0], places[block, 1]
        low, span = places[block, 2], places[block, 3]
        count, way, met = _read_lines(
            x, sizes, starts, rows, begin, ends, columns, scaling, shape, at, low, span, copied,
            min(together, last - item), block + 1 == blocks, bases, scales, to, read, sums,
            zero, own,
        )  # fmt: skip
        item += count
        source, taps, factors, times = x, offsets, weights, 1
        if way == PRODUCTS:
            if scattered:
                low, high = own_begin[start], own_begin[stop]
            else:
                low, high = segments[start, 3], segments[stop - 1, 3] + segments[stop - 1, 4]
            _multiply_out(low, high, offsets, weights, met, bases, scales, products, multiples)
            taps, factors, times = products, multiples, met
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
            _gather(
                y, to, count, source, read, own_begin, own_rows, taps, factors, times, start, stop
            )
        else:
            _write_segments(
                y, to, count, source, read, segments, taps, factors, times, made, zero, own,
                start, stop,
            )  # fmt: skip


@inlined
def _locate(number: int, sizes: Array, at: Array) -> None:
    """Set the outputs of all axes but the last for a line, and behind them its image."""
    for d in range(len(sizes) - 1, -1, -1):
        at[d], number = number % sizes[d], number // sizes[d]
    at[len(sizes)] = number


@compiled
def _read_lines(  # noqa: C901, PLR0912, PLR0915, as arrays are counted at every call
    x: Array,
    sizes: Array,
    starts: Array,
    rows: Array,
    begin: Array,
    ends: Array,
    columns: Array,
    weights: Array,
    shape: Any,
    at: Array,
    low: int,
    span: int,
    copied: bool,
    most: int,
    onwards: bool,
    bases: Array,
    scales: Array,
    to: Array,
    read: Array,
    sums: Array,
    zero: Array,
    place: Array,
) -> tuple[int, int, int]:
    """Find where output lines begin and what they read, for as many as are read in one way.

    Returns how many, in which way, and how many input lines the last one meets, whose places and
    weights are in `bases` and `scales`.
    """
    axes, count, way, before = len(sizes), 0, NOTHING, 1
    while count < most:
        row, met = at[axes] * shape[0], 1
        base, scale = at[axes] * shape[1] + low, weights.dtype.type(1)
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
                _multiply_lists(
                    several, met, columns, weights, entry, first, entries, bases, scales
                )
            several += entries != 1
            met *= entries
        this = NOTHING
        if (met == 1) & (scale == 1):
            this = ALONE
        elif met > 0:
            this = SUMMED if copied else PRODUCTS
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
                _finish_list(several, met, columns, weights, entry, scale, bases, scales)
            base += bases[0]
            for a in range(met - 1, -1, -1):
                bases[a] -= bases[0]
        way, to[count], read[count], before = this, row, base, met
        if this == SUMMED:
            read[count] = count * span
            place[0] = base
            if in_table:
                combine(sums, zero, count * span, span, x, place, 1, columns, weights, entry, met)
            else:
                combine(sums, zero, count * span, span, x, place, 1, bases, scales, 0, met)
        count += 1
        d = axes if onwards else -1
        while d >= 0:
            d -= 1
            at[d] += 1
            if d < 0 or at[d] < sizes[d]:
                break
            at[d] = 0
    return count, way, before


@compiled
def _multiply_lists(
    several: int, met: int, columns: Array, weights: Array, entry: int, first: int, entries: int,
    bases: Array, scales: Array,
) -> None:  # fmt: skip
    """Multiply the entries of the axes before, which are still in the table if of one axis."""
    for a in range(met - 1, -1, -1):
        base, scale = bases[a], scales[a]
        if several == 1:
            base, scale = columns[entry + a], weights[entry + a]
        for e in range(entries):
            bases[a * entries + e] = base + columns[first + e]
            scales[a * entries + e] = scale * weights[first + e]


@compiled
def _finish_list(
    several: int, met: int, columns: Array, weights: Array, entry: int, scale: Any,
    bases: Array, scales: Array,
) -> None:  # fmt: skip
    """Multiply the entries of axes with several by the weight of the axes with one."""
    for a in range(met):
        if several == 1:
            bases[a], scales[a] = columns[entry + a], weights[entry + a]
        scales[a] *= scale


@compiled
def _multiply_out(
    first: int,
    last: int,
    offsets: Array,
    weights: Array,
    met: int,
    bases: Array,
    scales: Array,
    products: Array,
    multiples: Array,
) -> None:
    """Write the entries of a block for every input line that is met: those of one tap together."""
    for entry in range(first, last):
        for a in range(met):
            products[entry * met + a] = bases[a] + offsets[entry]
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
    to: Array,
    lines: int,
    x: Array,
    read: Array,
    begin: Array,
    rows: Array,
    offsets: Array,
    weights: Array,
    times: int,
    start: int,
    stop: int,
) -> None:
    """Write outputs one by one, each of all lines: the sum of its own entries."""
    zero = np.zeros(1, y.dtype)[0]
    for o in range(start, stop):
        first, last, row = begin[o] * times, begin[o + 1] * times, rows[o]
        if last - first == 2:
            one, two = offsets[first], offsets[first + 1]
            weight, other = weights[first], weights[first + 1]
            for n in range(lines):
                y[to[n] + row] = weight * x[read[n] + one] + other * x[read[n] + two]
        else:
            for n in range(lines):
                total = zero
                for entry in range(first, last):
                    total += weights[entry] * x[read[n] + offsets[entry]]
                y[to[n] + row] = total


@compiled
def _write_segments(
    y: Array,
    to: Array,
    lines: int,
    x: Array,
    read: Array,
    segments: Array,
    offsets: Array,
    weights: Array,
    times: int,
    made: Array,
    zero: Array,
    own: Array,
    start: int,
    stop: int,
) -> None:
    """Write segments of outputs, each of all lines.

    In the innermost loops of `line_vectors`: sums of shifted lines (`combine`; a copy is the sum
    of one with weight 1), two that alternate (`combine_pairs`: upsampling and pixel shuffle by
    2), or numbers a step apart (`spread`).
    """
    g = start
    while g < stop:
        row, step, count = segments[g, 0], segments[g, 1], segments[g, 2]
        tap, taps = segments[g, 3] * times, segments[g, 4] * times
        if taps == 0:
            for n in range(lines):
                for j in range(count):
                    y[to[n] + row + step * j] = 0
        elif count == 1:
            for n in range(lines):
                total = weights[tap] * x[read[n] + offsets[tap]]
                for t in range(tap + 1, tap + taps):
                    total += weights[t] * x[read[n] + offsets[t]]
                y[to[n] + row] = total
        elif step == 1:
            combine(y, to, row, count, x, read, lines, offsets, weights, tap, taps)
        elif segments[g, 5]:
            g += 1
            others = segments[g, 4] * times
            combine_pairs(y, to, row, count, x, read, lines, offsets, weights, tap, taps, others)
        else:
            for n in range(lines):
                own[0] = read[n]
                combine(made, zero, 0, count, x, own, 1, offsets, weights, tap, taps)
                spread(y, to[n] + row, step, made, count)
        g += 1
