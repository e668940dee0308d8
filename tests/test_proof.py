"""Proofs about layers: what must hold, what must be refuted, every way to tamper with a proof."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import time
import tracemalloc
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import strategies
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import convmat as cm
from convmat import GeometryError
from convmat.geometry.window import Geometry, Window
from convmat.matrix.entries import LayerEntries
from convmat.operator import LayerOperator
from convmat.proof import Counterexample, Proof, Refused, load
from convmat.proof.definitions import enumeration
from convmat.proof.layers import refuting
from convmat.proof.matrices import fractions
from convmat.proof.matrices import numbers as _compare
from convmat.proof.matrices.outcomes import at_most

ALL_SIZES, THIS_GEOMETRY, THESE_NUMBERS = (
    "all sizes",
    "this geometry, all weights",
    "these numbers",
)


def weights(*shape, dtype="f8"):
    return np.arange(1, 1 + np.prod(shape)).reshape(shape).astype(dtype)


SAMPLE = cm.conv(weights(4, 2, 3, 2), (4, 7, 5), stride=(2, 1), padding=((1, 0), (0, 2)), groups=2)


# prove_transpose: what holds


@given(st.booleans().flatmap(lambda t: st.tuples(st.just(t), strategies.layer(transposed=t))))
def test_every_layer_is_proved(case):
    transposed, layer = case
    make = cm.conv_transpose if transposed else cm.conv
    keywords = layer.keywords(transposed=transposed)
    A = make(layer.weight(transposed=transposed), layer.in_shape, **keywords)
    proof = cm.prove_transpose(A)
    assert proof.holds
    assert proof.check()
    assert cm.prove_transpose(A.T).claim == proof.claim
    assert proof.grades == (ALL_SIZES, THIS_GEOMETRY)
    # A record does not tell high padding from the output padding that undoes it.
    restricted = any(axis.output_padding - axis.pads[1] >= axis.stride for axis in layer.axes)
    assert ("outputs of the convolution" in proof.claim) == restricted
    assert load(proof.to_json()) == proof


@pytest.mark.parametrize("extra", [0, 1, 2])
def test_output_padding_beyond_the_stride_restricts_the_claim(extra):
    A = cm.conv_transpose(weights(1, 1, 3), (1, 4), dilation=3, output_padding=extra)
    proof = cm.prove_transpose(A)
    assert proof.holds
    assert proof.grades == (ALL_SIZES, THIS_GEOMETRY)
    if extra < 1:
        assert "the first" not in proof.claim
        return
    text = proof.explain()
    assert f"as a >= s ({extra} >= 1), the convolution has {4 + extra} outputs" in text
    assert f"the first (4,) of the ({4 + extra},) outputs" in proof.claim
    forward = cm.conv(weights(1, 1, 3), A.out_shape, dilation=3)
    rows = forward.matrix().toarray()
    assert rows.shape[0] == 4 + extra
    assert np.array_equal(A.matrix().toarray(), rows[:4].T)


def test_a_restricted_proof_needs_its_own_theorems():
    A = cm.conv_transpose(weights(1, 1, 3), (1, 4), dilation=3, output_padding=2)
    proof = cm.prove_transpose(A)
    whole = cm.prove_transpose(SAMPLE)
    for certificates in (whole.evidence.certificates, whole.evidence.certificates[:1]):
        forged = replace(proof, evidence=replace(proof.evidence, certificates=certificates))
        assert not forged.holds
    other = replace(whole.evidence, certificates=proof.evidence.certificates)
    assert not replace(whole, evidence=other).holds
    assert not replace(proof, grades=(ALL_SIZES,)).holds


def test_layers_without_a_single_entry():
    A = cm.conv(np.ones((1, 1, 1, 2)), (1, 1, 4), stride=(3, 1), padding=(1, 0))
    assert A.nnz == 0
    assert cm.prove_transpose(A).holds
    assert cm.prove_equal(A, A.T.T).holds


def test_symbolic_and_odd_weights():
    names = np.array(sympy.symbols("a:6"), dtype=object).reshape(1, 2, 3)
    for weight in (names, names.astype(object) * 0 + 1, weights(1, 2, 3, dtype="c16"),
                   weights(1, 2, 3, dtype="i1"), np.full((1, 2, 3), np.nan)):  # fmt: skip
        A = cm.conv(weight, (2, 6), stride=2, padding=1)
        assert cm.prove_transpose(A).grades == (ALL_SIZES, THIS_GEOMETRY)


def test_a_photograph_is_quick():
    A = cm.conv(np.ones((2, 3, 3, 3)), (3, 600, 512), stride=2)
    cm.prove_transpose(SAMPLE)
    start = time.perf_counter()
    assert cm.prove_transpose(A).holds
    assert time.perf_counter() - start < 30  # seconds: it does not search


# prove_transpose: what does not hold


def altered(geometry):
    """Every geometry with one number of one axis changed by one."""
    for number, field, change in itertools.product(
        range(len(geometry.axes)), Window._fields, (-1, 1)
    ):
        axis = geometry.axes[number]
        value = getattr(axis, field) + change
        if value >= 1 or field == "pad":
            axes = list(geometry.axes)
            axes[number] = axis._replace(**{field: value})
            yield replace(geometry, axes=tuple(axes)), number, field


@pytest.mark.parametrize("flip", [False, True])
def test_every_record_with_one_number_changed_is_caught(flip):
    A = SAMPLE.T if flip else SAMPLE
    caught = 0
    for geometry, number, field in altered(A.T.geometry):
        B = LayerOperator(geometry, A.weight)
        answer = cm.prove_transpose(A, B)
        axis, true = geometry.axes[number], A.T.geometry.axes[number]
        same = axis[:3] == true[:3] and np.array_equal(axis.inputs(), true.inputs())
        assert answer.holds == same, (field, axis)
        assert isinstance(answer, Proof if same else Counterexample)
        caught += not same
    assert caught >= 22


def test_a_counterexample_is_one():
    """The numbers that it names are those of the two matrices."""
    checked = 0
    for geometry, _, _ in altered(SAMPLE.T.geometry):
        B = LayerOperator(geometry, SAMPLE.weight)
        answer = cm.prove_transpose(SAMPLE, B)
        if answer.holds or answer.column is None:
            continue
        column = np.ravel_multi_index(answer.column, B.in_shape)
        row = np.ravel_multi_index(answer.row, B.out_shape)
        assert answer.second == B.matrix()[row, column]
        assert answer.first == SAMPLE.matrix()[column, row]
        checked += 1
    assert checked >= 4


@pytest.mark.parametrize("field", ["base", "stride"])
def test_records_of_neither_kind_are_refuted(field):
    A = SAMPLE if field == "base" else SAMPLE.T
    axis = A.geometry.axes[0]._replace(**{field: 3})
    B = LayerOperator(replace(A.geometry, axes=(axis, A.geometry.axes[1])), A.weight)
    answer = cm.prove_transpose(B)
    assert not answer.holds
    assert "is not the record of a" in str(answer)


def test_records_that_do_not_fit_their_weight_or_each_other():
    longer = SAMPLE.geometry.axes[0]._replace(kernel=4)
    geometry = replace(SAMPLE.geometry, axes=(longer, SAMPLE.geometry.axes[1]))
    answer = cm.prove_transpose(LayerOperator(geometry, SAMPLE.weight))
    assert "needs a weight of shape" in str(answer)
    other = cm.conv(weights(4, 2, 3, 2), (4, 9, 9), groups=2)
    assert "sizes are not exchanged" in str(cm.prove_transpose(SAMPLE, other))
    square = cm.conv(weights(2, 2, 3), (2, 5), padding=1)
    assert "two layouts" in str(cm.prove_transpose(square, square))
    assert not cm.prove_transpose(square, square).holds


def test_a_transpose_with_another_weight_is_refuted():
    weight = SAMPLE.weight.copy()
    weight[2, 1, 0, 1] += 1
    answer = cm.prove_transpose(SAMPLE, LayerOperator(SAMPLE.T.geometry, weight))
    assert (answer.first, answer.second) == (SAMPLE.weight[2, 1, 0, 1], weight[2, 1, 0, 1])
    same = LayerOperator(SAMPLE.T.geometry, SAMPLE.weight.copy())
    assert cm.prove_transpose(SAMPLE, same).holds


def test_a_builder_that_errs_is_caught(monkeypatch):
    true = refuting.pattern

    def wrong(geometry):
        found = true(geometry)
        slot = found.slot.copy()
        slot[[0, 1]] = slot[[1, 0]]
        return found._replace(slot=slot)

    monkeypatch.setattr(refuting, "pattern", wrong)
    answer = cm.prove_transpose(SAMPLE)
    assert not answer.holds
    assert "not that of the definition" in answer.reason


@pytest.mark.parametrize("wrong", ["pad", "taps", "sizes"])
def test_a_wrong_transposition_is_caught(monkeypatch, wrong):
    """The involution itself broken: the definition must notice, for it does not use it."""

    def transpose(axis):
        pad = axis.dilation * (axis.kernel - 1) - axis.pad
        if wrong == "pad":
            pad = axis.dilation * (axis.kernel - 1) + axis.pad
        step = (axis.stride, axis.base) if wrong == "taps" else (axis.base, axis.stride)
        sizes = (axis.n_out, axis.n_in + (wrong == "sizes"))
        return Window(*sizes, axis.kernel, *step, axis.dilation, pad)

    monkeypatch.setattr(Window, "transpose", transpose)
    A = cm.conv(weights(1, 1, 3), (1, 8), stride=2, padding=1)
    assert not cm.prove_transpose(A).holds


@pytest.mark.parametrize("value", [None, 3, np.eye(2), SAMPLE + SAMPLE, "conv"])
def test_only_layers_can_be_transposed_convolutions(value):
    with pytest.raises(GeometryError, match="A = "):
        cm.prove_transpose(value)
    with pytest.raises(GeometryError):
        cm.prove_transpose(SAMPLE, value if value is not None else 0)


# Tampering with a proof


def test_proofs_are_frozen_values():
    proof = cm.prove_transpose(SAMPLE)
    with pytest.raises(FrozenInstanceError):
        proof.claim = "anything"
    assert pickle.loads(pickle.dumps(proof)) == proof
    assert copy.copy(proof).holds


def test_claim_and_grade_cannot_say_more_than_the_evidence():
    proof = cm.prove_transpose(SAMPLE)
    assert not replace(proof, claim=proof.claim.replace("(4, 7, 5)", "(4, 8, 5)")).holds
    assert not replace(proof, grades=(THIS_GEOMETRY, ALL_SIZES)).holds
    equal = cm.prove_equal(SAMPLE + SAMPLE, 2 * SAMPLE)
    assert not replace(equal, grades=(ALL_SIZES,)).holds


def places(value, path=()):
    """Every path to a number, string or boolean inside JSON data."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from places(entry, (*path, key))
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from places(entry, (*path, number))
    else:
        yield path


