"""Max pooling, selection and unpooling, against loops and PyTorch."""

from __future__ import annotations

import copy
import pickle
from itertools import product
from typing import Any

import naive
import naive_moves
import numpy as np
import pytest
from cases import integers
from hypothesis import assume, given
from hypothesis import strategies as st

import convmat as cm

NAN, INF = float("nan"), float("inf")


def same(pool: Any, x: Any, *options: Any, ceil_mode: bool = False) -> None:
    """Assert values and switches of one input equal those of the loops."""
    y, switches = pool(x)
    expected, winners = naive_moves.max_pool(x, *options, ceil_mode=ceil_mode)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(switches, winners)
    assert (y.dtype, switches.dtype) == (x.dtype, np.int64)
    assert y.shape == pool.out_shape


@given(data=st.data(), ndim=st.integers(1, 3), ceil_mode=st.booleans())
def test_pooling_is_the_definition(data: st.DataObject, ndim: int, ceil_mode: bool) -> None:
    def each(low: int, high: int) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=ndim, max_size=ndim))

    shape, kernel, stride, dilation = (2, *each(1, 5)), each(1, 3), each(1, 3), each(1, 2)
    pads = list(zip(each(0, 1), each(0, 1), strict=True))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).choice([-1.0, 0, 1, NAN, -INF], shape)
    axes = zip(shape[1:], kernel, stride, pads, dilation, strict=True)
    assume(all(naive.windows_that_fit(*axis) for axis in axes))
    try:
        naive_moves.max_pool(x, kernel, stride, pads, dilation, ceil_mode=ceil_mode)
    except AssertionError:
        with pytest.raises(cm.GeometryError, match="without any input"):
            cm.max_pool(shape, kernel, stride, pads, dilation, ceil_mode=ceil_mode)
        return
    pool = cm.max_pool(shape, kernel, stride, pads, dilation, ceil_mode=ceil_mode)
    same(pool, x, kernel, stride, pads, dilation, ceil_mode=ceil_mode)


def test_by_hand() -> None:
    pool = cm.max_pool((1, 5), 3, stride=1, padding=1)
    y, switches = pool([[4, 4, 1, 2, 2]])
    assert y.tolist() == [[4, 4, 4, 2, 2]]
    assert switches.tolist() == [[0, 0, 1, 3, 3]]  # the first of equals
    y, switches = pool(np.array([[NAN, 1, NAN, NAN, INF]]))
    assert switches.tolist() == [[0, 2, 3, 3, 3]]  # the last NaN
    assert np.isnan(y).all()
    y, switches = pool(np.full((1, 5), -INF))
    assert switches.tolist() == [[0, 0, 1, 2, 3]]  # padding never wins
    assert (y == -INF).all()
    y, switches = cm.max_pool((1, 3), 4, ceil_mode=True)([[1, 3, 2]])  # overhangs at once
    assert (y.tolist(), switches.tolist()) == ([[3]], [[1]])


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i1", "i8", "u1", "u8", "?"])
def test_dtypes(dtype: str) -> None:
    x = (integers((2, 4, 5), "i8") % 7).astype(dtype)
    pads = [(1, 1), (0, 0)]
    same(cm.max_pool((2, 4, 5), (2, 3), 1, (1, 0)), x, (2, 3), (1, 1), pads, (1, 1))
    least = np.full((2, 4, 5), False if dtype == "?" else np.array(-9).astype(dtype), dtype)
    same(cm.max_pool((2, 4, 5), 3, 2, 1), least, (3, 3), (2, 2), [(1, 1)] * 2, (1, 1))


def test_values_alone() -> None:
    x = np.array([[1, 5, NAN, 2]])
    assert cm.max_pool((1, 4), 2).values(x).tolist()[0][0] == 5
    pools = [(cm.max_pool((2, 9, 40), 3, 2, 1), (3, 2, 9, 40)), (cm.max_pool((1, *[2] * 5), 2), ())]
    for pool, shape in pools:  # the second has too many axes for the kernels
        x = integers(shape or pool.in_shape)
        np.testing.assert_array_equal(pool.values(x), pool(x)[0])
    with pytest.raises(cm.GeometryError, match="have an order"):
        cm.max_pool((1, 4), 2).values(np.ones((1, 4), complex))


