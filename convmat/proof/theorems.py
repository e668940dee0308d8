"""Proofs of named theorems."""

from __future__ import annotations

from convmat.geometry.arguments import GeometryError
from convmat.proof.evidence.theorems import TheoremEvidence
from convmat.proof.proofs import Proof
from convmat.symbolic.library import LIBRARY, find_theorem, write_certificate

__all__ = ["prove_theorem"]


def prove_theorem(*names: str) -> Proof:
    """Return the proof of theorems of the library, all of them if none is named.

    Parameters
    ----------
    *names : str
        Names in `convmat.symbolic.LIBRARY`, or the words that a single name begins with.

    Raises
    ------
    GeometryError
        A name that is none.

    Notes
    -----
    The proof is a certificate for each theorem: `Proof.check` follows its steps, `Proof.to_json`
    writes them down. Cost: about a millisecond for each theorem.

    Examples
    --------
    >>> proof = prove_theorem("transposing twice")
    >>> proof.holds, proof.grade
    (True, 'all sizes')
    >>> print(proof.summary.splitlines()[0])
    Proved: theorem 'transposing twice': The transpose of the transpose is the same record, and \
each tap is where it was.
    """
    for name in names:
        if not isinstance(name, str):
            raise GeometryError("theorem", name, "must be a name", "list them with LIBRARY")
    found = [find_theorem(name).name for name in names] or list(LIBRARY)
    evidence = TheoremEvidence(tuple(write_certificate(name) for name in dict.fromkeys(found)))
    return Proof(evidence.claim, evidence.grades, evidence)
