"""Every named theorem with its certificate: about layers, rewriting rules, solving for parameters.

What the checker looks up by itself is `THEOREMS`; here those of the rules and of the solver stand
beside them, so that one name finds any of them.
"""

from __future__ import annotations

from convmat.certificates.provers.finding import find
from convmat.certificates.provers.found import found
from convmat.certificates.provers.ways import WAYS
from convmat.certificates.statements import Certificate
from convmat.certificates.theorem import Theorem
from convmat.certificates.theorems import FAMILIES
from convmat.certificates.theorems.floors import RULE_THEOREMS
from convmat.certificates.theorems.solving import SOLVING_THEOREMS
from convmat.geometry.arguments import GeometryError
from convmat.symbolic.sizes.deriving import SIZE_CLAIMS, SIZE_THEOREMS

__all__ = ["CHAPTERS", "LIBRARY", "find_theorem", "search_certificate", "write_certificate"]

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
    return found(find_theorem(name))


def search_certificate(name: str) -> Certificate | None:
    """Search for the proof of a theorem anew; None where none is found.

    Examples
    --------
    >>> search_certificate("greatest") == write_certificate("greatest")
    True
    """
    theorem = find_theorem(name)
    if theorem.name in SIZE_CLAIMS:
        return find(theorem, SIZE_CLAIMS[theorem.name].way)
    return find(theorem, WAYS.get(theorem.name, ()))
