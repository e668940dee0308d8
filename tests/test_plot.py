"""Pictures: what they show is read back from them and compared with the matrix."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
import sympy
from cases import CASES
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

import convmat as cm
from convmat.plot.style import tap_colours
from convmat.plot.windows import _relation

W = np.arange(1.0, 10).reshape(1, 1, 3, 3)
LAYERS = {
    "strided": cm.conv(W, (1, 5, 6), stride=2, padding=1),
    "dilated": cm.conv(W, (1, 7, 6), dilation=2, padding=((2, 0), (0, 1))),
    "transposed": cm.conv_transpose(W, (1, 3, 4), stride=(2, 3), padding=1),
    "cropped": cm.conv_transpose(np.ones((1, 1, 2)), (1, 5), stride=1, padding=2),
    "channels": cm.conv(np.arange(36.0).reshape(4, 1, 3, 3), (2, 4, 4), padding=1, groups=2),
    "line": cm.conv(np.arange(1, 5).reshape(1, 1, 4), (1, 9), stride=3),
    "solid": cm.conv(np.arange(24.0).reshape(1, 1, 2, 3, 4), (1, 3, 4, 5), stride=(1, 2, 1)),
}
SEPARABLE = [name for name, case in CASES.items() if case.kind == "separable"]
LAYERS |= {f"{name} transposed": layer.T for name, layer in LAYERS.items()}


def drawn(ax):
    """Return the RGBA raster of a sparsity picture."""
    return np.asarray(ax.images[0].get_array())


def save(figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, metadata={"Software": None})
    return file.getvalue()


@pytest.mark.parametrize("name", LAYERS)
def test_entries_are_those_of_the_matrix(name):
    A = LAYERS[name]
    rows = np.arange(A.shape[0])
    found = A._entries().pick(rows)
    expected = A.matrix().tocoo()
    order = np.lexsort((found.column, found.row))
    assert np.array_equal(found.row[order], expected.row)
    assert np.array_equal(found.column[order], expected.col)
    assert np.array_equal(found.value[order], expected.data)


@pytest.mark.parametrize("name", SEPARABLE)
def test_entries_of_layers_without_weights(name):
    for A in (CASES[name].make(), CASES[name].make().T):
        rows = np.arange(A.shape[0])[::2]
        found = A._entries().pick(rows)
        expected = A.matrix()[rows].tocoo()
        order = np.lexsort((found.column, found.row))
        assert np.array_equal(found.row[order], rows[expected.row])
        assert np.array_equal(found.column[order], expected.col)
        assert np.array_equal(found.value[order], expected.data)


@pytest.mark.parametrize(
    "A",
    [
        cm.upsample((1, 3, 4), scale_factor=2, mode="bilinear"),
        cm.upsample((1, 3, 4), scale_factor=2, mode="bilinear").T,
        cm.avg_pool((2, 4, 4), 2),
        cm.conv([[[1, 2j, 3]]], (1, 4), padding=1) @ cm.conv([[[1, 2]]], (1, 5)),
        cm.conv([[[1, 2, 3]]], (1, 6)) - cm.conv([[[1, 5, 3]]], (1, 6)),
    ],
    ids=["bilinear", "transposed", "pooling", "composed", "difference"],
)
def test_spy_colours_without_taps_tell_weights_apart(A):
    picture = drawn(cm.plot.spy(A))
    matrix = A.matrix().tocoo()
    stored = np.zeros(A.shape, bool)
    stored[matrix.row, matrix.col] = True
    assert np.array_equal(picture[..., 3] > 0, stored)
    weights = abs(matrix.data) if A.dtype.kind == "c" else matrix.data
    colours = {}
    for row, column, value in zip(matrix.row, matrix.col, weights, strict=True):
        colours.setdefault(value, set()).add(tuple(picture[row, column, :3]))
    assert all(len(shades) == 1 for shades in colours.values())
    assert len(set().union(*colours.values())) == len(colours)


@pytest.mark.parametrize("name", LAYERS)
def test_spy_colours_every_entry_by_its_tap(name):
    A = LAYERS[name]
    raster = drawn(cm.plot.spy(A))
    taps = int(np.prod(A.geometry.kernel))
    # Weights that number the slots turn the matrix into a table of slots.
    numbered = type(A)(A.geometry, np.arange(1, A.weight.size + 1).reshape(A.weight.shape))
    slot = numbered.matrix().toarray() - 1
    assert np.array_equal(raster[..., 3] > 0, slot >= 0)
    expected = np.round(tap_colours(A.geometry.kernel)[slot % taps] * 255)
    assert np.array_equal(raster[..., :3][slot >= 0], expected[slot >= 0])


def test_spy_of_a_window_is_a_part_of_the_whole():
    A = LAYERS["channels"]
    whole = drawn(cm.plot.spy(A))
    ax = cm.plot.spy(A, rows=slice(5, 20), columns=slice(-18, None))
    assert np.array_equal(drawn(ax), whole[5:20, -18:])
    assert ax.get_xlim() == (13.5, 31.5)
    assert ax.get_ylim() == (19.5, 4.5)


def test_blocks_of_channels_are_ruled_and_named():
    A = cm.conv(np.ones((2, 3, 3, 3)), (3, 6, 5), padding=1)
    ax = cm.plot.spy(A)
    names = {text.get_text() for text in ax.texts}
    assert names == {"in 0", "in 1", "in 2", "out 0", "out 1"}
    ruled = [line.get_xydata() for line in ax.lines]
    assert [line[0, 1] for line in ruled if line[0, 1] == line[1, 1]] == [29.5]
    assert [line[0, 0] for line in ruled if line[0, 0] == line[1, 0]] == [29.5, 59.5]
    assert ax.get_ylabel() == "rows: 2 output channels × 6 × 5"
    assert ax.get_aspect() == 1


def test_numbers_and_names_stand_at_their_entries():
    A = cm.conv([[[1, -2, 3]]], (1, 5), stride=2)
    values = {t.get_position(): t.get_text() for t in cm.plot.spy(A, annotate="values").texts}
    assert values == {
        (c, r): f"{v}".replace("-", "−") for (r, c), v in np.ndenumerate(A.matrix().toarray()) if v
    }
    names = {t.get_position(): t.get_text() for t in cm.plot.spy(A, annotate="names").texts}
    assert names[(2, 1)] == "w[0]"
    assert names[(2, 0)] == "w[2]"
    assert not cm.plot.spy(A, annotate="none").texts
    a, b = sympy.symbols("a b")
    symbolic = cm.plot.spy(cm.conv(np.array([[[a, b]]]), (1, 3)))
    assert {t.get_text() for t in symbolic.texts} == {"a", "b"}


def test_a_huge_matrix_is_quick_and_small():
    A = cm.conv(np.ones((2, 3, 3, 3)), (3, 6000, 5120), stride=2, padding=1)
    assert A.shape[0] > 10_000_000
    cm.plot.spy(LAYERS["line"])  # imports
    tracemalloc.start()
    start = time.perf_counter()
    raster = drawn(cm.plot.spy(A))
    seconds, peak = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(raster.shape) <= 1000
    assert peak < 300e6
    assert seconds < 10  # about one; tracing allocations and busy machines slow it down
    filled = raster[..., 3] > 0
    assert filled.any(axis=1).all(), "every stretch of rows holds entries"
    # Three diagonals side by side, and nothing between them.
    assert 0.001 < filled.mean() < 0.05


def test_compositions_are_drawn_from_their_matrix():
    A = LAYERS["strided"]
    product = A @ A.T
    assert np.array_equal(drawn(cm.plot.spy(product))[..., 3] > 0, product.matrix().toarray() != 0)
    assert cm.plot.pair(A + A).axes


@pytest.mark.parametrize("kernel", [(1,), (3,), (9,), (3, 3), (5, 5), (9, 9), (3, 1), (2, 3, 3)])
def test_taps_have_colours_of_their_own(kernel):
    colours = tap_colours(kernel)
    assert colours.shape == (np.prod(kernel), 3)
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert len(np.unique(np.round(colours, 3), axis=0)) == len(colours)
    assert np.array_equal(tap_colours((3, 1))[0], to_rgb("#0072B2"))


@pytest.mark.parametrize("name", LAYERS)
def test_pair_and_key(name):
    A = LAYERS[name]
    figure = cm.plot.pair(A)
    whole, transposed = figure.axes[:2]
    assert np.array_equal(drawn(whole).swapaxes(0, 1), drawn(transposed))
    assert len(cm.plot.key(A).patches) == np.prod(A.geometry.kernel)
    assert save(figure).startswith(b"\x89PNG")


def test_pair_enlarges_the_corner_of_a_large_matrix():
    A = cm.conv(W, (1, 60, 60), stride=2, padding=1)
    axes = cm.plot.pair(A, corner=10).axes
    assert drawn(axes[2]).shape[:2] == (10, 20)
    assert drawn(axes[3]).shape[:2] == (20, 10)
    assert len(cm.plot.pair(LAYERS["strided"]).axes) == 3


def test_pair_says_where_colours_mix():
    def words(A):
        return " ".join(text.get_text() for text in cm.plot.pair(A).texts).replace("\n", " ")

    assert "colours mix" in words(cm.conv(W, (1, 60, 60), stride=2))
    small = words(LAYERS["strided"])
    assert "One colour is one tap, at (row, column)." in small
    assert "One colour is one tap." in words(LAYERS["line"])
    assert "at (plane, row, column)" in words(LAYERS["solid"])
    assert "colours mix" not in words(cm.conv(W, (1, 15, 20))), "a pixel is one entry"
    assert "colours mix" not in small
    assert "tap" not in words(LAYERS["strided"] @ LAYERS["strided"].T)


@pytest.mark.parametrize("name", ["strided", "transposed", "channels", "line", "solid", "wide"])
def test_nothing_on_the_page_of_a_pair_overlaps(name):
    A = LAYERS[name] if name != "wide" else cm.conv(np.ones((2, 3, 3, 3)), (3, 60, 51), stride=2)
    figure = cm.plot.pair(A)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    parts = [ax.get_tightbbox(renderer) for ax in figure.axes]
    parts += [text.get_window_extent(renderer) for text in figure.texts]
    page = figure.bbox
    for part in parts:
        assert page.x0 <= part.x0 <= part.x1 <= page.x1
        assert page.y0 <= part.y0 <= part.y1 <= page.y1
    for number, part in enumerate(parts):
        for other in parts[:number]:
            apart = part.padded(-1)
            assert not apart.overlaps(other.padded(-1)), (part, other)


NARROW = [
    cm.conv(np.ones((co, ci, *[k] * d)), (ci, *[n] * (d - 1), n + 3), padding=k // 2)
    for d, n, k, ci, co in (
        (1, 12, 3, 3, 4),
        (1, 28, 5, 1, 1),
        (2, 5, 5, 3, 4),
        (2, 12, 3, 1, 2),
        (3, 3, 3, 1, 1),
        (3, 4, 2, 2, 1),
    )
] + [cm.conv_transpose(np.ones((1, 1, 3)), (1, 5)), cm.conv(np.ones((4, 3, 3, 3)), (3, 28, 28))]


@pytest.mark.parametrize("A", NARROW, ids=str)
def test_no_words_of_a_pair_are_cut_off(A):
    figure = cm.plot.pair(A)
    renderer = FigureCanvasAgg(figure).get_renderer()
    page = figure.bbox
    for text in (*figure.texts, *(text for ax in figure.axes for text in ax.texts)):
        part = text.get_window_extent(renderer)
        assert page.x0 <= part.x0 <= part.x1 <= page.x1, text.get_text()
        assert page.y0 <= part.y0 <= part.y1 <= page.y1, text.get_text()
    names = [text.get_window_extent(renderer) for text in figure.axes[-1].texts]
    for number, part in enumerate(names):
        assert not any(part.overlaps(other) for other in names[:number])


def test_large_pictures_are_few_artists():
    line = cm.plot.overlap(cm.conv_transpose(np.ones((1, 1, 3)), (1, 5000), stride=2))
    assert sum(len(ax.get_children()) for ax in line.axes) < 40
    most, least, common = (step.get_data().values for step in line.axes[0].patches)
    assert (most[1:-1] == 2).all()
    assert (least == 0).all()
    assert (common == 1).all()
    plane = cm.plot.arithmetic(cm.conv(W, (1, 45, 45), padding=1))
    assert len(plane.get_children()) < 60


def test_a_narrow_axis_names_its_first_and_last():
    A = cm.conv(W, (1, 600, 512), stride=3, padding=1)
    columns = cm.plot.pair(A).axes[1].xaxis
    assert list(columns.get_majorticklocs()) == [0, A.shape[0] - 1]
    assert columns.get_label_text() == "columns:\n200 × 171 inputs"


FLAT = [name for name in LAYERS if "solid" not in name]


@pytest.mark.parametrize("name", FLAT)
def test_arithmetic_marks_the_inputs_of_one_output(name):
    A = LAYERS[name]
    spatial = A.out_shape[1:]
    ones = type(A)(A.geometry, np.ones(A.weight.shape))
    pattern = ones.matrix().toarray().reshape(*A.out_shape, *A.in_shape)[0] != 0
    for output in [(0,) * len(spatial), tuple(n - 1 for n in spatial)]:
        ax = cm.plot.arithmetic(A, output)
        reads = int(pattern[output][0].sum())
        caption = ax.texts[-1].get_text()
        assert f" {reads} of {np.prod(A.geometry.kernel)} taps read an input" in caption
        solid = [p for p in ax.patches if p.get_zorder() == 3 and p.get_linestyle() == "solid"]
        assert len(solid) == reads


def test_arithmetic_words_come_from_the_record():
    ax = cm.plot.arithmetic(LAYERS["transposed"])
    assert ax.get_title().startswith("transposed convolution · kernel 3 × 3 · stride 2 × 3")
    assert "2i = o + k − 1 and 3i = o + k − 1 with the kernel flipped" in ax.texts[-1].get_text()
    for axis in (*LAYERS["dilated"].geometry.axes, *LAYERS["cropped"].geometry.axes):
        text = _relation(axis).replace("−", "-").replace("2k", "2*k")
        o, k = sympy.symbols("o k")
        right = sympy.sympify(text.split("=")[1], locals={"o": o, "k": k})
        assert right == axis.stride * o + axis.dilation * k - axis.pad


def test_animation_shows_every_output(tmp_path):
    A = cm.conv(W, (1, 4, 4))
    animation = cm.plot.animate(A, interval=40)
    path = tmp_path / "layer.gif"
    animation.save(path, writer="pillow", dpi=40)
    from PIL import Image

    with Image.open(path) as film:
        assert film.n_frames == 4


def test_overlap_counts_windows():
    A = cm.conv_transpose(np.ones((1, 1, 3)) * 2, (1, 4), stride=2)
    count, total = cm.plot.overlap(A).axes
    assert [bar.get_height() for bar in count.patches] == [1, 1, 2, 1, 2, 1, 2, 1, 1]
    assert [bar.get_height() for bar in total.patches] == [2, 2, 4, 2, 4, 2, 4, 2, 2]
    B = cm.conv(W, (1, 5, 5), stride=2)
    shown = cm.plot.overlap(B).axes[1].images[0].get_array()
    assert np.array_equal(shown, B.matrix().sum(0).reshape(5, 5))
    outputs = cm.plot.overlap(B, side="outputs").axes[1].images[0].get_array()
    assert np.array_equal(outputs, B.matrix().sum(1).reshape(2, 2))
    save(cm.plot.overlap(cm.conv(1j * W, (1, 5, 5))))


def test_strip_shows_images_in_their_own_colours():
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 256, (3, 8, 6))
    signed = rng.normal(size=(1, 4, 3))
    figure = cm.plot.strip([colour, signed, colour[0], signed * 1j], ["a", "b", "c", "d"])
    assert [ax.get_title(loc="left") for ax in figure.axes] == list("abcd")
    shown = [ax.images[0] for ax in figure.axes]
    assert np.allclose(shown[0].get_array(), np.moveaxis(colour, 0, -1) / colour.max())
    below = [ax.get_xlabel() for ax in figure.axes]
    assert ["red positive, blue negative" in words for words in below] == [
        False,
        True,
        False,
        False,
    ]
    assert shown[1].get_clim()[0] == -shown[1].get_clim()[1]
    assert shown[2].get_clim()[0] == 0


@pytest.mark.parametrize(
    ("draw", "argument"),
    [
        (lambda: cm.plot.spy(LAYERS["line"], rows=slice(0, 4, 2)), "rows"),
        (lambda: cm.plot.spy(LAYERS["line"], columns=3), "columns"),
        (lambda: cm.plot.spy(LAYERS["line"], columns=slice(5, 5)), "columns"),
        (lambda: cm.plot.spy(LAYERS["line"], rows=slice(0.5)), "rows"),
        (lambda: cm.plot.spy(LAYERS["line"], annotate="all"), "annotate"),
        (lambda: cm.plot.spy(LAYERS["line"], pixels=0), "pixels"),
        (lambda: cm.plot.pair(LAYERS["line"], corner=0), "corner"),
        (lambda: cm.plot.key(LAYERS["line"] @ LAYERS["line"].T), "A"),
        (lambda: cm.plot.arithmetic(LAYERS["solid"]), "A"),
        (lambda: cm.plot.arithmetic(cm.conv(W, (1, 5, 500))), "A"),
        (lambda: cm.plot.arithmetic(LAYERS["line"], (99,)), "output"),
        (lambda: cm.plot.arithmetic(LAYERS["strided"], (0,)), "output"),
        (lambda: cm.plot.animate(LAYERS["line"], interval=0), "interval"),
        (lambda: cm.plot.overlap(LAYERS["solid"]), "A"),
        (lambda: cm.plot.overlap(LAYERS["line"], side="left"), "side"),
        (lambda: cm.plot.overlap(cm.conv(np.array([[[sympy.Symbol("a")]]]), (1, 3))), "A"),
        (lambda: cm.plot.strip([], []), "titles"),
        (lambda: cm.plot.strip([np.zeros((2, 3, 4))], ["a"]), "images"),
    ],
)
def test_bad_arguments_are_named(draw, argument):
    with pytest.raises(cm.GeometryError) as caught:
        draw()
    assert caught.value.argument == argument


@pytest.mark.parametrize("draw", ["spy", "pair", "key", "arithmetic", "animate", "overlap"])
def test_a_matrix_is_no_operator(draw):
    for given in (3, None, LAYERS["line"].matrix(), np.eye(3)):
        with pytest.raises(cm.GeometryError, match="pass the operator, not its matrix") as caught:
            getattr(cm.plot, draw)(given)
        assert caught.value.argument == "A"


def test_pictures_repeat_to_the_byte():
    assert save(cm.plot.pair(LAYERS["channels"])) == save(cm.plot.pair(LAYERS["channels"]))


def test_pyplot_is_never_loaded():
    code = """
import sys, convmat as cm
A = cm.conv([[[1, 2, 3]]], (1, 6))
cm.plot.spy(A), cm.plot.pair(A), cm.plot.arithmetic(A), cm.plot.overlap(A)
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
