"""The benchmarks: peers build the same matrices, and what is measured reaches its tables."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

SCRIPTS = Path(__file__).parent.parent / "scripts"
UNFOLD = "unfold, 64\N{MULTIPLICATION SIGN}56\N{SUPERSCRIPT TWO} k=3"
README = SCRIPTS.parent / "README.md"


@pytest.fixture
def bench(monkeypatch):
    """Return a function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def small(bench):
    """Name, layer and matrix of every case, in a size of its own."""
    for name, (make, _, size) in bench("layers").CASES.items():
        layer = make(size)
        yield name, layer, layer.make()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_peers_of_layers_build_the_same_matrices(dtype, bench):
    layers = bench("layers")
    used = set()
    for _, layer, operator in small(bench):
        builders = layer.peers(np.dtype(dtype))
        used |= builders.keys()
        assert len(builders) >= 3
        for peer, build in builders.items():
            layers.check_equal(peer, build(), operator.matrix(dtype=dtype))
    assert used == set(layers.PEERS), "each has a column"


def test_a_peer_that_builds_another_matrix_is_not_measured(bench):
    layers = bench("layers")
    for _, layer, operator in small(bench):
        matrix = operator.matrix(dtype="f4")
        build = layer.peers(np.dtype("f4"))["NumPy CSR"]
        wrong = build()
        wrong.data[-1] += 1
        for built in (wrong, build().astype("f8"), build()[:-1], sparse.csr_array(matrix.shape)):
            with pytest.raises(ValueError, match="NumPy CSR builds another"):
                layers.check_equal("NumPy CSR", built, matrix)


def test_peers_of_convolutions_build_the_same_matrices(bench):
    build, peers = bench("build"), bench("peers")
    for weight, in_shape, stride, dilation in build.CASES.values():
        size = (in_shape[0], *(8 for _ in in_shape[1:]))
        numbers = np.arange(1.0, np.prod(weight) + 1).reshape(weight)
        case = peers.Case(numbers, size, stride, dilation)
        matrix = build._operator(*case).matrix()
        for peer in (peers.numpy_coo, peers.scipy_kron):
            assert abs(peer(case)() - matrix).max() == 0


def test_every_candidate_is_run_in_every_round(bench):
    ran = []
    times = bench("report").interleaved({name: lambda n=name: ran.append(n) for name in "abc"}, 4)
    assert sorted(times) == ["a", "b", "c"]
    rounds = [ran[at : at + 3] for at in range(0, 12, 3)]
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1


def test_results_become_a_table_of_the_readme(bench, tmp_path):
    layers, report = bench("layers"), bench("report")
    make, _, size = layers.CASES[UNFOLD]
    result = layers.measure(UNFOLD, make(size), np.dtype("f4"), 1)
    least = min(layers.PEERS, key=lambda peer: result["seconds"].get(peer, np.inf))
    assert result["best peer"] == least
    assert result["faster"] == result["seconds"][least] / result["seconds"]["convmat"]
    assert result["bytes"] == 8 * result["nnz"] + 4 * (36864 + 1)
    path = Path(shutil.copy(README, tmp_path))
    old = path.read_text(encoding="utf-8")
    text = layers.markdown([result], report.setting(2))
    report.replace_section(path, "bench layers table", text)
    new = path.read_text(encoding="utf-8")
    assert text in new
    assert f"| {UNFOLD} | float32 | 0 | " in new
    before, after = "<!-- begin: bench layers table -->", "<!-- end: bench layers table -->"
    assert new.split(before)[0] == old.split(before)[0]
    assert new.split(after)[1] == old.split(after)[1]


@pytest.mark.parametrize("name", ["build", "layers"])
def test_the_readme_has_every_case(name, bench):
    table = README.read_text(encoding="utf-8").split(f"<!-- begin: bench {name} table -->")[1]
    table = table.split(f"<!-- end: bench {name} table -->")[0]
    cases = {row.split(" | ")[0].removeprefix("| ") for row in table.splitlines() if "float" in row}
    assert cases - {table.strip().splitlines()[0]} == set(bench(name).CASES)


def test_a_quick_run_from_the_command_line(tmp_path):
    path = tmp_path / "times.json"
    options = "--table", "layers", "--quick", "--rounds", "1", "--dtype", "float32", "--json", path
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "bench.py", "build", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["setting"]["cores"] >= 1
    assert told["layers"][1]["case"] == UNFOLD
    for result in told["layers"]:
        assert all(seconds > 0 for seconds in result["seconds"].values())
        assert result["peak memory"] < 1.5
