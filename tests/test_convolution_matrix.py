"""`convolution_matrix` against `scipy.signal.convolve`, in any number of dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import integers
from scipy import signal, sparse

import convmat as cm


def scipy_convolve(x: Any, kernel: Any, mode: str) -> Any:
    return signal.convolve(x, kernel, mode=mode, method="direct")


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(
    ("kernel", "shape"),
    [((k,), (n,)) for k in range(1, 7) for n in range(1, 6)]
    + [((2, 3), (4, 4)), ((3, 2), (3, 5)), ((4, 4), (4, 4)), ((5, 4), (2, 3)), ((1, 3), (1, 3))]
    + [
        ((3, 3), (3, 2)),
        ((1, 4), (2, 3)),
        ((2, 1, 3), (3, 2, 4)),
        ((2, 2, 2), (1, 2, 2)),
        ((3, 2, 4), (3, 2, 1)),
    ],
    ids=str,
)
def test_convolution_matrix_as_scipy(kernel: Any, shape: Any, mode: str) -> None:
    h, x = integers(kernel, seed=1), integers(shape, seed=2)
    try:
        expected = scipy_convolve(x, h, mode)
    except ValueError:  # neither contains the other on every axis
        with pytest.raises(cm.GeometryError) as caught:
            cm.convolution_matrix(h, shape, mode)
        assert caught.value.argument == "kernel"
        return
    matrix = cm.convolution_matrix(h, shape, mode)
    assert isinstance(matrix, sparse.csr_array)
    np.testing.assert_array_equal(matrix @ x.ravel(), expected.ravel())
    assert matrix.shape == (expected.size, x.size)


def test_convolution_matrix_keeps_the_dtype_and_does_not_conjugate() -> None:
    h = np.array([1 + 1j, 2j], "c8")
    assert cm.convolution_matrix(h, 3).dtype == np.complex64
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(cm.convolution_matrix(h, 3) @ x, np.convolve(h, x))
    assert cm.convolution_matrix([1, 2], 3).dtype == np.array([1]).dtype


def test_convolution_matrix_is_not_a_batch_of_one_dimension() -> None:
    matrix = cm.convolution_matrix(np.ones((3, 3)), (4, 4), "valid")
    assert matrix.shape == (4, 16)
    with pytest.raises(cm.GeometryError):
        cm.convolution_matrix(np.ones((3, 3)), 4)


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("mode", (np.ones(2), 3, "Full")),
        ("mode", (np.ones(2), 3, None)),
        ("mode", (np.ones(2), 3, ["full"])),
        ("kernel", (np.ones((2, 2)), 3)),
        ("kernel", (np.ones(2), (3, 3))),
        ("kernel", (1.0, ())),
        ("kernel", ([], 3)),
        ("kernel", ("ab", 3)),
        ("kernel", ([True], 3)),
        ("kernel", ([[1, 2], [3]], (3, 3))),
        ("shape", (np.ones(2), 0)),
        ("shape", (np.ones(2), 3.0)),
        ("shape", (np.ones(2), True)),
        ("shape", (np.ones(2), "3")),
        ("shape", (np.ones(2), (3, (3,)))),
        ("shape", (np.ones(2), None)),
    ],
)
def test_bad_convolution_matrix(argument: str, arguments: Any) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.convolution_matrix(*arguments)
    assert caught.value.argument == argument
