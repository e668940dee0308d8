"""Pieces of work for several threads."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from numba import config, get_num_threads

__all__ = ["PIECES", "Write", "cut", "in_stages", "in_threads", "pieces_for", "threads"]

Piece = tuple[int, int]
Write = Callable[[int, int], None]

PIECES = 4  # for each thread
WORTH_THREADS = 1.5e-4  # seconds: about twice what a sleeping thread takes to wake


def threads() -> int:
    """Return Numba's number of threads, which is the user's to set and never changed here."""
    number: int = get_num_threads()
    return number


def cut(count: int, pieces: int) -> list[tuple[int, int]]:
    """Cut [0, count) into so many pieces of nearly one size, or fewer: none is empty."""
    pieces = max(min(count, pieces), 1)
    ends = [count * i // pieces for i in range(pieces + 1)]
    return list(itertools.pairwise(ends))


def pieces_for(seconds: float) -> int:
    """Return into how many pieces it is worth cutting what takes one thread so long."""
    return PIECES * get_num_threads() if seconds > WORTH_THREADS else 1


def in_threads(write: Write, pieces: list[Piece]) -> None:
    """Write all pieces, in this thread and as many others as are of use.

    Whoever is free takes the next piece, for a thread that sleeps may take a millisecond to wake.
    These are threads of Python, as the compiled code lets go of the GIL. Several callers can
    build at once, and a child process after a fork makes threads of its own; Numba's pools
    promise neither, and compiling for them takes as long again.
    """
    in_stages((write, pieces))


def in_stages(*stages: tuple[Write, list[Piece]]) -> None:
    """Write all pieces of one stage, then all of the next: threads are woken once for all."""
    most = max(len(pieces) for _, pieces in stages)
    helpers = min(get_num_threads(), most) - 1
    if helpers <= 0:
        for write, pieces in stages:
            for piece in pieces:
                write(*piece)
        return
    waiting = [_Stage(write, pieces) for write, pieces in stages]
    failed: list[BaseException] = []

    def work() -> None:
        for stage in waiting:
            stage.take(failed)

    for _ in range(helpers):
        _workers().submit(work)
    work()
    if failed:
        raise failed[0]


class _Stage:
    """Pieces of which every thread takes one after another, and waits until all are written."""

    def __init__(self, write: Write, pieces: list[Piece]) -> None:
        self.write = write
        self.pieces = iter(pieces)
        self.count = len(pieces)
        self.done: deque[bool] = deque()

    def take(self, failed: list[BaseException]) -> None:
        """Write pieces while there are any, and none has failed."""
        try:
            for piece in self.pieces:
                if failed:  # the caller is gone, and may be using the arrays
                    return
                self.write(*piece)
                self.done.append(True)
        except BaseException as error:  # noqa: BLE001, raised again by the caller
            failed.append(error)
        while len(self.done) < self.count and not failed:  # the others are about to finish
            time.sleep(0)


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    most: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # made when it is imported
    return ThreadPoolExecutor(most, "convmat")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_workers.cache_clear)
