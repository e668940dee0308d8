"""Proofs: layers of other names that are convolutions or transposed convolutions."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.draft import Draft
from convmat.certificates.provers.scripts.transposed import COUNTED, ROOM, STRETCHED, zero_inserted
from convmat.certificates.statements import Statement, eq, floor, le, lt

__all__ = ["WRITERS"]

n, m, s, d, k, p0, p1, a, q, f = symbols("n m s d k p0 p1 a q f")
o, i, tap, t, j, flip, u, v = symbols("o i tap t j flip u v")
r, h, y, x, phase, low, high, width, c_ = symbols("r h y x phase low high width c")
blocks, place, batch, out = symbols("blocks place b out")

R1, D1 = le(1, r), le(1, d)
NEAREST = [eq(s, r), eq(k, r), eq(d, 1), eq(p0, 0), eq(p1, 0), eq(a, 0)]
SUB_PIXEL = [
    eq(s, r), eq(k, r * h), eq(d, 1),
    eq(p0, r * (h - 1 - low)), eq(p1, r * (h - 1 - high)), eq(a, 0),
    eq(width, m + low + high - h + 1),
]  # fmt: skip
READS = [eq(v, t + d * flip), eq(u, s * j), eq(v, u + d * (k - 1) - p0)]


def _tap(c: Draft, goal: Statement, by: list[Statement]) -> Statement:
    """Show which tap is read: t + d*flip = s*j + d(k - 1) - p0, with these options."""
    position, inserted, padded = READS
    return c.infer(goal, (1, position), (-1, padded), (-1, inserted), by=by)


def _to_nearest(c: Draft) -> None:
    size = c.infer(eq(n, r * m), by=[COUNTED, STRETCHED, *NEAREST])
    tapped = _tap(c, eq(k - 1 - flip, t - r * j), NEAREST)
    below = c.infer(le(r * j, t), lt(flip, k), (1, tapped))
    above = c.infer(lt(t, r * j + r), le(0, flip), (-1, tapped), by=NEAREST[1:2])
    c.follow(floor(j, t, r), "floor", below, above)
    c.infer(lt(t, r * m), lt(t, n), by=[size])


def _from_nearest(c: Draft) -> None:
    size = c.infer(eq(n, r * m), by=[COUNTED, STRETCHED, *NEAREST])
    positive = c.infer(R1, le(1, s), by=NEAREST[:1])
    below, above = c.bounds(floor(j, t, r), positive)
    flipped = c.define(flip, k - 1 - (t - r * j))
    c.infer(lt(t, n), lt(t, r * m), by=[size])
    c.infer(le(0, flip), above, by=[flipped, *NEAREST])
    c.infer(lt(flip, k), below, by=[flipped])
    zero_inserted(c, [flipped, *NEAREST])


def _from_exact(c: Draft) -> None:
    positive = c.infer(le(1, 2 * r), (2, R1))
    below, above = c.bounds(floor(j, 2 * t + 1, 2 * r), positive)
    two = c.combine(le(1, Polynomial.of(2)), (1,))
    least = c.divide(le(r * j, t), two, below)
    most = c.divide(lt(t, r * j + r), two, above)
    c.follow(floor(j, t, r), "floor", least, most)


def _to_exact(c: Draft) -> None:
    below, above = c.bounds(floor(j, t, r), R1)
    least = c.infer(le(2 * r * j, 2 * t + 1), (2, below))
    most = c.infer(lt(2 * t + 1, 2 * r * j + 2 * r), (2, above))
    c.follow(floor(j, 2 * t + 1, 2 * r), "floor", least, most)


def _from_sub_pixel(c: Draft) -> None:
    size = c.infer(eq(n, r * width), by=[COUNTED, STRETCHED, *SUB_PIXEL])
    stands, reads = eq(t, r * x + phase), eq(j, x + y - low)
    x0, xw, ph0, phr = le(0, x), lt(x, width), le(0, phase), lt(phase, r)
    y0, yh = le(0, y), lt(y, h)
    c.infer(le(0, t), (1, R1, x0), x0, ph0, by=[stands])
    c.infer(lt(t, n), (1, R1, xw), xw, phr, by=[stands, size])
    flipped = c.define(flip, k - 1 - (r * (h - 1 - y) + phase))
    c.infer(eq(k - 1 - flip, r * (h - 1 - y) + phase), by=[flipped])
    c.infer(le(0, flip), (1, R1, y0), y0, phr, by=[flipped, *SUB_PIXEL])
    c.infer(lt(flip, k), (1, R1, yh), yh, ph0, by=[flipped])
    c.infer(D1, by=[eq(d, 1)])
    zero_inserted(c, [flipped, stands, reads, *SUB_PIXEL])


def _to_sub_pixel(c: Draft) -> None:
    size = c.infer(eq(n, r * width), by=[COUNTED, STRETCHED, *SUB_PIXEL])
    below, above = c.bounds(floor(x, t, r), R1)
    rest, read = c.define(phase, t - r * x), c.define(y, j + low - x)
    c.infer(eq(j, x + y - low), by=[read])
    c.infer(eq(t, r * x + phase), by=[rest])
    ph0 = c.infer(le(0, phase), below, by=[rest])
    phr = c.infer(lt(phase, r), above, by=[rest])
    c.divide(le(0, x), R1, above, le(0, t))
    c.divide(lt(x, width), R1, below, lt(t, n), by=[size])
    # The tap lies in the same cell of r as t, so its cell is one of h.
    tapped = _tap(c, eq(k - 1 - flip, r * (h - 1 - y) + phase), [rest, read, *SUB_PIXEL])
    c.divide(lt(y, h), R1, lt(flip, k), phr, (1, tapped))
    c.divide(le(0, y), R1, le(0, flip), ph0, (-1, tapped), by=SUB_PIXEL)


def _pooled(c: Draft) -> tuple[list[Statement], Statement, Statement]:
    """Show f = c for windows that tile; return options, that equation, and 1 <= k."""
    options = [eq(s, k), eq(d, 1), eq(p0, 0), eq(p1, 0), eq(n, k * c_)]
    k1 = le(1, k)
    below = c.infer(le(s * (c_ - 1), ROOM), by=options)
    above = c.infer(lt(ROOM, s * (c_ - 1) + s), k1, by=options)
    quotient = c.follow(floor(c_ - 1, ROOM, s), "floor", below, above)
    same = c.follow(eq(q, c_ - 1), "floor same", floor(q, ROOM, s), quotient)
    return options, c.infer(eq(f, c_), by=[eq(f, q + 1), same]), k1


def _pool_to_nearest(c: Draft) -> None:
    options, tiles, _ = _pooled(c)
    at_t, at_j = c.define(t, i), c.define(j, o)
    by = [at_t, at_j, eq(i, s * o + d * tap - p0), *options]
    below = c.infer(le(k * j, t), le(0, tap), by=by)
    above = c.infer(lt(t, k * j + k), lt(tap, k), by=by)
    c.follow(floor(j, t, k), "floor", below, above)
    c.infer(le(0, j), le(0, o), by=[at_j])
    c.infer(lt(j, c_), lt(o, f), by=[at_j, tiles])
    c.infer(le(0, t), le(0, i), by=[at_t])
    c.infer(lt(t, k * c_), lt(i, n), by=[at_t, options[-1]])


def _nearest_to_pool(c: Draft) -> None:
    options, tiles, k1 = _pooled(c)
    below, above = c.bounds(floor(o, i, k), k1)
    rest = c.define(tap, i - k * o)
    c.infer(eq(i, s * o + d * tap - p0), by=[*options[:-1], rest])
    c.infer(le(0, tap), below, by=[rest])
    c.infer(lt(tap, k), above, by=[rest])
    c.divide(le(0, o), k1, above, le(0, i))
    c.divide(lt(o, f), k1, below, lt(i, n), by=[tiles, options[-1]])


SPACED = [eq(i, d * place + batch - p0), eq(place, out + tap), eq(o, d * out + batch)]
FILLED = floor(blocks, n + p0 + p1 + d - 1, d)
LEFT = eq(f, n + p0 + p1 - d * (k - 1))


def _to_spaced(c: Draft) -> None:
    below, above = c.bounds(floor(out, o, d), D1)
    rest = c.define(batch, o - d * out)
    moved = c.define(place, out + tap)
    c.infer(eq(i, d * place + batch - p0), by=[eq(i, o + d * tap - p0), moved, rest])
    c.infer(eq(o, d * out + batch), by=[rest])
    c.infer(le(0, batch), below, by=[rest])
    c.infer(lt(batch, d), above, by=[rest])
    first = c.divide(le(0, out), D1, above, le(0, o))
    _, filled = c.bounds(FILLED, D1)
    # d(out + k - 1) <= o + d(k - 1) < n + p0 + p1 <= d*blocks.
    last = c.divide(lt(out, blocks - k + 1), D1, filled, below, lt(o, f), by=[LEFT])
    c.infer(le(0, place), first, le(0, tap), by=[moved])
    c.infer(lt(place, blocks), last, lt(tap, k), by=[moved])


def _from_spaced(c: Draft) -> None:
    read, moved, stands = SPACED
    c.infer(eq(i, o + d * tap - p0), by=[read, moved, stands])
    b0, bd, first = le(0, batch), lt(batch, d), le(0, out)
    c.infer(le(0, o), (1, D1, first), first, b0, by=[stands])
    below = c.infer(le(d * out, o), b0, by=[stands])
    above = c.infer(lt(o, d * out + d), bd, by=[stands])
    c.follow(floor(out, o, d), "floor", below, above)
    c.infer(le(0, place), first, le(0, tap), by=[moved])
    c.infer(lt(place, blocks), lt(out, blocks - k + 1), lt(tap, k), by=[moved])


WRITERS = {
    "nearest upsampling to transposed convolution": _from_nearest,
    "transposed convolution to nearest upsampling": _to_nearest,
    "nearest-exact upsampling to nearest": _from_exact,
    "nearest upsampling to nearest-exact": _to_exact,
    "sub-pixel convolution to transposed convolution": _from_sub_pixel,
    "transposed convolution to sub-pixel convolution": _to_sub_pixel,
    "average pool to nearest upsampling": _pool_to_nearest,
    "nearest upsampling to average pool": _nearest_to_pool,
    "dilated convolution to space-to-batch": _to_spaced,
    "space-to-batch to dilated convolution": _from_spaced,
}
