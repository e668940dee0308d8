"""The operators without a weight on which every law in `test_laws` is tried; see `cases`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import naive
import naive_moves
import numpy as np
from registry import Array, each, pairs, register

import convmat as cm


# Layers that move numbers about.
def moves(name: str, make: Callable[[], Any], truth: Callable[[], Array]) -> None:
    """Register a layer without weights of its own, and its transpose."""
    register(name, make, truth, kind="separable")
    register(f"{name}-transposed", lambda: make().T, lambda: truth().T, kind="separable")


def pad(name: str, in_shape: Sequence[int], padding: Any, mode: str = "zeros") -> None:
    """Register a padding; `padding` is one (low, high) for each axis."""
    moves(
        f"pad-{name}",
        lambda: cm.pad(in_shape, padding, mode),
        lambda: naive_moves.pad_matrix(in_shape, padding, mode),
    )


def unfold(name: str, in_shape: Sequence[int], kernel: Sequence[int], **options: Any) -> None:
    """Register an unfolding; the transpose is `fold`."""
    ndim = len(kernel)
    stride, dilation = (each(options.get(word, 1), ndim) for word in ("stride", "dilation"))

    def truth() -> Array:
        pads = pairs(options.get("padding", 0), in_shape[1:], kernel, stride, dilation)
        return naive_moves.unfold_matrix(in_shape, kernel, stride, pads, dilation)

    register(
        f"unfold-{name}", lambda: cm.unfold(in_shape, kernel, **options), truth, kind="separable"
    )
    register(
        f"fold-{name}",
        lambda: cm.fold(in_shape, kernel, **options),
        lambda: truth().T,
        kind="separable",
    )


def pixel_shuffle(order: str, in_shape: Sequence[int], factors: Sequence[int]) -> None:
    """Register a pixel shuffle; the transpose is `pixel_unshuffle`."""
    moves(
        f"pixel_shuffle-{order}-{len(factors)}d",
        lambda: cm.pixel_shuffle(in_shape, factors, order),
        lambda: naive_moves.pixel_shuffle_matrix(in_shape, factors, order),
    )


def switched(name: str, in_shape: Sequence[int], switches: Any) -> None:
    """Register the selection and the unpooling of some switches."""
    moves(
        f"selection-{name}",
        lambda: cm.selection(in_shape, switches),
        lambda: naive_moves.selection_matrix(in_shape, np.array(switches)),
    )
    moves(
        f"unpool-{name}",
        lambda: cm.unpool(in_shape, switches),
        lambda: naive_moves.unpool_matrix(in_shape, np.array(switches)),
    )


moves("identity", lambda: cm.identity((2, 3, 2)), lambda: np.eye(12))
for mode in ("zeros", "reflect", "replicate", "circular", "symmetric"):
    pad(f"{mode}-1d", (2, 5), [(2, 3)], mode)
    pad(f"{mode}-crop", (1, 4, 5), [(-1, 0), (2, -3)], mode)
    pad(f"{mode}-as-long-as-before", (1, 4), [(-2, 2)], mode)
    pad(f"{mode}-3d", (2, 2, 3, 2), [(1, 0), (0, 2), (1, 1)], mode)
for order in ("crd", "dcr"):
    pixel_shuffle(order, (6, 3), (2,))
    pixel_shuffle(order, (12, 2, 3), (2, 3))
    pixel_shuffle(order, (8, 2, 1, 2), (2, 1, 2))
unfold("1d", (2, 5), (3,))
unfold("1d-padding-read-alone", (1, 1), (1,), stride=2, padding=1)
unfold("2d", (2, 4, 5), (2, 3), stride=(2, 1), padding=(1, 0))
unfold("2d-all-options", (1, 6, 5), (3, 2), stride=(1, 2), padding=((2, 0), (0, 1)), dilation=2)
unfold("2d-same", (2, 3, 4), (2, 3), padding="same", stride=2)
unfold("3d", (1, 3, 2, 3), (2, 1, 2), padding=(1, 0, 1), dilation=(2, 1, 1))

switched("apart", (2, 2, 3), [[[0, 5]], [[4, 2]]])
switched("shared", (2, 2, 3), [[[3, 3, 0], [1, 3, 1]], [[5, 5, 5], [0, 5, 2]]])
switched("1d", (1, 4), [[2, 2, 3]])
switched("3d", (2, 2, 2, 2), [[[[7]], [[0]]], [[[3]], [[3]]]])


# Averages and interpolations, with weights that are exact in binary.
def average_pool(name: str, in_shape: Sequence[int], kernel: Sequence[int], **options: Any) -> None:
    """Register an average pooling and its transpose."""
    ndim = len(kernel)
    stride = options.get("stride", kernel)

    def truth() -> Array:
        plane = naive.average_pool_plane(
            in_shape[1:],
            kernel,
            stride,
            pairs(options.get("padding", 0), in_shape[1:], kernel, stride, [1] * ndim),
            ceil_mode=options.get("ceil_mode", False),
            include_pad=options.get("count_include_pad", True),
            divisor=options.get("divisor_override"),
        )
        return naive.on_each_channel(in_shape[0], plane)

    moves(f"avg_pool-{name}", lambda: cm.avg_pool(in_shape, kernel, **options), truth)


def adaptive_pool(in_shape: Sequence[int], size: Sequence[int]) -> None:
    """Register an adaptive average pooling and its transpose."""
    moves(
        f"adaptive_avg_pool-{len(size)}d",
        lambda: cm.adaptive_avg_pool(in_shape, size),
        lambda: naive.on_each_channel(in_shape[0], naive.adaptive_pool_plane(in_shape[1:], size)),
    )


def resize(
    name: str, kind: str, in_shape: Sequence[int], size: Sequence[int], *how: str, **options: Any
) -> None:
    """Register a resizing and its transpose; `how` is the convention and the rounding."""

    def truth() -> Array:
        axes = [
            naive.resize_axis(n, m, Fraction(m, n), kind, *how)
            for n, m in zip(in_shape[1:], size, strict=True)
        ]
        return naive.on_each_channel(in_shape[0], naive.resize_plane(axes))

    moves(f"upsample-{name}", lambda: cm.upsample(in_shape, size, **options), truth)


average_pool("1d", (2, 4), (2,))
average_pool("1d-overlap", (1, 6), (4,), stride=(1,), padding=2)
average_pool("1d-inputs-alone", (1, 2), (2,), stride=(1,), padding=1, count_include_pad=False)
average_pool("1d-ceil", (1, 5), (4,), stride=(3,), ceil_mode=True)
average_pool("2d", (2, 4, 6), (2, 2))
average_pool("2d-gaps", (1, 5, 4), (2, 1), stride=(3, 2), padding=((1, 0), (0, 0)))
average_pool("2d-divisor", (2, 3, 4), (3, 2), stride=(1, 2), divisor_override=8)
average_pool("2d-sums", (2, 3, 4), (3, 2), stride=(1, 2), divisor_override=1)
average_pool("3d", (2, 2, 4, 2), (2, 4, 1), stride=(1, 2, 1), padding=(1, 0, 0))
adaptive_pool((2, 5), (4,))
adaptive_pool((1, 4, 6), (2, 5))
adaptive_pool((2, 2, 4, 3), (1, 2, 3))
resize("nearest-1d", "nearest", (2, 3), (7,), "asymmetric")
resize("nearest-2d", "nearest", (2, 3, 5), (6, 2), "asymmetric")
resize("nearest-3d", "nearest", (1, 2, 3, 2), (3, 2, 2), "asymmetric")
resize(
    "nearest-exact-2d",
    "nearest",
    (1, 3, 5),
    (5, 3),
    "half_pixel",
    "round_prefer_ceil",
    mode="nearest-exact",
)
resize("linear-1d", "linear", (2, 3), (6,), "half_pixel", mode="linear")
resize("linear-down", "linear", (1, 8), (4,), "half_pixel", mode="linear")
resize("bilinear", "linear", (2, 2, 4), (4, 2), "half_pixel", mode="bilinear")
resize(
    "bilinear-corners",
    "linear",
    (1, 3, 2),
    (5, 3),
    "align_corners",
    mode="bilinear",
    align_corners=True,
)
resize("trilinear", "linear", (1, 2, 2, 1), (4, 2, 3), "half_pixel", mode="trilinear")
resize("cubic-1d", "cubic", (2, 4), (8,), "half_pixel", mode="cubic")
resize(
    "bicubic-asymmetric",
    "cubic",
    (1, 4, 3),
    (8, 6),
    "asymmetric",
    mode="bicubic",
    coordinate_transformation_mode="asymmetric",
)
