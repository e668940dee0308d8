"""Integer instructions on arrays: what a comparison of two formulas is compiled to.

A program is a table of integers, never code made from text. Values are integers held in float64:
`bounds` says whether any could leave the range in which that is exact. A value that does not
exist (a division by zero) is NaN, and equals nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["EXACT", "OPERATIONS", "Table", "bounds", "evaluate"]

Array = np.ndarray[Any, np.dtype[Any]]

OPERATIONS = ("number", "name", "+", "-", "*", "floor", "min", "max", "sign")
NUMBER, NAME, PLUS, MINUS, TIMES, FLOOR, MIN, MAX, SIGN = range(len(OPERATIONS))
EXACT = 1 << 52  # quotients of integers below this are rounded down right in float64


class Table(NamedTuple):
    """A program: a line (operation, first, second) for each instruction, and what to look at.

    Attributes
    ----------
    code : int64 array (instructions, 3)
        Operands are an integer, the number of a variable, or numbers of earlier lines.
    equal : pair of line numbers
        The values to compare.
    conditions : int64 array
        Lines whose value is at least 0 where there is a layer at all.
    """

    code: Array
    equal: tuple[int, int]
    conditions: Array


def bounds(table: Table, lows: Sequence[int], counts: Sequence[int]) -> int:
    """Return how large a value of the program can be in a box of sizes, at most."""
    ranges: list[tuple[int, int]] = []
    largest = 0
    for operation, first, second in table.code.tolist():
        if operation == NUMBER:
            span = first, first
        elif operation == NAME:
            span = lows[first], lows[first] + counts[first] - 1
        elif operation == SIGN:
            span = -1, 1
        else:
            span = _span(operation, ranges[first], ranges[second])
        ranges.append(span)
        largest = max(largest, -span[0], span[1])
    return largest


def _span(operation: int, a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    if operation == PLUS:
        return a[0] + b[0], a[1] + b[1]
    if operation == MINUS:
        return a[0] - b[1], a[1] - b[0]
    if operation == TIMES:
        corners = [x * y for x in a for y in b]
        return min(corners), max(corners)
    if operation == FLOOR:  # by at least 1
        return min(a[0], 0), max(a[1], 0)
    if operation == MIN:
        return min(a[0], b[0]), min(a[1], b[1])
    return max(a[0], b[0]), max(a[1], b[1])


def evaluate(table: Table, places: Array) -> tuple[Array, Array]:
    """Return (there is a layer, both values are equal) at places of shape (count, variables).

    In NumPy, without a compiler: for thousands of places.
    """
    values: list[Array] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for operation, first, second in table.code.tolist():
            if operation == NUMBER:
                values.append(np.full(len(places), float(first)))
            elif operation == NAME:
                values.append(places[:, first].astype(float))
            else:
                values.append(_ARRAYS[operation](values[first], values[second]))
    there = np.ones(len(places), bool)
    for condition in table.conditions:
        there &= values[condition] >= 0
    left, right = table.equal
    return there, values[left] == values[right]


def _quotient(a: Array, b: Array) -> Array:
    return np.where(b > 0, np.floor(a / b), np.nan)


_ARRAYS: dict[int, Any] = {
    PLUS: np.add,
    MINUS: np.subtract,
    TIMES: np.multiply,
    FLOOR: _quotient,
    MIN: np.minimum,  # NaN if either is
    MAX: np.maximum,
    SIGN: lambda a, _: np.where(a == 0, np.nan, np.sign(a)),
}
