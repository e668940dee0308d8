"""Weights that are zero are left out before the matrix is built: what is left, and its size."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from cases import CASES, integers
from scipy import sparse

import convmat as cm
from convmat.matrix import limits, nonzero
from convmat.operator import LayerOperator

LAYERS = [name for name, case in CASES.items() if case.kind == "layer"]
OTHERS = [name for name, case in CASES.items() if case.kind != "layer"]
FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")


def thinned(name: str, seed: int) -> LayerOperator:
    """Return a layer of the registry most of whose weights are zero, of either sign."""
    layer = CASES[name].make()
    rng = np.random.default_rng(seed)
    weight = layer.weight * rng.choice([0, 0, 1], layer.weight.shape).astype(layer.dtype)
    return layer.with_weight(-weight if weight.dtype.kind in "fc" else weight)


def eliminated(A: Any, **options: Any) -> Any:
    matrix = A.matrix(**options)
    matrix.eliminate_zeros()
    return matrix


def identical(first: Any, second: Any) -> None:
    """Assert two CSR matrices equal, array by array."""
    assert first.shape == second.shape
    assert first.has_canonical_format
    for name in ("indptr", "indices", "data"):
        mine, its = getattr(first, name), getattr(second, name)
        assert mine.dtype == its.dtype
        np.testing.assert_array_equal(mine, its)


@pytest.fixture(params=[nonzero.STRETCH, 12, 1])
def stretch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many rows are placed at a time."""
    monkeypatch.setattr(nonzero, "STRETCH", request.param)
    size: int = request.param
    return size


@pytest.mark.usefixtures("stretch")
@pytest.mark.parametrize("name", LAYERS)
def test_equals_the_matrix_whose_zeros_are_eliminated(name: str) -> None:
    for seed in range(3):
        A = thinned(name, seed)
        expected = eliminated(A)
        identical(A.matrix(zeros="drop"), expected)
        assert A.count_nonzero() == expected.nnz
        identical(A.T.matrix(zeros="drop"), eliminated(A.T))


@pytest.mark.usefixtures("stretch")
@pytest.mark.parametrize("name", LAYERS[::3])
def test_rows(name: str) -> None:
    A = thinned(name, 5)
    whole, rows = eliminated(A), A.shape[0]
    cuts = sorted({0, 1, rows // 3, rows // 2, rows - 1, rows})
    parts = [A.matrix(rows=slice(*span), zeros="drop") for span in pairwise(cuts)]
    for part, span in zip(parts, pairwise(cuts), strict=True):
        identical(part, whole[slice(*span)])
    assert A.matrix(rows=slice(0, 0), zeros="drop").shape == (0, A.shape[1])


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # dia, many diagonals
def test_formats_and_dtypes() -> None:
    A = thinned("conv-2d-all-options", 1)
    for name in FORMATS:
        made = A.matrix(name, zeros="drop")
        assert made.format == name
        np.testing.assert_array_equal(made.toarray(), A.matrix().toarray())
    identical(A.matrix(dtype="c8", zeros="drop"), eliminated(A, dtype="c8"))
    tiny = cm.conv([[[1e-60, 1.0, np.nan, -0.0]]], (1, 9))
    assert tiny.count_nonzero() == 18  # as float64; what float32 rounds to zero is one
    identical(tiny.matrix(dtype="f4", zeros="drop"), eliminated(tiny, dtype="f4"))


@pytest.mark.parametrize("name", OTHERS)
def test_other_operators(name: str) -> None:
    A = CASES[name].make()
    made, expected = A.matrix(zeros="drop"), eliminated(A)
    identical(made, expected)
    assert made.nnz <= A.count_nonzero() <= A.nnz


def test_compositions() -> None:
    A = cm.conv(integers((1, 1, 3, 3)) * np.eye(3), (1, 6, 6), padding=1)
    full = A.with_weight(integers((1, 1, 3, 3)))
    for B in (A @ A, A.T @ A, A + A, A - A, A - full, 3 * A, 0 * A, cm.block([[A, None], [A, A]])):
        identical(B.matrix(zeros="drop"), eliminated(B))
        assert B.matrix(zeros="drop").nnz <= B.count_nonzero() <= B.nnz
    assert (0 * A).count_nonzero() == 0
    assert (A + A).count_nonzero() < (A + A).nnz
    assert cm.block([[A, A]]).count_nonzero() == 2 * A.count_nonzero()
    assert (A @ full).count_nonzero() < (A @ full).nnz


def test_a_layer_without_zeros_is_built_as_always() -> None:
    A = cm.conv(integers((2, 3, 3, 3)), (3, 9, 9))
    identical(A.matrix(zeros="drop"), A.matrix())
    assert A.count_nonzero() == A.nnz
    nothing = A.with_weight(np.zeros((2, 3, 3, 3)))
    assert (nothing.count_nonzero(), nothing.matrix(zeros="drop").nnz) == (0, 0)


def test_symbols_are_counted() -> None:
    from sympy import symbols

    A = cm.conv(np.array([[[symbols("a"), 0, 0]]], object), (1, 5))
    assert (A.nnz, A.count_nonzero()) == (9, 3)


def test_buffers_are_refused_and_unknown_words() -> None:
    A = cm.conv([[[1, 0, 2]]], (1, 9))
    for arguments in ({"zeros": "drop", "out": A.matrix()}, {"zeros": "none"}, {"zeros": False}):
        with pytest.raises(cm.GeometryError) as caught:
            A.matrix(**arguments)
        assert caught.value.argument == "zeros"
    with pytest.raises(cm.GeometryError, match="zeros"):
        (A + A).matrix(zeros="none")
    with pytest.raises(cm.GeometryError, match="structure"):  # which another weight may not share
        A.matrix(out=A.matrix(zeros="drop"), values_only=True)


def motion(size: int, image: int) -> LayerOperator:
    """Return the blur of a motion along a diagonal."""
    return cm.conv(np.eye(size)[None, None] / size, (1, image, image), padding="same")


def test_only_what_is_left_must_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    A = motion(31, 64)
    monkeypatch.setattr(limits, "NEGLIGIBLE", 0)
    needed = A.count_nonzero() * 12 + (A.shape[0] + 1) * 4
    monkeypatch.setattr(limits, "_available_memory", lambda: needed)
    with pytest.raises(MemoryError):
        A.matrix()
    assert A.matrix(zeros="drop").nnz == A.count_nonzero() < A.nnz / 20
    with pytest.raises(MemoryError):
        A.matrix("coo", zeros="drop")
    monkeypatch.setattr(limits, "_available_memory", lambda: needed - 1)
    with pytest.raises(MemoryError):
        A.matrix(zeros="drop")


def test_the_full_matrix_is_never_there() -> None:
    A = motion(31, 256)
    tracemalloc.start()
    try:
        matrix = A.matrix(zeros="drop")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    held = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    assert held < peak < 1.5 * held < A.nbytes / 15
    image = integers((1, 256, 256))
    np.testing.assert_allclose(matrix @ image.ravel(), A(image).ravel(), atol=1e-12)
    assert sparse.issparse(matrix)
