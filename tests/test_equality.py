"""One ladder of equality: `prove_equal` and `compare` give one verdict, which is the right one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

import convmat as cm
from convmat.proof import Proof, Refused, load
from convmat.proof.comparing.comparison import compare_operators
from convmat.proof.matrices import fractions

THIRD = np.full((1, 1, 3), 1 / 3)
EXACT_THIRD = Fraction(1, 3) * cm.conv(np.ones((1, 1, 3)), (1, 6), stride=3)
HAT = np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]).reshape(1, 1, 5, 5)
INSIDE = cm.pad((1, 12, 15), -1)
MEAN = cm.avg_pool((1, 6), 3)
NAME = cm.conv(np.array([[[sympy.Symbol("a")]]]), (1, 2))
RATIONAL = np.full((1, 1, 3), sympy.Rational(1, 3))


def verdict(A, B):
    """Return what both say, in the same words: the answer of `prove_equal`."""
    answer = cm.prove_equal(A, B)
    found = compare_operators(A, B, ("A", "B"))
    assert found.answer == answer
    assert (found.holds, found.exact, found.claim) == (answer.holds, answer.exact, answer.claim)
    if isinstance(answer, Proof):
        assert answer.check()
        assert load(answer.to_json()).claim == answer.claim
        assert ("up to rounding" in found.verdict) == (not answer.exact)
    else:
        assert found.places.count == int(answer.reason.split(", ")[1].split(" of ")[0])
    return answer


NEAREST = {
    "pooling": (MEAN, cm.conv(THIRD, (1, 6), stride=3)),
    "pooling, float32": (MEAN, cm.conv(THIRD.astype("f4"), (1, 6), stride=3)),
    "float32 and float64": (cm.conv(THIRD.astype("f4"), (1, 6)), cm.conv(THIRD, (1, 6))),
    "transposed": (MEAN.T, cm.conv(THIRD, (1, 6), stride=3).T),
    "other divisors": (
        cm.avg_pool((1, 14), 7),
        cm.conv(np.full((1, 1, 7), 1 / 7), (1, 14), stride=7),
    ),
    "adaptive": (
        cm.adaptive_avg_pool((1, 12), 2),
        cm.conv(np.full((1, 1, 6), 1 / 6), (1, 12), stride=6),
    ),
    "bilinear": (
        INSIDE @ cm.upsample((1, 4, 5), scale_factor=3, mode="bilinear"),
        INSIDE @ cm.conv_transpose(HAT / 9, (1, 4, 5), stride=3, padding=1),
    ),
    "multiples": (EXACT_THIRD, 1 / 3 * cm.conv(np.ones((1, 1, 3)), (1, 6), stride=3)),
    "sums": (MEAN + MEAN, cm.conv(THIRD, (1, 6), stride=3) + MEAN),
    "products": (MEAN.T @ MEAN, cm.conv(THIRD, (1, 6), stride=3).T @ MEAN),
    "blocks": (cm.block([[MEAN], [MEAN]]), cm.block([[cm.conv(THIRD, (1, 6), stride=3)], [MEAN]])),
    "rational weights": (cm.conv(RATIONAL, (1, 6)), cm.conv(THIRD, (1, 6))),
    "symbols": (NAME @ MEAN, NAME @ cm.conv(THIRD, (1, 6), stride=3)),
    "complex": (1j * MEAN, 1j * cm.conv(THIRD, (1, 6), stride=3)),
}


@pytest.mark.parametrize("name", NEAREST)
def test_floats_nearest_to_other_fractions_are_equal_up_to_rounding(name):
    answer = verdict(*NEAREST[name])
    assert answer.holds
    assert not answer.exact
    assert "are equal up to rounding, within " in answer.claim
    bound = float(answer.claim.split("within ")[1])
    assert answer.evidence.deviation <= answer.evidence.tolerance <= bound < 1e-6


FOURTHS = cm.conv(np.full((1, 1, 4), 1 / 4), (1, 8), stride=4)
EXACT = {
    "dyadic": (cm.avg_pool((1, 8), 4), FOURTHS, "fractions"),
    "integers": (3 * EXACT_THIRD, cm.conv([[[1, 1, 1]]], (1, 6), stride=3), "fractions"),
    "fractions": (MEAN, EXACT_THIRD, "fractions"),
    "float32": (FOURTHS, cm.conv(FOURTHS.weight.astype("f4"), (1, 8), stride=4), None),
    "rational weights": (MEAN, cm.conv(RATIONAL, (1, 6), stride=3), "fractions"),
    "symbols": (NAME @ MEAN, sympy.Symbol("a") * MEAN, "expressions"),
    "complex symbols": (1j * NAME, NAME @ (1j * cm.identity((1, 2))), "expressions"),
    "complex": (1j * FOURTHS, cm.conv(1j * FOURTHS.weight, (1, 8), stride=4), "floats"),
    "large": (cm.identity((1, 1 << 17)), cm.conv([[[1.0]]], (1, 1 << 17)), "floats"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_fractions_expressions_and_floats_without_rounding_are_exactly_equal(name):
    A, B, rung = EXACT[name]
    answer = verdict(A, B)
    assert answer.exact
    assert rung is None or answer.evidence.rung == rung
    assert rung is None or answer.claim.endswith("are exactly equal")
    assert rung is None or f"as {rung}, every entry is exactly equal" in answer.explain()


def test_numbers_without_floats_are_told_apart_however_close():
    near = Fraction(10**18 + 1, 3 * 10**18) * cm.conv([[[1, 1, 1]]], (1, 6), stride=3)
    answer = verdict(MEAN, near)
    assert not answer.holds
    assert "compared as fractions, 2 of 2 rows differ" in answer.reason
    assert (answer.first, answer.second) == (Fraction(1, 3), Fraction(10**18 + 1, 3 * 10**18))
    root = sympy.sqrt(2)
    assert verdict(NAME, (root * root) / 2 * NAME).exact
    assert not verdict(NAME, root * NAME).holds
    assert not verdict(NAME, 1.001 * NAME).holds


def test_the_rung_below_says_no_more_than_it_can(monkeypatch):
    A, B = MEAN, EXACT_THIRD
    assert verdict(A, B).exact
    monkeypatch.setattr(fractions, "MOST", 5)
    below = verdict(A, B)
    assert below.evidence.rung == "floats"
    assert not below.exact
    assert below.evidence.deviation == 0
    assert below.evidence.tolerance > 0


def test_symbols_beside_numbers_that_are_missing_cannot_be_compared():
    with pytest.raises(cm.GeometryError, match="not finite"):
        cm.prove_equal(NAME @ (float("nan") * MEAN), NAME @ MEAN)


def test_a_tampered_rung_is_refused():
    answer = verdict(MEAN, EXACT_THIRD)
    text = answer.to_json()
    assert load(text).check(MEAN, EXACT_THIRD)
    for kind in ("equal expressions", "equal patterns"):
        with pytest.raises(cm.GeometryError):
            load(text.replace("equal fractions", kind)).check(MEAN, EXACT_THIRD)
    with pytest.raises(Refused, match="another result"):
        load(text).check(MEAN, cm.conv(THIRD, (1, 6), stride=3))


# Random pairs


class Recipe:
    """A composition of small layers that can be made as it is, or with exact weights."""

    def __init__(self, rng, size):
        self.floats = False
        self.make = self._grown(rng, (1, size), depth=2)

    def _grown(self, rng, shape, depth):
        kind = rng.integers(4 if depth else 1)
        if kind == 0:
            return self._leaf(rng, shape)
        first = self._grown(rng, shape, depth - 1)
        if kind == 1:
            scalar = [2, -0.5, 1 / 3, Fraction(1, 3), Fraction(-2, 7)][rng.integers(5)]
            self.floats |= isinstance(scalar, float)
            return lambda exact: (exact(scalar) if exact else scalar) * first(exact)
        if kind == 2:
            second = self._leaf(rng, first(None).out_shape)
            return lambda exact: second(exact) @ first(exact)
        return lambda exact: first(exact) + first(exact)

    def _leaf(self, rng, shape):
        size, channels = shape[-1], shape[0]
        kind = rng.integers(6)
        k = int(rng.integers(1, min(3, size) + 1))
        if kind == 0:
            return lambda _: cm.avg_pool(shape, k, stride=1)
        if kind == 1:
            return lambda _: cm.upsample(shape, int(size + k), mode="linear")
        if kind == 2:
            return lambda _: cm.pad(shape, 1, "replicate")
        weight = rng.integers(-3, 4, (channels, channels, k))
        if kind > 3:
            weight = (weight / rng.choice([2, 3, 7])).astype("f8" if kind == 4 else "f4")
            self.floats = True
        return lambda exact: cm.conv(exact(weight) if exact else weight, shape)


def rational(value):
    """Return the fraction that a number stores, or an array of them."""
    if isinstance(value, np.ndarray):
        made = np.empty(value.shape, object)
        made.flat = [rational(number) for number in value.ravel().tolist()]
        return made
    return sympy.Rational(*value.as_integer_ratio())


def in_rationals(recipe):
    """Return the dense matrix, from unit inputs put through layers with rational weights."""
    made = recipe.make(rational)
    rows, columns = made.shape
    units = np.full((columns, columns), sympy.Integer(0))
    np.fill_diagonal(units, sympy.Integer(1))
    return np.asarray(made(units.reshape(columns, *made.in_shape))).reshape(columns, rows).T


def disturbed(first, rng):
    """Return an operator that differs in one number, by little or much; or in none."""
    scale = [1, 1 + 2.0**-52, 1.5, Fraction(10**20 + 1, 10**20)][rng.integers(4)]
    return scale, scale * first


@pytest.mark.parametrize("seed", range(60))
def test_both_agree_with_dense_matrices_of_fractions(seed):
    rng = np.random.default_rng(seed)
    agree_with_dense_matrices(rng)


def agree_with_dense_matrices(rng):
    size = int(rng.integers(3, 7))
    recipe, other = Recipe(rng, size), Recipe(rng, size)
    A, exact = recipe.make(None), in_rationals(recipe)
    pairs = [(*disturbed(A, rng), exact, recipe.floats)]
    if other.make(None).out_shape == A.out_shape:
        pairs.append((1, other.make(None), in_rationals(other), recipe.floats | other.floats))
    for scale, B, matrix, floats in pairs:
        expected = rational(scale) * matrix
        answer = verdict(A, B)
        gap = exact - expected
        places = np.argwhere(gap != 0)
        if not len(places):
            assert answer.exact
            continue
        if isinstance(answer, Proof):
            assert not answer.exact
            assert floats or isinstance(scale, float)
            assert max(map(abs, gap.ravel())) <= answer.evidence.tolerance < 1e-4
            continue
        row, column = places[0]
        found = (np.ravel_multi_index(answer.row, A.out_shape),
                 np.ravel_multi_index(answer.column, A.in_shape))  # fmt: skip
        assert gap[found] != 0
        if not floats and not isinstance(scale, float):
            assert found == (row, column)


# What leaves the range of floats, or of 64 bits, says nothing of equality.

MANY = 70_000  # entries, beyond which fractions are not asked


def line(weight, size=4):
    return cm.conv([[weight]], (1, size))


W = sympy.Symbol("w")
TOLD_APART = {
    "too large for floats": (
        lambda: 1e300 * (1e300 * line([1.5])),
        lambda: 1e300 * (1e300 * line([2.5])),
    ),
    "multiples by large integers": (
        lambda: 10**300 * (10**300 * line([1.5])),
        lambda: 10**300 * (10**300 * line([2.5])),
    ),
    "large coefficients of symbols": (
        lambda: 1e300 * (1e300 * line([1.5 * W])),
        lambda: 1e300 * (1e300 * line([2.5 * W])),
    ),
    "symbols that cancel": (
        lambda: (line([W]) - line([W])) + line([1.5]),
        lambda: line([2.5]),
    ),
    "symbols times zero": (lambda: W * (0 * line([0.5])) + line([1.5]), lambda: line([2.5])),
    "integers that wrap around": (lambda: 4 * line([2**62]), lambda: 0 * line([1])),
}


@pytest.mark.parametrize("kind", TOLD_APART)
def test_numbers_that_floats_cannot_tell_apart_are_told_apart(kind):
    first, second = (make() for make in TOLD_APART[kind])
    assert not cm.prove_equal(first, second)
    assert not cm.prove_equal(second, first)
    assert cm.prove_equal(first, first)


@pytest.mark.parametrize("number", [2**53 + 1, 2**62 + 1, 2**63 - 1])
def test_floats_nearest_to_integers_are_not_exactly_those(number):
    dtype = np.int64 if number < 2**62 else np.uint64
    whole, rounded = cm.conv(np.array([[[number]]], dtype), (1, 4)), line([float(number)])
    assert not cm.prove_equal(whole, rounded).exact
    assert cm.prove_equal(line([2**53]), line([2.0**53])).exact


@pytest.mark.parametrize("tiny", [1e-310, 1e-200])
def test_tiny_numbers_have_an_answer(tiny):
    layer = line([tiny], MANY)
    assert cm.prove_equal(layer + layer, 2 * layer)
    small = tiny * (tiny * layer)
    assert cm.prove_equal(small, small)


def test_the_tails_of_a_gaussian_have_an_answer():
    taps = np.exp(-(np.arange(-39, 40) ** 2) / 2)
    blur = cm.conv([[taps]], (1, 2000))
    assert cm.prove_equal(blur + blur, 2 * blur)


def test_what_floats_lose_is_never_exactly_equal():
    vanished = cm.conv(np.full((1, 1, 1), 2.0**-100, np.float32), (1, MANY))
    larger = cm.conv(np.full((1, 1, 1), 3 * 2.0**-100, np.float32), (1, MANY))
    assert not cm.prove_equal(vanished @ vanished, vanished @ larger).exact
    cast = cm.prove_equal(
        line([2**53 + 1], MANY), cm.conv([[[0.0, 2.0**53, 0]]], (1, MANY), padding=1)
    )
    assert not cast.exact
    wrapped = cm.prove_equal(4 * line([2**62], MANY), 0 * line([1], MANY))
    assert not wrapped.exact
    assert "within 1.8" in wrapped.claim
    with pytest.raises(cm.GeometryError, match="beyond the range of float64"):
        cm.prove_equal(1e300 * (1e300 * line([1.5], MANY)), 1e300 * (1e300 * line([2.5], MANY)))
