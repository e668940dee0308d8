"""The proofs: which step follows from which. `certificate(name)` writes them down for the checker.

Everything here may be wrong without harm: a mistake makes the checker refuse the certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from convmat.certificates.provers.draft import Draft
from convmat.certificates.provers.scripts import guide, records, resampling, transposed
from convmat.certificates.statements import Certificate
from convmat.certificates.theorems import THEOREMS

__all__ = ["SURPLUS", "TRANSPOSE", "certificate"]

# The theorems that together say: the transposed convolution is the transpose.
TRANSPOSE = (
    "size of the transposed convolution",
    "output padding",
    "convolution to transposed convolution",
    "transposed convolution to convolution",
)

# The same where the output padding may reach the stride: the transpose of the first rows.
SURPLUS = (
    "size with surplus rows",
    "kept rows to transposed convolution",
    "transposed convolution to kept rows",
)

_WRITERS: dict[str, Callable[[Draft], None]] = {
    **transposed.WRITERS,
    **records.WRITERS,
    **guide.WRITERS,
    **resampling.WRITERS,
}


@cache
def certificate(name: str) -> Certificate:
    """Return the certificate of a theorem of `THEOREMS`."""
    draft = Draft(THEOREMS[name])
    _WRITERS[name](draft)
    draft.establish(draft.theorem.goals)
    return draft.finish()
