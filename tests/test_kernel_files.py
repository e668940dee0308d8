"""Kernels in files of every kind are read, or refused with the true reason; matrices are saved."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import io, sparse

import convmat as cm
from convmat.cli.commands import main
from convmat.cli.inputs import read_kernel
from convmat.matrix.files import save_matrix

SOBEL = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
HALVES = [[0.5, 1.5], [2, -2.5]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 0 -1\n2 0 -2\n1 0 -1\n", SOBEL),
        ("1,0,-1\r\n2,0,-2\r\n1,0,-1", SOBEL),
        ("1, 0, -1,\n2, 0, -2,\n1, 0, -1,\n", SOBEL),
        ("1\t0\t-1\n2\t0\t-2\n\n1\t0\t-1", SOBEL),
        ("1,0,-1;2,0,-2;1,0,-1", SOBEL),
        ("1 0 -1; 2 0 -2; 1 0 -1", SOBEL),
        ("1 0 -1;\n2 0 -2;\n1 0 -1;\n", SOBEL),
        ("[1 0 -1; 2 0 -2; 1 0 -1]", SOBEL),
        (
            "% edges\nkernel = [1, 0, -1; ... first\n 2, 0, -2\n1, 0, -1];".replace(" first", ""),
            SOBEL,
        ),
        ("[[1, 0, -1], [2, 0, -2], [1, 0, -1]]", SOBEL),
        ("[[ 1.  0. -1.]\n [ 2.  0. -2.]\n [ 1.  0. -1.]]", SOBEL),
        ("1 0 \u22121 # first\n2 0 \u22122\n1 0 \u22121", SOBEL),
        ("1;0;-1\n2;0;-2\n1;0;-1", SOBEL),
        ("0,5;1,5\n2;-2,5", HALVES),
        ("0,5; 1,5\n2,0; -2,5\n", HALVES),
        ("0,5\t1,5\n2\t-2,5", HALVES),
        ("0.5;1.5\n2;-2.5", HALVES),
        ("1/2 3/2\n2 -5/2", HALVES),
        (".5 15e-1\n2. -2.5E0", HALVES),
        ("1/4,1/2,1/4", [0.25, 0.5, 0.25]),
        ("7", [7]),
    ],
)
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_text_of_every_form_is_read(tmp_path, text, expected, encoding):
    path = tmp_path / "kernel.txt"
    path.write_bytes(text.encode(encoding))
    found = read_kernel(str(path))
    assert found.dtype == float
    assert found.tolist() == expected


def test_marks_of_byte_order_in_either_order(tmp_path):
    path = tmp_path / "kernel.csv"
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        path.write_bytes(mark + "1,2\n3,4".encode(encoding))
        assert read_kernel(str(path)).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/4,1/2,1/4", [0.25, 0.5, 0.25]),
        ("[1 2; 3 4]", [[1, 2], [3, 4]]),
        ("[[1,2],[3,4]]", [[1, 2], [3, 4]]),
        ("0,5;1,5", [[0, 5], [1, 5]]),  # commas part numbers, as in all options
        ("1 2;3 4;", [[1, 2], [3, 4]]),
    ],
)
def test_options_are_read_alike(text, expected):
    assert read_kernel(text).tolist() == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no numbers"),
        ("# nothing\n", "holds no numbers"),
        ("1 2\n3 x", "holds 'x', which is no number"),
        ("a;b\n1;2", "holds 'a', which is no number"),
        ("1 2\n3", "rows of 2 and 1 numbers"),
        ("1,2,3;4,5,6\n7,8,9;1,2,3", "semicolons and several commas"),
        ("0,5 0,25\n0,5 0,25", "both commas and blanks"),
        ("1,,2", "nothing between two commas"),
        ("1;;2\n3;4;5", "holds '', which is no number"),
        ("1 nan", "finite numbers"),
        ("1 1e999", "finite numbers"),
        ("1/0 1", "holds '1/0', which is no number"),
        ("1_000 2", "holds '1_000', which is no number"),
        ("0x10", "holds '0x10'"),
        ("__import__('os')", "which is no number"),
    ],
)
def test_text_is_refused_with_the_reason(tmp_path, text, words):
    path = tmp_path / "kernel.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(cm.GeometryError, match=words) as caught:
        read_kernel(str(path))
    assert caught.value.argument == "kernel"


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((3, 3), bool), "truth values"),
        (np.full((3, 3), "1"), "holds text"),
        (np.full((3, 3), b"1"), "holds text"),
        (np.zeros(3, "M8[s]"), "dates"),
        (np.zeros(3, [("a", "f8")]), "records"),
        (np.ones((0, 3)), r"holds no numbers: its shape is \(0, 3\)"),
        (np.array([1.0, np.nan]), "finite"),
        (np.array([1, None]), "Python objects, which are never unpickled"),
    ],
)
def test_saved_arrays_are_refused_with_the_reason(tmp_path, array, words):
    path = tmp_path / "kernel.npy"
    np.save(path, array, allow_pickle=True)
    for name in ("kernel.npy", "kernel.txt"):  # what a file is, its first bytes say
        path = path.rename(tmp_path / name)
        with pytest.raises(cm.GeometryError, match=words):
            read_kernel(str(path))


class Trap:
    """Whose unpickling would be seen."""

    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def test_nothing_is_unpickled(tmp_path):
    for name, words in (("trap.npy", "damaged"), ("trap.txt", "is a pickle, which is never read")):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(cm.GeometryError, match=words):
            read_kernel(str(tmp_path / name))
    np.save(tmp_path / "objects.npy", np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(cm.GeometryError, match="never unpickled"):
        read_kernel(str(tmp_path / "objects.npy"))


def test_other_files_are_named(tmp_path):
    np.savez(tmp_path / "several.npz", a=np.ones(3))
    io.savemat(tmp_path / "kernel.mat", {"k": np.ones(3)})
    (tmp_path / "latin.txt").write_bytes("1 2 ° 3".encode("latin-1"))
    for name, words in (
        ("several.npz", "archive"),
        ("kernel.mat", "MATLAB"),
        ("latin.txt", "no text in UTF-8"),
    ):
        with pytest.raises(cm.GeometryError, match=words):
            read_kernel(str(tmp_path / name))


READERS = {".npz": sparse.load_npz, ".mtx": io.mmread, ".mat": lambda path: io.loadmat(path)["A"]}


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "u1", "c16"])
def test_matrices_are_saved_exactly(tmp_path, suffix, dtype):
    weight = np.random.default_rng(3).standard_normal((2, 1, 3, 3)) * 60
    weight = abs(weight) if dtype == "u1" else weight * (1 + 1j) if dtype == "c16" else weight
    weight = weight.astype(dtype)
    M = cm.conv(weight, (1, 5, 5)).matrix()
    path = tmp_path / f"matrix{suffix}"
    save_matrix(path, M)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    np.testing.assert_array_equal(READERS[suffix](path).toarray(), M.toarray())
    symmetric = cm.conv(np.ones((1, 1, 3)), (1, 4), padding=1).matrix("dok")
    if suffix != ".npz":
        save_matrix(path, symmetric)
        np.testing.assert_array_equal(READERS[suffix](path).toarray(), symmetric.toarray())


def test_what_matlab_cannot_hold_is_refused(tmp_path):
    M = cm.conv(np.full((1, 1, 1), 2**53 + 1), (1, 2)).matrix()
    with pytest.raises(cm.GeometryError, match="would round integers"):
        save_matrix(tmp_path / "m.mat", M)
    save_matrix(tmp_path / "m.mtx", M)
    assert io.mmread(tmp_path / "m.mtx").toarray().tolist() == M.toarray().tolist()
    wide = sparse.csr_array((np.ones(1), np.zeros(1, int), np.array([0, 1])), shape=(1, 2**31))
    with pytest.raises(cm.GeometryError, match="32 bits"):
        save_matrix(tmp_path / "m.mat", wide)


def test_the_command_saves_and_prints(tmp_path):
    run = CliRunner().invoke
    layer = ("matrix", "--shape", "1,5,5", "--kernel", "[1 2 3; 4 5 6; 7 8 1/2]", "--padding", "0")
    for suffix, read in READERS.items():
        path = tmp_path / f"m{suffix}"
        assert run(main, [*layer, "--output", str(path)]).exit_code == 0
        assert read(path).toarray()[0, :3].tolist() == [1, 2, 3]
    printed = run(main, [*layer]).output
    assert "matrix 9 x 25" in printed
    assert printed.count("[") >= 9
    refused = run(main, [*layer, "--output", "m.csv"])
    assert refused.exit_code == 2
    assert ".npz, .mtx, .mat" in refused.output
