"""Laws that every operator obeys, tried on the whole registry of `cases`.

All numbers are small integers, so every equality here is exact.
"""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy
from cases import CASES, Case, integers
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator, lsqr, svds

import convmat as cm
from convmat.matrix import limits
from convmat.operator import BuiltOperator, KroneckerOperator, LayerOperator, Operator

KINDS = {"layer": LayerOperator, "separable": KroneckerOperator}

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
LAYERS = [name for name, case in CASES.items() if case.kind == "layer"]
BUILT = [name for name, case in CASES.items() if case.kind != "composed"]
DEFINED = [name for name, case in CASES.items() if case.truth is not None]
Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture
def A(case: Case) -> Operator:  # noqa: N802, an operator is written as a matrix is
    made: Operator = case.make()
    return made


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest) -> LayerOperator:
    made: LayerOperator = CASES[request.param].make()
    return made


@pytest.fixture(params=BUILT)
def built(request: pytest.FixtureRequest) -> BuiltOperator:
    made: BuiltOperator = CASES[request.param].make()
    return made


def numbers_for(operator: Operator, shape: tuple[int, ...], seed: int = 7) -> Array:
    """Integers in float64, or complex ones for a complex operator."""
    return integers(shape, "c16" if operator.dtype.kind == "c" else "f8", seed)


def same(first: Any, second: Any) -> None:
    """Assert two sparse matrices equal: shape, dtype and every entry."""
    assert first.shape == second.shape
    assert first.dtype == second.dtype
    np.testing.assert_array_equal(first.toarray(), second.toarray())


@pytest.mark.parametrize("name", DEFINED)
def test_matrix_is_the_definition(name: str) -> None:
    case = CASES[name]
    assert case.truth is not None
    A = case.make()
    truth = case.truth()
    csr = A.matrix()
    np.testing.assert_array_equal(csr.toarray(), truth)
    assert csr.dtype == (np.int64 if A.dtype.kind in "iu" else A.dtype)  # sums are made in it
    if case.kind == "composed":
        assert A.nnz >= np.count_nonzero(truth)
    else:
        assert A.nnz == np.count_nonzero(truth)  # the weights have no zeros


def test_shapes_are_known_before_building(A: Operator) -> None:
    csr = A.matrix()
    assert A.shape == csr.shape
    assert A.shape == (int(np.prod(A.out_shape)), int(np.prod(A.in_shape)))
    assert A(np.zeros(A.in_shape)).shape == A.out_shape


def test_matrix_times_vector_is_application(A: Operator) -> None:
    x = numbers_for(A, A.in_shape)
    np.testing.assert_array_equal(A.matrix() @ x.ravel(), A(x).ravel())


INTEGERS = [f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)]


def extreme(shape: tuple[int, ...], dtype: Any, seed: int) -> Array:
    """Return the least and the greatest numbers of an integer dtype, in any order."""
    ends = np.iinfo(dtype).min, np.iinfo(dtype).max
    return np.random.default_rng(seed).choice(np.array(ends, dtype), shape)


def multiplies_as_it_is_applied(A: Operator) -> None:
    """Beyond 64 bits both wrap around; only uint64 with signed integers is made of floats."""
    matrix = A.matrix()
    assert matrix.dtype == (np.uint64 if A.dtype == np.uint64 else np.int64)
    for dtype in INTEGERS:
        x = extreme(A.in_shape, dtype, 4)
        y = A(x)
        if y.dtype == np.float64:
            assert (matrix @ x.ravel()).dtype == y.dtype
            assert "u8" in (A.dtype, x.dtype)
            continue
        if y.dtype != matrix.dtype:  # of narrow unsigned weights
            assert (A.dtype.kind, dtype) == ("u", "u8")
            matrix = A.matrix(dtype="u8")
        product = matrix @ x.ravel()
        assert product.dtype == y.dtype
        np.testing.assert_array_equal(product, y.ravel())


@pytest.mark.parametrize("dtype", INTEGERS)
def test_a_matrix_of_integers_multiplies_as_the_layer_does(
    layer: LayerOperator, dtype: str
) -> None:
    A = layer.with_weight(extreme(layer.weight.shape, dtype, 3))
    multiplies_as_it_is_applied(A)
    multiplies_as_it_is_applied(A.T)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", ["conv-2d-all-options", "conv_transpose-1d-stride"])
