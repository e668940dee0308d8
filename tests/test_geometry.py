"""The record, its closed forms, and what is known of a matrix before it is built."""

from __future__ import annotations

import dataclasses
import pickle
import random
import re
import tracemalloc
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import sympy
from cases import CASES

import convmat as cm
from convmat.geometry.pattern import enumerate_pattern, index_dtype, nbytes
from convmat.geometry.weights import working_dtype
from convmat.geometry.window import Geometry, Progression, Window, solve
from convmat.matrix import limits

LAYERS = [name for name, case in CASES.items() if case.kind == "layer"]


def random_windows(count: int, seed: int = 0) -> list[Window]:
    """Records of every kind: both sides strided, pads negative, windows that miss the input."""
    rng = random.Random(seed)
    return [
        Window(
            n_in=rng.randint(1, 9),
            n_out=rng.randint(1, 9),
            kernel=rng.randint(1, 5),
            stride=rng.randint(1, 4),
            base=rng.randint(1, 4),
            dilation=rng.randint(1, 4),
            pad=rng.randint(-4, 8),
        )
        for _ in range(count)
    ]


def triples(w: Window) -> set[tuple[int, int, int]]:
    """All (o, k, i) that satisfy the relation, by trying every one."""
    return {
        (o, k, i)
        for o in range(w.n_out)
        for k in range(w.kernel)
        for i in range(w.n_in)
        if w.base * i == w.stride * o + w.dilation * k - w.pad
    }


@pytest.fixture(scope="module")
def windows() -> list[Window]:
    return random_windows(3000)


def test_inputs_by_enumeration(windows: list[Window]) -> None:
    for w in windows:
        inputs = w.inputs()
        assert inputs.shape == (w.n_out, w.kernel)
        assert inputs.dtype == np.int64
        found = {(o, k, int(i)) for (o, k), i in np.ndenumerate(inputs) if i >= 0}
        assert found == triples(w), w
        assert inputs.min() >= -1


def test_nnz_by_enumeration(windows: list[Window]) -> None:
    for w in windows:
        assert w.nnz == len(triples(w)), w
        assert type(w.nnz) is int


def progress(line: Progression, offset: int) -> list[tuple[int, int]]:
    """Return the (t, i) that `solve` describes."""
    t, i, length = (int(v) for v in solve(line, offset))
    return [(t + j * line.period, i + j * line.advance) for j in range(length)]


def test_taps_of_an_output_are_a_progression(windows: list[Window]) -> None:
    for w in windows:
        for o in range(w.n_out):
            expected = sorted((k, i) for out, k, i in triples(w) if out == o)
            assert progress(w.taps(), w.stride * o - w.pad) == expected, (w, o)


def test_outputs_of_a_tap_are_a_progression(windows: list[Window]) -> None:
    for w in windows:
        for k in range(w.kernel):
            expected = sorted((o, i) for o, tap, i in triples(w) if tap == k)
            assert progress(w.outputs(), w.dilation * k - w.pad) == expected, (w, k)


def test_solve_takes_arrays(windows: list[Window]) -> None:
    offsets = np.arange(-20, 40)
    for w in windows[:200]:
        starts, inputs, lengths = solve(w.taps(), offsets)
        for at, offset in enumerate(offsets):
            one = solve(w.taps(), int(offset))
            assert lengths[at] == one[2]
            if one[2]:
                assert (starts[at], inputs[at]) == one[:2]


def test_transposition_is_an_involution(windows: list[Window]) -> None:
    for w in windows:
        t = w.transpose()
        assert t.transpose() == w
        assert (t.n_in, t.n_out, t.kernel) == (w.n_out, w.n_in, w.kernel)
        swapped = {(i, w.kernel - 1 - k, o) for o, k, i in triples(w)}
        assert triples(t) == swapped, w
        assert t.nnz == w.nnz


def test_window_takes_symbols() -> None:
    w = Window(*sympy.symbols("n m k s b d p", integer=True))
    twice = w.transpose().transpose()
    assert [sympy.expand(a - b) for a, b in zip(twice, w, strict=True)] == [0] * 7


def test_window_values_by_hand() -> None:
    w = Window(n_in=4, n_out=3, kernel=3, stride=2, base=1, dilation=1, pad=1)
    assert w.inputs().tolist() == [[-1, 0, 1], [1, 2, 3], [3, -1, -1]]
    assert w.nnz == 6
    assert w.transpose() == Window(3, 4, 3, 1, 2, 1, 1)


def layer_geometry(**changes: Any) -> Geometry:
    plain: dict[str, Any] = {
        "axes": (Window(6, 3, 3, 2, 1, 1, 1), Window(5, 4, 2, 1, 1, 1, 0)),
        "in_channels": 4,
        "out_channels": 6,
        "groups": 2,
    }
    return Geometry(**(plain | changes))


def test_geometry_by_hand() -> None:
    g = layer_geometry()
    assert g.in_shape == (4, 6, 5)
    assert g.out_shape == (6, 3, 4)
    assert g.kernel == (3, 2)
    assert g.shape == (72, 120)
    assert g.group_channels == (3, 2)
    assert g.weight_shape == (6, 2, 3, 2)
    # Taps of the first axis: 2 + 3 + 3; of the second: 2 for each of 4 outputs.
    assert g.nnz == 6 * 2 * 8 * 8
    t = g.transpose()
    assert (t.in_shape, t.out_shape, t.weight_shape) == (g.out_shape, g.in_shape, g.weight_shape)
    assert t.group_channels == (2, 3)
    assert t.transpose() == g


