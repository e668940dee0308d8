"""Layers as text, and the comparison of two of them."""

from __future__ import annotations

import itertools
import json
import re
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convmat as cm
from convmat.layers.named_kernels import KERNELS, triangle
from convmat.layers.text import LAYERS, READERS, layer_help, read_layers
from convmat.operator import LayerOperator
from convmat.proof import Counterexample, Proof
from convmat.proof.comparing import smaller_shapes
from convmat.proof.comparing.comparison import compare_makers, compare_operators
from convmat.proof.comparing.places import places
from convmat.proof.matrices import fractions
from convmat.proof.matrices.numbers import compare_floats


def dense(operator):
    return operator.matrix().toarray()


# Reading


@pytest.mark.parametrize(
    ("text", "shape", "make"),
    [
        ("upsample:nearest,scale=2", (2, 3, 4), lambda s: cm.upsample(s, scale_factor=2)),
        ("upsample : linear , scale = 3/2", (1, 4), lambda s: cm.upsample(s, None, 1.5, "linear")),
        ("upsample:bilinear,size=5x7", (1, 3, 4),
         lambda s: cm.upsample(s, (5, 7), mode="bilinear")),
        ("upsample:linear,scale=2,align_corners=True", (1, 4),
         lambda s: cm.upsample(s, None, 2, "linear", align_corners=True)),
        ("upsample:nearest,scale=2,coordinates=half_pixel,nearest_mode=ceil", (1, 4),
         lambda s: cm.upsample(s, None, 2, "nearest", coordinate_transformation_mode="half_pixel",
                               nearest_mode="ceil")),
        ("avg_pool:2x1,stride=1,ceil_mode=true", (2, 4, 4),
         lambda s: cm.avg_pool(s, (2, 1), stride=1, ceil_mode=True)),
        ("avg_pool:kernel=3,padding=1,count_include_pad=false", (1, 5),
         lambda s: cm.avg_pool(s, 3, padding=1, count_include_pad=False)),
        ("avg_pool:3,divisor_override=2", (1, 6), lambda s: cm.avg_pool(s, 3, divisor_override=2)),
        ("adaptive_avg_pool:3x2", (1, 5, 7), lambda s: cm.adaptive_avg_pool(s, (3, 2))),
        ("pixel_shuffle:2,dcr", (8, 2, 3), lambda s: cm.pixel_shuffle(s, 2, order="dcr")),
        ("pixel_unshuffle:downscale=2", (1, 4, 6), lambda s: cm.pixel_unshuffle(s, 2)),
        ("pad:reflect,1:2x0:1", (1, 4, 5), lambda s: cm.pad(s, ((1, 2), (0, 1)), "reflect")),
        ("pad:-1:2", (1, 4), lambda s: cm.pad(s, ((-1, 2),))),
        ("pad:0:1", (1, 4, 5), lambda s: cm.pad(s, ((0, 1), (0, 1)))),
        ("unfold:2,padding=0:1", (1, 4, 5), lambda s: cm.unfold(s, 2, padding=((0, 1), (0, 1)))),
        ("conv:ones,2,padding=1:0", (1, 4, 5),
         lambda s: cm.conv(np.ones((1, 1, 2, 2)), s, padding=((1, 0), (1, 0)))),
        ("unfold:3,stride=2,padding=1,dilation=1x2", (2, 6, 7),
         lambda s: cm.unfold(s, 3, stride=2, padding=1, dilation=(1, 2))),
        ("fold:size=5x6,kernel=2x3", (12, 16), lambda _: cm.fold((2, 5, 6), (2, 3))),
        ("fold:3,size=5", (3, 3), lambda _: cm.fold((1, 5), 3)),
        ("identity", (2, 3), cm.identity),
        ("conv:identity,kernel=3,padding=same", (2, 5), cm.identity),
        ("conv:ones,kernel=2x3,stride=2x1,dilation=1x2,padding=1:0x0:1", (1, 6, 7),
         lambda s: cm.conv(np.ones((1, 1, 2, 3)), s, (2, 1), ((1, 0), (0, 1)), (1, 2))),
        ("conv:ones,3,padding=1,padding_mode=circular", (1, 6),
         lambda s: cm.conv(np.ones((1, 1, 3)), s, padding=1, padding_mode="circular")),
        ("conv_transpose:ones,kernel=2,stride=3,output_padding=1", (1, 4),
         lambda s: cm.conv_transpose(np.ones((1, 1, 2)), s, 3, output_padding=1)),
        ("conv_transpose:ones,kernel=2,stride=3,output_size=12", (1, 4),
         lambda s: cm.conv_transpose(np.ones((1, 1, 2)), s, 3, output_size=12)),
        ("conv:ones,kernel=2,3,stride=2,1,padding=1:0,0:1,dilation=1,2", (1, 6, 7),
         lambda s: cm.conv(np.ones((1, 1, 2, 3)), s, (2, 1), ((1, 0), (0, 1)), (1, 2))),
        ("conv:stride=2 , 3,ones,2", (1, 6, 7),
         lambda s: cm.conv(np.ones((1, 1, 2, 2)), s, (2, 3))),
        ("upsample:nearest,scale=2,3/2", (1, 2, 4),
         lambda s: cm.upsample(s, scale_factor=(2, 1.5))),
        ("pad:padding=1,-1:2,reflect", (1, 4, 5),
         lambda s: cm.pad(s, ((1, 1), (-1, 2)), "reflect")),
        ("avg_pool:divisor_override=2,3", (1, 6),
         lambda s: cm.avg_pool(s, 3, divisor_override=2)),
        ("unfold:padding=same,3", (1, 6), lambda s: cm.unfold(s, 3, padding="same")),
        ("conv:box,kernel=2x4,stride=2x4", (1, 4, 8), lambda s: cm.avg_pool(s, (2, 4))),
        ("conv:random,kernel=2,seed=3", (3, 4),
         lambda s: cm.conv(np.random.default_rng(3).standard_normal((3, 1, 2)), s, groups=3)),
        ("-1/4 * upsample:nearest,scale=2", (1, 3),
         lambda s: -0.25 * cm.upsample(s, scale_factor=2)),
        ("2*avg_pool:2 @ 3 * pad:1", (1, 4), lambda s: 6 * (cm.avg_pool((1, 6), 2) @ cm.pad(s, 1))),
    ],
)  # fmt: skip
def test_text_makes_the_layer_it_says(text, shape, make):
    made, expected = read_layers(text)(shape), make(shape)
    assert (made.in_shape, made.out_shape) == (shape, expected.out_shape)
    np.testing.assert_array_equal(dense(made), dense(expected))


