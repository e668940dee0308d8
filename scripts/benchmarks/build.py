"""Building explicit matrices: convmat, its peers, a copy, and the memory's own speed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from typing import Any

import numba
import numpy as np
from rich.console import Console

import convmat as cm
from benchmarks.peers import PEERS, Case
from benchmarks.report import interleaved
from convmat import matrix as matrix_module

# name: weight shape, input shape, stride, dilation
CASES = {
    "1-D n=10⁶ k=9": ((1, 1, 9), (1, 10**6), 1, 1),
    "512² k=3": ((1, 1, 3, 3), (1, 512, 512), 1, 1),
    "512² k=5": ((1, 1, 5, 5), (1, 512, 512), 1, 1),
    "512² k=3 stride 2": ((1, 1, 3, 3), (1, 512, 512), 2, 1),
    "512² k=3 dilation 2": ((1, 1, 3, 3), (1, 512, 512), 1, 2),
    "2048² k=3": ((1, 1, 3, 3), (1, 2048, 2048), 1, 1),
    "2048² k=5": ((1, 1, 5, 5), (1, 2048, 2048), 1, 1),
    "64→64 channels 56² k=3": ((64, 64, 3, 3), (64, 56, 56), 1, 1),
    "64³ k=3": ((1, 1, 3, 3, 3), (1, 64, 64, 64), 1, 1),
}
QUICK = ("512² k=3", "512² k=3 stride 2", "64³ k=3")


@numba.njit(parallel=True)
def fill(words: Any) -> None:
    """Write every word: the least that any builder must do."""
    for i in numba.prange(words.size):
        words[i] = 1


def run(dtypes: list[str], rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    """Measure every case and print a line for each as it is done."""
    console = Console()
    console.print(f"compile time, apart: {_first_calls()}")
    results = []
    for dtype in dtypes:
        for name in QUICK if quick else CASES:
            result = _measure(name, np.dtype(dtype), rounds)
            results.append(result)
            console.print(_line(result))
    console.print(_summary(results))
    return results


def _measure(name: str, dtype: np.dtype[Any], rounds: int) -> dict[str, Any]:
    weight_shape, in_shape, stride, dilation = CASES[name]
    weight = np.random.default_rng(0).standard_normal(weight_shape).astype(dtype)
    case = Case(weight, in_shape, stride, dilation)
    padding = [dilation * (k // 2) for k in weight_shape[2:]]
    operator = cm.conv(weight, in_shape, stride, padding, dilation)
    matrix = operator.matrix()
    touched = np.ones(operator.nbytes // 4, np.int32)

    def fresh() -> Any:
        words = np.empty(operator.nbytes // 4, np.int32)
        fill(words)
        return words

    builders = {peer: make(case) for peer, make in PEERS.items()}
    candidates = {peer: build for peer, build in builders.items() if build is not None}
    times = interleaved(
        candidates
        | {
            "convmat": operator.matrix,
            "out=": lambda: operator.matrix(out=matrix),
            "values only": lambda: operator.matrix(out=matrix, values_only=True),
            "copy": matrix.copy,
            "fill fresh": fresh,
            "fill touched": lambda: fill(touched),
        },
        rounds,
    )
    best = min(candidates, key=lambda peer: times[peer])
    return {
        "case": name,
        "dtype": dtype.name,
        "nnz": operator.nnz,
        "bytes": operator.nbytes,
        "seconds": times,
        "best peer": best,
        "faster": times[best] / times["convmat"],
        "peak memory": _peak(name, dtype.name),
    }


def _peak(name: str, dtype: str) -> float:
    """Peak memory of one build in a new process, as a multiple of the result."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from benchmarks.build import peak_of; print(peak_of(sys.argv[2], sys.argv[3]))"
    )
    scripts = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [sys.executable, "-c", program, scripts, name, dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else math.nan


def peak_of(name: str, dtype: str) -> float:
    """Build one case after a small one, and read the kernel's high-water mark (Linux)."""
    matrix_module.GRID_LIMIT = 0  # so that the small one compiles the same builder
    weight_shape, in_shape, stride, dilation = CASES[name]
    weight = np.ones(weight_shape, dtype)
    padding = [dilation * (k // 2) for k in weight_shape[2:]]
    small = [in_shape[0], *(20 for _ in in_shape[1:])]
    cm.conv(weight, small, stride, padding, dilation).matrix()
    operator = cm.conv(weight, in_shape, stride, padding, dilation)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
        control.write("5")  # reset the high-water mark
    before = _status("VmRSS")
    matrix = operator.matrix()
    used = _status("VmHWM") - before
    return used / int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)


def _status(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _first_calls() -> str:
    """Time the first build of a new process, with an empty and with a filled cache."""
    program = (
        "import time, numpy as np, convmat as cm; a = cm.conv(np.ones((1, 1, 3, 3), 'f4'),"
        "(1, 512, 512)); s = time.perf_counter(); a.matrix(); print(time.perf_counter() - s)"
    )
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-c", program]
        cold, warm = (
            float(subprocess.run(command, env=env, capture_output=True, check=True).stdout)
            for _ in range(2)
        )
    return f"first build {cold:.1f} s with an empty cache, {warm:.2f} s with a filled one"


def _line(result: dict[str, Any]) -> str:
    ms = {name: f"{1e3 * seconds:.3g}" for name, seconds in result["seconds"].items()}
    return (
        f"{result['case']}, {result['dtype']}: {result['nnz'] / 1e6:.3g} M nonzeros, "
        f"{result['bytes'] / 1e6:.3g} MB, {result['faster']:.1f} × the best peer, "
        f"peak {result['peak memory']:.2f}; ms: {json.dumps(ms, ensure_ascii=False)}"
    )


def _summary(results: list[dict[str, Any]]) -> str:
    factors = [result["faster"] for result in results]
    mean = math.exp(sum(map(math.log, factors)) / len(factors))
    return f"geometric mean {mean:.1f} × the best peer, least {min(factors):.1f}"


def markdown(results: list[dict[str, Any]], setting: dict[str, Any]) -> str:
    """Return the table for the README, with machine, date and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in setting["versions"].items())
    peers = list(PEERS)
    columns = ["convmat", "out=", "values only", "copy", "fill fresh"]
    heading = (
        f"Milliseconds, medians of interleaved runs in one process; {setting['date']}, "
        f"{setting['processor']}, {setting['cores']} cores, {setting['threads']} threads, Python "
        f"{setting['python']}, {versions}. {_summary(results)}."
    )
    rows = [
        heading,
        "",
        "| case | dtype | MB | " + " | ".join(peers + columns) + " | × best peer | peak memory |",
        "|---|---|" + "---:|" * (len(peers + columns) + 3),
    ]
    for result in results:
        cells = [
            f"{1e3 * result['seconds'][name]:.3g}" if name in result["seconds"] else "–"
            for name in peers + columns
        ]
        rows.append(
            f"| {result['case']} | {result['dtype']} | {result['bytes'] / 1e6:.0f} | "
            + " | ".join(cells)
            + f" | {result['faster']:.1f} | {result['peak memory']:.2f} |"
        )
    return "\n".join(rows)
