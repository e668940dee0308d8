"""Output on streams that are not UTF-8: every command and script ends well, with signs spelled."""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from pathlib import Path

import pytest

from convmat.cli import main

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
ENCODINGS = ["cp1252", "cp437", "ascii"]
COMMANDS = {
    "help": ["--help"],
    "help of compare": ["compare", "--help"],
    "size": ["size", "28", "--kernel", "3"],
    "matrix": ["matrix", "--shape", "1,4,4", "--kernel", "1,2;3,4"],
    "prove": ["prove", "--shape", "1,5,5", "--kernel", "sobel"],
    "list": ["prove", "--list"],
    "verify": ["verify", "floor((n + 2*p - k)/s) + 1", "--layer", "conv"],
    "compare": ["compare", "upsample:nearest,scale=2", "conv_transpose:ones,kernel=2,stride=2"],
    "error": ["matrix", "--shape", "naïve ×"],
    "json": ["size", "28", "--kernel", "3", "--json"],
}


@pytest.fixture
def streams(monkeypatch):
    """Give standard streams of an encoding, and return what was written to them."""

    def use(encoding):
        kept = []
        for name in ("stdout", "stderr"):
            stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
            monkeypatch.setattr(sys, name, stream)
            kept.append(stream)
        return lambda: tuple(s.buffer.getvalue().decode(encoding) for s in kept)

    return use


def run(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments, prog_name="convmat")
    return ended.value.code


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command, encoding, streams):
    told = streams("utf-8")
    code = run(COMMANDS[command])
    plain = told()
    told = streams(encoding)
    assert run(COMMANDS[command]) == code
    # The same words, but for the signs and for lines that are broken elsewhere.
    for text, before in zip(told(), plain, strict=True):
        assert bool(text) == bool(before)
        assert {word for word in before.split() if word.isascii()} <= set(text.split()) | {"│"}


def test_the_answer_and_the_main_job_end_well(streams, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = streams("ascii")
    assert run(["answer", "-o", "page.html"]) == 0
    assert run(["inspect", "--out", "looked"]) == 0
    assert "A^T" in told()[0]
    assert (tmp_path / "page.html").exists()
    assert (tmp_path / "looked" / "summary.json").exists()


@pytest.mark.parametrize(
    "script",
    [
        "autoencoder --help",
        "bench --help",
        "deconvnet --help",
        "generate_matrix",
        "make_figures --help",
        "plot_sparsity --output naïve.png",
        "upsampling_vs_transposed --compare upsample:nearest,scale=2 identity",
        "verify_formulas --help",
    ],
)
def test_scripts(script, streams, tmp_path, monkeypatch):
    name, *arguments = script.split()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    told = streams("ascii")
    with contextlib.suppress(SystemExit):
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    assert told()[0]
    assert not told()[1]
