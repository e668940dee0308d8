"""What is known of rounding before a matrix is made in floating point."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = ["Rounding", "power_of_two", "spacing"]

Array = np.ndarray[Any, np.dtype[Any]]


class Rounding(NamedTuple):
    """How often numbers behind an entry of a matrix are rounded, at most.

    Attributes
    ----------
    unit : float
        The spacing of floats at 1, of the coarsest that are given; 0 if none is.
    given : int
        Floats that are multiplied in one term, each of which may be a rounded number.
    made : int
        Roundings that floating point makes of them on the way to the entry.
    denominator : int
        A power of two of which all entries and sums are multiples of the inverse; 0 if none is.
    """

    unit: float
    given: int
    made: int
    denominator: int

    def after(self, inner: Rounding, terms: int) -> Rounding:
        """Return what is known of a product, whose entries are sums of so many terms."""
        return Rounding(
            max(self.unit, inner.unit),
            self.given + inner.given,
            self.made + inner.made + terms,
            self.denominator * inner.denominator,
        )

    def either(self, other: Rounding) -> Rounding:
        """Return what is known of entries of one or of the other."""
        powers = self.denominator, other.denominator
        return Rounding(
            max(self.unit, other.unit),
            max(self.given, other.given),
            max(self.made, other.made),
            max(powers) if all(powers) else 0,
        )


def spacing(dtype: np.dtype[Any]) -> float:
    """Return the spacing of floats at 1, in expressions too; 0 for integers."""
    if dtype.kind in "iu":
        return 0.0
    return float(np.finfo(dtype if dtype.kind in "fc" else float).eps)


def power_of_two(numbers: Array) -> int:
    """Return the least power of two that makes all numbers integers; 0 where one is not finite.

    Examples
    --------
    >>> power_of_two(np.array([3, 0.75, 0])), power_of_two(np.array([np.inf]))
    (4, 0)
    """
    parts = numbers.view(numbers.real.dtype).astype(np.float64)
    if numbers.dtype.kind in "iu" or not np.isfinite(parts).all():
        return int(numbers.dtype.kind in "iu")
    mantissa, exponent = np.frexp(parts[parts != 0])
    whole = (mantissa * 2.0**53).astype(np.int64)
    last = np.frexp((whole & -whole).astype(float))[1] - 1 + exponent - 53  # of the bits that are 1
    return 1 << -int(last.min(initial=0))
