"""The rules that rewrite floors, remainders, least and greatest, as theorems about integers.

Divisors are at least 1, everything else is any integer. A ceiling c of x/s is what floors know:
``-c = floor(-x/s)``.
"""

from __future__ import annotations

from convmat.certificates.polynomials import symbols
from convmat.certificates.statements import Statement, eq, floor, le, lt
from convmat.certificates.theorem import Theorem

__all__ = ["RULE_THEOREMS"]

a, b, c, g, m, n, q, r, s, t, u, w, x, y = symbols("a b c g m n q r s t u w x y")

# Name, meaning, hypotheses, goals.
_ROWS: tuple[tuple[str, str, tuple[Statement, ...], tuple[Statement, ...]], ...] = (
    (
        "nested floors",
        "floor((floor(x/a) + b)/c) = floor((x + a*b)/(a*c))",
        (le(1, a), le(1, c), floor(q, x, a), floor(t, q + b, c)),
        (floor(t, x + a * b, a * c),),
    ),
    (
        "ceiling",
        "ceiling(x/s) = floor((x + s - 1)/s)",
        (le(1, s), floor(-c, -x, s)),
        (floor(c, x + s - 1, s),),
    ),
    (
        "remainder",
        "Mod(n, s) = n - s*floor(n/s) lies in 0 .. s - 1",
        (le(1, s), floor(q, n, s), eq(r, n - s * q)),
        (le(0, r), lt(r, s)),
    ),
    (
        "division with remainder",
        "if n = s*q + r with 0 <= r < s, then q = floor(n/s)",
        (eq(n, s * q + r), le(0, r), lt(r, s)),
        (floor(q, n, s),),
    ),
    (
        "fraction below one",
        "floor(m + x/s) = m for 0 <= x < s",
        (le(0, x), lt(x, s)),
        (floor(m, s * m + x, s),),
    ),
    (
        "integer out of a floor",
        "floor((x + s*m)/s) = floor(x/s) + m",
        (le(1, s), floor(q, x, s)),
        (floor(q + m, x + s * m, s),),
    ),
    (
        "reflection",
        "floor((-x - 1)/s) = -1 - floor(x/s)",
        (le(1, s), floor(q, x, s)),
        (floor(-1 - q, -x - 1, s),),
    ),
    (
        "common factor",
        "floor((g*x + c)/(g*s)) = floor(x/s) for 0 <= c < g",
        (le(1, g), le(1, s), le(0, c), lt(c, g), floor(q, x, s)),
        (floor(q, g * x + c, g * s),),
    ),
    (
        "floor of the least",
        "x <= y gives floor(x/s) <= floor(y/s), so that floor(Min(x, y)/s) is the Min of floors",
        (le(1, s), le(x, y), floor(q, x, s), floor(t, y, s)),
        (le(q, t),),
    ),
    (
        "common term of the least",
        "x <= y gives x + m <= y + m, so that Min(x + m, y + m) = Min(x, y) + m",
        (le(x, y),),
        (le(x + m, y + m),),
    ),
    (
        "greatest",
        "x <= y gives -y <= -x, so that Max(x, y) = -Min(-x, -y)",
        (le(x, y),),
        (le(-y, -x),),
    ),
)

RULE_THEOREMS: dict[str, Theorem] = {row[0]: Theorem(*row) for row in _ROWS}
