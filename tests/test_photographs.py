"""Photographs of any shape, range and completeness: read by one rule, drawn on bounded pages."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import convmat as cm
from convmat import answer
from convmat.plot.photograph import photograph

SHAPES = [(300, 2), (2, 300), (1, 6000), (6000, 1), (1, 1), (40, 1000), (1000, 40), (1, 8), (9, 1)]
TITLES = ["image x", "A(x), channel 0", "Aᵀ(A(x)), sum of 3 channels"]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("lowest", [0.0, -1.0])
def test_strips_are_bounded_pages_with_legible_words(shape, lowest):
    x = np.random.default_rng(0).uniform(lowest, 1, shape)
    figure = cm.plot.strip([x] * 3, TITLES)
    width, height = figure.get_size_inches()
    assert width < 30
    assert height < 5
    figure.draw_without_rendering()
    page = figure.bbox
    words = [part for ax in figure.axes for part in (ax._left_title, ax.xaxis.label)]
    boxes = [part.get_window_extent() for part in words]
    images = [ax.get_window_extent() for ax in figure.axes]
    for number, box in enumerate(boxes):
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in (*boxes[number + 1 :], *images))
    assert all(min(image.width, image.height) > 0.2 * figure.dpi for image in images)
    stretched = max(shape) > 8 * min(shape)
    assert all(("not to scale" in ax.get_xlabel()) == stretched for ax in figure.axes)


def save(path, pixels, mode=None):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path)
    return path


def test_transparent_pixels_are_laid_on_white(tmp_path):
    pixels = np.zeros((4, 5, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    path = save(tmp_path / "clear.png", pixels)
    read = photograph(path)
    assert read.shape == (3, 4, 5)
    assert read[:, 0, 0].tolist() == [10, 20, 30]
    assert (read[:, 1:] == 255).all()
    assert (photograph(path, grey=True)[:, 1:] == 255).all()
    grey = np.full((4, 5, 2), 7, np.uint8)
    grey[..., 1] = 0
    assert (photograph(save(tmp_path / "grey.png", grey)) == 255).all()


def test_a_transparent_colour_is_laid_on_white(tmp_path):
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6) * 1000
    Image.fromarray(pixels).save(tmp_path / "deep.png", transparency=5000)
    expected = np.where(pixels == 5000, 65535, pixels)
    for grey in (False, True):
        assert np.array_equal(photograph(tmp_path / "deep.png", grey=grey)[0], expected)
    shallow = (pixels // 1000).astype(np.uint8)
    Image.fromarray(shallow).save(tmp_path / "grey.png", transparency=3)
    assert np.array_equal(
        photograph(tmp_path / "grey.png")[0], np.where(shallow == 3, 255, shallow)
    )
    colours = np.stack([shallow, shallow, shallow], -1)
    Image.fromarray(colours).save(tmp_path / "colours.png", transparency=(3, 3, 3))
    assert (photograph(tmp_path / "colours.png")[:, shallow == 3] == 255).all()
    assert (photograph(tmp_path / "colours.png")[:, shallow == 4] == 4).all()


def test_a_transparent_colour_that_pillow_cannot_tell_is_refused(tmp_path):
    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    def file(name, *clear):
        header = struct.pack(">IIBBBBB", 1, 2, 16, 2, 0, 0, 0)
        rows = 2 * (b"\0" + struct.pack(">HHH", 0, 513, 1026))
        parts = [(b"IHDR", header), *clear, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        path = tmp_path / name
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))
        return path

    assert photograph(file("plain.png"))[:, 0, 0].tolist() == [0, 2, 4]
    clear = file("clear.png", (b"tRNS", struct.pack(">HHH", 0, 513, 1026)))
    with pytest.raises(cm.GeometryError, match="transparent colour of 16 bits"):
        photograph(clear)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_missing_pixels_are_told(tmp_path, number):
    pixels = np.ones((20, 20), np.float32)
    pixels[3, 4] = pixels[5, 6] = number
    path = save(tmp_path / "holes.tiff", pixels)
    with pytest.raises(cm.GeometryError, match="has 2 pixels that are missing"):
        photograph(path)
    with pytest.raises(cm.GeometryError, match="fill them first"):
        answer.sample(path)


@pytest.mark.parametrize("highest", [1e-30, 1.0, 3.7, 255.0, 65535.0, 1e30])
def test_a_sample_keeps_its_range(tmp_path, highest):
    slope = np.linspace(0, highest, 32 * 32).reshape(32, 32).astype(np.float32)
    x = answer.sample(save(tmp_path / "slope.tiff", slope))
    assert len(np.unique(x)) > 100
    assert x.max() == pytest.approx(highest, rel=0.01)
    whole = x / np.ldexp(1.0, int(np.frexp(np.float32(highest))[1]) - 8)
    assert np.array_equal(whole, np.rint(whole))
    assert whole.max() <= 256


@pytest.mark.parametrize("value", [0, 255])
def test_blank_images_have_an_answer(tmp_path, value):
    x = answer.sample(save(tmp_path / "blank.png", np.full((24, 40), value, np.uint8)))
    assert (x == value).all()
    found = answer.verdicts(x)
    assert answer.headline(found)[0] == "No"
    numbers = found["inverse"].numbers
    assert ("|x − Cᵀ C x| / |x|" in numbers) == (value > 0)
    answer.write_page(tmp_path / "page.html", found)
    assert (tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_strip_has_no_colour_for_missing_numbers(number):
    x = np.ones((4, 5))
    x[1, 2] = number
    with pytest.raises(cm.GeometryError, match="missing"):
        cm.plot.strip([x], ["a"])
