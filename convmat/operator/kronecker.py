"""A layer without weights of its own: pooling, resizing, padding, rearranging."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arrays import contiguous
from convmat.geometry.kronecker import Kronecker
from convmat.kernels.cpu.kronecker import in_numpy
from convmat.matrix import limits
from convmat.matrix.entries import KroneckerEntries
from convmat.matrix.exact import Exact
from convmat.matrix.rounding import Rounding
from convmat.operator.base import SMALL
from convmat.operator.built import BuiltOperator
from convmat.operator.on_device import launched

if TYPE_CHECKING:
    import sympy

    from convmat.kernels.cpu.kronecker.apply import KroneckerApplication
    from convmat.kernels.cpu.kronecker.selection import Selection
    from convmat.kernels.cuda.arrays import Held
    from convmat.kernels.cuda.kronecker import Combination

__all__ = ["KroneckerOperator"]

Array = np.ndarray[Any, np.dtype[Any]]

PREPARATION = 64  # multiply-adds in the time that an output of an axis takes to prepare
MADE = (
    "T",
    "_applications",
    "_choice",
    "_combinations",
)  # when first asked for, and not stored with the layer


class KroneckerOperator(BuiltOperator):
    """A layer without weights of its own: a `Kronecker` record, whose weights are fractions.

    Made by the constructors in `convmat.layers`. Its weights are exact, so they take on the
    precision of what they meet: float32 in, float32 out. The matrix is float64 unless another
    dtype is asked for. Integers stay integers if all weights are.

    Parameters
    ----------
    record : Kronecker
    names : (str, str)
        What the layer and its transpose are called.
    """

    def __init__(self, record: Kronecker, names: tuple[str, str]) -> None:
        self.record = record
        self.names = names
        self.in_shape = record.in_shape
        self.out_shape = record.out_shape
        self.dtype = np.dtype(np.float64)
        self._numbers = 0 if record.whole else 0.0

    @cached_property
    def record(self) -> Kronecker:
        """One exact map for each axis, and the order of rows and columns."""
        return self.T.record.transpose()  # of a transpose, when first asked for

    def _entries(self) -> KroneckerEntries:
        return KroneckerEntries(self.record, self.dtype)

    @cached_property
    def T(self) -> KroneckerOperator:  # noqa: N802
        """The transpose, with the very same fractions; made once."""
        made = object.__new__(self._kind_of_transpose())
        made.names = self.names[1], self.names[0]
        made.in_shape, made.out_shape = self.out_shape, self.in_shape
        made.dtype, made._numbers = self.dtype, self._numbers
        made.__dict__["T"] = self
        return made

    def _kind_of_transpose(self) -> type[KroneckerOperator]:
        return KroneckerOperator

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "record": self.record}
        return {key: value for key, value in state.items() if key not in MADE}

    @property
    def H(self) -> KroneckerOperator:  # noqa: N802
        """The conjugate transpose, which is the transpose."""
        return self.T

    def _symbolic(self, _names: dict[int, str]) -> sympy.SparseMatrix:
        from convmat.symbolic.matrices.entries import separable_matrix

        limits.check_symbolic_memory(self.nnz)
        return separable_matrix(self.record)

    def _exact(self, most: int) -> Exact | None:  # noqa: ARG002, it has no more than that
        return Exact.of_kronecker(self.record)

    def _absolute(self) -> KroneckerOperator:
        return KroneckerOperator(self.record.absolute(), self.names)

    def _rounding(self) -> Rounding:
        common = self.record.common_denominator
        return Rounding(0.0, 0, 1, 0 if common & (common - 1) else common)

    def _write(self, x: Array, y: Array) -> None:
        work = len(x) * (self if "record" in self.__dict__ else self.T).record.nnz
        application = self._application(y.dtype, work) if work > SMALL else None
        if application is None:
            y[...] = in_numpy.apply(self.record, x, y.dtype)
        else:
            application(contiguous(x, y.dtype), y)

    def _on_device(self, given: Held, images: int, dtype: np.dtype[Any]) -> Any:
        from convmat.kernels.cuda.kronecker import Combination

        key = given.device, given.dtype, dtype
        if key not in self._combinations:
            self._combinations[key] = Combination(self.record, given.dtype, dtype)
        return launched(self, self._combinations[key], given, images, dtype)

    @cached_property
    def _combinations(self) -> dict[Any, Combination]:
        """What lies on GPUs, for each of them and each dtype."""
        return {}

    def _application(
        self, dtype: np.dtype[Any], work: int
    ) -> Callable[[Array, Array], None] | None:
        """Return what writes outputs of a dtype, where that is worth its preparation."""
        from convmat.kernels.cpu.kronecker.apply import KroneckerApplication, serves

        if not serves(dtype):
            return None
        if self._choice is not None:
            return self._choice
        # To prepare the kernels takes its time for every output of every axis.
        if work <= PREPARATION * sum(part.n_out for part in self.record.maps):
            return None
        if dtype not in self._applications:
            self._applications[dtype] = KroneckerApplication(self.record, dtype)
        return self._applications[dtype]

    @cached_property
    def _choice(self) -> Selection | None:
        """What applies a layer that only chooses inputs, or the transpose of one: any dtype."""
        from convmat.kernels.cpu.kronecker import selection

        transposed = "record" not in self.__dict__  # then that of the layer itself is enough
        record = self.T.record if transposed else self.record
        if not selection.serves(record):
            return None
        return selection.Selection(record.maps[0], transposed=transposed)

    @cached_property
    def _applications(self) -> dict[np.dtype[Any], KroneckerApplication]:
        """What is prepared for the kernels, for each dtype."""
        return {}

    def _name(self) -> str:
        return self.names[0]
