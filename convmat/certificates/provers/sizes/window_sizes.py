"""Which windows lie inside: convolution, pooling, their transposes, unfolding.

Every formula is proved in two directions: an output whose window is inside is counted, and one
that is counted has all of its window inside.
"""

from __future__ import annotations

from convmat.certificates.polynomials import Operand, Polynomial, symbols
from convmat.certificates.provers.sizes.claim import Claim, Given, Story, below, least
from convmat.certificates.statements import Statement, eq, floor, le, lt

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

    def fits(c: Story) -> None:
        floor_low, _ = _steps(c, room)
        c.say(
            "no tap lies before the padded input",
            c.infer(le(0, s * o + d * tap), (1, S1[0], O0[0]), O0[0], (1, D1[0], TAP[0][0]),
                    TAP[0][0]),
        )  # fmt: skip
        c.say(
            "nor behind it: put the largest o, size - 1, and the last tap, k - 1",
            c.infer(
                lt(s * o + d * tap, total),
                floor_low,
                (1, S1[0], OUTPUT[1][0]), OUTPUT[1][0],
                (1, D1[0], TAP[1][0]), TAP[1][0],
                by=[eq(size, q + 1)],
            ),
        )  # fmt: skip

    return (
        _every_window(title, (first, last), room),
        Claim(
            f"{title}: every counted window is inside",
            "All taps of the windows 0 to size - 1 lie in the padded input.",
            (S1, D1, *OUTPUT, *TAP, *counted_by(room)),
            below(s * o + d * tap, total),
            fits,
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

    def reaches(c: Story) -> None:
        floor_low, _ = _steps(c, room)
        c.say("outputs and strides are not negative", c.infer(last[0], (1, S1[0], O0[0]), O0[0]))
        c.say(
            "put the largest o, size - 1",
            c.infer(
                first[0], floor_low, (1, S1[0], OUTPUT[1][0]), OUTPUT[1][0], by=[eq(size, q + 1)]
            ),
        )

    return (
        _every_window(title, (last, first), room),
        Claim(
            f"{title}: every counted window reaches the input",
            "Windows 0 to size - 1 end at or behind the first input, and begin at or before the "
            "last.",
            (S1, *OUTPUT, *counted_by(room)),
            (last[0], first[0]),
            reaches,
        ),
    )


def _every_window(title: str, inside: tuple[Given, Given], room: Polynomial) -> Claim:
    """Claim that an output whose window is where it should be is one of 0 .. size - 1."""

    def write(c: Story) -> None:
        start = c.say(
            "so s*o is at most the room beside a window", c.infer(le(s * o, room), inside[1][0])
        )
        _, above = _steps(c, room)
        _not_negative(c, inside[0][0])
        c.say(
            "o steps fit, and no more than q do: divide s*o < s*size by s",
            c.divide(lt(o, size), S1[0], start, above, by=[eq(size, q + 1)]),
        )

    return Claim(
        f"{title}: every window is counted",
        "An output whose window is inside is one of 0, ..., size - 1.",
        (S1, *inside, *counted_by(room)),
        below(o, size),
        write,
    )


def _steps(c: Story, room: Polynomial) -> tuple[Statement, Statement]:
    low, high = c.bounds(floor(q, room, s), S1[0])
    return c.say("q steps fit", low), c.say("q + 1 steps do not", high)


def _not_negative(c: Story, start: Statement) -> Statement:
    return c.say("strides are positive: divide by s", c.divide(le(0, o), S1[0], start, S1[0]))


def ceil_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that ceil_mode counts windows that overhang by less than s and start inside."""
    room = n + p0 + p1 - d * (k - 1) - 1
    x, y, stops, starts = symbols("x y stops starts")
    minus_room: Given = (floor(x, -room, s), "-x steps, rounded up, reach the end")
    minus_start: Given = (floor(y, -n - p0, s), "the same for the last start")
    size_is = least(size, stops, starts, "the size is the smaller of the two counts")
    given: tuple[Given, ...] = (
        minus_room,
        (eq(stops, 1 - x), "windows that overhang the end by less than a stride"),
        minus_start,
        (eq(starts, -y), "windows that start before the high padding"),
        *size_is,
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

    def counts(c: Story) -> None:
        _not_negative(c, first[0])
        low, _ = c.bounds(minus_room[0], S1[0])
        by_end = c.say(
            "o steps reach no further than the end rounded up",
            c.divide(lt(o, stops), S1[0], low, overhang[0], by=[eq(stops, 1 - x)]),
        )
        low, _ = c.bounds(minus_start[0], S1[0])
        by_start = c.say(
            "o is one of the starts", c.divide(lt(o, starts), S1[0], low, inside[0],
                                               by=[eq(starts, -y)])
        )  # fmt: skip
        c.say(
            "o is below both counts, so below the smaller",
            c.between(lt(o, size), size_is, (by_end, by_start)),
        )

    def fits(c: Story) -> None:
        c.say("strides are positive", c.infer(first[0], (1, S1[0], O0[0]), O0[0]))
        for bound, minus, count, value, words in (
            (overhang, minus_room, stops, 1 - x, "put the largest o of the first count"),
            (inside, minus_start, starts, -y, "put the largest o of the second count"),
        ):
            _, high = c.bounds(minus[0], S1[0])
            below_count = c.infer(lt(o, count), OUTPUT[1][0], le(size, count))
            c.say("the size is not above this count", below_count)
            c.say(
                words,
                c.infer(
                    bound[0], high, (1, S1[0], below_count), below_count, by=[eq(count, value)]
                ),
            )

    return (
        Claim(
            f"{title}: every window is counted",
            "An output whose window starts before the high padding and overhangs by less than a "
            "stride is one of 0, ..., size - 1.",
            (S1, first, overhang, inside, *given),
            below(o, size),
            counts,
        ),
        Claim(
            f"{title}: every counted window is allowed",
            "Windows 0 to size - 1 start before the high padding and overhang by less than a "
            "stride.",
            (S1, *OUTPUT, *given),
            (first[0], overhang[0], inside[0]),
            fits,
        ),
    )


def transposed_claims(title: str) -> tuple[Claim, Claim]:
    """Claim the size of zero insertion, padding and correlation at stride 1."""
    length, low, high = symbols("length low high")
    flip = tap
    made: tuple[Given, ...] = (
        (eq(low, d * (k - 1) - p0), "low padding of the stretched input"),
        (eq(high, d * (k - 1) - p1 + a), "high padding; output padding lengthens it"),
        (
            eq(length, s * (m - 1) + 1 + low + high),
            "m inputs with s - 1 zeros between neighbours, padded",
        ),
        (eq(size, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a), "the size that is claimed"),
    )
    by = [made[2][0], made[1][0], made[0][0], made[3][0]]
    first: Given = (le(0, t), "the first tap of window t is on the line")
    last: Given = (lt(t + d * (k - 1), length), "so is its last tap")

    def counts(c: Story) -> None:
        c.say(
            "subtract the d(k - 1) that a window reaches beyond its start",
            c.infer(lt(t, size), last[0], by=by),
        )

    def fits(c: Story) -> None:
        c.say(
            "no tap lies before the line",
            c.infer(le(0, t + d * flip), first[0], (1, D1[0], TAP[0][0]), TAP[0][0]),
        )
        c.say(
            "nor behind it",
            c.infer(lt(t + d * flip, length), lt(t, size), (1, D1[0], TAP[1][0]), TAP[1][0], by=by),
        )

    output: tuple[Given, ...] = (
        (le(0, t), "take an output number t from 0 on"),
        (lt(t, size), "that is below the size"),
    )
    return (
        Claim(
            f"{title}: every window is counted",
            "An output whose window lies on the stretched and padded line is one of 0, ..., "
            "size - 1.",
            (first, last, *made),
            below(t, size),
            counts,
        ),
        Claim(
            f"{title}: every counted window is inside",
            "All taps of the windows 0 to size - 1 lie on the stretched and padded line.",
            (D1, *output, *TAP, *made),
            below(t + d * flip, length),
            fits,
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
    w1: Given = (le(1, width), "there is a window along the second axis")

    def numbers(c: Story) -> None:
        i0, i1, j0, j1 = (s for s, _ in (*along(i, height, ""), *along(j, width, "")))
        width0 = c.infer(le(0, width), j0, j1)
        c.say(
            "sums and products of what is not negative",
            c.infer(le(0, column), (1, i0, width0), j0, by=[number[0]]),
        )
        c.say(
            "at most the last window of the last row",
            c.infer(lt(column, height * width), (1, i1, width0), j1, by=[number[0]]),
        )

    def comes_back(c: Story) -> None:
        low, high = c.bounds(floor(i, column, width), w1[0])
        rest = eq(j, column - width * i)
        c.say("the remainder is not negative", c.infer(le(0, j), low, by=[rest]))
        c.say("and below the divisor", c.infer(lt(j, width), high, by=[rest]))
        c.say("the quotient is not negative", c.divide(le(0, i), w1[0], high, le(0, column)))
        c.say(
            "and below the height",
            c.divide(lt(i, height), w1[0], low, lt(column, height * width)),
        )

    return (
        Claim(
            f"{title}: every window has a column",
            "Windows i and j along two axes are column i*width + j, below height*width.",
            (*along(i, height, "first"), *along(j, width, "second"), number),
            below(column, height * width),
            numbers,
        ),
        Claim(
            f"{title}: every column has a window",
            "Column c is the windows i = floor(c/width) and j = c - width*i.",
            (
                w1,
                (le(0, column), "take a column from 0 on"),
                (lt(column, height * width), "below height*width"),
                (floor(i, column, width), "its window along the first axis"),
                (eq(j, column - width * i), "its window along the second axis"),
            ),
            (*below(i, height), *below(j, width), eq(j, column - width * i)),
            comes_back,
        ),
    )
