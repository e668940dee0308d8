"""A certificate in the making, and how to find the coefficients of a combination.

Everything here may be wrong without harm: a mistake makes the checker refuse the certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convmat.certificates.polynomials import Monomial, Polynomial
from convmat.certificates.statements import (
    Certificate,
    Statement,
    Step,
    Term,
    eq,
    floor,
    le,
    lt,
    term_order,
)
from convmat.certificates.theorem import Theorem
from convmat.geometry.arguments import GeometryError

__all__ = ["Draft", "Known"]

# A statement, or a coefficient and the statements whose slacks it multiplies.
Known = Statement | tuple[int | Polynomial, *tuple[Statement, ...]]


class Draft:
    """A certificate in the making. Hypotheses enter when a step first uses them."""

    def __init__(self, theorem: Theorem) -> None:
        self.theorem = theorem
        self.steps: list[Step] = []
        self.place: dict[Statement, int] = {}
        self._first: dict[tuple[bool, Polynomial], int] = {}

    def add(
        self,
        statement: Statement,
        rule: str,
        premises: tuple[int, ...] = (),
        terms: tuple[Term, ...] = (),
    ) -> Statement:
        """Append a step, unless its statement is there already; return the statement."""
        if statement not in self.place:
            self.place[statement] = len(self.steps)
            if statement.divisor is None:
                says = statement.relation == "=", statement.slack
                self._first.setdefault(says, len(self.steps))
            self.steps.append(Step(statement, rule, premises, terms))
        return statement

    def find(self, statement: Statement) -> int:
        """Return the number of a statement's step; only hypotheses may be new."""
        if statement not in self.place:
            self.add(statement, "hypothesis")
        return self.place[statement]

    def choose(self, statement: Statement, *, inequality: bool = False) -> int:
        """Return the first step that says the same, an equation rather than an inequality.

        There is one way to refer to what is known; rules that need an `inequality` take no other.
        """
        number = self.find(statement)
        if statement.divisor is not None:
            return number
        equation = None if inequality else self._first.get((True, statement.slack))
        return self._first.get((False, statement.slack), number) if equation is None else equation

    def define(self, symbol: Polynomial, value: Polynomial) -> Statement:
        """Name an expression by a fresh symbol."""
        return self.add(eq(symbol, value), "define")

    def combine(
        self, statement: Statement, *terms: tuple[int | Polynomial, *tuple[Statement, ...]]
    ) -> Statement:
        """Conclude from terms (coefficient, factor, ...)."""
        if statement in self.theorem.hypotheses:
            self.find(statement)
        if statement in self.place:
            return statement
        numbered = self._terms(statement, terms)
        used = tuple(sorted({i for _, indices in numbered for i in indices}))
        return self.add(statement, "combine", used, numbered)

    def _terms(
        self,
        statement: Statement,
        terms: Sequence[tuple[int | Polynomial, *tuple[Statement, ...]]],
    ) -> tuple[Term, ...]:
        """Return the terms with numbered factors, collected, in order, and complete."""
        sums: dict[tuple[int, ...], Polynomial] = {}
        for coefficient, *factors in terms:
            indices = tuple(sorted(self.choose(factor) for factor in factors))
            if all(factor.slack != 0 for factor in factors):
                sums[indices] = sums.get(indices, Polynomial()) + Polynomial.of(coefficient)
        rest = [(c, indices) for indices, c in sums.items() if c != 0]
        equations = rest and all(
            any(self.steps[i].statement.relation == "=" for i in indices) for _, indices in rest
        )
        if equations and statement.relation != "=":
            rest.append((Polynomial(), ()))  # at least 0 >= 0: equations give no inequality
        return tuple(sorted(rest, key=term_order))

    def follow(self, statement: Statement, rule: str, *premises: Statement) -> Statement:
        """Conclude by a rule without data."""
        if statement in self.theorem.hypotheses:
            self.find(statement)
        if statement in self.place:
            return statement
        return self.add(statement, rule, tuple(self.choose(p, inequality=True) for p in premises))

    def infer(
        self,
        statement: Statement,
        *known: Known,
        by: Sequence[Statement] = (),
    ) -> Statement:
        """Conclude from inequalities, and from equations whose multiples are found here.

        An inequality, product of several, or equation of any form may have a coefficient before
        it. An equation ``symbol = expression`` of `by` replaces its symbol, in the order given,
        in what these leave of the conclusion. A constant may remain.
        """
        terms: list[tuple[int | Polynomial, *tuple[Statement, ...]]] = []
        rest = statement.slack
        for entry in known:
            coefficient, *factors = entry if isinstance(entry, tuple) else (1, entry)
            terms.append((coefficient, *factors))
            product = Polynomial.of(coefficient)
            for factor in factors:
                product = product * factor.slack
            rest = rest - product
        for equation in by:
            quotient, rest = _replace(rest, equation)
            if quotient != 0:
                terms.append((quotient, equation))
        if rest != 0:
            terms.append((rest,))
        return self.combine(statement, *terms)

    def squeeze(self, statement: Statement, low: Statement, high: Statement) -> Statement:
        """Conclude ``x = y`` from ``x <= y`` and ``y <= x``, as two floors of the same number."""
        x, y = statement.left, statement.right
        first = self.follow(floor(x, y, 1), "floor", low, high)
        nothing = self.combine(le(y, y))
        second = self.follow(floor(y, y, 1), "floor", nothing, nothing)
        return self.follow(statement, "floor same", first, second)

    def bounds(self, quotient: Statement, positive: Statement) -> tuple[Statement, Statement]:
        """Return what ``q = floor(x/s)`` says: ``s*q <= x`` and ``x < s*q + s``."""
        divisor = quotient.divisor or Polynomial()
        multiple = divisor * quotient.left
        return (
            self.follow(le(multiple, quotient.right), "floor low", quotient, positive),
            self.follow(lt(quotient.right, multiple + divisor), "floor high", quotient, positive),
        )

    def divide(
        self,
        statement: Statement,
        positive: Statement,
        *known: Known,
        by: Sequence[Statement] = (),
    ) -> Statement:
        """Conclude ``e >= 0`` from ``1 <= s`` and what `infer` needs for ``s*e + s - 1 >= 0``."""
        divisor = positive.slack + 1
        multiple = divisor * statement.slack + divisor - 1
        bound = self.infer(le(0, multiple), *known, by=by)
        return self.follow(statement, "divide", positive, bound)

    def establish(self, goals: tuple[Statement, ...]) -> None:
        """Add the goals that are hypotheses."""
        for goal in goals:
            if goal in self.theorem.hypotheses:
                self.find(goal)

    def finish(self) -> Certificate:
        """Return the steps that the goals need; it is for the checker to say whether they hold."""
        theorem = self.theorem
        needed: set[int] = set()
        for number in reversed(range(len(self.steps))):
            if number in needed or self.steps[number].statement in theorem.goals:
                needed |= {number, *self.steps[number].premises}
        new = {old: number for number, old in enumerate(sorted(needed))}
        steps = tuple(_renumber(self.steps[old], new) for old in new)
        return Certificate(theorem.name, theorem.hypotheses, theorem.goals, steps)


def _renumber(step: Step, new: dict[int, int]) -> Step:
    terms = tuple((factor, tuple(new[i] for i in indices)) for factor, indices in step.terms)
    return replace(step, premises=tuple(new[i] for i in step.premises), terms=terms)


def _replace(polynomial: Polynomial, equation: Statement) -> tuple[Polynomial, Polynomial]:
    """Put an equation's right side for its symbol; return a multiple of its slack, and the result.

    ``polynomial = quotient * (right - symbol) + result``.
    """
    name = min(equation.left.symbols, default="0")
    symbol = Polynomial.symbol(name)
    if equation.left != symbol:
        raise GeometryError(
            "equation", str(equation), "must have the form symbol = expression", "turn it round"
        )
    quotient = result = Polynomial()
    for monomial, number in polynomial.terms.items():
        powers: dict[str, int] = dict(monomial)
        power = powers.pop(name, 0)
        others: Monomial = tuple(powers.items())
        factor = Polynomial({others: number})
        sums, raised = Polynomial(), Polynomial.of(1)
        for _ in range(power):  # sums = (x^p - right^p) / (x - right), one power at a time
            sums, raised = sums * symbol + raised, raised * equation.right
        quotient = quotient - factor * sums
        result = result + factor * raised
    return quotient, result
