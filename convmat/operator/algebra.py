"""Operators, and their algebra: sums, products, multiples and transposes are operators again."""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import result_dtype
from convmat.matrix.exact import Exact, is_rounded
from convmat.matrix.rounding import Rounding, power_of_two, spacing
from convmat.operator.base import matrix_dtype, promoted
from convmat.operator.composing import check_built, check_product
from convmat.operator.protocol import MatrixLike
from convmat.operator.scalars import as_float, as_scalar, multiplied, scaled

if TYPE_CHECKING:
    import sympy
    from scipy import sparse

    from convmat.kernels.cuda.arrays import Held
    from convmat.matrix.csr import Zeros

__all__ = ["Operator", "Product", "Scaled", "Sum"]

Array = np.ndarray[Any, np.dtype[Any]]


class Operator(MatrixLike):
    """A linear map between tensors, with SciPy's operator protocol.

    ``A(x)`` maps x of shape (*batch, *in_shape) to (*batch, *out_shape). ``A.shape`` is
    (rows, columns) of the matrix that acts on C-ordered vectors. No matrix is ever held.

    Attributes
    ----------
    in_shape, out_shape : tuple of int
        (C, *spatial) of input and output, without batch.
    dtype : numpy.dtype
        dtype of the weights; object for SymPy expressions; float64 for exact fractions.
    """

    @property
    @abstractmethod
    def T(self) -> Operator:  # noqa: N802, the name is NumPy's
        """The transpose."""

    @property
    @abstractmethod
    def H(self) -> Operator:  # noqa: N802, the name is SciPy's
        """The conjugate transpose."""

    @abstractmethod
    def _absolute(self) -> Operator:
        """Return the same composition with the size of every number, in float64."""

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, Operator):
            return Product(self, other)
        if type(other).__module__.startswith("convmat."):
            return NotImplemented  # it is no operator, and knows why
        return self._times(other)

    def dot(self, x: Any) -> Any:
        """Return ``A @ x``, or of a number the multiple, as SciPy's operators do."""
        return self * x if np.isscalar(x) else self @ x

    def __add__(self, other: Any) -> Any:
        return Sum(self, other) if isinstance(other, Operator) else NotImplemented

    def __sub__(self, other: Any) -> Any:
        return self + -1 * other if isinstance(other, Operator) else NotImplemented

    def __neg__(self) -> Any:
        return -1 * self

    def __mul__(self, scalar: Any) -> Any:
        if isinstance(scalar, Operator):
            raise TypeError("* multiplies by a number; compose operators with @")
        several = isinstance(scalar, (list, tuple)) or getattr(scalar, "ndim", 0) > 0
        return NotImplemented if several else Scaled(scalar, self)

    __rmul__ = __mul__


class Composed(Operator):
    """Two operators, combined by one sign; of its entries only upper bounds are known."""

    _sign: str
    _combine: Callable[[Any, Any], Any]  # of two matrices, or of how many entries they have

    def __init__(self, left: Operator, right: Operator) -> None:
        self._pair = left, right
        self.in_shape, self.out_shape = right.in_shape, left.out_shape
        self._numbers = promoted(left._numbers, right._numbers)
        self.dtype = matrix_dtype(self._numbers)

    @abstractmethod
    def _entries_at_most(self) -> int:
        """Bound the stored entries by those of the two."""

    @property
    def nnz(self) -> int:
        """Upper bound of the stored entries."""
        return min(
            self._entries_at_most(),
            self.shape[0] * self.longest_row,
            self.shape[1] * self.longest_column,
        )

    @property
    def longest_row(self) -> int:
        """Upper bound of the stored entries of a row."""
        left, right = self._pair
        combined: int = self._combine(left.longest_row, right.longest_row)
        return min(self.shape[1], combined)

    @property
    def longest_column(self) -> int:
        """Upper bound of the stored entries of a column."""
        left, right = self._pair
        combined: int = self._combine(left.longest_column, right.longest_column)
        return min(self.shape[0], combined)

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        left, right = self._pair
        return self._combine(left._symbolic(names), right._symbolic(names))

    @property
    def parts(self) -> tuple[Operator, Operator]:
        """The two operators."""
        return self._pair

    def _name(self) -> str:
        left, right = self._pair
        return f"({left._name()}) {self._sign} ({right._name()})"


class Product(Composed):
    """``A @ B``: first B, then A."""

    _sign, _combine = "@", staticmethod(operator.mul)

    def __init__(self, outer: Operator, inner: Operator) -> None:
        if outer.in_shape != inner.out_shape:
            raise GeometryError(
                "A @ B",
                (outer.in_shape, inner.out_shape),
                f"A takes {outer.in_shape} but B gives {inner.out_shape}",
                "make the two shapes equal",
            )
        self.outer, self.inner = outer, inner
        super().__init__(outer, inner)

    def count_nonzero(self) -> int:
        """Upper bound of the entries that are not zero."""
        return min(
            self.nnz,
            self.outer.count_nonzero() * self.inner.longest_row,
            self.inner.count_nonzero() * self.outer.longest_column,
        )

    def _entries_at_most(self) -> int:
        """Every entry of one meets a row or column of the other."""
        return min(
            self.outer.nnz * self.inner.longest_row, self.inner.nnz * self.outer.longest_column
        )

    @property
    def T(self) -> Operator:  # noqa: N802
        """The transpose, in reverse order."""
        return Product(self.inner.T, self.outer.T)

    @property
    def H(self) -> Operator:  # noqa: N802
        """The conjugate transpose, in reverse order."""
        return Product(self.inner.H, self.outer.H)

    def _assembled(self, working: np.dtype[Any], _wanted: Any, zeros: Zeros) -> Any:
        outer, inner = (part.matrix(dtype=working, zeros=zeros) for part in self._pair)
        check_product(outer, inner, self._most_entries(zeros))
        product = outer @ inner
        product.sort_indices()
        return product

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

    def _on_device(self, given: Held, images: int, dtype: np.dtype[Any]) -> Any:
        from convmat.kernels.cuda.arrays import held as held_there

        between = self.inner._on_device(given, images, dtype)
        return self.outer._on_device(held_there(between, "x"), images, dtype)

    def _exact(self, most: int) -> Exact | None:
        outer, inner = self.outer.exact_matrix(most), self.inner.exact_matrix(most)
        return None if outer is None or inner is None else outer.after(inner, most)

    def _absolute(self) -> Operator:
        return Product(self.outer._absolute(), self.inner._absolute())

    def _rounding(self) -> Rounding:
        terms = min(self.outer.longest_row, self.inner.longest_column)
        return self.outer._rounding().after(self.inner._rounding(), terms)


