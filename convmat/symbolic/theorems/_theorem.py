"""What a theorem is, and the hypotheses that several families share."""

from __future__ import annotations

from dataclasses import dataclass

from convmat.symbolic.certificate import Statement, eq, floor, le, lt
from convmat.symbolic.polynomials import Operand, Polynomial, symbols

__all__ = [
    "Theorem",
    "forward_entry",
    "forward_options",
    "positive_options",
    "renaming",
    "transposed_entry",
    "transposed_options",
    "within",
]


@dataclass(frozen=True, slots=True)
class Theorem:
    """For all integers that satisfy the hypotheses there are others that satisfy the goals.

    `words` says what the symbols of its family stand for, a line for each group of names.
    """

    name: str
    meaning: str
    hypotheses: tuple[Statement, ...]
    goals: tuple[Statement, ...]
    words: str = ""

    @property
    def universal(self) -> frozenset[str]:
        """Symbols of the hypotheses."""
        return frozenset[str]().union(*(s.symbols for s in self.hypotheses))

    @property
    def exists(self) -> frozenset[str]:
        """Symbols of the goals that no hypothesis mentions."""
        return frozenset[str]().union(*(s.symbols for s in self.goals)) - self.universal

    @property
    def legend(self) -> str:
        """The lines of `words` that explain a symbol of this theorem."""
        used = self.universal | self.exists
        lines = self.words.splitlines()
        return "\n".join(line for line in lines if used & names_of(line))

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.meaning}", *(f"  {line}" for line in self.legend.split("\n"))]
        for title, statements in (("If", self.hypotheses), ("then", self.goals)):
            lines.append(f"{title} " + ", ".join(map(str, statements)))
        return "\n".join(lines)

    def latex(self) -> str:
        """Return LaTeX: what is assumed, what follows, and which integers are said to exist."""
        assumed, claimed = (
            r",\ ".join(s.latex() for s in statements)
            for statements in (self.hypotheses, self.goals)
        )
        new = r",\ ".join(Polynomial.symbol(name).latex() for name in sorted(self.exists))
        there_are = rf"\exists\, {new}:\ " if new else ""
        return rf"{assumed} \implies {there_are}{claimed}"


def names_of(line: str) -> frozenset[str]:
    """Return the names that a line "s, d, k   what they are" explains."""
    return frozenset(name.strip() for name in line.split("  ", 1)[0].split(","))


def within(low: int, value: Operand, high: Operand) -> tuple[Statement, Statement]:
    """``low <= value < high``."""
    return le(low, value), lt(value, high)


def positive_options() -> tuple[Statement, ...]:
    """Stride, dilation and kernel are at least 1; paddings are any integers."""
    s, d, k = symbols("s d k")
    return le(1, s), le(1, d), le(1, k)


def forward_options() -> tuple[Statement, ...]:
    """How many outputs the convolution of n inputs has."""
    n, f, q, s, d, k, p0, p1 = symbols("n f q s d k p0 p1")
    return floor(q, n + p0 + p1 - d * (k - 1) - 1, s), eq(f, q + 1)


def transposed_options(bound: Operand | None = None) -> tuple[Statement, ...]:
    """How long the stretched, padded line is, and how many windows of d(k - 1) + 1 it holds.

    The output padding a is less than `bound`, if there is one.
    """
    n, m, s, d, k, p0, p1, a, length = symbols("n m s d k p0 p1 a length")
    stretched = s * (m - 1) + 1
    low, high = d * (k - 1) - p0, d * (k - 1) - p1 + a
    return (
        le(1, m),
        le(0, a),
        *(() if bound is None else (lt(a, bound),)),
        eq(length, stretched + low + high),
        eq(n, length - d * (k - 1)),
    )


def forward_entry(outputs: str = "f") -> tuple[Statement, ...]:
    """Output o, one of so many, of the convolution reads input i with tap `tap`."""
    o, i, tap, n, f, s, d, k, p0 = symbols(f"o i tap n {outputs} s d k p0")
    return (
        eq(i, s * o + d * tap - p0),
        *within(0, i, n),
        *within(0, o, f),
        *within(0, tap, k),
    )


def transposed_entry() -> tuple[Statement, ...]:
    """Output t of the transposed convolution reads input j with flipped tap `flip`."""
    t, j, flip, u, v, n, m, length, s, d, k, p0 = symbols("t j flip u v n m length s d k p0")
    return (
        eq(u, s * j),  # zero insertion
        eq(v, u + d * (k - 1) - p0),  # padding
        eq(v, t + d * flip),  # correlation at stride 1
        *within(0, j, m),
        *within(0, t, n),
        *within(0, flip, k),
        *within(0, v, length),
    )


def renaming(pairs: tuple[tuple[str, str], ...]) -> tuple[Statement, ...]:
    """Each first name stands for the second."""
    return tuple(eq(*symbols(f"{new} {old}")) for new, old in pairs)
