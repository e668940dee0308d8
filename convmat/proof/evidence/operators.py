"""Whether two operators are those that evidence about layers is about: their records and weights.

A claim for every weight that two layers share says nothing of two that have different ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.window import Geometry, solve
from convmat.operator import LayerOperator, Operator

__all__ = ["different_weights", "not_these_layers"]

Array = np.ndarray[Any, np.dtype[Any]]


def not_these_layers(
    operators: tuple[Operator, Operator], records: tuple[Geometry, Geometry]
) -> str | None:
    """Return why two operators are not layers with these records and one weight; None if so.

    The order does not matter: what is claimed of two layers is symmetric in them.
    """
    first, second = operators
    if not isinstance(first, LayerOperator) or not isinstance(second, LayerOperator):
        return "the claim is about two layers, and these operators are not"
    found = first.geometry, second.geometry
    if found not in (records, records[::-1]):
        return "the records of the two operators are not those of the claim"
    if first.weight.shape != second.weight.shape or len(different_weights(first, second)):
        return "the claim is about two layers that share their weight, and these do not"
    return None


def different_weights(first: LayerOperator, second: LayerOperator) -> Array:
    """Return the places, ascending, where weights of one shape differ and some window reads them.

    The windows are those of the first layer; missing numbers equal each other.
    """
    one, other = first.weight, second.weight
    if one is other:
        return np.empty((0, one.ndim), np.intp)
    if one.dtype != other.dtype and {one.dtype.kind, other.dtype.kind} & {"i", "u"}:
        # NumPy would compare as floats, which 2**53 + 1 is none of; Python compares exactly.
        one, other = one.astype(object), other.astype(object)
    with np.errstate(invalid="ignore"):
        same = (one == other) | ((one != one) & (other != other))  # noqa: PLR0124, not a number
        differs = np.argwhere(~np.asarray(same, bool))
    used = np.ones(len(differs), bool)
    for axis, taps in zip(first.geometry.axes, differs.T[2:], strict=True):
        tap = axis.kernel - 1 - taps if first.geometry.flipped else taps
        used &= solve(axis.outputs(), axis.dilation * tap - axis.pad)[2] > 0
    return differs[used]
