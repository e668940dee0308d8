"""The checker: follows a certificate step by step and believes nothing else.

It knows eight rules. Polynomials are added, multiplied and compared in normal form; no
simplification, no search, nothing from the code that writes certificates.

hypothesis
    One of the hypotheses of the theorem.
define
    ``x = expression`` for a symbol x that no hypothesis and no earlier step mentions, and that
    the goals mention only if the theorem says that it exists.
combine
    The slack of the conclusion is a sum of terms, each a coefficient times a product of slacks of
    earlier steps. With an ``=`` step among the factors the coefficient may be any polynomial;
    otherwise it must be an integer >= 0, and the conclusion an inequality. Equations alone give
    an equation, so that no step says less than it could; to weaken one, 0 is added to it.
divide
    From ``1 <= s`` and ``s*e + s - 1 >= 0`` conclude ``e >= 0``, for integers.
floor
    From ``s*q <= x`` and ``x < s*q + s`` conclude ``q = floor(x/s)``.
floor low, floor high
    From ``q = floor(x/s)`` and ``1 <= s`` conclude ``s*q <= x``, or ``x < s*q + s``.
floor same
    From ``q = floor(x/s)`` and ``r = floor(x/s)`` conclude ``q = r``.

Every step has one form: terms are in order and not zero, factors too, and of earlier steps that
say the same the first is used (an equation before inequalities). Products are bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Certificate, Statement, Step, le, lt, term_order
from convmat.certificates.theorem import Theorem
from convmat.certificates.theorems import THEOREMS
from convmat.geometry.arguments import GeometryError

__all__ = ["Earlier", "Refused", "check"]

# Far beyond any honest certificate: those of the library multiply 2 factors, and some 500 pairs
# of monomials.
MOST_FACTORS = 8
MOST_WORK = 1_000_000


class Refused(GeometryError):  # noqa: N818, what a checker says, not an accident
    """A proof that does not hold: which step does not follow, and why."""

    def __init__(self, reason: str, step: int | None = None) -> None:
        super().__init__("certificate", step, reason, "use an unedited certificate")
        self.step = step
        self.reason = reason

    def __reduce__(self) -> tuple[type[Refused], tuple[str, int | None]]:
        return Refused, (self.reason, self.step)

    def __str__(self) -> str:
        where = "" if self.step is None else f"step {self.step} does not follow: "
        return f"refused: {where}{self.reason}"


class _TooMuch(Exception):  # noqa: N818, caught where it is raised
    """A product that no honest certificate needs."""


class Earlier:
    """The statements before a step, with what the rules ask about them; counts the work done."""

    def __init__(self, statements: Iterable[Statement] = ()) -> None:
        self.statements: list[Statement] = []
        self.known: set[Statement] = set()
        self.symbols: set[str] = set()
        self.work = 0
        self._first: dict[tuple[bool, Polynomial], int] = {}
        for statement in statements:
            self.add(statement)

    def add(self, statement: Statement) -> None:
        """Append the statement of a step that follows."""
        if statement.relation != "floor":
            place = statement.relation == "=", statement.slack
            self._first.setdefault(place, len(self.statements))
        self.statements.append(statement)
        self.known.add(statement)
        self.symbols |= statement.symbols

    def first(self, statement: Statement, *, inequality: bool = False) -> int:
        """Return the number of the step to use for what an earlier one says."""
        equation = None if inequality else self._first.get((True, statement.slack))
        return self._first[False, statement.slack] if equation is None else equation

    def times(self, first: Polynomial, second: Polynomial) -> Polynomial:
        """Multiply, if the result and all the work so far stay within bounds."""
        self.work += first.size * second.size
        if self.work > MOST_WORK:
            raise _TooMuch(f"the certificate multiplies more than {MOST_WORK} pairs of monomials")
        product = first * second
        excess = product.too_large()
        if excess:
            raise _TooMuch(excess)
        return product


class _Place(NamedTuple):
    """A step where it stands: its premises, what was said before, the theorem."""

    step: Step
    premises: list[Statement]
    earlier: Earlier
    theorem: Theorem


def check(certificate: Certificate, theorem: Theorem | None = None) -> Theorem:
    """Return the theorem that the certificate proves, or raise `Refused`.

    The theorem is the one of `THEOREMS` that has the certificate's name, unless it is given.
    Steps are numbered from 1 in the message. Cost: one polynomial expansion per step.
    """
    if theorem is None:
        theorem = THEOREMS.get(certificate.theorem)
    if theorem is None or theorem.name != certificate.theorem:
        raise Refused(f"there is no theorem {certificate.theorem!r}")
    if certificate.hypotheses != theorem.hypotheses:
        raise Refused(f"the hypotheses are not those of the theorem {theorem.name!r}")
    if certificate.goals != theorem.goals:
        raise Refused(f"the goals are not those of the theorem {theorem.name!r}")
    earlier = Earlier()
    for number, step in enumerate(certificate.steps, 1):
        reason = _objection(step, earlier, theorem)
        if reason:
            raise Refused(f"{reason} (theorem {theorem.name!r})", number)
        earlier.add(step.statement)
    for goal in theorem.goals:
        if goal not in earlier.known:
            raise Refused(f"the goal {goal} of the theorem {theorem.name!r} is not established")
    return theorem


def _objection(step: Step, earlier: Earlier, theorem: Theorem) -> str | None:
    """Return why a step does not follow, or None if it does."""
    reason = _malformation(step, earlier)
    if reason:
        return reason
    premises = [earlier.statements[i] for i in step.premises]
    try:
        place = _Place(step, premises, earlier, theorem)
        return _RULES[step.rule](place) or _second_choice(step, earlier)
    except _TooMuch as excess:
        return str(excess)


def _malformation(step: Step, earlier: Earlier) -> str | None:
    """Return why no rule would take a step where it stands, or None."""
    if step.rule not in _RULES:
        return f"there is no rule {step.rule!r}"
    if step.terms and step.rule != "combine":
        return f"the rule {step.rule!r} takes no terms"
    used = {*step.premises, *(i for _, indices in step.terms for i in indices)}
    if not all(0 <= i < len(earlier.statements) for i in used):
        return "it uses a step that does not come before it"
    if step.statement in earlier.known:
        return "it repeats an earlier step"
    if (step.statement.relation == "floor") != (step.statement.divisor is not None):
        return "its statement is malformed"
    return None


def _second_choice(step: Step, earlier: Earlier) -> str | None:
    """Return which premise is said by another step that should be used, or None."""
    inequality = step.rule != "combine"
    for i in step.premises:
        statement = earlier.statements[i]
        if statement.relation == "floor":
            continue
        first = earlier.first(statement, inequality=inequality)
        if first != i:
            return f"it uses step {i + 1} for what step {first + 1} says"
    return None


def _hypothesis(at: _Place) -> str | None:
    if at.premises:
        return "a hypothesis has no premises"
    if at.step.statement not in at.theorem.hypotheses:
        return f"{at.step.statement} is not a hypothesis"
    return None


def _define(at: _Place) -> str | None:
    if at.premises:
        return "a definition has no premises"
    names = at.step.statement.left.symbols
    if at.step.statement.relation != "=" or len(names) != 1:
        return "a definition has the form symbol = expression"
    (name,) = names
    if at.step.statement.left != Polynomial.symbol(name):
        return "a definition has the form symbol = expression"
    if name in at.theorem.universal:
        return f"{name} stands for any integer"
    if name in at.step.statement.right.symbols or name in at.earlier.symbols:
        return f"{name} already has a meaning"
    return None


def _combine(at: _Place) -> str | None:
    if at.step.statement.relation == "floor":
        return "a combination gives no floor"
    used = sorted({i for _, indices in at.step.terms for i in indices})
    if list(at.step.premises) != used:
        return "the premises are not the steps that its terms use"
    for coefficient, indices in at.step.terms:
        relations = {at.earlier.statements[i].relation for i in indices}
        reason = _bad_term(coefficient, relations, at.step.statement.relation)
        if reason:
            return reason
    reason = _bad_form(at)
    if reason:
        return reason
    total = Polynomial.sum(_product(at.earlier, *term) for term in at.step.terms)
    if total != at.step.statement.slack:
        return f"the terms add up to {_short(total)}, not to {_short(at.step.statement.slack)}"
    return None


def _product(earlier: Earlier, coefficient: Polynomial, indices: tuple[int, ...]) -> Polynomial:
    if len(indices) > MOST_FACTORS:
        raise _TooMuch(f"a term multiplies {len(indices)} steps, more than {MOST_FACTORS}")
    product = coefficient
    for i in indices:
        product = earlier.times(product, earlier.statements[i].slack)
    return product


def _bad_form(at: _Place) -> str | None:
    """Return how the terms differ from the one form that they have, or None."""
    terms, statements = at.step.terms, at.earlier.statements
    if any(indices != tuple(sorted(indices)) for _, indices in terms):
        return "the factors of a term are not in order"
    order = [term_order(term) for term in terms]
    if order != sorted(set(order)):
        return "its terms are not in order, each once"
    if any(statements[i].slack == 0 for _, indices in terms for i in indices):
        return "a factor says 0 = 0"
    rest = [term for term in terms if term[1]]
    only_equations = bool(rest) and all(
        any(statements[i].relation == "=" for i in indices) for _, indices in rest
    )
    weakened = only_equations and at.step.statement.relation != "="
    if weakened and len(rest) == len(terms):
        return "equations give an equation, not an inequality"
    if any(coefficient == 0 and (indices or not weakened) for coefficient, indices in terms):
        return "a term is zero"
    return None


def _bad_term(coefficient: Polynomial, relations: set[str], conclusion: str) -> str | None:
    """Return why a coefficient times steps with these relations is no term, or None if it is."""
    if "floor" in relations:
        return "a floor cannot be a factor"
    if "=" in relations:
        return None  # a multiple of zero
    if conclusion == "=":
        return "an equation cannot come from inequalities"
    number = coefficient.constant()
    if number is None or number < 0:
        return f"the coefficient {coefficient} is not an integer >= 0"
    return None


def _divide(at: _Place) -> str | None:
    if len(at.premises) != 2 or not _inequalities([*at.premises, at.step.statement]):
        return "division needs two inequalities and gives one"
    divisor = at.premises[0].slack + 1
    multiple = at.earlier.times(divisor, at.step.statement.slack)
    if at.premises[1].slack != multiple + divisor - 1:
        return f"{at.premises[1]} is not divisor*slack >= 1 - divisor for the divisor {divisor}"
    return None


def _floor(at: _Place) -> str | None:
    if at.step.statement.divisor is None:
        return "the rule gives a floor"
    low, high = _floor_bounds(at.earlier, at.step.statement)
    if len(at.premises) != 2 or not _inequalities(at.premises):
        return "a floor needs two inequalities"
    if [p.slack for p in at.premises] != [low.slack, high.slack]:
        return f"a floor needs {low} and {high}"
    return None


def _floor_bound(which: int) -> Rule:
    def rule(at: _Place) -> str | None:
        if len(at.premises) != 2 or at.premises[0].relation != "floor":
            return "the premises must be a floor and 1 <= its divisor"
        if at.premises[1].relation not in ("<=", "<") or at.premises[0].divisor is None:
            return "the premises must be a floor and 1 <= its divisor"
        if at.premises[1].slack != at.premises[0].divisor - 1:
            return f"the divisor {at.premises[0].divisor} is not known to be positive"
        bound = _floor_bounds(at.earlier, at.premises[0])[which]
        if at.step.statement != bound:
            return f"the floor gives {bound}"
        return None

    return rule


def _floor_same(at: _Place) -> str | None:
    if len(at.premises) != 2 or any(p.relation != "floor" for p in at.premises):
        return "two floors are needed"
    first, second = at.premises
    if (first.right, first.divisor) != (second.right, second.divisor):
        return "the two floors are not of the same quotient"
    if at.step.statement != Statement("=", first.left, second.left):
        return f"the floors give {first.left} = {second.left}"
    return None


def _floor_bounds(earlier: Earlier, statement: Statement) -> tuple[Statement, Statement]:
    divisor = statement.divisor or Polynomial()
    multiple = earlier.times(statement.left, divisor)
    return le(multiple, statement.right), lt(statement.right, multiple + divisor)


def _short(polynomial: Polynomial, limit: int = 200) -> str:
    text = str(polynomial)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _inequalities(statements: Sequence[Statement]) -> bool:
    return all(s.relation in ("<=", "<") for s in statements)


Rule = Callable[[_Place], "str | None"]

_RULES: dict[str, Rule] = {
    "hypothesis": _hypothesis,
    "define": _define,
    "combine": _combine,
    "divide": _divide,
    "floor": _floor,
    "floor low": _floor_bound(0),
    "floor high": _floor_bound(1),
    "floor same": _floor_same,
}
