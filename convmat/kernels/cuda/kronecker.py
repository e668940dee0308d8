"""Layers without weights of their own: a thread for each output, a loop for each axis.

The axis maps are tables on the GPU. Where all weights are ones, as where numbers only move, the
weights are constants of the kernel. Axes are summed one inside the other, so that a weight of an
outer axis is multiplied once for each sum of the inner ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda, int32, int64, types

from convmat.geometry.arguments import GeometryError
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Kronecker
from convmat.kernels.cuda.arrays import Held, memory_of, uploaded
from convmat.kernels.cuda.engine import Kernel, Launch, number_type, pointer_to, sizes_of
from convmat.kernels.cuda.words import inlined, moved

__all__ = ["Combination", "combination_kernel"]

Array = np.ndarray[Any, np.dtype[Any]]

AXES = 4  # of which the first ones have a single position where a layer has fewer
SIZES = 9


class Combination:
    """A Kronecker layer on a GPU, ready for numbers of one dtype.

    Parameters
    ----------
    record : Kronecker
    read : numpy.dtype
        Of the inputs.
    dtype : numpy.dtype
        In which all is computed.
    """

    def __init__(self, record: Kronecker, read: np.dtype[Any], dtype: np.dtype[Any]) -> None:
        maps = record.maps
        if len(maps) > AXES or max(*record.shape, *(part.nnz for part in maps)) >= 1 << 31:
            raise GeometryError(
                "x", record.in_shape, "has more axes or numbers than kernels can count", "split it"
            )
        front = AXES - len(maps)
        places = [part.n_out for part in maps]
        self.places = math.prod(places)
        table, entries = _table(record, front)
        values = [AxisMap.identity(1)] * front + list(maps)
        self.kept = (
            uploaded(np.concatenate([part.values(dtype) for part in values])),
            uploaded(table),
        )
        self.values, self.table = (memory_of(one) for one in self.kept)
        self.sizes = *([1] * front), *places, entries, *record.shape
        self.kernel = combination_kernel(read, dtype, ones=record.ones)

    def __call__(self, x: Held, y: Any, images: int) -> None:
        """Launch what writes y (images, *out_shape) of x (images, *in_shape)."""
        sizes = sizes_of(*self.sizes, images, self.places)
        launch = Launch(self.places, images)
        self.kernel(launch, x, x.memory, self.values, memory_of(y), self.table, sizes)


def combination_kernel(read: np.dtype[Any], dtype: np.dtype[Any], *, ones: bool) -> Kernel:
    """Return the kernel; with `ones` it reads no weights."""
    pointers = pointer_to(read), pointer_to(dtype), pointer_to(dtype), types.CPointer(int32)
    signature = *pointers, types.UniTuple(int32, SIZES)
    return Kernel(_combine, (ones, number_type(dtype)), signature, blocks=3)


def _table(record: Kronecker, front: int) -> tuple[Array, int]:
    """Return (first entries, their ends, rows) of each axis, then all columns, which begin where.

    Entries are counted through all axes.
    """
    parts = [np.array([axis, axis + 1, 0]) for axis in range(front)]
    columns = [np.zeros(front, np.int64)]
    before = front
    for axis, part in enumerate(record.maps):
        begin = part.begin + before
        rows = record.rows_of(axis, np.arange(part.n_out))
        parts.append(np.concatenate([begin[:-1], begin[1:], rows]))
        columns.append(record.columns_of(axis, part.inputs))
        before += part.nnz
    entries = sum(len(part) for part in parts)
    return np.concatenate([*parts, *columns]).astype(np.int32), entries


def _combine(ones: bool, number: Any) -> Callable[..., None]:
    """Make the kernel for weights of any kind, or for ones."""

    @inlined
    def weight(values: Any, entry: Any) -> Any:
        return number(1) if ones else values[entry]

    def combine(x: Any, values: Any, y: Any, table: Any, sizes: Any) -> None:
        m0, m1, m2, m3, entries, rows, columns, images, places = sizes
        read = moved(table, int64(entries))
        place = int32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        while place < places:
            at3 = int32(3 * (m0 + m1 + m2) + int32(place % m3))
            rest = int32(place // m3)
            at2 = int32(3 * (m0 + m1) + int32(rest % m2))
            rest = int32(rest // m2)
            at1 = int32(3 * m0 + int32(rest % m1))
            at0 = int32(rest // m1)
            end0, end1 = table[int32(at0 + m0)], table[int32(at1 + m1)]
            end2, end3 = table[int32(at2 + m2)], table[int32(at3 + m3)]
            row = int32(table[int32(at0 + 2 * m0)] + table[int32(at1 + 2 * m1)])
            row = int32(row + table[int32(at2 + 2 * m2)] + table[int32(at3 + 2 * m3)])
            image = int32(cuda.blockIdx.y)
            while image < images:
                source = moved(x, int64(image) * columns)
                sum0 = number(0)
                e0 = table[at0]
                while e0 < end0:
                    sum1 = number(0)
                    e1 = table[at1]
                    while e1 < end1:
                        sum2 = number(0)
                        e2 = table[at2]
                        while e2 < end2:
                            sum3 = number(0)
                            line = moved(source, int64(read[e0] + read[e1] + read[e2]))
                            e3 = table[at3]
                            while e3 < end3:
                                sum3 += weight(values, e3) * number(line[read[e3]])
                                e3 = int32(e3 + 1)
                            sum2 += weight(values, e2) * sum3
                            e2 = int32(e2 + 1)
                        sum1 += weight(values, e1) * sum2
                        e1 = int32(e1 + 1)
                    sum0 += weight(values, e0) * sum1
                    e0 = int32(e0 + 1)
                y[int64(image) * rows + row] = sum0
                image = int32(image + cuda.gridDim.y)
            place = int32(place + cuda.gridDim.x * cuda.blockDim.x)

    return combine
