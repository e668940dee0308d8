"""Sums, products and multiples of operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convmat import matrix as _matrix
from convmat._check import GeometryError
from convmat.operator._base import Operator, result_dtype
from convmat.weights import as_weight

__all__ = ["Product", "Scaled", "Sum"]

Array = np.ndarray[Any, np.dtype[Any]]


class Product(Operator):
    """``A @ B``: first B, then A."""

    def __init__(self, outer: Operator, inner: Operator) -> None:
        if outer.in_shape != inner.out_shape:
            raise GeometryError(
                "A @ B",
                (outer.in_shape, inner.out_shape),
                f"A takes {outer.in_shape} but B gives {inner.out_shape}",
                "make the two shapes equal",
            )
        self.outer, self.inner = outer, inner
        self.in_shape, self.out_shape = inner.in_shape, outer.out_shape
        self.dtype = result_dtype(outer.dtype, inner.dtype)

    @property
    def nnz(self) -> int:
        """Upper bound of the stored entries."""
        return min(math.prod(self.shape), self.outer.nnz * self.inner.shape[1])

    @property
    def T(self) -> Operator:  # noqa: N802
        """The transpose, in reverse order."""
        return Product(self.inner.T, self.outer.T)

    @property
    def H(self) -> Operator:  # noqa: N802
        """The conjugate transpose, in reverse order."""
        return Product(self.inner.H, self.outer.H)

    def matrix(self, format: str = "csr", dtype: Any = None) -> Any:  # noqa: A002
        """Return the product of the two matrices."""
        _matrix.check_format(format)
        dtype = self.dtype if dtype is None else dtype
        product = self.outer.matrix(dtype=dtype) @ self.inner.matrix(dtype=dtype)
        product.sort_indices()
        return product.asformat(format)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        return self.outer._apply(self.inner._apply(x, dtype), dtype)

    def _name(self) -> str:
        return f"({self.outer._name()}) @ ({self.inner._name()})"


class Sum(Operator):
    """``A + B``."""

    def __init__(self, first: Operator, second: Operator) -> None:
        if (first.in_shape, first.out_shape) != (second.in_shape, second.out_shape):
            raise GeometryError(
                "A + B",
                (first.in_shape, first.out_shape),
                f"B maps {second.in_shape} to {second.out_shape}",
                "add operators of equal shapes",
            )
        self.first, self.second = first, second
        self.in_shape, self.out_shape = first.in_shape, first.out_shape
        self.dtype = result_dtype(first.dtype, second.dtype)

    @property
    def nnz(self) -> int:
        """Upper bound of the stored entries."""
        return min(math.prod(self.shape), self.first.nnz + self.second.nnz)

    @property
    def T(self) -> Operator:  # noqa: N802
        """The transpose of each term."""
        return Sum(self.first.T, self.second.T)

    @property
    def H(self) -> Operator:  # noqa: N802
        """The conjugate transpose of each term."""
        return Sum(self.first.H, self.second.H)

    def matrix(self, format: str = "csr", dtype: Any = None) -> Any:  # noqa: A002
        """Return the sum of the two matrices."""
        _matrix.check_format(format)
        dtype = self.dtype if dtype is None else dtype
        total = self.first.matrix(dtype=dtype) + self.second.matrix(dtype=dtype)
        return total.asformat(format)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        return self.first._apply(x, dtype) + self.second._apply(x, dtype)

    def _name(self) -> str:
        return f"({self.first._name()}) + ({self.second._name()})"


class Scaled(Operator):
    """``scalar * A``."""

    def __init__(self, scalar: Any, operator: Operator) -> None:
        as_weight(scalar, "scalar")
        self.scalar, self.operator = scalar, operator
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        small = operator.dtype.kind in "iu"  # a Python int alone would not widen these
        self.dtype = np.result_type(np.int64 if small else operator.dtype, scalar)

    @property
    def nnz(self) -> int:
        """Stored entries of the matrix."""
        return self.operator.nnz

    @property
    def T(self) -> Operator:  # noqa: N802
        """The transpose."""
        return Scaled(self.scalar, self.operator.T)

    @property
    def H(self) -> Operator:  # noqa: N802
        """The conjugate transpose."""
        return Scaled(np.conj(self.scalar), self.operator.H)

    def matrix(self, format: str = "csr", dtype: Any = None) -> Any:  # noqa: A002
        """Return the scaled matrix."""
        _matrix.check_format(format)
        dtype = self.dtype if dtype is None else dtype
        return (self.scalar * self.operator.matrix(dtype=dtype)).asformat(format)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        y: Array = (self.scalar * self.operator._apply(x, dtype)).astype(dtype, copy=False)
        return y

    def _name(self) -> str:
        return f"{self.scalar} * ({self.operator._name()})"
