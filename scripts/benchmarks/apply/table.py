"""Means, goals and tables of what was measured when layers were applied."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from benchmarks.apply.cases import MULTI, SEPARABLE, SINGLE
from benchmarks.apply.peers import MOST_BYTES, NAMES

Result = dict[str, Any]
Run = dict[str, Any]  # the setting, and the results of "apply", all of one dtype

MEMORY_LAYOUTS = ("PyTorch", "PyTorch channels_last")
INFERENCE = (*MEMORY_LAYOUTS, "ONNX Runtime")


class Goal(NamedTuple):
    """A mean of ratios over some cases, and what is aimed at."""

    name: str
    families: tuple[str, ...]  # all but the separable ones, where none is named
    against: tuple[str, ...]  # the fastest of these
    mean: dict[str, float]  # by dtype
    each: dict[str, float]


GOALS = (
    Goal(
        "PyTorch",
        (),
        ("PyTorch",),
        {"float32": 3.0, "float64": 4.5},
        {"float32": 0.9, "float64": 1.0},
    ),
    Goal("PyTorch", (MULTI,), ("PyTorch",), {"float32": 1.8, "float64": 2.8}, {}),
    Goal("PyTorch or ONNX Runtime", (), INFERENCE, {"float32": 1.6}, {"float32": 0.75}),
    Goal("PyTorch or ONNX Runtime", (MULTI,), INFERENCE, {"float32": 1.1}, {}),
    Goal("PyTorch", (SINGLE,), ("PyTorch",), {"float32": 40}, {}),
    Goal("ONNX Runtime", (SINGLE,), ("ONNX Runtime",), {"float32": 10}, {}),
    Goal("scipy.ndimage", (SINGLE,), ("scipy.ndimage",), {"float32": 8}, {}),
    Goal("fftconvolve", (SINGLE,), ("fftconvolve",), {"float32": 2}, {}),
    Goal("oaconvolve", (SINGLE,), ("oaconvolve",), {"float32": 2}, {}),
    Goal(
        "fftconvolve or oaconvolve",
        (SEPARABLE,),
        ("fftconvolve", "oaconvolve"),
        {"float32": 6},
        {},
    ),
    Goal("PyLops", (SINGLE,), ("PyLops",), {}, {}),
    Goal("SciPy CSR", (), ("SciPy CSR",), {"float32": 15}, {"float32": 2}),
    Goal("the best of all peers", (), NAMES, {}, {}),
)
FIRST = Goal("PyTorch, first call", (), ("PyTorch",), {}, {"float32": 1.0})
BATCHES = {"PyTorch": 1.5}  # means over all that are aimed at with several inputs at a time


def ratio(result: Result, against: Iterable[str], ours: str = "convmat") -> float | None:
    """Return the time of the fastest of these peers over ours, if any can do the case."""
    seconds = result["seconds"]
    there = [seconds[name] for name in against if name in seconds]
    return min(there) / seconds[ours] if there and ours in seconds else None


def geometric_mean(ratios: list[float]) -> float:
    """Return the number whose logarithm is the mean of the logarithms."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _rows(results: list[Result]) -> list[list[str]]:
    """Return goal after goal: what, over which cases, mean and aim, least and aim, and where."""
    rows = []
    for dtype, batch in dict.fromkeys((one["dtype"], one["batch"]) for one in results):
        alike = [one for one in results if (one["dtype"], one["batch"]) == (dtype, batch)]
        for goal in (*GOALS, FIRST):
            ours = "first call" if goal is FIRST else "convmat"
            found = _ratios(goal, alike, ours)
            if not found:
                continue
            mean, each = goal.mean.get(dtype), goal.each.get(dtype)
            if batch > 1:
                mean = None if goal.families or ours != "convmat" else BATCHES.get(goal.name)
                each = None
            place = min(found, key=lambda key: found[key])
            least = found[place]
            over = ", ".join(goal.families) or "all"
            about = dtype if batch == 1 else f"{dtype}, batch {batch}"
            rows.append(
                [
                    f"{goal.name}",
                    about,
                    f"{alike[0]['threads']}",
                    f"{over} ({len(found)})",
                    _with_aim(geometric_mean(list(found.values())), mean),
                    _with_aim(least, each),
                    place,
                ]
            )
    return rows


def _ratios(goal: Goal, results: list[Result], ours: str) -> dict[str, float]:
    chosen = {}
    for one in results:
        inside = one["family"] in goal.families if goal.families else one["family"] != SEPARABLE
        found = ratio(one, goal.against, ours) if inside else None
        if found is not None:
            chosen[f"{one['case']}, {one['direction']}"] = found
    return chosen


def _with_aim(reached: float, aim: float | None) -> str:
    """Return a ratio, with what was aimed at in brackets."""
    return f"{reached:.2f}" if aim is None else f"{reached:.2f} ({aim:g})"


