"""What people type and point at: numbers, kernels and photographs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import convmat as cm
from convmat.cli import inputs
from convmat.cli.options import layer_options, read_shape
from convmat.layers.text import read_layers
from convmat.plot.photograph import photograph

LUMA = [0.299, 0.587, 0.114]
PLAIN = {"stride": "1", "padding": "0", "dilation": "1"}


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [
        ("stride", "3", 3),
        ("stride", "3,5", (3, 5)),
        ("stride", "3x5", (3, 5)),
        ("stride", " 3 , 5 ", (3, 5)),
        ("dilation", "2 x 1", (2, 1)),
        ("padding", "1", 1),
        ("padding", "1,2", (1, 2)),
        ("padding", "1x2", (1, 2)),
        ("padding", "0:1", ((0, 1), (0, 1))),
        ("padding", "0:1,2:2", ((0, 1), (2, 2))),
        ("padding", "0:1x2:2", ((0, 1), (2, 2))),
        ("padding", "0:1,2", ((0, 1), 2)),
        *(("padding", name, name) for name in ("valid", "same", "full", "same_upper")),
    ],
)
def test_values_mean_the_same_in_options_and_in_layers(option, text, value):
    weight, shape = np.ones((1, 1, 2, 2)), (1, 9, 9)
    expected = cm.conv(weight, shape, **{option: value}).geometry
    assert cm.conv(weight, shape, **layer_options(PLAIN | {option: text})).geometry == expected
    assert read_layers(f"conv:ones,kernel=2,{option}={text}")(shape).geometry == expected


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("stride", "two", "stride = 'two': is not an integer"),
        ("stride", "2.5", "stride = '2.5': is not an integer"),
        ("stride", "3,5x2", "stride = '3,5x2': has both x and commas between its values"),
        ("stride", "3x", "stride = '3x': is not an integer"),
        ("stride", "1,2,3", "stride = '1x2x3': names 3 axes, where there are 2 spatial axes"),
        ("padding", "1:x", "padding = 'x': is not an integer"),
        ("padding", "1:2:3", "padding = '1:2:3': has more than two ends"),
        ("padding", "0:1,1:0,2", "padding = '0:1x1:0x2': names 3 axes"),
        ("dilation", "9" * 19, "at most 18"),
    ],
)
def test_bad_values_are_told_alike_of_options_and_of_layers(option, text, words):
    told = []
    for read in (
        lambda: layer_options(PLAIN | {option: text}),
        lambda: read_layers(f"conv:ones,kernel=2,{option}={text}")((1, 9, 9)),
    ):
        with pytest.raises(cm.GeometryError) as caught:
            read()
        told.append(str(caught.value))
    assert words in told[0]
    assert told[0] == told[1]


def test_shapes_are_read_with_commas_or_an_x():
    assert read_shape("1,28,28") == read_shape("1x28x28") == read_shape("1, 28, 28") == (1, 28, 28)
    assert read_shape("5") == (5,)


def test_kernels_from_files(tmp_path):
    kernel = np.arange(12.0).reshape(3, 2, 2)
    np.save(tmp_path / "stack.npy", kernel)
    assert np.array_equal(inputs.read_kernel(str(tmp_path / "stack.npy")), kernel)
    (tmp_path / "plain.txt").write_text("1 2\n3, 4\n")
    assert inputs.read_kernel(str(tmp_path / "plain.txt")).tolist() == [[1, 2], [3, 4]]
    weight = inputs.dense_weight(kernel, 3, 2, np.dtype(float))
    assert np.allclose(weight, kernel[:, None] * np.reshape(LUMA, (1, 3, 1, 1)))
    assert np.allclose(inputs.dense_weight(kernel[0], 4, 2, np.dtype(float)).sum(1), kernel[0])
    (tmp_path / "told.txt").write_text("# two rows\n1 2  # the first\n3 4\n")
    assert inputs.read_kernel(str(tmp_path / "told.txt")).tolist() == [[1, 2], [3, 4]]
    full = np.ones((2, 3, 2, 2))
    assert np.array_equal(inputs.dense_weight(full, 3, 2, np.dtype(float)), full)


def test_bad_kernel_files_are_refused_and_never_unpickled(tmp_path, recwarn):
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "words.txt").write_text("a b")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00\x80")
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00")
    np.save(tmp_path / "names.npy", np.array(["a"]))
    (tmp_path / "comment.txt").write_text("# nothing\n")
    np.save(tmp_path / "whole.npy", np.ones(3))
    whole = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "whole.npy").unlink()
    damages = [(b"}", b" "), (b"{", b"("), (b"'", b'"'), (b"<f8", b"<q!"), (b"(3,)", b"(-3)")]
    damages += [(b"(3,)", b"('a'"), (b"descr", b"de\xffcr"), (b"<f8", b"\0f8"), (b"<f8", b"(2,")]
    for number, (old, new) in enumerate(damages):
        (tmp_path / f"damaged{number}.npy").write_bytes(whole.replace(old, new, 1))
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "zero.npy").write_bytes(b"")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(cm.GeometryError) as caught:
            inputs.read_kernel(str(path))
        assert caught.value.argument == "kernel", path
    assert not recwarn.list


def test_weights_are_converted_exactly_or_refused():
    kernel = np.array([[1.0, 2], [3, 127]])
    for dtype in ("i1", "u2", "f4", "F"):
        weight = inputs.dense_weight(kernel, 1, 2, np.dtype(dtype))
        assert weight.dtype == dtype
        assert np.array_equal(weight[0, 0], kernel)
    for channels, bad, dtype in (
        (1, kernel + 1, "i1"),
        (1, -kernel, "u2"),
        (1, kernel / 2, "i8"),
        (3, kernel, "i8"),
        (1, kernel * 1j, "f8"),
        (2, kernel * 1j, "i8"),
        (1, kernel, "O"),
        (1, kernel, "?"),
    ):
        with pytest.raises(cm.GeometryError) as caught:
            inputs.dense_weight(bad, channels, 2, np.dtype(dtype))
        assert caught.value.argument == "dtype"
    assert inputs.dense_weight(2 * kernel, 2, 2, np.dtype("i4"))[0, 1].tolist() == kernel.tolist()


def test_named_kernels_do_what_their_names_say():
    kernels = {name: inputs.read_kernel(name) for name in inputs.NAMED}
    assert all(kernel.shape[1:] == (3, 3) for kernel in kernels.values())
    for name in ("gaussian", "box", "identity"):
        assert kernels[name].sum() == pytest.approx(1)
    for kernel in (*kernels["sobel"], *kernels["laplacian"]):
        assert kernel.sum() == 0
    ramp = np.arange(5.0) * np.ones((5, 1))
    across, down = cm.conv(kernels["sobel"][:, None], (1, 5, 5))(ramp[None])
    assert (across == 8).all()
    assert (down == 0).all()
    # Linear interpolation by two: between samples, their mean.
    up = cm.conv_transpose(kernels["triangle"][:, None], (1, 3, 1), stride=2)
    assert up(np.array([[[0.0], [2], [6]]]))[0, 1:-1, 1].tolist() == [0, 1, 2, 4, 6]


def test_photographs_of_every_kind(tmp_path):
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 3), ("LA", 1), ("P", 3), ("1", 1)):
        path = tmp_path / f"{mode}.png"
        Image.fromarray(pixels).convert(mode).save(path)
        assert photograph(path).shape == (channels, 4, 6)
        assert photograph(path, grey=True).shape == (1, 4, 6)
    Image.fromarray(pixels.astype(np.uint16) * 1000).save(tmp_path / "deep.png")
    assert photograph(tmp_path / "deep.png").max() == 23_000
