"""Adaptive pooling's windows, and the size of an enlargement by a scale."""

from __future__ import annotations

from convmat.certificates.polynomials import symbols
from convmat.certificates.provers.draft import bounds
from convmat.certificates.provers.sizes.claim import Claim, Given, below
from convmat.certificates.statements import eq, floor, le, lt

__all__ = ["adaptive_claims", "upsample_claims"]

n, m, o, i, first, z, past, length = symbols("n m o i first z past length")
u, v, size = symbols("u v size")
N1: Given = (le(1, n), "there is an input")
M1: Given = (le(1, m), "there is an output")
O0: Given = (le(0, o), "take an output number o from 0 on")

WINDOW: tuple[Given, ...] = (
    (floor(first, o * n, m), "window o begins at floor(o*n/m)"),
    (floor(z, -(o + 1) * n, m), "and -z is (o + 1)*n/m, rounded up"),
    (eq(past, -z), "before which it ends"),
)


def _rounded(start: bool, end: bool) -> tuple[Given, ...]:
    """Say that a window's begin is rounded down, its end up, by less than 1 each."""
    low, high = bounds(WINDOW[0][0])
    above, close = bounds(WINDOW[1][0])
    lines: list[Given] = [(low, "the begin is rounded down")]
    lines += [(high, "by less than 1")] if start else []
    lines.append((above, "the end is rounded up: minus that"))
    lines += [(close, "by less than 1")] if end else []
    return tuple(lines)


def adaptive_claims(title: str) -> tuple[Claim, ...]:
    """Claim that windows lie inside, cover the input, and how long they are."""
    output: tuple[Given, ...] = (O0, (lt(o, m), "of m outputs"))
    next_first, g = symbols("next g")
    following = floor(next_first, (o + 1) * n, m)
    chosen = floor(o, i * m, n)
    return (
        Claim(
            f"{title}: windows lie inside",
            "Window o is not empty and lies in 0, ..., n - 1.",
            (N1, M1, *output, *WINDOW),
            (le(0, first), lt(first, past), le(past, n)),
            (
                *_rounded(start=True, end=True),
                (le(0, first), "so the begin is not negative"),
                (lt(first, past), "begin and end are n/m > 0 apart before they are rounded"),
                (le(past, n), "the last window ends at n"),
            ),
        ),
        Claim(
            f"{title}: windows cover the input",
            "Input i lies in window floor(i*m/n), which is one of 0, ..., m - 1.",
            (
                N1,
                M1,
                (le(0, i), "take an input number i from 0 on"),
                (lt(i, n), "of n inputs"),
                (chosen, "and the output floor(i*m/n)"),
                *WINDOW,
            ),
            (*below(o, m), le(first, i), lt(i, past)),
            (
                (bounds(chosen)[0], "window o would begin at or before input i"),
                (bounds(chosen)[1], "and end after it"),
                *_rounded(start=False, end=False),
                (le(0, o), "the quotient is not negative"),
                (lt(o, m), "and below m"),
                (le(first, i), "it begins before"),
                (lt(i, past), "and ends after"),
            ),
        ),
        Claim(
            f"{title}: windows leave no gap",
            "Window o + 1 begins no later than window o ends.",
            (M1, *WINDOW, (following, "where the next window begins")),
            (le(next_first, past),),
            (
                (bounds(WINDOW[1][0])[0], "the end is rounded up: minus that"),
                (bounds(following)[0], "the next begin is rounded down"),
                (le(next_first, past), "what is rounded down is not above what is rounded up"),
            ),
        ),
        Claim(
            f"{title}: lengths of windows",
            "Windows have at least n/m inputs and at most n/m + 2 - 2/m.",
            (M1, *WINDOW, (eq(length, past - first), "inputs of window o")),
            (le(n, m * length), le(m * length, n + 2 * m - 2)),
            (
                *_rounded(start=True, end=True),
                (le(n, m * length), "rounding only adds"),
                (le(m * length, n + 2 * m - 2), "less than 1 at each end"),
            ),
        ),
        Claim(
            f"{title}: windows of a multiple",
            "If n = m*g, window o is o*g, ..., (o + 1)*g - 1: pooling with kernel and stride g.",
            (M1, (eq(n, m * g), "m divides n"), *WINDOW),
            (eq(first, o * g), eq(past, (o + 1) * g)),
            (
                (eq(first, o * g), "it begins at o*g"),
                (eq(past, (o + 1) * g), "(o + 1)*g is not rounded"),
            ),
        ),
    )


def upsample_claims(title: str) -> tuple[Claim, ...]:
    """Claim that size = floor(n*u/v) counts the cells of length v/u that end inside n."""
    u1: Given = (le(1, u), "the scale u/v is positive")
    v1: Given = (le(1, v), "as is its denominator")
    inside: Given = (
        le(v * (o + 1), n * u),
        "its cell, from o*v/u to (o + 1)*v/u, ends inside the input",
    )
    size_is: Given = (floor(size, n * u, v), "the size is n*u/v rounded down")
    output: tuple[Given, ...] = (O0, (lt(o, size), "that is below the size"))
    r, whole_size = symbols("r whole")
    reads = floor(i, o * v, u)
    fits: tuple[Given, ...] = (
        (bounds(size_is[0])[0], "size cells fit"),
        (inside[0], "so do the first o + 1"),
    )
    return (
        Claim(
            f"{title}: every cell is counted",
            "An output whose cell ends inside the input is one of 0, ..., size - 1.",
            (v1, O0, inside, size_is),
            below(o, size),
            ((bounds(size_is[0])[1], "size + 1 cells do not fit"), (lt(o, size), "divide by v")),
        ),
        Claim(
            f"{title}: every counted cell is inside",
            "The cells of outputs 0 to size - 1 end inside the input.",
            (v1, *output, size_is),
            (inside[0],),
            fits,
        ),
        Claim(
            f"{title}: what nearest reads exists",
            "Output o reads input floor(o*v/u), which is one of 0, ..., n - 1.",
            (u1, v1, *output, size_is, (reads, "the input that nearest reads")),
            below(i, n),
            (
                *fits,
                (bounds(reads)[0], "the input that is read is rounded down"),
                (bounds(reads)[1], "by less than 1"),
                (le(0, i), "it is not negative"),
                (lt(i, n), "and below n"),
            ),
        ),
        Claim(
            f"{title}: whole scales",
            "With a whole scale r the size is n*r.",
            ((floor(whole_size, n * r, 1), "the size at the scale r/1"),),
            (eq(whole_size, n * r),),
            ((eq(whole_size, n * r), "nothing is rounded"),),
        ),
    )
