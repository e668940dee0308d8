"""Layers whose weights are outer products, applied axis by axis.

A kernel of k by k taps that is an outer product costs 2k multiplications instead of k*k. Rows of
the input are first summed along themselves, into a band of rows that stays in cache; rows of the
band are then summed into outputs, a few columns at a time. Along the last axis the outputs of
each phase (`kernels.cpu.layout.phases`) are neighbours in a padded row; along the others the rows
that are read stand a fixed step apart, and none is read that does not exist.

The order of all sums is the same however the outputs are divided among threads.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.window import Geometry, Window, solve
from convmat.kernels.costs import Work, tile_cycles
from convmat.kernels.cpu.conv.separable_factors import outer_factors
from convmat.kernels.cpu.conv.separable_loops import BAND, WIDE, Layout, sum_axes
from convmat.kernels.cpu.layout.phases import AXES, parts_of, phases, three_axes
from convmat.kernels.cpu.layout.planes import Planes
from convmat.kernels.cpu.threads.pieces import PIECES, threads
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["Separable", "work"]

Array = np.ndarray[Any, np.dtype[Any]]

SUMMED = "several input channels are summed, which no outer product spans"

PLACES = 4096  # outputs of a row at a time, so that the band fits into cache
BEGUN = 10  # tiles that could be begun in the time that it takes to begin a row
OVERLAP = 8  # a thread's share of the rows is so many times what it reads beyond them


class Separable:
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
    `convmat.kernels.cpu.conv.separable_factors`.
    """

    def __init__(self, geometry: Geometry, weight: Array, dtype: np.dtype[Any]) -> None:
        self.geometry = geometry
        self.dtype = dtype
        _, self.real = parts_of(dtype)
        if geometry.group_channels[1] != 1:
            raise _refused(SUMMED)
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
            self._apply(x.view(self.real), y.view(self.real))
            return
        sums = np.empty(y.shape, self.real)
        for part in ("real", "imag"):
            self._apply(np.ascontiguousarray(getattr(x, part)), sums)
            getattr(y, part)[...] = sums

    def _apply(self, x: Array, y: Array) -> None:
        source, target = x.reshape(-1), y.reshape(-1)
        work = self._work(len(x))
        arguments = source, target, self.plan, self.weights, work
        together(sum_axes, arguments, len(work), PIECES * threads())

    def _work(self, images: int) -> Array:
        """Return (plane, rows from, to, places from, to) of every piece, in order of planes."""
        plan = self.plan
        planes = images * plan.channels[0] * plan.outputs[0]
        rows = plan.outputs[1]
        wanted = -(-PIECES * threads() // max(planes, 1))
        least = min(rows, OVERLAP * (plan.height - 2 * BAND) + BAND)
        bands = max(1, min(wanted, rows // max(least, 1)))
        if plan.deep:
            bands = 1  # each needs the same sum of planes
        cuts = np.arange(bands + 1) * rows // bands
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
    """Return what `Separable` does for so many images."""
    parts, real = parts_of(dtype)
    lanes = VECTOR // real.itemsize
    axes = three_axes(geometry.axes)
    taps = [axis.kernel // axis.taps().period + 1 for axis in axes]
    planes = images * parts * geometry.out_channels * axes[0].n_out
    vectors = -(-axes[2].n_out // lanes)
    rows = axes[1].n_in * vectors, axes[1].n_out * vectors
    deep = 0 if taps[0] == 2 else taps[0] * axes[1].n_in * axes[2].n_in / lanes
    steps = planes * (rows[0] * taps[2] + rows[1] * taps[1] + deep)
    periods = axes[2].taps().period
    begun = axes[1].n_in * (periods + BEGUN) + axes[1].n_out
    return Work(
        cycles=steps * tile_cycles(WIDE, 1) / WIDE,
        tiles=planes * (sum(rows) / WIDE + begun),
        lines=planes * (2 * axes[1].n_in + axes[1].n_out),
        moved=planes * 2 * sum(rows),
        apart=planes * rows[0] * lanes if periods > 1 else 0,
        calls=1,
    )


def _refused(reason: str) -> GeometryError:
    return GeometryError("algorithm", "separable", reason, "use algorithm='auto'")


def _plan(
    geometry: Geometry, factors: list[Array], dtype: np.dtype[Any]
) -> tuple[Layout, tuple[Array, Array, Array]]:
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
    plan = Layout(
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
