"""Every kind of object that is no dense array of numbers, at every entrance: one error each."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import aslinearoperator

import convmat as cm
from convmat import plot, symbolic
from convmat.geometry.arrays import to_numpy

SHAPE = (1, 1, 3)
A = cm.conv(np.ones(SHAPE), (1, 3))
AVERAGE = cm.avg_pool((1, 3), 2)
POOL = cm.max_pool((1, 3), 3)
ENTRANCES = {
    "weight of conv": lambda x: cm.conv(x, (1, 3)),
    "weight of conv_transpose": lambda x: cm.conv_transpose(x, (1, 3)),
    "another weight": A.with_weight,
    "kernel": lambda x: cm.convolution_matrix(x, (5, 5, 5)),
    "A(x)": A,
    "average": AVERAGE,
    "plan": A.plan((1, 1, 3)),
    "A.T(y)": A.T,
    "A @ x": lambda x: A @ x,
    "matvec": A.matvec,
    "matmat": A.matmat,
    "rmatvec": A.rmatvec,
    "rmatmat": AVERAGE.rmatmat,
    "weight matrix": A.weight_matrix,
    "x of a gradient": lambda x: A.weight_gradient(x, np.ones((1, 1))),
    "g of a gradient": lambda g: A.weight_gradient(np.ones((1, 1, 3)), g),
    "max_pool": POOL,
    "values": POOL.values,
    "switches": lambda x: cm.selection((1, 3), x),
    "switches of unpool": lambda x: cm.unpool((1, 3), x),
    "code": cm.mirror([A]),
    "y of a mirror": lambda x: cm.mirror([POOL]).layers[0](x, np.zeros((1, 1), int)),
    "images": lambda x: plot.strip([x], ["probe"]),
    "data of a tile": lambda x: symbolic.winograd(2, 3)(x, np.ones(3)),
    "out": lambda x: A(np.ones((1, 3)), out=x),
}


class Stubborn:
    """An array of a device, which NumPy may not copy."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")


class NAType:
    """What pandas calls its missing value."""


KINDS = {
    "masked": (np.ma.masked_array(np.ones(SHAPE), np.eye(3)[:1] > 0), "has a mask"),
    "masked in a list": ([[np.ma.masked_array([1.0, 2, 3], [0, 1, 0])]], "has a mask"),
    "nothing masked": (np.ma.masked_array(np.ones(SHAPE)), "has a mask"),
    "sparse array": (sparse.csr_array(np.ones((1, 3))), r"sparse matrix.*x?.toarray\(\)"),
    "sparse matrix": (sparse.coo_matrix(np.ones((1, 3))), "sparse matrix"),
    "ragged list": ([[[1, 2, 3], [1]]], "several lengths"),
    "ragged array": (np.array([[1, 2], [3]], object), "several lengths"),
    "text": (np.full(SHAPE, "1"), "must be an array of numbers"),
    "text in objects": (np.full(SHAPE, "1", object), "'str': must hold numbers"),
    "bytes": (b"123", "must be an array of numbers"),
    "None": (None, "missing values"),
    "None in objects": (np.full(SHAPE, None), "missing values"),
    "missing values": (np.array([[[1, NAType(), 3]]]), "missing values"),
    "truth in objects": (np.full(SHAPE, True, object), "'bool': must hold numbers"),
    "Decimal": (np.full(SHAPE, Decimal(1)), "'Decimal': must hold numbers"),
    "dates": (np.zeros(SHAPE, "M8[s]"), "must be an array of numbers"),
    "a dictionary": ({1: 2}, "'dict': must hold numbers"),
    "a generator": ((i for i in range(3)), "'generator': must hold numbers"),
    "SciPy's operator": (aslinearoperator(np.ones((1, 3))), "must hold numbers"),
    "an array of a device": (Stubborn(), "'Stubborn': cannot be read.*Implicit conversion"),
}


