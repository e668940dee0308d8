"""Checkerboards: what a transposed convolution makes of a constant, phase by phase."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from convmat.analysis.numbers import check_numbers
from convmat.geometry.arguments import GeometryError, as_integer
from convmat.geometry.weights import as_weight, correlation_weight
from convmat.layers.named_kernels import triangle
from convmat.matrix.limits import check_memory
from convmat.operator.convolution import LayerOperator

__all__ = ["Overlap", "bilinear_weight", "icnr", "overlap"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class Overlap:
    """What reaches an output from a constant input, for every phase of the outputs.

    Attributes
    ----------
    sums : array (out_channels, in_channels / groups, *phases)
        Of the taps through which outputs of a phase read a channel, away from the borders; the
        phase of output o is ``o mod base``, and base the stride of the transposed convolution.
    """

    sums: Array

    @property
    def pattern(self) -> Array:
        """Outputs where all inputs are 1, (out_channels, *phases)."""
        summed: Array = self.sums.sum(1)
        return summed

    @property
    def ripple(self) -> float:
        """How far phases of one pair of channels differ, relative to the largest sum; 0 to 2."""
        phases = self.sums.reshape(*self.sums.shape[:2], -1)
        largest = float(np.abs(phases).max(initial=0.0))
        if largest == 0.0:
            return 0.0
        apart = phases[..., :, None] - phases[..., None, :]
        return float(np.abs(apart).max()) / largest

    def __repr__(self) -> str:
        out, inner, *phases = self.sums.shape
        return f"<overlap of {phases} phases, {out} x {inner} channels, ripple {self.ripple:.3g}>"


def overlap(A: LayerOperator) -> Overlap:
    """Measure the checkerboard of a layer, from its weights.

    Parameters
    ----------
    A : a single convolution or transposed convolution

    Returns
    -------
    Overlap
        Its `ripple` is 0, up to rounding, exactly where constant inputs have constant outputs for
        each pair of channels. A convolution has one phase; its transpose is ``overlap(A.T)``.

    Raises
    ------
    GeometryError
        No single layer, or weights that are not finite numbers.

    Notes
    -----
    A kernel that divides by the stride covers outputs evenly; its sums differ by phase all the
    same, unless the weights agree. Cost O(weight * phases).

    References
    ----------
    Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", 2016.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv_transpose(np.ones((1, 1, 3)), (1, 4), stride=2)
    >>> cm.analysis.overlap(A).sums, cm.analysis.overlap(A).ripple
    (array([[[2., 1.]]]), 0.5)
    """
    if not isinstance(A, LayerOperator):
        raise GeometryError(
            "A", A, "must be one convolution or transposed convolution", "ask layer by layer"
        )
    check_numbers(A)
    sums = correlation_weight(A.geometry, A.weight.astype(np.result_type(A.dtype, np.float64)))
    for axis in A.geometry.axes:
        outputs, taps = np.arange(axis.base)[:, None], np.arange(axis.kernel)
        reads = (axis.stride * outputs + axis.dilation * taps - axis.pad) % axis.base == 0
        sums = np.tensordot(sums, reads.astype(float), axes=(3, 1))  # its phases come last
    return Overlap(sums.reshape(-1, *sums.shape[2:]))


def icnr(weight: Any, scale: int) -> Array:
    """Return the weight of a sub-pixel convolution that begins without a checkerboard.

    Parameters
    ----------
    weight : array (C_out, C_in/groups, *kernel)
    scale : int
        Of the pixel shuffle behind it.

    Returns
    -------
    Array (C_out * scale**d, C_in/groups, *kernel): every filter so often that the shuffle after it
    is nearest-neighbour upsampling after the convolution with `weight`.

    References
    ----------
    Aitken, Ledig, Theis, Caballero, Wang and Shi, "Checkerboard artifact free sub-pixel
    convolution", 2017.

    Examples
    --------
    >>> import convmat as cm
    >>> w = np.arange(1.0, 4.0).reshape(1, 1, 3)
    >>> subpixel = cm.pixel_shuffle((2, 6), 2) @ cm.conv(icnr(w, 2), (1, 6), padding=1)
    >>> nearest = cm.upsample((1, 6), scale_factor=2) @ cm.conv(w, (1, 6), padding=1)
    >>> cm.prove_equal(subpixel, nearest).holds
    True
    """
    filters = as_weight(weight)
    if filters.ndim < 3:
        raise GeometryError(
            "weight", filters.shape, "must be (C_out, C_in/groups, *kernel)", "add channel axes"
        )
    times = as_integer("scale", scale, 1) ** (filters.ndim - 2)
    check_memory(times * filters.nbytes, "use a smaller scale")
    return np.repeat(filters, times, axis=0)


def bilinear_weight(channels: int, stride: int, ndim: int = 2) -> Array:
    """Return the depthwise weight with which a transposed convolution interpolates linearly.

    Parameters
    ----------
    channels, stride, ndim : int

    Returns
    -------
    float64 array (channels, 1, *kernel) with kernels of ``2*stride - stride % 2``, to be used
    with ``groups=channels, padding=stride // 2``. A constant comes out as the same constant, away
    from the borders.

    References
    ----------
    Long, Shelhamer and Darrell, "Fully convolutional networks", 2015, section 3.3.

    Examples
    --------
    >>> bilinear_weight(1, 2, ndim=1)
    array([[[0.25, 0.75, 0.75, 0.25]]])
    """
    step, axes = as_integer("stride", stride, 1), as_integer("ndim", ndim, 1)
    size, many = 2 * step - step % 2, as_integer("channels", channels, 1)
    check_memory(8 * many * size**axes, "use a smaller stride, or fewer channels")
    taps = triangle(size)
    line = taps.numerators / taps.denominator
    kernel: Array = reduce(np.multiply.outer, [line] * axes)
    return np.broadcast_to(kernel, (many, 1, *kernel.shape)).copy()
