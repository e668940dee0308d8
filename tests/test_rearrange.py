"""Padding, pixel shuffles and unfolding, against NumPy, PyTorch and their formulas."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import naive_moves
import numpy as np
import pytest
import sympy
from cases import integers
from hypothesis import given
from hypothesis import strategies as st

import convmat as cm
from convmat.geometry.borders import MODES, padding_map
from convmat.geometry.sizes import (
    padded_size,
    pixel_shuffle_shape,
    pixel_unshuffle_shape,
    unfold_shape,
)

NUMPY_NAMES: dict[str, Any] = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
    "symmetric": "symmetric",
}


def limit(mode: str, n: int) -> int:
    """Return how many cells there are to take the padding of one side from."""
    return {"reflect": n - 1, "circular": n, "symmetric": n}.get(mode, 99)


@pytest.mark.parametrize("mode", MODES)
def test_padding_is_numpy_s(mode: str) -> None:
    checked = 0
    for n, low, high in product(range(1, 5), range(6), range(6)):
        if max(low, high) <= limit(mode, n):
            x = np.arange(1, n + 1)
            found = cm.pad((1, n), [(low, high)], mode)(x[None])
            np.testing.assert_array_equal(found[0], np.pad(x, (low, high), NUMPY_NAMES[mode]))
            checked += 1
        else:
            with pytest.raises(cm.GeometryError, match="padding"):
                padding_map(n, low, high, mode)
    assert checked >= 30


@pytest.mark.parametrize("mode", MODES)
def test_crops_with_padding(mode: str) -> None:
    """Growing ends come before or after the crop, as the definition says."""
    checked = 0
    for n, low, high in product(range(1, 6), range(-5, 4), range(-5, 4)):
        left = n + min(low, 0) + min(high, 0)
        takes = left if mode == "circular" else n  # what is there to take cells from
        if n + low + high < 1 or takes < 1 or max(low, high) > limit(mode, takes):
            with pytest.raises(cm.GeometryError, match="padding"):
                cm.pad((1, n), [(low, high)], mode)
            continue
        x = np.arange(1, n + 1)
        cells = naive_moves.padded_cells(n, low, high, mode)
        expected = [0 if i is None else i + 1 for i in cells]
        np.testing.assert_array_equal(cm.pad((1, n), [(low, high)], mode)(x[None])[0], expected)
        checked += low < 0 < high or high < 0 < low
    assert checked > 20


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_is_torch_s(mode: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's own padding")
    ours = "zeros" if mode == "constant" else mode
    pads = [
        ((1, 2),),
        ((2, -1),),
        ((-2, 2),),
        ((-1, -2),),
        ((0, 0),),
        ((1, 2), (3, 0)),
        ((-1, 1), (2, -3)),
        ((1, 0), (2, 1), (0, 2)),
        ((-1, 0), (2, -1), (1, 1)),
    ]
    if mode != "circular":
        pads += [((-4, 3),), ((3, -4),)]  # of 4: nothing of the axis itself is left
    if mode == "replicate":
        pads += [((-5, 7),), ((5, -4), (-5, 5), (1, 1))]
    for ends in pads:
        shape = (2, 4, 5, 3)[: len(ends) + 1]
        last_axis_first = [p for pair in reversed(ends) for p in pair]
        x = torch.tensor(integers(shape), requires_grad=True)
        y = torch.nn.functional.pad(x[None], last_axis_first, mode=mode)[0]
        A = cm.pad(shape, ends, ours)
        np.testing.assert_array_equal(A(x.detach()), y.detach())
        g = integers(A.out_shape, seed=3)
        y.backward(torch.tensor(g))
        np.testing.assert_array_equal(A.T(g), x.grad)


def test_ways_to_write_padding() -> None:
    for padding, ends in (
        (1, [(1, 1), (1, 1)]),
        ((1, 2), [(1, 1), (2, 2)]),
        (((1, 2), 3), [(1, 2), (3, 3)]),
        (np.array([[1, 2], [3, 0]]), [(1, 2), (3, 0)]),
        (-1, [(-1, -1), (-1, -1)]),
    ):
        expected = cm.pad((1, 4, 5), ends).record
        assert cm.pad((1, 4, 5), padding).record == expected
    assert "pad 2, reflect:" in repr(cm.pad((1, 5), 2, "reflect"))
    assert "pad ((1, 2),), zeros, transposed:" in repr(cm.pad((1, 5), [(1, 2)]).T)


BAD_PADDING: list[tuple[Any, Any, str]] = [
    (((1, 2), (3,)), "zeros", "padding"),
    ((1, 2, 3), "zeros", "padding"),
    ("same", "zeros", "padding"),
    (1.5, "zeros", "padding"),
    (True, "zeros", "padding"),
    (None, "zeros", "padding"),
    (sympy.Symbol("p"), "zeros", "padding"),
    (1, "edge", "mode"),
    (1, None, "mode"),
    (4, "reflect", "padding"),
    ((0, (5, 0)), "reflect", "padding"),
    (5, "symmetric", "padding"),
    ((0, 6), "circular", "padding"),
    ((0, (3, -3)), "circular", "padding"),
    (-2, "zeros", "padding"),
    ((0, (-6, 6)), "circular", "padding"),
    (1 << 61, "zeros", "padding"),
    (1 << 200, "replicate", "padding"),
]


@pytest.mark.parametrize(("padding", "mode", "argument"), BAD_PADDING)
def test_bad_padding(padding: Any, mode: str, argument: str) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.pad((1, 4, 5), padding, mode)
    assert caught.value.argument == argument


@pytest.mark.parametrize("r", [1, 2, 3])
def test_pixel_shuffles_are_torch_s(r: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's own pixel shuffle")
    coarse = integers((2 * r * r, 3, 2))
    A = cm.pixel_shuffle(coarse.shape, r)
    fine = torch.nn.functional.pixel_shuffle(torch.tensor(coarse), r).numpy()
    np.testing.assert_array_equal(A(coarse), fine)
    back = cm.pixel_unshuffle(fine.shape, r)
    unshuffled = torch.nn.functional.pixel_unshuffle(torch.tensor(fine), r).numpy()
    np.testing.assert_array_equal(back(fine), unshuffled)
    np.testing.assert_array_equal(back(fine), coarse)
    assert back.record == A.T.record  # a permutation, so the transpose is the inverse


@given(
    ndim=st.integers(1, 3),
    channels=st.integers(1, 3),
    order=st.sampled_from(["crd", "dcr"]),
    data=st.data(),
)
def test_pixel_shuffles_by_transposed_axes(
    ndim: int, channels: int, order: str, data: st.DataObject
) -> None:
    """The other definition: reshape, move axes, reshape."""
    three = st.lists(st.integers(1, 3), min_size=ndim, max_size=ndim)
    factors, sizes = data.draw(three), data.draw(three)
    in_shape = (channels * int(np.prod(factors)), *sizes)
    x = np.arange(np.prod(in_shape)).reshape(in_shape)
    if order == "crd":
        apart = x.reshape(channels, *factors, *sizes)
    else:
        apart = np.moveaxis(x.reshape(*factors, channels, *sizes), ndim, 0)
    axes = [axis for d in range(ndim) for axis in (1 + ndim + d, 1 + d)]
    expected = apart.transpose(0, *axes).reshape(
        channels, *(n * r for n, r in zip(sizes, factors, strict=True))
    )
    A = cm.pixel_shuffle(in_shape, factors, order)
    np.testing.assert_array_equal(A(x), expected)
    np.testing.assert_array_equal(A.matrix(dtype=int) @ x.ravel(), expected.ravel())
    np.testing.assert_array_equal(cm.pixel_unshuffle(A.out_shape, factors, order)(expected), x)


def test_pixel_shuffle_is_the_transpose_of_a_one_hot_strided_convolution() -> None:
    factors, channels = (2, 3), 2
    taps = np.eye(6).reshape(6, 1, *factors)
    conv = cm.conv(np.tile(taps, (channels, 1, 1, 1)), (channels, 4, 6), factors, groups=channels)
    shuffle = cm.pixel_shuffle((12, 2, 2), factors)
    assert (conv.T.matrix() != shuffle.matrix()).nnz == 0


@pytest.mark.parametrize(
    ("make", "arguments", "argument"),
    [
        (cm.pixel_shuffle, ((6, 4, 4), 2), "in_shape"),
        (cm.pixel_shuffle, ((6, 4, 4), (2, 2)), "in_shape"),
        (cm.pixel_shuffle, ((6,), 2), "in_shape"),
        (cm.pixel_shuffle, ((4, 2, 2), 0), "upscale_factor"),
        (cm.pixel_shuffle, ((4, 2, 2), 2.0), "upscale_factor"),
        (cm.pixel_shuffle, ((4, 2, 2), (2, 2, 1)), "upscale_factor"),
        (cm.pixel_shuffle, ((4, 2, 2), 2, "CDR"), "order"),
        (cm.pixel_shuffle, ((1 << 40, 1 << 40), 1), "upscale_factor"),
        (cm.pixel_unshuffle, ((1, 4, 5), 2), "in_shape"),
        (cm.pixel_unshuffle, ((1, 4, 5), (2, 2)), "in_shape"),
        (cm.pixel_unshuffle, ((1, 4, 4), -2), "downscale_factor"),
        (cm.pixel_unshuffle, ((1, 4, 4), None), "downscale_factor"),
        (cm.pixel_unshuffle, ((1, 4, 4), 2, None), "order"),
        (cm.unfold, ((1, 4, 4), 5), "kernel"),
        (cm.unfold, ((1, 4, 4), (2, 2, 2)), "kernel_size"),
        (cm.unfold, ((1, 4, 4), 0), "kernel_size"),
        (partial(cm.unfold, stride=0), ((1, 4, 4), 2), "stride"),
        (partial(cm.unfold, padding=-1), ((1, 4, 4), 2), "padding"),
        (partial(cm.unfold, dilation=0), ((1, 4, 4), 2), "dilation"),
        (cm.unfold, (4, 2), "in_shape"),
        (cm.fold, ((4,), 2), "out_shape"),
        (cm.fold, ((1, 4), 5), "kernel"),
        (cm.identity, (5,), "in_shape"),
        (cm.identity, ((0, 2),), "in_shape"),
        (cm.pad, ((1, -2), 1), "in_shape"),
        (cm.pad, ("text", 1), "in_shape"),
    ],
)
def test_bad_arguments(make: Any, arguments: tuple[Any, ...], argument: str) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        make(*arguments)
    assert caught.value.argument == argument


def test_unfold_and_fold_are_torch_s() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch's own unfold and fold")
    for k, s, p, d in product([2, (3, 1), (1, 2)], [1, (2, 3)], [0, (1, 2)], [1, (2, 1)]):
        shape = (2, 5, 4)
        x = torch.tensor(integers(shape), requires_grad=True)
        theirs = torch.nn.Unfold(k, d, p, s)(x[None])[0]
        A = cm.unfold(shape, k, stride=s, padding=p, dilation=d)
        np.testing.assert_array_equal(A(x.detach()), theirs.detach())
        g = integers(A.out_shape, seed=2)
        theirs.backward(torch.tensor(g))
        np.testing.assert_array_equal(A.T(g), x.grad)
        F = cm.fold(shape, k, stride=s, padding=p, dilation=d)
        folded = torch.nn.Fold(shape[1:], k, d, p, s)(torch.tensor(g)[None])[0]
        np.testing.assert_array_equal(F(g), folded)
        assert F.record == A.T.record


@given(data=st.data(), ndim=st.integers(1, 3))
def test_convolution_is_a_product_with_unfolded_windows(data: st.DataObject, ndim: int) -> None:
    def each(low: int, high: int) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=ndim, max_size=ndim))

    shape, kernel = (2, *each(3, 5)), each(1, 3)
    options: dict[str, Any] = {"stride": each(1, 3), "padding": each(0, 2), "dilation": [1] * ndim}
    w, x = integers((3, 2, *kernel)), integers(shape, seed=1)
    A, U = cm.conv(w, shape, **options), cm.unfold(shape, kernel, **options)
    assert U.out_shape == unfold_shape(shape, kernel, **options)
    np.testing.assert_array_equal(w.reshape(3, -1) @ U(x), A(x).reshape(3, -1))
    counts = cm.fold(shape, kernel, **options)(U(np.ones(shape)))
    np.testing.assert_array_equal(U.T(U(x)), counts * x)  # overlap counts, not the identity


def test_repr() -> None:
    A = cm.unfold((2, 5, 4), (2, 3), stride=(2, 1), padding=1)
    name = "unfold, kernel (2, 3), stride (2, 1), padding 1"
    assert repr(A).startswith(f"<{name}: (2, 5, 4) -> (12, 12)")
    assert repr(A.T).startswith(f"<{name.replace('unfold', 'fold')}: (12, 12) -> (2, 5, 4)")
    assert repr(cm.fold((2, 5, 4), (2, 3), stride=(2, 1), padding=1)) == repr(A.T)
    A = cm.pixel_shuffle((8, 3, 3), 2, "dcr")
    assert "pixel_shuffle 2, dcr:" in repr(A)
    assert "pixel_unshuffle 2, dcr:" in repr(A.T)
    assert "pixel_unshuffle (2, 3), crd:" in repr(cm.pixel_unshuffle((1, 4, 3), (2, 3)))
    assert "identity:" in repr(cm.identity((1, 2)).T)


def test_no_array_is_as_large_as_the_matrix() -> None:
    """A layer of 2**40 numbers, of which only the axes are held."""
    shape = (1 << 10, 1 << 15, 1 << 15)
    layers = [
        cm.identity(shape),
        cm.pad(shape, 3, "reflect"),
        cm.pixel_shuffle(shape, 2),
        cm.pixel_unshuffle(shape, 2),
        cm.unfold(shape, 3),
    ]
    for A in layers:
        assert A.nnz >= 1 << 40
        assert A.nnz == A.T.nnz


def test_sizes_of_symbols() -> None:
    n, p, q, c, r, s = sympy.symbols("n p q c r s", integer=True, positive=True)
    size = padded_size(n, (p, q))
    for values in product(range(1, 5), range(3), range(3)):
        assert size.subs(dict(zip((n, p, q), values, strict=True))) == padded_size(
            values[0], values[1:]
        )
    assert padded_size(n, -1) == n - 2
    coarse = (c * r * s, n, q)
    fine = pixel_shuffle_shape(coarse, (r, s))
    assert fine == (c, n * r, q * s)
    assert pixel_unshuffle_shape(fine, (r, s)) == coarse
    rows, columns = unfold_shape((c, n), (3,), stride=(2,), padding=(1,), dilation=(1,))
    assert rows == 3 * c
    assert [columns.subs(n, m) for m in range(1, 9)] == [
        cm.unfold((1, m), 3, stride=2, padding=1).out_shape[1] for m in range(1, 9)
    ]
    with pytest.raises(cm.GeometryError, match="padding"):
        padded_size(3, (-1, -2))
    with pytest.raises(cm.GeometryError, match="n = 0"):
        padded_size(0, 1)


@pytest.mark.parametrize(
    ("size", "padding", "mode", "read"),
    [
        (3, (-3, 4), "replicate", [2, 2, 2, 2]),
        (3, (4, -3), "replicate", [0, 0, 0, 0]),
        (3, (-4, 5), "replicate", [2, 2, 2, 2]),
        (4, (-5, 3), "reflect", [1, 0]),
    ],
)
def test_a_crop_of_the_whole_axis_leaves_what_continues_it(size, padding, mode, read):
    P = cm.pad((1, size), [padding], mode)
    x = np.arange(1.0, size + 1)[None]
    np.testing.assert_array_equal(P(x), x[:, read])
    torch = pytest.importorskip("torch", reason="PyTorch's pad, for comparison")
    peer = torch.nn.functional.pad(torch.tensor(x[None]), padding, mode)
    np.testing.assert_array_equal(P(x), peer[0])


def test_names_and_pairs_of_other_libraries_are_answered_with_ours():
    for theirs, ours in (("constant", "zeros"), ("edge", "replicate"), ("wrap", "circular")):
        with pytest.raises(cm.GeometryError, match=f"is called {ours} here"):
            cm.pad((1, 4, 4), 1, mode=theirs)
        with pytest.raises(cm.GeometryError, match=f"use padding_mode='{ours}'"):
            cm.conv(np.ones((1, 1, 3)), (1, 4), padding=1, padding_mode=theirs)
    with pytest.raises(cm.GeometryError, match=r"written \(\(low, high\), \(low, high\)\)"):
        cm.pad((1, 4, 4), (1, 2, 0, 0))
    with pytest.raises(cm.GeometryError, match=r"written \(\(low, high\),\)"):
        cm.pad((1, 4), (1, 2))
