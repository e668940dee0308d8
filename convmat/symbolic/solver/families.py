"""Solutions in free parameters: an equation solved for one of its unknowns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from convmat.symbolic.solver.conditions import Branch, Relation, Slack, names, relation
from convmat.symbolic.solver.solutions import Family

__all__ = ["family"]

Expression = Any


def family(
    branch: Branch,
    values: Mapping[Any, Any],
    unknown: Sequence[Any],
    domain: Sequence[Relation],
) -> Family:
    """Return the solutions of one branch in free parameters.

    The remainder t of the floor is one of them: it turns ``0 <= exact <= width`` into the
    equation ``exact = t``.
    """
    import sympy

    x = names()
    width = sympy.sympify(branch.width).subs(values)
    equation = branch.exact.subs(values) - (0 if width == 0 else x.t)
    span = (values.get(x.k, x.k) - 1) * values.get(x.d, x.d)
    solved = _solved(sympy.expand(equation), values, unknown)
    if solved is None:
        kept = [relation(slack, values) for slack in branch.slacks()]
        return _plain(Family({}, tuple(unknown), _needed([*kept, *domain])))
    # The symbol that is solved for is part of the span where that is written out.
    total = sympy.expand(solved.total.subs(x.span, span))
    value = total / solved.step + solved.least
    kept = [relation(Slack(total, ">="), values), *_whole(total, solved.step)]
    free = [name for name in unknown if name != solved.symbol]
    if width != 0:
        free.append(x.t)
        kept.append(relation(Slack(width - x.t, ">="), values))
    for other in branch.others:
        inner = other.subs(values).subs(x.span, span).subs(solved.symbol, value)
        kept.append(relation(Slack(sympy.expand(inner * solved.step), ">="), values))
    kept += [condition.subs({**values, solved.symbol: value}) for condition in domain]
    shown = value if solved.step != 1 else solved.total.subs(x.span, span) + solved.least
    return _plain(Family({solved.symbol: shown}, tuple(free), _needed(kept)))


class _Solved(NamedTuple):
    """``symbol = total/step + least`` with a positive step, and the least value of the symbol."""

    symbol: Any
    total: Expression
    step: Expression
    least: int


def _solved(
    equation: Expression, values: Mapping[Any, Any], unknown: Sequence[Any]
) -> _Solved | None:
    """Solve for the first unknown that can be, and whose value is read most easily."""
    import sympy

    x = names()
    dilation, kernel = values.get(x.d, x.d), values.get(x.k, x.k)
    order = [x.k] if dilation == 1 else []
    order += [x.p1, x.a, x.p, x.p0, x.k, x.d]
    for symbol in order:
        within = symbol in (x.k, x.d)
        factor = equation.coeff(x.span if within else symbol)
        if symbol not in unknown or factor == 0 or (symbol == x.d and kernel == 1):
            continue
        rest = sympy.expand(equation - factor * (x.span if within else symbol))
        total = sympy.expand(-rest if factor > 0 else rest)
        if symbol == x.k:
            return _Solved(symbol, total, dilation * abs(factor), 1)
        if symbol == x.d:
            return _Solved(symbol, total - abs(factor) * (kernel - 1), (kernel - 1), 1)
        return _Solved(symbol, total, abs(factor), 0)
    return None


def _whole(total: Expression, step: Expression) -> list[Relation]:
    import sympy

    return [] if step == 1 else [sympy.Eq(sympy.Mod(total, step), 0)]


def _needed(conditions: Sequence[Relation]) -> tuple[Relation, ...]:
    import sympy

    return tuple(
        c for c in dict.fromkeys(conditions) if c is not sympy.true and not _below_greatest(c)
    )


def _below_greatest(condition: Relation) -> bool:
    """Say whether it is a number below a Max of which one entry is seen to be above it."""
    import sympy

    if not isinstance(condition, sympy.Lt) or not isinstance(condition.rhs, sympy.Max):
        return False
    return any((entry - condition.lhs).is_positive for entry in condition.rhs.args)


def _plain(found: Family) -> Family:
    """Put in the free parameters that can have one value only; set aside those that are idle."""
    pinned = _pinned(found)
    while pinned:
        values = {name: value.subs(pinned) for name, value in found.values.items()}
        values |= {name: value for name, value in pinned.items() if name != names().t}
        free = tuple(name for name in found.free if name not in pinned)
        found = Family(values, free, _needed([c.subs(pinned) for c in found.conditions]))
        pinned = _pinned(found)
    named = (*found.values.values(), *found.conditions)
    occurring = set[Any]().union(*(expression.free_symbols for expression in named))
    idle = tuple(name for name in found.free if name not in occurring)
    free = tuple(name for name in found.free if name in occurring)
    return replace(found, free=free, idle=idle)


def _pinned(found: Family) -> dict[Any, Any]:
    """Return one free parameter whose bounds agree, and its value; empty if none is seen."""
    import sympy

    for name in found.free:
        bounds = [_bound(slack, name) for c in found.conditions for slack in _slacks(c)]
        least = max([_least(name), *(value for side, value in bounds if side == ">=")])
        if least in [value for side, value in bounds if side == "<="]:
            return {name: sympy.Integer(least)}
    return {}


def _slacks(condition: Relation) -> list[Expression]:
    """Return what a condition says is not negative: an equation, both differences."""
    import sympy

    if isinstance(condition, (sympy.Ge, sympy.Le)):
        return [sympy.expand(condition.gts - condition.lts)]
    if isinstance(condition, sympy.Eq):
        difference = sympy.expand(condition.lhs - condition.rhs)
        return [difference, -difference]
    return []


def _bound(slack: Expression, name: Any) -> tuple[str, Any]:
    """Return what ``slack >= 0`` says of one parameter: ``(">=", number)``, ``("<=", number)``.

    The others are at least 0 or 1, which is put in where that makes the bound weaker.
    """
    factor = slack.coeff(name)
    rest = (slack - factor * name).expand()
    if not factor.is_Integer or factor == 0 or rest.has(name):
        return "", None
    # name >= -rest/factor needs the least value of -rest, name <= rest/|factor| the greatest.
    side, end = (">=", -rest) if factor > 0 else ("<=", rest)
    constant, terms = end.as_coeff_add()
    for number, symbol in (term.as_coeff_Mul() for term in terms):
        if not symbol.is_Symbol or (number > 0) != (side == ">="):
            return "", None
        constant += number * _least(symbol)
    bound = constant / abs(factor)
    return side, bound.ceiling() if side == ">=" else bound.floor()


def _least(name: Any) -> int:
    return 1 if name.is_positive else 0