class Sum(Composed):
    """``A + B``."""

    _sign, _combine = "+", staticmethod(operator.add)

    def __init__(self, first: Operator, second: Operator) -> None:
        if (first.in_shape, first.out_shape) != (second.in_shape, second.out_shape):
            raise GeometryError(
                "A + B",
                (first.in_shape, first.out_shape),
                f"B maps {second.in_shape} to {second.out_shape}",
                "add operators of equal shapes",
            )
        self.first, self.second = first, second
        super().__init__(first, second)

    def count_nonzero(self) -> int:
        """Upper bound of the entries that are not zero."""
        return min(self.nnz, self.first.count_nonzero() + self.second.count_nonzero())

    def _entries_at_most(self) -> int:
        """Every entry is of one or the other."""
        return self.first.nnz + self.second.nnz

    @property
    def T(self) -> Operator:  # noqa: N802
        """The transpose of each term."""
        return Sum(self.first.T, self.second.T)

    @property
    def H(self) -> Operator:  # noqa: N802
        """The conjugate transpose of each term."""
        return Sum(self.first.H, self.second.H)

    def _assembled(self, working: np.dtype[Any], wanted: Any, zeros: Zeros) -> Any:
        check_built(self._most_entries(zeros), working, wanted)
        first, second = (part.matrix(dtype=working, zeros=zeros) for part in self._pair)
        return first + second

    def _write(self, x: Array, y: Array) -> None:
        self.first._write(x, y)
        y += self.second._apply(x, y.dtype)

    def _exact(self, most: int) -> Exact | None:
        first, second = self.first.exact_matrix(most), self.second.exact_matrix(most)
        return None if first is None or second is None else first.plus(second)

    def _absolute(self) -> Operator:
        return Sum(self.first._absolute(), self.second._absolute())

    def _rounding(self) -> Rounding:
        worst = self.first._rounding().either(self.second._rounding())
        return worst._replace(made=worst.made + 1)


class Scaled(Operator):
    """``scalar * A``; a `fractions.Fraction` or a SymPy rational stays exact."""

    def __init__(self, scalar: Any, operator: Operator) -> None:
        self.scalar, self.operator = as_scalar(scalar), operator
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self._numbers = scaled(operator._numbers, self.scalar)
        self.dtype = matrix_dtype(self._numbers)

    @property
    def nnz(self) -> int:
        """Stored entries of the matrix."""
        return self.operator.nnz

    def count_nonzero(self) -> int:
        """Entries that are not zero, or a bound as for the operator."""
        return self.operator.count_nonzero() if self.scalar != 0 else 0

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

    def _assembled(self, working: np.dtype[Any], wanted: Any, zeros: Zeros) -> Any:
        if self.dtype == object and self.operator.dtype != object:
            raise GeometryError(
                "scalar", self.scalar, "cannot fill a SciPy matrix", "use a number of NumPy's"
            )
        check_built(self._most_entries(zeros), working, wanted)
        return multiplied(self.scalar, self.operator.matrix(dtype=working, zeros=zeros))

    def _write(self, x: Array, y: Array) -> None:
        self.operator._write(x, y)
        if isinstance(self.scalar, Fraction):
            y[...] = multiplied(self.scalar, y)
        else:
            np.multiply(self.scalar, y, out=y)

    def weight_matrix(self, x: Any) -> sparse.csr_array[Any]:
        """Return U with ``A(x).ravel() == U @ weight.ravel()``, where A has exactly one weight."""
        from scipy import sparse

        return sparse.csr_array(multiplied(self.scalar, self.operator.weight_matrix(x)))

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        import sympy

        return self.operator._symbolic(names) * sympy.sympify(self.scalar)

    def _exact(self, most: int) -> Exact | None:
        inner = self.operator.exact_matrix(most)
        return None if inner is None else inner.times(self.scalar)

    def _absolute(self) -> Operator:
        return Scaled(as_float(abs(self.scalar)), self.operator._absolute())

    def _rounding(self) -> Rounding:
        number, given = np.asarray(self.scalar).reshape(1), int(is_rounded(self.scalar))
        if isinstance(self.scalar, Fraction):
            bottom = self.scalar.denominator
            power = 0 if bottom & (bottom - 1) else bottom
        else:
            power = 0 if number.dtype == object else power_of_two(number)
        # A fraction is a product and a quotient.
        known = Rounding(spacing(number.dtype) * given, given, 1, power)
        return known.after(self.operator._rounding(), 1)

    @property
    def parts(self) -> tuple[Operator]:
        """The operator that is multiplied."""
        return (self.operator,)

    def _scalars(self) -> tuple[Any, ...]:
        return (self.scalar, *super()._scalars())

    def _name(self) -> str:
        return f"{self.scalar} * ({self.operator._name()})"