def torch_kinds():
    torch = pytest.importorskip("torch", reason="kinds of tensors")
    from torch._subclasses.fake_tensor import FakeTensorMode

    plain = torch.ones(SHAPE)
    with FakeTensorMode():
        fake = torch.ones(SHAPE)
    nested = partial(torch.nested.nested_tensor, [torch.ones(1, 3), torch.ones(2, 3)])
    return {
        "needs a gradient": (plain.clone().requires_grad_(), r"requires grad.*\.detach\(\)"),
        "in a list": ([[torch.ones(3, requires_grad=True)]], "requires grad"),
        "sparse": (plain.to_sparse(), r"dense tensor.*to_dense\(\)"),
        "CSR": (plain[0].to_sparse_csr(), "dense tensor"),
        "nested": (nested(), "several lengths"),
        "jagged": (nested(layout=torch.jagged), "several lengths"),
        "meta": (plain.to("meta"), "no numbers"),
        "fake": (fake, "'FakeTensor': is a tensor whose numbers cannot be read"),
        "masked": (torch.masked.masked_tensor(plain, plain > 0), "'MaskedTensor'"),
        "quantized": (torch.quantize_per_tensor(plain, 0.1, 0, torch.qint8), "dequantize"),
        "8 bits": (plain.to(torch.float8_e4m3fn), "NumPy lacks"),
    }


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.filterwarnings("ignore:The PyTorch API of", "ignore:Sparse", "ignore:.*deprecated")
def test_what_is_no_array_of_numbers_is_named(entrance):
    for kind, (value, words) in KINDS.items():
        check_refused(entrance, kind, value, words)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.filterwarnings("ignore:The PyTorch API of", "ignore:Sparse", "ignore:.*deprecated")
def test_tensors_without_plain_numbers_are_named(entrance):
    for kind, (value, words) in torch_kinds().items():
        check_refused(entrance, kind, value, words)


@pytest.mark.parametrize("entrance", ENTRANCES)
@pytest.mark.filterwarnings("ignore:.*deprecated")
def test_tensors_inside_of_transforms_are_named(entrance):
    torch = pytest.importorskip("torch", reason="kinds of tensors")
    plain = torch.ones(2, *SHAPE)
    for transform, words in (
        (torch.func.vmap, "'BatchedTensor'"),
        (torch.func.functionalize, "'FunctionalTensor'"),
        (torch.func.grad, "requires grad"),
        (lambda f: partial(torch.func.jvp, f, tangents=(plain,)), "tangent"),
    ):
        seen = []

        def inside(x, words=words, seen=seen):
            check_refused(entrance, words, x, words)
            seen.append(x)
            return x.sum()

        transformed = transform(inside)
        transformed((plain,)) if isinstance(transformed, partial) else transformed(plain)
        assert seen


def check_refused(entrance, kind, value, words):
    words = "must be a NumPy array" if entrance == "out" and value is not None else words
    if entrance == "out" and (value is None or type(value) is np.ndarray):
        return  # no array to write into, or one of another dtype
    if entrance == "A @ x" and kind == "SciPy's operator":
        return  # which is composed
    with pytest.raises(cm.GeometryError, match=words) as caught:
        ENTRANCES[entrance](value)
    assert len(str(caught.value)) < 400, kind
    assert "\n" not in str(caught.value), kind


