"""Layers as linear operators: apply, transpose, combine, and turn into a matrix on request."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat import matrix as _matrix
from convmat._arrays import from_numpy, to_numpy
from convmat._check import GeometryError
from convmat.geometry import Geometry
from convmat.kernels import shifts
from convmat.pattern import nbytes
from convmat.weights import as_weight

if TYPE_CHECKING:
    import sympy
    from scipy import sparse

__all__ = ["LayerOperator", "Operator"]

Array = np.ndarray[Any, np.dtype[Any]]


class Operator(ABC):
    """A linear map between tensors, with SciPy's operator protocol.

    ``A(x)`` maps x of shape (*batch, *in_shape) to (*batch, *out_shape). ``A.shape`` is
    (rows, columns) of the matrix that acts on C-ordered vectors. No matrix is ever held.

    Attributes
    ----------
    in_shape, out_shape : tuple of int
        (C, *spatial) of input and output, without batch.
    dtype : numpy.dtype
        dtype of the weights; object for SymPy expressions.
    """

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    # NumPy must hand `array @ A` and `scalar * A` to this class instead of looping over it.
    __array_ufunc__ = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        return math.prod(self.out_shape), math.prod(self.in_shape)

    @property
    @abstractmethod
    def nnz(self) -> int:
        """Stored entries of the matrix, known before it is built; an upper bound if composed."""

    @property
    @abstractmethod
    def T(self) -> Operator:  # noqa: N802, the name is NumPy's
        """The transpose."""

    @property
    @abstractmethod
    def H(self) -> Operator:  # noqa: N802, the name is SciPy's
        """The conjugate transpose."""

    @abstractmethod
    def matrix(self, format: str = "csr", dtype: Any = None) -> Any:  # noqa: A002, SciPy's word
        """Return the matrix as a `scipy.sparse` array."""

    @abstractmethod
    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        """Map (batch, *in_shape) to (batch, *out_shape), computing in `dtype`."""

    def __call__(self, x: Any) -> Any:
        """Apply to x of shape (*batch, *in_shape); the kind of array (NumPy, PyTorch) is kept.

        The result has the promoted dtype of weight and x; integers are summed in 64 bits.
        """
        array = to_numpy(x, "x")
        ndim = len(self.in_shape)
        if array.shape[max(array.ndim - ndim, 0) :] != self.in_shape:
            raise GeometryError(
                "x",
                array.shape,
                f"must have shape (*batch, {', '.join(map(str, self.in_shape))})",
                "check channels and spatial sizes; a channel axis is needed even when it is 1",
            )
        batch = array.shape[: array.ndim - ndim]
        dtype = _result_dtype(self.dtype, array.dtype)
        y = self._apply(array.reshape(math.prod(batch), *self.in_shape), dtype)
        return from_numpy(y.reshape(*batch, *self.out_shape), like=x)

    def matvec(self, x: Any) -> Array:
        """Multiply the matrix by a vector of shape (columns,) or (columns, 1)."""
        vector = np.asarray(x)
        if vector.shape not in ((self.shape[1],), (self.shape[1], 1)):
            raise GeometryError(
                "x", vector.shape, f"must be a vector of {self.shape[1]}", "use A(x) on tensors"
            )
        y: Array = self(vector.reshape(self.in_shape)).reshape(self.shape[0], *vector.shape[1:])
        return y

    def matmat(self, x: Any) -> Array:
        """Multiply the matrix by a matrix of shape (columns, m)."""
        block = np.asarray(x)
        if block.ndim != 2 or len(block) != self.shape[1]:
            raise GeometryError(
                "x", block.shape, f"must have shape ({self.shape[1]}, m)", "use A(x) on tensors"
            )
        y: Array = self(block.T.reshape(-1, *self.in_shape)).reshape(-1, self.shape[0]).T
        return y

    def rmatvec(self, y: Any) -> Array:
        """Multiply the conjugate transpose by a vector."""
        return self.H.matvec(y)

    def rmatmat(self, y: Any) -> Array:
        """Multiply the conjugate transpose by a matrix."""
        return self.H.matmat(y)

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, Operator):
            return Product(self, other)
        return self.matvec(other) if np.ndim(other) == 1 else self.matmat(other)

    def __add__(self, other: Any) -> Any:
        return Sum(self, other) if isinstance(other, Operator) else NotImplemented

    def __sub__(self, other: Any) -> Any:
        return Sum(self, -1 * other) if isinstance(other, Operator) else NotImplemented

    def __neg__(self) -> Operator:
        return Scaled(-1, self)

    def __mul__(self, scalar: Any) -> Any:
        return Scaled(scalar, self) if np.ndim(scalar) == 0 else NotImplemented

    __rmul__ = __mul__

    def __repr__(self) -> str:
        rows, columns = self.shape
        return (
            f"<{self._name()}: {self.in_shape} -> {self.out_shape}, {self.dtype}, "
            f"matrix {rows} x {columns}, {self._cost()}>"
        )

    @abstractmethod
    def _name(self) -> str:
        """Short description for `repr`."""

    def _cost(self) -> str:
        return f"at most {self.nnz} nonzeros"


class LayerOperator(Operator):
    """One layer: a geometry and its weight.

    Made by the constructors in `convmat.layers`. The transpose is the transposed geometry with
    the very same weight.
    """

    def __init__(self, geometry: Geometry, weight: Array) -> None:
        self.geometry = geometry
        self.weight = weight
        self.in_shape = geometry.in_shape
        self.out_shape = geometry.out_shape
        self.dtype = weight.dtype

    @property
    def nnz(self) -> int:
        """Stored entries of the matrix, exactly, before it is built."""
        return self.geometry.nnz

    @property
    def nbytes(self) -> int:
        """Bytes of the CSR matrix, exactly, before it is built."""
        return nbytes(self.geometry, self.dtype)

    @property
    def T(self) -> LayerOperator:  # noqa: N802
        """The transpose: of a convolution, the transposed convolution, and the reverse."""
        return LayerOperator(self.geometry.transpose(), self.weight)

    @property
    def H(self) -> LayerOperator:  # noqa: N802
        """The conjugate transpose."""
        return LayerOperator(self.geometry.transpose(), self.weight.conj())

    def matrix(
        self,
        format: str = "csr",  # noqa: A002, SciPy's word
        dtype: Any = None,
        *,
        rows: slice | None = None,
        out: sparse.csr_array[Any] | None = None,
        values_only: bool = False,
    ) -> Any:
        """Return the matrix, rows and columns in C order of `out_shape` and `in_shape`.

        Parameters
        ----------
        format : str
            Any format of `scipy.sparse`: csr, csc, coo, bsr, dia, dok, lil.
        dtype : dtype, optional
            dtype of the values; that of the weight if not given.
        rows : slice, optional
            Build only these rows (step 1), for matrices too large to hold.
        out : scipy.sparse.csr_array, optional
            Overwrite the buffers of this matrix, which must have the shape, nnz and dtypes of
            the result; it is returned.
        values_only : bool
            With `out` a matrix that convmat built on this very geometry: keep its structure and
            write the values of this weight.

        Returns
        -------
        scipy.sparse array of `shape`, canonical: columns ascending, no duplicates; zeros are
        stored only where the weight has them.

        Raises
        ------
        GeometryError
            Bad argument, or symbolic weights (use `symbolic_matrix`).
        MemoryError
            If the result would not fit, found out before anything is allocated.

        Notes
        -----
        ``M[o, i] = weight[k]`` where ``i = stride*o + dilation*k - pad`` on every axis. Cost:
        `nbytes` written once.

        Examples
        --------
        >>> import convmat as cm
        >>> cm.conv([[[1, 2, 3]]], in_shape=(1, 5)).matrix().toarray()
        array([[1, 2, 3, 0, 0],
               [0, 1, 2, 3, 0],
               [0, 0, 1, 2, 3]])
        """
        return _matrix.build(
            self.geometry, self.weight, format, dtype, rows, out, values_only=values_only
        )

    def weight_matrix(self, x: Any) -> sparse.csr_array[Any]:
        """Return U with ``A(x).ravel() == U @ weight.ravel()``: the layer, linear in its weight.

        Parameters
        ----------
        x : array (*batch, *in_shape)

        Returns
        -------
        scipy.sparse.csr_array of shape (outputs of the whole batch, weight.size). The weight
        gradient for an output gradient g is ``U.T @ g.ravel()``.
        """
        array = to_numpy(x, "x")
        if array.shape[-len(self.in_shape) :] != self.in_shape:
            raise GeometryError("x", array.shape, f"must end in {self.in_shape}", "reshape it")
        return _matrix.weight_matrix(self.geometry, array.reshape(-1, self.shape[1]))

    def symbolic_matrix(self, name: str = "w") -> sympy.SparseMatrix:
        """Return a SymPy matrix with entries ``name[...]``, or the weight's own expressions.

        Examples
        --------
        >>> import convmat as cm
        >>> cm.conv([[[1, 2]]], in_shape=(1, 3)).symbolic_matrix()
        Matrix([
        [w[0, 0, 0], w[0, 0, 1],          0],
        [         0, w[0, 0, 0], w[0, 0, 1]]])
        """
        from convmat.symbolic.matrices import symbolic_matrix

        return symbolic_matrix(self.geometry, self.weight, name)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        return shifts.apply(self.geometry, self.weight, x, dtype)

    def _name(self) -> str:
        axes = self.geometry.axes
        name = "conv_transpose" if self.geometry.flipped else "conv"
        forward = [a.transpose() if self.geometry.flipped else a for a in axes]
        text = f"{name}, kernel {self.geometry.kernel}"
        for word, values, plain in (
            ("stride", [a.stride for a in forward], 1),
            ("padding", [a.pad for a in forward], 0),
            ("dilation", [a.dilation for a in forward], 1),
        ):
            if any(v != plain for v in values):
                text += f", {word} {values[0] if len(set(values)) == 1 else tuple(values)}"
        groups = self.geometry.groups
        return text + (f", groups {groups}" if groups > 1 else "")

    def _cost(self) -> str:
        return f"{self.nnz} nonzeros, {self.nbytes / 1e6:.3g} MB as CSR"


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
        self.dtype = _result_dtype(outer.dtype, inner.dtype)

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
        self.dtype = _result_dtype(first.dtype, second.dtype)

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


def _result_dtype(weight: np.dtype[Any], x: np.dtype[Any]) -> np.dtype[Any]:
    dtype = np.result_type(weight, x)
    return np.result_type(dtype, np.int64) if dtype.kind in "biu" else dtype
