"""The walk of a weight and of an input: from the call that a user writes down to the kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numba
import numpy as np
import pytest

import convmat as cm

ROOT = Path(cm.__file__).parent
TEAM = "kernels/cpu/threads/team.py"  # what is handed to it, it calls: that is no way back
MOST = 15  # modules that are entered

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="then kernels are Python too")


class Walk:
    """The modules that are entered, in order, and where one turns back to an earlier one."""

    def __init__(self) -> None:
        self.modules: list[str] = []
        self.turns: list[str] = []
        self.stack: list[str] = []

    def step(self, frame: FrameType, event: str, _: Any) -> None:
        path = Path(frame.f_code.co_filename)
        if event not in {"call", "return"} or ROOT not in path.parents:
            return
        if event == "return":
            del self.stack[-1:]
            return
        name = path.relative_to(ROOT).as_posix()
        if name not in self.modules:
            self.modules.append(name)
        if name in self.stack and self.stack[-1] not in {name, TEAM}:
            self.turns.append(" > ".join([*self.stack, f"{name}:{frame.f_code.co_name}"]))
        self.stack.append(name)


def walked(work: Callable[[], Any]) -> Walk:
    """Do some work, which is known already: what it loads and compiles is no part of the walk."""
    walk = Walk()
    with one_thread():
        work()
        sys.setprofile(walk.step)
        try:
            work()
        finally:
            sys.setprofile(None)
    return walk


@contextmanager
def one_thread() -> Iterator[None]:
    """Leave other threads alone, for which there is a module more to wait in."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("algorithm", ["auto", "direct", "gemm", "winograd"])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_layer_is_made_and_applied_in_a_straight_line(padding, algorithm) -> None:
    weight = np.ones((64, 64, 3, 3), "f4")
    x = np.ones((64, 14, 14), "f4")
    walk = walked(lambda: cm.conv(weight, x.shape, padding=padding)(x, algorithm=algorithm))
    assert "layers/convolution.py" in walk.modules
    assert TEAM in walk.modules
    assert len(walk.modules) <= MOST, "\n".join(walk.modules)
    assert not walk.turns, "\n".join(walk.turns)


def test_a_layer_that_is_known_is_applied_in_few_modules() -> None:
    A = cm.conv(np.ones((64, 64, 3, 3), "f4"), (64, 14, 14))
    x = np.ones((64, 14, 14), "f4")
    walk = walked(lambda: A(x))
    assert TEAM in walk.modules
    assert len(walk.modules) <= MOST // 2, "\n".join(walk.modules)
    assert not walk.turns, "\n".join(walk.turns)


def test_ways_back_are_seen() -> None:
    A = cm.conv(np.ones((1, 1, 3)), (1, 5))
    walk = walked(lambda: (A @ A.T)(np.ones((1, 3))))  # a product calls its factors, and they it
    assert walk.turns
