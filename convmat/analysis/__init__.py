"""What an operator does to lengths: its norm between two bounds, its singular values.

==========  =================================================================
`norms`     the largest singular value, bracketed
`spectra`   all singular values, or the largest; rank and condition
`bounds`    from above: from weights, structure, and absolute values
`torus`     convolutions that wrap around: a small matrix for each frequency
`lanczos`   from below: products with the operator
==========  =================================================================
"""

from convmat.analysis.norms import Bracket, norm
from convmat.analysis.spectra import Spectrum, singular_values

__all__ = ["Bracket", "Spectrum", "norm", "singular_values"]
