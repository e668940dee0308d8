"""Explicit sparse matrices, proofs, formulas and pictures of what a layer does to a vector.

Heavy libraries (SciPy, Numba, SymPy, Matplotlib) are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convmat._check import GeometryError

__version__ = "0.1.0"

__all__ = [
    "GeometryError",
    "__version__",
    "conv",
    "conv_transpose",
    "convolution_matrix",
    "output_size",
    "plot",
    "proof",
    "prove_equal",
    "prove_transpose",
    "symbolic",
    "transposed_output_size",
]

if TYPE_CHECKING:
    from convmat import plot, proof, symbolic
    from convmat.layers import conv, conv_transpose, convolution_matrix
    from convmat.proof import prove_equal, prove_transpose
    from convmat.sizes import output_size, transposed_output_size

_HOME = {
    "conv": "layers",
    "conv_transpose": "layers",
    "convolution_matrix": "layers",
    "output_size": "sizes",
    "prove_equal": "proof",
    "prove_transpose": "proof",
    "transposed_output_size": "sizes",
}


def __getattr__(name: str) -> Any:
    if name in ("plot", "proof", "symbolic"):
        return importlib.import_module(f"convmat.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'convmat' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"convmat.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
