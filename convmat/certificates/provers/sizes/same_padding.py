"""SAME padding: as many outputs as strides begin, from the least padding, split in halves."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.sizes.claim import Claim, Given, Story, greatest
from convmat.certificates.provers.sizes.window_sizes import D1, K1, S1, counted_by, window_claims
from convmat.certificates.statements import Statement, eq, floor, le, lt

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
    pads = [eq(larger, total - half), eq(smaller, half)]

    def size_is_out(c: Story) -> None:
        starts, _ = c.bounds(floor(x, -n, s), S1[0])
        fits = c.say(
            "the padding holds the last of `out` windows",
            c.infer(le(s * (out - 1), room), le(need, total), by=[*pads, NEED]),
        )
        most = _at_most(c, starts)
        above = c.say("so there is no room for another", c.infer(lt(room, s * out), most, by=pads))
        quotient = c.say(
            "the two say what the floor is", c.follow(floor(out - 1, room, s), "floor", fits, above)
        )
        steps, outputs = counted_by(room)
        same = c.say(
            "of which there is one", c.follow(eq(out - 1, q), "floor same", quotient, steps[0])
        )
        c.say("and the sizes agree", c.combine(eq(size, out), (1, outputs[0]), (-1, same)))
        two = c.say("to halve is to divide by 2", c.infer(le(1, 2)))
        below, above = c.bounds(floor(half, total, 2), two)
        c.say("the larger half is not smaller", c.infer(le(smaller, larger), below, by=pads))
        c.say("and larger by 1 at most", c.infer(le(larger, smaller + 1), above, by=pads))

    return (
        Claim(
            f"{title}: the size is ceiling(n/s)",
            "With this padding a convolution has ceiling(n/s) outputs, and the two ends differ by "
            "1 at most.",
            (S1, D1, K1, *PADDING, *split, *counted_by(room)),
            (eq(size, out), le(smaller, larger), le(larger, smaller + 1)),
            size_is_out,
        ),
        _least_claim("same"),
        *window_claims("same", low, high),
    )


def _at_most(c: Story, starts: Statement) -> Statement:
    """Show that total is at most out*s - n + d(k - 1), be it 0 or what is needed."""
    bound = s * out - n + d * (k - 1)
    enough = c.say(
        "`out` strides are not shorter than n, and a window has some length",
        c.infer(le(0, bound), starts, (1, D1[0], K1[0]), K1[0], by=[eq(out, -x)]),
    )
    needed = c.say("what is needed leaves no stride", c.infer(le(need, bound), S1[0], by=[NEED]))
    return c.say(
        "so neither does the padding, which is one of the two",
        c.between(le(total, bound), TOTAL, (enough, needed)),
    )


def _least_claim(title: str) -> Claim:
    other, steps, m = symbols("other steps m")
    given: tuple[Given, ...] = (
        (le(0, other), "take another padding"),
        (floor(steps, n + other - d * (k - 1) - 1, s), "with as many steps"),
        (eq(m, steps + 1), "and m outputs"),
        (le(out, m), "of which there are enough"),
    )

    def write(c: Story) -> None:
        fit, _ = c.bounds(given[1][0], S1[0])
        needed = c.say(
            "it holds the last of `out` windows",
            c.infer(
                le(need, other),
                fit,
                (1, S1[0], le(out, m)),
                le(out, m),
                by=[NEED, eq(m, steps + 1)],
            ),
        )
        c.say(
            "it is not less than 0, nor than what is needed",
            c.between(le(total, other), TOTAL, (given[0][0], needed)),
        )

    return Claim(
        f"{title}: no smaller padding would do",
        "Padding that leads to at least ceiling(n/s) outputs is not less than this.",
        (S1, *PADDING, *given),
        (le(total, other),),
        write,
    )
