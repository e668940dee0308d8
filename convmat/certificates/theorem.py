"""What a theorem is, and the hypotheses that several families share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convmat.certificates.polynomials import Operand, Polynomial, symbols
from convmat.certificates.statements import Statement, eq, floor, le, lt
from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import OneLine

__all__ = [
    "Theorem",
    "forward_entry",
    "forward_options",
    "positive_options",
    "quantified",
    "renaming",
    "transposed_entry",
    "transposed_options",
    "within",
]


@dataclass(frozen=True, slots=True, repr=False)
class Theorem(OneLine):
    """For all integers that satisfy the hypotheses there are witnesses that satisfy the goals.

    Attributes
    ----------
    name, meaning : str
    hypotheses, goals : tuple of Statement
    words : str
        What the symbols of its family stand for, a line for each group of names.
    witnesses : tuple of str
        The symbols that are said to exist. Every other one stands for any integer, also where
        the goals alone mention it.
    """

    name: str
    meaning: str
    hypotheses: tuple[Statement, ...]
    goals: tuple[Statement, ...]
    words: str = ""
    witnesses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        new = _names(self.goals) - _names(self.hypotheses)
        if len(set(self.witnesses)) != len(self.witnesses) or not new >= set(self.witnesses):
            raise GeometryError(
                "witnesses",
                self.witnesses,
                "must be symbols of the goals, each once, that no hypothesis mentions",
                f"choose among {', '.join(sorted(new)) or 'none'}",
            )

    @property
    def universal(self) -> frozenset[str]:
        """Symbols that stand for any integer."""
        return _names((*self.hypotheses, *self.goals)) - set(self.witnesses)

    @property
    def legend(self) -> str:
        """The lines of `words` that explain a symbol of this theorem."""
        used = self.universal | set(self.witnesses)
        lines = self.words.splitlines()
        return "\n".join(line for line in lines if used & names_of(line))

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.meaning}", *(f"  {line}" for line in self.legend.split("\n"))]
        lines.append(quantified(self.hypotheses, self.goals, self.witnesses))
        return "\n".join(lines)

    def latex(self) -> str:
        """Return LaTeX: for which integers, what is assumed, which ones exist, what follows."""
        assumed, claimed = (
            r",\ ".join(s.latex() for s in statements)
            for statements in (self.hypotheses, self.goals)
        )
        for_all = _quantifier(r"\forall", self.universal)
        there_are = _quantifier(r"\exists", self.witnesses)
        return rf"{for_all}{assumed} \implies {there_are}{claimed}"


def quantified(
    hypotheses: Sequence[Statement], goals: Sequence[Statement], witnesses: Iterable[str] = ()
) -> str:
    """Write "For all integers ... with ..., there are integers ... with ..."."""
    new = sorted(witnesses)
    names = sorted(_names((*hypotheses, *goals)) - set(new))
    assumed = ", ".join(map(str, hypotheses))
    text = f"For all integers {', '.join(names)}" if names else "Always"
    if assumed:
        text += f" with {assumed}"
    if new:
        text += ", there is an integer " if len(new) == 1 else ", there are integers "
        text += f"{', '.join(new)} with"
    return f"{text}: {', '.join(map(str, goals))}"


def _quantifier(sign: str, names: Iterable[str]) -> str:
    written = r",\ ".join(Polynomial.symbol(name).latex() for name in sorted(names))
    return rf"{sign}\, {written} \in \mathbb{{Z}}:\ " if written else ""


def _names(statements: Iterable[Statement]) -> frozenset[str]:
    return frozenset[str]().union(*(statement.symbols for statement in statements))


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
