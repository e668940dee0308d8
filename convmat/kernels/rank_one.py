"""Layers whose weights are outer products, applied axis by axis.

A kernel of k by k taps that is an outer product costs 2k multiplications instead of k*k. Rows of
the input are first summed along themselves, into a band of rows that stays in cache; rows of the
band are then summed into outputs, a few columns at a time. Along the last axis the outputs of
each phase (`convmat.kernels.phases`) are neighbours in a padded row; along the others the rows
that are read stand a fixed step apart, and none is read that does not exist.

The order of all sums is the same however the outputs are divided among threads.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import get_num_threads

from convmat._check import GeometryError
from convmat.geometry import Geometry, Window, solve
from convmat.kernels._rule import compiled
from convmat.kernels.costs import Work, tile_cycles
from convmat.kernels.factors import outer_factors
from convmat.kernels.phases import AXES, phases, three_axes
from convmat.kernels.planes import Planes, fill
from convmat.kernels.threads import PIECES, in_threads
from convmat.kernels.vectors import VECTOR, copy, multiply

__all__ = ["RankOne", "work"]

Array = np.ndarray[Any, np.dtype[Any]]

BAND = 16  # rows of outputs that are made together
WIDE = 8  # vectors that are summed together
PLACES = 4096  # outputs of a row at a time, so that the band fits into cache
OVERLAP = 8  # a thread's share of the rows is so many times what it reads beyond them


class _Plan(NamedTuple):
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


class RankOne:
    """The factors of a layer's weight, and where everything lies.

    Parameters
    ----------
    geometry : Geometry of at most three axes, with one input channel in each group
    weight : array (groups, out, 1, *kernel), from `correlation_weight`
    dtype : a float or complex dtype, int64 or uint64
        For complex inputs the weight must be real.

    Attributes
    ----------
    factors : the factors (out_channels, k_d) of each axis
    scratch_bytes : what each thread needs

    Notes
    -----
    Whole numbers are factored exactly. Floats are where that is possible, and otherwise if the
    factors reproduce every single weight up to the rounding of an outer product: see
    `convmat.kernels.factors`.
    """

    def __init__(self, geometry: Geometry, weight: Array, dtype: np.dtype[Any]) -> None:
        self.geometry = geometry
        self.dtype = dtype
        self.real = np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype
        if geometry.group_channels[1] != 1:
            raise _refused("several input channels are summed, which no outer product spans")
        if np.iscomplexobj(weight) and weight.imag.any():
            raise _refused("the weight is complex")
        real = weight.real if np.iscomplexobj(weight) else weight
        flat = real.reshape(geometry.out_channels, *geometry.kernel)
        factors = outer_factors(flat, self.real)
        if factors is None:
            raise _refused("the weight is not an outer product")
        self.factors = factors
        points = [np.ones((len(flat), 1), self.real)] * (AXES - len(factors))
        self.plan, self.weights = _plan(geometry, points + factors, self.real)
        plan = self.plan
        elements = plan.width * plan.height + plan.split * plan.pitch
        elements += math.prod(plan.inputs[1:]) if plan.deep else 0
        self.scratch_bytes = elements * self.real.itemsize

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, C_out, ...) of x (batch, C_in, ...), both contiguous, of the dtype."""
        if self.dtype.kind != "c":
            self._apply(x, y)
            return
        sums = np.empty(y.shape, self.real)
        for part in ("real", "imag"):
            self._apply(np.ascontiguousarray(getattr(x, part)), sums)
            getattr(y, part)[...] = sums

    def _apply(self, x: Array, y: Array) -> None:
        source, target = x.reshape(-1), y.reshape(-1)
        work = self._work(len(x))
        count = min(len(work), PIECES * get_num_threads())
        cuts = np.linspace(0, len(work), count + 1).astype(int).tolist()

        def write(first: int, last: int) -> None:
            _planes(source, target, self.plan, self.weights, work, first, last)

        in_threads(write, list(itertools.pairwise(cuts)))

    def _work(self, images: int) -> Array:
        """Return (plane, rows from, to, places from, to) of every piece, in order of planes."""
        plan = self.plan
        planes = images * plan.channels[0] * plan.outputs[0]
        rows = plan.outputs[1]
        wanted = -(-PIECES * get_num_threads() // max(planes, 1))
        least = min(rows, OVERLAP * (plan.height - 2 * BAND) + BAND)
        bands = max(1, min(wanted, rows // max(least, 1)))
        if plan.deep:
            bands = 1  # each needs the same sum of planes
        cuts = np.linspace(0, rows, bands + 1).astype(np.int64)
        places = -(-plan.outputs[2] // plan.step)
        starts = np.arange(0, places, plan.places)
        plane, band, start = (
            index.reshape(-1) for index in np.indices((planes, bands, len(starts)))
        )
        first = starts[start]
        last = np.minimum(first + plan.places, places)
        return np.stack([plane, cuts[band], cuts[band + 1], first, last], 1)


@lru_cache(maxsize=256)
def work(geometry: Geometry, dtype: np.dtype[Any], images: int) -> Work:
    """Return what `RankOne` does for so many images."""
    parts = 2 if dtype.kind == "c" else 1
    lanes = VECTOR * parts // dtype.itemsize
    axes = three_axes(geometry.axes)
    taps = [axis.kernel // axis.taps().period + 1 for axis in axes]
    planes = images * parts * geometry.out_channels * axes[0].n_out
    vectors = -(-axes[2].n_out // lanes)
    rows = axes[1].n_in * vectors, axes[1].n_out * vectors
    deep = 0 if taps[0] == 2 else taps[0] * axes[1].n_in * axes[2].n_in / lanes
    steps = planes * (rows[0] * taps[2] + rows[1] * taps[1] + deep)
    periods = axes[2].taps().period
    return Work(
        cycles=steps * tile_cycles(WIDE, 1) / WIDE,
        tiles=planes * sum(rows) / WIDE + planes * (axes[1].n_in * periods + axes[1].n_out),
        lines=planes * (2 * axes[1].n_in + axes[1].n_out),
        moved=planes * 2 * sum(rows),
        apart=planes * rows[0] * lanes if periods > 1 else 0,
        calls=1,
    )


def _refused(reason: str) -> GeometryError:
    return GeometryError("algorithm", "separable", reason, "use algorithm='auto'")


def _plan(
    geometry: Geometry, factors: list[Array], dtype: np.dtype[Any]
) -> tuple[_Plan, tuple[Array, Array, Array]]:
    """Return the plan and the weights of the three axes, each (out_channels, taps in order)."""
    axes = three_axes(geometry.axes)
    n_in, n_out = tuple(a.n_in for a in axes), tuple(a.n_out for a in axes)
    lanes = VECTOR // dtype.itemsize
    found = phases(Geometry(axes[2:], 1, 1))
    step = found[0].places.steps[2]
    places = max(1, PLACES // step)
    boxes = [(1, 1, min(phase.places.box[2], places)) for phase in found]
    planes = Planes.of(found, boxes, 1)
    pieces: list[tuple[int, ...]] = []
    taps: list[Array] = []
    for number, phase in enumerate(found):
        for row, met in zip(phase.rows, phase.taps[2], strict=True):
            begin = sum(map(len, taps))
            pieces.append((number, row[0], row[3], len(met), begin))
            taps.append(met)
    reads = np.zeros((len(found), max(len(p.reads[2]) for p in found) + 1), np.int64)
    for number, offsets in enumerate(planes.offsets):
        reads[number, : len(offsets)] = offsets
    last = np.ascontiguousarray(factors[2][:, np.concatenate(taps)])
    columns = min(n_out[2], places * step)
    width = -(-columns // lanes) * lanes + WIDE * lanes + lanes
    table0, first0, advance0 = _reads(axes[0], factors[0])
    table1, first1, advance1 = _reads(axes[1], factors[1])
    plan = _Plan(
        n_in, n_out, (geometry.out_channels, geometry.in_channels), len(geometry.axes) == AXES,
        table0, table1,
        np.arange(axes[0].kernel) * (advance0 * n_in[1] * n_in[2]),
        np.arange(axes[1].kernel) * (advance1 * width),
        np.array(pieces, np.int64), reads, planes.low[2], planes.shape[2], planes.shape[3],
        step, places, width, _span(axes[1]) + 2 * BAND,
    )  # fmt: skip
    return plan, (first0, first1, last)


def _reads(axis: Window, factor: Array) -> tuple[Array, Array, int]:
    """Return what each output of an axis reads, the taps in that order, and the inputs' distance.

    Taps that read the same output are a period apart; those of one remainder stand together.
    """
    taps = axis.taps()
    tap, first, count = solve(taps, axis.stride * np.arange(axis.n_out) - axis.pad)
    length = -(-axis.kernel // taps.period)
    order = np.arange(taps.period)[:, None] + taps.period * np.arange(length)
    exists = order < axis.kernel
    packed = np.where(exists, factor[:, np.where(exists, order, 0)], 0).astype(factor.dtype)
    begin = tap % taps.period * length + tap // taps.period
    table: Array = np.where(count > 0, (first, count, begin), 0).T
    weights = np.ascontiguousarray(packed.reshape(len(factor), -1))
    return np.ascontiguousarray(table, np.int64), weights, taps.advance


def _span(axis: Window) -> int:
    """Return how many inputs `BAND` outputs in a row may reach across."""
    reach = axis.stride * (BAND - 1) + axis.dilation * (axis.kernel - 1)
    return min(int(reach // axis.base) + 2, int(axis.n_in))


@compiled
def _planes(
    x: Array, y: Array, plan: _Plan, weights: Any, work: Array, first: int, last: int
) -> Any:
    """Write the pieces [first, last) of the work."""
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
    if vectors > 4:
        multiply(x, at, offsets, w, begin, reads, y, to, 0, 8, 1)
    elif vectors > 2:
        multiply(x, at, offsets, w, begin, reads, y, to, 0, 4, 1)
    elif vectors == 2:
        multiply(x, at, offsets, w, begin, reads, y, to, 0, 2, 1)
    else:
        multiply(x, at, offsets, w, begin, reads, y, to, 0, 1, 1)


@compiled
def _sum_planes(x: Array, start: int, o: int, plan: _Plan, w: Array, plane: Array) -> None:
    """Sum planes of an input channel into the one that output plane o is made of."""
    size, lanes = len(plane), VECTOR // x.itemsize
    i, reads, begin = plan.planes[o, 0], plan.planes[o, 1], plan.planes[o, 2]
    if reads == 0:
        plane[:] = 0
        return
    base = start + i * size
    whole = size // (WIDE * lanes) * (WIDE * lanes)
    for j in range(0, whole, WIDE * lanes):
        multiply(x, base + j, plan.plane_steps, w, begin, reads, plane, j, 0, 8, 1)
    vectors = size // lanes * lanes
    for j in range(whole, vectors, lanes):
        multiply(x, base + j, plan.plane_steps, w, begin, reads, plane, j, 0, 1, 1)
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
    plan: _Plan,
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
            i, reads = plan.rows[row, 0], plan.rows[row, 1]
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
    plan: _Plan,
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
    plan: _Plan,
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
            i, reads, begin = plan.rows[row, 0], plan.rows[row, 1], plan.rows[row, 2]
            at, target = shift + (i - origin) * plan.width + j, to + row * plan.outputs[2] + j
            if reads == 0:
                y[target : target + many] = 0
            elif many == WIDE * lanes:
                _sum(band, at, plan.row_steps, w, begin, reads, y, target, vectors)
            else:
                _sum(band, at, plan.row_steps, w, begin, reads, sums, 0, vectors)
                copy(y, target, sums, 0, many)
