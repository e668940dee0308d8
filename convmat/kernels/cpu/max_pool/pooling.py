"""Max pooling with its switches: the greatest input of every window, and where it was.

Input lines are copied with their padding, positions that are a stride apart side by side, so that
each tap reads plain vectors; values and positions of a line of outputs then stay in registers
over all taps. Padding is the least number there is, which never wins.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arrays import contiguous
from convmat.geometry.window import Window, solve
from convmat.kernels.compiling import compiled, inlined
from convmat.kernels.cpu.kronecker.vectors import separate
from convmat.kernels.cpu.layout.phases import AXES, three_axes
from convmat.kernels.cpu.max_pool.vectors import Found, Taps, greatest, greatest_named
from convmat.kernels.cpu.threads.pieces import PIECES, threads
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.copies import copy
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["max_pool", "serves"]

Array = np.ndarray[Any, np.dtype[Any]]

NARROW = {"?": "i4", "b": "i4", "B": "i4", "h": "i4", "H": "i4", "e": "f4"}  # what holds them
SCRATCH = 1 << 15  # bytes of copied lines of a thread, which stay in the cache nearest to it
WORTH_THREADS = 1 << 16  # comparisons for which it pays to wake a thread


class _Layer(NamedTuple):
    """Three axes of windows, the first ones of one position where there are fewer."""

    inputs: Array  # (3,)
    outputs: Array  # (3,)
    kernel: Array
    stride: Array
    dilation: Array
    pad: Array
    pitch: int  # room for the positions of one remainder, and a vector
    band: int  # lines of outputs at a time
    first0: Array  # what the first input of each window adds to its position in the plane
    first1: Array
    first2: Array  # on the last axis without stride * output, which is in `moves`
    moves: Array  # both with room for a vector, in the integers as wide as the numbers
    reads: Array  # where each tap of the last axis begins in a copied line
    names: Array  # what it adds to the position in the plane, before `moves`


def serves(axes: tuple[Window, ...], dtype: np.dtype[Any]) -> bool:
    """Say whether there is a compiled kernel for windows on these axes and such numbers."""
    positions = math.prod(axis.n_in for axis in axes)
    known = dtype.isnative and (dtype.char in NARROW or dtype.char in "fdilqILQ")
    inside = all(axis.pad >= 0 and axis.base == 1 for axis in axes)
    return known and inside and 1 <= len(axes) <= AXES and positions < 1 << 31


def max_pool(
    axes: tuple[Window, ...], x: Array, *, named: bool = True
) -> tuple[Array, Array | None]:
    """Return values and switches of x (..., *inputs), where `serves` holds.

    Without `named` there are no switches. Every window must hold an input. Cost: one comparison
    for each output and tap; scratch of `SCRATCH` bytes, or the lines that one line of outputs
    reads, for each thread.
    """
    lead = x.shape[: x.ndim - len(axes)]
    shape = *lead, *(axis.n_out for axis in axes)
    wide = contiguous(x, np.dtype(NARROW.get(x.dtype.char, x.dtype)))
    y, switches = np.empty(shape, wide.dtype), np.empty(shape if named else 0, np.int64)
    layer = _layer(axes, wide.dtype)
    bands = -(-int(layer.outputs[1]) // layer.band)
    items = math.prod(lead) * int(layer.outputs[0]) * bands
    least = -np.inf if wide.dtype.kind == "f" else np.iinfo(wide.dtype).min
    lowest = np.full(1, least, wide.dtype)
    arguments = wide.reshape(-1), layer, lowest, y.reshape(-1), switches.reshape(-1), named
    worth = y.size * math.prod(axis.kernel for axis in axes) // WORTH_THREADS + 1
    if y.size:
        together(_pool, arguments, items, min(PIECES * threads(), worth))
    return y.astype(x.dtype, copy=False), switches if named else None


@lru_cache(maxsize=64)
def _layer(axes: tuple[Window, ...], dtype: np.dtype[Any]) -> _Layer:
    three = three_axes(axes)
    plane = np.cumprod([1, three[2].n_in, three[1].n_in])[::-1]
    firsts = []
    for axis, place in zip(three, plane, strict=True):
        offsets = axis.stride * np.arange(axis.n_out, dtype=np.int64) - axis.pad
        firsts.append(solve(axis.taps(), offsets)[1] * place)
    last = three[2]
    lanes = VECTOR // dtype.itemsize
    index = np.dtype(f"i{dtype.itemsize}")
    moves = last.stride * np.arange(last.n_out + lanes)
    firsts[2] = np.append(firsts[2], np.zeros(lanes, np.int64)) - moves
    reach = last.stride * (last.n_out - 1) + last.dilation * (last.kernel - 1) + 1
    pitch = -(-reach // last.stride) + lanes
    line = three[0].kernel * last.stride * pitch * dtype.itemsize
    lines = SCRATCH // line - three[1].dilation * (three[1].kernel - 1)
    band = min(max(1, lines // three[1].stride), three[1].n_out)

    taps = last.dilation * np.arange(last.kernel, dtype=np.int64)

    def every(field: str) -> Array:
        return np.array([getattr(axis, field) for axis in three], np.int64)

    return _Layer(
        every("n_in"), every("n_out"), every("kernel"), every("stride"), every("dilation"),
        every("pad"), pitch, band, firsts[0], firsts[1], firsts[2].astype(index),
        moves.astype(index), taps % last.stride * pitch + taps // last.stride, taps - last.pad,
    )  # fmt: skip


@compiled
def _pool(  # noqa: C901, PLR0912, as records are counted at every call
    team: int,
    x: Array,
    layer: _Layer,
    lowest: Array,
    y: Array,
    switches: Array,
    named: bool,
    first: int,
    last: int,
) -> None:
    """Write the items [first, last) of (plane, output on the first axis, band of lines)."""
    if shared(team):
        return
    layer = _Layer(*layer)
    n0, n1, n2 = layer.inputs
    m0, m1, m2 = layer.outputs
    k0, k1, k2 = layer.kernel
    s0, s1, s2 = layer.stride
    d0, d1, _ = layer.dilation
    p0, p1, p2 = layer.pad
    first0, first1, first2 = layer.first0, layer.first1, layer.first2
    moves, pitch, band = layer.moves, layer.pitch, layer.band
    starts, spots = layer.reads, layer.names
    line = s2 * pitch
    held = (band - 1) * s1 + (k1 - 1) * d1 + 1  # lines of each tap of the first axis
    lines = np.full(k0 * held * line, lowest[0], y.dtype)
    offsets, names = np.empty(k0 * k1 * k2, np.int64), np.empty(k0 * k1 * k2, moves.dtype)
    found, reads = Found(y, switches), Taps(offsets, names)
    bands = (m1 + band - 1) // band
    for item in range(first, last):
        plane, o0 = item // (bands * m0), item // bands % m0
        low = item % bands * band
        high = min(low + band, m1)
        start = low * s1 - p1  # the first input line of the band
        for t0 in range(k0):
            i0 = s0 * o0 + d0 * t0 - p0
            if (i0 < 0) | (i0 >= n0):
                continue
            final = min((high - 1) * s1 + (k1 - 1) * d1 - p1 + 1, n1)
            for i1 in range(max(start, 0), final):
                source = ((plane * n0 + i0) * n1 + i1) * n2
                _lay(lines, (t0 * held + i1 - start) * line, x, source, n2, p2, s2, pitch)
        for o1 in range(low, high):
            taps = 0
            for t0 in range(k0):
                i0 = s0 * o0 + d0 * t0 - p0
                if (i0 < 0) | (i0 >= n0):
                    continue
                for t1 in range(k1):
                    i1 = s1 * o1 + d1 * t1 - p1
                    if (i1 < 0) | (i1 >= n1):
                        continue
                    at = (t0 * held + i1 - start) * line
                    for t2 in range(k2):
                        offsets[taps] = at + starts[t2]
                        names[taps] = (i0 * n1 + i1) * n2 + spots[t2]
                        taps += 1
            origin = first0[o0] + first1[o1]
            to = ((plane * m0 + o0) * m1 + o1) * m2
            if named:
                greatest_named(found, to, lowest, first2, origin, moves, m2, lines, reads, taps)
            else:
                greatest(y, to, lowest, m2, lines, offsets, taps)


@inlined
def _lay(
    lines: Array, to: int, x: Array, source: int, count: int, pad: int, split: int, pitch: int
) -> None:
    """Copy an input line behind its padding, numbers `split` apart side by side.

    Position q = pad + i goes to remainder q % split, place q // split. What else is in the line
    stays as it is: padding, or beyond what is read.
    """
    count = min(count, split * pitch - pad)
    if split == 1:
        copy(lines, to + pad, x, source, count)
    elif split == 2:
        half, skip = (pad + 1) // 2, pad % 2  # the first even position, and what comes before
        if skip:
            lines[to + pitch + pad // 2] = x[source]
        pairs = (count - skip) // 2
        separate(lines, to + half, to + pitch + half, x, source + skip, pairs)
        if (count - skip) % 2:
            lines[to + half + pairs] = x[source + count - 1]
    else:
        for i in range(count):
            q = pad + i
            lines[to + q % split * pitch + q // split] = x[source + i]
