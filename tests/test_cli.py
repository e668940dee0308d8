"""The command line, the main job behind it, and what it leaves on disk."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy import sparse

import convmat as cm
from convmat.cli import inputs
from convmat.cli.commands import main
from convmat.cli.inspection import FILES, MATRICES, STEPS, Request, inspect
from convmat.geometry.weights import working_dtype
from convmat.matrix import files
from convmat.matrix.files import FORMATS
from convmat.proof.sizes.settings import LAYERS

LUMA = [0.299, 0.587, 0.114]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments):
    """Run a command that must fail on bad input; return its one line."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("[")]  # progress
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("convmat: ")
    return lines[0]


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """Return a small colour photograph without noise of compression."""
    path = tmp_path_factory.mktemp("images") / "small.png"
    pixels = np.random.default_rng(1).integers(0, 256, (17, 22, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


# The main job


def test_inspect_writes_what_it_says(picture, tmp_path):
    folder = tmp_path / "new"
    told = []
    request = Request(image=str(picture), output=folder)
    summary = inspect(request, told.append)
    assert tuple(told) == STEPS
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert json.loads((folder / "summary.json").read_text(encoding="utf-8")) == summary
    assert summary["holds"] is True
    assert all(claim["holds"] for claim in summary["claims"])

    x = np.moveaxis(np.asarray(Image.open(picture)), -1, 0)
    sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    weight = np.stack([np.multiply.outer(LUMA, taps) for taps in (sobel, sobel.T)])
    expected = cm.conv(weight, x.shape, stride=2, padding=1)
    matrix, transpose = (sparse.load_npz(folder / name) for name in MATRICES)
    assert (matrix != expected.matrix()).nnz == 0
    assert (transpose != matrix.T).nnz == 0
    with zipfile.ZipFile(folder / "matrix.npz") as archive:
        assert {part.compress_type for part in archive.infolist()} == {zipfile.ZIP_STORED}
    assert summary["matrices"][0]["nnz"] == matrix.nnz
    assert summary["sizes"]["convolution"]["axes"][0] == {"n": 17, "size": 9, "derived": 9}
    assert summary["sizes"]["transposed convolution"]["axes"][1] == {
        "n": 11,
        "size": 22,
        "derived": 22,
    }
    assert summary["sizes"]["output_padding"] == [0, 1]
    for name in ("sparsity.png", "images.png"):
        with Image.open(folder / name) as drawn:
            drawn.verify()
    assert cm.prove_transpose(expected).claim == summary["proof"]["claim"]
    assert run("prove", "--check", folder / "proof.json").exit_code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--kernel", "laplacian", "--grey", "--dtype", "int32"),
        ("--kernel", "gaussian", "--dtype", "complex64", "--stride", "3,2"),
        ("--kernel", "box", "--dtype", "float32", "--padding", "same"),
        ("--kernel", "triangle", "--padding", "0:1,2:0", "--dilation", "2"),
        ("--kernel", "identity", "--stride", "4"),
        ("--kernel", "1,2,1;2,4,2", "--padding", "same_lower"),
    ],
)
def test_inspect_options(picture, tmp_path, options):
    result = run("inspect", picture, "--output", tmp_path, "--json", *options)
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["holds"]
    assert result.stderr == ""
    made = cm.conv(np.ones(summary["kernel"]["weight_shape"]), summary["in_shape"])
    assert made.in_shape == tuple(summary["in_shape"])
    dtype = working_dtype(np.dtype(summary["options"]["dtype"]))
    assert sparse.load_npz(tmp_path / "matrix.npz").dtype == dtype
    for table in ("convolution", "transposed convolution"):
        for axis in summary["sizes"][table]["axes"]:
            assert axis["size"] == axis["derived"]


def test_inspect_prints_a_table(picture, tmp_path):
    result = run("inspect", picture, "--output", tmp_path)
    assert result.exit_code == 0
    words = " ".join(result.stdout.split())
    made = cm.conv(np.ones((2, 3, 3, 3)), (3, 17, 22), stride=2, padding=1)
    for expected in (
        "3 x 17 x 22 -> 2 x 9 x 11",
        f"{made.nnz:,} stored entries (weights that are 0 included)",
        "taps times 0.299, 0.587, 0.114 for red, green, blue (luma)",
        "n size of x, m size of A(x), k kernel, s stride, d dilation, p padding, a output padding",
        "to build it again in place",
        "proof (all sizes; this geometry, all weights)",
        "red is positive, blue negative; lines along the border come from the zeros",
        "holds",
        "matrix.npz",
    ):
        assert expected in words
    assert "FALSE" not in result.stdout


def test_inspect_says_less_where_less_is_to_say(picture, tmp_path):
    options = ("--grey", "--kernel", "box", "--padding", "0:1,0:1", "--output", tmp_path)
    words = " ".join(run("inspect", picture, *options).stdout.split())
    assert "p_low padding before, p_high padding after" in words
    for absent in ("included)", "luma", "images.png:"):
        assert absent not in words.replace("builder included)", "")


def test_inspect_tells_its_steps_where_there_is_no_terminal(picture, tmp_path):
    told = run("inspect", picture, "--output", tmp_path).stderr.splitlines()
    expected = [f"[{number}/{len(STEPS)}] {step}" for number, step in enumerate(STEPS, 1)]
    assert told == expected


def test_the_seconds_of_every_step_are_told(picture, tmp_path):
    summary = inspect(Request(image=str(picture), output=tmp_path))
    assert set(STEPS) < set(summary["seconds"])
    assert all(summary["seconds"][step] > 0 for step in STEPS)


def test_inspect_says_when_a_claim_is_false(picture, tmp_path, monkeypatch):
    import convmat.cli.inspection

    def wrong(weight, in_shape, **options):
        return cm.conv_transpose(2 * weight, in_shape, **options)

    monkeypatch.setattr(convmat.cli.inspection, "conv_transpose", wrong)
    result = run("inspect", picture, "--output", tmp_path)
    assert result.exit_code == 1
    assert "FALSE" in result.stdout
    assert json.loads((tmp_path / "summary.json").read_text())["holds"] is False


def test_inspect_runs_as_a_program_on_the_real_photograph(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "convmat", "inspect", "--output", "found", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stderr.splitlines()  # a first run says what it compiles
    assert all(line.startswith("convmat: compiling the ") for line in lines)
    summary = json.loads(ran.stdout)
    assert summary["in_shape"] == [3, 600, 512]
    assert summary["out_shape"] == [2, 300, 256]
    assert summary["matrices"][0]["shape"] == [153600, 921600]
    matrix, transpose = (sparse.load_npz(tmp_path / "found" / name) for name in MATRICES)
    assert matrix.nnz == summary["matrices"][0]["nnz"] == 2 * 3 * 899 * 767
    assert (transpose != matrix.T).nnz == 0


def test_inspect_may_leave_the_matrices_out(picture, tmp_path):
    result = run("inspect", picture, "--no-matrices", "--json", "--output", tmp_path)
    expected = [name for name in FILES if name not in MATRICES]
    assert json.loads(result.stdout)["files"] == expected
    assert {path.name for path in tmp_path.iterdir()} == set(expected)


def test_the_program_ends_with_one_line_on_bad_input(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "convmat", "inspect", "missing.jpg"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == "convmat: missing.jpg: No such file or directory\n"
    assert list(tmp_path.iterdir()) == []


# Bad images, kernels, folders


def test_bad_images_are_named(picture, tmp_path):
    text = tmp_path / "text.jpg"
    text.write_text("not an image")
    assert "not an image" in refused("inspect", text, "--output", tmp_path / "out")
    cut = tmp_path / "cut.png"
    cut.write_bytes(picture.read_bytes()[:-200])
    assert "damaged" in refused("inspect", cut, "--output", tmp_path / "out")
    assert "directory" in refused("inspect", tmp_path, "--output", tmp_path / "out")
    empty = tmp_path / "empty.png"
    empty.touch()
    refused("inspect", empty, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        (("--kernel", "sobbel"), "kernel"),
        (("--kernel", "missing.npy"), "missing.npy"),
        (("--kernel", "1,2;3"), "kernel"),
        (("--kernel", "1,nan"), "kernel"),
        (("--stride", "0"), "stride"),
        (("--stride", "two"), "stride"),
        (("--stride", "1,2,3"), "stride"),
        (("--padding", "somewhere"), "padding"),
        (("--padding", "-1"), "padding"),
        (("--padding", "1:x"), "padding"),
        (("--dilation", "50"), "kernel"),
        (("--dtype", "float33"), "dtype"),
        (("--dtype", "float16"), "dtype"),
        (("--dtype", "int32"), "dtype"),
        (("--dtype", "str"), "dtype"),
        (("--dtype", "object"), "dtype"),
        (("--dtype", "(2,a)f4"), "dtype"),
        (("--bogus",), "--bogus"),
    ],
)
def test_bad_options_are_named(picture, tmp_path, options, argument):
    line = refused("inspect", picture, "--output", tmp_path / "out", *options)
    assert argument in line
    assert not (tmp_path / "out").exists()


def test_a_failed_run_leaves_the_old_files_whole(picture, tmp_path, monkeypatch):
    before = {name: f"old {name}" for name in FILES}
    for name, text in before.items():
        (tmp_path / name).write_text(text)

    def fail(*_, **__):
        raise MemoryError("no room left")

    monkeypatch.setattr("convmat.plot.strip", fail)
    assert "no room left" in refused("inspect", picture, "--output", tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_named(picture, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    assert "file" in refused("inspect", picture, "--output", file)
    refused("inspect", picture, "--output", file / "below")
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    assert "Permission denied" in refused("inspect", picture, "--output", tmp_path / "locked")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_too_large_a_photograph_is_refused_before_building(picture, tmp_path, monkeypatch):
    monkeypatch.setattr("convmat.matrix.limits.NEGLIGIBLE", 0)
    monkeypatch.setattr("convmat.matrix.limits._available_memory", lambda: 1000)
    assert "GiB" in refused("inspect", picture, "--output", tmp_path / "out")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("inspect", ("--output", "out")),
        ("matrix", ("--shape", "1,40,40", "--output", "m.npz")),
        ("compare", ("pool:2", "pool:2", "--shape", "1,30,30")),
    ],
)
def test_advice_about_memory_names_options(command, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("convmat.matrix.limits.NEGLIGIBLE", 0)
    monkeypatch.setattr("convmat.matrix.limits._available_memory", lambda: 10)
    if command == "compare":
        options = ("avg_pool:2 @ upsample:nearest,scale=2", "avg_pool:2 @ upsample:nearest,scale=2")
    line = refused(command, *options)
    advice = line.split("; ", 1)[1]
    known = {option for param in main.commands[command].params for option in param.opts}
    named = {word.strip(",:") for word in advice.split() if word.startswith("--")}
    assert named
    assert named <= known
    assert "rows=" not in advice
    with pytest.raises(MemoryError, match="rows=slice"):
        cm.conv(np.ones((1, 1, 3)), (1, 9)).matrix()


# The other commands


def test_size():
    assert run("size", 28, "--kernel", 3, "--stride", 2, "--padding", 1).output == "14\n"
    assert run("size", 6, "--kernel", 3, "--stride", 2, "--ceil-mode").output == "3\n"
    out = run("size", 14, "--kernel", 3, "--stride", 2, "--transposed", "--output-padding", 1)
    assert out.output == "30\n"
    assert json.loads(run("size", 5, "--kernel", 2, "--padding", "0:1", "--json").output) == {
        "size": 5
    }
    formula = run("size", "n", "--kernel", "k", "--stride", "s", "--json").stdout
    assert json.loads(formula) == {"formula": "floor((-k + n)/s) + 1"}
    assert "least padding that fits is 2" in refused("size", 2, "--kernel", 5)
    assert "n = '2.5'" in refused("size", "2.5", "--kernel", 2)
    assert "__import__" in refused("size", "__import__('os')", "--kernel", 2)
    assert "output_padding" in refused("size", 5, "--kernel", 2, "--output-padding", 1)
    refused("size", 5, "--kernel", 2, "--transposed", "--ceil-mode")
    for padding in ("1:same", "FULL:p", "auto"):
        assert "not a known name" in refused("size", 28, "--kernel", 3, "--padding", padding)
    assert run("size", "n", "--kernel", 1, "--padding", "p:q").stdout == "n + p + q\n"
    assert "one number" in refused("size", 28, "--kernel", 3, "--stride", "3,2")
    refused("size")


def test_matrix_is_printed_saved_or_refused(tmp_path):
    out = run("matrix", "--shape", "1,4", "--kernel", "1,2", "--stride", 2, "--dtype", "int64")
    assert out.exit_code == 0
    assert out.stdout.splitlines()[1:] == ["[[1 2 0 0]", " [0 0 1 2]]"]
    path = tmp_path / "m.npz"
    options = ("--shape", "2,9,8", "--padding", 1, "--groups", 2, "--transposed")
    weight = inputs.dense_weight(inputs.read_kernel("sobel"), 1, 2, np.dtype(float))
    expected = cm.conv(weight, (2, 9, 8), padding=1, groups=2).T.matrix()
    for form in ("csr", "csc", "coo"):
        saved = run("matrix", *options, "--format", form, "--output", path, "--json")
        assert json.loads(saved.stdout)["file"] == str(path)
        loaded = sparse.load_npz(path)
        assert loaded.format == form
        assert (loaded.tocsr() != expected).nnz == 0
    listed = json.loads(run("matrix", *options, "--json").stdout)
    built = sparse.coo_array((listed["value"], (listed["row"], listed["column"])), listed["shape"])
    assert (built.tocsr() != expected).nnz == 0
    old = path.read_bytes()
    assert "format" in refused("matrix", *options, "--format", "lil", "--output", path)
    assert "format" in refused("matrix", *options, "--format", "none", "--output", path)
    assert "format" in refused("matrix", "--shape", "1,4", "--kernel", "1,2", "--format", "foo")
    assert "format" in refused("matrix", *options, "--format", "foo", "--json")
    assert "output" in refused("matrix", *options, "--output", tmp_path / "m.txt")
    assert "shape" in refused("matrix", "--shape", "1,x")
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.npz"]


def test_shares_of_channels_are_said():
    options = ("--dtype", "float64", "--kernel")
    said = run("matrix", "--shape", "3,5,5", *options, "box")
    assert "weight: taps times 0.299, 0.587, 0.114 for red" in said.stdout
    data = json.loads(run("matrix", "--shape", "4,5", *options, "1,2", "--json").stdout)
    assert data["weighting"] == "taps times 1/4 for each of 4 channels (mean)"
    assert data["value"][:2] == [0.25, 0.5]
    plain = run("matrix", "--shape", "1,4,4", *options, "1,2;3,4")
    assert "weight:" not in plain.stdout
    assert plain.stderr == ""
    # Two filters on four channels, but more likely an image without its channel axis.
    assert "--shape 1,4,4" in run("matrix", "--shape", "4,4", *options, "1,2;3,4").stderr
    assert "one channel" in refused("matrix", "--shape", "3,5,5", "--dtype", "int64")


def test_numbers_of_several_axes_have_commas_or_an_x():
    found = [
        run("matrix", "--shape", shape, "--stride", stride, "--padding", padding, "--json")
        for shape, stride, padding in (("1,4,5", "2,1", "0:1,2"), ("1x4x5", "2x1", "0:1x2"))
    ]
    assert [result.exit_code for result in found] == [0, 0]
    assert found[0].stdout == found[1].stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--shape", "28,28"), "did you mean 1,28,28?"),
        (("--shape", "3,5"), "did you mean 1,3,5?"),  # the rows of a filter are no channels
        (("--shape", "3,9", "--kernel", "box"), "did you mean 1,3,9?"),
        (("--shape", "1,5,5,5"), "channels, height and width"),
        (("--shape", "0,5,5", "--dtype", "int64"), "in_shape"),
        (("--shape", "1,5,5", "--groups", 0), "groups"),
        (("--shape", "1,5", "--kernel", "1,2", "--dtype", "object"), "dtype"),
        (("--shape", "1,5", "--kernel", "1,2", "--dtype", "(2,a)f4"), "dtype"),
        (("--shape", "1,5", "--kernel", "1,2", "--dtype", "(2,"), "dtype"),
        (("--shape", "1,5", "--kernel", "1,2", "--dtype", "bool"), "dtype"),
        (("--shape", "5"), "write 1,5"),
        (("--shape", "1x4,4"), "write 1x4x4 or 1,4,4"),
        (("--shape", "1,4,4", "--kernel", "1,2;3"), "rows of 2 and 1 numbers"),
        (("--shape", "1,4,4", "--kernel", "1,2,a"), "neither numbers nor a file"),
        (("--shape", "1,4,4", "--kernel", ""), "is empty"),
        (("--shape", "1,4,4", "--kernel", " "), "is empty"),
    ],
)
def test_matrix_errors_name_the_repair(arguments, words):
    assert words in refused("matrix", *arguments)


def test_a_matrix_that_nobody_sees_is_not_built(monkeypatch):
    monkeypatch.setattr("convmat.matrix.limits.NEGLIGIBLE", 0)
    monkeypatch.setattr("convmat.matrix.limits._available_memory", lambda: 0)
    out = run("matrix", "--shape", "1,100000000", "--kernel", "1,2")
    assert out.exit_code == 0
    assert "too large to print" in out.stdout
    assert "value" not in json.loads(
        run("matrix", "--shape", "1,100000000", "--kernel", "1,2", "--json").stdout
    )
    assert "GiB" in refused(
        "matrix", "--shape", "1,100000000", "--kernel", "1,2", "--output", "x.npz"
    )


def test_prove(tmp_path):
    options = ("prove", "--shape", "2,9,8", "--kernel-size", "3,2", "--stride", 2)
    text = run(*options, "--groups", 2, "--out-channels", 4)
    assert text.exit_code == 0
    claim, grade, steps = text.stdout.splitlines()
    assert claim.startswith("Proved: ")
    assert grade == "Grade: all sizes; this geometry, all weights."
    assert steps.endswith(" steps: print them with --steps.")
    whole = run(*options, "--groups", 2, "--out-channels", 4, "--steps").stdout
    assert whole.startswith(f"{claim}\n{grade}\n")
    assert whole.count("    [") == int(steps.split()[0])
    assert "  p0, p1, a   its low and high padding" in whole
    proof = run(*options, "--json")
    path = tmp_path / "proof.json"
    path.write_text(proof.stdout)
    assert json.loads(proof.stdout)["claim"]
    checked = run("prove", "--check", path, "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["accepted"] is True

    path.write_text(proof.stdout.replace("(2, 9, 8)", "(2, 9, 9)"))
    changed = run("prove", "--check", path)
    assert changed.exit_code == 1
    assert "refused" in changed.stdout
    path.write_text(proof.stdout[:100])
    refused("prove", "--check", path)
    assert "nowhere" in refused("prove", "--check", "nowhere.json")

    false = run("prove", "--shape", "1,9", "--stride", 2, "--output-padding", 1, "--json")
    assert false.exit_code == 1
    assert "counterexample" in json.loads(false.stdout)["format"]
    false_text = run("prove", "--shape", "1,9", "--stride", 2, "--output-padding", 1)
    assert false_text.stdout.startswith("False: ")
    assert "Missing option '--shape'" in refused("prove")
    assert "kernel_size" in refused("prove", "--shape", "1,9", "--kernel-size", "0")
    assert "output_padding" in refused("prove", "--shape", "1,9", "--output-padding", 5)
    assert "groups" in refused("prove", "--shape", "3,9", "--groups", 2)
    assert "groups = 0" in refused("prove", "--shape", "3,9", "--groups", 0)
    for count in (0, -1):
        line = refused("prove", "--shape", "3,9", "--out-channels", count)
        assert f"out_channels = {count}" in line
    assert "too large" in refused("prove", "--shape", "3,9", "--out-channels", 10**20)
    assert "in_shape" in refused("prove", "--shape=-3,9")


def test_compare():
    nearest = ("upsample:nearest,scale=2", "conv_transpose:ones,kernel=2,stride=2")
    equal = run("compare", *nearest)
    assert equal.exit_code == 0
    assert equal.stdout.startswith(
        "equal, for all inputs of shape (1, 8, 8)\n  inputs: 1 channel of 8 x 8\n"
    )
    assert "Grade: these numbers (for these sizes and numbers alone)." in equal.stdout
    assert "Equal as well at all 63 smaller shapes." in equal.stdout

    bilinear = ("upsample:bilinear,scale=2", "conv_transpose:triangle,stride=2,padding=1")
    different = run("compare", *bilinear, "--shape", "1,5,6")
    assert different.exit_code == 1
    words = " ".join(different.stdout.split())
    assert words.startswith("different inputs: 1 channel of 5 x 6 A = ")
    assert "Smallest counterexample: at shape (1, 1, 1)" in words
    assert "output (0, 0, 0) is 1 by A and 0.5625 by B" in words
    assert "At shape (1, 5, 6) they differ at 40 of 120 outputs" in words
    assert "only the boundary, the first and last position along axis 1 or axis 2." in words
    assert "Without that boundary they are equal. Proved: the two matrices" in words
    data = json.loads(run("compare", *bilinear, "--json").stdout)
    assert data["equal"] is False
    assert data["places"] == {
        "differ": 60,
        "of": 256,
        "kind": "boundary",
        "words": data["places"]["words"],
    }
    assert data["smallest"]["values"] == [1.0, 0.5625]
    sizes = run("compare", "conv:ones,kernel=3", "identity", "--shape", "1,4")
    assert sizes.exit_code == 1
    assert sizes.stdout.startswith("different: sizes (1, 2) and (1, 4)\n")

    assert "layer is one of conv, " in refused("compare", "resize:2", "identity")
    assert "use one of kernel, stride" in refused("compare", "unfold:3,scale=2", "identity")
    assert "shape" in refused("compare", "identity", "identity", "--shape", "1,x")
    assert "shape = 0" in refused("compare", "identity", "identity", "--shape", "1,0")
    assert "kernel = 9" in refused("compare", "conv:ones,kernel=9", "identity")
    assert "smaller sizes" in refused("compare", *nearest, "--shape", "1,200000,200000")
    refused("compare", "identity")


def test_compare_takes_texts_that_begin_with_a_minus():
    assert (
        run("compare", "-1 * identity", "-1 * conv:ones,kernel=1", "--shape", "1,4").exit_code == 0
    )
    assert "--shap" in refused("compare", "identity", "identity", "--shap", "1,4")


def test_help_of_compare_lists_every_layer_and_its_examples_run():
    text = run("compare", "--help").stdout
    for name in ("conv_transpose", "avg_pool", "pixel_shuffle", "unfold", "identity", "triangle"):
        assert name in text
    examples = [line.split("convmat ", 1)[1] for line in text.splitlines() if " convmat c" in line]
    codes = [run(*shlex.split(example)).exit_code for example in examples]
    assert codes == [0, 1, 1, 0]


def test_answer(picture, tmp_path):
    page = tmp_path / "new" / "page.html"
    told = run("answer", "--image", picture, "--out", page)
    assert told.exit_code == 0
    words = " ".join(told.stdout.split())
    assert words.startswith("Are upsampling and transposed convolution the same?")
    for expected in ("holds", "does not hold", "Sub-pixel convolution", "Proved: ", "No. Nearest"):
        assert expected in words
    *_, last, made = told.stderr.splitlines()
    assert last.endswith("draw the pictures")
    assert made == f"convmat: made the folder {page.parent}"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    result = run("answer", "--image", picture, "--out", page, "--json")
    assert result.stderr == ""
    data = json.loads(result.stdout)
    assert data["answer"] == "No"
    assert data["page"] == str(page)
    assert data["verdicts"]["nearest"]["verdict"] == "holds"

    assert "nowhere.png" in refused("answer", "--image", tmp_path / "nowhere.png", "--out", page)
    assert "is not an image" in refused("answer", "--image", page, "--out", tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()
    refused("answer", "--image", picture, "--out", tmp_path)


def test_help_and_version():
    assert run("--help").exit_code == 0
    assert run("--version").stdout == f"convmat, version {cm.__version__}\n"
    for command in ("inspect", "size", "matrix", "prove", "compare", "answer"):
        text = run(command, "--help")
        assert text.exit_code == 0
        assert "--json" in text.stdout
        assert "As for" not in text.stdout
    assert "3,2" not in run("size", "--help").stdout
    assert "luma" in run("matrix", "--help").stdout
    assert "replaced" in run("inspect", "--help").stdout
    refused("nothing")
    refused("--nothing")


def test_help_lists_choices_and_whole_sentences():
    words = " ".join(run("--help").stdout.split())
    for command in main.commands.values():
        assert " ".join(command.help.split("\n\n")[0].split()).rstrip(".") in words
    told = run("verify", "--help").stdout
    assert {name for name in LAYERS if "," not in name} <= set(re.findall(r"\w+", told))
    told = run("matrix", "--help").stdout
    for name in FORMATS:
        assert name in told
        assert run("matrix", "--shape", "1,4,4", "--format", name).exit_code == 0
    assert {"float32", "complex128", "int8"} <= set(re.findall(r"\w+", told))


def test_tables_in_pipes_are_not_wrapped(picture, tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    told = run("inspect", picture, "--output", tmp_path / ("long" * 20)).stdout
    lines = told.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert any(line.endswith("a output padding") for line in lines)
    assert sum("in all" in line and "to build A first" in line for line in lines) == 1
    assert "matrix.npz, transpose.npz, sparsity.png" in lines[-2]
    monkeypatch.setenv("COLUMNS", "60")
    narrow = run("inspect", picture, "--output", tmp_path / "a").stdout
    assert not any("in all" in line and "to build A first" in line for line in narrow.splitlines())


@pytest.mark.parametrize("name", ["answer", "plot", "proof", "symbolic"])
def test_packages_show_what_is_public_alone(name):
    package = getattr(cm, name)
    assert dir(package) == sorted(package.__all__)
    assert all(hasattr(package, public) for public in dir(package))
    assert all(hasattr(cm, public) for public in dir(cm))


def test_progress_starts_with_the_first_step_once_that_is_done(capsys):
    from convmat.cli import tables

    with tables.progress(3, lines=True) as tell:
        tell("read")
        assert capsys.readouterr().err == ""  # bad input is told without a line before it
        tell("build")
        tell("draw")
    assert capsys.readouterr().err.splitlines() == ["[1/3] read", "[2/3] build", "[3/3] draw"]


def test_one_pair_of_padding_holds_for_every_axis(tmp_path):
    matrices: list[np.ndarray] = []
    for padding in ("0:1", "0:1,0:1"):
        path = tmp_path / "m.npz"
        done = run("matrix", "--shape", "1,4,5", "--padding", padding, "--output", str(path))
        assert done.exit_code == 0, done.output
        matrices.append(sparse.load_npz(path).toarray())
    weight = inputs.read_kernel("sobel")[:, None]
    expected = cm.conv(weight, (1, 4, 5), padding=((0, 1), (0, 1))).matrix()
    assert all((matrix == expected.toarray()).all() for matrix in matrices)


def test_help_of_compare_lists_values():
    told = run("compare", "--help").output
    for words in ("conv: [weight], [kernel], stride", "mode is nearest, nearest-exact",
                  "\n  padding_mode: zeros, reflect", "\n  order: crd, dcr",
                  "\n  coordinates: half_pixel"):  # fmt: skip
        assert words in told
