"""The question answered by running it: verdicts, what they rest on, and the page."""

from __future__ import annotations

import ast
import base64
import importlib.metadata
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convmat as cm
from convmat import answer
from convmat.answer import (
    EXCEPT,
    FALSE,
    HOLDS,
    QUESTIONS,
    convolving,
    enlarging,
    rearranging,
)
from convmat.answer.figures import picture, tiled
from convmat.answer.pages import page as whole
from convmat.answer.verdict import answer_of
from convmat.layers.text import read_layers
from convmat.proof.comparing.comparison import compare_operators

EXPECTED = {
    "nearest": HOLDS,
    "bilinear": EXCEPT,
    "learned": FALSE,
    "average": HOLDS,
    "unpooling": HOLDS,
    "unpooling shared": FALSE,
    "transposed": HOLDS,
    "inverse": FALSE,
    "inserted": HOLDS,
    "subpixel": HOLDS,
    "dilated": HOLDS,
    "folded": FALSE,
}


@pytest.fixture(scope="module")
def x():
    """Return a small image of integers, some of them equal, as photographs have them."""
    return np.random.default_rng(5).integers(0, 40, (1, 12, 16)).astype(float)


@pytest.fixture(scope="module")
def found(x):
    told = []
    verdicts = answer.verdicts(x, told.append)
    assert told == list(QUESTIONS)
    return verdicts


def dense(operator):
    return operator.matrix().toarray()


# Verdicts


@pytest.mark.parametrize("name", QUESTIONS)
def test_verdict_is_that_of_dense_matrices(name, found):
    verdict = found[name]
    A, B = map(dense, verdict.operators)
    rows = (A != B).any(1).reshape(verdict.operators[0].out_shape)
    inner = rows[:, 1:-1, 1:-1]
    computed = HOLDS if not rows.any() else FALSE if inner.any() else EXCEPT
    assert verdict.answer == computed == EXPECTED[name]
    assert verdict.holds == (computed == HOLDS)
    assert verdict.evidence
    assert any("Proved: " in line for line in verdict.evidence) == (computed != FALSE)
    assert any("ounterexample: at shape" in line for line in verdict.evidence) == rows.any()


@pytest.mark.parametrize("name", QUESTIONS)
def test_code_makes_the_operators_and_says_whether_they_are_equal(name, found, x):
    verdict = found[name]
    names = {"cm": cm, "np": np, "x": x}
    *lines, last = verdict.code
    exec("\n".join(lines), names)  # noqa: S102, the page tells its readers to run these lines
    for own, shown in zip(verdict.operators, (names["A"], names["B"]), strict=True):
        np.testing.assert_array_equal(dense(own), dense(shown))
    assert eval(last, names) is verdict.holds  # noqa: S307, likewise


@pytest.mark.parametrize("name", QUESTIONS)
def test_numbers_are_measured_on_the_image(name, found, x):
    verdict = found[name]
    A, B = verdict.operators
    numbers = verdict.numbers
    assert all(type(value) in (int, float) for value in numbers.values())
    if "largest difference" not in numbers:
        return
    given = {"average": lambda: cm.avg_pool(x.shape, 2)(x),
             "unpooling": lambda: cm.max_pool(x.shape, 2)(x)[0],
             "unpooling shared": lambda: cm.max_pool(x.shape, 3, stride=2)(x)[0]}  # fmt: skip
    y = verdict.operators[0].T(A(x)) if name not in (*given, "transposed") else None
    vector = (x if y is not None else given[name]() if name in given else forward(x)).ravel()
    gap = np.abs(dense(A) @ vector - dense(B) @ vector)
    assert numbers["largest difference"] == pytest.approx(gap.max(), abs=1e-12)
    assert numbers["of them different by B"] == (gap > 1e-12).sum()
    assert numbers["values that A gives"] == A.shape[0]


def forward(x):
    return cm.conv(convolving.EDGES, x.shape, stride=2, padding=1)(x)


def test_commands_ask_the_same(found):
    asked = [verdict for verdict in found.values() if verdict.command]
    assert len(asked) >= 3
    for verdict in asked:
        program, command, first, second, option, shape = verdict.command.split()
        assert (program, command, option) == ("convmat", "compare", "--shape")
        result = cm.compare(first, second, [int(size) for size in shape.split(",")])
        assert result.holds == verdict.holds
        for text, own in zip((first, second), verdict.operators, strict=True):
            np.testing.assert_array_equal(dense(read_layers(text)(own.in_shape)), dense(own))


