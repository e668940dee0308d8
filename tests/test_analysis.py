"""What operators do to lengths: brackets hold the norm, spectra are those of the matrix."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from cases import CASES
from hypothesis import given
from hypothesis import strategies as st

import convmat as cm
from convmat.analysis import bounds, norms, numbers
from convmat.analysis.lanczos import largest_from_below

NUMERIC = sorted(name for name, case in CASES.items() if case.make().dtype != object)


def dense_values(A):
    dense = A.matrix(dtype=np.result_type(A.dtype, np.float64)).toarray()
    return np.linalg.svd(dense, compute_uv=False)


def layers(draw):
    """Draw a convolution or its transpose, of any options, small enough for a dense matrix."""
    ndim = draw(st.integers(1, 2))
    kernel = [draw(st.integers(1, 4)) for _ in range(ndim)]
    size = [draw(st.integers(4, 8)) for _ in range(ndim)]
    stride = [draw(st.integers(1, 3)) for _ in range(ndim)]
    groups, inner, out = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight = rng.standard_normal((groups * out, inner, *kernel))
    if draw(st.booleans()):
        weight = weight + 1j * rng.standard_normal(weight.shape)
    mode = draw(st.sampled_from(["zeros", "circular", "reflect"]))
    padding = [draw(st.integers(0, 2)) for _ in range(ndim)]
    dilation = draw(st.integers(1, 2)) if min(size) > 6 else 1
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    A = cm.conv(weight, (groups * inner, *size), **options, padding_mode=mode)
    return A.T if draw(st.booleans()) else A


LAYERS = st.composite(layers)()


@pytest.mark.parametrize("name", NUMERIC)
def test_the_registry_lies_within_its_brackets(name):
    A = CASES[name].make()
    largest = dense_values(A).max(initial=0.0)
    found = cm.analysis.norm(A)
    assert found.lower <= largest <= found.upper
    assert found.reached == (found.width <= 0.01)


@given(LAYERS)
def test_every_bound_is_on_its_side(A):
    largest = dense_values(A)[0]
    assert bounds.absolute_bound(A)[0] >= largest
    assert bounds.structural_bound(A) >= largest
    slack = numbers.rounding(A, bounds.absolute_bound(A)[0])
    for value, _ in largest_from_below(A):
        assert value <= largest + slack
        if value >= largest * (1 - 1e-9):
            return
    pytest.fail(f"Lanczos ended at {value} below {largest}")


@given(LAYERS)
def test_frequencies_give_all_values(A):
    around = bounds.wrapped(A)
    if around is None or not around[1]:
        return
    values = around[0].singular_values()
    truth = dense_values(A)
    assert len(values) == len(truth)
    np.testing.assert_allclose(values, truth, atol=1e-12 * truth[0])
    assert truth[0] <= around[0].norm() <= truth[0] * (1 + 1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3, (2, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_circular_layers_are_recognised(stride, groups):
    weight = np.random.default_rng(7).standard_normal((4, 4 // groups, 3, 3))
    options = {"stride": stride, "padding": 1, "groups": groups, "padding_mode": "circular"}
    A = cm.conv(weight, (4, 6, 6), **options)
    found = cm.analysis.singular_values(A)
    assert found.complete
    assert found.boundary == "circular"
    np.testing.assert_allclose(found.values, dense_values(A), atol=1e-12 * found.values[0])
    np.testing.assert_allclose(cm.analysis.singular_values(A.T).values, found.values)


def test_norms_in_closed_form():
    n = 300
    second_difference = cm.conv([[[-1, 2, -1]]], (1, n), padding=1)
    truth = 4 * math.cos(math.pi / (2 * (n + 1))) ** 2
    found = cm.analysis.norm(second_difference, rtol=1e-3)
    assert found.lower <= truth <= found.upper
    assert found.reached
    assert found.lower <= float(found) <= found.upper
    box = cm.conv(np.ones((1, 1, 3, 3)), (1, 40, 40), padding=1)  # a tensor product of two
    truth = (1 + 2 * math.cos(math.pi / 41)) ** 2
    found = cm.analysis.norm(box, rtol=1e-3)
    assert found.lower <= truth <= found.upper


def test_a_larger_layer_is_bracketed_to_a_percent():
    weight = np.random.default_rng(3).standard_normal((3, 2, 3, 3))
    for options in ({"padding": 1}, {"padding": 2, "stride": 2}, {"dilation": 2}):
        A = cm.conv(weight, (2, 24, 24), **options)
        for operator in (A, A.T):
            found = cm.analysis.norm(operator, rtol=0.04)
            assert found.reached, (options, found)
            assert found.boundary == ("zeros" if options.get("padding") else "valid")


def test_a_wide_bracket_says_so():
    weight = np.random.default_rng(3).standard_normal((2, 2, 3, 3))
    A = cm.conv(weight, (2, 17, 17), padding=1, padding_mode="reflect")
    found = cm.analysis.norm(A)
    assert not found.reached
    assert "wider than asked" in str(found)
    assert found.lower <= dense_values(A)[0] <= found.upper


def test_nothing_stretches_nothing():
    found = cm.analysis.norm(cm.conv(np.zeros((2, 1, 3)), (1, 400)))
    assert (found.lower, found.upper, found.reached) == (0.0, 0.0, True)
    assert cm.analysis.singular_values(cm.conv(np.zeros((1, 1, 3)), (1, 9))).condition == math.inf


def test_the_largest_values_come_with_their_residual():
    weight = np.random.default_rng(5).standard_normal((3, 3, 3, 3))
    A = cm.conv(weight, (3, 9, 9), padding=1)
    truth = dense_values(A)
    found = cm.analysis.singular_values(A, k=4)
    assert np.abs(found.values - truth[:4]).max() <= found.error
    through = cm.analysis.spectra._largest(A, 4)
    assert not through.complete
    assert np.abs(through.values - truth[:4]).max() <= through.error < 1e-6
    with pytest.raises(cm.GeometryError, match="smallest"):
        _ = through.condition


def test_rank_and_condition():
    found = cm.analysis.singular_values(cm.upsample((1, 6), scale_factor=2))
    assert (found.rank, found.condition) == (6, 1.0)
    assert cm.analysis.singular_values(cm.conv([[[1, -1]]], (1, 6))).rank == 5
    difference = cm.conv([[[1, -1, 0]]], (1, 6), padding=1, padding_mode="circular")
    assert cm.analysis.singular_values(difference).rank == 5


@pytest.mark.parametrize("ask", [cm.analysis.norm, cm.analysis.singular_values])
def test_what_has_no_numbers_is_refused(ask):
    import sympy

    bad = [cm.conv([[[1.0, bad]]], (1, 5)) for bad in (math.nan, math.inf)]
    for A in [*bad, cm.conv([[[sympy.Symbol("w")]]], (1, 5)), np.eye(3)]:
        with pytest.raises(cm.GeometryError, match=r"not finite|symbols|must be an operator"):
            ask(A)


def test_other_refusals():
    A = cm.conv(np.ones((1, 1, 3)), (1, 20_000))
    for rtol in (0, -1, math.nan, math.inf, "a"):
        with pytest.raises(cm.GeometryError, match="rtol"):
            cm.analysis.norm(A, rtol=rtol)
    with pytest.raises(cm.GeometryError, match="k=6"):
        cm.analysis.singular_values(A)
    for k in (0, 10**6, 2.5, "3", min(A.shape)):
        with pytest.raises(cm.GeometryError):
            cm.analysis.singular_values(A, k)


@pytest.mark.parametrize("scale", [1e-165, 1e-100, 1e100, 1e160])
@pytest.mark.parametrize("size", [5, 20])
def test_numbers_whose_powers_are_no_floats_are_refused(scale, size):
    weight = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    A = cm.conv(weight * scale, (2, size, size), padding=1)
    for ask in (cm.analysis.norm, cm.analysis.singular_values):
        with pytest.raises(cm.GeometryError, match="scale it first"):
            ask(A)
    small = cm.conv(weight * 1e-45, (2, size, size), padding=1)
    with pytest.raises(cm.GeometryError, match="scale it first"):
        cm.analysis.norm(small.T @ small @ small.T @ small)


@pytest.mark.parametrize("scalar", [math.nan, math.inf, 1e200, Fraction(10) ** 400])
def test_scalars_are_looked_at(scalar):
    A = cm.conv(np.ones((1, 1, 3)), (1, 9))
    for ask in (cm.analysis.norm, cm.analysis.singular_values):
        with pytest.raises(cm.GeometryError):
            ask(scalar * A + A)


@pytest.mark.parametrize("size", [6, 30])
def test_what_cancels_is_within_its_error(size):
    weight = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    A = cm.conv(weight, (2, size, size), padding=1)
    nothing = 7 * (Fraction(1, 7) * A) - A
    found = cm.analysis.norm(nothing)
    assert found.lower == 0.0
    assert not found.reached
    spectrum = cm.analysis.singular_values(nothing)
    assert spectrum.values[0] <= spectrum.error
    assert spectrum.rank == 0
    little = (0.1 * A + 0.2 * A) - 0.3 * A
    exact = float(Fraction(0.1) + Fraction(0.2) - Fraction(0.3)) * dense_values(A)[0]
    spectrum = cm.analysis.singular_values(little)
    assert abs(spectrum.values[0] - exact) <= spectrum.error


def convmat(*arguments):
    command = [sys.executable, "-m", "convmat", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_commands():
    done = convmat("norm", "conv:ones,kernel=3,padding=1", "--shape", "1,64", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["lower"] <= 1 + 2 * math.cos(math.pi / 65) <= told["upper"]
    done = convmat("spectrum", "upsample:nearest,scale=2", "--shape", "1,3")
    head, *values = done.stdout.splitlines()
    assert head.startswith("# all 3 singular values")
    assert [float(line) for line in values] == pytest.approx([math.sqrt(2)] * 3)
    assert done.returncode == 0
    for name in ("norm", "spectrum"):
        done = convmat(name, "convolve:ones")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


def test_interrupted_it_tells_what_is_reached(monkeypatch):
    from click.testing import CliRunner

    from convmat.cli.commands import main

    def two(*_):
        yield norms.Bracket(1.0, 2.0, "zeros", 3)
        raise KeyboardInterrupt

    monkeypatch.setattr(norms, "brackets", two)
    done = CliRunner().invoke(main, ["norm", "identity"])
    assert done.exit_code == 130
    assert "between 1 and 2" in done.output


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"stride": 3, "dilation": 2}, {"stride": (2, 3), "padding": 1}]
)
def test_overlap_is_what_a_constant_becomes(options):
    weight = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    A = cm.conv_transpose(weight, (2, 12, 12), **options)
    pattern = cm.analysis.overlap(A).pattern
    made = A(np.ones(A.in_shape))
    middle = [
        slice(b * (n // 2 // b), b * (n // 2 // b) + b)
        for n, b in zip(made.shape[1:], pattern.shape[1:], strict=True)
    ]
    np.testing.assert_allclose(made[(slice(None), *middle)], pattern, atol=1e-12)


def test_a_kernel_that_divides_by_the_stride_may_ripple_all_the_same():
    ones = cm.conv_transpose(np.ones((1, 1, 4, 4)), (1, 6, 6), stride=2)
    assert cm.analysis.overlap(ones).ripple == 0
    random = np.random.default_rng(0).standard_normal((1, 1, 4, 4))
    assert cm.analysis.overlap(ones.with_weight(random)).ripple > 0.5
    zero = ones.with_weight(np.zeros((1, 1, 4, 4)))
    assert cm.analysis.overlap(zero).ripple == 0
    assert cm.analysis.overlap(cm.conv(random, (1, 6, 6))).ripple == 0


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5])
def test_linear_interpolation_does_not_ripple(stride):
    weight = cm.analysis.bilinear_weight(2, stride)
    options = {"stride": stride, "padding": stride // 2, "groups": 2}
    found = cm.analysis.overlap(cm.conv_transpose(weight, (2, 5, 5), **options))
    assert found.ripple <= 1e-15
    np.testing.assert_allclose(found.pattern, 1.0, rtol=1e-14)


def test_icnr_is_nearest_upsampling_at_first():
    weight = np.random.default_rng(2).standard_normal((3, 2, 3, 3))
    convolution = cm.conv(weight, (2, 5, 4), padding=1)
    subpixel = cm.conv(cm.analysis.icnr(weight, 3), (2, 5, 4), padding=1)
    shuffled = cm.pixel_shuffle(subpixel.out_shape, 3) @ subpixel
    nearest = cm.upsample(convolution.out_shape, scale_factor=3) @ convolution
    assert cm.prove_equal(shuffled, nearest)


def test_checkerboards_of_bad_arguments():
    A = cm.conv(np.ones((1, 1, 3)), (1, 6))
    for bad in (A @ cm.identity((1, 6)), cm.upsample((1, 6), scale_factor=2)):
        with pytest.raises(cm.GeometryError, match="layer by layer"):
            cm.analysis.overlap(bad)
    for arguments in ((0, 2), (1, 0), (1, 2.5)):
        with pytest.raises(cm.GeometryError):
            cm.analysis.bilinear_weight(*arguments)
    with pytest.raises(MemoryError):
        cm.analysis.bilinear_weight(10**9, 10**9)
    with pytest.raises(MemoryError):
        cm.analysis.icnr(np.ones((1, 1, 3, 3)), 10**9)
    for weight, scale in ((np.ones(3), 2), (np.ones((1, 1, 3)), 0)):
        with pytest.raises(cm.GeometryError):
            cm.analysis.icnr(weight, scale)
