"""Fractions to floating point, each to the nearest number."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError

__all__ = ["float_dtype", "rounded"]

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[tuple[Fraction, ...], ...]


@lru_cache(maxsize=256)
def rounded(rows: Rows, dtype: np.dtype[Any]) -> Array:
    """Round each fraction to the nearest number of a dtype; the array is shared, so read-only."""
    matrix = np.array([[_nearest(entry, dtype) for entry in row] for row in rows], dtype)
    matrix.flags.writeable = False
    return matrix


def _nearest(value: Fraction, dtype: np.dtype[Any]) -> Any:
    """Round once: a detour by float64 may end one step away from the nearest."""
    first = dtype.type(float(value))
    if Fraction(float(first)) == value:
        return first
    steps = (np.nextafter(first, dtype.type(sign * np.inf)) for sign in (-1, 1))
    return min((first, *steps), key=lambda number: abs(Fraction(float(number)) - value))


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """Return a floating dtype that Python's float holds."""
    try:
        kind: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        kind = np.dtype(object)
    if kind.char not in "efd":
        raise GeometryError("dtype", dtype, "must be float16, float32 or float64", "use float32")
    return kind