def test_gradients_are_lost_only_where_nobody_asked_for_them():
    torch = pytest.importorskip("torch", reason="parameters of modules")
    layer = torch.nn.Conv1d(2, 4, 3)
    with torch.no_grad():
        A = cm.conv(layer.weight, (2, 5))
        x = torch.arange(10.0, requires_grad=True).reshape(2, 5)
        y = A(x)
        assert torch.allclose(y, layer(x) - layer.bias[:, None], atol=1e-4)
        assert not y.requires_grad
    with torch.inference_mode():
        assert torch.equal(cm.conv(layer.weight, (2, 5))(x), y)
    with pytest.raises(cm.GeometryError, match=r"weight\.detach\(\), or call inside of torch\.no"):
        cm.conv(layer.weight, (2, 5))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_numbers_of_16_bits_are_computed_in_32(name):
    torch = pytest.importorskip("torch", reason="bfloat16")
    dtype = getattr(torch, name)
    w = torch.linspace(-1, 1, 6).to(dtype).reshape(1, 2, 3)
    x = torch.linspace(-3, 3, 10).to(dtype).reshape(2, 5)
    A = cm.conv(w, (2, 5))
    expected = cm.conv(w.float(), (2, 5))(x.float())
    for y in (A(x), cm.conv(w.float(), (2, 5))(x), A(x.float())):
        assert y.dtype == torch.float32
        assert torch.equal(y, expected)
    assert A.weight.dtype == A.matrix().dtype == np.float32
    np.testing.assert_array_equal(A @ x.ravel(), expected.ravel())
    g = expected.to(dtype)
    assert torch.equal(A.weight_gradient(x, g), A.weight_gradient(x.float(), g.float()))
    values, _ = cm.max_pool((2, 5), 2)(x)
    assert values.dtype == dtype
    assert torch.equal(values.float(), cm.max_pool((2, 5), 2)(x.float())[0])
    assert cm.avg_pool((2, 5), 2)(x).dtype == torch.float32
    with torch.no_grad():
        assert torch.equal(A(x.requires_grad_()), expected)


def test_halves_are_written_as_asked():
    w, x = np.arange(3, dtype="f2").reshape(1, 1, 3) / 3, np.arange(5, dtype="f2").reshape(1, 5)
    A = cm.conv(w, (1, 5))
    out = np.empty((1, 3), "f2")
    assert A(x, out=out) is out
    np.testing.assert_array_equal(out, A(x).astype("f2"))
    with pytest.raises(cm.GeometryError, match="dtype float32"):
        A(x.astype("f4"), out=out)


def test_objects_of_numbers_are_let_in():
    x = np.array([[Fraction(1, 3), 2, 1.5]], object)
    assert A(x)[0, 0] == pytest.approx(1 / 3 + 3.5)
    assert to_numpy([[np.float32(1), 2]], "x").tolist() == [[1, 2]]


def test_channels_that_come_last_are_told():
    A = cm.conv(np.ones((1, 3, 2, 2)), (3, 5, 6))
    with pytest.raises(cm.GeometryError, match=r"np\.moveaxis\(x, -1, -3\)"):
        A(np.ones((2, 5, 6, 3)))
    assert A(np.moveaxis(np.ones((2, 5, 6, 3)), -1, -3)).shape == (2, 1, 4, 5)


@pytest.mark.parametrize(
    "B",
    [
        cm.conv(np.ones((1, 1, 1, 1)), (1, 2**32, 2**32)),
        cm.conv(np.ones((4, 4, 1, 1)), (4, 2**31, 2**31)),
        cm.identity((2**16, 2**16, 2**16, 2**16)),
        cm.avg_pool((2**16, 2**16, 2**16, 2**15), 1),
    ],
    ids=["convolution", "channels", "identity", "average"],
)
def test_rows_that_64_bits_cannot_number_are_refused(B):
    rows = B.shape[0]
    for span in (slice(0, 3), slice(-3, None), slice(rows - 1, rows), slice(0, 0)):
        for operator in (B, B.T):
            for options in ({}, {"format": "csc"}, {"dtype": "f4"}):
                with pytest.raises(cm.GeometryError, match="64 bits cannot number") as caught:
                    operator.matrix(rows=span, **options)
                assert caught.value.argument == "rows"


def test_no_rows_of_a_long_layer_cost_nothing():
    B = cm.conv(np.ones((1, 1, 2)), (1, 2**58))
    for span in (slice(2**59, 2**60), slice(7, 7), slice(2**57, 2**57 - 4)):
        assert B.matrix(rows=span).shape == (0, 2**58)
    assert B.matrix(rows=slice(-1, None)).indices.tolist() == [2**58 - 2, 2**58 - 1]
