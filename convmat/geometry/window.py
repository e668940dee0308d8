"""The one record from which everything else is derived.

`Window` is one axis, `Geometry` all of them with the channels. The words are explained in
`convmat.geometry`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Geometry", "Progression", "Window", "solve"]


class Progression(NamedTuple):
    """All solutions of ``base*i = step*t + offset`` with ``0 <= t < extent``, ``0 <= i < n_in``.

    They form an arithmetic progression for every offset; `solve` returns its start and length.
    Along it t advances by `period` and i by `advance`. `divisor` is gcd(step, base) and
    `inverse` is the inverse of step/divisor modulo `period`.

    A `NamedTuple`, because Numba accepts those as arguments.
    """

    step: int
    extent: int
    base: int
    n_in: int
    divisor: int
    period: int
    advance: int
    inverse: int

    @classmethod
    def of(cls, step: int, extent: int, base: int, n_in: int) -> Progression:
        """Prepare the progression; the modular inverse is computed here, once."""
        divisor = math.gcd(step, base)
        period = base // divisor
        advance = step // divisor
        return cls(step, extent, base, n_in, divisor, period, advance, pow(advance, -1, period))


def solve(line: Progression, offset: Any) -> tuple[Any, Any, Any]:
    """Return (first t, first i, number of solutions) of a `Progression` for one offset.

    `offset` is an integer or an integer array; Numba compiles this same function, so it is
    written in arithmetic that scalars and arrays share. Where there is no solution the
    number is 0 and the other two mean nothing.
    """
    low = np.maximum(-(offset // line.step), 0)  # i >= 0
    high = np.minimum((line.base * (line.n_in - 1) - offset) // line.step, line.extent - 1)
    residue = (-(offset // line.divisor) * line.inverse) % line.period
    first = low + (residue - low) % line.period
    length = np.maximum((high - first) // line.period + 1, 0) * (offset % line.divisor == 0)
    return first, (line.step * first + offset) // line.base, length


class Window(NamedTuple):
    """One axis of a layer: which input i meets which output o through which tap k.

    The relation is ``base*i = stride*o + dilation*k - pad`` with ``0 <= i < n_in``,
    ``0 <= o < n_out``, ``0 <= k < kernel``. A convolution has base 1. A transposed convolution,
    as frameworks define it (insert zeros, pad, correlate), has stride 1 and base equal to the
    stride of the convolution that it transposes. Fields are integers or SymPy expressions.

    Both sizes are stored: ``output_padding``, ``"same"`` and asymmetric padding only choose
    sizes, and are gone once the record is made.

    Notes
    -----
    XLA calls `base` the base dilation, JAX ``lhs_dilation``.

    Examples
    --------
    >>> conv = Window(n_in=5, n_out=3, kernel=3, stride=2, base=1, dilation=1, pad=1)
    >>> conv.inputs()
    array([[-1,  0,  1],
           [ 1,  2,  3],
           [ 3,  4, -1]])
    >>> conv.transpose()
    Window(n_in=3, n_out=5, kernel=3, stride=1, base=2, dilation=1, pad=1)
    >>> conv.transpose().transpose() == conv
    True
    """

    n_in: Any
    n_out: Any
    kernel: Any
    stride: Any
    base: Any
    dilation: Any
    pad: Any

    def transpose(self) -> Window:
        """Solve the relation for o, with flipped tap k' = kernel - 1 - k: the transposed record."""
        pad = self.dilation * (self.kernel - 1) - self.pad
        return Window(
            self.n_out, self.n_in, self.kernel, self.base, self.stride, self.dilation, pad
        )

    @property
    def pads(self) -> tuple[int, int]:
        """(low, high): how far the first and the last window reach beyond the input.

        The record keeps the low padding alone. The high one is the part of it that windows read,
        which with a stride may be less than was asked for. Where base > 1 both are counted in
        the input with its inserted zeros.
        """
        last = self.stride * (self.n_out - 1) + self.dilation * (self.kernel - 1) - self.pad
        return self.pad, max(last - self.base * (self.n_in - 1), 0)

    def inputs(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the input of every (output, tap), -1 where there is none; shape (n_out, kernel).

        This is the relation restated literally; `taps` and `outputs` are its closed forms.
        """
        o = np.arange(self.n_out, dtype=np.int64)[:, None]
        k = np.arange(self.kernel, dtype=np.int64)[None, :]
        numerator = self.stride * o + self.dilation * k - self.pad
        i = numerator // self.base
        return np.where((numerator % self.base == 0) & (i >= 0) & (i < self.n_in), i, -1)

    def taps(self) -> Progression:
        """Return the taps of one output o: `solve` it at offset ``stride*o - pad``."""
        return Progression.of(self.dilation, self.kernel, self.base, self.n_in)

    def outputs(self) -> Progression:
        """Return the outputs of one tap k: `solve` it at offset ``dilation*k - pad``."""
        return Progression.of(self.stride, self.n_out, self.base, self.n_in)

    def meetings(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return how many outputs read an input through each tap; closed form, (kernel,)."""
        k = np.arange(self.kernel, dtype=np.int64)
        lengths: np.ndarray[Any, np.dtype[np.int64]]
        lengths = solve(self.outputs(), self.dilation * k - self.pad)[2]
        return lengths

    @property
    def nnz(self) -> int:
        """Number of (output, tap) pairs that read an input; closed form, O(kernel)."""
        return _entries(self)


@lru_cache(maxsize=1024)
def _entries(axis: Window) -> int:
    return int(axis.meetings().sum())


@dataclass(frozen=True, slots=True)
class Geometry:
    """Everything about a layer except its numbers: axes, channels, groups, weight layout.

    Frozen and hashable, without arrays. `flipped` says that the weight is laid out for the map
    that this one transposes, (in_channels, out_channels/groups, *kernel), and is read with its
    taps reversed: so the transpose of a layer uses the very same weight array.

    Examples
    --------
    >>> g = Geometry((Window(4, 2, 3, 1, 1, 1, 0),) * 2, in_channels=1, out_channels=1)
    >>> g.in_shape, g.out_shape, g.shape, g.nnz
    ((1, 4, 4), (1, 2, 2), (4, 16), 36)
    >>> g.transpose().transpose() == g
    True
    """

    axes: tuple[Window, ...]
    in_channels: int
    out_channels: int
    groups: int = 1
    flipped: bool = False

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape (C_in, *spatial) of the input."""
        return (self.in_channels, *(axis.n_in for axis in self.axes))

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape (C_out, *spatial) of the output."""
        return (self.out_channels, *(axis.n_out for axis in self.axes))

    @property
    def kernel(self) -> tuple[int, ...]:
        """Kernel size per axis."""
        return tuple(axis.kernel for axis in self.axes)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (rows, columns) of the matrix."""
        return math.prod(self.out_shape), math.prod(self.in_shape)

    @property
    def group_channels(self) -> tuple[int, int]:
        """Output and input channels of one group."""
        return self.out_channels // self.groups, self.in_channels // self.groups

    @property
    def nnz(self) -> int:
        """Number of stored entries of the matrix: closed form, nothing is built."""
        channels = self.out_channels * self.group_channels[1]
        return channels * math.prod(axis.nnz for axis in self.axes)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight array: (C_out, C_in/groups, *kernel), channels swapped if flipped."""
        out, inner = self.group_channels
        if self.flipped:
            return (self.in_channels, out, *self.kernel)
        return (self.out_channels, inner, *self.kernel)

    @property
    def longest_row(self) -> int:
        """Entries of a row, at most."""
        taps: list[int] = [-(-axis.kernel // axis.taps().period) for axis in self.axes]
        return self.group_channels[1] * math.prod(taps)

    @property
    def longest_column(self) -> int:
        """Entries of a column, at most."""
        return self.transpose().longest_row

    def entries_before(self, row: int) -> int:
        """Return ``indptr[row]`` in closed form: the entries of the boxes of outputs before."""
        position: list[int] = []
        for axis in reversed(self.axes):
            row, o = divmod(row, axis.n_out)
            position.insert(0, o)
        entries = 0
        fixed = self.group_channels[1]  # entries of a line once the axes so far are fixed
        for d, (axis, o) in enumerate(zip(self.axes, position, strict=True)):
            before = axis._replace(n_out=o).nnz
            entries += fixed * before * math.prod(later.nnz for later in self.axes[d + 1 :])
            fixed *= axis._replace(n_out=o + 1).nnz - before
        return row * (self.nnz // self.out_channels) + entries

    def transpose(self) -> Geometry:
        """Return the geometry of the transposed matrix, for the same weight array."""
        axes = tuple(axis.transpose() for axis in self.axes)
        return Geometry(axes, self.out_channels, self.in_channels, self.groups, not self.flipped)
