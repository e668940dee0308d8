"""One layer: a geometry and its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convmat import matrix as _matrix
from convmat._arrays import to_numpy
from convmat._check import GeometryError
from convmat.geometry import Geometry
from convmat.kernels import shifts
from convmat.operator._base import Operator
from convmat.pattern import nbytes

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
        return f"{self.nnz} stored entries, {self.nbytes / 1e6:.3g} MB as CSR"
