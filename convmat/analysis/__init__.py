"""What an operator does to lengths: norms between two bounds, singular values, checkerboards.

==============  =================================================================
`norms`         the largest singular value, bracketed
`spectra`       all singular values, or the largest; rank and condition
`checkerboard`  what a transposed convolution makes of a constant, phase by phase
`bounds`        from above: from weights, structure, and absolute values
`numbers`       what must be true of numbers, and how they are rounded
`torus`         convolutions that wrap around: a small matrix for each frequency
`lanczos`       from below: products with the operator
==============  =================================================================
"""

from convmat.analysis.checkerboard import Overlap, bilinear_weight, icnr, overlap
from convmat.analysis.norms import Bracket, norm
from convmat.analysis.spectra import Spectrum, singular_values

__all__ = [
    "Bracket",
    "Overlap",
    "Spectrum",
    "bilinear_weight",
    "icnr",
    "norm",
    "overlap",
    "singular_values",
]
