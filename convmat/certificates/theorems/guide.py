"""The relations of Dumoulin and Visin's guide, from the definition of an output size.

An output size counts the windows that lie whole inside the padded line: window f - 1 does, window
f does not. The guide's relations follow from that, here with dilation (its k is the span e of the
window, and e = k if d = 1), with unequal paddings (its 2p is p0 + p1), and with the remainders
that it leaves out named as hypotheses.

References
----------
Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016,
https://arxiv.org/abs/1603.07285, relations 1 to 15.
"""

from __future__ import annotations

from convmat.certificates.polynomials import Operand, Polynomial, symbols
from convmat.certificates.statements import Statement, eq, floor, le, lt
from convmat.certificates.theorem import Theorem, positive_options, within

__all__ = ["RELATIONS", "theorems"]

WORDS = """\
s, d, k    stride, dilation, kernel size of the convolution
e          what its window spans, from the first tap to the last: d(k - 1) + 1
p0, p1     low and high padding
n, f, m    size of its input; of its output; of the output as input of the transposed convolution
N          output size of the transposed convolution
o          number of a window
q          a floor
a          zeros added to the high end of the transposed convolution's input
low, high  its padding: what the guide calls p'
length     of its input after zero insertion and padding
h, p       the guide's n, half of a kernel, and its p = floor(k/2)
z          how many strides n + p0 + p1 - e is"""

# Number of a relation of the guide -> the theorems that say it, the guide's own case first.
RELATIONS: dict[int, tuple[str, ...]] = {
    1: ("relation 1 (no padding, unit stride)",),
    2: ("relation 2 (padding, unit stride)",),
    3: (
        "relation 3 (half padding)",
        "relation 3 with unequal paddings",
        "relation 3 with an even span",
    ),
    4: ("relation 4 (full padding)",),
    5: ("relation 5 (no padding, any stride)",),
    6: ("relation 6 (padding, any stride)",),
    7: ("relation 7 (pooling)",),
    8: ("relation 8 (transposed, no padding, unit stride)",),
    9: ("relation 9 (transposed, padding, unit stride)",),
    10: ("relation 10 (transposed, half padding)", "relation 10 with unequal paddings"),
    11: ("relation 11 (transposed, full padding)",),
    12: ("relation 12 (transposed, no padding, no remainder)",),
    13: ("relation 13 (transposed, padding, no remainder)",),
    14: ("relation 14 (transposed, any remainder)",),
    15: ("relation 15 (dilation)",),
}


def theorems() -> tuple[Theorem, ...]:
    """Return them all."""
    return (*_counting(), *_sizes(), *_transposed())


def counted(
    count: Polynomial, line: Operand, span: Operand, stride: Operand
) -> tuple[Statement, Statement]:
    """Window count - 1 lies inside a line, window `count` does not."""
    return le(stride * (count - 1) + span, line), lt(line, stride * count + span)


