"""Two matrices compared without rounding: as fractions, and as expressions in symbols."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.matrix.exact import Exact
from convmat.matrix.rounding import Rounding
from convmat.operator import Operator
from convmat.proof.matrices.outcomes import (
    EXPRESSIONS,
    FRACTIONS,
    LEAST,
    Agreement,
    Difference,
    Fingerprint,
)

__all__ = ["MOST", "compare_exactly"]

Array = np.ndarray[Any, np.dtype[Any]]
Gaps = tuple[Array, Array]  # how far entries lie apart, and how far rounding explains

MOST = 1 << 16  # stored entries: Python integers take some hundred nanoseconds each
MOST_SYMBOLIC = 1 << 20  # the same, where symbols leave no other way
PLAIN = 1e-9  # floats that differ by more than this are shown as they are


class _Pair(NamedTuple):
    """Two operators, their matrices, the difference of these, and the floats given in each."""

    operators: tuple[Operator, Operator]
    matrices: tuple[Exact, Exact]
    gap: Exact
    given: tuple[Rounding, Rounding]

    @property
    def shares(self) -> list[float]:
        """How far the floats in an entry of each may be off, for every unit of its size."""
        return [each.unit * each.given for each in self.given]


def compare_exactly(A: Operator, B: Operator) -> Agreement | Difference | None:  # noqa: N803, operators are written as matrices are
    """Compare two operators of equal shape; None if they are large, or hold other numbers.

    A float is the fraction that it stores, and may stand for any number that it is nearest to:
    entries with floats that lie as close as that are equal up to rounding. Others are equal if
    their fractions are, or if their expressions are for all values of the symbols.
    """
    symbols = object in (A.dtype, B.dtype)
    if not symbols and "c" in (A.dtype.kind, B.dtype.kind):
        return None
    first, second = (_matrix(operator, symbols=symbols) for operator in (A, B))
    if first is None or second is None:
        return None
    pair = _Pair((A, B), (first, second), first.plus(second, -1), (A._rounding(), B._rounding()))
    plain = all(isinstance(x, int) for exact in pair.matrices for x in exact.numerators)
    rung = FRACTIONS if plain else EXPRESSIONS
    # Of operators with symbols there are no sizes, even where all symbols cancel.
    apart, allowed = _expressions(pair) if symbols else _numbers(pair)
    bad = ~((apart <= allowed) & np.isfinite(allowed))  # beyond all floats nothing is explained
    if bad.any():
        keys = pair.gap.keys[bad]
        row, column = divmod(int(keys[0]), first.columns)
        values = _shown(pair, row, column)
        return Difference(rung, row, column, *values, np.unique(keys // first.columns))
    tolerance = float(allowed[apart > 0].max(initial=0.0))
    roundings = pair.given[0].given, pair.given[1].given
    deviation = float(apart.max(initial=0.0))
    entries = len(first.keys)
    return Agreement(rung, entries, roundings, deviation, tolerance, _fingerprint(first, second))


def _fingerprint(*matrices: Exact) -> str:
    found = Fingerprint(1)
    for exact in matrices:
        numbers = [_written(top, exact.denominator) for top in exact.numerators]
        found.add(f"{exact.columns} {exact.keys.tolist()} {numbers}")
    return found.text


def _written(top: Any, bottom: int) -> str:
    return str(Fraction(top, bottom) if isinstance(top, int) else top / bottom)


def _matrix(operator: Operator, *, symbols: bool) -> Exact | None:
    """Return an exact matrix; None if there is none, and floats can be compared in its place."""
    most = MOST_SYMBOLIC if symbols else MOST
    exact = operator.exact_matrix(most)
    if exact is None and symbols:
        large = operator.nnz > most
        raise GeometryError(
            "A",
            operator,
            f"has {operator.nnz} symbolic entries, too many to compare one at a time"
            if large
            else "has symbolic entries of too many terms, or beside numbers that are not finite",
            f"use at most {most}" if large else "use smaller sizes, and finite numbers",
        )
    return exact


def _numbers(pair: _Pair) -> Gaps:
    """Compare fractions."""
    keys = pair.gap.keys
    apart, allowed = _sizes(pair.gap, keys), np.zeros(len(keys))
    if any(pair.shares) and len(keys):
        for operator, share in zip(pair.operators, pair.shares, strict=True):
            sizes = operator._absolute().exact_matrix(MOST) if share else None
            if sizes is not None:
                allowed += share * _sizes(sizes, keys)
        allowed = np.maximum(allowed, LEAST)
    return apart, allowed


def _sizes(exact: Exact, keys: Array) -> Array:
    """Return the sizes of fractions in some places, 0 where there is none."""
    place = np.searchsorted(exact.keys, keys)
    there = np.append(exact.keys, -1)[place] == keys
    tops = np.append(exact.numerators, 0)[place]
    sizes = [_size(top, exact.denominator) for top in tops.tolist()]
    return np.where(there, np.array(sizes, float), 0.0)


def _size(top: Any, bottom: int = 1) -> float:
    """Return the size of a number as a float, which is 0 only where the number is."""
    try:
        return max(abs(float(top / bottom)), LEAST) if top else 0.0
    except OverflowError:
        return float("inf")


def _expressions(pair: _Pair) -> Gaps:
    """Compare expressions, one at a time."""
    first, second = pair.matrices
    found = [
        _coefficients(pair.gap.at(key), first.at(key), second.at(key), pair.shares)
        for key in pair.gap.keys.tolist()
    ]
    apart, allowed = np.array(found).reshape(-1, 2).T
    return apart, allowed


def _coefficients(gap: Any, first: Any, second: Any, shares: list[float]) -> tuple[float, float]:
    """Return how far two expressions lie apart, coefficient by coefficient, and what is allowed.

    Two that differ in other ways are infinitely far apart.
    """
    import sympy

    difference = sympy.expand(gap)
    if any(shares):
        sides = [sympy.expand(side).as_coefficients_dict() for side in (first, second)]
        pairs = [
            (
                _size(number),
                sum(s * _size(side[term]) for s, side in zip(shares, sides, strict=True)),
            )
            for term, number in difference.as_coefficients_dict().items()
        ]
        if all(apart <= allowed < np.inf for apart, allowed in pairs):
            return max(apart for apart, _ in pairs), max(allowed for _, allowed in pairs)
    return (0.0 if _vanishes(difference) else np.inf), 0.0


def _vanishes(difference: Any) -> bool:
    """Decide whether an expanded expression is 0 for all values of its symbols."""
    names = difference.free_symbols
    if difference == 0 or (names and difference.is_polynomial(*names)):
        return bool(difference == 0)
    answer = difference.equals(0)
    if answer is None:
        raise GeometryError(
            "A",
            difference,
            "cannot be decided to be zero, so the two matrices cannot be compared",
            "use polynomials in the symbols",
        )
    return bool(answer)


def _shown(pair: _Pair, row: int, column: int) -> tuple[Any, Any]:
    """Return two entries: as the matrices hold them, exactly where these do not show it."""
    key = row * pair.gap.columns + column
    exact = pair.matrices[0].at(key), pair.matrices[1].at(key)
    if object in (pair.operators[0].dtype, pair.operators[1].dtype):
        return exact
    held = [_held(operator, row, column) for operator in pair.operators]
    far = abs(held[0] - held[1]) > PLAIN * max(map(abs, held))
    return (held[0], held[1]) if far else exact


def _held(operator: Operator, row: int, column: int) -> Any:
    """Return an entry of the matrix in the operator's own numbers."""
    picked = operator._entries().pick(np.array([row]))
    return next(
        (v.item() for c, v in zip(picked.column, picked.value, strict=True) if c == column), 0
    )
