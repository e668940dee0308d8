"""A theorem about sizes, with words for its hypotheses and for what is shown on the way.

Words may be wrong without harm: the checker follows the certificate, and it takes the statement
of the theorem from here.
"""

from __future__ import annotations

from collections.abc import Sequence

from convmat.certificates.polynomials import Operand, Polynomial
from convmat.certificates.statements import Statement, eq, le, lt
from convmat.certificates.theorem import Theorem

__all__ = ["Claim", "Given", "below", "greatest", "least"]

# A statement and what it says in words.
Given = tuple[Statement, str]


class Claim:
    """A theorem, and words for its hypotheses and for the lines that lead to its goals.

    Attributes
    ----------
    theorem : Theorem
    way : tuple of Statement
        What to show, in order; the goals are the last of them, or among them.
    words : dict of Statement to str
    """

    def __init__(
        self,
        name: str,
        meaning: str,
        given: Sequence[Given],
        goals: Sequence[Statement],
        way: Sequence[Given],
    ) -> None:
        statements = tuple(statement for statement, _ in given)
        self.theorem = Theorem(name, meaning, statements, tuple(goals))
        self.way = tuple(statement for statement, _ in way)
        self.words = {**dict(way), **dict(given)}


def greatest(value: Polynomial, first: Operand, second: Operand, words: str) -> tuple[Given, ...]:
    """``value = Max(first, second)`` as statements about integers."""
    return (
        (le(first, value), words),
        (le(second, value), words),
        (eq((value - first) * (value - second), 0), f"{words}: it is one of the two"),
    )


def least(value: Polynomial, first: Operand, second: Operand, words: str) -> tuple[Given, ...]:
    """``value = Min(first, second)`` as statements about integers."""
    first, second = Polynomial.of(first), Polynomial.of(second)
    return (
        (le(value, first), words),
        (le(value, second), words),
        (eq((first - value) * (second - value), 0), f"{words}: it is one of the two"),
    )


def below(value: Operand, size: Operand) -> tuple[Statement, Statement]:
    """``0 <= value < size``."""
    return le(0, value), lt(value, size)
