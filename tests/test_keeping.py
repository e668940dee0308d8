"""Machine code on disk: whatever becomes of the files, the numbers come, and little is said."""

import errno
import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convmat.kernels import compiling, keeping
from convmat.kernels.compiling import compiled

HELD = "convmat.kernels.keeping.Kept.__init__"


def twice(x):
    return x + x


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """Return what compiles `twice` as a new process does, which keeps its code in one folder."""
    monkeypatch.setattr(keeping, "_TOLD", set())

    def make(folder=tmp_path):
        made = compiled(twice)
        made._cache._cache_file.folder = folder
        return made

    return make


def hits(made):
    return sum(made.stats.cache_hits.values())


def warnings(caplog):
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_code_is_kept_for_each_combination_of_types(fresh, tmp_path):
    first, second = fresh(), fresh()
    assert (first(2), first(1.5), second(1.5), second(2)) == (4, 3.0, 3.0, 4)
    assert (hits(first), hits(second)) == (0, 2)
    assert len(list(tmp_path.iterdir())) == 2
    first._cache.flush()
    assert list(tmp_path.iterdir()) == []


def spoiled(content):
    middle = len(content) // 2
    return {
        "empty": b"",
        "short": content[:10],
        "truncated": content[:middle],
        "garbage": bytes(range(256)) * 9,
        "one bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "longer": content + b"0",
        "another pickle": pickle.dumps({"code": 1}),
    }


@pytest.mark.parametrize("how", spoiled(b"0123"))
def test_broken_files_are_written_over(how, fresh, tmp_path, caplog):
    fresh()(2)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(spoiled(content)[how])
    made = fresh()
    assert (made(2), hits(made)) == (4, 0)
    again = fresh()
    assert (again(2), hits(again)) == (4, 1)
    assert list(tmp_path.iterdir()) == [path]
    assert not warnings(caplog)


def test_code_of_other_sources_is_written_over(fresh, tmp_path, monkeypatch):
    fresh()(2)
    monkeypatch.setattr(compiling, "sources", lambda _: "changed")
    made = fresh()
    assert (made(2), hits(made)) == (4, 0)
    assert len(list(tmp_path.iterdir())) == 1
    again = fresh()
    assert (again(2), hits(again)) == (4, 1)


def test_code_that_cannot_be_brought_back_is_made_again(fresh, monkeypatch):
    fresh()(2)

    def fail(*_arguments):
        raise RuntimeError("of another compiler")

    made = fresh()
    monkeypatch.setattr(made._cache._impl, "rebuild", fail)
    assert (made(2), hits(made)) == (4, 0)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_what_cannot_be_written_is_said_once(number, fresh, tmp_path, monkeypatch, caplog):
    def full(path, _content):
        path.touch()  # what a full disk leaves behind
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    made = fresh()
    assert (made(2), made(1.5)) == (4, 3.0)
    assert (fresh()(2), hits(made)) == (4, 0)
    (said,) = warnings(caplog)
    assert os.strerror(number) in said.getMessage()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none(fresh, tmp_path, caplog):
    (tmp_path / "file").touch()
    assert fresh(tmp_path / "file")(2) == 4
    assert len(warnings(caplog)) == 1
    assert fresh(tmp_path / "missing")(2) == 4


def test_a_folder_that_cannot_be_made(fresh, monkeypatch, caplog):
    made = fresh()

    def refused():
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(made._cache._impl.locator, "ensure_cache_path", refused)
    assert (made(2), len(warnings(caplog))) == (4, 1)


def test_no_place_at_all(monkeypatch):
    def nowhere(_self, _function, _stamp):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(HELD, nowhere)
    made = compiled(twice)
    assert (made(2), made(1.5)) == (4, 3.0)


RUN = """
import numpy as np
import convmat as cm
S = cm.selection((1, 200, 200), np.arange(40000).reshape(1, 200, 200))
print(int(S(np.ones((1, 200, 200))).sum()))
"""


def start(cache, program=RUN):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": os.getcwd()}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_and_a_broken_cache(tmp_path):
    """Both compile, both say so; the next says nothing, and neither does one that is silenced."""
    said = "convmat: compiling the float64 resizing kernels, once, about 8 s\n"
    both = [start(tmp_path), start(tmp_path)]
    for process, (out, err) in [(one, one.communicate(timeout=300)) for one in both]:
        assert (process.returncode, out, err) == (0, "40000\n", said)
    kept = sorted(tmp_path.rglob("*.nb*"))
    for number, path in enumerate(kept):
        path.write_bytes(path.read_bytes()[: 40 * number])
    silence = "import logging\nlogging.getLogger('convmat.kernels').setLevel('ERROR')\n"
    assert start(tmp_path, silence + RUN).communicate(timeout=300) == ("40000\n", "")
    assert start(tmp_path).communicate(timeout=300) == ("40000\n", "")
    assert sorted(tmp_path.rglob("*.nb*")) == kept


def test_announcements_reach_the_handlers_of_an_application(monkeypatch, caplog, capsys):
    monkeypatch.setattr(keeping, "_TOLD", set())

    def work(x):
        return x

    work.__module__ = "convmat.kernels.cpu.conv.direct"
    monkeypatch.setattr(HELD, lambda *_: (_ for _ in ()).throw(RuntimeError("no place")))
    made = compiled(work)
    for dtype in ("f4", "f4", "f8"):
        made(np.zeros(3, dtype))
        made(np.zeros((3, 3), dtype))
    assert [record.getMessage() for record in caplog.records] == [
        "compiling the float32 convolution kernels, once, about 8 s",
        "compiling the float64 convolution kernels, once, about 8 s",
    ]
    assert capsys.readouterr() == ("", "")
