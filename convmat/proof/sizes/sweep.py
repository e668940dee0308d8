"""Comparing two formulas at very many sizes: an interpreter of integer instructions in blocks.

Each instruction is applied to a whole row of sizes before the next, so that the compiled loops
are plain and wide; what does not depend on the size that varies along a row is worked out once
for the row. `convmat.proof.sizes.instructions.evaluate` is the same in NumPy, and its oracle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.threads.pieces import in_threads
from convmat.proof.sizes.instructions import (
    EXACT,
    FLOOR,
    MAX,
    MIN,
    MINUS,
    NAME,
    NUMBER,
    PLUS,
    TIMES,
    Table,
    bounds,
)

__all__ = ["Found", "sweep"]

Array = np.ndarray[Any, np.dtype[Any]]

ROWS = 1 << 14  # of a piece of work


class Found(NamedTuple):
    """What a sweep saw: layers compared, differences, and a smallest place that differs."""

    compared: int
    different: int
    place: tuple[int, ...] | None


def sweep(table: Table, lows: Sequence[int], counts: Sequence[int]) -> Found:
    """Compare at every place of a box, the last variable fastest, on several threads.

    Parameters
    ----------
    table : Table
    lows, counts : sequence of int
        The least value of each variable, and how many it takes.

    Raises
    ------
    OverflowError
        Some value could be too large for exact arithmetic.

    Notes
    -----
    Memory: a row of float64 for each instruction and thread.
    """
    if bounds(table, lows, counts) >= EXACT:
        raise OverflowError("values could leave the range of exact arithmetic")
    rows = math.prod(counts[:-1])
    pieces = [(start, min(start + ROWS, rows)) for start in range(0, rows, ROWS)]
    results = np.empty((len(pieces), 5), np.int64)
    low, count = np.array(lows, np.int64), np.array(counts, np.int64)
    equal = np.array(table.equal, np.int64)

    def write(start: int, stop: int) -> None:
        out = results[start // ROWS]
        _piece(table.code, equal, table.conditions, low, count, start, stop, out)

    in_threads(write, pieces)
    compared, different = (int(n) for n in results[:, :2].sum(0))
    if not different:
        return Found(compared, 0, None)
    best = results[results[:, 1] > 0]
    _, row, j = min(best[:, 2:].tolist())
    return Found(compared, different, _place(row, j, lows, counts))


def _place(row: int, j: int, lows: Sequence[int], counts: Sequence[int]) -> tuple[int, ...]:
    digits = [j]
    for count in reversed(counts[:-1]):
        row, digit = divmod(row, count)
        digits.insert(0, digit)
    return tuple(low + digit for low, digit in zip(lows, digits, strict=True))


@compiled
def _piece(
    code: Array,
    equal: Array,
    conditions: Array,
    low: Array,
    count: Array,
    start: int,
    stop: int,
    out: Array,
) -> None:
    """Go through rows; write layers, differences, and sum, row, index of the smallest one."""
    length = count[-1]
    values = np.empty((len(code), length))
    names, there = np.empty(len(count)), np.empty(length)
    varies = _prepare(code, low, values)
    out[:] = 0
    out[2] = np.iinfo(np.int64).max
    for row in range(start, stop):
        rest, total = row, low[-1]
        for v in range(len(count) - 2, -1, -1):
            names[v] = low[v] + rest % count[v]
            total += low[v] + rest % count[v]
            rest //= count[v]
        _work_out(code, varies, names, values)
        there[:] = 1.0
        for condition in conditions:
            held = values[condition]
            for j in range(length):
                there[j] = there[j] if held[j] >= 0 else 0.0
        _compare(values[equal[0]], values[equal[1]], there, row, total, out)


@compiled
def _prepare(code: Array, low: Array, values: Array) -> Array:
    """Fill in what no row changes; say which lines differ along a row."""
    last = len(low) - 1
    varies = np.zeros(len(code), np.bool_)
    for line in range(len(code)):
        operation, first, second = code[line]
        if operation == NUMBER:
            values[line, :] = first
        elif operation == NAME:
            varies[line] = first == last
            for j in range(values.shape[1]):
                values[line, j] = low[last] + j
        else:
            varies[line] = varies[first] or varies[second]
    return varies


@compiled
def _work_out(code: Array, varies: Array, names: Array, values: Array) -> None:
    """Follow the instructions for one row."""
    for line in range(len(code)):
        operation, first, second = code[line]
        if operation == NAME and not varies[line]:
            values[line, :] = names[first]
        elif operation not in (NAME, NUMBER):
            if varies[line]:
                _apply(operation, values[first], values[second], values[line])
            else:
                _apply(operation, values[first, :1], values[second, :1], values[line, :1])
                values[line, :] = values[line, 0]


@compiled
def _compare(left: Array, right: Array, there: Array, row: int, total: int, out: Array) -> None:
    """Count the layers of a row and the differences; keep the smallest."""
    inside, wrong = 0.0, 0.0
    for j in range(len(there)):
        inside += there[j]
        wrong += there[j] if left[j] != right[j] else 0.0
    out[0] += int(inside)
    out[1] += int(wrong)
    if wrong > 0:
        j = 0
        while there[j] == 0 or left[j] == right[j]:
            j += 1
        if total + j < out[2]:
            out[2], out[3], out[4] = total + j, row, j


@compiled
def _apply(operation: int, a: Array, b: Array, out: Array) -> None:  # noqa: C901, PLR0912, a branch for each operation
    """Apply one instruction to a row."""
    if operation == PLUS:
        for j in range(len(out)):
            out[j] = a[j] + b[j]
    elif operation == MINUS:
        for j in range(len(out)):
            out[j] = a[j] - b[j]
    elif operation == TIMES:
        for j in range(len(out)):
            out[j] = a[j] * b[j]
    elif operation == FLOOR:
        for j in range(len(out)):
            out[j] = np.floor(a[j] / b[j]) if b[j] > 0 else np.nan
    elif operation == MIN:
        for j in range(len(out)):
            out[j] = a[j] if a[j] <= b[j] else (b[j] if b[j] < a[j] else np.nan)
    elif operation == MAX:
        for j in range(len(out)):
            out[j] = a[j] if a[j] >= b[j] else (b[j] if b[j] > a[j] else np.nan)
    else:
        for j in range(len(out)):
            out[j] = 1.0 if a[j] > 0 else (-1.0 if a[j] < 0 else np.nan)
