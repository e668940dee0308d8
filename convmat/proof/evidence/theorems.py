"""The evidence that named theorems hold for all sizes: their certificates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convmat.certificates.checker import Refused, check
from convmat.certificates.statements import Certificate, fields, malformed
from convmat.certificates.theorems import quantified
from convmat.geometry.printing import OneLine
from convmat.proof.steps import ALL_SIZES, ProofStep
from convmat.symbolic.library import LIBRARY

if TYPE_CHECKING:
    from convmat.operator import Operator

__all__ = ["TheoremEvidence", "legend_of", "theorem_steps"]


@dataclass(frozen=True, slots=True, repr=False)
class TheoremEvidence(OneLine):
    """Certificates of theorems of the library."""

    certificates: tuple[Certificate, ...]

    grades = (ALL_SIZES,)

    @property
    def claim(self) -> str:
        """The meaning of one theorem, the names of several."""
        if len(self.certificates) == 1:
            (only,) = self.certificates
            return f"theorem {only.theorem!r}: {_meaning(only).rstrip('.')}"
        names = "; ".join(c.theorem for c in self.certificates)
        return f"{len(self.certificates)} theorems: {names}"

    @property
    def legend(self) -> str:
        """What symbols stand for; a name may be explained twice if families differ about it."""
        return legend_of([c.theorem for c in self.certificates])

    def steps(self) -> tuple[ProofStep, ...]:
        """Write every certificate with its hypotheses."""
        return tuple(step for c in self.certificates for step in theorem_steps(c))

    def objection(self, _first: Operator, _second: Operator) -> str | None:
        """Refuse any operators."""
        return "the claim is about theorems, not about two operators"

    def check(self, _operators: tuple[Operator, Operator] | None = None) -> None:
        """Follow the certificates."""
        if not self.certificates:
            raise Refused("there is no certificate")
        for certificate in self.certificates:
            check(certificate, LIBRARY.get(certificate.theorem))

    def to_json(self) -> dict[str, Any]:
        """Return the certificates as statements."""
        return {"kind": "theorems", "certificates": [c.to_json() for c in self.certificates]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TheoremEvidence:
        """Read what `to_json` wrote."""
        fields(value, {"kind", "certificates"})
        if not isinstance(value["certificates"], list):
            raise malformed(value["certificates"], "a list")
        return cls(tuple(Certificate.from_json(entry) for entry in value["certificates"]))


def legend_of(names: Sequence[str]) -> str:
    """Say what the symbols of these theorems stand for."""
    theorems = [LIBRARY[name] for name in names if name in LIBRARY]
    lines = [line for theorem in theorems for line in theorem.legend.splitlines()]
    return "\n".join(dict.fromkeys(lines))


def theorem_steps(certificate: Certificate) -> list[ProofStep]:
    """Write the steps of a certificate under its theorem."""
    known = LIBRARY.get(certificate.theorem)
    claim = quantified(
        certificate.hypotheses, certificate.goals, () if known is None else known.witnesses
    )
    part = f"Theorem: {certificate.theorem}. {_meaning(certificate)} {claim}."
    return [
        ProofStep(part, number, str(step.statement), step.reason, ALL_SIZES, step.statement.latex())
        for number, step in enumerate(certificate.steps, 1)
    ]


def _meaning(certificate: Certificate) -> str:
    return LIBRARY[certificate.theorem].meaning if certificate.theorem in LIBRARY else "?"
