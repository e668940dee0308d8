"""Maps along one axis against loops over fractions: every weight exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import naive
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import convmat as cm
from convmat import maps
from convmat.separable import AxisMap
from convmat.sizes import as_scale, output_size, upsampled_size

KINDS = ("nearest", "linear", "cubic")


def exact(part: AxisMap) -> Any:
    """Return a map as a dense array of fractions."""
    matrix = naive.fractions((part.n_out, part.n_in))
    for o in range(part.n_out):
        for entry in range(part.begin[o], part.begin[o + 1]):
            weight = Fraction(int(part.numerators[entry]), int(part.denominators[entry]))
            assert weight != 0
            assert matrix[o, part.inputs[entry]] == 0, "an entry is stored twice"
            matrix[o, part.inputs[entry]] = weight
    return matrix


def resized(kind: str, n: int, n_out: int, scale: Fraction, convention: str, rounding: str) -> Any:
    at = maps.coordinates(convention, n, n_out, scale)
    if kind == "nearest":
        return maps.nearest(n, n_out, at, rounding)
    return getattr(maps, kind)(n, n_out, at)


scales = st.builds(Fraction, st.integers(1, 40), st.integers(1, 20))


@given(
    n=st.integers(1, 9),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    low=st.integers(0, 4),
    high=st.integers(0, 4),
    ceil_mode=st.booleans(),
    include=st.booleans(),
    divisor=st.sampled_from([None, None, 1, 7]),
)
def test_averages_are_the_definition(
    n, kernel, stride, low, high, ceil_mode, include, divisor
) -> None:
    assume(low < kernel and high < kernel and n + low + high >= kernel)
    n_out = output_size(n, kernel, stride, (low, high), ceil_mode=ceil_mode)
    part = maps.averaging(n, kernel, stride, low, high, n_out, include, divisor)
    truth = naive.average_pool_plane(
        [n],
        [kernel],
        [stride],
        [(low, high)],
        ceil_mode=ceil_mode,
        include_pad=include,
        divisor=divisor,
    )
    np.testing.assert_array_equal(exact(part), truth)


def test_cells_beyond_the_high_padding_never_count() -> None:
    # Window 3 starts at 5 and spans 5 to 7; 6 is padding, 7 is beyond it.
    part = maps.averaging(6, kernel=3, stride=2, low=1, high=1, n_out=4)
    np.testing.assert_array_equal(part.denominators[-1:], [2])
    inputs_only = maps.averaging(6, 3, 2, 1, 1, 4, count_include_pad=False)
    np.testing.assert_array_equal(inputs_only.denominators[-1:], [1])


@pytest.mark.parametrize(
    ("low", "high", "n_out", "window"),
    [(3, 0, 4, "output 0 along an axis of 4 covers positions -3 to -2"), (0, 2, 5, "output 4")],
)
def test_a_window_without_input_is_named(low, high, n_out, window) -> None:
    with pytest.raises(cm.GeometryError, match=window) as caught:
        maps.averaging(4, 2, 1, low, high, n_out)
    assert caught.value.argument == "padding"
    assert "kernel size 2" in caught.value.repair


@given(n=st.integers(1, 12), n_out=st.integers(1, 12))
def test_adaptive_averages_are_the_definition(n, n_out) -> None:
    truth = naive.adaptive_pool_plane([n], [n_out])
    np.testing.assert_array_equal(exact(maps.adaptive(n, n_out)), truth)


@pytest.mark.parametrize("convention", maps.CONVENTIONS)
@given(
    n=st.integers(1, 8),
    scale=scales,
    kind=st.sampled_from(KINDS),
    rounding=st.sampled_from(maps.ROUNDINGS),
)
def test_resizing_is_the_definition(convention, n, scale, kind, rounding) -> None:
    n_out = math.floor(n * scale)
    assume(1 <= n_out <= 20)
    part = resized(kind, n, n_out, scale, convention, rounding)
    truth = naive.resize_axis(n, n_out, scale, kind, convention, rounding)
    np.testing.assert_array_equal(exact(part), truth)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("convention", maps.CONVENTIONS)
def test_weights_of_every_output_add_up_to_one(kind, convention) -> None:
    for n, n_out in ((1, 1), (1, 4), (7, 1), (5, 13), (13, 5), (8, 16), (16, 8)):
        part = resized(kind, n, n_out, Fraction(n_out, n), convention, "round_prefer_floor")
        assert (exact(part).sum(axis=1) == 1).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fine", [10**5, 10**7, 10**20])  # cubes alone, then all, beyond 64 bits
def test_fractions_beyond_64_bits(kind, fine) -> None:
    scale = Fraction(3 * fine + 1, 2 * fine)
    part = resized(kind, 5, 7, scale, "half_pixel", "round_prefer_ceil")
    truth = naive.resize_axis(5, 7, scale, kind, "half_pixel", "round_prefer_ceil")
    np.testing.assert_array_equal(exact(part), truth)
    np.testing.assert_array_equal(exact(part.transpose()), truth.T)
    values = part.values(np.dtype(float))
    np.testing.assert_array_equal(values, [float(w) for w in truth.ravel() if w != 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rounding", maps.ROUNDINGS)
def test_python_integers_and_64_bits_agree(kind, rounding, monkeypatch) -> None:
    arguments = kind, 11, 29, Fraction(29, 11), "half_pixel", rounding
    narrow = resized(*arguments)
    assert narrow.numerators.dtype == np.int64
    monkeypatch.setattr(maps, "EXACT", 0)
    wide = resized(*arguments)
    assert kind == "nearest" or wide.numerators.dtype == object
    assert wide == narrow


def test_cubic_at_a_long_axis_does_not_overflow() -> None:
    n, n_out = 40_000, 59_999
    at = maps.coordinates("half_pixel", n, n_out, Fraction(n_out, n))
    part = maps.cubic(n, n_out, at)
    o = n_out - 2
    x = naive.source("half_pixel", o, n, n_out, Fraction(n_out, n))
    entries = slice(part.begin[o], part.begin[o + 1])
    found = dict(
        zip(
            part.inputs[entries].tolist(),
            map(Fraction, part.numerators[entries], part.denominators[entries]),
            strict=True,
        )
    )
    assert len(found) == 3  # four taps, two of them at the last input
    assert found[n - 3] == naive.keys(x - (n - 3))
    assert found[n - 2] == naive.keys(x - (n - 2))
    assert sum(found.values()) == 1


def test_axes_too_long_for_arrays_are_refused() -> None:
    huge = 1 << 40
    for make in (
        lambda: cm.adaptive_avg_pool((1, huge), 1),
        lambda: cm.upsample((1, 2), size=huge),
        lambda: cm.upsample((1, 2), scale_factor=1e300, mode="linear"),
        lambda: cm.upsample((1, 2), size=huge, mode="cubic"),
        lambda: cm.avg_pool((1, huge), 2),
        lambda: cm.avg_pool((1, 1 << 30), 1 << 29, stride=1),
    ):
        with pytest.raises(cm.GeometryError, match="along one axis"):
            make()


def test_a_float_is_the_simplest_fraction_that_rounds_to_it() -> None:
    for p in range(1, 120):
        for q in range(1, 60):
            assert as_scale(p / q) == Fraction(p, q)
    assert as_scale(np.float32(0.6)) == as_scale(np.float16(0.6)) == Fraction(3, 5)
    assert as_scale(np.float64(2.3)) == Fraction(23, 10)
    assert as_scale(math.pi) != Fraction(22, 7)
    for number in (math.pi, 1e-300, 1e300, 2.0**-40, 0.1 + 0.2, 5e-324):
        assert float(as_scale(number)) == number


def test_sizes_of_a_resizing() -> None:
    sympy = pytest.importorskip("sympy")
    n, s = sympy.symbols("n s", positive=True)
    formula = upsampled_size(n, s)
    for size in range(1, 30):
        for scale in (0.25, 0.6, 1, 1.5, 1.7, 2, 2.3, Fraction(7, 3), np.float32(1.1)):
            wanted = math.floor(size * as_scale(scale))
            if wanted:
                assert upsampled_size(size, scale) == wanted
            exactly = sympy.Rational(str(as_scale(scale)))
            assert formula.subs({n: size, s: exactly}) == wanted
            assert upsampled_size(n, scale).subs(n, size) == wanted
            assert as_scale(exactly) == as_scale(scale)
    assert upsampled_size(45, 1.4) == 63
    assert math.floor(45 * 1.4) == 62  # what a product of floats loses
