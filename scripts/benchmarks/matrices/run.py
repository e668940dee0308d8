"""Building explicit matrices of convolutions: convmat, its peers, and the memory's own speed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
from rich.console import Console

import convmat as cm
from benchmarks.matrices.peers import PEERS, Case
from benchmarks.measure import floors, line, outcome, summary, table
from benchmarks.report import interleaved

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


def run(dtypes: list[str], rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    """Measure every case and print a line for each as it is done."""
    console = Console()
    console.print(f"compile time, apart: {_first_calls()}")
    results = []
    for dtype in dtypes:
        for name in QUICK if quick else CASES:
            result = _measure(name, np.dtype(dtype), rounds)
            results.append(result)
            console.print(line(result))
    console.print(summary(results))
    return results


def _measure(name: str, dtype: np.dtype[Any], rounds: int) -> dict[str, Any]:
    weight_shape, in_shape, stride, dilation = CASES[name]
    weight = np.random.default_rng(0).standard_normal(weight_shape).astype(dtype)
    case = Case(weight, in_shape, stride, dilation)
    operator = _operator(weight, in_shape, stride, dilation)
    matrix = operator.matrix()
    builders = {peer: make(case) for peer, make in PEERS.items()}
    candidates = {peer: build for peer, build in builders.items() if build is not None}
    times = interleaved(
        candidates
        | {
            "convmat": operator.matrix,
            "out=": lambda: operator.matrix(out=matrix),
            "values only": lambda: operator.matrix(out=matrix, values_only=True),
        }
        | floors(matrix),
        rounds,
    )
    return outcome(__name__, name, matrix, times, list(candidates))


def _operator(weight: Any, in_shape: tuple[int, ...], stride: int, dilation: int) -> Any:
    padding = [dilation * (k // 2) for k in weight.shape[2:]]
    return cm.conv(weight, in_shape, stride, padding, dilation)


def operators(name: str, dtype: np.dtype[Any]) -> tuple[Any, Any]:
    """Return a small operator of the kind of a case, and its own."""
    weight_shape, in_shape, stride, dilation = CASES[name]
    weight = np.ones(weight_shape, dtype)
    small = (in_shape[0], *(20 for _ in in_shape[1:]))
    return _operator(weight, small, stride, dilation), _operator(weight, in_shape, stride, dilation)


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


def markdown(results: list[dict[str, Any]], setting: dict[str, Any]) -> str:
    """Return the table for docs/performance.md."""
    columns = [*PEERS, "convmat", "out=", "values only", "copy", "fill fresh"]
    return table(results, columns, setting)
