"""Proofs: the transposed convolution is the transpose."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.draft import Draft, Known
from convmat.certificates.statements import Statement, eq, floor, le, lt

__all__ = ["WRITERS", "zero_inserted"]

n, m, s, d, k, p0, p1, a, q, f, length = symbols("n m s d k p0 p1 a q f length")
o, i, tap, t, j, flip, u, v = symbols("o i tap t j flip u v")
back_to, surplus, total = symbols("N surplus total")

ROOM = n + p0 + p1 - d * (k - 1) - 1  # where the first position of the last window may be
FITS = le(d * (k - 1) + 1, n + p0 + p1)
COUNTED = eq(n, length - d * (k - 1))
STRETCHED = eq(length, s * (m - 1) + 1 + (d * (k - 1) - p0) + (d * (k - 1) - p1 + a))
SIZE = eq(n, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a)
S1, D1 = le(1, s), le(1, d)


def _size(c: Draft) -> None:
    """Show n = s(m-1) + d(k-1) + 1 - p0 - p1 + a, that the window fits, and f = m."""
    _same_count(c)
    _fits(c)


def _closed_form(c: Draft) -> Statement:
    return c.infer(SIZE, by=[COUNTED, STRETCHED])


def _fits(c: Draft) -> None:
    # The room for the window's start, s(m - 1) + a, is a sum of terms that are >= 0.
    m1 = le(1, m)
    c.infer(FITS, (1, S1, m1), m1, le(0, a), by=[SIZE])


def _same_count(c: Draft) -> Statement:
    """Show f = m, from the closed form of n."""
    size = _closed_form(c)
    # Thus room = s(m - 1) + a with 0 <= a < s: the quotient of the floor is m - 1.
    low = c.infer(le(s * (m - 1), ROOM), le(0, a), by=[size])
    high = c.infer(lt(ROOM, s * (m - 1) + s), lt(a, s), by=[size])
    quotient = c.follow(floor(m - 1, ROOM, s), "floor", low, high)
    same = c.follow(eq(m - 1, q), "floor same", quotient, floor(q, ROOM, s))
    return c.combine(eq(f, m), (1, eq(f, q + 1)), (-1, same))


def _output_padding(c: Draft) -> None:
    """Show that a, the remainder of the floor, is an output padding that gives back n."""
    outputs = eq(m, q + 1)
    low, high = c.bounds(floor(q, ROOM, s), S1)
    rest = c.define(a, ROOM - s * (m - 1))
    back = c.define(back_to, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a)
    c.infer(le(0, a), low, by=[rest, outputs])
    c.infer(lt(a, s), high, by=[rest, outputs])
    c.infer(eq(back_to, n), by=[back, rest])
    positive = c.divide(le(0, q), S1, high, FITS)
    c.infer(le(1, m), positive, by=[outputs])


def _forward(c: Draft) -> None:
    maps = _same_count(c)
    _to_transposed(c, lt(o, f), maps)


def _kept_forward(c: Draft) -> None:
    _to_transposed(c, lt(o, m))


def _to_transposed(c: Draft, row: Statement, *maps: Statement) -> None:
    """Turn an entry (o, i, tap) of the convolution into one (t, j, flip) of the other."""
    at_t, at_j = c.define(t, i), c.define(j, o)
    flipped = c.define(flip, k - 1 - tap)
    c.infer(le(0, j), le(0, o), by=[at_j])
    c.infer(lt(j, m), row, by=[at_j, *maps])
    c.infer(le(0, t), le(0, i), by=[at_t])
    c.infer(lt(t, n), lt(i, n), by=[at_t])
    c.infer(le(0, flip), lt(tap, k), by=[flipped])
    c.infer(lt(flip, k), le(0, tap), by=[flipped])
    # v - t - d*flip = s*o + d*(k-1) - p0 - i - d*(k-1-tap) = 0.
    zero_inserted(c, [at_t, eq(i, s * o + d * tap - p0), at_j, flipped])


def zero_inserted(c: Draft, place: list[Statement], *known: Known) -> None:
    """Define u and v, show v = t + d*flip and 0 <= v < length, given the bounds of t and flip.

    `place` and `known` hold equations that relate t, j and flip, as `infer` takes them.
    """
    inserted = c.define(u, s * j)
    padded = c.define(v, u + d * (k - 1) - p0)
    position = c.infer(eq(v, t + d * flip), *known, by=[padded, inserted, *place])
    flip0, flipk = le(0, flip), lt(flip, k)
    c.infer(le(0, v), le(0, t), (1, D1, flip0), flip0, by=[position])
    c.infer(lt(v, length), lt(t, n), (1, D1, flipk), flipk, by=[position, COUNTED])


def _backward(c: Draft) -> None:
    maps = _same_count(c)
    at_o = _to_convolution(c)
    c.infer(lt(o, f), lt(j, m), by=[at_o, maps])


def _kept_backward(c: Draft) -> None:
    at_o = _to_convolution(c)
    c.infer(lt(o, m), lt(j, m), by=[at_o])
    size = _closed_form(c)
    _, high = c.bounds(floor(q, ROOM, s), S1)
    # s*q + s > room = s(m - 1) + a.
    more = c.divide(le(m - 1, q), S1, high, le(0, a), by=[size])
    c.infer(le(m, f), more, by=[eq(f, q + 1)])


def _to_convolution(c: Draft) -> Statement:
    """Turn an entry (t, j, flip) of the transposed convolution into one (o, i, tap)."""
    at_i, at_o = c.define(i, t), c.define(o, j)
    tapped = c.define(tap, k - 1 - flip)
    inserted, padded, position = eq(u, s * j), eq(v, u + d * (k - 1) - p0), eq(v, t + d * flip)
    c.combine(
        eq(i, s * o + d * tap - p0),
        (1, at_i), (-s, at_o), (-d, tapped), (1, inserted), (1, padded), (-1, position),
    )  # fmt: skip
    c.infer(le(0, i), le(0, t), by=[at_i])
    c.infer(lt(i, n), lt(t, n), by=[at_i])
    c.infer(le(0, o), le(0, j), by=[at_o])
    c.infer(le(0, tap), lt(flip, k), by=[tapped])
    c.infer(lt(tap, k), le(0, flip), by=[tapped])
    return at_o


def _surplus(c: Draft) -> None:
    """Show f = m + floor(a/s)."""
    size = _closed_form(c)
    _fits(c)
    low, high = c.bounds(floor(surplus, a, s), S1)
    count = m - 1 + surplus
    below = c.infer(le(s * count, ROOM), low, by=[size])
    above = c.infer(lt(ROOM, s * count + s), high, by=[size])
    quotient = c.follow(floor(count, ROOM, s), "floor", below, above)
    same = c.follow(eq(count, q), "floor same", quotient, floor(q, ROOM, s))
    c.combine(eq(f, m + surplus), (1, eq(f, q + 1)), (-1, same))
    c.divide(le(0, surplus), S1, high, le(0, a))


def _rounded_up(c: Draft) -> Statement:
    """Show 1 <= m for m = ceil(n / s); return n + s - 1 < s*m + s."""
    _, high = c.bounds(floor(m, n + s - 1, s), S1)
    c.divide(le(1, m), S1, high, le(1, n))
    return high


def _outputs(c: Draft, low: Statement, high: Statement) -> None:
    """Show f = m from the two bounds of the room."""
    quotient = c.follow(floor(m - 1, ROOM, s), "floor", low, high)
    same = c.follow(eq(m - 1, q), "floor same", quotient, floor(q, ROOM, s))
    c.combine(eq(f, m), (1, eq(f, q + 1)), (-1, same))


def _same_padded(c: Draft) -> None:
    _rounded_up(c)
    by = [eq(p1, total - p0), eq(total, s * (m - 1) + d * (k - 1) + 1 - n)]
    # The room is exactly s(m - 1).
    low = c.infer(le(s * (m - 1), ROOM), by=by)
    _outputs(c, low, c.infer(lt(ROOM, s * (m - 1) + s), S1, by=by))
    rest = c.define(a, n - (s * (m - 1) + d * (k - 1) + 1 - p0 - p1))
    zero = c.infer(eq(a, 0), by=[rest, *by])
    c.infer(le(0, a), by=[zero])
    c.infer(lt(a, s), S1, by=[zero])


def _same_unpadded(c: Draft) -> None:
    high = _rounded_up(c)
    whole, fits = eq(total, s * (m - 1) + d * (k - 1) + 1 - n), le(total, 0)
    none = [eq(p0, 0), eq(p1, 0)]
    k1 = le(1, k)
    span = c.infer(le(0, d * (k - 1)), (1, D1, k1), k1)
    below = c.infer(le(s * (m - 1), ROOM), fits, by=[*none, whole])
    above = c.infer(lt(ROOM, s * (m - 1) + s), high, span, by=none)
    _outputs(c, below, above)
    rest = c.define(a, n - (s * (m - 1) + d * (k - 1) + 1 - p0 - p1))
    c.infer(le(0, a), below, by=[rest])
    c.infer(lt(a, s), above, by=[rest])


def _channels(c: Draft) -> None:
    groups, out, inner, g, cc, b, z, x = symbols("G C B g c b z x")
    row, column, slot = symbols("row column slot")
    at_z, at_x = eq(z, out * g + cc), eq(x, inner * g + b)
    at_row, at_column = eq(row, m * z + o), eq(column, n * x + i)
    at_slot = eq(slot, k * (inner * z + b) + tap)
    z_place = _number(c, at_z, (g, groups), (cc, out))
    x_place = _number(c, at_x, (g, groups), (b, inner))
    _number(c, at_row, (z, z_place), (o, m))
    _number(c, at_column, (x, x_place), (i, n))
    # The place of (z, b) in the weight's first two axes needs no name.
    pair = inner * z + b
    b0, bb, z0, zz = le(0, b), lt(b, inner), le(0, z), lt(z, z_place)
    c.infer(le(0, pair), (1, z0, b0), (1, z0, bb), z0, b0)
    c.infer(lt(pair, groups * out * inner), (1, zz, b0), (1, zz, bb), zz, bb)
    _number(c, at_slot, (pair, groups * out * inner), (tap, k))
    at_t, at_j = c.define(t, i), c.define(j, o)
    flipped = c.define(flip, k - 1 - tap)
    c.infer(eq(column, n * (inner * g + b) + t), by=[at_column, at_x, at_t])
    c.infer(eq(row, m * (out * g + cc) + j), by=[at_row, at_z, at_j])
    c.infer(eq(slot, k * (inner * (out * g + cc) + b) + k - 1 - flip), by=[at_slot, at_z, flipped])


def _number(
    c: Draft,
    number: Statement,
    high: tuple[Polynomial, Polynomial],
    low: tuple[Polynomial, Polynomial],
) -> Polynomial:
    """Show 0 <= w < sizes, and floor(w / size) = w1, for w = size*w1 + w2; return the sizes."""
    (w1, size1), (w2, size2) = high, low
    w1_0, w1_1, w2_0, w2_1 = le(0, w1), lt(w1, size1), le(0, w2), lt(w2, size2)
    w = number.left
    # w = size2*w1 + w2, where size2 = (size2 - 1 - w2) + w2 + 1.
    c.infer(le(0, w), (1, w1_0, w2_0), (1, w1_0, w2_1), w1_0, w2_0, by=[number])
    c.infer(lt(w, size1 * size2), (1, w1_1, w2_0), (1, w1_1, w2_1), w1_1, w2_1, by=[number])
    below = c.infer(le(size2 * w1, w), w2_0, by=[number])
    above = c.infer(lt(w, size2 * w1 + size2), w2_1, by=[number])
    c.follow(floor(w1, w, size2), "floor", below, above)
    return size1 * size2


def _two_axes(c: Draft) -> None:
    k1, k2, w1, w2, w, back1, back2, back = symbols("k1 k2 w1 w2 w back1 back2 back")
    number = eq(w, k2 * w1 + w2)
    _number(c, number, (w1, k1), (w2, k2))
    first, second = c.define(back1, k1 - 1 - w1), c.define(back2, k2 - 1 - w2)
    whole = c.define(back, k2 * back1 + back2)
    c.infer(eq(back, k1 * k2 - 1 - w), by=[whole, first, second, number])


WRITERS = {
    "size of the transposed convolution": _size,
    "output padding": _output_padding,
    "convolution to transposed convolution": _forward,
    "transposed convolution to convolution": _backward,
    "size with surplus rows": _surplus,
    "kept rows to transposed convolution": _kept_forward,
    "transposed convolution to kept rows": _kept_backward,
    "same padding, where zeros are needed": _same_padded,
    "same padding, where no zeros are needed": _same_unpadded,
    "channels and groups": _channels,
    "two axes as one": _two_axes,
}
