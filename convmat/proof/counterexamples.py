"""What an answer is when a claim about matrices is false."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convmat.certificates.truth import Answer
from convmat.certificates.writing import write_json
from convmat.proof.steps import ProofStep, describe, latex

__all__ = ["Counterexample"]


@dataclass(frozen=True, repr=False)
class Counterexample(Answer):
    """A claim that does not hold, and an input that shows it.

    Attributes
    ----------
    claim : str
        What was to be proved.
    reason : str
        Why it is false.
    column, row : tuple of int, or None
        Index of the 1 in a unit input, and of an output that differs; None if sizes differ.
    first, second : number, SymPy expression or str
        The output there by the first and by the second side.
    steps : tuple of ProofStep

    Examples
    --------
    >>> import convmat as cm
    >>> A, B = (cm.conv([[[1, 2, last]]], in_shape=(1, 4)) for last in (3, 4))
    >>> answer = cm.prove_equal(A, B)
    >>> answer.holds, answer.column, answer.row, answer.first, answer.second
    (False, (0, 2), (0, 0), 3, 4)
    """

    claim: str
    reason: str
    column: tuple[int, ...] | None = None
    row: tuple[int, ...] | None = None
    first: Any = None
    second: Any = None
    grade: str = "counterexample"

    @property
    def holds(self) -> bool:
        """Always False."""
        return False

    @property
    def counterexample(self) -> dict[str, Any]:
        """Input and output at which the sides differ, or sizes, as plain data; and the reason."""
        return {**self._where(), **self._values(), "reason": self.reason}

    def _where(self) -> dict[str, Any]:
        return {"column": self.column, "row": self.row}

    def _values(self) -> dict[str, str | None]:
        pair = {"first": self.first, "second": self.second}
        return {side: None if value is None else str(value) for side, value in pair.items()}

    @property
    def exact(self) -> bool:
        """Always True: what rounding may explain is no counterexample."""
        return True

    @property
    def steps(self) -> tuple[ProofStep, ...]:
        """Input, outputs, and how far the difference goes."""
        lines = []
        if self.column is not None:
            lines += [
                (f"take the input that is 1 at {self.column} and 0 elsewhere", "choose"),
                (
                    (
                        f"output {self.row} is {self.first} by the first side and {self.second} by "
                        "the second"
                    ),
                    "evaluate",
                ),
            ]
        lines.append((self.reason, "conclude"))
        return tuple(
            ProofStep("Counterexample", number, text, rule, self.grade, "")
            for number, (text, rule) in enumerate(lines, 1)
        )

    @property
    def summary(self) -> str:
        """The claim, and the input that shows it to be false."""
        return f"False: {self.claim}.\n{describe(self.steps)}"

    def _repr_latex_(self) -> str:
        return latex(f"False: {self.claim}.", self.steps)

    def to_json(self) -> str:
        """Return the counterexample as text."""
        data = {"format": "convmat counterexample 1", "claim": self.claim, "reason": self.reason}
        return write_json({**self.head, **data, **self._where(), **self._values()})
