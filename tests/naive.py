"""The definitions, as plain loops over NumPy arrays; nothing here knows of the package.

Arrays are (C, *spatial) without batch. `stride`, `dilation` and `output_padding` are one integer
per axis, `pads` one (low, high) pair per axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
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


def fractions(shape: Sizes) -> Array:
    """Return an array of exact zeros."""
    zeros = np.empty(tuple(shape), object)
    zeros.fill(Fraction(0))
    return zeros


def on_each_channel(channels: int, plane: Array, dtype: Any = float) -> Array:
    """Return the matrix that applies one and the same matrix to every channel."""
    rows, columns = plane.shape
    matrix = np.zeros((channels, rows, channels, columns), dtype)
    for c in range(channels):
        matrix[c, :, c, :] = plane.astype(dtype)
    return matrix.reshape(channels * rows, channels * columns)


def average_pool_plane(
    spatial: Sizes,
    kernel: Sizes,
    stride: Sizes,
    pads: Pads,
    *,
    ceil_mode: bool = False,
    include_pad: bool = True,
    divisor: int | None = None,
) -> Array:
    """Return the exact matrix of an average pooling of one channel, cell by cell."""
    count = pooling_windows if ceil_mode else windows_that_fit
    size = [count(*axis, 1) for axis in zip(spatial, kernel, stride, pads, strict=True)]
    matrix = fractions((*size, *spatial))
    for o in np.ndindex(*size):
        held, counted = [], 0
        for tap in np.ndindex(*kernel):
            axes = list(zip(spatial, o, tap, stride, pads, strict=True))
            position = tuple(s * at + k - low for _, at, k, s, (low, _) in axes)
            ends = [n + high for n, _, _, _, (_, high) in axes]
            inside = all(0 <= i < n for i, n in zip(position, spatial, strict=True))
            padded = all(i < end for i, end in zip(position, ends, strict=True))
            held += [position] if inside else []
            counted += padded if include_pad else inside
        for position in held:
            matrix[o + position] += Fraction(1, counted if divisor is None else divisor)
    return matrix.reshape(math.prod(size), -1)


def adaptive_pool_plane(spatial: Sizes, size: Sizes) -> Array:
    """Return the exact matrix of an adaptive average pooling of one channel."""
    matrix = fractions((*size, *spatial))
    for o in np.ndindex(*size):
        spans = [
            range(math.floor(Fraction(at * n, m)), math.ceil(Fraction((at + 1) * n, m)))
            for at, n, m in zip(o, spatial, size, strict=True)
        ]
        held = list(product(*spans))
        for position in held:
            matrix[o + position] += Fraction(1, len(held))
    return matrix.reshape(math.prod(size), -1)


def source(convention: str, o: int, n: int, n_out: int, scale: Fraction) -> Fraction:
    """Return where output o of a resizing lies, by the formulas of ONNX."""
    half, length = Fraction(1, 2), n * scale
    if convention == "asymmetric":
        return o / scale
    if convention == "align_corners":
        return Fraction(0) if length == 1 else Fraction(o * (n - 1)) / (length - 1)
    if convention == "pytorch_half_pixel" and n_out == 1:
        return Fraction(0)
    offset = Fraction(0)
    if convention == "half_pixel_symmetric":
        offset = Fraction(n, 2) * (1 - n_out / length)
    return offset + (o + half) / scale - half


def rounded(x: Fraction, rounding: str) -> int:
    """Return the integer that a nearest mode of ONNX takes."""
    if rounding in ("floor", "ceil"):
        return math.floor(x) if rounding == "floor" else math.ceil(x)
    tie = min if rounding == "round_prefer_floor" else max
    least = min(abs(x - j) for j in range(math.floor(x) - 1, math.floor(x) + 3))
    near = range(math.floor(x) - 1, math.floor(x) + 3)
    return tie(j for j in near if abs(x - j) == least)


def hat(distance: Fraction) -> Fraction:
    """Return the weight of an input at this distance in linear interpolation."""
    return max(Fraction(0), 1 - abs(distance))


def keys(distance: Fraction, a: Fraction = Fraction(-3, 4)) -> Fraction:
    """Return the weight of an input at this distance in cubic convolution."""
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    if d < 2:
        return a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return Fraction(0)


def resize_axis(
    n: int, n_out: int, scale: Fraction, kind: str, convention: str, rounding: str = "floor"
) -> Array:
    """Return the exact matrix of a resizing along one axis; ends are repeated."""
    matrix = fractions((n_out, n))
    for o in range(n_out):
        x = source(convention, o, n, n_out, scale)
        if kind == "nearest":
            matrix[o, min(max(rounded(x, rounding), 0), n - 1)] += 1
            continue
        weight = hat if kind == "linear" else keys
        for j in range(math.floor(x) - 3, math.floor(x) + 5):
            matrix[o, min(max(j, 0), n - 1)] += weight(x - j)
    return matrix


def resize_plane(axes: Sequence[Array]) -> Array:
    """Return the exact matrix on one channel from those of its axes, entry by entry."""
    size, spatial = zip(*(axis.shape for axis in axes), strict=True)
    matrix = fractions((*size, *spatial))
    for o, i in product(np.ndindex(*size), np.ndindex(*spatial)):
        matrix[o + i] = math.prod(
            (axis[at, j] for axis, at, j in zip(axes, o, i, strict=True)), start=Fraction(1)
        )
    return matrix.reshape(math.prod(size), -1)
