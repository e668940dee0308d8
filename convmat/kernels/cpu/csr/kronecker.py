"""Build CSR arrays of a `Kronecker` layer in Numba, a line of rows at a time.

The last digits of a row number are cut off, so many that the rows sharing the others, a *line*,
have entries enough. The outputs of an axis that meet in a line are a block; blocks whose entries
are alike up to a shift of the column number are of one kind, and so are lines whose blocks are.
The first line of a kind is composed and kept as a *template*, the next ones are the template plus
a constant. Where a row begins is a closed form, so that any thread can begin at any row.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numba import get_num_threads, njit

from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.pattern import index_dtype
from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.csr.memory import allocate
from convmat.kernels.cpu.threads.pieces import in_threads
from convmat.kernels.cpu.vectors.stream import stream

__all__ = ["csr"]

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[int, int]

PIECE_ENTRIES = 1 << 18  # entries that are worth a piece of work of their own
LINE_ENTRIES = 1 << 11  # entries of a line, at least, so that copying it is worth the while
KINDS = 32  # of the blocks of an axis that may have a template, and
COMBINATIONS = 1 << 14  # of all axes: each has a place in a table
TEMPLATE_ENTRIES = 1 << 17  # of all templates of a thread, to stay in the second-level cache


class Tables(NamedTuple):
    """A record as arrays: those of all axes one after another."""

    axis: Array  # (digits,) the axis of each digit of a row number
    size: Array  # (digits,) and how many values it has
    cut: int  # digits that number the lines; the others number the rows of a line
    outputs: Array  # (axes,) where the outputs of each axis begin in `begin`
    begin: Array  # where the entries of an output begin in the next three
    column: Array  # what each entry adds to the column number
    numerator: Array  # its weight
    denominator: Array
    blocks: Array  # (axes,) where the blocks of each axis begin in the next two
    kind: Array  # kind of each block, -1 if it has none
    shift: Array  # column of the first entry of each block
    kinds: Array  # (axes,) number of kinds
    width: int  # entries of all axes but the last together, at most
    ones: bool  # whether all weights are 1, so that none need be read


class Target(NamedTuple):
    """Arrays to write a line into."""

    ptr: Array
    columns: Array
    values: Array


def csr(
    record: Kronecker,
    dtype: np.dtype[Any],
    rows: Rows,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Return (indptr, indices, data) of the rows [start, stop), into `out` if it is given.

    Each value is the quotient of two products, rounded once (twice in float32) while both are
    less than 2**53.
    """
    start, stop = rows
    first = record.entries_before(start)
    entries = record.entries_before(stop) - first
    made = out or allocate(index_dtype(record), stop - start, entries, dtype)
    made[0][0] = 0
    tables = make_tables(record)

    def write(begin: int, end: int) -> None:
        at = record.entries_before(begin) - first
        room = min((record.entries_before(end) - first - at) // 4, TEMPLATE_ENTRIES)
        kept = Target(*(np.empty(room, part.dtype) for part in made))
        words = _words(kept.values), _words(made[2])
        _write_rows(tables, kept, Target(*made), words, (begin, end, start, at))

    in_threads(write, _pieces(start, stop, entries))
    return made


def _words(values: Array) -> Array:
    """View values as unsigned words, for copying does not care what they mean."""
    return values.view(f"u{min(values.itemsize, 8)}")


def make_tables(record: Kronecker) -> Tables:
    """Concatenate the maps of all axes, and tell their kinds of blocks."""
    maps, digits = record.maps, record.out_digits
    cut = _cut(record)
    columns = [_joined([record.columns_of(d, part.inputs)]) for d, part in enumerate(maps)]
    kinds, shifts, number = [], [], []
    for axis, (part, column) in enumerate(zip(maps, columns, strict=True)):
        size = math.prod(digit.size for digit in digits[cut:] if digit.axis == axis)
        kind, shift = np.full(part.n_out // size, -1), np.zeros(part.n_out // size, np.int64)
        number.append(_tell_kinds(*_arrays(part, column), size, kind, shift))
        kinds.append(kind)
        shifts.append(shift)
    begin, *entries = zip(*map(_arrays, maps, columns), strict=True)
    starts = _starts([part.nnz for part in maps])
    column, numerator, denominator = (_joined(parts) for parts in entries)
    return Tables(
        axis=np.array([digit.axis for digit in digits]),
        size=np.array([digit.size for digit in digits]),
        cut=cut,
        outputs=_starts([part.n_out + 1 for part in maps]),
        begin=_joined([part + at if at else part for at, part in zip(starts, begin, strict=True)]),
        column=column,
        numerator=numerator,
        denominator=denominator,
        blocks=_starts([len(kind) for kind in kinds]),
        kind=_joined(kinds),
        shift=_joined(shifts),
        kinds=np.array(number),
        width=math.prod(max(part.longest, 1) for part in maps[:-1]),  # at any time on the way
        ones=record.ones,
    )


def _cut(record: Kronecker) -> int:
    """Return how many digits are left when the last ones are cut off that number a line."""
    digits, rows = record.out_digits, 1
    entries = record.nnz / max(record.shape[0], 1)  # of a row, on average
    for cut in range(len(digits) - 1, 0, -1):
        rows *= digits[cut].size
        if rows * entries >= LINE_ENTRIES:
            return cut
    return 0


def _arrays(part: AxisMap, column: Array) -> tuple[Array, Array, Array, Array]:
    top, bottom = part.numerators, part.denominators
    if "O" in (top.dtype.kind, bottom.dtype.kind):  # Python integers, rounded here
        top, bottom = top.astype(np.float64), bottom.astype(np.float64)
    return part.begin, column, top, bottom


def _starts(sizes: list[int]) -> Array:
    return np.cumsum([0, *sizes])[:-1]


def _joined(parts: Any) -> Array:
    """Return one read-only array, for those of one axis alone are: to Numba that is a type."""
    whole: Array = parts[0].view() if len(parts) == 1 else np.concatenate(parts)
    whole.flags.writeable = False
    return whole


def _pieces(start: int, stop: int, entries: int) -> list[Rows]:
    if start == stop:
        return []
    wanted = 1 + entries // PIECE_ENTRIES
    pieces = min(2 * get_num_threads(), wanted, stop - start)  # each makes templates of its own
    return list(
        itertools.pairwise(start + (stop - start) * piece // pieces for piece in range(pieces + 1))
    )


@compiled
def _tell_kinds(
    begin: Array,
    column: Array,
    numerator: Array,
    denominator: Array,
    size: int,
    kind: Array,
    shift: Array,
) -> int:
    """Tell the kinds of blocks of `size` outputs, numbered in the order in which they come."""
    model = np.empty(KINDS, np.int64)
    count = 0
    for block in range(len(kind)):
        o = block * size
        low, entries = begin[o], begin[o + size] - begin[o]
        if entries > 0:
            shift[block] = column[low]
        for known in range(count):
            p = model[known]
            other = begin[p]
            alike = begin[p + size] - other == entries
            for row in range(size if alike else 0):
                alike &= begin[o + row] - low == begin[p + row] - other
            for j in range(entries if alike else 0):
                alike &= column[low + j] - column[low] == column[other + j] - column[other]
                alike &= numerator[low + j] == numerator[other + j]
                alike &= denominator[low + j] == denominator[other + j]
            if alike:
                kind[block] = known
                break
        if kind[block] < 0 and count < KINDS:
            kind[block], model[count] = count, o
            count += 1
    return count


@compiled
def _write_rows(
    tables: Tables,
    kept: Target,
    made: Target,
    words: tuple[Array, Array],
    span: tuple[int, int, int, int],
) -> None:
    """Write the rows [begin, end), the first at entry `at`, of arrays that begin at `origin`."""
    row, stop, origin, at = span
    kept_words, made_words = words
    wide = len(made_words) // max(len(made.values), 1)  # words of a value
    zero = made_words.dtype.type(0)
    # Of one type: Numba compiles what is called once more for literal numbers.
    none: Any = np.int64(0)
    length: Any = np.int64(1)
    for d in range(tables.cut, len(tables.size)):
        length *= tables.size[d]
    keys = 1
    for count in tables.kinds:
        keys *= count
    templates = np.full(keys if keys <= COMBINATIONS else 0, -1)  # where each begins in columns
    rows_of = np.empty(len(templates), np.int64)  # and in ptr
    used = used_rows = none
    digits = np.empty(len(tables.size), np.int64)
    scratch = _scratch(tables)
    while row < stop:
        line = row - row % length
        low, high = row - line, min(length, stop - line)
        key, shift = _identify(tables, line, digits)
        known = key >= 0 and keys <= COMBINATIONS
        if known and templates[key] < 0 and length + used_rows < len(kept.ptr):
            kept.ptr[used_rows] = used
            end = _write_line(tables, line, none, length, used, used_rows, shift, kept, scratch)
            if end >= 0:
                templates[key], rows_of[key] = used, used_rows
                used, used_rows = end, used_rows + length + 1
        if known and templates[key] >= 0:
            ptr = rows_of[key]
            begin = np.int64(kept.ptr[ptr + low])
            size = kept.ptr[ptr + high] - begin
            stream(made.columns, at, kept.columns, begin, size, made.columns.dtype.type(shift))
            stream(made_words, at * wide, kept_words, begin * wide, size * wide, zero)
            constant = made.ptr.dtype.type(at - begin)
            stream(made.ptr, row - origin + 1, kept.ptr, ptr + low + 1, high - low, constant)
            at += size
        else:
            at = _write_line(tables, line, low, high, at, row - origin, none, made, scratch)
        row = line + high


@njit(forceinline=True)
def _identify(tables: Tables, row: int, digits: Array) -> tuple[int, int]:
    """Return the key of the line that begins at a row, or -1, and the column of its first entry."""
    _read_digits(tables, row, digits)
    key = shift = 0
    for axis in range(len(tables.outputs)):
        block = tables.blocks[axis]
        place = 0
        for d in range(tables.cut):
            if tables.axis[d] == axis:
                place = place * tables.size[d] + digits[d]
        kind = tables.kind[block + place]
        key = key * tables.kinds[axis] + kind if min(key, kind) >= 0 else -1
        shift += tables.shift[block + place]
    return key, shift


@njit(forceinline=True)
def _read_digits(tables: Tables, row: int, digits: Array) -> None:
    """Set `digits` to those of a row number."""
    for d in range(len(digits) - 1, -1, -1):
        digits[d] = row % tables.size[d]
        row //= tables.size[d]


@njit(forceinline=True)
def _scratch(tables: Tables) -> tuple[Array, Array, Array, Array]:
    """Return room for a position along every axis, and for entries of all but the last."""
    width = tables.width
    return (
        np.empty(len(tables.outputs), np.int64),
        np.empty(width, np.int64),
        np.empty(width),
        np.empty(width),
    )


@compiled
def _write_line(
    tables: Tables,
    line: int,
    low: int,
    high: int,
    at: int,
    row_at: int,
    shift: int,
    target: Target,
    scratch: tuple[Array, Array, Array, Array],
) -> int:
    """Write rows [low, high) of a line, the first at entry `at` and row `row_at` of the target.

    Where the first row begins is known to the target already, in `ptr[row_at]`. Return where the
    next entry goes, or -1 if they do not fit.
    """
    position, column, numerator, denominator = scratch
    digits = np.empty(len(tables.size), np.int64)
    origin = tables.outputs[-1]  # of the last axis
    length = tables.size[-1]
    row = line + low
    while row < line + high:  # as far as the last digit goes
        _read_digits(tables, row, digits)
        position[:] = 0
        for d in range(len(digits)):
            axis = tables.axis[d]
            position[axis] = position[axis] * tables.size[d] + digits[d]
        count = _compose(tables, position, column, numerator, denominator)
        o = origin + position[-1]
        end = min(o + length - digits[-1], o + line + high - row)
        if at + count * (tables.begin[end] - tables.begin[o]) > len(target.columns):
            return -1
        start = at
        if count == 1:
            constant = column[0] - shift
            _write_stretch(tables, o, end, constant, numerator[0], denominator[0], at, target)
            at += tables.begin[end] - tables.begin[o]
        else:
            for p in range(o, end):
                for e in range(count):
                    for j in range(tables.begin[p], tables.begin[p + 1]):
                        target.columns[at] = column[e] + tables.column[j] - shift
                        top = numerator[e] * tables.numerator[j]
                        target.values[at] = top / (denominator[e] * tables.denominator[j])
                        at += 1
        begins, ptr = tables.begin[o : end + 1], target.ptr[row_at : row_at + end - o + 1]
        for p in range(1, end - o + 1):
            ptr[p] = start + count * (begins[p] - begins[0])
        row_at += end - o
        row += end - o
    return at


@njit(forceinline=True)
def _write_stretch(
    tables: Tables,
    o: int,
    end: int,
    constant: int,
    top: float,
    bottom: float,
    at: int,
    target: Target,
) -> None:
    """Write outputs [o, end) of the last axis, in loops over slices, which become vectors."""
    low, size = tables.begin[o], tables.begin[end] - tables.begin[o]
    columns, values = target.columns[at : at + size], target.values[at : at + size]
    steps = tables.column[low : low + size]
    tops, bottoms = tables.numerator[low : low + size], tables.denominator[low : low + size]
    for j in range(size):
        columns[j] = constant + steps[j]
    if tables.ones:
        for j in range(size):
            values[j] = 1
    else:
        for j in range(size):
            values[j] = top * tops[j] / (bottom * bottoms[j])


@njit(forceinline=True)
def _compose(
    tables: Tables, position: Array, column: Array, numerator: Array, denominator: Array
) -> int:
    """List the combined entries of all axes but the last; return how many there are."""
    count = 1
    column[0] = 0
    numerator[0] = denominator[0] = 1
    for axis in range(len(position) - 1):
        o = tables.outputs[axis] + position[axis]
        low = tables.begin[o]
        n = tables.begin[o + 1] - low
        for e in range(count - 1, -1, -1):  # backwards, for the list grows in place
            c, top, bottom = column[e], numerator[e], denominator[e]
            for j in range(n):
                column[e * n + j] = c + tables.column[low + j]
                numerator[e * n + j] = top * tables.numerator[low + j]
                denominator[e * n + j] = bottom * tables.denominator[low + j]
        count *= n
    return count
