"""Theorems: layers of other names that are convolutions or transposed convolutions, entry by entry.

Each comes in two directions: an entry of one layer is an entry of the other, with the tap that the
goals name. Together they say that the two matrices are equal when the weights are.
"""

from __future__ import annotations

from convmat.certificates.polynomials import Operand, Polynomial, symbols
from convmat.certificates.statements import Statement, eq, floor, le
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
from convmat.certificates.theorems.transposed import SYMBOLS

__all__ = ["theorems"]

WORDS = f"""\
{SYMBOLS}
r           the factor of an upsampling
h, y        taps of the kernel before sub-pixel rearrangement, and one of them
low, high   padding of the convolution before the rearrangement
width       its number of outputs, one of which is x
x, phase    output r x + phase is output x of the channel `phase` before the pixel shuffle
c           how many windows tile the input
blocks      places of one batch, of which there are d: place `place` of batch b
place, b    stands at d*place + b of the padded line
out         a place of the outputs of one batch"""


def theorems() -> tuple[Theorem, ...]:
    """Return them all."""
    return (*_nearest(), *_sub_pixel(), *_average(), *_dilated())


def _fixed(**values: Operand) -> tuple[Statement, ...]:
    """Options that have these values."""
    return tuple(eq(Polynomial.symbol(name), value) for name, value in values.items())


def _copies(factor: str, sizes: str) -> tuple[Statement, ...]:
    """Output t of nearest upsampling copies input j."""
    t, j, r, m = symbols(f"t j {factor} {sizes}")
    return floor(j, t, r), *within(0, j, m), *within(0, t, r * m)


def _nearest() -> tuple[Theorem, ...]:
    t, j, r, k, n, m, flip = symbols("t j r k n m flip")
    options = (
        *positive_options(),
        *transposed_options(symbols("s")[0]),
        *_fixed(s=r, k=r, d=1, p0=0, p1=0, a=0),
    )
    copies = _copies("r", "m")
    exact = floor(j, 2 * t + 1, 2 * r), floor(j, t, r)
    return (
        Theorem(
            "nearest upsampling to transposed convolution",
            "Nearest upsampling by r, output t copies input floor(t/r), is an entry of the "
            "transposed convolution with kernel and stride r: its tap is t - r j.",
            (*options, *copies),
            (eq(n, r * m), eq(flip, k - 1 - (t - r * j)), *transposed_entry()),
            WORDS,
            ("flip", "u", "v"),
        ),
        Theorem(
            "transposed convolution to nearest upsampling",
            "Every entry of the transposed convolution with kernel and stride r is one of nearest "
            "upsampling, and has one tap only: with a kernel of ones the two are equal.",
            (*options, *transposed_entry()),
            (eq(n, r * m), eq(k - 1 - flip, t - r * j), *copies),
            WORDS,
        ),
        Theorem(
            "nearest-exact upsampling to nearest",
            "For a factor that is an integer, rounding from the centres, "
            "floor((t + 1/2)/r) = floor((2t + 1)/(2r)), copies what nearest upsampling copies.",
            (le(1, r), exact[0]),
            (exact[1],),
            WORDS,
        ),
        Theorem(
            "nearest upsampling to nearest-exact",
            "For a factor that is an integer, nearest upsampling copies what rounding from the "
            "centres copies.",
            (le(1, r), exact[1]),
            (exact[0],),
            WORDS,
        ),
    )


