"""Integer instructions on arrays: what a comparison of two formulas is compiled to.

A program is a table of integers, never code made from text. Values are integers held in float64:
`bounds` says whether any could leave the range in which that is exact. A value that does not
exist (a division by zero) is NaN, and equals nothing.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["EXACT", "OPERATIONS", "Found", "Table", "bounds", "evaluate", "sweep"]

Array = np.ndarray[Any, np.dtype[Any]]

OPERATIONS = ("number", "name", "+", "-", "*", "floor", "min", "max", "sign")
NUMBER, NAME, PLUS, MINUS, TIMES, FLOOR, MIN, MAX, SIGN = range(len(OPERATIONS))
EXACT = 1 << 52  # quotients of integers below this are rounded down right in float64
BLOCK = 1 << 15  # places at once, whose values stay in the cache


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


def evaluate(
    table: Table, places: Sequence[Any] | Array, shape: tuple[int, ...]
) -> tuple[Array, Array]:
    """Return (there is a layer, both values are equal) at places, as masks of a shape.

    Parameters
    ----------
    table : Table
    places : sequence of arrays
        The values of each variable; together they broadcast to `shape`. What depends on few
        variables is worked out for these alone.
    shape : tuple of int
    """
    values: list[Any] = []
    with np.errstate(divide="ignore", invalid="ignore"):
        for operation, first, second in table.code.tolist():
            if operation == NUMBER:
                values.append(float(first))
            elif operation == NAME:
                values.append(np.asarray(places[first], float))
            else:
                values.append(_ARRAYS[operation](values[first], values[second]))
    there = np.ones(shape, bool)
    for condition in table.conditions:
        there &= values[condition] >= 0
    left, right = table.equal
    return there, np.broadcast_to(np.equal(values[left], values[right]), shape)


def _quotient(a: Any, b: Any) -> Any:
    return np.floor(a / np.where(np.greater(b, 0), b, np.nan))


_ARRAYS: dict[int, Any] = {
    PLUS: np.add,
    MINUS: np.subtract,
    TIMES: np.multiply,
    FLOOR: _quotient,
    MIN: np.minimum,  # NaN if either is
    MAX: np.maximum,
    SIGN: lambda a, _: np.where(np.equal(a, 0), np.nan, np.sign(a)),
}


class Found(NamedTuple):
    """What a sweep saw: layers compared, differences, and a smallest place that differs."""

    compared: int
    different: int
    place: tuple[int, ...] | None


def sweep(table: Table, lows: Sequence[int], counts: Sequence[int]) -> Found:
    """Compare at every place of a box, block by block.

    Parameters
    ----------
    table : Table
    lows, counts : sequence of int
        The least value of each variable, and how many it takes.

    Raises
    ------
    OverflowError
        Some value could be too large for exact arithmetic.
    """
    if bounds(table, lows, counts) >= EXACT:
        raise OverflowError("values could leave the range of exact arithmetic")
    ranges = [np.arange(low, low + count) for low, count in zip(lows, counts, strict=True)]
    # Blocks are whole along the last axes, as many as fit.
    split = next((i for i in range(len(counts)) if math.prod(counts[i:]) <= BLOCK), len(counts) - 1)
    inner = np.meshgrid(*ranges[split:], indexing="ij", sparse=True)
    shape, sums = tuple(counts[split:]), sum(inner)
    compared = different = 0
    best: tuple[int, tuple[int, ...]] | None = None
    for outer in itertools.product(*(r.tolist() for r in ranges[:split])):
        there, same = evaluate(table, (*outer, *inner), shape)
        compared += int(np.count_nonzero(there))
        wrong = there & ~same
        if not wrong.any():
            continue
        different += int(np.count_nonzero(wrong))
        at = np.unravel_index(np.where(wrong, sums, sys.maxsize).argmin(), shape)
        place = (*outer, *(int(r[i]) for r, i in zip(ranges[split:], at, strict=True)))
        best = min(best or (sum(place), place), (sum(place), place))
    return Found(compared, different, best[1] if best else None)
