"""Measure what the counts of the cost model cost on this machine, and write them down.

Every algorithm runs on layers of every kind, on one thread. The cost of each kind of work is
what explains those times best, as no cost is below zero: non-negative least squares of the
relative error.
"""

from __future__ import annotations

import json
import time
from operator import itemgetter
from typing import Any

import numba
import numpy as np
from scipy.optimize import nnls

import convmat as cm
from convmat.kernels.costs import TABLE, Work
from convmat.operator.algorithms import ALGORITHMS, Refusal
from convmat.operator.plan import Request

LEAST = 0.1  # seconds that a layer is run for, at least
RUNS = 5
NEAR = 2.5  # times the least time of a layer: what takes longer need not be told well
PASSES = 3  # the least of the medians counts, as others may have used the machine


def run(setting: dict[str, Any]) -> None:
    """Measure, print how well the model tells the times, and write the table."""
    numba.set_num_threads(1)
    found: dict[tuple[str, str], tuple[Work, float]] = {}
    for _ in range(PASSES):
        for layer, weight_shape, arguments in layers():
            forward = cm.conv(np.ones(weight_shape, "f4"), **arguments)  # an outer product as well
            for operator, name in ((forward, layer), (forward.T, f"{layer} adjoint")):
                for algorithm in ALGORITHMS:
                    once = measured(operator, algorithm)
                    if once is not None:
                        key = name, algorithm
                        found[key] = min(found.get(key, once), once, key=itemgetter(1))
    least = {name: min(t for (n, _), (_, t) in found.items() if n == name) for name, _ in found}
    near = {key: one for key, one in found.items() if one[1] <= NEAR * least[key[0]]}
    counts, times = zip(*near.values(), strict=True)
    table = np.array(counts) / np.array(times)[:, None]
    costs, _ = nnls(table, np.ones(len(times)))
    for (name, algorithm), told in zip(near, table @ costs, strict=True):
        print(f"{name:24s} {algorithm:10s} estimated {told:5.2f} of its time")
    nanoseconds = {key: round(cost * 1e9, 4) for key, cost in zip(Work._fields, costs, strict=True)}
    written = {"setting": setting, "nanoseconds": nanoseconds}
    TABLE.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(written, indent=2))


def layers() -> list[tuple[str, tuple[int, ...], dict[str, Any]]]:
    """Return layers of every kind: name, weight, and arguments of `conv`."""
    return [
        ("wide", (64, 64, 3, 3), {"in_shape": (64, 56, 56), "padding": 1}),
        ("deep", (256, 256, 3, 3), {"in_shape": (256, 14, 14), "padding": 1}),
        ("small planes", (256, 256, 3, 3), {"in_shape": (256, 7, 7), "padding": 1}),
        ("point", (64, 256, 1, 1), {"in_shape": (256, 56, 56)}),
        ("phases", (64, 32, 4, 4), {"in_shape": (32, 64, 64), "stride": 2, "padding": 1}),
        ("no overlap", (64, 32, 2, 2), {"in_shape": (32, 64, 64), "stride": 2}),
        ("stem", (64, 3, 7, 7), {"in_shape": (3, 112, 112), "stride": 2, "padding": 3}),
        ("few rows", (4, 32, 3, 3), {"in_shape": (32, 64, 64), "padding": 1}),
        ("depthwise", (64, 1, 3, 3), {"in_shape": (64, 56, 56), "padding": 1, "groups": 64}),
        ("blur", (1, 1, 5, 5), {"in_shape": (1, 1024, 1024), "padding": 2}),
        ("large kernel", (1, 1, 31, 31), {"in_shape": (1, 256, 256), "padding": 15}),
        ("larger kernel", (1, 1, 63, 63), {"in_shape": (1, 256, 256), "padding": 31}),
        ("audio", (1, 1, 101), {"in_shape": (1, 200_000), "padding": 50}),
        ("long audio", (1, 1, 1001), {"in_shape": (1, 100_000), "padding": 500}),
        ("dilated", (64, 64, 2), {"in_shape": (64, 16_000), "dilation": 512}),
        ("volume", (32, 32, 3, 3, 3), {"in_shape": (32, 16, 16, 16), "padding": 1}),
        ("one pixel", (1024, 64, 4, 4), {"in_shape": (64, 4, 4)}),
        ("few pixels", (512, 256, 4, 4), {"in_shape": (256, 8, 8), "stride": 2, "padding": 1}),
        ("fewer pixels", (512, 512, 3, 3), {"in_shape": (512, 7, 7), "padding": 1}),
        ("bilinear", (21, 1, 16, 16), {"in_shape": (21, 280, 280), "stride": 8, "groups": 21}),
        ("tiny", (8, 4, 3, 3), {"in_shape": (4, 16, 16), "padding": 1}),
    ]


def measured(operator: Any, algorithm: str) -> tuple[Work, float] | None:
    """Return the counts of an algorithm and the median of its times, if it can serve."""
    dtype = np.dtype("f4")
    request = Request(operator.geometry, operator.weight, 1, dtype, "default", False, {})
    work = ALGORITHMS[algorithm].work(request)
    if isinstance(work, Refusal):
        return None
    x = np.random.default_rng(0).standard_normal(operator.in_shape).astype("f4")
    try:
        plan = operator.plan(x.shape, algorithm=algorithm)
    except cm.GeometryError:
        return None
    out = plan(x)
    times: list[float] = []
    while len(times) < RUNS or sum(times) < LEAST:
        begun = time.perf_counter()
        plan(x, out)
        times.append(time.perf_counter() - begun)
    return work, float(np.median(times))
