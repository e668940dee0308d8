"""Which windows lie inside: convolution, pooling, their transposes, unfolding.

Every formula is proved in two directions: an output whose window is inside is counted, and one
that is counted has all of its window inside.
"""

from __future__ import annotations

from convmat.certificates.polynomials import Operand, Polynomial, symbols
from convmat.certificates.provers.draft import bounds
from convmat.certificates.provers.sizes.claim import Claim, Given, below, least
from convmat.certificates.statements import eq, floor, le, lt

__all__ = [
    "ceil_claims",
    "counted_by",
    "full_claims",
    "position_claims",
    "transposed_claims",
    "valid_claims",
    "window_claims",
]

n, k, s, d, p0, p1, m, a = symbols("n k s d p0 p1 m a")
o, tap, q, size, t = symbols("o tap q size t")
S1: Given = (le(1, s), "the stride is at least 1")
D1: Given = (le(1, d), "the dilation is at least 1")
K1: Given = (le(1, k), "the kernel has at least 1 tap")
O0: Given = (le(0, o), "take an output number o from 0 on")
OUTPUT: tuple[Given, ...] = (O0, (lt(o, size), "that is below the size"))
TAP: tuple[Given, ...] = (
    (le(0, tap), "take any of its taps, from the first"),
    (lt(tap, k), "to the last"),
)


def counted_by(room: Polynomial) -> tuple[Given, ...]:
    """How many steps of s fit into `room`, and one output more."""
    return (
        (floor(q, room, s), "q steps of the stride fit into what the first window leaves free"),
        (eq(size, q + 1), "there is one output for each step, and the first"),
    )


def window_claims(title: str, low: Operand = p0, high: Operand = p1) -> tuple[Claim, Claim]:
    """Claim that size = floor((n + low + high - d(k - 1) - 1)/s) + 1 counts the windows inside."""
    total = n + low + high
    room = total - d * (k - 1) - 1
    first: Given = (le(0, s * o), "the first tap of window o is not before the padded input")
    last: Given = (lt(s * o + d * (k - 1), total), "its last tap is not behind the padded input")
    inside = below(s * o + d * tap, total)
    return (
        _every_window(title, (first, last), room),
        Claim(
            f"{title}: every counted window is inside",
            "All taps of the windows 0 to size - 1 lie in the padded input.",
            (S1, D1, *OUTPUT, *TAP, *counted_by(room)),
            inside,
            (
                (bounds(floor(q, room, s))[0], "q steps fit"),
                (inside[0], "no tap lies before the padded input"),
                (
                    inside[1],
                    "nor behind it: put the largest o, size - 1, and the last tap, k - 1",
                ),
            ),
        ),
    )


def valid_claims(title: str) -> tuple[Claim, Claim]:
    """Claim the same without padding."""
    return window_claims(title, 0, 0)


def full_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that padding by d(k - 1) at both ends counts the windows that reach the input."""
    room = n + d * (k - 1) - 1
    last: Given = (le(0, s * o), "the last tap of window o, at s*o, is not before the input")
    first: Given = (lt(s * o - d * (k - 1), n), "its first tap is not behind the input")
    return (
        _every_window(title, (last, first), room),
        Claim(
            f"{title}: every counted window reaches the input",
            "Windows 0 to size - 1 end at or behind the first input, and begin at or before the "
            "last.",
            (S1, *OUTPUT, *counted_by(room)),
            (last[0], first[0]),
            (
                (bounds(floor(q, room, s))[0], "q steps fit"),
                (last[0], "outputs and strides are not negative"),
                (first[0], "put the largest o, size - 1"),
            ),
        ),
    )


def _every_window(title: str, inside: tuple[Given, Given], room: Polynomial) -> Claim:
    """Claim that an output whose window is where it should be is one of 0 .. size - 1."""
    return Claim(
        f"{title}: every window is counted",
        "An output whose window is inside is one of 0, ..., size - 1.",
        (S1, *inside, *counted_by(room)),
        below(o, size),
        (
            (bounds(floor(q, room, s))[1], "q + 1 steps do not fit"),
            (le(0, o), "strides are positive: divide by s"),
            (
                lt(o, size),
                "o steps fit, and no more than q do: divide s*o < s*size by s",
            ),
        ),
    )


def ceil_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that ceil_mode counts windows that overhang by less than s and start inside."""
    room = n + p0 + p1 - d * (k - 1) - 1
    x, y, stops, starts = symbols("x y stops starts")
    given: tuple[Given, ...] = (
        (floor(x, -room, s), "-x steps, rounded up, reach the end"),
        (eq(stops, 1 - x), "windows that overhang the end by less than a stride"),
        (floor(y, -n - p0, s), "the same for the last start"),
        (eq(starts, -y), "windows that start before the high padding"),
        *least(size, stops, starts, "the size is the smaller of the two counts"),
    )
    first: Given = (le(0, s * o), "window o does not start before the padded input")
    overhang: Given = (
        lt(s * o + d * (k - 1), n + p0 + p1 + s - 1),
        "its last tap is less than a stride behind the padded input",
    )
    inside: Given = (
        lt(s * o, n + p0),
        "it starts inside the input or its low padding, else it is dropped",
    )
    not_above = "the size is not above this count"
    return (
        Claim(
            f"{title}: every window is counted",
            "An output whose window starts before the high padding and overhangs by less than a "
            "stride is one of 0, ..., size - 1.",
            (S1, first, overhang, inside, *given),
            below(o, size),
            (
                (le(0, o), "strides are positive: divide by s"),
                (lt(o, stops), "o steps reach no further than the end rounded up"),
                (lt(o, starts), "o is one of the starts"),
                (lt(o, size), "o is below both counts, so below the smaller"),
            ),
        ),
        Claim(
            f"{title}: every counted window is allowed",
            "Windows 0 to size - 1 start before the high padding and overhang by less than a "
            "stride.",
            (S1, *OUTPUT, *given),
            (first[0], overhang[0], inside[0]),
            (
                (first[0], "strides are positive"),
                (lt(o, stops), not_above),
                (overhang[0], "put the largest o of the first count"),
                (lt(o, starts), not_above),
                (inside[0], "put the largest o of the second count"),
            ),
        ),
    )


