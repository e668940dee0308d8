"""Each bad argument of both layers: one error that names it, its value, the rule and the repair."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

import convmat as cm

ONE = np.ones((1, 1, 3))  # a kernel of three ones, one channel

NOT_SIZES: list[Any] = [
    0,
    -1,
    1.0,
    2.5,
    float("nan"),
    True,
    np.True_,
    None,
    "2",
    1j,
    Decimal(1),
    {},
    object(),
]
PER_AXIS: list[Any] = [
    *NOT_SIZES,
    (),
    (1, 1, 1),
    (1, 0),
    (1, None),
    (1, True),
    [[1], 1],
    np.ones(2),
    np.eye(2),
]
NOT_PADS: list[Any] = [
    *NOT_SIZES[1:],
    "auto",
    "reflect",
    "",
    (1, "circular"),
    ("valid", "nope"),
    (1, -1),
    ((1, -1), 0),
    ((1, 2, 3), 0),
    ((), 0),
    ((1, True), 0),
    ((1, 1.5), 0),
    (1, 1, 1),
    (),
    np.ones((2, 2)),
    sympy.Symbol("p"),
    (0, (1, sympy.Symbol("p"))),
]
NOT_WEIGHTS: list[Any] = [
    np.ones((1, 1, 3, 3), bool),
    np.ones((1, 1, 3, 3), np.longdouble),
    np.full((1, 1, 3, 3), "a"),
    np.full((1, 1, 3, 3), b"a"),
    np.zeros((1, 1, 3, 3), "M8[s]"),
    np.zeros((1, 1, 3, 3), "m8[s]"),
    np.zeros((1, 1, 3, 3), "V4"),
    np.zeros((1, 1, 3, 3), [("a", "f8")]),
    np.full((1, 1, 3, 3), None),
    np.full((1, 1, 3, 3), True, object),
    np.full((1, 1, 3, 3), "a", object),
    np.full((1, 1, 3, 3), object(), object),
    np.ones((3, 3)),
    np.ones((1, 3, 3)),
    np.ones((1, 1, 3, 3, 3)),
    np.ones((1, 1, 0, 3)),
    np.ones((0, 1, 3, 3)),
    np.ones((1, 0, 3, 3)),
    np.ones((2, 3, 3, 3)),
    1.0,
    None,
    "weight",
    {},
    [[[[1, 2], [3]]]],
]
NOT_SHAPES: list[Any] = [
    *NOT_SIZES, 5, (), (1,), (0, 5, 5), (1, 0, 5), (1, -5, 5), (1, 5.0, 5), (1, float("nan"), 5),
    (1, True, 5), (1, None, 5), (1, "5", 5), (1, (5, 5)), [[1, 5, 5]], np.array(5), np.ones(3),
    np.ones((3, 1), int), "155",
]  # fmt: skip
BAD: list[tuple[str, Any]] = [
    *(("stride", value) for value in PER_AXIS),
    *(("dilation", value) for value in PER_AXIS),
    *(("padding", value) for value in NOT_PADS),
    *(("groups", value) for value in [*NOT_SIZES, 2, (1,), [1]]),
    *(
        ("padding_mode", value)
        for value in ["edge", "zero", "", None, 0, True, ["zeros"], np.array(["a", "b"])]
    ),
    *(("weight", value) for value in NOT_WEIGHTS),
    *(("in_shape", value) for value in NOT_SHAPES),
]
BAD_TRANSPOSED: list[tuple[str, Any]] = [
    *(("output_padding", value) for value in [*PER_AXIS[1:], 1, (0, 1), "same"]),
    *(
        ("output_size", value)
        for value in [*(v for v in PER_AXIS if v is not None), 6, (7, 8), 8, "same"]
    ),
]


def check_bad(layer: Any, argument: str, value: Any) -> None:
    arguments = {"weight": np.ones((1, 1, 3, 3)), "in_shape": (1, 5, 5)} | {argument: value}
    with pytest.raises(cm.GeometryError) as caught:
        layer(**arguments)
    error = caught.value
    assert type(error) is cm.GeometryError
    assert isinstance(error, ValueError)
    assert error.argument == argument
    assert str(error).startswith(f"{argument} = ")
    assert error.rule
    assert error.repair
    assert error.rule in str(error)
    assert error.repair in str(error)
    assert len(str(error)) < 600
    assert "\n" not in str(error)


@pytest.mark.parametrize("layer", [cm.conv, cm.conv_transpose], ids=lambda f: f.__name__)
@pytest.mark.parametrize(("argument", "value"), BAD)
def test_bad_arguments(layer: Any, argument: str, value: Any) -> None:
    check_bad(layer, argument, value)


@pytest.mark.parametrize(("argument", "value"), BAD_TRANSPOSED)
def test_bad_arguments_of_the_transpose(argument: str, value: Any) -> None:
    check_bad(cm.conv_transpose, argument, value)


def test_the_plain_arguments_of_the_bad_ones_are_good() -> None:
    assert cm.conv(np.ones((1, 1, 3, 3)), (1, 5, 5)).out_shape == (1, 3, 3)
    assert cm.conv_transpose(np.ones((1, 1, 3, 3)), (1, 5, 5)).out_shape == (1, 7, 7)


@pytest.mark.parametrize(
    ("weight", "in_shape", "groups", "argument"),
    [
        ((4, 2, 3), (4, 5), 1, "weight"),  # second axis must be 4
        ((4, 4, 3), (4, 5), 2, "weight"),  # second axis must be 2
        ((3, 2, 3), (4, 5), 2, "weight"),  # 3 outputs in 2 groups
        ((4, 1, 3), (4, 5), 3, "groups"),  # 4 inputs in 3 groups
        ((4, 1, 3), (4, 5), 8, "groups"),
    ],
)
def test_channels_that_do_not_divide(
    weight: Any, in_shape: Any, groups: int, argument: str
) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.conv(np.ones(weight), in_shape, groups=groups)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("weight", "in_shape", "groups", "argument"),
    [
        ((2, 4, 3), (4, 5), 1, "weight"),  # first axis must be 4
        ((4, 1, 3), (4, 5), 3, "groups"),
    ],
)
def test_channels_that_do_not_divide_transposed(
    weight: Any, in_shape: Any, groups: int, argument: str
) -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.conv_transpose(np.ones(weight), in_shape, groups=groups)
    assert caught.value.argument == argument


def test_window_that_does_not_fit_names_the_least_padding() -> None:
    with pytest.raises(
        cm.GeometryError, match=r"kernel = 4.*least padding that fits is 3 on each side"
    ):
        cm.conv(np.ones((1, 1, 4)), (1, 5), dilation=3, padding=((2, 0),))
    cm.conv(np.ones((1, 1, 4)), (1, 5), dilation=3, padding=3)


def test_padding_that_leaves_no_output() -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.conv_transpose(np.ones((1, 1, 1)), (1, 1), padding=1)
    assert caught.value.argument == "padding"


def test_output_padding_and_output_size_together() -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.conv_transpose(ONE, (1, 5), stride=2, output_padding=1, output_size=12)
    assert caught.value.argument == "output_padding"


def test_output_padding_with_same() -> None:
    with pytest.raises(cm.GeometryError) as caught:
        cm.conv_transpose(ONE, (1, 5), stride=2, output_padding=1, padding="same")
    assert caught.value.argument == "output_padding"


def test_tensors_as_weights() -> None:
    torch = pytest.importorskip("torch", reason="weights from PyTorch")
    A = cm.conv(torch.ones(1, 1, 3), (1, 5))
    assert A.dtype == np.float32
    with pytest.raises(cm.GeometryError, match="detach"):
        cm.conv(torch.ones(1, 1, 3, requires_grad=True), (1, 5))
    assert cm.conv(torch.ones(1, 1, 3), torch.Size((1, 5))).in_shape == (1, 5)


def test_weight_matrix_refuses_other_shapes() -> None:
    A = cm.conv(ONE, (1, 5))
    for bad in (np.ones((1, 4)), np.ones(5), np.ones((5, 1)), 1.0, "x", [[1, 2], [3]]):
        with pytest.raises(cm.GeometryError) as caught:
            A.weight_matrix(bad)
        assert caught.value.argument == "x"


@pytest.mark.parametrize(
    "keywords",
    [{"in_shape": (1, 10**19)}, {"stride": 10**19}, {"padding": 10**19}, {"dilation": 10**19}],
    ids=lambda keywords: next(iter(keywords)),
)
@pytest.mark.parametrize("make", [cm.conv, cm.conv_transpose])
def test_numbers_beyond_64_bits(make, keywords):
    weight = np.ones((1, 1, 2))
    arguments = {"in_shape": (1, 5), "padding": 10**19 if "dilation" in keywords else 0} | keywords
    with pytest.raises(cm.GeometryError):
        make(weight, **arguments)


def test_a_framework_layer_as_weight_says_what_to_pass():
    class Conv2d:
        weight = np.ones((1, 1, 3, 3))

    with pytest.raises(cm.GeometryError, match=r"weight = 'Conv2d'.*weight\.detach\(\)"):
        cm.conv(Conv2d(), (1, 4, 4))


@pytest.mark.parametrize(
    "in_shape", [(4, 4), (8, 1, 4, 4)], ids=["no channel axis", "a batch axis"]
)
def test_the_rank_of_the_weight_is_explained(in_shape):
    with pytest.raises(
        cm.GeometryError,
        match=r"kernel\[None, None\].*\(C_in, \*spatial\)|batch axis out of in_shape",
    ):
        cm.conv(np.ones((3, 3)) if len(in_shape) == 2 else np.ones((1, 1, 3, 3)), in_shape)


def test_an_operator_is_no_array_and_no_number():
    A = cm.conv(np.ones((1, 1, 3, 3)), (1, 4, 4))
    with pytest.raises(TypeError, match=r"matrix\(\)\.toarray\(\)"):
        np.array(A)
    with pytest.raises(TypeError, match="compose operators with @"):
        A * A
    with pytest.raises(cm.GeometryError, match=r"x\.ravel\(\)"):
        A @ np.ones((1, 5, 5))


def test_the_error_is_named_as_it_is_imported():
    assert (
        f"{cm.GeometryError.__module__}.{cm.GeometryError.__qualname__}" == "convmat.GeometryError"
    )


@pytest.mark.parametrize("make", [cm.conv, cm.conv_transpose])
def test_paddings_written_as_arrays(make: Any) -> None:
    weight = np.ones((1, 1, 3, 3))
    expected = make(weight, (1, 5, 5), padding=((1, 2), (0, 1))).geometry
    assert (
        make(weight, (1, 5, 5), padding=[np.array([1, 2]), np.array([0, 1])]).geometry == expected
    )
    assert make(weight, (1, 5, 5), padding=(np.array([1, 2]), (0, 1))).geometry == expected
    assert cm.output_size(9, 3, padding=np.array([1, 2])) == cm.output_size(9, 3, padding=(1, 2))
    assert cm.output_size(9, 3, padding=np.array(1)) == cm.output_size(9, 3, padding=1)
    for bad in (np.ones(2), np.array([1, 2, 3]), np.eye(2, dtype=int)):
        with pytest.raises(cm.GeometryError, match="padding"):
            make(weight, (1, 5, 5), padding=[bad, bad])
        with pytest.raises(cm.GeometryError, match="padding"):
            cm.output_size(9, 3, padding=bad)


def test_more_entries_than_64_bits_count_are_refused() -> None:
    """Each position fits, but outputs times taps would overflow where entries are counted."""
    with pytest.raises(cm.GeometryError, match="2\\*\\*60"):
        cm.conv(np.ones((1, 1, 1000)), (1, 2**55))
    A = cm.conv(np.ones((1, 1, 16)), (1, 2**55))
    assert A.nnz == 16 * (2**55 - 15)


def test_tensors_that_numpy_cannot_view() -> None:
    torch = pytest.importorskip("torch", reason="marks of PyTorch's tensors")
    A = cm.conv(ONE, (1, 5))
    x = torch.tensor([[1, 2j, 3, 4j, 5 - 1j]])
    np.testing.assert_array_equal(A(x.conj()), A(x.numpy().conj()))
    negated = x.conj().imag
    assert negated.is_neg()
    np.testing.assert_array_equal(A(negated), A(-x.numpy().imag))
    np.testing.assert_array_equal(A @ negated[0], A @ -x.numpy().imag[0])
    assert cm.conv(x[None, :, :3].conj(), (1, 5)).weight[0, 0, 1] == -2j
    with pytest.raises(cm.GeometryError, match=r"dense tensor; pass x\.to_dense\(\)"):
        A(torch.ones(1, 5).to_sparse())


def test_symbols_where_numbers_are_needed() -> None:
    symbols = list(sympy.symbols("a b"))
    with pytest.raises(cm.GeometryError, match=r"conv\(\.\.\.\)\.symbolic_matrix\(\)") as caught:
        cm.convolution_matrix(symbols, 4)
    assert caught.value.argument == "kernel"
    with pytest.raises(cm.GeometryError) as caught:
        cm.conv(ONE, (1, 3)).weight_matrix(np.array([sympy.symbols("x0:3")]))
    assert caught.value.argument == "x"
    with pytest.raises(cm.GeometryError) as caught:
        (sympy.Symbol("t") * cm.conv(ONE, (1, 3))).matrix()
    assert caught.value.argument == "scalar"


@pytest.mark.parametrize("number", [10**400, -Fraction(10**400, 3)], ids=["int", "ratio"])
def test_exact_numbers_that_no_float_holds(number):
    A = cm.conv(ONE, (1, 5))
    x = np.ones((1, 5))
    exact = cm.conv(np.array([[[number, Fraction(1, 3)]]], object), (1, 5))
    for run in (
        lambda: (number * A)(x),
        lambda: (number * A).H(np.ones((1, 3))),
        lambda: (number * A + A)(x),
        lambda: (number * A @ cm.identity((1, 5)))(x),
        (Fraction(number) / 7 * A).matrix,
        lambda: (Fraction(number) / 7 * A).weight_matrix(x),
        lambda: exact(x),
        lambda: A(np.array([[number, 1, 1, 1, Fraction(1, 7)]], object)),
    ):
        with pytest.raises(cm.GeometryError, match="range of floats"):
            run()
    assert (number * A).symbolic_matrix()[0, 0].as_coeff_Mul()[0] == sympy.Rational(number)
    with pytest.raises(MemoryError, match="must fit"):
        cm.upsample((1, 4), scale_factor=abs(number))
