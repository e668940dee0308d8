"""Pieces of work for several threads."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache

from numba import config, get_num_threads

__all__ = ["PIECES", "Write", "compiler", "cut", "in_threads", "pieces_for", "threads"]

Piece = tuple[int, int]
Write = Callable[[int, int], None]

PIECES = 4  # for each thread
WORTH_THREADS = 1e-5  # seconds: several times what it costs to share a call


def threads() -> int:
    """Return Numba's number of threads, which is the user's to set and never changed here."""
    number: int = get_num_threads()
    return number


def compiler() -> bool:
    """Say whether there is one: without it kernels are functions of Python."""
    return not config.DISABLE_JIT  # type: ignore[attr-defined]  # made when it is imported


def cut(count: int, pieces: int) -> list[tuple[int, int]]:
    """Cut [0, count) into so many pieces of nearly one size, or fewer: none is empty."""
    pieces = max(min(count, pieces), 1)
    ends = [count * i // pieces for i in range(pieces + 1)]
    return list(itertools.pairwise(ends))


def pieces_for(seconds: float) -> int:
    """Return into how many pieces it is worth cutting what takes one thread so long."""
    number = threads()
    return PIECES * number if number > 1 and seconds > WORTH_THREADS else 1


def in_threads(write: Write, pieces: list[Piece]) -> None:
    """Write all pieces, in this thread and as many others as are of use.

    For what takes milliseconds, or is not one kernel: whoever is free takes the next piece, for a
    thread that sleeps may take a millisecond to wake. These are threads of Python, as the
    compiled code lets go of the GIL. Several callers can build at once, and a child process after
    a fork makes threads of its own; Numba's pools promise neither, and compiling for them takes
    as long again. Where no other thread can be had, this one does all.
    """
    waiting, done, failed = iter(pieces), deque[bool](), deque[BaseException]()

    def work() -> None:
        try:
            for piece in waiting:
                if failed:  # the caller is gone, and may be using the arrays
                    return
                write(*piece)
                done.append(True)
        except BaseException as error:  # noqa: BLE001, raised again by the caller
            failed.append(error)

    for _ in range(min(get_num_threads(), len(pieces)) - 1):
        with suppress(RuntimeError):  # no thread can be started, or the interpreter ends
            _workers().submit(work)
    work()
    while len(done) < len(pieces) and not failed:  # the others are about to finish
        time.sleep(0)
    if failed:
        raise failed[0]


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    most: int = config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]  # made when it is imported
    return ThreadPoolExecutor(most, "convmat")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_workers.cache_clear)
