"""A statement about layers, what became of it, and how that was found out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.certificates.truth import Answer
from convmat.certificates.writing import write_json
from convmat.operator import Operator
from convmat.proof import Proof, prove_equal
from convmat.proof.comparing.comparison import Comparison, Maker

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "EXCEPT",
    "FALSE",
    "HOLDS",
    "Pair",
    "Shape",
    "Verdict",
    "answer_of",
    "for_every_weight",
    "makers",
    "measured",
    "settled",
]

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
Pair = tuple[Operator, Operator]
Pairing = Callable[[Array, Shape], Pair]  # from weights and a shape

HOLDS, EXCEPT, FALSE = "holds", "holds except at the boundary", "does not hold"


@dataclass(frozen=True, repr=False)
class Verdict(Answer):
    """One statement about layers, and what became of it.

    Attributes
    ----------
    title, statement : str
        The statement says that the operators A and B are equal.
    code : tuple of str
        Lines of Python that make A and B, of which the last says whether they are equal; `x` is
        the image.
    answer : str
        ``"holds"``, ``"holds except at the boundary"`` or ``"does not hold"``.
    so : str
        What follows.
    evidence : tuple of str
        Proofs and counterexamples.
    numbers : dict
        What was measured on the image.
    figure : callable
        Draws the picture.
    operators : (Operator, Operator)
        A and B.
    command : str
        The same question for the command line, if it can be asked there.
    hypotheses : tuple of str
        Where alone A and B are equal, if that was found.
    counterexample : dict or None
        Where they differ.
    """

    title: str
    statement: str
    code: tuple[str, ...]
    answer: str
    so: str
    evidence: tuple[str, ...]
    numbers: dict[str, Any]
    figure: Callable[[], Figure] = field(repr=False, compare=False)
    operators: tuple[Operator, Operator] = field(repr=False, compare=False)
    command: str = ""
    hypotheses: tuple[str, ...] = ()
    counterexample: dict[str, Any] | None = None

    @property
    def holds(self) -> bool:
        """Whether the statement holds without exception."""
        return self.answer == HOLDS

    @property
    def summary(self) -> str:
        """The statement, the verdict, and what follows from it."""
        return f"{self.answer}: {self.statement} {self.so}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the picture, as plain numbers, strings and lists."""
        return self.head | {
            "title": self.title,
            "statement": self.statement,
            "verdict": self.answer,
            "so": self.so,
            "evidence": list(self.evidence),
            "numbers": self.numbers,
            "code": list(self.code),
            "command": self.command,
            "operators": [repr(operator) for operator in self.operators],
        }

    def to_json(self) -> str:
        """Return everything but the picture, as text."""
        return write_json(self.to_dict())


def answer_of(found: Comparison) -> str:
    """Return the verdict on "A equals B" that a comparison supports."""
    if found.holds:
        return HOLDS if found.smallest is None else FALSE
    boundary = found.places is not None and found.places.kind == "boundary"
    return EXCEPT if boundary else FALSE


def settled(
    title: str,
    statement: str,
    found: Comparison,
    operators: tuple[Operator, Operator],
    so: Mapping[str, str],
    **others: Any,
) -> Verdict:
    """Return the verdict that a comparison supports; `so` says what follows from each answer."""
    answer = others.pop("answer", answer_of(found))
    differing = None if answer == HOLDS else found.smallest
    evidence = (*found.evidence, *others.pop("evidence", ()))
    return Verdict(
        title=title,
        statement=statement,
        answer=answer,
        so=so[answer] if answer in so else so[FALSE],
        evidence=evidence,
        operators=operators,
        hypotheses=found.hypotheses if answer == EXCEPT else (),
        counterexample=None if differing is None else differing.to_dict(),
        **others,
    )


def measured(A: Operator, B: Operator, x: Array) -> dict[str, Any]:
    """Apply both operators to an image and measure how far apart the results are."""
    first, second = A(x), B(x)
    gap = np.abs(first - second)
    return {
        "values that A gives": first.size,
        "of them different by B": int(np.count_nonzero(gap)),
        "largest difference": float(gap.max()),
        "largest value": float(np.abs(first).max()),
    }


def makers(pair: Pairing, weight: Array) -> tuple[Maker, Maker]:
    """Return the two functions from a shape to an operator that one function of both makes."""
    return (lambda shape: pair(weight, shape)[0]), (lambda shape: pair(weight, shape)[1])


def for_every_weight(pair: Pairing, weight_shape: Shape, shape: Shape = (1, 4, 4)) -> list[str]:
    """Compare two layers again, with a symbol for each weight."""
    import sympy

    count = int(np.prod(weight_shape))
    symbols = np.array(sympy.symbols(f"w:{count}"), object).reshape(weight_shape)
    answer = prove_equal(*pair(symbols, shape))
    given = f"With {count} symbols for the weights, at shape {shape}"
    if isinstance(answer, Proof):
        return [f"{given}: {answer.claim}, whatever the weights."]
    where = f"for the input that is 1 at {answer.column} and 0 elsewhere, output {answer.row}"
    return [f"{given}, {where} is {answer.first} by A and {answer.second} by B."]
