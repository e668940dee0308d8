"""Upper bounds of the norm of an operator: from its weights, its structure, its absolute values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convmat.analysis.numbers import EPS, LARGEST, SMALLEST, beyond_range, factors, rounding
from convmat.analysis.torus import Torus
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.weights import correlation_weight
from convmat.operator.algebra import Operator, Product, Scaled, Sum
from convmat.operator.blocks import Block
from convmat.operator.convolution import LayerOperator
from convmat.operator.kronecker import KroneckerOperator

__all__ = ["absolute_bound", "axis_matrix", "structural_bound", "torus_of", "wrapped"]

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDS = 12  # of the iteration for absolute values
FEW = 4  # factors of at least SMALLEST each, whose product is a float
ROUNDED = 1 + 1e-12  # for what is computed from bounds in float64
DENSE = 512  # rows or columns of an axis that is decomposed


def absolute_bound(A: Operator) -> tuple[float, int]:
    """Return (bound, products): the norm of the matrix of absolute values, from above.

    For every positive v, ``norm(A)**2 <= max(P.T @ P @ v / v)`` with ``P = abs(A)`` (Schur's test;
    Collatz and Wielandt). v is improved by the power method, so that the bound is nearly reached
    where no entry is negative.
    """
    P = A._absolute()
    v = np.ones(A.in_shape)
    image = P(v)
    bound, products = math.inf, 0
    if not image.any() and sum(1 for _ in factors(A)) <= FEW:  # too few for an underflow
        return 0.0, 1
    for _ in range(ROUNDS):
        z = P.T(image)
        products += 2
        ratio = float((z / v).max(initial=0.0))
        previous, bound = bound, min(bound, ratio)
        if not SMALLEST**2 <= bound <= LARGEST**2:
            raise beyond_range(A)
        if bound >= previous * (1 - 1e-4):
            break
        v = np.maximum(z / z.max(), 1e-6)  # positive, where a column is empty too
        image = P(v)
    # Sums of terms that are not negative have a relative error.
    upper = math.sqrt(bound)
    return upper + rounding(A, upper), products


def structural_bound(A: Operator) -> float:
    """Return a bound from frequencies and from what A is composed of; infinity if none is known.

    Layers are parts of layers on a torus, whose blocks are decomposed.
    """
    if isinstance(A, LayerOperator):
        torus = torus_of(A)
        return math.inf if torus is None else torus.norm()
    if isinstance(A, KroneckerOperator):
        return math.prod(_axis_bound(part) for part in A.record.maps)
    return _composed_bound(A)


def _composed_bound(A: Operator) -> float:
    around = wrapped(A)
    if around is not None:
        return around[0].norm()
    if isinstance(A, Product):
        return ROUNDED * math.prod(structural_bound(part) for part in A._pair)
    if isinstance(A, Sum):
        return ROUNDED * sum(structural_bound(part) for part in A._pair)
    if isinstance(A, Scaled):
        return ROUNDED * abs(complex(A.scalar)) * structural_bound(A.operator)
    if isinstance(A, Block):
        norms = [[structural_bound(part) if part else 0.0 for part in row] for row in A.grid]
        if np.isfinite(norms).all():
            return ROUNDED * float(np.linalg.norm(norms, 2))
    return math.inf


def torus_of(A: LayerOperator) -> Torus | None:
    """Return a torus of whose convolution A, or its transpose, is a part: rows and columns of it.

    The windows of a convolution span ``stride*(n_out - 1) + dilation*(kernel - 1) + 1`` positions.
    On a torus at least as long none of them meets its own end, so A is what is left when the
    inputs outside the image, and the outputs that A does not have, are struck out; and no part of
    a matrix has a larger norm. None where an axis has both a base and a stride.
    """
    layer = A.T if any(axis.base > 1 for axis in A.geometry.axes) else A
    axes = layer.geometry.axes
    if any(axis.base > 1 for axis in axes):
        return None
    spans = [a.stride * (a.n_out - 1) + a.dilation * (a.kernel - 1) + 1 for a in axes]
    strides = [axis.stride for axis in axes]
    return _torus(layer, [s * -(-n // s) for s, n in zip(strides, spans, strict=True)], strides)


def wrapped(A: Operator) -> tuple[Torus, bool] | None:
    """Return (torus, whole): of a circularly padded convolution or the transpose of one.

    To pad by the cells of the other end and then convolve is what a torus of the image's own
    size does: all of it (`whole`), or some of its outputs.
    """
    if not isinstance(A, Product):
        return None
    outer, inner = A._pair
    if isinstance(outer, KroneckerOperator):
        outer, inner = inner.T, outer.T
    if not (isinstance(outer, LayerOperator) and isinstance(inner, KroneckerOperator)):
        return None
    channels, *maps = inner.record.maps
    axes = outer.geometry.axes
    if not channels.unchanging or len(maps) != len(axes) or not all(map(_wraps, maps)):
        return None
    sizes = [part.n_in for part in maps]
    for axis, n in zip(axes, sizes, strict=True):
        again = axis.stride * (axis.n_out - 1) >= n  # an output that occurs twice
        if axis.base > 1 or again or any(axis.pads):
            return None
    whole = all(a.stride * a.n_out == n for a, n in zip(axes, sizes, strict=True))
    strides = [1 if n % a.stride else a.stride for a, n in zip(axes, sizes, strict=True)]
    return _torus(outer, sizes, strides), whole


def _torus(layer: LayerOperator, sizes: Sequence[int], strides: Sequence[int]) -> Torus:
    complex_ = layer.weight.dtype.kind == "c"
    wide = layer.weight.astype(np.complex128 if complex_ else np.float64)
    dilations = tuple(axis.dilation for axis in layer.geometry.axes)
    ordered = correlation_weight(layer.geometry, wide)
    return Torus(ordered, tuple(sizes), tuple(strides), dilations)


def _wraps(part: AxisMap) -> bool:
    """Whether output o reads input o + constant, around the end."""
    if not part.ones or part.longest != 1 or part.nnz != part.n_out:
        return False
    return bool((np.diff(part.inputs) % part.n_in == 1 % part.n_in).all())


def _axis_bound(part: AxisMap) -> float:
    if part.ones and min(part.longest, part.longest_column) <= 1:
        return math.sqrt(max(part.longest, part.longest_column))  # disjoint rows or columns of 1
    if max(part.n_in, part.n_out) > DENSE:
        return math.inf
    largest = np.linalg.svd(axis_matrix(part), compute_uv=False).max(initial=0.0)
    return float(largest) * (1 + 16 * max(part.n_in, part.n_out) * EPS)


def axis_matrix(part: AxisMap) -> Array:
    """Return the matrix of one axis, dense, in float64."""
    dense = np.zeros((part.n_out, part.n_in))
    dense[part.outputs, part.inputs] = part.values(dense.dtype)
    return dense
