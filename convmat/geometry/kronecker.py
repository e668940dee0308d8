"""The record of layers without weights of their own: pooling, resizing, padding, rearranging.

Such a layer is a Kronecker product of small matrices, one for each axis, with exact weights; some
layers also write the positions of their axes in another order. An `AxisMap` is one of the small
matrices, a `Separable` all of them and the order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

__all__ = ["AxisMap", "Digit", "Separable", "quotients"]

Array = np.ndarray[Any, np.dtype[Any]]


class AxisMap:
    """One axis: which inputs each output reads, and with which weights, as fractions.

    Entries of output o stand at ``begin[o]:begin[o+1]``, inputs ascending.

    Attributes
    ----------
    n_in, n_out : int
    begin, inputs : int64 arrays (n_out + 1,) and (entries,)
    numerators, denominators : arrays (entries,)
        int64, or Python integers where those are too narrow; in lowest terms, denominators
        positive.

    Examples
    --------
    >>> pairs = AxisMap.of(4, 2, [0, 0, 1, 1], [0, 1, 2, 3], [1, 1, 1, 1], [2, 2, 2, 2])
    >>> pairs.begin, pairs.inputs, pairs.values(np.dtype(float))
    (array([0, 2, 4]), array([0, 1, 2, 3]), array([0.5, 0.5, 0.5, 0.5]))
    >>> pairs.transpose().transpose() == pairs
    True
    """

    def __init__(
        self,
        n_in: int,
        begin: Array,
        inputs: Array,
        numerators: Array,
        denominators: Array,
    ) -> None:
        self.n_in, self.n_out = n_in, len(begin) - 1
        self.begin, self.inputs = begin, inputs
        self.numerators, self.denominators = numerators, denominators
        self._freeze()

    def _freeze(self) -> None:
        for part in (self.begin, self.inputs, self.numerators, self.denominators):
            part.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._freeze()  # which a pickle does not keep

    @classmethod
    def of(
        cls, n_in: int, n_out: int, outputs: Any, inputs: Any, numerators: Any, denominators: Any
    ) -> AxisMap:
        """Sort entries, add those of one place, and drop zeros.

        Entries of one output must have one denominator. Cost O(entries log entries).
        """
        outputs, inputs = np.asarray(outputs, np.int64), np.asarray(inputs, np.int64)
        order = np.lexsort((inputs, outputs))
        outputs, inputs = outputs[order], inputs[order]
        numerators, denominators = np.asarray(numerators)[order], np.asarray(denominators)[order]
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(outputs) != 0) | (np.diff(inputs) != 0)
        if not new.all():
            numerators = np.add.reduceat(numerators, np.flatnonzero(new))
            outputs, inputs, denominators = outputs[new], inputs[new], denominators[new]
        kept = numerators != 0
        outputs, inputs = outputs[kept], inputs[kept]
        numerators, denominators = numerators[kept], denominators[kept]
        common = np.gcd(numerators, denominators)
        begin = np.searchsorted(outputs, np.arange(n_out + 1))
        return cls(n_in, begin, inputs, numerators // common, denominators // common)

    @classmethod
    def choosing(cls, n_in: int, inputs: Any) -> AxisMap:
        """Return the map whose output o is input ``inputs[o]``, or 0 where that is negative.

        Examples
        --------
        >>> AxisMap.choosing(3, [2, -1, 0]).begin
        array([0, 1, 1, 2])
        """
        wanted = np.asarray(inputs, np.int64)
        begin = np.zeros(len(wanted) + 1, np.int64)
        np.cumsum(wanted >= 0, out=begin[1:])
        kept = wanted if begin[-1] == len(wanted) else wanted[wanted >= 0]
        ones = np.ones(len(kept), np.int64)
        made = cls(n_in, begin, kept.view(), ones, ones)
        made.ones = made.whole = True
        made.longest = min(len(kept), 1)
        return made

    @classmethod
    def identity(cls, size: int) -> AxisMap:
        """Return the map that changes nothing."""
        return cls.choosing(size, np.arange(size))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AxisMap):
            return NotImplemented
        return self.n_in == other.n_in and all(
            np.array_equal(mine, its)
            for mine, its in zip(self._arrays(), other._arrays(), strict=True)
        )

    def __repr__(self) -> str:
        return f"<map of one axis: {self.n_in} -> {self.n_out}, {self.nnz} entries>"

    def __hash__(self) -> int:
        return hash((self.n_in, self.n_out, len(self.inputs)))

    def _arrays(self) -> tuple[Array, ...]:
        return self.begin, self.inputs, self.numerators, self.denominators

    def transpose(self) -> AxisMap:
        """Return the transposed map, with the very same fractions."""
        order = self._by_input()
        begin = np.zeros(self.n_in + 1, np.int64)
        np.cumsum(np.bincount(self.inputs, minlength=self.n_in), out=begin[1:])
        return AxisMap(
            self.n_out,
            begin,
            self.outputs[order],
            self.numerators[order],
            self.denominators[order],
        )

    def _by_input(self) -> Array:
        """Return the entries ordered by input, those of one input by output."""
        place = np.full(self.n_in, -1)
        place[self.inputs] = np.arange(self.nnz)
        order = place[place >= 0]
        if len(order) == self.nnz:  # no input has two entries: nothing to sort
            return order
        return np.argsort(self.inputs, kind="stable")

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.inputs)

    @property
    def outputs(self) -> Array:
        """The output of every entry."""
        return np.repeat(np.arange(self.n_out), np.diff(self.begin))

    @cached_property
    def longest(self) -> int:
        """Entries of an output, at most."""
        return int(np.diff(self.begin).max(initial=0))

    @cached_property
    def longest_column(self) -> int:
        """Entries of an input, at most."""
        return int(np.bincount(self.inputs).max(initial=0))

    @cached_property
    def largest_number(self) -> int:
        """The largest of numerators (without sign) and denominators."""
        pairs = self.numerators, self.denominators
        return max(int(abs(numbers).max(initial=1)) for numbers in pairs)

    @cached_property
    def whole(self) -> bool:
        """Whether all weights are integers."""
        return bool((self.denominators == 1).all())

    @cached_property
    def ones(self) -> bool:
        """Whether all weights are 1."""
        return self.whole and bool((self.numerators == 1).all())

    @cached_property
    def unchanging(self) -> bool:
        """Whether this is the identity."""
        same = self.n_in == self.n_out == self.nnz and self.longest <= 1 and self.ones
        return same and np.array_equal(self.inputs, np.arange(self.nnz))

    def values(self, dtype: np.dtype[Any]) -> Array:
        """Return the weights, each rounded once; SymPy numbers for dtype object."""
        return quotients(self.numerators, self.denominators, dtype)


def quotients(numerators: Array, denominators: Array, dtype: np.dtype[Any]) -> Array:
    """Return fractions in a dtype, each rounded once; SymPy numbers for dtype object."""
    if dtype.kind == "O":
        import sympy

        exact = np.empty(len(numerators), object)
        pairs = zip(numerators.tolist(), denominators.tolist(), strict=True)
        exact[:] = [sympy.Rational(*pair) for pair in pairs]
        return exact
    if dtype.kind in "iu":
        return (numerators // denominators).astype(dtype)
    return (numerators / denominators).astype(dtype)


class Digit(NamedTuple):
    """One digit of a row or column number: the axis it belongs to, and how many values it has."""

    axis: int
    size: int


@dataclass(frozen=True)
class Separable:
    """A layer without weights: one map for each axis, and the order of rows and columns.

    The matrix is the Kronecker product of the maps, up to the order of its rows and columns. A
    row number is written with `out_digits`, the slowest first, a column number with `in_digits`.
    The digits of one axis, in the order in which they come, make up the position along it. Most
    layers have one digit for each axis, in the order of the axes; `unfold` takes the position
    (k, o) on an axis apart, so that all k come before all o.

    Examples
    --------
    >>> pairs = AxisMap.of(4, 2, [0, 0, 1, 1], [0, 1, 2, 3], [1] * 4, [2] * 4)
    >>> pooling = Separable.of((AxisMap.identity(3), pairs), (3, 4), (3, 2))
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
    ) -> Separable:
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

    def transpose(self) -> Separable:
        """Return the record of the transposed matrix."""
        return Separable(
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