def edited(data, path, change):
    data = copy.deepcopy(data)
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = change(place[path[-1]])
    return data


def is_believed(data):
    try:
        return load(json.dumps(data)).check()
    except GeometryError:
        return False


def other_value(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value + "x" if isinstance(value, str) else 1


@pytest.mark.parametrize("name", ["transpose", "equal"])
def test_every_edited_value_is_refused(name):
    """Outside the certificates; those are edited in test_symbolic, and a sample here."""
    a = cm.conv(weights(2, 1, 3), (2, 7), stride=2, padding=((1, 2),), groups=2)
    proof = cm.prove_transpose(a) if name == "transpose" else cm.prove_equal(a.T.T, a)
    data = json.loads(proof.to_json())
    assert is_believed(data)
    paths = list(places(data))
    inside = [path for path in paths if "certificates" in path]
    paths = [path for path in paths if "certificates" not in path] + inside[::7]
    assert len(paths) > 20
    for path in paths:
        assert not is_believed(edited(data, path, other_value)), path


def test_every_truncation_is_an_error():
    text = cm.prove_transpose(cm.conv(weights(1, 1, 2), (1, 3))).to_json()
    for length in [*range(400), *range(400, len(text) - 1, 101)]:
        with pytest.raises((GeometryError, OSError)):
            load(text[:length])


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "{", '{"format": "convmat proof 2", "claim": "", "grades": [], "evidence": {}}',
     '{"format": "convmat proof 1", "claim": "", "grades": [], "evidence": {"kind": "faith"}}',
     '{"format": "convmat proof 1", "claim": "", "grades": [], "evidence": {"kind": []}}',
     '{"claim": 1, "claim": 2}', '{"claim": NaN}', "[" * 100_000],
)  # fmt: skip
def test_other_json_is_an_error(text):
    with pytest.raises(GeometryError):
        load(text)


