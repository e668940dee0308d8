"""Intrinsics along lines, of gradients, of the greatest and of tiles do what their twins do."""

import itertools

import numpy as np
import pytest

from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.conv import winograd_vectors
from convmat.kernels.cpu.kronecker import vectors as line_vectors
from convmat.kernels.cpu.kronecker.vectors import Entries, Lines
from convmat.kernels.cpu.max_pool import vectors as greatest
from convmat.kernels.cpu.vectors.writer import VECTOR
from convmat.kernels.cpu.weight_gradient import vectors as gradient_vectors
from convmat.kernels.cpu.weight_gradient.vectors import Operand

FLOATS = ["f4", "f8"]
DTYPES = [*FLOATS, "i8"]  # uint64 is computed as int64
POOLED = [*DTYPES, "u8", "i4", "u4"]  # of which max pooling compares and copies lines

each_dtype = pytest.mark.parametrize("dtype", DTYPES)

MATRICES = [
    "1,0,-1,0;0,1,1,0;0,-1,1,0;0,1,0,-1",
    "1,0,0;1/2,1/2,1/2;1/2,-1/2,1/2;0,0,1|1,1,1,0;0,1,-1,2",
    "1|2,-1;0,0;-3,1/4|0,1,-1/2",
]

TILES = [(4, 1, 1), (2, 2, 2), (3, 1, 2)]  # outputs of a tile, parts of a number, step


@compiled
def combined(y, x, lines, many, to, count, entries, begin, steps):
    line_vectors.combine(y, x, lines, many, to, count, entries, begin, steps)


@compiled
def combined_in_pairs(y, x, lines, many, to, count, entries, begin, steps, others):
    line_vectors.combine_pairs(y, x, lines, many, to, count, entries, begin, steps, others)


@compiled
def separated(y, even, odd, x, at, count):
    line_vectors.separate(y, even, odd, x, at, count)


@compiled
def spread_from_the_beginning(y, to, step, x, count):
    line_vectors.spread(y, to, step, x, count)


@compiled
def tile_of_products(x, at, w, begin, steps, fresh, y, to, pitch, shape):
    gradient_vectors.outer(x, at, w, begin, steps, fresh, y, to, pitch, shape)


@compiled
def correlated(x, taps, tap, g, begin, vectors, steps, y, to, count):
    gradient_vectors.correlate(x, taps, tap, g, begin, vectors, steps, y, to, count)


@compiled
def transposed(x, at, pitch, y, to, width):
    gradient_vectors.transpose(x, at, pitch, y, to, width)


@compiled
def apart(y, to, x, at, step, count):
    gradient_vectors.apart(y, to, x, at, step, count)


@compiled
def spread_from_anywhere(y, to, step, x, at, pitch, count):
    gradient_vectors.spread(y, to, step, x, at, pitch, count)


@compiled
def finite(x, at, vectors):
    return gradient_vectors.finite(x, at, vectors)


@compiled
def greatest_of_lines(y, to, lowest, count, x, offsets, steps):
    greatest.greatest(y, to, lowest, count, x, offsets, steps)


@compiled
def greatest_with_names(y, names, to, lowest, start, origin, moves, count, x, taps, steps):
    found = greatest.Found(y, names)
    greatest.greatest_named(found, to, lowest, start, origin, moves, count, x, taps, steps)


def greatest_in_python(y, names, *arguments):
    greatest.greatest_named.meaning(greatest.Found(y, names), *arguments)


def transformed(matrices):
    def function(x, at, pitch, y, to, wide, vectors):
        winograd_vectors.transform(x, at, pitch, y, to, wide, vectors, matrices)

    def twin(x, at, pitch, y, to, wide, vectors):
        winograd_vectors.transform.meaning(x, at, pitch, y, to, wide, vectors, matrices)

    return compiled(function), twin


def put_in_place(tile, parts, step):
    def function(x, at, pitch, y, to, count, add):
        winograd_vectors.spread(x, at, pitch, y, to, count, add, tile, parts, step)

    def twin(x, at, pitch, y, to, count, add):
        winograd_vectors.spread.meaning(x, at, pitch, y, to, count, add, tile, parts, step)

    return compiled(function), twin


TRANSFORMED = {matrices: transformed(matrices) for matrices in MATRICES}
PUT_IN_PLACE = {shape: put_in_place(*shape) for shape in TILES}


def numbers(size, dtype, seed=3):
    low = 0 if dtype.startswith("u") else -50
    return np.random.default_rng(seed).integers(low, 50, size).astype(dtype)


def marked(size, dtype):
    return np.full(size, 77, dtype)


def lanes_of(dtype):
    return VECTOR // np.dtype(dtype).itemsize


def counts(dtype):
    lanes = lanes_of(dtype)
    near = [vectors * lanes + more for vectors in (1, 2, 4) for more in (-1, 0, 1)]
    return [0, 1, *near, 9 * lanes + 3]


