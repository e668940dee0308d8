"""From an operator to a small picture of its matrix, which of a layer is not built.

Every entry is counted. The pixels are those of `convmat.plot.grid`, so that the counts of a
pattern are a Kronecker product too: of the counts of each axis, which are few.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from convmat.operator import Operator
from convmat.operator.built import BuiltOperator
from convmat.plot.grid import Side, boxes
from convmat.plot.patterns import Axis, Pattern, patterns_of, rows_of, weighted_layer
from convmat.plot.style import tap_colours

__all__ = ["Colours", "Raster", "colours_of", "rasterise"]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]

CHUNK = 1 << 18  # entries held at a time
BUDGET = 1 << 21  # entries of compositions that are built, to colour them by their weights
SHADES = 24  # colours of weights, at most


class Colours(NamedTuple):
    """The colour of an entry: by its tap, or without taps by its weight.

    palette : (colours, 3)
    levels : the distinct weights, ascending; None if colours are numbered, as by taps
    """

    palette: Array
    levels: Array | None

    def of(self, mark: Array) -> Array:
        """Return the colour of taps, or of weights, shape (entries, 3)."""
        if self.levels is None:
            number = mark.astype(np.int64) % len(self.palette)
        else:
            between = (self.levels[1:] + self.levels[:-1]) / 2
            rank = np.searchsorted(between, _level(mark))
            number = rank * len(self.palette) // max(len(self.levels), 1)
        colour: Array = self.palette[number]
        return colour


class Raster(NamedTuple):
    """A matrix, or a window of it, as pixels.

    entries : (height, width) how many entries each pixel holds
    colour : (height, width, 3) their mean colour, 0 to 1
    rows, columns : the pixels along each side
    """

    entries: Array
    colour: Array
    rows: Side
    columns: Side

    def coverage(self) -> Array:
        """Return which part of each pixel is entries."""
        area = np.multiply.outer(self.rows.lengths(), self.columns.lengths())
        covered: Array = self.entries / area
        return covered


class Table(NamedTuple):
    """Entries of one axis, counted: those of one pixel and one label are one element."""

    row: Array  # pixels further down
    column: Array
    mark: Array
    share: Array


def colours_of(A: Operator) -> Colours:
    """Return the colours of taps; without taps of weights; one if those are not known yet."""
    layer = weighted_layer(A)
    if layer is not None:
        return Colours(tap_colours(layer.geometry.kernel), None)
    if not isinstance(A, BuiltOperator) and A.nnz > BUDGET:
        return Colours(tap_colours((1,)), None)
    levels = np.unique(_level(A._entries().distinct()))
    return Colours(tap_colours((min(max(len(levels), 1), SHADES),)), levels)


def _level(values: Array) -> Array:
    """Return weights in single precision, and those of a complex operator as sizes."""
    sizes: Array = (abs(values) if values.dtype.kind == "c" else values).astype(np.float32)
    return sizes


def rasterise(A: Operator, rows: Span, columns: Span, colours: Colours, most: int) -> Raster:
    """Return the picture of a window of the matrix, at most `most` pixels high and wide.

    Every entry of the window is counted in its pixel, no other one is. Memory is bounded by
    `most` squared and `CHUNK`, and time by the pixels that hold entries; only compositions that
    are no pattern, such as sums, take the time of all their entries.
    """
    found = patterns_of(A)
    if found is None or (colours.levels is not None and not isinstance(A, BuiltOperator)):
        sides = Side.of(A.out_shape, rows, most), Side.of(A.in_shape, columns, most)
        parts = _read(A, sides, colours)
    else:
        out_sizes, in_sizes = A.out_shape, A.in_shape
        if len(found) == 1:  # the digits of one layer may be finer than its shape
            out_sizes = tuple(digit.size for digit in found[0].out_digits)
            in_sizes = tuple(digit.size for digit in found[0].in_digits)
        sides = Side.of(out_sizes, rows, most), Side.of(in_sizes, columns, most)
        parts = (part for pattern in found for part in _counted(pattern, sides, colours))
    shape = sides[0].number, sides[1].number
    count, total = np.zeros(math.prod(shape)), np.zeros((3, math.prod(shape)))
    for pixel, colour, share in parts:
        count += np.bincount(pixel, share, count.size)
        for channel in range(3):
            total[channel] += np.bincount(pixel, share * colour[:, channel], count.size)
    mean = (total / np.maximum(count, 1e-9)).T.reshape(*shape, 3)
    return Raster(np.rint(count).astype(np.int64).reshape(shape), mean, *sides)


Counted = Iterator[tuple[Array, Array, Array]]  # pixels, colours, and how much of an entry


def _read(A: Operator, sides: tuple[Side, Side], colours: Colours) -> Counted:
    """Yield the entries of the rows of a composition, some rows at a time."""
    down, across = sides
    built = A._entries() if colours.levels is not None else None
    size = max(CHUNK // max(A.longest_row, 1), 1)
    for start in range(*down.span, size):
        rows = np.arange(start, min(start + size, down.span[1]))
        if built is not None:
            part = built.pick(rows)
            row, column, mark = part.row, part.column, part.value
        else:
            pattern = rows_of(A, rows).tocoo()
            row, column = rows[pattern.row], pattern.col.astype(np.int64)
            mark = np.zeros(len(row), np.int64)
        inside = (column >= across.span[0]) & (column < across.span[1])
        pixel = (down.pixel(row[inside]) - down.first) * across.number
        pixel += across.pixel(column[inside]) - across.first
        yield pixel, colours.of(mark[inside]), np.ones(len(pixel))


def _counted(pattern: Pattern, sides: tuple[Side, Side], colours: Colours) -> Counted:
    """Yield the entries of a pattern by pixel and label, box by box of the window."""
    down, across = sides
    for outer in boxes(down.sizes, down.span):
        for inner in boxes(across.sizes, across.span):
            corner = (_corner(down, outer) - down.first) * across.number
            corner += _corner(across, inner) - across.first
            tables = [
                _tabulate(axis, pattern.marks[d], _digits(pattern, d, sides, (outer, inner)))
                for d, axis in enumerate(pattern.axes)
            ]
            for table in _joined(tables, pattern):
                pixel = corner + table.row * across.number + table.column
                yield pixel, colours.of(table.mark), table.share


def _corner(side: Side, box: Sequence[Span]) -> int:
    """Return the first pixel of a box."""
    parts = zip(box, side.units, side.places, strict=True)
    return sum(low // unit * place for (low, _), unit, place in parts)


class Part(NamedTuple):
    """One digit of the positions along an axis, as a box of the window cuts it.

    size : how many values it has
    shift : what is added to each, in a block
    span : which of the sums are in the box
    unit, place : so many are one pixel, and one pixel is worth so many
    """

    size: int
    shift: int
    span: Span
    unit: int
    place: int


def _digits(pattern: Pattern, axis: int, sides: tuple[Side, Side], cut: Any) -> Any:
    """Return the digits of one axis, those of its outputs and those of its inputs."""
    both = pattern.out_digits, pattern.in_digits
    return [
        [
            Part(digit.size, 0 if d else shift, span, unit, place)
            for d, (digit, span, unit, place) in enumerate(
                zip(digits, box, side.units, side.places, strict=True)
            )
            if digit.axis == axis
        ]
        for digits, side, box, shift in zip(both, sides, cut, pattern.shift, strict=True)
    ]


def _pixels(parts: Sequence[Part], positions: Array) -> tuple[Array, Array]:
    """Return which positions are in the box, and how many pixels into it those are."""
    inside, pixel = np.ones(len(positions), bool), np.zeros(len(positions), np.int64)
    rest = positions
    for part in reversed(parts):
        rest, value = np.divmod(rest, part.size)
        value += part.shift
        low, high = part.span
        inside &= (value >= low) & (value < high)
        pixel += (value // part.unit - low // part.unit) * part.place
    return inside, pixel[inside]


def _tabulate(axis: Axis, marks: Array, digits: tuple[list[Part], list[Part]]) -> Table:
    """Count the entries of one axis that are in a box, by pixel and label."""
    outputs = np.arange(axis.n_out)
    inside, row = _pixels(digits[0], outputs)
    outputs = outputs[inside]
    size = max(CHUNK // axis.longest, 1)
    found = []
    for start in range(0, max(len(outputs), 1), size):
        met = axis.pick(outputs[start : start + size])
        kept, column = _pixels(digits[1], met.inputs)
        keys = row[start : start + size][met.owner[kept]], column, met.label[kept]
        found.append(_merged(*keys, met.share[kept]))
    row, column, label, share = (np.concatenate(parts) for parts in zip(*found, strict=True))
    if len(found) > 1:
        row, column, label, share = _merged(row, column, label, share)
    return Table(row, column, marks[label], share)


def _merged(row: Array, column: Array, label: Array, share: Array) -> tuple[Array, ...]:
    """Add the shares of the entries that agree in all else."""
    across, labels = int(column.max(initial=0)) + 1, int(label.max(initial=0)) + 1
    key, which = np.unique((row * across + column) * labels + label, return_inverse=True)
    pixel, label = np.divmod(key, labels)
    row, column = np.divmod(pixel, across)
    return row, column, label, np.bincount(which, share, len(key))


def _joined(tables: Sequence[Table], pattern: Pattern) -> Iterator[Table]:
    """Yield the products of the entries of all axes, a bounded number at a time."""
    combine = np.multiply if pattern.kind == "weights" else np.add

    def joined(first: Table, second: Table) -> Table:
        pairs = list(zip(first, second, strict=True))
        ways = (np.add, np.add, combine, np.multiply)
        return Table(*(way.outer(*pair).ravel() for way, pair in zip(ways, pairs, strict=True)))

    largest = max(range(len(tables)), key=lambda d: len(tables[d].row))
    others = [table for d, table in enumerate(tables) if d != largest]
    rest = reduce(joined, others) if others else None
    size = max(CHUNK // max(len(rest.row), 1), 1) if rest else CHUNK
    for start in range(0, len(tables[largest].row), size):
        part = Table(*(values[start : start + size] for values in tables[largest]))
        yield joined(part, rest) if rest else part
