"""Every small change of a certificate, and whether the checker refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from convmat.certificates import checker
from convmat.certificates.checker import Refused, check
from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Certificate, Statement, Step
from convmat.certificates.theorem import Theorem


def accepted_changes(whole: Certificate, theorem: Theorem) -> tuple[list[str], int]:
    """Return the changes that the checker accepts, and how many were tried."""
    accepted, tried = [], 0
    statements = [step.statement for step in whole.steps]
    for number, step in enumerate(whole.steps):
        earlier = checker.Earlier(statements[:number])
        for other in changed_steps(step, number, len(whole.steps)):
            tried += 1
            # The steps before are unchanged and hold: an objection to this one is the answer.
            if checker._objection(other, earlier, theorem) is None:
                steps = (*whole.steps[:number], other, *whole.steps[number + 1 :])
                if accepts(replace(whole, steps=steps), theorem):
                    accepted.append(f"step {number + 1}: {other}")
    for other, what in changed_wholes(whole):
        tried += 1
        if accepts(other, theorem):
            accepted.append(what)
    return accepted, tried


def accepts(certificate: Certificate, theorem: Theorem) -> bool:
    try:
        check(certificate, theorem)
    except Refused:
        return False
    return True


def changed_steps(step: Step, number: int, count: int) -> Iterator[Step]:
    for statement in altered_statements(step.statement):
        yield replace(step, statement=statement)
    for rule in {*checker._RULES, "trust me"} - {step.rule}:
        yield replace(step, rule=rule)
    for place, premise in enumerate(step.premises):
        before, after = step.premises[:place], step.premises[place + 1 :]
        yield replace(step, premises=(*before, *after))
        for other in (-1, count, *range(number)):
            if other != premise:
                yield replace(step, premises=(*before, other, *after))
    for place, (coefficient, factors) in enumerate(step.terms):
        rest = step.terms[:place], step.terms[place + 1 :]
        yield replace(step, terms=(*rest[0], *rest[1]))
        for other in altered_polynomials(coefficient):
            yield replace(step, terms=(*rest[0], (other, factors), *rest[1]))
        for at, factor in enumerate(factors):
            for other in range(number):
                if other != factor:
                    changed = (*factors[:at], other, *factors[at + 1 :])
                    terms = (*rest[0], (coefficient, changed), *rest[1])
                    used = tuple(sorted({i for _, some in terms for i in some}))
                    yield replace(step, terms=terms, premises=used)


def changed_wholes(whole: Certificate) -> Iterator[tuple[Certificate, str]]:
    for number, step in enumerate(whole.steps):
        rest = whole.steps[number + 1 :]
        yield replace(whole, steps=whole.steps[:number] + rest), f"without step {number + 1}"
        yield replace(whole, steps=(*whole.steps, step)), f"step {number + 1} twice"
    for key in ("hypotheses", "goals"):
        statements = getattr(whole, key)
        for number, statement in enumerate(statements):
            before, after = statements[:number], statements[number + 1 :]
            yield replace(whole, **{key: (*before, *after)}), f"without {statement}"
            for other in altered_statements(statement):
                yield replace(whole, **{key: (*before, other, *after)}), f"{other}"
    yield replace(whole, theorem="another"), "of another theorem"


def altered_statements(statement: Statement) -> Iterator[Statement]:
    for side in ("left", "right", "divisor"):
        polynomial = getattr(statement, side)
        if polynomial is not None:
            for other in altered_polynomials(polynomial):
                yield replace(statement, **{side: other})
    for relation in {"=", "<=", "<", "floor"} - {statement.relation}:
        yield replace(statement, relation=relation)


def altered_polynomials(polynomial: Polynomial) -> Iterator[Polynomial]:
    for monomial, number in polynomial.terms.items():
        yield Polynomial(polynomial.terms | {monomial: number + 1})
        yield Polynomial(polynomial.terms | {monomial: -number})
    yield polynomial + 1
    yield polynomial - 1
    yield polynomial + Polynomial.symbol("s")
