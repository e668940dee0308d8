"""Formulas: how fast they are swept, derived and proved, and the theorems checked again."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Printed

import convmat as cm
from convmat.proof.sizes.instructions import OPERATIONS, Table, sweep
from convmat.symbolic import LIBRARY, check, derive, layer, stack, write_certificate
from convmat.symbolic.formulas.programs import Program
from convmat.symbolic.formulas.reading import read_formula
from convmat.symbolic.sizes.recipes import DERIVATIONS

SIZE = "floor((n + 2*p - d*(k - 1) - 1)/s) + 1"
LIMIT = "n + 2*p - d*(k - 1) - 1"  # at least 0 where the window fits
NAMES = ("d", "p", "s", "k", "n")
LOWS = (1, 0, 1, 1, 1)
DEEP = 50  # layers of a stack

# name: a formula that is right, another that is wrong, one with cases
SWEPT = {
    "another spelling": "ceil((n + 2*p - d*(k - 1))/s)",
    "dilation forgotten": "floor((n + 2*p - k)/s) + 1",
    "int() of a quotient": "int((n + 2*p - d*(k - 1) - 1)/s + 1)",
}

# formula, layer, options: what is verified from the beginning to the certificate
VERIFIED: list[tuple[str, str, dict[str, Any]]] = [
    (SIZE, "conv", {}),
    ("(W - F + 2*P)/S + 1", "conv", {}),
    ("int((n + 2*p - d*(k - 1) - 1)/s + 1)", "conv", {}),
    ("ceil((n - k + 1)/s)", "valid", {}),
    ("ceil(n/s)", "same", {}),
    ("floor((n + 2*((k - 1)//2) - k)/s) + 1", "same", {}),
    ("ceil((n + 2*p - k)/s) + 1", "pool", {"ceil_mode": True}),
    ("s*(n - 1) + k - 2*p", "conv_transpose", {}),
    ("n*s + max(k - s, 0)", "conv_transpose", {}),
    ("floor((n + 2*p - d*(k - 1) + 1)/s) + 1", "conv", {}),
]


def run(rounds: int, *, quick: bool) -> dict[str, Any]:
    """Measure everything and print a table for each part."""
    console = Console()
    return {
        "sweep": _sweeps(console, rounds, quick=quick),
        "verify": _verifications(console, rounds),
        "derive": _derivations(console),
        "theorems": _theorems(console, rounds),
    }


def _compiled(formula: str) -> Table:
    program = Program()
    equal = program.difference(read_formula(formula), read_formula(SIZE))
    limits = np.array([program.lower(read_formula(LIMIT)).numerator])
    code = [
        (OPERATIONS.index(kind), NAMES.index(first) if kind == "name" else first, second)
        for kind, first, second in program.code
    ]
    return Table(np.array(code, np.int64), equal, limits)


def _sweeps(console: Console, rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    counts = (4, 8, 12, 16, 256) if quick else (8, 16, 16, 24, 400)
    table, results = Printed("formula", "layers", "M/s"), []
    for name, formula in SWEPT.items():
        program = _compiled(formula)
        compared = sweep(program, LOWS, counts).compared
        rate = compared / _seconds(partial(sweep, program, LOWS, counts), rounds)
        results.append({"formula": formula, "layers": compared, "per second": rate})
        table.add_row(name, f"{compared:,}", f"{rate / 1e6:.0f}")
    console.print("sweeps: layers compared per second")
    console.print(table)
    return results


def _verifications(console: Console, rounds: int) -> list[dict[str, Any]]:
    table = Printed("formula", "layer", "answer", "ms")
    results = []
    for formula, kind, options in VERIFIED:
        answer = cm.verify_output_size(formula, kind, **options)
        seconds = _seconds(partial(cm.verify_output_size, formula, kind, **options), rounds)
        said = answer.grade + "".join(f"; {h}" for h in getattr(answer, "hypotheses", ()))
        results.append({"formula": formula, "layer": kind, "answer": said, "seconds": seconds})
        table.add_row(formula, kind, said, f"{1e3 * seconds:.0f}")
    console.print("verifications: from text to a certificate that was checked")
    console.print(table)
    return results


def _derivations(console: Console) -> dict[str, float]:
    """Time the first derivation of each formula, for the next ones are remembered."""
    seconds = {name: _seconds(partial(derive, name), 1) for name in DERIVATIONS}
    slowest = max(seconds, key=lambda name: seconds[name])
    console.print(
        f"derivations: {len(seconds)} in {sum(seconds.values()):.2f} s, the slowest in "
        f"{seconds[slowest]:.2f} s ({slowest})"
    )
    deep = [layer("conv", 3, stride=1 + i % 2, padding=1) for i in range(DEEP)]
    seconds["stack"] = _seconds(lambda: stack(deep).out_size, 1)
    console.print(f"a stack of {DEEP} convolutions in one formula: {seconds['stack']:.2f} s")
    return seconds


def _theorems(console: Console, rounds: int) -> dict[str, Any]:
    written = {name: (write_certificate(name), theorem) for name, theorem in LIBRARY.items()}
    every = _seconds(lambda: [check(*pair) for pair in written.values()], rounds)
    slowest = {name: _seconds(partial(check, *pair), 1) for name, pair in written.items()}
    name = max(slowest, key=lambda key: slowest[key])
    console.print(
        f"theorems: {len(written)}, {sum(len(p.steps) for p, _ in written.values())} steps, "
        f"checked again in {every:.2f} s, the slowest in {slowest[name]:.2f} s ({name})"
    )
    return {"count": len(written), "seconds": every}


def _seconds(call: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
