"""Proofs that were saved before their certificates were found by search: still accepted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from convmat.certificates.theorems import SURPLUS, TRANSPOSE
from convmat.proof import load
from convmat.symbolic import LIBRARY

# All theorems of the library, a transpose, one with surplus rows, and an output size.
SAVED = Path(__file__).parent / "saved" / "proofs.json.gz"
PROOFS = json.loads(gzip.decompress(SAVED.read_bytes()))


@pytest.mark.parametrize("number", range(len(PROOFS)))
def test_a_saved_proof_is_accepted(number):
    proof = load(json.dumps(PROOFS[number]))
    assert proof.check()
    assert json.loads(proof.to_json()) == PROOFS[number]


def test_every_theorem_was_saved():
    kinds = [proof["evidence"]["kind"] for proof in PROOFS]
    assert kinds == ["theorems", "transpose", "transpose", "output size"]
    theorems, plain, surplus, _ = (
        {c["theorem"] for c in proof["evidence"]["certificates"]} for proof in PROOFS
    )
    assert theorems == set(LIBRARY)
    assert (plain, surplus) == (set(TRANSPOSE), set(SURPLUS))
