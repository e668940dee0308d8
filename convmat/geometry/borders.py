"""Where the cells beyond the end of an axis come from: one map for each padding mode."""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.keywords import MODES, as_mode
from convmat.geometry.sizes import padded_size

__all__ = ["MODES", "padding_map"]


def padding_map(n: int, low: int, high: int, mode: str) -> AxisMap:
    """Return the map that adds `low` and `high` cells to an axis of n; negative numbers crop.

    Output o stands at position ``p = o - low`` of the axis and reads input

    ==========  ===========================================  ==================
    mode        beyond the ends                              limit of each side
    ==========  ===========================================  ==================
    zeros       nothing
    reflect     ``-p`` below, ``2*(n - 1) - p`` above        n - 1
    replicate   ``0`` below, ``n - 1`` above
    circular    ``p mod n``                                  n
    symmetric   ``-1 - p`` below, ``2*n - 1 - p`` above      n
    ==========  ===========================================  ==================

    Where one side is cropped and the other grows, the two could be done in either order, and
    PyTorch does both: reflect and replicate (and so symmetric) continue the whole axis and crop
    then, even all of the axis itself; circular crops first and wraps what is left. So does this.

    Raises
    ------
    GeometryError
        An unknown mode, a side beyond its limit, or a crop that leaves no output, or nothing to
        wrap around.

    Examples
    --------
    >>> padding_map(4, 2, 1, "reflect").inputs
    array([2, 1, 0, 1, 2, 3, 2])
    >>> padding_map(4, 2, 1, "symmetric").inputs
    array([1, 0, 0, 1, 2, 3, 3])
    >>> padding_map(4, -3, 2, "replicate").inputs, padding_map(4, -2, 2, "circular").inputs
    (array([3, 3, 3]), array([2, 3, 2, 3]))
    """
    as_mode("mode", mode)
    size = padded_size(n, (low, high))
    first, stop = max(-low, 0), n - max(-high, 0)  # what a crop leaves
    if mode == "circular" and first >= stop:
        raise GeometryError(
            "padding",
            (low, high),
            f"crops all of an axis of {n}, so that nothing is left to wrap around",
            f"crop {n - 1} in all at most",
        )
    _check_limit(n, low, high, mode, stop - first)
    position = np.arange(size) - low
    return AxisMap.choosing(n, _sources(position, n, first, stop, mode))


def _sources(position: Any, n: int, first: int, stop: int, mode: str) -> Any:
    if mode == "zeros":
        return np.where((position >= 0) & (position < n), position, -1)
    if mode == "replicate":
        return np.clip(position, 0, n - 1)
    if mode == "circular":
        return first + (position - first) % (stop - first)
    mirrored = -position if mode == "reflect" else -1 - position
    beyond = 2 * (n - 1) if mode == "reflect" else 2 * n - 1
    return np.where(position < 0, mirrored, np.where(position < n, position, beyond - position))


def _check_limit(n: int, low: int, high: int, mode: str, left: int) -> None:
    """Refuse padding that would need the same cells a second time."""
    limits = {"reflect": n - 1, "symmetric": n, "circular": left}
    limit = limits.get(mode)
    if limit is None or max(low, high) <= limit:
        return
    rule = {
        "reflect": f"reflect padding of an axis of {n} can be at most {limit} on each side",
        "symmetric": f"symmetric padding of an axis of {n} can be at most {limit} on each side",
        "circular": f"circular padding can wrap only once, and {left} of an axis of {n} are left",
    }
    raise GeometryError(
        "padding", (low, high), rule[mode], f"use at most {limit}, or padding with 'replicate'"
    )
