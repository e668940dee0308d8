"""A second opinion: Z3 is asked for integers that satisfy a theorem's hypotheses and no goals.

It shares nothing with the project's search and checker, and reads the statements alone. Where it
finds no proof within its time it says "unknown", which is no objection; "sat" would be one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.statements import Statement, floor, le
from convmat.certificates.theorem import Theorem
from convmat.symbolic.library import LIBRARY

z3 = pytest.importorskip("z3")

LIMIT = 500_000  # of Z3's own units of work, so that every machine gives the same answers
MOST_OPEN = 20  # theorems that Z3 may leave open within the limit: versions differ, 7 of 100 today

Read = Callable[[str], Any]


def polynomial(value: Polynomial, symbol: Read) -> Any:
    total = z3.IntVal(0)
    for monomial, number in value.terms.items():
        term = z3.IntVal(number)
        for name, power in monomial:
            for _ in range(power):
                term = term * symbol(name)
        total = total + term
    return total


def statement(value: Statement, symbol: Read) -> Any:
    left, right = polynomial(value.left, symbol), polynomial(value.right, symbol)
    if value.divisor is not None:
        divisor = polynomial(value.divisor, symbol)
        return z3.And(divisor > 0, divisor * left <= right, right < divisor * left + divisor)
    return {"=": left == right, "<=": left <= right, "<": left < right}[value.relation]


def answer(theorem: Theorem) -> str:
    """Return what Z3 says about integers that contradict a theorem."""
    goals = z3.And(*(statement(goal, z3.Int) for goal in theorem.goals))
    if theorem.witnesses:
        goals = z3.Exists([z3.Int(name) for name in theorem.witnesses], goals)
    solver = z3.Solver()
    solver.set("rlimit", LIMIT)
    solver.add(*(statement(hypothesis, z3.Int) for hypothesis in theorem.hypotheses))
    solver.add(z3.Not(goals))
    return str(solver.check())


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    return {name: answer(theorem) for name, theorem in LIBRARY.items()}


def test_nothing_contradicts_a_theorem(answers):
    assert [name for name, said in answers.items() if said == "sat"] == []


def test_most_theorems_are_proved_another_way(answers):
    assert sum(said == "unknown" for said in answers.values()) <= MOST_OPEN


def test_what_is_false_is_contradicted():
    q, x, s = symbols("q x s")
    known = (le(1, s), floor(q, x, s))
    assert answer(Theorem("false", "", known, (le(0, q),))) == "sat"
    assert answer(Theorem("true", "", (*known, le(0, x)), (le(0, q),))) == "unsat"
