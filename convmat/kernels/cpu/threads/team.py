"""The threads that share calls of kernels; see `convmat.kernels.cpu.threads.sharing`."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import time
from collections.abc import Callable
from functools import lru_cache
from threading import Lock, Semaphore, Thread
from typing import Any

import numpy as np

from convmat.kernels.cpu.threads import sharing
from convmat.kernels.cpu.threads.pieces import compiler, threads

__all__ = ["together"]

Kernel = Callable[..., Any]

AWAKE = 2e-4  # seconds that a thread waits for the next call: about what it takes to wake it
LINE = 64  # bytes
TRIAL = 1000  # turns of waiting that are timed


def together(kernel: Kernel, arguments: tuple[Any, ...], count: int, pieces: int) -> None:
    """Call ``kernel(team, *arguments, first, last)`` for [0, count), cut into so many pieces.

    In this thread and as many others as Numba's number of threads allows. If the team works for
    another caller, this thread does all by itself; and again if a piece fails, to say why: what
    a kernel writes must be the same if it is called twice. Arguments must stay what they are
    until the call is over. Records are passed as plain tuples, of which a kernel makes records
    again: Numba knows the type of a plain one in half the time.
    """
    passed = [tuple(one) if isinstance(one, tuple) else one for one in arguments]
    pieces = min(pieces, count, sharing.MOST)
    helpers = min(threads(), pieces) - 1
    if helpers > 0 and compiler():
        team = _team()
        free = False
        try:
            free = team.busy.acquire(blocking=False)
            if free and team.call(kernel, passed, count, pieces, helpers):
                return
        finally:
            if free:
                team.busy.release()
    kernel(0, *passed, 0, count)


class Team:
    """Threads that wait for calls, and the memory where they find them."""

    def __init__(self) -> None:
        memory = np.zeros(sharing.WORDS + LINE // 8, np.int64)
        ahead = -memory.ctypes.data % LINE // 8
        self.words = memory[ahead : ahead + sharing.WORDS]
        self.address = self.words.ctypes.data
        self.busy = Lock()
        self.asleep: list[bool] = []
        self.gates: list[Semaphore] = []
        self.members: list[Thread] = []
        self.places: set[int] = set()  # the processors that who woke the others leaves them
        self.process = os.getpid()
        self.turns = self._turns()

    def call(
        self, kernel: Kernel, arguments: list[Any], count: int, pieces: int, helpers: int
    ) -> bool:
        """Share a call, and say whether all went well: if not, the kernel can say what is wrong."""
        try:
            while len(self.members) < helpers:
                self._hire()
        except RuntimeError:  # no thread can be started, as at the end of a program
            return False
        self.words[sharing.PIECES] = self.words[sharing.DONE] = pieces
        self.words[sharing.HELPERS] = helpers
        self.words[sharing.ERROR] = 0
        if any(self.asleep[:helpers]):
            self.places = _places(helpers)
            for number in range(helpers):
                if self.asleep[number]:
                    self.asleep[number] = False
                    self.gates[number].release()
        try:
            kernel(self.address, *arguments, 0, count)
        finally:
            self._finish()
        return not self.words[sharing.ERROR]

    def close(self) -> None:
        """Send all threads home."""
        if os.getpid() != self.process:  # in a child they do not exist
            return
        self.words[sharing.CLOSED] = 1
        for gate in self.gates:
            gate.release()
        for member in self.members:
            member.join(1)

    def _finish(self) -> None:
        """Wait for the others, who use the arguments, whatever happens meanwhile."""
        interrupt: BaseException | None = None
        over = False
        while not over:
            try:
                while not sharing.wait(self.address, self.turns):
                    time.sleep(0)
                over = True
            except BaseException as error:  # noqa: BLE001, what a handler of a signal raises
                interrupt = error
        if interrupt:
            raise interrupt

    def _hire(self) -> None:
        number = len(self.members)
        self.asleep[number:], self.gates[number:] = [False], [Semaphore(0)]
        member = Thread(target=self._work, args=(number,), name=f"convmat-{number}", daemon=True)
        member.start()
        self.members.append(member)

    def _work(self, number: int) -> None:
        while not self.words[sharing.CLOSED]:
            sharing.serve(self.address, number, self.turns)
            self.asleep[number] = True
            self.gates[number].acquire()
            _stay_at(self.places)

    def _turns(self) -> int:
        """Return how many turns a thread waits awake."""
        sharing.serve(self.address, 0, 1)  # which loads it
        sharing.wait(self.address, 1)
        start = time.perf_counter()
        sharing.serve(self.address, 0, TRIAL)
        return int(TRIAL * AWAKE / (time.perf_counter() - start)) + 1


def _places(helpers: int) -> set[int]:
    """Return the processors for so many threads besides this one; none where that is not known.

    Linux may wake a thread on the processor of who woke it, and leave it there for milliseconds
    while others idle: two threads then take longer than one.
    """
    if not hasattr(os, "sched_getaffinity"):
        return set()
    try:
        allowed = os.sched_getaffinity(0)
        others = allowed - {_c_library().sched_getcpu()}
    except (AttributeError, OSError):  # not every C library tells
        return set()
    return others if len(others) >= helpers else allowed


@lru_cache(maxsize=1)
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _stay_at(places: set[int]) -> None:
    """Run this thread on these processors alone, where that is allowed: nothing else is lost."""
    if places:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, places)


@lru_cache(maxsize=1)
def _team() -> Team:
    team = Team()
    atexit.register(team.close)
    return team


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_team.cache_clear)
