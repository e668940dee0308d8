"""What an answer about a size formula is when there is no proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from convmat.certificates.truth import Answer
from convmat.certificates.writing import write_json
from convmat.geometry.printing import OneLine
from convmat.proof.counterexamples import Counterexample
from convmat.proof.steps import ProofStep, latex, plain_step

__all__ = ["SizeCounterexample", "Unproved", "Way"]


@dataclass(frozen=True, repr=False)
class SizeCounterexample(Counterexample):
    """Sizes at which a formula does not give the output size of a layer.

    Attributes
    ----------
    at : dict of symbol to int
        The sizes.
    first : int, Fraction or None
        What the formula gives there; None if it divides by zero.
    second : int
        The layer's output size there.
    """

    at: Mapping[str, int] = field(default_factory=dict)

    def _where(self) -> dict[str, Any]:
        return {"at": dict(self.at)}


@dataclass(frozen=True, repr=False)
class Way(OneLine):
    """One way through a function that decides about its arguments.

    Attributes
    ----------
    conditions : str
        Where it is taken.
    formula : str or None
        What the function computes there; None if that is no expression.
    answer : Answer or None
        What became of it; None if it could not be tried, so that the function was called alone.
    """

    conditions: str
    formula: str | None
    answer: Answer | None = None

    def __str__(self) -> str:
        if self.formula is None:
            return f"where {self.conditions} it computes no expression"
        if self.answer is None:
            became = "not tried, only compared"
        elif isinstance(self.answer, SizeCounterexample):
            became = f"wrong {self.answer.reason}"
        else:
            became = "proved" if self.answer.holds else "not decided"
        return f"where {self.conditions} it computes {self.formula}: {became}"


@dataclass(frozen=True, repr=False)
class Unproved(Answer):
    """A claim without a proof and without a counterexample among the sizes that were compared.

    Attributes
    ----------
    claim : str
    compared : int
        Number of layers at which the two agree.
    box : dict of symbol to (least, greatest), or str
        Which sizes were gone through.
    sampled : int
        How many of them are others, at random up to 2^40 and where the formula may change.
    stopped : str
        Why, and where, a function was not called any more before all sizes were gone through.
    untraced : str
        Why a function is not one expression, of which something could be proved.
    branches : tuple of Way
        What became of each way through a function that decides about its arguments.
    """

    claim: str
    compared: int
    box: Any
    sampled: int = 0
    grade: str = "no counterexample found"
    stopped: str = ""
    untraced: str = ""
    branches: tuple[Way, ...] = ()

    @property
    def holds(self) -> bool:
        """Always False: nothing is established."""
        return False

    @property
    def steps(self) -> tuple[ProofStep, ...]:
        """What was compared."""
        told = ". ".join((self._seen, *self._function))
        return (plain_step("Comparison", 1, told, "compare", self.grade),)

    @property
    def _function(self) -> tuple[str, ...]:
        """What is to be said of a function: sentences without their full stops."""
        stopped = f"It was not called further: {self.stopped}" if self.stopped else ""
        untraced = (
            f"It is not one expression of its arguments: {self.untraced}" if self.untraced else ""
        )
        ways = "Branch by branch: " + "; ".join(map(str, self.branches)) if self.branches else ""
        return tuple(filter(None, (stopped, untraced, ways)))

    @property
    def _seen(self) -> str:
        if isinstance(self.box, str):
            return f"{self.compared} layers were compared: {self.box}"
        box = ", ".join(f"{low} <= {name} <= {high}" for name, (low, high) in self.box.items())
        return (
            f"{self.compared} layers were compared: {self.compared - self.sampled} with {box}, and "
            f"{self.sampled} of sizes up to 2^40, at random and where the formula may change"
        )

    @property
    def summary(self) -> str:
        """The claim, and how far it was compared."""
        return (
            f"Not decided: {self.claim}.\nNo counterexample among {self.compared} parameter "
            f"sets; not established in general.\n{self._seen}."
        ) + "".join(f"\n{sentence}." for sentence in self._function)

    def _repr_latex_(self) -> str:
        return latex(f"Not decided: {self.claim}.", self.steps)

    def to_json(self) -> str:
        """Return what was compared as text."""
        data = self.head | {
            "format": "convmat comparison 1",
            "claim": self.claim,
            "compared": self.compared,
            "box": self.box,
            "sampled": self.sampled,
        }
        if self.stopped or self.untraced:
            data |= {
                "stopped": self.stopped,
                "untraced": self.untraced,
                "branches": [str(way) for way in self.branches],
            }
        return write_json(data)
