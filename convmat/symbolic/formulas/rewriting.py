"""The rewriting behind `normal_form`: a SymPy expression as an integer polynomial.

The polynomial has the symbols of the expression, and one more for every floor or Min that
remains. SymPy's own functions are read, not evaluated.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.provers.ratios import Ratio, divide_out
from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import one_line

__all__ = ["Reader", "RewriteStep", "unreadable"]


class RewriteStep(NamedTuple):
    """One use of a rule: its name in `RULE_THEOREMS`, the expression before and after."""

    rule: str
    before: Any
    after: Any

    def __repr__(self) -> str:
        return one_line(self)

    def __str__(self) -> str:
        return f"{self.before} = {self.after}    [{self.rule}]"


class _Floor(NamedTuple):
    numerator: Polynomial
    divisor: Polynomial


class _Least(NamedTuple):
    entries: tuple[Polynomial, ...]


class Reader:
    """Reads one expression. Floors and Min that remain are symbols, in `floors` and `leasts`."""

    def __init__(
        self,
        expression: Any,
        positive: tuple[str, ...],
        remainders: dict[str, str],
        *,
        traced: bool,
    ) -> None:
        self.traced = traced
        self.floors: dict[str, _Floor] = {}
        self.leasts: dict[str, _Least] = {}
        self.names: dict[_Floor | _Least, str] = {}
        self.symbols: dict[str, Any] = {}
        self.steps: list[RewriteStep] = []
        self.least: dict[str, Polynomial] = {}  # symbol -> what stands for it and is >= 0
        for symbol in expression.free_symbols:
            if symbol.is_integer is False or symbol.is_commutative is False:
                raise unreadable(symbol, "must be an integer", "use symbols(..., integer=True)")
            if symbol.name in self.symbols:
                raise unreadable(symbol, "has two meanings", "make each symbol once")
            self.symbols[symbol.name] = symbol
            own = Polynomial.symbol(symbol.name)
            if symbol.is_positive or symbol.name in positive:
                self.least[symbol.name] = own + 1
            elif symbol.is_nonnegative:
                self.least[symbol.name] = own
        self.mark = "["  # what names of floors and Min begin with, and no name that was given does
        while any(name.startswith(self.mark) for name in (*self.symbols, *positive, *remainders)):
            self.mark += "["
        for rest, bound in remainders.items():
            if bound in remainders:
                raise GeometryError(
                    "remainders", remainders, f"bound {rest} by the remainder {bound}", "leave one"
                )
            self.least[rest] = Polynomial.symbol(rest)
            self.least[bound] = Polynomial.symbol(bound) + Polynomial.symbol(rest) + 1

    # Reading

    def read(self, expression: Any) -> Ratio:
        """Return a SymPy expression as a fraction of polynomials."""
        if expression.is_Rational:
            return Ratio.of(int(expression.p), int(expression.q))
        if expression.is_Symbol:
            return Ratio.of(Polynomial.symbol(expression.name))
        if expression.is_Add or expression.is_Mul:
            parts = map(self.read, expression.args)
            return functools.reduce(Ratio.plus if expression.is_Add else Ratio.times, parts)
        if expression.is_Pow and expression.exp.is_Integer:
            return self.read(expression.base).power(int(expression.exp))
        return self.read_function(expression)

    def read_function(self, expression: Any) -> Ratio:
        """Return a Min, Max, floor, ceiling or Mod as a fraction of polynomials."""
        import sympy

        if isinstance(expression, sympy.Mod):
            n, s = expression.args
            quotient = Ratio.of(-self.floor_of(n / s))
            rest = self.read(n).plus(self.read(s).times(quotient))
            if rest.divisor == 1:
                self.note("remainder", expression, rest.numerator)
            return rest
        if isinstance(expression, (sympy.Min, sympy.Max)):
            return Ratio.of(self.extreme(expression))
        if isinstance(expression, sympy.floor):
            return Ratio.of(self.floor_of(expression.args[0]))
        if isinstance(expression, sympy.ceiling):
            result = -self.floor_of(-expression.args[0])
            return Ratio.of(self.note("ceiling", expression, result))
        raise unreadable(
            expression,
            "is not made of integers, symbols, + - * /, floor, ceiling, Mod, Min, Max",
            "write it with these",
        )

    def floor_of(self, inside: Any) -> Polynomial:
        """Return the floor of a SymPy expression."""
        import sympy

        if isinstance(inside, (sympy.Min, sympy.Max)):  # whose entries may be fractions
            entries = [self.floor_of(entry) for entry in inside.args]
            return self.least_of(entries, -1 if isinstance(inside, sympy.Max) else 1)
        value = self.read(inside)
        return self.floor(value.numerator, value.divisor)

    def extreme(self, expression: Any) -> Polynomial:
        """Return a Min or a Max of integers."""
        import sympy

        entries = []
        for entry in expression.args:
            value = self.read(entry)
            if value.divisor != 1:
                raise unreadable(entry, "need not be an integer", "put divisions within floors")
            entries.append(value.numerator)
        return self.least_of(entries, -1 if isinstance(expression, sympy.Max) else 1)

    # Floors

    def floor(self, numerator: Polynomial, divisor: Polynomial) -> Polynomial:
        """Return floor(numerator/divisor) in normal form."""
        numerator, divisor = self.positive_divisor(*Ratio.of(numerator, divisor))
        if divisor == 1:
            return numerator
        moved = self.unpacked(_Floor(numerator, divisor))
        if moved is not None:
            return moved
        whole, rest, scale = self.reduced(numerator, divisor)
        fraction = _Floor(rest, scale)
        rule = "common factor" if scale != divisor else "integer out of a floor"
        self.note(rule, _Floor(numerator, divisor), whole, fraction)
        moved = self.unpacked(fraction)  # what was taken out may have hidden a floor
        return whole + (self.settled(rest, scale) if moved is None else moved)

    def unpacked(self, fraction: _Floor) -> Polynomial | None:
        """Return a floor without the only Min or floor in its numerator; None if there is none."""
        within = linear(fraction.numerator, self.leasts)
        if within is not None:
            return self.floor_of_least(fraction, *within)
        within = linear(fraction.numerator, self.floors)
        if within is not None and abs(within[1]) == 1:
            return self.nested(fraction, *within)
        return None

    def positive_divisor(
        self, numerator: Polynomial, divisor: Polynomial
    ) -> tuple[Polynomial, Polynomial]:
        """Choose the sign under which the divisor is known to be at least 1."""
        for sign in (1, -1):
            if self.nonnegative(divisor * sign - 1):
                return numerator * sign, divisor * sign
        raise unreadable(
            self.sympy(divisor),
            "divides, and is not known to be positive",
            "declare its symbols with symbols(..., integer=True, positive=True)",
        )

    def nested(self, before: _Floor, name: str, sign: int) -> Polynomial:
        """Flatten the only floor in a numerator, whose factor is 1 or -1."""
        inner = self.floors[name]
        rest = before.numerator - Polynomial.symbol(name) * sign
        x = inner.numerator
        if sign < 0:  # -floor(x/a) = 1 + floor((-x - 1)/a)
            x, rest = -x - 1, rest + 1
        result = self.floor(x + inner.divisor * rest, inner.divisor * before.divisor)
        if sign < 0:
            self.note("reflection", before, result)
        return self.note("nested floors", before, result)

    def floor_of_least(self, before: _Floor, name: str, factor: int) -> Polynomial:
        """Move a floor into the only Min of its numerator; with a negative factor it is a Max."""
        least = self.leasts[name]
        rest = before.numerator - Polynomial.symbol(name) * factor
        entries = [self.floor(entry * factor + rest, before.divisor) for entry in least.entries]
        result = self.least_of(entries, 1 if factor > 0 else -1)
        return self.note("floor of the least", before, result)

    def reduced(
        self, numerator: Polynomial, divisor: Polynomial
    ) -> tuple[Polynomial, Polynomial, Polynomial]:
        """Return (m, x, s) with floor(numerator/divisor) = m + floor(x/s)."""
        whole, rest = divide_out(numerator, divisor)
        constant = rest.terms.get((), 0)
        changing = rest - constant
        common = math.gcd(*changing.terms.values(), *divisor.terms.values())
        if common > 1:
            x = Polynomial({key: c // common for key, c in changing.terms.items()})
            s = Polynomial({key: c // common for key, c in divisor.terms.items()})
            whole_again, rest, divisor = self.reduced(x + constant // common, s)
            whole = whole + whole_again
        if divisor == 1:
            return whole + rest, Polynomial(), divisor
        return whole, rest, divisor

    def settled(self, rest: Polynomial, divisor: Polynomial) -> Polynomial:
        """Return the floor of a reduced fraction: a number, or one of x and -x - 1 as a symbol."""
        fraction = _Floor(rest, divisor)
        if self.below(rest, divisor):
            return self.note("fraction below one", fraction, Polynomial())
        whole, mirror, _ = self.reduced(-rest - 1, divisor)
        if self.below(mirror, divisor):
            return self.note("reflection", fraction, -1 - whole)
        if _preference(mirror) < _preference(rest):
            result = -1 - whole - self.atom(_Floor(mirror, divisor))
            return self.note("reflection", fraction, result)
        return self.atom(fraction)

    # Min

    def least_of(self, entries: Sequence[Polynomial], sign: int = 1) -> Polynomial:
        """Return the Min of integers, or with sign -1 their Max, ``-Min(-a, -b)``."""
        flat: list[Polynomial] = []
        for entry in entries:
            flat += self.spread(entry * sign)
        kept: list[Polynomial] = []
        for i, entry in enumerate(flat):
            others = (*kept, *flat[i + 1 :])
            if not any(self.nonnegative(entry - other) for other in others):
                kept.append(entry)
        common = Polynomial(
            {
                key: number
                for key, number in kept[0].terms.items()
                if all(entry.terms.get(key) == number for entry in kept)
            }
        )
        rest = sorted((entry - common for entry in kept), key=_text)
        if len(rest) == 1:
            return (common + rest[0]) * sign
        return (common + self.atom(_Least(tuple(rest)))) * sign

    def spread(self, entry: Polynomial) -> list[Polynomial]:
        """Write Min(a, b) + m within a Min as two entries."""
        within = linear(entry, self.leasts)
        if within is None or within[1] != 1:
            return [entry]
        name, _ = within
        least = self.leasts[name]
        return [entry - Polynomial.symbol(name) + one for one in least.entries]

    # What is known

    def nonnegative(self, polynomial: Polynomial) -> bool:
        """Say whether it is seen to be >= 0: no negative term once bounds are inserted."""
        shifted = Polynomial()
        for monomial, number in polynomial.terms.items():
            term = Polynomial.of(number)
            for name, power in monomial:
                if name not in self.least:
                    if power % 2:
                        return False
                    term = term * Polynomial({((name, power),): 1})
                else:
                    term = math.prod([self.least[name]] * power, start=term)
            shifted = shifted + term
        return all(number >= 0 for number in shifted.terms.values())

    def below(self, rest: Polynomial, divisor: Polynomial) -> bool:
        """Say whether ``0 <= rest < divisor`` is seen."""
        return self.nonnegative(rest) and self.nonnegative(divisor - 1 - rest)

    # Back to SymPy

    def atom(self, content: _Floor | _Least) -> Polynomial:
        """Return the symbol that stands for a floor or a Min."""
        if content not in self.names:
            name = f"{self.mark}{len(self.names)}]"
            self.names[content] = name
            if isinstance(content, _Floor):
                self.floors[name] = content
            else:
                self.leasts[name] = content
        return Polynomial.symbol(self.names[content])

    def sympy(self, polynomial: Polynomial) -> Any:
        """Return a polynomial as a SymPy expression."""
        import sympy

        terms = []
        for monomial, number in polynomial.terms.items():
            factors = [self.value(name) ** power for name, power in monomial]
            terms.append(sympy.Mul(number, *factors))
        return sympy.Add(*terms)

    def value(self, name: str) -> Any:
        """Return a symbol, or the floor or Min that it stands for."""
        import sympy

        if name in self.floors:
            numerator, divisor = map(self.sympy, self.floors[name])
            return sympy.floor(numerator / divisor)
        if name in self.leasts:
            return sympy.Min(*map(self.sympy, self.leasts[name].entries))
        return self.symbols[name]

    def note(
        self, rule: str, before: Any, after: Polynomial, rest: _Floor | None = None
    ) -> Polynomial:
        """Record the use of a rule, if a reader asked for steps; return what came of it."""
        if self.traced:
            result = self.sympy(after)
            if rest is not None and rest.numerator != 0:
                result += self.written(rest)
            if isinstance(before, _Floor):
                before = self.written(before)
            if before != result:
                self.steps.append(RewriteStep(rule, before, result))
        return after

    def written(self, content: _Floor) -> Any:
        """Return a floor as it stands, which SymPy would rewrite."""
        import sympy

        return sympy.floor(
            self.sympy(content.numerator) / self.sympy(content.divisor), evaluate=False
        )


def linear(polynomial: Polynomial, atoms: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return (name, factor) if one of these atoms occurs, once, times a number."""
    found = [name for name in polynomial.symbols if name in atoms]
    if len(found) != 1:
        return None
    terms = [(key, c) for key, c in polynomial.terms.items() if found[0] in dict(key)]
    if len(terms) != 1 or terms[0][0] != ((found[0], 1),):
        return None
    return found[0], terms[0][1]


def _preference(polynomial: Polynomial) -> tuple[int, int, int, str]:
    """Prefer small factors, few negative terms, a small constant."""
    changing = [number for key, number in polynomial.terms.items() if key]
    negative = sum(number < 0 for number in changing) - sum(number > 0 for number in changing)
    constant = abs(polynomial.terms.get((), 0))
    return sum(map(abs, changing)), negative, constant, str(polynomial)


def _text(polynomial: Polynomial) -> str:
    return str(polynomial)


def unreadable(value: Any, rule: str, repair: str) -> GeometryError:
    """Return the error for an expression outside what the rules are about."""
    return GeometryError("expression", value, rule, repair)
