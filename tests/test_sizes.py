"""Sizes against counting: every window tried, every output size tried."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import naive
import numpy as np
import pytest
import sympy

import convmat as cm
from convmat.geometry import sizes
from convmat.geometry.sizes import same_padding

PADS = [(0, 0), (1, 1), (2, 2), (0, 1), (2, 0), (3, 1)]
GRID = list(product(range(1, 10), range(1, 5), range(1, 5), range(1, 4), PADS))


def test_output_size_counts_windows() -> None:
    checked = 0
    for n, k, s, d, pads in GRID:
        count = naive.windows_that_fit(n, k, s, pads, d)
        if count:
            assert cm.output_size(n, k, s, pads, d) == count
            checked += 1
        else:
            with pytest.raises(cm.GeometryError):
                cm.output_size(n, k, s, pads, d)
    assert checked > 2000


def test_ceil_mode_counts_the_last_window_only_if_it_starts_inside() -> None:
    differs = dropped = 0
    for n, k, s, d, pads in GRID:
        count = naive.windows_that_fit(n, k, s, pads, d)
        if not count:
            continue
        found = cm.output_size(n, k, s, pads, d, ceil_mode=True)
        assert found == naive.pooling_windows(n, k, s, pads, d), (n, k, s, d, pads)
        differs += found > count
        dropped += found < -(-(n + sum(pads) - d * (k - 1) - 1) // s) + 1
    assert differs > 100  # the grid has windows that overhang
    assert dropped > 100  # and such that would start in the high padding


def test_ceil_mode_by_hand() -> None:
    # A window of 2 at stride 3 on 4 samples: starts at 0 and 3, the second overhangs by one.
    assert cm.output_size(4, 2, 3) == 1
    assert cm.output_size(4, 2, 3, ceil_mode=True) == 2
    # On 3 samples with padding 0 + 1 the second would start at 3, in the high padding.
    assert cm.output_size(3, 2, 3, (0, 1), ceil_mode=True) == 1
    assert cm.output_size(3, 2, 3, (1, 0), ceil_mode=True) == 2


def test_ceil_mode_as_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's own pooling sizes")
    overhangs = 0
    for n, k, s, d, p in product(range(1, 9), range(1, 4), range(1, 5), range(1, 3), range(2)):
        if 2 * p <= k:
            room = n + 2 * p - d * (k - 1) - 1
            overhangs += -s < room < 0  # already the first window
            try:
                pooled = torch.nn.functional.max_pool1d(
                    torch.zeros(1, 1, n), k, s, p, d, ceil_mode=True
                )
            except RuntimeError:
                with pytest.raises(cm.GeometryError):
                    cm.output_size(n, k, s, p, d, ceil_mode=True)
            else:
                assert cm.output_size(n, k, s, p, d, ceil_mode=True) == pooled.shape[-1]
    assert overhangs > 20


def test_transposed_output_size_by_construction() -> None:
    """The definition: as many outputs as the zero-inserted, padded signal has windows."""
    for m, k, s, d, (low, high) in GRID:
        for extra in range(max(s, d)):
            length = s * (m - 1) + 1 + 2 * d * (k - 1) - low - high + extra
            count = naive.windows_that_fit(max(length, 0), k, 1, (0, 0), d)
            if count:
                assert cm.transposed_output_size(m, k, s, (low, high), extra, d) == count
            else:
                with pytest.raises(cm.GeometryError):
                    cm.transposed_output_size(m, k, s, (low, high), extra, d)


def test_inputs_that_share_an_output_size_are_s_consecutive_ones() -> None:
    for m, k, s, d, pads in GRID:
        sizes = [n for n in range(1, 60) if naive.windows_that_fit(n, k, s, pads, d) == m]
        transposed = []
        for extra in range(s):
            try:
                transposed.append(cm.transposed_output_size(m, k, s, pads, extra, d))
            except cm.GeometryError:
                continue  # so much padding that this size would be zero or less
        assert sizes == transposed


def test_symbols_substituted_equal_integers() -> None:
    n, k, s, d, p, q, a = symbols = sympy.symbols("n k s d p q a", integer=True, positive=True)
    forward = cm.output_size(n, k, s, (p, q), d)
    ceil = cm.output_size(n, k, s, (p, q), d, ceil_mode=True)
    backward = cm.transposed_output_size(n, k, s, (p, q), a, d)
    for values in product((1, 4, 7), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1), (0, 2)):
        *sizes, low, high = values
        size_n, size_k, size_s, size_d = sizes
        if not naive.windows_that_fit(size_n, size_k, size_s, (low, high), size_d):
            continue
        chosen = dict(zip(symbols, (*values, 0), strict=True))
        arguments = (size_n, size_k, size_s, (low, high))
        assert forward.subs(chosen) == cm.output_size(*arguments, size_d)
        assert ceil.subs(chosen) == cm.output_size(*arguments, size_d, ceil_mode=True)
        for extra in range(max(size_s, size_d)):
            size = backward.subs(chosen | {a: extra})
            if size >= 1:
                assert size == cm.transposed_output_size(*arguments, extra, size_d)


def test_some_symbols_some_integers() -> None:
    n = sympy.Symbol("n", integer=True, positive=True)
    assert cm.output_size(n, 3, 2, 1).subs(n, 28) == 14
    assert cm.output_size(n, 3, 1, 1) == n
    assert cm.transposed_output_size(n, 4, 2, 1) == 2 * n
    assert isinstance(cm.output_size(sympy.Integer(28), 3, 2, 1), int)
    with pytest.raises(cm.GeometryError):
        cm.output_size(n, 0)
    with pytest.raises(cm.GeometryError):
        cm.output_size(sympy.Rational(7, 2), 1)


def test_the_error_says_the_least_padding_that_fits() -> None:
    checked = 0
    for n, k, s, d, pads in product(range(1, 7), range(2, 7), (1, 3), (1, 2, 3), [0, 1, (2, 0)]):
        low, high = (pads, pads) if isinstance(pads, int) else pads
        if naive.windows_that_fit(n, k, s, (low, high), d):
            continue
        with pytest.raises(cm.GeometryError, match="least padding") as caught:
            cm.output_size(n, k, s, pads, d)
        numbers = re.findall(r"\d+", caught.value.repair)
        assert len(numbers) == 1
        least = int(numbers[0])
        assert cm.output_size(n, k, s, least, d) >= 1
        with pytest.raises(cm.GeometryError):
            cm.output_size(n, k, s, least - 1, d)
        # The rule tells the two lengths that do not go together.
        assert str(d * (k - 1) + 1) in caught.value.rule
        assert str(n + low + high) in caught.value.rule
        checked += 1
    assert checked > 200


def test_the_error_says_the_most_padding_of_a_transposed_convolution() -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.transposed_output_size(2, 3, 2, 3)
    most = int(re.findall(r"\d+", caught.value.repair)[0])
    assert most == 4
    assert cm.transposed_output_size(2, 3, 2, (most, 0)) == 1
    with pytest.raises(cm.GeometryError):
        cm.transposed_output_size(2, 3, 2, (most, 1))


@pytest.mark.parametrize(("s", "d"), [(1, 1), (3, 1), (1, 3), (2, 4), (4, 2)])
def test_output_padding_stays_below_stride_or_dilation(s: int, d: int) -> None:
    most = max(s, d) - 1
    plain = cm.transposed_output_size(4, 3, s, 0, 0, d)
    assert cm.transposed_output_size(4, 3, s, 0, most, d) == plain + most
    with pytest.raises(cm.GeometryError) as caught:
        cm.transposed_output_size(4, 3, s, 0, most + 1, d)
    assert caught.value.argument == "output_padding"
    assert str(most) in caught.value.repair


def test_same_padding_is_least_and_gives_ceil() -> None:
    for n, k, s, d in product(range(1, 12), range(1, 6), range(1, 5), range(1, 4)):
        larger, smaller = same_padding(n, k, s, d)
        assert (smaller, larger) == naive.named_pads("same", n, k, s, d)
        assert larger - smaller in (0, 1)
        assert cm.output_size(n, k, s, (smaller, larger), d) == -(-n // s)


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("n", {"n": 0}),
        ("n", {"n": -3}),
        ("n", {"n": 5.0}),
        ("n", {"n": float("nan")}),
        ("n", {"n": True}),
        ("n", {"n": "5"}),
        ("n", {"n": None}),
        ("kernel", {"kernel": 0}),
        ("kernel", {"kernel": 6}),
        ("stride", {"stride": 0}),
        ("stride", {"stride": False}),
        ("dilation", {"dilation": 0}),
        ("dilation", {"dilation": 1.5}),
        ("padding", {"padding": -1}),
        ("padding", {"padding": (0, -1)}),
        ("padding", {"padding": (1, 1, 1)}),
        ("padding", {"padding": "notset"}),
        ("padding", {"padding": True}),
    ],
)
def test_bad_sizes(argument: str, arguments: dict[str, Any]) -> None:
    functions: list[Any] = [cm.output_size]
    if arguments != {"kernel": 6}:
        functions.append(cm.transposed_output_size)
    for function in functions:
        with pytest.raises(cm.GeometryError) as caught:
            function(**({"n": 5, "kernel": 3} | arguments))
        assert caught.value.argument == argument
        assert str(caught.value).startswith(f"{argument} = ")


def test_modes_are_booleans() -> None:
    assert cm.output_size(4, 2, 3, ceil_mode=np.True_) == 2
    for bad in (1, 0, None, "yes"):
        with pytest.raises(cm.GeometryError, match="ceil_mode"):
            cm.output_size(5, 3, ceil_mode=bad)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(cm.GeometryError, match="output_padding"):
        cm.transposed_output_size(5, 3, 2, output_padding=-1)


def test_every_size_formula_is_public() -> None:
    assert {name for name in sizes.__all__ if name in cm.__all__} >= {
        "output_size",
        "transposed_output_size",
        "upsampled_size",
        "padded_size",
        "pixel_shuffle_shape",
        "pixel_unshuffle_shape",
        "unfold_shape",
    }
    assert cm.upsampled_size(5, 1.5) == cm.upsample((1, 5), scale_factor=1.5).out_shape[1]
    assert cm.padded_size(5, (2, -1)) == cm.pad((1, 5), ((2, -1),)).out_shape[1]
    assert cm.pixel_shuffle_shape((4, 3), (2,)) == cm.pixel_shuffle((4, 3), 2).out_shape
    assert cm.pixel_unshuffle_shape((2, 6), (2,)) == cm.pixel_unshuffle((2, 6), 2).out_shape
    assert (
        cm.unfold_shape((2, 6), (3,), stride=(2,), padding=(1,), dilation=(1,))
        == cm.unfold((2, 6), 3, stride=2, padding=1).out_shape
    )
    assert isinstance(cm.max_pool((1, 4), 2), cm.MaxPool)


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (sizes.input_sizes, ("m", "kernel", "stride", "padding", "dilation")),
        (sizes.output_padding_for, ("n", "kernel", "stride", "padding", "dilation")),
        (sizes.same_input_sizes, ("m", "stride")),
    ],
)
def test_inverses_refuse_sizes_below_one(function: Any, names: tuple[str, ...]) -> None:
    good = {name: 0 if name == "padding" else 1 for name in names}
    function(**good)
    for name in names:
        least = good[name]
        with pytest.raises(cm.GeometryError, match=f"{name} = {least - 1}: must be at least"):
            function(**good | {name: least - 1})
