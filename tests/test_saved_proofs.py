"""Proofs that are kept: files that an earlier version wrote, and that must still be believed.

The file in `saved` was written before certificates were found by search. The files in `proofs`
were written before equality was decided on one ladder: proofs of kind "equal numbers" compared
floats alone, and did not say how far rounded floats may lie apart.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy

import convmat as cm
from convmat.certificates.theorems import SURPLUS, TRANSPOSE
from convmat.proof import Refused, load
from convmat.symbolic import LIBRARY

FOLDER = Path(__file__).parent / "proofs"

# All theorems of the library, a transpose, one with surplus rows, and an output size.
SAVED = Path(__file__).parent / "saved" / "proofs.json.gz"
PROOFS = json.loads(gzip.decompress(SAVED.read_bytes()))

SAMPLE = cm.conv(np.arange(1.0, 49).reshape(4, 2, 3, 2), (4, 7, 5), stride=(2, 1),
                 padding=((1, 0), (0, 2)), groups=2)  # fmt: skip
LINE = np.array([[[1, 2, 3]]])
a, b = sympy.symbols("a b")
NAMES = cm.conv(np.array([[[a, b]]]), (1, 4))
ODD = cm.conv(np.array([[[1.0, np.nan, np.inf]]]), (1, 5), padding=1)
COMPLEX = cm.conv(np.array([[[1, 2j]]]), (1, 4))

# The two operators of each file about numbers.
NUMBERS = {
    "numbers": (SAMPLE + SAMPLE, 2 * SAMPLE),
    "numbers_flipped": (
        cm.conv_transpose(LINE, (1, 5), padding=1),
        cm.conv(LINE[:, :, ::-1], (1, 5), padding=1),
    ),
    "numbers_integers": (
        cm.conv(LINE, (1, 6)),
        cm.conv(LINE.astype("u1"), (1, 6)) @ cm.identity((1, 6)),
    ),
    "numbers_resized": (
        cm.upsample((2, 3, 4), scale_factor=2),
        cm.conv_transpose(np.ones((2, 1, 2, 2)), (2, 3, 4), stride=2, groups=2),
    ),
    "numbers_thirds": (
        cm.avg_pool((1, 9), 3),
        Fraction(1, 3) * cm.conv(np.ones((1, 1, 3)), (1, 9), stride=3),
    ),
    "numbers_symbols": (NAMES + NAMES, 2 * NAMES),
    "numbers_missing": (ODD, cm.conv_transpose(ODD.weight[..., ::-1], (1, 5), padding=1)),
    "numbers_complex": (COMPLEX, cm.identity((1, 3)) @ COMPLEX),
    "numbers_empty": (SAMPLE - SAMPLE, 0 * SAMPLE),
}

LAYERS = [
    cm.conv(np.sin(np.arange(12.0) + start).reshape(2, 2, 3).astype("f4"), (2, 9), padding=1)
    for start in (1, 2, 3)
]
FIRST, SECOND, THIRD = LAYERS

# The earlier claims about these said too little: up to rounding without a bound, or "exactly equal"
# where floats hide that the numbers are different fractions.
ROUNDED = {
    "rounded_products": ((FIRST @ SECOND) @ THIRD, FIRST @ (SECOND @ THIRD)),
    "rounded_silent": (
        cm.avg_pool((1, 6), 3),
        cm.conv(np.full((1, 1, 3), 1 / 3), (1, 6), stride=3),
    ),
}
ALONE = (
    "bilinear",
    "patterns",
    "size",
    "size_hypotheses",
    "theorem",
    "transpose",
    "transpose_restricted",
)


def saved(name):
    return load(FOLDER / f"{name}.json")


def test_every_file_is_read():
    names = {path.stem for path in FOLDER.iterdir()}
    assert names == {*NUMBERS, *ROUNDED, *ALONE}


@pytest.mark.parametrize("name", ALONE)
def test_proofs_without_numbers_are_believed(name):
    assert saved(name).accepted


@pytest.mark.parametrize("name", NUMBERS)
def test_proofs_about_numbers_are_believed_with_their_operators(name):
    proof, (A, B) = saved(name), NUMBERS[name]
    assert proof.check(A, B)
    assert proof.headline == cm.prove_equal(A, B).headline
    if proof.evidence.entries:
        with pytest.raises(Refused):
            proof.check(A + A + A, B)
    for field in ("rows", "columns", "entries"):
        count = getattr(proof.evidence, field)
        forged = replace(proof, evidence=replace(proof.evidence, **{field: count + 1}))
        with pytest.raises(Refused):
            replace(forged, claim=forged.evidence.claim).check(A, B)


@pytest.mark.parametrize(("name", "rung"), [("products", "fractions"), ("silent", "fractions")])
def test_what_earlier_versions_said_too_little_about_is_refused_with_the_reason(name, rung):
    proof, (A, B) = saved(f"rounded_{name}"), ROUNDED[f"rounded_{name}"]
    now = cm.prove_equal(A, B)
    assert now.evidence.rung == rung
    with pytest.raises(Refused, match="earlier versions compared floats alone") as refused:
        proof.check(A, B)
    assert now.claim in str(refused.value)


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


@pytest.mark.parametrize(
    "number", ["-0.0", "-0", "1e999", "-1e999", "0.00", "0e0", "1E-5", "0.10", "1" * 5000]
)
def test_numbers_have_one_form(number):
    text = (FOLDER / "numbers.json").read_text(encoding="utf-8")
    assert '"tolerance": 0.0' in text
    with pytest.raises(cm.GeometryError):
        load(text.replace('"tolerance": 0.0', f'"tolerance": {number}'))
