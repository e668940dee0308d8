"""Measure convmat beside its peers, interleaved in one process.

    python scripts/bench.py build             # all cases, about ten minutes
    python scripts/bench.py build --quick     # small cases, less than a minute
    python scripts/bench.py build --readme    # and put the table into README.md

Peers are optional: pip install 'convmat[bench]'. A peer that is missing is named as such.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Parse the command line and run one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="explicit matrices against other ways to build them")
    build.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of Numba")
    build.add_argument("--rounds", type=int, default=7, help="interleaved rounds")
    build.add_argument("--dtype", action="append", choices=["float32", "float64"])
    build.add_argument("--quick", action="store_true", help="only the small cases")
    build.add_argument("--json", type=Path, help="write every time to this file")
    build.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args()

    os.environ["NUMBA_NUM_THREADS"] = str(options.threads)  # before Numba is imported
    from benchmarks import build as benchmark
    from benchmarks import report

    results = benchmark.run(
        dtypes=options.dtype or ["float32", "float64"],
        rounds=options.rounds,
        quick=options.quick,
    )
    setting = report.setting(options.threads)
    if options.json:
        options.json.write_text(json.dumps({"setting": setting, "results": results}, indent=1))
    if options.readme:
        report.replace_section(
            ROOT / "README.md", "bench build table", benchmark.markdown(results, setting)
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
