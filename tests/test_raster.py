"""The counts behind a picture of a matrix: every pixel has its own entries, and no others."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest
from cases import CASES

import convmat as cm
from convmat.plot import raster as rasters
from convmat.plot.grid import Side, boxes
from convmat.plot.raster import colours_of, rasterise


def pattern(A):
    """Return which entries the matrix stores."""
    stored = A.matrix().tocoo()
    dense = np.zeros(A.shape, np.int64)
    dense[stored.row, stored.col] = 1
    return dense


def block_sums(dense, raster):
    """Return how many entries of the dense pattern each pixel has."""
    sums = dense[slice(*raster.rows.span), slice(*raster.columns.span)]
    for axis, side in enumerate((raster.rows, raster.columns)):
        lengths = side.lengths()
        assert lengths.min() > 0
        assert lengths.sum() == side.span[1] - side.span[0]
        sums = np.add.reduceat(sums, np.cumsum(lengths) - lengths, axis=axis)
    return sums


def window(rng, total):
    first, last = np.sort(rng.integers(0, total, 2))
    return int(first), int(last) + 1


@pytest.mark.parametrize("name", CASES)
def test_every_pixel_counts_its_entries(name):
    check(CASES[name].make(), name)


COMPOSED = [name for name, case in CASES.items() if case.kind == "composed"]


@pytest.mark.parametrize("name", COMPOSED)
def test_compositions_too_large_to_be_built_are_counted(name, monkeypatch):
    monkeypatch.setattr(rasters, "BUDGET", -1)
    check(CASES[name].make(), name)


def check(A, name):
    rng = np.random.default_rng(len(name))
    dense, colours = pattern(A), colours_of(A)
    rows, columns = ((0, total) for total in A.shape)
    for most in (1000, *rng.integers(1, 14, 4).tolist()):
        raster = rasterise(A, rows, columns, colours, most)
        assert max(raster.entries.shape) <= most
        assert np.array_equal(raster.entries, block_sums(dense, raster))
        if most == 1000:
            assert raster.entries.sum() == dense.sum() == A.matrix().nnz
        rows, columns = (window(rng, total) for total in A.shape)


def test_the_mean_colour_of_a_pixel_is_that_of_its_entries():
    for A in (
        cm.conv(np.arange(36.0).reshape(2, 2, 3, 3), (2, 6, 7), padding=1, stride=2),
        cm.conv_transpose(np.ones((1, 1, 3, 2)), (1, 4, 5), stride=2),
        cm.upsample((2, 3, 4), scale_factor=2, mode="bilinear"),
        cm.unfold((2, 5, 5), kernel_size=3),
        cm.conv(np.ones((1, 1, 3, 3)), (1, 6, 6), padding=1, padding_mode="circular"),
    ):
        colours = colours_of(A)
        whole = [(0, total) for total in A.shape]
        fine, coarse = (rasterise(A, *whole, colours, most) for most in (1000, 9))
        assert fine.entries.shape == A.shape
        for channel in range(3):
            total = block_sums(fine.entries * fine.colour[..., channel], coarse)
            filled = coarse.entries > 0
            mean = total[filled] / coarse.entries[filled]
            assert np.allclose(coarse.colour[..., channel][filled], mean)


def test_taps_that_meet_in_one_entry_share_it():
    A = cm.conv([[[1.0, 2.0, 3.0]]], (1, 4), padding=1, padding_mode="reflect")
    raster = rasterise(A, (0, 4), (0, 4), colours_of(A), 100)
    assert np.array_equal(raster.entries, pattern(A))
    palette = colours_of(A).palette
    assert np.allclose(raster.colour[0, 1], (palette[0] + palette[2]) / 2)
    assert np.allclose(raster.colour[1, 0], palette[0])


def test_equal_blocks_look_equal():
    A = cm.conv(np.ones((8, 8, 3, 3, 3)), (8, 32, 32, 32), padding=1)
    picture = np.asarray(cm.plot.spy(A).images[0].get_array())
    each = len(picture) // 8
    blocks = picture.reshape(8, each, 8, each, 4).swapaxes(1, 2)
    assert each > 16
    assert np.array_equal(blocks, np.broadcast_to(blocks[0, 0], blocks.shape))


def test_darkness_is_coverage():
    A = cm.conv(np.ones((1, 1, 9)), (1, 4096), padding=4)
    opacity = np.asarray(cm.plot.spy(A, pixels=128).images[0].get_array())[..., 3] / 255
    count = rasterise(A, (0, 4096), (0, 4096), colours_of(A), 128).entries
    filled = count > 0
    assert np.array_equal(opacity > 0, filled)
    assert np.allclose(opacity[filled], 0.25 + 0.75 * count[filled] / count.max(), atol=0.004)


def test_no_row_of_pixels_is_blank_in_a_full_matrix():
    A = cm.conv(np.ones((2, 1, 32, 48)), (1, 63, 95))  # each of the rows has 1,536 entries
    raster = rasterise(A, (0, A.shape[0]), (0, A.shape[1]), colours_of(A), 500)
    assert (raster.entries.sum(axis=1) == 1536 * raster.rows.lengths()).all()


@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_a_matrix_of_millions_of_rows_takes_megabytes(mode):
    A = cm.conv(np.ones((1, 1, 5, 5), "f4"), (1, 2048, 2048), padding=2, padding_mode=mode)
    colours = colours_of(A)
    tracemalloc.start()
    start = time.perf_counter()
    raster = rasterise(A, (0, A.shape[0]), (0, A.shape[1]), colours, 1000)
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6
    assert seconds < 5  # a tenth of a second; machines are busy
    line = 5 * 2048 - (6 if mode == "zeros" else 0)
    assert raster.entries.sum() == line**2


def test_sums_and_rearrangements_are_read_a_few_rows_at_a_time():
    layer = cm.conv(np.ones((16, 1, 3, 3)), (1, 64, 64), padding=1)
    A = cm.pixel_shuffle((16, 64, 64), 4) @ layer
    A = A - 2 * A
    assert A.nnz > 1_000_000
    matrix = A.matrix().tocoo()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rasters, "BUDGET", 0)
        patch.setattr(type(A), "matrix", None)
        raster = rasterise(A, (0, A.shape[0]), (0, A.shape[1]), colours_of(A), 256)
    expected = np.histogram2d(matrix.row, matrix.col, raster.entries.shape)[0]
    assert np.array_equal(raster.entries, expected)


def test_pixels_end_with_lines_and_cut_them_evenly():
    assert Side.of((3, 56, 56), (0, 9408), 1000).units == (1, 1, 14)
    assert Side.of((64, 56, 56), (0, 200_704), 1000).units == (1, 4, 56)
    assert Side.of((300, 7), (0, 2100), 100).units == (3, 7)
    assert Side.of((300, 7), (700, 800), 100).single
    for most in range(1, 40):
        side = Side.of((5, 6, 7), (20, 153), most)
        assert side.number <= most
        assert np.array_equal(
            side.pixel(np.arange(20, 153)) - side.first,
            np.repeat(np.arange(side.number), side.lengths()),
        )


def test_boxes_cut_a_span_into_digits():
    for span in ((0, 60), (7, 8), (11, 52), (3, 59), (12, 24)):
        numbers = [
            np.ravel_multi_index(np.ix_(*(range(*part) for part in box)), (3, 4, 5)).ravel()
            for box in boxes((3, 4, 5), span)
        ]
        assert np.array_equal(np.concatenate(numbers), np.arange(*span))
