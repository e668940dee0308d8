"""Symbolic matrices, and theorems for all sizes with certificates that a small checker follows."""

from convmat.symbolic.certificate import Certificate, Statement, Step
from convmat.symbolic.checker import Refused, check
from convmat.symbolic.derivations import certificate
from convmat.symbolic.matrices import symbolic_matrix
from convmat.symbolic.theorems import THEOREMS, Theorem

__all__ = [
    "THEOREMS",
    "Certificate",
    "Refused",
    "Statement",
    "Step",
    "Theorem",
    "certificate",
    "check",
    "symbolic_matrix",
]
