"""How a layer is applied: what is asked, what was decided on it, and the decision as a call."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import Held, Tensor, contiguous, held
from convmat.geometry.printing import OneLine
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry
from convmat.kernels.cpu.conv import in_numpy
from convmat.operator.base import Map, unit_roundoff

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["NAMES", "PRECISIONS", "LayerPlan", "Plan", "Request", "in_numpy_plan"]

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = ("auto", "direct", "gemm", "winograd", "fft", "separable", "sparse")
PRECISIONS = ("default", "fast")


class Request(NamedTuple):
    """What is to be applied, to what, and what is asked of it.

    Attributes
    ----------
    geometry : Geometry
    weight : array
        In the layout of the layer.
    images : int
        How many inputs there are.
    dtype : numpy.dtype
        In which all is computed.
    precision, strict
        As for `LayerOperator.plan`.
    kept : dict
        What algorithms have made of the weight, which serves any number of images.
    """

    geometry: Geometry
    weight: Array
    images: int
    dtype: np.dtype[Any]
    precision: str
    strict: bool
    kept: dict[Any, Any]


@dataclass(frozen=True, eq=False, repr=False)
class Plan(OneLine):
    """What was decided on a request, and what it costs.

    Attributes
    ----------
    request : Request
    algorithm : str
        "direct", "gemm", "winograd", "fft", "separable" or "sparse".
    reason : str
    considered : dict
        For each algorithm its estimated time in seconds, or why it cannot serve.
    scratch : int
        Bytes needed besides input, weight and output, at most, in all threads together.
    bound : callable
        What computes `error`.
    run : callable
        Writes y (images, *out_shape) of x (images, *in_shape), both of the dtype of the request,
        in C order, and not empty.
    """

    request: Request
    algorithm: str
    reason: str
    considered: dict[str, float | str]
    scratch: int
    bound: Callable[[], float]
    run: Callable[[Array, Array], None]

    @property
    def images(self) -> int:
        """How many inputs there are."""
        return self.request.images

    @property
    def dtype(self) -> np.dtype[Any]:
        """In which all is computed."""
        return self.request.dtype

    @property
    def multiply_adds(self) -> int:
        """Of the matrix product; an algorithm may need fewer."""
        return self.images * self.request.geometry.nnz

    @property
    def nbytes(self) -> int:
        """Bytes of input, weight and output: what must move at least."""
        request = self.request
        numbers = request.images * sum(request.geometry.shape) + request.weight.size
        return int(numbers * request.dtype.itemsize)

    @cached_property
    def error(self) -> float:
        """Bound of the rounding error of an output; 0 where integers are computed exactly.

        In units of the largest ``|x|`` times `largest_sum`; `LayerPlan.error_for` gives it in
        those of the output.
        """
        return self.bound()

    @cached_property
    def largest_sum(self) -> float:
        """The largest sum of ``|w|`` over the weights of an output channel."""
        geometry, weight = self.request.geometry, self.request.weight
        wide = np.complex128 if weight.dtype.kind == "c" else np.float64
        sizes = np.abs(correlation_weight(geometry, weight).astype(wide))
        return float(sizes.sum((2, *range(3, sizes.ndim))).max())


@dataclass(frozen=True, eq=False, repr=False)
class LayerPlan(Plan):
    """How a layer will be applied to inputs of one shape and dtype. Calling it does so."""

    layer: Map

    @overload
    def __call__(self, x: Tensor, out: None = None) -> Tensor: ...

    @overload
    def __call__(self, x: ArrayLike, out: Array | None = None) -> Array: ...

    def __call__(self, x: Any, out: Any = None) -> Any:
        """Apply the layer as planned; x of the planned shape and dtype."""
        layer, dtype = self.layer, self.dtype
        given = self._held(x)
        y = given.room(out, layer.out_shape)
        if y.size:
            self.run(contiguous(given.x, dtype), y)
        return given.returned(y, out)

    def error_for(self, x: Any) -> float:
        """Bound the rounding error of every output for this input, in the units of the output.

        Parameters
        ----------
        x : array
            Of the planned shape and dtype.

        Returns
        -------
        float
            `error` times the largest ``|x|`` times `largest_sum`. Numbers that leave the range of
            the dtype, be they too large or too small, are not counted.

        Examples
        --------
        >>> import convmat as cm
        >>> A = cm.conv(np.ones((1, 1, 3), np.float32), (1, 5))
        >>> x = np.full((1, 5), 1000, np.float32)
        >>> plan = A.plan(x.shape, dtype=x.dtype)
        >>> f"{plan.error:.1e}, {plan.error_for(x):.1e}"
        '1.8e-07, 5.4e-04'
        """
        values = self._held(x).x
        if not values.size or not self.error:
            return 0.0
        wide = np.complex128 if values.dtype.kind == "c" else np.float64
        return self.error * float(np.abs(values.astype(wide)).max()) * self.largest_sum

    def _held(self, x: Any) -> Held:
        """Return x as what was planned for, or refuse it."""
        layer, images, dtype = self.layer, self.images, self.dtype
        given = held(x, layer.in_shape, layer._numbers)
        if (len(given.x), given.dtype) != (images, dtype):
            raise GeometryError(
                "x",
                f"{(*given.batch, *layer.in_shape)} of {given.x.dtype}",
                f"must be {images} x {layer.in_shape}, computed in {dtype}, as planned",
                "make a plan for it",
            )
        return given

    def _in_short(self) -> str:
        return (
            f"plan: {self.algorithm}, {self.images} x {self.layer.in_shape}, {self.dtype}, for "
            f"{self.layer!r}"
        )

    def _accuracy(self) -> str:
        if not self.error:
            return "error at most 0: nothing is rounded"
        return (
            f"error at most {self.error:.2g} * max|x| * {self.largest_sum:.3g}, which is the "
            "largest sum of |w| of an output channel; error_for(x) gives the number"
        )

    def __str__(self) -> str:
        others = [
            f"{name}: {value if isinstance(value, str) else f'{value * 1e3:.3g} ms'}"
            for name, value in self.considered.items()
        ]
        lines = [
            f"<{self.algorithm} for {self.layer!r}",
            f"{self.images} x {self.layer.in_shape}, {self.dtype}: {self.reason}",
            f"{self.multiply_adds:.3g} multiply-adds, {self.nbytes:.3g} bytes",
            f"scratch {self.scratch:.3g} bytes",
            self._accuracy(),
        ]
        return "\n  ".join(lines + others) + ">"


def in_numpy_plan(request: Request, why: str) -> Plan:
    """Return the plan to sum directly without any kernel, and say for what."""
    geometry, weight, dtype = request.geometry, request.weight, request.dtype

    def run(x: Array, y: Array) -> None:
        y[...] = in_numpy.apply(geometry, weight, x, y.dtype)

    def bound() -> float:
        return geometry.longest_row * unit_roundoff(dtype)

    scratch = request.images * math.prod(geometry.out_shape) * dtype.itemsize
    return Plan(request, "direct", f"in NumPy, for {why}", {}, scratch, bound, run)
