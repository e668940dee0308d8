"""Mirrors of encoders: sizes that match, layers that transpose, and what has no mirror."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from cases import integers
from hypothesis import given
from hypothesis import strategies as st
from strategies import layer

import convmat as cm
from convmat.geometry.keywords import keywords
from convmat.operator import LayerOperator


def relu(x):
    return np.maximum(x, 0)


@st.composite
def encoder(draw):
    """Draw one to five layers that fit, strides with remainders and dilation among them."""
    shape = (draw(st.integers(1, 3)), *draw(st.lists(st.integers(1, 12), min_size=1, max_size=2)))
    layers = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["conv", "max_pool", "avg_pool", "activation"]))
        stride = [draw(st.integers(1, 4)) for _ in shape[1:]]
        if kind == "activation":
            layers.append(draw(st.sampled_from([relu, np.abs])))
            continue
        if kind == "conv":
            out = draw(st.integers(1, 3))
            kernel = [draw(st.integers(1, 4)) for _ in shape[1:]]
            dilation = draw(st.integers(1, 3))
            short = max(dilation * (k - 1) + 1 - n for n, k in zip(shape[1:], kernel, strict=True))
            low = max(-(-short // 2), 0) + draw(st.integers(0, 2))
            weight = integers((out, shape[0], *kernel), seed=draw(st.integers(0, 99)))
            made = cm.conv(weight, shape, stride=stride, padding=low, dilation=dilation)
        else:
            kernel = [draw(st.integers(1, min(n, 4))) for n in shape[1:]]
            ceil = draw(st.booleans())
            pads = [draw(st.integers(0, k // 2)) for k in kernel]
            made = getattr(cm, kind)(shape, kernel, stride=stride, padding=pads, ceil_mode=ceil)
        layers.append(made)
        shape = made.out_shape
    if all(step in (relu, np.abs) for step in layers):
        layers.append(cm.conv(np.ones((1, shape[0], *(1,) * (len(shape) - 1))), shape))
    return layers


def encode(layers, x):
    """Return code and switches."""
    switches = []
    for step in layers:
        x = step(x)
        if isinstance(x, tuple):
            x, chosen = x
            switches.append(chosen)
    return x, switches


def decode(layers, code, switches):
    """Decode one sample by loops and dense matrices."""
    left = list(switches)
    for step in reversed(layers):
        if not hasattr(step, "in_shape"):
            code = step(code)
        elif isinstance(step, LayerOperator):
            code = (step.matrix().toarray().T @ code.ravel()).reshape(step.in_shape)
        elif hasattr(step, "T"):  # every average to all that it was taken of
            read = (step.matrix().toarray() != 0).astype(float)
            code = (read.T @ code.ravel()).reshape(step.in_shape)
        else:
            image = np.zeros((step.in_shape[0], int(np.prod(step.in_shape[1:]))))
            chosen = left.pop()
            for place in np.ndindex(*code.shape):
                image[place[0], chosen[place]] = code[place]
            code = image.reshape(step.in_shape)
    return code


@given(encoder(), st.integers(0, 1000))
def test_every_size_matches_and_every_layer_is_mirrored(layers, seed):
    decoder = cm.mirror(layers)
    sized = [step for step in layers if hasattr(step, "in_shape")]
    assert decoder.in_shape == sized[-1].out_shape
    assert decoder.out_shape == sized[0].in_shape
    assert len(decoder.layers) == len(layers)
    for step, back in zip(layers, reversed(decoder.layers), strict=True):
        if hasattr(step, "in_shape"):
            assert (back.in_shape, back.out_shape) == (step.out_shape, step.in_shape)
        else:
            assert back is step
    batch = integers((2, *sized[0].in_shape), seed=seed)
    code, switches = encode(layers, batch)
    answer = decoder(code, switches)
    assert answer.shape == batch.shape
    for n in range(2):
        expected = decode(layers, code[n], [chosen[n] for chosen in switches])
        np.testing.assert_allclose(answer[n], expected, rtol=1e-12, atol=1e-9)
        one = decoder(code[n], [chosen[n] for chosen in switches])
        np.testing.assert_array_equal(one, answer[n])


@given(encoder())
def test_convolutions_are_answered_by_the_tied_transpose(layers):
    for step, back in zip(layers, reversed(cm.mirror(layers).layers), strict=True):
        if isinstance(step, LayerOperator):
            assert back.geometry == step.T.geometry
            assert back.weight is step.weight
            assert (back.matrix() != step.matrix().T).nnz == 0
            words = keywords(back.geometry)
            del words["kernel"]
            again = cm.conv_transpose(step.weight, back.in_shape, **words)
            assert again.geometry == back.geometry, "the keywords shown make this very layer"


@given(st.data(), st.booleans())
def test_keywords_lead_back_to_the_geometry(data, transposed):
    drawn = data.draw(layer(transposed=transposed))
    make = cm.conv_transpose if transposed else cm.conv
    made = make(
        drawn.weight(transposed=transposed), drawn.in_shape, **drawn.keywords(transposed=transposed)
    )
    for operator, constructor in (
        (made, make),
        (made.T, cm.conv if transposed else cm.conv_transpose),
    ):
        words = keywords(operator.geometry)
        assert words.pop("kernel") == operator.geometry.kernel
        try:
            again = constructor(operator.weight, operator.in_shape, **words)
        except cm.GeometryError:
            assert transposed
            assert operator is made.T
            continue
        if again.geometry != operator.geometry:
            # With output_padding beyond the stride, the plain convolution has surplus rows.
            assert transposed
            assert operator is made.T


def test_a_decoder_is_shown_with_its_solved_sizes():
    first = cm.conv(np.ones((4, 1, 3, 3)), (1, 28, 28), stride=2, padding=1)
    pool = cm.max_pool(first.out_shape, 2)
    second = cm.conv(np.ones((8, 4, 3, 3)), pool.out_shape, dilation=2)
    decoder = cm.mirror([first, relu, pool, second, relu])
    solved = "conv_transpose, kernel (3, 3), stride 2, padding 1, output_padding 1"
    assert str(decoder).splitlines() == [
        "                            relu",
        "(8, 3, 3) -> (4, 7, 7)      conv_transpose, kernel (3, 3), dilation 2",
        "(4, 7, 7) -> (4, 14, 14)    unpool, with the encoder's switches",
        "                            relu",
        "(4, 14, 14) -> (1, 28, 28)  " + solved,
    ]
    assert (
        repr(decoder.layers[2]) == "<unpool, with the encoder's switches: (4, 7, 7) -> (4, 14, 14)>"
    )
    for other in (pickle.loads(pickle.dumps(decoder)), copy.deepcopy(decoder)):
        assert str(other) == str(decoder)


def test_complex_weights_are_transposed_not_conjugated():
    A = cm.conv(integers((2, 1, 3), "c16"), (1, 7), stride=2)
    (back,) = cm.mirror([A]).layers
    assert (back.matrix() != A.matrix().T).nnz == 0


def test_averages_that_tile_are_answered_by_nearest_upsampling():
    pool = cm.avg_pool((2, 6, 4), 2)
    (back,) = cm.mirror([pool]).layers
    nearest = cm.upsample(pool.out_shape, scale_factor=2)
    assert (back.matrix() != nearest.matrix()).nnz == 0
    assert (back.matrix() != 4 * pool.T.matrix()).nnz == 0
    # Windows of several sizes: constants come back, as they would not from k * A.T.
    ragged = cm.avg_pool((1, 5), 2, ceil_mode=True)
    constant = np.full((1, 5), 3.0)
    np.testing.assert_array_equal(cm.mirror([ragged])(ragged(constant)), constant)
    whole = cm.adaptive_avg_pool((2, 3, 5), 1)
    np.testing.assert_array_equal(cm.mirror([whole])(np.array([[[1.0]], [[2.0]]]))[1], 2.0)
    overlapping = cm.avg_pool((1, 5), 3, stride=2)
    (back,) = cm.mirror([overlapping]).layers
    np.testing.assert_allclose(back.matrix().toarray(), 3 * overlapping.T.matrix().toarray())


def test_shared_winners_are_assigned_not_added():
    pool = cm.max_pool((1, 5), 3, stride=2)
    y, switches = pool(np.array([[0.0, 1, 9, 2, 3]]))
    back = cm.mirror([pool])(y, [switches])
    np.testing.assert_array_equal(back, [[0, 0, 9, 0, 0]])
    np.testing.assert_array_equal(cm.selection((1, 5), switches).T(y), [[0, 0, 18, 0, 0]])


def test_own_weights():
    A = cm.conv(np.ones((3, 2, 3)), (2, 9), stride=2)
    B = cm.conv(np.ones((4, 3, 2)), A.out_shape)
    decoder = cm.mirror([A, relu, B])
    own = [integers((4, 3, 2), seed=1), integers((3, 2, 3), seed=2)]
    untied = decoder.with_weights(own)
    x = integers((5, *B.out_shape))
    expected = A.with_weight(own[1]).T(relu(B.with_weight(own[0]).T(x)))
    np.testing.assert_array_equal(untied(x), expected)
    assert decoder.layers[0].weight is B.weight, "the decoder itself is as it was"
    for bad in (own[:1], [*own, own[0]], "ab", 3, own[::-1]):
        with pytest.raises(cm.GeometryError, match="weight"):
            decoder.with_weights(bad)
    for bad in (np.ones((3, 2, 2)), np.ones(18), "text", None):
        with pytest.raises(cm.GeometryError, match="weight"):
            A.with_weight(bad)


def test_batches_of_any_shape_and_tensors():
    pool = cm.max_pool((2, 4, 6), 2)
    decoder = cm.mirror([relu, pool])
    x = integers((3, 1, 2, 2, 4, 6)).astype("f4")
    y, switches = pool(relu(x))
    back = decoder(y, [switches])
    assert back.shape == x.shape
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back[2, 0, 1], decoder(y[2, 0, 1], [switches[2, 0, 1]]))
    assert decoder(y[:0], [switches[:0]]).shape == (0, *x.shape[1:])
    torch = pytest.importorskip("torch", reason="tensors in, tensors out needs torch")
    linear = cm.mirror([pool])
    tensor = linear(torch.tensor(y), [torch.tensor(switches)])
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), linear(y, [switches]))
    flat = torch.tensor(y.reshape(6, *pool.out_shape))
    expected = torch.nn.functional.max_unpool2d(
        flat, torch.tensor(switches.reshape(flat.shape)), [2, 2]
    )
    np.testing.assert_array_equal(tensor.numpy().reshape(expected.shape), expected.numpy())


class PoolOfAFramework:
    """Callable, without in_shape, but with what constructors of layers leave behind."""

    kernel_size = 2

    def __call__(self, x):
        return x


A = cm.conv(np.ones((2, 1, 3)), (1, 8))
POOL = cm.max_pool(A.out_shape, 2)
REFLECTED = cm.conv(np.ones((1, 1, 3)), (1, 5), padding=1, padding_mode="reflect")


@pytest.mark.parametrize(
    ("layers", "argument", "words"),
    [
        ([], "encoder", "at least one layer"),
        ("conv", "encoder", "at least one layer"),
        (A, "encoder", "at least one layer"),
        ([relu, np.abs], "encoder", "activations alone"),
        ([A, relu, cm.conv(np.ones((2, 2, 3)), (2, 7))], "encoder[2]", "(2, 7)"),
        ([POOL, A], "encoder[1]", "(2, 3)"),
        ([A.T @ A], "encoder[0]", "no mirror"),
        ([2 * A], "encoder[0]", "no mirror"),
        ([A, cm.upsample(A.out_shape, scale_factor=2)], "encoder[1]", "no mirror"),
        ([cm.upsample((1, 4), size=4)], "encoder[0]", "no mirror"),
        ([cm.avg_pool((1, 4), 2).T], "encoder[0]", "no mirror"),
        ([cm.pad((1, 4), 1) @ cm.pad((1, 2), 1)], "encoder[0]", "no mirror"),
        ([A @ cm.upsample((1, 4), size=8)], "encoder[0]", "factors of a product one by one"),
        ([cm.unfold((1, 4), 2)], "encoder[0]", "no mirror"),
        ([2 * REFLECTED], "encoder[0]", "no mirror"),
        ([cm.identity((1, 4))], "encoder[0]", "no mirror"),
        ([A, cm.max_pool], "encoder[1]", "neither"),
        ([A, None], "encoder[1]", "neither"),
        ([A, PoolOfAFramework()], "encoder[1]", "neither"),
        ([A, PoolOfAFramework], "encoder[1]", "neither"),
    ],
)  # fmt: skip
def test_what_has_no_mirror_is_refused(layers, argument, words):
    with pytest.raises(cm.GeometryError) as caught:
        cm.mirror(layers)
    assert caught.value.argument == argument
    assert words in str(caught.value)
    assert caught.value.repair


def test_bad_codes_and_switches_are_refused():
    decoder = cm.mirror([A, relu, POOL])
    x = integers((4, 1, 8))
    y, switches = POOL(relu(A(x)))
    assert decoder(y, [switches]).shape == x.shape
    for code, given_switches, argument in (
        (y, [], "switches"),
        (y, [switches, switches], "switches"),
        (y, switches, "switches"),
        (y, None, "switches"),
        (y, [switches[0]], "switches"),
        (y, [switches[..., :2]], "switches"),
        (y, [switches + 100], "switches"),
        (y, [switches - 100], "switches"),
        (y, [switches.astype(float)], "switches"),
        (y[..., :2], [switches], "code"),
        ("text", [switches], "code"),
    ):
        with pytest.raises(cm.GeometryError) as caught:
            decoder(code, given_switches)
        assert caught.value.argument == argument
    with pytest.raises(cm.GeometryError, match=r"call decoder\(code, \[switches\]\)"):
        decoder(y)
    for changing in (np.ravel, lambda v: v[..., :1], lambda v: float(v.sum())):
        with pytest.raises(cm.GeometryError, match=r"encoder\[1\].*so it is no activation"):
            cm.mirror([A, changing])
    # Some change the shape of some arrays alone.
    shrinking = cm.mirror([lambda v: v[..., :3], A])
    with pytest.raises(cm.GeometryError, match="keep the shape"):
        shrinking(np.ones(A.out_shape))
    with pytest.raises(cm.GeometryError, match="switches"):
        decoder.layers[0](y, switches[:1])
    with pytest.raises(cm.GeometryError, match=r"\by\b"):
        decoder.layers[0](y[:, :1], switches[:, :1])


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "symmetric"])
def test_padding_modes_are_mirrored(mode):
    weight = integers((3, 2, 3, 3))
    C = cm.conv(weight, (2, 6, 7), stride=2, padding=1, padding_mode=mode)
    decoder = cm.mirror([C, relu])
    (_, back) = decoder.layers
    size = {"padding": 1, "output_size": (6, 7)}
    same = cm.conv_transpose(weight, C.out_shape, stride=2, padding_mode=mode, **size)
    assert (back.in_shape, back.out_shape) == (C.out_shape, C.in_shape)
    np.testing.assert_array_equal(back.matrix().toarray(), C.matrix().toarray().T)
    np.testing.assert_array_equal(back.matrix().toarray(), same.matrix().toarray())
    own = integers(weight.shape, seed=5)
    (_, other) = decoder.with_weights([own]).layers
    again = cm.conv(own, (2, 6, 7), stride=2, padding=1, padding_mode=mode)
    np.testing.assert_array_equal(other.matrix().toarray(), again.matrix().toarray().T)
    with pytest.raises(cm.GeometryError, match="each of the 1 convolutions"):
        decoder.with_weights([])
    row = repr(decoder).splitlines()[1]
    assert row == (
        "(3, 3, 4) -> (2, 6, 7)  conv_transpose, kernel (3, 3), stride 2, output_padding (1, 0), "
        f"then pad 1, {mode}, transposed"
    )
    (forth,) = cm.mirror([back]).layers  # and the mirror of that
    np.testing.assert_array_equal(forth.matrix().toarray(), C.matrix().toarray())


def test_padding_alone_is_mirrored_by_its_transpose():
    P = cm.pad((1, 4), ((2, -1),), "reflect")
    assert isinstance(P.T.T, type(P))
    decoder = cm.mirror([P, cm.conv(np.ones((1, 1, 2)), P.out_shape)])
    np.testing.assert_array_equal(decoder.layers[1].matrix().toarray(), P.matrix().toarray().T)
    assert decoder.out_shape == (1, 4)


def test_modules_of_pytorch_are_activations_or_refused():
    torch = pytest.importorskip("torch", reason="asks which of torch's modules are taken")
    nn = torch.nn

    class Swish(nn.Module):
        def forward(self, x):
            return x * torch.sigmoid(x)

    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Flatten()

    for module in (nn.ReLU(), nn.LeakyReLU(0.1), nn.Sigmoid(), nn.PReLU(), nn.Identity(),
                   nn.Dropout(0.5), Swish()):  # fmt: skip
        assert cm.mirror([A, module]).layers[0] is module
    for module in (nn.AdaptiveAvgPool2d(1), nn.ZeroPad2d(1), nn.Flatten(), nn.Embedding(2, 3),
                   nn.BatchNorm1d(2), nn.Conv1d(1, 2, 3), nn.MaxPool1d(2), nn.Sequential(nn.ReLU()),
                   nn.GLU(), nn.MultiheadAttention(2, 1), nn.Upsample(scale_factor=2),
                   nn.PixelShuffle(2), nn.Unfold(2), nn.LayerNorm(3), Hidden()):  # fmt: skip
        with pytest.raises(cm.GeometryError) as caught:
            cm.mirror([A, module])
        assert caught.value.argument == "encoder[1]"


def test_modules_of_pytorch_are_refused_with_a_way_to_convert_them():
    torch = pytest.importorskip("torch", reason="its modules are what is refused")
    conv = torch.nn.Conv2d(1, 2, 3)
    for encoder in (torch.nn.Sequential(conv), [conv]):
        with pytest.raises(cm.GeometryError, match=r"cm\.conv\(module\.weight\.detach\(\)"):
            cm.mirror(encoder)
    assert cm.mirror([A, torch.nn.ReLU()]).layers
