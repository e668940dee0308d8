"""What a symbol of a theorem stands for, as a SymPy expression, read from the hypotheses alone.

So an expression and the theorem that is said to be about it can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Statement, eq

__all__ = ["expression", "meaning", "size_symbol"]

MAYBE_ZERO = ("a", "i", "o", "p0", "p1")


def size_symbol(name: str) -> Any:
    """Return the SymPy symbol of a size: an integer, positive unless it is a padding or a place."""
    import sympy

    sign = {"nonnegative": True} if name in MAYBE_ZERO else {"positive": True}
    return sympy.Symbol(name, integer=True, **sign)


def meaning(
    name: str,
    hypotheses: Sequence[Statement],
    free: frozenset[str] = frozenset(),
    within: frozenset[str] = frozenset(),
) -> Any:
    """Return what the hypotheses define a symbol as, or None if they leave it free.

    The symbols in `free` stand for themselves; those in `within` are being explained.

    A definition is ``name = expression``, ``name = floor(x/s)``, or the three statements that say
    that it is the Min or the Max of two expressions.

    Examples
    --------
    >>> from convmat.certificates.statements import eq, floor
    >>> from convmat.certificates.polynomials import symbols
    >>> n, s, q, f = symbols("n s q f")
    >>> meaning("f", [floor(q, n, s), eq(f, q + 1)])
    floor(n/s) + 1
    """
    import sympy

    if name in free:
        return None
    symbol = Polynomial.symbol(name)
    inner = within | {name}
    for statement in hypotheses:
        if statement.left != symbol or statement.relation not in ("=", "floor"):
            continue
        if (statement.symbols - {name}) & inner:
            continue  # what is being explained cannot explain itself
        value = expression(statement.right, hypotheses, free, inner)
        if statement.divisor is None:
            return value
        return sympy.floor(value / expression(statement.divisor, hypotheses, free, inner))
    known = frozenset(hypotheses)
    bounds = [s for s in hypotheses if s.relation == "<=" and symbol in (s.left, s.right)]
    for function, side, other in ((sympy.Max, "right", "left"), (sympy.Min, "left", "right")):
        ends = [getattr(s, other) for s in bounds if getattr(s, side) == symbol]
        for i, first in enumerate(ends):
            for second in ends[i + 1 :]:
                if eq((symbol - first) * (symbol - second), 0) in known:
                    return function(
                        *(expression(e, hypotheses, free, inner) for e in (first, second))
                    )
    return None


def expression(
    polynomial: Polynomial,
    hypotheses: Sequence[Statement],
    free: frozenset[str] = frozenset(),
    within: frozenset[str] = frozenset(),
) -> Any:
    """Return a polynomial in SymPy, each symbol replaced by its meaning, if it has one."""
    import sympy

    terms = []
    for monomial, number in polynomial.terms.items():
        factors = []
        for name, power in monomial:
            value = None if name in within else meaning(name, hypotheses, free, within)
            factors.append((size_symbol(name) if value is None else value) ** power)
        terms.append(sympy.Mul(number, *factors))
    return sympy.Add(*terms)
