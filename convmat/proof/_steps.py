"""Steps as a reader sees them, and the three grades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = [
    "ALL_SIZES",
    "THESE_NUMBERS",
    "THIS_GEOMETRY",
    "ProofStep",
    "describe",
    "number_steps",
    "plain_step",
]

ALL_SIZES = "all sizes"
THIS_GEOMETRY = "this geometry, all weights"
THESE_NUMBERS = "these numbers"


class ProofStep(NamedTuple):
    """One step: its part of the proof, number within it, statement, rule and grade."""

    part: str
    number: int
    statement: str
    rule: str
    grade: str
    latex: str

    def __str__(self) -> str:
        return f"{self.number:>3}. {self.statement}    [{self.rule}]"


def describe(steps: Sequence[ProofStep]) -> str:
    """Write steps as text, each part under its heading."""
    lines = []
    part = ""
    for step in steps:
        if step.part != part:
            part = step.part
            lines += ["", f"{part}  (grade: {step.grade})"]
        lines.append(str(step))
    return "\n".join(lines)


def plain_step(part: str, number: int, text: str, rule: str, grade: str) -> ProofStep:
    return ProofStep(part or "These records", number, text, rule, grade, "")


def number_steps(steps: Sequence[ProofStep]) -> tuple[ProofStep, ...]:
    """Count the steps from 1 within each part."""
    numbered: list[ProofStep] = []
    for step in steps:
        again = bool(numbered) and numbered[-1].part == step.part
        numbered.append(step._replace(number=numbered[-1].number + 1 if again else 1))
    return tuple(numbered)
