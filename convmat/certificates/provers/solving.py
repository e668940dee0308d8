"""The lemmas of `solve_layer` as theorems about integers, each with its proof for the checker.

y is the numerator of a size's floor, f the floor, t what it should be; ``alpha*q + beta`` is the
affine function y - s*t of the number q of an input size, and `width` is s - 1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from convmat.certificates.polynomials import symbols
from convmat.certificates.provers.draft import Draft
from convmat.certificates.provers.floors import bounds
from convmat.certificates.statements import Certificate, eq, floor, le, lt
from convmat.certificates.theorem import Theorem

__all__ = ["SOLVING_THEOREMS", "solving_certificate"]

s, y, f, t, q, z, alpha, beta, width = symbols("s y f t q z alpha beta width")


def _needed(draft: Draft) -> None:
    low, high = bounds(draft, floor(f, y, s))
    same = eq(f, t)
    draft.combine(le(s * t, y), (1, low), (-s, same))
    draft.combine(lt(y, s * t + s), (1, high), (s, same))


def _enough(draft: Draft) -> None:
    wanted = draft.follow(floor(t, y, s), "floor", le(s * t, y), lt(y, s * t + s))
    draft.follow(eq(f, t), "floor same", floor(f, y, s), wanted)


def _too_steep(draft: Draft) -> None:
    # z - width - 1 = (alpha - 1)*(q - 1) + (alpha - 1) + (q + beta - width - 1)
    slope, first, far = le(1, alpha), le(1, q), le(width + 1, q + beta)
    line = eq(z, alpha * q + beta)
    draft.combine(lt(width, z), (1, slope, first), (1, slope), (1, far), (-1, line))


def _too_flat(draft: Draft) -> None:
    # -z - 1 = (-alpha - 1)*(q - 1) + (-alpha - 1) + (q - beta - 1)
    slope, first, far = le(alpha, -1), le(1, q), le(beta + 1, q)
    line = eq(z, alpha * q + beta)
    draft.combine(lt(z, 0), (1, slope, first), (1, slope), (1, far), (1, line))


def _both_coefficients(draft: Draft) -> None:
    first, second = eq(alpha + beta, 0), eq(2 * alpha + beta, 0)
    draft.combine(eq(alpha, 0), (1, second), (-1, first))
    draft.combine(eq(beta, 0), (2, first), (-1, second))


_PROVED: tuple[tuple[Theorem, Callable[[Draft], None]], ...] = (
    (
        Theorem(
            "floor gives bounds",
            "A floor that is t has its numerator between s*t and s*t + s - 1.",
            (le(1, s), floor(f, y, s), eq(f, t)),
            (le(s * t, y), lt(y, s * t + s)),
        ),
        _needed,
    ),
    (
        Theorem(
            "bounds give floor",
            "A numerator between s*t and s*t + s - 1 has the floor t.",
            (le(1, s), le(s * t, y), lt(y, s * t + s), floor(f, y, s)),
            (eq(f, t),),
        ),
        _enough,
    ),
    (
        Theorem(
            "rising line leaves",
            "An affine function with a slope of 1 or more exceeds any width at some q.",
            (le(1, alpha), le(1, q), le(width + 1, q + beta), eq(z, alpha * q + beta)),
            (lt(width, z),),
        ),
        _too_steep,
    ),
    (
        Theorem(
            "falling line leaves",
            "An affine function with a slope of -1 or less is negative at some q.",
            (le(alpha, -1), le(1, q), le(beta + 1, q), eq(z, alpha * q + beta)),
            (lt(z, 0),),
        ),
        _too_flat,
    ),
    (
        Theorem(
            "two zeros",
            "An affine function that vanishes at 1 and at 2 has no coefficient.",
            (eq(alpha + beta, 0), eq(2 * alpha + beta, 0)),
            (eq(alpha, 0), eq(beta, 0)),
        ),
        _both_coefficients,
    ),
)

SOLVING_THEOREMS: dict[str, Theorem] = {theorem.name: theorem for theorem, _ in _PROVED}
_WRITERS = {theorem.name: write for theorem, write in _PROVED}


@cache
def solving_certificate(name: str) -> Certificate:
    """Return the certificate of a theorem of `SOLVING_THEOREMS`."""
    draft = Draft(SOLVING_THEOREMS[name])
    _WRITERS[name](draft)
    draft.establish(draft.theorem.goals)
    return draft.finish()
