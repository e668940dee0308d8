"""Claims about matrices, proved or refuted; proofs that can be checked again by someone else.

Grades of claims about matrices, always stated (`docs/proofs.md` has those of formulas too): *all
sizes* (an index relation with symbolic sizes, see `convmat.certificates.theorems`), *this
geometry, all weights* (patterns equal in integers), *these numbers* (matrices compared entry by
entry).

The transposed convolution of a proof is built from its definition in frameworks (insert zeros,
pad, correlate with the flipped kernel), never by transposing, or the claim would be empty.

=================  ====================================================
`steps`            a step as a reader sees it, and the grades
`records`          records as plain integers
`definitions`      what a claim says, restated on index arrays
`matrices`         entries compared: the ladder of equality
`sizes`            where a formula and the size of a layer are compared
`evidence`         what proofs rest on: each kind checks itself again
`proofs`           `Proof`: a claim with its evidence, and its file
`counterexamples`  what an answer is when a claim is false
`theorems`         proofs of named theorems
`layers`           `prove_transpose`, `prove_equal`
`verifying`        `verify_output_size`
`comparing`        `compare`: equal, or where two layers differ
=================  ====================================================
"""

from convmat.certificates.checker import Refused
from convmat.certificates.truth import NotProved
from convmat.proof.counterexamples import Counterexample
from convmat.proof.layers.claims import prove_equal, prove_transpose
from convmat.proof.proofs import Proof, load
from convmat.proof.steps import ProofStep
from convmat.proof.theorems import prove_theorem
from convmat.proof.verifying.verify import SizeCounterexample, Unproved, verify_output_size

__all__ = [
    "Counterexample",
    "NotProved",
    "Proof",
    "ProofStep",
    "Refused",
    "SizeCounterexample",
    "Unproved",
    "load",
    "prove_equal",
    "prove_theorem",
    "prove_transpose",
    "verify_output_size",
]


def __dir__() -> list[str]:
    return sorted(__all__)
