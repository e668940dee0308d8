"""The evidence that a bilinear algorithm computes a layer: its matrices and every coefficient."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convmat.certificates.statements import as_written, fields
from convmat.geometry.printing import OneLine
from convmat.proof.steps import THIS_GEOMETRY, ProofStep, number_steps, plain_step
from convmat.symbolic.minimal_filtering.bilinear import BilinearProof

if TYPE_CHECKING:
    from convmat.operator import Operator

__all__ = ["BilinearEvidence"]


@dataclass(frozen=True, slots=True, repr=False)
class BilinearEvidence(OneLine):
    """A `BilinearProof` among the evidence that files hold."""

    proof: BilinearProof

    grades = (THIS_GEOMETRY,)

    @property
    def claim(self) -> str:
        """What the algorithm computes."""
        return self.proof.claim

    @property
    def short_claims(self) -> tuple[str, ...]:
        """What is said in short, and by earlier versions: sizes alone."""
        return (f"{self.proof.sizes}, for all d and g",)

    def steps(self) -> tuple[ProofStep, ...]:
        """Write every identity."""
        return number_steps(
            [plain_step("", 0, text, "evaluate", THIS_GEOMETRY) for text in self.proof.steps]
        )

    def objection(self, _first: Operator, _second: Operator) -> str | None:
        """Refuse any operators."""
        return "the claim is about a bilinear algorithm, not about two operators"

    def check(self, _operators: tuple[Operator, Operator] | None = None) -> None:
        """Evaluate every identity, and compare it with the record of the layer."""
        self.proof.check()

    def to_json(self) -> dict[str, Any]:
        """Return records, matrices and identities."""
        return {"kind": "bilinear algorithm", "proof": json.loads(self.proof.to_json())}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> BilinearEvidence:
        """Read what `to_json` wrote."""
        fields(value, {"kind", "proof"})
        return cls.of(value["proof"])

    @classmethod
    def of(cls, value: Any) -> BilinearEvidence:
        """Read what `BilinearProof.to_json` wrote, as data."""
        proof = BilinearProof.from_json(json.dumps(value))
        as_written(value, json.loads(proof.to_json()))
        return cls(proof)
