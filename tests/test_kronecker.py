"""The record of layers without weights, and its two builders."""

from __future__ import annotations

import pickle
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
import pytest
import sympy
from cases import CASES
from hypothesis import given

import convmat as cm
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.pattern import enumerate_kronecker, index_dtype, nbytes
from convmat.kernels.cpu.csr import kronecker as fast
from convmat.kernels.cpu.kronecker import in_numpy
from convmat.matrix import entries
from convmat.operator import KroneckerOperator

SEPARABLE = [name for name, case in CASES.items() if case.kind == "separable"]


@st.composite
def maps(draw, most=6):
    """Maps with any entries, equal outputs and empty ones among them."""
    n_in, n_out = draw(st.integers(1, most)), draw(st.integers(1, 2 * most))
    rows = draw(
        st.lists(
            st.dictionaries(st.integers(0, n_in - 1), st.integers(-4, 4), max_size=3),
            min_size=1,
            max_size=3,
        )
    )
    chosen = draw(st.lists(st.integers(0, len(rows) - 1), min_size=n_out, max_size=n_out))
    bottoms = draw(st.lists(st.integers(1, 6), min_size=len(rows), max_size=len(rows)))
    triples = [(o, i, v, bottoms[r]) for o, r in enumerate(chosen) for i, v in rows[r].items()]
    columns = np.array(triples, np.int64).reshape(-1, 4).T
    return AxisMap.of(n_in, n_out, *columns)


@st.composite
def records(draw):
    parts = draw(st.lists(maps(), min_size=1, max_size=3))
    shapes = tuple(part.n_in for part in parts), tuple(part.n_out for part in parts)
    return Kronecker.of(parts, *shapes)


def dense(part):
    """The map as rows of fractions, from the definition."""
    table = [[Fraction(0)] * part.n_in for _ in range(part.n_out)]
    for o in range(part.n_out):
        for e in range(part.begin[o], part.begin[o + 1]):
            table[o][part.inputs[e]] += Fraction(int(part.numerators[e]), int(part.denominators[e]))
    return np.array(table, object).reshape(part.n_out, part.n_in)


def kronecker(record):
    whole = np.array([[Fraction(1)]], object)
    for part in record.maps:
        whole = np.kron(whole, dense(part))
    return whole


def rebuilt(record, dtype="f8", rows=None):
    return fast.csr(record, np.dtype(dtype), rows or (0, record.shape[0]))


def same_arrays(first, second):
    for mine, its in zip(first, second, strict=True):
        np.testing.assert_array_equal(mine, its)
        assert mine.dtype == its.dtype


@given(record=records())
def test_small_builder_is_the_kronecker_product(record):
    indptr, indices, values = enumerate_kronecker(record, np.dtype(object))
    found = np.full(record.shape, Fraction(0), object)
    for row in range(record.shape[0]):
        for e in range(indptr[row], indptr[row + 1]):
            found[row, indices[e]] = Fraction(int(values[e].p), int(values[e].q))
    assert (found == kronecker(record)).all()


@given(record=records(), data=st.data())
def test_the_two_builders_agree(record, data):
    dtype = data.draw(st.sampled_from(["f4", "f8", "c8", "c16"]))
    for parts in (record, record.transpose()):
        whole = enumerate_kronecker(parts, np.dtype(dtype))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fast, "LINE_ENTRIES", data.draw(st.sampled_from([1, 8, 1 << 11])))
            patch.setattr(fast, "PIECE_ENTRIES", data.draw(st.sampled_from([4, 64, 1 << 18])))
            patch.setattr(fast, "TEMPLATE_ENTRIES", data.draw(st.sampled_from([0, 20, 1 << 17])))
            same_arrays(rebuilt(parts, dtype), whole)
            start = data.draw(st.integers(0, parts.shape[0]))
            stop = data.draw(st.integers(start, parts.shape[0]))
            indptr, indices, values = rebuilt(parts, dtype, (start, stop))
        first, last = whole[0][start], whole[0][stop]
        same_arrays(
            (indptr, indices, values),
            (whole[0][start : stop + 1] - first, whole[1][first:last], whole[2][first:last]),
        )