def _sub_pixel() -> tuple[Theorem, ...]:
    t, j, r, h, y, x, phase, low, high, width = symbols("t j r h y x phase low high width")
    n, m, k, flip = symbols("n m k flip")
    options = (
        *(le(1, r), le(1, h)),
        eq(width, m + low + high - h + 1),
        *_fixed(s=r, d=1, k=r * h, p0=r * (h - 1 - low), p1=r * (h - 1 - high), a=0),
        *transposed_options(symbols("s")[0]),
    )
    entry = (
        eq(j, x + y - low),
        *within(0, j, m),
        *within(0, x, width),
        *within(0, y, h),
        eq(t, r * x + phase),
        *within(0, phase, r),
    )
    tap = eq(k - 1 - flip, r * (h - 1 - y) + phase)
    return (
        Theorem(
            "sub-pixel convolution to transposed convolution",
            "A convolution with stride 1, h taps and r channels, whose channels a pixel shuffle "
            "interleaves, is the transposed convolution with r h taps and stride r whose tap "
            "r(h - 1 - y) + phase is tap y of channel `phase`.",
            (*options, *entry),
            (eq(n, r * width), tap, *transposed_entry()),
            WORDS,
            ("flip", "u", "v"),
        ),
        Theorem(
            "transposed convolution to sub-pixel convolution",
            "Every entry of the transposed convolution with r h taps and stride r is one of the "
            "sub-pixel convolution, with the same rearrangement of the weight.",
            (*options, *transposed_entry(), floor(x, t, r)),
            (eq(n, r * width), tap, *entry),
            WORDS,
            ("y", "phase"),
        ),
    )


def _average() -> tuple[Theorem, ...]:
    o, i, tap, n, f, k, c = symbols("o i tap n f k c")
    options = (
        *positive_options(),
        *forward_options(),
        *_fixed(s=k, d=1, p0=0, p1=0, n=k * c),
    )
    exchanged = renaming((("t", "i"), ("j", "o")))
    return (
        Theorem(
            "average pool to nearest upsampling",
            "If windows tile the input, n = k c, an entry of average pooling, seen with output and "
            "input exchanged, is one of nearest upsampling by k: the transpose of the pool is "
            "nearest upsampling times 1/k on every axis, its weight.",
            (*options, *forward_entry()),
            (eq(f, c), *exchanged, *_copies("k", "c")),
            WORDS,
            ("t", "j"),
        ),
        Theorem(
            "nearest upsampling to average pool",
            "If windows tile the input, an entry of nearest upsampling by k, seen with output and "
            "input exchanged, is one of average pooling with stride k, with the tap i - k o only.",
            (*options, floor(o, i, k), *within(0, i, n)),
            (eq(f, c), eq(tap, i - k * o), *forward_entry()),
            WORDS,
            ("tap",),
        ),
    )


def _dilated() -> tuple[Theorem, ...]:
    n, f, d, k, p0, p1, o, i, tap = symbols("n f d k p0 p1 o i tap")
    blocks, place, batch, out = symbols("blocks place b out")
    sizes = (
        *(le(1, d), le(1, k)),
        eq(f, n + p0 + p1 - d * (k - 1)),
        floor(blocks, n + p0 + p1 + d - 1, d),
    )
    dilated = (
        eq(i, o + d * tap - p0),
        *within(0, i, n),
        *within(0, o, f),
        *within(0, tap, k),
    )
    spaced = (
        *within(0, batch, d),
        eq(i, d * place + batch - p0),  # space to batch
        eq(place, out + tap),  # convolution
        eq(o, d * out + batch),  # batch to space
        *within(0, out, blocks - k + 1),
    )
    return (
        Theorem(
            "dilated convolution to space-to-batch",
            "At stride 1: pad to a multiple of d, deal the places out to d batches, convolve each "
            "without dilation or padding, and put the outputs back. An entry of the dilated "
            "convolution is one of these, in the batch o mod d, with the same tap.",
            (*sizes, *dilated, floor(out, o, d)),
            (*spaced, *within(0, place, blocks)),
            WORDS,
            ("place", "b"),
        ),
        Theorem(
            "space-to-batch to dilated convolution",
            "An entry of the convolution between the two rearrangements, for an output that is not "
            "cut off, is one of the dilated convolution with the same tap.",
            (*sizes, *spaced, *within(0, i, n), *within(0, tap, k), dilated[4]),
            (*dilated, floor(out, o, d), *within(0, place, blocks)),
            WORDS,
        ),
    )
