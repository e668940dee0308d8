"""Answers are true exactly where the claim holds, whatever asks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

import convmat as cm
from convmat import answer, proof, symbolic
from convmat.certificates.truth import Answer
from convmat.cli import main
from convmat.geometry.arguments import GeometryError

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
    assert found.summary.startswith(f"Not in general; it does where {found.hypotheses[0]}")
    assert "without them it is wrong: at n = " in found.summary
    assert not str(found).startswith("Proved")
    read = proof.load(json.dumps(json.loads(found.to_json()), indent=1))
    assert read.accepted
    assert not read


HEAD = ["holds", "under", "counterexample"]


@pytest.mark.parametrize("name", ANSWERS)
def test_reports_begin_with_what_holds(name):
    make, holds = ANSWERS[name]
    found = make()
    report = json.loads(found.report())
    assert list(report)[:3] == HEAD
    assert report["holds"] is holds
    assert report["under"] == list(found.hypotheses)
    assert (report["counterexample"] is None) is holds
    assert report["counterexample"] == json.loads(json.dumps(found.counterexample))
    rest = json.loads(found.to_json())
    assert report == report | rest
    if rest.get("format") == "convmat proof 1":
        assert list(report)[-1] == "evidence"


@pytest.mark.parametrize("name", ["transpose", "size", "size, added", "theorem", "tile"])
def test_reports_are_read_as_proofs(name):
    found = ANSWERS[name][0]()
    read = proof.load(found.report())
    assert read == proof.load(found.to_json())
    assert read.accepted
    assert bool(read) is bool(found)
    certificates = getattr(read.evidence, "certificates", ())
    steps = [line for line in found.report().splitlines() if '"rule"' in line]
    assert len(steps) == sum(len(certificate.steps) for certificate in certificates)


@pytest.mark.parametrize("name", ["size", "size, added", "size, trivial", "tile"])
def test_a_head_that_says_something_else_is_refused(name):
    report = json.loads(ANSWERS[name][0]().report())
    others = {
        "holds": [not report["holds"], None, 1, "true"],
        "under": [["d = 2"], None, {}, "d = 1"],
        "counterexample": [{}, [], {"at": {"n": 1}, "first": "1", "second": "2"}],
    }
    for key, values in others.items():
        for value in values:
            with pytest.raises(GeometryError):
                proof.load(json.dumps(report | {key: value}))
        with pytest.raises(GeometryError):
            proof.load(json.dumps({k: v for k, v in report.items() if k != key}))
    backwards = dict(reversed(list(report.items())))
    with pytest.raises(GeometryError):
        proof.load(json.dumps(backwards))


def test_a_head_is_not_believed():
    report = json.loads(ANSWERS["size"][0]().report())
    report["evidence"]["certificates"][0]["steps"].pop()
    read = proof.load(json.dumps(report))
    assert not read
    assert "not proved" in read.summary.lower()


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (["verify", "n"], False),
        (["verify", "(n + 2*p - k)//s + 1"], False),
        (["verify", "(n - 1)*r + 1", "--layer", "upsample"], False),
        (["verify", "n + k"], False),
        (["verify", "(n + 2*p - d*(k - 1) - 1)//s + 1"], True),
        (["prove", "--shape", "1,9", "--stride", "2"], True),
        (["prove", "--shape", "1,9", "--stride", "2", "--output-padding", "1"], False),
        (["prove", "--theorem", "output padding"], True),
        (["compare", "pad:reflect,1", "pad:replicate,1", "--shape", "1,4,4"], False),
        (["compare", "identity", "conv:ones,1", "--shape", "1,4"], True),
    ],
)
def test_holding_is_one_thing_in_json_and_exit_codes(words, holds, tmp_path):
    told = CliRunner().invoke(main, [*words, "--json"])
    data = json.loads(told.output)
    assert list(data)[:3] == HEAD
    assert data["holds"] is holds
    assert told.exit_code == (0 if holds else 1)
    plain = CliRunner().invoke(main, words)
    assert plain.exit_code == told.exit_code
    assert holds or not plain.output.startswith("Proved")
    if "evidence" not in data:
        return
    path = tmp_path / "report.json"
    path.write_text(told.output, encoding="utf-8")
    again = CliRunner().invoke(main, ["prove", "--check", str(path), "--json"])
    checked = json.loads(again.output)
    assert list(checked)[:3] == HEAD
    assert checked["accepted"] is True
    assert [checked[key] for key in HEAD] == [data[key] for key in HEAD]
    assert again.exit_code == told.exit_code
    assert checked["message"].startswith("Checked" if holds else "Not in general; it does where")
