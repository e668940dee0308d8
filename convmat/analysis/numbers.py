"""What must be true of numbers before lengths are computed from them, and how they are rounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.operator.algebra import Operator

__all__ = ["beyond_range", "check_numbers", "dense_matrix", "factors", "rounding"]

Array = np.ndarray[Any, np.dtype[Any]]

SMALLEST, LARGEST = 1e-60, 1e60  # fourth powers are within the range of floats
EPS = float(np.finfo(np.float64).eps)


def factors(A: Operator) -> Iterator[Array]:
    """Yield the weights and the scalars in it."""
    yield from A._weighted()
    for scalar in A._scalars():
        try:
            yield np.asarray(complex(scalar))
        except OverflowError:  # an exact one
            raise beyond_range(A) from None


def check_numbers(A: Operator) -> None:
    """Refuse what is no operator, and numbers whose squares are no floats."""
    if not isinstance(A, Operator):
        raise GeometryError("A", A, "must be an operator", "make one, as with convmat.conv")
    if A.dtype == object:
        raise GeometryError(
            "A", A, "has weights that are symbols, which have no norm", "use A.with_weight(numbers)"
        )
    for numbers in factors(A):
        if not np.isfinite(numbers).all():
            raise GeometryError("A", A, "has numbers that are not finite", "replace NaN, infinity")
        largest = float(np.abs(numbers.astype(complex)).max(initial=0.0))
        if largest and not SMALLEST <= largest <= LARGEST:
            raise beyond_range(A)


def beyond_range(A: Operator) -> GeometryError:
    """Return the error of numbers whose powers leave the range of floats."""
    return GeometryError(
        "A", A, f"has numbers beyond {SMALLEST} to {LARGEST}, or products of such", "scale it first"
    )


def roundings(A: Operator) -> int:
    """Count the roundings in an output, or in an entry of the matrix, at most."""
    own = 2 if A.parts else A.longest_row + A.longest_column + 4
    return own + sum(roundings(part) for part in A.parts)


def rounding(A: Operator, upper: float) -> float:
    """Bound the norm of what rounding adds to ``A(v)``, v a unit vector, or to the matrix."""
    return roundings(A) * (4 if A.dtype.kind == "c" else 1) * EPS * upper


def dense_matrix(A: Operator) -> Array:
    """Return the matrix in float64, or complex128."""
    dense: Array = A.matrix(dtype=np.result_type(A.dtype, np.float64)).toarray()
    return dense
