"""Definitions of the layers that move numbers about, as plain loops; nothing here knows of them.

Conventions as in `naive`: (C, *spatial) without batch, one entry per axis, pads as (low, high).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import naive
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Sizes = Sequence[int]
Pads = Sequence[tuple[int, int]]


def padded_cells(n: int, low: int, high: int, mode: str) -> list[int | None]:
    """Write out an axis after padding, cell by cell: the input of each, None for a zero.

    Ends grow before they are cropped, but those of a circle, which is cropped first.
    """
    cells: list[int | None] = list(range(n))
    if mode == "circular":
        kept = cells[max(-low, 0) : n - max(-high, 0)]
        grown = list(kept)
        for j in range(low):
            grown.insert(0, kept[-1 - j])
        return grown + [kept[j] for j in range(high)]
    for j in range(1, low + 1):
        before = {"zeros": None, "reflect": j, "replicate": 0, "symmetric": j - 1}
        cells.insert(0, before[mode])
    for j in range(1, high + 1):
        after = {"zeros": None, "reflect": n - 1 - j, "replicate": n - 1, "symmetric": n - j}
        cells.append(after[mode])
    for _ in range(-low):
        cells.pop(0)
    for _ in range(-high):
        cells.pop()
    return cells


def pad_matrix(in_shape: Sizes, pads: Pads, mode: str) -> Array:
    """Return the dense matrix of a padding."""
    rows = [padded_cells(n, *ends, mode) for n, ends in zip(in_shape[1:], pads, strict=True)]
    matrix = np.zeros((in_shape[0], *map(len, rows), *in_shape))
    for c, *o in np.ndindex(in_shape[0], *map(len, rows)):
        i = [row[at] for row, at in zip(rows, o, strict=True)]
        if None not in i:
            matrix[(c, *o, c, *i)] = 1
    return matrix.reshape(-1, int(np.prod(in_shape)))


def pixel_shuffle_matrix(in_shape: Sizes, factors: Sizes, order: str) -> Array:
    """Return the dense matrix of a pixel shuffle; crd: channel (c, place), dcr: (place, c)."""
    channels = in_shape[0] // int(np.prod(factors))
    fine = [n * r for n, r in zip(in_shape[1:], factors, strict=True)]
    matrix = np.zeros((channels, *fine, *in_shape))
    for c, *o in np.ndindex(channels, *fine):
        place = [at % r for at, r in zip(o, factors, strict=True)]
        digits, sizes = ([c, *place], [channels, *factors])
        if order == "dcr":
            digits, sizes = ([*place, c], [*factors, channels])
        source = 0
        for digit, size in zip(digits, sizes, strict=True):
            source = source * size + digit
        matrix[(c, *o, source, *(at // r for at, r in zip(o, factors, strict=True)))] = 1
    return matrix.reshape(-1, int(np.prod(in_shape)))


def unfold_matrix(
    in_shape: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes
) -> Array:
    """Return the dense matrix of an unfolding."""
    size = naive.conv_size(in_shape[1:], kernel, stride, pads, dilation)
    matrix = np.zeros((in_shape[0], *kernel, *size, *in_shape))
    for c, tap, o in product(range(in_shape[0]), np.ndindex(*kernel), np.ndindex(*size)):
        i = naive.reads(in_shape[1:], o, tap, stride, pads, dilation)
        if i is not None:
            matrix[(c, *tap, *o, c, *i)] = 1
    return matrix.reshape(-1, int(np.prod(in_shape)))


def max_pool(
    x: Array, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, *, ceil_mode: bool
) -> tuple[Array, Array]:
    """Return values and switches of x (C, *spatial): the first greatest, or the last NaN."""
    spatial = x.shape[1:]
    count = naive.pooling_windows if ceil_mode else naive.windows_that_fit
    size = [count(*axis) for axis in zip(spatial, kernel, stride, pads, dilation, strict=True)]
    y = np.zeros((len(x), *size), x.dtype)
    switches = np.full(y.shape, -1)
    for c, *o in np.ndindex(y.shape):
        winner = None
        for tap in np.ndindex(*kernel):
            i = naive.reads(spatial, o, tap, stride, pads, dilation)
            if i is None:
                continue
            if winner is None or x[(c, *i)] > x[(c, *winner)] or x[(c, *i)] != x[(c, *i)]:
                winner = i
        assert winner is not None, "a window without input"
        y[(c, *o)] = x[(c, *winner)]
        switches[(c, *o)] = int(np.ravel_multi_index(winner, spatial))
    return y, switches


def selection_matrix(in_shape: Sizes, switches: Array) -> Array:
    """Return the dense matrix that reads the input of each switch."""
    plane = int(np.prod(in_shape[1:]))
    matrix = np.zeros((*switches.shape, in_shape[0], plane))
    for c, *o in np.ndindex(switches.shape):
        matrix[(c, *o, c, switches[(c, *o)])] = 1
    return matrix.reshape(switches.size, -1)


def unpool_matrix(in_shape: Sizes, switches: Array) -> Array:
    """Return the dense matrix of an unpooling: its answers to the unit vectors, by assignment."""
    columns = []
    for unit in np.eye(switches.size):
        values = unit.reshape(switches.shape)
        y = np.zeros((in_shape[0], int(np.prod(in_shape[1:]))))
        for c, *o in np.ndindex(switches.shape):
            y[c, switches[(c, *o)]] = values[(c, *o)]
        columns.append(y.ravel())
    return np.stack(columns, axis=1)
