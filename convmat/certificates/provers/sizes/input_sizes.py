"""Which inputs lead to an output size, and which output padding leads back to one of them."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.sizes.claim import Claim, Given, Story, greatest, least
from convmat.certificates.provers.sizes.same_padding import rounded_up
from convmat.certificates.provers.sizes.window_sizes import S1, counted_by
from convmat.certificates.statements import Statement, eq, floor, le, lt

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


def _pair(
    title: str,
    ends: tuple[Given, ...],
    counted: tuple[Given, ...],
    steps: tuple[Statement, Polynomial, Statement],
) -> tuple[Claim, Claim]:
    """Claim that the size is m exactly for first <= n <= last = first + s - 1.

    `steps` is a floor over s in terms of n, what it is if the size is m, and the equation of the
    size.
    """
    quotient, value, outputs = steps
    rises = value.terms.get((("m", 1),)) == 1  # or the floor falls as m grows
    fixed: Given = (eq(m, size), "whose size is m")
    by = [statement for statement, _ in reversed(ends)]

    def one_way(c: Story) -> None:
        low, high = c.bounds(quotient, S1[0])
        c.say("the floor is not above its fraction", low)
        c.say("and less than 1 below it", high)
        equations = [*by, fixed[0], outputs]
        pair = (low, high) if rises else (high, low)
        c.say("so n is not below the first", c.infer(RANGE[0][0], pair[0], by=equations))
        c.say("nor above the last", c.infer(RANGE[1][0], pair[1], by=equations))

    def other_way(c: Story) -> None:
        bounds = RANGE if rises else RANGE[::-1]
        below = c.say(
            "s times the floor that is claimed is not above",
            c.infer(le(s * value, quotient.right), bounds[0][0], by=by),
        )
        above = c.say(
            "and less than s below",
            c.infer(lt(quotient.right, s * value + s), bounds[1][0], by=by),
        )
        found = c.say(
            "so it is the floor", c.follow(floor(value, quotient.right, s), "floor", below, above)
        )
        same = c.say(
            "of which there is one",
            c.follow(eq(value, quotient.left), "floor same", found, quotient),
        )
        sign = 1 if rises else -1
        c.say("the size is m", c.combine(eq(size, m), (1, outputs), (-sign, same)))

    return (
        Claim(
            f"{title}: no other inputs",
            "An input size that leads to m outputs is one of first, ..., last.",
            (S1, *counted, fixed, *ends),
            (RANGE[0][0], RANGE[1][0]),
            one_way,
        ),
        Claim(
            f"{title}: all of these inputs",
            "All of first, ..., last lead to m outputs; they are s consecutive sizes.",
            (S1, *RANGE, *ends, *counted),
            (eq(size, m), eq(last, first + s - 1)),
            other_way,
        ),
    )


LAST: Given = (eq(last, first + s - 1), "there are s of them")


def inverse_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that n from s(m - 1) + d(k - 1) + 1 - p0 - p1 on, s of them, lead to m."""
    counted = counted_by(ROOM)
    ends: tuple[Given, ...] = ((eq(first, LEAST), "the first input size"), LAST)
    return _pair(title, ends, counted, (counted[0][0], m - 1, counted[1][0]))


