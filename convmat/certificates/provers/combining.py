"""Adding polynomials up to a polynomial, with factors that are not negative: exactly.

A linear program in floats finds out which polynomials to add; fractions find their factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from convmat.certificates.polynomials import Monomial, Polynomial

__all__ = ["solve"]


def solve(columns: Sequence[Polynomial], goal: Polynomial) -> list[Fraction] | None:
    """Return factors >= 0 with which the columns add up to the goal, exactly, or None."""
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import csc_array

    rows: dict[Monomial, int] = {}
    for polynomial in (goal, *columns):
        for monomial in polynomial.terms:
            rows.setdefault(monomial, len(rows))
    if not _coverable(columns, goal):
        return None
    entries = [
        (number, rows[monomial], c)
        for c, column in enumerate(columns)
        for monomial, number in column.terms.items()
    ]
    numbers, row, column = zip(*entries, strict=True)
    try:
        matrix = csc_array(
            (np.array(numbers, dtype=float), (row, column)), (len(rows), len(columns))
        )
        target = np.zeros(len(rows))
        for monomial, number in goal.terms.items():
            target[rows[monomial]] = number
    except OverflowError:
        return None
    cost = [1.0 + len(c.terms) for c in columns]
    minimise: Any = linprog  # whose types know no sparse matrices
    found = minimise(cost, A_eq=matrix, b_eq=target, bounds=(0, None), method="highs-ds")
    if found.status != 0:
        return None
    support = [int(c) for c in np.flatnonzero(found.x > 1e-9)]
    exact = _exactly([columns[c] for c in support], goal, rows)
    if exact is None:
        return None
    factors = [Fraction(0)] * len(columns)
    for c, factor in zip(support, exact, strict=True):
        factors[c] = factor
    return factors


def _coverable(columns: Sequence[Polynomial], goal: Polynomial) -> bool:
    """Say whether every monomial of the goal occurs in a column."""
    there = {monomial for column in columns for monomial in column.terms}
    return goal.terms.keys() <= there


def _exactly(
    columns: Sequence[Polynomial], goal: Polynomial, rows: dict[Monomial, int]
) -> list[Fraction] | None:
    """Solve for the factors of a few independent columns by elimination in fractions."""
    width = len(columns)
    table = [
        [Fraction(column.terms.get(monomial, 0)) for column in columns]
        + [Fraction(goal.terms.get(monomial, 0))]
        for monomial in rows
    ]
    table = [line for line in table if any(line)]
    for c in range(width):
        pivot = next((r for r in range(c, len(table)) if table[r][c]), None)
        if pivot is None:
            return None
        table[c], table[pivot] = table[pivot], table[c]
        scale = table[c][c]
        table[c] = [entry / scale for entry in table[c]]
        for r, line in enumerate(table):
            if r != c and line[c]:
                factor = line[c]
                table[r] = [a - factor * b for a, b in zip(line, table[c], strict=True)]
    if any(line[-1] for line in table[width:]):
        return None
    factors = [table[c][-1] for c in range(width)]
    return None if any(factor < 0 for factor in factors) else factors
