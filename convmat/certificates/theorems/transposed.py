"""Theorems: the transposed convolution, made by zero insertion, is the transpose.

For every stride, dilation, kernel, unequal padding, and for every output padding: below the
stride it selects a size; from the stride on it adds rows to the convolution, which the layer
leaves out. Several axes, channels and groups do not change this: they only number rows and
columns, which the last theorems do.
"""

from __future__ import annotations

from convmat.certificates.polynomials import symbols
from convmat.certificates.statements import eq, floor, le
from convmat.certificates.theorem import (
    Theorem,
    forward_entry,
    forward_options,
    positive_options,
    renaming,
    transposed_entry,
    transposed_options,
    within,
)

__all__ = ["SURPLUS", "SYMBOLS", "TRANSPOSE", "theorems"]

# The theorems that together say: the transposed convolution is the transpose.
TRANSPOSE = (
    "size of the transposed convolution",
    "output padding",
    "convolution to transposed convolution",
    "transposed convolution to convolution",
)

# The same where the output padding may reach the stride: the transpose of the first rows.
SURPLUS = (
    "size with surplus rows",
    "kept rows to transposed convolution",
    "transposed convolution to kept rows",
)

SYMBOLS = """\
s, d, k     stride, dilation, kernel size of the convolution that is transposed
p0, p1, a   its low and high padding; output padding of the transposed convolution
n, f        size of the input of the convolution, and of its output: f = floor(...) + 1
m           size of the input of the transposed convolution
length      of its input after zero insertion and padding
o, i, tap   an entry of the convolution's matrix: output, input, tap of the weight
t, j, flip  an entry of the transposed convolution: output, input, tap of the flipped kernel
u, v        where input j stands after zero insertion, and after padding
q, N        the floor in f; the size that output padding a leads back to"""

MORE_SYMBOLS = f"""\
{SYMBOLS}
surplus     outputs of the convolution beyond the m that the transposed convolution reads
total       p0 + p1 of the padding named "same", unless it would be negative
G, C, B     groups; channels of one group at the convolution's output, and at its input
g, c, b     a group, and a channel of it at the output, and at the input
z, x        number of channel c of group g of the outputs; of channel b of the inputs
row         number of an output of the convolution: channel, then position
column      number of an input of the convolution
slot        number of an entry of the weight
k1, k2      sizes of two axes, the later one numbered faster
w1, w2, w   places on them; number of the place on both
back1       place w1 counted from the other end
back2       place w2 counted from the other end
back        number of the place on both that these two are"""


def theorems() -> tuple[Theorem, ...]:
    """Return them all."""
    return (*_sizes_and_entries(), *_surplus(), *_same(), *_numbering())


def _sizes_and_entries() -> tuple[Theorem, ...]:
    n, m, s, d, k, p0, p1, a, q, f, back_to = symbols("n m s d k p0 p1 a q f N")
    tap, flip = symbols("tap flip")
    fits = le(d * (k - 1) + 1, n + p0 + p1)
    room = n + p0 + p1 - d * (k - 1) - 1
    both = (*positive_options(), *transposed_options(s), *forward_options())
    return (
        Theorem(
            "size of the transposed convolution",
            "It gives n = s(m - 1) + d(k - 1) + 1 - p0 - p1 + a, the window fits into n, and the "
            "convolution maps n back to m.",
            both,
            (eq(n, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a), fits, eq(f, m)),
            SYMBOLS,
        ),
        Theorem(
            "output padding",
            "If the window fits, one output padding a with 0 <= a < s, the remainder of the "
            "floor, leads from m back to n.",
            (*positive_options(), fits, floor(q, room, s), eq(m, q + 1)),
            (
                eq(a, room - s * (m - 1)),
                eq(back_to, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a),
                *within(0, a, s),
                eq(back_to, n),
                le(1, m),
            ),
            SYMBOLS,
            ("a", "N"),
        ),
        Theorem(
            "convolution to transposed convolution",
            "An entry of the convolution, seen with output and input exchanged, is an entry of "
            "the transposed convolution with the same tap of the weight.",
            (*both, *forward_entry()),
            (
                *renaming((("t", "i"), ("j", "o"))),
                eq(flip, k - 1 - tap),
                *transposed_entry(),
            ),
            SYMBOLS,
            ("t", "j", "flip", "u", "v"),
        ),
        Theorem(
            "transposed convolution to convolution",
            "An entry of the transposed convolution, seen with output and input exchanged, is an "
            "entry of the convolution with the same tap of the weight.",
            (*both, *transposed_entry()),
            (
                *renaming((("i", "t"), ("o", "j"))),
                eq(tap, k - 1 - flip),
                *forward_entry(),
            ),
            SYMBOLS,
            ("o", "i", "tap"),
        ),
    )


