"""From the keywords that people write to the `Window` of each axis, and back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal, cast, get_args

import numpy as np

from convmat.geometry.arguments import GeometryError, as_integer, as_pair, one_of
from convmat.geometry.sizes import (
    as_scale,
    is_same,
    output_size,
    padding_ends,
    padding_rule,
    transposed_output_size,
)
from convmat.geometry.window import Geometry, Window

__all__ = [
    "MODES",
    "PaddingMode",
    "as_mode",
    "axes_keywords",
    "bounded",
    "conv_axes",
    "conv_pads",
    "conv_transpose_axes",
    "entry_per_axis",
    "keywords",
    "per_axis",
    "pool_axes",
    "scales",
]

LIMIT = 1 << 60
PaddingMode = Literal["zeros", "reflect", "replicate", "circular", "symmetric"]
MODES = get_args(PaddingMode)
ELSEWHERE = {"constant": "zeros", "edge": "replicate", "wrap": "circular"}  # NumPy's names


def as_mode(name: str, value: Any) -> PaddingMode:
    """Return a name of `MODES`; NumPy's names of the same are refused with ours."""
    if isinstance(value, str) and value in ELSEWHERE:
        here = ELSEWHERE[value]
        raise GeometryError(name, value, f"is called {here} here", f"use {name}={here!r}")
    return cast("PaddingMode", one_of(name, value, MODES))


def per_axis(name: str, value: Any, ndim: int, least: int) -> list[int]:
    """Return one checked integer for each of `ndim` spatial axes."""
    return [as_integer(name, entry, least) for entry in entry_per_axis(name, value, ndim)]


def conv_axes(
    spatial: Sequence[int],
    kernel: Sequence[int],
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool = False,
) -> tuple[Window, ...]:
    """Return the records of a convolution, or of a pooling, on an input of size `spatial`."""
    ndim = len(kernel)
    strides = per_axis("stride", stride, ndim, 1)
    dilations = per_axis("dilation", dilation, ndim, 1)
    pads = conv_pads(spatial, kernel, strides, padding, dilations)
    axes = []
    for n, k, s, d, p in zip(spatial, kernel, strides, dilations, pads, strict=True):
        axes.append(_bounded(Window(n, output_size(n, k, s, p, d, ceil_mode), k, s, 1, d, p[0])))
    return tuple(axes)


def conv_pads(
    spatial: Sequence[int], kernel: Sequence[int], stride: Any, padding: Any, dilation: Any
) -> list[tuple[int, int]]:
    """Return the (low, high) padding of each axis of a convolution, however it was written."""
    ndim = len(kernel)
    strides = per_axis("stride", stride, ndim, 1)
    dilations = per_axis("dilation", dilation, ndim, 1)
    rows = zip(_paddings(padding, ndim), spatial, kernel, strides, dilations, strict=True)
    return [padding_ends(*row) for row in rows]


def pool_axes(
    spatial: Sequence[int],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Window, ...]:
    """Return the records of a pooling; a stride that is not given is the kernel size."""
    kernel = per_axis("kernel_size", kernel_size, len(spatial), 1)
    strides = kernel if stride is None else stride
    return conv_axes(spatial, kernel, strides, padding, dilation, ceil_mode)


def scales(scale_factor: Any, ndim: int) -> list[Fraction]:
    """Return one exact scale for each of `ndim` spatial axes."""
    if isinstance(scale_factor, np.ndarray) and scale_factor.ndim < 2:
        # NumPy numbers, which know their precision
        scale_factor = list(scale_factor) if scale_factor.ndim else scale_factor[()]
    return [as_scale(entry) for entry in entry_per_axis("scale_factor", scale_factor, ndim)]


def conv_transpose_axes(
    spatial: Sequence[int],
    kernel: Sequence[int],
    stride: Any,
    padding: Any,
    output_padding: Any,
    output_size: Any,
    dilation: Any,
) -> tuple[Window, ...]:
    """Return the records of a transposed convolution, from its definition in frameworks.

    Insert stride - 1 zeros between inputs (base = stride), pad by dilation*(kernel - 1) - p,
    correlate at stride 1. `output_padding` or `output_size` choose how far the output reaches.
    """
    ndim = len(kernel)
    strides = per_axis("stride", stride, ndim, 1)
    dilations = per_axis("dilation", dilation, ndim, 1)
    paddings = _paddings(padding, ndim)
    extras = per_axis("output_padding", output_padding, ndim, 0)
    wanted: list[Any] = [None] * ndim
    if output_size is not None:
        wanted = per_axis("output_size", output_size, ndim, 1)
        if any(extras):
            raise GeometryError(
                "output_padding",
                output_padding,
                f"cannot be combined with output_size={output_size!r}",
                "give one of the two",
            )
    axes = []
    for m, k, s, d, p, a, want in zip(
        spatial, kernel, strides, dilations, paddings, extras, wanted, strict=True
    ):
        low, n_out = _transposed_extent(m, k, s, d, p, a, want)
        axes.append(_bounded(Window(m, n_out, k, 1, s, d, d * (k - 1) - low)))
    return tuple(axes)


def _bounded(axis: Window) -> Window:
    """Refuse an axis whose positions, or number of entries, overflow 64-bit arithmetic."""
    spans = (axis.base * axis.n_in, axis.stride * axis.n_out, axis.dilation * axis.kernel)
    most_entries = axis.n_out * axis.kernel  # they are counted in 64 bits too
    if max(*spans, abs(axis.pad), most_entries) > LIMIT:
        raise GeometryError(
            "in_shape", axis.n_in, f"leads to positions beyond 2**60: {axis}", "use smaller sizes"
        )
    return axis