def test_geometry_is_frozen_and_hashable() -> None:
    g = layer_geometry()
    assert hash(g) == hash(layer_geometry())
    assert {g: 1}[layer_geometry()] == 1
    for changed in (
        layer_geometry(groups=1),
        layer_geometry(flipped=True),
        layer_geometry(axes=(Window(6, 3, 3, 2, 1, 1, 0), Window(5, 4, 2, 1, 1, 1, 0))),
    ):
        assert changed != g
    with pytest.raises(dataclasses.FrozenInstanceError):
        g.groups = 3  # type: ignore[misc]  # that it cannot be set is what is tested
    with pytest.raises(AttributeError):
        g.axes[0].pad = 3  # type: ignore[misc]  # as above
    assert pickle.loads(pickle.dumps(g)) == g


@pytest.mark.parametrize("name", LAYERS)
def test_entries_before_is_indptr(name: str) -> None:
    geometry = CASES[name].make().geometry
    for g in (geometry, geometry.transpose()):
        indptr = enumerate_pattern(g).indptr
        assert [g.entries_before(row) for row in range(g.shape[0] + 1)] == indptr.tolist()


@pytest.mark.parametrize("name", LAYERS)
def test_bytes_of_any_rows(name: str) -> None:
    A = CASES[name].make()
    for rows in ((0, A.shape[0]), (0, 0), (A.shape[0] // 2, A.shape[0]), (1, 1)):
        m = A.matrix(rows=slice(*rows))
        stored = m.data.nbytes + m.indices.nbytes + m.indptr.nbytes
        assert nbytes(A.geometry, working_dtype(A.dtype), rows) == stored


@pytest.mark.parametrize("name", LAYERS)
def test_pattern_filled_with_slots_is_the_matrix(name: str) -> None:
    A = CASES[name].make()
    p = enumerate_pattern(A.geometry)
    csr = A.matrix()
    assert p.shape == A.shape
    np.testing.assert_array_equal(p.indptr, csr.indptr)
    np.testing.assert_array_equal(p.indices, csr.indices)
    np.testing.assert_array_equal(A.weight.ravel()[p.slot], csr.data)


def stripe(n: int, kernel: int = 1) -> Geometry:
    return Geometry((Window(n, n - kernel + 1, kernel, 1, 1, 1, 0),), 1, 1)


def test_index_dtype_at_its_boundary() -> None:
    largest = 2**31 - 1
    assert index_dtype(stripe(largest)) == np.int32
    assert index_dtype(stripe(largest + 1)) == np.int64
    # Each of the three numbers alone can cross it: entries, rows, columns.
    three = stripe(largest // 3 + 2, kernel=3)
    assert three.nnz == 3 * (largest // 3) <= largest
    assert index_dtype(three) == np.int32
    assert index_dtype(stripe(largest // 3 + 3, kernel=3)) == np.int64
    columns = Geometry((Window(largest + 1, 1, 1, 1, 1, 1, 0),), 1, 1)
    assert columns.nnz == 1
    assert index_dtype(columns) == index_dtype(columns.transpose()) == np.int64


def test_huge_sizes_are_closed_forms() -> None:
    n = 10**12
    A = cm.conv(np.ones((2, 3, 9)), (3, n), padding=4)
    assert A.shape == (2 * n, 3 * n)
    assert A.nnz == 2 * 3 * (9 * n - 2 * (1 + 2 + 3 + 4))
    assert A.nbytes == A.nnz * (8 + 8) + (2 * n + 1) * 8
    assert A.T.nnz == A.nnz
    cube = cm.conv(np.ones((1, 1, 3, 3, 3)), (1, 10**5, 10**5, 10**5))
    assert cube.nnz == 27 * (10**5 - 2) ** 3
    assert cube.geometry.entries_before(cube.shape[0]) == cube.nnz
    assert str(cube.nnz) in repr(cube)


@pytest.mark.parametrize(
    "build",
    [
        lambda A: A.matrix(),
        lambda A: A.matrix("csc"),
        lambda A: A.T.matrix(),
        lambda A: A.matrix(dtype="f4"),
        lambda A: A.matrix(rows=slice(5, 10**13)),
        lambda A: A.matrix("coo", rows=slice(0, 10**12)),
    ],
)
def test_what_does_not_fit_is_refused_before_allocating(build: Any) -> None:
    A = cm.conv(np.ones((1, 1, 3)), (1, 10**13))
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError, match="GiB") as caught:
            build(A)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert "rows=slice" in str(caught.value)


def test_refusal_says_the_size_of_the_matrix() -> None:
    A = cm.conv(np.ones((1, 1, 3)), (1, 10**13))
    with pytest.raises(MemoryError, match=re.escape(f"{Decimal(A.nbytes) / 2**30:.4g} GiB")):
        A.matrix()
    with pytest.raises(MemoryError, match=re.escape(f"{Decimal(A.T.nbytes) / 2**30:.4g} GiB")):
        A.T.matrix()


def test_memory_is_compared_with_what_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    A = cm.conv(np.ones((1, 1, 3)), (1, 50))
    monkeypatch.setattr(limits, "NEGLIGIBLE", 0)
    monkeypatch.setattr(limits, "_available_memory", lambda: A.nbytes)
    A.matrix()
    monkeypatch.setattr(limits, "_available_memory", lambda: A.nbytes - 1)
    with pytest.raises(MemoryError):
        A.matrix()
    A.matrix(rows=slice(0, 40))
    monkeypatch.setattr(limits, "_available_memory", lambda: None)
    A.matrix()
