"""What a `Proof` rests on: each kind of evidence states its claim, explains and re-checks itself.

Evidence is plain data. Its claim, grades and steps are computed from it, never stored beside it,
so that none of them can say more than was checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from convmat.certificates.checker import Refused, check
from convmat.certificates.statements import Certificate, fields, malformed
from convmat.certificates.theorems import SURPLUS, THEOREMS, TRANSPOSE
from convmat.geometry.printing import OneLine
from convmat.geometry.window import Geometry, Window
from convmat.proof.definitions.definition import Options
from convmat.proof.definitions.enumeration import (
    LARGEST,
    UNTRUSTED,
    check_equal_patterns,
    check_transpose,
)
from convmat.proof.evidence.bilinear import BilinearEvidence
from convmat.proof.evidence.operators import not_these_layers
from convmat.proof.evidence.sizes import SizeEvidence
from convmat.proof.evidence.theorems import TheoremEvidence, legend_of, theorem_steps
from convmat.proof.matrices.equality import KINDS, EqualNumbers
from convmat.proof.records import (
    MOST_AXES,
    describe_record,
    read_geometry,
    read_integers,
    write_geometry,
)
from convmat.proof.steps import ALL_SIZES, THIS_GEOMETRY, ProofStep, number_steps, plain_step

if TYPE_CHECKING:
    from convmat.operator import Operator

__all__ = ["EqualPatterns", "Evidence", "TransposeEvidence", "read_alone", "read_evidence"]


class Evidence(Protocol):
    """What `Proof` needs of its evidence."""

    @property
    def claim(self) -> str:
        """What is proved."""

    @property
    def grades(self) -> tuple[str, ...]:
        """How far it holds, the strongest first."""

    def steps(self) -> tuple[ProofStep, ...]:
        """Return the steps for a reader."""

    def objection(self, first: Operator, second: Operator, /) -> str | None:
        """Return why the claim is not about two operators; None if it is, in either order."""

    def check(self, _operators: tuple[Operator, Operator] | None = None, /) -> None:
        """Re-check everything, or raise `Refused`."""

    def to_json(self) -> dict[str, Any]:
        """Return plain data with a key ``kind``."""


@dataclass(frozen=True, slots=True, repr=False)
class TransposeEvidence(OneLine):
    """Records of a convolution and of its transposed convolution, options, certificates.

    If a >= s on some axis, the theorems are those about the first rows of the convolution.
    """

    convolution: Geometry
    transposed: Geometry
    options: tuple[Options, ...]
    certificates: tuple[Certificate, ...]

    @property
    def restricted(self) -> bool:
        """Whether some axis has a >= s, so that the convolution has rows that are left out."""
        return any(axis.a >= axis.s for axis in self.options)

    grades = (ALL_SIZES, THIS_GEOMETRY)

    @property
    def theorems(self) -> tuple[str, ...]:
        """Names of the theorems that make the claim for all sizes."""
        return SURPLUS if self.restricted else TRANSPOSE

    @property
    def legend(self) -> str:
        """What the symbols of the theorems stand for."""
        return legend_of(self.theorems)

    @property
    def claim(self) -> str:
        """Name both layers."""
        rows = ""
        if self.restricted:
            all_rows = tuple(_forward_size(axis) for axis in self.options)
            kept = self.convolution.out_shape[1:]
            rows = f"the first {kept} of the {all_rows} outputs of "
        return (
            f"the matrix of the transposed convolution {self.transposed.in_shape} -> "
            f"{self.transposed.out_shape} is the transpose of the matrix of {rows}the convolution "
            f"from {self.convolution.in_shape} ({self._words()}), for every weight of shape "
            f"{self.convolution.weight_shape}{self._other_records()}"
        )

    def _other_records(self) -> str:
        """Write the records, unless they are those that the options give and that is named."""
        axes = tuple(Window(a.n, a.m, a.k, a.s, 1, a.d, a.p0) for a in self.options)
        if self.convolution == replace(self.convolution, axes=axes, flipped=False) and (
            self.transposed == self.convolution.transpose()
        ):
            return ""
        return (
            f"; the record of the convolution is {describe_record(self.convolution)}, and of the "
            f"transposed convolution {describe_record(self.transposed)}"
        )

    def _words(self) -> str:
        columns = {
            "kernel": tuple(axis.k for axis in self.options),
            "stride": tuple(axis.s for axis in self.options),
            "dilation": tuple(axis.d for axis in self.options),
            "padding": tuple((axis.p0, axis.p1) for axis in self.options),
            "output padding": tuple(axis.a for axis in self.options),
        }
        words = [f"{name} {value}" for name, value in columns.items()]
        return ", ".join([*words, f"groups {self.convolution.groups}"])

    def steps(self) -> tuple[ProofStep, ...]:
        """Write the theorems, their hypotheses at these integers, then the integers themselves."""
        steps = [step for c in self.certificates for step in theorem_steps(c)]
        part = "These sizes"
        for number, axis in enumerate(self.options):
            where = f"axis {number}: " + ", ".join(f"{k} = {v}" for k, v in _values(axis).items())
            text = f"{where} satisfy every hypothesis"
            if axis.a >= axis.s:
                text += (
                    f"; as a >= s ({axis.a} >= {axis.s}), the convolution has "
                    f"{_forward_size(axis)} outputs, of which the first {axis.m} are the layer's"
                )
            steps.append(plain_step(part, len(steps), text, "evaluate", ALL_SIZES))
        steps += [plain_step("", 0, *entry, THIS_GEOMETRY) for entry in self._integer_steps()]
        return number_steps(steps)

    def _integer_steps(self) -> list[tuple[str, str]]:
        count = int(np.prod(self.convolution.weight_shape))
        forward = [f"{c}" for c in self.convolution.axes]
        backward = [f"{c}" for c in self.transposed.axes]
        steps = []
        for number, axis in enumerate(self.options):
            steps += [
                (
                    (
                        f"axis {number}: padding {axis.n} inputs and reading windows gives the "
                        f"{self.convolution.axes[number].nnz} entries of {forward[number]}"
                    ),
                    "enumerate",
                ),
                (
                    (
                        f"axis {number}: inserting {axis.s - 1} zeros, padding by "
                        f"{axis.d * (axis.k - 1) - axis.p0} and "
                        f"{axis.d * (axis.k - 1) - axis.p1 + axis.a}, and correlating with the "
                        f"flipped kernel gives the {self.transposed.axes[number].nnz} entries of "
                        f"{backward[number]}"
                    ),
                    "enumerate",
                ),
                (
                    (
                        f"axis {number}: they are the same entries with output and input exchanged "
                        "and the tap counted from the other end"
                    ),
                    "enumerate",
                ),
            ]
        groups, (out, inner) = self.convolution.groups, self.convolution.group_channels
        lemma = (
            "an entry of either matrix is one entry on every axis, at one group "
            f"g < {groups}, channels c < {out} and b < {inner} of the group, with weight "
            f"[{out}g + c, b, taps]; exchanging output and input on every axis, and c and b, "
            f"therefore exchanges rows and columns: {self.convolution.nnz} entries over {count} "
            "slots"
        )
        return [*steps, (lemma, "product over axes and channels")]

    def objection(self, first: Operator, second: Operator) -> str | None:
        """Compare the records of two layers with these, and their weights with each other."""
        return not_these_layers((first, second), (self.convolution, self.transposed))

    def check(self, operators: tuple[Operator, Operator] | None = None) -> None:
        """Follow the certificates, evaluate their hypotheses, enumerate the records."""
        if tuple(c.theorem for c in self.certificates) != self.theorems:
            raise Refused(f"the theorems must be {', '.join(self.theorems)}")
        for certificate in self.certificates:
            check(certificate)
        for number, axis in enumerate(self.options):
            if min(axis.s, axis.d, axis.k) < 1:
                raise Refused(f"axis {number}: {axis} are not options of a convolution")
            values = _values(axis)
            for hypothesis in THEOREMS[self.theorems[0]].hypotheses:
                if not hypothesis.holds_at(values):
                    raise Refused(f"axis {number}: the hypothesis {hypothesis} fails")
        records = self.convolution, self.transposed
        check_transpose(*records, self.options, most=most_pairs(operators))

    def to_json(self) -> dict[str, Any]:
        """Return records and options as integers, certificates as statements."""
        return {
            "kind": "transpose",
            "convolution": write_geometry(self.convolution),
            "transposed": write_geometry(self.transposed),
            "options": [axis._asdict() for axis in self.options],
            "certificates": [certificate.to_json() for certificate in self.certificates],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TransposeEvidence:
        """Read what `to_json` wrote."""
        fields(value, {"kind", "convolution", "transposed", "options", "certificates"})
        if not isinstance(value["options"], list) or not isinstance(value["certificates"], list):
            raise malformed(value["options"], "a list")
        if len(value["options"]) > MOST_AXES or len(value["certificates"]) > len(THEOREMS):
            raise malformed(value["options"], "options of each axis, and certificates, each once")
        return cls(
            read_geometry(value["convolution"]),
            read_geometry(value["transposed"]),
            tuple(Options(**read_integers(entry, Options._fields)) for entry in value["options"]),
            tuple(Certificate.from_json(entry) for entry in value["certificates"]),
        )


@dataclass(frozen=True, slots=True, repr=False)
class EqualPatterns(OneLine):
    """Two records that relate the same inputs and outputs through the same slots."""

    first: Geometry
    second: Geometry

    grades = (THIS_GEOMETRY,)

    @property
    def claim(self) -> str:
        """Name both records."""
        first, second = describe_record(self.first), describe_record(self.second)
        records = f"both are {first}" if first == second else f"one is {first}, the other {second}"
        return f"{self.short_claims[0]}; {records}"

    @property
    def short_claims(self) -> tuple[str, ...]:
        """What is said in short, and by earlier versions: without the records."""
        claim = (
            f"the two layers {self.first.in_shape} -> {self.first.out_shape} have the same "
            f"matrix, for every weight of shape {self.first.weight_shape} that they share"
        )
        return (claim,)

    def steps(self) -> tuple[ProofStep, ...]:
        """Axis by axis, then the weight."""
        lines = [
            (
                f"axis {number}: {a} and {b} have the same {a.nnz} entries",
                "the records are equal" if a == b else "enumerate",
            )
            for number, (a, b) in enumerate(zip(self.first.axes, self.second.axes, strict=True))
        ]
        lines.append(
            (
                (
                    f"both read the weight {self.first.weight_shape} in the same order, in "
                    f"{self.first.groups} groups, so the {self.first.nnz} entries of the two "
                    "matrices have the same slots"
                ),
                "product over axes and channels",
            )
        )
        return number_steps([plain_step("", 0, *line, THIS_GEOMETRY) for line in lines])

    def objection(self, first: Operator, second: Operator) -> str | None:
        """Compare the records of two layers with these, and their weights with each other."""
        return not_these_layers((first, second), (self.first, self.second))

    def check(self, operators: tuple[Operator, Operator] | None = None) -> None:
        """Enumerate both records."""
        check_equal_patterns(self.first, self.second, most=most_pairs(operators))

    def to_json(self) -> dict[str, Any]:
        """Return the records as integers."""
        first, second = write_geometry(self.first), write_geometry(self.second)
        return {"kind": "equal patterns", "first": first, "second": second}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EqualPatterns:
        """Read what `to_json` wrote."""
        fields(value, {"kind", "first", "second"})
        return cls(read_geometry(value["first"]), read_geometry(value["second"]))


def most_pairs(operators: tuple[Operator, Operator] | None) -> int:
    """Return how much may be enumerated: sizes of operators are trusted, those of files are not."""
    return UNTRUSTED if operators is None else LARGEST


_KINDS: dict[str, Callable[[dict[str, Any]], Evidence]] = {
    "transpose": TransposeEvidence.from_json,
    "equal patterns": EqualPatterns.from_json,
    **dict.fromkeys(KINDS, EqualNumbers.from_json),
    "output size": SizeEvidence.from_json,
    "theorems": TheoremEvidence.from_json,
    "bilinear algorithm": BilinearEvidence.from_json,
}


def read_evidence(value: Any) -> Evidence:
    """Read what an evidence's `to_json` wrote."""
    if not isinstance(value, dict) or value.get("kind") not in tuple(_KINDS):
        raise malformed(value, f"evidence of kind {', '.join(_KINDS)}")
    return _KINDS[value["kind"]](value)


def read_alone(value: Any) -> Evidence | None:
    """Read a `Certificate` or a `BilinearProof` that stands alone; None if it is neither."""
    if isinstance(value, dict) and "theorem" in value:
        return TheoremEvidence((Certificate.from_json(value),))
    if isinstance(value, dict) and "factors" in value:
        return BilinearEvidence.of(value)
    return None


def _values(axis: Options) -> dict[str, int]:
    """Return the symbols of the first theorem at an axis."""
    q = (axis.n + axis.p0 + axis.p1 - axis.d * (axis.k - 1) - 1) // axis.s
    length = axis.n + axis.d * (axis.k - 1)
    return {**axis._asdict(), "length": length, "q": q, "f": q + 1, "surplus": axis.a // axis.s}


def _forward_size(axis: Options) -> int:
    return _values(axis)["f"]