@pytest.mark.parametrize("name", SEPARABLE)
def test_compiled_registry(name, monkeypatch):
    A = CASES[name].make()
    whole = A.matrix()
    monkeypatch.setattr(entries, "SORT_LIMIT", 0)
    compiled = A.matrix()
    same_arrays(
        (compiled.indptr, compiled.indices, compiled.data),
        (whole.indptr, whole.indices, whole.data),
    )
    for line in (1, 16):
        monkeypatch.setattr(fast, "LINE_ENTRIES", line)
        assert (A.matrix() != whole).nnz == 0
        assert (A.T.matrix() != whole.T).nnz == 0


@given(record=records())
def test_closed_forms(record):
    indptr, indices, _ = enumerate_kronecker(record, np.dtype("f8"))
    before = [record.entries_before(row) for row in range(record.shape[0] + 1)]
    assert before == indptr.tolist()
    assert record.nnz == len(indices)
    assert record.longest_row == np.diff(indptr).max(initial=0)
    assert record.longest_column == np.bincount(indices).max(initial=0)
    assert record.transpose().transpose() == record


@pytest.mark.parametrize("name", SEPARABLE)
def test_closed_forms_of_layers(name):
    for A in (CASES[name].make(), CASES[name].make().T):
        record = A.record
        indptr, indices, values = enumerate_kronecker(record, np.dtype("f8"))
        before = [record.entries_before(row) for row in range(record.shape[0] + 1)]
        assert before == indptr.tolist()
        stored = indptr.nbytes + indices.nbytes + values.nbytes
        assert nbytes(record, np.dtype("f8")) == A.nbytes == stored


def test_entries_are_added_where_they_meet_and_dropped_where_they_cancel():
    part = AxisMap.of(3, 2, [1, 0, 1, 1, 0], [2, 0, 2, 1, 1], [1, 1, 1, 3, -1], [4, 2, 4, 4, 2])
    assert part.inputs.tolist() == [0, 1, 1, 2]
    assert part.numerators.tolist() == [1, -1, 3, 1]
    assert part.denominators.tolist() == [2, 2, 4, 2]
    gone = AxisMap.of(2, 1, [0, 0, 0], [1, 1, 0], [1, -1, 5], [3, 3, 3])
    assert gone.inputs.tolist() == [0]
    assert gone.nnz == 1


def test_integers_beyond_64_bits_stay_exact():
    big = 10**30
    part = AxisMap.of(2, 1, [0, 0], [0, 1], np.array([big, 1], object), np.array([3, 3], object))
    A = KroneckerOperator(Kronecker.of((part,), (2,), (1,)), ("a", "b"))
    assert A.symbolic_matrix()[0, 0] == sympy.Rational(big, 3)
    np.testing.assert_allclose(A.matrix().toarray(), [[big / 3, 1 / 3]], rtol=1e-16)
    same_arrays(rebuilt(A.record), enumerate_kronecker(A.record, np.dtype("f8")))


@pytest.mark.parametrize(
    "A",
    [
        cm.upsample((1, 6, 6), scale_factor=1.234, mode="bicubic"),
        cm.upsample((1, 3, 3, 3), scale_factor=1.37, mode="cubic"),
        cm.upsample((1, 3, 3, 3), scale_factor=1.0000001, mode="linear"),
    ],
    ids=["bicubic", "tricubic", "trilinear"],
)
def test_products_of_fractions_beyond_64_bits(A):
    """Each axis fits into 64 bits, their product does not."""
    assert A.record.largest_number > 2**63
    ones = np.ones(A.shape[1])
    np.testing.assert_allclose(A.matrix() @ ones, 1, rtol=1e-12)
    compiled = fast.csr(A.record, np.dtype("f8"), (0, A.shape[0]))
    np.testing.assert_allclose(compiled[2], A.matrix().data, rtol=1e-15)


