"""The checker: follows a certificate step by step and believes nothing else.

It knows eight rules. Polynomials are added, multiplied and compared in normal form; no
simplification, no search, nothing from the code that writes certificates.

hypothesis
    One of the hypotheses of the theorem.
define
    ``x = expression`` for a symbol x that no hypothesis and no earlier step mentions.
combine
    The slack of the conclusion is a sum of terms, each a coefficient times a product of slacks of
    earlier steps. With an ``=`` step among the factors the coefficient may be any polynomial;
    otherwise it must be an integer >= 0, and the conclusion an inequality. Equations alone give
    an equation, so that no step says less than it could.
divide
    From ``1 <= s`` and ``s*e + s - 1 >= 0`` conclude ``e >= 0``, for integers.
floor
    From ``s*q <= x`` and ``x < s*q + s`` conclude ``q = floor(x/s)``.
floor low, floor high
    From ``q = floor(x/s)`` and ``1 <= s`` conclude ``s*q <= x``, or ``x < s*q + s``.
floor same
    From ``q = floor(x/s)`` and ``r = floor(x/s)`` conclude ``q = r``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from convmat._check import GeometryError
from convmat.symbolic.certificate import Certificate, Statement, Step, le, lt
from convmat.symbolic.polynomials import Polynomial
from convmat.symbolic.theorems import THEOREMS, Theorem

__all__ = ["Refused", "check"]


class Refused(GeometryError):  # noqa: N818, what a checker says, not an accident
    """A proof that does not hold: which step does not follow, and why."""

    def __init__(self, reason: str, step: int | None = None) -> None:
        super().__init__("certificate", step, reason, "use an unedited certificate")
        self.step = step
        self.reason = reason

    def __reduce__(self) -> tuple[type[Refused], tuple[str, int | None]]:
        return Refused, (self.reason, self.step)

    def __str__(self) -> str:
        where = "" if self.step is None else f"step {self.step} does not follow: "
        return f"refused: {where}{self.reason}"


class _Place(NamedTuple):
    """A step where it stands: its premises, all earlier statements, the theorem."""

    step: Step
    premises: list[Statement]
    earlier: list[Statement]
    theorem: Theorem


def check(certificate: Certificate, theorem: Theorem | None = None) -> Theorem:
    """Return the theorem that the certificate proves, or raise `Refused`.

    The theorem is the one of `THEOREMS` that has the certificate's name, unless it is given.
    Steps are numbered from 1 in the message. Cost: one polynomial expansion per step.
    """
    if theorem is None:
        theorem = THEOREMS.get(certificate.theorem)
    if theorem is None or theorem.name != certificate.theorem:
        raise Refused(f"there is no theorem {certificate.theorem!r}")
    if certificate.hypotheses != theorem.hypotheses:
        raise Refused(f"the hypotheses are not those of the theorem {theorem.name!r}")
    if certificate.goals != theorem.goals:
        raise Refused(f"the goals are not those of the theorem {theorem.name!r}")
    statements = [step.statement for step in certificate.steps]
    for number, step in enumerate(certificate.steps):
        reason = _objection(step, statements[:number], theorem)
        if reason:
            raise Refused(f"{reason} (theorem {theorem.name!r})", number + 1)
    for goal in theorem.goals:
        if goal not in statements:
            raise Refused(f"the goal {goal} of the theorem {theorem.name!r} is not established")
    return theorem


def _objection(step: Step, earlier: list[Statement], theorem: Theorem) -> str | None:
    """Return why a step does not follow, or None if it does."""
    rule = _RULES.get(step.rule)
    if rule is None:
        return f"there is no rule {step.rule!r}"
    if step.terms and step.rule != "combine":
        return f"the rule {step.rule!r} takes no terms"
    if not all(0 <= i < len(earlier) for i in step.premises):
        return "it uses a step that does not come before it"
    if step.statement in earlier:
        return "it repeats an earlier step"
    if (step.statement.relation == "floor") != (step.statement.divisor is not None):
        return "its statement is malformed"
    return rule(_Place(step, [earlier[i] for i in step.premises], earlier, theorem))


def _hypothesis(at: _Place) -> str | None:
    if at.premises:
        return "a hypothesis has no premises"
    if at.step.statement not in at.theorem.hypotheses:
        return f"{at.step.statement} is not a hypothesis"
    return None


def _define(at: _Place) -> str | None:
    if at.premises:
        return "a definition has no premises"
    names = at.step.statement.left.symbols
    if at.step.statement.relation != "=" or len(names) != 1:
        return "a definition has the form symbol = expression"
    (name,) = names
    if at.step.statement.left != Polynomial.symbol(name):
        return "a definition has the form symbol = expression"
    used = at.step.statement.right.symbols.union(
        *(s.symbols for s in at.theorem.hypotheses), *(s.symbols for s in at.earlier)
    )
    return f"{name} already has a meaning" if name in used else None


def _combine(at: _Place) -> str | None:
    if at.step.statement.relation == "floor":
        return "a combination gives no floor"
    used = sorted({i for _, indices in at.step.terms for i in indices})
    if list(at.step.premises) != used:
        return "the premises are not the steps that its terms use"
    total = Polynomial()
    only_equations = bool(at.step.terms)
    for coefficient, indices in at.step.terms:
        factors = [at.earlier[i] for i in indices]
        relations = {factor.relation for factor in factors}
        reason = _bad_term(coefficient, relations, at.step.statement.relation)
        if reason:
            return reason
        only_equations &= "=" in relations
        total = total + math.prod((factor.slack for factor in factors), start=coefficient)
    if only_equations and at.step.statement.relation != "=":
        return "equations give an equation, not an inequality"
    if total != at.step.statement.slack:
        return f"the terms add up to {total}, not to {at.step.statement.slack}"
    return None


def _bad_term(coefficient: Polynomial, relations: set[str], conclusion: str) -> str | None:
    """Return why a coefficient times steps with these relations is no term, or None if it is."""
    if "floor" in relations:
        return "a floor cannot be a factor"
    if "=" in relations:
        return None  # a multiple of zero
    if conclusion == "=":
        return "an equation cannot come from inequalities"
    number = coefficient.constant()
    if number is None or number < 0:
        return f"the coefficient {coefficient} is not an integer >= 0"
    return None


def _divide(at: _Place) -> str | None:
    if len(at.premises) != 2 or not _inequalities([*at.premises, at.step.statement]):
        return "division needs two inequalities and gives one"
    divisor = at.premises[0].slack + 1
    if at.premises[1].slack != divisor * at.step.statement.slack + divisor - 1:
        return f"{at.premises[1]} is not divisor*slack >= 1 - divisor for the divisor {divisor}"
    return None


def _floor(at: _Place) -> str | None:
    low, high = _floor_bounds(at.step.statement)
    if len(at.premises) != 2 or not _inequalities(at.premises):
        return "a floor needs two inequalities"
    if [p.slack for p in at.premises] != [low.slack, high.slack]:
        return f"a floor needs {low} and {high}"
    return None


def _floor_bound(which: int) -> Rule:
    def rule(at: _Place) -> str | None:
        if len(at.premises) != 2 or at.premises[0].relation != "floor":
            return "the premises must be a floor and 1 <= its divisor"
        if at.premises[1].relation not in ("<=", "<") or at.premises[0].divisor is None:
            return "the premises must be a floor and 1 <= its divisor"
        if at.premises[1].slack != at.premises[0].divisor - 1:
            return f"the divisor {at.premises[0].divisor} is not known to be positive"
        bound = _floor_bounds(at.premises[0])[which]
        if at.step.statement != bound:
            return f"the floor gives {bound}"
        return None

    return rule


def _floor_same(at: _Place) -> str | None:
    if len(at.premises) != 2 or any(p.relation != "floor" for p in at.premises):
        return "two floors are needed"
    first, second = at.premises
    if (first.right, first.divisor) != (second.right, second.divisor):
        return "the two floors are not of the same quotient"
    if at.step.statement != Statement("=", first.left, second.left):
        return f"the floors give {first.left} = {second.left}"
    return None


def _floor_bounds(statement: Statement) -> tuple[Statement, Statement]:
    multiple = statement.left * (statement.divisor or Polynomial())
    return (
        le(multiple, statement.right),
        lt(statement.right, multiple + (statement.divisor or Polynomial())),
    )


def _inequalities(statements: Sequence[Statement]) -> bool:
    return all(s.relation in ("<=", "<") for s in statements)


Rule = Callable[[_Place], "str | None"]

_RULES: dict[str, Rule] = {
    "hypothesis": _hypothesis,
    "define": _define,
    "combine": _combine,
    "divide": _divide,
    "floor": _floor,
    "floor low": _floor_bound(0),
    "floor high": _floor_bound(1),
    "floor same": _floor_same,
}
