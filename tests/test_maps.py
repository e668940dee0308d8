"""Maps along one axis against loops over fractions: every weight exactly."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from fractions import Fraction
from typing import Any

import naive
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import convmat as cm
from convmat.geometry import resampling
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.sizes import as_scale, output_size, upsampled_size
from convmat.layers import pooling_windows
from convmat.matrix import limits

KINDS = ("nearest", "linear", "cubic")


def exact(part: AxisMap) -> Any:
    """Return a map as a dense array of fractions."""
    csr = naive.fractions((part.n_out, part.n_in))
    for o in range(part.n_out):
        for entry in range(part.begin[o], part.begin[o + 1]):
            weight = Fraction(int(part.numerators[entry]), int(part.denominators[entry]))
            assert weight != 0
            assert csr[o, part.inputs[entry]] == 0, "an entry is stored twice"
            csr[o, part.inputs[entry]] = weight
    return csr


def resized(kind: str, n: int, n_out: int, scale: Fraction, convention: str, rounding: str) -> Any:
    at = resampling.coordinates(convention, n, n_out, scale)
    if kind == "nearest":
        return resampling.nearest(n, n_out, at, rounding)
    return getattr(resampling, kind)(n, n_out, at)


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
    part = resampling.averaging(n, kernel, stride, low, high, n_out, include, divisor)
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
    part = resampling.averaging(6, kernel=3, stride=2, low=1, high=1, n_out=4)
    np.testing.assert_array_equal(part.denominators[-1:], [2])
    inputs_only = resampling.averaging(6, 3, 2, 1, 1, 4, count_include_pad=False)
    np.testing.assert_array_equal(inputs_only.denominators[-1:], [1])


@pytest.mark.parametrize("divisor", [-1, -6, 2**70, -(2**70)])
def test_the_sign_of_a_divisor_goes_to_the_numerator(divisor) -> None:
    part = resampling.averaging(4, 2, 2, 0, 0, 2, divisor=divisor)
    assert (part.denominators > 0).all()
    assert part.whole == (abs(divisor) == 1)
    assert set(exact(part).ravel()) == {Fraction(0), Fraction(1, divisor)}


@given(n=st.integers(1, 12), n_out=st.integers(1, 12))
def test_adaptive_averages_are_the_definition(n, n_out) -> None:
    truth = naive.adaptive_pool_plane([n], [n_out])
    np.testing.assert_array_equal(exact(resampling.adaptive(n, n_out)), truth)


@pytest.mark.parametrize("convention", resampling.CONVENTIONS)
@given(
    n=st.integers(1, 8),
    scale=scales,
    kind=st.sampled_from(KINDS),
    rounding=st.sampled_from(resampling.ROUNDINGS),
)
def test_resizing_is_the_definition(convention, n, scale, kind, rounding) -> None:
    n_out = math.floor(n * scale)
    assume(1 <= n_out <= 20)
    part = resized(kind, n, n_out, scale, convention, rounding)
    truth = naive.resize_axis(n, n_out, scale, kind, convention, rounding)
    np.testing.assert_array_equal(exact(part), truth)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("convention", resampling.CONVENTIONS)
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
@pytest.mark.parametrize("rounding", resampling.ROUNDINGS)
def test_python_integers_and_64_bits_agree(kind, rounding, monkeypatch) -> None:
    arguments = kind, 11, 29, Fraction(29, 11), "half_pixel", rounding
    narrow = resized(*arguments)
    assert narrow.numerators.dtype == np.int64
    monkeypatch.setattr(resampling, "EXACT", 0)
    wide = resized(*arguments)
    assert kind == "nearest" or wide.numerators.dtype == object
    assert wide == narrow


def test_cubic_at_a_long_axis_does_not_overflow() -> None:
    n, n_out = 40_000, 59_999
    at = resampling.coordinates("half_pixel", n, n_out, Fraction(n_out, n))
    part = resampling.cubic(n, n_out, at)
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
        with pytest.raises(MemoryError, match="the maps of the axes alone"):
            make()
    at = resampling.Coordinates(1, 0, 1)
    for make in (
        lambda: resampling.adaptive(huge, 1),
        lambda: resampling.linear(2, huge, at),
        lambda: resampling.averaging(1 << 30, 1 << 29, 1, 0, 0, 1 << 29),
    ):
        with pytest.raises(cm.GeometryError, match="along one axis"):
            make()


def test_weights_beyond_64_bits_are_made_for_fewer_outputs() -> None:
    with pytest.raises(cm.GeometryError, match="of more than 64 bits can be at most") as caught:
        cm.upsample((1, 2), size=1 << 20, mode="cubic")
    assert caught.value.argument == "size"
    assert cm.upsample((1, 1 << 19), size=1 << 20, mode="cubic").out_shape == (1, 1 << 20)


@pytest.mark.parametrize("bits", [54, 57, 60, 62])
@pytest.mark.parametrize("seed", range(4))
def test_weights_between_53_and_63_bits_are_rounded_once(bits, seed) -> None:
    rng = np.random.default_rng(seed)
    q = int(rng.integers(1 << (bits - 1), 1 << bits)) | 1
    at = resampling.Coordinates(int(rng.integers(1, q)), int(rng.integers(0, q)), q)
    part = resampling.linear(4, 3, at)
    ratios = zip(part.numerators.tolist(), part.denominators.tolist(), strict=True)
    expected = [float(Fraction(*pair)) for pair in ratios]
    np.testing.assert_array_equal(part.values(np.dtype(float)), expected)
    rows = [sum(Fraction(*pair) for pair in zip(part.numerators[span].tolist(),
            part.denominators[span].tolist(), strict=True))
            for span in itertools.starmap(slice, itertools.pairwise(part.begin))]  # fmt: skip
    assert rows == [1] * 3


@given(
    step=st.integers(-9, 9), start=st.integers(-20, 20), q=st.integers(1, 9), n=st.integers(1, 6)
)
def test_bound_of_coordinates_holds_for_what_is_computed(step, start, q, n) -> None:
    at = resampling.Coordinates(step, start, q)
    numerators = [step * o + start for o in range(n)]
    assert max(abs(2 * number) + 2 * q for number in numerators) <= at.largest(n)


CONSTRUCTORS = {
    "identity": lambda n: cm.identity((1, n)),
    "pad": lambda n: cm.pad((1, 4), [(n, 0)]),
    "crop": lambda n: cm.pad((1, n), [(2, -n // 2)], "circular"),
    "unfold": lambda n: cm.unfold((1, n), 3, padding=1),
    "fold": lambda n: cm.fold((1, n), 3, padding=1),
    "pixel_shuffle": lambda n: cm.pixel_shuffle((4, n, n), 2),
    "pixel_unshuffle": lambda n: cm.pixel_unshuffle((1, n, n), 2),
    "max_pool": lambda n: cm.max_pool((1, n), 2),
    "avg_pool": lambda n: cm.avg_pool((1, n), 2),
    "avg_pool, wide": lambda n: cm.avg_pool((1, n), 64, stride=16, padding=8, ceil_mode=True),
    "adaptive_avg_pool": lambda n: cm.adaptive_avg_pool((1, n), 1),
    "adaptive_avg_pool, up": lambda n: cm.adaptive_avg_pool((1, 3), n),
    "nearest": lambda n: cm.upsample((1, 2), size=n),
    "linear": lambda n: cm.upsample((1, n // 2), size=n, mode="linear"),
    "cubic": lambda n: cm.upsample((1, n // 2), size=n, mode="cubic"),
    "area": lambda n: cm.upsample((1, n), size=n // 3, mode="area"),
    "channels": lambda n: cm.avg_pool((n, 4), 2),
    "unpool": lambda n: cm.unpool((1, n), [[0]]),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_memory_is_asked_for_before_it_is_taken(name, monkeypatch) -> None:
    available = 1 << 26
    monkeypatch.setattr(limits, "_available_memory", lambda: available)
    for n in (1 << 27, 1 << 28, 1 << 40):
        tracemalloc.start()
        with pytest.raises((MemoryError, cm.GeometryError)) as caught:
            CONSTRUCTORS[name](n)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20
        if n == 1 << 27:
            assert issubclass(caught.type, MemoryError)
            assert "must fit in the 0.0625 GiB available; use smaller sizes" in str(caught.value)


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_memory_that_is_asked_for_is_enough(name, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(pooling_windows, "check_memory", lambda needed, _: asked.append(needed))
    CONSTRUCTORS[name](64)
    asked.clear()
    tracemalloc.start()
    CONSTRUCTORS[name](1 << 17)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= max(asked)


def test_a_float_is_the_simplest_fraction_that_rounds_to_it() -> None:
    for p in range(1, 120):
        for q in range(1, 60):
            assert as_scale(p / q) == Fraction(p, q)
    assert as_scale(np.float32(0.6)) == as_scale(np.float16(0.6)) == Fraction(3, 5)
    assert as_scale(np.float64(2.3)) == Fraction(23, 10)
    assert as_scale(math.pi) != Fraction(22, 7)
    for number in (math.pi, 1e-300, 1e300, 2.0**-40, 0.1 + 0.2, 5e-324, np.finfo(float).max):
        assert float(as_scale(number)) == number


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_of_every_precision_are_read_with_their_own(kind) -> None:
    for p in range(1, 30):
        for q in range(1, 20):
            number = kind(p) / kind(q)
            assert as_scale(number) == as_scale(np.array(number)) == Fraction(p, q)
    A = cm.upsample((1, 20), scale_factor=np.array(kind(17) / kind(10)))
    assert A.out_shape == (1, 34)
    assert A.record == cm.upsample((1, 20), scale_factor=Fraction(17, 10)).record
    for number in (np.finfo(kind).max, np.finfo(kind).tiny, np.nextafter(kind(1), kind(2))):
        scale = as_scale(number)
        assert abs(scale / Fraction(*number.as_integer_ratio()) - 1) <= Fraction(
            *np.finfo(kind).eps.as_integer_ratio()
        )


def test_a_longdouble_that_no_float64_rounds_to_is_read() -> None:
    assert as_scale(np.longdouble("1.1")) == Fraction(11, 10)
    assert cm.upsample((1, 8), scale_factor=np.longdouble("1.1")).out_shape == (1, 8)


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
