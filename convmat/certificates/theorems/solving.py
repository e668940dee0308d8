"""The lemmas of `solve_layer` as theorems about integers.

y is the numerator of a size's floor, f the floor, t what it should be; ``alpha*q + beta`` is the
affine function y - s*t of the number q of an input size, and `width` is s - 1.
"""

from __future__ import annotations

from convmat.certificates.polynomials import symbols
from convmat.certificates.statements import eq, floor, le, lt
from convmat.certificates.theorem import Theorem

__all__ = ["SOLVING_THEOREMS"]

s, y, f, t, q, z, alpha, beta, width = symbols("s y f t q z alpha beta width")

_LEMMAS = (
    Theorem(
        "floor gives bounds",
        "A floor that is t has its numerator between s*t and s*t + s - 1.",
        (le(1, s), floor(f, y, s), eq(f, t)),
        (le(s * t, y), lt(y, s * t + s)),
    ),
    Theorem(
        "bounds give floor",
        "A numerator between s*t and s*t + s - 1 has the floor t.",
        (le(1, s), le(s * t, y), lt(y, s * t + s), floor(f, y, s)),
        (eq(f, t),),
    ),
    Theorem(
        "rising line leaves",
        "An affine function with a slope of 1 or more exceeds any width at some q.",
        (le(1, alpha), le(1, q), le(width + 1, q + beta), eq(z, alpha * q + beta)),
        (lt(width, z),),
    ),
    Theorem(
        "falling line leaves",
        "An affine function with a slope of -1 or less is negative at some q.",
        (le(alpha, -1), le(1, q), le(beta + 1, q), eq(z, alpha * q + beta)),
        (lt(z, 0),),
    ),
    Theorem(
        "two zeros",
        "An affine function that vanishes at 1 and at 2 has no coefficient.",
        (eq(alpha + beta, 0), eq(2 * alpha + beta, 0)),
        (eq(alpha, 0), eq(beta, 0)),
    ),
)

SOLVING_THEOREMS: dict[str, Theorem] = {theorem.name: theorem for theorem in _LEMMAS}
