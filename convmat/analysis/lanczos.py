"""The largest singular value from below: Golub-Kahan-Lanczos bidiagonalisation of an operator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from convmat.operator.algebra import Operator

__all__ = ["largest_from_below"]

Array = np.ndarray[Any, np.dtype[Any]]

STEPS = 48  # after which it begins again with the best vector
BYTES = 1 << 28  # of the vectors that are kept, at most
GONE = 1e-13  # a new direction this short beside the largest value is rounding


def largest_from_below(A: Operator) -> Iterator[tuple[float, int]]:
    """Yield (value, products): the norm of A on a growing Krylov space, never above that of A.

    Vectors are made orthogonal to all before them, twice. After some steps, or when no more fit
    into 256 MB, it begins again with the best vector; it ends where the space is exhausted.
    What rounding adds to the products is not taken off.

    References
    ----------
    Golub and Kahan, 1965; Baglama and Reichel, 2005, section 2.
    """
    dtype = np.result_type(A.dtype, np.float64)
    start = np.random.default_rng(0).standard_normal(A.shape[1]).astype(dtype)
    room = BYTES // (dtype.itemsize * max(sum(A.shape), 1))
    steps = min(max(min(STEPS, room), 2), min(A.shape) + 1)  # one finds that nothing is left
    products, best = 0, 0.0
    while True:
        right, left = np.empty((steps, A.shape[1]), dtype), np.empty((steps, A.shape[0]), dtype)
        bidiagonal = np.zeros((steps, steps))
        direction = start
        for j in range(steps):
            length = float(np.linalg.norm(direction))
            if j:
                bidiagonal[j - 1, j] = length
            if length <= GONE * best:
                return
            right[j] = direction / length
            image = _across(A(right[j].reshape(A.in_shape)).ravel(), left[:j])
            products += 1
            bidiagonal[j, j] = size = float(np.linalg.norm(image))
            left[j] = image / size if size else 0.0
            _, values, rows = np.linalg.svd(bidiagonal[: j + 1, : j + 1])
            best = max(best, float(values[0]))
            start = rows[0] @ right[: j + 1]
            yield best, products
            if size <= GONE * best:
                return
            direction = _across(A.H(left[j].reshape(A.out_shape)).ravel(), right[: j + 1])
            products += 1


def _across(vector: Array, basis: Array) -> Array:
    """Return the part of a vector that is orthogonal to the rows of a basis."""
    for _ in range(2):
        vector = vector - (basis.conj() @ vector) @ basis
    return vector
