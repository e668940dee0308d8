"""Reading a function that decides: it is called with symbols once for every way to decide.

Whenever the function asks how two expressions compare, both answers are followed, each in a call of
its own. What comes of it is a tree of questions with an expression at the end of each way; the ways
are told apart by conditions, of which exactly one set holds at any sizes.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from convmat.geometry.arguments import GeometryError
from convmat.symbolic.formulas.conditions import Condition, condition_of
from convmat.symbolic.formulas.tracing import Refusals, Undecided, called_with_symbols
from convmat.symbolic.formulas.tree import Formula

__all__ = ["Branch", "branches"]

MOST_CALLS = 32
MOST_QUESTIONS = 8  # in one call
MOST_CASES = 8  # of one way: an inequation has two, a remainder that is not 0 as many as are left
LARGEST_DIVISOR = 4  # of which each remainder is a case of its own
SECONDS = 2.0

Question = tuple[str, Formula, Formula]
Answered = tuple[tuple[Question, bool], ...]


class Branch(NamedTuple):
    """One way through a function: where it is taken, and what it gives there.

    Attributes
    ----------
    words : str
        The conditions as they were asked.
    cases : tuple of tuples of Condition
        Together they say where it is taken; empty where that cannot be said with conditions.
    formula : Formula or None
        None if the function computed no expression.
    """

    words: str
    cases: tuple[tuple[Condition, ...], ...]
    formula: Formula | None


def branches(function: Callable[..., Any]) -> tuple[tuple[Branch, ...], bool]:
    """Return the ways through a function, and whether these are all.

    Examples
    --------
    >>> found, whole = branches(lambda n, s: n if s == 1 else (n - 1) // s + 1)
    >>> for branch in found:
    ...     print(branch.words, "->", branch.formula)
    s = 1 -> n
    not s = 1 -> (n - 1) // s + 1
    >>> [str(condition) for case in found[1].cases for condition in case], whole
    (['s <= 0', '2 <= s'], True)
    """
    waiting: list[Answered] = [()]
    found: list[Branch] = []
    ends = time.monotonic() + SECONDS
    while waiting and len(found) < MOST_CALLS and time.monotonic() < ends:
        path, formula = _followed(function, waiting.pop(), waiting)
        if path:
            found.append(Branch(_words(path), tuple(_cases(path)), formula))
    return tuple(found), bool(found) and not waiting


def _followed(
    function: Callable[..., Any], known: Answered, waiting: list[Answered]
) -> tuple[Answered, Formula | None]:
    """Call a function, answer as before and then with yes; note the ways that remain."""
    answers = dict(known)

    def decide(relation: str, left: Formula, right: Formula) -> bool:
        question = (relation, left, right)
        if question not in answers:
            if len(answers) == MOST_QUESTIONS:
                raise Undecided("too many questions")
            waiting.append((*answers.items(), (question, False)))
            answers[question] = True
        return answers[question]

    formula, _ = called_with_symbols(function, Refusals([], [], decide))
    return tuple(answers.items()), formula


def _words(path: Answered) -> str:
    return ", ".join(
        ("" if yes else "not ") + f"{left} {relation} {right}"
        for (relation, left, right), yes in path
    )


def _cases(path: Answered) -> Iterator[tuple[Condition, ...]]:
    """Yield conditions that together hold where the questions are answered so."""
    try:
        choices = [_alternatives(*question, yes=yes) for question, yes in path]
    except GeometryError:  # strict, of what may be a fraction
        return
    cases = list(itertools.product(*choices))
    if len(cases) <= MOST_CASES:
        yield from (tuple(dict.fromkeys(case)) for case in cases)


def _alternatives(relation: str, left: Formula, right: Formula, *, yes: bool) -> list[Condition]:
    """Return the conditions of which one holds where a question has this answer."""
    if relation == "<=":
        return [condition_of("<=", left, right) if yes else condition_of("<", right, left)]
    if yes:
        return [condition_of("=", left, right)]
    if left.kind == "%" and right.kind == "number":
        divisor = left.parts[1]
        if divisor.kind == "number" and 0 < divisor.parts[0] <= LARGEST_DIVISOR:
            rests = (Formula("number", (rest,)) for rest in range(divisor.parts[0]))
            return [condition_of("=", left, rest) for rest in rests if rest != right]
    return [condition_of("<", left, right), condition_of("<", right, left)]
