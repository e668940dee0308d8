"""How the package compiles, and the index rule of `convmat.geometry.window` compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from convmat.geometry import window
from convmat.geometry.window import Progression, Window
from convmat.kernels.keeping import Kept, Unkept

__all__ = ["as_progression", "as_window", "compiled", "inlined", "solve", "sources"]

Row = np.ndarray[Any, np.dtype[np.int64]]


def compiled(function: Callable[..., Any]) -> Any:
    """Compile without the GIL, and keep the machine code on disk where there is a place for it.

    Divisors are never zero here; Python's error model would check each of them.
    """
    made: Any = njit(nogil=True, error_model="numpy")(function)
    if made is function:  # compiling is switched off
        return made
    try:
        # Numba keeps code until the file of the function changes; but it holds what others define.
        made._cache = Kept(function, sources("cpu"))
    except (OSError, RuntimeError):  # no directory is writeable
        made._cache = Unkept(function)
    return made


@lru_cache(maxsize=2)
def sources(room: str) -> str:
    """Return a digest of all that the kernels in a folder beside this file are made of."""
    found = hashlib.blake2b(digest_size=16)
    folder = Path(__file__).parent
    records = folder.parent / "geometry" / "window.py"
    for path in [records, *sorted(folder.glob("*.py")), *sorted((folder / room).rglob("*.py"))]:
        found.update(path.read_bytes())
    return found.hexdigest()


def inlined(function: Callable[..., Any]) -> Any:
    """Compile into the callers: a call would copy every record and count every array."""
    return njit(inline="always", error_model="numpy")(function)


solve = njit(inline="always")(window.solve)


@njit(inline="always")
def as_window(row: Row) -> Window:
    """Read a window from a row of numbers."""
    return Window(row[0], row[1], row[2], row[3], row[4], row[5], row[6])


@njit(inline="always")
def as_progression(row: Row) -> Progression:
    """Read a progression from a row of numbers."""
    return Progression(row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7])
