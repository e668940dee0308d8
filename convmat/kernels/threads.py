"""Pieces of work for several threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from numba import config, get_num_threads

__all__ = ["PIECES", "in_threads"]

PIECES = 4  # for each thread


def in_threads(write: Callable[[int, int], None], pieces: list[tuple[int, int]]) -> None:
    """Write all pieces, in this thread and as many others as are of use.

    Whoever is free takes the next piece, for a thread that sleeps may take a millisecond to wake.
    These are threads of Python, as the compiled code lets go of the GIL. Several callers can
    build at once, and a child process after a fork makes threads of its own; Numba's pools
    promise neither, and compiling for them takes as long again.
    """
    waiting = iter(pieces)

    def work() -> None:
        for piece in waiting:
            write(*piece)

    helpers = min(get_num_threads(), len(pieces)) - 1
    others = [_workers().submit(work) for _ in range(helpers)]
    work()
    for other in others:
        other.result()


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    most: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # made when it is imported
    return ThreadPoolExecutor(most, "convmat")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_workers.cache_clear)
