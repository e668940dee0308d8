"""Matrices on request: what is refused, and what is never shared."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import integers
from scipy import sparse

import convmat as cm
from convmat.matrix import entries, limits


def test_refused_buffers() -> None:
    A = cm.conv(integers((2, 1, 3)), (1, 6), padding=1)
    other = cm.conv(integers((2, 1, 3)), (1, 6), padding=((2, 0),))
    good = A.matrix()
    read_only = A.matrix()
    read_only.data.flags.writeable = False
    wide = A.matrix()
    wide.indices, wide.indptr = wide.indices.astype("i8"), wide.indptr.astype("i8")
    shared = A.matrix()
    shared.data = np.ones(2 * shared.nnz)[::2]
    for bad in (
        good.tocsc(),
        sparse.csr_matrix(good),
        good.toarray(),
        A.matrix(rows=slice(0, 3)),
        A.matrix(dtype="f4"),
        good[:, :-1].tocsr(),
        sparse.csr_array(good.shape),
        read_only,
        wide,
        shared,
        "text",
    ):
        before = copy.deepcopy(bad)
        with pytest.raises(cm.GeometryError) as caught:
            A.matrix(out=bad)
        assert caught.value.argument == "out"
        if sparse.issparse(bad):
            assert (bad != before).nnz == 0  # nothing was written
    for unknown in (
        sparse.csr_array(good),
        good.copy(),
        other.matrix(),
        A.matrix(rows=slice(0, 12))[:, :],
    ):
        if unknown.nnz == good.nnz and unknown is not good:
            with pytest.raises(cm.GeometryError):
                A.matrix(out=unknown, values_only=True)
    with pytest.raises(cm.GeometryError):
        A.matrix(values_only=True)
    with pytest.raises(cm.GeometryError):
        A.matrix("csc", out=good)
    with pytest.raises(cm.GeometryError):
        A.T.matrix(out=good, values_only=True)


def test_refused_rows() -> None:
    A = cm.conv(integers((2, 1, 3)), (1, 6))
    for bad in (
        slice(None, None, 2),
        slice(None, None, -1),
        slice("a"),
        slice(0.5, 2),
        3,
        (0, 2),
        "all",
    ):
        with pytest.raises(cm.GeometryError) as caught:
            A.matrix(rows=bad)
        assert caught.value.argument == "rows"


def test_refused_formats_and_dtypes() -> None:
    A = cm.conv(integers((2, 1, 3)), (1, 6))
    for name in ("dense", "", "CSV", None, 3, ["csr"]):
        for operator in (A, A @ A.T, A + A, 2 * A):
            with pytest.raises(cm.GeometryError):
                operator.matrix(name)
    for dtype in ("bool", "f2", "U3", "M8[s]", "nonsense", object):
        with pytest.raises(cm.GeometryError):
            A.matrix(dtype=dtype)


def test_refused_compositions() -> None:
    A = cm.conv(integers((2, 1, 3)), (1, 6))
    B = cm.conv(integers((1, 1, 3)), (1, 6))
    for compose in (lambda: A @ B, lambda: A + B, lambda: A - B):
        with pytest.raises(cm.GeometryError, match=r"\(1, 6\)"):
            compose()
    for nonsense in (
        lambda: A + 1,
        lambda: A - "a",
        lambda: A * "a",
        lambda: A * None,
        lambda: A * A,
        lambda: A * [1, 2],
        lambda: np.ones(3) * A,
    ):
        with pytest.raises((TypeError, cm.GeometryError)):
            nonsense()


def test_weight_is_a_private_copy() -> None:
    w = integers((1, 1, 3))
    A = cm.conv(w, (1, 5))
    before = A.matrix().toarray()
    w[:] = 0
    np.testing.assert_array_equal(A.matrix().toarray(), before)
    with pytest.raises(ValueError, match="read-only"):
        A.weight[0, 0, 0] = 1
    A.matrix().data[:] = 0  # the matrix does not share memory with the weight either
    np.testing.assert_array_equal(A.matrix().toarray(), before)


def test_zeros_of_the_weight_stay_stored() -> None:
    A = cm.conv(np.array([[[1.0, 0.0, 2.0]]]), (1, 5))
    assert A.matrix().nnz == A.nnz == 9
    assert A.matrix().toarray().astype(bool).sum() == 6


@pytest.fixture(params=[entries.GRID_LIMIT, 0], ids=["numpy", "numba"])
def builder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Build small matrices by either builder."""
    monkeypatch.setattr(entries, "GRID_LIMIT", request.param)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # wanted here