def agree(function, twin, arguments, *written, empty=False):
    """Call both; what is written, by its place among the arguments, begins and ends with room."""
    found, expected = list(arguments), list(arguments)
    for n in written:
        before = arguments[n]
        found[n], expected[n] = before.copy(), before.copy()
    function(*found)
    twin(*expected)
    for n in written:
        before, y = arguments[n], found[n]
        np.testing.assert_array_equal(y, expected[n])
        np.testing.assert_array_equal(y[[0, -1]], before[[0, -1]], "room around")
        assert np.array_equal(y, before, equal_nan=True) == empty


@each_dtype
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_sums_of_shifted_lines_end_where_the_lines_do(dtype, steps):
    x, w = numbers(1200, dtype), numbers(20, dtype, seed=4)
    sources, offsets = np.array([200, 31, 420, 7]), np.array([99, 99, 3, -30, 0, 500, 61])
    for count, lines in itertools.product(counts(dtype), (0, 3)):
        targets, y = 5 + (count + 4) * np.array([2, 0, 1]), marked(3 * count + 40, dtype)
        agree(
            combined,
            line_vectors.combine.meaning,
            (y, x, Lines(targets, sources), lines, 3, count, Entries(offsets, w), 2, steps),
            0,
            empty=count * lines == 0,
        )


@each_dtype
@pytest.mark.parametrize(("steps", "others"), [(1, 1), (2, 2), (3, 3), (1, 3), (2, 1)])
def test_two_sums_fill_the_gaps_of_each_other(dtype, steps, others):
    x, w = numbers(1200, dtype), numbers(20, dtype, seed=4)
    sources, offsets = np.array([200, 31, 420]), np.array([99, 3, -30, 0, 500, 61, 17])
    for count in counts(dtype):
        targets, y = 5 + (2 * count + 4) * np.array([1, 0]), marked(4 * count + 40, dtype)
        agree(
            combined_in_pairs,
            line_vectors.combine_pairs.meaning,
            (y, x, Lines(targets, sources), 2, 3, count, Entries(offsets, w), 1, steps, others),
            0,
            empty=count == 0,
        )


@pytest.mark.parametrize("dtype", POOLED)
def test_even_and_odd_numbers_are_separated(dtype):
    twin = line_vectors.separate.meaning
    for count in counts(dtype):
        x, y = numbers(2 * count + 20, dtype), marked(2 * count + 30, dtype)
        agree(separated, twin, (y, 3, count + 7, x, 9, count), 0, empty=count == 0)
        agree(separated, twin, (y, count + 7, 3, x, 9, count), 0, empty=count == 0)


@each_dtype
@pytest.mark.parametrize("step", [1, 2, 5])
def test_numbers_are_spread_over_a_line(dtype, step):
    twin = line_vectors.spread.meaning
    for count in counts(dtype):
        x, y = numbers(count + 20, dtype), marked(step * count + 20, dtype)
        agree(spread_from_the_beginning, twin, (y, 3, step, x, count), 0, empty=count == 0)


@each_dtype
@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("vectors", "rows"), gradient_vectors.SHAPES)
def test_tiles_of_gradients_are_outer_products(dtype, steps, fresh, vectors, rows):
    x, w = numbers(500, dtype), numbers(100, dtype, seed=4)
    x_places, w_places = np.array([60, 0, 301, -2]), np.array([5, 40, -3, 0])
    pitch, shape = vectors * lanes_of(dtype) + 5, (vectors, rows)
    y = marked(rows * pitch + 20, dtype)
    if fresh and dtype in FLOATS:
        y[:] = np.nan  # which does not count
    agree(
        tile_of_products,
        gradient_vectors.outer.meaning,
        (Operand(x, x_places), 9, Operand(w, w_places), 11, steps, fresh, y, 7, pitch, shape),
        6,
    )


@each_dtype
@pytest.mark.parametrize("steps", [1, 6])
@pytest.mark.parametrize("count", gradient_vectors.HEIGHTS)
def test_correlations_leave_out_what_lies_beyond_a_line(dtype, steps, count):
    x, g, lanes = numbers(500, dtype), numbers(300, dtype, seed=4), lanes_of(dtype)
    x_places, g_places = np.array([0, 60, 7, 201, 100, 31]), 40 * np.arange(6)
    taps, y = np.array([99, 99, *3 * np.arange(12)]), marked(count + 20, dtype)
    for first in (1, lanes - 1, lanes):
        lengths = np.array([first, lanes, 0, 3, 1, lanes - 1])
        vectors = gradient_vectors.Vectors(x_places, g_places, lengths)
        weights = g.copy()
        if dtype in FLOATS:
            for place, length in zip(11 + g_places, lengths, strict=True):
                weights[place + length : place + 40] = np.nan  # which is not read
        agree(
            correlated,
            gradient_vectors.correlate.meaning,
            (x[9:], taps, 2, weights, 11, vectors, steps, y, 4, count),
            7,
        )


