"""The certificates that the search found, kept in a file so that nobody waits for it.

Nothing in the file is believed: the checker follows what is read. `scripts/find_certificates.py`
searches again and writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from convmat.certificates.checker import Refused, check
from convmat.certificates.statements import Certificate, Step
from convmat.certificates.theorem import Theorem
from convmat.certificates.theorems import THEOREMS
from convmat.geometry.arguments import GeometryError

__all__ = ["FILE", "certificate", "found", "written"]

FILE = Path(__file__).with_name("found.json")


def certificate(name: str) -> Certificate:
    """Return the certificate of a theorem of `THEOREMS`, which the checker has followed.

    Raises
    ------
    GeometryError
        An unknown name; `Refused` where the file was changed.

    Examples
    --------
    >>> [str(goal) for goal in certificate("transposing twice").goals][:2]
    ['n2 = n', 'm2 = m']
    """
    if name not in THEOREMS:
        raise GeometryError("name", name, "is not the name of a theorem", "see THEOREMS")
    return found(THEOREMS[name])


@cache
def found(theorem: Theorem) -> Certificate:
    """Return the certificate of a theorem whose proof is in the file; the checker follows it."""
    try:
        steps = tuple(map(Step.from_json, json.loads(_proofs()[theorem.name])))
    except (KeyError, ValueError):
        raise Refused(f"{FILE.name} has no readable proof of {theorem.name!r}") from None
    whole = Certificate(theorem.name, theorem.hypotheses, theorem.goals, steps)
    check(whole, theorem)
    return whole


@cache
def _proofs() -> dict[str, str]:
    """Return the steps of each theorem as they stand in its line, for few of them are asked for."""
    lines = FILE.read_text(encoding="utf-8").splitlines()[1:-1]
    parts = (line.rstrip(",").partition(":[") for line in lines)
    return {json.loads(name): f"[{steps}" for name, _, steps in parts}


def written(certificates: Iterable[Certificate]) -> str:
    """Return the text of the file: the steps of each theorem, a theorem a line."""
    lines = [
        f"{json.dumps(whole.theorem)}:"
        + json.dumps([step.to_json() for step in whole.steps], separators=(",", ":"))
        for whole in certificates
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"
