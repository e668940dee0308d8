"""Files and folders: written whole or not at all, and named where they cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import sparse

from convmat.cli import main
from convmat.matrix import files


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments):
    """Run a command that must fail on bad input; return its one line."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    return line


def test_folders_are_made_only_in_others_and_said(tmp_path):
    options = ("matrix", "--shape", "1,4", "--kernel", "1,2", "--output")
    line = refused(*options, tmp_path / "mistyped" / "folder" / "m.npz")
    assert (
        line == f"convmat: {tmp_path / 'mistyped'}: no such folder: make it first, or mend the path"
    )
    for command in (("inspect",), ("answer",), ("prove", "--shape", "1,4")):
        line = refused(*command, "--output", tmp_path / "mistyped" / "folder" / "m.json")
        assert "no such folder" in line
    assert list(tmp_path.iterdir()) == []
    said = f"convmat: made the folder {tmp_path / 'new'}\n"
    assert run(*options, tmp_path / "new" / "m.npz").stderr == said
    assert run(*options, tmp_path / "new" / "m.npz").stderr == ""
    prove = ("prove", "--shape", "1,4", "--output")
    assert "made the folder" in run(*prove, tmp_path / "more" / "proof.json").stderr
    assert run(*prove, tmp_path / "quiet" / "proof.json", "--json").stderr == ""
    assert (tmp_path / "quiet" / "proof.json").exists()


def test_odd_places_have_their_own_lines(tmp_path, monkeypatch):
    options = ("prove", "--shape", "1,4", "--output")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for place, words in {
        "dangling": f"is a link to {tmp_path / 'nothing'}, which is not there",
        "dangling/proof.json": "which is not there",
        "file/proof.json": f"{tmp_path / 'file'}: Not a directory",
        ".": "Is a directory",
    }.items():
        assert words in refused(*options, tmp_path / place)
    assert run(*options, tmp_path / "link").exit_code == 0
    assert (tmp_path / "link").is_symlink()
    assert json.loads((tmp_path / "file").read_text())["claim"]
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    assert "Permission denied" in refused(*options, tmp_path / "proof.json")
    monkeypatch.setattr(files, "_is_read_only", lambda _: True)
    assert "Read-only file system" in refused(*options, tmp_path / "proof.json")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is full")
def test_a_full_disk_is_named():
    command = [sys.executable, "-m", "convmat", "prove", "--shape", "1,4"]
    ran = subprocess.run(
        [*command, "--output", "/dev/full"], capture_output=True, text=True, check=False
    )
    assert ran.stderr == "convmat: /dev/full: No space left on device\n"
    assert ran.returncode == 2
    with open("/dev/full", "w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.stderr == "convmat: standard output: No space left on device\n"
    assert ran.returncode == 2
    # What is no file stays what it is.
    assert run("prove", "--shape", "1,4", "--output", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()


def test_a_file_that_outgrows_the_disk_is_named_and_not_left(tmp_path):
    resource = pytest.importorskip("resource")
    matrix = sparse.csr_array(np.random.default_rng(0).random((60, 60)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            files.save_matrix(tmp_path / "m.npz", matrix)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(tmp_path / "m.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="processes cannot be asked for here")
def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from convmat.matrix.files import written\n"
        "with written(sys.argv[1]) as path:\n"
        "    path.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    file = tmp_path / "m.txt"
    subprocess.run([sys.executable, "-c", program, file], check=False)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".convmat-")
    mark, _, token = left.name.rsplit("-", 2)
    kept = {f"{mark}-{os.getpid()}-{token}", f".convmat-00000000-1-{token}", f"{mark}-mine"}
    for name in kept:  # of a process that lives, of another machine, of someone else
        (tmp_path / name).mkdir()
    with files.written(file) as path:
        path.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"m.txt", *kept}


def test_staged_files_come_together_or_not_at_all(tmp_path):
    def half_done():
        with files.staged(tmp_path / "a") as temporary:
            temporary("one.txt").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_done()
    assert list(tmp_path.iterdir()) == []
    with files.written(tmp_path / "one.txt") as path:
        assert path.suffix == ".txt"
        assert path.parent.parent == tmp_path
        path.write_text("1")
        assert not (tmp_path / "one.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["one.txt"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError), files.written(tmp_path / "folder"):
        pytest.fail("a folder must not be replaced")
