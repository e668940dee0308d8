"""Apply a Kronecker layer in plain NumPy, one axis after another: no matrix, any dtype.

This needs no compiler and holds SymPy expressions as well as numbers. An input that no entry
reads is never touched, so that what is missing or infinite there stays there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Digit, Kronecker

__all__ = ["apply"]

Array = np.ndarray[Any, np.dtype[Any]]


def apply(record: Kronecker, x: Array, dtype: np.dtype[Any]) -> Array:
    """Return y (batch, *out_shape) of x (batch, *in_shape), computed and returned in `dtype`.

    Cost: along each axis, batch * entries of its map * size of the other axes; scratch is one
    array of the size of y for each axis.
    """
    batch = len(x)
    sizes = [digit.size for digit in record.in_digits]
    y = x.astype(dtype, copy=False).reshape(batch, *sizes).transpose(_by_axis(record.in_digits))
    y = y.reshape(batch, *(part.n_in for part in record.maps))
    for axis, part in enumerate(record.maps, 1):
        if not part.unchanging:
            y = _along(part, y, axis, dtype)
    order = _by_axis(record.out_digits)
    y = y.reshape(batch, *(record.out_digits[d - 1].size for d in order[1:]))
    y = y.transpose(np.argsort(order)).reshape(batch, *record.out_shape)
    return y.copy() if np.may_share_memory(x, y) else y


def _by_axis(digits: tuple[Digit, ...]) -> list[int]:
    """Return the order, batch first, in which the digits of each axis stand together."""
    return [0, *sorted(range(1, len(digits) + 1), key=lambda d: digits[d - 1].axis)]


def _along(part: AxisMap, x: Array, axis: int, dtype: np.dtype[Any]) -> Array:
    """Apply one map along an axis: the first entry of every output, then the second, ..."""
    shape = list(x.shape)
    shape[axis] = part.n_out
    lengths = np.diff(part.begin)
    y = np.zeros(shape, dtype)
    weights = None if part.ones else part.values(dtype)
    for t in range(part.longest):
        rows = np.flatnonzero(lengths > t)
        entry = part.begin[rows] + t
        read = x.take(part.inputs[entry], axis)
        if weights is not None:
            read = read * weights[entry].reshape(-1, *[1] * (x.ndim - axis - 1))
        if t == 0 and len(rows) == part.n_out:
            y = read
        else:
            y[(slice(None),) * axis + (rows,)] += read
    return y
