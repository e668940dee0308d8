"""Files that are made to keep `check` busy: refused by counting, before the work is begun."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import convmat as cm
from convmat import GeometryError
from convmat.certificates import checker
from convmat.geometry.window import Window
from convmat.operator import LayerOperator
from convmat.proof import Refused, load
from convmat.proof.definitions import enumeration
from convmat.symbolic.minimal_filtering import bilinear

FOLDER = Path(__file__).parent / "proofs"
LAYER = cm.conv(np.ones((1, 1, 3)), (1, 9), stride=2, padding=1)
TRANSPOSE = json.loads(cm.prove_transpose(LAYER).to_json())
PATTERNS = json.loads(cm.prove_equal(LAYER, LAYER).to_json())
SIZE = json.loads((FOLDER / "size.json").read_text("utf-8"))


def refused(data, match=None):
    """Check with the claim that the evidence supports, so that more than the claim is looked at."""
    with pytest.raises(GeometryError, match=match):
        check_evidence(data)


def check_evidence(data):
    data["claim"] = load(json.dumps(data)).evidence.claim
    load(json.dumps(data)).check()


def records(template, count, **changes):
    """Return evidence about two records of many axes that differ in their paddings."""
    data = copy.deepcopy(template)
    for number, side in enumerate(("first", "second")):
        axis = {**data["evidence"][side]["axes"][0], **changes}
        axis["pad"] += number
        data["evidence"][side]["axes"] = [axis] * count
    return data


@pytest.fixture
def pairs(monkeypatch):
    """Pairs of output and tap that were enumerated."""
    made = []
    true = enumeration.blocks

    def blocks(outputs, taps):
        for block in true(outputs, taps):
            made.append(block[0].size * block[1].size)
            yield block

    monkeypatch.setattr(enumeration, "blocks", blocks)
    return made


@pytest.mark.parametrize(
    ("count", "outputs", "taps"), [(1, 10**6, 10**3), (20, 10**6, 10), (32, 10**5, 7)]
)
def test_pairs_of_all_axes_are_counted_before_any_is_enumerated(pairs, count, outputs, taps):
    refused(
        records(PATTERNS, count, n_in=10**7, n_out=outputs, kernel=taps), "too many to enumerate"
    )
    assert not pairs


def test_pairs_of_a_transposed_pair_are_counted_too(pairs):
    A = cm.conv(np.ones((1, 1, 31)), (1, 10**6))
    data = copy.deepcopy(TRANSPOSE)
    evidence = data["evidence"]
    from convmat.proof.definitions.definition import Options
    from convmat.proof.records import write_geometry

    axis = A.geometry.axes[0]
    options = Options.choose(axis.n_in, axis.n_out, 31, 1, 1, 0)
    evidence["convolution"] = write_geometry(A.geometry)
    evidence["transposed"] = write_geometry(A.T.geometry)
    evidence["options"] = [options._asdict()]
    refused(data, r"pass the two operators to check\(A, B\)")
    assert not pairs


def test_sizes_of_operators_are_trusted(monkeypatch):
    proof = load(cm.prove_transpose(LAYER).to_json())
    other = LAYER.geometry.axes[0]._replace(stride=7)
    one = cm.conv(np.ones((1, 1, 3)), (1, 3))
    odd = LayerOperator(one.geometry.__class__((one.geometry.axes[0]._replace(stride=7),), 1, 1),
                        one.weight)  # fmt: skip
    patterns = load(cm.prove_equal(one, odd).to_json())
    monkeypatch.setattr("convmat.proof.evidence.layers.UNTRUSTED", 2)
    assert other.stride == 7
    for each, (A, B) in ((proof, (LAYER, LAYER.T)), (patterns, (one, odd))):
        with pytest.raises(Refused, match="too many to enumerate for a file alone"):
            each.check()
        assert each.check(A, B)
    monkeypatch.setattr(enumeration, "LARGEST", 2)
    with pytest.raises(Refused, match=r"too many to enumerate$"):
        patterns.check(one, odd)


def test_unequal_records_are_told_from_each_other_at_the_first_block(pairs):
    refused(records(PATTERNS, 1, n_in=10**6, n_out=10**6, kernel=9), "different inputs")
    assert 0 < sum(pairs) <= 2 * enumeration.BLOCK_PAIRS


@pytest.mark.parametrize("template", [TRANSPOSE, PATTERNS])
def test_axes_are_counted_when_they_are_read(template):
    data = copy.deepcopy(template)
    for value in data["evidence"].values():
        if isinstance(value, dict):
            value["axes"] *= 33
    with pytest.raises(GeometryError, match="at most 32 axes"):
        load(json.dumps(data))
    if template is TRANSPOSE:
        data = copy.deepcopy(template)
        data["evidence"]["options"] *= 33
        with pytest.raises(GeometryError, match="options of each axis"):
            load(json.dumps(data))


def test_a_claim_is_compared_before_anything_is_followed(monkeypatch, pairs):
    def never(*_):
        raise AssertionError("a step was followed")

    monkeypatch.setattr(checker, "_objection", never)
    for template in (TRANSPOSE, SIZE, json.loads((FOLDER / "theorem.json").read_text("utf-8"))):
        data = copy.deepcopy(template)
        data["claim"] += "!"
        with pytest.raises(Refused, match="the claim is not the one"):
            load(json.dumps(data)).check()
    assert not pairs


def test_products_of_an_algorithm_are_counted_before_they_are_multiplied(monkeypatch):
    zero = Fraction(0)
    side, products = 40, 80
    window = Window(side, side, side, 1, 1, 1, 10**4)
    factor = bilinear.Factor(
        window, False, ((zero,) * products,) * side, *[((zero,) * side,) * products] * 2
    )
    places = bilinear._coefficients(factor)
    identities = tuple(bilinear.Identity(0, *place, (), 0) for place in places)
    monkeypatch.setattr(bilinear, "_terms", lambda *_: pytest.fail("something was multiplied"))
    with pytest.raises(Refused, match="5120000 products of matrix entries are too many"):
        bilinear.BilinearProof((factor,), identities).check()


@pytest.mark.parametrize("number", [2**62, -(2**62), 10**400])
def test_huge_numbers_are_refused_as_they_are_read(number):
    for path in (
        ("options", 0, "p0"),
        ("convolution", "axes", 0, "pad"),
        ("convolution", "groups"),
    ):
        data = copy.deepcopy(TRANSPOSE)
        place = data["evidence"]
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = number
        with pytest.raises(GeometryError):
            load(json.dumps(data))


@pytest.mark.parametrize("text", ["[" * 10**6, '{"claim":' * 10**5, "9" * 10**6, "{" + "9" * 10**6])
def test_a_megabyte_that_is_no_proof_is_refused(text):
    with pytest.raises(GeometryError):
        load("[" + text)


FORMULAS = {
    "nested": lambda n: "(" * n + "n" + ")" * n,
    "minima": lambda n: "+".join(f"min(n, {i})" for i in range(n)),
    "floors": lambda n: "(" * n + "n" + "//2)" * n,
    "products": lambda n: "*".join(["(n + k + s)"] * n),
    "powers": lambda n: "(n + k)**" * n + "2",
    "digits": lambda n: "n + " + "9" * n,
    "signs": lambda n: "-" * n + "n",
}


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("length", [30, 10**5])
def test_long_formulas_are_refused_before_any_case_is_tried(monkeypatch, kind, length):
    steps = []
    true = checker._objection
    monkeypatch.setattr(checker, "_objection", lambda *a: steps.append(a) or true(*a))
    data = copy.deepcopy(SIZE)
    data["evidence"]["formula"] = FORMULAS[kind](length)
    refused(data)
    assert len(steps) <= 200


def test_conditions_are_counted_when_they_are_read():
    data = copy.deepcopy(SIZE)
    data["evidence"]["given"] = [f"n <= {number}" for number in range(20, 37)]
    with pytest.raises(GeometryError, match="at most 16 conditions"):
        load(json.dumps(data))
    proof = load(json.dumps(SIZE))
    many = replace(proof.evidence, given=tuple(data["evidence"]["given"]))
    with pytest.raises(Refused, match="more than 16 conditions"):
        many.check()


def test_more_conditions_than_a_proof_may_have_are_refused_at_once():
    given = [f"n >= {k}" for k in range(1, 10)]
    with pytest.raises(cm.GeometryError, match="9 conditions"):
        cm.verify_output_size("floor((n + 2*p - d*(k - 1) - 1)/s) + 1", given=given)
    assert cm.verify_output_size("floor((n + 2*p - d*(k - 1) - 1)/s) + 1", given=given[:8])
