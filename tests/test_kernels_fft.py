"""Layers as products of spectra."""

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
from convmat.kernels.cpu.conv import fft
from convmat.kernels.cpu.conv.fft import Fft

Array = np.ndarray[Any, np.dtype[Any]]


def drawn(shape: Any, dtype: Any, seed: int = 0) -> Array:
    real, imag = np.random.default_rng(seed).standard_normal((2, *shape))
    numbers: Array = (real + 1j * imag if np.dtype(dtype).kind == "c" else real).astype(dtype)
    return numbers


def check(geometry: Geometry, weight: Array, dtype: str, images: int = 2) -> Fft:
    """Compare with the matrix product in double precision, within the stated bound."""
    operator = cm.operator.LayerOperator(geometry, weight)
    made = Fft(geometry, correlation_weight(geometry, weight), np.dtype(dtype))
    x = drawn((images, *geometry.in_shape), dtype, 1)
    y = np.full((images, *geometry.out_shape), 99, dtype)
    made(x, y)
    wide = "c16" if np.dtype(dtype).kind == "c" else "f8"
    matrix = operator.matrix(dtype=wide)
    exact = np.stack([(matrix @ one.ravel()).reshape(geometry.out_shape) for one in x])
    size = correlation_weight(geometry, abs(weight)).reshape(*made_shape(geometry), -1).sum(-1)
    norms = np.sqrt((abs(x.reshape(images, geometry.groups, size.shape[2], -1)) ** 2).sum(-1))
    scale = np.einsum("goc,bgc->bgo", size, norms).reshape(images, -1)
    error = abs(y - exact).reshape(*scale.shape, -1)
    assert (error <= made.error * scale[..., None]).all()
    return made


def made_shape(geometry: Geometry) -> tuple[int, int, int]:
    return (geometry.groups, *geometry.group_channels)


@given(strategies.layer(), st.booleans(), st.sampled_from(["f4", "f8", "c8", "c16"]))
def test_layers_are_within_the_bound(layer: Any, transposed: bool, dtype: str) -> None:
    """All geometries, forward and adjoint."""
    make = cm.conv_transpose if transposed else cm.conv
    shape = layer.weight(transposed=transposed).shape
    try:
        operator = make(
            drawn(shape, dtype), layer.in_shape, **layer.keywords(transposed=transposed)
        )
    except GeometryError:  # nothing is left of the output
        return
    for one in [operator, operator.T]:
        check(one.geometry, one.weight, dtype)


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8"])
@pytest.mark.parametrize(
    ("shape", "weight", "keywords"),
    [
        ((1, 20000), (1, 1, 101), {"padding": 50}),
        ((1, 5000), (1, 1, 33), {"stride": 3, "dilation": 2}),
        ((1, 150, 170), (1, 1, 31, 13), {"padding": (15, 6)}),
        ((3, 40, 30), (4, 3, 9, 9), {"padding": 4}),
        ((6, 40, 30), (6, 2, 1, 17), {"groups": 3}),  # one axis is not transformed
        ((2, 30, 140), (2, 2, 17, 1), {"stride": (1, 3)}),
        ((1, 20, 20, 20), (1, 1, 5, 7, 9), {"padding": 2}),
    ],
)
def test_several_blocks(
    shape: Any, weight: Any, keywords: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks so small that there are several along each axis, and adjoints."""
    monkeypatch.setattr(fft, "BLOCK", 1 << 10)
    monkeypatch.setattr(fft, "CHUNK", 1 << 12)
    operator = cm.conv(drawn(weight, dtype), shape, **keywords)
    for one in [operator, operator.T]:
        made = check(one.geometry, one.weight, dtype)
    assert max(made.blocks) > 1


def test_nothing_differs_with_two_threads() -> None:
    operator = cm.conv(drawn((1, 1, 21, 21), "f4"), (1, 400, 300), padding=10)
    weight = correlation_weight(operator.geometry, operator.weight)
    x = drawn((3, *operator.in_shape), "f4", 1)
    before, found = get_num_threads(), []
    for threads in (1, min(2, before)):
        set_num_threads(threads)
        try:
            y = np.empty((3, *operator.out_shape), "f4")
            Fft(operator.geometry, weight, np.dtype("f4"))(x, y)
        finally:
            set_num_threads(before)
        found.append(y.tobytes())
    assert found[0] == found[1]


def test_outputs_that_meet_no_input_are_zero() -> None:
    """A transposed convolution whose stride is longer than its kernel leaves gaps."""
    operator = cm.conv_transpose(drawn((1, 1, 2), "f8"), (1, 9), stride=5)
    check(operator.geometry, operator.weight, "f8")


def test_refusals() -> None:
    """Whole numbers, and spectra that would fill the memory."""
    geometry = cm.conv(np.ones((1, 1, 3)), (1, 9)).geometry
    with pytest.raises(GeometryError, match="no Fourier transform"):
        Fft(geometry, np.ones((1, 1, 1, 3), "i8"), np.dtype("i8"))
    wide = cm.conv(np.broadcast_to(np.float32(1), (512, 512, 9, 9)), (512, 40, 40)).geometry
    with pytest.raises(GeometryError, match="spectrum of"):
        Fft(wide, np.broadcast_to(np.float32(1), (1, 512, 512, 9, 9)), np.dtype("f4"))
