"""What a certificate is made of: statements, steps, and their plain JSON form.

A statement is about integers. ``a < b`` therefore means ``b - a - 1 >= 0``. A floor is never
part of an expression: ``q = floor(x/s)`` is a statement of its own kind, about three polynomials.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convmat.certificates.polynomials import Operand, Polynomial
from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import OneLine

__all__ = [
    "Certificate",
    "Statement",
    "Step",
    "Term",
    "as_written",
    "eq",
    "floor",
    "le",
    "lt",
    "term_order",
]

# A coefficient times the product of the earlier steps with these numbers.
Term = tuple[Polynomial, tuple[int, ...]]

RELATIONS = ("=", "<=", "<", "floor")


@dataclass(frozen=True, slots=True, repr=False)
class Statement(OneLine):
    """``left relation right``, or ``left = floor(right / divisor)``."""

    relation: str
    left: Polynomial
    right: Polynomial
    divisor: Polynomial | None = None

    @property
    def slack(self) -> Polynomial:
        """What is zero (for ``=``) or not negative (for ``<=``, ``<``)."""
        return self.right - self.left - (1 if self.relation == "<" else 0)

    @property
    def symbols(self) -> frozenset[str]:
        """Names that occur."""
        names = self.left.symbols | self.right.symbols
        return names if self.divisor is None else names | self.divisor.symbols

    def holds_at(self, values: Mapping[str, int]) -> bool:
        """Decide the statement at integers."""
        if self.divisor is not None:
            divisor = self.divisor.evaluate(values)
            quotient = self.left.evaluate(values)
            return divisor != 0 and quotient == self.right.evaluate(values) // divisor
        slack = self.slack.evaluate(values)
        return slack == 0 if self.relation == "=" else slack >= 0

    def __str__(self) -> str:
        if self.divisor is None:
            return f"{self.left} {self.relation} {self.right}"
        return f"{self.left} = floor(({self.right}) / {_bracket(self.divisor)})"

    def latex(self) -> str:
        """Return LaTeX."""
        sign = {"=": "=", "<=": r"\le", "<": "<", "floor": "="}[self.relation]
        right = self.right.latex()
        if self.divisor is not None:
            right = rf"\left\lfloor \frac{{{right}}}{{{self.divisor.latex()}}} \right\rfloor"
        return f"{self.left.latex()} {sign} {right}"

    def to_json(self) -> list[Any]:
        """Return [relation, left, right] or ["floor", left, right, divisor]."""
        parts = [self.left, self.right] + ([self.divisor] if self.divisor is not None else [])
        return [self.relation, *(part.to_json() for part in parts)]

    @classmethod
    def from_json(cls, value: Any) -> Statement:
        """Read what `to_json` wrote."""
        if not isinstance(value, list) or not value or value[0] not in RELATIONS:
            raise malformed(value, "a statement")
        if len(value) != (4 if value[0] == "floor" else 3):
            raise malformed(value, "a statement")
        return cls(value[0], *(Polynomial.from_json(part) for part in value[1:]))


def eq(left: Operand, right: Operand) -> Statement:
    """``left = right``."""
    return Statement("=", Polynomial.of(left), Polynomial.of(right))


def le(left: Operand, right: Operand) -> Statement:
    """``left <= right``."""
    return Statement("<=", Polynomial.of(left), Polynomial.of(right))


def lt(left: Operand, right: Operand) -> Statement:
    """``left < right``."""
    return Statement("<", Polynomial.of(left), Polynomial.of(right))


def floor(quotient: Operand, numerator: Operand, divisor: Operand) -> Statement:
    """``quotient = floor(numerator / divisor)``."""
    return Statement(
        "floor", Polynomial.of(quotient), Polynomial.of(numerator), Polynomial.of(divisor)
    )


@dataclass(frozen=True, slots=True, repr=False)
class Step(OneLine):
    """A statement, the rule that gives it, and the earlier steps (from 0) that it uses.

    `terms` is the data of the rule ``combine``; other rules have none.
    """

    statement: Statement
    rule: str
    premises: tuple[int, ...] = ()
    terms: tuple[Term, ...] = ()

    @property
    def reason(self) -> str:
        """The rule with its premises, numbered from 1 as a reader counts."""
        if self.rule == "combine":
            return "combine " + (" + ".join(_write_term(term) for term in self.terms) or "0")
        numbers = ", ".join(str(i + 1) for i in self.premises)
        return f"{self.rule} from {numbers}" if numbers else self.rule

    def latex(self) -> str:
        """Return the statement and the reason as two cells of a LaTeX array."""
        reason = rf"\text{{{self.reason}}}"
        if self.rule == "combine":
            terms = [_term_latex(term) for term in self.terms]
            reason = r"\text{combine}\ " + (" + ".join(terms) or "0")
        return f"{self.statement.latex()} & {reason}"

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of statement, rule, premises and, if any, terms."""
        data: dict[str, Any] = {
            "statement": self.statement.to_json(),
            "rule": self.rule,
            "premises": list(self.premises),
        }
        if self.terms:
            data["terms"] = [[c.to_json(), list(indices)] for c, indices in self.terms]
        return data

    @classmethod
    def from_json(cls, value: Any) -> Step:
        """Read what `to_json` wrote."""
        fields(value, {"statement", "rule", "premises"}, {"terms"})
        if not isinstance(value["rule"], str):
            raise malformed(value["rule"], "a rule")
        terms = value.get("terms", [])
        if not isinstance(terms, list):
            raise malformed(terms, "a list of terms")
        for term in terms:
            if not isinstance(term, list) or len(term) != 2:
                raise malformed(term, "a term")
        return cls(
            Statement.from_json(value["statement"]),
            value["rule"],
            _indices(value["premises"]),
            tuple((Polynomial.from_json(c), _indices(indices)) for c, indices in terms),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Certificate(OneLine):
    """A proof of a named theorem: its hypotheses, its goals, and the steps between them.

    Nothing in it is trusted: `certificates.checker.check` compares hypotheses and goals with
    the theorem of that name and follows every step.
    """

    theorem: str
    hypotheses: tuple[Statement, ...]
    goals: tuple[Statement, ...]
    steps: tuple[Step, ...]

    def _in_short(self) -> str:
        return f"Certificate: theorem {self.theorem!r}, {len(self.steps)} steps"

    def __str__(self) -> str:
        width = len(str(len(self.steps)))
        return "\n".join(
            f"{number:>{width}}. {step.statement}    [{step.reason}]"
            for number, step in enumerate(self.steps, 1)
        )

    def latex(self) -> str:
        """Return LaTeX: an array of numbers, statements and reasons."""
        lines = [rf"{number}. & {step.latex()}" for number, step in enumerate(self.steps, 1)]
        return "\\begin{array}{rll}\n" + " \\\\\n".join(lines) + "\n\\end{array}"

    def to_json(self) -> dict[str, Any]:
        """Return plain lists, dictionaries, strings and integers."""
        return {
            "theorem": self.theorem,
            "hypotheses": [statement.to_json() for statement in self.hypotheses],
            "goals": [statement.to_json() for statement in self.goals],
            "steps": [step.to_json() for step in self.steps],
        }

    @classmethod
    def from_json(cls, value: Any) -> Certificate:
        """Read what `to_json` wrote; nothing is evaluated, and nothing is believed yet."""
        fields(value, {"theorem", "hypotheses", "goals", "steps"})
        if not isinstance(value["theorem"], str):
            raise malformed(value["theorem"], "the name of a theorem")
        for key in ("hypotheses", "goals", "steps"):
            if not isinstance(value[key], list):
                raise malformed(value[key], f"a list of {key}")
        whole = cls(
            value["theorem"],
            tuple(Statement.from_json(entry) for entry in value["hypotheses"]),
            tuple(Statement.from_json(entry) for entry in value["goals"]),
            tuple(Step.from_json(entry) for entry in value["steps"]),
        )
        as_written(value, whole.to_json())
        return whole


def fields(value: Any, needed: set[str], optional: set[str] = frozenset()) -> None:  # type: ignore[assignment]  # an empty frozenset is a fine default
    """Check that `value` is a dictionary with these keys and no others."""
    if not isinstance(value, dict) or not needed <= set(value) <= needed | optional:
        raise malformed(value, f"an object with {', '.join(sorted(needed))}")


def as_written(value: Any, again: Any) -> None:
    """Check that what was read is written as it would be written again, each key in its place.

    Whoever compares two files then knows that they say the same only if they are the same.
    """
    if json.dumps(value) != json.dumps(again):
        raise malformed(value, "written in the one order and form that it has")


def malformed(value: object, wanted: str) -> GeometryError:
    """Return the error for a certificate that cannot even be read."""
    return GeometryError(
        "certificate", value, f"should be {wanted} here", "use a whole, unedited certificate"
    )


def _indices(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(entry) is int for entry in value):
        raise malformed(value, "a list of step numbers")
    return tuple(value)


def term_order(term: Term) -> tuple[bool, tuple[int, ...]]:
    """Put the terms of a combination in order of their steps, a constant last."""
    _, indices = term
    return not indices, indices


def _bracket(polynomial: Polynomial) -> str:
    text = str(polynomial)
    return f"({text})" if " " in text or "*" in text else text


def _write_term(term: Term) -> str:
    coefficient, indices = term
    steps = "*".join(f"({i + 1})" for i in indices)
    if not steps:
        return str(coefficient)
    return steps if coefficient == 1 else f"{_bracket(coefficient)}*{steps}"


def _term_latex(term: Term) -> str:
    coefficient, indices = term
    steps = r"\,".join(f"({i + 1})" for i in indices)
    if not steps:
        return coefficient.latex()
    if coefficient == 1:
        return steps
    whole = len(coefficient.terms) == 1 and min(coefficient.terms.values()) > 0
    factor = coefficient.latex() if whole else rf"\left({coefficient.latex()}\right)"
    return rf"{factor}\,{steps}"
