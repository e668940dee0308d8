"""Claims name what they are about: `check` takes no other operators, and no two records share one.

Every kind of evidence is held against every operator of the registry, and random records against
each other.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache

import cases  # noqa: F401, fills the registry
import cases_without_weights  # noqa: F401, fills the registry
import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from registry import CASES

import convmat as cm
from convmat import GeometryError
from convmat.geometry.window import Geometry, Window
from convmat.operator import LayerOperator
from convmat.proof import Refused, load, prove_theorem
from convmat.proof.definitions.definition import Options
from convmat.proof.evidence.bilinear import BilinearEvidence
from convmat.proof.evidence.layers import EqualPatterns, TransposeEvidence
from convmat.proof.matrices.equality import EqualNumbers
from convmat.proof.steps import THESE_NUMBERS, THIS_GEOMETRY
from convmat.symbolic import winograd
from convmat.symbolic.minimal_filtering.bilinear import Factor, derive

LAYER = cm.conv(np.arange(1.0, 25).reshape(4, 1, 3, 2), (2, 7, 5), stride=(2, 1),
                padding=((1, 0), (0, 2)), groups=2)  # fmt: skip
OTHER = LayerOperator(LAYER.geometry, 3 * LAYER.weight)
FACTORS = cm.conv(np.array([[sympy.symbols("a b")]]), (1, 4))
ROUND = [cm.conv(np.sin(np.arange(6.0) + i).reshape(1, 1, 6), (1, 30)) for i in range(2)]

# Operators that each kind is about, and the proof.
PAIRS = {
    "transpose": (LAYER, LAYER.T),
    "patterns": (LAYER, LayerOperator(LAYER.geometry, LAYER.weight.copy())),
    "fractions": (LAYER + LAYER, 2 * LAYER),
    "dtypes": (cm.conv([[[1, 2]]], (1, 4)), cm.conv([[[1.0, 2.0]]], (1, 4)) @ cm.identity((1, 4))),
    "expressions": (FACTORS + FACTORS, 2 * FACTORS),
    "floats": (1j * ROUND[0] + ROUND[1], ROUND[1] + 1j * ROUND[0]),
}
ALONE = {
    "size": lambda: cm.verify_output_size("(n + 2*p - d*(k - 1) - 1)//s + 1", "conv"),
    "theorem": lambda: prove_theorem("nested floors"),
    "bilinear": lambda: load(winograd(2, 3).prove().to_json()),
}


@cache
def proof_of(kind):
    if kind in ALONE:
        return ALONE[kind]()
    A, B = PAIRS[kind]
    return (cm.prove_transpose if kind == "transpose" else cm.prove_equal)(A, B)


@cache
def operators():
    """Return those of the registry, with their transposes, and some that are nearly in a pair."""
    made = [case.make() for case in CASES.values()]
    near = [OTHER, OTHER.T, 2 * OTHER, 3 * FACTORS, LAYER.T.T, *ROUND]
    return (*made, *near, *(A.T for A in made if hasattr(A, "T")))


def accepts(proof, A, B):
    try:
        return proof.check(A, B)
    except GeometryError:
        return False


def same_numbers(A, B):
    first, second = A.exact_matrix(10**6), B.exact_matrix(10**6)
    if first is None:
        return np.array_equal(A.matrix().toarray(), B.matrix().toarray())
    return A.in_shape == B.in_shape and not len(first.plus(second, -1).keys)


@pytest.mark.parametrize("kind", PAIRS)
def test_a_proof_takes_its_own_operators_in_either_order(kind):
    A, B = PAIRS[kind]
    proof = proof_of(kind)
    for each in (proof, load(proof.to_json())):
        assert each.check(A, B)
        assert each.check(B, A)


@pytest.mark.parametrize("kind", [*PAIRS, *ALONE])
def test_a_proof_takes_no_other_operators(kind):
    """All pairs of one shape, and each operator with its neighbours."""
    proof = load(proof_of(kind).to_json())
    own = PAIRS.get(kind, ())
    everything = [*operators(), *own]
    shapes = {shape for A in own for shape in (A.shape, A.shape[::-1])}
    close = [A for A in everything if A.shape in shapes]
    tried = [(A, B) for A in close for B in close]
    tried += list(zip(everything, everything[1:] + everything[:1], strict=True))
    tried += [(A, A) for A in everything]
    for A, B in tried:
        if not accepts(proof, A, B):
            continue
        # Others of the very records or numbers, such as a transpose's transpose.
        if kind in ("transpose", "patterns"):
            first, second = (layer.geometry for layer in own)
            assert (A.geometry, B.geometry) in ((first, second), (second, first))
            assert np.array_equal(A.weight, B.weight)
            continue
        assert {True} == {same_numbers(*pair) for pair in zip((A, B), own, strict=True)}


def test_layers_of_another_weight_or_geometry_are_refused():
    proof = proof_of("patterns")
    assert proof.check(OTHER, OTHER)  # for every weight that they share
    for A, B in [(LAYER, OTHER), (LAYER, LAYER.T), (LAYER, 1 * LAYER)]:
        with pytest.raises(Refused):
            proof.check(A, B)
    transpose = proof_of("transpose")
    assert transpose.check(OTHER, OTHER.T)
    for A, B in [(LAYER, OTHER.T), (LAYER, LAYER), (LAYER.T, LAYER.T)]:
        with pytest.raises(Refused):
            transpose.check(A, B)
    for value in (None, 3, np.eye(2)):
        with pytest.raises(GeometryError, match="must be operators"):
            proof.check(LAYER, value)


def test_weights_that_no_window_reads_may_differ():
    w, v = np.array([[[1, 2, 3]]]), np.array([[[1, 2, 9]]])
    A, B = (cm.conv(each, (1, 1), padding=1) for each in (w, v))
    both = np.array([[[7, 2, 9]]])
    proof = cm.prove_transpose(A, cm.conv(both, (1, 1), padding=1).T)
    assert proof.check()
    assert proof.check(A, B.T)
    assert proof.check(A.T, B)
    used = cm.conv(np.array([[[1, 5, 3]]]), (1, 1), padding=1)
    with pytest.raises(Refused, match="share their weight"):
        proof.check(A, used.T)
    large = [cm.conv(np.array([[[2**53 + 1 - i]]]).astype(t), (1, 1)) for i, t in
             enumerate(("i8", "f8"))]  # fmt: skip
    with pytest.raises(Refused):
        cm.prove_transpose(large[0]).check(large[0], large[1].T)


def test_operators_are_compared_without_being_passed_too():
    A, B = PAIRS["patterns"]
    proof = cm.prove_equal(A, B)
    assert proof.check()
    assert not replace(proof, operators=(A, OTHER)).holds


# A claim determines what it is about

SMALL = st.integers(1, 3)
windows = st.builds(Window, SMALL, SMALL, SMALL, SMALL, SMALL, SMALL, st.integers(-1, 2))
records = st.integers(1, 2).flatmap(
    lambda groups: st.builds(
        Geometry,
        st.lists(windows, min_size=1, max_size=2).map(tuple),
        st.sampled_from([2, 4]),
        st.sampled_from([2, 4]),
        st.just(groups),
        st.booleans(),
    )
)
options = st.builds(Options, *[SMALL] * 5, *[st.integers(-1, 2)] * 2, st.integers(0, 3))
fractions = st.fractions(-1, 1, max_denominator=2)
counts = st.integers(0, 2)
numbers = st.builds(
    EqualNumbers,
    st.sampled_from(["fractions", "expressions", "floats"]),
    counts,
    counts,
    counts,
    st.tuples(*[st.sampled_from(["float32", "int64"])] * 2),
    st.tuples(counts, counts),
    st.sampled_from([0.0, 1e-17, 1.0000001e-17]),
    st.sampled_from([0.0, 1e-17, 1.0000001e-17]),
    st.sampled_from([((1, 2), (2, 1)), ((2, 1), (1, 2))]),
    st.sampled_from(["0" * 32, "1" * 32]),
)


@st.composite
def factors(draw):
    def matrix_of(rows, columns):
        return tuple(tuple(draw(fractions) for _ in range(columns)) for _ in range(rows))

    window, products = draw(windows), draw(st.integers(1, 2))
    return Factor(
        window,
        draw(st.booleans()),
        matrix_of(window.n_out, products),
        matrix_of(products, window.kernel),
        matrix_of(products, window.n_in),
    )


evidence = st.one_of(
    st.builds(EqualPatterns, records, records),
    st.builds(
        TransposeEvidence, records, records, st.lists(options, min_size=1, max_size=2).map(tuple),
        st.just(()),
    ),
    numbers,
    numbers.map(lambda found: replace(found, shapes=None, fingerprint=None)),
    st.lists(factors(), min_size=1, max_size=2).map(
        lambda found: BilinearEvidence(derive(tuple(found)))
    ),
)  # fmt: skip


def changed(draw, found):
    """Return the statement with one of its numbers changed: what random pairs rarely differ in."""
    data = found.to_json()
    places = list(numbers_in(data))
    *path, last = draw(st.sampled_from(places))
    place = data
    for key in path:
        place = place[key]
    if isinstance(place[last], str):
        value = Fraction(place[last]) + 1 if "proof" in path else place[last] + "x"
        place[last] = str(value)
    else:
        place[last] = not place[last] if isinstance(place[last], bool) else place[last] + 1
    return data


def numbers_in(value, path=()):
    """Yield where numbers and names stand; identities and certificates are no part of a claim."""
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in pairs:
            if key not in ("identities", "kind", "fingerprint"):
                yield from numbers_in(entry, (*path, key))
    else:
        yield path


@given(st.data(), evidence)
def test_a_claim_has_every_number_of_the_record(data, found):
    from convmat.proof.evidence.layers import read_evidence

    try:
        other = read_evidence(changed(data.draw, found))
        claim = other.claim
    except (GeometryError, IndexError):
        return  # it is no record any more
    assert claim != found.claim
    assert read_evidence(json.loads(json.dumps(found.to_json()))).claim == found.claim


@given(evidence, evidence)
def test_two_statements_have_two_claims(first, second):
    same = statement(first) == statement(second)
    assert (first.claim == second.claim) == same


def statement(found):
    if isinstance(found, BilinearEvidence):
        return found.proof.factors
    return found


def test_two_statements_of_the_registry_have_two_claims():
    claims: dict[str, object] = {}
    layers = [A for A in operators() if isinstance(A, LayerOperator)]
    for A in layers:
        found = [EqualPatterns(A.geometry, A.geometry), cm.prove_equal(A + A, 2 * A).evidence]
        answer = cm.prove_transpose(A) if A.geometry.axes[0].base == 1 else None
        found += [answer.evidence] if getattr(answer, "accepted", False) else []
        for each in found:
            assert claims.setdefault(each.claim, each) == each
    assert len(claims) > len(layers)


def test_stride_and_dilation_do_not_share_a_claim():
    A = cm.conv(np.ones((1, 1, 2)), (1, 4), stride=2)
    B = cm.conv(np.ones((1, 1, 2)), (1, 4), dilation=2)
    assert A.out_shape == B.out_shape
    assert cm.prove_equal(A, A).claim != cm.prove_equal(B, B).claim
    assert cm.prove_equal(A, A).headline == cm.prove_equal(B, B).headline


def test_zeros_compute_a_window_that_reads_nothing_and_say_so():
    zero = Fraction(0)
    window = Window(4, 2, 3, 1, 1, 1, 100)
    void = derive((Factor(window, False, ((zero,),) * 2, ((zero,) * 3,), ((zero,) * 4,)),))
    void.check()
    true = winograd(2, 3).prove()
    assert void.claim != true.claim
    assert void.sizes == true.sizes
    data = json.loads(load(void.to_json()).to_json())
    assert not load(json.dumps({**data, "claim": true.claim})).accepted
    # What earlier versions said of both is read as what is proved.
    assert load(json.dumps({**data, "claim": load(true.to_json()).headline})).claim == void.claim
    assert "padding (100,)" in void.claim
    assert "padding (0,)" in true.claim


def test_steps_say_how_many_roundings_explain_the_bound():
    evidence = replace(
        proof_of("floats").evidence, roundings=(5, 7), deviation=1e-17, tolerance=1e-16
    )
    (bound,) = [step.statement for step in evidence.steps() if step.rule == "error bound"]
    assert "at most 5 (first) and 7 (second) roundings of the coarser of" in bound
    assert "complex128" in bound
    exact = replace(evidence, rung="fractions")
    (bound,) = [step.statement for step in exact.steps() if step.rule == "error bound"]
    assert "at most 5 (first) and 7 (second) floats in a term" in bound
    third = cm.conv([[[1 / 3, 1 / 3, 1 / 3]]], (1, 6), stride=3)
    found = cm.prove_equal(third, cm.avg_pool((1, 6), 3))
    assert found.evidence.roundings == (1, 0)
    assert "at most 1 (first) and 0 (second) floats" in found.explain()


def test_symbols_of_their_own_are_all_weights():
    symbols = np.array(sympy.symbols("a:3")).reshape(1, 1, 3)
    A = cm.conv(symbols, (1, 6))
    same = A @ cm.identity(A.in_shape)
    proof = cm.prove_equal(same, A)
    assert proof.grades == (THIS_GEOMETRY,)
    assert "for all weights" in proof.claim
    again = cm.proof.load(proof.to_json())
    assert again == proof
    assert again.check(A, same)
    for weight in ([symbols[0, 0, 0]] * 3, [symbols[0, 0, 0], symbols[0, 0, 1], 1]):
        B = cm.conv(np.array([[weight]]), (1, 6))  # of a relation between weights, or of a number
        less = cm.prove_equal(B @ cm.identity(B.in_shape), B)
        assert less.grades == (THESE_NUMBERS,)
        text = less.to_json().replace("equal expressions", "equal for all weights")
        text = text.replace('"these numbers"', '"this geometry, all weights"')
        with pytest.raises(cm.GeometryError):
            cm.proof.load(text).check(B @ cm.identity(B.in_shape), B)


def test_a_tolerance_or_an_assumption_is_not_for_all_weights():
    a, b = sympy.symbols("a b")
    A = cm.conv(np.array([[[a, b]]]), (1, 4))
    assert cm.prove_equal(A, (1 + 2e-16) * A).grades == (THESE_NUMBERS,)
    real = cm.conv(np.array([[[sympy.Symbol("r", real=True)]]]), (1, 4))
    assert cm.prove_equal(real + real.H, 2 * real).grades == (THESE_NUMBERS,)
    u, v = (cm.conv(np.array([[[a]]]), (1, 4)) for _ in range(2))
    assert cm.prove_equal(u + v, 2 * u).grades == (THESE_NUMBERS,)
    assert cm.prove_equal(a * A, A * a).grades == (THESE_NUMBERS,)