def test_bilinear_names_the_boundary_and_proves_the_rest(found):
    verdict = found["bilinear"]
    text = " ".join(verdict.evidence)
    assert "the boundary, the first and last position along axis 1 or axis 2." in text
    assert "Without that boundary they are equal. Proved: " in text
    assert verdict.numbers["largest difference inside"] == 0
    assert verdict.numbers["largest difference"] > 0


def test_the_transpose_is_no_inverse_and_lsqr_is(found, x):
    numbers = found["inverse"].numbers
    A, _ = found["inverse"].operators
    residual = np.linalg.norm(x - A(x)) / np.linalg.norm(x)
    assert numbers["|x − Cᵀ C x| / |x|"] == pytest.approx(residual)
    assert residual > 0.05
    assert numbers["|x − lsqr(C, C x)| / |x|"] < 1e-9


def test_folding_counts_windows(found, x):
    A, _ = found["folded"].operators
    counts = np.zeros(x.shape)
    for row, column in np.ndindex(x.shape[1] - 2, x.shape[2] - 2):
        counts[0, row : row + 3, column : column + 3] += 1
    np.testing.assert_array_equal(dense(A), np.diag(counts.ravel()))
    assert any("diagonal" in line and "1 to 9" in line for line in found["folded"].evidence)


def test_rearranged_weights_for_channels_and_other_factors():
    rng = np.random.default_rng(1)
    for r, k, inner, out in ((2, 3, 2, 3), (3, 2, 1, 2), (2, 1, 3, 1)):
        weight = rng.integers(-4, 5, (out * r * r, inner, k, k))
        shape = (inner, 4, 5)
        convolution = cm.conv(weight, shape)
        A = cm.pixel_shuffle(convolution.out_shape, r) @ convolution
        large = rearranging.rearranged(weight, r)
        B = cm.conv_transpose(large, shape, stride=r, padding=r * (k - 1))
        assert cm.prove_equal(A, B).holds


# Broken on purpose


