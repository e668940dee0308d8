"""Random layers: the package against loops from the definitions and against live PyTorch.

Everything is an integer in float64, so every comparison is exact.
"""

from __future__ import annotations

from typing import Any

import naive
import numpy as np
import pytest
from cases import integers
from hypothesis import given
from hypothesis import strategies as st
from strategies import Layer, careless, careless_weight, layer

import convmat as cm


def needs_torch() -> Any:
    torch = pytest.importorskip("torch", reason="compares with PyTorch where it is installed")
    torch.set_num_threads(1)  # the arrays are tiny, and threads that wait for a busy core are slow
    return torch


def make(case: Layer, *, transposed: bool) -> Any:
    constructor = cm.conv_transpose if transposed else cm.conv
    return constructor(
        case.weight(transposed=transposed), case.in_shape, **case.keywords(transposed=transposed)
    )


@given(layer())
def test_conv_is_its_definition(case: Layer) -> None:
    A = make(case, transposed=False)
    options = case.per_axis("stride"), case.per_axis("pads"), case.per_axis("dilation"), case.groups
    truth = naive.conv_matrix(A.weight, case.in_shape, *options)
    np.testing.assert_array_equal(A.matrix().toarray(), truth)
    assert A.nnz == np.count_nonzero(truth)
    x = integers(case.in_shape, seed=5)
    np.testing.assert_array_equal(A(x), naive.conv(x, A.weight, *options))
    y = integers(A.out_shape, seed=6)
    np.testing.assert_array_equal(A.T(y).ravel(), truth.T @ y.ravel())


@given(layer(transposed=True))
def test_conv_transpose_is_its_definition(case: Layer) -> None:
    B = make(case, transposed=True)
    options = (
        case.per_axis("stride"),
        case.per_axis("pads"),
        case.per_axis("output_padding"),
        case.per_axis("dilation"),
        case.groups,
    )
    x = integers(case.in_shape, seed=5)
    expected = naive.conv_transpose(x, B.weight, *options)
    assert B.out_shape == expected.shape
    np.testing.assert_array_equal(B(x), expected)
    np.testing.assert_array_equal(B.matrix() @ x.ravel(), expected.ravel())


@given(layer())
def test_conv_transpose_is_the_transpose_of_conv(case: Layer) -> None:
    A = make(case, transposed=False)
    B = cm.conv_transpose(
        A.weight,
        A.out_shape,
        case.per_axis("stride"),
        case.per_axis("pads"),
        output_size=case.per_axis("n"),
        dilation=case.per_axis("dilation"),
        groups=case.groups,
    )
    assert B.geometry == A.T.geometry
    assert (B.matrix() != A.matrix().T).nnz == 0


def check_against_autograd(A: Any, apply: Any, seed: int) -> None:
    """Compare values, input gradient and weight gradient with a function of (x, weight)."""
    torch = needs_torch()
    x = integers((2, *A.in_shape), seed=seed + 1)
    g = integers((2, *A.out_shape), seed=seed + 2)
    x_torch = torch.tensor(x, requires_grad=True)
    w_torch = torch.tensor(A.weight.copy(), requires_grad=True)
    y_torch = apply(x_torch, w_torch)
    y_torch.backward(torch.tensor(g))
    np.testing.assert_array_equal(A(x), y_torch.detach().numpy())
    np.testing.assert_array_equal(A.T(g), x_torch.grad.numpy())
    gradient = A.weight_matrix(x).T @ g.ravel()
    np.testing.assert_array_equal(gradient.reshape(A.weight.shape), w_torch.grad.numpy())


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
def test_conv_as_torch(ndim: int, data: st.DataObject) -> None:
    torch = needs_torch()
    case = data.draw(layer(ndim))
    A = make(case, transposed=False)
    frame = [p for pads in reversed(case.per_axis("pads")) for p in pads]
    function = getattr(torch.nn.functional, f"conv{ndim}d")

    def apply(x: Any, w: Any) -> Any:
        return function(
            torch.nn.functional.pad(x, frame),
            w,
            stride=case.per_axis("stride"),
            dilation=case.per_axis("dilation"),
            groups=case.groups,
        )

    check_against_autograd(A, apply, case.seed)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@given(data=st.data())
def test_conv_transpose_as_torch(ndim: int, data: st.DataObject) -> None:
    torch = needs_torch()
    case = data.draw(layer(ndim, symmetric=True, transposed=True))
    B = make(case, transposed=True)
    function = getattr(torch.nn.functional, f"conv_transpose{ndim}d")

    def apply(x: Any, w: Any) -> Any:
        return function(
            x,
            w,
            stride=case.per_axis("stride"),
            padding=[low for low, _ in case.per_axis("pads")],
            output_padding=case.per_axis("output_padding"),
            dilation=case.per_axis("dilation"),
            groups=case.groups,
        )

    check_against_autograd(B, apply, case.seed)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@given(data=st.data())
def test_same_padding_as_torch(ndim: int, data: st.DataObject) -> None:
    torch = needs_torch()
    case = data.draw(layer(ndim))
    A = cm.conv(
        case.weight(transposed=False),
        case.in_shape,
        padding="same",
        dilation=case.per_axis("dilation"),
        groups=case.groups,
    )
    function = getattr(torch.nn.functional, f"conv{ndim}d")

    def apply(x: Any, w: Any) -> Any:
        return function(
            x, w, padding="same", dilation=case.per_axis("dilation"), groups=case.groups
        )

    check_against_autograd(A, apply, case.seed)


@pytest.mark.parametrize("transposed", [False, True])
@given(data=st.data())
def test_careless_arguments_give_a_layer_or_a_geometry_error(
    transposed: bool, data: st.DataObject
) -> None:
    case = data.draw(layer(transposed=transposed))
    arguments = {"weight": case.weight(transposed=transposed), "in_shape": case.in_shape}
    arguments |= case.keywords(transposed=transposed) | data.draw(careless(transposed=transposed))
    A = outcome(cm.conv_transpose if transposed else cm.conv, **arguments)
    if isinstance(A, cm.GeometryError):
        assert A.argument in {*arguments, "kernel", "output_size"}
    else:
        assert min(A.out_shape) >= 1
        assert A.matrix().nnz == A.nnz


@given(careless_weight(), st.integers(1, 3))
def test_careless_weights_give_a_layer_or_a_geometry_error(weight: Any, ndim: int) -> None:
    for constructor in (cm.conv, cm.conv_transpose):
        A = outcome(constructor, weight=weight, in_shape=(2, *[4] * ndim))
        if isinstance(A, cm.GeometryError):
            assert A.argument == "weight"
        else:
            assert A.weight.shape == weight.shape


def outcome(constructor: Any, **arguments: Any) -> Any:
    """Return the layer, or the one kind of error that may come instead."""
    try:
        return constructor(**arguments)
    except cm.GeometryError as error:
        return error
