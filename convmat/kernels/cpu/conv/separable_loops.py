"""The compiled loops over outer products: lines summed into a band, the band into outputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.layout.planes import fill
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.vectors.copies import copy
from convmat.kernels.cpu.vectors.sums import multiply_in
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["BAND", "WIDE", "Layout", "sum_axes"]

Array = np.ndarray[Any, np.dtype[Any]]

BAND = 16  # rows of outputs that are made together
WIDE = 8  # vectors that are summed together
INPUT, READS, BEGIN = range(3)  # columns of `Layout.planes` and `Layout.rows`

multiply = multiply_in(1)


class Layout(NamedTuple):
    """Where the kernels find what they need; a `NamedTuple`, because Numba accepts those."""

    inputs: tuple[int, int, int]
    outputs: tuple[int, int, int]
    channels: tuple[int, int]  # of outputs and of inputs
    deep: bool  # whether planes are summed as well
    planes: Array  # (n_out0, 3) first input, how many, and where the weights begin
    rows: Array  # (n_out1, 3) the same for rows
    plane_steps: Array  # how far apart the planes stand that are read, in elements
    row_steps: Array  # the same for rows of the band
    pieces: Array  # (rows of phases, 5) phase, first output, places, reads, first weight
    reads: Array  # (phases, most reads) where in a padded row place 0 reads
    low: int  # how far a padded row begins before the input
    split: int  # inputs so far apart stand side by side in it
    pitch: int  # elements of one of its parts
    step: int  # outputs from place to place
    places: int  # of a row that are made together
    width: int  # elements of a row of the band
    height: int  # rows of the band


@compiled
def sum_axes(
    team: int, x: Array, y: Array, plan: Layout, weights: Any, work: Array, first: int, last: int
) -> None:
    """Write the pieces [first, last) of the work."""
    if shared(team):
        return
    plan = Layout(*plan)
    lanes = VECTOR // y.itemsize
    line = np.zeros(plan.split * plan.pitch + (WIDE + 1) * lanes, y.dtype)
    band = np.zeros(plan.height * plan.width + (WIDE + 1) * lanes, y.dtype)
    size = plan.inputs[1] * plan.inputs[2]
    plane = np.empty(size if plan.deep else 0, y.dtype)
    held = -1
    out, inner = plan.channels
    for item in range(first, last):
        number = work[item, 0]
        channel = number // plan.outputs[0]
        image, c = channel // out, channel % out
        source = image * inner + c // (out // inner)
        if plan.deep:
            if number != held:
                start = source * plan.inputs[0] * size
                _sum_planes(x, start, number % plan.outputs[0], plan, weights[0][c], plane)
                held = number
            _rows(plane, 0, y, number, plan, weights[1][c], weights[2][c], work[item], line, band)
        else:
            _rows(x, source, y, number, plan, weights[1][c], weights[2][c], work[item], line, band)


@compiled
def _sum(
    x: Array,
    at: int,
    offsets: Array,
    w: Array,
    begin: int,
    reads: int,
    y: Array,
    to: int,
    vectors: int,
) -> None:
    """Sum what so many reads make of `vectors` vectors, and perhaps of a few more behind them."""
    width = 8 if vectors > 4 else 4 if vectors > 2 else vectors
    multiply(x, at, offsets, w, begin, reads, y, to, 0, (width, 1))


@compiled
def _sum_planes(x: Array, start: int, o: int, plan: Layout, w: Array, plane: Array) -> None:
    """Sum planes of an input channel into the one that output plane o is made of."""
    size, lanes = len(plane), VECTOR // x.itemsize
    i, reads, begin = plan.planes[o, INPUT], plan.planes[o, READS], plan.planes[o, BEGIN]
    if reads == 0:
        plane[:] = 0
        return
    base = start + i * size
    whole = size // (WIDE * lanes) * (WIDE * lanes)
    for j in range(0, whole, WIDE * lanes):
        multiply(x, base + j, plan.plane_steps, w, begin, reads, plane, j, 0, (WIDE, 1))
    vectors = size // lanes * lanes
    for j in range(whole, vectors, lanes):
        multiply(x, base + j, plan.plane_steps, w, begin, reads, plane, j, 0, (1, 1))
    for j in range(vectors, size):
        total = w[begin] * x[base + j]
        for k in range(1, reads):
            total += w[begin + k] * x[base + plan.plane_steps[k] + j]
        plane[j] = total


@compiled
def _rows(
    x: Array,
    channel: int,
    y: Array,
    number: int,
    plan: Layout,
    w1: Array,
    w2: Array,
    piece: Array,
    line: Array,
    band: Array,
) -> None:
    """Write rows of output plane `number`, made of plane `channel` of x."""
    width = plan.width
    shift = (-band.ctypes.data % VECTOR) // band.itemsize
    start, stop, low_place, high_place = piece[1], piece[2], piece[3], piece[4]
    column = low_place * plan.step
    columns = min(high_place * plan.step, plan.outputs[2]) - column
    to = number * plan.outputs[1] * plan.outputs[2] + column
    origin, end = 0, 0  # the band holds the input rows [origin, end)
    for o in range(start, stop, BAND):
        after = min(o + BAND, stop)
        low, high = plan.inputs[1], 0
        for row in range(o, after):
            i, reads = plan.rows[row, INPUT], plan.rows[row, READS]
            if reads > 0:
                low = min(low, i)
                high = max(high, i + plan.row_steps[reads - 1] // width + 1)
        if low < high:
            if low >= end:
                origin, end = low, low
            elif high - origin > plan.height:
                for i in range(low, end):
                    copy(
                        band, shift + (i - low) * width, band, shift + (i - origin) * width, columns
                    )
                origin = low
            for i in range(end, high):
                _row(x, channel, i, plan, w2, low_place, high_place, line,
                     band, shift + (i - origin) * width)  # fmt: skip
            end = max(end, high)
        _sum_rows(band, shift, origin, plan, w1, o, after, columns, y, to)


@compiled
def _row(
    x: Array,
    channel: int,
    i: int,
    plan: Layout,
    w: Array,
    low: int,
    high: int,
    line: Array,
    band: Array,
    to: int,
) -> None:
    """Sum input row i along itself, for the places [low, high) of each phase."""
    lanes = VECTOR // line.itemsize
    split, pitch, step = plan.split, plan.pitch, plan.step
    padded = line[: split * pitch].reshape((1, 1, 1, split, pitch))
    shape, start = (1, plan.inputs[1], plan.inputs[2]), (0, i, split * low - plan.low)
    fill(x, shape, 1, channel, 1, start, padded, (1, 1))
    sums = np.empty(WIDE * lanes if step > 1 else 0, line.dtype)
    for p in range(len(plan.pieces)):
        piece = plan.pieces[p]
        phase, first, places, reads, begin = piece[0], piece[1], piece[2], piece[3], piece[4]
        count = min(high, places) - low
        offsets = plan.reads[phase]
        for j in range(0, count, WIDE * lanes):
            many = min(WIDE * lanes, count - j)
            vectors = (many + lanes - 1) // lanes
            if reads == 0:
                for k in range(many):
                    band[to + first + step * (j + k)] = 0
            elif step == 1:
                _sum(line, j, offsets, w, begin, reads, band, to + j, vectors)
            else:
                _sum(line, j, offsets, w, begin, reads, sums, 0, vectors)
                for k in range(many):
                    band[to + first + step * (j + k)] = sums[k]


@compiled
def _sum_rows(
    band: Array,
    shift: int,
    origin: int,
    plan: Layout,
    w: Array,
    o: int,
    after: int,
    columns: int,
    y: Array,
    to: int,
) -> None:
    """Sum rows of the band into the output rows [o, after), a few columns at a time."""
    lanes = VECTOR // y.itemsize
    sums = np.empty(WIDE * lanes, y.dtype)
    for j in range(0, columns, WIDE * lanes):
        many = min(WIDE * lanes, columns - j)
        vectors = (many + lanes - 1) // lanes
        for row in range(o, after):
            i, reads = plan.rows[row, INPUT], plan.rows[row, READS]
            begin = plan.rows[row, BEGIN]
            at, target = shift + (i - origin) * plan.width + j, to + row * plan.outputs[2] + j
            if reads == 0:
                y[target : target + many] = 0
            elif many == WIDE * lanes:
                _sum(band, at, plan.row_steps, w, begin, reads, y, target, vectors)
            else:
                _sum(band, at, plan.row_steps, w, begin, reads, sums, 0, vectors)
                copy(y, target, sums, 0, many)
