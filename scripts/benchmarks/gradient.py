"""Weight gradients: convmat beside PyTorch, and beside the matrix that is linear in the weight."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.apply.cases import APART, CASES, MULTI, SEPARABLE, SINGLE, Problem
from benchmarks.apply.peers import MOST_BYTES, Calls, installed
from benchmarks.apply.run import check_equal
from benchmarks.apply.table import geometric_mean, milliseconds, ratio
from benchmarks.report import in_bursts, others_busy

__all__ = ["CHOSEN", "markdown", "measure", "run"]

CHOSEN = [name for name, case in CASES.items() if case.has_weight and case.family != SEPARABLE]
FAR = {np.dtype(np.float32): 1e-2, np.dtype(np.float64): 1e-10}
"""Greatest difference, in units of the root mean square: sums of millions of numbers."""
PEERS = ("PyTorch", "PyTorch channels_last", "SciPy CSR")


def run(dtypes: list[str], rounds: int, *, threads: int) -> list[dict[str, Any]]:
    """Measure every layer that has a weight, and print a line for each."""
    console, results = Console(width=240), []
    for dtype in dtypes:
        for name in CHOSEN:
            problem = Problem(CASES[name], np.dtype(dtype), 1)
            results.append({"case": name, **measure(problem, rounds, threads)})
            ms = {who: milliseconds(spent) for who, spent in results[-1]["seconds"].items()}
            console.print(name, dtype, ms)
    return results


def measure(problem: Problem, rounds: int, threads: int) -> dict[str, Any]:
    """Compare what all candidates give, then their times."""
    A, x, g = problem.operator, problem.x, problem.g
    calls = _peers(problem, threads) | {"convmat": lambda: A.weight_gradient(x, g)}
    able = check_equal(calls, problem.dtype, FAR[problem.dtype])
    busy = others_busy()
    seconds = in_bursts({name: calls[name] for name in able}, rounds)
    return {
        "dtype": problem.dtype.name,
        "seconds": seconds,
        "others busy": max(busy, others_busy()),
    }


def _peers(problem: Problem, threads: int) -> Calls:
    """Return PyTorch in both memory layouts, and SciPy's product with a matrix built before."""
    A, g = problem.operator, problem.g.ravel()
    calls: Calls = {}
    if installed("torch"):
        calls |= _torch(problem, threads)
    if A.nnz * (problem.dtype.itemsize + 4) <= MOST_BYTES // 4:
        linear = A.weight_matrix(problem.x).T.tocsr()
        calls["SciPy CSR"] = lambda: linear @ g
    return calls


def _torch(problem: Problem, threads: int) -> Calls:
    import torch as pytorch

    pytorch.set_num_threads(threads)
    case, axes = problem.case, problem.case.ndim
    x, g = pytorch.from_numpy(problem.x), pytorch.from_numpy(problem.g)
    weight = pytorch.from_numpy(problem.weight)
    places = [case.stride] * axes, [case.padding] * axes, [case.dilation] * axes
    rest = *places, case.kind == "conv_transpose", [0] * axes, case.groups, [False, True, False]
    backward = pytorch.ops.aten.convolution_backward

    def call(*given: Any) -> Any:
        return lambda: backward(*given, None, *rest)[1]

    calls = {"PyTorch": call(g, x, weight)}
    if axes > 1:
        form = pytorch.channels_last if axes == 2 else pytorch.channels_last_3d
        turned = [one.contiguous(memory_format=form) for one in (g, x, weight)]
        calls["PyTorch channels_last"] = call(*turned)
    return calls


def _mean(results: list[dict[str, Any]], dtype: str, family: str) -> float:
    """Return the mean against PyTorch, not a number where it is not installed."""
    found = [
        ratio(one, PEERS[:2])
        for one in results
        if one["dtype"] == dtype and CASES[one["case"]].family == family
    ]
    there = [one for one in found if one is not None]
    return geometric_mean(there) if there else math.nan


def markdown(results: list[dict[str, Any]], setting: dict[str, Any]) -> str:
    """Return a table for docs/performance.md, with machine, date and versions."""
    versions = ", ".join(f"{name} {version}" for name, version in setting["versions"].items())
    means = [
        f"{_mean(results, dtype, family):.2f} in {dtype}, {family}"
        for dtype in dict.fromkeys(one["dtype"] for one in results)
        for family in (MULTI, APART, SINGLE)
    ]
    busy = max(one["others busy"] for one in results)
    heading = (
        f"Milliseconds, medians of interleaved runs in one process; {setting['date']}, "
        f"{setting['processor']}, {setting['cores']} cores, {setting['threads']} threads, Python "
        f"{setting['python']}, {versions}. Geometric mean of PyTorch's time, in the faster of its "
        f"memory layouts, over ours: {'; '.join(means)}. Other processes took {busy:.0%} of the "
        "cores at most."
    )
    columns = ["case", "dtype", *PEERS, "convmat", "× PyTorch", "× best"]
    rows = ["| " + " | ".join(columns) + " |", "|---|---|" + "---:|" * (len(columns) - 2)]
    for one in results:
        times = [milliseconds(one["seconds"].get(name)) for name in (*PEERS, "convmat")]
        found = [ratio(one, peers) for peers in (("PyTorch",), PEERS)]
        times += ["–" if one is None else f"{one:.2f}" for one in found]
        rows.append("| " + " | ".join([one["case"], one["dtype"], *times]) + " |")
    return "\n".join([heading, "", *rows])