def test_every_layer_is_tried_and_every_option_has_a_reader():
    assert {option for layer in LAYERS.values() for option in layer.options} == set(READERS)
    for layer in LAYERS.values():
        assert {layer.word, layer.number} <= {*layer.options, None}
    for name in LAYERS:
        assert f"\n{name}" in f"\n{layer_help()}"


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 5])
def test_triangle_without_a_size_is_linear_interpolation(stride):
    size = 2 * stride - stride % 2
    layer = read_layers(f"conv_transpose:triangle,stride={stride}")((2, 4))
    taps = [Fraction(int(top), triangle(size).denominator) for top in triangle(size).numerators]
    assert sum(taps) == stride
    middle = dense(layer)[size - 1 : 2 * size]  # away from the ends rows sum to 1
    whole = stride in (3, 5)  # thirds are no floats
    kernel = (layer.operator if whole else layer).weight[0, 0]
    multiple = layer.scalar if whole else 1
    assert [Fraction(x) * multiple for x in kernel.tolist()] == taps
    if stride > 1:
        np.testing.assert_allclose(middle[:1].sum(1), 1, rtol=1e-15)


@pytest.mark.parametrize("name", [*KERNELS, "random"])
def test_kernels_work_on_every_channel_alone(name):
    layer = read_layers(f"conv:{name},kernel=3x2")((3, 4, 4))
    layer = getattr(layer, "operator", layer)  # of a multiple
    assert layer.geometry.groups == 3
    assert layer.weight.shape == (3, 1, 3, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "layer is one of conv, conv_transpose"),
        ("upsampel:nearest", "layer is one of"),
        ("max_pool:2", "max pooling is no linear map"),
        ("(conv:ones,3)", "layer is one of"),
        ("conv:ones,3 @", "has nothing after @"),
        ("@ identity", "has nothing before @"),
        ("identity + identity", "only @ and a multiple are read"),
        ("identity - 2 * identity", "only @ and a multiple are read"),
        ("upsampel:nearest,scale=2", "did you mean upsample? a layer is one of"),
        ("upsample:nearest,scael=2", "did you mean scale? use one of mode, scale"),
        ("unpool:2", "use cm.unpool(in_shape, switches) in Python"),
        ("selection", "use cm.selection(in_shape, switches) in Python"),
        ("upsample:2", "write scale=2 or size=2"),
        ("upsample:nearest,2", "write scale=2 or size=2"),
        ("conv:1,2;3,4", "holds the numbers of a kernel, which cannot be written here"),
        (
            "conv:ones,3,2",
            "leave one out, or write kernel=3x5 for a value on each axis; values without a name",
        ),
        ("upsample:nearest,skale=2", "use one of mode, scale, size, align_corners"),
        ("upsample:nearest,scale=", "write scale=2"),
        ("upsample:nearest,scale=2,scale_factor=2", "given twice"),
        ("upsample:nearest,scale=two", "is not a number"),
        ("upsample:nearest,scale=1/0", "zero"),
        ("upsample:nearest,scale=1/000", "zero"),
        (" @ ".join(["identity"] * 1500), "1500 layers and factors, more than 100"),
        ("2 * " * 101 + "identity", "more than 100"),
        ("999999999999999999 * " * 20 + "identity", "outside 1e-300 to 1e300"),
        ("1/999999999999999999 * " * 20 + "identity", "outside 1e-300 to 1e300"),
        ("upsample:nearest,scale=1e999999999", "is not a number"),
        ("upsample:nearest,scale=2,align_corners=1", "must be true or false"),
        ("upsample:nearest,scale=2,align_corners=Yes", "must be true or false"),
        ("upsample:nearest,scale=2,", "is not known"),
        ("conv:ones,kernel=1.5", "is not an integer"),
        ("conv:ones,kernel=3,5,kernel=2", "given twice"),
        ("conv:ones,kernel=3x5,2", "write 3x5x2 or 3,5,2"),
        ("conv:ones,stride=2,3", "write stride=2x3, or stride=2,kernel=3"),
        ("conv:triangle,stride=2,3", "could be a value for each axis, or 2 and then the kernel"),
        ("fold:size=8,3", "write size=8x3, or size=8,kernel=3"),
        ("pad:1,2", "write padding=3x5 for a value on each axis"),
        ("identity:2", "write identity alone"),
        ("pad:1:2:3", "has more than two ends"),
        ("x * identity", "multiple = 'x'"),
        ("__import__('os') * identity", "multiple"),
    ],
)
def test_bad_text_is_refused_with_what_is_known(text, words):
    with pytest.raises(cm.GeometryError) as refused:
        read_layers(text)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv:gauss,kernel=3", "use one of ones, box, triangle, identity, random"),
        ("conv:kernel=3", "use one of ones"),
        ("conv", "as in conv:ones,kernel=3"),
        ("upsample:bilinear", "scale = None: is needed by upsample, or size; write upsample:near"),
        ("avg_pool", "kernel = None: is needed by avg_pool; write avg_pool:kernel=2"),
        ("pixel_shuffle:dcr", "upscale = None: is needed by pixel_shuffle"),
        ("pad:reflect", "padding = None: is needed by pad"),
        ("conv:ones,3,padding=0:1x1:0x2", "padding = '0:1x1:0x2': names 3 axes, where there are 2"),
        ("conv:ones", "add kernel=3"),
        ("conv:random,kernel=2,seed=-1", "seed"),
        ("conv:ones,kernel=2,seed=5", "seed = 5: has no meaning for the kernel ones"),
        ("conv:ones,kernel=900000000", "has more than 16777216 taps"),
        ("conv_transpose:random,kernel=4097x4096", "has more than 16777216 taps"),
        ("conv:ones,kernel=3x3x3", "2 spatial axes"),
        ("upsample:nearset,scale=2", "mode"),
        ("fold:kernel=3", "write fold:size=8x8"),
        ("fold:kernel=3,size=9x9", "cannot be folded"),
        ("conv:ones,kernel=99", "kernel"),
    ],
)
def test_layers_that_do_not_take_a_shape_say_so(text, words):
    with pytest.raises(cm.GeometryError) as refused:
        read_layers(text)((1, 8, 8))
    assert words in str(refused.value)