def test_a_value_is_rounded_once():
    """1/5 * 1/5 in floats is not the float nearest to 1/25."""
    fifth = AxisMap.of(5, 1, [0] * 5, range(5), [1] * 5, [5] * 5)
    record = Kronecker.of((fifth, fifth), (5, 5), (1, 1))
    assert (1 / 5) * (1 / 5) != 1 / 25
    assert (rebuilt(record)[2] == 1 / 25).all()
    assert (enumerate_kronecker(record, np.dtype("f8"))[2] == 1 / 25).all()


def test_dtypes_of_the_matrix():
    half = AxisMap.of(2, 1, [0, 0], [0, 1], [1, 1], [2, 2])
    averaging = KroneckerOperator(Kronecker.of((half,), (2,), (1,)), ("half", "half"))
    with pytest.raises(cm.GeometryError, match="whole numbers"):
        averaging.matrix(dtype="i4")
    with pytest.raises(cm.GeometryError, match="dtype"):
        averaging.matrix(dtype="f2")
    big = AxisMap.of(2, 1, [0, 0], [0, 1], [-100, 200], [1, 1])
    whole = KroneckerOperator(Kronecker.of((big,), (2,), (1,)), ("big", "big"))
    assert whole.matrix(dtype="i2").toarray().tolist() == [[-100, 200]]
    for narrow in ("i1", "u1", "u2"):
        with pytest.raises(cm.GeometryError, match="range"):
            whole.matrix(dtype=narrow)


def test_what_no_entry_reads_stays_where_it_is():
    """Missing and infinite numbers reach only the outputs that read them."""
    part = AxisMap.choosing(4, [0, 2, -1, 3])
    A = KroneckerOperator(Kronecker.of((part,), (4,), (4,)), ("a", "b"))
    np.testing.assert_array_equal(A(np.array([1, np.nan, 2, np.inf])), [1, 2, 0, np.inf])
    np.testing.assert_array_equal(A.T(np.array([1, 2, np.nan, 4.0])), [1, 0, 2, 4])


def test_the_answer_does_not_share_memory_with_the_question():
    A = KroneckerOperator(Kronecker.of((AxisMap.identity(3),), (3,), (3,)), ("a", "b"))
    x = np.arange(3.0)
    y = A(x)
    y[:] = 9
    np.testing.assert_array_equal(x, np.arange(3.0))


def test_maps_stay_read_only():
    part = AxisMap.of(2, 1, [0, 0], [0, 1], [1, 1], [2, 2])
    for other in (part, part.transpose(), pickle.loads(pickle.dumps(part))):
        assert other == part or other == part.transpose()
        assert not any(array.flags.writeable for array in other._arrays())
    assert part != AxisMap.of(2, 1, [0, 0], [0, 1], [1, 1], [3, 3])
    assert part != "map"
    assert len({part, AxisMap.of(2, 1, [0, 0], [0, 1], [1, 1], [2, 2])}) == 1


def test_index_dtype_of_wide_records():
    assert index_dtype(Kronecker.of((AxisMap.identity(4),) * 2, (4, 4), (4, 4))) == np.int32
    row = AxisMap.choosing(2**31, [0])
    assert index_dtype(Kronecker.of((row,), (2**31,), (1,))) == np.int64


@given(record=records())
def test_application_keeps_symbols(record):
    x = np.array(sympy.symbols(f"x:{record.shape[1]}"), object).reshape(1, *record.in_shape)
    y = in_numpy.apply(record, x, np.dtype(object)).ravel()
    rows = kronecker(record)
    for found, row in zip(y, rows, strict=True):
        wanted = sum(
            (
                sympy.Rational(v.numerator, v.denominator) * s
                for v, s in zip(row, x.ravel(), strict=True)
            ),
            sympy.Integer(0),
        )
        assert sympy.expand(found - wanted) == 0
