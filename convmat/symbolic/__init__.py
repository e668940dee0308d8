"""Symbolic matrices, and theorems for all sizes with certificates that a small checker follows."""

from convmat.certificates.checker import Refused, check
from convmat.certificates.provers.scripts import certificate
from convmat.certificates.statements import Certificate, Statement, Step
from convmat.certificates.theorem import Theorem
from convmat.certificates.theorems import RELATIONS, THEOREMS
from convmat.symbolic.counting.deriving import Derivation, derive
from convmat.symbolic.counting.inverses import Inputs, RoundTrip, inputs_of, round_trip
from convmat.symbolic.fast.tiles import Winograd
from convmat.symbolic.fast.winograd import winograd
from convmat.symbolic.floors.rules import normal_form, rewrite
from convmat.symbolic.formula.equality import prove_identity
from convmat.symbolic.formula.identities import Identity
from convmat.symbolic.library import LIBRARY, find_theorem, write_certificate
from convmat.symbolic.linear.algebra import determinant, nullspace, rank
from convmat.symbolic.linear.blocks import BlockView, block_view, latex
from convmat.symbolic.linear.exact import exact_matrix
from convmat.symbolic.linear.matrices import symbolic_matrix
from convmat.symbolic.linear.spectra import eigenvalues
from convmat.symbolic.networks.layer_specs import LayerSpec, layer
from convmat.symbolic.networks.stacks import Stack, stack
from convmat.symbolic.solver.solutions import Family, Solution
from convmat.symbolic.solver.solving import solve_layer

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
