"""What is compiled does what its twins in Python do, and phases hold every output once."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import layer

import convmat as cm
from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.layout.phases import STEPS, phases
from convmat.kernels.cpu.vectors import copies, sums
from convmat.kernels.cpu.vectors.writer import VECTOR

DTYPES = ["f4", "f8", "i8"]  # uint64 is computed as int64


multiply = sums.multiply_in(1, 8)


@compiled
def tile_of_24(x, at, offsets, w, begin, steps, y, to, pitch):
    multiply(x, at, offsets, w, begin, steps, y, to, pitch, (3, 8))


@compiled
def tile_of_1(x, at, offsets, w, begin, steps, y, to, pitch):
    multiply(x, at, offsets, w, begin, steps, y, to, pitch, (1, 1))


@compiled
def tile_of_lines(x, at, offsets, w, begin, y, to, pitches, count, shape):
    sums.multiply_lines(x, at, offsets, w, begin, y, to, pitches, count, shape)


@compiled
def tile_of_rows(x, at, offsets, w, begin, steps, y, to, pitch, blocks):
    sums.multiply_rows(x, at, offsets, w, begin, steps, y, to, pitch, blocks)


@compiled
def lines(x, base, offsets, first, count, y, at, pitch, length):
    copies.copy_lines(x, base, offsets, first, count, y, at, pitch, length)


@compiled
def copied(y, to, x, start, count):
    copies.copy(y, to, x, start, count)


@compiled
def interleaved(y, to, x, start, pitch, count, rows):
    copies.interleave(y, to, x, start, pitch, count, rows)


@compiled
def separated(y, to, x, start, pitch, count, rows):
    copies.separate(y, to, pitch, x, start, count, rows)


@compiled
def cleared(y, to, _, count):
    copies.clear(y, to, count)


def numbers(size, dtype):
    return np.random.default_rng(3).integers(0, 50, size).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("function", "wide", "rows"), [(tile_of_24, 3, 8), (tile_of_1, 1, 1)], ids=["24", "1"]
)
@pytest.mark.parametrize("steps", [1, 5])
def test_tiles_are_sums_of_products(dtype, function, wide, rows, steps):
    x, w = numbers(1000, dtype), numbers(100, dtype)
    lanes = wide * VECTOR // x.itemsize
    offsets = np.array([3, 100, 0, 517, 60])
    y = np.zeros(rows * (lanes + 5) + 7, dtype)
    expected = y.copy()
    arguments = 11, offsets, w, 2, steps
    function(x, *arguments, y, 7, lanes + 5)
    multiply.meaning(x, *arguments, expected, 7, lanes + 5, (wide, rows))
    np.testing.assert_array_equal(y, expected)
    assert y.any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("vectors", "lines"), sums.LINES)
@pytest.mark.parametrize("missing", [0, 1, 7])
@pytest.mark.parametrize("steps", [1, 5])
def test_tiles_of_lines_end_where_the_lines_do(dtype, vectors, lines, missing, steps):
    x, w = numbers(1200, dtype), numbers(100, dtype)
    count = vectors * VECTOR // x.itemsize - missing
    offsets = np.array([3, 100, 0, 517, 60])
    y = np.full(lines * (count + 5), 77, dtype)
    expected = y.copy()
    arguments = 11, offsets[:steps], w, 2
    others = 4, (37, count + 5), count, (vectors, lines)
    tile_of_lines(x, *arguments, y, *others)
    sums.multiply_lines.meaning(x, *arguments, expected, *others)
    np.testing.assert_array_equal(y, expected)
    assert (y == 77).sum() >= 5 * lines


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [1, 5])
def test_rows_may_be_in_the_lanes(dtype, steps):
    x, w = numbers(1000, dtype), numbers(500, dtype)
    offsets = np.array([3, 100, 0, 517, 60])
    y = np.full(4 * sums.ROWS * 3 + 7, 77, dtype)
    expected = y.copy()
    arguments = 11, offsets, w, 2, steps
    tile_of_rows(x, *arguments, y, 7, 3, (4, 90))
    sums.multiply_rows.meaning(x, *arguments, expected, 7, 3, (4, 90))
    np.testing.assert_array_equal(y, expected)
    assert (y == 77).sum() >= 7 + 2 * 4 * sums.ROWS


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 40])
def test_copies_are_exact_where_they_say_so(dtype, count):
    x = numbers(500, dtype)

    def separated_in_python(y, to, x, start, pitch, count, rows):
        copies.separate.meaning(y, to, pitch, x, start, count, rows)

    def cleared_in_python(y, to, _, count):
        copies.clear.meaning(y, to, count)

    for function, twin, arguments in (
        (copied, copies.copy.meaning, (9, count)),
        (interleaved, copies.interleave.meaning, (9, 60, count, 2)),
        (interleaved, copies.interleave.meaning, (9, 43, count, 4)),
        (interleaved, copies.interleave.meaning, (9, 50, count, 8)),
        (separated, separated_in_python, (70, 43, count, 2)),
        (separated, separated_in_python, (70, 45, count, 4)),
        (separated, separated_in_python, (70, 41, count, 8)),
        (cleared, cleared_in_python, (count,)),
    ):
        y, expected = np.full(350, 77, dtype), np.full(350, 77, dtype)
        function(y, 3, x, *arguments)
        twin(expected, 3, x, *arguments)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lines_are_copied_in_whole_vectors(dtype):
    x, offsets = numbers(500, dtype), np.array([5, 0, 90])
    lanes = VECTOR // x.itemsize
    length, pitch = lanes + 3, 3 * lanes
    y = np.full(4 * pitch, 99, dtype)
    lines(x, 20, offsets, 1, 2, y, lanes, pitch, length)
    for k, offset in enumerate(offsets[1:]):
        begin = lanes + k * pitch
        np.testing.assert_array_equal(
            y[begin : begin + length], x[20 + offset : 20 + offset + length]
        )
    written = np.flatnonzero(y != 99)
    assert written.max() < lanes + pitch + 2 * lanes, "at most a vector is begun beyond the end"


@given(layer(), st.booleans())
def test_phases_hold_every_output_once_and_read_what_the_record_says(case, transposed):
    weight, keywords = case.weight(transposed=False), case.keywords(transposed=False)
    A = cm.conv(weight, case.in_shape, **keywords)
    geometry = (A.T if transposed else A).geometry
    seen = np.zeros(geometry.out_shape[1:], int)
    wanted = [axis.inputs() for axis in geometry.axes]
    ndim = len(geometry.axes)
    for phase in phases(geometry):
        box, advance, steps = phase.places
        for row in phase.rows:
            if row[0] >= seen.size:  # of another channel
                continue
            for j in itertools.product(
                *(range(min(n, m)) for n, m in zip(box, row[1:4], strict=True))
            ):
                flat = row[0] + sum(a * b for a, b in zip(j, steps, strict=True))
                seen.flat[flat] += 1
                o = np.unravel_index(flat, seen.shape)
                for d in range(ndim):
                    at = 3 - ndim + d
                    read = phase.reads[at] + advance[at] * j[at]
                    inside = {i for i in read.tolist() if 0 <= i < geometry.axes[d].n_in}
                    assert inside == set(wanted[d][o[d]].tolist()) - {-1}
    assert (seen == 1).all()


def test_steps_of_outputs_that_are_interleaved_are_those_that_lines_can_be():
    assert STEPS == copies.SIDE_BY_SIDE
