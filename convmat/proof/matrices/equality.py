"""The ladder of equality: fractions or expressions where they can be had, else floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convmat.certificates.checker import Refused
from convmat.certificates.statements import fields, malformed
from convmat.operator import Operator
from convmat.proof.matrices.fractions import compare_exactly
from convmat.proof.matrices.numbers import compare_floats
from convmat.proof.matrices.outcomes import (
    EXPRESSIONS,
    FLOATS,
    FRACTIONS,
    Agreement,
    Difference,
    at_most,
)
from convmat.proof.records import read_integers
from convmat.proof.steps import THESE_NUMBERS, ProofStep, number_steps, plain_step

__all__ = ["EqualNumbers", "compare"]

# How files name what was compared.
KINDS = {
    "equal fractions": FRACTIONS,
    "equal expressions": EXPRESSIONS,
    "equal numbers": FLOATS,
}


@dataclass(frozen=True, slots=True)
class EqualNumbers:
    """Two matrices whose entries were compared, one by one; see `Agreement`.

    `dtypes` and `roundings` say how the tolerance was found.
    """

    rung: str
    rows: int
    columns: int
    entries: int
    dtypes: tuple[str, str]
    roundings: tuple[int, int]
    deviation: float
    tolerance: float

    grades = (THESE_NUMBERS,)

    @classmethod
    def of(cls, found: Agreement, first: Operator, second: Operator) -> EqualNumbers:
        """Return what was found of two operators."""
        rung, entries, roundings, deviation, tolerance = found
        dtypes = str(first.dtype), str(second.dtype)
        return cls(rung, *first.shape, entries, dtypes, roundings, deviation, tolerance)

    @property
    def exact(self) -> bool:
        """Whether the matrices are equal without any tolerance."""
        return self.tolerance == self.deviation == 0

    @property
    def claim(self) -> str:
        """Say whether the equality is exact, and if not, how far entries may lie apart."""
        rounded = f"equal up to rounding, within {at_most(self.tolerance)}"
        equal = "exactly equal" if self.exact else rounded
        return f"the two matrices of shape ({self.rows}, {self.columns}) are {equal}"

    def steps(self) -> tuple[ProofStep, ...]:
        """Say what was compared and how."""
        first, second = self.dtypes
        lines = [
            (
                (
                    f"the matrices have {self.rows} rows and {self.columns} columns; the first "
                    f"({first}) has {self.entries} nonzero entries, the second is {second}"
                ),
                "build",
            )
        ]
        if not self.exact:
            lines.append((self._bound(), "error bound"))
        text = (
            f"as {self.rung}, every entry is exactly equal: tolerance 0, largest deviation 0"
            if self.exact
            else f"as {self.rung}, every entry is within its tolerance; the largest deviation is "
            f"{at_most(self.deviation)}"
        )
        lines.append((text, "compare every entry"))
        return number_steps([plain_step("", 0, *line, THESE_NUMBERS) for line in lines])

    def _bound(self) -> str:
        """Say what rounding can explain."""
        one, other = self.roundings
        first, second = self.dtypes
        made = (
            f"made by at most {one} (first) and {other} (second) roundings of the coarser of "
            f"{first} and {second}"
            if self.rung == FLOATS
            else f"with at most {one} (first) and {other} (second) floats in a term, each nearest "
            "to the number that it stands for,"
        )
        return (
            f"an entry {made} may deviate by roundings * eps * (sum of the sizes of its terms), "
            f"here at most {at_most(self.tolerance)}"
        )

    def check(self, operators: tuple[Operator, Operator] | None = None) -> None:
        """Compare the operators again; without them there is nothing to compare."""
        if operators is None:
            raise Refused(
                "a claim about numbers can only be re-checked with the two operators; pass them "
                "to check(A, B)"
            )
        found = compare(*operators)
        if isinstance(found, Difference) or not (
            found == self or self._is_implied(found, operators)
        ):
            raise Refused(
                "comparing the two operators again gives another result" + self._reason(found), 1
            )

    def _is_implied(self, found: EqualNumbers, operators: tuple[Operator, Operator]) -> bool:
        """Say whether an exact claim of an earlier version, about floats alone, is proved now."""
        if not (self.rung == FLOATS and self.exact and found.exact):
            return False
        shape = (self.rows, self.columns, self.dtypes) == (found.rows, found.columns, found.dtypes)
        if "object" in self.dtypes:
            return shape and self.entries == found.entries
        return shape and self.entries == int(np.count_nonzero(operators[0].matrix().data))

    def _reason(self, found: EqualNumbers | Difference) -> str:
        """Say what became of an equality up to rounding, if that is all that is left."""
        if isinstance(found, Difference) or self.rung != FLOATS:
            return ""
        return f": {found.claim} (compared as {found.rung}); earlier versions compared floats alone"

    def to_json(self) -> dict[str, Any]:
        """Return sizes and deviation; the numbers themselves are not stored."""
        return {
            "kind": next(kind for kind, rung in KINDS.items() if rung == self.rung),
            "rows": self.rows,
            "columns": self.columns,
            "entries": self.entries,
            "dtypes": list(self.dtypes),
            "roundings": list(self.roundings),
            "deviation": self.deviation,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EqualNumbers:
        """Read what `to_json` wrote."""
        counts = ("rows", "columns", "entries")
        fields(value, {"kind", *counts, "dtypes", "roundings", "deviation", "tolerance"})
        for key, kinds in (("dtypes", str), ("roundings", int)):
            pair = value[key]
            if not isinstance(pair, list) or [type(entry) for entry in pair] != [kinds] * 2:
                raise malformed(pair, f"two {key}")
        for key in ("deviation", "tolerance"):
            if type(value[key]) not in (int, float):
                raise malformed(value[key], "a number")
        numbers = read_integers({key: value[key] for key in counts}, counts)
        return cls(
            KINDS[value["kind"]],
            **numbers,
            dtypes=tuple(value["dtypes"]),
            roundings=tuple(value["roundings"]),
            deviation=value["deviation"],
            tolerance=value["tolerance"],
        )


def compare(first: Operator, second: Operator) -> EqualNumbers | Difference:
    """Compare two operators of equal shape, on the highest rung of the ladder that bears them."""
    # Numbers that leave the range of floats are found out, not warned of.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        found = compare_exactly(first, second) or compare_floats(first, second)
    return found if isinstance(found, Difference) else EqualNumbers.of(found, first, second)
