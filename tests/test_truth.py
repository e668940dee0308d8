"""Answers are true exactly where the claim holds, whatever asks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import convmat as cm
from convmat import answer, proof, symbolic
from convmat.certificates.truth import Answer

THIRD = np.full((1, 1, 3), 1 / 3)
A = cm.conv(np.array([[[1, 2, 3]]]), (1, 7), stride=2)
B = cm.conv(np.array([[[1, 2, 4]]]), (1, 7), stride=2)
WIDE = cm.conv(np.ones((1, 1, 2)), (1, 9))

ANSWERS = {
    "transpose": (lambda: cm.prove_transpose(A), True),
    "not the transpose": (lambda: cm.prove_transpose(A, B.T), False),
    "equal patterns": (lambda: cm.prove_equal(A, A), True),
    "up to rounding": (
        lambda: cm.prove_equal(cm.conv(THIRD, (1, 6), stride=3), cm.avg_pool((1, 6), 3)),
        True,
    ),
    "different numbers": (lambda: cm.prove_equal(A, B), False),
    "different sizes": (lambda: cm.prove_equal(A, WIDE), False),
    "theorem": (lambda: proof.prove_theorem("output padding"), True),
    "size": (lambda: cm.verify_output_size("floor((n + 2*p - d*(k - 1) - 1)/s) + 1"), True),
    "size, given": (lambda: cm.verify_output_size("(n + 2*p - k)//s + 1", given=["d = 1"]), True),
    "size, added": (lambda: cm.verify_output_size("(n + 2*p - k)//s + 1"), False),
    "size, trivial": (lambda: cm.verify_output_size("n"), False),
    "size, of scale 1": (lambda: cm.verify_output_size("(n - 1)*r + 1", "upsample"), False),
    "wrong size": (lambda: cm.verify_output_size("(n + 2*p - k)//s + 2", dilation=1), False),
    "equal layers": (
        lambda: cm.compare(
            "upsample:nearest,scale=2", "conv_transpose:ones,kernel=2,stride=2", (1, 3, 3)
        ),
        True,
    ),
    "different layers": (lambda: cm.compare("pad:reflect,1", "pad:replicate,1", (1, 4, 4)), False),
    "verdict": (lambda: answer.QUESTIONS["nearest"](answer.sample()), True),
    "false verdict": (lambda: answer.QUESTIONS["learned"](answer.sample()), False),
    "tile": (lambda: symbolic.winograd(2, 3).prove(), True),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_truth_is_holding(name):
    make, holds = ANSWERS[name]
    found = make()
    assert isinstance(found, Answer)
    assert found.holds is holds
    assert bool(found) is holds
    if holds:
        assert found.require() is found
    else:
        with pytest.raises(proof.NotProved) as refused:
            found.require()
        assert str(refused.value) == found.summary
        assert not str(refused.value).startswith("Proved")


def test_what_is_not_decided_is_not_true():
    undecided = proof.Unproved("a claim", 10, "the smallest")
    assert not undecided
    with pytest.raises(proof.NotProved, match="Not decided: a claim"):
        undecided.require()


def test_a_proof_that_is_tampered_with_is_not_true():
    sound = cm.prove_transpose(A)
    changed = dataclasses.replace(sound, claim=f"{sound.claim}, and more")
    assert sound
    assert not changed
    with pytest.raises(proof.NotProved, match="Not proved"):
        changed.require()


@pytest.mark.parametrize("formula", ["n", "(n + 2*p - k)//s + 1"])
def test_added_hypotheses_are_told_with_a_counterexample(formula):
    found = cm.verify_output_size(formula)
    assert found.hypotheses
    assert found.accepted
    assert found.check()
    assert found.summary.startswith(f"Not in general, but where {found.hypotheses[0]}")
    assert "without them it is wrong: at n = " in found.summary
    assert not str(found).startswith("Proved")
    read = proof.load(json.dumps(json.loads(found.to_json()), indent=1))
    assert read.accepted
    assert not read
