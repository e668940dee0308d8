"""Steps as a reader sees them, and the grades of claims about matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from convmat.geometry.printing import one_line

__all__ = [
    "ALL_SIZES",
    "THESE_NUMBERS",
    "THIS_GEOMETRY",
    "ProofStep",
    "describe",
    "latex",
    "number_steps",
    "plain_step",
]

ALL_SIZES = "all sizes"
THIS_GEOMETRY = "this geometry, all weights"
THESE_NUMBERS = "these numbers"

# What rules, and the records of the last part, say in short.
WORDS = """\
tap         one place of the kernel, or the weight there
hypothesis  assumed by the theorem
define      a name for the right-hand side
combine     a sum of earlier steps, each times the factor before its number
floor       q = floor(x / s) says the same as s*q <= x < s*q + s
divide      a positive factor is left out
enumerate   every entry was listed and compared
Window      one axis as integers: output o reads input i with tap k where
            base*i = stride*o + dilation*k - pad"""


class ProofStep(NamedTuple):
    """One step: its part of the proof, number within it, statement, rule and grade."""

    part: str
    number: int
    statement: str
    rule: str
    grade: str
    latex: str

    def __repr__(self) -> str:
        return one_line(self)

    def __str__(self) -> str:
        return f"{self.number:>3}. {self.statement}    [{self.rule}]"


def describe(steps: Sequence[ProofStep], legend: str = "") -> str:
    """Write steps as text, each part under its heading, after what symbols and words mean."""
    lines = []
    part = ""
    if legend:
        lines += ["", "Symbols, integers along one axis", *_indented(legend), ""]
        lines += ["Words", *_indented(WORDS)]
    for step in steps:
        if step.part != part:
            part = step.part
            lines += ["", f"{part}  (grade: {step.grade})"]
        lines.append(str(step))
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def plain_step(part: str, number: int, text: str, rule: str, grade: str) -> ProofStep:
    """Return a step without LaTeX."""
    return ProofStep(part or "These records", number, text, rule, grade, "")


def number_steps(steps: Sequence[ProofStep]) -> tuple[ProofStep, ...]:
    """Count the steps from 1 within each part."""
    numbered: list[ProofStep] = []
    for step in steps:
        again = bool(numbered) and numbered[-1].part == step.part
        numbered.append(step._replace(number=numbered[-1].number + 1 if again else 1))
    return tuple(numbered)


def latex(title: str, steps: Sequence[ProofStep]) -> str:
    """Write steps as an array: number, statement, rule."""
    lines = [rf"&\text{{{_escape(title)}}}&"]
    for step in steps:
        statement = step.latex or rf"\text{{{_escape(step.statement)}}}"
        lines.append(rf"{step.number}.\;&{statement}&\text{{{_escape(step.rule)}}}")
    return "$\\begin{array}{rll}\n" + " \\\\\n".join(lines) + "\n\\end{array}$"


def _escape(text: str) -> str:
    special = {"\\": r"\backslash ", "_": r"\_", "{": r"\{", "}": r"\}", "^": r"\^{}"}
    special |= {character: "\\" + character for character in "#$%&"}
    special |= {"<": "$<$", ">": "$>$"}
    return "".join(special.get(character, character) for character in text)
