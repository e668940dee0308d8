"""Matrices on request: what is refused, and what is never shared."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from cases import integers
from scipy import sparse

import convmat as cm


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
    for name in ("dense", "", "CSR", None, 3, ["csr"]):
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
