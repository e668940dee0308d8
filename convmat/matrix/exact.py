"""Sparse matrices of exact numbers: integers over one denominator, or expressions in symbols."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from numbers import Rational
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.kronecker import Kronecker
from convmat.geometry.printing import one_line
from convmat.geometry.window import Geometry
from convmat.matrix.csr import pattern

__all__ = ["Exact", "exact_number", "is_rounded", "over_one_denominator"]

Array = np.ndarray[Any, np.dtype[Any]]

TERMS = 4  # of the sums behind the entries of a product, for every entry that is allowed


class Exact(NamedTuple):
    """A sparse matrix of exact numbers with one denominator; no entry is 0.

    Attributes
    ----------
    columns : int
    keys : int64 array, ascending: row * columns + column
    numerators : array of Python integers; or of fractions and expressions over the denominator 1
    denominator : int
    """

    columns: int
    keys: Array
    numerators: Array
    denominator: int

    def __repr__(self) -> str:
        return one_line(self)

    @classmethod
    def of_layer(cls, geometry: Geometry, weight: Array) -> Exact | None:
        """Return the matrix of a layer with weights: a float is the fraction that it stores."""
        known, which = weight, np.arange(weight.size)
        if weight.dtype != object:
            known, which = np.unique(weight, return_inverse=True)
        scaled = over_one_denominator(known.ravel().tolist())
        if scaled is None:
            return None
        found = pattern(geometry)
        rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
        keys = rows * found.shape[1] + found.indices
        numerators = scaled[0][which.ravel()[found.slot]]
        return cls.gathered(found.shape[1], keys, numerators, scaled[1])

    @classmethod
    def of_kronecker(cls, record: Kronecker) -> Exact:
        """Return the matrix of a layer without weights of its own, whose entries are fractions."""
        rows, columns = np.zeros(1, np.int64), np.zeros(1, np.int64)
        numerators, denominator = _objects([1]), 1
        for axis, part in enumerate(record.maps):
            common = part.common_denominator
            own = _objects(map(int, part.numerators))
            own *= common // _objects(map(int, part.denominators))
            rows = np.add.outer(rows, record.rows_of(axis, part.outputs)).ravel()
            columns = np.add.outer(columns, record.columns_of(axis, part.inputs)).ravel()
            numerators = np.multiply.outer(numerators, own).ravel()
            denominator *= common
        width = record.shape[1]
        return cls.gathered(width, rows * width + columns, numerators, denominator)

    @classmethod
    def gathered(cls, columns: int, keys: Array, numerators: Array, denominator: int) -> Exact:
        """Sort entries, add those of one place, and drop zeros."""
        order = np.argsort(keys, kind="stable")
        keys, numerators = keys[order], numerators[order]
        if len(keys):
            starts = np.flatnonzero(np.r_[True, np.diff(keys) != 0])
            keys, numerators = keys[starts], np.add.reduceat(numerators, starts)
            kept = np.asarray(numerators != 0, bool)
            keys, numerators = keys[kept], numerators[kept]
        return cls(columns, keys, numerators, denominator)

    def at(self, key: int) -> Any:
        """Return one entry: an integer, a fraction or an expression."""
        place = int(np.searchsorted(self.keys, key))
        if place == len(self.keys) or self.keys[place] != key:
            return 0
        numerator = self.numerators[place]
        if not isinstance(numerator, Rational):
            return numerator / self.denominator
        value = Fraction(numerator) / self.denominator
        return value.numerator if value.denominator == 1 else value

    def times(self, scalar: Any) -> Exact | None:
        """Return the multiple by a number or an expression."""
        scaled = over_one_denominator([scalar])
        if scaled is None:
            return None
        numerators, denominator = self.numerators * scaled[0][0], self.denominator * scaled[1]
        return self.gathered(self.columns, self.keys, numerators, denominator)

    def plus(self, other: Exact, sign: int = 1) -> Exact:
        """Return the sum of two matrices of one shape, or their difference."""
        common = math.lcm(self.denominator, other.denominator)
        first = self.numerators * (common // self.denominator)
        second = other.numerators * (sign * (common // other.denominator))
        keys = np.concatenate([self.keys, other.keys])
        return self.gathered(self.columns, keys, np.concatenate([first, second]), common)

    def after(self, inner: Exact, most: int) -> Exact | None:
        """Return the product ``self @ inner``; None if its sums have far more than `most` terms."""
        begin = np.searchsorted(inner.keys, inner.columns * np.arange(self.columns + 1))
        rows, middle = np.divmod(self.keys, self.columns)
        lengths = (begin[1:] - begin[:-1])[middle]
        terms = int(lengths.sum())
        if terms > TERMS * most:
            return None
        before = np.cumsum(lengths) - lengths
        met = np.arange(terms) + np.repeat(begin[middle] - before, lengths)
        keys = np.repeat(rows, lengths) * inner.columns + inner.keys[met] % inner.columns
        numerators = np.repeat(self.numerators, lengths) * inner.numerators[met]
        denominator = self.denominator * inner.denominator
        return self.gathered(inner.columns, keys, numerators, denominator)

    def moved(self, columns: int, row: int, column: int) -> Exact:
        """Return the same entries further down and to the right, in a matrix of more columns."""
        rows, own = np.divmod(self.keys, self.columns)
        return self._replace(columns=columns, keys=(rows + row) * columns + own + column)


def exact_number(value: Any) -> Any:
    """Return a fraction, or an expression without floats; None if a number is not finite.

    Examples
    --------
    >>> exact_number(np.int8(3)), exact_number(0.75), exact_number(float("inf"))
    (Fraction(3, 1), Fraction(3, 4), None)
    >>> exact_number(1 + 0.5j)
    1 + I/2
    """
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, (complex, np.complexfloating)):
        real, imaginary = exact_number(value.real), exact_number(value.imag)
        if real is None or imaginary is None or not imaginary:
            return None if imaginary is None else real
        import sympy

        return sympy.sympify(real) + sympy.I * imaginary
    if not hasattr(value, "atoms"):
        try:
            return Fraction(*value.as_integer_ratio())
        except (OverflowError, ValueError):  # infinite, missing
            return None
    import sympy

    exact = value.xreplace({number: sympy.Rational(number) for number in value.atoms(sympy.Float)})
    return exact_number(exact) if isinstance(exact, Rational) else exact


def is_rounded(value: Any) -> bool:
    """Say whether a number or an expression is a float or holds one, as opposed to fractions."""
    if isinstance(value, Rational) or not hasattr(value, "atoms"):
        return not isinstance(value, Rational)
    import sympy

    return bool(value.atoms(sympy.Float))


def over_one_denominator(values: Iterable[Any]) -> tuple[Array, int] | None:
    """Return numerators and their denominator; None where a number is not finite.

    The denominator of expressions is 1.
    """
    exact = [exact_number(value) for value in values]
    if any(number is None for number in exact):
        return None
    if not all(isinstance(number, Fraction) for number in exact):
        return _objects(exact), 1
    common = math.lcm(*(number.denominator for number in exact))
    return _objects(number.numerator * (common // number.denominator) for number in exact), common


def _objects(values: Iterable[Any]) -> Array:
    """Return Python's integers, which do not overflow, or expressions, in an array."""
    listed = list(values)
    made = np.empty(len(listed), object)
    made[:] = listed
    return made
