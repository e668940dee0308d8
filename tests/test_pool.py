"""Average pooling against loops over cells, and against PyTorch where it is installed."""

from __future__ import annotations

from typing import Any

import naive
import numpy as np
import pytest
import sympy
from cases import integers
from hypothesis import assume, given
from hypothesis import strategies as st

import convmat as cm

REASON = "compares with PyTorch"


@st.composite
def pooling(draw: st.DrawFn, *, even: bool = False) -> tuple[tuple[int, ...], dict[str, Any]]:
    """Draw an input shape and the arguments of a pooling that fits it."""
    ndim = draw(st.integers(1, 3))
    kernel = [draw(st.integers(1, 3)) for _ in range(ndim)]
    # PyTorch wants the same padding at both ends, of at most half the kernel.
    low = [draw(st.integers(0, k // 2 if even else k - 1)) for k in kernel]
    high = [p if even else draw(st.integers(0, k - 1)) for p, k in zip(low, kernel, strict=True)]
    ends = list(zip(low, high, strict=True))
    # Its gradient in three dimensions wants an input as large as the kernel, too.
    least = [k if even else max(k - p - q, 1) for k, (p, q) in zip(kernel, ends, strict=True)]
    spatial = [draw(st.integers(n, n + 3)) for n in least]
    options = {
        "kernel_size": kernel,
        "stride": draw(st.none() | st.just([draw(st.integers(1, 4)) for _ in range(ndim)])),
        "padding": low if even else ends,
        "ceil_mode": draw(st.booleans()),
        "count_include_pad": draw(st.booleans()),
    }
    if ndim > 1 or not even:  # which is what PyTorch offers
        options["divisor_override"] = draw(st.sampled_from([None, None, 1, 6, -2]))
    return (draw(st.integers(1, 2)), *spatial), options


@given(pooling())
def test_matrix_is_the_definition(drawn) -> None:
    shape, options = drawn
    A = cm.avg_pool(shape, **options)
    plane = naive.average_pool_plane(
        shape[1:],
        options["kernel_size"],
        options["stride"] or options["kernel_size"],
        options["padding"],
        ceil_mode=options["ceil_mode"],
        include_pad=options["count_include_pad"],
        divisor=options["divisor_override"],
    )
    truth = naive.on_each_channel(shape[0], plane)
    np.testing.assert_allclose(A.matrix().toarray(), truth, rtol=5e-16, atol=0)
    assert A.nnz == np.count_nonzero(truth)
    assert A.out_shape == (
        shape[0],
        *(
            cm.output_size(n, k, s, p, ceil_mode=options["ceil_mode"])
            for n, k, s, p in zip(
                shape[1:],
                options["kernel_size"],
                options["stride"] or options["kernel_size"],
                options["padding"],
                strict=True,
            )
        ),
    )


def same_as_torch(A: Any, function: Any, seed: int = 0) -> None:
    """Compare values and vector-Jacobian products on a batch of integers."""
    torch = pytest.importorskip("torch", reason=REASON)
    x = torch.tensor(integers((2, *A.in_shape), seed=seed), requires_grad=True)
    y = function(x)
    g = torch.tensor(integers(tuple(y.shape), seed=seed + 1))
    (x_grad,) = torch.autograd.grad(y, x, g)
    assert tuple(y.shape[1:]) == A.out_shape
    np.testing.assert_allclose(A(x.detach().numpy()), y.detach().numpy(), rtol=1e-14, atol=1e-13)
    np.testing.assert_allclose(A.T(g.numpy()), x_grad.numpy(), rtol=1e-14, atol=1e-13)


@given(pooling(even=True))
def test_values_and_gradients_are_those_of_torch(drawn) -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    shape, options = drawn
    function = getattr(torch.nn.functional, f"avg_pool{len(shape) - 1}d")
    same_as_torch(cm.avg_pool(shape, **options), lambda x: function(x, **options))


@given(
    spatial=st.lists(st.integers(1, 7), min_size=1, max_size=3),
    data=st.data(),
)
def test_adaptive_pooling_is_the_definition_and_that_of_torch(spatial, data) -> None:
    torch = pytest.importorskip("torch", reason=REASON)
    choice = st.none() | st.integers(1, 8)
    size = [data.draw(choice) for _ in spatial]
    if len(spatial) == 1:
        assume(size[0] is not None)  # PyTorch has None from two dimensions on
    A = cm.adaptive_avg_pool((2, *spatial), size)
    whole = [n if m is None else m for n, m in zip(spatial, size, strict=True)]
    truth = naive.on_each_channel(2, naive.adaptive_pool_plane(spatial, whole))
    np.testing.assert_allclose(A.matrix().toarray(), truth, rtol=5e-16, atol=0)
    function = getattr(torch.nn.functional, f"adaptive_avg_pool{len(spatial)}d")
    same_as_torch(A, lambda x: function(x, size))


def test_global_pooling_is_the_mean() -> None:
    x = integers((3, 4, 6, 2))
    A = cm.adaptive_avg_pool((4, 6, 2), 1)
    np.testing.assert_allclose(A(x), x.mean(axis=(2, 3), keepdims=True), rtol=1e-15)
    same = cm.avg_pool((4, 6, 2), (6, 2))
    assert A.record.maps == same.record.maps


def test_adaptive_pooling_that_divides_is_pooling() -> None:
    adaptive = cm.adaptive_avg_pool((2, 6, 8), (2, 4))
    assert adaptive.record.maps == cm.avg_pool((2, 6, 8), (3, 2)).record.maps
    kept = cm.adaptive_avg_pool((2, 6, 8), None)
    assert all(part.unchanging for part in kept.record.maps)


def test_the_transpose_of_pooling_is_nearest_upsampling_over_the_cells() -> None:
    pooled = cm.avg_pool((2, 8, 6), (4, 2))
    up = cm.upsample(pooled.out_shape, scale_factor=(4, 2))
    difference = pooled.T.matrix() - up.matrix() / 8
    assert difference.nnz == 0 or abs(difference).max() == 0


def test_names_of_padding() -> None:
    # TensorFlow's SAME counts inputs alone.
    A = cm.avg_pool((1, 5), 2, stride=2, padding="same", count_include_pad=False)
    np.testing.assert_array_equal(A(np.arange(1.0, 6)[None]), [[1.5, 3.5, 5]])


def test_symbolic_matrix_is_exact() -> None:
    A = cm.avg_pool((1, 4), 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
    third, half = sympy.Rational(1, 3), sympy.Rational(1, 2)
    expected = sympy.Matrix([[half, half, 0, 0], [0, third, third, third], [0, 0, 0, 1]])
    assert sympy.Matrix(A.symbolic_matrix()) == expected


@pytest.mark.parametrize("divisor", [-2, -(1 << 63), 1 << 63, -(1 << 70)])
def test_a_divisor_may_be_negative_and_large(divisor: int) -> None:
    A = cm.avg_pool((1, 2, 2), (1, 2), divisor_override=divisor)
    weight = sympy.Rational(1, divisor)
    expected = sympy.Matrix([[weight, weight, 0, 0], [0, 0, weight, weight]])
    assert sympy.Matrix(A.symbolic_matrix()) == expected
    np.testing.assert_array_equal(A(np.ones((1, 2, 2))), np.full((1, 2, 1), 2 / divisor))


def test_precision_of_the_input_is_kept() -> None:
    A = cm.avg_pool((1, 6), 3)
    assert A(np.ones((1, 6), "f4")).dtype == np.float32
    assert A(np.ones((1, 6), int)).dtype == np.float64
    whole = cm.avg_pool((1, 6), 3, divisor_override=1)
    np.testing.assert_array_equal(whole(np.arange(6)[None]), [[3, 12]])
    assert whole(np.arange(6)[None]).dtype == np.int64


def test_repr() -> None:
    A = cm.avg_pool((1, 6, 6), (2, 3), stride=1)
    assert "average pooling, kernel (2, 3), stride (1, 1)" in repr(A)
    assert "transpose of average pooling" in repr(A.T)
    assert "stride" not in repr(cm.avg_pool((1, 6, 6), 2))
    assert "adaptive" in repr(cm.adaptive_avg_pool((1, 6), 4))


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("in_shape", {"in_shape": (4,)}),
        ("in_shape", {"in_shape": (1, 0)}),
        ("in_shape", {"in_shape": "1,4"}),
        ("kernel_size", {"kernel_size": 0}),
        ("kernel_size", {"kernel_size": (2, 2)}),
        ("kernel_size", {"kernel_size": 2.0}),
        ("kernel", {"kernel_size": 9}),
        ("stride", {"stride": 0}),
        ("stride", {"stride": (1, 2)}),
        ("padding", {"padding": -1}),
        ("padding", {"padding": 2}),  # the first window holds no input
        ("padding", {"padding": ((0, 2),), "stride": 1}),
        ("padding", {"padding": "reflect"}),
        ("ceil_mode", {"ceil_mode": 1}),
        ("count_include_pad", {"count_include_pad": None}),
        ("divisor_override", {"divisor_override": 0}),
        ("divisor_override", {"divisor_override": 1.5}),
    ],
)
def test_bad_arguments(argument, arguments) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.avg_pool(**{"in_shape": (1, 4), "kernel_size": 2, **arguments})
    assert caught.value.argument == argument


@pytest.mark.parametrize("pool", [cm.avg_pool, cm.max_pool])
def test_a_window_without_input_is_named(pool) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        pool((1, 8, 4), 2, stride=1, padding=((0, 0), (3, 0)))
    assert caught.value.argument == "padding"
    assert caught.value.value == (3, 0)
    assert "output 0 along spatial axis 1 has a window without any input" in str(caught.value)
    assert "reads only -3, -2 of 0 to 3" in str(caught.value)
    with pytest.raises(cm.GeometryError, match="output 4 along spatial axis 0"):
        pool((1, 4, 8), 2, stride=1, padding=((0, 2), (0, 0)))
    assert pool((1, 4), 2, stride=1, padding=((1, 1),)).out_shape == (1, 5)


@pytest.mark.parametrize("size", [0, -1, 1.0, "2", True, (1, 2, 3), (0,), (None, 0), ((1,), 2)])
def test_bad_adaptive_sizes(size) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.adaptive_avg_pool((1, 4, 4), size)
    assert caught.value.argument == "output_size"


@given(
    st.dictionaries(
        st.sampled_from(["kernel_size", "stride", "padding", "ceil_mode", "divisor_override"]),
        st.sampled_from([0, 1, 2, 3, 5, -1, None, True, 1.5, "same", (), (1, 2), ((0, 1), 1)]),
    )
)
def test_careless_arguments_are_refused_or_right(arguments) -> None:
    try:
        A = cm.avg_pool(**{"in_shape": (1, 4, 3), "kernel_size": 2, **arguments})
    except cm.GeometryError:
        return
    assert A.matrix().shape == A.shape
