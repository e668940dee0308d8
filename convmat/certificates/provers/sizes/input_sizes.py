"""Which inputs lead to an output size, and which output padding leads back to one of them."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.draft import bounds
from convmat.certificates.provers.sizes.claim import Claim, Given, greatest, least
from convmat.certificates.provers.sizes.same_padding import rounded_up
from convmat.certificates.provers.sizes.window_sizes import S1, counted_by
from convmat.certificates.statements import eq, floor, le, lt

__all__ = [
    "ceil_inverse_claims",
    "inverse_claims",
    "output_padding_claims",
    "same_inverse_claims",
]

n, k, s, d, p0, p1, m, a = symbols("n k s d p0 p1 m a")
q, x, size, first, last, back = symbols("q x size first last back")

ROOM = n + p0 + p1 - d * (k - 1) - 1
LEAST = s * (m - 1) + d * (k - 1) + 1 - p0 - p1
RANGE: tuple[Given, ...] = (
    (le(first, n), "take an input size from the first"),
    (le(n, last), "to the last"),
)


LAST: Given = (eq(last, first + s - 1), "there are s of them")


def _pair(
    title: str,
    start: Polynomial,
    counted: tuple[Given, ...],
    value: Polynomial,
) -> tuple[Claim, Claim]:
    """Claim that the size is m exactly for start <= n <= start + s - 1.

    The first of `counted` is a floor over s, in terms of n, which is `value` if the size is m.
    """
    quotient, _ = counted[0]
    low, high = bounds(quotient)
    claimed = floor(value, quotient.right, s)
    below, above = bounds(claimed)
    ends: tuple[Given, ...] = ((eq(first, start), "the first input size"), LAST)
    return _both_ways(
        title,
        counted,
        ends,
        (
            (low, "the floor is not above its fraction"),
            (high, "and less than 1 below it"),
            (RANGE[0][0], "so n is not below the first"),
            (RANGE[1][0], "nor above the last"),
        ),
        (
            (below, "s times the floor that is claimed is not above"),
            (above, "and less than s below"),
            (claimed, "so it is the floor"),
            (eq(quotient.left, value), "of which there is one"),
            (eq(size, m), "the size is m"),
        ),
    )


def _both_ways(
    title: str,
    counted: tuple[Given, ...],
    ends: tuple[Given, ...],
    one_way: tuple[Given, ...],
    other_way: tuple[Given, ...],
) -> tuple[Claim, Claim]:
    """Claim that the size, counted so, is m exactly for first <= n <= last."""
    return (
        Claim(
            f"{title}: no other inputs",
            "An input size that leads to m outputs is one of first, ..., last.",
            (S1, *counted, (eq(m, size), "whose size is m"), *ends),
            (RANGE[0][0], RANGE[1][0]),
            one_way,
        ),
        Claim(
            f"{title}: all of these inputs",
            "All of first, ..., last lead to m outputs; they are s consecutive sizes.",
            (S1, *RANGE, *ends, *counted),
            (eq(size, m), LAST[0]),
            other_way,
        ),
    )


def inverse_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that n from s(m - 1) + d(k - 1) + 1 - p0 - p1 on, s of them, lead to m."""
    return _pair(title, LEAST, counted_by(ROOM), m - 1)


def same_inverse_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that s(m - 1) + 1, ..., s*m lead to m under SAME padding."""
    return _pair(title, s * (m - 1) + 1, rounded_up(size), -m)


def ceil_inverse_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that s consecutive n lead to m with ceil_mode, from the larger of two bounds on."""
    y, stops, starts, reach = symbols("y stops starts reach")
    beyond = d * (k - 1) + 1 - s - p1
    counted: tuple[Given, ...] = (
        (floor(x, -ROOM, s), "-x steps, rounded up, reach the end"),
        (eq(stops, 1 - x), "windows that overhang the end by less than a stride"),
        (floor(y, -n - p0, s), "the same for the last start"),
        (eq(starts, -y), "windows that start before the high padding"),
        *least(size, stops, starts, "the size is the smaller of the two counts"),
    )
    ends: tuple[Given, ...] = (
        *greatest(reach, 0, beyond, "what a window reaches behind stride and high padding"),
        (eq(first, s * (m - 1) + 1 - p0 + reach), "the first input size"),
        LAST,
    )
    room = n - s * (m - 1) - 1 + p0  # beside the starts of m windows
    spare = s * (m - size) + s - 1
    exceeded = "a count that is exceeded by the size allows no more"
    reached = "what either count leaves over"
    return _both_ways(
        title,
        counted,
        ends,
        (
            (le(0, room), "size starts need that many inputs"),
            (le(beyond, room), "size ends need that many inputs"),
            (le(reach, room), "so n is large enough for the larger of the two"),
            (RANGE[0][0], "n is not below the first"),
            (le(s * size, s * starts), "the size is not above this count"),
            (le(n, last + s * stops - s * size), exceeded),
            (le(n, last + s * starts - s * size), exceeded),
            (RANGE[1][0], "one of the counts is the size"),
        ),
        (
            (le(m, stops), "there are inputs for m ends"),
            (le(m, starts), "and for m starts"),
            (le(m, size), "so the smaller count is not below m"),
            (le(0, spare + reach), reached),
            (le(0, spare + reach - beyond), reached),
            (le(0, spare), "the inputs allow no more than m, by one count or the other"),
            (le(size, m), "divide by s"),
            (eq(size, m), "the size is m"),
        ),
    )


def output_padding_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that a = (n + p0 + p1 - d(k - 1) - 1) mod s leads back to n, and no other does."""
    steps, outputs = floor(q, ROOM, s), eq(m, q + 1)
    rest = eq(a, ROOM - s * q)
    forth: tuple[Given, ...] = (
        (steps, "q steps of the stride fit into what the first window leaves free"),
        (outputs, "the convolution has q + 1 outputs"),
        (rest, "a is what the steps leave over: the remainder by s"),
        (eq(back, LEAST + a), "the size that the transposed convolution makes of m"),
    )
    made: tuple[Given, ...] = (
        (le(0, a), "take an output padding from 0 on"),
        (lt(a, s), "that is below the stride"),
        (eq(n, LEAST + a), "with which m becomes n"),
    )
    below, above = bounds(floor(m - 1, ROOM, s))
    return (
        Claim(
            f"{title}: it leads back",
            "With a the remainder of the floor, the transposed convolution leads from m back to n.",
            (S1, *forth),
            (le(0, a), lt(a, s), eq(back, n)),
            (
                (le(0, a), "a remainder is not negative"),
                (lt(a, s), "and below the divisor"),
                (eq(back, n), "insert m, then a: everything but n cancels"),
            ),
        ),
        Claim(
            f"{title}: no other does",
            "If an output padding below the stride leads from m to n, the convolution has m "
            "outputs, and it is the remainder.",
            (S1, *made, forth[0]),
            (outputs, rest),
            (
                (below, "m - 1 steps fit into n"),
                (above, "and m do not"),
                (floor(m - 1, ROOM, s), "so m - 1 is the floor"),
                (eq(q, m - 1), "of which there is one"),
                (outputs, "the convolution of n has m outputs"),
                (rest, "and a is the remainder"),
            ),
        ),
    )
