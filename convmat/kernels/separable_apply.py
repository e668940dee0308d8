"""Apply separable layers: average pooling, resizing, padding, rearranging and their transposes.

Every line of outputs is computed on its own, by whichever thread is free: the input lines it
meets are summed into one (the other axes), and segments of that are summed into outputs (the
last axis); see `axis_lines`. A line that is read alone and as it lies is not copied. No matrix,
and no array as large as an input, unless three axes or more overlap widely.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from convmat.kernels import axes
from convmat.kernels._rule import compiled, inlined
from convmat.kernels.axis_lines import Line, line_of
from convmat.kernels.line_vectors import combine, separate
from convmat.kernels.phases import parts_of
from convmat.kernels.threads import PIECES, cut, in_threads, threads
from convmat.kernels.vectors import copy, interleave
from convmat.separable import AxisMap, Separable

__all__ = ["SeparableApplication", "apply", "serves"]

Array = np.ndarray[Any, np.dtype[Any]]

WORTH_THREADS = 1 << 15  # numbers read and written, for which it pays to wake a thread
MANY_LINES = 8  # input lines of an output line: beyond, the axes may go one after another


class Outer(NamedTuple):
    """All axes but the last: which input lines each output line reads."""

    sizes: Array  # (axes,) outputs
    starts: Array  # (axes,) where the axis begins in `rows` and `begin`
    rows: Array  # what each output adds to the row number
    begin: Array  # the first entry of each output, and the last
    ends: Array
    columns: Array  # what each entry adds to the column number
    weights: Array
    longest: int  # entries of an output line, at most
    plain: bool  # whether each output line meets one input line at most, with weight 1


class SeparableApplication:
    """A separable layer, ready to be applied to numbers of one dtype.

    Parameters
    ----------
    record : Separable
    dtype : float32, float64, complex64, complex128, int64 or uint64; see `serves`

    Notes
    -----
    Complex numbers are applied as real and imaginary parts, and copied for it. Scratch: a few
    lines for each thread, and where three axes or more overlap widely what lies between them.
    """

    def __init__(self, record: Separable, dtype: np.dtype[Any]) -> None:
        self.in_shape, self.out_shape = record.in_shape, record.out_shape
        self.dtype = dtype
        _, self.real = parts_of(dtype)
        self.stages = [_Stage(stage, self.real) for stage in _stages(record)]

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, *out_shape) of x (batch, *in_shape), both contiguous, of the dtype."""
        if self.dtype.kind != "c":
            self._apply(x.reshape(-1), y.reshape(-1), len(x))
            return
        parts = np.empty((2, *y.shape), self.real)
        self._apply(np.stack([x.real, x.imag]).reshape(-1), parts.reshape(-1), 2 * len(x))
        y.real, y.imag = parts

    def _apply(self, x: Array, y: Array, batch: int) -> None:
        for stage in self.stages[:-1]:
            between = np.empty(batch * stage.shape[0], self.real)
            stage(x, between, batch)
            x = between
        self.stages[-1](x, y, batch)


class _Stage:
    """A record whose axes are applied at once."""

    def __init__(self, record: Separable, dtype: np.dtype[Any]) -> None:
        self.shape = record.shape
        last = len(record.maps) - 1
        rows = [record.rows_of(d, np.arange(part.n_out)) for d, part in enumerate(record.maps)]
        columns = [record.columns_of(d, part.inputs) for d, part in enumerate(record.maps)]
        self.outer = _outer(record.maps[:last], rows[:last], columns[:last], dtype)
        self.line = line_of(record.maps[last], rows[last], columns[last], dtype)
        self.copied = self.line.compact and (self.line.split > 1 or not self.outer.plain)
        self.lines = math.prod(part.n_out for part in record.maps[:last])
        self.work = record.shape[0] + record.nnz // 4

    def __call__(self, x: Array, y: Array, batch: int) -> None:
        """Write y (batch * rows) of x (batch * columns)."""
        items = batch * self.lines * len(self.line.blocks)
        if items == 0 or y.size == 0:
            return

        def write(first: int, last: int) -> None:
            _write_lines(x, y, self.outer, self.line, self.shape, self.copied, first, last)

        worth = batch * self.work // WORTH_THREADS + 1
        in_threads(write, cut(items, min(PIECES * threads(), worth)))


