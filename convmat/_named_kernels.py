"""Kernels by name, of any size, with exact taps."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np

from convmat._check import GeometryError
from convmat._padding import per_axis

__all__ = ["KERNELS", "RANDOM", "depthwise", "triangle"]

Array = np.ndarray[Any, np.dtype[Any]]
Taps = list[Fraction]

RANDOM = "random"


def triangle(size: int) -> Taps:
    """Return the taps of linear interpolation on `size` positions: a triangle around the middle.

    With size = 2r - r mod 2 they are those of upsampling by r.

    Examples
    --------
    >>> [str(tap) for tap in triangle(4)], [str(tap) for tap in triangle(3)]
    (['1/4', '3/4', '3/4', '1/4'], ['1/2', '1', '1/2'])
    """
    reach = (size + 1) // 2
    return [1 - abs(tap - Fraction(size - 1, 2)) / reach for tap in range(size)]


def _ones(size: int) -> Taps:
    return [Fraction(1)] * size


def _box(size: int) -> Taps:
    return [Fraction(1, size)] * size


def _identity(size: int) -> Taps:
    return [Fraction(int(tap == (size - 1) // 2)) for tap in range(size)]


# Taps along one axis; a kernel is their product over the axes.
KERNELS: dict[str, Callable[[int], Taps]] = {
    "ones": _ones,
    "box": _box,
    "triangle": triangle,
    "identity": _identity,
}


def depthwise(shape: tuple[int, ...], options: dict[str, Any]) -> Array:
    """Return the weight (C, 1, *kernel) of a named kernel that is applied to every channel."""
    name, sizes = options.pop("weight", None), options.pop("kernel_size", None)
    seed = options.pop("seed", 0)
    known = (*KERNELS, RANDOM)
    if name not in known:
        raise GeometryError(
            "weight", name, "is not a known kernel", f"use one of {', '.join(known)}"
        )
    ndim = max(len(shape) - 1, 1)
    if sizes is None and name == "triangle":
        steps = per_axis("stride", options.get("stride", 1), ndim, 1)
        sizes = tuple(2 * step - step % 2 for step in steps)
    if sizes is None:
        raise GeometryError(
            "kernel_size", None, f"is needed for the kernel {name}", "add kernel=3, or kernel=3x5"
        )
    kernel = per_axis("kernel_size", sizes, ndim, 1)
    channels = shape[0]
    if name == RANDOM:
        if seed < 0:
            raise GeometryError("seed", seed, "must be at least 0", "use seed=0")
        return np.random.default_rng(seed).standard_normal((channels, 1, *kernel))
    taps = [np.array([float(tap) for tap in KERNELS[name](size)]) for size in kernel]
    product: Array = reduce(np.multiply.outer, taps)
    return np.broadcast_to(product, (channels, 1, *kernel))
