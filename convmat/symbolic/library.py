"""Every named theorem with its certificate: about layers, rewriting rules, solving for parameters.

What the checker looks up by itself is `THEOREMS`; here those of the rules and of the solver stand
beside them, so that one name finds any of them.
"""

from __future__ import annotations

from convmat.certificates.provers.floors import RULE_THEOREMS, rule_certificate
from convmat.certificates.provers.scripts import certificate
from convmat.certificates.provers.solving import SOLVING_THEOREMS, solving_certificate
from convmat.certificates.statements import Certificate
from convmat.certificates.theorem import Theorem
from convmat.certificates.theorems import FAMILIES
from convmat.geometry.arguments import GeometryError
from convmat.symbolic.sizes.deriving import SIZE_THEOREMS, size_certificate

__all__ = ["CHAPTERS", "LIBRARY", "find_theorem", "write_certificate"]

CHAPTERS: dict[str, tuple[Theorem, ...]] = {
    "Floors": tuple(RULE_THEOREMS.values()),
    "Sizes": tuple(SIZE_THEOREMS.values()),
    **FAMILIES,
    "Solving for parameters": tuple(SOLVING_THEOREMS.values()),
}

LIBRARY: dict[str, Theorem] = {t.name: t for chapter in CHAPTERS.values() for t in chapter}


def find_theorem(name: str) -> Theorem:
    """Return the theorem of this name, or the only one whose name begins with these words.

    Raises
    ------
    GeometryError
        No theorem, or several.

    Examples
    --------
    >>> find_theorem("relation 14").name
    'relation 14 (transposed, any remainder)'
    """
    wanted = " ".join(str(name).split()).lower()
    found = [t for t in LIBRARY.values() if wanted and f"{t.name.lower()} ".startswith(wanted)]
    whole = [t for t in found if t.name.lower() == wanted]
    words = [t for t in found if t.name.lower().startswith(f"{wanted} (")]
    chosen = whole or words or found  # "relation 1" is not "relation 10"
    if len(chosen) == 1:
        return chosen[0]
    raise GeometryError(
        "theorem",
        name,
        f"begins {len(found)} names of theorems" if found else "is not the name of a theorem",
        "write one of " + ", ".join(repr(t.name) for t in found)
        if found
        else "list the names with convmat prove --list",
    )


def write_certificate(name: str) -> Certificate:
    """Return the certificate of a theorem of the library.

    Examples
    --------
    >>> from convmat.certificates.checker import check
    >>> check(write_certificate("nested floors"), LIBRARY["nested floors"]).name
    'nested floors'
    """
    theorem = find_theorem(name)
    if theorem.name in RULE_THEOREMS:
        return rule_certificate(theorem.name)
    if theorem.name in SOLVING_THEOREMS:
        return solving_certificate(theorem.name)
    if theorem.name in SIZE_THEOREMS:
        return size_certificate(theorem.name)
    return certificate(theorem.name)
