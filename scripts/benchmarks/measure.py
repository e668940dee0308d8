"""What every benchmark of built matrices measures beside its peers, and how it is told."""

from __future__ import annotations

import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from convmat.matrix import entries

Builder = Callable[[], Any]


@numba.njit(parallel=True)
def fill(words: Any) -> None:
    """Write every word: the least that any builder must do."""
    for i in numba.prange(words.size):
        words[i] = 1


def floors(matrix: Any) -> dict[str, Builder]:
    """Return what no builder can be expected to beat: a copy, and as many bytes written."""
    touched = np.ones(matrix_bytes(matrix) // 4, np.int32)

    def fresh() -> Any:
        words = np.empty_like(touched)
        fill(words)
        return words

    return {"copy": matrix.copy, "fill fresh": fresh, "fill touched": lambda: fill(touched)}


def outcome(
    module: str, name: str, matrix: Any, times: dict[str, float], peers: list[str]
) -> dict[str, Any]:
    """Return what was found out about one case."""
    best = min(peers, key=lambda peer: times[peer])
    return {
        "case": name,
        "dtype": matrix.dtype.name,
        "nnz": matrix.nnz,
        "bytes": matrix_bytes(matrix),
        "seconds": times,
        "best peer": best,
        "faster": times[best] / times["convmat"],
        "copies": times["convmat"] / times["copy"],
        "peak memory": _peak(module, name, matrix.dtype.name),
    }


def matrix_bytes(matrix: Any) -> int:
    """Return the bytes of the three arrays."""
    return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)


def _peak(module: str, name: str, dtype: str) -> float:
    """Peak memory of one build in a new process, as a multiple of the result."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from benchmarks.measure import peak_of; print(peak_of(*sys.argv[2:]))"
    )
    scripts = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    command = [sys.executable, "-c", program, scripts, module, name, dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else math.nan


def peak_of(module: str, name: str, dtype: str) -> float:
    """Build one case after a small one, and read the kernel's high-water mark (Linux)."""
    entries.GRID_LIMIT = entries.SORT_LIMIT = 0  # so that the small one compiles the same builder
    small, operator = importlib.import_module(module).operators(name, np.dtype(dtype))
    small.matrix(dtype=dtype)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
        control.write("5")  # reset the high-water mark
    before = _status("VmRSS")
    matrix = operator.matrix(dtype=dtype)
    return (_status("VmHWM") - before) / matrix_bytes(matrix)


def _status(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def line(result: dict[str, Any]) -> str:
    """Return one case in words."""
    ms = {name: f"{1e3 * seconds:.3g}" for name, seconds in result["seconds"].items()}
    return (
        f"{result['case']}, {result['dtype']}: {result['nnz'] / 1e6:.3g} M nonzeros, "
        f"{result['bytes'] / 1e6:.3g} MB, {result['faster']:.1f} × the best peer "
        f"({result['best peer']}), {result['copies']:.2f} × the time of a copy, "
        f"peak {result['peak memory']:.2f}; ms: {json.dumps(ms, ensure_ascii=False)}"
    )


def summary(results: list[dict[str, Any]]) -> str:
    """Return how much faster than the best peer all cases are."""
    factors = [result["faster"] for result in results]
    mean = math.exp(sum(map(math.log, factors)) / len(factors))
    return f"geometric mean {mean:.1f} × the best peer, least {min(factors):.1f}"


def table(results: list[dict[str, Any]], columns: list[str], setting: dict[str, Any]) -> str:
    """Return a table for docs/performance.md, with machine, date and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in setting["versions"].items())
    heading = (
        f"Milliseconds, medians of interleaved runs in one process; {setting['date']}, "
        f"{setting['processor']}, {setting['cores']} cores, {setting['threads']} threads, Python "
        f"{setting['python']}, {versions}. {summary(results).capitalize()}."
    )
    rows = [
        heading,
        "",
        "| case | dtype | MB | " + " | ".join(columns) + " | × best peer | peak memory |",
        "|---|---|" + "---:|" * (len(columns) + 3),
    ]
    for result in results:
        cells = [
            f"{1e3 * result['seconds'][name]:.3g}" if name in result["seconds"] else "–"
            for name in columns
        ]
        rows.append(
            f"| {result['case']} | {result['dtype']} | {result['bytes'] / 1e6:.0f} | "
            + " | ".join(cells)
            + f" | {result['faster']:.1f} | {result['peak memory']:.2f} |"
        )
    return "\n".join(rows)
