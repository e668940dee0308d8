"""The scripts that users run, as they run them."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import sparse

import convmat as cm

FOLDER = Path(__file__).parent.parent / "scripts"
SCRIPTS = ("generate_matrix", "make_figures", "plot_sparsity", "verify_formulas")


def run(script, *arguments, code=0):
    ran = subprocess.run(
        [sys.executable, "-W", "error", FOLDER / f"{script}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout if code == 0 else ran.stderr


def test_generate_matrix_prints_and_saves(tmp_path):
    options = ("--size", 5, "--kernel-size", 2, "--stride", 3)
    assert "[[1. 2. 0. 0. 0.]" in run("generate_matrix", *options)
    path = tmp_path / "m.npz"
    options = ("--size", 6, 7, "--channels", 2, 3, "--padding", 1, "--dilation", 2, "--transposed")
    run("generate_matrix", *options, "--output", path)
    weight = np.arange(1.0, 55).reshape(3, 2, 3, 3)
    expected = cm.conv(weight, (2, 6, 7), padding=1, dilation=2).T
    assert (sparse.load_npz(path) != expected.matrix()).nnz == 0
    assert "kernel = 3: the window spans 3" in run("generate_matrix", "--size", 2, code=2)


def test_plot_sparsity_draws(tmp_path):
    names = [tmp_path / f"{name}.png" for name in ("pair", "arithmetic", "overlap")]
    run(
        "plot_sparsity", "--size", 6, "--stride", 2, "--output", names[0],
        "--arithmetic", names[1], "--overlap", names[2],
    )  # fmt: skip
    for name in names:
        with Image.open(name) as drawn:
            assert np.asarray(drawn.convert("L")).std() > 5, "not an empty page"


def test_verify_formulas_holds_and_notices_a_wrong_formula(monkeypatch, capsys):
    table = run("verify_formulas", "--largest", 4)
    assert table.count("holds") == 5
    assert "FALSE" not in table
    monkeypatch.syspath_prepend(str(FOLDER))
    import verify_formulas

    right = cm.output_size
    monkeypatch.setattr(cm, "output_size", lambda n, k, s, p, d: right(n, k, s, p, d) + 1)
    assert verify_formulas.main(["--largest", "3"]) == 1
    assert capsys.readouterr().out.count("FALSE") == 2


@pytest.mark.parametrize("name", ["matrices", "photograph", "convolution", "transposed", "overlap"])
def test_figures_are_those_of_the_readme(name, figures):
    with Image.open(figures / f"{name}.png") as drawn, Image.open(IMAGES / f"{name}.png") as kept:
        # Other versions of Matplotlib place glyphs a little otherwise.
        small = (drawn.convert("RGB").resize((60, 40)), kept.convert("RGB").resize((60, 40)))
        difference = np.abs(np.asarray(small[0], float) - np.asarray(small[1], float))
        assert difference.mean() < 3
        assert abs(drawn.width - kept.width) <= 2


IMAGES = FOLDER.parent / "images"


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures") / "new"
    run("make_figures", folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in IMAGES.glob("*.png")}
    return folder


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_have_help(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(script, "--help").startswith("usage: ")
    run(script, "--no-such-option", code=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_short_and_use_the_public_interface(script):
    text = (FOLDER / f"{script}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 70
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            used = [alias.name for alias in node.names if alias.name.startswith("convmat")]
            assert used in ([], ["convmat"])
        if isinstance(node, ast.ImportFrom):
            assert not node.module.startswith("convmat")
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_")
