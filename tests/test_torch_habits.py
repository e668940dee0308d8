"""What people type who come from PyTorch and TensorFlow means the same here, or is refused."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import convmat as cm

ONE = np.ones((1, 1, 2, 2))
# Functions of PyTorch, and modules: none of their positional arguments may mean another one here.
COUNTERPARTS = {
    "conv": ("conv1d", "conv2d", "conv3d", "Conv2d"),
    "conv_transpose": ("conv_transpose1d", "conv_transpose2d", "ConvTranspose2d"),
    "avg_pool": ("avg_pool1d", "avg_pool2d", "avg_pool3d", "AvgPool2d"),
    "max_pool": ("_max_pool2d", "MaxPool2d", "MaxPool3d"),
    "adaptive_avg_pool": ("adaptive_avg_pool2d", "AdaptiveAvgPool2d"),
    "upsample": ("interpolate", "Upsample"),
    "pad": ("pad",),
    "pixel_shuffle": ("pixel_shuffle", "PixelShuffle"),
    "pixel_unshuffle": ("pixel_unshuffle", "PixelUnshuffle"),
    "unfold": ("unfold", "Unfold"),
    "unfold_shape": ("unfold", "Unfold"),
    "fold": ("fold", "Fold"),
    "unpool": ("max_unpool2d",),
}
# What stands for the tensors that PyTorch's functions take first, and for sizes of its modules.
FIRST = ("input", "weight", "bias", "in_shape", "out_shape", "in_channels", "out_channels")
ALIKE = {"kernel": "kernel_size", "pad": "padding", "indices": "switches"}


def positional(signature):
    return [
        ALIKE.get(name, name)
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and name not in FIRST
    ]


def of_torch(torch, name):
    found = getattr(torch.nn.functional, name, None) or getattr(torch.nn, name)
    try:
        names = positional(inspect.signature(found))
    except ValueError:  # a built-in: its documentation begins with the signature
        inside = re.search(r"\((.*?)\) *->", found.__doc__).group(1)
        names = [part.partition("=")[0].strip() for part in inside.split(",")]
        names = [ALIKE.get(part, part) for part in names if part not in FIRST]
    # The kernel of a convolution is its weight, and the output size of a fold its out_shape.
    return names[1:] if name in ("Conv2d", "ConvTranspose2d", "fold", "Fold") else names


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_positional_arguments_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch", reason="signatures of PyTorch")
    ours = positional(inspect.signature(getattr(cm, name)))
    for counterpart in COUNTERPARTS[name]:
        theirs = of_torch(torch, counterpart)
        assert theirs, counterpart
        common = min(len(ours), len(theirs))
        assert ours[:common] == theirs[:common], counterpart


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (cm.conv, (ONE, (1, 5, 5), 1, 0, 1, 1, "reflect")),
        (cm.conv_transpose, (ONE, (1, 5, 5), 2, 0, 1, 1)),
        (cm.unfold, ((1, 5, 5), 2, 2)),
        (cm.fold, ((1, 5, 5), 2, 2)),
        (cm.unfold_shape, ((1, 5), (2,), (1,), (0,), (1,))),
        (cm.max_pool, ((1, 5, 5), 2, 2, 0, 1, True)),
        (cm.upsample, ((1, 5, 5), 7, None, "nearest", None, "half_pixel")),
    ],
)
def test_what_would_mean_another_layer_is_given_by_keyword(make, arguments):
    with pytest.raises(TypeError, match="positional argument"):
        make(*arguments)


def test_one_entry_stands_for_every_axis():
    shape = (1, 9, 9)
    for made, expected in (
        (cm.conv(ONE, shape, (2,), (1,), [2]), cm.conv(ONE, shape, 2, 1, 2)),
        (cm.conv(ONE, shape, padding=((1, 0),)), cm.conv(ONE, shape, padding=((1, 0), (1, 0)))),
        (cm.conv(ONE, shape, padding=("same",)), cm.conv(ONE, shape, padding="same")),
        (
            cm.conv_transpose(ONE, shape, (2,), (1,), (1,), dilation=np.array([2])),
            cm.conv_transpose(ONE, shape, 2, 1, 1, dilation=2),
        ),
        (
            cm.conv_transpose(ONE, shape, 2, output_size=(19,)),
            cm.conv_transpose(ONE, shape, 2, output_size=19),
        ),
        (cm.avg_pool(shape, (3,), (2,), (1,)), cm.avg_pool(shape, 3, 2, 1)),
        (cm.adaptive_avg_pool(shape, (4,)), cm.adaptive_avg_pool(shape, 4)),
        (cm.adaptive_avg_pool(shape, (None,)), cm.adaptive_avg_pool(shape, None)),
        (cm.upsample(shape, (12,)), cm.upsample(shape, 12)),
        (cm.upsample(shape, scale_factor=(2,)), cm.upsample(shape, scale_factor=2)),
        (cm.unfold(shape, (2,), stride=(3,)), cm.unfold(shape, 2, stride=3)),
        (cm.pad(shape, (2,), "reflect"), cm.pad(shape, 2, "reflect")),
        (cm.pixel_unshuffle(shape, (3,)), cm.pixel_unshuffle(shape, 3)),
    ):
        assert repr(made) == repr(expected)
        assert made.record == expected.record
    assert repr(cm.max_pool(shape, (2,))) == repr(cm.max_pool(shape, 2))
    for several in ((), (1, 1, 1)):
        with pytest.raises(cm.GeometryError, match="one for each of the 2"):
            cm.conv(ONE, shape, several)


def test_no_alignment_of_corners_is_none():
    for mode in ("nearest", "bilinear", "bicubic", "area"):
        told = repr(cm.upsample((1, 2, 2), 5, None, mode, None))
        assert told == repr(cm.upsample((1, 2, 2), 5, None, mode, align_corners=False))
    for bad in (0, 1, "yes"):
        with pytest.raises(cm.GeometryError, match="align_corners"):
            cm.upsample((1, 2), 5, mode="linear", align_corners=bad)


def test_orders_of_channels_are_read_in_any_case():
    for order in ("crd", "dcr"):
        for make, shape in ((cm.pixel_shuffle, (8, 2, 2)), (cm.pixel_unshuffle, (2, 4, 4))):
            expected = make(shape, 2, order)
            for written in (order.upper(), order.title()):
                made = make(shape, 2, written)
                assert repr(made) == repr(expected)
                assert made.record == expected.record
    for bad in ("CDR", "", None, 3):
        with pytest.raises(cm.GeometryError, match="order"):
            cm.pixel_shuffle((8, 2, 2), 2, bad)


def test_formats_are_read_in_any_case():
    A = cm.conv(ONE, (1, 3, 3))
    for operator in (A, A @ A.T, A + A, 2 * A, cm.block([[A], [A]]), cm.identity((1, 3, 3))):
        for name in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil"):
            assert operator.matrix(name.upper()).format == name
        with pytest.raises(cm.GeometryError, match="format = 'CSV'"):
            operator.matrix("CSV")


@pytest.mark.parametrize("channels", [2, 3, 64])
def test_weights_with_channels_last_are_told_so(channels):
    kernel = np.random.default_rng(1).standard_normal((5, 5, channels, 7))  # as TensorFlow has it
    x = np.ones((channels, 9, 8))
    with pytest.raises(cm.GeometryError, match=r"\(\*kernel, C_in, C_out\).*np.moveaxis") as caught:
        cm.conv(kernel, x.shape)
    assert caught.value.repair.endswith("pass np.moveaxis(weight, (-1, -2), (0, 1))")
    repaired = np.moveaxis(kernel, (-1, -2), (0, 1))
    y = cm.conv(repaired, x.shape)(x)
    np.testing.assert_allclose(y[:, 0, 0], kernel.sum((0, 1, 2)))
    back = kernel.swapaxes(2, 3)  # of a transposed convolution: outputs, then inputs
    with pytest.raises(cm.GeometryError, match=r"\(\*kernel, C_out, C_in\).*np.moveaxis"):
        cm.conv_transpose(back, x.shape)
    assert cm.conv_transpose(np.moveaxis(back, (-1, -2), (0, 1)), x.shape).out_shape[0] == 7


def test_a_weight_that_is_too_large_may_have_its_channels_last():
    with pytest.raises(cm.GeometryError, match=r"padding.*or, if it is laid out \(\*kernel, C_in"):
        cm.conv(np.ones((3, 3, 3, 64)), (3, 32, 32))
    with pytest.raises(cm.GeometryError) as caught:
        cm.conv(np.ones((1, 1, 4)), (1, 3))
    assert "laid out" not in str(caught.value)
