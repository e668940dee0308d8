"""The pixels of a picture of a matrix: along each side, blocks of channels, of lines, of places."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Side", "boxes"]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]
Box = tuple[Span, ...]  # of each digit, the values that it takes


class Side(NamedTuple):
    """The pixels along the rows, or the columns, of a window of a matrix.

    A row number has digits: channel, line, place in the line. A pixel is so many values of one
    digit, whatever the later digits are. So every channel is cut like every other, and a pixel
    ends where a line does.

    sizes : how many values each digit has
    units : how many of them are one pixel
    span : the rows that are drawn
    """

    sizes: tuple[int, ...]
    units: tuple[int, ...]
    span: Span

    @classmethod
    def of(cls, sizes: Sequence[int], span: Span, most: int) -> Side:
        """Return the finest pixels of which the window meets at most `most`.

        Examples
        --------
        >>> Side.of((3, 56, 56), (0, 9408), 100).units
        (1, 2, 56)
        >>> Side.of((2, 4), (0, 8), 100).units
        (1, 1)
        """
        total = math.prod(sizes)
        wanted = min(total, most * total // (span[1] - span[0]))
        while True:
            side = cls(tuple(sizes), _units(sizes, wanted), span)
            if side.number <= most or wanted == 1:
                return side
            wanted = max(min(wanted - 1, wanted * most // side.number), 1)

    @property
    def places(self) -> tuple[int, ...]:
        """How many pixels further a unit of each digit is."""
        counts = [-(-size // unit) for size, unit in zip(self.sizes, self.units, strict=True)]
        return tuple(math.prod(counts[d + 1 :]) for d in range(len(counts)))

    @property
    def whole(self) -> int:
        """Pixels along all of the matrix."""
        return self.places[0] * -(-self.sizes[0] // self.units[0])

    @property
    def single(self) -> bool:
        """Whether a pixel is one row."""
        return all(unit == 1 for unit in self.units)

    def pixel(self, rows: Any) -> Any:
        """Return the pixel of rows, counted from the first of the whole matrix."""
        total: Any = 0
        for size, unit, place in reversed(
            list(zip(self.sizes, self.units, self.places, strict=True))
        ):
            rows, value = np.divmod(rows, size)
            total = total + value // unit * place
        return total

    @property
    def first(self) -> int:
        """The first pixel of the window."""
        return int(self.pixel(self.span[0]))

    @property
    def number(self) -> int:
        """Pixels that the window meets."""
        return int(self.pixel(self.span[1] - 1)) - self.first + 1

    def lengths(self) -> Array:
        """Return how many rows of the window are in each of its pixels."""
        pixel = self.first + np.arange(self.number + 1)
        start: Any = np.zeros(len(pixel), np.int64)
        later = math.prod(self.sizes)
        for size, unit, place in zip(self.sizes, self.units, self.places, strict=True):
            later //= size
            value, pixel = np.divmod(pixel, place)
            start = start + value * unit * later
        edges = np.clip(start, *self.span)
        edges[-1] = self.span[1]
        lengths: Array = np.diff(edges)
        return lengths

    @property
    def length(self) -> int:
        """How many rows a pixel has that nothing cuts short."""
        return math.prod(self.units)

    def ends(self) -> tuple[float, float]:
        """Return where the pixels of the window begin and end, if all have one length."""
        each = math.prod(self.sizes) / self.whole
        return self.first * each, (self.first + self.number) * each


def _units(sizes: Sequence[int], wanted: int) -> tuple[int, ...]:
    units = []
    for size in sizes:
        if size <= wanted:
            units.append(1)
            wanted //= size
        else:
            units.append(_unit(size, wanted))
            wanted = 1
    return tuple(units)


def _unit(size: int, wanted: int) -> int:
    """Return into how large parts to cut `size`, so that there are at most `wanted`.

    Parts of one length are worth some more of it: a shorter last one looks different.

    Examples
    --------
    >>> _unit(56, 15), _unit(53, 15), _unit(53, 1)
    (4, 4, 53)
    """
    least = -(-size // wanted)
    longer = range(least, least + least // 2 + 2)
    return next((unit for unit in longer if size % unit == 0), least)


def boxes(sizes: Sequence[int], span: Span) -> Iterator[Box]:
    """Cut a span of numbers into boxes of their digits, which are the more the more digits.

    Examples
    --------
    >>> list(boxes((4, 10), (7, 32)))
    [((0, 1), (7, 10)), ((1, 3), (0, 10)), ((3, 4), (0, 2))]
    """
    if not sizes:
        yield ()
        return
    rest = sizes[1:]
    each = math.prod(rest)
    first, stop = span[0] // each, span[1] // each
    if first == stop:
        yield from (((first, first + 1), *box) for box in boxes(rest, _within(span, first, each)))
        return
    if span[0] % each:
        inside = span[0] - first * each, each
        yield from (((first, first + 1), *box) for box in boxes(rest, inside))
        first += 1
    if first < stop:
        yield ((first, stop), *((0, size) for size in rest))
    if span[1] % each:
        inside = 0, span[1] - stop * each
        yield from (((stop, stop + 1), *box) for box in boxes(rest, inside))


def _within(span: Span, block: int, each: int) -> Span:
    return span[0] - block * each, span[1] - block * each
