"""Theorems about any record ``base*i = stride*o + dilation*tap - pad``, and about two of them."""

from __future__ import annotations

from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.statements import Statement, eq, floor, le, lt
from convmat.certificates.theorem import (
    Theorem,
    positive_options,
    transposed_entry,
    transposed_options,
    within,
)
from convmat.certificates.theorems.transposed import SYMBOLS as TRANSPOSED

__all__ = ["theorems"]

RECORDS = """\
n, m, k          a record's inputs, outputs and taps
s, b, d, pad     its stride, base, dilation and padding
n1, m1, k1       the same of the transposed record, and with 2 of that record's transpose
s1, b1, d1       stride, base and dilation of the transposed record
pad1, pad2       padding of the transposed record, and of that record's transpose
n2, m2, k2       inputs, outputs and taps of the record that was transposed twice
s2, b2, d2       its stride, base and dilation
o, i, tap        an entry: output o reads input i with tap `tap`
flip, tap2       the tap seen from the other end, once and twice"""

COMPOSITION = """\
s1, d1, k1       stride, dilation, kernel size of the first window, which reads the input
s2, d2, k2       of the second window, which reads the outputs of the first
low1, high1      padding of the first window
low2, high2      padding of the second window
n, m, f          sizes of the input, of the middle, of the output
q1, q2           the floors in m and f
stride, kernel   of the one window that does what the two do
low, high        padding of that window
i, h, o          places at the input, in the middle, at the output
tap1, tap2, tap  taps of the first and the second window, and of the one"""


def theorems() -> tuple[Theorem, ...]:
    """Return them all."""
    return (*_transposition(), *_zero_insertion(), *_composition())


def _fields(suffix: str) -> tuple[Polynomial, ...]:
    return symbols(" ".join(name + suffix for name in ("n", "m", "k", "s", "b", "d", "pad")))


def _transposes(new: str, old: str) -> tuple[Statement, ...]:
    """One record is the transpose of the other, as `Window.transpose` makes it."""
    n, m, k, s, b, d, pad = _fields(old)
    return tuple(map(eq, _fields(new), (m, n, k, b, s, d, d * (k - 1) - pad)))


def _entry(suffix: str, output: str, read: str, tap_name: str) -> tuple[Statement, ...]:
    n, m, k, s, b, d, pad = _fields(suffix)
    o, i, tap = symbols(f"{output} {read} {tap_name}")
    return (
        eq(b * i, s * o + d * tap - pad),
        *within(0, i, n),
        *within(0, o, m),
        *within(0, tap, k),
    )


def _transposition() -> tuple[Theorem, ...]:
    k, k1, tap, flip, tap2 = symbols("k k1 tap flip tap2")
    return (
        Theorem(
            "transpose of a record",
            "For any stride, base, dilation, padding and sizes: an entry of a record, with output "
            "and input exchanged and the tap counted from the other end, is one of the "
            "transposed record.",
            (*_transposes("1", ""), *_entry("", "o", "i", "tap")),
            (eq(flip, k - 1 - tap), *_entry("1", "i", "o", "flip")),
            RECORDS,
            ("flip",),
        ),
        Theorem(
            "transposing twice",
            "The transpose of the transpose is the same record, and each tap is where it was.",
            (
                *_transposes("1", ""),
                *_transposes("2", "1"),
                eq(flip, k - 1 - tap),
                eq(tap2, k1 - 1 - flip),
            ),
            (*map(eq, _fields("2"), _fields("")), eq(tap2, tap)),
            RECORDS,
        ),
    )


def _zero_insertion() -> tuple[Theorem, ...]:
    s, d, k, p0, t, j, flip, n, m = symbols("s d k p0 t j flip n m")
    options = (*positive_options(), *transposed_options())
    relation = (
        eq(s * j, t + d * flip - (d * (k - 1) - p0)),
        *within(0, j, m),
        *within(0, t, n),
        *within(0, flip, k),
    )
    return (
        Theorem(
            "zero insertion to a record",
            "What zero insertion, padding and correlation read is the record with base s, stride "
            "1 and padding d(k - 1) - p0.",
            (*options, *transposed_entry()),
            relation,
            TRANSPOSED,
        ),
        Theorem(
            "a record to zero insertion",
            "The record with base s, stride 1 and padding d(k - 1) - p0 reads only what zero "
            "insertion, padding and correlation read.",
            (*options, *relation),
            transposed_entry(),
            TRANSPOSED,
            ("u", "v"),
        ),
    )


def _composition() -> tuple[Theorem, ...]:
    n, m, f, q1, q2, i, h, o = symbols("n m f q1 q2 i h o")
    s1, d1, k1, low1, high1 = symbols("s1 d1 k1 low1 high1")
    s2, d2, k2, low2, high2 = symbols("s2 d2 k2 low2 high2")
    stride, kernel, low, high = symbols("stride kernel low high")
    tap, tap1, tap2 = symbols("tap tap1 tap2")
    options = tuple(le(1, number) for number in (s1, d1, k1, s2, d2, k2))
    sizes = (
        floor(q1, n + low1 + high1 - d1 * (k1 - 1) - 1, s1),
        eq(m, q1 + 1),
        floor(q2, m + low2 + high2 - d2 * (k2 - 1) - 1, s2),
        eq(f, q2 + 1),
    )
    one = (
        eq(stride, s1 * s2),
        eq(kernel, d1 * (k1 - 1) + s1 * d2 * (k2 - 1) + 1),
        eq(low, low1 + s1 * low2),
        eq(high, high1 + s1 * high2),
    )
    taps = (*within(0, tap1, k1), *within(0, tap2, k2))
    places = (*within(0, i, n), *within(0, o, f))
    first, second = eq(i, s1 * h + d1 * tap1 - low1), eq(h, s2 * o + d2 * tap2 - low2)
    offset = eq(tap, d1 * tap1 + s1 * d2 * tap2)
    reads = (eq(i, stride * o + tap - low), *within(0, tap, kernel))
    return (
        Theorem(
            "composition of two windows: size",
            "One window with stride s1 s2, kernel d1(k1 - 1) + s1 d2(k2 - 1) + 1 and padding "
            "low1 + s1 low2, high1 + s1 high2 has as many outputs as the second of the two.",
            (*options, *sizes, *one),
            (floor(f - 1, n + low + high - (kernel - 1) - 1, stride),),
            COMPOSITION,
        ),
        Theorem(
            "composition of two windows: two to one",
            "If the second window reads h of the middle with tap2, and the first reads i for h "
            "with tap1, then the one window reads i with the tap d1 tap1 + s1 d2 tap2.",
            (*options, *one, *taps, *places, *within(0, h, m), first, second),
            (offset, *reads),
            COMPOSITION,
            ("tap",),
        ),
        Theorem(
            "composition of two windows: one to two",
            "If the one window reads i with the tap d1 tap1 + s1 d2 tap2, and h is a place of the "
            "middle, then the first window reads i for h with tap1. Where h is outside the middle, "
            "the second window reads its own padding, and the one window must be cut there.",
            (*options, *one, *taps, *places, second, *within(0, h, m), offset, reads[0]),
            (first, *within(0, tap, kernel)),
            COMPOSITION,
        ),
        Theorem(
            "composition of two windows: nothing is cut",
            "If the second window has no padding, every h that it reads is a place of the middle.",
            (*options, *sizes, le(low2, 0), le(high2, 0), *within(0, o, f), *taps[2:], second),
            (le(0, h), lt(h, m)),
            COMPOSITION,
        ),
    )
