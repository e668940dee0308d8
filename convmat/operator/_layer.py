"""One layer: a geometry and its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convmat import matrix as _matrix
from convmat._arrays import to_numpy
from convmat._check import GeometryError
from convmat._padding import keywords
from convmat.entries import LayerEntries
from convmat.geometry import Geometry
from convmat.kernels import shifts
from convmat.operator._base import result_dtype
from convmat.operator._built import BuiltOperator
from convmat.pattern import grid_size
from convmat.weights import as_weight

if TYPE_CHECKING:
    import sympy
    from scipy import sparse

__all__ = ["LayerOperator"]

Array = np.ndarray[Any, np.dtype[Any]]


class LayerOperator(BuiltOperator):
    """One layer: a geometry and its weight.

    Made by the constructors in `convmat.layers`. The transpose is the transposed geometry with
    the very same weight.
    """

    def __init__(self, geometry: Geometry, weight: Array) -> None:
        self.geometry = geometry
        self.weight = weight
        self.in_shape = geometry.in_shape
        self.out_shape = geometry.out_shape
        self.dtype = self._numbers = weight.dtype

    @property
    def record(self) -> Geometry:
        """The geometry."""
        return self.geometry

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

    def with_weight(self, weight: Any) -> LayerOperator:
        """Return the layer of the same geometry with another weight.

        Parameters
        ----------
        weight : array of the shape of `self.weight`
            Integers, floats, complex numbers, or SymPy expressions. Copied.

        Raises
        ------
        GeometryError
            A weight of another shape, or that holds no numbers.

        Examples
        --------
        >>> import convmat as cm
        >>> cm.conv([[[1, 2]]], in_shape=(1, 3)).with_weight([[[5, 7]]])(np.array([[1, 10, 100]]))
        array([[ 75, 750]])
        """
        array = as_weight(weight)
        if array.shape != self.geometry.weight_shape:
            raise GeometryError(
                "weight",
                array.shape,
                f"must have the shape {self.geometry.weight_shape} of the weight it replaces",
                "reshape it, or make a new layer",
            )
        return LayerOperator(self.geometry, array)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.weight.flags.writeable = False  # which a pickle does not keep

    def _entries(self) -> LayerEntries:
        return LayerEntries(self.geometry, self.weight)

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
        # A mask and two integers a candidate beside the entries.
        _matrix.check_symbolic_memory(self.nnz, 17 * grid_size(self.geometry))
        from convmat.symbolic.linear.matrices import symbolic_matrix

        return symbolic_matrix(self.geometry, self.weight, name)

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        return self.symbolic_matrix(names[id(self.weight)])

    def _weighted(self) -> tuple[Array, ...]:
        return (self.weight,)

    def _apply(self, x: Array, dtype: np.dtype[Any]) -> Array:
        return shifts.apply(self.geometry, self.weight, x, dtype)

    def _name(self) -> str:
        words = [f"{word} {value}" for word, value in keywords(self.geometry).items()]
        return ", ".join(["conv_transpose" if self.geometry.flipped else "conv", *words])
