"""Every operator writes into `out`, however it lies in memory, or refuses it untouched."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sympy
from cases import CASES, integers

import convmat as cm
from convmat.operator import Operator

Array = np.ndarray[Any, np.dtype[Any]]

BATCHES: tuple[tuple[int, ...], ...] = ((), (0,), (2,), (2, 3))

# Enough numbers for the compiled kernels, which the registry's operators are too small for, and
# how many of a batch that takes.
LARGE = {
    "layer": (lambda: cm.conv(integers((3, 3, 3, 3)), (3, 40, 40), padding=1), 10),
    "adjoint": (lambda: cm.conv(integers((3, 4, 2, 2)), (4, 40, 40), stride=2).T, 10),
    "avg_pool": (lambda: cm.avg_pool((3, 80, 80), 2), 10),
    "resized": (lambda: cm.upsample((3, 40, 40), scale_factor=2, mode="bilinear"), 10),
    "shuffled": (lambda: cm.pixel_shuffle((12, 40, 40), 2), 10),
    "selection": (lambda: cm.selection((2, 20, 40), np.arange(800).reshape(2, 20, 20) % 700), 80),
}


def numbers_for(A: Operator, batch: tuple[int, ...]) -> Array:
    return integers((*batch, *A.in_shape), "c16" if A.dtype.kind == "c" else "f8", 7)


def rooms(shape: tuple[int, ...], dtype: Any) -> Iterator[tuple[Array, Array]]:
    """Yield arrays of the shape, and the memory in which they lie, full of sevens."""
    room = np.full((2, *shape), 7, dtype)
    yield room[1], room
    transposed = np.full(shape[::-1], 7, dtype)
    yield transposed.T, transposed
    apart = np.full((*shape, 3), 7, dtype)
    yield apart[..., 1], apart
    backward = np.full(shape, 7, dtype)
    yield backward[..., ::-1], backward
    unaligned = unaligned_copy(np.full(shape, 7, dtype))
    yield unaligned, unaligned


def unaligned_copy(numbers: Array) -> Array:
    """Return the numbers one byte off from where the machine would have them."""
    made = np.zeros(numbers.nbytes + 1, np.uint8)[1:].view(numbers.dtype).reshape(numbers.shape)
    made[...] = numbers
    return made


def check(A: Operator, batch: tuple[int, ...]) -> None:
    x = numbers_for(A, batch)
    before, expected = x.copy(), A(x)
    assert expected.shape == (*batch, *A.out_shape)
    for out, room in rooms(expected.shape, expected.dtype):
        assert A(x, out=out) is out
        np.testing.assert_array_equal(out, expected)
        out[...] = 7
        assert (room == 7).all(), "written outside of out"
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(A(unaligned_copy(x)), expected)
    assert x.dtype == expected.dtype
    for start in (0, 1):
        shared = np.empty(x.size + expected.size + 1, x.dtype)
        read, out = shared[: x.size].reshape(x.shape), shared[start : start + expected.size]
        out = out.reshape(expected.shape)
        read[...] = x
        np.testing.assert_array_equal(A(read, out=out), expected)


@pytest.mark.parametrize("name", CASES)
def test_out_is_written_wherever_it_lies(name: str) -> None:
    for A in (made := CASES[name].make(), made.T):
        for batch in BATCHES:
            check(A, batch)


@pytest.mark.parametrize("name", LARGE)
def test_out_of_compiled_kernels(name: str) -> None:
    make, images = LARGE[name]
    for A in (made := make(), made.T, 2 * made, made + made, cm.block([[made], [made]])):
        check(A, (images,))
    check(made.T @ made, (1, images))


@pytest.mark.parametrize("name", CASES)
def test_a_bad_out_is_refused_before_anything_is_computed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("computed")

    for A in (made := CASES[name].make(), made.T):
        x = numbers_for(A, (2,))
        good = np.full_like(A(x), 7)
        read_only = good.copy()
        read_only.flags.writeable = False
        monkeypatch.setattr(A, "_write", never)
        narrow = good.astype("c8" if good.dtype.kind == "c" else "f4")
        for bad, words in (
            (np.concatenate([good, good]), "must have shape"),
            (good[0], "must have shape"),
            (good.reshape(2, -1)[:, None, :, None, None, None], "must have shape"),
            (narrow, "dtype"),
            (good.astype(good.dtype.newbyteorder()), "dtype"),
            (read_only, "writeable"),
            (good.tolist(), "NumPy array"),
        ):
            with pytest.raises(cm.GeometryError, match=words) as caught:
                A(x, out=bad)
            assert caught.value.argument == "out"
            assert (np.asarray(bad) == 7).all()


@pytest.mark.parametrize("name", LARGE)
def test_nothing_as_large_as_out_is_made_besides(name: str) -> None:
    make, images = LARGE[name]
    A = make()
    x = numbers_for(A, (2 * images,))
    out = A(x)
    tracemalloc.start()
    A(x, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes / 2


def test_out_of_symbols() -> None:
    a = sympy.Symbol("a")
    pool = cm.avg_pool((1, 4), 2)
    layer = cm.conv([[[a, 2]]], (1, 4))
    x = np.array([[sympy.Symbol(f"x{n}") for n in range(4)]])
    for A in (pool, layer, layer.T @ layer, a * layer, layer + 3 * layer, cm.block([[layer]])):
        out = np.full(A.out_shape, None)
        assert A(x, out=out) is out
        assert (out == A(x)).all()


def test_out_of_tensors_is_an_array() -> None:
    torch = pytest.importorskip("torch")
    A = cm.avg_pool((1, 4), 2)
    out = np.empty((1, 2), "f4")
    assert A(torch.arange(4.0)[None], out=out) is out
    np.testing.assert_array_equal(out, [[0.5, 2.5]])
