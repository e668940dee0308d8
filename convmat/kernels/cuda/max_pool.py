"""Max pooling: a thread for each output, which keeps the greatest number and where it was."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numba import cuda, int32, int64, types

from convmat.geometry.arguments import GeometryError
from convmat.geometry.window import Window
from convmat.kernels.cuda.arrays import Held, memory_of, uploaded
from convmat.kernels.cuda.engine import Kernel, Launch, number_type, pointer_to, sizes_of
from convmat.kernels.cuda.windows import AXES, POINT, tables
from convmat.kernels.cuda.words import moved

__all__ = ["max_pool", "max_pool_kernel"]

SIZES = 9


def max_pool(
    axes: tuple[Window, ...], x: Held, planes: int, shape: tuple[int, ...], *, named: bool
) -> tuple[Any, Any]:
    """Return values and switches of so many planes, in arrays of a shape; see `MaxPool`.

    Without `named` there are no switches. Of several NaN in a window the last one wins, as on the
    CPU.
    """
    axes = (POINT,) * (AXES - len(axes)) + axes
    places = math.prod(axis.n_out for axis in axes)
    inputs = math.prod(axis.n_in for axis in axes)
    if len(axes) > AXES or max(places, inputs) >= 1 << 31:
        raise GeometryError("x", x.shape, "has more than kernels can count", "copy x to the host")
    y = x.empty(shape, x.dtype)
    switches = x.empty(shape, np.dtype(np.int64)) if named else y
    if planes * places:
        table, steps = _prepared(axes, x.device)
        sizes = *(axis.n_out for axis in axes), *steps, inputs, planes, places
        found = memory_of(y), memory_of(switches), memory_of(table)
        kernel = max_pool_kernel(x.dtype, named=named)
        kernel(Launch(places, planes), x, x.memory, *found, sizes_of(*sizes))
    return y, switches if named else None


@lru_cache(maxsize=64)
def _prepared(axes: tuple[Window, ...], _device: int) -> tuple[Any, list[int]]:
    """Return a table on the device, and how far inputs move from tap to tap."""
    table, steps = tables(axes, 1)
    return uploaded(table), steps[::2]


def max_pool_kernel(dtype: np.dtype[Any], *, named: bool) -> Kernel:
    """Return the kernel, with switches or without."""
    switches = types.CPointer(int64) if named else pointer_to(dtype)
    pointers = pointer_to(dtype), pointer_to(dtype), switches, types.CPointer(int32)
    number = number_type(dtype)
    compared = types.float32 if dtype == np.float16 else number
    signature = *pointers, types.UniTuple(int32, SIZES)
    return Kernel(_greatest, (named, number, compared), signature)


def _greatest(named: bool, number: Any, compared: Any) -> Callable[..., None]:
    """Make the kernel for numbers of one type, which may be compared in a wider one."""

    def greatest(x: Any, y: Any, switches: Any, table: Any, sizes: Any) -> None:
        m0, m1, m2, i0, i1, i2, inputs, planes, places = sizes
        place = int32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        while place < places:
            line = int32(place // m2)
            at0 = int32(line // m1)
            at1 = int32(3 * m0 + int32(line % m1))
            at2 = int32(3 * (m0 + m1) + int32(place % m2))
            first = int32(table[at0] + table[at1] + table[at2])
            n0 = table[int32(at0 + 2 * m0)]
            n1 = table[int32(at1 + 2 * m1)]
            n2 = table[int32(at2 + 2 * m2)]
            plane = int32(cuda.blockIdx.y)
            while plane < planes:
                source = moved(x, int64(plane) * inputs)
                best, at = compared(source[first]), first
                read0, t0 = first, int32(0)
                while t0 < n0:
                    read1, t1 = read0, int32(0)
                    while t1 < n1:
                        read2, t2 = read1, int32(0)
                        while t2 < n2:
                            value = compared(source[read2])
                            if value > best or value != value:  # noqa: PLR0124, NaN
                                best, at = value, read2
                            read2, t2 = int32(read2 + i2), int32(t2 + 1)
                        read1, t1 = int32(read1 + i1), int32(t1 + 1)
                    read0, t0 = int32(read0 + i0), int32(t0 + 1)
                to = int64(plane) * places + place
                y[to] = number(best)
                if named:
                    switches[to] = int64(at)
                plane = int32(plane + cuda.gridDim.y)
            place = int32(place + cuda.gridDim.x * cuda.blockDim.x)

    return greatest
