"""Convolutions by name: each trap that was seen in a real system, and each bad argument."""

from __future__ import annotations

from itertools import product
from typing import Any

import naive
import numpy as np
import pytest
import sympy
from cases import integers

import convmat as cm

ONE = np.ones((1, 1, 3))  # a kernel of three ones, one channel
NAMES = ("valid", "same", "full", "same_upper", "same_lower")


# Sizes and padding.


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 7, 8])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_named_padding_is_the_pair_it_stands_for(name: str, n: int, k: int) -> None:
    w = integers((1, 1, k))
    for s, d in product((1, 2, 3), (1, 2)):
        pair = naive.named_pads(name, n, k, s, d)
        if naive.windows_that_fit(n, k, s, pair, d):
            by_name = cm.conv(w, (1, n), stride=s, dilation=d, padding=name)
            by_pair = cm.conv(w, (1, n), stride=s, dilation=d, padding=(pair,))
            assert by_name.geometry == by_pair.geometry
            if name.startswith("same"):
                assert by_name.out_shape == (1, -(-n // s))
            if name == "full" and s == 1:
                assert by_name.out_shape == (1, n + d * (k - 1))


def test_odd_pad_of_same_goes_high_or_low() -> None:
    w = np.array([[[1.0, 2.0]]])
    upper = [[1, 2, 0], [0, 1, 2], [0, 0, 1]]
    lower = [[2, 0, 0], [1, 2, 0], [0, 1, 2]]
    assert cm.conv(w, (1, 3), padding="same").matrix().toarray().tolist() == upper
    assert cm.conv(w, (1, 3), padding="same_upper").matrix().toarray().tolist() == upper
    assert cm.conv(w, (1, 3), padding="same_lower").matrix().toarray().tolist() == lower


def test_ways_to_write_padding_agree() -> None:
    w = integers((1, 1, 3, 2))
    expected = cm.conv(w, (1, 5, 6), padding=((1, 1), (2, 2))).geometry
    for padding in ((1, 2), [1, 2], np.array([1, 2]), ([1, 1], 2), np.array([[1, 1], [2, 2]])):
        assert cm.conv(w, (1, 5, 6), padding=padding).geometry == expected
    one = cm.conv(w, (1, 5, 6), padding=2, stride=2, dilation=1)
    each = cm.conv(w, [1, 5, 6], padding=(2, 2), stride=np.int32(2), dilation=(1, 1))
    assert one.geometry == each.geometry


def test_two_numbers_on_two_axes_are_one_per_axis_not_low_and_high() -> None:
    A = cm.conv(integers((1, 1, 1, 1)), (1, 5, 5), padding=(0, 2))
    assert A.out_shape == (1, 5, 9)
    with pytest.raises(cm.GeometryError, match=r"\(\(low, high\),\)"):
        cm.conv(ONE, (1, 5), padding=(1, 2))  # on one axis it would be ambiguous


def test_kernel_longer_than_the_padded_input_is_refused_and_just_fitting_is_not() -> None:
    assert cm.conv(np.ones((1, 1, 7)), (1, 3), padding=2).out_shape == (1, 1)
    with pytest.raises(cm.GeometryError, match="least padding that fits is 2 on each side"):
        cm.conv(np.ones((1, 1, 7)), (1, 3), padding=((1, 2),))


def test_stride_longer_than_the_kernel_leaves_inputs_unread() -> None:
    matrix = cm.conv(np.ones((1, 1, 2)), (1, 8), stride=3).matrix().toarray()
    assert matrix.sum(0).tolist() == [1, 1, 0, 1, 1, 0, 1, 1]


def test_one_sample() -> None:
    assert cm.conv([[[3]]], (1, 1)).matrix().toarray().tolist() == [[3]]
    assert cm.conv_transpose([[[3]]], (1, 1)).matrix().toarray().tolist() == [[3]]
    assert cm.conv(ONE, (1, 1), padding=1)(np.array([[2.0]])).tolist() == [[2]]


def test_windows_that_read_only_padding_give_empty_rows() -> None:
    A = cm.conv(np.ones((1, 1, 1)), (1, 2), padding=2)
    assert A.matrix().toarray().sum(1).tolist() == [0, 0, 1, 1, 0, 0]
    assert A.nnz == 2


# Transposed convolution.


def test_transposed_convolution_by_hand() -> None:
    w = np.array([[[1.0, 2.0, 3.0]]])
    x = np.array([[1.0, 10.0]])
    assert cm.conv_transpose(w, (1, 2))(x).tolist() == [[1, 12, 23, 30]]
    assert cm.conv_transpose(w, (1, 2), stride=2)(x).tolist() == [[1, 2, 13, 20, 30]]
    assert cm.conv_transpose(w, (1, 2), stride=2, padding=1)(x).tolist() == [[2, 13, 20]]
    assert cm.conv_transpose(w, (1, 2), stride=2, dilation=2)(x).tolist() == [
        [1, 0, 12, 0, 23, 0, 30]
    ]


def test_output_padding_lengthens_where_real_sums_fall() -> None:
    w = np.array([[[1.0, 2.0, 3.0]]])
    x = np.array([[1.0, 10.0]])
    plain = cm.conv_transpose(w, (1, 2), stride=2, padding=1)(x)
    longer = cm.conv_transpose(w, (1, 2), stride=2, padding=1, output_padding=1)(x)
    assert longer.tolist() == [[*plain[0], 30]]  # not a zero


def test_conv_transpose_is_the_transpose_of_conv_for_every_input_size() -> None:
    """The s inputs that share an output size are reached by output padding 0 to s - 1."""
    for n, k, s, d, p in product(range(4, 12), (1, 2, 3), (1, 2, 3), (1, 2), (0, 1, 2)):
        if not naive.windows_that_fit(n, k, s, (p, p), d):
            continue
        w = integers((2, 3, k), seed=n)
        A = cm.conv(w, (3, n), stride=s, padding=p, dilation=d)
        extra = (n + 2 * p - d * (k - 1) - 1) % s
        options = {"stride": s, "padding": p, "dilation": d}
        B = cm.conv_transpose(w, A.out_shape, output_padding=extra, **options)
        C = cm.conv_transpose(w, A.out_shape, output_size=n, **options)
        assert B.geometry == C.geometry == A.T.geometry
        assert B.in_shape == A.out_shape
        assert B.out_shape == A.in_shape
        np.testing.assert_array_equal(B.matrix().toarray(), A.matrix().toarray().T)


def test_output_padding_from_stride_to_dilation_is_a_restriction() -> None:
    """With stride <= a < dilation the forward convolution has rows that this layer leaves out."""
    w = integers((1, 1, 2))
    B = cm.conv_transpose(w, (1, 3), stride=2, dilation=4, output_padding=3)
    forward = cm.conv(w, B.out_shape, stride=2, dilation=4)
    assert forward.out_shape == (1, 4)
    surplus = forward.matrix().toarray()
    np.testing.assert_array_equal(B.matrix().toarray(), surplus[:3].T)


def test_weight_layout_is_that_of_the_forward_convolution() -> None:
    w = integers((4, 3, 2))
    forward = cm.conv(w, (6, 5), groups=2)
    backward = cm.conv_transpose(w, forward.out_shape, groups=2)
    assert backward.out_shape == (6, 5)
    np.testing.assert_array_equal(backward.matrix().toarray(), forward.T.matrix().toarray())


@pytest.mark.parametrize("name", NAMES)
def test_named_padding_of_the_transpose(name: str) -> None:
    for m, k, s, d in product((2, 5), (2, 3, 4), (1, 2, 3, 5), (1, 2)):
        w = integers((1, 1, k))
        if name == "full" and s * (m - 1) + 1 <= d * (k - 1):  # nothing is left
            with pytest.raises(cm.GeometryError):
                cm.conv_transpose(w, (1, m), stride=s, dilation=d, padding=name)
            continue
        B = cm.conv_transpose(w, (1, m), stride=s, dilation=d, padding=name)
        if name.startswith("same"):
            assert B.out_shape == (1, s * m)
        forward = cm.conv(w, B.out_shape, stride=s, dilation=d, padding=name)
        assert forward.T.geometry == B.geometry


@pytest.mark.parametrize("name", ["same", "same_lower"])
def test_same_reaches_the_sizes_that_share_one_output(name: str) -> None:
    for size in range(1, 20):
        forward = cm.conv(integers((1, 1, 3)), (1, size), stride=4, padding=name)
        backward = cm.conv_transpose(
            integers((1, 1, 3)), forward.out_shape, stride=4, padding=name, output_size=size
        )
        assert backward.geometry == forward.T.geometry
    for size in (8, 13):
        with pytest.raises(cm.GeometryError, match="9 to 12"):
            cm.conv_transpose(ONE, (1, 3), stride=4, padding=name, output_size=size)


def test_output_size_reaches_exactly_what_output_padding_does() -> None:
    for s, d in ((1, 1), (3, 1), (1, 3), (2, 4)):
        sizes = {}
        for a in range(max(s, d)):
            B = cm.conv_transpose(ONE, (1, 4), stride=s, dilation=d, padding=1, output_padding=a)
            sizes[B.out_shape[1]] = B.geometry
        for size in range(1, 30):
            arguments: dict[str, Any] = {
                "stride": s,
                "dilation": d,
                "padding": 1,
                "output_size": size,
            }
            if size in sizes:
                assert cm.conv_transpose(ONE, (1, 4), **arguments).geometry == sizes[size]
            else:
                with pytest.raises(cm.GeometryError) as caught:
                    cm.conv_transpose(ONE, (1, 4), **arguments)
                assert caught.value.argument == "output_size"
                assert f"{min(sizes)} to {max(sizes)}" in caught.value.rule


def test_output_size_of_nothing_is_unreachable() -> None:
    # Sizes 0 and 1 would be made by output padding 0 and 1; only the second is a size.
    B = cm.conv_transpose(np.ones((1, 1, 1)), (1, 1), stride=2, padding=((1, 0),), output_size=1)
    assert B.out_shape == (1, 1)
    with pytest.raises(cm.GeometryError, match="1 to 1"):
        cm.conv_transpose(np.ones((1, 1, 1)), (1, 1), stride=2, padding=((1, 0),), output_size=2)


# Numbers.


def test_convolution_is_cross_correlation() -> None:
    A = cm.conv([[[1, 2, 3]]], (1, 5))
    assert A(np.array([[1, 0, 0, 0, 10]])).tolist() == [[1, 0, 30]]


def test_not_a_number_flows_as_in_the_matrix_product() -> None:
    A = cm.conv(np.array([[[1.0, 0.0, 2.0]]]), (1, 8), stride=2)
    x = np.arange(8.0)[None]
    x[0, 3], x[0, 4] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        y = A(x)[0]
        np.testing.assert_array_equal(y, A.matrix() @ x[0])
        np.testing.assert_array_equal(A.T(y[None])[0], A.matrix().T @ y)
    # Output 1 reads inputs 2, 3 and 4, input 3 through a stored zero: the nan still arrives.
    assert not np.isnan(y[0])
    assert np.isnan(y[1])
    # What no window reads has no say.
    x = np.zeros((1, 8))
    x[0, 7] = np.nan
    assert np.isfinite(A(x)).all()


def test_complex_weights_are_conjugated_by_h_and_not_by_t() -> None:
    w = np.array([[[1 + 2j, 3 - 1j]]])
    A = cm.conv(w, (1, 3))
    dense = A.matrix().toarray()
    np.testing.assert_array_equal(A.T.matrix().toarray(), dense.T)
    np.testing.assert_array_equal(A.H.matrix().toarray(), dense.conj().T)
    y = np.array([[1j, 2.0]])
    np.testing.assert_array_equal(A.rmatvec(y[0]), dense.conj().T @ y[0])
    assert A.H.H(np.ones((1, 3))).tolist() == A(np.ones((1, 3))).tolist()


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u1", "u2", "u4"])
def test_small_integers_are_summed_in_64_bits(dtype: str) -> None:
    most = int(np.iinfo(dtype).max)
    A = cm.conv(np.full((1, 1, 3), most, dtype), (1, 3))
    x = np.full((1, 3), 100, dtype)
    assert A.matrix().dtype == A(x).dtype == np.int64
    assert A(x).item() == 300 * most
    assert (A @ x[0]).item() == (A.matrix() @ x[0]).item() == A(x).item()
    narrow = A.matrix(dtype=dtype)
    assert narrow.dtype == dtype
    assert narrow.data.nbytes < A.matrix().data.nbytes


def test_compositions_of_small_integers_do_not_wrap() -> None:
    A = cm.conv(np.full((1, 1, 2), 100, "i1"), (1, 4))
    for composed, largest in ((A + A, 200), (2 * A, 200), (A @ A.T, 20000), (A - (-A), 200)):
        assert composed.matrix().max() == largest
        assert composed.dtype == composed.matrix().dtype == np.int64


def test_booleans_as_data_count() -> None:
    assert cm.conv(ONE, (1, 4))(np.array([[True, True, False, True]])).tolist() == [[2, 2]]


def test_float32_stays_float32() -> None:
    A = cm.conv(ONE.astype("f4"), (1, 5))
    for B in (A, A.T, 2 * A, A + A, A.T @ A, -A, A * 0.5):
        assert B.dtype == B.matrix().dtype == B(np.ones(B.in_shape, "f4")).dtype == np.float32


@pytest.mark.parametrize("order", ["<", ">"])
def test_byte_order_of_the_weight(order: str) -> None:
    A = cm.conv(integers((1, 1, 3)).astype(f"{order}f8"), (1, 5))
    assert A.dtype.isnative
    np.testing.assert_array_equal(
        A.matrix().toarray(), cm.conv(integers((1, 1, 3)), (1, 5)).matrix().toarray()
    )


def test_symbols_as_weights() -> None:
    a, b = sympy.symbols("a b")
    A = cm.conv(np.array([[[a, b]]]), (1, 3))
    assert A.nnz == 4
    y = A(np.array([[1, 10, 100]]))
    assert (y == np.array([[a + 10 * b, 10 * a + 100 * b]])).all()
    assert (A.T(np.array([[1, 10]])) == np.array([[a, 10 * a + b, 10 * b]])).all()
    with pytest.raises(cm.GeometryError, match="symbolic_matrix"):
        A.matrix()


def test_unsigned_64_bit_integers_stay_exact() -> None:
    big = 2**60 + 1
    A = cm.conv(np.full((1, 1, 3), big, "u8"), (1, 3))
    for dtype in ("u8", "u1", "u4", bool):
        y = A(np.ones((1, 3), dtype))
        assert y.dtype == np.uint64
        assert y.item() == 3 * big
    near = cm.conv(np.full((1, 1, 1), 2**64 - 1, "u8"), (1, 1))
    assert near(np.ones((1, 1), "u1")).item() == 2**64 - 1
    assert (
        cm.conv(np.ones((1, 1, 1), "u1"), (1, 1))(np.full((1, 1), 2**64 - 1, "u8")).item() > 2**63
    )
    for composed in (A + A, 2 * A, A * np.uint64(2)):
        assert composed.dtype == composed.matrix().dtype == np.uint64
        assert composed.matrix().max() == composed(np.eye(1, 3, dtype="u8")).item() == 2 * big
    assert (A - A).matrix().max() == 0
    assert (-A).matrix().min() == -big


@pytest.mark.parametrize("dtype", ["i1", "u1", "f4"])
def test_half_precision_data_are_computed_in_float32(dtype: str) -> None:
    A = cm.conv(np.full((1, 1, 3), 100, dtype), (1, 3))
    x = np.full((1, 3), 1000, "f2")
    assert A(x).dtype == np.float32
    assert A(x).item() == 300_000  # beyond the largest number of float16
    assert A.weight_matrix(x).dtype == np.float32


@pytest.mark.parametrize(
    ("weight", "x"),
    [("i1", "i1"), ("u1", "u1"), ("i2", "f2"), ("u8", "u8"), ("i1", bool), ("f4", "c8")],
)
def test_weight_matrix_has_the_dtype_of_the_answer(weight: str, x: Any) -> None:
    A = cm.conv(np.full((2, 1, 3), 100, weight), (1, 5))
    data = np.full((2, 1, 5), 100).astype(x)
    U = A.weight_matrix(data)
    assert U.dtype == A(data).dtype
    np.testing.assert_array_equal(U @ A.weight.ravel(), A(data).ravel())


def test_weight_matrix_of_symbolic_weights_holds_the_data() -> None:
    a, b = sympy.symbols("a b")
    U = cm.conv([[[a, b]]], (1, 3)).weight_matrix(np.array([[1, 10, 100]], "i1"))
    assert U.dtype == np.int64
    assert U.toarray().tolist() == [[1, 10], [10, 100]]


def test_multiples_by_symbols() -> None:
    t, a = sympy.symbols("t a")
    for A in (cm.conv(ONE.astype("i4"), (1, 3)), cm.conv([[[a, 1, 2]]], (1, 3))):
        x = np.array([[1, 10, 100]])
        for multiple in (t * A, A * t):
            assert multiple.dtype == object
            assert sympy.expand(multiple(x).item() - t * A(x).item()) == 0
            assert sympy.expand(multiple.H(np.ones((1, 1), int))[0, 1] - sympy.conjugate(t)) == 0


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"padding": 1, "stride": 2}, ", stride 2, padding 1:"),
        ({"padding": 1}, "(3, 3), padding 1:"),
        ({"padding": (1, 2)}, ", padding (1, 2):"),
        ({"padding": ((0, 2), (0, 2))}, ", padding ((0, 2), (0, 2)):"),
        ({"padding": ((2, 0), 1)}, ", padding ((2, 0), (1, 1)):"),
        ({}, "(3, 3):"),
    ],
)
def test_repr_shows_both_ends_of_uneven_padding(keywords: dict[str, Any], text: str) -> None:
    A = cm.conv(np.ones((1, 1, 3, 3)), (1, 6, 7), **keywords)
    assert text in repr(A)
    assert text.rstrip(":") in repr(A.T)


def test_pads_are_what_windows_reach_beyond_the_input() -> None:
    for n, k, s, d, low, high in product((3, 6), (1, 3), (1, 2, 3), (1, 2), (0, 2), (0, 1, 3)):
        if not naive.windows_that_fit(n, k, s, (low, high), d):
            continue
        axis = cm.conv(np.ones((1, 1, k)), (1, n), s, ((low, high),), d).geometry.axes[0]
        reads = [s * o + d * j - low for o in range(axis.n_out) for j in range(k)]
        assert axis.pads == (low, max(max(reads) - (n - 1), 0))
        assert axis.pads[1] <= high
