"""Convolutions whose padding holds something else than zeros, and their transposes."""

from __future__ import annotations

from itertools import product
from typing import Any

import naive
import naive_moves
import numpy as np
import pytest
from cases import integers, pairs
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import layer

import convmat as cm
from convmat.geometry.borders import MODES
from convmat.operator import LayerOperator

COPIES = [mode for mode in MODES if mode != "zeros"]


def torch_layer(torch: Any, weight: Any, **options: Any) -> Any:
    """Return PyTorch's layer with this weight, without bias."""
    out, inner, *kernel = weight.shape
    module = getattr(torch.nn, f"Conv{len(kernel)}d")(
        inner * options.get("groups", 1), out, kernel, bias=False, dtype=torch.float64, **options
    )
    module.weight.data = torch.tensor(weight)
    return module


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_values_and_gradients_are_torch_s(mode: str, ndim: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's own padding modes")
    shape = (2, 5, 4, 3)[: ndim + 1]
    weight = integers((4, 1, 3, 2, 2)[: ndim + 2])
    for padding, stride, dilation in product((1, (2, 1, 0), "same"), (1, 2), (1, (1, 2, 1))):
        options: dict[str, Any] = {"padding_mode": mode, "groups": 2, "stride": stride}
        if isinstance(padding, str) and stride > 1:
            continue  # which PyTorch refuses
        options["padding"] = padding[:ndim] if isinstance(padding, tuple) else padding
        options["dilation"] = dilation[:ndim] if isinstance(dilation, tuple) else dilation
        x = torch.tensor(integers(shape, seed=1), requires_grad=True)
        module = torch_layer(torch, weight, **options)
        expected = module(x[None])[0]
        A = cm.conv(weight, shape, **options)
        np.testing.assert_array_equal(A(x.detach()), expected.detach())
        g = integers(A.out_shape, seed=2)
        expected.backward(torch.tensor(g))
        np.testing.assert_array_equal(A.T(g), x.grad)
        B = cm.conv_transpose(weight, A.out_shape, output_size=shape[1:], **options)
        np.testing.assert_array_equal(B(g), x.grad)
        U = A.weight_matrix(x.detach())
        np.testing.assert_array_equal(U.T @ g.ravel(), module.weight.grad.ravel())


@given(arguments=layer(), mode=st.sampled_from(COPIES))
def test_convolution_after_padding(arguments: Any, mode: str) -> None:
    options = arguments.keywords(transposed=False)
    limit = {"reflect": -1, "circular": 0, "symmetric": 0}.get(mode, 9)
    assume(all(max(axis.pads) <= axis.n + limit for axis in arguments.axes))
    weight = arguments.weight(transposed=False)
    A = cm.conv(weight, arguments.in_shape, padding_mode=mode, **options)
    x = integers(arguments.in_shape, seed=5)
    wide = x
    for number, axis in enumerate(arguments.axes, start=1):
        low, high = axis.pads
        wide = np.take(wide, np.array(naive_moves.padded_cells(axis.n, low, high, mode)), number)
    none = [(0, 0)] * len(arguments.axes)
    expected = naive.conv(
        wide, weight, options["stride"], none, options["dilation"], arguments.groups
    )
    np.testing.assert_array_equal(A(x), expected)
    np.testing.assert_array_equal(A.matrix() @ x.ravel(), expected.ravel())


@given(
    arguments=st.integers(1, 2).flatmap(lambda ndim: layer(ndim, transposed=True)),
    mode=st.sampled_from(COPIES),
)
def test_transposed_sizes_are_those_of_zeros(arguments: Any, mode: str) -> None:
    """Every output padding: the padded convolution of the output, on the outputs that exist."""
    options = arguments.keywords(transposed=True)
    weight = arguments.weight(transposed=True)
    plain = cm.conv_transpose(weight, arguments.in_shape, **options)
    try:
        cm.pad(plain.out_shape, options["padding"], mode)
    except cm.GeometryError:
        with pytest.raises(cm.GeometryError, match="padding"):
            cm.conv_transpose(weight, arguments.in_shape, padding_mode=mode, **options)
        return
    A = cm.conv_transpose(weight, arguments.in_shape, padding_mode=mode, **options)
    assert (A.in_shape, A.out_shape) == (plain.in_shape, plain.out_shape)
    pads = options["padding"]
    border = naive_moves.pad_matrix(A.out_shape, pads, mode)
    wide = [n + sum(ends) for n, ends in zip(A.out_shape[1:], pads, strict=True)]
    none = [(0, 0)] * len(pads)
    inner = naive.conv_matrix(
        weight,
        (A.out_shape[0], *wide),
        options["stride"],
        none,
        options["dilation"],
        arguments.groups,
    )
    size = naive.conv_size(wide, weight.shape[2:], options["stride"], none, options["dilation"])
    # Under output padding of a stride or more the convolution has rows that the layer has not.
    kept = np.ix_(range(A.in_shape[0]), *map(range, A.in_shape[1:]))
    rows = np.arange(len(inner)).reshape(A.in_shape[0], *size)[kept].ravel()
    np.testing.assert_array_equal(A.matrix().toarray(), (inner[rows] @ border).T)


@pytest.mark.parametrize("mode", COPIES)
def test_names_of_padding(mode: str) -> None:
    weight, shape = integers((2, 1, 4)), (1, 7)
    for name, stride in product(("same", "same_lower", "same_upper", "full", "valid"), (1, 3)):
        ends = pairs(name, shape[1:], (4,), stride, 1)
        by_name = cm.conv(weight, shape, stride, name, padding_mode=mode)
        by_number = cm.conv(weight, shape, stride, ends, padding_mode=mode)
        assert (by_name.matrix() != by_number.matrix()).nnz == 0
        back = cm.conv_transpose(
            weight, by_name.out_shape, stride, name, output_size=7, padding_mode=mode
        )
        assert (back.matrix() != by_name.T.matrix()).nnz == 0


@pytest.mark.parametrize("mode", MODES)
def test_without_padding_it_is_a_plain_layer(mode: str) -> None:
    weight = integers((1, 1, 3))
    for padding in (0, "valid", ((0, 0),)):
        plain = cm.conv(weight, (1, 5), padding=padding)
        A = cm.conv(weight, (1, 5), padding=padding, padding_mode=mode)
        B = cm.conv_transpose(weight, (1, 3), padding=padding, padding_mode=mode)
        assert isinstance(A, LayerOperator)
        assert isinstance(B, LayerOperator)
        assert A.geometry == B.T.geometry == plain.geometry


def test_precision_is_that_of_the_weight() -> None:
    for dtype in ("i1", "f4", "c8"):
        for make in (cm.conv, cm.conv_transpose):
            A = make(integers((1, 1, 3), dtype), (1, 5), padding=1, padding_mode="reflect")
            assert A.dtype == A.T.dtype == A.matrix().dtype
            assert A(np.ones((1, 5), dtype)).dtype == np.result_type(A.dtype, dtype)
            if dtype != "i1":
                assert A.dtype == dtype


def test_repr() -> None:
    A = cm.conv(integers((1, 1, 3)), (1, 5), padding=1, padding_mode="reflect")
    assert repr(A).startswith("<(conv, kernel (3,)) @ (pad 1, reflect): (1, 5) -> (1, 5), float64")
    B = cm.conv_transpose(integers((1, 1, 3)), (1, 5), padding=1, padding_mode="circular")
    assert "(pad 1, circular, transposed) @ (conv_transpose, kernel (3,)):" in repr(B)


def test_bad_arguments() -> None:
    weight = np.ones((1, 1, 3))
    wrong: tuple[Any, ...] = ("edge", "constant", "Zeros", None, 1, True)
    for make in (cm.conv, cm.conv_transpose):
        for mode in wrong:
            with pytest.raises(cm.GeometryError) as caught:
                make(weight, (1, 5), padding_mode=mode)
            assert caught.value.argument == "padding_mode"
    # More than the input has, or than the output of the transposed one.
    for mode, padding in (("reflect", 5), ("symmetric", 6), ("circular", ((0, 7),))):
        for make, kernel, n in ((cm.conv, 11, 5), (cm.conv_transpose, 13, 1)):
            with pytest.raises(cm.GeometryError, match=r"at most|only once") as caught:
                make(np.ones((1, 1, kernel)), (1, n), padding=padding, padding_mode=mode)
            assert caught.value.argument == "padding"