def test_the_transpose_of_a_selection_is_a_layer_too() -> None:
    S = cm.selection((1, 4), [[2, 2, 0]])
    assert S.T.T is S
    assert pickle.loads(pickle.dumps(S.T)).record == S.record.transpose()
    assert (S.T.in_shape, S.T.out_shape, S.T.shape) == ((1, 3), (1, 4), (4, 3))
    np.testing.assert_array_equal(S.T.matrix().toarray(), S.matrix().toarray().T)


def test_batches_and_memory_layouts() -> None:
    x = integers((3, 2, 2, 6, 5))
    pool = cm.max_pool((2, 6, 5), 2)
    y, switches = pool(x)
    assert y.shape == switches.shape == (3, 2, 2, 3, 2)
    for index in np.ndindex(3, 2):
        one, where = pool(x[index])
        np.testing.assert_array_equal(y[index], one)
        np.testing.assert_array_equal(switches[index], where)
    turned = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, -3, -1)), -1, -3)
    turned.flags.writeable = False
    for found, expected in zip(pool(turned), (y, switches), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.flags.c_contiguous
    assert pool(np.zeros((0, 2, 6, 5)))[0].shape == (0, 2, 3, 2)


def torch_options() -> list[dict[str, Any]]:
    grid = product([2, 3], [None, 1, 2], [0, 1], [1, 2], [False, True])
    names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
    return [dict(zip(names, values, strict=True)) for values in grid]


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_values_switches_and_gradients_are_torch_s(ndim: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's own max pooling")
    theirs = getattr(torch.nn.functional, f"max_pool{ndim}d")
    shape = (2, 7, 6, 5)[: ndim + 1]
    rng = np.random.default_rng(0)
    for options in torch_options():
        for values in ([-2.0, -1, 0, 1, 2], [-1, NAN, 3], [-INF]):
            x = torch.tensor(rng.choice(values, shape), requires_grad=True)
            pool = cm.max_pool(shape, **options)
            y, switches = pool(x.detach())
            expected, winners = theirs(x[None], **options, return_indices=True)
            assert torch.equal(switches, winners[0])
            np.testing.assert_array_equal(y, expected[0].detach())
            S = cm.selection(shape, switches)
            g = integers(S.out_shape, seed=1)
            expected[0].backward(torch.tensor(g))
            np.testing.assert_array_equal(S.T(g), x.grad)
            assert isinstance(y, torch.Tensor)
            if NAN not in values and -INF not in values:
                np.testing.assert_array_equal(S(x.detach()), y)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_unpooling_is_torch_s(ndim: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's own unpooling")
    theirs = getattr(torch.nn.functional, f"max_unpool{ndim}d")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # with more, it leaves open which of several values stays
    try:
        for kernel, stride in ((2, 2), (3, 1), (3, 2)):
            shape = (2, 7, 6, 5)[: ndim + 1]
            x = torch.tensor(integers(shape))
            y, switches = cm.max_pool(shape, kernel, stride)(x)
            # Offsets let NumPy and PyTorch tell apart the winners that are shared.
            y = y + torch.arange(y.numel(), dtype=y.dtype).reshape(y.shape)
            U = cm.unpool(shape, switches)
            expected = theirs(y[None], switches[None], kernel, stride, output_size=shape[1:])
            np.testing.assert_array_equal(U(y), expected[0])
    finally:
        torch.set_num_threads(threads)


@given(
    n=st.integers(2, 6), kernel=st.integers(1, 3), stride=st.integers(1, 3), seed=st.integers(0, 50)
)
def test_unpooling_is_the_transpose_iff_no_winner_is_shared(
    n: int, kernel: int, stride: int, seed: int
) -> None:
    assume(kernel <= n)
    shape = (2, n, n)
    x = integers(shape, seed=seed)
    _, switches = cm.max_pool(shape, kernel, stride)(x)
    S, U = cm.selection(shape, switches), cm.unpool(shape, switches)
    shared = any(len(np.unique(plane)) < plane.size for plane in switches)
    differences = (S.T.matrix() != U.matrix()).nnz
    assert (differences > 0) == shared
    if stride >= kernel:
        assert not shared
    # Where they part, S.T holds the sum and U one term of it.
    g = np.abs(integers(S.out_shape, seed=seed))
    assert (S.T(g) >= U(g)).all()
    assert (S.T(g).sum() > U(g).sum()) == shared


def test_selection_reads_what_won() -> None:
    x = integers((3, 8, 9))
    pool = cm.max_pool((3, 8, 9), 3, 2, 1)
    y, switches = pool(x)
    S = cm.selection((3, 8, 9), switches)
    np.testing.assert_array_equal(S(x), y)
    np.testing.assert_array_equal(S.matrix() @ x.ravel(), y.ravel())
    assert S.nnz == y.size
    assert cm.selection((3, 8, 9), switches.tolist()).record == S.record
    assert cm.selection((3, 8, 9), switches.astype("u1")).record == S.record
    switches[:] = 0  # the operator does not change with what it was made of
    np.testing.assert_array_equal(S(x), y)


def test_torch_tensors_as_switches() -> None:
    torch = pytest.importorskip("torch", reason="tensors as switches")
    x = torch.tensor(integers((1, 4, 4)))
    y, switches = torch.nn.functional.max_pool2d(x[None], 2, return_indices=True)
    assert torch.equal(cm.selection((1, 4, 4), switches[0])(x), y[0])
    assert torch.equal(
        cm.unpool((1, 4, 4), switches[0])(y[0]).unique(),
        torch.cat([torch.zeros(1, dtype=x.dtype), y.flatten()]).unique(),
    )


def test_a_pool_is_a_value() -> None:
    pool = cm.max_pool((2, 7, 6), (3, 2), stride=2, padding=(1, 0), dilation=(2, 1))
    words = "kernel (3, 2), stride 2, padding (1, 0), dilation (2, 1)"
    assert repr(pool) == f"<max_pool, {words}: (2, 7, 6) -> (2, 3, 3)>"
    again = cm.max_pool([2, 7, 6], [3, 2], (2, 2), ((1, 1), 0), (2, 1))
    assert pool == again == pickle.loads(pickle.dumps(pool))
    assert hash(pool) == hash(again)
    assert repr(cm.max_pool((1, 4), 2)) == "<max_pool, kernel (2,), stride 2: (1, 4) -> (1, 2)>"


def test_a_window_without_input_is_refused() -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.max_pool((1, 4, 3), (2, 1), stride=1, padding=(0, 1))
    assert caught.value.argument == "padding"
    assert "output 0 along spatial axis 1 has a window without any input" in str(caught.value)
    assert "only -1 of 0 to 2" in str(caught.value)
    with pytest.raises(cm.GeometryError, match=r"output 4 .* reads only 4, 5, 6 of 0 to 3"):
        cm.max_pool((1, 4), 3, stride=1, padding=((0, 3),))
    with pytest.raises(cm.GeometryError, match=r"only -1, 1 of 0 to 0"):
        cm.max_pool((1, 1), 2, stride=1, padding=1, dilation=2)  # the taps straddle the input


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"kernel_size": 0}, "kernel_size"),
        ({"kernel_size": 2.0}, "kernel_size"),
        ({"kernel_size": None}, "kernel_size"),
        ({"kernel_size": (2, 2, 2)}, "kernel_size"),
        ({"kernel_size": 6}, "kernel"),
        ({"stride": 0}, "stride"),
        ({"padding": -1}, "padding"),
        ({"padding": "reflect"}, "padding"),
        ({"dilation": 0}, "dilation"),
        ({"dilation": True}, "dilation"),
        ({"ceil_mode": 1}, "ceil_mode"),
        ({"ceil_mode": None}, "ceil_mode"),
        ({"in_shape": (5,)}, "in_shape"),
        ({"in_shape": None}, "in_shape"),
        ({"in_shape": (1, 0, 5)}, "in_shape"),
    ],
)
def test_bad_pools(options: dict[str, Any], argument: str) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.max_pool(**{"in_shape": (1, 5, 5), "kernel_size": 2, **options})
    assert caught.value.argument == argument