def test_proofs_go_through_files(tmp_path):
    path = tmp_path / "proof.json"
    proof = cm.prove_transpose(SAMPLE)
    path.write_text(proof.to_json(), encoding="utf-8")
    assert load(path) == proof
    assert load(str(path)).check()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(GeometryError, match="UTF-8"):
        load(path)
    with pytest.raises(GeometryError, match="JSON text or a path"):
        load(3)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")


def test_enormous_records_are_refused_not_enumerated():
    data = json.loads(cm.prove_equal(SAMPLE, SAMPLE).to_json())
    for side in ("first", "second"):
        data["evidence"][side]["axes"][0] |= {"n_out": 10**15, "n_in": 10**15}
    with pytest.raises(Refused, match=r"too many|claim"):
        load(json.dumps(data)).check()


def test_a_refusal_says_which_step():
    data = json.loads(cm.prove_transpose(SAMPLE).to_json())
    data["evidence"]["certificates"][0]["steps"][8]["statement"][1][0][0] += 1
    with pytest.raises(Refused, match="refused: step 9 does not follow: the terms add up to"):
        load(json.dumps(data)).check()
    assert not load(json.dumps(data)).holds


def test_hypotheses_are_evaluated_at_the_sizes_of_the_record():
    data = json.loads(cm.prove_transpose(SAMPLE).to_json())
    for name, rule in (("n", "length ="), ("m", "length ="), ("s", "a < s|length =")):
        wrong = edited(data, ("evidence", "options", 0, name), lambda value: value + 1)
        wrong["claim"] = load(json.dumps(wrong)).evidence.claim
        with pytest.raises(Refused, match=rf"axis 0: the hypothesis ({rule})"):
            load(json.dumps(wrong)).check()


