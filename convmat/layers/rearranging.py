"""Layers that move numbers about: padding, pixel shuffles, unfolding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from convmat.geometry.arguments import as_integer, as_pair, as_shape, one_of
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.borders import padding_map
from convmat.geometry.keywords import (
    PaddingMode,
    as_mode,
    axes_keywords,
    bounded,
    conv_axes,
    entry_per_axis,
    per_axis,
)
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.sizes import padded_size, pixel_shuffle_shape, pixel_unshuffle_shape
from convmat.layers.pooling_windows import check_entries
from convmat.operator import KroneckerOperator

__all__ = ["Padding", "fold", "identity", "pad", "pixel_shuffle", "pixel_unshuffle", "unfold"]

ORDERS = ("crd", "dcr")


class Padding(KroneckerOperator):
    """A padding or its transpose, so that `convmat.mirror` can tell it.

    The transpose adds what fell on the padding to the cells that it was read from.
    """

    def _kind_of_transpose(self) -> type[Padding]:
        return Padding


def identity(in_shape: Sequence[int]) -> KroneckerOperator:
    """Return the layer that changes nothing.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Any number of spatial axes.

    Returns
    -------
    KroneckerOperator
        in_shape to in_shape.

    Raises
    ------
    GeometryError
        No shape of positive integers with a channel axis.

    Notes
    -----
    ``y = x``: one entry for each number. Making the operator costs O(sum of the sizes).

    Examples
    --------
    >>> identity((1, 2)).matrix().toarray()
    array([[1., 0.],
           [0., 1.]])
    """
    shape = as_shape("in_shape", in_shape)
    check_entries(*shape)
    record = Kronecker.of([AxisMap.identity(n) for n in shape], shape, shape)
    return KroneckerOperator(record, ("identity", "identity"))


def pad(in_shape: Sequence[int], padding: Any, mode: PaddingMode = "zeros") -> Padding:
    """Return padding as a linear operator: cells are added at, or cropped from, the ends.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
    padding : int, one per spatial axis, or (low, high) per spatial axis, first axis first
        Cells added at each end; negative numbers crop. (PyTorch's `pad` names the last axis
        first.)
    mode : {"zeros", "reflect", "replicate", "circular", "symmetric"}
        NumPy's names of the same are constant, reflect, edge, wrap and symmetric.

    Returns
    -------
    Padding
        in_shape to (C, *padded), each size being `padded_size` of its axis.

    Raises
    ------
    GeometryError
        An unknown mode, a crop that leaves no output, or more padding than there are cells to
        take it from: at most n - 1 on a side to reflect, n for circular and symmetric.

    Notes
    -----
    On every axis ``y[o] = x[i]`` with i the cell that stands for position ``o - low``, as
    `convmat.geometry.borders.padding_map` has it. Where one side is cropped and the other grows,
    circular padding crops first, the others last, as PyTorch's do. At most one entry for each
    output.

    Examples
    --------
    >>> x = np.array([[1, 2, 3]])
    >>> pad((1, 3), 2, mode="reflect")(x), pad((1, 3), [(2, -1)])(x)
    (array([[3, 2, 1, 2, 3, 2, 1]]), array([[0, 0, 1, 2]]))
    """
    shape = as_shape("in_shape", in_shape)
    mode = as_mode("mode", mode)
    pads = [_ends(entry) for entry in entry_per_axis("padding", padding, len(shape) - 1)]
    sizes = tuple(map(padded_size, shape[1:], pads))
    bounded("padding", padding, (shape[0], *sizes))
    check_entries(shape[0], *sizes)
    maps = [padding_map(n, *ends, mode) for n, ends in zip(shape[1:], pads, strict=True)]
    record = Kronecker.of((AxisMap.identity(shape[0]), *maps), shape, (shape[0], *sizes))
    even = len(set(pads)) == 1 and pads[0][0] == pads[0][1]
    name = f"pad {pads[0][0] if even else tuple(pads)}, {mode}"
    return Padding(record, (name, f"{name}, transposed"))


def _ends(padding: Any) -> tuple[int, int]:
    low, high = as_pair(padding, least=None)
    return as_integer("padding", low), as_integer("padding", high)  # no symbols here


def pixel_shuffle(
    in_shape: Sequence[int], upscale_factor: Any, order: str = "crd"
) -> KroneckerOperator:
    """Return the pixel shuffle: groups of channels become blocks of finer positions.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        C a multiple of the product of the factors.
    upscale_factor : int, or one per spatial axis
    order : {"crd", "dcr"}
        How an input channel is numbered. ``"crd"``: output channel, then place in the block, as
        PyTorch's PixelShuffle; ``"dcr"``: place in the block, then output channel, as
        TensorFlow's depth_to_space and the default of ONNX DepthToSpace. In any case: ``"CRD"``.

    Returns
    -------
    KroneckerOperator
        in_shape to (C / prod(r), *(n*r)).

    Raises
    ------
    GeometryError
        An unknown order, a factor below 1, or channels that do not divide.

    Notes
    -----
    In two dimensions, crd: ``y[c, h*r + a, w*r + b] = x[(c*r + a)*r + b, h, w]``. A permutation:
    the transpose is the inverse, `pixel_unshuffle`. Making the operator costs O(sum of the sizes).

    References
    ----------
    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", 2016, equation 4.

    Examples
    --------
    >>> pixel_shuffle((4, 1, 2), 2)(np.arange(8).reshape(4, 1, 2))
    array([[[0, 2, 1, 3],
            [4, 6, 5, 7]]])
    """
    shape = as_shape("in_shape", in_shape)
    factors = per_axis("upscale_factor", upscale_factor, len(shape) - 1, 1)
    out_shape = pixel_shuffle_shape(shape, factors)
    bounded("upscale_factor", upscale_factor, out_shape)
    order = one_of("order", order, ORDERS, any_case=True)
    return KroneckerOperator(
        _shuffle(out_shape, factors, order),
        (_shuffle_name("shuffle", factors, order), _shuffle_name("unshuffle", factors, order)),
    )


def pixel_unshuffle(
    in_shape: Sequence[int], downscale_factor: Any, order: str = "crd"
) -> KroneckerOperator:
    """Return the inverse of a pixel shuffle: blocks of positions become channels.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Spatial sizes that are multiples of the factors.
    downscale_factor : int, or one per spatial axis
    order : {"crd", "dcr"}
        As for `pixel_shuffle`; ``"dcr"`` is the space_to_depth of TensorFlow and ONNX.

    Returns
    -------
    KroneckerOperator
        in_shape to (C * prod(r), *(n / r)).

    Raises
    ------
    GeometryError
        An unknown order, a factor below 1, or sizes that do not divide.

    Notes
    -----
    In two dimensions, crd: ``y[(c*r + a)*r + b, h, w] = x[c, h*r + a, w*r + b]``. A permutation:
    the transpose is the inverse, `pixel_shuffle`. Making the operator costs O(sum of the sizes).

    References
    ----------
    Shi et al., 2016, equation 4, read from right to left; see `pixel_shuffle`.

    Examples
    --------
    >>> pixel_unshuffle((1, 2, 4), 2)(np.arange(8).reshape(1, 2, 4))
    array([[[0, 2]],
    <BLANKLINE>
           [[1, 3]],
    <BLANKLINE>
           [[4, 6]],
    <BLANKLINE>
           [[5, 7]]])
    """
    shape = as_shape("in_shape", in_shape)
    factors = per_axis("downscale_factor", downscale_factor, len(shape) - 1, 1)
    pixel_unshuffle_shape(shape, factors)  # refuses sizes that do not divide
    order = one_of("order", order, ORDERS, any_case=True)
    return KroneckerOperator(
        _shuffle(shape, factors, order).transpose(),
        (_shuffle_name("unshuffle", factors, order), _shuffle_name("shuffle", factors, order)),
    )


def _shuffle_name(name: str, factors: Sequence[int], order: str) -> str:
    factor = factors[0] if len(set(factors)) == 1 else tuple(factors)
    return f"pixel_{name} {factor}, {order}"


def _shuffle(fine: tuple[int, ...], factors: Sequence[int], order: str) -> Kronecker:
    """Return the record of the pixel shuffle whose output has the shape `fine`."""
    coarse = pixel_unshuffle_shape(fine, factors)
    check_entries(*fine)
    channel = [(0, fine[0])]
    blocks = list(enumerate(factors, start=1))
    # The input position along an axis is numbered (place in the block, block), the digits of the
    # channel coming first; the output position is (block, place in the block).
    maps = [
        AxisMap.choosing(n * r, np.arange(n * r).reshape(r, n).T.ravel())
        for n, r in zip(coarse[1:], factors, strict=True)
    ]
    digits = channel + blocks if order == "crd" else blocks + channel
    digits += list(enumerate(coarse[1:], start=1))
    return Kronecker.of((AxisMap.identity(fine[0]), *maps), coarse, fine, in_digits=digits)


def unfold(
    in_shape: Sequence[int],
    kernel_size: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> KroneckerOperator:
    """Return the unfolding: every window written out as a column (im2col).

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Shape of one input; any number of spatial axes.
    kernel_size : int, or one per spatial axis
    stride, padding, dilation
        As for `conv`; by keyword, for PyTorch has them in the reverse order.

    Returns
    -------
    KroneckerOperator
        in_shape to (C * taps, windows), rows numbered (channel, tap), columns by the position of
        the window, all in C order.

    Raises
    ------
    GeometryError
        Any argument out of range, or a window that does not fit.

    Notes
    -----
    ``y[(c, k), o] = x[c, i]`` with ``i = stride*o + dilation*k - pad`` on every axis, zero outside
    the input. A convolution is ``weight.reshape(C_out, -1) @ unfold(...)(x)``. Entries: one for
    each tap that reads an input; memory O(kernel * n_out) for each axis.

    Examples
    --------
    >>> unfold((1, 4), 2)(np.arange(4).reshape(1, 4))
    array([[0, 1, 2],
           [1, 2, 3]])
    """
    shape = as_shape("in_shape", in_shape)
    record, name = _unfolding(shape, kernel_size, stride, padding, dilation)
    return KroneckerOperator(record, (f"unfold, {name}", f"fold, {name}"))


def fold(
    out_shape: Sequence[int],
    kernel_size: Any,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> KroneckerOperator:
    """Return the folding: every column is added back to the places of its window (col2im).

    Parameters
    ----------
    out_shape : tuple (C, *spatial)
        Shape of what was unfolded.
    kernel_size, stride, padding, dilation
        As for `unfold`.

    Returns
    -------
    KroneckerOperator
        (C * taps, windows) to out_shape.

    Raises
    ------
    GeometryError
        Any argument out of range, or a window that does not fit.

    Notes
    -----
    The transpose of `unfold`, not its inverse: ``fold(unfold(x))`` is x times the number of
    windows that read each place.

    Examples
    --------
    >>> F = fold((1, 4), 2)
    >>> F(F.T(np.ones((1, 4))))
    array([[1., 2., 2., 1.]])
    """
    shape = as_shape("out_shape", out_shape)
    record, name = _unfolding(shape, kernel_size, stride, padding, dilation)
    return KroneckerOperator(record.transpose(), (f"fold, {name}", f"unfold, {name}"))


def _unfolding(
    shape: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Kronecker, str]:
    """Return the record of an unfolding and a description of its windows."""
    kernel = per_axis("kernel_size", kernel_size, len(shape) - 1, 1)
    axes = conv_axes(shape[1:], kernel, stride, padding, dilation)
    windows = [axis.n_out for axis in axes]
    out_shape = shape[0] * math.prod(kernel), math.prod(windows)
    bounded("kernel_size", kernel_size, out_shape)
    check_entries(shape[0], *(axis.kernel * axis.n_out + axis.n_in for axis in axes))
    # The output position along an axis is numbered (tap, window); all taps come before all
    # windows in the number of a row.
    maps = [AxisMap.choosing(axis.n_in, axis.inputs().T.ravel()) for axis in axes]
    digits = [(0, shape[0]), *enumerate(kernel, start=1), *enumerate(windows, start=1)]
    record = Kronecker.of((AxisMap.identity(shape[0]), *maps), shape, out_shape, out_digits=digits)
    words = {"kernel": tuple(kernel), **axes_keywords(axes)}
    return record, ", ".join(f"{word} {value}" for word, value in words.items())
