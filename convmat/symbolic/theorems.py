"""The theorems: what is claimed, for all sizes. How it is proved is in `derivations`.

All symbols are integers; `SYMBOLS` says what each stands for. Those in the hypotheses are
universal; the others, in the goals, exist: a certificate names them by definitions.
"""

from __future__ import annotations

from dataclasses import dataclass

from convmat.symbolic.certificate import Statement, eq, floor, le, lt
from convmat.symbolic.polynomials import symbols

__all__ = ["SYMBOLS", "THEOREMS", "Theorem", "forward_options", "transposed_options"]

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


@dataclass(frozen=True, slots=True)
class Theorem:
    """For all integers that satisfy the hypotheses there are others that satisfy the goals."""

    name: str
    meaning: str
    hypotheses: tuple[Statement, ...]
    goals: tuple[Statement, ...]

    @property
    def exists(self) -> frozenset[str]:
        """Symbols of the goals that no hypothesis mentions."""
        universal = frozenset[str]().union(*(s.symbols for s in self.hypotheses))
        return frozenset[str]().union(*(s.symbols for s in self.goals)) - universal


def _within(low: int, value: object, high: object) -> tuple[Statement, Statement]:
    """``low <= value < high``."""
    return le(low, value), lt(value, high)  # type: ignore[arg-type]  # polynomials from `symbols`


def positive_options() -> tuple[Statement, ...]:
    """Stride, dilation and kernel are at least 1; paddings are any integers."""
    s, d, k = symbols("s d k")
    return le(1, s), le(1, d), le(1, k)


def forward_options() -> tuple[Statement, ...]:
    """How many outputs the convolution of n inputs has."""
    n, f, q, s, d, k, p0, p1 = symbols("n f q s d k p0 p1")
    return floor(q, n + p0 + p1 - d * (k - 1) - 1, s), eq(f, q + 1)


def transposed_options() -> tuple[Statement, ...]:
    """How long the stretched, padded line is, and how many windows of d(k - 1) + 1 it holds."""
    n, m, s, d, k, p0, p1, a, length = symbols("n m s d k p0 p1 a length")
    stretched = s * (m - 1) + 1
    low, high = d * (k - 1) - p0, d * (k - 1) - p1 + a
    return (
        le(1, m),
        *_within(0, a, s),
        eq(length, stretched + low + high),
        eq(n, length - d * (k - 1)),
    )


def forward_entry() -> tuple[Statement, ...]:
    """Output o of the convolution reads input i with tap `tap`."""
    o, i, tap, n, f, s, d, k, p0 = symbols("o i tap n f s d k p0")
    return (
        eq(i, s * o + d * tap - p0),
        *_within(0, i, n),
        *_within(0, o, f),
        *_within(0, tap, k),
    )


def transposed_entry() -> tuple[Statement, ...]:
    """Output t of the transposed convolution reads input j with flipped tap `flip`."""
    t, j, flip, u, v, n, m, length, s, d, k, p0 = symbols("t j flip u v n m length s d k p0")
    return (
        eq(u, s * j),  # zero insertion
        eq(v, u + d * (k - 1) - p0),  # padding
        eq(v, t + d * flip),  # correlation at stride 1
        *_within(0, j, m),
        *_within(0, t, n),
        *_within(0, flip, k),
        *_within(0, v, length),
    )


def _renaming(pairs: tuple[tuple[str, str], ...]) -> tuple[Statement, ...]:
    return tuple(eq(*symbols(f"{new} {old}")) for new, old in pairs)


def _theorems() -> tuple[Theorem, ...]:
    n, m, s, d, k, p0, p1, a, q, f, back_to = symbols("n m s d k p0 p1 a q f N")
    tap, flip = symbols("tap flip")
    fits = le(d * (k - 1) + 1, n + p0 + p1)
    room = n + p0 + p1 - d * (k - 1) - 1
    both = (*positive_options(), *transposed_options(), *forward_options())
    return (
        Theorem(
            "size of the transposed convolution",
            "It gives n = s(m - 1) + d(k - 1) + 1 - p0 - p1 + a, the window fits into n, and the "
            "convolution maps n back to m.",
            both,
            (eq(n, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a), fits, eq(f, m)),
        ),
        Theorem(
            "output padding",
            "If the window fits, one output padding a with 0 <= a < s, the remainder of the "
            "floor, leads from m back to n.",
            (*positive_options(), fits, floor(q, room, s), eq(m, q + 1)),
            (
                eq(a, room - s * (m - 1)),
                eq(back_to, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a),
                *_within(0, a, s),
                eq(back_to, n),
                le(1, m),
            ),
        ),
        Theorem(
            "convolution to transposed convolution",
            "An entry of the convolution, seen with output and input exchanged, is an entry of "
            "the transposed convolution with the same tap of the weight.",
            (*both, *forward_entry()),
            (
                *_renaming((("t", "i"), ("j", "o"))),
                eq(flip, k - 1 - tap),
                *transposed_entry(),
            ),
        ),
        Theorem(
            "transposed convolution to convolution",
            "An entry of the transposed convolution, seen with output and input exchanged, is an "
            "entry of the convolution with the same tap of the weight.",
            (*both, *transposed_entry()),
            (
                *_renaming((("i", "t"), ("o", "j"))),
                eq(tap, k - 1 - flip),
                *forward_entry(),
            ),
        ),
    )


THEOREMS: dict[str, Theorem] = {theorem.name: theorem for theorem in _theorems()}
