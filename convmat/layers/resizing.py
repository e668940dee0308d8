"""Resizing: nearest, linear and cubic interpolation, and averages over areas."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal, cast

from convmat.geometry.arguments import GeometryError, as_bool, as_shape, one_of
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.keywords import per_axis, scales
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.resampling import (
    CONVENTIONS,
    ROUNDINGS,
    adaptive,
    coordinates,
    cubic,
    linear,
    nearest,
)
from convmat.geometry.sizes import upsampled_size
from convmat.layers.pooling_windows import BYTES, check_entries
from convmat.operator import KroneckerOperator

__all__ = ["upsample"]

Mode = Literal[
    "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "cubic", "bicubic", "area"
]
# The interpolation behind each mode, and how many spatial axes its name speaks of.
MODES: dict[Mode, tuple[str, int | None]] = {
    "nearest": ("nearest", None),
    "nearest-exact": ("nearest", None),
    "linear": ("linear", None),
    "bilinear": ("linear", 2),
    "trilinear": ("linear", 3),
    "cubic": ("cubic", None),
    "bicubic": ("cubic", 2),
    "area": ("area", None),
}


def upsample(
    in_shape: Sequence[int],
    size: Any = None,
    scale_factor: Any = None,
    mode: Mode = "nearest",
    align_corners: bool | None = None,
    *,
    coordinate_transformation_mode: str | None = None,
    nearest_mode: str | None = None,
) -> KroneckerOperator:
    """Return a resizing, up or down, as a linear operator with exact weights.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Shape of one input; any number of spatial axes.
    size : int, or one per spatial axis
        Spatial size of the output.
    scale_factor : float, int or Fraction, or one per spatial axis
        Outputs per input, instead of `size`. A float stands for the simplest fraction that
        rounds to it, so that 1.7 is 17/10; sizes are `upsampled_size`.
    mode : str
        ``"nearest"``, ``"nearest-exact"``, ``"linear"`` and ``"cubic"`` in any number of
        dimensions, ``"bilinear"``, ``"trilinear"`` and ``"bicubic"`` in their own; ``"area"``
        averages as `adaptive_avg_pool` does.
    align_corners : bool, optional
        Linear and cubic modes: the first and the last output lie on the first and the last
        input, instead of pixels being areas with the same outer edges. None, as PyTorch has it,
        is False. What follows is given by keyword.
    coordinate_transformation_mode : str, optional
        The convention by its name in ONNX, for ``"nearest"``, linear and cubic modes:
        ``"half_pixel"``, ``"pytorch_half_pixel"``, ``"half_pixel_symmetric"``,
        ``"align_corners"``, ``"asymmetric"``. PyTorch's nearest is asymmetric, rounded down; its
        nearest-exact is half_pixel with ``"round_prefer_ceil"``; all else is half_pixel.
    nearest_mode : str, optional
        How ``"nearest"`` rounds, by its name in ONNX: ``"floor"``, ``"ceil"``,
        ``"round_prefer_floor"``, ``"round_prefer_ceil"``. The first if no convention is named,
        else the third, the defaults of PyTorch and of ONNX.

    Returns
    -------
    KroneckerOperator
        Maps (C, *spatial) to (C, *size).

    Raises
    ------
    GeometryError
        Any argument out of range, an output without samples, or arguments that contradict each
        other.

    Notes
    -----
    On each axis output o lies at a coordinate x between the inputs, such as
    ``(o + 1/2)/scale - 1/2``, a fraction; it takes the input nearest to x, or a weighted sum of
    the two (linear) or four (cubic) around x, inputs beyond the ends being those at the ends.
    Making the operator costs O(sum over the axes of n + entries).

    With `scale_factor`, coordinates use the scale itself, not the ratio of the sizes. Likewise
    ``coordinate_transformation_mode="align_corners"`` aligns with the end of an output of
    n*scale samples, which need not be whole, as ONNX's test suite has it; ``align_corners=True``
    always aligns the last sample, as PyTorch does.

    Some of PyTorch's CPU kernels ignore a scale that leaves the size of an axis as it is, such as
    1.3 of 3 samples, or doubles it. Its nearest mode in one and three dimensions does so in the
    gradient alone, which then is not the transpose of its values.

    PyTorch computes the coordinates of its nearest modes in floating point and may read the
    neighbour of the input that the definition names: on float32 tensors it does so for 649 of the
    40,000 pairs of sizes up to 200, such as 26 to 22, where output 11 reads input 12, although
    ``11 * 26/22`` is 13 (746 pairs with nearest-exact, such as 14 to 23, output 11).

    References
    ----------
    ONNX, operator Resize, version 19. Keys, "Cubic convolution interpolation for digital image
    processing", 1981, equation 15, with a = -3/4. PyTorch, ``torch.nn.functional.interpolate``.

    Examples
    --------
    >>> upsample((1, 2), scale_factor=2).matrix("csr", int).toarray()
    array([[1, 0],
           [1, 0],
           [0, 1],
           [0, 1]])
    >>> upsample((1, 2), size=4, mode="linear").symbolic_matrix()
    Matrix([
    [  1,   0],
    [3/4, 1/4],
    [1/4, 3/4],
    [  0,   1]])
    """
    shape = as_shape("in_shape", in_shape)
    kind = _kind(mode, len(shape) - 1)
    align = align_corners is not None and as_bool("align_corners", align_corners)
    convention = _convention(mode, kind, align, coordinate_transformation_mode)
    rounding = _rounding(mode, coordinate_transformation_mode, nearest_mode)
    pairs = _sizes_and_scales(shape[1:], size, scale_factor)
    taps = {"nearest": 1, "linear": 2, "cubic": 4, "area": 1}[kind]
    read = sum(shape) if kind == "area" else shape[0]
    check_entries(read, *(taps * n_out for n_out, _ in pairs), each=2 * BYTES)  # they are sorted
    maps = [AxisMap.identity(shape[0])]
    for n, (n_out, given) in zip(shape[1:], pairs, strict=True):
        scale = Fraction(n_out, n) if align else given
        maps.append(_map(kind, n, n_out, convention, scale, rounding))
    out_shape = (shape[0], *(n_out for n_out, _ in pairs))
    name = f"upsample, {mode}"
    if align or coordinate_transformation_mode:
        name += f", {convention}"
    if nearest_mode:
        name += f", {rounding}"
    return KroneckerOperator(Kronecker.of(maps, shape, out_shape), (name, f"transpose of {name}"))


def _map(kind: str, n: int, n_out: int, convention: str, scale: Fraction, rounding: str) -> AxisMap:
    """Return the map of one axis."""
    if kind == "area":
        return adaptive(n, n_out)
    at = coordinates(convention, n, n_out, scale)
    if kind == "nearest":
        return nearest(n, n_out, at, rounding)
    return linear(n, n_out, at) if kind == "linear" else cubic(n, n_out, at)


def _kind(mode: Any, ndim: int) -> str:
    """Return nearest, linear, cubic or area."""
    kind, wanted = MODES[cast("Mode", one_of("mode", mode, MODES))]
    if wanted is not None and wanted != ndim:
        raise GeometryError(
            "mode", mode, f"needs {wanted} spatial axes, not {ndim}", f"use mode={kind!r}"
        )
    return kind


def _convention(mode: str, kind: str, align: bool, named: Any) -> str:
    """Return the name of the coordinate convention, and refuse those that a mode does not have."""
    if align and kind not in ("linear", "cubic"):
        raise GeometryError(
            "align_corners", align, f"has no meaning with mode={mode!r}", "leave it out"
        )
    if named is None:
        if align:
            return "align_corners"
        return "asymmetric" if mode == "nearest" else "half_pixel"
    if named == "tf_crop_and_resize":
        raise GeometryError(
            "coordinate_transformation_mode",
            named,
            "reads a part of the input and fills in a constant beyond it, which is not linear",
            "crop with a negative padding, then upsample",
        )
    convention = one_of("coordinate_transformation_mode", named, CONVENTIONS)
    if mode in ("nearest-exact", "area"):
        raise GeometryError(
            "coordinate_transformation_mode",
            named,
            f"has no meaning with mode={mode!r}, which is a convention already",
            "use mode='nearest', a linear or a cubic one",
        )
    if align:
        raise GeometryError(
            "coordinate_transformation_mode",
            named,
            "cannot be combined with align_corners=True",
            "give one of the two",
        )
    return convention


def _rounding(mode: str, named: Any, nearest_mode: Any) -> str:
    """Return how the nearest modes round."""
    if nearest_mode is None:
        if mode == "nearest-exact":
            return "round_prefer_ceil"
        return "floor" if named is None else "round_prefer_floor"
    rounding = one_of("nearest_mode", nearest_mode, ROUNDINGS)
    if mode != "nearest":
        raise GeometryError(
            "nearest_mode", nearest_mode, f"has no meaning with mode={mode!r}", "leave it out"
        )
    return rounding


def _sizes_and_scales(
    spatial: Sequence[int], size: Any, scale_factor: Any
) -> list[tuple[int, Fraction]]:
    """Return (output size, scale) for each axis, from whichever of the two was given."""
    if (size is None) == (scale_factor is None):
        raise GeometryError(
            "size",
            size,
            f"and scale_factor = {scale_factor!r}: exactly one of the two must be given",
            "pass size=... or scale_factor=...",
        )
    if size is not None:
        sizes = per_axis("size", size, len(spatial), 1)
        return [(m, Fraction(m, n)) for m, n in zip(sizes, spatial, strict=True)]
    factors = scales(scale_factor, len(spatial))
    return [(upsampled_size(n, s), s) for n, s in zip(spatial, factors, strict=True)]
