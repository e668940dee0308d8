"""The definitions, as plain loops over NumPy arrays; nothing here knows of the package.

Arrays are (C, *spatial) without batch. `stride`, `dilation` and `output_padding` are one integer
per axis, `pads` one (low, high) pair per axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Sizes = Sequence[int]
Pads = Sequence[tuple[int, int]]


def windows_that_fit(n: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int) -> int:
    """Count the windows inside the padded input, one after the other."""
    low, high = pads
    count = 0
    while count * stride + dilation * (kernel - 1) < low + n + high:
        count += 1
    return count


def pooling_windows(n: int, kernel: int, stride: int, pads: tuple[int, int], dilation: int) -> int:
    """Count the windows of a pooling in ceil mode, one after the other.

    Windows go on until one reaches the end, overhanging if need be; those that would start in
    the high padding are ignored.
    """
    low, high = pads
    count, reached = 0, False
    while not reached and count * stride < low + n:
        reached = count * stride + dilation * (kernel - 1) >= low + n + high - 1
        count += 1
    return count


def named_pads(name: str, n: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Return the (low, high) that a padding name stands for, found by trying totals in order."""
    if name == "valid":
        return 0, 0
    if name == "full":
        return dilation * (kernel - 1), dilation * (kernel - 1)
    total = 0
    wanted = len(range(0, n, stride))
    while windows_that_fit(n, kernel, stride, (0, total), dilation) < wanted:
        total += 1
    small, large = total // 2, total - total // 2
    return (large, small) if name == "same_lower" else (small, large)


def reads(
    in_spatial: Sizes, o: Sizes, tap: Sizes, stride: Sizes, pads: Pads, dilation: Sizes
) -> tuple[int, ...] | None:
    """Return the input position that output `o` reads through `tap`, None in the padding."""
    position = []
    for n, at, k, s, (low, _), d in zip(in_spatial, o, tap, stride, pads, dilation, strict=True):
        i = s * at + d * k - low
        if i < 0 or i >= n:
            return None
        position.append(i)
    return tuple(position)


def conv_size(in_spatial: Sizes, kernel: Sizes, stride: Sizes, pads: Pads, dilation: Sizes) -> Any:
    return tuple(
        windows_that_fit(*axis)
        for axis in zip(in_spatial, kernel, stride, pads, dilation, strict=True)
    )


def conv_matrix(
    weight: Array, in_shape: Sizes, stride: Sizes, pads: Pads, dilation: Sizes, groups: int
) -> Array:
    """Return the dense matrix of a correlation; weight is (C_out, C_in/groups, *kernel)."""
    out_channels, inner, *kernel = weight.shape
    spatial = in_shape[1:]
    size = conv_size(spatial, kernel, stride, pads, dilation)
    matrix = np.zeros((out_channels, *size, *in_shape), weight.dtype)
    for c, b in product(range(out_channels), range(inner)):
        group = c // (out_channels // groups)
        for o, tap in product(np.ndindex(*size), np.ndindex(*kernel)):
            i = reads(spatial, o, tap, stride, pads, dilation)
            if i is not None:
                matrix[(c, *o, group * inner + b, *i)] += weight[(c, b, *tap)]
    return matrix.reshape(out_channels * int(np.prod(size)), -1)


def conv(x: Array, weight: Array, stride: Sizes, pads: Pads, dilation: Sizes, groups: int) -> Array:
    """Return the correlation of x (C_in, *spatial)."""
    out_channels, inner, *kernel = weight.shape
    spatial = x.shape[1:]
    size = conv_size(spatial, kernel, stride, pads, dilation)
    y = np.zeros((out_channels, *size), np.result_type(x, weight))
    for c, b in product(range(out_channels), range(inner)):
        group = c // (out_channels // groups)
        for o, tap in product(np.ndindex(*size), np.ndindex(*kernel)):
            i = reads(spatial, o, tap, stride, pads, dilation)
            if i is not None:
                y[(c, *o)] += weight[(c, b, *tap)] * x[(group * inner + b, *i)]
    return y


def insert_zeros(x: Array, stride: Sizes) -> Array:
    """Put stride - 1 zeros between neighbours on every axis but the first."""
    spread = [s * (n - 1) + 1 for n, s in zip(x.shape[1:], stride, strict=True)]
    y = np.zeros((x.shape[0], *spread), x.dtype)
    for channel, *i in np.ndindex(*x.shape):
        y[(channel, *(s * at for s, at in zip(stride, i, strict=True)))] = x[(channel, *i)]
    return y


def pad(x: Array, pads: Pads) -> Array:
    """Add zeros at the ends of every axis but the first; negative numbers crop."""
    for axis, (low, high) in enumerate(pads, start=1):
        grow = [(0, 0)] * x.ndim
        grow[axis] = (max(low, 0), max(high, 0))
        x = np.pad(x, grow)
        x = np.take(x, range(max(-low, 0), x.shape[axis] - max(-high, 0)), axis)
    return x


def flipped_weight(weight: Array, groups: int) -> Array:
    """Return (C_out, C_in/groups, *kernel), taps reversed, from (C_in, C_out/groups, *kernel)."""
    out, *kernel = weight.shape[1:]
    inner = len(weight) // groups
    result = np.zeros((groups * out, inner, *kernel), weight.dtype)
    for g, c, b in product(range(groups), range(out), range(inner)):
        for tap in np.ndindex(*kernel):
            mirrored = tuple(k - 1 - t for k, t in zip(kernel, tap, strict=True))
            result[(g * out + c, b, *tap)] = weight[(g * inner + b, c, *mirrored)]
    return result


def conv_transpose(
    x: Array,
    weight: Array,
    stride: Sizes,
    pads: Pads,
    output_padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """Insert zeros, pad, correlate with the flipped weight (C_in, C_out/groups, *kernel)."""
    kernel, ones = weight.shape[2:], [1] * len(stride)
    full = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    frame = [
        (f - low, f - high + extra)
        for f, (low, high), extra in zip(full, pads, output_padding, strict=True)
    ]
    spread = pad(insert_zeros(x, stride), frame)
    return conv(
        spread, flipped_weight(weight, groups), ones, [(0, 0)] * len(stride), dilation, groups
    )


def conv_transpose_matrix(
    weight: Array,
    in_shape: Sizes,
    stride: Sizes,
    pads: Pads,
    output_padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Array:
    """Return the dense matrix of `conv_transpose`: its answers to the unit vectors."""
    units = np.eye(int(np.prod(in_shape)), dtype=weight.dtype)
    columns = [
        conv_transpose(
            unit.reshape(in_shape), weight, stride, pads, output_padding, dilation, groups
        ).ravel()
        for unit in units
    ]
    return np.stack(columns, axis=1)
