"""Equality of size formulas for all integers that satisfy hypotheses, with certificates.

Two formulas are lowered to integer instructions. Each floor becomes a symbol with the hypothesis
``q = floor(x/d)``; each min, max and sign is a choice, and every way to choose is a theorem of its
own. The theorems follow from formulas and hypotheses alone, so whoever checks certificates writes
the theorems down again and compares.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convmat.certificates.checker import Refused, check
from convmat.certificates.polynomials import Polynomial
from convmat.certificates.provers.finding import find
from convmat.certificates.statements import Certificate, Statement, eq, floor, le, lt
from convmat.certificates.theorem import Theorem
from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import OneLine
from convmat.symbolic.formulas.programs import Program
from convmat.symbolic.formulas.tree import Formula

__all__ = [
    "Identity",
    "contradiction",
    "differences",
    "follows",
    "fraction",
    "polynomial",
    "prove",
    "theorems",
]

MOST_CASES = 64
IMPOSSIBLE = le(1, 0)


@dataclass(frozen=True, slots=True)
class _Case:
    """One way to choose: values of the instructions so far, and what it assumes."""

    values: tuple[Polynomial, ...] = ()
    floors: tuple[Statement, ...] = ()
    chosen: tuple[Statement, ...] = ()
    undefined: bool = False

    def then(self, value: Polynomial, *chosen: Statement) -> _Case:
        values, assumed = (*self.values, value), (*self.chosen, *chosen)
        return _Case(values, self.floors, assumed, self.undefined)


@dataclass(frozen=True, slots=True, repr=False)
class Identity(OneLine):
    """Two formulas that are equal wherever the hypotheses hold, with a certificate for each case.

    Attributes
    ----------
    first, second : Formula
    hypotheses : tuple of Statement
    certificates : tuple of Certificate
    """

    first: Formula
    second: Formula
    hypotheses: tuple[Statement, ...]
    certificates: tuple[Certificate, ...]

    def check(self) -> bool:
        """Write the theorems down again and follow every certificate; True, or `Refused`."""
        wanted = theorems(self.first, self.second, self.hypotheses)
        if len(wanted) != len(self.certificates):
            raise Refused(f"there are {len(wanted)} cases, not {len(self.certificates)}")
        for theorem, certificate in zip(wanted, self.certificates, strict=True):
            if certificate.goals == (IMPOSSIBLE,):
                theorem = impossible(theorem)  # noqa: PLW2901, the case does not occur
            check(certificate, theorem)
        return True


def theorems(
    first: Formula, second: Formula, hypotheses: Sequence[Statement]
) -> tuple[Theorem, ...]:
    """Return the theorems, one for each way to choose, that together say: they are equal.

    Raises
    ------
    GeometryError
        There are too many ways to choose.
    """
    program = Program()
    left, right = program.difference(first, second)
    cases = tuple(_cases(program, _fresh(program, hypotheses)))
    found = []
    for number, case in enumerate(cases, 1):
        divisors = dict.fromkeys(f.divisor for f in case.floors if f.divisor is not None)
        divisors |= {Polynomial.symbol(name): None for name in program.divisors}
        positive = tuple(le(1, divisor) for divisor in divisors if divisor.constant() is None)
        name = "equal sizes" if len(cases) == 1 else f"equal sizes, case {number} of {len(cases)}"
        theorem = Theorem(
            name,
            f"{first} = {second}, and no divisor is zero.",
            (*hypotheses, *case.floors, *case.chosen),
            (*positive, eq(case.values[left], case.values[right])),
        )
        found.append(impossible(theorem) if case.undefined else theorem)
    return tuple(found)


def differences(
    first: Formula, second: Formula
) -> Iterator[tuple[Polynomial, tuple[Statement, ...]]]:
    """Yield, for each way to choose, what is zero where formulas are equal; with floors in it."""
    program = Program()
    left, right = program.difference(first, second)
    for case in _cases(program, _fresh(program, ())):
        if not case.undefined:
            yield case.values[left] - case.values[right], case.floors


def impossible(theorem: Theorem) -> Theorem:
    """Return the theorem that the hypotheses of another contradict each other."""
    return Theorem(theorem.name, "This case does not occur.", theorem.hypotheses, (IMPOSSIBLE,))


def _fresh(program: Program, hypotheses: Sequence[Statement]) -> str:
    """Return how the names of floors begin, so that none occurs in formulas or hypotheses."""
    taken = {first for kind, first, _ in program.code if kind == "name"}
    taken = taken.union(*(statement.symbols for statement in hypotheses))
    stem = "q"
    while any(name.startswith(stem) and name[len(stem) :].isdigit() for name in taken):
        stem += "q"
    return stem


def _cases(program: Program, stem: str = "q") -> Iterator[_Case]:
    cases = [_Case()]
    for kind, first, second in program.code:
        cases = [new for case in cases for new in _follow(case, kind, first, second, stem)]
        if len(cases) > MOST_CASES:
            raise GeometryError(
                "formula",
                "min, max, abs and int",
                f"give more than {MOST_CASES} cases",
                "use fewer of them",
            )
    yield from cases


def _follow(case: _Case, kind: str, first: Any, second: Any, stem: str) -> list[_Case]:
    """Return the case after one more instruction, in every way to choose."""
    if kind == "number":
        return [case.then(Polynomial.of(first))]
    if kind == "name":
        return [case.then(Polynomial.symbol(first))]
    a = case.values[first]
    if kind == "sign":
        return [
            case.then(Polynomial.of(1), le(1, a)),
            case.then(Polynomial.of(-1), le(a, -1)),
            # A division by zero: the theorem is that this does not occur.
            replace(case.then(Polynomial(), eq(a, 0)), undefined=True),
        ]
    b = case.values[second]
    if kind == "floor":
        return [_with_floor(case, a, b, stem)]
    if kind in ("min", "max"):
        smaller, larger = (a, b) if kind == "min" else (b, a)
        # The first is chosen where it is smaller (for min), or where the second is not larger.
        return [case.then(a, le(smaller, larger)), case.then(b, lt(larger, smaller))]
    return [case.then(a + b if kind == "+" else a - b if kind == "-" else a * b)]


def _with_floor(case: _Case, numerator: Polynomial, divisor: Polynomial, stem: str) -> _Case:
    if divisor == 1:
        return case.then(numerator)
    for known in case.floors:
        if (known.right, known.divisor) == (numerator, divisor):
            return case.then(known.left)
    symbol = Polynomial.symbol(f"{stem}{len(case.floors) + 1}")
    statement = floor(symbol, numerator, divisor)
    return replace(case.then(symbol), floors=(*case.floors, statement))


def prove(
    first: Formula, second: Formula, hypotheses: Sequence[Statement]
) -> tuple[Certificate, ...] | None:
    """Return a checked certificate for each case, or None where one is not found."""
    found = []
    for theorem in theorems(first, second, hypotheses):
        certificate = _certified(theorem)
        if certificate is None:
            return None
        found.append(certificate)
    return tuple(found)


def _certified(theorem: Theorem) -> Certificate | None:
    hints = (*_products(theorem.hypotheses), *_quotients(theorem.hypotheses))
    for way in ((), hints) if hints else ((),):
        for claim in (theorem, impossible(theorem)):
            certificate = find(claim, way)
            if certificate is None:
                continue
            try:
                check(certificate, claim)
            except Refused:  # whatever went wrong, nothing is claimed
                continue
            return certificate
    return None


def _products(hypotheses: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return what may have to be shown first: that d*k, with k at least 1, is not below d."""
    found: dict[Statement, None] = {}
    for statement in hypotheses:
        if statement.relation == "floor":
            continue
        for monomial in statement.slack.terms:
            names = [name for name, _ in monomial]
            if len(monomial) == 2 and all(power == 1 for _, power in monomial):
                product = Polynomial({monomial: 1})
                found |= {le(Polynomial.symbol(name), product): None for name in names}
    return tuple(found)


