"""Measure convmat beside its peers, interleaved in one process.

    python scripts/bench.py build             # all cases, about ten minutes
    python scripts/bench.py build --quick     # small cases, about a minute
    python scripts/bench.py build --page      # and put the tables into docs/performance.md
    python scripts/bench.py build --table layers
    python scripts/bench.py symbolic          # sweeps of formulas, verifications, theorems
    python scripts/bench.py apply             # layers applied, forward and adjoint
    python scripts/bench.py gradient          # weight gradients
    python scripts/bench.py calibrate         # the cost model by which algorithms are chosen
    python scripts/bench.py apply --threads 1 --dtype float32 --case "blur 2048² k5"

Peers are optional: pip install 'convmat[bench]'. A peer that is missing is named as such.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import click
import command_line

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "scripts" / "benchmarks" / "measured"  # runs that the page tells of
PAGE = ROOT / "docs" / "performance.md"
GRADIENT = "gradient.json"


def main() -> int:
    """Parse the command line and run one benchmark."""
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="explicit matrices against other ways to build them")
    build.add_argument(
        "--threads", type=command_line.positive, default=os.cpu_count(), help="threads of Numba"
    )
    build.add_argument("--rounds", type=command_line.positive, default=7, help="interleaved rounds")
    build.add_argument("--dtype", action="append", choices=["float32", "float64"])
    build.add_argument("--table", choices=["build", "layers"], help="convolutions, or the others")
    build.add_argument("--quick", action="store_true", help="only the small cases")
    build.add_argument("--json", type=command_line.writable, help="write every time to this file")
    build.add_argument(
        "--page", action="store_true", help="write the tables into docs/performance.md"
    )
    symbolic = commands.add_parser("symbolic", help="formulas: sweeps, verifications, theorems")
    symbolic.add_argument(
        "--threads", type=command_line.positive, default=os.cpu_count(), help="threads of Numba"
    )
    symbolic.add_argument(
        "--rounds", type=command_line.positive, default=5, help="runs, of which the median counts"
    )
    symbolic.add_argument("--quick", action="store_true", help="smaller sweeps")
    symbolic.add_argument(
        "--json", type=command_line.writable, help="write every time to this file"
    )
    _add_apply(commands.add_parser("apply", help="layers and adjoints against other libraries"))
    _add_gradient(commands.add_parser("gradient", help="weight gradients against other libraries"))
    commands.add_parser("calibrate", help="measure the constants of the cost model again")
    commands.add_parser(
        "tables", help="tell in docs/performance.md again what apply and gradient have measured"
    )
    options = parser.parse_args()

    if options.command == "calibrate":
        from benchmarks import calibrate, report

        calibrate.run(report.setting(1))
        return 0
    if options.command == "tables":
        _tables()
        return 0
    os.environ["NUMBA_NUM_THREADS"] = str(options.threads)  # before Numba is imported
    if options.command in ("apply", "gradient"):
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(options.threads)  # before any of the libraries is imported
        return _apply(options) if options.command == "apply" else _gradient(options)
    from benchmarks import report
    from benchmarks.matrices import layers
    from benchmarks.matrices import run as convolutions

    tables = {"build": convolutions, "layers": layers}
    setting = report.setting(options.threads)
    told = {"setting": setting}
    if options.command == "symbolic":
        from benchmarks import symbolic as formulas

        told |= formulas.run(options.rounds, quick=options.quick)
        if options.json:
            options.json.write_text(json.dumps(told, indent=1))
        return 0
    for name in [options.table] if options.table else tables:
        results = tables[name].run(
            dtypes=options.dtype or ["float32", "float64"],
            rounds=options.rounds,
            quick=options.quick,
        )
        told["results" if name == "build" else name] = results
        if options.json:
            options.json.write_text(json.dumps(told, indent=1))
        if options.page:
            text = tables[name].markdown(results, setting)
            report.replace_section(PAGE, f"bench {name} table", text)
    return 0


def _add_gradient(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark of weight gradients."""
    parser.add_argument(
        "--threads", type=command_line.positive, default=os.cpu_count(), help="of every library"
    )
    parser.add_argument(
        "--rounds", type=command_line.positive, default=7, help="interleaved bursts of calls"
    )
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    parser.add_argument("--json", type=command_line.writable, help="write every time to this file")
    parser.add_argument(
        "--page", action="store_true", help="keep it, and tell it in docs/performance.md"
    )


def _add_apply(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark of applied layers."""
    parser.add_argument(
        "--threads", type=command_line.positive, default=os.cpu_count(), help="of every library"
    )
    parser.add_argument(
        "--rounds", type=command_line.positive, default=9, help="interleaved bursts of calls"
    )
    parser.add_argument("--dtype", action="append", choices=["float32", "float64"])
    parser.add_argument("--batch", type=command_line.positive, default=1, help="inputs at a time")
    parser.add_argument("--case", action="append", metavar="NAME", help="one case, or several")
    parser.add_argument("--quick", action="store_true", help="only a few fast cases")
    parser.add_argument("--json", type=command_line.writable, help="write every time to this file")
    parser.add_argument(
        "--page", action="store_true", help="keep it, and tell it in docs/performance.md"
    )


def _apply(options: argparse.Namespace) -> int:
    """Apply layers."""
    if options.batch > 1:  # large pages for PyTorch too, which else spends its time on new memory
        os.environ["THP_MEM_ALLOC_ENABLE"] = "1"
    from benchmarks import report
    from benchmarks.apply import run as apply
    from benchmarks.apply import table as apply_table

    unknown = set(options.case or ()) - set(apply.CASES)
    if unknown:
        names = ", ".join(apply.CASES)
        raise click.UsageError(f"no case {', '.join(sorted(unknown))}; there are: {names}")
    setting = report.setting(options.threads)
    results = apply.run(
        options.dtype or ["float32", "float64"],
        options.rounds,
        threads=options.threads,
        batch=options.batch,
        cases=options.case or [],
        quick=options.quick,
    )
    told = {"setting": setting, "apply": results}
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))
    if options.page:
        for dtype in options.dtype or ["float32", "float64"]:
            alike = [one for one in results if one["dtype"] == dtype]
            run = {"setting": setting, "apply": alike}
            (MEASURED / apply_table.name_of(run)).write_text(json.dumps(run, indent=1) + "\n")
        _tables()
    return 0


def _gradient(options: argparse.Namespace) -> int:
    """Measure weight gradients."""
    from benchmarks import gradient, report

    setting = report.setting(options.threads)
    dtypes = options.dtype or ["float32", "float64"]
    results = gradient.run(dtypes, options.rounds, threads=options.threads)
    told = {"setting": setting, "gradient": results}
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))
    if options.page:
        (MEASURED / GRADIENT).write_text(json.dumps(told, indent=1) + "\n")
        _tables()
    return 0


def _tables() -> None:
    """Make the page's tables from the runs that were written down."""
    from benchmarks import gradient, report
    from benchmarks.apply import table as apply_table

    text = apply_table.markdown(apply_table.kept(MEASURED))
    report.replace_section(PAGE, "bench apply table", text)
    told = json.loads((MEASURED / GRADIENT).read_text(encoding="utf-8"))
    text = gradient.markdown(told["gradient"], told["setting"])
    report.replace_section(PAGE, "bench gradient table", text)


if __name__ == "__main__":
    command_line.run(main)