def test_bad_inputs() -> None:
    pool = cm.max_pool((1, 4, 4), 2)
    bad: list[Any] = [
        np.ones((4, 4)),
        np.ones((2, 4, 4)),
        np.ones((1, 4, 4, 1)),
        np.ones((1, 4, 4), complex),
        np.ones((1, 4, 4), object),
        np.full((1, 4, 4), "a"),
        "text",
        None,
    ]
    for x in bad:
        with pytest.raises(cm.GeometryError) as caught:
            pool(x)
        assert caught.value.argument == "x"


@pytest.mark.parametrize("make", [cm.selection, cm.unpool])
@pytest.mark.parametrize(
    "switches",
    [
        [[[0, 4]], [[1, 9]]],
        [[[0, -1]], [[1, 2]]],
        [[[0, 1]]],
        [[0, 1], [1, 2]],
        [[[[0, 1]], [[1, 2]]]],
        [[[0.0, 1.0]], [[1.0, 2.0]]],
        [[[True, False]], [[True, True]]],
        np.zeros((2, 0, 1), int),
        np.zeros((2, 1, 1), complex),
        np.full((2, 1, 1), (1 << 64) - 1, "u8"),
        None,
        "text",
    ],
)
def test_bad_switches(make: Any, switches: Any) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        make((2, 3, 3), switches)
    assert caught.value.argument == "switches"
    with pytest.raises(cm.GeometryError, match="in_shape"):
        make((2,), [[[0]]])


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "g"])
def test_missing_numbers_win_in_every_precision(kind) -> None:
    x = np.array([[1, NAN, 3, 5, 9, 2, NAN, NAN]], kind)
    same(cm.max_pool((1, 8), 2), x, [2], [2], [(0, 0)], [1])
    y, switches = cm.max_pool((1, 8), 2)(x)
    np.testing.assert_array_equal(y, np.array([[NAN, 5, 9, NAN]], kind))
    np.testing.assert_array_equal(switches, [[1, 3, 4, 7]])