@given(st.text(alphabet="convupsamle:=,.x@*/0123456789 -\n'()", max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(cm.GeometryError):  # and nothing else
        made = read_layers(text)
        values = [value for call in made.calls for _, value in call.options]
        if all(abs(value) < 50 for value in values if isinstance(value, int)):
            made((1, 6))


# Comparing


def brute_force(first, second, shape):
    """Return the first smaller shape, and entry there, at which dense matrices differ."""
    shapes = itertools.product(*(range(1, size + 1) for size in shape))
    for smaller in sorted(shapes, key=lambda s: (np.prod(s), s)):
        try:
            A, B = read_layers(first)(smaller), read_layers(second)(smaller)
        except cm.GeometryError:
            continue
        if A.out_shape != B.out_shape:
            continue
        places = np.argwhere(~np.isclose(dense(A), dense(B), rtol=1e-13, atol=1e-15))
        if len(places):
            row, column = places[0]
            return smaller, np.unravel_index(row, A.out_shape), np.unravel_index(column, A.in_shape)
    return None


PAIRS = [
    ("upsample:bilinear,scale=2", "conv_transpose:triangle,stride=2,padding=1"),
    ("upsample:nearest,scale=2", "conv_transpose:triangle,kernel=2,stride=2"),
    ("pad:reflect,1", "pad:symmetric,1"),
    ("pad:reflect,2", "pad:replicate,2"),
    ("upsample:nearest,scale=3/2", "upsample:nearest-exact,scale=3/2"),
    ("conv:ones,kernel=3,padding=1", "conv:ones,kernel=3,padding=1,padding_mode=replicate"),
    ("conv:random,kernel=2,padding=same_upper", "conv:random,kernel=2,padding=same_lower"),
    ("avg_pool:3,padding=1", "avg_pool:3,padding=1,count_include_pad=false"),
    ("conv:box,kernel=3", "1/9*conv:ones,kernel=3"),
    ("pixel_shuffle:2 @ pixel_unshuffle:2,dcr", "identity"),
]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_comparison_agrees_with_dense_matrices(first, second):
    shape = (1, 4, 5) if "shuffle" not in first else (2, 2, 4)
    found, expected = cm.compare(first, second, shape), brute_force(first, second, shape)
    A, B = (dense(read_layers(text)(shape)) for text in (first, second))
    rows = np.flatnonzero(~np.isclose(A, B, rtol=1e-13, atol=1e-15).all(1))
    assert found.holds == (len(rows) == 0)
    assert found.complete
    if expected is None:
        assert found.smallest is None
        assert isinstance(found.answer, Proof)
        assert found.places is None
        return
    assert found.places.count == len(rows)
    assert found.places.total == len(A)
    smaller, row, column = expected
    answer = found.smallest.answer
    assert (found.smallest.shape, answer.row, answer.column) == (smaller, row, column)
    one_hot = np.zeros(smaller)
    one_hot[answer.column] = 1
    assert read_layers(first)(smaller)(one_hot)[answer.row] == answer.first
    assert read_layers(second)(smaller)(one_hot)[answer.row] == answer.second


def test_equal_layers_are_equal_by_proof():
    found = cm.compare("upsample:nearest,scale=2", "conv_transpose:ones,2,stride=2", (2, 5, 4))
    assert found.holds
    assert found.verdict == "equal, for all inputs of shape (2, 5, 4)"
    assert found.answer.check()
    assert found.compared == 2 * 5 * 4 - 1
    assert "exactly equal. Grade: these numbers (for these sizes and numbers alone)." in str(found)
    assert found.to_dict()["grades"] == ["these numbers"]
    same = cm.compare("conv:ones,kernel=3,padding=1", "conv:ones,kernel=3,padding=same", (1, 6))
    assert same.answer.grade == "this geometry, all weights"
    rounded = cm.compare("1/3*conv:ones,kernel=3", "conv:triangle,kernel=1 @ conv:box,3", (1, 6))
    assert rounded.holds
    third = cm.compare("1/3*conv:box,kernel=3", "1/9*conv:ones,kernel=3", (1, 6))
    assert third.answer.evidence.rung == "fractions"
    assert third.verdict == "equal, for all inputs of shape (1, 6)"
    assert "Equal as well at the 3 of 5 smaller shapes that both take." in str(third)


@pytest.mark.parametrize(
    ("text", "multiple"),
    [
        ("1.0000000000000002 * identity", Fraction(10**16 + 2, 10**16)),
        ("1.000000000000000001 * identity", Fraction(10**18 + 1, 10**18)),
        ("1/3 * 3.000000000000000003 * identity", Fraction(10**18 + 1, 10**18)),
    ],
)
def test_multiples_that_floats_cannot_tell_from_1_are_different(text, multiple):
    found = cm.compare(text, "identity", (1, 4))
    assert found.verdict == "different"
    assert not found.holds
    assert (found.smallest.answer.first, found.smallest.answer.second) == (multiple, 1)
    assert f"output (0, 0) is {multiple} by A and 1 by B" in str(found)
    assert found.places.count == 4
    assert found.to_dict()["exact"]
    assert found.to_dict()["smallest"]["values"][0] == str(multiple)


def test_what_rests_on_a_tolerance_says_so(monkeypatch):
    first, second = "1.0000000000000002 * identity", "identity"
    monkeypatch.setattr(fractions, "MOST", 3)
    found = cm.compare(first, second, (1, 4), 0)
    assert found.holds
    assert found.verdict == "equal up to rounding, for all inputs of shape (1, 4)"
    assert "Not proved exactly" in str(found)
    assert "difference of two entries is 2.22e-16" in str(found)
    assert "equal everywhere" not in str(found)
    assert found.to_dict()["deviation"] == 2.0**-52
    assert not found.to_dict()["exact"]
    # Even no difference at all is none between rounded numbers.
    found = cm.compare("1.000000000000000001 * identity", second, (1, 4), 0)
    assert found.verdict.startswith("equal up to rounding")
    assert found.to_dict()["deviation"] == 0
    # Floats without rounding need no fractions.
    sums = "1/2*conv_transpose:ones,2,stride=2 @ conv:ones,2,stride=2"
    exact = cm.compare("upsample:nearest,scale=2 @ avg_pool:2", sums, (1, 8))
    assert exact.verdict == "equal, for all inputs of shape (1, 8)"
    assert "Equal as well at the 6 of 7 smaller shapes that both take." in str(exact)


def in_fractions(A):
    """Return a dense matrix of numbers that floats hold, or that are fractions up to 1/99."""
    whole = A.dtype.kind == "f" and isinstance(A, LayerOperator)
    exact = [Fraction(number) for number in dense(A).ravel().tolist()]
    simple = exact if whole else [number.limit_denominator(99) for number in exact]
    made = np.empty(len(simple), object)
    made[:] = simple
    return made.reshape(A.shape)


def operators_and_fractions():
    rng = np.random.default_rng(0)
    bits = cm.conv(rng.integers(-4, 5, (2, 1, 3)) / 4, (2, 6), padding=1, groups=2)
    thirds = cm.avg_pool((2, 6), 3, stride=1, padding=1)
    floats = cm.conv(rng.standard_normal((2, 2, 3)), (2, 6), padding=1)
    single = cm.conv(rng.standard_normal((1, 1, 2)).astype(np.float32), (1, 4))
    B, T, F = in_fractions(bits), in_fractions(thirds), in_fractions(floats)
    yield from ((bits, B), (thirds, T), (floats, F), (single, in_fractions(single)))
    yield from ((bits @ thirds, B @ T), (thirds.T @ floats, T.T @ F), (thirds + bits, T + B))
    yield from ((thirds - 2 * floats, T - 2 * F), (Fraction(2, 7) * thirds, Fraction(2, 7) * T))
    yield ((0.1 * thirds) @ bits, Fraction(0.1) * (T @ B))
    yield (bits - bits, B - B)
    for plain in (cm.unfold((2, 4), 3, padding=1), cm.pixel_shuffle((4, 2, 2), 2),
                  cm.upsample((1, 3), 7, mode="linear"), cm.pad((1, 4), 1, "reflect"),
                  cm.conv(np.zeros((1, 1, 1)), (1, 3))):  # fmt: skip
        yield plain, in_fractions(plain)


@pytest.mark.parametrize("number", range(16))
def test_exact_matrices_are_products_of_fractions(number):
    A, expected = list(operators_and_fractions())[number]
    exact = A.exact_matrix(fractions.MOST)
    made = np.full(A.shape, Fraction(0))
    made[np.divmod(exact.keys, exact.columns)] = [
        Fraction(top, exact.denominator) for top in exact.numerators
    ]
    np.testing.assert_array_equal(made, expected)
    assert not len(exact.plus(exact, -1).keys)
    assert [exact.at(key) for key in range(made.size)] == made.ravel().tolist()


def test_rounding_is_known_from_the_numbers():
    bits, thirds = cm.avg_pool((1, 8), 2), cm.avg_pool((1, 9), 3)
    random = cm.conv(np.random.default_rng(0).standard_normal((1, 1, 2)), (1, 8))
    whole = cm.conv(np.array([[[1, 2]]]), (1, 8))
    for exact in (bits, bits @ bits.T, bits + bits, 3 * bits, 1j * bits, whole.T @ whole, random):
        assert compare_floats(exact, exact).tolerance == 0
    for rounded in (thirds, random.T @ random, Fraction(1, 3) * bits, 0.1 * random,
                    2.0**52 * (whole.T @ whole), cm.identity((1, 9)) @ (1e-300 * thirds.T),
                    1j * thirds):  # fmt: skip
        assert compare_floats(rounded, rounded).tolerance > 0
    assert (float("nan") * bits).exact_matrix(fractions.MOST) is None
    assert bits.exact_matrix(bits.nnz - 1) is None


def test_floats_of_python_are_the_fractions_that_they_store():
    ninths, mean = cm.conv(np.full((1, 1, 3), 1 / 3), (1, 5)), cm.avg_pool((1, 5), 3, stride=1)
    found = compare_operators(ninths, mean, ("1/3 in floats", "mean"))
    assert found.verdict == "equal up to rounding, for all inputs of shape (1, 5)"
    assert found.deviation == float(Fraction(1, 3) - Fraction(1 / 3))
    assert found.claim == cm.prove_equal(ninths, mean).claim


def test_shapes_with_other_sizes_are_counted():
    found = cm.compare("upsample:nearest,scale=2", "upsample:nearest,size=4x8", (2, 2, 4))
    assert found.holds
    assert (found.compared, found.search.others) == (1, 14)  # (1, 2, 4); the other 2 * 2 * 4 - 2
    assert found.to_dict()["other_shapes"] == 14
    assert "At 14 other smaller shapes the output sizes differ: they are different layers" in (
        str(found)
    )
    assert (
        "Equal as well at the 1 of 15 smaller shapes that both take, with outputs of one size."
        in str(found)
    )
    alike = cm.compare("upsample:nearest,scale=2", "upsample:nearest,scale=2", (2, 2, 4))
    assert alike.search.others == 0
    assert "output sizes" not in str(alike)
    never = cm.compare("upsample:nearest,size=6", "upsample:nearest,scale=2", (1, 4))
    assert never.verdict == "different: sizes (1, 6) and (1, 8)"
    assert never.smallest.shape == (1, 1)


def test_boundary_is_named():
    found = cm.compare("upsample:bilinear,scale=4", "conv_transpose:triangle,stride=4,padding=2",
                       (1, 8, 9))  # fmt: skip
    assert found.places.kind == "boundary"
    assert found.places.ends == ((0, 0), (2, 2), (2, 2))
    assert "the first 2 and last 2 positions along axis 1 or axis 2." in str(found)
    assert "Without that boundary they are equal. Proved: the two matrices" in str(found)
    crop = cm.pad(found.out_shapes[0], -2)
    assert found.inner.answer.check()
    np.testing.assert_array_equal(dense(found.inner.crop), dense(crop))
    assert found.to_dict()["places"]["differ"] == 32 * 36 - 28 * 32
    json.dumps(found.to_dict())


def test_sizes_that_differ_are_named():
    found = cm.compare("upsample:nearest,scale=2", "conv_transpose:ones,3,stride=2", (1, 4))
    assert found.verdict == "different: sizes (1, 8) and (1, 9)"
    assert not found.holds
    assert found.places is None
    assert found.smallest.shape == (1, 1)
    assert "the sizes differ: (1, 1) -> (1, 2)" in str(found)
    data = found.to_dict()
    assert data["smallest"]["values"] == [None, None]
    assert data["out_shapes"] == [[1, 8], [1, 9]]


def test_equal_here_and_different_at_a_smaller_shape():
    # Windows of 3 every 3, padded: at size 4 the divisors of the last windows differ.
    first, second = "avg_pool:3,ceil_mode=true", "avg_pool:3,ceil_mode=true,divisor_override=3"
    found = cm.compare(first, second, (1, 6))
    assert found.holds
    assert found.smallest is not None
    assert "But not at every smaller shape." in str(found)


def test_long_searches_end_and_say_so(monkeypatch):
    found = cm.compare("conv:ones,1", "identity", (1, 30, 30), 20)
    assert found.compared == 20
    assert not found.complete
    assert (
        "Equal as well at 20 of 899 smaller shapes, the smallest that both take; the others were "
        "not compared." in str(found)
    )
    monkeypatch.setattr(smaller_shapes, "OFFERED", 3)
    found = cm.compare("conv:ones,kernel=3", "conv:box,kernel=3", (1, 9, 9))
    assert found.smallest.shape == (1, 9, 9)
    assert not found.complete
    assert "Smallest" not in str(found)
    assert "Counterexample: at shape (1, 9, 9)" in str(found)


def test_operators_can_be_compared_as_they_are():
    A = cm.conv([[[1, 2, 3]]], (1, 6))
    assert compare_operators(A, A.T.T, ("A", "A.T.T")).holds
    found = compare_operators(A, 2 * A, ("A", "2 A"))
    assert found.places.kind == "all"
    assert isinstance(found.answer, Counterexample)
    with pytest.raises(cm.GeometryError, match="shape = 0"):
        compare_makers(cm.identity, cm.identity, (1, 0), ("a", "b"))


# Places


ENDS = "first and last position"


@pytest.mark.parametrize(
    ("shape", "rows", "words", "kind"),
    [
        ((1, 9), [0], "only the boundary, the first position along axis 1", "boundary"),
        ((1, 9), [7, 8], "only the boundary, the last 2 positions along axis 1", "boundary"),
        ((1, 9), [0, 1, 8], "the first 2 positions and the last position along axis 1", "boundary"),
        ((1, 8), [0, 1, 2, 3, 4], "only the first 5 positions along axis 1", "part"),
        ((1, 9), [1, 3, 5, 7], "only the phase o mod 2 == 1 along axis 1", "phase"),
        ((1, 9), [1, 4, 7], "only the phase o mod 3 == 1 along axis 1", "phase"),
        ((1, 9), [1, 2, 4, 5, 7, 8], "only the phase o mod 3 in {1, 2} along axis 1", "phase"),
        ((1, 9), [3, 4], "only positions 3 to 4 along axis 1", "part"),
        ((1, 9), [1, 6], "only positions 1, 6 along axis 1", "part"),
        ((3, 2), [2, 3], "only position 1 along axis 0", "part"),
        ((1, 3, 3), [4], "only position 1 along axis 1 and axis 2",
         "part"),
        ((1, 3, 4), [0, 3, 8, 11], f"only the corners, the {ENDS} along axis 1 and axis 2",
         "part"),
        ((1, 3, 3), [0, 4], "(0, 0, 0), (0, 1, 1)", "scattered"),
        ((1, 2), [0, 1], "all of them", "all"),
    ],
)  # fmt: skip
def test_places_in_words(shape, rows, words, kind):
    mask = np.zeros(np.prod(shape), bool)
    mask[rows] = True
    found = places(mask.reshape(shape))
    assert words in found.words
    assert found.words == words or kind == "boundary"
    assert found.kind == kind
    assert (found.count, found.total) == (len(rows), mask.size)
    assert str(found).startswith(f"{len(rows)} of {mask.size} outputs: ")


def test_boundary_of_a_plane_and_scattered_places():
    mask = np.ones((1, 6, 7), bool)
    mask[:, 1:-1, 2:] = False
    found = places(mask)
    assert found.words == (
        "only the boundary, the first and last position along axis 1, or the first 2 "
        "positions along axis 2"
    )
    assert found.ends == ((0, 0), (1, 1), (2, 0))
    mask[0, 3, 4] = True
    assert places(mask).kind == "scattered"
    assert places(mask).words.endswith(", ...")


@given(st.integers(2, 12), st.sets(st.integers(0, 11), min_size=1))
def test_words_about_a_line_name_exactly_its_positions(size, wanted):
    rows = sorted(o for o in wanted if o < size)
    if not rows:
        return
    mask = np.zeros((1, size), bool)
    mask[0, rows] = True
    found = places(mask)
    assert named(found.words, size) == (None if found.kind == "scattered" else rows)


def test_the_complement_is_named_where_it_is_simpler():
    mask = np.ones((1, 16, 16), bool)
    mask[:, ::15, ::15] = False
    assert str(places(mask)) == (
        "252 of 256 outputs: all but the corners, the first and last position along axis 1 and "
        "axis 2"
    )
    mask[:] = True
    mask[:, 3, :] = False
    assert places(mask).words == "all but position 3 along axis 1"
    mask[:] = True
    mask[0, 2, 5:7] = False
    assert places(mask).words == "all but position 2 along axis 1 and positions 5 to 6 along axis 2"


def test_what_is_known_beyond_a_shape_is_said():
    found = cm.compare("avg_pool:2", "adaptive_avg_pool:4", (1, 8, 8))
    assert found.holds
    assert "At no smaller shape are the output sizes equal: this is about one shape." in str(found)
    found = cm.compare("avg_pool:4x4", "1/16 * conv:ones,kernel=4,stride=4", (1, 4, 4))
    assert "Nothing is known beyond this shape" in str(found)
    assert "There is no smaller shape." in str(cm.compare("identity", "conv:ones,1", (1, 1)))
    one = cm.compare("identity", "conv:ones,1", (1, 2))
    assert "Equal as well at the 1 smaller shape." in str(one)


def test_a_shape_is_said_in_words():
    assert "\n  inputs: 8 channels of 8\n" in str(cm.compare("identity", "identity", (8, 8)))


def named(words, size):
    """Read a description again: the positions that it names; None if it is not one of a line."""
    if words.startswith("all but "):
        rest = named("only " + words.removeprefix("all but "), size)
        return [o for o in range(size) if o not in rest]
    words = words.removesuffix(" along axis 1").removeprefix("only ").removeprefix("the boundary, ")
    numbers = [int(number) for number in re.findall(r"\d+", words)]

    def count(end):
        """Return how many positions at one end are named: a word without a number is one."""
        found = re.search(rf"\b{end}( \d+)?\b", words)
        return 0 if found is None else int(found[1] or 1)

    readings = {
        "all": lambda: list(range(size)),
        "the phase": lambda: [o for o in range(size) if o % numbers[0] in numbers[1:]],
        "position ": lambda: numbers,
        "positions": lambda: (
            list(range(numbers[0], numbers[1] + 1)) if " to " in words else numbers
        ),
        "the first": lambda: list(range(count("first"))) + list(range(size - count("last"), size)),
        "the last": lambda: list(range(size - count("last"), size)),
    }
    for start, read in readings.items():
        if words.startswith(start):
            return read()
    return None
