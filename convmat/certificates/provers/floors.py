"""The rewriting rules as theorems about integers, each with its proof for the checker.

`floors.rules` applies them to expressions. Divisors are at least 1, everything else is any
integer. A ceiling c of x/s is what floors know: ``-c = floor(-x/s)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.draft import Draft
from convmat.certificates.statements import Certificate, Statement, eq, floor, le, lt
from convmat.certificates.theorem import Theorem

__all__ = ["RULE_THEOREMS", "rule_certificate"]

Write = Callable[[Draft], None]

a, b, c, g, m, n, q, r, s, t, u, w, x, y = symbols("a b c g m n q r s t u w x y")


def bounds(draft: Draft, quotient: Statement) -> tuple[Statement, Statement]:
    """Show s*q <= x and x < s*q + s from q = floor(x/s)."""
    divisor = quotient.divisor or Polynomial()
    multiple, positive = divisor * quotient.left, le(1, divisor)
    return (
        draft.follow(le(multiple, quotient.right), "floor low", quotient, positive),
        draft.follow(lt(quotient.right, multiple + divisor), "floor high", quotient, positive),
    )


def _nested(draft: Draft) -> None:
    inner, outer = floor(q, x, a), floor(t, q + b, c)
    low, high = bounds(draft, inner)
    least, most = bounds(draft, outer)
    a1 = le(1, a)
    # a(q + b) is at least a*c*t, and a(q + b + 1) at most a(c*t + c).
    below = draft.combine(le(a * c * t, x + a * b), (1, low), (1, a1, least), (1, least))
    above = draft.combine(lt(x + a * b, a * c * t + a * c), (1, high), (1, a1, most), (1, most))
    draft.follow(floor(t, x + a * b, a * c), "floor", below, above)


def _ceiling(draft: Draft) -> None:
    low, high = bounds(draft, floor(-c, -x, s))
    below = draft.combine(le(s * c, x + s - 1), (1, high))
    above = draft.combine(lt(x + s - 1, s * c + s), (1, low))
    draft.follow(floor(c, x + s - 1, s), "floor", below, above)


def _remainder(draft: Draft) -> None:
    low, high = bounds(draft, floor(q, n, s))
    rest = eq(r, n - s * q)
    draft.combine(le(0, r), (1, low), (-1, rest))
    draft.combine(lt(r, s), (1, high), (1, rest))


def _division(draft: Draft) -> None:
    whole = eq(n, s * q + r)
    low = draft.combine(le(s * q, n), (1, le(0, r)), (-1, whole))
    high = draft.combine(lt(n, s * q + s), (1, lt(r, s)), (1, whole))
    draft.follow(floor(q, n, s), "floor", low, high)


def _fraction(draft: Draft) -> None:
    low = draft.combine(le(s * m, s * m + x), (1, le(0, x)))
    high = draft.combine(lt(s * m + x, s * m + s), (1, lt(x, s)))
    draft.follow(floor(m, s * m + x, s), "floor", low, high)


def _integer(draft: Draft) -> None:
    low, high = bounds(draft, floor(q, x, s))
    below = draft.combine(le(s * (q + m), x + s * m), (1, low))
    above = draft.combine(lt(x + s * m, s * (q + m) + s), (1, high))
    draft.follow(floor(q + m, x + s * m, s), "floor", below, above)


def _reflection(draft: Draft) -> None:
    low, high = bounds(draft, floor(q, x, s))
    below = draft.combine(le(s * (-1 - q), -x - 1), (1, high))
    above = draft.combine(lt(-x - 1, s * (-1 - q) + s), (1, low))
    draft.follow(floor(-1 - q, -x - 1, s), "floor", below, above)


def _factor(draft: Draft) -> None:
    low, high = bounds(draft, floor(q, x, s))
    g1 = le(1, g)
    below = draft.combine(le(g * s * q, g * x + c), (1, g1, low), (1, low), (1, le(0, c)))
    above = draft.combine(lt(g * x + c, g * s * q + g * s), (1, g1, high), (1, high), (1, lt(c, g)))
    draft.follow(floor(q, g * x + c, g * s), "floor", below, above)


def _monotone(draft: Draft) -> None:
    low, _ = bounds(draft, floor(q, x, s))
    _, high = bounds(draft, floor(t, y, s))
    # s*q <= x <= y < s*t + s, thus s(t - q) + s - 1 >= 0.
    gap = draft.combine(le(0, s * (t - q) + s - 1), (1, low), (1, le(x, y)), (1, high))
    draft.follow(le(q, t), "divide", le(1, s), gap)


def _shifted(draft: Draft) -> None:
    draft.combine(le(x + m, y + m), (1, le(x, y)))


def _negated(draft: Draft) -> None:
    draft.combine(le(-y, -x), (1, le(x, y)))


# Name, meaning, hypotheses, goals, proof.
_ROWS: tuple[tuple[str, str, tuple[Statement, ...], tuple[Statement, ...], Write], ...] = (
    (
        "nested floors",
        "floor((floor(x/a) + b)/c) = floor((x + a*b)/(a*c))",
        (le(1, a), le(1, c), floor(q, x, a), floor(t, q + b, c)),
        (floor(t, x + a * b, a * c),),
        _nested,
    ),
    (
        "ceiling",
        "ceiling(x/s) = floor((x + s - 1)/s)",
        (le(1, s), floor(-c, -x, s)),
        (floor(c, x + s - 1, s),),
        _ceiling,
    ),
    (
        "remainder",
        "Mod(n, s) = n - s*floor(n/s) lies in 0 .. s - 1",
        (le(1, s), floor(q, n, s), eq(r, n - s * q)),
        (le(0, r), lt(r, s)),
        _remainder,
    ),
    (
        "division with remainder",
        "if n = s*q + r with 0 <= r < s, then q = floor(n/s)",
        (eq(n, s * q + r), le(0, r), lt(r, s)),
        (floor(q, n, s),),
        _division,
    ),
    (
        "fraction below one",
        "floor(m + x/s) = m for 0 <= x < s",
        (le(0, x), lt(x, s)),
        (floor(m, s * m + x, s),),
        _fraction,
    ),
    (
        "integer out of a floor",
        "floor((x + s*m)/s) = floor(x/s) + m",
        (le(1, s), floor(q, x, s)),
        (floor(q + m, x + s * m, s),),
        _integer,
    ),
    (
        "reflection",
        "floor((-x - 1)/s) = -1 - floor(x/s)",
        (le(1, s), floor(q, x, s)),
        (floor(-1 - q, -x - 1, s),),
        _reflection,
    ),
    (
        "common factor",
        "floor((g*x + c)/(g*s)) = floor(x/s) for 0 <= c < g",
        (le(1, g), le(1, s), le(0, c), lt(c, g), floor(q, x, s)),
        (floor(q, g * x + c, g * s),),
        _factor,
    ),
    (
        "floor of the least",
        "x <= y gives floor(x/s) <= floor(y/s), so that floor(Min(x, y)/s) is the Min of floors",
        (le(1, s), le(x, y), floor(q, x, s), floor(t, y, s)),
        (le(q, t),),
        _monotone,
    ),
    (
        "common term of the least",
        "x <= y gives x + m <= y + m, so that Min(x + m, y + m) = Min(x, y) + m",
        (le(x, y),),
        (le(x + m, y + m),),
        _shifted,
    ),
    (
        "greatest",
        "x <= y gives -y <= -x, so that Max(x, y) = -Min(-x, -y)",
        (le(x, y),),
        (le(-y, -x),),
        _negated,
    ),
)

RULE_THEOREMS: dict[str, Theorem] = {row[0]: Theorem(*row[:4]) for row in _ROWS}
_WRITERS = {row[0]: row[4] for row in _ROWS}


@cache
def rule_certificate(name: str) -> Certificate:
    """Return the certificate of a theorem of `RULE_THEOREMS`, for `check` to accept.

    Examples
    --------
    >>> from convmat.certificates.checker import check
    >>> check(rule_certificate("ceiling"), RULE_THEOREMS["ceiling"]).meaning
    'ceiling(x/s) = floor((x + s - 1)/s)'
    """
    draft = Draft(RULE_THEOREMS[name])
    _WRITERS[name](draft)
    return draft.finish()