def _surplus() -> tuple[Theorem, ...]:
    """Take any output padding a >= 0, such as s <= a < d, which frameworks accept."""
    n, m, s, d, k, p0, p1, a, f, surplus = symbols("n m s d k p0 p1 a f surplus")
    tap, flip = symbols("tap flip")
    both = (*positive_options(), *transposed_options(), *forward_options())
    return (
        Theorem(
            "size with surplus rows",
            "With any output padding a >= 0 the convolution has floor(a/s) outputs more than the "
            "transposed convolution has inputs; none if a < s.",
            (*both, floor(surplus, a, s)),
            (
                eq(n, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a),
                le(d * (k - 1) + 1, n + p0 + p1),
                eq(f, m + surplus),
                le(0, surplus),
            ),
            MORE_SYMBOLS,
        ),
        Theorem(
            "kept rows to transposed convolution",
            "With any output padding a >= 0, an entry of the first m rows of the convolution, seen "
            "with output and input exchanged, is one of the transposed convolution.",
            (*both, *forward_entry("m")),
            (
                *renaming((("t", "i"), ("j", "o"))),
                eq(flip, k - 1 - tap),
                *transposed_entry(),
            ),
            MORE_SYMBOLS,
            ("t", "j", "flip", "u", "v"),
        ),
        Theorem(
            "transposed convolution to kept rows",
            "With any output padding a >= 0, an entry of the transposed convolution, seen with "
            "output and input exchanged, is one of the first m rows of the convolution.",
            (*both, *transposed_entry()),
            (
                *renaming((("i", "t"), ("o", "j"))),
                eq(tap, k - 1 - flip),
                *forward_entry("m"),
                le(m, f),
            ),
            MORE_SYMBOLS,
            ("o", "i", "tap"),
        ),
    )


def _same() -> tuple[Theorem, ...]:
    """Take the padding that gives ceil(n / s), however it is split between the ends."""
    n, m, s, d, k, p0, p1, a, f, total = symbols("n m s d k p0 p1 a f total")
    named = (
        *positive_options(),
        le(1, n),
        floor(m, n + s - 1, s),
        eq(total, s * (m - 1) + d * (k - 1) + 1 - n),
        *forward_options(),
    )
    goals = (
        eq(f, m),
        le(1, m),
        eq(a, n - (s * (m - 1) + d * (k - 1) + 1 - p0 - p1)),
        *within(0, a, s),
    )
    return (
        Theorem(
            "same padding, where zeros are needed",
            "The output size is m = ceil(n/s), whichever end the odd zero goes to, and the "
            "transposed convolution leads back to n without output padding.",
            (*named, le(0, total), eq(p1, total - p0)),
            (*goals, eq(a, 0)),
            MORE_SYMBOLS,
            ("a",),
        ),
        Theorem(
            "same padding, where no zeros are needed",
            "The output size without padding is m = ceil(n/s), and an output padding a with "
            "0 <= a < s leads back to n.",
            (*named, le(total, 0), eq(p0, 0), eq(p1, 0)),
            goals,
            MORE_SYMBOLS,
            ("a",),
        ),
    )


def _numbering() -> tuple[Theorem, ...]:
    groups, out, inner, g, c, b, z, x = symbols("G C B g c b z x")
    n, m, k, o, i, tap, t, j, flip = symbols("n m k o i tap t j flip")
    row, column, slot = symbols("row column slot")
    k1, k2, w1, w2, w, back1, back2, back = symbols("k1 k2 w1 w2 w back1 back2 back")
    places = (
        *within(0, g, groups),
        *within(0, c, out),
        *within(0, b, inner),
        *within(0, o, m),
        *within(0, i, n),
        *within(0, tap, k),
    )
    numbers = (
        eq(z, out * g + c),
        eq(x, inner * g + b),
        eq(row, m * z + o),
        eq(column, n * x + i),
        eq(slot, k * (inner * z + b) + tap),
    )
    return (
        Theorem(
            "channels and groups",
            "Rows, columns and entries of the weight are numbered one to one by group, channels "
            "and positions. With t = i, j = o, and the tap counted from the other end, the "
            "transposed convolution numbers them alike, rows and columns exchanged.",
            (*places, *numbers),
            (
                *within(0, row, groups * out * m),
                *within(0, column, groups * inner * n),
                *within(0, slot, groups * out * inner * k),
                *(floor(z, row, m), floor(g, z, out)),
                *(floor(x, column, n), floor(g, x, inner)),
                floor(inner * z + b, slot, k),
                *renaming((("t", "i"), ("j", "o"))),
                eq(flip, k - 1 - tap),
                eq(column, n * (inner * g + b) + t),
                eq(row, m * (out * g + c) + j),
                eq(slot, k * (inner * (out * g + c) + b) + k - 1 - flip),
            ),
            MORE_SYMBOLS,
            ("t", "j", "flip"),
        ),
        Theorem(
            "two axes as one",
            "Places on two axes, and so on any number of them, are numbered one to one; counting "
            "from the other end on each axis counts the numbers from the other end.",
            (*within(0, w1, k1), *within(0, w2, k2), eq(w, k2 * w1 + w2)),
            (
                *within(0, w, k1 * k2),
                floor(w1, w, k2),
                eq(back1, k1 - 1 - w1),
                eq(back2, k2 - 1 - w2),
                eq(back, k2 * back1 + back2),
                eq(back, k1 * k2 - 1 - w),
            ),
            MORE_SYMBOLS,
            ("back", "back1", "back2"),
        ),
    )