GOAL_COLUMNS = ("against", "dtype", "threads", "over", "mean (aim)", "least (aim)", "where")


def goals(results: list[Result]) -> Table:
    """Return the means beside what they should be, for a terminal."""
    return _as_rich(GOAL_COLUMNS, _rows(results), "times of peers over ours")


def _cells(results: list[Result]) -> tuple[list[str], list[list[str]]]:
    there = [name for name in NAMES if any(name in one["seconds"] for one in results)]
    columns = ["case", "dtype", *there, "convmat", "first call"]
    columns += ["× PyTorch", "× best", "algorithm", "of peak"]
    rows = []
    for one in results:
        seconds = one["seconds"]
        times = [
            "> 4 GB" if _too_large(one, name) else milliseconds(seconds.get(name))
            for name in (*there, "convmat", "first call")
        ]
        rows.append(
            [
                f"{one['case']}, {one['direction']}",
                one["dtype"] if one["batch"] == 1 else f"{one['dtype']}, batch {one['batch']}",
                *times,
                _times(ratio(one, ("PyTorch",))),
                _times(ratio(one, NAMES)),
                one["algorithm"],
                f"{one['of the roof']:.0%} of {one['bound']}",
            ]
        )
    return columns, rows


def _too_large(result: Result, name: str) -> bool:
    return name == "SciPy CSR" and result["matrix bytes"] > MOST_BYTES


def milliseconds(seconds: float | None) -> str:
    """Return a time in milliseconds, with three digits."""
    if seconds is None:
        return "–"
    return f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def _times(factor: float | None) -> str:
    return "–" if factor is None else f"{factor:.2f}"


def printed(results: list[Result]) -> Table:
    """Return all times, for a terminal."""
    return _as_rich(*_cells(results), "milliseconds, medians")


def _as_rich(columns: Iterable[str], rows: list[list[str]], title: str) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    return table


def _as_markdown(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines: list[list[str]] = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def kept(folder: Path) -> list[Run]:
    """Return the runs that were written down, those of which more is asked first."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("apply-*.json")]
    return sorted(runs, key=_order)


def _order(run: Run) -> tuple[int, str, int]:
    one = run["apply"][0]
    return one["batch"], one["dtype"], -one["threads"]


def name_of(run: Run) -> str:
    """Return the name of the file that a run is written to."""
    one = run["apply"][0]
    return f"apply-{one['dtype']}-{one['threads']}-threads-batch-{one['batch']}.json"


def markdown(runs: list[Run]) -> str:
    """Return the tables for docs/performance.md, with machine, date and versions of every run."""
    means = [row for run in runs for row in _rows(run["apply"])]
    lines = [LEGEND, "", *_as_markdown(list(GOAL_COLUMNS), means)]
    for run in runs:
        one = run["apply"][0]
        batch = "" if one["batch"] == 1 else f", batch {one['batch']}"
        threads = "1 thread" if one["threads"] == 1 else f"{one['threads']} threads"
        title = f"{one['dtype']}, {threads}{batch}: every case"
        lines += ["", f"<details><summary>{title}</summary>", "", _heading(run), ""]
        lines += [*_as_markdown(*_cells(run["apply"])), "", "</details>"]
    return "\n".join(lines)


LEGEND = (
    "Medians of interleaved runs in one process. *Mean* is the geometric mean of the time of the "
    "fastest of the peers named over convmat's, *least* the least of these ratios, and in brackets "
    "what was aimed at; *all* leaves out the rows that *separable* tells of. *PyTorch* is its "
    "default layout in memory; *PyTorch or ONNX Runtime* has both. *First call* has a weight that "
    "was not seen before. PyTorch's gradient is what its autograd runs for the adjoint; it counts "
    "among all peers, not as PyTorch's call. *gather* are layers without weights."
)


def _heading(run: Run) -> str:
    setting, results = run["setting"], run["apply"]
    versions = ", ".join(f"{name} {version}" for name, version in setting["versions"].items())
    roof = results[0]["roof"]
    busy = max(one["others busy"] for one in results)
    return (
        f"Milliseconds; {setting['date']}, {setting['processor']}, {setting['cores']} cores, "
        f"{setting['threads']} threads, Python {setting['python']}, {versions}. Measured peaks: "
        f"{roof['flops'] / 1e9:.0f} GF/s in registers, and {roof['bytes'] / 1e9:.1f} GB/s read "
        "and written by a copy of what no cache holds; the last column is the time that the "
        "products of the matrix, or input, weight and output, take at these speeds, over ours: "
        "more than 100% where an algorithm needs fewer products, or where caches hold the data. "
        f"Other processes took {busy:.0%} of the cores at most."
    )
