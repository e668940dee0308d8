"""Sums, products and multiples of operators."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Rational
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.weights import as_dtype, as_weight, converted
from convmat.matrix import csr, limits
from convmat.operator.base import Operator, matrix_dtype, promoted, result_dtype

if TYPE_CHECKING:
    import sympy
    from scipy import sparse

__all__ = ["Product", "Scaled", "Sum"]

Array = np.ndarray[Any, np.dtype[Any]]

ROWS_COUNTED = 1 << 22  # entries of a stretch of rows, while the entries of a product are counted


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
        csr.check_format(format)
        working = _working_dtype(self.dtype, dtype)
        outer, inner = self.outer.matrix(dtype=working), self.inner.matrix(dtype=working)
        _check_product(outer, inner, self.nnz)
        product = outer @ inner
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

    def _write(self, x: Array, y: Array) -> None:
        self.outer._write(self.inner._apply(x, y.dtype), y)

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
        csr.check_format(format)
        working = _working_dtype(self.dtype, dtype)
        _check_built(self, working, dtype)
        total = self.first.matrix(dtype=working) + self.second.matrix(dtype=working)
        return _cast(total, dtype).asformat(format)

    def _write(self, x: Array, y: Array) -> None:
        self.first._write(x, y)
        y += self.second._apply(x, y.dtype)

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        return self.first._symbolic(names) + self.second._symbolic(names)

    def _weighted(self) -> tuple[Array, ...]:
        return (*self.first._weighted(), *self.second._weighted())

    def _name(self) -> str:
        return f"({self.first._name()}) + ({self.second._name()})"


class Scaled(Operator):
    """``scalar * A``; a `fractions.Fraction` or a SymPy rational stays exact."""

    def __init__(self, scalar: Any, operator: Operator) -> None:
        self.scalar, self.operator = _as_scalar(scalar), operator
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self._numbers = _scaled(operator._numbers, self.scalar)
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
        return Scaled(self.scalar.conjugate(), self.operator.H)

    def matrix(self, format: str = "csr", dtype: Any = None) -> Any:  # noqa: A002
        """Return the scaled matrix."""
        csr.check_format(format)
        if self.dtype == object and self.operator.dtype != object:
            raise GeometryError(
                "scalar", self.scalar, "cannot fill a SciPy matrix", "use a number of NumPy's"
            )
        working = _working_dtype(self.dtype, dtype)
        _check_built(self, working, dtype)
        multiple = self.operator.matrix(dtype=working)
        multiple = _multiplied(self.scalar, multiple)
        return _cast(multiple, dtype).asformat(format)

    def _write(self, x: Array, y: Array) -> None:
        self.operator._write(x, y)
        if isinstance(self.scalar, Fraction):
            y[...] = _multiplied(self.scalar, y)
        else:
            np.multiply(self.scalar, y, out=y)

    def weight_matrix(self, x: Any) -> sparse.csr_array[Any]:
        """Return U with ``A(x).ravel() == U @ weight.ravel()``, where A has exactly one weight."""
        from scipy import sparse

        return sparse.csr_array(_multiplied(self.scalar, self.operator.weight_matrix(x)))

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        import sympy

        return self.operator._symbolic(names) * sympy.sympify(self.scalar)

    def _weighted(self) -> tuple[Array, ...]:
        return self.operator._weighted()

    def _name(self) -> str:
        return f"{self.scalar} * ({self.operator._name()})"


def _as_scalar(scalar: Any) -> Any:
    """Return a number that nobody else holds: Python's, NumPy's, a Fraction, or an expression."""
    if type(scalar) in (int, float, complex):
        as_weight(scalar, "scalar")
        return scalar
    if isinstance(scalar, Rational) and not np.issubdtype(type(scalar), np.integer):
        exact = Fraction(int(scalar.numerator), int(scalar.denominator))
        return int(exact) if exact.denominator == 1 else exact
    return as_weight(scalar, "scalar")[()]


def _multiplied(scalar: Any, values: Any) -> Any:
    """Return ``scalar * values``; by a fraction with one rounding where the product is exact."""
    if not isinstance(scalar, Fraction):
        return scalar * values
    if values.dtype == object:
        import sympy

        return sympy.Rational(scalar.numerator, scalar.denominator) * values
    if max(abs(scalar.numerator), scalar.denominator) >= 2**53:
        return float(scalar) * values
    return scalar.numerator * values / scalar.denominator


def _scaled(numbers: Any, scalar: Any) -> Any:
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


def _check_built(operator: Operator, working: np.dtype[Any], wanted: Any) -> None:
    """Refuse a matrix that would not fit, or would twice where it is converted."""
    copies = 1 + (wanted is not None and as_dtype(wanted) != working)
    limits.check_memory(copies * operator.nnz * (working.itemsize + 4))


def _check_product(outer: Any, inner: Any, bound: int) -> None:
    """Refuse a product that would not fit; its entries are counted where the bound would not."""
    each = np.result_type(outer.dtype, inner.dtype).itemsize + 8
    try:
        limits.check_memory(bound * each)
    except MemoryError:
        step = max(ROWS_COUNTED * outer.shape[0] // max(bound, 1), 1)
        entries = 0
        for row in range(0, outer.shape[0], step):
            entries += (outer[row : row + step] @ inner).nnz
            limits.check_memory(entries * each)


def _working_dtype(own: np.dtype[Any], wanted: Any) -> np.dtype[Any]:
    """Compute in the wider of an operator's dtype and the one that is wanted."""
    return own if wanted is None else np.result_type(own, as_dtype(wanted))


def _cast(matrix: Any, wanted: Any) -> Any:
    """Convert at the end, where a number that does not fit is seen."""
    if wanted is None or matrix.dtype == as_dtype(wanted):
        return matrix
    converted(matrix.data, wanted)
    return matrix.astype(as_dtype(wanted))
