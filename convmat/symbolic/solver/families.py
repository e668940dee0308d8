"""Solutions in free parameters: an equation solved for one of its unknowns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        return Family({}, tuple(unknown), _needed([*kept, *domain]))
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
    return Family({solved.symbol: shown}, tuple(free), _needed(kept))


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

    return tuple(c for c in dict.fromkeys(conditions) if c is not sympy.true)