MUTATIONS = {
    "nearest, a triangle": lambda x: enlarging.nearest(
        x, second="conv_transpose:triangle,kernel=2,stride=2"
    ),
    "nearest, another kernel size": lambda x: enlarging.nearest(
        x, second="conv_transpose:ones,kernel=4,stride=2,padding=1"
    ),
    "bilinear, ones": lambda x: enlarging.bilinear(
        x, second="conv_transpose:ones,kernel=4,stride=2,padding=1"
    ),
    "bilinear, corners aligned": lambda x: enlarging.bilinear(
        x, first="upsample:bilinear,scale=2,align_corners=true"
    ),
    "average, not divided": lambda x: enlarging.average(x, 1.0),
    "unpooling, windows that overlap": lambda x: enlarging.unpooling(x, 3, 1),
    "transposed, flipped": lambda x: convolving.transposed(
        x, other=convolving.EDGES[..., ::-1, ::-1]
    ),
    "inserted, not flipped": lambda x: convolving.inserted(x, turn=lambda kernel: kernel),
    "subpixel, not flipped": lambda x: rearranging.subpixel(
        x, rearrange=lambda w, r: rearranging.rearranged(w[..., ::-1, ::-1], r)
    ),
    "dilated, one phase dropped": lambda x: rearranging.dilated(
        x, spread=lambda kernel: np.concatenate([np.tile(kernel, (3, 1, 1, 1)), 0 * kernel])
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_broken_operator_changes_the_verdict(mutation, x, found):
    broken, sound = MUTATIONS[mutation](x), found[mutation.split(",")[0]]
    assert broken.answer == FALSE != sound.answer
    assert broken.so != sound.so
    assert any("ounterexample" in line for line in broken.evidence)
    broken.figure()


def test_a_repaired_operator_changes_the_verdict(x):
    assert rearranging.folded(x, kernel=1, stride=1).answer == HOLDS
    even = rearranging.folded(x, kernel=2, stride=2)
    assert even.answer == FALSE  # for at odd sizes a pixel is left out
    assert any("But not at every smaller shape" in line for line in even.evidence)
    assert rearranging.folded(x[:, :, :15], kernel=2, stride=2).answer == EXCEPT
    assert convolving.inverse(x, np.ones((1, 1, 1, 1))).answer == HOLDS
    assert enlarging.unpooling(x, 2, 3).answer == HOLDS
    ones = enlarging.learned(x, second="conv_transpose:ones,kernel=2,stride=2")
    assert ones.answer == HOLDS
    assert "These weights" in ones.so


def test_equal_here_alone_is_not_enough():
    first, second = "avg_pool:3,ceil_mode=true", "avg_pool:3,ceil_mode=true,divisor_override=3"
    assert answer_of(cm.compare(first, second, (1, 6))) == FALSE
    A = cm.conv([[[1, 2, 3]]], (1, 6))
    assert answer_of(compare_operators(A, A, ("A", "A"))) == HOLDS


def test_headline_follows_from_the_verdicts(found):
    yes_or_no, reasons = answer.headline(found)
    assert yes_or_no == "No"
    assert reasons[0] == found["nearest"].so
    same = dict.fromkeys(found, found["nearest"])
    assert answer.headline(same)[0] == "Yes"
    assert answer.headline({**same, "learned": found["learned"]})[0] == "No"
    data = json.loads(json.dumps(answer.summary(found)))
    assert data["answer"] == "No"
    assert {name: entry["verdict"] for name, entry in data["verdicts"].items()} == EXPECTED


# The image


def test_sample_is_the_photograph_averaged(tmp_path):
    own = answer.sample()
    assert own.shape == (1, 64, 64)
    assert own.min() >= 0
    assert own.max() <= 255
    assert (own == np.rint(own)).all()
    pixels = np.random.default_rng(0).integers(0, 256, (150, 131), np.uint8)
    path = tmp_path / "grey.png"
    Image.fromarray(pixels).save(path)
    small = answer.sample(path)
    square = pixels[5:133, 1:129].astype(float)  # (150 - 128)//4 down, (131 - 128)//2 across
    expected = np.rint(square.reshape(64, 2, 64, 2).mean((1, 3)))
    np.testing.assert_array_equal(small[0], expected)
    Image.fromarray(pixels[:17, :30]).save(path)
    assert answer.sample(path).shape == (1, 16, 16)
    Image.fromarray(pixels[:15]).save(path)
    with pytest.raises(cm.GeometryError, match="fewer than 16 pixels"):
        answer.sample(path)


@pytest.mark.parametrize("size", [16, 20])
def test_every_question_takes_the_smallest_images(size):
    image = np.random.default_rng(2).integers(0, 9, (1, size, size)).astype(float)
    assert len(answer.verdicts(image)) == len(QUESTIONS)


# The page


class Reader(HTMLParser):
    """Collects what stands in headings, pictures and links; checks that tags are closed."""

    VOID = frozenset({"meta", "img", "br", "hr", "link"})

    def __init__(self):
        super().__init__()
        self.open, self.headings, self.pictures, self.links, self.ids = [], [], [], [], set()
        self.tags, self.text = set(), ""

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        self.ids.add(given.get("id"))
        if tag == "img":
            self.pictures.append(given)
        if tag == "a":
            self.links.append(given["href"])
        if tag == "h2":
            self.headings.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings[-1] += data
        if self.open and self.open[-1] not in ("style", "title"):
            self.text += data


@pytest.fixture(scope="module")
def page(found, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "new" / "answer.html"
    answer.write_page(path, found)
    assert [entry.name for entry in path.parent.iterdir()] == ["answer.html"]
    text = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return text, reader


def test_page_has_a_heading_and_a_picture_for_every_verdict(page, found):
    text, reader = page
    assert reader.headings == [verdict.title for verdict in found.values()]
    assert len(reader.pictures) == len(found)
    for given, verdict in zip(reader.pictures, found.values(), strict=True):
        assert given["alt"] == verdict.statement
        kind, data = given["src"].split(",")
        assert kind == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as drawn:
            assert np.asarray(drawn.convert("L")).std() > 5, "not an empty picture"
            assert min(drawn.size) > 250
    words = " ".join(reader.text.split())
    for verdict in found.values():
        for line in (verdict.statement, verdict.so, verdict.answer, *verdict.evidence):
            assert " ".join(line.split()) in words
        assert all(line in reader.text for line in verdict.code)
    assert "Of 12 statements, 7 hold, 1 holds except at the boundary, 4 do not hold." in words
    assert text.startswith("<!DOCTYPE html>")


def test_page_needs_nothing_else(page):
    text, reader = page
    assert not reader.tags & {"script", "link", "iframe", "object"}
    assert reader.links
    for link in reader.links:
        assert link.removeprefix("#") in reader.ids
    assert "http" not in text.split("<style>")[0] + text.split("</style>")[1]
    assert "prefers-color-scheme: dark" in text
    assert len(text) < 6_000_000


def test_page_escapes_what_it_is_given(found):
    bad = '<script>alert("&")</script>'
    verdict = replace(found["learned"], title=bad, statement=bad, so=bad, evidence=(bad,),
                      code=(bad,), command=bad, numbers={bad: 1})  # fmt: skip
    text = whole(bad, bad, (bad,), {"one": verdict})
    assert "<script" not in text
    reader = Reader()
    reader.feed(text)
    assert reader.headings == [bad]
    assert reader.pictures[0]["alt"] == bad
    assert "script" not in reader.tags


def test_a_page_that_cannot_be_drawn_leaves_the_old_one(tmp_path, found):
    def fail():
        raise MemoryError

    path = tmp_path / "answer.html"
    path.write_text("old")
    with pytest.raises(MemoryError):
        answer.write_page(path, {**found, "nearest": replace(found["nearest"], figure=fail)})
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


# Pictures


def test_entries_that_differ_are_framed():
    A, B = (read_layers(f"upsample:{mode},scale=2")((1, 4)) for mode in ("nearest", "linear"))
    fig = picture([("x", np.eye(3)), ("y", np.eye(3))], [("A", A), ("B", B)])
    assert len(fig.axes) == 4
    differing = (dense(A) != dense(B)).sum()
    assert [len(ax.patches) for ax in fig.axes[2:]] == [differing, differing]
    assert "framed where A and B differ" in fig.axes[2].get_xlabel()
    texts = {text.get_text() for text in fig.axes[3].texts}
    assert texts == {"1", "3/4", "1/4"}
    same = picture([("x", np.eye(3))], [("A", A), ("B", A)])
    assert not same.axes[1].patches
    assert "framed" not in same.axes[1].get_xlabel()


def test_a_difference_of_zero_says_so():
    fig = picture([("d", np.zeros((3, 3))), ("e", np.eye(3))], differences=["d", "e"])
    assert [text.get_text() for text in fig.axes[0].texts] == ["0 everywhere"]
    assert not fig.axes[1].texts
    assert "white 0" in fig.axes[1].get_xlabel()


def test_signs_have_the_same_colours_in_images_and_matrices():
    A = cm.conv([[[2, -1]]], (1, 3))
    fig = picture([("d", np.diag([1.0, -1.0]))], [("A", A)], differences=["d"])
    image, matrix = fig.axes[0].images[0], fig.axes[1].images[0]
    drawn = image.cmap(image.norm(np.array([1.0, -1.0])))[:, :3]
    assert [int(np.argmax(colour)) for colour in drawn] == [0, 2]  # red, blue
    cells = np.asarray(matrix.get_array())
    assert int(np.argmax(cells[0, 0])) == 0
    assert int(np.argmax(cells[0, 1])) == 2
    for ax in fig.axes:
        assert "red positive, blue negative" in ax.get_xlabel()


def test_pictures_that_are_compared_have_one_scale(found):
    for name, groups in (("average", 3), ("unpooling shared", 2)):
        axes = found[name].figure().axes
        limits = [ax.images[0].get_clim() for ax in axes if "white is" in ax.get_xlabel()]
        assert len(limits) == groups
        assert len(set(limits)) == 1
    y = found["average"].figure().axes[:2]
    assert [float(ax.images[0].get_array().max()) for ax in y][1] * 4 == y[0].images[0].get_clim()[
        1
    ]


def test_channels_are_tiled():
    assert tiled(np.zeros((9, 2, 3))).shape == (6, 9)
    assert tiled(np.zeros((3, 2, 3))).shape == (2, 9)


def test_a_page_needs_no_installed_distribution(monkeypatch):
    def none(_):
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata.Distribution, "from_name", none)
    assert f"Written by convmat {cm.__version__}, " in whole("?", "No", [], {})


def test_verdicts_are_computed_and_not_typed():
    for module in (enlarging, convolving, rearranging):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        assert not {HOLDS, EXCEPT, FALSE} & {t for t in texts if isinstance(t, str)}