def _quotients(hypotheses: Sequence[Statement]) -> Iterator[Statement]:
    """Yield how floors of x and -x may be related: by whether x leaves a remainder."""
    floors = [statement for statement in hypotheses if statement.relation == "floor"]
    for one, other in itertools.combinations(floors, 2):
        if one.divisor == other.divisor and one.right + other.right == 0:
            yield eq(other.left, -one.left - 1)
            yield eq(other.left, -one.left)


def polynomial(formula: Formula) -> Polynomial:
    """Return a formula without division, rounding and choices as a polynomial."""
    numerator, denominator = fraction(formula)
    if denominator != 1:
        raise GeometryError(
            "hypotheses", str(formula), "is no polynomial", "leave out division and rounding"
        )
    return numerator


def fraction(formula: Formula) -> tuple[Polynomial, Polynomial]:
    """Return a formula without rounding and choices as two polynomials, the second positive."""
    program = Program()
    place = program.lower(formula)
    (case, *others) = _cases(program)
    if others or case.floors:
        raise GeometryError(
            "hypotheses", str(formula), "is no polynomial", "leave out division and rounding"
        )
    return case.values[place.numerator], case.values[place.denominator]


def follows(hypotheses: Sequence[Statement], goal: Statement) -> bool:
    """Say whether a proof is found that integers which satisfy the hypotheses satisfy the goal."""
    if goal in hypotheses:
        return True
    return _certified(Theorem("a condition", "", tuple(hypotheses), (goal,))) is not None


def contradiction(hypotheses: Sequence[Statement]) -> Certificate | None:
    """Return a certificate that no integers satisfy the hypotheses, None if none is found."""
    theorem = Theorem("no such sizes", "", tuple(hypotheses), ())
    return find(impossible(theorem))