def test_options_are_read_as_people_write_them():
    A = cm.conv(weights(1, 1, 3), (1, 6), stride=2, padding=1)
    claim = cm.prove_transpose(A).claim
    assert "stride (2,), dilation (1,), padding ((1, 1),), output padding (1,)" in claim


# What a person reads


def test_the_text_can_be_followed():
    proof = cm.prove_transpose(SAMPLE)
    text = proof.explain()
    assert text.startswith(f"{proof.summary}\n\nSymbols")
    assert text.startswith("Proved: the matrix of the transposed convolution")
    assert f"Grade: {ALL_SIZES}; {THIS_GEOMETRY}." in text
    for needed in (
        "a < s",
        "1 <= s",
        "1 <= d",
        "1 <= k",
        "[hypothesis]",
        "[enumerate]",
        "groups 2",
    ):
        assert needed in text
    assert {step.grade for step in proof.steps} == {ALL_SIZES, THIS_GEOMETRY}
    assert all(step.statement and step.rule for step in proof.steps)
    parts = itertools.groupby(proof.steps, lambda step: step.part)
    for _, steps in parts:
        numbers = [step.number for step in steps]
        assert numbers == list(range(1, len(numbers) + 1))
    latex = proof._repr_latex_()
    assert latex.startswith("$\\begin{array}")
    assert r"\left\lfloor" in latex
    assert cm.prove_equal(SAMPLE, 2 * SAMPLE)._repr_latex_().startswith("$")


def test_each_grade_is_in_the_text():
    noisy = LayerOperator(SAMPLE.geometry, SAMPLE.weight * (1 + 1e-16))
    assert THIS_GEOMETRY in str(cm.prove_equal(SAMPLE, SAMPLE.T.T))
    assert THESE_NUMBERS in str(cm.prove_equal(SAMPLE + noisy, 2 * SAMPLE))
    assert "counterexample" in str(cm.prove_equal(SAMPLE, 2 * SAMPLE))