def same_inverse_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that s(m - 1) + 1, ..., s*m lead to m under SAME padding."""
    counted = rounded_up(size)
    ends: tuple[Given, ...] = ((eq(first, s * (m - 1) + 1), "the first input size"), LAST)
    return _pair(title, ends, counted, (counted[0][0], -m, counted[1][0]))


def ceil_inverse_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that s consecutive n lead to m with ceil_mode, from the larger of two bounds on."""
    y, stops, starts, reach = symbols("y stops starts reach")
    ends_at, starts_at = floor(x, -ROOM, s), floor(y, -n - p0, s)
    counted: tuple[Given, ...] = (
        (ends_at, "-x steps, rounded up, reach the end"),
        (eq(stops, 1 - x), "windows that overhang the end by less than a stride"),
        (starts_at, "the same for the last start"),
        (eq(starts, -y), "windows that start before the high padding"),
    )
    size_is = least(size, stops, starts, "the size is the smaller of the two counts")
    reach_is = greatest(
        reach, 0, d * (k - 1) + 1 - s - p1, "what a window reaches behind stride and high padding"
    )
    ends: tuple[Given, ...] = (
        *reach_is,
        (eq(first, s * (m - 1) + 1 - p0 + reach), "the first input size"),
        LAST,
    )
    fixed: Given = (eq(m, size), "whose size is m")
    by = [LAST[0], eq(first, s * (m - 1) + 1 - p0 + reach)]
    counts = [eq(stops, 1 - x), eq(starts, -y)]
    no_reach, some_reach = (s for s, _ in reach_is[:2])

    def one_way(c: Story) -> None:
        is_first = eq(first, s * (m - 1) + 1 - p0 + reach)
        end_low, end_high = c.bounds(ends_at, S1[0])
        start_low, start_high = c.bounds(starts_at, S1[0])
        stop, start = le(size, stops), le(size, starts)
        # n is at least what either count asks for, and reach is one of the two.
        room = n - s * (m - 1) - 1 + p0
        free = c.infer(le(0, room), start_high, (1, S1[0], start), start, by=[fixed[0], counts[1]])
        c.say("size starts need that many inputs", free)
        held = c.infer(
            le(d * (k - 1) + 1 - s - p1, room),
            end_high,
            (1, S1[0], stop),
            stop,
            by=[fixed[0], counts[0]],
        )
        c.say("size ends need that many inputs", held)
        reached = c.between(le(reach, room), reach_is, (free, held))
        c.say("so n is large enough for the larger of the two", reached)
        c.say("n is not below the first", c.infer(RANGE[0][0], reached, by=[is_first]))
        # n is at most what one of the counts allows: the one that is the size.
        over_stop = c.infer(le(s * size, s * stops), (1, S1[0], stop), stop)
        over_start = c.infer(le(s * size, s * starts), (1, S1[0], start), start)
        limits = (
            c.infer(
                le(n, last + over_stop.slack), end_low, some_reach, by=[*by, fixed[0], counts[0]]
            ),
            c.infer(
                le(n, last + over_start.slack), start_low, no_reach, by=[*by, fixed[0], counts[1]]
            ),
        )
        for limit in limits:
            c.say("a count that is exceeded by the size allows no more", limit)
        c.say(
            "one of the counts is the size",
            c.either(RANGE[1][0], (over_stop, over_start), limits, (s * s, size_is[2][0])),
        )

    def other_way(c: Story) -> None:
        end_low, end_high = c.bounds(ends_at, S1[0])
        start_low, start_high = c.bounds(starts_at, S1[0])
        ends_m = c.divide(
            le(m, stops), S1[0], end_low, RANGE[0][0], some_reach, by=[by[1], counts[0]]
        )
        c.say("there are inputs for m ends", ends_m)
        starts_m = c.divide(
            le(m, starts), S1[0], start_low, RANGE[0][0], no_reach, by=[by[1], counts[1]]
        )
        c.say("and for m starts", starts_m)
        least_m = c.between(le(m, size), size_is, (ends_m, starts_m))
        c.say("so the smaller count is not below m", least_m)
        stop, start = le(size, stops), le(size, starts)
        bound = le(0, s * (m - size) + s - 1)
        # The gap between `reach` and either of what it is one of, added, follows from that count.
        limits = (
            c.infer(
                le(0, bound.slack + no_reach.slack),
                start_high, (1, S1[0], start), start, RANGE[1][0],
                by=[*by, counts[1]],
            ),
            c.infer(
                le(0, bound.slack + some_reach.slack),
                end_high, (1, S1[0], stop), stop, RANGE[1][0],
                by=[*by, counts[0]],
            ),
        )  # fmt: skip
        allowed = c.either(bound, (no_reach, some_reach), limits, (1, reach_is[2][0]))
        c.say("the inputs allow no more than m, by one count or the other", allowed)
        most_m = c.follow(le(size, m), "divide", S1[0], allowed)
        c.say("divide by s", most_m)
        c.say("the size is m", c.squeeze(eq(size, m), most_m, least_m))

    given: tuple[Given, ...] = (*counted, *size_is)
    return (
        Claim(
            f"{title}: no other inputs",
            "An input size that leads to m outputs is one of first, ..., last.",
            (S1, *given, fixed, *ends),
            (RANGE[0][0], RANGE[1][0]),
            one_way,
        ),
        Claim(
            f"{title}: all of these inputs",
            "All of first, ..., last lead to m outputs; they are s consecutive sizes.",
            (S1, *RANGE, *ends, *given),
            (eq(size, m), eq(last, first + s - 1)),
            other_way,
        ),
    )


def output_padding_claims(title: str) -> tuple[Claim, Claim]:
    """Claim that a = (n + p0 + p1 - d(k - 1) - 1) mod s leads back to n, and no other does."""
    steps, outputs = floor(q, ROOM, s), eq(m, q + 1)
    forth: tuple[Given, ...] = (
        (steps, "q steps of the stride fit into what the first window leaves free"),
        (outputs, "the convolution has q + 1 outputs"),
        (eq(a, ROOM - s * q), "a is what the steps leave over: the remainder by s"),
        (eq(back, LEAST + a), "the size that the transposed convolution makes of m"),
    )

    def returns(c: Story) -> None:
        low, high = c.bounds(steps, S1[0])
        c.say("a remainder is not negative", c.infer(le(0, a), low, by=[forth[2][0]]))
        c.say("and below the divisor", c.infer(lt(a, s), high, by=[forth[2][0]]))
        c.say(
            "insert m, then a: everything but n cancels",
            c.infer(eq(back, n), by=[forth[3][0], outputs, forth[2][0]]),
        )

    made: tuple[Given, ...] = (
        (le(0, a), "take an output padding from 0 on"),
        (lt(a, s), "that is below the stride"),
        (eq(n, LEAST + a), "with which m becomes n"),
    )

    def is_unique(c: Story) -> None:
        below = c.say(
            "m - 1 steps fit into n", c.infer(le(s * (m - 1), ROOM), made[0][0], by=[made[2][0]])
        )
        above = c.say(
            "and m do not",
            c.infer(lt(ROOM, s * (m - 1) + s), made[1][0], by=[made[2][0]]),
        )
        found = c.follow(floor(m - 1, ROOM, s), "floor", below, above)
        c.say("so m - 1 is the floor", found)
        same = c.say("of which there is one", c.follow(eq(m - 1, q), "floor same", found, steps))
        c.say("the convolution of n has m outputs", c.combine(eq(m, q + 1), (1, same)))
        c.say(
            "and a is the remainder",
            c.combine(eq(a, ROOM - s * q), (-1, made[2][0]), (-s, same)),
        )

    return (
        Claim(
            f"{title}: it leads back",
            "With a the remainder of the floor, the transposed convolution leads from m back to n.",
            (S1, *forth),
            (le(0, a), lt(a, s), eq(back, n)),
            returns,
        ),
        Claim(
            f"{title}: no other does",
            "If an output padding below the stride leads from m to n, the convolution has m "
            "outputs, and it is the remainder.",
            (S1, *made, forth[0]),
            (eq(m, q + 1), eq(a, ROOM - s * q)),
            is_unique,
        ),
    )
