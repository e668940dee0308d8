"""Matrices of expressions, entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.matrix.csr import pattern
from convmat.operator import LayerOperator, Operator

__all__ = ["differing_expressions"]

# A matrix of expressions is compared one entry at a time, in Python.
SYMBOLIC_LIMIT = 1 << 20


def differing_expressions(
    first: Operator, second: Operator
) -> tuple[int, list[tuple[int, int, Any, Any]]]:
    """Return the entries of the first, and (row, column, first, second) wherever two differ."""
    left, right = _expressions(first), _expressions(second)
    pairs = [
        (*place, left.get(place, 0), right.get(place, 0))
        for place in sorted(left.keys() | right.keys())
    ]
    return len(left), [pair for pair in pairs if not _same(*pair[2:])]


def _expressions(operator: Operator) -> dict[tuple[int, int], Any]:
    """Return the entries of a matrix of expressions by (row, column)."""
    rows, columns = operator.shape
    if isinstance(operator, LayerOperator):
        if operator.nnz > SYMBOLIC_LIMIT:
            raise GeometryError(
                "A",
                operator.shape,
                f"has {operator.nnz} symbolic entries, too many to compare one at a time",
                f"use at most {SYMBOLIC_LIMIT}",
            )
        found = pattern(operator.geometry)
        row = np.repeat(np.arange(rows), np.diff(found.indptr)).tolist()
        values = operator.weight.reshape(-1)[found.slot].tolist()
        places = zip(row, found.indices.tolist(), strict=True)
        return {place: value for place, value in zip(places, values, strict=True) if value != 0}
    if rows * columns > SYMBOLIC_LIMIT:
        raise GeometryError(
            "A",
            operator.shape,
            "is too large to compare a composition of symbolic layers",
            f"use at most {SYMBOLIC_LIMIT} entries",
        )
    units = np.eye(columns, dtype=object).reshape(columns, *operator.in_shape)
    block = operator(units).reshape(columns, rows)
    return {(r, c): block[c, r] for c in range(columns) for r in range(rows) if block[c, r] != 0}


def _same(first: Any, second: Any) -> bool:
    """Decide whether two expressions are equal for all values of their symbols."""
    if first == second:
        return True
    import sympy

    difference = sympy.expand(sympy.sympify(first) - sympy.sympify(second))
    if difference == 0:
        return True
    names = difference.free_symbols
    if names and difference.is_polynomial(*names):
        return False  # an expanded polynomial that is not 0
    answer = difference.equals(0)
    if answer is None:
        raise GeometryError(
            "A",
            difference,
            "cannot be decided to be zero, so the two matrices cannot be compared",
            "use polynomials in the symbols",
        )
    return bool(answer)