# prove_equal


def test_layers_with_one_pattern_and_weight():
    same = LayerOperator(SAMPLE.geometry, SAMPLE.weight.copy())
    proof = cm.prove_equal(SAMPLE, same)
    assert proof.grade == THIS_GEOMETRY
    # Another record of the same relation: with one output, the stride means nothing.
    one = cm.conv(weights(1, 1, 3), (1, 3))
    other = LayerOperator(
        replace(one.geometry, axes=(one.geometry.axes[0]._replace(stride=5),)), one.weight
    )
    proof = cm.prove_equal(one, other)
    assert proof.grade == THIS_GEOMETRY
    assert load(proof.to_json()).holds


def test_a_flipped_kernel_is_equal_in_numbers_only():
    w = weights(1, 1, 3)
    A = cm.conv_transpose(w, (1, 5), padding=1)
    B = cm.conv(w[:, :, ::-1], (1, 5), padding=1)
    proof = cm.prove_equal(A, B)
    assert proof.grades == (THESE_NUMBERS,)
    assert "exactly equal" in proof.claim
    again = load(proof.to_json())
    assert not again.holds
    with pytest.raises(Refused, match="two operators"):
        again.check()
    assert again.check(A, B)
    with pytest.raises(Refused):
        again.check(A, 2 * B)
    with pytest.raises(GeometryError, match="two"):
        again.check(A)


def test_rounding_is_allowed_and_stated(monkeypatch):
    rng = np.random.default_rng(0)
    w = [rng.standard_normal((2, 2, 3)).astype("f4") for _ in range(3)]
    layers = [cm.conv(each, (2, 9), padding=1) for each in w]
    a, b, c = layers
    left, right = (a @ b) @ c, a @ (b @ c)
    assert not np.array_equal(left.matrix().toarray(), right.matrix().toarray())
    assert "exactly equal" in cm.prove_equal(left, right).claim  # in exact arithmetic
    monkeypatch.setattr(fractions, "MOST", 0)
    proof = cm.prove_equal(left, right)
    assert proof.grade == THESE_NUMBERS
    assert "up to rounding" in proof.claim
    assert 0 < proof.evidence.deviation < proof.evidence.tolerance < 1e-4
    assert at_most(proof.evidence.deviation) in proof.explain()
    assert at_most(proof.evidence.tolerance) in proof.claim
    assert proof.evidence.tolerance <= float(at_most(proof.evidence.tolerance))
    assert proof.check()
    wrong = cm.conv(w[2] * np.float32(1.001), (2, 9), padding=1)
    assert not cm.prove_equal(left, a @ (b @ wrong)).holds


def test_small_entries_are_not_lost_beside_large_ones():
    w = np.array([[[1e8, 1e-8]]])
    other = np.array([[[1e8, 2e-8]]])
    answer = cm.prove_equal(cm.conv(w, (1, 4)), cm.conv(other, (1, 4)))
    assert not answer.holds
    assert (answer.first, answer.second) == (1e-8, 2e-8)


def test_integers_have_no_tolerance_and_do_not_wrap():
    big = np.array([[[2**62, 1]]])
    near = np.array([[[2**62 + 1, 1]]])
    assert not cm.prove_equal(cm.conv(big, (1, 4)), cm.conv(near, (1, 4))).holds
    small = np.array([[[1, 255]]], dtype="u1")
    answer = cm.prove_equal(cm.conv(small, (1, 4)), cm.conv(small[..., ::-1], (1, 4)))
    assert (answer.first, answer.second) == (1, 255)


@pytest.mark.parametrize("odd", [np.inf, np.nan])
def test_infinite_and_missing_numbers(odd):
    w, v = np.array([[[1.0, odd]]]), np.array([[[1.0, 2.0]]])
    A, B = cm.conv(w, (1, 4)), cm.conv(v, (1, 4))
    answer = cm.prove_equal(A, B)
    assert not answer.holds
    assert answer.column == (0, 1)
    assert cm.prove_equal(A, cm.conv(w.copy(), (1, 4))).holds
    assert cm.prove_equal(A, cm.conv_transpose(w[..., ::-1], (1, 4), padding=1)).holds