def test_what_operators_have_is_refused_with_the_way_there():
    pool, conv = cm.max_pool((1, 4, 4), 2), cm.conv(np.ones((1, 1, 1, 1)), (1, 4, 4))
    for name in ("T", "H", "matrix", "nnz", "symbolic_matrix"):
        with pytest.raises(AttributeError, match=rf"no {name}: max pooling is not linear.*select"):
            getattr(pool, name)
        assert not hasattr(pool, name)
    with pytest.raises(AttributeError, match="'MaxPool' object has no attribute 'other'"):
        pool.other  # noqa: B018, it must raise
    for compose in (lambda: pool @ conv, lambda: conv @ pool, lambda: np.ones((3, 3)) @ pool):
        with pytest.raises(TypeError, match="max pooling is not linear"):
            compose()
    assert pickle.loads(pickle.dumps(pool)) == copy.deepcopy(pool) == pool


def test_swapped_arguments_are_noticed():
    _, switches = cm.max_pool((1, 4, 4), 2)(np.arange(16.0).reshape(1, 4, 4))
    for make in (cm.unpool, cm.selection):
        with pytest.raises(cm.GeometryError, match="are the arguments swapped"):
            make(switches, (1, 4, 4))
    with pytest.raises(cm.GeometryError, match="are the arguments swapped"):
        cm.conv((1, 4, 4), np.ones((1, 1, 3, 3)))
    with pytest.raises(cm.GeometryError, match="are the arguments swapped"):
        cm.conv_transpose((1, 4, 4), np.ones((1, 1, 3, 3)))


def test_the_likely_axis_is_named_first():
    weight = np.ones((1, 1, 3, 3))
    for shape, words in (
        ((1, 1, 8, 8), "; leave a batch axis out"),
        ((8, 8), r"with the channels"),
    ):
        with pytest.raises(cm.GeometryError, match=words):
            cm.conv(weight, shape)
    with pytest.raises(cm.GeometryError, match=r"; pass a single kernel as kernel\[None, None\]"):
        cm.conv(weight[0, 0], (1, 8, 8))