def transposed_claims(title: str) -> tuple[Claim, Claim]:
    """Claim the size of zero insertion, padding and correlation at stride 1."""
    length, low, high = symbols("length low high")
    made: tuple[Given, ...] = (
        (eq(low, d * (k - 1) - p0), "low padding of the stretched input"),
        (eq(high, d * (k - 1) - p1 + a), "high padding; output padding lengthens it"),
        (
            eq(length, s * (m - 1) + 1 + low + high),
            "m inputs with s - 1 zeros between neighbours, padded",
        ),
        (eq(size, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a), "the size that is claimed"),
    )
    first: Given = (le(0, t), "the first tap of window t is on the line")
    last: Given = (lt(t + d * (k - 1), length), "so is its last tap")
    output: tuple[Given, ...] = (
        (le(0, t), "take an output number t from 0 on"),
        (lt(t, size), "that is below the size"),
    )
    inside = below(t + d * tap, length)
    return (
        Claim(
            f"{title}: every window is counted",
            "An output whose window lies on the stretched and padded line is one of 0, ..., "
            "size - 1.",
            (first, last, *made),
            below(t, size),
            ((lt(t, size), "subtract the d(k - 1) that a window reaches beyond its start"),),
        ),
        Claim(
            f"{title}: every counted window is inside",
            "All taps of the windows 0 to size - 1 lie on the stretched and padded line.",
            (D1, *output, *TAP, *made),
            inside,
            ((inside[0], "no tap lies before the line"), (inside[1], "nor behind it")),
        ),
    )


def position_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that windows (i, j) of two axes and columns i*width + j correspond."""
    i, j, height, width, column = symbols("i j height width column")

    def along(x: Polynomial, top: Polynomial, name: str) -> tuple[Given, ...]:
        return (
            (le(0, x), f"a window number along the {name} axis"),
            (lt(x, top), "below their count"),
        )

    number: Given = (eq(column, i * width + j), "row by row")
    return (
        Claim(
            f"{title}: every window has a column",
            "Windows i and j along two axes are column i*width + j, below height*width.",
            (*along(i, height, "first"), *along(j, width, "second"), number),
            below(column, height * width),
            (
                (le(1, width), "so there is a window along the second axis"),
                (le(0, column), "sums and products of what is not negative"),
                (lt(column, height * width), "at most the last window of the last row"),
            ),
        ),
        Claim(
            f"{title}: every column has a window",
            "Column c is the windows i = floor(c/width) and j = c - width*i.",
            (
                (le(1, width), "there is a window along the second axis"),
                (le(0, column), "take a column from 0 on"),
                (lt(column, height * width), "below height*width"),
                (floor(i, column, width), "its window along the first axis"),
                (eq(j, column - width * i), "its window along the second axis"),
            ),
            (*below(i, height), *below(j, width), eq(j, column - width * i)),
            (
                (le(0, j), "the remainder is not negative"),
                (lt(j, width), "and below the divisor"),
                (le(0, i), "the quotient is not negative"),
                (lt(i, height), "and below the height"),
            ),
        ),
    )