def _outer(
    maps: tuple[AxisMap, ...], rows: list[Array], columns: list[Array], dtype: np.dtype[Any]
) -> Outer:
    """Put the axes one behind another."""
    entries = np.cumsum([0, *(part.nnz for part in maps)])
    begin = [part.begin + before for part, before in zip(maps, entries, strict=False)]
    none = np.zeros(0, np.int64)
    return Outer(
        np.array([part.n_out for part in maps], np.int64),
        np.cumsum([0, *(part.n_out for part in maps)])[:-1].astype(np.int64),
        np.concatenate([none, *rows]),
        np.concatenate([none, *(ends[:-1] for ends in begin)]),
        np.concatenate([none, *(ends[1:] for ends in begin)]),
        np.concatenate([none, *columns]),
        np.concatenate([none.astype(dtype), *(part.values(dtype) for part in maps)]),
        math.prod(max(part.longest, 1) for part in maps),
        all(part.longest <= 1 and part.ones for part in maps),
    )


def _stages(record: Separable) -> list[Separable]:
    """Apply the first axis before the others if output lines would meet too many input lines."""
    outer = [part.longest for part in record.maps[:-1]]
    wide = [d for d, longest in enumerate(outer) if longest > 1]
    lines, least = math.prod(outer), sum(longest for longest in outer if longest > 1)
    if len(wide) < 2 or lines <= max(MANY_LINES, 2 * least):
        return [record]
    first = wide[0]
    before = [
        part if d == first else AxisMap.identity(part.n_in) for d, part in enumerate(record.maps)
    ]
    after = [
        AxisMap.identity(part.n_out) if d == first else part for d, part in enumerate(record.maps)
    ]
    between = tuple(part.n_in for part in after)
    return [
        Separable.of(before, record.in_shape, between, in_digits=record.in_digits),
        *_stages(Separable.of(after, between, record.out_shape, out_digits=record.out_digits)),
    ]


def serves(dtype: np.dtype[Any]) -> bool:
    """Say whether there are compiled kernels for numbers of a dtype."""
    return dtype.isnative and dtype.char in "fdFDlqLQ" and dtype.itemsize >= 4


def apply(record: Separable, x: Array, dtype: np.dtype[Any]) -> Array:
    """Return y (batch, *out_shape) of x (batch, *in_shape), computed and returned in `dtype`.

    In NumPy where nothing is compiled for the dtype.
    """
    if not serves(dtype):
        return axes.apply(record, x, dtype)
    y = np.empty((len(x), *record.out_shape), dtype)
    SeparableApplication(record, dtype)(np.ascontiguousarray(x, dtype), y)
    return y


