"""Timing of several candidates side by side, and where the numbers go."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = (
    "convmat",
    "numpy",
    "scipy",
    "numba",
    "torch",
    "onnxruntime",
    "pylops",
    "ptwt",
    "sparse_convolution",
)
IMPATIENCE = 2.0  # the same where there are many short calls
LONG, BURST = 0.05, 5  # seconds of a call beyond which it is not repeated; calls of a burst
PATIENCE = 20.0  # seconds that one candidate may take in all, beyond its third run


def interleaved(candidates: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each candidate, all run in turn, round after round.

    Results are dropped before the next candidate runs, so that each allocates afresh. Every round
    has an order of its own, for memory is cheaper or dearer after some of them.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    order = np.random.default_rng(0)
    for _ in range(rounds):
        for place in order.permutation(len(names)):
            name = names[place]
            call = candidates[name]
            spent = times[name]
            if len(spent) >= 3 and sum(spent) > PATIENCE:
                continue
            start = time.perf_counter()
            result = call()
            spent.append(time.perf_counter() - start)
            del result
    return {name: statistics.median(spent) for name, spent in times.items()}


def in_bursts(candidates: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each candidate, run in turn in short bursts.

    Thread pools of several libraries meet in one process, and some of them keep their threads
    spinning after a call: each burst begins when the process has become quiet, and its first call,
    which wakes the threads and is not counted, is left out only where a call takes long.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    order = np.random.default_rng(0)
    for _ in range(rounds):
        for place in order.permutation(len(names)):
            name = names[place]
            spent = times[name]
            last = spent[-1] if spent else 0.0
            if len(spent) >= 3 and sum(spent) > IMPATIENCE:
                continue
            _be_quiet()
            if last < LONG:
                candidates[name]()
            for _ in range(1 if last > LONG / BURST else BURST):
                start = time.perf_counter()
                result = candidates[name]()
                spent.append(time.perf_counter() - start)
                del result
    return {name: statistics.median(spent) for name, spent in times.items()}


def _be_quiet() -> None:
    """Wait until no thread of the process works any more, a tenth of a second at most."""
    for _ in range(50):
        before = time.process_time()
        time.sleep(0.002)
        if time.process_time() - before < 0.0005:
            return


def others_busy() -> float:
    """Return which part of the cores other processes use (Linux), while this one sleeps.

    Thread pools that wait for each other by spinning lose tens of milliseconds where another
    process takes a core away: times on a busy machine say nothing.
    """
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0

    def ticks() -> tuple[int, int]:
        counts = [
            int(word) for word in stat.read_text(encoding="ascii").split("\n")[0].split()[1:9]
        ]
        return counts[3] + counts[4], sum(counts)

    before, all_before = ticks()
    time.sleep(0.3)
    idle, together = ticks()
    return 1 - (idle - before) / max(together - all_before, 1)


def setting(threads: int) -> dict[str, Any]:
    """Return what a reader must know of the machine, the date and the versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    cleaned = {key.strip(): value.strip() for key, value in fields.items()}
    return cleaned.get("model name", platform.machine())


def replace_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    old = path.read_text(encoding="utf-8")
    head, rest = old.split(begin)
    tail = rest.split(end)[1]
    path.write_text(f"{head}{begin}\n{text.strip()}\n{end}{tail}", encoding="utf-8")
