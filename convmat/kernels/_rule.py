"""The index rule of `convmat.geometry`, compiled: the same functions, the same records."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from convmat import geometry
from convmat.geometry import Progression, Window

__all__ = ["as_progression", "as_window", "solve"]

Row = np.ndarray[Any, np.dtype[np.int64]]

solve = njit(inline="always")(geometry.solve)


@njit(inline="always")
def as_window(row: Row) -> Window:
    return Window(row[0], row[1], row[2], row[3], row[4], row[5], row[6])


@njit(inline="always")
def as_progression(row: Row) -> Progression:
    return Progression(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7])
