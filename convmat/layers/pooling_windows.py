"""What poolings have in common, and what their constructors and others need in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.window import Window, solve
from convmat.matrix.limits import check_memory

__all__ = ["check_entries", "check_windows", "first_inputs"]

Array = np.ndarray[Any, np.dtype[Any]]

BYTES = 80  # of an entry of a map, its neighbours and what stands beside them while it is made


def check_entries(*counts: int, each: int = BYTES) -> None:
    """Refuse maps of so many entries, inputs and outputs if they would not fit in memory."""
    check_memory(each * sum(counts), "use smaller sizes: the maps of the axes alone need that")


def first_inputs(axis: Window) -> tuple[Array, Array]:
    """Return the first input of each window, and how many it holds."""
    offsets = axis.stride * np.arange(axis.n_out, dtype=np.int64) - axis.pad
    _, first, count = solve(axis.taps(), offsets)
    return first, count


def check_windows(axes: tuple[Window, ...]) -> None:
    """Refuse windows that lie in the padding, whole or between the taps that reach the input."""
    check_entries(2 * sum(axis.n_out for axis in axes))
    for number, axis in enumerate(axes):
        empty = np.flatnonzero(first_inputs(axis)[1] == 0)
        if empty.size:
            o = int(empty[0])
            first = axis.stride * o - axis.pad
            reads = [first + axis.dilation * k for k in range(min(axis.kernel, 8))]
            more = ", ..." if axis.kernel > 8 else ""
            raise GeometryError(
                "padding",
                axis.pads,
                f"output {o} along spatial axis {number} has a window without any input: it "
                f"reads only {', '.join(map(str, reads))}{more} of 0 to {axis.n_in - 1}",
                "use less padding or dilation, or a larger kernel",
            )
