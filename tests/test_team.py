"""Calls of kernels that several threads share: every item once, whatever else goes on."""

import os
import subprocess
import sys

import pytest

KERNELS = """
import numpy as np
from convmat.kernels.cpu.threads import pieces, sharing, team
from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.threads.sharing import shared

@compiled
def square(team, x, pair, y, first, last):
    if shared(team):
        return
    mine = np.empty(3)
    for i in range(first, last):
        mine[i % 3] = x[i] * pair[1]
        y[i] += mine[i % 3] * x[i]

@compiled
def refuse(team, x, y, first, last):
    if shared(team):
        return
    for i in range(first, last):
        if x[i] < 0:
            raise ValueError("less than zero")
        y[i] = x[i]

def right(count, pieces):
    x, y = np.arange(float(count)), np.zeros(count)
    team.together(square, (x, (7, 2.0), y), count, pieces)
    np.testing.assert_array_equal(y, 2 * x * x)

def right_in_python():
    y = np.zeros(100)
    def write(first, last):
        y[first:last] += 1
    pieces.in_threads(write, pieces.cut(100, 8))
    np.testing.assert_array_equal(y, np.ones(100))
"""

PROGRAMS = {
    "every item is written once": """
for count in (1, 2, 3, 10, 1000, 100_000):
    for pieces in (1, 2, 3, 8, 1000, 70_000):
        right(count, pieces)
""",
    "nothing to do": """
x = np.zeros(0)
team.together(square, (x, (7, 2.0), x), 0, 8)
""",
    "threads that went to sleep are woken": """
import time
for pause in (0, 0.01, 0.0002, 0.05):
    for _ in range(20):
        time.sleep(pause)
        right(1000, 9)
assert len(team._team().members) == 2
""",
    "errors are those of the kernel": """
x, y = np.arange(1000.0), np.zeros(1000)
for wrong in (0, 500, 999):
    x[wrong] = -1
    try:
        team.together(refuse, (x, y), 1000, 8)
    except ValueError as error:
        assert "less than zero" in str(error)
    else:
        raise AssertionError(wrong)
    x[wrong] = wrong
    team.together(refuse, (x, y), 1000, 8)
    np.testing.assert_array_equal(x, y)
""",
    "several callers": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(6) as pool:
    list(pool.map(lambda _: right(20_000, 12), range(300)))
""",
    "a caller while the team is busy": """
right(100, 4)
with team._team().busy:
    right(1000, 8)
""",
    "a wrong call leaves the team in order": """
for _ in range(3):
    try:
        team.together(square, (1,), 1000, 8)
    except TypeError:
        pass
    right(1000, 8)
""",
    "an interrupt waits for the others": """
right(100, 4)
waiting = sharing.wait
for kind in (KeyboardInterrupt, TimeoutError, SystemExit):
    seen = []
    def interrupted(*given):
        seen.append(given)
        if len(seen) == 1:
            raise kind
        return waiting(*given)
    sharing.wait = interrupted
    try:
        right(1000, 8)
    except kind:
        assert len(seen) > 1
    else:
        raise AssertionError("the interrupt is lost")
right(1000, 8)
""",
    "after a fork": """
import os
right(1000, 8)
child = os.fork() if hasattr(os, "fork") else None
if child == 0:
    right(1000, 8)
    os._exit(0 if len(team._team().members) == 2 else 3)
if child:
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    right(1000, 8)
""",
    "no thread can be started": """
def none(*_):
    raise RuntimeError("can't start new thread")
team.Thread.start = none
right(1000, 8)
right(1000, 8)
""",
    "functions of Python where no thread can be started": """
import threading
def none(*_):
    raise RuntimeError("can't start new thread")
threading.Thread.start = none
right_in_python()
right_in_python()
""",
    "while the interpreter ends": """
import atexit, os
def last():
    try:
        right(1000, 8)
        right_in_python()
    except BaseException as error:
        os.write(2, repr(error).encode())
        os._exit(3)
atexit.register(last)
""",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_shared_calls(name):
    """In a process of its own, with three threads, which also ends when its program does."""
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", KERNELS + PROGRAMS[name]]
    env = {**os.environ, "NUMBA_NUM_THREADS": "3", "NUMBA_DISABLE_JIT": "0"}
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
