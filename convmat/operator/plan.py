"""Which algorithm applies a layer, why, and at what cost: known before it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry
from convmat.kernels.cpu.conv import in_numpy
from convmat.kernels.cpu.layout.phases import AXES
from convmat.operator.base import SMALL, unit_roundoff

if TYPE_CHECKING:
    from convmat.operator.convolution import LayerOperator

__all__ = ["NAMES", "Choice", "Plan", "make_plan"]

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = ("auto", "direct", "gemm", "winograd", "fft", "separable", "sparse")
PRECISIONS = ("default", "fast")
COMPILED = tuple(np.dtype(char) for char in "fdFDlL")  # what there are kernels for


@dataclass(frozen=True, eq=False)
class Plan:
    """How a layer will be applied to inputs of one shape and dtype. Calling it does so.

    Attributes
    ----------
    algorithm : str
        "direct", "gemm", "winograd", "fft", "separable" or "sparse".
    reason : str
    considered : dict
        For each algorithm its estimated time in seconds, or why it cannot serve.
    multiply_adds : int
        Of the matrix product; an algorithm may need fewer.
    nbytes : int
        Of input, weight and output: what must move at least.
    scratch : int
        Bytes needed besides, at most, in all threads together.
    """

    layer: LayerOperator
    images: int
    dtype: np.dtype[Any]
    algorithm: str
    reason: str
    considered: dict[str, float | str]
    scratch: int
    bound: Callable[[], float]
    run: Callable[[Array, Array], None]

    @property
    def multiply_adds(self) -> int:
        """Of the matrix product."""
        return self.images * self.layer.nnz

    @property
    def nbytes(self) -> int:
        """Bytes of input, weight and output."""
        numbers = self.images * sum(self.layer.shape) + self.layer.weight.size
        return int(numbers * self.dtype.itemsize)

    @cached_property
    def error(self) -> float:
        """Bound of the rounding error of an output; 0 where integers are computed exactly.

        In units of the largest ``|x|`` times the largest sum of ``|w|`` over the weights of an
        output channel.
        """
        return self.bound()

    def __call__(self, x: Any, out: Any = None) -> Any:
        """Apply the layer as planned; x of the planned shape and dtype."""
        return self.layer._planned(self, x, out)

    def __repr__(self) -> str:
        others = [
            f"{name}: {value if isinstance(value, str) else f'{value * 1e3:.3g} ms'}"
            for name, value in self.considered.items()
        ]
        lines = [
            f"<{self.algorithm} for {self.layer!r}",
            f"{self.images} x {self.layer.in_shape}, {self.dtype}: {self.reason}",
            f"{self.multiply_adds:.3g} multiply-adds, {self.nbytes:.3g} bytes",
            f"scratch {self.scratch:.3g} bytes, error at most {self.error:.2g}",
        ]
        return "\n  ".join(lines + others) + ">"


class Choice(NamedTuple):
    """What is to be applied, to what, and what is asked of it."""

    layer: LayerOperator
    images: int
    dtype: np.dtype[Any]
    precision: str
    strict: bool

    @property
    def weight(self) -> Array:
        """The weight as (groups, out, inner, *kernel)."""
        return correlation_weight(self.layer.geometry, self.layer.weight)

    @property
    def three(self) -> tuple[Geometry, np.dtype[Any], int]:
        """What the work follows from."""
        return self.layer.geometry, self.dtype, self.images

    @property
    def threads(self) -> int:
        """Numba's number of threads, which is never changed here."""
        from convmat.kernels.cpu.threads.pieces import threads

        return threads()

    def packed(self, name: str, make: Callable[..., Any], *more: Any) -> Any:
        """Return what an algorithm makes of the weight, which serves any number of images."""
        kept: dict[Any, Any] = self.layer.__dict__.setdefault("_packed", {})
        key = name, self.dtype, *more
        if key not in kept:
            kept[key] = make(self.layer.geometry, self.weight, self.dtype, *more)
        return kept[key]

    @property
    def unit(self) -> float:
        """Unit roundoff of what is computed in."""
        return unit_roundoff(self.dtype)


def make_plan(asked: Choice, algorithm: str) -> Plan:
    """Choose an algorithm, or take the one that was asked for, and prepare it."""
    for name, value, known in (
        ("algorithm", algorithm, NAMES),
        ("precision", asked.precision, PRECISIONS),
    ):
        if value not in known:
            raise GeometryError(name, value, f"must be one of {known}", "choose one of them")
    if algorithm == "auto" and asked.images * asked.layer.nnz <= SMALL:
        return _in_numpy(asked, "so few numbers that no kernel need be loaded")
    unserved = _unserved(asked.layer.geometry, asked.layer.weight, asked.dtype)
    if unserved and algorithm in ("auto", "direct"):
        return _in_numpy(asked, unserved)
    if unserved and algorithm != "sparse":
        rule = f"cannot serve {unserved}"
        raise GeometryError("algorithm", algorithm, rule, "use algorithm='direct'")
    return _compiled(asked, algorithm)


def _compiled(asked: Choice, algorithm: str) -> Plan:
    """Prepare the algorithm that was asked for, or that will take the least time."""
    from convmat.operator.algorithms import ALGORITHMS, Refusal, estimate

    planned = asked.layer, asked.images, asked.dtype
    if algorithm != "auto":
        made = ALGORITHMS[algorithm].prepare(asked)
        if isinstance(made, Refusal):
            raise GeometryError("algorithm", algorithm, made.reason, "use algorithm='auto'")
        return Plan(*planned, algorithm, "asked for", {}, *made)
    considered = {name: estimate(one, asked) for name, one in ALGORITHMS.items()}
    able = [name for name, value in considered.items() if isinstance(value, float)]
    for name in sorted(able, key=lambda name: considered[name]):
        made = ALGORITHMS[name].prepare(asked)
        if not isinstance(made, Refusal):
            return Plan(*planned, name, "the least estimated time", considered, *made)
        considered[name] = made.reason
    raise AssertionError("direct summation serves whatever there are kernels for")


def _in_numpy(asked: Choice, why: str) -> Plan:
    layer, images, dtype = asked.layer, asked.images, asked.dtype

    def run(x: Array, y: Array) -> None:
        y[...] = in_numpy.apply(layer.geometry, layer.weight, x, y.dtype)

    scratch = images * math.prod(layer.out_shape) * dtype.itemsize

    def bound() -> float:
        return layer.geometry.longest_row * asked.unit

    return Plan(layer, images, dtype, "direct", f"in NumPy, for {why}", {}, scratch, bound, run)


def _unserved(geometry: Geometry, weight: Array, dtype: np.dtype[Any]) -> str:
    """Say what there are no kernels for, if anything."""
    if dtype not in COMPILED:
        return f"numbers of dtype {dtype}"
    if len(geometry.axes) > AXES:
        return f"{len(geometry.axes)} spatial axes"
    if weight.dtype.kind in "fc" and not np.isfinite(weight).all():
        return "weights that are not finite, which padded zeros would spread"
    return ""
