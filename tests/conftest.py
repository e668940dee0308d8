"""Set-up shared by the whole suite."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# Before NumPy and PyTorch are imported: their threads wait awake for more work, and would take the
# time of the other processes that share the tests.
if "PYTEST_XDIST_WORKER" in os.environ:
    for library in ("MKL", "OMP", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import pytest
from hypothesis import settings

import convmat

os.environ.setdefault("MPLBACKEND", "Agg")


def compiled_sources() -> str:
    """Return a digest of everything that Numba compiles.

    Its cache on disk notices a change in the file of a function, but not in the files of the
    functions that this one calls: tests would run the old machine code.
    """
    package = Path(convmat.__file__).parent
    digest = hashlib.sha256()
    kernels = package / "kernels"
    compiled = [*kernels.glob("*.py"), *(kernels / "cpu").rglob("*.py")]
    for path in [package / "geometry" / "window.py", *sorted(compiled)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


cache = Path(__file__).resolve().parent.parent / ".numba_cache" / compiled_sources()
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))

# The same examples on every run: a red test is a change in the code, never bad luck. More of
# them, and new ones each time, with: pytest --hypothesis-profile=slow
settings.register_profile("default", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("slow", deadline=None, max_examples=2000)
settings.load_profile("default")

# Tests import the modules beside them by name; collected as well, each would run a second time.
collect_ignore = [
    path.name for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_")
]
collect_ignore.append("typing")  # which a checker of types reads

# Files that take longest, most of them with compiling, longest first: whoever is free takes the
# next, so that in the end nobody waits for one that began late.
LONGEST = ("apply", "verify", "scripts", "bench", "kernels_winograd", "theorems")
QUARTERS = 4


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Say how many processes share the tests: none besides this one, to look at some by name."""
    if config.option.capture == "no" or (config.args and all("::" in arg for arg in config.args)):
        return 0
    allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
    return min(len(allowed(0)), 4)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quarter",
        type=int,
        help=f"of the slow tests run those alone whose names hash to this, modulo {QUARTERS}",
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    quarter = config.option.quarter
    return None if quarter is None else f"slow tests: --quarter={quarter % QUARTERS} of {QUARTERS}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.quarter is not None:
        left_out = [item for item in items if not in_quarter(item, config.option.quarter)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    rank = {f"test_{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def in_quarter(item: pytest.Item, quarter: int) -> bool:
    """Say whether a test runs in this quarter; those that are not slow run in each."""
    if item.get_closest_marker("slow") is None:
        return True
    digest = hashlib.sha256(item.nodeid.encode()).digest()
    return digest[0] % QUARTERS == quarter % QUARTERS
