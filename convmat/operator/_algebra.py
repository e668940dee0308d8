"""Sums, products and multiples of operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convmat import matrix as _matrix
from convmat._check import GeometryError
from convmat.operator._base import Operator, result_dtype
from convmat.weights import as_dtype, as_weight, converted

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
        working = _working_dtype(self.dtype, dtype)
        product = self.outer.matrix(dtype=working) @ self.inner.matrix(dtype=working)
        product.sort_indices()
        return _cast(product, dtype).asformat(format)

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
        working = _working_dtype(self.dtype, dtype)
        total = self.first.matrix(dtype=working) + self.second.matrix(dtype=working)
        return _cast(total, dtype).asformat(format)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        return self.first._apply(x, dtype) + self.second._apply(x, dtype)

    def _name(self) -> str:
        return f"({self.first._name()}) + ({self.second._name()})"


class Scaled(Operator):
    """``scalar * A``."""

    def __init__(self, scalar: Any, operator: Operator) -> None:
        checked = as_weight(scalar, "scalar")
        self.scalar, self.operator = scalar, operator
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self.dtype = _scaled_dtype(operator.dtype, scalar, checked)

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
        if self.dtype == object and self.operator.dtype != object:
            raise GeometryError(
                "scalar", self.scalar, "cannot fill a SciPy matrix", "use a number of NumPy's"
            )
        working = _working_dtype(self.dtype, dtype)
        multiple = self.scalar * self.operator.matrix(dtype=working)
        return _cast(multiple, dtype).asformat(format)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        y: Array = (self.scalar * self.operator._apply(x, dtype)).astype(dtype, copy=False)
        return y

    def _name(self) -> str:
        return f"{self.scalar} * ({self.operator._name()})"


def _scaled_dtype(dtype: np.dtype[Any], scalar: Any, checked: Array) -> np.dtype[Any]:
    """Return the dtype of a multiple; a Python number alone does not widen floats."""
    if checked.dtype == object:  # a symbol, or an integer beyond 64 bits
        return checked.dtype
    if dtype.kind not in "iu":
        return np.result_type(dtype, scalar)
    # A Python int alone would not widen these.
    unsigned = dtype == np.uint64 and checked.dtype.kind in "iu" and int(checked) >= 0
    if unsigned:
        return dtype
    return np.result_type(np.int64, scalar)


def _working_dtype(own: np.dtype[Any], wanted: Any) -> np.dtype[Any]:
    """Compute in the wider of an operator's dtype and the one that is wanted."""
    return own if wanted is None else np.result_type(own, as_dtype(wanted))


def _cast(matrix: Any, wanted: Any) -> Any:
    """Convert at the end, where a number that does not fit is seen."""
    if wanted is None or matrix.dtype == as_dtype(wanted):
        return matrix
    converted(matrix.data, wanted)
    return matrix.astype(as_dtype(wanted))
