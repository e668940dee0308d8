"""Following the instructions of a program at many places in exact integers of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convmat.symbolic.formulas.programs import Program

__all__ = ["evaluate_exactly"]

Array = np.ndarray[Any, np.dtype[Any]]


def evaluate_exactly(
    program: Program, at: Mapping[str, Array], count: int
) -> tuple[list[Array], list[Array]]:
    """Return the value of every instruction at each place, and whether it has one there.

    Parameters
    ----------
    program : Program
    at : dict of symbol to integer array (count,)
    count : int

    Notes
    -----
    Arrays hold Python integers, so nothing overflows or is rounded; an instruction takes about
    50 ns at a place. `convmat.proof.sizes.instructions.evaluate` is faster, for small sizes.
    """
    values: list[Array] = []
    there: list[Array] = []
    everywhere = np.ones(count, bool)
    for kind, first, second in program.code:
        if kind in ("number", "name"):
            source: Any = at[first] if kind == "name" else first
            values.append(np.broadcast_to(np.asarray(source, dtype=object), (count,)))
            there.append(everywhere)
            continue
        a, b = values[first], values[second]
        exists = there[first] if kind == "sign" else there[first] & there[second]
        if kind == "sign":
            exists = exists & (a != 0).astype(bool)
            values.append((a > 0).astype(int).astype(object) * 2 - 1)
        elif kind == "floor":
            positive = (b > 0).astype(bool)
            exists = exists & positive
            values.append(a // np.where(positive, b, 1))
        else:
            values.append(_ARRAYS[kind](a, b))
        there.append(exists)
    return values, there


_ARRAYS: dict[str, Callable[[Array, Array], Array]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "min": np.minimum,
    "max": np.maximum,
}