def test_so_do_those_of_compositions(name: str, dtype: str) -> None:
    layer = CASES[name].make()
    A = layer.with_weight(extreme(layer.weight.shape, dtype, 3))
    composed = [A.T @ A, A + A, 2 * A, cm.block([[A]]), cm.block([[A, A], [None, A]])]
    if dtype != "u8":  # 1 - 2^64 has no place in 64 bits, and such a matrix is refused
        composed += [-A, A - 3 * A]
    for B in composed:
        multiplies_as_it_is_applied(B)
        multiplies_as_it_is_applied(B.T)


def test_a_matrix_of_whole_weights_multiplies_exactly_up_to_32_bits(A: Operator) -> None:
    if A.dtype.kind not in "iuf" or not isinstance(A._numbers, int):
        return  # of fractions, or covered above
    for dtype in (*INTEGERS[:3], *INTEGERS[4:7]):
        x = extreme(A.in_shape, dtype, 5)
        np.testing.assert_array_equal(A.matrix() @ x.ravel(), A(x).ravel())


def test_linear(A: Operator) -> None:
    x, y = numbers_for(A, A.in_shape, 1), numbers_for(A, A.in_shape, 2)
    np.testing.assert_array_equal(A(3 * x - 2 * y), 3 * A(x) - 2 * A(y))


def test_dot(A: Operator) -> None:
    x, y = numbers_for(A, A.in_shape, 1), numbers_for(A, A.out_shape, 2)
    assert np.vdot(y, A(x)) == np.vdot(A.H(y), x)
    assert np.dot(y.ravel(), A(x).ravel()) == np.dot(A.T(y).ravel(), x.ravel())


def test_transposes(A: Operator) -> None:
    csr = A.matrix()
    assert (A.T.in_shape, A.T.out_shape) == (A.out_shape, A.in_shape)
    same(A.T.matrix(), csr.T)
    same(A.H.matrix(), csr.conj().T)
    same(A.T.T.matrix(), csr)
    same(A.H.H.matrix(), csr)
    assert A.T.nnz == A.H.nnz == A.nnz


def test_transpose_of_a_layer_keeps_weight_and_geometry(layer: LayerOperator) -> None:
    assert layer.T.weight is layer.weight
    assert layer.T.T.geometry == layer.geometry
    assert layer.T.geometry.flipped != layer.geometry.flipped


def test_canonical(case: Case) -> None:
    A = case.make()
    assert isinstance(A, KINDS.get(case.kind, Operator))
    assert isinstance(A, BuiltOperator) == (case.kind != "composed")
    csr = A.matrix()
    assert isinstance(csr, sparse.csr_array)
    assert csr.indptr.dtype == csr.indices.dtype == np.int32
    # The flags could be set without being true, so look at the arrays.
    for start, stop in zip(csr.indptr[:-1], csr.indptr[1:], strict=True):
        assert (np.diff(csr.indices[start:stop]) > 0).all()
    assert csr.has_canonical_format
    lengths = np.diff(csr.indptr).max(), np.bincount(csr.indices).max(initial=0)
    assert lengths[0] <= A.longest_row
    assert lengths[1] <= A.longest_column
    if isinstance(A, BuiltOperator):
        assert csr.nnz == A.nnz
        stored = csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes
        assert A.nbytes == stored
    else:
        assert csr.nnz <= A.nnz <= A.shape[0] * A.shape[1]


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")  # dia, many diagonals
def test_formats(A: Operator) -> None:
    for name in FORMATS:
        made = A.matrix(name)
        assert made.format == name
        assert isinstance(made, sparse.sparray)
        same(made, A.matrix())


def test_matrix_in_another_dtype(A: Operator) -> None:
    if A.dtype.kind == "c":
        same(A.matrix(dtype="c8"), A.matrix().astype("c8"))
    else:
        same(A.matrix(dtype="f4"), A.matrix().astype("f4"))
        same(A.matrix(dtype=np.complex128), A.matrix().astype("c16"))


