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
PAGE = SCRIPTS.parent / "docs" / "performance.md"


@pytest.fixture
def bench(monkeypatch):
    """Return a function that imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def small(bench):
    """Name, layer and matrix of every case, in a size of its own."""
    for name, (make, _, size) in bench("matrices.layers").CASES.items():
        layer = make(size)
        yield name, layer, layer.make()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_peers_of_layers_build_the_same_matrices(dtype, bench):
    layers = bench("matrices.layers")
    used = set()
    for _, layer, operator in small(bench):
        builders = layer.peers(np.dtype(dtype))
        used |= builders.keys()
        assert len(builders) >= 3
        for peer, build in builders.items():
            layers.check_equal(peer, build(), operator.matrix(dtype=dtype))
    assert used == set(layers.PEERS), "each has a column"


def test_a_peer_that_builds_another_matrix_is_not_measured(bench):
    layers = bench("matrices.layers")
    for _, layer, operator in small(bench):
        matrix = operator.matrix(dtype="f4")
        build = layer.peers(np.dtype("f4"))["NumPy CSR"]
        wrong = build()
        wrong.data[-1] += 1
        for built in (wrong, build().astype("f8"), build()[:-1], sparse.csr_array(matrix.shape)):
            with pytest.raises(ValueError, match="NumPy CSR builds another"):
                layers.check_equal("NumPy CSR", built, matrix)


def test_peers_of_convolutions_build_the_same_matrices(bench):
    build, peers = bench("matrices.run"), bench("matrices.peers")
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


def test_results_become_a_table_of_the_page(bench, tmp_path):
    layers, report = bench("matrices.layers"), bench("report")
    make, _, size = layers.CASES[UNFOLD]
    result = layers.measure(UNFOLD, make(size), np.dtype("f4"), 1)
    least = min(layers.PEERS, key=lambda peer: result["seconds"].get(peer, np.inf))
    assert result["best peer"] == least
    assert result["faster"] == result["seconds"][least] / result["seconds"]["convmat"]
    assert result["bytes"] == 8 * result["nnz"] + 4 * (36864 + 1)
    path = Path(shutil.copy(PAGE, tmp_path))
    old = path.read_text(encoding="utf-8")
    text = layers.markdown([result], report.setting(2))
    report.replace_section(path, "bench layers table", text)
    new = path.read_text(encoding="utf-8")
    assert text in new
    assert f"| {UNFOLD} | float32 | 0 | " in new
    before, after = "<!-- begin: bench layers table -->", "<!-- end: bench layers table -->"
    assert new.split(before)[0] == old.split(before)[0]
    assert new.split(after)[1] == old.split(after)[1]


@pytest.mark.parametrize(
    ("name", "module"), [("build", "matrices.run"), ("layers", "matrices.layers")]
)
def test_the_page_has_every_case(name, module, bench):
    table = PAGE.read_text(encoding="utf-8").split(f"<!-- begin: bench {name} table -->")[1]
    table = table.split(f"<!-- end: bench {name} table -->")[0]
    cases = {row.split(" | ")[0].removeprefix("| ") for row in table.splitlines() if "float" in row}
    assert cases - {table.strip().splitlines()[0]} == set(bench(module).CASES)


def test_the_page_tells_what_was_measured(bench):
    page, measured = PAGE.read_text(encoding="utf-8"), SCRIPTS / "benchmarks" / "measured"
    table, gradient = bench("apply.table"), bench("gradient")
    assert table.markdown(table.kept(measured)) in page
    told = json.loads((measured / "gradient.json").read_text(encoding="utf-8"))
    assert gradient.markdown(told["gradient"], told["setting"]) in page


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


def applied(bench, name, dtype="f4", batch=1):
    """A case in a small size."""
    cases = bench("apply.cases")
    return cases.Problem(cases.CASES[name].small(), np.dtype(dtype), batch)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_peers_apply_the_same_layers(dtype, batch, bench):
    cases, peers, apply = bench("apply.cases"), bench("apply.peers"), bench("apply.run")
    used = set()
    for name in cases.CASES:
        for direction in (cases.FORWARD, cases.ADJOINT):
            problem = applied(bench, name, dtype, batch)
            calls = peers.peers(problem, direction, 1)
            used |= calls.keys()
            ours = {"convmat": problem.call(direction)}
            first = problem.first_call(direction)
            assert (first is None) == (problem.weight is None)
            ours |= {"first call": first} if first else {}
            assert set(apply.check_equal(calls | ours, np.dtype(dtype))) == {*calls, *ours}
            if problem.case.kind != "max_pool" or direction == cases.ADJOINT:
                assert "SciPy CSR" in calls
    assert used <= set(peers.NAMES)
    if all(map(peers.installed, ("torch", "onnx", *peers.PACKAGES))) and batch == 1:
        assert used == set(peers.NAMES), "each has a column"


def test_weight_gradients_are_measured_beside_their_peers(bench):
    gradient = bench("gradient")
    results = []
    for name in gradient.CHOSEN:
        problem = applied(bench, name)
        results.append({"case": name, **gradient.measure(problem, 1, 1)})
    assert {"SciPy CSR", "convmat"} <= results[0]["seconds"].keys() <= {*gradient.PEERS, "convmat"}
    if bench("apply.peers").installed("torch"):
        text = gradient.markdown(results, bench("report").setting(1))
        assert text.count("\n| ") == len(gradient.CHOSEN) + 1


def test_a_peer_that_applies_another_layer_is_not_measured(bench):
    apply = bench("apply.run")
    right = np.arange(12, dtype="f4")
    wrong = {
        "other": right + np.eye(1, 12, 3, dtype="f4")[0] / 100,
        "double": right.astype("f8"),
        "short": right[:-1],
        "nothing": right * np.nan,
    }
    apply.check_equal({"PyTorch": lambda: right, "convmat": lambda: right}, right.dtype)

    for error in (RuntimeError("can't allocate memory"), MemoryError("std::bad_alloc")):

        def hungry(error=error):
            raise error

        assert apply.check_equal({"a": lambda: right, "hungry": hungry}, right.dtype).keys() == {
            "a"
        }
    for name, given in wrong.items():
        with pytest.raises(ValueError, match=name):
            apply.check_equal({"PyTorch": lambda: right, name: lambda g=given: g}, right.dtype)


def test_a_matrix_of_many_bytes_is_not_built(bench, monkeypatch):
    cases, peers = bench("apply.cases"), bench("apply.peers")
    large = cases.Problem(cases.CASES["blur 2048² k31"], np.dtype("f4"), 1)
    assert peers.matrix_bytes(large) > peers.MOST_BYTES
    assert peers.sparse(large, cases.FORWARD, 1) == {}
    problem = applied(bench, "blur 2048² k31")
    assert peers.sparse(problem, cases.FORWARD, 1)
    monkeypatch.setattr(peers, "MOST_BYTES", peers.matrix_bytes(problem) - 1)
    assert peers.sparse(problem, cases.FORWARD, 1) == {}


def test_the_separable_kernel_has_rank_one(bench):
    weight = bench("apply.cases").CASES["blur 2048² k31, rank one"].weight(np.dtype("f8"))
    assert np.linalg.matrix_rank(weight[0, 0]) == 1
    assert weight.sum() == pytest.approx(1)


def test_bursts_begin_with_a_call_that_is_not_counted(bench):
    ran = []
    times = bench("report").in_bursts({name: lambda n=name: ran.append(n) for name in "ab"}, 2)
    assert sorted(times) == ["a", "b"]
    assert ran.count("a") == ran.count("b") == 2 * (1 + bench("report").BURST)


def test_ratios_means_and_goals(bench, tmp_path):
    tables = bench("apply.table")
    common = {"dtype": "float32", "batch": 1, "direction": "forward", "family": "multi-channel"}
    common |= {"algorithm": "gemm", "of the roof": 0.5, "bound": "flops", "matrix bytes": 1}
    common |= {"others busy": 0.0, "roof": {"flops": 1e11, "bytes": 1e10}, "threads": 2}
    results = [
        common | {"case": "a", "seconds": {"PyTorch": 8.0, "ONNX Runtime": 2.0, "convmat": 1.0}},
        common | {"case": "b", "seconds": {"PyTorch": 2.0, "convmat": 1.0}},
        common | {"case": "c", "seconds": {"PyTorch": 9.0, "convmat": 1.0}, "family": "separable"},
    ]
    rows = {(row[0], row[3]): row[4:] for row in tables._rows(results)}
    assert rows["PyTorch", "all (2)"] == ["4.00 (3)", "2.00 (0.9)", "b, forward"]
    assert rows["PyTorch or ONNX Runtime", "all (2)"][:2] == ["2.00 (1.6)", "2.00 (0.75)"]
    assert not any(name == "ONNX Runtime" for name, _ in rows), "no single channel was measured"
    run = {"setting": bench("report").setting(2), "apply": results}
    (tmp_path / tables.name_of(run)).write_text(json.dumps(run))
    text = tables.markdown(tables.kept(tmp_path))
    assert "| a, forward | float32 | 8000 | 2000 | 1000 | " in text
    assert " | 8.00 | 2.00 | gemm | 50% of flops |" in text


@pytest.mark.parametrize("quick", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_layers_are_applied_from_the_command_line(quick, bench, tmp_path):
    path = tmp_path / "times.json"
    some = ["--quick"] if quick else ["--case", bench("apply.cases").QUICK[-1]]
    options = *some, "--rounds", "1", "--dtype", "float32", "--threads", "1", "--json", path
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "bench.py", "apply", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["setting"]["threads"] == 1
    assert len(told["apply"]) == (6 if quick else 2)
    for result in told["apply"]:
        assert {"convmat", "SciPy CSR"} <= result["seconds"].keys()
        assert all(seconds > 0 for seconds in result["seconds"].values())
        assert result["of the roof"] > 0


def test_an_unknown_case_is_refused():
    ran = subprocess.run(
        [sys.executable, SCRIPTS / "bench.py", "apply", "--case", "blur"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "audio 10⁶ k101" in ran.stderr


def test_nothing_that_computes_is_loaded_before_the_threads_are_set():
    computing = ["numba", "numpy", "scipy", "torch"]
    code = f"import sys, bench; sys.exit(' '.join({{*{computing}}} & {{*sys.modules}}))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=False
    )
    assert ran.stderr.strip() == ""
