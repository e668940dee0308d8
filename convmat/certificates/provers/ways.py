"""What the search is told of proofs that it does not find by itself: statements to show first.

Those about sizes stand with their words in `provers.sizes`.
"""

from __future__ import annotations

from convmat.certificates.polynomials import symbols
from convmat.certificates.statements import Statement, floor, le, lt

__all__ = ["WAYS"]

n, m, k, s, e, p0, p1, z = symbols("n m k s e p0 p1 z")
groups, out, inner, b, x, k2 = symbols("G C B b x k2")

ROOM = n + p0 + p1 - e
ONE_LESS = floor(m - 1, ROOM, s)  # than m windows: steps of the stride that fit
PAIR = inner * z + b  # the place of a channel on the weight's first two axes

WAYS: dict[str, tuple[Statement, ...]] = {
    "relation 12 (transposed, no padding, no remainder)": (ONE_LESS, floor(z, ROOM, s)),
    "relation 13 (transposed, padding, no remainder)": (ONE_LESS, floor(z, ROOM, s)),
    "relation 14 (transposed, any remainder)": (ONE_LESS,),
    "channels and groups": (
        *(le(1, size) for size in (out, inner, m, n, k)),
        le(0, z),
        lt(z, groups * out),
        le(0, x),
        lt(x, groups * inner),
        le(0, PAIR),
        lt(PAIR, groups * out * inner),
    ),
    "two axes as one": (le(1, k2),),
}
