"""Polynomials with integer coefficients in named integer symbols: all that certificates need.

Plain Python on purpose: checking a certificate needs no computer algebra system, only adding and
multiplying polynomials and comparing their normal forms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Union

from convmat.geometry.arguments import GeometryError

__all__ = ["Polynomial", "symbols"]

# ((symbol, power), ...) in order of symbols; () is the constant monomial.
Monomial = tuple[tuple[str, int], ...]
Operand = Union["Polynomial", int]

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")

# What a certificate may ask for. Those of the library need degree 4, 30 monomials, 2 bits; beyond
# these bounds a small file could keep the checker busy for hours.
LARGEST_POWER = 64
MOST_MONOMIALS = 1000
MOST_BITS = 1024


class Polynomial:
    """An integer polynomial in normal form: immutable, hashable, equal when it is the same.

    Examples
    --------
    >>> s, o = symbols("s o")
    >>> (s + 1) * (o - 1) == s * o - s + o - 1
    True
    >>> print((s - 1) * (s + 1))
    s^2 - 1
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Monomial, int] | None = None) -> None:
        kept = {monomial: number for monomial, number in (terms or {}).items() if number}
        self.terms: dict[Monomial, int] = dict(sorted(kept.items(), key=_order))

    @classmethod
    def of(cls, value: Any) -> Polynomial:
        """Return an int, a Polynomial, or a polynomial SymPy expression as a Polynomial."""
        if isinstance(value, Polynomial):
            return value
        if isinstance(value, int):
            return cls({(): value})
        return _from_sympy(value)

    @classmethod
    def symbol(cls, name: str) -> Polynomial:
        """Return the polynomial that is one symbol."""
        return cls({((name, 1),): 1})

    @property
    def symbols(self) -> frozenset[str]:
        """Names that occur."""
        return frozenset(name for monomial in self.terms for name, _ in monomial)

    def constant(self) -> int | None:
        """Return the value if no symbol occurs, else None."""
        return self.terms.get((), 0) if not self.symbols else None

    def evaluate(self, values: Mapping[str, int]) -> int:
        """Return the value at integers."""
        total = 0
        for monomial, number in self.terms.items():
            total += number * math.prod(values[name] ** power for name, power in monomial)
        return total

    @property
    def size(self) -> int:
        """How many monomials it has."""
        return len(self.terms)

    def too_large(self) -> str | None:
        """Return which bound is exceeded, or None."""
        if len(self.terms) > MOST_MONOMIALS:
            return f"a polynomial has more than {MOST_MONOMIALS} monomials"
        if any(sum(power for _, power in monomial) > LARGEST_POWER for monomial in self.terms):
            return f"a polynomial has a degree above {LARGEST_POWER}"
        if any(number.bit_length() > MOST_BITS for number in self.terms.values()):
            return f"a polynomial has a coefficient of more than {MOST_BITS} bits"
        return None

    @classmethod
    def sum(cls, parts: Iterable[Polynomial]) -> Polynomial:
        """Return the sum of any number of polynomials, in time linear in their monomials."""
        terms: dict[Monomial, int] = {}
        for part in parts:
            for monomial, number in part.terms.items():
                terms[monomial] = terms.get(monomial, 0) + number
        return cls(terms)

    def __add__(self, other: Operand) -> Polynomial:
        return Polynomial.sum((self, Polynomial.of(other)))

    def __mul__(self, other: Operand) -> Polynomial:
        terms: dict[Monomial, int] = {}
        for right, b in Polynomial.of(other).terms.items():
            for left, a in self.terms.items():
                powers = dict(left)
                for name, power in right:
                    powers[name] = powers.get(name, 0) + power
                monomial = tuple(sorted(powers.items()))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return Polynomial(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Polynomial:
        return self * -1

    def __sub__(self, other: Operand) -> Polynomial:
        return self + Polynomial.of(other) * -1

    def __rsub__(self, other: Operand) -> Polynomial:
        return self * -1 + other

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Polynomial, int)):
            return self.terms == Polynomial.of(other).terms
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.terms.items()))

    def __repr__(self) -> str:
        return f"Polynomial({self})"

    def __str__(self) -> str:
        return self._write("*", lambda name: name, lambda name, power: f"{name}^{power}")

    def latex(self) -> str:
        """Return LaTeX."""
        return self._write(
            r" ", latex_symbol, lambda name, power: f"{latex_symbol(name)}^{{{power}}}"
        )

    def _write(self, times: str, plain: Any, raised: Any) -> str:
        text = ""
        for monomial, number in self.terms.items():
            factors = [plain(n) if power == 1 else raised(n, power) for n, power in monomial]
            if abs(number) != 1 or not factors:
                factors.insert(0, str(abs(number)))
            sign = ("-" if number < 0 else "") if not text else (" - " if number < 0 else " + ")
            text += sign + times.join(factors)
        return text or "0"

    def to_json(self) -> list[Any]:
        """Return [[coefficient, {symbol: power}], ...]; zero is []."""
        return [[number, dict(monomial)] for monomial, number in self.terms.items()]

    @classmethod
    def from_json(cls, value: Any) -> Polynomial:
        """Read what `to_json` wrote; anything else is a GeometryError."""
        if not isinstance(value, list):
            raise _malformed(value)
        terms: dict[Monomial, int] = {}
        for entry in value:
            if not isinstance(entry, list) or len(entry) != 2:
                raise _malformed(entry)
            number, powers = entry
            if not _is_integer(number) or number == 0 or not isinstance(powers, dict):
                raise _malformed(entry)
            for name, power in powers.items():
                if not NAME.fullmatch(name) or not _is_integer(power):
                    raise _malformed(entry)
                if not 1 <= power <= LARGEST_POWER:
                    raise _malformed(entry)
            monomial = tuple(sorted(powers.items()))
            if monomial in terms:
                raise _malformed(value)
            terms[monomial] = number
        whole = cls(terms)
        if list(terms) != list(whole.terms) or whole.too_large():
            raise _malformed(value)
        return whole


