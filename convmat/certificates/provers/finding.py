"""Finding the proof of a theorem: what exists, what to show on the way, then the goals.

Everything here may be wrong without harm: a mistake makes the checker refuse the certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.provers.draft import Draft
from convmat.certificates.provers.search import Arithmetic
from convmat.certificates.statements import Certificate, Statement
from convmat.certificates.theorem import Theorem

__all__ = ["find"]


def find(theorem: Theorem, way: Iterable[Statement] = ()) -> Certificate | None:
    """Return a certificate for the checker to follow, or None where no proof is found.

    Statements of `way` are shown before the goals, in order; one that is not found is left out.
    The hypotheses that are used come first.

    Examples
    --------
    >>> from convmat.certificates.checker import check
    >>> from convmat.certificates.theorems import THEOREMS
    >>> theorem = THEOREMS["output padding"]
    >>> check(find(theorem), theorem).witnesses
    ('a', 'N')
    """
    draft = Draft(theorem)
    for hypothesis in theorem.hypotheses:
        draft.find(hypothesis)
    arithmetic = Arithmetic(draft)
    if not arithmetic.assume(theorem.hypotheses):
        return None
    for symbol, value in _witnesses(theorem):
        arithmetic.use(draft.define(symbol, value))
    for statement in way:
        if arithmetic.establish(statement):
            arithmetic.use(statement)
    if not all(map(arithmetic.establish, theorem.goals)):
        return None
    return draft.finish()


def _witnesses(theorem: Theorem) -> Iterator[tuple[Polynomial, Polynomial]]:
    """Solve the equations among the goals for the symbols that are said to exist, one by one."""
    missing = set(theorem.witnesses)
    equations = [goal for goal in theorem.goals if goal.relation == "="]
    while equations:
        left = []
        for goal in equations:
            solved = _solved(goal, missing)
            if solved is None:
                left.append(goal)
                continue
            name, value = solved
            missing.remove(name)
            yield Polynomial.symbol(name), value
        if len(left) == len(equations):
            return
        equations = left


def _solved(goal: Statement, missing: set[str]) -> tuple[str, Polynomial] | None:
    """Solve an equation for the only missing symbol in it, if it stands alone there."""
    names = goal.symbols & missing
    if len(names) != 1:
        return None
    (name,) = names
    symbol = Polynomial.symbol(name)
    number = goal.slack.terms.get(((name, 1),), 0)
    rest = goal.slack - symbol * number
    if abs(number) != 1 or name in rest.symbols:
        return None
    return name, rest * -number
