"""What SciPy, and PyLops after it, ask of an operator, in their words.

Neither can be told by inheritance that an operator is one, for importing SciPy's class takes
longer than all of convmat: `scipy.sparse.linalg.aslinearoperator` and `pylops.aslinearoperator` ask
for the methods, and so do SciPy's solvers.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import to_numpy
from convmat.operator.base import Map

__all__ = ["MatrixLike"]

Array = np.ndarray[Any, np.dtype[Any]]


class MatrixLike(Map):
    """A map that multiplies vectors and matrices of C-ordered tensors, from both sides."""

    @property
    @abstractmethod
    def T(self) -> Any:  # noqa: N802, the name is NumPy's
        """The transpose."""

    @property
    @abstractmethod
    def H(self) -> Any:  # noqa: N802, the name is SciPy's
        """The conjugate transpose."""

    def transpose(self) -> Any:
        """Return the transpose, `T`."""
        return self.T

    def adjoint(self) -> Any:
        """Return the conjugate transpose, `H`."""
        return self.H

    def conj(self) -> Any:
        """Return the operator with conjugate numbers; of real ones an equal operator."""
        return self.H.T

    def rmatvec(self, y: Any) -> Array:
        """Multiply the conjugate transpose by a vector."""
        product: Array = self.H.matvec(y)
        return product

    def rmatmat(self, y: Any) -> Array:
        """Multiply the conjugate transpose by a matrix."""
        product: Array = self.H.matmat(y)
        return product

    # PyLops calls an operator that it has wrapped by these names of SciPy's subclasses.
    def _matvec(self, x: Any) -> Array:
        return self.matvec(x)

    def _rmatvec(self, y: Any) -> Array:
        return self.rmatvec(y)

    def _matmat(self, x: Any) -> Array:
        return self.matmat(x)

    def _rmatmat(self, y: Any) -> Array:
        return self.rmatmat(y)

    def _times(self, x: Any) -> Any:
        """Return the product with a vector, a matrix, or an operator of SciPy's or PyLops'."""
        if hasattr(x, "rmatvec"):
            from scipy.sparse import linalg

            wrap: Any = linalg.aslinearoperator  # which asks for methods, not for a type
            return wrap(self) @ wrap(x)
        if hasattr(x, "toarray"):
            raise GeometryError(
                "x",
                type(x).__name__,
                "is a sparse matrix, which a layer is not applied to",
                "write A.matrix() @ x for a sparse product, or A @ x.toarray()",
            )
        array = to_numpy(x, "x")
        return self.matvec(array) if array.ndim == 1 else self.matmat(array)

    def __rmatmul__(self, other: Any) -> Any:
        if type(other).__module__.startswith("convmat."):
            return NotImplemented
        return self.T._times(to_numpy(other, "x").T).T
