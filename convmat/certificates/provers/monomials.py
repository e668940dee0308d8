"""Which monomials equations can eliminate, and which divide which."""

from __future__ import annotations

import math
from typing import Any

from convmat.certificates.polynomials import Monomial, Polynomial
from convmat.certificates.statements import Statement

__all__ = ["common_factor", "degree", "divides", "leads", "monomial", "over", "preference", "turn"]


def turn(statement: Statement) -> int:
    """Take equations first, before them those that give a symbol, so that none brings it back."""
    if statement.relation == "=":
        return 0 if any(degree(Polynomial({m: 1})) == 1 for m in leads(statement.slack)) else 1
    return 3 if statement.relation == "floor" else 2


def leads(slack: Polynomial) -> list[Monomial]:
    """Return the monomials that an equation can eliminate: with factor 1 or -1, in one term."""
    found = [m for m, number in slack.terms.items() if m and abs(number) == 1]
    return [m for m in found if sum(divides(m, other) for other in slack.terms) == 1]


def preference(lead: Monomial, statement: Statement) -> tuple[Any, ...]:
    """Eliminate a symbol, best of all the one on the left; else a product of high degree."""
    ((name, power), *others) = lead
    if power == 1 and not others:
        return 0, name not in statement.left.symbols, name
    return 1, -sum(power for _, power in lead), lead


def divides(factor: Monomial, monomial: Monomial) -> bool:
    """Say whether a monomial is a multiple of another."""
    powers = dict(monomial)
    return all(powers.get(name, 0) >= power for name, power in factor)


def over(monomial: Monomial, factor: Monomial) -> Monomial:
    """Divide by a monomial that divides."""
    powers = dict(monomial)
    for name, power in factor:
        powers[name] -= power
    return tuple((name, power) for name, power in sorted(powers.items()) if power)


def monomial(symbol: Polynomial) -> Monomial:
    """Return the only monomial of a polynomial."""
    (only,) = symbol.terms
    return only


def degree(polynomial: Polynomial) -> int:
    """Return the greatest sum of powers of a monomial."""
    return max((sum(power for _, power in m) for m in polynomial.terms), default=0)


def common_factor(polynomial: Polynomial) -> Polynomial:
    """Return the greatest monomial that divides every term."""
    first, *others = (dict(monomial) for monomial in polynomial.terms)
    for powers in others:
        first = {name: min(power, powers.get(name, 0)) for name, power in first.items()}
    number = math.gcd(*polynomial.terms.values())
    return Polynomial({tuple(sorted((n, p) for n, p in first.items() if p)): number})
