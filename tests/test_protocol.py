"""SciPy's solvers and PyLops take an operator as it is."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from cases import integers
from scipy import sparse
from scipy.sparse import linalg

import convmat as cm

IMAGINARY = integers((2, 1, 3, 3), seed=1) + 1j * integers((2, 1, 3, 3), seed=2)
REAL = cm.conv(integers((2, 1, 3, 3)).astype(float), (1, 5, 4), padding=1)
OPERATORS = {
    "convolution": REAL,
    "complex": cm.conv(IMAGINARY, (1, 5, 4), stride=2),
    "transposed": cm.conv_transpose(IMAGINARY, (2, 3, 2)),
    "average": cm.avg_pool((2, 4, 6), 2),
    "product": REAL.T @ REAL,
    "sum": REAL + 2j * REAL,
    "block": cm.block([[REAL], [REAL]]),
    "multiple": 3 * REAL,
}


@pytest.fixture(params=OPERATORS)
def operator(request):
    return OPERATORS[request.param]


def vectors(size, count=2):
    generator = np.random.default_rng(5)
    return generator.standard_normal((size, count)) + 1j * generator.standard_normal((size, count))


class Wrapped(linalg.LinearOperator):
    """What PyLops makes of an operator that is not its own: it calls these four names."""

    def __init__(self, operator):
        self.operator = operator
        super().__init__(operator.dtype, operator.shape)

    def _matvec(self, x):
        return self.operator._matvec(x)

    def _rmatvec(self, x):
        return self.operator._rmatvec(x)

    def _matmat(self, x):
        return self.operator._matmat(x)

    def _rmatmat(self, x):
        return self.operator._rmatmat(x)


def wrapped_by_pylops(operator):
    import pylops

    return pylops.aslinearoperator(operator)


@pytest.mark.parametrize("wrap", [linalg.aslinearoperator, Wrapped, wrapped_by_pylops])
def test_wrapped_operators_are_the_matrix(operator, wrap):
    dense, wrapped = operator.matrix().toarray(), wrap(operator)
    assert wrapped.shape == dense.shape
    assert wrapped.dtype == dense.dtype
    x, y = vectors(dense.shape[1]), vectors(dense.shape[0])
    np.testing.assert_allclose(wrapped @ x[:, 0], dense @ x[:, 0])
    np.testing.assert_allclose(wrapped.matmat(x), dense @ x)
    np.testing.assert_allclose(wrapped.rmatvec(y[:, 0]), dense.conj().T @ y[:, 0])
    np.testing.assert_allclose(wrapped.rmatmat(y), dense.conj().T @ y)
    np.testing.assert_allclose(wrapped.T @ y[:, 0], dense.T @ y[:, 0])


def test_pylops_stacks_operators(operator):
    import pylops

    wrapped, dense = pylops.aslinearoperator(operator), operator.matrix().toarray()
    x = vectors(dense.shape[1])[:, 0]
    twice = np.concatenate([dense @ x, dense @ x])
    np.testing.assert_allclose(pylops.VStack([wrapped, wrapped], dtype=complex) @ x, twice)
    np.testing.assert_allclose((operator.H @ wrapped) @ x, dense.conj().T @ (dense @ x))


def test_the_methods_of_scipys_operators(operator):
    dense = operator.matrix().toarray()
    x, y = vectors(dense.shape[1]), vectors(dense.shape[0])
    for made, expected in (
        (operator.transpose(), dense.T),
        (operator.adjoint(), dense.conj().T),
        (operator.conj(), dense.conj()),
        (operator.dot(operator.T), dense @ dense.T),
        (operator.dot(3), 3 * dense),
    ):
        np.testing.assert_array_equal(made.matrix().toarray(), expected)
    np.testing.assert_array_equal(operator.dot(x), operator @ x)
    np.testing.assert_allclose(y.T @ operator, y.T @ dense)
    np.testing.assert_allclose(y[:, 0] @ operator, y[:, 0] @ dense)
    with pytest.raises(cm.GeometryError, match="must be"):
        x.T[:, 1:] @ operator


def test_products_with_operators_of_scipy(operator):
    dense = operator.matrix().toarray()
    other = linalg.aslinearoperator(np.arange(2.0 * dense.shape[1]).reshape(-1, 2))
    product = operator @ other
    assert isinstance(product, linalg.LinearOperator)
    np.testing.assert_allclose(product @ [1.0, 2], dense @ (other @ [1.0, 2]))


def test_solvers_take_operators_as_they_are():
    weight = integers((2, 1, 3, 3)).astype(float)
    weight[:, :, 1, 1] += 50  # so that they need few steps
    A = cm.conv(weight, (1, 5, 4), padding=1)
    y = A @ np.arange(1.0, 21)
    for solver in (linalg.lsqr, linalg.lsmr):
        np.testing.assert_allclose(solver(A, y, atol=1e-12, btol=1e-12)[0], np.arange(1.0, 21))
    normal = A.T @ A
    for solver in (linalg.cg, linalg.gmres, linalg.minres):
        found = solver(normal, A.T @ y, rtol=1e-12)[0]
        np.testing.assert_allclose(found, np.arange(1.0, 21))
    values = np.linalg.svd(A.matrix().toarray(), compute_uv=False)
    np.testing.assert_allclose(np.sort(linalg.svds(A, 2)[1])[::-1], values[:2])
    np.testing.assert_allclose(np.sort(linalg.eigsh(normal, 2)[0])[::-1], values[:2] ** 2)


def test_sparse_matrices_are_multiplied_by_the_matrix():
    M = sparse.eye_array(20, format="csr")
    with pytest.raises(cm.GeometryError, match=r"A\.matrix\(\) @ x.*A @ x\.toarray\(\)"):
        REAL @ M
    np.testing.assert_array_equal((REAL.matrix() @ M).toarray(), REAL @ M.toarray())
    with pytest.raises(TypeError, match=r"use A\.matrix\(\).*aslinearoperator\(A\)"):
        sparse.eye_array(40) @ REAL


def test_vectors_are_not_tensors():
    with pytest.raises(cm.GeometryError, match="write A @ x for vectors"):
        REAL(np.ones(20))
    with pytest.raises(cm.GeometryError, match="write A @ x for vectors"):
        linalg.lobpcg(REAL.T @ REAL, np.eye(20, 2))
    assert linalg.lobpcg(linalg.aslinearoperator(REAL.T @ REAL), np.eye(20, 2))[0].shape == (2,)


def test_none_of_it_is_paid_for_at_import():
    code = "import sys, convmat as cm; cm.identity((1, 3)).adjoint(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "convmat.operator.protocol" in done.stdout.split()
    assert "scipy.sparse.linalg" not in done.stdout.split()
