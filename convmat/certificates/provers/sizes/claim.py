"""A theorem about sizes together with its proof, and words for each line of it.

Words and proofs may be wrong without harm: the checker follows the certificate, and it takes the
statement of the theorem from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from convmat.certificates.polynomials import Operand, Polynomial
from convmat.certificates.provers.draft import Draft
from convmat.certificates.statements import Certificate, Statement, eq, le, lt
from convmat.certificates.theorem import Theorem

__all__ = ["Claim", "Given", "Story", "below", "greatest", "least"]

# A hypothesis and what it says in words.
Given = tuple[Statement, str]
Factor = tuple[int | Polynomial, Statement]


class Story(Draft):
    """A certificate in the making, whose statements are explained in words."""

    def __init__(self, theorem: Theorem, given: Sequence[Given]) -> None:
        super().__init__(theorem)
        self.words: dict[Statement, str] = dict(given)

    def say(self, words: str, statement: Statement) -> Statement:
        """Explain a statement, the first time only; return it."""
        self.words.setdefault(statement, words)
        return statement

    def divide(
        self,
        statement: Statement,
        positive: Statement,
        *inequalities: Statement | tuple[int | Polynomial, *tuple[Statement, ...]],
        by: Sequence[Statement] = (),
    ) -> Statement:
        """Conclude ``e >= 0`` from ``s*e + s - 1 >= 0``, which says that it does so."""
        known, divisor = len(self.steps), positive.slack + 1
        found = super().divide(statement, positive, *inequalities, by=by)
        for step in self.steps[known:]:
            if step.rule == "combine":
                words = f"right minus left of the next line is more than -1: times {divisor}"
                self.say(words, step.statement)
        return found

    def either(
        self,
        goal: Statement,
        gaps: tuple[Statement, Statement],
        bounds: tuple[Statement, Statement],
        product: Factor,
    ) -> Statement:
        """Conclude a goal that holds in both of two cases.

        The slack e of the goal is that of each bound less that of its gap; both gaps are >= 0 and
        their product is 0, of which `product` is the negative: (coefficient, equation). Thus one
        gap is 0, and there e is the slack of a bound.
        """
        (first, second), (left, right) = gaps, bounds
        # With D = gap + gap' + 1, D*e + D - 1 is a sum of products that are >= 0.
        positive = self.say(
            "a divisor: one more than two gaps that are not negative",
            self.infer(le(1, first.slack + second.slack + 1), first, second),
        )
        coefficient, equation = product
        return self.divide(
            goal,
            positive,
            (1, first, right),
            (1, second, left),
            left,
            second,
            (coefficient * 2, equation),
        )

    def between(
        self, goal: Statement, choice: tuple[Given, ...], bounds: tuple[Statement, Statement]
    ) -> Statement:
        """Conclude that a number bounds a Max (or Min) if it bounds both of what it is one of."""
        (first, _), (second, _), (product, _) = choice
        return self.either(goal, (first, second), bounds, (1, product))


class Claim:
    """A theorem, words for its hypotheses, and the function that writes its proof."""

    def __init__(
        self,
        name: str,
        meaning: str,
        given: Sequence[Given],
        goals: Sequence[Statement],
        write: Callable[[Story], None],
    ) -> None:
        statements = tuple(statement for statement, _ in given)
        self.theorem = Theorem(name, meaning, statements, tuple(goals))
        self.given = tuple(given)
        self._write = write

    @cached_property
    def story(self) -> Story:
        """The proof, written; the hypotheses that it uses come first."""
        used = self._told(()).place
        return self._told(h for h in self.theorem.hypotheses if h in used)

    def _told(self, first: Iterable[Statement]) -> Story:
        story = Story(self.theorem, self.given)
        for hypothesis in first:
            story.find(hypothesis)
        self._write(story)
        story.establish(self.theorem.goals)
        return story

    @property
    def certificate(self) -> Certificate:
        """The certificate, for the checker to accept."""
        return self.story.finish()


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
