"""SAME padding: as many outputs as strides begin, from the least padding, split in halves."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.sizes.claim import Claim, Given, greatest
from convmat.certificates.provers.sizes.window_sizes import D1, K1, S1, counted_by, window_claims
from convmat.certificates.statements import eq, floor, le, lt

__all__ = ["rounded_up", "same_claims"]

n, k, s, d, q, size = symbols("n k s d q size")
x, out, need, total, half, low, high = symbols("x out need total half low high")

NEED = eq(need, (out - 1) * s + d * (k - 1) + 1 - n)
TOTAL = greatest(total, 0, need, "the padding is what is needed, if anything is")


def rounded_up(value: Polynomial) -> tuple[Given, ...]:
    """``value = ceiling(n/s)``."""
    return (
        (floor(x, -n, s), "the ceiling of n/s is -x"),
        (eq(value, -x), "the size that is wanted, ceiling(n/s)"),
    )


PADDING: tuple[Given, ...] = (
    *rounded_up(out),
    (NEED, "what `out` windows reach beyond the input"),
    *TOTAL,
)


def same_claims(title: str, upper: bool) -> tuple[Claim, ...]:
    """Claim that the padding leads to the size ceiling(n/s), is split evenly, and is the least.

    And, as for any padding, that the size counts the windows inside.
    """
    larger, smaller = (high, low) if upper else (low, high)
    split: tuple[Given, ...] = (
        (floor(half, total, 2), "half of the padding, rounded down"),
        (eq(smaller, half), "goes to the low end" if upper else "goes to the high end"),
        (eq(larger, total - half), "and the rest to the other"),
    )
    room = n + low + high - d * (k - 1) - 1
    most = s * out - n + d * (k - 1)
    goals: tuple[Given, ...] = (
        (eq(size, out), "and the sizes agree"),
        (le(smaller, larger), "the larger half is not smaller"),
        (le(larger, smaller + 1), "and larger by 1 at most"),
    )
    return (
        Claim(
            f"{title}: the size is ceiling(n/s)",
            "With this padding a convolution has ceiling(n/s) outputs, and the two ends differ by "
            "1 at most.",
            (S1, D1, K1, *PADDING, *split, *counted_by(room)),
            tuple(goal for goal, _ in goals),
            (
                (le(s * (out - 1), room), "the padding holds the last of `out` windows"),
                (
                    le(0, most),
                    "`out` strides are not shorter than n, and a window has some length",
                ),
                (
                    le(total, most),
                    "what is needed leaves no stride, so neither does the padding, if it is that",
                ),
                (lt(room, s * out), "so there is no room for another"),
                (floor(out - 1, room, s), "the two say what the floor is"),
                (eq(q, out - 1), "of which there is one"),
                (le(1, 2), "to halve is to divide by 2"),
                *goals,
            ),
        ),
        _least_claim("same"),
        *window_claims("same", low, high),
    )


def _least_claim(title: str) -> Claim:
    other, steps, m = symbols("other steps m")
    given: tuple[Given, ...] = (
        (le(0, other), "take another padding"),
        (floor(steps, n + other - d * (k - 1) - 1, s), "with as many steps"),
        (eq(m, steps + 1), "and m outputs"),
        (le(out, m), "of which there are enough"),
    )
    return Claim(
        f"{title}: no smaller padding would do",
        "Padding that leads to at least ceiling(n/s) outputs is not less than this.",
        (S1, *PADDING, *given),
        (le(total, other),),
        (
            (le(need, other), "it holds the last of `out` windows"),
            (le(total, other), "it is not less than 0, nor than what is needed"),
        ),
    )
