"""Adaptive pooling's windows, and the size of an enlargement by a scale."""

from __future__ import annotations

from convmat.certificates.polynomials import symbols
from convmat.certificates.provers.sizes.claim import Claim, Given, Story, below
from convmat.certificates.statements import Statement, eq, floor, le, lt

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
PAST = eq(past, -z)


def _bounds(c: Story) -> tuple[Statement, Statement, Statement, Statement]:
    """Return m*first <= o*n < m*first + m and (o + 1)n <= m*past < (o + 1)n + m."""
    low, high = c.bounds(WINDOW[0][0], M1[0])
    c.say("the begin is rounded down", low)
    c.say("by less than 1", high)
    above, close = c.bounds(WINDOW[1][0], M1[0])
    after = c.say("the end is rounded up", c.infer(le((o + 1) * n, m * past), above, by=[PAST]))
    near = c.say("by less than 1", c.infer(lt(m * past, (o + 1) * n + m), close, by=[PAST]))
    return low, high, after, near


def adaptive_claims(title: str) -> tuple[Claim, ...]:
    """Claim that windows lie inside, cover the input, and how long they are."""
    output: tuple[Given, ...] = (O0, (lt(o, m), "of m outputs"))
    next_first, g = symbols("next g")

    def inside(c: Story) -> None:
        low, high, after, near = _bounds(c)
        start = c.infer(le(0, o * n), (1, O0[0], N1[0]), O0[0])
        c.say("products of what is not negative are not negative", start)
        c.say("so the begin is not negative", c.divide(le(0, first), M1[0], high, start))
        c.say(
            "begin and end are n/m > 0 apart before they are rounded",
            c.divide(lt(first, past), M1[0], low, after, N1[0]),
        )
        c.say(
            "the last window ends at n",
            c.divide(le(past, n), M1[0], near, (1, N1[0], output[1][0]), output[1][0]),
        )

    def lengths(c: Story) -> None:
        low, high, after, near = _bounds(c)
        is_length = eq(length, past - first)
        c.say("rounding only adds", c.infer(le(n, m * length), low, after, by=[is_length]))
        c.say(
            "less than 1 at each end",
            c.infer(le(m * length, n + 2 * m - 2), high, near, by=[is_length]),
        )

    def reaches_next(c: Story) -> None:
        _, _, after, _ = _bounds(c)
        low, _ = c.bounds(floor(next_first, (o + 1) * n, m), M1[0])
        c.say("the next begin is rounded down", low)
        c.say(
            "what is rounded down is not above what is rounded up",
            c.divide(le(next_first, past), M1[0], low, after, M1[0]),
        )

    def covers(c: Story) -> None:
        chosen = floor(o, i * m, n)
        low, high = c.bounds(chosen, N1[0])
        c.say("window o would begin at or before input i", low)
        c.say("and end after it", high)
        begins, _, ends, _ = _bounds(c)
        i0, top = le(0, i), lt(i, n)
        start = c.infer(le(0, i * m), (1, i0, M1[0]), i0)
        c.say("the quotient is not negative", c.divide(le(0, o), N1[0], high, start))
        c.say(
            "and below m",
            c.divide(lt(o, m), N1[0], low, (1, M1[0], top), M1[0], top),
        )
        c.say("it begins before", c.divide(le(first, i), M1[0], begins, low, M1[0]))
        c.say("and ends after", c.divide(lt(i, past), M1[0], ends, high))

    def even(c: Story) -> None:
        whole = eq(n, m * g)
        for times, given, words in (
            (o, WINDOW[0][0], "it begins at o*g"),
            (-(o + 1), WINDOW[1][0], "(o + 1)*g is not rounded"),
        ):
            value, numerator = times * g, times * n
            # The term 0 makes an inequality of an equation; slack of `whole`: m*g - n.
            exact = c.combine(le(m * value, numerator), (-times, whole), (0,))
            strict = c.infer(lt(numerator, m * value + m), M1[0], by=[whole])
            quotient = c.follow(floor(value, numerator, m), "floor", exact, strict)
            same = c.follow(eq(value, given.left), "floor same", quotient, given)
            c.say(words, same)
            if given is WINDOW[0][0]:
                c.combine(eq(first, value), (-1, same))
            else:
                c.combine(eq(past, -value), (1, PAST), (1, same))

    return (
        Claim(
            f"{title}: windows lie inside",
            "Window o is not empty and lies in 0, ..., n - 1.",
            (N1, M1, *output, *WINDOW),
            (le(0, first), lt(first, past), le(past, n)),
            inside,
        ),
        Claim(
            f"{title}: windows cover the input",
            "Input i lies in window floor(i*m/n), which is one of 0, ..., m - 1.",
            (
                N1,
                M1,
                (le(0, i), "take an input number i from 0 on"),
                (lt(i, n), "of n inputs"),
                (floor(o, i * m, n), "and the output floor(i*m/n)"),
                *WINDOW,
            ),
            (*below(o, m), le(first, i), lt(i, past)),
            covers,
        ),
        Claim(
            f"{title}: windows leave no gap",
            "Window o + 1 begins no later than window o ends.",
            (M1, *WINDOW, (floor(next_first, (o + 1) * n, m), "where the next window begins")),
            (le(next_first, past),),
            reaches_next,
        ),
        Claim(
            f"{title}: lengths of windows",
            "Windows have at least n/m inputs and at most n/m + 2 - 2/m.",
            (M1, *WINDOW, (eq(length, past - first), "inputs of window o")),
            (le(n, m * length), le(m * length, n + 2 * m - 2)),
            lengths,
        ),
        Claim(
            f"{title}: windows of a multiple",
            "If n = m*g, window o is o*g, ..., (o + 1)*g - 1: pooling with kernel and stride g.",
            (M1, (eq(n, m * g), "m divides n"), *WINDOW),
            (eq(first, o * g), eq(past, (o + 1) * g)),
            even,
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

    def fits(c: Story) -> tuple[Statement, Statement]:
        low, _ = c.bounds(size_is[0], v1[0])
        c.say("size cells fit", low)
        top = output[1][0]
        ends = c.say("so do the first o + 1", c.infer(inside[0], low, (1, v1[0], top), top))
        return low, ends

    def counts(c: Story) -> None:
        _, high = c.bounds(size_is[0], v1[0])
        c.say("size + 1 cells do not fit", high)
        c.say("divide by v", c.divide(lt(o, size), v1[0], high, inside[0]))

    def only_fits(c: Story) -> None:
        fits(c)

    def reads(c: Story) -> None:
        _, ends = fits(c)
        low, high = c.bounds(floor(i, o * v, u), u1[0])
        c.say("the input that is read is rounded down", low)
        c.say("by less than 1", high)
        start = c.infer(le(0, o * v), (1, O0[0], v1[0]), O0[0])
        c.say("it is not negative", c.divide(le(0, i), u1[0], high, start))
        c.say("and below n", c.divide(lt(i, n), u1[0], low, ends, v1[0]))

    def whole(c: Story) -> None:
        nothing = c.infer(le(n * r, n * r))
        strict = c.infer(lt(n * r, n * r + 1))
        exact = c.follow(floor(n * r, n * r, 1), "floor", nothing, strict)
        same = c.follow(eq(n * r, whole_size), "floor same", exact, floor(whole_size, n * r, 1))
        c.say("nothing is rounded", c.combine(eq(whole_size, n * r), (-1, same)))

    return (
        Claim(
            f"{title}: every cell is counted",
            "An output whose cell ends inside the input is one of 0, ..., size - 1.",
            (v1, O0, inside, size_is),
            below(o, size),
            counts,
        ),
        Claim(
            f"{title}: every counted cell is inside",
            "The cells of outputs 0 to size - 1 end inside the input.",
            (v1, *output, size_is),
            (inside[0],),
            only_fits,
        ),
        Claim(
            f"{title}: what nearest reads exists",
            "Output o reads input floor(o*v/u), which is one of 0, ..., n - 1.",
            (u1, v1, *output, size_is, (floor(i, o * v, u), "the input that nearest reads")),
            below(i, n),
            reads,
        ),
        Claim(
            f"{title}: whole scales",
            "With a whole scale r the size is n*r.",
            ((floor(whole_size, n * r, 1), "the size at the scale r/1"),),
            (eq(whole_size, n * r),),
            whole,
        ),
    )
