"""Fractions of integer polynomials, and division with remainder by a polynomial."""

from __future__ import annotations

import math
from typing import NamedTuple

from convmat.certificates.polynomials import Monomial, Operand, Polynomial
from convmat.geometry.arguments import GeometryError

__all__ = ["Ratio", "divide_out"]


class Ratio(NamedTuple):
    """numerator / divisor, without the common factors that are numbers or single symbols.

    Examples
    --------
    >>> from convmat.certificates.polynomials import symbols
    >>> n, s = symbols("n s")
    >>> total = Ratio.of(n, s).plus(Ratio.of(2 * n, 2 * s))
    >>> print(total.numerator, "/", total.divisor)
    2*n / s
    """

    numerator: Polynomial
    divisor: Polynomial

    @classmethod
    def of(cls, numerator: Operand, divisor: Operand = 1) -> Ratio:
        """Reduce a fraction."""
        top, bottom = Polynomial.of(numerator), Polynomial.of(divisor)
        if not bottom.terms:
            raise GeometryError("expression", f"({top})/0", "divides by zero", "divide by another")
        if not top.terms:
            return cls(top, Polynomial.of(1))
        if top == bottom:
            return cls(Polynomial.of(1), Polynomial.of(1))
        terms = (*top.terms.items(), *bottom.terms.items())
        number = math.gcd(*(c for _, c in terms))
        if all(c < 0 for c in bottom.terms.values()):
            number = -number
        shared = dict(terms[0][0])
        for monomial, _ in terms:
            powers = dict(monomial)
            shared = {x: min(p, powers[x]) for x, p in shared.items() if x in powers}
        return cls(_over(top, number, shared), _over(bottom, number, shared))

    def plus(self, other: Ratio) -> Ratio:
        """Add."""
        if self.divisor == other.divisor:
            return Ratio.of(self.numerator + other.numerator, self.divisor)
        top = self.numerator * other.divisor + other.numerator * self.divisor
        return Ratio.of(top, self.divisor * other.divisor)

    def times(self, other: Ratio) -> Ratio:
        """Multiply."""
        return Ratio.of(self.numerator * other.numerator, self.divisor * other.divisor)

    def power(self, exponent: int) -> Ratio:
        """Raise to a whole power, which may be negative."""
        base = self if exponent >= 0 else Ratio.of(self.divisor, self.numerator)
        one = Polynomial.of(1)
        parts = (math.prod([part] * abs(exponent), start=one) for part in base)
        return Ratio.of(*parts)


def divide_out(numerator: Polynomial, divisor: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Return (m, rest) with numerator = m*divisor + rest.

    Where a term of the rest is a multiple of the symbols of the divisor's leading term, its factor
    is at most half of that term's; a constant is a remainder from 0 on.

    Examples
    --------
    >>> from convmat.certificates.polynomials import symbols
    >>> n, s = symbols("n s")
    >>> print(*divide_out(s * n - 3 * s + n, 2 * s))
    -2 n*s + n + s
    """
    lead = max(divisor.terms, key=_graded)
    factor, needed = divisor.terms[lead], dict(lead)
    whole, rest = Polynomial(), numerator
    limit: tuple[object, ...] | None = None  # terms not below it are settled
    while True:
        open_terms = [key for key in rest.terms if limit is None or _graded(key) < limit]
        if not open_terms:
            return whole, rest
        highest = max(open_terms, key=_graded)
        limit = _graded(highest)
        powers = dict(highest)
        if all(powers.get(name, 0) >= power for name, power in needed.items()):
            spare = (factor - 1) // 2 if highest else 0  # the nearest multiple, but of a constant
            times = (rest.terms[highest] + spare) // factor
            left = {x: p - needed.get(x, 0) for x, p in powers.items()}
            part = Polynomial({tuple((x, p) for x, p in left.items() if p): times})
            whole, rest = whole + part, rest - part * divisor


def _graded(monomial: Monomial) -> tuple[int, tuple[tuple[object, ...], ...]]:
    """Order by degree, then by powers, names in order: an order that products respect."""
    return sum(power for _, power in monomial), tuple(
        (_Reversed(name), power) for name, power in monomial
    )


class _Reversed(str):
    """A name that sorts after those that follow it."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


def _over(polynomial: Polynomial, number: int, shared: dict[str, int]) -> Polynomial:
    """Divide by a factor that all terms have."""
    return Polynomial(
        {
            tuple((x, p - shared.get(x, 0)) for x, p in key if p > shared.get(x, 0)): c // number
            for key, c in polynomial.terms.items()
        }
    )
