"""Layers applied axis by axis, and the search for the factors of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st
from numba import get_num_threads, set_num_threads

import convmat as cm
from convmat import GeometryError
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry
from convmat.kernels.cpu.conv.separable import Separable
from convmat.kernels.cpu.conv.separable_factors import CLOSE, outer_factors

Array = np.ndarray[Any, np.dtype[Any]]


def outer(factors: list[Array]) -> Array:
    """Multiply factors (kernels, k_d) out."""
    product = factors[0]
    for factor in factors[1:]:
        product = product[..., None] * factor.reshape(len(factor), *(1,) * (product.ndim - 1), -1)
    return product


def gauss(n: int, sigma: float) -> Array:
    return np.exp(-0.5 * ((np.arange(n) - n // 2) / sigma) ** 2)


def applied(geometry: Geometry, weight: Array, x: Array) -> Array:
    y = np.full((len(x), *geometry.out_shape), 99, x.dtype)
    Separable(geometry, correlation_weight(geometry, weight), x.dtype)(x, y)
    return y


def numbers(shape: Any, dtype: Any, seed: int = 0) -> Array:
    drawn = np.random.default_rng(seed).integers(-4, 5, (2, *shape))
    if np.dtype(dtype).kind == "c":
        both: Array = (drawn[0] + 1j * drawn[1]).astype(dtype)
        return both
    real: Array = (abs(drawn[0]) if np.dtype(dtype).kind == "u" else drawn[0]).astype(dtype)
    return real


def weight_of(shape: Any, dtype: Any, seed: int = 0) -> Array:
    """Return outer products of small integers, the last axes being those of the kernel."""
    channels, kernel = int(np.prod(shape[:2])), shape[2:]
    factors = [numbers((channels, k), dtype, seed + d) for d, k in enumerate(kernel)]
    return outer(factors).reshape(shape)


def matrix_product(operator: Any, x: Array) -> Array:
    matrix = operator.matrix(dtype=operator.weight.dtype)
    return np.stack([(matrix @ one.ravel()).reshape(operator.out_shape) for one in x])


@given(strategies.layer(), st.booleans(), st.sampled_from(["f4", "f8", "i8", "u8", "c8", "c16"]))
def test_integers_are_exact_forward_and_adjoint(layer: Any, transposed: bool, dtype: str) -> None:
    """Of layers with one input channel a group, and of their transposes where they are too."""
    if transposed and any(layer.per_axis("output_padding")):
        layer = layer._replace(axes=[a._replace(output_padding=0) for a in layer.axes])
    layer = layer._replace(in_channels=layer.groups)
    real = {"c8": "f4", "c16": "f8"}.get(dtype, dtype)
    shape = (layer.groups, layer.out_channels // layer.groups, *layer.per_axis("kernel"))
    keywords = layer.keywords(transposed=transposed)
    if transposed:
        try:
            operator = cm.conv_transpose(weight_of(shape, real), layer.in_shape, **keywords)
        except GeometryError:  # nothing is left of the output
            return
    else:
        shape = (layer.out_channels, 1, *shape[2:])
        try:
            operator = cm.conv(weight_of(shape, real), layer.in_shape, **keywords)
        except GeometryError:
            return
    for one in [operator, operator.T]:
        if one.geometry.group_channels[1] != 1:
            continue
        x = numbers((2, *one.in_shape), dtype)
        np.testing.assert_array_equal(applied(one.geometry, one.weight, x), matrix_product(one, x))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("shape", "kernel", "keywords"),
    [
        ((2, 70, 301), (31, 9), {"padding": (15, 4)}),
        ((1, 3, 10000), (3, 5), {"stride": (1, 2), "padding": 2}),
        ((1, 9000), (7,), {"dilation": 3}),
        ((2, 5, 40, 33), (3, 4, 2), {"padding": 1, "stride": (2, 1, 1)}),
        ((1, 300, 20), (5, 3), {"stride": (7, 1)}),  # rows between windows are not read
    ],
)
def test_long_rows_and_bands(shape: Any, kernel: Any, keywords: Any, dtype: str) -> None:
    """Rows of several blocks, bands that move on, and both directions; exactly."""
    weight = weight_of((shape[0], 1, *kernel), dtype)
    operator = cm.conv(weight, shape, groups=shape[0], **keywords)
    for one in [operator, operator.T]:
        x = numbers((2, *one.in_shape), dtype)
        np.testing.assert_array_equal(applied(one.geometry, one.weight, x), matrix_product(one, x))


def test_bilinear_upsampling_of_long_rows() -> None:
    """Eight phases, rows of several blocks."""
    hat = (1 - abs(np.arange(16) - 7.5) / 8).astype("f4")
    weight = np.repeat(np.outer(hat, hat)[None, None], 2, 0)
    operator = cm.conv_transpose(weight, (2, 5, 700), stride=8, padding=4, groups=2)
    x = numbers((1, *operator.in_shape), "f4")
    y = applied(operator.geometry, weight, x)
    np.testing.assert_array_equal(y, matrix_product(operator, x))  # sixteenths of integers


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_nothing_differs_with_two_threads(dtype: str) -> None:
    """Bit for bit, with a Gaussian that is not exact."""
    g = gauss(15, 3)
    weight = np.outer(g, g)[None, None].astype(dtype)
    operator = cm.conv(weight, (1, 333, 130), padding=7)
    x = np.random.default_rng(0).standard_normal((1, 1, 333, 130)).astype(dtype)
    before = get_num_threads()
    found = []
    for threads in (1, min(2, before)):
        set_num_threads(threads)
        try:
            found.append(applied(operator.geometry, weight, x))
        finally:
            set_num_threads(before)
    assert found[0].tobytes() == found[1].tobytes()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_error_is_within_the_sums_of_direct_summation(dtype: str) -> None:
    """Factors change weights by CLOSE units an axis; two sums of k products add k units."""
    g = gauss(31, 4)
    weight = (np.outer(g, g) / np.outer(g, g).sum())[None, None].astype(dtype)
    operator = cm.conv(weight, (1, 60, 70), padding=15)
    x = np.random.default_rng(1).standard_normal((1, 1, 60, 70)).astype(dtype)
    y = applied(operator.geometry, weight, x)
    matrix = operator.matrix(dtype="f8")
    exact = matrix @ x.ravel().astype("f8")
    bound = np.finfo(dtype).eps * (2 * CLOSE + 31 + 2) * (abs(matrix) @ abs(x.ravel()))
    assert (abs(y.ravel() - exact) <= bound).all()


def test_nan_stays_where_it_is_read() -> None:
    operator = cm.conv(np.ones((1, 1, 3, 5)), (1, 40, 200), padding=(1, 2))
    x = np.zeros((1, 1, 40, 200))
    x[0, 0, 20, 199] = np.nan
    y = applied(operator.geometry, operator.weight, x)
    wrong = np.zeros((40, 200), bool)
    wrong[19:22, 197:] = True
    np.testing.assert_array_equal(np.isnan(y[0, 0]), wrong)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("n", [3, 7, 31])
@pytest.mark.parametrize("sigma", [0.5, 1.7, 8])
def test_rounded_outer_products_are_found(n: int, sigma: float, dtype: str) -> None:
    """Also normalised, and with corners that underflow; within the distance that is promised."""
    g = gauss(n, sigma).astype(dtype)
    for weight in [np.outer(g, g), np.outer(g, g) / np.outer(g, g).sum()]:
        factors = outer_factors(weight[None], np.dtype(dtype))
        assert factors is not None
        eps = float(np.finfo(dtype).eps)
        product = outer([factor.astype(np.longdouble) for factor in factors])[0]
        allowed = 2 * CLOSE * eps * abs(weight) + eps**2 * abs(weight).max()
        assert (abs(product - weight) <= allowed).all()
        for place in [(0, 0), (n // 2, n - 1)]:
            near = weight.copy()
            near[place] *= 1 + 64 * eps
            if near[place] > eps * near.max():
                assert outer_factors(near[None], np.dtype(dtype)) is None


@given(st.integers(0, 10**6), st.integers(1, 3), st.sampled_from(["i8", "f4", "f8"]))
def test_products_of_integers_are_factored_exactly(seed: int, axes: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    weight = weight_of((3, 1, *rng.integers(1, 5, axes)), dtype, seed)[:, 0]
    factors = outer_factors(weight, np.dtype(dtype))
    assert factors is not None
    np.testing.assert_array_equal(outer(factors), weight)


@pytest.mark.parametrize("dtype", ["i8", "f4", "f8"])
def test_what_is_no_outer_product_is_refused(dtype: str) -> None:
    for weight in [[[1, 2], [2, 5]], [[0, 1], [1, 0]], [[1, 1], [1, 0]]]:
        array = np.array(weight, dtype)
        assert outer_factors(array[None], np.dtype(dtype)) is None
        geometry = cm.conv(array[None, None], (1, 3, 3)).geometry
        with pytest.raises(GeometryError, match="not an outer product"):
            Separable(geometry, correlation_weight(geometry, array[None, None]), array.dtype)


def test_other_refusals() -> None:
    """Channels that are summed, complex weights, and weights that are not numbers."""
    summed = cm.conv(np.ones((1, 2, 3, 3)), (2, 5, 5)).geometry
    with pytest.raises(GeometryError, match="several input channels"):
        Separable(summed, correlation_weight(summed, np.ones((1, 2, 3, 3))), np.dtype("f8"))
    one = cm.conv(np.ones((1, 1, 3, 3)), (1, 5, 5)).geometry
    for weight, reason in [
        (np.full((1, 1, 3, 3), 1j), "complex"),
        (np.full((1, 1, 3, 3), np.nan), "outer"),
    ]:
        with pytest.raises(GeometryError, match=reason):
            Separable(one, correlation_weight(one, weight), np.dtype("c16"))