@pytest.mark.usefixtures("builder")
def test_values_only_refuses_a_structure_that_was_replaced() -> None:
    A = cm.conv(integers((1, 1, 3)), (1, 6), padding=1)
    out = A.matrix()
    out.data[0] = 0
    out[0, 5] = 7
    out.eliminate_zeros()
    assert out.nnz == A.nnz  # one entry less, one more: sizes alone would not tell
    with pytest.raises(cm.GeometryError, match="changed since"):
        A.matrix(out=out, values_only=True)
    out = A.matrix()
    out.indices = out.indices.copy()
    with pytest.raises(cm.GeometryError, match="changed since"):
        A.matrix(out=out, values_only=True)
    out = A.matrix(out=out)
    indices = out.indices
    out.data *= 3
    assert A.matrix(out=out, values_only=True) is out
    assert out.indices is indices
    assert (out != A.matrix()).nnz == 0


@pytest.mark.usefixtures("builder")
def test_values_only_writes_values_only() -> None:
    A = cm.conv(integers((1, 1, 3)), (1, 6), padding=1)
    out = A.matrix()
    out.indices.flat[0] = 4
    A.matrix(out=out, values_only=True)
    assert out.indices[0] == 4  # neither written nor, in place, noticed


@pytest.mark.usefixtures("builder")
def test_values_only_tells_row_blocks_apart() -> None:
    A = cm.conv(integers((2, 1, 3)), (1, 6), padding=1)
    first, last = slice(0, 3), slice(3, 6)
    block = A.matrix(rows=first)
    assert block.shape == A.matrix(rows=last).shape
    assert block.nnz == A.matrix(rows=last).nnz
    assert block.indices.tolist() != A.matrix(rows=last).indices.tolist()
    with pytest.raises(cm.GeometryError):
        A.matrix(rows=last, out=block, values_only=True)
    A.matrix(rows=last, out=block)
    assert (block != A.matrix()[last]).nnz == 0


def test_copies_of_a_matrix_leave_the_mark_behind() -> None:
    A = cm.conv(integers((1, 1, 3)), (1, 6), padding=1)
    out = A.matrix()
    assert b"convmat." not in pickle.dumps(out)
    for other in (pickle.loads(pickle.dumps(out)), copy.deepcopy(out), out.copy()):
        assert (other != out).nnz == 0
        with pytest.raises(cm.GeometryError):
            A.matrix(out=other, values_only=True)
    A.matrix(out=copy.copy(out), values_only=True)  # which holds the very same arrays


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (300.7, "i1"),
        (1.5, "i8"),
        (np.nan, "i4"),
        (np.inf, "i8"),
        (-1.0, "u1"),
        (2.0**63, "i8"),
        (2.0**64, "u8"),
        (np.int64(128), "i1"),
        (np.int64(-1), "u8"),
        (np.uint64(2**63), "i8"),
    ],
)
def test_casts_to_integers_are_exact_or_refused(value: Any, dtype: str) -> None:
    A = cm.conv(np.full((1, 1, 2), value), (1, 5))
    for operator in (A, A.T):
        with pytest.raises(cm.GeometryError, match="would change the weights") as caught:
            operator.matrix(dtype=dtype)
        assert caught.value.argument == "dtype"


def test_exact_casts_to_integers() -> None:
    for value, dtype in (
        (-128.0, "i1"),
        (2.0**63, "u8"),
        (np.int64(255), "u1"),
        (-(2.0**63), "i8"),
    ):
        csr = cm.conv(np.full((1, 1, 2), value), (1, 3)).matrix(dtype=dtype)
        assert csr.dtype == dtype
        assert int(csr.data[0]) == int(value)


