"""How the package compiles, and the index rule of `convmat.geometry` compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from convmat import geometry
from convmat.geometry import Progression, Window

__all__ = ["as_progression", "as_window", "compiled", "inlined", "solve"]

Row = np.ndarray[Any, np.dtype[np.int64]]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile without the GIL, and keep the machine code on disk where there is a place for it.

    Divisors are never zero here; Python's error model would check each of them.
    """
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no directory is writeable: compile in every process
        return njit(nogil=True, error_model="numpy")(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile into the callers: a call would copy every record and count every array."""
    return njit(inline="always", error_model="numpy")(function)


solve = njit(inline="always")(geometry.solve)


@njit(inline="always")
def as_window(row: Row) -> Window:
    return Window(row[0], row[1], row[2], row[3], row[4], row[5], row[6])


@njit(inline="always")
def as_progression(row: Row) -> Progression:
    return Progression(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7])
