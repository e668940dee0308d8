"""Formulas and exact objects; `__all__` below is the public table.

===================  ==============================================================
`formulas`           users' formulas: read, never evaluated; compared, proved equal
`sizes`              `derive`, `inputs_of`, `round_trip`
`solver`             `solve_layer`
`stacks`             `stack`: layers in a row
`matrices`           `symbolic_matrix`, `rank`, `eigenvalues`
`minimal_filtering`  `winograd`: exact fast algorithms
`library`            every named theorem with its certificate
===================  ==============================================================
"""

from convmat.certificates.checker import Refused, check
from convmat.certificates.provers.found import certificate
from convmat.certificates.statements import Certificate, Statement, Step
from convmat.certificates.theorem import Theorem
from convmat.certificates.theorems import RELATIONS, THEOREMS
from convmat.symbolic.formulas.equality import prove_identity
from convmat.symbolic.formulas.identities import Identity
from convmat.symbolic.formulas.normal_form import normal_form, rewrite
from convmat.symbolic.library import LIBRARY, find_theorem, write_certificate
from convmat.symbolic.matrices.algebra import determinant, nullspace, rank
from convmat.symbolic.matrices.blocks import BlockView, block_view, latex
from convmat.symbolic.matrices.entries import symbolic_matrix
from convmat.symbolic.matrices.exact import exact_matrix
from convmat.symbolic.matrices.spectra import eigenvalues
from convmat.symbolic.minimal_filtering.tiles import Winograd
from convmat.symbolic.minimal_filtering.transforms import winograd
from convmat.symbolic.sizes.deriving import Derivation, derive
from convmat.symbolic.sizes.inverses import Inputs, RoundTrip, inputs_of, round_trip
from convmat.symbolic.solver.solutions import Family, Solution
from convmat.symbolic.solver.solving import solve_layer
from convmat.symbolic.stacks.layer_specs import LayerSpec, layer
from convmat.symbolic.stacks.stacks import Stack, stack

__all__ = [
    "LIBRARY",
    "RELATIONS",
    "THEOREMS",
    "BlockView",
    "Certificate",
    "Derivation",
    "Family",
    "Identity",
    "Inputs",
    "LayerSpec",
    "Refused",
    "RoundTrip",
    "Solution",
    "Stack",
    "Statement",
    "Step",
    "Theorem",
    "Winograd",
    "block_view",
    "certificate",
    "check",
    "derive",
    "determinant",
    "eigenvalues",
    "exact_matrix",
    "find_theorem",
    "inputs_of",
    "latex",
    "layer",
    "normal_form",
    "nullspace",
    "prove_identity",
    "rank",
    "rewrite",
    "round_trip",
    "solve_layer",
    "stack",
    "symbolic_matrix",
    "winograd",
    "write_certificate",
]


def __dir__() -> list[str]:
    return sorted(__all__)