@pytest.mark.parametrize(
    "dtype", ["(2,a)f4", "garbage(", "(2,)f4", "f4,f4", "f2", "g", object, bool]
)
def test_refused_dtypes_are_named_as_they_were_given(dtype: Any) -> None:
    with pytest.raises(cm.GeometryError, match="use one such as 'f8'") as caught:
        cm.conv(integers((1, 1, 3)), (1, 6)).matrix(dtype=dtype)
    assert caught.value.argument == "dtype"
    assert caught.value.value is dtype


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # dia, many diagonals
@pytest.mark.parametrize("name", ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"])
@pytest.mark.parametrize("whole", [True, False])
def test_memory_is_counted_before_it_is_used(
    name: str, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    A = cm.conv(np.ones((3, 2, 3, 3)), (2, 40, 40), padding=1)
    rows = None if whole else slice(5, None)
    A.matrix(name, rows=rows)  # loads and fills caches
    counted: list[int] = []
    monkeypatch.setattr(limits, "check_memory", lambda needed, *_: counted.append(needed))
    monkeypatch.setattr(entries, "GRID_LIMIT", 0)
    A.matrix(name, rows=rows)
    counted.clear()
    tracemalloc.start()
    try:
        kept = A.matrix(name, rows=rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert kept.nnz > 0
    assert sum(counted) >= 0.95 * peak


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # as it says
def test_dia_is_refused_when_its_diagonals_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    A = cm.conv(np.ones((1, 1, 3)), (1, 2000), stride=2)  # a diagonal or two for each output
    size = A.matrix("dia").data.nbytes
    assert size > 100 * A.nbytes
    monkeypatch.setattr(limits, "NEGLIGIBLE", 0)
    monkeypatch.setattr(limits, "_available_memory", lambda: size)
    A.matrix("dia")
    monkeypatch.setattr(limits, "_available_memory", lambda: size - 1)
    with pytest.raises(MemoryError, match="use format='csr'"):
        A.matrix("dia")


def test_memory_of_a_weight_matrix_is_counted_with_its_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    A = cm.conv(np.ones((2, 1, 3, 3)), (1, 20, 20))
    x = np.ones((30, 1, 20, 20))
    U = A.weight_matrix(x)
    size = U.data.nbytes + U.indices.nbytes + U.indptr.nbytes
    monkeypatch.setattr(limits, "NEGLIGIBLE", 0)
    monkeypatch.setattr(limits, "_available_memory", lambda: size)
    A.weight_matrix(x[:10])
    with pytest.raises(MemoryError, match="smaller batches"):
        A.weight_matrix(x)


def test_symbolic_matrices_too_large_to_hold_are_refused_before_allocating() -> None:
    A = cm.conv(np.ones((1, 1, 3)), (1, 10**12))
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError, match="read"):
            A.symbolic_matrix()
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_memory_of_a_container_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits._group_memory(tmp_path) is None
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 200\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert limits._group_memory(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert limits._group_memory(tmp_path) == 500
    (tmp_path / "memory.max").write_text("400\n")
    assert limits._group_memory(tmp_path) == 0
    older = tmp_path / "other" / "memory"
    older.mkdir(parents=True)
    (older / "memory.limit_in_bytes").write_text("1000\n")
    (older / "memory.usage_in_bytes").write_text("700\n")
    (older / "memory.stat").write_text("total_inactive_file 100\n")
    assert limits._group_memory(tmp_path / "other") == 400
    for free, group, least in (
        (5, 3, 3),
        (3, 5, 3),
        (None, 5, 5),
        (5, None, 5),
        (None, None, None),
    ):
        monkeypatch.setattr(limits, "_free_memory", lambda free=free: free)
        monkeypatch.setattr(limits, "_group_memory", lambda group=group: group)
        assert limits._available_memory() == least


def test_compositions_convert_at_the_end_and_refuse_what_does_not_fit():
    A = cm.conv(np.full((1, 1, 2), 100, "i1"), (1, 4))
    assert (2 * A).matrix(dtype="i2").dtype == np.int16
    assert (2 * A).matrix(dtype="i2").max() == 200
    for operator in (2 * A, A + A, A.T @ A):
        with pytest.raises(cm.GeometryError, match="in its range"):
            operator.matrix(dtype="i1")