def test_the_counterexample_is_the_first_entry_that_differs():
    w, v = weights(2, 2, 3, 3), weights(2, 2, 3, 3)
    v[1, 0, 2, 1] += 5
    A, B = cm.conv(w, (2, 6, 5), padding=1), cm.conv(v, (2, 6, 5), padding=1)
    answer = cm.prove_equal(A, B)
    difference = np.argwhere(A.matrix().toarray() != B.matrix().toarray())
    row, column = difference[0]
    assert np.ravel_multi_index(answer.row, A.out_shape) == row
    assert np.ravel_multi_index(answer.column, A.in_shape) == column
    unit = np.zeros(A.in_shape)
    unit[answer.column] = 1
    assert (A(unit)[answer.row], B(unit)[answer.row]) == (answer.first, answer.second)
    assert f"{len(set(difference[:, 0]))} of 60 rows differ" in answer.reason
    assert json.loads(answer.to_json())["first"] == str(answer.first)


def test_blocks_of_rows_give_the_answer_of_the_whole(monkeypatch):
    other = SAMPLE.weight.copy()
    other[3, 1, 2, 1] += 1
    B = LayerOperator(SAMPLE.geometry, other)
    exact = cm.prove_equal(SAMPLE, B)
    monkeypatch.setattr(fractions, "MOST", 0)
    whole = cm.prove_equal(SAMPLE, B)
    assert (whole.row, whole.column, whole.first) == (exact.row, exact.column, exact.first)
    equal = cm.prove_equal(2 * SAMPLE, SAMPLE + SAMPLE)
    assert equal.exact
    for entries in (1, 7, 50):
        monkeypatch.setattr(_compare, "BLOCK_ENTRIES", entries)
        assert cm.prove_equal(SAMPLE, B) == whole
        assert cm.prove_equal(2 * SAMPLE, SAMPLE + SAMPLE) == equal


def test_different_sizes():
    answer = cm.prove_equal(SAMPLE, SAMPLE.T)
    assert not answer.holds
    assert "the sizes differ" in answer.reason
    for shape in (SAMPLE.shape, SAMPLE.T.shape, SAMPLE.in_shape, SAMPLE.out_shape):
        assert str(shape) in answer.reason
    assert answer.column is None


def test_symbolic_layers_are_compared_as_expressions():
    a, b = sympy.symbols("a b")
    w = np.array([[[a, b]]], dtype=object)
    A = cm.conv(w, (1, 4))
    expanded = np.array([[[(a + b) ** 2, 1]]], dtype=object)
    product = np.array([[[a**2 + 2 * a * b + b**2, 1]]], dtype=object)
    assert cm.prove_equal(cm.conv(expanded, (1, 4)), cm.conv(product, (1, 4))).holds
    assert cm.prove_equal(A + A, 2 * A).holds
    trigonometric = np.array([[[sympy.sin(a) ** 2 + sympy.cos(a) ** 2, b]]], dtype=object)
    one = np.array([[[1, b]]], dtype=object)
    assert cm.prove_equal(cm.conv(trigonometric, (1, 4)), cm.conv(one, (1, 4))).holds
    answer = cm.prove_equal(A, cm.conv(w[..., ::-1], (1, 4)))
    assert (answer.first, answer.second) == (a, b)
    assert cm.prove_equal(A, A.T.T).grade == THIS_GEOMETRY


@settings(max_examples=30)
@given(strategies.layer(), st.integers(0, 10**6))
def test_equality_agrees_with_dense_matrices(layer, seed):
    keywords = layer.keywords(transposed=False)
    w = layer.weight(transposed=False)
    v = w.copy()
    v.flat[seed % v.size] += seed % 2
    A, B = (cm.conv(each, layer.in_shape, **keywords) for each in (w, v))
    answer = cm.prove_equal(A, B)
    assert answer.holds == np.array_equal(A.matrix().toarray(), B.matrix().toarray())
    assert cm.prove_equal(A + B, B + A).holds


