"""What every operator is: a map between tensors that has a matrix. Its algebra is beside it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import Tensor, held, on_device, result_dtype, to_numpy
from convmat.geometry.weights import working_dtype
from convmat.matrix import csr
from convmat.operator.composing import finished
from convmat.operator.on_device import called, refuse
from convmat.operator.scalars import beyond_floats

if TYPE_CHECKING:
    import sympy
    from numpy.typing import ArrayLike
    from scipy import sparse

    from convmat.kernels.cuda.arrays import Held
    from convmat.matrix.csr import Zeros
    from convmat.matrix.entries import Rows
    from convmat.matrix.exact import Exact
    from convmat.matrix.files import Format
    from convmat.matrix.rounding import Rounding

__all__ = ["SMALL", "Map", "matrix_dtype", "promoted", "unit_roundoff"]

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 1 << 14  # multiply-adds that NumPy makes at once, before any kernel is even loaded


class Map(ABC):
    """A linear map between tensors, by itself; see `Operator`, which has the algebra."""

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    dtype: np.dtype[Any]

    # What takes part in NumPy's promotion: the dtype of the weights, or a Python number where
    # they are exact and have none, which then gives way to the precision of what it meets.
    _numbers: Any

    ndim = 2

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

    def count_nonzero(self) -> int:
        """Return how many entries are not zero, before the matrix is built.

        Exact for a layer; for a composition an upper bound. These are the stored entries of
        ``matrix(zeros="drop")``.

        Examples
        --------
        >>> import convmat as cm
        >>> A = cm.conv([[[1, 0, 2]]], in_shape=(1, 5))
        >>> A.nnz, A.count_nonzero(), A.matrix(zeros="drop").nnz
        (9, 6, 6)
        """
        return self.nnz

    @property
    @abstractmethod
    def longest_row(self) -> int:
        """Stored entries of a row, at most."""

    @property
    @abstractmethod
    def longest_column(self) -> int:
        """Stored entries of a column, at most."""

    @overload
    def matrix(
        self, format: Literal["csr"] = "csr", dtype: Any = None, *, zeros: Zeros = "keep"
    ) -> sparse.csr_array[Any]: ...

    @overload
    def matrix(self, format: Format, dtype: Any = None, *, zeros: Zeros = "keep") -> Any: ...

    def matrix(self, format: Format = "csr", dtype: Any = None, *, zeros: Zeros = "keep") -> Any:
        """Return the matrix as a `scipy.sparse` array."""
        kind = csr.check_format(format, zeros)
        made = self._assembled(working_dtype(self.dtype, dtype), dtype, zeros)
        return finished(made, kind, dtype, zeros)

    @abstractmethod
    def _assembled(self, working: np.dtype[Any], wanted: Any, zeros: Zeros) -> Any:
        """Return the CSR matrix, canonical, computed in `working`; check its memory before."""

    def _most_entries(self, zeros: Zeros) -> int:
        """Bound the entries that will be stored."""
        return self.nnz if zeros == "keep" else self.count_nonzero()

    def symbolic_matrix(self, name: str = "w") -> sympy.SparseMatrix:
        """Return a SymPy matrix with entries ``name[...]`` for weights, and fractions elsewhere.

        Where an operator is composed of layers with several weights, they are called name1,
        name2, ... from left to right; a weight that comes twice keeps its name.

        Raises
        ------
        MemoryError
            If it would not fit, found out before anything is allocated.

        Examples
        --------
        >>> import convmat as cm
        >>> A = cm.conv([[[1, 2]]], in_shape=(1, 3))
        >>> (A @ A.T).symbolic_matrix()
        Matrix([
        [w[0, 0, 0]**2 + w[0, 0, 1]**2,       w[0, 0, 0]*w[0, 0, 1]],
        [      w[0, 0, 0]*w[0, 0, 1], w[0, 0, 0]**2 + w[0, 0, 1]**2]])
        >>> cm.avg_pool((1, 6), 3).symbolic_matrix()
        Matrix([
        [1/3, 1/3, 1/3,   0,   0,   0],
        [  0,   0,   0, 1/3, 1/3, 1/3]])
        """
        weights = list({id(weight): None for weight in self._weighted()})
        if len(weights) == 1:
            return self._symbolic({weights[0]: name})
        return self._symbolic({weight: f"{name}{n}" for n, weight in enumerate(weights, 1)})

    @abstractmethod
    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        """Return the symbolic matrix; `names` gives the name of a weight by its identity."""

    @property
    def parts(self) -> tuple[Any, ...]:
        """The operators that it is composed of, from left to right; none of a layer."""
        return ()

    def _weighted(self) -> tuple[Array, ...]:
        """Return the weights of all layers in it, from left to right."""
        return tuple(weight for part in self.parts for weight in part._weighted())

    def _scalars(self) -> tuple[Any, ...]:
        """Return the numbers and symbols by which operators in it are multiplied."""
        return tuple(scalar for part in self.parts for scalar in part._scalars())

    def exact_matrix(self, most: int) -> Exact | None:
        """Return the matrix in exact numbers, in which a float is the fraction that it stores.

        None if it has more than `most` entries, or takes far more terms, or numbers of it are not
        finite.

        Examples
        --------
        >>> import convmat as cm
        >>> third = cm.avg_pool((1, 6), 3).exact_matrix(most=6)
        >>> third.keys, third.numerators, third.denominator
        (array([ 0,  1,  2,  9, 10, 11]), array([1, 1, 1, 1, 1, 1], dtype=object), 3)
        """
        return None if self.nnz > most else self._exact(most)

    @abstractmethod
    def _exact(self, most: int) -> Exact | None:
        """Return the matrix in exact numbers, which is known to have no more than `most`."""

    @abstractmethod
    def _rounding(self) -> Rounding:
        """Return how often numbers in the matrix were rounded."""

    def _entries(self) -> Rows:
        """Return the matrix as one that is read by rows."""
        from convmat.matrix.entries import StoredEntries

        return StoredEntries(self.matrix())

    def weight_matrix(self, x: Any) -> sparse.csr_array[Any]:  # noqa: ARG002, for those who can
        """Return U with ``A(x).ravel() == U @ weight.ravel()``, where A has exactly one weight.

        Raises
        ------
        GeometryError
            No weight, or several, in which A is not linear together.
        """
        raise GeometryError(
            "A", self, "is not linear in one weight", "ask the layer inside that has the weight"
        )

    @abstractmethod
    def _write(self, x: Array, y: Array) -> None:
        """Write y (batch, *out_shape) of x (batch, *in_shape), computing in the dtype of y.

        y is in C order, aligned, and shares no memory with x; what it holds before is not read.
        """

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        """Map (batch, *in_shape) to a new array (batch, *out_shape), computing in `dtype`."""
        y = np.empty((len(x), *self.out_shape), dtype)
        self._write(x, y)
        return y

    def _on_device(self, given: Held, images: int, dtype: np.dtype[Any]) -> Any:  # noqa: ARG002
        """Map (images, *in_shape) on a GPU to a new array there, computing in `dtype`."""
        return refuse(self, given)

    @overload
    def __call__(self, x: Tensor, out: None = None) -> Tensor: ...

    @overload
    def __call__(self, x: ArrayLike, out: Array | None = None) -> Array: ...

    def __call__(self, x: Any, out: Any = None) -> Any:
        """Apply to x of shape (*batch, *in_shape), without a matrix.

        Parameters
        ----------
        x : array (*batch, *in_shape)
            The kind of array (NumPy, PyTorch, and on a GPU CuPy and Numba) is kept, and where
            it lies.
        out : NumPy array (*batch, *out_shape), optional
            To write into, of the dtype of the result, which is returned otherwise. It may be
            strided and may overlap x, or be float16 as x is, for one copy more.

        Notes
        -----
        The result has the promoted dtype of weight and x; integers are summed in 64 bits, and
        floats narrower than float32 as float32, also bfloat16. uint64 is kept where both are
        unsigned; NumPy promotes uint64 with signed integers to float64.
        """
        if on_device(x):
            return called(self, x, out)
        given = held(x, self.in_shape, self._numbers)
        y = given.room(out, self.out_shape)
        try:
            self._write(given.x, y)
        except OverflowError:  # of Python's numbers: those of NumPy become infinite
            raise beyond_floats("x", f"array of {given.x.dtype}") from None
        return given.returned(y, out)

    def matvec(self, x: Any) -> Array:
        """Multiply the matrix by a vector of shape (columns,) or (columns, 1)."""
        vector = to_numpy(x, "x")
        if vector.shape not in ((self.shape[1],), (self.shape[1], 1)):
            raise GeometryError(
                "x",
                vector.shape,
                f"must be a vector of {self.shape[1]}, C order, for in_shape {self.in_shape}",
                "use A(x) on tensors, or x.ravel()",
            )
        y: Array = self(vector.reshape(self.in_shape)).reshape(self.shape[0], *vector.shape[1:])
        return y

    def matmat(self, x: Any) -> Array:
        """Multiply the matrix by a matrix of shape (columns, m)."""
        block = to_numpy(x, "x")
        if block.ndim != 2 or len(block) != self.shape[1]:
            raise GeometryError(
                "x",
                block.shape,
                f"must be ({self.shape[1]},) or ({self.shape[1]}, m) for in_shape {self.in_shape}",
                "use A(x) on tensors, or x.ravel()",
            )
        y: Array = self(block.T.reshape(-1, *self.in_shape)).reshape(-1, self.shape[0]).T
        return y

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        raise TypeError(
            f"{self._name()} holds no matrix; use A.matrix(), or A.matrix().toarray(), or as an "
            "operator of SciPy's scipy.sparse.linalg.aslinearoperator(A)"
        )

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
        return f"at most {self.nnz} stored entries"


def unit_roundoff(dtype: np.dtype[Any]) -> float:
    """Bound the relative error of one product and sum; 0 for integers.

    A complex product rounds several times: Higham (2002), lemma 3.5.
    """
    if dtype.kind not in "fc":
        return 0.0
    factor = 2 * math.sqrt(2) if dtype.kind == "c" else 1
    return float(np.finfo(dtype).eps) / 2 * factor * 1.01  # of second order, for any real length


def promoted(first: Any, second: Any) -> Any:
    """Return what takes part in promotion for a composition of two operators."""
    if isinstance(first, np.dtype):
        return result_dtype(second, first)
    return result_dtype(first, second) if isinstance(second, np.dtype) else first + second


def matrix_dtype(numbers: Any) -> np.dtype[Any]:
    """Return the dtype of a matrix: float64 at least where weights are exact."""
    if isinstance(numbers, np.dtype):
        return numbers
    return np.result_type(np.float64, type(numbers))