def test_row_blocks(built: BuiltOperator) -> None:
    whole = built.matrix()
    rows = built.shape[0]
    cuts = sorted({0, 1, rows // 3, rows // 3, rows - 1, rows})
    spans = list(pairwise(cuts))
    blocks = [built.matrix(rows=slice(*span)) for span in spans]
    for block, (start, stop) in zip(blocks, spans, strict=True):
        assert block.shape == (stop - start, built.shape[1])
        assert block.indptr[0] == 0
        assert block.nnz == block.indptr[-1] == block.indices.size
    same(sparse.vstack(blocks, format="csr"), whole)
    for rows_wanted in (slice(0, 0), slice(2, 1), slice(rows, None), slice(-1, None), slice(None)):
        same(built.matrix(rows=rows_wanted), whole[rows_wanted])
    same(built.matrix("csc", rows=slice(0, 1)), whole[:1])


def test_written_into_old_buffers(built: BuiltOperator) -> None:
    out = built.matrix()
    expected = out.copy()
    buffers = out.indptr, out.indices, out.data
    for buffer in buffers:
        buffer[:] = 99
    assert built.matrix(out=out) is out
    assert all(a is b for a, b in zip(buffers, (out.indptr, out.indices, out.data), strict=True))
    same(out, expected)

    block = built.matrix(rows=slice(0, 1))
    block.data[:] = 99
    same(built.matrix(rows=slice(0, 1), out=block), expected[:1])


def test_values_only(layer: LayerOperator) -> None:
    other = LayerOperator(layer.geometry, (2 * layer.weight).astype(layer.dtype))
    out = layer.matrix()
    indices = out.indices.copy()
    assert other.matrix(out=out, values_only=True) is out
    np.testing.assert_array_equal(out.indices, indices)
    same(out, other.matrix())


def test_values_only_of_exact_weights(built: BuiltOperator) -> None:
    out, expected = built.matrix(), built.matrix()
    out.data[:] = 99
    same(built.matrix(out=out, values_only=True), expected)


def test_weight_matrix(layer: LayerOperator) -> None:
    x = numbers_for(layer, (2, *layer.in_shape))
    U = layer.weight_matrix(x)
    assert U.shape == (2 * layer.shape[0], layer.weight.size)
    assert U.nnz == 2 * layer.nnz
    assert U.has_sorted_indices
    np.testing.assert_array_equal(U @ layer.weight.ravel(), layer(x).ravel())
    # It depends on x alone: another weight on the same geometry gives another layer's answer.
    other = LayerOperator(layer.geometry, integers(layer.weight.shape, layer.dtype, 11))
    np.testing.assert_array_equal(U @ other.weight.ravel(), other(x).ravel())
    one = layer.weight_matrix(x[0])
    np.testing.assert_array_equal(one @ layer.weight.ravel(), layer(x[0]).ravel())
    assert layer.weight_matrix(x[:0]).shape == (0, layer.weight.size)


def test_symbolic_matrix(A: Operator) -> None:
    """With numbers for its symbols it is the matrix."""
    symbolic = A.symbolic_matrix("v")
    assert symbolic.shape == A.shape
    values = {}
    weights = {id(weight): weight for weight in A._weighted()}
    for number, weight in enumerate(weights.values(), 1):
        base = sympy.IndexedBase("v" if len(weights) == 1 else f"v{number}")
        values |= {base[index]: weight[index].item() for index in np.ndindex(weight.shape)}
    dense = np.zeros(A.shape, complex)
    for (r, c), entry in symbolic.todok().items():
        dense[r, c] = complex(sympy.sympify(entry).xreplace(values))
    np.testing.assert_array_equal(dense, A.matrix().toarray())


def test_copies(A: Operator) -> None:
    for other in (pickle.loads(pickle.dumps(A)), copy.copy(A), copy.deepcopy(A)):
        assert repr(other) == repr(A)
        same(other.matrix(), A.matrix())


def test_repr_says_shapes_dtype_and_cost(A: Operator) -> None:
    text = repr(A)
    for part in (
        A.in_shape,
        A.out_shape,
        A.dtype,
        f"{A.shape[0]} x {A.shape[1]}",
        f"{A.nnz} stored entries",
    ):
        assert str(part) in text
    assert "\n" not in text


def test_batches(A: Operator) -> None:
    for batch in ((1,), (3,), (2, 1, 2), (0,), (2, 0, 3)):
        x = numbers_for(A, (*batch, *A.in_shape))
        y = A(x)
        assert y.shape == (*batch, *A.out_shape)
        for b in np.ndindex(*batch):
            np.testing.assert_array_equal(y[b], A(x[b]))


def test_layout_of_the_input_does_not_matter(A: Operator) -> None:
    x = numbers_for(A, (2, *A.in_shape))
    expected = A(x)
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    swapped = x.astype(x.dtype.newbyteorder())
    reverse = x[..., ::-1].copy()[..., ::-1]
    for layout in (wide[..., ::2], np.asfortranarray(x), read_only, swapped, reverse, x.tolist()):
        np.testing.assert_array_equal(A(layout), expected)
    np.testing.assert_array_equal(read_only, x)


def test_dtype_of_the_answer(A: Operator) -> None:
    for dtype in ("i1", "i4", "i8", "f4", "f8", "c8", "c16"):
        x = integers(A.in_shape, dtype)
        y = A(x)
        if isinstance(A._numbers, np.dtype):
            promoted = np.result_type(A.dtype, x.dtype)
        elif isinstance(A._numbers, int) or x.dtype.kind in "fc":
            promoted = x.dtype  # exact weights leave the precision to x
        else:
            promoted = np.dtype(np.float64)
        assert y.dtype == (np.int64 if promoted.kind in "iu" else promoted)
        np.testing.assert_array_equal(y, A(x.astype("c16")))


def test_torch_tensors(A: Operator) -> None:
    torch = pytest.importorskip("torch", reason="tensors in, tensors out needs torch")
    x = integers((2, *A.in_shape))
    y = A(torch.tensor(x))
    assert isinstance(y, torch.Tensor)
    np.testing.assert_array_equal(y.numpy(), A(x))
    with pytest.raises(cm.GeometryError, match="detach"):
        A(torch.tensor(x, requires_grad=True))


def test_matrix_protocol(A: Operator) -> None:
    dense = A.matrix().toarray()
    rows, columns = A.shape
    x, y = numbers_for(A, (columns, 3)), numbers_for(A, (rows, 3))
    np.testing.assert_array_equal(A.matvec(x[:, 0]), dense @ x[:, 0])
    np.testing.assert_array_equal(A.matvec(x[:, :1]), dense @ x[:, :1])
    np.testing.assert_array_equal(A.rmatvec(y[:, 0]), dense.conj().T @ y[:, 0])
    np.testing.assert_array_equal(A.matmat(x), dense @ x)
    np.testing.assert_array_equal(A.rmatmat(y), dense.conj().T @ y)
    np.testing.assert_array_equal(A @ x[:, 0], dense @ x[:, 0])
    np.testing.assert_array_equal(A @ x, dense @ x)
    assert A.matmat(x[:, :0]).shape == (rows, 0)
    for bad in (np.ones(columns + 1), np.ones((columns + 1, 2)), np.ones((columns, 2, 2)), 1.0):
        with pytest.raises(cm.GeometryError):
            A @ bad
    with pytest.raises(cm.GeometryError):
        A.matvec(np.ones((columns, 2)))


def test_wrapped_by_scipy(A: Operator) -> None:
    wrapped = aslinearoperator(A)
    assert isinstance(wrapped, LinearOperator)
    x, y = numbers_for(A, (A.shape[1],)), numbers_for(A, (A.shape[0],))
    np.testing.assert_array_equal(wrapped @ x, A @ x)
    np.testing.assert_array_equal(wrapped.H @ y, A.H @ y)


def test_algebra_of_scalars(A: Operator) -> None:
    x = numbers_for(A, A.in_shape)
    for double in (2 * A, A * 2, np.float64(2) * A, A * np.int64(2), np.array(2) * A, A + A):
        np.testing.assert_array_equal(double(x), 2 * A(x))
        np.testing.assert_array_equal(double.matrix() @ x.ravel(), 2 * A(x).ravel())
    np.testing.assert_array_equal((-A)(x), -A(x))
    np.testing.assert_array_equal((A - 3 * A)(x), -2 * A(x))
    np.testing.assert_array_equal((A.T @ A)(x), A.T(A(x)))


def test_scalars_belong_to_the_operator() -> None:
    A = cm.conv(integers((1, 1, 2)), (1, 4))
    two = np.array(2.0)
    double = two * A
    two[...] = 5
    np.testing.assert_array_equal(double.matrix().toarray(), 2 * A.matrix().toarray())
    third = Fraction(1, 3) * A
    assert third.symbolic_matrix()[0, 0] == sympy.IndexedBase("w")[0, 0, 0] / 3
    np.testing.assert_array_equal(third.matrix().toarray(), A.matrix().toarray() / 3)
    np.testing.assert_array_equal(
        (sympy.Rational(1, 3) * A)(np.ones((1, 4))), third(np.ones((1, 4)))
    )
    assert (Fraction(1, 3) * cm.identity((1, 2)))(np.ones((1, 2), "f4")).dtype == np.float32
    assert (Fraction(4, 2) * cm.identity((1, 2)))(np.ones((1, 2), "i4")).dtype == np.int64
    big = Fraction(10**30, 7)
    np.testing.assert_allclose((big * A).matrix().toarray(), float(big) * A.matrix().toarray())
    torch = pytest.importorskip("torch", reason="tensors as scalars need torch")
    assert torch.equal((A * torch.tensor(2.0)).T(torch.ones(1, 3)), 2 * A.T(torch.ones(1, 3)))


def test_weight_matrix_of_compositions() -> None:
    """What comes before the layer acts on x, what comes after on each sample by itself."""
    x = integers((4, 2, 7))
    layer = cm.conv(integers((3, 2, 3)), (2, 5))
    before, after = cm.pad((2, 7), -1), cm.avg_pool((3, 3), 2, stride=1)
    for A in (layer @ before, after @ layer @ before, 2 * (after @ (layer @ before))):
        U = A.weight_matrix(x)
        np.testing.assert_array_equal(U @ layer.weight.ravel(), A(x).ravel())
    for A in (before, layer.T @ layer, layer + layer):
        with pytest.raises(cm.GeometryError, match="one weight"):
            A.weight_matrix(np.zeros(A.in_shape))


def test_transposes_of_exact_layers_are_made_once() -> None:
    A = cm.upsample((1, 3), scale_factor=2)
    assert A.T is A.T
    assert A.T.T is A
    assert "T" not in pickle.loads(pickle.dumps(A)).__dict__


def test_compositions_too_large_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything of their size is allocated; a product by its entries, not by the bound."""
    up, down = cm.upsample((1, 1), size=4000), cm.adaptive_avg_pool((1, 4000), 1)
    monkeypatch.setattr(limits, "NEGLIGIBLE", 0)
    monkeypatch.setattr(limits, "_available_memory", lambda: 10**8)
    for A in (up @ down, up @ down + up @ down, 2 * (up @ down), cm.block([[up @ down]])):
        with pytest.raises(MemoryError):
            A.matrix()
    monkeypatch.setattr(limits, "_available_memory", lambda: 10**6)
    dense = cm.conv(np.ones((1, 1, 99)), (1, 100), padding="same")
    assert (dense.T @ dense).matrix().shape == (100, 100)
    sparse_product = cm.conv(np.ones((1, 1, 50)), (1, 150), stride=10)
    bound = (sparse_product.T @ sparse_product).nnz
    monkeypatch.setattr(limits, "_available_memory", lambda: 16 * bound - 1)
    assert (sparse_product.T @ sparse_product).matrix().nnz < bound


def test_blocks_of_bad_shape_are_refused() -> None:
    A, B = cm.identity((1, 3)), cm.identity((1, 4))
    for bad in ([A, A], 5, [], [[]], [[A], [A, A]], [[None]], [[A, B]], [[A], [B]], [[A, 2]]):
        with pytest.raises(cm.GeometryError) as caught:
            cm.block(bad)
        assert caught.value.argument == "blocks"
    with pytest.raises(cm.GeometryError, match="range"):
        cm.block([[100 * A, None], [None, 300 * A]]).matrix(dtype="i1")


def test_bad_vectors_are_refused(A: Operator) -> None:
    for bad in (
        np.ones((A.in_shape[0] + 1, *A.in_shape[1:])),
        np.ones(A.in_shape[1:]),
        np.ones((*A.in_shape, 1)) if A.in_shape[-1] > 1 else np.ones(()),
        np.float64(1),
        np.full(A.in_shape, "a"),
        np.zeros(A.in_shape, "M8[s]"),
        "text",
        [[1, 2], [3]],
    ):
        with pytest.raises(cm.GeometryError) as caught:
            A(bad)
        assert caught.value.argument == "x"


def test_lsqr_and_svds_take_operators_as_they_are() -> None:
    rng = np.random.default_rng(0)
    A = cm.conv(rng.normal(size=(4, 2, 3, 3)), (2, 5, 5), padding=1)
    x = rng.normal(size=A.shape[1])
    for operator in (A, 2 * A, A + A, A.T @ A):
        found = lsqr(operator, operator @ x, atol=1e-14, btol=1e-14)[0]
        np.testing.assert_allclose(found, x, rtol=1e-8, atol=1e-9)
    for operator in (A, A.T, cm.conv(rng.normal(size=(2, 1, 3)) * (1 + 1j), (1, 20))):
        largest = svds(operator, k=3, return_singular_vectors=False, random_state=0)
        expected = np.linalg.svd(operator.matrix().toarray(), compute_uv=False)[:3]
        np.testing.assert_allclose(np.sort(largest)[::-1], expected, rtol=1e-10)


def test_weights_stay_read_only(layer: LayerOperator) -> None:
    copies = pickle.loads(pickle.dumps(layer)), copy.copy(layer), copy.deepcopy(layer)
    for other in (layer, layer.T, layer.H, layer.H.H, *copies):
        assert not other.weight.flags.writeable
