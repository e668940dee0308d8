"""Integers that satisfy statements: many small ones at random, for theorems to fail at."""

from __future__ import annotations

import graphlib

import numpy as np

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Statement

TRIES, ROUNDS = 1 << 16, 40


def holds(statement: Statement, at: dict[str, np.ndarray]) -> np.ndarray:
    """Decide a statement at arrays of integers."""
    left, right = statement.left.evaluate(at), statement.right.evaluate(at)
    if statement.divisor is not None:
        divisor = np.asarray(statement.divisor.evaluate(at))
        safe = np.where(divisor == 0, 1, divisor)
        return (divisor != 0) & (left == np.floor_divide(right, safe))
    return {"=": left == right, "<=": left <= right, "<": left < right}[statement.relation]


def determined(statements, names) -> list[tuple[str, Statement]]:
    """Choose symbols that statements determine, in an order in which they can be computed.

    An equation determines a symbol that occurs in it once, times 1 or -1; a floor its left side.
    """
    found: dict[str, Statement] = {}
    for statement in statements:
        for name in _candidates(statement):
            if name in names and name not in found:
                graph = {n: s.symbols - {n} for n, s in (found | {name: statement}).items()}
                if _acyclic(graph):
                    found[name] = statement
                    break
    graph = {n: (s.symbols - {n}) & set(found) for n, s in found.items()}
    return [(name, found[name]) for name in graphlib.TopologicalSorter(graph).static_order()]


def value(name: str, statement: Statement, at):
    """Solve a statement for the symbol that it determines."""
    if statement.divisor is not None:
        divisor = np.asarray(statement.divisor.evaluate(at))
        return np.floor_divide(statement.right.evaluate(at), np.where(divisor == 0, 1, divisor))
    sign = statement.slack.terms[((name, 1),)]
    return -sign * statement.slack.evaluate(at | {name: 0})


def samples(statements, wanted=200, seed=0) -> dict[str, np.ndarray]:
    """Return arrays of small integers at which all statements hold, `wanted` of them or more."""
    names = sorted(set().union(*(s.symbols for s in statements)))
    solved = determined(statements, set(names))
    fixed = {name for name, _ in solved}
    rng = np.random.default_rng(seed)
    found: list[dict[str, np.ndarray]] = []
    for _ in range(ROUNDS):
        at = {n: rng.integers(*_range(n, statements), TRIES) for n in names if n not in fixed}
        extend(at, solved)
        at = {name: np.broadcast_to(numbers, TRIES) for name, numbers in at.items()}
        keep = np.logical_and.reduce([holds(s, at) for s in statements])
        found.append({name: numbers[keep] for name, numbers in at.items()})
        if sum(len(some[names[0]]) for some in found) >= wanted:
            break
    return {name: np.concatenate([some[name] for some in found]) for name in names}


def _range(name: str, statements) -> tuple[int, int]:
    """Return where to look for a symbol: not where a bound by a number rules it out."""
    low, high, symbol = -2, 6, Polynomial.symbol(name)
    for s in statements:
        if s.relation == "<=" and s.right == symbol and s.left.constant() is not None:
            low = max(low, s.left.constant())
        if s.relation == "<=" and s.left == symbol and s.right.constant() is not None:
            high = min(high, s.right.constant() + 1)
    return low, high


def extend(at, solved) -> None:
    """Compute the determined symbols."""
    for name, statement in solved:
        at[name] = value(name, statement, at)


def _candidates(statement: Statement) -> list[str]:
    left = statement.left
    if statement.relation == "floor":
        return [n for n in left.symbols if left == Polynomial.symbol(n)]
    if statement.relation != "=":
        return []
    terms = statement.slack.terms
    alone = [
        name
        for name in sorted(statement.symbols)
        if abs(terms.get(((name, 1),), 0)) == 1
        and sum(name in dict(monomial) for monomial in terms) == 1
    ]
    return sorted(alone, key=lambda name: left != Polynomial.symbol(name))


def _acyclic(graph) -> bool:
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        return False
    return True
