"""Apply Kronecker layers: average pooling, resizing, padding, rearranging and their transposes.

Every line of outputs is computed on its own, by whichever thread is free: the input lines it
meets are summed into one (the other axes), and segments of that are summed into outputs (the
last axis); see `segments` and `lines`. A line that is read alone and as it lies is not
copied. No matrix, and no array as large as an input, unless three axes or more overlap widely.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Kronecker
from convmat.kernels.cpu.kronecker import in_numpy
from convmat.kernels.cpu.kronecker.lines import Outer, write_lines
from convmat.kernels.cpu.kronecker.segments import line_of
from convmat.kernels.cpu.layout.phases import parts_of
from convmat.kernels.cpu.threads.pieces import PIECES, threads
from convmat.kernels.cpu.threads.team import together

__all__ = ["KroneckerApplication", "apply", "serves"]

Array = np.ndarray[Any, np.dtype[Any]]

WORTH_THREADS = 1 << 15  # numbers read and written, for which it pays to wake a thread
MANY_LINES = 8  # input lines of an output line: beyond, the axes may go one after another


class KroneckerApplication:
    """A Kronecker layer, ready to be applied to numbers of one dtype.

    Parameters
    ----------
    record : Kronecker
    dtype : float32, float64, complex64, complex128, int64 or uint64; see `serves`

    Notes
    -----
    Complex numbers are applied as real and imaginary parts, and copied for it. Scratch: a few
    lines for each thread, and where three axes or more overlap widely what lies between them.
    """

    def __init__(self, record: Kronecker, dtype: np.dtype[Any]) -> None:
        self.in_shape, self.out_shape = record.in_shape, record.out_shape
        self.dtype = dtype
        _, self.real = parts_of(dtype)
        self.stages = [_Stage(stage, self.real) for stage in _stages(record)]

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, *out_shape) of x (batch, *in_shape), both contiguous, of the dtype."""
        if self.dtype.kind != "c":
            self._apply(x.reshape(-1).view(self.real), y.reshape(-1).view(self.real), len(x))
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

    def __init__(self, record: Kronecker, dtype: np.dtype[Any]) -> None:
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

        worth = batch * self.work // WORTH_THREADS + 1
        arguments = x, y, self.outer, self.line, self.shape, self.copied
        together(write_lines, arguments, items, min(PIECES * threads(), worth))


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


def _stages(record: Kronecker) -> list[Kronecker]:
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
        Kronecker.of(before, record.in_shape, between, in_digits=record.in_digits),
        *_stages(Kronecker.of(after, between, record.out_shape, out_digits=record.out_digits)),
    ]


def serves(dtype: np.dtype[Any]) -> bool:
    """Say whether there are compiled kernels for numbers of a dtype."""
    return dtype.isnative and dtype.char in "fdFDlqLQ" and dtype.itemsize >= 4


def apply(record: Kronecker, x: Array, dtype: np.dtype[Any]) -> Array:
    """Return y (batch, *out_shape) of x (batch, *in_shape), computed and returned in `dtype`.

    In NumPy where nothing is compiled for the dtype.
    """
    if not serves(dtype):
        return in_numpy.apply(record, x, dtype)
    y = np.empty((len(x), *record.out_shape), dtype)
    KroneckerApplication(record, dtype)(np.ascontiguousarray(x, dtype), y)
    return y
