"""How long an algorithm will take: counts of what it does, times the measured cost of each.

The counts follow from the geometry alone; the costs are in `costs.json`, which
``scripts/bench.py calibrate`` measures again. Nothing is ever tried out at run time.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["TABLE", "Work", "seconds", "tile_cycles"]

HELD = 1 << 22  # bytes of weights that stay in cache from call to call

TABLE = Path(__file__).with_name("costs.json")


class Work(NamedTuple):
    """What an algorithm does, in all threads together.

    Attributes
    ----------
    cycles : of the innermost loops of tiles, if all their reads are in cache
    tiles : register tiles that are begun, and ended by storing them
    lines : pieces of lines that are found, copied or stored
    moved : vectors that are copied: padding, panels, transforms
    apart : numbers that are stored one by one, a step apart
    streamed : bytes of weights, if they do not stay in cache
    transformed : numbers times the logarithm of the size of their Fourier transform
    calls : pieces of work handed to threads
    """

    cycles: float = 0.0
    tiles: float = 0.0
    lines: float = 0.0
    moved: float = 0.0
    apart: float = 0.0
    streamed: float = 0.0
    transformed: float = 0.0
    calls: float = 0.0

    def plus(self, other: Work) -> Work:
        """Return the work of both."""
        return Work(*(a + b for a, b in zip(self, other, strict=True)))

    def with_weights(self, nbytes: int) -> Work:
        """Return this with packed weights of so many bytes, which are read once for all places."""
        return self._replace(streamed=nbytes if nbytes > HELD else 0)


def tile_cycles(vectors: int, rows: int) -> float:
    """Return cycles of one step of a tile: two multiply-adds a cycle, or two reads."""
    return max(vectors * rows / 2, (1.5 * vectors + rows) / 2)


@lru_cache(maxsize=1)
def _costs() -> Work:
    """Return the cost of each kind of work, in nanoseconds."""
    costs: dict[str, float] = json.loads(TABLE.read_text(encoding="utf-8"))["nanoseconds"]
    return Work(**costs)


@lru_cache(maxsize=1024)
def seconds(work: Work, threads: int) -> float:
    """Estimate the time of a call; what is handed out is divided among the threads.

    Layers that differ in their weights alone ask for the very same.
    """
    parallel = sum(count * cost for count, cost in zip(work, _costs(), strict=True))
    return parallel * 1e-9 / max(threads, 1)
