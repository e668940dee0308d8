"""Kernels by name: of any size, with exact taps, and filters of 3 x 3 taps."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.keywords import per_axis
from convmat.matrix.limits import check_memory

__all__ = ["FILTERS", "KERNELS", "RANDOM", "Taps", "depthwise", "filters", "triangle"]

Array = np.ndarray[Any, np.dtype[Any]]

RANDOM = "random"
LARGEST = 1 << 24  # taps: what a layer does shows with fewer


class Taps(NamedTuple):
    """Taps ``numerators / denominator``, exactly."""

    numerators: Array
    denominator: int


def triangle(size: int) -> Taps:
    """Return the taps of linear interpolation on `size` positions: a triangle around the middle.

    With size = 2r - r mod 2 they are those of upsampling by r.

    Examples
    --------
    >>> triangle(4), triangle(3)
    (Taps(numerators=array([1, 3, 3, 1]), denominator=4),
     Taps(numerators=array([1, 2, 1]), denominator=2))
    """
    reach = 2 * ((size + 1) // 2)
    numerators = reach - np.abs(2 * np.arange(size) - (size - 1))
    common = math.gcd(reach, int(np.gcd.reduce(numerators)))
    return Taps(numerators // common, reach // common)


def _ones(size: int) -> Taps:
    return Taps(np.ones(size, np.int64), 1)


def _box(size: int) -> Taps:
    return Taps(np.ones(size, np.int64), size)


def _identity(size: int) -> Taps:
    return Taps((np.arange(size) == (size - 1) // 2).astype(np.int64), 1)


# Taps along one axis; a kernel is their product over the axes.
KERNELS: dict[str, Callable[[int], Taps]] = {
    "ones": _ones,
    "box": _box,
    "triangle": triangle,
    "identity": _identity,
}

# Stacks of filters of 3 x 3 taps, one for each output channel.
FILTERS: dict[str, list[list[list[float]]]] = {
    "sobel": [
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    ],
    "gaussian": [[[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]]],
    "laplacian": [[[0, 1, 0], [1, -4, 1], [0, 1, 0]]],
}


def filters(name: str) -> Array:
    """Return the stack (F, 3, 3) of a name in `FILTERS`, or the one filter of one in `KERNELS`."""
    if name in FILTERS:
        return np.array(FILTERS[name], np.float64)
    taps = KERNELS[name](3)
    return np.multiply.outer(taps.numerators, taps.numerators)[None] / taps.denominator**2


def depthwise(shape: tuple[int, ...], options: dict[str, Any]) -> tuple[Array, Fraction]:
    """Return the weight (C, 1, *kernel) of a named kernel for every channel, and its multiple.

    The multiple is 1 if floats hold all taps exactly; else the weight is of integers, and the
    kernel is the multiple of it. Takes what it reads out of `options`.
    """
    name, sizes = options.pop("weight", None), options.pop("kernel_size", None)
    known = (*KERNELS, RANDOM)
    if name is None:
        raise GeometryError(
            "weight",
            None,
            "is missing: a convolution needs a kernel",
            f"use one of {', '.join(known)}, as in conv:ones,kernel=3",
        )
    if name not in known:
        raise GeometryError(
            "weight", name, "is not a known kernel", f"use one of {', '.join(known)}"
        )
    if name != RANDOM and "seed" in options:
        raise GeometryError(
            "seed", options["seed"], f"has no meaning for the kernel {name}", "leave it out"
        )
    seed = options.pop("seed", 0)
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
    if math.prod(kernel) > LARGEST:
        raise GeometryError(
            "kernel_size", tuple(kernel), f"has more than {LARGEST} taps", "use a smaller kernel"
        )
    check_memory(16 * channels * math.prod(kernel), "use fewer channels")  # and the layer's copy
    if name == RANDOM:
        if seed < 0:
            raise GeometryError("seed", seed, "must be at least 0", "use seed=0")
        weight = np.random.default_rng(seed).standard_normal((channels, 1, *kernel))
        return weight, Fraction(1)
    taps = [KERNELS[name](size) for size in kernel]
    whole: Array = reduce(np.multiply.outer, [part.numerators for part in taps])
    whole = np.broadcast_to(whole, (channels, 1, *kernel))
    denominator = math.prod(part.denominator for part in taps)
    if denominator & (denominator - 1):  # no power of two
        return whole, Fraction(1, denominator)
    return whole / denominator, Fraction(1)
