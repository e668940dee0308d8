"""The theorems: what is claimed, for all sizes. How it is proved is in `provers`.

All symbols are integers; the `legend` of a theorem says what each stands for. They stand for any
integers, except the `witnesses`, which exist: a certificate names them by definitions.

============  ========================================================
`transposed`  the transposed convolution is the transpose
`records`     records, their transposes and compositions
`guide`       relations of Dumoulin and Visin's guide
`resampling`  layers that are convolutions
`floors`      rules for floors, remainders, the least and the greatest
`solving`     lemmas of `solve_layer`
============  ========================================================
"""

from __future__ import annotations

from convmat.certificates.theorem import Theorem, forward_options, quantified, transposed_options
from convmat.certificates.theorems import guide, records, resampling, transposed
from convmat.certificates.theorems.guide import RELATIONS
from convmat.certificates.theorems.transposed import SURPLUS, SYMBOLS, TRANSPOSE

__all__ = [
    "FAMILIES",
    "RELATIONS",
    "SURPLUS",
    "SYMBOLS",
    "THEOREMS",
    "TRANSPOSE",
    "Theorem",
    "forward_options",
    "quantified",
    "transposed_options",
]

FAMILIES: dict[str, tuple[Theorem, ...]] = {
    "The transposed convolution is the transpose": transposed.theorems(),
    "Records, their transposes and compositions": records.theorems(),
    "Relations of Dumoulin and Visin's guide": guide.theorems(),
    "Layers that are convolutions": resampling.theorems(),
}

THEOREMS: dict[str, Theorem] = {t.name: t for family in FAMILIES.values() for t in family}
