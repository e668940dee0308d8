"""The record of layers without weights of their own: pooling, resizing, padding, rearranging.

Such a layer is a Kronecker product of small matrices, one for each axis, with exact weights; some
layers also write the positions of their axes in another order. An `AxisMap` is one of the small
matrices, a `Kronecker` all of them and the order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.axis_map import AxisMap

__all__ = ["Digit", "Kronecker"]

Array = np.ndarray[Any, np.dtype[Any]]


class Digit(NamedTuple):
    """One digit of a row or column number: the axis it belongs to, and how many values it has."""

    axis: int
    size: int


@dataclass(frozen=True)
class Kronecker:
    """A layer without weights: one map for each axis, and the order of rows and columns.

    The matrix is the Kronecker product of the maps, up to the order of its rows and columns. A
    row number is written with `out_digits`, the slowest first, a column number with `in_digits`.
    The digits of one axis, in the order in which they come, make up the position along it. Most
    layers have one digit for each axis, in the order of the axes; `unfold` takes the position
    (k, o) on an axis apart, so that all k come before all o.

    Examples
    --------
    >>> pairs = AxisMap.of(4, 2, [0, 0, 1, 1], [0, 1, 2, 3], [1] * 4, [2] * 4)
    >>> pooling = Kronecker.of((AxisMap.identity(3), pairs), (3, 4), (3, 2))
    >>> pooling.shape, pooling.nnz, pooling.entries_before(2)
    ((6, 12), 12, 4)
    >>> pooling.transpose().transpose() == pooling
    True
    """

    maps: tuple[AxisMap, ...]
    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    in_digits: tuple[Digit, ...]
    out_digits: tuple[Digit, ...]

    @classmethod
    def of(
        cls,
        maps: Sequence[AxisMap],
        in_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        in_digits: Sequence[tuple[int, int]] | None = None,
        out_digits: Sequence[tuple[int, int]] | None = None,
    ) -> Kronecker:
        """Make a record; digits that are not given are one for each axis, in order."""
        inner = in_digits or [(d, part.n_in) for d, part in enumerate(maps)]
        outer = out_digits or [(d, part.n_out) for d, part in enumerate(maps)]
        return cls(
            tuple(maps),
            in_shape,
            out_shape,
            tuple(Digit(*pair) for pair in inner),
            tuple(Digit(*pair) for pair in outer),
        )

    def transpose(self) -> Kronecker:
        """Return the record of the transposed matrix."""
        return Kronecker(
            tuple(part.transpose() for part in self.maps),
            self.out_shape,
            self.in_shape,
            self.out_digits,
            self.in_digits,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (rows, columns) of the matrix."""
        return math.prod(self.out_shape), math.prod(self.in_shape)

    @property
    def nnz(self) -> int:
        """Number of entries: closed form, nothing is built."""
        return math.prod(part.nnz for part in self.maps)

    @property
    def longest_row(self) -> int:
        """Entries of a row, at most."""
        return math.prod(part.longest for part in self.maps)

    @property
    def longest_column(self) -> int:
        """Entries of a column, at most."""
        return math.prod(part.longest_column for part in self.maps)

    def absolute(self) -> Kronecker:
        """Return the record whose weights are the sizes of these."""
        return replace(self, maps=tuple(part.absolute() for part in self.maps))

    @property
    def common_denominator(self) -> int:
        """A denominator that all entries share."""
        return math.prod(part.common_denominator for part in self.maps)

    @property
    def largest_number(self) -> int:
        """No numerator or denominator of an entry is larger."""
        return math.prod(part.largest_number for part in self.maps)

    @property
    def whole(self) -> bool:
        """Whether all weights are integers."""
        return all(part.whole for part in self.maps)

    @property
    def ones(self) -> bool:
        """Whether all weights are 1."""
        return all(part.ones for part in self.maps)

    def fits(self, dtype: np.dtype[Any]) -> bool:
        """Say whether an integer dtype holds every weight exactly."""
        span = np.iinfo(dtype)
        negative = any((part.numerators < 0).any() for part in self.maps)
        return self.whole and self.largest_number <= span.max and (span.min < 0 or not negative)

    def entries_before(self, row: int) -> int:
        """Return ``indptr[row]`` in closed form: the entries of the boxes of outputs before."""
        if row == self.shape[0]:
            return self.nnz
        low = [0] * len(self.maps)
        size = [part.n_out for part in self.maps]
        total = 0
        for digit, value in zip(self.out_digits, self.out_position(row), strict=True):
            axis = digit.axis
            size[axis] //= digit.size
            start = low[axis]
            low[axis] = start + value * size[axis]
            begin = self.maps[axis].begin
            before = int(begin[low[axis]] - begin[start])
            others = (
                int(part.begin[at + step] - part.begin[at])
                for d, (part, at, step) in enumerate(zip(self.maps, low, size, strict=True))
                if d != axis
            )
            total += before * math.prod(others)
        return total

    def out_position(self, row: int) -> list[int]:
        """Return the digits of a row number."""
        values: list[int] = []
        for digit in reversed(self.out_digits):
            row, value = divmod(row, digit.size)
            values.insert(0, value)
        return values

    def rows_of(self, axis: int, outputs: Array) -> Array:
        """Return what output positions along an axis add to the row number."""
        return _contributions(self.out_digits, axis, outputs)

    def columns_of(self, axis: int, inputs: Array) -> Array:
        """Return what input positions along an axis add to the column number."""
        return _contributions(self.in_digits, axis, inputs)


def _contributions(digits: tuple[Digit, ...], axis: int, positions: Array) -> Array:
    """Return what positions along an axis add to the number written with these digits."""
    places = [math.prod(later.size for later in digits[d + 1 :]) for d in range(len(digits))]
    own = [(d, digit.size) for d, digit in enumerate(digits) if digit.axis == axis]
    if not own:
        return np.zeros_like(positions)
    rest = positions
    total: Any = 0
    for d, size in reversed(own[1:]):
        rest, value = np.divmod(rest, size)
        total = total + places[d] * value
    first = places[own[0][0]]
    return total + first * rest if len(own) > 1 or first > 1 else positions
