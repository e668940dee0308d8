"""Conditions on sizes: read from text, written back, decided at integers, made hypotheses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from convmat._check import GeometryError
from convmat.symbolic.certificate import Statement, eq, le
from convmat.symbolic.formula.formulas import Formula, Undefined, names_of
from convmat.symbolic.formula.identities import fraction
from convmat.symbolic.formula.reading import read_formula
from convmat.symbolic.formula.spelling import Spelling
from convmat.symbolic.polynomials import Polynomial

__all__ = ["Condition", "read_condition"]


class Condition(NamedTuple):
    """A hypothesis on sizes in one of the forms ``x = y``, ``x <= y``, ``m | x`` (m divides x)."""

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
        """Decide the condition at integers; where a side has no value, it does not hold."""
        try:
            value = self.vanishing.evaluate(values)
        except Undefined:
            return False
        return value >= 0 if self.relation == "<=" else value == 0

    def sides(self) -> tuple[Polynomial, Polynomial]:
        """Return both sides as polynomials, times their denominators, which are positive."""
        (left, under), (right, below) = fraction(self.left), fraction(self.right)
        return left * below, right * under

    def statements(self, number: int) -> tuple[Statement, ...]:
        """Return the hypotheses for a theorem; a multiple of m is m times a new symbol."""
        left, right = self.sides()
        if self.relation == "|":
            return (le(1, left), eq(right, left * Polynomial.symbol(f"h{number}")))
        return ((eq if self.relation == "=" else le)(left, right),)


def read_condition(text: Any, spelling: Spelling | None = None) -> Condition:
    """Read a condition: ``s <= k``, ``d = 1``, ``2 | k - 1``.

    Examples
    --------
    >>> str(read_condition("stride <= kernel_size")), str(read_condition("2 | k - 1"))
    ('s <= k', '2 | k - 1')
    """
    spelling = Spelling() if spelling is None else spelling
    if isinstance(text, str):
        for sign, relation in (("<=", "<="), (">=", ">="), ("|", "|"), ("==", "="), ("=", "=")):
            left, found, right = text.partition(sign)
            if found:
                sides = read_formula(left, spelling), read_formula(right, spelling)
                if relation == ">=":
                    return Condition("<=", sides[1], sides[0])
                return Condition(relation, *sides)
    raise GeometryError(
        "given", text, "is no condition on sizes", "write such as 's <= k', 'd = 1' or '2 | k - 1'"
    )