@compiled
def _write_lines(  # noqa: C901, PLR0912, PLR0915, as arrays are counted at every call
    x: Array,
    y: Array,
    outer: Outer,
    line: Line,
    shape: Any,
    copied: bool,
    first: int,
    last: int,
) -> None:
    """Write the items [first, last) of (image, outputs of the other axes, block of a line)."""
    axes, blocks = len(outer.sizes), len(line.blocks)
    sizes, starts, rows, begin = outer.sizes, outer.starts, outer.rows, outer.begin
    ends, columns, scaling = outer.ends, outer.columns, outer.weights
    places, offsets, weights = line.blocks, line.offsets, line.weights
    scattered, split, pitch = line.scattered, line.split, line.pitch
    segments, ends_of, own = line.segments, line.begin, line.rows
    most = outer.longest + 1
    bases, scales = np.empty(most, np.int64), np.empty(most, y.dtype)
    many = 0 if copied | outer.plain else outer.longest * len(offsets)
    products, factors = np.empty(many, np.int64), np.empty(many, y.dtype)
    sums, halves = np.empty(line.span, y.dtype), np.empty(line.split * line.pitch, y.dtype)
    made = np.empty(2 * line.outputs, y.dtype)
    at, zero = np.zeros(axes + 1, np.int64), np.zeros(1, y.dtype)[0]
    image, block = _locate(first // blocks, sizes, at), first % blocks
    for _item in range(first, last):
        row, met = image * shape[0], 1
        bases[0], scales[0] = image * shape[1], 1
        for d in range(axes):
            o = starts[d] + at[d]
            row += rows[o]
            met = _meet(begin[o], ends[o], columns, scaling, bases, scales, met)
        start, stop, low, span = (
            places[block, 0], places[block, 1], places[block, 2], places[block, 3]
        )  # fmt: skip
        base, times = bases[0] + low, min(met, 1)
        single = (met == 0) | ((met == 1) & (scales[0] == 1))
        summed = copied & (not single)
        if summed:
            combine(sums, 0, span, x, low, bases, scales, 0, met)
        if (split > 1) & (met > 0):
            if summed:
                _split(halves, sums, 0, span, split, pitch)
            else:
                _split(halves, x, base, span, split, pitch)
            _write(y, row, halves, 0, segments, offsets, weights, times, made, start, stop)
        elif scattered & summed:
            _gather(y, row, sums, 0, ends_of, own, offsets, weights, times, zero, start, stop)
        elif scattered & single:
            _gather(y, row, x, base, ends_of, own, offsets, weights, times, zero, start, stop)
        elif summed:
            _write(y, row, sums, 0, segments, offsets, weights, times, made, start, stop)
        elif single:
            _write(y, row, x, base, segments, offsets, weights, times, made, start, stop)
        else:
            _multiply_out(line, block, met, bases, scales, products, factors)
            if scattered:
                _gather(y, row, x, low, ends_of, own, products, factors, met, zero, start, stop)
            else:
                _write(y, row, x, low, segments, products, factors, met, made, start, stop)
        block += 1
        if block == blocks:
            block = 0
            d = axes - 1
            while d >= 0:
                at[d] += 1
                if at[d] < sizes[d]:
                    break
                at[d] = 0
                d -= 1
            image += d < 0


@inlined
def _locate(number: int, sizes: Array, at: Array) -> int:
    """Set the outputs of all axes but the last for a line; return its image."""
    for d in range(len(sizes) - 1, -1, -1):
        at[d], number = number % sizes[d], number // sizes[d]
    return number


@inlined
def _meet(
    begin: int, end: int, columns: Array, weights: Array, bases: Array, scales: Array, met: int
) -> int:
    """Multiply the list of input lines by the entries of one axis; return how many there are."""
    count = end - begin
    for a in range(met - 1, -1, -1):
        before, scale = bases[a], scales[a]
        for e in range(count):
            bases[a * count + e] = before + columns[begin + e]
            scales[a * count + e] = scale * weights[begin + e]
    return met * count


@compiled
def _multiply_out(
    line: Line,
    block: int,
    met: int,
    bases: Array,
    scales: Array,
    offsets: Array,
    weights: Array,
) -> None:
    """Write the entries of a block for every input line that is met: those of one tap together."""
    start, stop = line.blocks[block, 0], line.blocks[block, 1]
    if line.scattered:
        first, last = line.begin[start], line.begin[stop]
    else:
        final = line.segments[stop - 1]
        first, last = line.segments[start, 3], final[3] + final[4]
    for entry in range(first, last):
        for a in range(met):
            offsets[entry * met + a] = bases[a] + line.offsets[entry]
            weights[entry * met + a] = scales[a] * line.weights[entry]


@compiled
def _split(y: Array, x: Array, at: int, count: int, split: int, pitch: int) -> None:
    """y[h*pitch + j] = x[at + split*j + h]: numbers `split` apart come to stand side by side."""
    if split == 2:
        separate(y, 0, pitch, x, at, count // 2)
        if count % 2:
            y[count // 2] = x[at + count - 1]
        return
    for h in range(split):
        for j in range((count - h + split - 1) // split):
            y[h * pitch + j] = x[at + split * j + h]


@compiled
def _gather(
    y: Array,
    row: int,
    x: Array,
    at: int,
    begin: Array,
    rows: Array,
    offsets: Array,
    weights: Array,
    times: int,
    zero: Any,
    start: int,
    stop: int,
) -> None:
    """Write outputs one by one, each the sum of its own entries."""
    for o in range(start, stop):
        total = zero
        for entry in range(begin[o] * times, begin[o + 1] * times):
            total += weights[entry] * x[at + offsets[entry]]
        y[row + rows[o]] = total


@compiled
def _write(
    y: Array,
    row: int,
    x: Array,
    at: int,
    segments: Array,
    offsets: Array,
    weights: Array,
    times: int,
    made: Array,
    start: int,
    stop: int,
) -> None:
    """Write segments of outputs."""
    g = start
    while g < stop:
        to, step, count = row + segments[g, 0], segments[g, 1], segments[g, 2]
        tap, taps = segments[g, 3] * times, segments[g, 4] * times
        if taps == 0:
            for j in range(count):
                y[to + step * j] = 0
        elif step == 1:
            if (taps == 1) & (weights[tap] == 1):
                copy(y, to, x, at + offsets[tap], count)
            else:
                combine(y, to, count, x, at, offsets, weights, tap, taps)
        elif segments[g, 5]:
            g += 1
            other, others = segments[g, 3] * times, segments[g, 4] * times
            combine(made, 0, count, x, at, offsets, weights, tap, taps)
            combine(made, count, count, x, at, offsets, weights, other, others)
            interleave(y, to, made, 0, count, count)
        else:
            combine(made, 0, count, x, at, offsets, weights, tap, taps)
            for j in range(count):
                y[to + step * j] = made[j]
        g += 1