def _basis() -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Return options with the span of a window, and what f is."""
    s, d, k, e, p0, p1, n, f = symbols("s d k e p0 p1 n f")
    return (*positive_options(), eq(e, d * (k - 1) + 1)), counted(f, n + p0 + p1, e, s)


def _counting() -> tuple[Theorem, ...]:
    s, e, p0, p1, n, f, o, q = symbols("s e p0 p1 n f o q")
    options, size = _basis()
    return (
        Theorem(
            "windows before the last are inside",
            "If window f - 1 ends inside the padded input, so does every window before it.",
            (*options, *size, lt(o, f)),
            (le(s * o + e, n + p0 + p1),),
            WORDS,
        ),
        Theorem(
            "windows after the last are not inside",
            "If window f ends beyond the padded input, so does every window after it: exactly the "
            "windows 0 <= o < f lie inside.",
            (*options, *size, le(f, o)),
            (lt(n + p0 + p1, s * o + e),),
            WORDS,
        ),
        Theorem(
            "the formula counts windows",
            "f = floor((n + p0 + p1 - e)/s) + 1 is that number of windows.",
            (*options, floor(q, n + p0 + p1 - e, s), eq(f, q + 1)),
            size,
            WORDS,
        ),
    )


def _sizes() -> tuple[Theorem, ...]:
    s, d, k, e, p0, p1, n, f, h, p = symbols("s d k e p0 p1 n f h p")
    options, size = _basis()
    unit, none = eq(s, 1), (eq(p0, 0), eq(p1, 0))

    def relation(
        number: int, meaning: str, *rest: tuple[Statement, ...], place: int = 0
    ) -> Theorem:
        extra, goals = rest
        name = RELATIONS[number][place]
        return Theorem(name, meaning, (*options, *size, *extra), goals, WORDS)

    symmetric = (floor(p, e, 2), eq(p0, p), eq(p1, p))
    return (
        relation(1, "f = (n - e) + 1.", (unit, *none), (eq(f, (n - e) + 1),)),
        relation(2, "f = (n - e) + p0 + p1 + 1.", (unit,), (eq(f, (n - e) + p0 + p1 + 1),)),
        relation(
            3,
            "If the span e = 2h + 1 is odd, p = floor(e/2) = h at both ends keeps the size.",
            (unit, eq(e, 2 * h + 1), *symmetric),
            (eq(p, h), eq(f, n)),
        ),
        relation(
            3,
            "Paddings that add up to e - 1 keep the size, whatever the parity of e.",
            (unit, eq(p1, e - 1 - p0)),
            (eq(f, n),),
            place=1,
        ),
        relation(
            3,
            "If the span e = 2h is even, p = floor(e/2) at both ends gives one output more: the "
            "restriction to odd kernels is needed.",
            (unit, eq(e, 2 * h), *symmetric),
            (eq(p, h), eq(f, n + 1)),
            place=2,
        ),
        relation(
            4,
            "Padding by e - 1 at both ends gives f = n + (e - 1).",
            (unit, eq(p0, e - 1), eq(p1, e - 1)),
            (eq(f, n + (e - 1)),),
        ),
        relation(5, "f = floor((n - e)/s) + 1.", none, (floor(f - 1, n - e, s),)),
        relation(6, "f = floor((n + p0 + p1 - e)/s) + 1.", (), (floor(f - 1, n + p0 + p1 - e, s),)),
        relation(
            7,
            "Pooling counts the same windows: f = floor((n - e)/s) + 1 without padding. (The "
            "other rounding, ceil mode, counts a last window that overhangs, and is not this.)",
            (eq(d, 1), *none),
            (floor(f - 1, n - k, s),),
        ),
        relation(
            15,
            "A dilated kernel spans e = k + (k - 1)(d - 1), which takes the place of k.",
            (),
            (
                eq(e, k + (k - 1) * (d - 1)),
                floor(f - 1, n + p0 + p1 - k - (k - 1) * (d - 1), s),
            ),
        ),
    )


def _transposed() -> tuple[Theorem, ...]:
    s, e, p0, p1, n, m, q, a = symbols("s e p0 p1 n m q a")
    low, high, length, back, h, p, z = symbols("low high length N h p z")
    room = n + p0 + p1 - e
    basis = (
        *_basis()[0],
        le(1, m),
        *counted(m, n + p0 + p1, e, s),
        eq(low, e - 1 - p0),
        eq(high, e - 1 - p1),
        eq(length, s * (m - 1) + 1 + low + high + a),
        *counted(back, length, e, 1),
    )
    unit, none, exact = (eq(s, 1), eq(a, 0)), (eq(p0, 0), eq(p1, 0)), (eq(room, s * z), eq(a, 0))

    def relation(
        number: int,
        meaning: str,
        extra: tuple[Statement, ...],
        *goals: Statement,
        place: int = 0,
    ) -> Theorem:
        name = RELATIONS[number][place]
        return Theorem(name, meaning, (*basis, *extra), (*goals, eq(back, n)), WORDS)

    return (
        relation(
            8,
            "Padding by e - 1, N = m + (e - 1), which is n.",
            (*unit, *none),
            *(eq(low, e - 1), eq(high, e - 1), eq(back, m + (e - 1))),
        ),
        relation(
            9,
            "Padding by e - 1 - p0 and e - 1 - p1, N = m + (e - 1) - p0 - p1, which is n.",
            unit,
            eq(back, m + (e - 1) - p0 - p1),
        ),
        relation(
            10,
            "If e = 2h + 1 is odd and p = floor(e/2), the padding is p again, and N = m = n.",
            (*unit, eq(e, 2 * h + 1), floor(p, e, 2), eq(p0, p), eq(p1, p)),
            *(eq(p, h), eq(low, p), eq(high, p), eq(back, m)),
        ),
        relation(
            10,
            "If p0 + p1 = e - 1, the two paddings change places, and N = m = n.",
            (*unit, eq(p1, e - 1 - p0)),
            *(eq(low, p1), eq(high, p0), eq(back, m)),
            place=1,
        ),
        relation(
            11,
            "No padding, N = m - (e - 1), which is n.",
            (*unit, eq(p0, e - 1), eq(p1, e - 1)),
            *(eq(low, 0), eq(high, 0), eq(back, m - (e - 1))),
        ),
        relation(
            12,
            "If n - e is a multiple of s: N = s(m - 1) + e, which is n.",
            (*none, eq(n - e, s * z), eq(a, 0)),
            *(eq(low, e - 1), eq(high, e - 1), eq(back, s * (m - 1) + e)),
        ),
        relation(
            13,
            "If n + p0 + p1 - e is a multiple of s: N = s(m - 1) + e - p0 - p1, which is n.",
            exact,
            eq(back, s * (m - 1) + e - p0 - p1),
        ),
        relation(
            14,
            "With a = (n + p0 + p1 - e) mod s, for which 0 <= a < s: "
            "N = s(m - 1) + a + e - p0 - p1, which is n.",
            (floor(q, room, s), eq(a, room - s * q)),
            *(*within(0, a, s), eq(back, s * (m - 1) + a + e - p0 - p1)),
        ),
    )
