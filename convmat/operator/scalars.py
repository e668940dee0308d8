"""Numbers that operators are multiplied by: exact as long as they can be."""

from __future__ import annotations

from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import result_dtype
from convmat.geometry.weights import as_weight

__all__ = ["as_float", "as_scalar", "beyond_floats", "multiplied", "scaled"]


def as_scalar(scalar: Any) -> Any:
    """Return a number that nobody else holds: Python's, NumPy's, a Fraction, or an expression."""
    if type(scalar) in (int, float, complex):
        as_weight(scalar, "scalar")
        return scalar
    if isinstance(scalar, Rational) and not np.issubdtype(type(scalar), np.integer):
        exact = Fraction(int(scalar.numerator), int(scalar.denominator))
        return int(exact) if exact.denominator == 1 else exact
    return as_weight(scalar, "scalar")[()]


def beyond_floats(name: str, value: Any) -> GeometryError:
    """Return the error of numbers that are exact, but that no float can hold."""
    return GeometryError(
        name,
        value,
        "leads beyond the range of floats",
        "use smaller numbers, or symbolic_matrix(), which is exact",
    )


def as_float(scalar: Any) -> float:
    """Return the nearest float of a real number.

    Raises
    ------
    GeometryError
        It is beyond their range.
    """
    try:
        return float(scalar)
    except OverflowError:
        raise beyond_floats("scalar", scalar) from None


def multiplied(scalar: Any, values: Any) -> Any:
    """Return ``scalar * values``; by a fraction with one rounding where the product is exact."""
    if not isinstance(scalar, Fraction):
        return scalar * values
    if values.dtype == object:
        import sympy

        return sympy.Rational(scalar.numerator, scalar.denominator) * values
    if max(abs(scalar.numerator), scalar.denominator) >= 2**53:
        return as_float(scalar) * values
    return scalar.numerator * values / scalar.denominator


def scaled(numbers: Any, scalar: Any) -> Any:
    """Return what takes part in promotion for a multiple.

    A Python number or a fraction alone does not widen floats, and leaves exact weights without a
    dtype.
    """
    exact = 0.0 if isinstance(scalar, Fraction) else scalar
    known = as_weight(exact, "scalar")
    if known.dtype == object:  # a symbol, or an integer beyond 64 bits
        return known.dtype
    if not isinstance(numbers, np.dtype):
        weak = type(exact) in (int, float, complex)
        return numbers + type(exact)(0) if weak else result_dtype(numbers, known.dtype)
    if numbers.kind not in "iu":
        return np.result_type(numbers, exact)
    # A Python int alone would not widen these.
    if numbers == np.uint64 and known.dtype.kind in "iu" and int(known) >= 0:
        return numbers
    return np.result_type(np.int64, exact)
