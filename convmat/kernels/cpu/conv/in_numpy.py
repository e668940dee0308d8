"""Apply a layer in plain NumPy: one shifted product per tap, no matrix, any dtype.

This needs no compiler, holds SymPy expressions as well as numbers, and never multiplies by an
inserted zero. It is the fallback of the compiled kernels and their oracle.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry, Window, solve

__all__ = ["apply", "shift", "weight_gradient"]

Array = np.ndarray[Any, np.dtype[Any]]


def apply(geometry: Geometry, weight: Array, x: Array, dtype: np.dtype[Any]) -> Array:
    """Return y (batch, C_out, *out) of x (batch, C_in, *in), computed and returned in `dtype`.

    Cost: batch * nnz multiply-adds, one pass over x and y per tap, scratch one y per call.
    """
    batch, groups = len(x), geometry.groups
    out, inner = geometry.group_channels
    n_in, n_out = geometry.in_shape[1:], geometry.out_shape[1:]
    weights = np.moveaxis(correlation_weight(geometry, weight), (0, 1, 2), (-3, -2, -1))
    weights = np.ascontiguousarray(weights, dtype)
    x = x.astype(dtype, copy=False).reshape(batch, groups, inner, *n_in)
    y = np.zeros((batch, groups, out, *n_out), dtype)
    for tap in np.ndindex(*geometry.kernel):
        met = [shift(axis, k) for axis, k in zip(geometry.axes, tap, strict=True)]
        outputs: Any = (..., *(o for o, _ in met))
        inputs: Any = (..., *(i for _, i in met))
        read = x[inputs]
        flat = read.reshape(batch, groups, inner, math.prod(read.shape[3:]))
        y[outputs] += (weights[tap] @ flat).reshape(batch, groups, out, *read.shape[3:])
    return y.reshape(batch, geometry.out_channels, *n_out)


def weight_gradient(geometry: Geometry, x: Array, g: Array, dtype: np.dtype[Any]) -> Array:
    """Return the gradient of ``sum(g * A(x))`` by the weight, in the weight's own layout.

    One matrix product per tap, of what g weighs and what the tap reads there. Cost: batch * nnz
    multiply-adds; scratch is two parts of the size of x and g.
    """
    batch, groups = len(x), geometry.groups
    out, inner = geometry.group_channels
    x = x.astype(dtype, copy=False).reshape(batch, groups, inner, *geometry.in_shape[1:])
    g = g.astype(dtype, copy=False).reshape(batch, groups, out, *geometry.out_shape[1:])
    gradient = np.zeros(geometry.weight_shape, dtype)
    # The very view that the layer reads its weight through, written instead.
    slots = correlation_weight(geometry, gradient)
    for tap in np.ndindex(*geometry.kernel):
        met = [shift(axis, k) for axis, k in zip(geometry.axes, tap, strict=True)]
        outputs: Any = (..., *(o for o, _ in met))
        inputs: Any = (..., *(i for _, i in met))
        weighed, read = g[outputs], x[inputs]
        places = math.prod(weighed.shape[3:])
        weighed = weighed.reshape(batch, groups, out, places)
        read = read.reshape(batch, groups, inner, places)
        slots[(..., *tap)] = (weighed @ read.swapaxes(-1, -2)).sum(0)
    return gradient


def shift(axis: Window, tap: int) -> tuple[slice, slice]:
    """Return the outputs that a tap meets and the inputs it reads there, as slices."""
    line = axis.outputs()
    first_o, first_i, length = (int(v) for v in solve(line, axis.dilation * tap - axis.pad))
    return (
        slice(first_o, first_o + length * line.period, line.period),
        slice(first_i, first_i + length * line.advance, line.advance),
    )
