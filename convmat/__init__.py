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
    "adaptive_avg_pool",
    "answer",
    "avg_pool",
    "block",
    "compare",
    "conv",
    "conv_transpose",
    "convolution_matrix",
    "fold",
    "identity",
    "max_pool",
    "mirror",
    "output_size",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "plot",
    "proof",
    "prove_equal",
    "prove_transpose",
    "selection",
    "symbolic",
    "transposed_output_size",
    "unfold",
    "unpool",
    "upsample",
]

if TYPE_CHECKING:
    from convmat import answer, plot, proof, symbolic
    from convmat._comparison import compare
    from convmat._mirror import mirror
    from convmat.layers import (
        adaptive_avg_pool,
        avg_pool,
        conv,
        conv_transpose,
        convolution_matrix,
        fold,
        identity,
        max_pool,
        pad,
        pixel_shuffle,
        pixel_unshuffle,
        selection,
        unfold,
        unpool,
        upsample,
    )
    from convmat.operator import block
    from convmat.proof import prove_equal, prove_transpose
    from convmat.sizes import output_size, transposed_output_size

_HOME = {
    "adaptive_avg_pool": "layers",
    "avg_pool": "layers",
    "block": "operator",
    "compare": "_comparison",
    "conv": "layers",
    "conv_transpose": "layers",
    "convolution_matrix": "layers",
    "mirror": "_mirror",
    "fold": "layers",
    "identity": "layers",
    "max_pool": "layers",
    "output_size": "sizes",
    "pad": "layers",
    "pixel_shuffle": "layers",
    "pixel_unshuffle": "layers",
    "prove_equal": "proof",
    "prove_transpose": "proof",
    "selection": "layers",
    "transposed_output_size": "sizes",
    "unfold": "layers",
    "unpool": "layers",
    "upsample": "layers",
}


def __getattr__(name: str) -> Any:
    if name in ("answer", "plot", "proof", "symbolic"):
        return importlib.import_module(f"convmat.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'convmat' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"convmat.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
