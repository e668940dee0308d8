"""What the machine can do: multiplications and additions a second, and bytes a second."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.threads.pieces import in_threads
from convmat.kernels.cpu.vectors.sums import ROWS, VECTORS, multiply_in
from convmat.kernels.cpu.vectors.writer import VECTOR

WIDE, STEPS = VECTORS[ROWS][0], 256  # of a tile whose sums fill the registers
REPEATS = 4000
COPIED = 1 << 26  # bytes: more than any cache holds
ROUNDS = 9

multiply = multiply_in(ROWS)


class Roof(NamedTuple):
    """Measured speeds of so many threads together."""

    flops: float
    bytes: float

    def seconds(self, multiply_adds: int, nbytes: int) -> tuple[float, str]:
        """Return the least time that so much work takes, and what bounds it."""
        by_flops, by_bytes = 2 * multiply_adds / self.flops, nbytes / self.bytes
        return (by_flops, "flops") if by_flops > by_bytes else (by_bytes, "bytes")


@compiled
def _tiles(repeats: int, offsets: Any, x: Any, w: Any, y: Any, pitch: int) -> None:
    for _ in range(repeats):
        multiply(x, 0, offsets, w, 0, STEPS, y, 0, pitch, (WIDE, ROWS))


@compiled
def _copied(source: Any, target: Any, begin: int, end: int) -> None:
    for i in range(begin, end):
        target[i] = source[i]


def measured(dtype: np.dtype[Any], threads: int) -> Roof:
    """Measure both, each thread with tiles of its own that stay in its cache."""
    return Roof(_flops(dtype, threads), _bytes(threads))


def _flops(dtype: np.dtype[Any], threads: int) -> float:
    lanes = WIDE * VECTOR // dtype.itemsize
    offsets = np.zeros(STEPS, np.int64)
    x, w = np.ones(lanes, dtype), np.full(STEPS * ROWS, 0.5, dtype)
    targets = [np.zeros(ROWS * lanes, dtype) for _ in range(threads)]

    def work(first: int, last: int) -> None:
        for place in range(first, last):
            _tiles(REPEATS, offsets, x, w, targets[place], lanes)

    seconds = _least(lambda: in_threads(work, [(n, n + 1) for n in range(threads)]))
    if any((target != STEPS / 2).any() for target in targets):
        raise AssertionError("the tiles were not computed")
    return 2.0 * lanes * ROWS * STEPS * REPEATS * threads / seconds


def _bytes(threads: int) -> float:
    """Bytes read and written by a copy, both counted."""
    source = np.ones(COPIED // 8)
    target = np.zeros_like(source)
    ends = np.linspace(0, len(source), 4 * threads + 1).astype(int).tolist()
    pieces = list(itertools.pairwise(ends))
    seconds = _least(lambda: in_threads(lambda a, b: _copied(source, target, a, b), pieces))
    return 2.0 * COPIED / seconds


def _least(call: Callable[[], None]) -> float:
    times = []
    call()  # compiles
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)  # others may have used the machine
