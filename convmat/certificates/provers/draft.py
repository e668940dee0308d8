"""A certificate in the making.

Everything here may be wrong without harm: a mistake makes the checker refuse the certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import (
    Certificate,
    Statement,
    Step,
    Term,
    eq,
    le,
    lt,
    term_order,
)
from convmat.certificates.theorem import Theorem

__all__ = ["Draft", "bounds"]


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


def bounds(quotient: Statement) -> tuple[Statement, Statement]:
    """Return what ``q = floor(x/s)`` says: ``s*q <= x`` and ``x < s*q + s``.

    Examples
    --------
    >>> from convmat.certificates.polynomials import symbols
    >>> from convmat.certificates.statements import floor
    >>> print(*bounds(floor(*symbols("q x s"))), sep=", ")
    q*s <= x, x < q*s + s
    """
    divisor = Polynomial() if quotient.divisor is None else quotient.divisor
    multiple = divisor * quotient.left
    return le(multiple, quotient.right), lt(quotient.right, multiple + divisor)
