"""Explicit sparse matrices, proofs, formulas and pictures of what a layer does to a vector.

Heavy libraries (SciPy, Numba, SymPy, Matplotlib) are imported on first use.

Rooms, from the ground up; each imports from those above it in this table, and begins with a table
of its own. A word may name a file in several of them (`sizes`, `layers`, `kronecker`): the one in
`geometry` says what, the others what is done with it.

==============  ==================================================================
`version`       the version
`geometry`      what a layer is, without its numbers; and the glossary
`kernels`       the loops that touch numbers
`certificates`  statements about integers, and proofs that a small checker follows
`matrix`        SciPy matrices
`symbolic`      formulas and exact objects
`operator`      layers as linear operators
`layers`        constructors with PyTorch's keywords
`plot`          pictures
`proof`         claims, with evidence
`analysis`      what operators do to lengths: norms and singular values
`answer`        are upsampling and transposed convolution the same?
`cli`           the command line
==============  ==================================================================
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from convmat.geometry.arguments import GeometryError
from convmat.version import __version__

__all__ = [
    "Counterexample",
    "GeometryError",
    "MaxPool",
    "Operator",
    "Proof",
    "__version__",
    "adaptive_avg_pool",
    "analysis",
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
    "padded_size",
    "pixel_shuffle",
    "pixel_shuffle_shape",
    "pixel_unshuffle",
    "pixel_unshuffle_shape",
    "plot",
    "proof",
    "prove_equal",
    "prove_transpose",
    "selection",
    "solve_layer",
    "symbolic",
    "transposed_output_size",
    "unfold",
    "unfold_shape",
    "unpool",
    "upsample",
    "upsampled_size",
    "verify_output_size",
]

if TYPE_CHECKING:
    from convmat import analysis, answer, plot, proof, symbolic
    from convmat.geometry.sizes import (
        output_size,
        padded_size,
        pixel_shuffle_shape,
        pixel_unshuffle_shape,
        transposed_output_size,
        unfold_shape,
        upsampled_size,
    )
    from convmat.layers import (
        MaxPool,
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
    from convmat.layers.decoder import mirror
    from convmat.operator import Operator, block
    from convmat.proof import (
        Counterexample,
        Proof,
        prove_equal,
        prove_transpose,
        verify_output_size,
    )
    from convmat.proof.comparing.comparison import compare
    from convmat.symbolic.solver.solving import solve_layer

_HOME = {
    "Counterexample": "proof",
    "MaxPool": "layers",
    "Operator": "operator",
    "Proof": "proof",
    "padded_size": "geometry.sizes",
    "pixel_shuffle_shape": "geometry.sizes",
    "pixel_unshuffle_shape": "geometry.sizes",
    "unfold_shape": "geometry.sizes",
    "upsampled_size": "geometry.sizes",
    "adaptive_avg_pool": "layers",
    "avg_pool": "layers",
    "block": "operator",
    "compare": "proof.comparing.comparison",
    "conv": "layers",
    "conv_transpose": "layers",
    "convolution_matrix": "layers",
    "mirror": "layers.decoder",
    "fold": "layers",
    "identity": "layers",
    "max_pool": "layers",
    "output_size": "geometry.sizes",
    "pad": "layers",
    "pixel_shuffle": "layers",
    "pixel_unshuffle": "layers",
    "prove_equal": "proof",
    "prove_transpose": "proof",
    "selection": "layers",
    "solve_layer": "symbolic.solver.solving",
    "transposed_output_size": "geometry.sizes",
    "unfold": "layers",
    "unpool": "layers",
    "upsample": "layers",
    "verify_output_size": "proof",
}


if not TYPE_CHECKING:  # a checker of types knows every name, and so every other as wrong

    def __getattr__(name: str) -> Any:
        if name in ("analysis", "answer", "plot", "proof", "symbolic"):
            return importlib.import_module(f"convmat.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'convmat' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"convmat.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
