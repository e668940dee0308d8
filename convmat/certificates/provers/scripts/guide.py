"""Proofs: the guide's relations follow from counting windows.

"Window f - 1 is inside, window f is not" are the two bounds of a floor; at stride 1 they squeeze
f between two equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.draft import Draft
from convmat.certificates.statements import Statement, eq, floor, le, lt
from convmat.certificates.theorems import RELATIONS

__all__ = ["WRITERS"]

s, d, k, e, p0, p1, n, f, m, o, q, a = symbols("s d k e p0 p1 n f m o q a")
low, high, length, back, h, p, z = symbols("low high length N h p z")

S1, SPAN = le(1, s), eq(e, d * (k - 1) + 1)
LINE, ROOM = n + p0 + p1, n + p0 + p1 - e
INSIDE, OUTSIDE = le(s * (f - 1) + e, LINE), lt(LINE, s * f + e)
LOW, HIGH = eq(low, e - 1 - p0), eq(high, e - 1 - p1)
LENGTH = eq(length, s * (m - 1) + 1 + low + high + a)


UNIT, UNPADDED, PLAIN = eq(s, 1), [eq(p0, 0), eq(p1, 0)], eq(a, 0)
SYMMETRIC, FULL = [eq(p0, p), eq(p1, p)], [eq(p0, e - 1), eq(p1, e - 1)]
REST = eq(p1, e - 1 - p0)
Writer = Callable[[Draft], None]


def _before(c: Draft) -> None:
    earlier = c.infer(le(o, f - 1), lt(o, f))
    c.infer(le(s * o + e, LINE), INSIDE, (1, S1, earlier), earlier)


def _after(c: Draft) -> None:
    later = le(f, o)
    c.infer(lt(LINE, s * o + e), OUTSIDE, (1, S1, later), later)


def _counts(c: Draft) -> None:
    first, second = c.bounds(floor(q, ROOM, s), S1)
    c.infer(INSIDE, first, by=[eq(f, q + 1)])
    c.infer(OUTSIDE, second, by=[eq(f, q + 1)])


def _half(c: Draft, span: Statement) -> list[Statement]:
    """Show p = floor(e/2) = h; return the equations that put h for p0, p1, p and e."""
    below = c.infer(le(2 * h, e), by=[span])
    above = c.infer(lt(e, 2 * h + 2), by=[span])
    quotient = c.follow(floor(h, e, 2), "floor", below, above)
    half = c.follow(eq(p, h), "floor same", floor(p, e, 2), quotient)
    return [*SYMMETRIC, half, span]


def _unit(value: Polynomial, *by: Statement, span: Statement | None = None) -> Writer:
    """Show f = value, which follows from s = 1 and the paddings."""

    def write(c: Draft) -> None:
        equations = [UNIT, *by, *(_half(c, span) if span else [])]
        least = c.infer(le(f, value), INSIDE, by=equations)
        most = c.infer(le(value, f), OUTSIDE, by=equations)
        c.squeeze(eq(f, value), least, most)

    return write


def _floor(room: Polynomial, *by: Statement) -> Writer:
    """Show f - 1 = floor(room / s)."""

    def write(c: Draft) -> None:
        below = c.infer(le(s * (f - 1), room), INSIDE, by=by)
        above = c.infer(lt(room, s * (f - 1) + s), OUTSIDE, by=by)
        c.follow(floor(f - 1, room, s), "floor", below, above)

    return write


def _dilation(c: Draft) -> None:
    c.infer(eq(e, k + (k - 1) * (d - 1)), by=[SPAN])
    _floor(LINE - k - (k - 1) * (d - 1), SPAN)(c)


def _stretched(c: Draft) -> Statement:
    """Show N = s(m - 1) + a + e - p0 - p1 from the windows of the stretched line."""
    closed = s * (m - 1) + a + e - p0 - p1
    by = [LENGTH, LOW, HIGH]
    least = c.infer(le(back, closed), le(back - 1 + e, length), by=by)
    most = c.infer(le(closed, back), lt(length, back + e), by=by)
    return c.squeeze(eq(back, closed), least, most)


def _counted(c: Draft) -> Statement:
    """Show m - 1 = floor(room / s)."""
    below = c.infer(le(s * (m - 1), ROOM), le(s * (m - 1) + e, LINE))
    above = c.infer(lt(ROOM, s * (m - 1) + s), lt(LINE, s * m + e))
    return c.follow(floor(m - 1, ROOM, s), "floor", below, above)


def _transposed_unit(*by: Statement, span: Statement | None = None) -> Writer:
    """Show the goals of a relation with s = 1: paddings, N in closed form, N = n."""

    def write(c: Draft) -> None:
        size = _stretched(c)
        least = c.infer(le(m, ROOM + 1), le(s * (m - 1) + e, LINE), by=[UNIT])
        most = c.infer(le(ROOM + 1, m), lt(LINE, s * m + e), by=[UNIT])
        count = c.squeeze(eq(m, ROOM + 1), least, most)
        c.infer(eq(back, n), by=[size, count, UNIT, PLAIN])
        _paddings_and_size(c, [size, UNIT, PLAIN], [*by, *(_half(c, span) if span else [])])

    return write


def _paddings_and_size(c: Draft, size: list[Statement], by: list[Statement]) -> None:
    """Show the goals about low, high and N that are not there yet."""
    for goal in c.theorem.goals:
        if goal.left in (low, high):
            c.infer(goal, by=[LOW, HIGH, *by])
        elif goal.left == back and goal.right != n:
            c.infer(goal, by=[*size, *by])


def _transposed_exact(exact: Statement, *by: Statement) -> Writer:
    """Show the goals where a number of strides fills the room."""

    def write(c: Draft) -> None:
        size, quotient = _stretched(c), _counted(c)
        least = c.infer(le(s * z, ROOM), (-1, exact), by=by)
        most = c.infer(lt(ROOM, s * z + s), S1, (1, exact), by=by)
        same = c.follow(
            eq(z, m - 1), "floor same", c.follow(floor(z, ROOM, s), "floor", least, most), quotient
        )
        c.infer(eq(back, n), (-1, exact), by=[size, PLAIN, same, *by])
        _paddings_and_size(c, [size, PLAIN], list(by))

    return write


def _transposed_any(c: Draft) -> None:
    size, quotient = _stretched(c), _counted(c)
    rest, hypothesis = eq(a, ROOM - s * q), floor(q, ROOM, s)
    same = c.follow(eq(q, m - 1), "floor same", hypothesis, quotient)
    c.infer(eq(back, n), by=[size, rest, same])
    below, above = c.bounds(hypothesis, S1)
    c.infer(le(0, a), below, by=[rest])
    c.infer(lt(a, s), above, by=[rest])


ODD, EVEN = eq(e, 2 * h + 1), eq(e, 2 * h)

# Beside each number of a relation, the proofs of its theorems in the order of `RELATIONS`.
_BY_NUMBER: dict[int, tuple[Writer, ...]] = {
    1: (_unit(n - e + 1, *UNPADDED),),
    2: (_unit(n - e + p0 + p1 + 1),),
    3: (_unit(n, span=ODD), _unit(n, REST), _unit(n + 1, span=EVEN)),
    4: (_unit(n + e - 1, *FULL),),
    5: (_floor(n - e, *UNPADDED),),
    6: (_floor(ROOM),),
    7: (_floor(n - k, *UNPADDED, SPAN, eq(d, 1)),),
    8: (_transposed_unit(*UNPADDED),),
    9: (_transposed_unit(),),
    10: (_transposed_unit(span=ODD), _transposed_unit(REST)),
    11: (_transposed_unit(*FULL),),
    12: (_transposed_exact(eq(n - e, s * z), *UNPADDED),),
    13: (_transposed_exact(eq(ROOM, s * z)),),
    14: (_transposed_any,),
    15: (_dilation,),
}

WRITERS: dict[str, Writer] = {
    "windows before the last are inside": _before,
    "windows after the last are not inside": _after,
    "the formula counts windows": _counts,
} | {
    name: writer
    for number, names in RELATIONS.items()
    for name, writer in zip(names, _BY_NUMBER[number], strict=True)
}