def symbols(names: str) -> tuple[Polynomial, ...]:
    """Return the polynomial of each name in a string of names."""
    return tuple(Polynomial.symbol(name) for name in names.split())


def latex_symbol(name: str) -> str:
    """Write p0 as p_{0} and longer names upright."""
    if len(name) == 1:
        return name
    if name[1:].isdigit():
        return f"{name[0]}_{{{name[1:]}}}"
    return r"\mathrm{" + name.replace("_", r"\_") + "}"


def _order(term: tuple[Monomial, int]) -> tuple[bool, int, Monomial]:
    """Put positive terms first, then those of higher degree, then by name."""
    monomial, number = term
    return number < 0, -sum(power for _, power in monomial), monomial


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _malformed(value: object) -> GeometryError:
    return GeometryError(
        "certificate",
        value,
        "holds something that is not a polynomial [[coefficient, {symbol: power}], ...] in normal "
        "order, or one that is too large",
        "use an unedited certificate",
    )


def _from_sympy(expression: Any) -> Polynomial:
    import sympy

    expression = sympy.sympify(expression)
    names: Iterable[Any] = sorted(expression.free_symbols, key=str)
    if not names:
        if not expression.is_Integer:  # never rounded
            raise GeometryError("expression", expression, "must be an integer", "multiply it out")
        return Polynomial({(): int(expression)})
    try:
        terms = sympy.Poly(expression, *names, domain=sympy.ZZ).terms()
    except (sympy.PolynomialError, sympy.CoercionFailed):
        raise GeometryError(
            "expression",
            expression,
            "must be a polynomial with integer coefficients",
            "introduce a symbol for each floor",
        ) from None
    return Polynomial(
        {
            tuple((str(n), p) for n, p in zip(names, powers, strict=True) if p): int(number)
            for powers, number in terms
        }
    )