@pytest.mark.parametrize("value", [None, 3, np.eye(2), "conv"])
def test_only_operators_are_compared(value):
    with pytest.raises(GeometryError, match="B = "):
        cm.prove_equal(SAMPLE, value)
    with pytest.raises(GeometryError, match="A = "):
        cm.prove_equal(value, SAMPLE)


def test_geometry_of_this_module_is_what_it_says():
    assert isinstance(SAMPLE.geometry, Geometry)
    assert SAMPLE.geometry.axes[0].stride == 2


def test_the_legend_names_every_symbol_of_the_theorems():
    from convmat.certificates.theorems import SYMBOLS, THEOREMS, TRANSPOSE

    named = {name.strip() for line in SYMBOLS.splitlines() for name in line[:12].split(",")}
    theorems = [THEOREMS[name] for name in TRANSPOSE]
    statements = [s for t in theorems for s in (*t.hypotheses, *t.goals)]
    assert named == set().union(*(s.symbols for s in statements))
    # A proof without theorems has no use for them.
    assert "Symbols" not in cm.prove_equal(SAMPLE, SAMPLE).explain()


# Memory: the sizes of an axis set the length of a few lines, never that of a matrix


def peak_memory(work):
    """Bytes that `work` had allocated at most, and what it returned."""
    tracemalloc.start()
    try:
        answer = work()
        return tracemalloc.get_traced_memory()[1], answer
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("options", [{}, {"stride": 3, "padding": 7, "dilation": 2}])
def test_a_long_line_is_proved_without_its_matrix(options):
    n, k = 150_000, 31
    A = cm.conv(weights(1, 1, k), (1, n), **options)
    assert cm.prove_transpose(SAMPLE).holds  # loads what is loaded on first use
    peak, proof = peak_memory(lambda: cm.prove_transpose(A))
    assert peak < 10 * 8 * n < A.nnz * 8
    assert proof.grade == ALL_SIZES
    peak, accepted = peak_memory(proof.check)
    assert accepted
    assert peak < 8 * n + 3_000_000  # blocks, whatever the size
    other = A.weight.copy()
    other[0, 0, 5] = -1
    peak, answer = peak_memory(
        lambda: cm.prove_transpose(A, LayerOperator(A.T.geometry, other)),
    )
    assert (answer.first, answer.second) == (6, -1)
    assert peak < 10 * 8 * n


def test_rows_full_and_empty_are_compared_in_blocks_of_entries(monkeypatch):
    """A tenth of the rows has all entries: blocks of equal height would be ten times longer."""
    n, k = 8_000, 200
    axis = Window(n, 10 * n, k, 1, 1, 1, 0)
    geometry = Geometry((axis,), in_channels=1, out_channels=1)
    w = np.ones((1, 1, k))
    other = w.copy()
    other[0, 0, -1] = 2
    A, B = LayerOperator(geometry, w), LayerOperator(geometry, other)
    seen = []
    true = LayerEntries.csr

    def csr(entries, rows):
        seen.append(true(entries, rows))
        return seen[-1]

    monkeypatch.setattr(_compare, "BLOCK_ENTRIES", 20_000)
    monkeypatch.setattr(LayerEntries, "csr", csr)
    answer = cm.prove_equal(A, B)
    assert (answer.row, answer.column) == ((0, 0), (0, k - 1))
    assert max(len(data) for _, _, data in seen) <= 20_000
    assert max(len(indptr) - 1 for indptr, _, _ in seen) <= 20_000
    assert sum(len(data) for _, _, data in seen) >= 2 * A.nnz


def test_blocks_of_pairs_give_the_answer_of_the_whole(monkeypatch):
    layers = [LayerOperator(g, SAMPLE.weight) for g, _, _ in altered(SAMPLE.T.geometry)]
    whole = [cm.prove_transpose(SAMPLE, B) for B in layers]
    for outputs, pairs in ((1, 1), (2, 4), (3, 100)):
        monkeypatch.setattr(enumeration, "BLOCK_OUTPUTS", outputs)
        monkeypatch.setattr(enumeration, "BLOCK_PAIRS", pairs)
        assert cm.prove_transpose(SAMPLE).check()
        for B, expected in zip(layers, whole, strict=True):
            answer = cm.prove_transpose(SAMPLE, B)
            assert (answer.holds, answer.claim) == (expected.holds, expected.claim)
            if answer.holds:
                assert answer.check()


