"""The ladder of equality: fractions or expressions where they can be had, else floats."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convmat.certificates.checker import Refused
from convmat.certificates.statements import fields, malformed
from convmat.geometry.printing import OneLine
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
from convmat.proof.steps import THESE_NUMBERS, THIS_GEOMETRY, ProofStep, number_steps, plain_step

__all__ = ["EqualNumbers", "compare"]

# How files name what was compared.
KINDS = {
    "equal fractions": FRACTIONS,
    "equal expressions": EXPRESSIONS,
    "equal numbers": FLOATS,
}
NAMES = {rung: kind for kind, rung in KINDS.items()}
FOR_ALL = "equal for all weights"
KINDS[FOR_ALL] = EXPRESSIONS


@dataclass(frozen=True, slots=True, repr=False)
class EqualNumbers(OneLine):
    """Two matrices whose entries were compared, one by one; see `Agreement`.

    `dtypes` and `roundings` say how the tolerance was found. `shapes` are those of inputs and
    outputs; like `fingerprint`, they are missing from what earlier versions wrote. `all_weights`
    says that every weight is a symbol of its own, so that nothing is said of some numbers alone.
    """

    rung: str
    rows: int
    columns: int
    entries: int
    dtypes: tuple[str, str]
    roundings: tuple[int, int]
    deviation: float
    tolerance: float
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    fingerprint: str | None = None
    all_weights: bool = False

    @classmethod
    def of(cls, found: Agreement, first: Operator, second: Operator) -> EqualNumbers:
        """Return what was found of two operators."""
        dtypes = str(first.dtype), str(second.dtype)
        shapes = tuple(map(int, first.in_shape)), tuple(map(int, first.out_shape))
        return cls(
            found.rung,
            *first.shape,
            found.entries,
            dtypes,
            found.roundings,
            found.deviation,
            found.tolerance,
            shapes,
            found.fingerprint,
            found.rung == EXPRESSIONS
            and found.deviation == found.tolerance == 0
            and _are_free(first)
            and _are_free(second),
        )

    @property
    def grades(self) -> tuple[str, ...]:
        """For these numbers; or for this geometry, where the numbers are symbols."""
        return (THIS_GEOMETRY if self.all_weights else THESE_NUMBERS,)

    @property
    def exact(self) -> bool:
        """Whether the matrices are equal without any tolerance."""
        return self.tolerance == self.deviation == 0

    @property
    def claim(self) -> str:
        """Say whether the equality is exact, if not how far entries may lie apart, and of what."""
        rounded = f"equal up to rounding, within {at_most(self.tolerance)}"
        words = [
            f"compared as {self.rung}",
            f"{self.entries} nonzero entries",
            f"dtypes {self.dtypes}",
            f"roundings {self.roundings}",
        ]
        if not self.exact:
            words.append(f"deviation {self.deviation} of {self.tolerance}")
        if self.shapes is not None:
            words.append(f"{self.shapes[0]} -> {self.shapes[1]}")
        if self.fingerprint is not None:
            words.append(f"fingerprint {self.fingerprint}")
        if self.all_weights:
            words.append("for all weights, which are symbols of their own")
        which = f"the two matrices of shape ({self.rows}, {self.columns})"
        return f"{which} ({', '.join(words)}) are {'exactly equal' if self.exact else rounded}"

    @property
    def short_claims(self) -> tuple[str, ...]:
        """What is said in short, and by earlier versions, which at first stated no bound."""
        shape = f"the two matrices of shape ({self.rows}, {self.columns}) are"
        if self.exact:
            return (f"{shape} exactly equal",)
        rounded = f"{shape} equal up to rounding"
        return rounded, f"{rounded}, within {at_most(self.tolerance)}"

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
        return number_steps([plain_step("", 0, *line, self.grades[0]) for line in lines])

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

    def objection(self, first: Operator, second: Operator) -> str | None:
        """Compare the shapes; `check` compares all else."""
        for operator in (first, second):
            if operator.shape != (self.rows, self.columns):
                return f"the claim is not about a matrix of shape {operator.shape}"
            if self.shapes not in (None, (operator.in_shape, operator.out_shape)):
                return f"the claim is not about a map {operator.in_shape} -> {operator.out_shape}"
        return None

    def check(self, operators: tuple[Operator, Operator] | None = None) -> None:
        """Compare the operators again; without them there is nothing to compare."""
        if operators is None:
            raise Refused(
                "a claim about numbers can only be re-checked with the two operators; pass them "
                "to check(A, B)"
            )
        answers = []
        for pair in (operators, operators[::-1]):  # equal matrices may be named in either order
            answers.append(compare(*pair))
            if self._is_confirmed(answers[-1], pair):
                return
        raise Refused(
            "comparing the two operators again gives another result" + self._reason(answers[0]), 1
        )

    def _is_confirmed(
        self, found: EqualNumbers | Difference, pair: tuple[Operator, Operator]
    ) -> bool:
        """Say whether what was found of two operators is what this says."""
        if isinstance(found, Difference):
            return False
        if self.fingerprint is None:  # of an earlier version, which kept none
            found = replace(found, shapes=self.shapes, fingerprint=None)
        if not self.all_weights:  # of an earlier version, or read as less than it is
            found = replace(found, all_weights=False)
        return found == self or self._is_implied(found, pair)

    def _is_implied(self, found: EqualNumbers, operators: tuple[Operator, Operator]) -> bool:
        """Say whether an exact claim of an earlier version, about floats alone, is proved now."""
        if self.fingerprint is not None or not (self.rung == FLOATS and self.exact and found.exact):
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
        data = {
            "kind": FOR_ALL if self.all_weights else NAMES[self.rung],
            "rows": self.rows,
            "columns": self.columns,
            "entries": self.entries,
            "dtypes": list(self.dtypes),
            "roundings": list(self.roundings),
            "deviation": self.deviation,
            "tolerance": self.tolerance,
        }
        if self.shapes is None or self.fingerprint is None:
            return data
        shapes = [list(shape) for shape in self.shapes]
        return {**data, "shapes": shapes, "fingerprint": self.fingerprint}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EqualNumbers:
        """Read what `to_json` wrote."""
        counts = ("rows", "columns", "entries")
        needed = {"kind", *counts, "dtypes", "roundings", "deviation", "tolerance"}
        later = {"shapes", "fingerprint"} & value.keys()
        fields(value, needed | ({"shapes", "fingerprint"} if later else set()))
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
            all_weights=value["kind"] == FOR_ALL,
            **numbers,
            dtypes=tuple(value["dtypes"]),
            roundings=tuple(value["roundings"]),
            deviation=value["deviation"],
            tolerance=value["tolerance"],
            shapes=_read_shapes(value["shapes"]) if later else None,
            fingerprint=_read_fingerprint(value["fingerprint"]) if later else None,
        )


def _are_free(operator: Operator) -> bool:
    """Whether every weight is a symbol of its own, of which nothing is assumed.

    Of layers that share symbols less is known, and of multiples by a symbol.
    """
    if any(hasattr(scalar, "free_symbols") for scalar in operator._scalars()):
        return False
    entries = [entry for w in {id(w): w for w in operator._weighted()}.values() for entry in w.flat]
    symbols = all(getattr(e, "is_Symbol", False) and e == type(e)(e.name) for e in entries)
    return bool(entries) and symbols and len(set(entries)) == len(entries)


def _read_shapes(value: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not isinstance(value, list) or [type(shape) for shape in value] != [list] * 2:
        raise malformed(value, "two shapes")
    if not all(type(size) is int for shape in value for size in shape):
        raise malformed(value, "two shapes of integers")
    first, second = map(tuple, value)
    return first, second


def _read_fingerprint(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{32}", value):
        raise malformed(value, "a fingerprint of 32 hexadecimal digits")
    return value


def compare(first: Operator, second: Operator) -> EqualNumbers | Difference:
    """Compare two operators of equal shape, on the highest rung of the ladder that bears them."""
    # Numbers that leave the range of floats are found out, not warned of.
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        found = compare_exactly(first, second) or compare_floats(first, second)
    return found if isinstance(found, Difference) else EqualNumbers.of(found, first, second)