@each_dtype
@pytest.mark.parametrize("more", [0, 5, -3], ids=["dense", "apart", "later over earlier"])
def test_squares_are_transposed(dtype, more):
    x, lanes = numbers(900, dtype), lanes_of(dtype)
    y = marked(lanes * (lanes + 5) + 20, dtype)
    twin = gradient_vectors.transpose.meaning
    agree(transposed, twin, (x, 13, 41, y, 5, lanes + more), 3)


@each_dtype
@pytest.mark.parametrize("step", [1, 2, 6])
def test_numbers_apart_are_put_together(dtype, step):
    twin = gradient_vectors.apart.meaning
    for count in counts(dtype):
        x, y = numbers(step * count + 20, dtype), marked(count + 20, dtype)
        agree(apart, twin, (y, 3, x, 4, step, count), 0, empty=count == 0)


@each_dtype
@pytest.mark.parametrize(("step", "pitch"), [(1, 1), (3, 1), (-1, 2), (2, -3), (-4, -1)])
def test_numbers_are_spread_forwards_and_backwards(dtype, step, pitch):
    x, y, twin = numbers(150, dtype), marked(160, dtype), gradient_vectors.spread.meaning
    for count in (0, 1, 17):
        arguments = y, 75, step, x, 70, pitch, count
        agree(spread_from_anywhere, twin, arguments, 0, empty=count == 0)


@each_dtype
def test_all_numbers_of_whole_vectors_are_finite(dtype):
    x, twin = numbers(100, dtype), gradient_vectors.finite.meaning
    limits = np.finfo(dtype) if dtype in FLOATS else np.iinfo(dtype)
    x[4:6] = limits.min, limits.max
    for vectors in (0, 1, 3):
        assert finite(x, 3, vectors)
        assert twin(x, 3, vectors)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found_in_every_lane(dtype, odd):
    twin = gradient_vectors.finite.meaning
    for vectors in (0, 1, 3):
        end = 3 + vectors * lanes_of(dtype)
        for place in range(end + 3):
            x = numbers(100, dtype)
            x[place] = odd
            assert finite(x, 3, vectors) == twin(x, 3, vectors) == (not 3 <= place < end)


def extremes(dtype, missing):
    """Draw from few numbers, so that many are equal, and the least and greatest there are."""
    limits = np.finfo(dtype) if dtype in FLOATS else np.iinfo(dtype)
    some = np.array([limits.min, 1, 5, 5, 6, limits.max], dtype)
    if dtype in FLOATS:
        some = np.append(some, np.array([-np.inf, np.inf], dtype))
    rng = np.random.default_rng(5)
    x = rng.choice(some, 500)
    if missing:
        x[rng.random(x.size) < 0.2] = np.nan
    return x, np.array([some.min(), 4], dtype)


each_compared = pytest.mark.parametrize(
    ("dtype", "missing"),
    [*((dtype, False) for dtype in POOLED), *((dtype, True) for dtype in FLOATS)],
)


@each_compared
@pytest.mark.parametrize("steps", [1, 4])
def test_the_greatest_of_lines(dtype, missing, steps):
    x, bounds = extremes(dtype, missing)
    offsets, twin = np.array([100, 3, 251, 0]), greatest.greatest.meaning
    for count, lowest in itertools.product(counts(dtype), (bounds[:1], bounds[1:])):
        arguments = marked(count + 20, dtype), 3, lowest, count, x, offsets, steps
        agree(greatest_of_lines, twin, arguments, 0, empty=count == 0)


@each_compared
@pytest.mark.parametrize("steps", [1, 4])
def test_the_first_of_the_greatest_is_named(dtype, missing, steps):
    x, bounds = extremes(dtype, missing)
    index = f"i{x.itemsize}"
    taps = greatest.Taps(np.array([100, 3, 251, 0]), np.array([1000, 3000, -2000, 4000], index))
    for count, lowest in itertools.product(counts(dtype), (bounds[:1], bounds[1:])):
        start, moves = (numbers(count + lanes_of(dtype), index, seed) for seed in (6, 7))
        y, where = marked(count + 20, dtype), marked(count + 20, "i8")
        agree(
            greatest_with_names,
            greatest_in_python,
            (y, where, 3, lowest, start, 500, moves, count, x, taps, steps),
            0,
            1,
            empty=count == 0,
        )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("matrices", MATRICES)
def test_transforms_are_products_with_matrices(dtype, matrices):
    x = 4 * numbers(900, dtype)
    for vectors in (0, 1, 3):
        wide = vectors * lanes_of(dtype) + 3
        arguments = x, 13, 53, marked(8 * wide + 20, dtype), 5, wide, vectors
        agree(*TRANSFORMED[matrices], arguments, 3, empty=vectors == 0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", TILES)
@pytest.mark.parametrize("add", [False, True])
def test_lines_of_tiles_become_one_line(dtype, shape, add):
    tile, parts, step = shape
    x, chunk = numbers(900, dtype), lanes_of(dtype) * tile
    for count in (0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk + 5):
        y = np.full(count * parts * step + 20, 77 if add else np.nan, dtype)
        agree(*PUT_IN_PLACE[shape], (x, 13, 101, y, 5, count, add), 3, empty=count == 0)
