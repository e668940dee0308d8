"""Proving that two expressions are equal wherever hypotheses hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Statement, eq, le, lt
from convmat.geometry.arguments import GeometryError
from convmat.symbolic.formulas.conditions import read_condition
from convmat.symbolic.formulas.identities import Identity, contradiction, fraction, prove
from convmat.symbolic.formulas.reading import from_sympy, read_formula
from convmat.symbolic.formulas.spelling import Spelling
from convmat.symbolic.formulas.tree import Formula, names_of

__all__ = ["prove_identity"]


def prove_identity(first: Any, second: Any, hypotheses: Iterable[Any] = ()) -> Identity | None:
    """Prove that two expressions are equal for all integers that satisfy the hypotheses.

    Parameters
    ----------
    first, second : SymPy expression, text, or Formula
        In the names of `formulas.tree.NAMES`; floors, ceilings, Mod, Min, Max, Abs.
    hypotheses : iterable of Statement, or of SymPy relations between polynomials
        Fractions in them are multiplied out. What SymPy symbols assume (positive, even) is a
        hypothesis too. Names that mean nothing here may occur, for any integer.

    Returns
    -------
    Identity
        With certificates that the checker has followed; its `check` follows them again.
    None
        No proof was found; they may be equal or not.

    Raises
    ------
    GeometryError
        The hypotheses contradict each other, something is not understood, or one quantity is
        spelled in two ways.

    Notes
    -----
    A floor counts only where its divisor is at least 1, which has to follow from the hypotheses.

    Examples
    --------
    >>> identity = prove_identity("-(-n // s)", "floor((n + s - 1)/s)", [le(1, _S)])
    >>> identity.check(), len(identity.certificates)
    (True, 1)
    >>> prove_identity("n // s", "-(-n // s)", [le(1, _S)]) is None
    True
    """
    spelling = Spelling(free=True)
    given = [_as_statement(hypothesis, spelling) for hypothesis in hypotheses]
    a, b = _as_formula(first, spelling), _as_formula(second, spelling)
    taken = frozenset[str]().union(*(s.symbols for s in given)) | names_of(a) | names_of(b)
    statements = tuple(dict.fromkeys([*given, *_assumptions(spelling, taken)]))
    if contradiction(statements) is not None:
        raise GeometryError(
            "hypotheses",
            ", ".join(map(str, statements)),
            "contradict each other",
            "leave one of them out",
        )
    certificates = prove(a, b, statements)
    return None if certificates is None else Identity(a, b, statements, certificates)


_S = Polynomial.symbol("s")  # for the example


def _as_formula(value: Any, spelling: Spelling) -> Formula:
    if isinstance(value, Formula):
        return value
    if isinstance(value, str):
        return read_formula(value, spelling)
    import sympy

    return from_sympy(sympy.sympify(value, strict=True), spelling)


def _as_statement(value: Any, spelling: Spelling) -> Statement:
    """Return a relation with its denominators multiplied out; they are numbers."""
    if isinstance(value, Statement):
        return value
    make = {"Equality": eq, "LessThan": le, "StrictLessThan": lt}
    reversed_ = {"GreaterThan": le, "StrictGreaterThan": lt}
    name = type(value).__name__
    if name not in make and name not in reversed_:
        raise GeometryError(
            "hypotheses", value, "is no relation between polynomials", "write such as n >= 1"
        )
    sides = [from_sympy(side, spelling) for side in (value.lhs, value.rhs)]
    (left, under), (right, below) = map(fraction, sides)
    if under.constant() is None or below.constant() is None:
        raise GeometryError(
            "hypotheses", value, "divides by a symbol", "multiply both sides with it"
        )
    left, right = left * below, right * under
    return make[name](left, right) if name in make else reversed_[name](right, left)


def _assumptions(spelling: Spelling, taken: frozenset[str]) -> Iterator[Statement]:
    """Yield what SymPy symbols assume; a multiple is one of a symbol that occurs nowhere."""
    number = 0
    for text in spelling.conditions:
        number += 1
        while f"h{number}" in taken:
            number += 1
        condition = read_condition(text, Spelling(free=True))
        yield from condition.statements(number)
