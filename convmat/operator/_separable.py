"""A layer without weights of its own: pooling, resizing, padding, rearranging."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat import matrix as _matrix
from convmat._arrays import contiguous
from convmat.entries import SeparableEntries
from convmat.kernels import axes
from convmat.operator._base import SMALL
from convmat.operator._built import BuiltOperator
from convmat.separable import Separable

if TYPE_CHECKING:
    import sympy

    from convmat.kernels.separable_apply import SeparableApplication

__all__ = ["SeparableOperator"]

Array = np.ndarray[Any, np.dtype[Any]]

PREPARATION = 64  # multiply-adds in the time that an output of an axis takes to prepare
MADE = ("T", "_applications")  # when first asked for, and not stored with the layer


class SeparableOperator(BuiltOperator):
    """A layer without weights of its own: a `Separable` record, whose weights are fractions.

    Made by the constructors in `convmat.layers`. Its weights are exact, so they take on the
    precision of what they meet: float32 in, float32 out. The matrix is float64 unless another
    dtype is asked for. Integers stay integers if all weights are.

    Parameters
    ----------
    record : Separable
    names : (str, str)
        What the layer and its transpose are called.
    """

    def __init__(self, record: Separable, names: tuple[str, str]) -> None:
        self._record = record
        self.names = names
        self.in_shape = record.in_shape
        self.out_shape = record.out_shape
        self.dtype = np.dtype(np.float64)
        self._numbers = 0 if record.whole else 0.0

    @property
    def record(self) -> Separable:
        """One exact map for each axis, and the order of rows and columns."""
        return self._record

    def _entries(self) -> SeparableEntries:
        return SeparableEntries(self._record, self.dtype)

    @cached_property
    def T(self) -> SeparableOperator:  # noqa: N802
        """The transpose, with the very same fractions; made once."""
        made = SeparableOperator(self._record.transpose(), (self.names[1], self.names[0]))
        made.__dict__["T"] = self
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in MADE}

    @property
    def H(self) -> SeparableOperator:  # noqa: N802
        """The conjugate transpose, which is the transpose."""
        return self.T

    def _symbolic(self, _names: dict[int, str]) -> sympy.SparseMatrix:
        from convmat.symbolic.linear.matrices import separable_matrix

        _matrix.check_symbolic_memory(self.nnz)
        return separable_matrix(self._record)

    def _write(self, x: Array, y: Array) -> None:
        # To prepare the kernels takes its time for every output of every axis.
        prepared = PREPARATION * sum(part.n_out for part in self._record.maps)
        small = len(x) * self.nnz <= max(SMALL, prepared)
        application = None if small else self._application(y.dtype)
        if application is None:
            y[...] = axes.apply(self._record, x, y.dtype)
        else:
            application(contiguous(x, y.dtype), y)

    def _application(self, dtype: np.dtype[Any]) -> SeparableApplication | None:
        """Return what is prepared for the kernels, where they serve the dtype."""
        from convmat.kernels.separable_apply import SeparableApplication, serves

        if dtype not in self._applications and serves(dtype):
            self._applications[dtype] = SeparableApplication(self._record, dtype)
        return self._applications.get(dtype)

    @cached_property
    def _applications(self) -> dict[np.dtype[Any], SeparableApplication]:
        """What is prepared for the kernels, for each dtype."""
        return {}

    def _name(self) -> str:
        return self.names[0]