@pytest.mark.parametrize("size", [1, 4096])
def test_definitions_that_are_no_transposes_give_a_counterexample(monkeypatch, size):
    """A definition that reads one place further, with a record that does the same."""
    true = refuting.transposed_inputs

    def shifted(axis):
        return true(axis._replace(p0=axis.p0 - 1, p1=axis.p1 + 1))

    monkeypatch.setattr(enumeration, "BLOCK_OUTPUTS", size)
    monkeypatch.setattr(refuting, "transposed_inputs", shifted)
    A = cm.conv(weights(1, 1, 3), (1, 8), stride=2, padding=1)
    axis = A.T.geometry.axes[0]
    geometry = replace(A.T.geometry, axes=(axis._replace(pad=axis.pad + 1),))
    answer = cm.prove_transpose(A, LayerOperator(geometry, A.weight))
    assert not answer.holds
    B = LayerOperator(geometry, A.weight)
    row = np.ravel_multi_index(answer.row, B.out_shape)
    column = np.ravel_multi_index(answer.column, B.in_shape)
    assert B.matrix()[row, column] != A.matrix()[column, row]


def test_axes_too_long_to_enumerate_are_named():
    with pytest.raises(GeometryError, match="pairs of output and tap, too many to enumerate"):
        cm.prove_transpose(cm.conv(weights(1, 1, 1001), (1, 10**6 + 1000)))
    with pytest.raises(GeometryError, match="places on a padded line, too many to enumerate"):
        cm.prove_transpose(cm.conv(weights(1, 1, 3), (1, 5), dilation=10**9, padding=10**9))


def test_numbers_that_could_overflow_are_refused():
    data = json.loads(cm.prove_transpose(SAMPLE).to_json())
    data["evidence"]["convolution"]["axes"][0]["pad"] = 2**61
    data["claim"] = load(json.dumps(data)).evidence.claim
    with pytest.raises(Refused, match="too large to enumerate"):
        load(json.dumps(data)).check()


def test_large_symbolic_layers_are_refused():
    name = np.array([[[sympy.Symbol("a"), sympy.Symbol("b")]]], dtype=object)
    A, B = cm.conv(name, (1, 2**20)), cm.conv(name[..., ::-1], (1, 2**20))
    with pytest.raises(GeometryError, match="symbolic entries, too many"):
        cm.prove_equal(A, B)


def test_operators_that_are_written_alike_are_told_apart():
    rng = np.random.default_rng(3)
    for ndim in (1, 2, 3):
        shape, size = (2, 1, *(2,) * ndim), (1, *(4,) * ndim)
        weight = rng.integers(1, 9, shape)
        other = weight.copy()
        place = tuple(int(rng.integers(0, n)) for n in shape)
        other[place] += 1
        A, B = cm.conv(weight, size), cm.conv(other, size)
        words = f"weight{list(place)} is {weight[place]} and {other[place]}"
        assert f"written alike, but 1 of {weight.size} weights differ: {words}" in (
            cm.prove_equal(A, B).reason
        )
        composed = cm.prove_equal(A.T @ A, A.T @ B).reason
        assert f"weight 2{list(place)} is {weight[place]} and {other[place]}" in composed
    switches = np.array([[[0, 2]]]), np.array([[[1, 2]]])
    picked = [cm.selection((1, 4), positions[0]) for positions in switches]
    assert "put in other places" in cm.prove_equal(*picked).reason
    assert "written alike" not in cm.prove_equal(A, 2 * A).reason
    symbols = np.array(sympy.symbols("a b"), object).reshape(1, 1, 2)
    pair = [cm.conv(values, (1, 4)) for values in (symbols, symbols[..., ::-1])]
    assert "weight[0, 0, 0] is a and b" in cm.prove_equal(*pair).reason
