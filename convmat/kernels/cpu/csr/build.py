"""Build CSR arrays in Numba: canonical, multi-threaded, one write per element.

See `convmat.kernels.cpu.csr.lines` for how a geometry becomes lines and templates. Here they are
written, each thread its own stretch of them: the structure (indptr and indices), then the values,
which a new weight repeats alone. What is written does not depend on the number of threads.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import get_num_threads, njit

from convmat.geometry.pattern import index_dtype
from convmat.geometry.window import Geometry
from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.csr.lines import (
    Tables,
    Templates,
    compose,
    locate,
    make_tables,
    make_templates,
)
from convmat.kernels.cpu.csr.memory import allocate
from convmat.kernels.cpu.threads.pieces import PIECES, in_threads
from convmat.kernels.cpu.vectors.stream import stream

__all__ = ["csr", "plan", "values"]

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[int, int]

KEPT_POSITIONS = 1 << 15  # outputs along all axes of a geometry whose plan is kept
PIECE_ENTRIES = 1 << 18  # entries that are worth a piece of work of their own


class Span(NamedTuple):
    """The rows that are wanted, and their entries."""

    start: int
    stop: int
    first: int
    last: int


def csr(
    geometry: Geometry,
    numbers: Array,
    rows: Rows | None = None,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Return (indptr, indices, data) of the rows [start, stop).

    Parameters
    ----------
    geometry : Geometry
    numbers : array
        The weight in the order of `correlation_weight`; any dtype of 1, 2, 4, 8 or 16 bytes.
    rows : (start, stop), optional
        All rows if not given.
    out : (indptr, indices, data), optional
        Arrays of the right sizes and dtypes to write into.
    """
    span = _span(geometry, rows)
    indptr, indices, data = out or allocate(
        index_dtype(geometry), span.stop - span.start, span.last - span.first, numbers.dtype
    )
    indptr[0] = 0
    tables, templates = plan(geometry, span)
    words = _words(geometry, numbers)

    def write(first: int, last: int) -> None:
        _structure_of_lines(tables, templates, first, last, span, indptr, indices)
        _values_of_lines(tables, templates, first, last, span, words, _flat_words(data))

    in_threads(write, _pieces(tables, span))
    return indptr, indices, data


def values(geometry: Geometry, numbers: Array, rows: Rows | None, data: Array) -> None:
    """Write the values of the rows [start, stop) into `data`."""
    span = _span(geometry, rows)
    tables, templates = plan(geometry, span)
    words = _words(geometry, numbers)

    def write(first: int, last: int) -> None:
        _values_of_lines(tables, templates, first, last, span, words, _flat_words(data))

    in_threads(write, _pieces(tables, span))


def plan(geometry: Geometry, span: Span) -> tuple[Tables, Templates]:
    """Return what does not depend on the weight; if small, kept for the next weights."""
    whole = span.start == 0 and span.stop == geometry.shape[0]
    if whole and sum(axis.n_out for axis in geometry.axes) <= KEPT_POSITIONS:
        return _whole_plan(geometry)
    return _make_plan(geometry, (span.start, span.stop))


@lru_cache(maxsize=4)
def _whole_plan(geometry: Geometry) -> tuple[Tables, Templates]:
    return _make_plan(geometry, (0, geometry.shape[0]))


def _make_plan(geometry: Geometry, rows: Rows) -> tuple[Tables, Templates]:
    tables = make_tables(geometry, rows)
    return tables, make_templates(geometry, tables)


def _span(geometry: Geometry, rows: Rows | None) -> Span:
    start, stop = rows or (0, geometry.shape[0])
    return Span(start, stop, geometry.entries_before(start), geometry.entries_before(stop))


def _flat_words(data: Array) -> Array:
    """View values as unsigned words, for copying does not care what they mean."""
    return data.view(f"u{min(data.itemsize, 8)}")


def _words(geometry: Geometry, numbers: Array) -> Array:
    """View weights as words: one row per output channel, each entry one or two words."""
    flat = np.ascontiguousarray(numbers).reshape(geometry.out_channels, -1)
    words = _flat_words(flat).reshape(*flat.shape, -1)
    words.flags.writeable = False  # one type for the compiler, whether this is a copy or not
    return words


