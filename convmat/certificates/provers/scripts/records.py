"""Proofs about records: transposing them, zero insertion, composition."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.draft import Draft
from convmat.certificates.provers.scripts.transposed import zero_inserted
from convmat.certificates.statements import Statement, eq, floor, le, lt

__all__ = ["WRITERS"]

FIELDS = ("n", "m", "k", "s", "b", "d", "pad")

n, m, f, q1, q2, i, h, o = symbols("n m f q1 q2 i h o")
s1, d1, k1, low1, high1 = symbols("s1 d1 k1 low1 high1")
s2, d2, k2, low2, high2 = symbols("s2 d2 k2 low2 high2")
stride, kernel, low, high = symbols("stride kernel low high")
tap, tap1, tap2, flip = symbols("tap tap1 tap2 flip")


def _fields(suffix: str) -> tuple[Polynomial, ...]:
    return symbols(" ".join(name + suffix for name in FIELDS))


def _transposes(new: str, old: str) -> list[Statement]:
    n, m, k, s, b, d, pad = _fields(old)
    return list(map(eq, _fields(new), (m, n, k, b, s, d, d * (k - 1) - pad)))


def _transpose(c: Draft) -> None:
    n, m, k, s, b, d, pad = _fields("")
    new_in, new_out, new_k, new_s, new_b, new_d, new_pad = _fields("1")
    record = _transposes("1", "")
    flipped = c.define(flip, k - 1 - tap)
    # s*o = b*i - d*tap + pad = b*i + d*flip - (d(k - 1) - pad).
    reads = eq(b * i, s * o + d * tap - pad)
    goal = eq(new_b * o, new_s * i + new_d * flip - new_pad)
    c.infer(goal, (-1, reads), by=[*record[3:], flipped])
    c.infer(le(0, flip), lt(tap, k), by=[flipped])
    c.infer(lt(flip, new_k), le(0, tap), by=[record[2], flipped])
    c.infer(lt(o, new_in), lt(o, m), by=record[:1])
    c.infer(lt(i, new_out), lt(i, n), by=record[1:2])


def _twice(c: Draft) -> None:
    once, twice = _transposes("1", ""), _transposes("2", "1")
    for new, old in zip(_fields("2"), _fields(""), strict=True):
        c.infer(eq(new, old), by=[*twice, *once])
    k, new_k = symbols("k k1")
    flips = [eq(tap2, new_k - 1 - flip), eq(flip, k - 1 - tap), once[2]]
    c.infer(eq(tap2, tap), by=flips)


def _insertion_relation(c: Draft) -> None:
    s, d, k, p0, t, j, u, v = symbols("s d k p0 t j u v")
    c.combine(
        eq(s * j, t + d * flip - (d * (k - 1) - p0)),
        (-1, eq(u, s * j)),
        (-1, eq(v, u + d * (k - 1) - p0)),
        (1, eq(v, t + d * flip)),
    )


def _insertion(c: Draft) -> None:
    s, d, k, p0, t, j = symbols("s d k p0 t j")
    zero_inserted(c, [], (1, eq(s * j, t + d * flip - (d * (k - 1) - p0))))


def _composed_size(c: Draft) -> None:
    span1, span2 = d1 * (k1 - 1), d2 * (k2 - 1)
    one, two = le(1, s1), le(1, s2)
    inner = c.bounds(floor(q1, n + low1 + high1 - span1 - 1, s1), one)
    outer = c.bounds(floor(q2, m + low2 + high2 - span2 - 1, s2), two)
    by = [*_one_window(), eq(f, q2 + 1), eq(m, q1 + 1)]
    # s1 times the outer floor's bounds is the sum of s1 - 1 times them and themselves.
    room = n + low + high - (kernel - 1) - 1
    below, above = (
        c.infer(goal, first, (1, one, second), second, by=by)
        for goal, first, second in zip(
            (le(stride * (f - 1), room), lt(room, stride * (f - 1) + stride)),
            inner,
            outer,
            strict=True,
        )
    )
    c.follow(floor(f - 1, room, stride), "floor", below, above)


def _one_window() -> list[Statement]:
    return [
        eq(stride, s1 * s2),
        eq(kernel, d1 * (k1 - 1) + s1 * d2 * (k2 - 1) + 1),
        eq(low, low1 + s1 * low2),
        eq(high, high1 + s1 * high2),
    ]


FIRST, SECOND = eq(i, s1 * h + d1 * tap1 - low1), eq(h, s2 * o + d2 * tap2 - low2)
OFFSET = eq(tap, d1 * tap1 + s1 * d2 * tap2)
READS = eq(i, stride * o + tap - low)


def _two_to_one(c: Draft) -> None:
    c.define(tap, OFFSET.right)
    c.infer(READS, by=[FIRST, SECOND, OFFSET, *_one_window()])
    _tap_inside(c)


def _one_to_two(c: Draft) -> None:
    c.infer(FIRST, by=[READS, OFFSET, SECOND, *_one_window()])
    _tap_inside(c)


def _tap_inside(c: Draft) -> None:
    """Show 0 <= d1*tap1 + s1*d2*tap2 < kernel from the bounds of the two taps."""
    one, dilation = le(1, s1), le(1, d2)
    first = le(1, d1)
    second = c.infer(le(1, s1 * d2), (1, one, dilation), one, dilation)
    t1, t2 = le(0, tap1), le(0, tap2)
    c.infer(le(0, tap), (1, first, t1), t1, (1, second, t2), t2, by=[OFFSET])
    t1, t2 = lt(tap1, k1), lt(tap2, k2)
    c.infer(lt(tap, kernel), (1, first, t1), t1, (1, second, t2), t2, by=[OFFSET, _one_window()[1]])


def _uncut(c: Draft) -> None:
    dilation, t0, t1 = le(1, d2), le(0, tap2), lt(tap2, k2)
    two, o0 = le(1, s2), le(0, o)
    c.infer(le(0, h), (1, two, o0), o0, (1, dilation, t0), t0, le(low2, 0), by=[SECOND])
    below, _ = c.bounds(floor(q2, m + low2 + high2 - d2 * (k2 - 1) - 1, s2), two)
    # The last window that is counted ends inside the middle.
    last = c.infer(le(o, q2), lt(o, f), by=[eq(f, q2 + 1)])
    c.infer(lt(h, m), below, (1, two, last), last, (1, dilation, t1), t1, le(high2, 0), by=[SECOND])


WRITERS = {
    "transpose of a record": _transpose,
    "transposing twice": _twice,
    "zero insertion to a record": _insertion_relation,
    "a record to zero insertion": _insertion,
    "composition of two windows: size": _composed_size,
    "composition of two windows: two to one": _two_to_one,
    "composition of two windows: one to two": _one_to_two,
    "composition of two windows: nothing is cut": _uncut,
}
