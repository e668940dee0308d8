"""Applying layers and their adjoints: convmat beside its peers, and beside the machine's speed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.apply.cases import ADJOINT, CASES, FORWARD, QUICK, Problem
from benchmarks.apply.peers import PACKAGES, Calls, installed, matrix_bytes, peers, values
from benchmarks.apply.roof import Roof, measured
from benchmarks.apply.table import goals, milliseconds, printed
from benchmarks.report import in_bursts, others_busy

__all__ = ["CASES", "check_equal", "measure", "run"]

BUSY = 0.1
FAR = {np.dtype(np.float32): 2e-4, np.dtype(np.float64): 1e-11}
"""Greatest difference between candidates, in units of the root mean square of the values."""


def run(
    dtypes: list[str], rounds: int, *, threads: int, batch: int, cases: list[str], quick: bool
) -> list[dict[str, Any]]:
    """Measure every case in both directions, and print a line for each as it is done."""
    console = Console(width=None if sys.stdout.isatty() else 240)
    missing = [package for package in PACKAGES if not installed(package)]
    if missing:
        console.print(f"not installed, and so not measured: {', '.join(missing)}")
    results = []
    for name in dtypes:
        dtype = np.dtype(name)
        roof = measured(dtype, threads)
        console.print(
            f"{dtype}, {threads} threads: {roof.flops / 1e9:.0f} GF/s measured in registers, "
            f"{roof.bytes / 1e9:.1f} GB/s in copies"
        )
        for case_name in cases or (QUICK if quick else CASES):
            for direction in (FORWARD, ADJOINT):
                problem = Problem(CASES[case_name], dtype, batch)
                result = measure(problem, direction, rounds, threads, roof)
                results.append({"case": case_name, **result})
                console.print(_line(results[-1]))
    console.print(printed(results))
    console.print(goals(results))
    return results


def measure(
    problem: Problem, direction: str, rounds: int, threads: int, roof: Roof
) -> dict[str, Any]:
    """Compare what all candidates give, then their times."""
    ours = {"convmat": problem.call(direction)}
    if first := problem.first_call(direction):
        ours["first call"] = first
    others = peers(problem, direction, threads)
    calls = others | ours
    differences = check_equal(calls, problem.dtype)
    busy = others_busy()
    seconds = in_bursts({name: calls[name] for name in differences}, rounds)
    least, bound = roof.seconds(problem.multiply_adds, problem.nbytes)
    return {
        "direction": direction,
        "family": problem.case.family,
        "dtype": problem.dtype.name,
        "batch": problem.batch,
        "threads": threads,
        "algorithm": _algorithm(problem, direction),
        "multiply-adds": problem.multiply_adds,
        "bytes": problem.nbytes,
        "matrix bytes": matrix_bytes(problem),
        "roof": roof._asdict(),
        "bound": bound,
        "of the roof": least / seconds["convmat"],
        "others busy": max(busy, others_busy()),
        "differences": differences,
        "seconds": seconds,
    }


def check_equal(
    calls: Calls, dtype: np.dtype[Any], allowed: float | None = None
) -> dict[str, float]:
    """Return how far each candidate is from the first; refuse to time one that computes another.

    A candidate that needs more memory than there is has no place in the result.

    That the candidate is also of the asked precision is seen to here.
    """
    reference: Any = None
    scale, differences = 1.0, {}
    for name, call in calls.items():
        try:
            given = values(call())
        except (MemoryError, RuntimeError) as error:  # PyTorch's words for too little memory
            if "alloc" not in str(error):
                raise
            continue
        if given.dtype != dtype:
            raise ValueError(f"{name} computes in {given.dtype}, not in {dtype}")
        if reference is None:
            reference = np.array(given, order="C")
            scale = float(np.sqrt(np.mean(np.square(reference, dtype=np.float64))))
        if given.size != reference.size:
            raise ValueError(f"{name} gives {given.shape}, not {reference.shape}")
        far = float(np.abs(given.reshape(reference.shape) - reference).max()) / scale
        if not far <= (allowed or FAR[dtype]):
            raise ValueError(f"{name} is {far:.1g} away from {next(iter(calls))}")
        differences[name] = far
    return differences


def _algorithm(problem: Problem, direction: str) -> str:
    """Return the name of what convmat chose."""
    if not problem.case.has_weight:
        return "gather"
    operator = problem.operator if direction == FORWARD else problem.operator.T
    x = problem.x if direction == FORWARD else problem.g
    return str(operator.plan(x.shape, x.dtype).algorithm)


def _line(result: dict[str, Any]) -> str:
    """Return one case in words."""
    ms = ", ".join(f"{name} {milliseconds(spent)}" for name, spent in result["seconds"].items())
    busy = result["others busy"]
    warning = f" (OTHER PROCESSES TOOK {busy:.0%} OF THE CORES)" if busy > BUSY else ""
    return (
        f"{result['case']}, {result['direction']}, {result['dtype']}, batch {result['batch']}: "
        f"{result['algorithm']}, {result['of the roof']:.0%} of {result['bound']}{warning}; "
        f"ms: {ms}"
    )
