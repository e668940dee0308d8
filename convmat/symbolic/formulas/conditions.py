"""Conditions on sizes: read from text, written back, decided at integers, made hypotheses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Statement, eq, le
from convmat.geometry.arguments import GeometryError
from convmat.symbolic.formulas.identities import fraction
from convmat.symbolic.formulas.reading import read_formula
from convmat.symbolic.formulas.spelling import Spelling
from convmat.symbolic.formulas.tree import Formula, Undefined, names_of

__all__ = ["Condition", "condition_of", "read_condition"]


class Condition(NamedTuple):
    """A hypothesis on sizes in one of the forms ``x = y``, ``x <= y``, ``m | x`` (m divides x).

    A divisor m is at least 1. `statements` takes that for granted: who uses them sees to it that
    it follows from the other hypotheses (`divisor` is what has to).
    """

    relation: str
    left: Formula
    right: Formula

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"

    @property
    def names(self) -> frozenset[str]:
        """Symbols that occur."""
        return names_of(self.left) | names_of(self.right)

    @property
    def vanishing(self) -> Formula:
        """What is zero, or for ``<=`` not negative, where the condition holds."""
        if self.relation == "|":
            return Formula("%", (self.right, self.left))
        return Formula("-", (self.right, self.left))

    def holds_at(self, values: Mapping[str, int]) -> bool:
        """Decide the condition at integers; where a side has no value, it does not hold.

        Nor does ``m | x`` where m is not positive.
        """
        try:
            if self.relation == "|" and self.left.evaluate(values) <= 0:
                return False
            value = self.vanishing.evaluate(values)
        except Undefined:
            return False
        return value >= 0 if self.relation == "<=" else value == 0

    def sides(self) -> tuple[Polynomial, Polynomial]:
        """Return both sides as polynomials, times their denominators, which are positive."""
        (left, under), (right, below) = fraction(self.left), fraction(self.right)
        return left * below, right * under

    @property
    def divisor(self) -> Statement | None:
        """What ``m | x`` says besides: that m is positive; None for other relations."""
        return le(1, self.sides()[0]) if self.relation == "|" else None

    def statements(self, number: int) -> tuple[Statement, ...]:
        """Return the hypotheses for a theorem; a multiple of m is m times a new symbol."""
        left, right = self.sides()
        if self.relation == "|":
            return (le(1, left), eq(right, left * Polynomial.symbol(f"h{number}")))
        return ((eq if self.relation == "=" else le)(left, right),)


def read_condition(text: Any, spelling: Spelling | None = None) -> Condition:
    """Read a condition: ``s <= k``, ``d < 2``, ``d = 1``, ``2 | k - 1``, ``k % 2 = 1``.

    Examples
    --------
    >>> str(read_condition("stride <= kernel_size")), str(read_condition("2 | k - 1"))
    ('s <= k', '2 | k - 1')
    >>> str(read_condition("d < 2")), str(read_condition("n % 2 == 0"))
    ('d <= 1', '2 | n')
    """
    parts = RELATION.split(text) if isinstance(text, str) else []
    if len(parts) > 3 and "" not in parts:
        pairs = (f"'{''.join(parts[i : i + 3]).strip()}'" for i in range(0, len(parts) - 2, 2))
        raise _no_condition(text, "compares more than twice", f"write {' and '.join(pairs)}")
    if len(parts) != 3 or parts[1] == "!=":
        raise _no_condition(text, "is no condition on sizes")
    spelling = Spelling() if spelling is None else spelling
    left, right = (read_formula(side, spelling) for side in (parts[0], parts[2]))
    return condition_of(parts[1], left, right)


def condition_of(relation: str, left: Formula, right: Formula) -> Condition:
    """Return how two formulas compare as a condition: of integers, where it is strict."""
    if relation in ("<", ">"):
        if _may_be_a_fraction(left) or _may_be_a_fraction(right):
            text = f"{left} {relation} {right}"
            raise _no_condition(text, "is strict, of what may be a fraction", "write it with <=")
        return _less(left, right) if relation == "<" else _less(right, left)
    if relation == ">=":
        return Condition("<=", right, left)
    if relation in ("<=", "|"):
        return Condition(relation, left, right)
    return _as_divisor(left, right) or Condition("=", left, right)


RELATION = re.compile(r"(<=|>=|==|!=|=|<|>|\|)")


def _no_condition(text: Any, reason: str, repair: str = "") -> GeometryError:
    forms = "write such as 's <= k', 'd < 2', 'd = 1', '2 | k - 1' or 'k % 2 = 1'"
    return GeometryError("given", text, reason, repair or forms)


def _may_be_a_fraction(formula: Formula) -> bool:
    if formula.kind in ("number", "name"):
        return formula.parts == ("r",)
    if formula.kind in ("floor", "ceil", "round", "int", "//"):
        return False
    return formula.kind == "/" or any(map(_may_be_a_fraction, formula.parts))


def _less(left: Formula, right: Formula) -> Condition:
    """Return ``left < right``, of integers, as ``left + 1 <= right``."""
    if right.kind == "number" and right.parts[0] > 0:
        return Condition("<=", left, Formula("number", (right.parts[0] - 1,)))
    if left.kind == "number":
        return Condition("<=", Formula("number", (left.parts[0] + 1,)), right)
    return Condition("<=", Formula("+", (left, Formula("number", (1,)))), right)


def _as_divisor(left: Formula, right: Formula) -> Condition | None:
    """Return ``x % m = c`` as ``m | x - c``, None if it is no such equation."""
    if left.kind != "%" or right.kind != "number":
        return None
    (value, divisor), (rest,) = left.parts, right.parts
    if rest == 0:
        return Condition("|", divisor, value)
    if divisor.kind == "number" and rest < divisor.parts[0]:
        return Condition("|", divisor, Formula("-", (value, right)))
    return None
