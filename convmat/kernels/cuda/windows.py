"""Layers with weights: every output sums what its windows hold, a few channels to a thread.

Along an axis the taps of an output that read an input are a progression, of which the record
knows the first tap, the first input and the length in closed form. So a thread needs no test of
bounds, never multiplies by padding or by an inserted zero, and NaN reaches what the matrix says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cuda, int32, int64, types

from convmat.geometry.arguments import GeometryError
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry, Window, solve
from convmat.kernels.cuda.arrays import Held, memory_of, uploaded
from convmat.kernels.cuda.engine import Kernel, Launch, number_type, pointer_to, sizes_of
from convmat.kernels.cuda.words import inlined, load4, moved

__all__ = ["Windows", "prepared", "tables", "windows_kernel"]

Array = np.ndarray[Any, np.dtype[Any]]

AXES = 3
ROWS = 4  # output channels of a thread, where a group has so many
SIZES = 17
POINT = Window(1, 1, 1, 1, 1, 1, 0)


class Windows:
    """A layer with its weight on a GPU, ready for numbers of one dtype.

    Parameters
    ----------
    geometry : Geometry
    weight : array (groups, out, inner, *kernel), of `correlation_weight`
    read : numpy.dtype
        Of the inputs.
    dtype : numpy.dtype
        In which all is computed.
    """

    def __init__(
        self, geometry: Geometry, weight: Array, read: np.dtype[Any], dtype: np.dtype[Any]
    ) -> None:
        if len(geometry.axes) > AXES:
            raise GeometryError(
                "x", geometry.in_shape, f"kernels on a GPU have {AXES} axes", "copy x to the host"
            )
        out, inner = geometry.group_channels
        rows = ROWS if out >= ROWS else 1
        axes = (POINT,) * (AXES - len(geometry.axes)) + geometry.axes
        plane = math.prod(axis.n_in for axis in axes)
        self.places = math.prod(axis.n_out for axis in axes)
        _check_range(inner * plane, self.places, weight.size)
        self.blocks = -(-out // rows)
        self.groups = geometry.groups
        packed, table, steps = _packed(weight, rows, dtype), *tables(axes, rows)
        taps = rows * math.prod(geometry.kernel)
        self.kept = uploaded(packed), uploaded(table)
        self.weight, self.axes = (memory_of(one) for one in self.kept)
        self.sizes = *(axis.n_out for axis in axes), *steps, plane, taps, inner, out
        self.kernel = windows_kernel(rows, read, dtype)

    def __call__(self, x: Held, y: Any, images: int) -> None:
        """Launch what writes y (images, *out_shape) of x (images, *in_shape)."""
        planes = images * self.groups * self.blocks
        sizes = sizes_of(*self.sizes, self.groups, self.blocks, planes, self.places)
        launch = Launch(self.places, planes)
        self.kernel(launch, x, x.memory, self.weight, memory_of(y), self.axes, sizes)


def prepared(
    geometry: Geometry, weight: Array, x: Held, dtype: np.dtype[Any], kept: dict[Any, Any]
) -> Windows:
    """Return a layer with its weight on the device of x, made once."""
    key = Windows, x.device, x.dtype, dtype
    if key not in kept:
        packed = correlation_weight(geometry, weight)
        kept[key] = Windows(geometry, packed, x.dtype, dtype)
    found: Windows = kept[key]
    return found


def windows_kernel(rows: int, read: np.dtype[Any], dtype: np.dtype[Any]) -> Kernel:
    """Return the kernel for so many output channels a thread."""
    pointers = pointer_to(read), pointer_to(dtype), pointer_to(dtype), types.CPointer(int32)
    return Kernel(_gather, (rows, number_type(dtype)), (*pointers, types.UniTuple(int32, SIZES)))


def _check_range(inputs: int, places: int, weights: int) -> None:
    """Refuse what 32 bits cannot count."""
    largest = max(inputs, places, weights)
    if largest >= 1 << 31:
        raise GeometryError(
            "x", largest, "numbers of a group of channels are more than 2**31", "split the layer"
        )


def _packed(weight: Array, rows: int, dtype: np.dtype[Any]) -> Array:
    """Return weights as (groups, blocks of rows, inner, taps, rows of a block)."""
    groups, out, inner = weight.shape[:3]
    blocks = -(-out // rows)
    packed = np.zeros((groups, blocks * rows, inner, math.prod(weight.shape[3:])), dtype)
    packed[:, :out] = weight.reshape(groups, out, inner, -1)
    return packed.reshape(groups, blocks, rows, inner, -1).transpose(0, 1, 3, 4, 2)


def tables(axes: tuple[Window, ...], rows: int) -> tuple[Array, list[int]]:
    """Return for every output of each axis (first inputs, first taps, numbers of taps).

    Inputs are counted in numbers of a plane, taps in packed weights; so are the steps from one
    tap of a progression to the next, returned for each axis.
    """
    parts, steps = [], []
    inputs, taps = 1, rows
    for axis in reversed(axes):
        line = axis.taps()
        tap, read, count = solve(line, axis.stride * np.arange(axis.n_out) - axis.pad)
        first = np.stack([read * inputs, tap * taps, count])
        parts.append(np.where(count > 0, first, 0).reshape(-1))
        steps.append((line.advance * inputs, line.period * taps))
        inputs, taps = inputs * axis.n_in, taps * axis.kernel
    table = np.concatenate(parts[::-1]).astype(np.int32)
    return table, [number for pair in reversed(steps) for number in pair]


def _adding(rows: int, number: Any) -> Any:
    """Return what adds the products of a number to the sums of a thread."""
    if rows == 4 and not isinstance(number, types.Complex):

        @inlined
        def add4(sums: Any, w: Any, at: Any, value: Any) -> None:
            a, b, c, d = load4(w, at)
            sums[0] += a * value
            sums[1] += b * value
            sums[2] += c * value
            sums[3] += d * value

        return add4

    @inlined
    def add(sums: Any, w: Any, at: Any, value: Any) -> None:
        for r in range(rows):
            sums[r] += w[int32(at + r)] * value

    return add


def _gather(rows: int, number: Any) -> Callable[..., None]:
    """Make the kernel: a thread for `rows` channels of an output."""
    add = _adding(rows, number)

    def gather(x: Any, w: Any, y: Any, axes: Any, sizes: Any) -> None:
        m0, m1, m2, i0, k0, i1, k1, i2, k2, plane, taps, inner, out = sizes[:13]
        groups, blocks, planes, places = sizes[13:]
        sums = cuda.local.array(rows, number)
        place = int32(cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x)
        while place < places:
            line = int32(place // m2)
            at0 = int32(line // m1)
            at1 = int32(3 * m0 + int32(line % m1))
            at2 = int32(3 * (m0 + m1) + int32(place % m2))
            first = int32(axes[at0] + axes[at1] + axes[at2])
            tap = int32(axes[at0 + m0] + axes[at1 + m1] + axes[at2 + m2])
            n0 = axes[at0 + 2 * m0]
            n1 = axes[at1 + 2 * m1]
            n2 = axes[at2 + 2 * m2]
            item = int32(cuda.blockIdx.y)
            while item < planes:
                block = int32(item % blocks)
                member = int32(item // blocks)  # (image, group)
                group = int32(member % groups)
                source = moved(x, int64(member) * int64(inner * plane) + first)
                weights = moved(w, int64(int32(group * blocks + block) * int32(inner * taps) + tap))
                for r in range(rows):
                    sums[r] = number(0)
                channel = int32(0)
                while channel < inner:
                    read0, via0, t0 = int32(0), int32(0), int32(0)
                    while t0 < n0:
                        read1, via1, t1 = read0, via0, int32(0)
                        while t1 < n1:
                            read2, via2, t2 = read1, via1, int32(0)
                            while t2 < n2:
                                add(sums, weights, via2, number(source[read2]))
                                read2, via2 = int32(read2 + i2), int32(via2 + k2)
                                t2 = int32(t2 + 1)
                            read1, via1, t1 = int32(read1 + i1), int32(via1 + k1), int32(t1 + 1)
                        read0, via0, t0 = int32(read0 + i0), int32(via0 + k0), int32(t0 + 1)
                    source, weights = moved(source, int64(plane)), moved(weights, int64(taps))
                    channel = int32(channel + 1)
                begin = int64(member) * out + block * rows
                for r in range(rows):
                    if block * rows + r < out:
                        y[(begin + r) * places + place] = sums[r]
                item = int32(item + cuda.gridDim.y)
            place = int32(place + cuda.gridDim.x * cuda.blockDim.x)

    return gather