def _pieces(tables: Tables, span: Span) -> list[Rows]:
    """Cut the lines that hold any of the wanted rows into pieces of work."""
    n_out, blocks = int(tables.windows[-1, 1]), int(tables.units[-1])

    def line(row: int) -> int:
        position, o = divmod(row, n_out)
        return position * blocks + o // tables.rows

    if span.start == span.stop:
        return []
    first, last = line(span.start), line(span.stop - 1) + 1
    wanted = 1 + (span.last - span.first) // PIECE_ENTRIES
    pieces = min(PIECES * get_num_threads(), wanted, last - first)
    ends = [first + (last - first) * piece // pieces for piece in range(pieces + 1)]
    return list(itertools.pairwise(ends))


@njit(forceinline=True)
def _clip(tables: Tables, row: int, unit: Array, start: int, stop: int) -> tuple[int, int]:
    """Rows of a block that exist and lie in [start, stop), counted from the block's first."""
    rows = min(tables.rows, tables.windows[-1, 1] - unit[-1] * tables.rows)
    return max(start - row, 0), min(stop - row, rows)


@compiled
def _structure_of_lines(
    tables: Tables,
    templates: Templates,
    first: int,
    last: int,
    span: Span,
    indptr: Array,
    indices: Array,
) -> None:
    plane = 1
    for d in range(len(tables.windows)):
        plane *= tables.windows[d, 0]
    unit = np.empty(len(tables.units), np.int64)
    own_ptr = np.empty(tables.rows + 1, indptr.dtype)
    own_columns = np.empty(tables.rows * tables.width, indices.dtype)
    own_slot = np.empty(tables.rows * tables.width, templates.slot.dtype)
    for line in range(first, last):
        channel, row, position, key, shift = locate(tables, line, unit)
        number = templates.number[key] if key >= 0 else -1
        if number >= 0:
            ptr, columns = templates.ptr[number], templates.columns
            at = templates.begin[number]
        else:
            compose(tables, unit, own_ptr, own_columns, own_slot)
            ptr, columns = own_ptr, own_columns
            at = shift = 0
        shift += channel // tables.group * tables.inner * plane
        low, high = _clip(tables, row, unit, span.start, span.stop)
        position -= span.first
        size = ptr[high] - ptr[low]
        constant = indices.dtype.type(shift)
        stream(indices, position + ptr[low], columns, at + ptr[low], size, constant)
        constant = indptr.dtype.type(position)
        stream(indptr, row - span.start + low + 1, ptr, low + 1, high - low, constant)


@compiled
def _values_of_lines(
    tables: Tables,
    templates: Templates,
    first: int,
    last: int,
    span: Span,
    numbers: Array,
    data: Array,
) -> None:
    words = numbers.shape[2]
    unit = np.empty(len(tables.units), np.int64)
    filled = np.full(len(templates.begin), -1)
    values = np.empty(templates.begin[-1] * words, data.dtype)
    own_ptr = np.empty(tables.rows + 1, templates.ptr.dtype)
    own_columns = np.empty(tables.rows * tables.width, templates.columns.dtype)
    own_slot = np.empty(tables.rows * tables.width, templates.slot.dtype)
    own_values = np.empty(tables.rows * tables.width * words, data.dtype)
    for line in range(first, last):
        channel, row, position, key, _ = locate(tables, line, unit)
        number = templates.number[key] if key >= 0 else -1
        if number >= 0:
            ptr, source, at = templates.ptr[number], values, templates.begin[number]
            if filled[number] != channel:
                stop = templates.begin[number + 1]
                _gather(values, at, templates.slot, stop, numbers[channel])
                filled[number] = channel
        else:
            compose(tables, unit, own_ptr, own_columns, own_slot)
            ptr, source, at = own_ptr, own_values, np.int64(0)  # one type, as above
            _gather(own_values, at, own_slot, np.int64(own_ptr[-1]), numbers[channel])
        low, high = _clip(tables, row, unit, span.start, span.stop)
        target = (position - span.first + ptr[low]) * words
        size = (ptr[high] - ptr[low]) * words
        stream(data, target, source, (at + ptr[low]) * words, size, data.dtype.type(0))


@compiled
def _gather(values: Array, start: int, slot: Array, stop: int, numbers: Array) -> None:
    """values[start:stop] = numbers[slot[start:stop]], each of one or more words."""
    words = numbers.shape[1]
    if words == 1:
        for e in range(start, stop):
            values[e] = numbers[slot[e], 0]
        return
    for e in range(start, stop):
        for w in range(words):
            values[e * words + w] = numbers[slot[e], w]