def bounded(name: str, value: Any, shape: Sequence[int]) -> None:
    """Refuse an argument that leads to more positions than 64-bit arithmetic can number."""
    if math.prod(shape) > LIMIT:
        raise GeometryError(
            name, value, f"leads to a shape of more than 2**60 positions: {shape}", "use less"
        )


def _transposed_extent(
    m: int, k: int, s: int, d: int, padding: Any, extra: int, want: int | None
) -> tuple[int, int]:
    """Return (low padding, output size) of a transposed convolution along one axis."""
    if is_same(padding):
        most = transposed_output_size(m, k, s, padding, extra, d)
        size = most if want is None else want
        _check_reach(size, most - s + 1, most)
        return padding_ends(padding, size, k, s, d)[0], size
    low, high = padding_ends(padding, m, k, s, d)
    if want is None:
        return low, transposed_output_size(m, k, s, (low, high), extra, d)
    most = transposed_output_size(m, k, s, (low, high), max(s, d) - 1, d)
    _check_reach(want, max(most - max(s, d) + 1, 1), most)
    return low, want


def _check_reach(size: int, least: int, most: int) -> None:
    if not least <= size <= most:
        raise GeometryError(
            "output_size",
            size,
            f"is not reachable: this layer can make {least} to {most}",
            "choose one of these, or another stride or padding",
        )


def _paddings(padding: Any, ndim: int) -> Sequence[Any]:
    """Return padding per axis: a rule, or a (low, high) pair, each."""
    named = isinstance(padding, str)
    entries = [padding] * ndim if named else entry_per_axis("padding", padding, ndim)
    return [padding_rule(entry) if isinstance(entry, str) else _ends(entry) for entry in entries]


def _ends(padding: Any) -> tuple[int, int]:
    """Return (low, high) of one axis, integers: a layer has no symbols."""
    low, high = as_pair(padding)
    return as_integer("padding", low, 0), as_integer("padding", high, 0)


def entry_per_axis(name: str, value: Any, ndim: int) -> Sequence[Any]:
    """Return what was written for each of `ndim` spatial axes, unchecked; of one entry, that."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, Sequence):
        return [value] * ndim
    if len(value) == 1 and not isinstance(value, str):
        return [value[0]] * ndim  # for every axis, as in PyTorch
    if isinstance(value, str) or len(value) != ndim:
        pairs = ", ".join(["(low, high)"] * ndim) + "," * (ndim == 1)
        pairs = f"; low and high ends are written ({pairs})" * (name == "padding")
        raise GeometryError(
            name,
            value,
            f"must be one value, or one for each of the {ndim} spatial axes{pairs}",
            f"pass {ndim} of them",
        )
    return value


def keywords(geometry: Geometry) -> dict[str, Any]:
    """Return the keywords that make a layer, without those at their defaults: the way back.

    One value where all axes agree; padding as (low, high) pairs where it is uneven. Of a
    transposed convolution `output_padding` is solved for.

    Examples
    --------
    >>> (axis,) = conv_axes([28], [3], stride=2, padding=1, dilation=1)
    >>> keywords(Geometry((axis.transpose(),), 1, 1, flipped=True))
    {'kernel': (3,), 'stride': 2, 'padding': 1, 'output_padding': 1}
    """
    axes = [axis.transpose() if geometry.flipped else axis for axis in geometry.axes]
    named = {"kernel": geometry.kernel, **axes_keywords(axes, transposed=geometry.flipped)}
    if geometry.groups > 1:
        named["groups"] = geometry.groups
    return named


def axes_keywords(axes: Sequence[Window], *, transposed: bool = False) -> dict[str, Any]:
    """Return stride, padding and dilation of windows, or of the layer that transposes them."""
    even = all(_evenly_padded(axis, transposed=transposed) for axis in axes)
    values: dict[str, list[Any]] = {
        "stride": [axis.stride for axis in axes],
        "padding": [axis.pad if even else axis.pads for axis in axes],
    }
    if transposed:
        ends = [(axis.pad, axis.pad) if even else axis.pads for axis in axes]
        values["output_padding"] = [
            _surplus(axis, *pads) for axis, pads in zip(axes, ends, strict=True)
        ]
    values["dilation"] = [axis.dilation for axis in axes]
    plain = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
    named: dict[str, Any] = {}
    for word, entries in values.items():
        if any(entry != plain[word] for entry in entries):
            agree = len(set(entries)) == 1 and isinstance(entries[0], int)
            named[word] = entries[0] if agree else tuple(entries)
    return named


def _evenly_padded(axis: Window, *, transposed: bool) -> bool:
    """Say whether the low padding at both ends leads to this very record of a convolution.

    With a stride the windows may read less of the high padding than there is. The layer that
    transposes it may also have a surplus of up to its dilation.
    """
    low, high = axis.pads
    if low == high or low < 0:
        return low == high
    most = max(axis.stride, axis.dilation) if transposed else axis.stride
    return bool(0 <= _surplus(axis, low, low) < most)


def _surplus(axis: Window, low: int, high: int) -> Any:
    """Return how many samples of the padded input lie beyond the last window."""
    last = axis.stride * (axis.n_out - 1) + axis.dilation * (axis.kernel - 1)
    return axis.n_in + low + high - 1 - last
