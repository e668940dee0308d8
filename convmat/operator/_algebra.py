"""Sums, products and multiples of operators."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat import matrix as _matrix
from convmat._check import GeometryError
from convmat.operator._base import Operator, matrix_dtype, promoted, result_dtype
from convmat.weights import as_dtype, as_weight, converted

if TYPE_CHECKING:
    import sympy
    from scipy import sparse

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
        self._numbers = promoted(outer._numbers, inner._numbers)
        self.dtype = matrix_dtype(self._numbers)

    @property
    def nnz(self) -> int:
        """Upper bound of the stored entries: every entry of one meets a row or column."""
        return min(
            self.outer.nnz * self.inner.longest_row,
            self.inner.nnz * self.outer.longest_column,
            self.shape[0] * self.longest_row,
            self.shape[1] * self.longest_column,
        )

    @property
    def longest_row(self) -> int:
        """Upper bound of the stored entries of a row."""
        return min(self.shape[1], self.outer.longest_row * self.inner.longest_row)

    @property
    def longest_column(self) -> int:
        """Upper bound of the stored entries of a column."""
        return min(self.shape[0], self.outer.longest_column * self.inner.longest_column)

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

    def weight_matrix(self, x: Any) -> sparse.csr_array[Any]:
        """Return U with ``A(x).ravel() == U @ weight.ravel()``, where A has exactly one weight.

        That of the layer with the weight, on what reaches it; behind it, for each of the batch,
        the matrix of what comes after.
        """
        if not self.inner._weighted():
            return self.outer.weight_matrix(self.inner(x))
        if self.outer._weighted():
            return super().weight_matrix(x)
        from scipy import sparse

        U = self.inner.weight_matrix(x)  # noqa: N806, the matrix of the docstring
        batch = sparse.eye_array(U.shape[0] // self.outer.shape[1])
        after = self.outer.matrix(dtype=result_dtype(self.outer._numbers, U.dtype))
        return sparse.csr_array(sparse.kron(batch, after, "csr") @ U)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        return self.outer._apply(self.inner._apply(x, dtype), dtype)

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        return self.outer._symbolic(names) * self.inner._symbolic(names)

    def _weighted(self) -> tuple[Array, ...]:
        return (*self.outer._weighted(), *self.inner._weighted())

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
        self._numbers = promoted(first._numbers, second._numbers)
        self.dtype = matrix_dtype(self._numbers)

    @property
    def nnz(self) -> int:
        """Upper bound of the stored entries."""
        return min(math.prod(self.shape), self.first.nnz + self.second.nnz)

    @property
    def longest_row(self) -> int:
        """Upper bound of the stored entries of a row."""
        return min(self.shape[1], self.first.longest_row + self.second.longest_row)

    @property
    def longest_column(self) -> int:
        """Upper bound of the stored entries of a column."""
        return min(self.shape[0], self.first.longest_column + self.second.longest_column)

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

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        return self.first._symbolic(names) + self.second._symbolic(names)

    def _weighted(self) -> tuple[Array, ...]:
        return (*self.first._weighted(), *self.second._weighted())

    def _name(self) -> str:
        return f"({self.first._name()}) + ({self.second._name()})"


class Scaled(Operator):
    """``scalar * A``."""

    def __init__(self, scalar: Any, operator: Operator) -> None:
        checked = as_weight(scalar, "scalar")
        self.scalar, self.operator = scalar, operator
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self._numbers = _scaled(operator._numbers, scalar, checked)
        self.dtype = matrix_dtype(self._numbers)

    @property
    def nnz(self) -> int:
        """Stored entries of the matrix."""
        return self.operator.nnz

    @property
    def longest_row(self) -> int:
        """Stored entries of a row, at most."""
        return self.operator.longest_row

    @property
    def longest_column(self) -> int:
        """Stored entries of a column, at most."""
        return self.operator.longest_column

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

    def weight_matrix(self, x: Any) -> sparse.csr_array[Any]:
        """Return U with ``A(x).ravel() == U @ weight.ravel()``, where A has exactly one weight."""
        from scipy import sparse

        return sparse.csr_array(self.scalar * self.operator.weight_matrix(x))

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        return self.operator._symbolic(names) * self.scalar

    def _weighted(self) -> tuple[Array, ...]:
        return self.operator._weighted()

    def _name(self) -> str:
        return f"{self.scalar} * ({self.operator._name()})"


def _scaled(numbers: Any, scalar: Any, checked: Array) -> Any:
    """Return what takes part in promotion for a multiple.

    A Python number alone does not widen floats, and leaves exact weights without a dtype.
    """
    if checked.dtype == object:  # a symbol, or an integer beyond 64 bits
        return checked.dtype
    if not isinstance(numbers, np.dtype):
        exact = type(scalar) in (int, float, complex)
        return numbers + type(scalar)(0) if exact else result_dtype(numbers, checked.dtype)
    if numbers.kind not in "iu":
        return np.result_type(numbers, scalar)
    # A Python int alone would not widen these.
    if numbers == np.uint64 and checked.dtype.kind in "iu" and int(checked) >= 0:
        return numbers
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
