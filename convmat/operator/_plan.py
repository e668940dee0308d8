"""Which algorithm applies a layer, why, and at what cost: known before it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat._check import GeometryError
from convmat.geometry import Geometry
from convmat.kernels import shifts
from convmat.operator._base import SMALL, unit_roundoff

if TYPE_CHECKING:
    from convmat.operator._layer import LayerOperator

__all__ = ["NAMES", "Plan", "make_plan"]

Array = np.ndarray[Any, np.dtype[Any]]

NAMES = ("auto", "direct", "gemm", "winograd", "fft", "separable", "sparse")
PRECISIONS = ("default", "fast")
COMPILED = tuple(np.dtype(char) for char in "fdFDlL")  # what there are kernels for
MOST_AXES = 3


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
    error : float
        Bound of the rounding error of an output, in units of the largest ``|x|`` times the
        largest sum of ``|w|`` over the weights of an output channel. 0 where integers are
        computed exactly.
    """

    layer: LayerOperator
    images: int
    dtype: np.dtype[Any]
    algorithm: str
    reason: str
    considered: dict[str, float | str]
    scratch: int
    error: float
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


def make_plan(
    layer: LayerOperator,
    images: int,
    dtype: np.dtype[Any],
    algorithm: str,
    precision: str,
    strict: bool,
) -> Plan:
    """Choose an algorithm, or take the one that was asked for, and prepare it."""
    for name, value, known in (
        ("algorithm", algorithm, NAMES),
        ("precision", precision, PRECISIONS),
    ):
        if value not in known:
            raise GeometryError(name, value, f"must be one of {known}", "choose one of them")
    if algorithm == "auto" and images * layer.nnz <= SMALL:
        return _in_numpy(layer, images, dtype, "so few numbers that no kernel need be loaded")
    unserved = _unserved(layer.geometry, layer.weight, dtype)
    if unserved and algorithm in ("auto", "direct"):
        return _in_numpy(layer, images, dtype, unserved)
    if unserved and algorithm != "sparse":
        rule = f"cannot serve {unserved}"
        raise GeometryError("algorithm", algorithm, rule, "use algorithm='direct'")
    return _compiled(layer, images, dtype, algorithm, precision, strict)


def _compiled(
    layer: LayerOperator,
    images: int,
    dtype: np.dtype[Any],
    algorithm: str,
    precision: str,
    strict: bool,
) -> Plan:
    """Prepare the algorithm that was asked for, or that will take the least time."""
    from convmat.operator._algorithms import ALGORITHMS, Choice, Refusal, estimate

    asked = Choice(layer, images, dtype, precision, strict)
    if algorithm != "auto":
        made = ALGORITHMS[algorithm].prepare(asked)
        if isinstance(made, Refusal):
            raise GeometryError("algorithm", algorithm, made.reason, "use algorithm='auto'")
        return Plan(layer, images, dtype, algorithm, "asked for", {}, *made)
    considered = {name: estimate(one, asked) for name, one in ALGORITHMS.items()}
    able = [name for name, value in considered.items() if isinstance(value, float)]
    for name in sorted(able, key=lambda name: considered[name]):
        made = ALGORITHMS[name].prepare(asked)
        if not isinstance(made, Refusal):
            reason = "the least estimated time"
            return Plan(layer, images, dtype, name, reason, considered, *made)
        considered[name] = made.reason
    raise AssertionError("direct summation serves whatever there are kernels for")


def _in_numpy(layer: LayerOperator, images: int, dtype: np.dtype[Any], why: str) -> Plan:
    def run(x: Array, y: Array) -> None:
        y[...] = shifts.apply(layer.geometry, layer.weight, x, y.dtype)

    scratch = images * math.prod(layer.out_shape) * dtype.itemsize
    error = layer.geometry.longest_row * unit_roundoff(dtype)
    return Plan(layer, images, dtype, "direct", f"in NumPy, for {why}", {}, scratch, error, run)


def _unserved(geometry: Geometry, weight: Array, dtype: np.dtype[Any]) -> str:
    """Say what there are no kernels for, if anything."""
    if dtype not in COMPILED:
        return f"numbers of dtype {dtype}"
    if len(geometry.axes) > MOST_AXES:
        return f"{len(geometry.axes)} spatial axes"
    if weight.dtype.kind in "fc" and not np.isfinite(weight).all():
        return "weights that are not finite, which padded zeros would spread"
    return ""
