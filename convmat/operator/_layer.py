"""One layer: a geometry and its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convmat import matrix as _matrix
from convmat._arrays import to_numpy
from convmat._check import GeometryError
from convmat._padding import keywords
from convmat.geometry import Geometry
from convmat.kernels import shifts
from convmat.operator._base import Operator, result_dtype
from convmat.pattern import grid_size, nbytes

if TYPE_CHECKING:
    import sympy
    from scipy import sparse

__all__ = ["LayerOperator"]

Array = np.ndarray[Any, np.dtype[Any]]


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
        weight = self.weight.conj()
        weight.flags.writeable = False
        return LayerOperator(self.geometry.transpose(), weight)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.weight.flags.writeable = False  # which a pickle does not keep

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
            dtype of the values; that of the weight if not given. An integer dtype must hold
            the weights exactly. Narrow integers are kept as they are, and products with such a
            matrix wrap as NumPy's do: ask for ``dtype="i8"`` to multiply with it.
        rows : slice, optional
            Build only these rows (step 1), for matrices too large to hold.
        out : scipy.sparse.csr_array, optional
            Overwrite the buffers of this matrix, which must have the shape, nnz and dtypes of
            the result; it is returned.
        values_only : bool
            With `out` a matrix that convmat built on this very geometry: keep its structure and
            write the values of this weight. Refused if its index arrays were replaced since;
            that they were edited in place cannot be noticed.

        Returns
        -------
        scipy.sparse array of `shape`, canonical: columns ascending, no duplicates; zeros are
        stored only where the weight has them.

        Raises
        ------
        GeometryError
            Bad argument, or symbolic weights (use `symbolic_matrix`).
        MemoryError
            If the result, or its conversion to `format`, would not fit: found out before
            anything is allocated, but for dia, whose diagonals are counted in the CSR matrix.

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
        scipy.sparse.csr_array of shape (outputs of the whole batch, weight.size), canonical, in
        the dtype of ``A(x)``. The weight gradient for an output gradient g is
        ``U.T @ g.ravel()``.

        Raises
        ------
        GeometryError
            x of another shape, or that holds SymPy expressions.
        MemoryError
            If the result would not fit, found out before it is allocated.
        """
        array = to_numpy(x, "x")
        if array.shape[-len(self.in_shape) :] != self.in_shape:
            raise GeometryError("x", array.shape, f"must end in {self.in_shape}", "reshape it")
        if array.dtype == object:
            raise GeometryError(
                "x", "SymPy expressions", "cannot fill a SciPy matrix", "pass numbers, or use A(x)"
            )
        # U is made of x alone; symbolic weights have no say in its dtype.
        other = array.dtype if self.dtype == object else self.dtype
        array = array.reshape(-1, self.shape[1])
        return _matrix.weight_matrix(self.geometry, array, result_dtype(other, array.dtype))

    def symbolic_matrix(self, name: str = "w") -> sympy.SparseMatrix:
        """Return a SymPy matrix with entries ``name[...]``, or the weight's own expressions.

        Raises
        ------
        MemoryError
            If it would not fit, found out before anything is allocated.

        Examples
        --------
        >>> import convmat as cm
        >>> cm.conv([[[1, 2]]], in_shape=(1, 3)).symbolic_matrix()
        Matrix([
        [w[0, 0, 0], w[0, 0, 1],          0],
        [         0, w[0, 0, 0], w[0, 0, 1]]])
        """
        from convmat.symbolic.matrices import symbolic_matrix

        # A mask and two integers a candidate; two dictionaries' keys, tuples and numbers an entry.
        _matrix.check_memory(
            17 * grid_size(self.geometry) + 512 * self.nnz,
            "use smaller sizes: such a matrix is made to be read",
        )
        return symbolic_matrix(self.geometry, self.weight, name)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        return shifts.apply(self.geometry, self.weight, x, dtype)

    def _name(self) -> str:
        words = [f"{word} {value}" for word, value in keywords(self.geometry).items()]
        return ", ".join(["conv_transpose" if self.geometry.flipped else "conv", *words])

    def _cost(self) -> str:
        return f"{self.nnz} stored entries, {self.nbytes / 1e6:.3g} MB as CSR"
