"""The operators on which every law in `test_laws` is tried: convolutions, and what is composed.

To add an operator, add one line with `register`; give `truth` where loops can say what its
matrix must be. Numbers are small integers, so that sums in any dtype are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import cases_without_weights  # noqa: F401, it registers them
import naive
import naive_moves
import numpy as np
from registry import CASES, Array, Case, each, integers, pairs, register

import convmat as cm

__all__ = ["CASES", "Case", "each", "integers", "pairs", "register"]


def conv(
    name: str, weight: Sequence[int], in_shape: Sequence[int], dtype: Any = "f8", **options: Any
) -> None:
    """Register a convolution with a random weight of this shape."""
    w = integers(weight, dtype)
    stride, dilation = options.get("stride", 1), options.get("dilation", 1)
    ndim, groups = len(in_shape) - 1, options.get("groups", 1)

    def truth() -> Array:
        pads = pairs(options.get("padding", 0), in_shape[1:], weight[2:], stride, dilation)
        return naive.conv_matrix(
            w, in_shape, each(stride, ndim), pads, each(dilation, ndim), groups
        )

    register(f"conv-{name}", lambda: cm.conv(w, in_shape, **options), truth)


def conv_transpose(
    name: str,
    weight: Sequence[int],
    in_shape: Sequence[int],
    dtype: Any = "f8",
    reach: Any = None,
    **options: Any,
) -> None:
    """Register a transposed convolution.

    With a named padding or `output_size`, `reach` says by hand which output padding is meant.
    """
    w = integers(weight, dtype)
    stride, dilation = options.get("stride", 1), options.get("dilation", 1)
    ndim, groups = len(in_shape) - 1, options.get("groups", 1)
    extra = each(options.get("output_padding", 0) if reach is None else reach, ndim)

    def truth() -> Array:
        made = cm.conv_transpose(w, in_shape, **options)
        pads = pairs(options.get("padding", 0), made.out_shape[1:], weight[2:], stride, dilation)
        return naive.conv_transpose_matrix(
            w, in_shape, each(stride, ndim), pads, extra, each(dilation, ndim), groups
        )

    register(f"conv_transpose-{name}", lambda: cm.conv_transpose(w, in_shape, **options), truth)


# One dimension: sizes at their limits.
conv("1d-plain", (1, 1, 3), (1, 5))
conv("1d-one-sample", (1, 1, 1), (1, 1))
conv("1d-kernel-fills-input", (2, 1, 5), (1, 5))
conv("1d-kernel-beyond-input", (1, 1, 7), (1, 3), padding=2)
conv("1d-stride-beyond-kernel", (1, 1, 2), (1, 11), stride=4)
conv("1d-only-padding-is-read", (1, 1, 1), (1, 1), stride=2, padding=1)
conv("1d-dilation", (1, 1, 3), (1, 9), dilation=3, padding=2)
conv("1d-dilation-stride", (2, 2, 3), (2, 10), dilation=2, stride=3, padding=3)
conv("1d-low-pad", (1, 1, 3), (1, 6), padding=((2, 0),))
conv("1d-high-pad", (1, 1, 3), (1, 6), stride=2, padding=((0, 3),))
conv("1d-depthwise", (3, 1, 2), (3, 5), groups=3)
conv("1d-depthwise-multiplier", (6, 1, 2), (3, 4), groups=3, padding=1)
for padding in ("valid", "same", "full", "same_upper", "same_lower"):
    conv(f"1d-{padding}-even", (1, 1, 4), (1, 7), padding=padding)
    conv(f"1d-{padding}-stride", (1, 1, 4), (1, 8), padding=padding, stride=3)

# Two dimensions: every option, axes that differ.
conv("2d-plain", (1, 1, 3, 3), (1, 5, 6))
conv("2d-channels", (3, 2, 2, 3), (2, 4, 5), stride=(2, 1), padding=(1, 0))
conv("2d-groups", (4, 3, 3, 2), (6, 5, 4), groups=2, stride=2, padding=1)
conv("2d-pointwise", (3, 4, 1, 1), (4, 3, 2))
conv("2d-asymmetric", (2, 1, 3, 2), (1, 4, 5), padding=((0, 2), (1, 0)), stride=(1, 2))
conv("2d-dilation", (1, 2, 2, 3), (2, 6, 7), dilation=(3, 2), padding=(2, 1))
conv(
    "2d-all-options",
    (4, 2, 2, 3),
    (4, 6, 7),
    stride=(3, 2),
    padding=((1, 2), (0, 3)),
    dilation=(2, 1),
    groups=2,
)
conv("2d-same-dilated", (1, 1, 3, 2), (1, 5, 6), padding="same", dilation=2)
conv("2d-names-per-axis", (1, 1, 3, 2), (1, 5, 6), padding=("same_lower", "full"))
for dtype in ("f4", "c8", "c16", "i1", "u1", "i4", "i8"):
    conv(f"2d-{np.dtype(dtype).name}", (2, 1, 2, 2), (2, 3, 4), dtype, groups=2, padding=1)

# Three and four dimensions.
conv("3d", (2, 1, 2, 3, 2), (1, 3, 4, 3), padding=(1, 1, 0), stride=(1, 2, 1))
conv("3d-groups", (2, 1, 2, 2, 2), (2, 3, 2, 3), groups=2, dilation=(1, 1, 2))
conv("4d", (1, 2, 2, 1, 2, 2), (2, 2, 3, 2, 3), padding=(0, 0, 1, 0), stride=(1, 2, 1, 1))

# Transposed convolutions, all from the framework definition.
conv_transpose("1d-plain", (1, 1, 3), (1, 4))
conv_transpose("1d-stride", (1, 1, 3), (1, 4), stride=2, padding=1, output_padding=1)
conv_transpose("1d-gaps", (1, 1, 2), (1, 4), stride=4, output_padding=3)
conv_transpose("1d-pads-crop", (2, 1, 2), (2, 5), padding=2, stride=2)
conv_transpose(
    "1d-output-padding-under-dilation", (1, 1, 3), (1, 3), stride=2, dilation=4, output_padding=3
)
conv_transpose(
    "1d-surplus-rows", (1, 1, 2), (1, 3), stride=1, dilation=3, output_padding=2, padding=1
)
conv_transpose("1d-output-size", (1, 1, 3), (1, 4), stride=3, output_size=14, reach=2)
conv_transpose("1d-same", (1, 1, 3), (1, 4), stride=2, padding="same", reach=0)
conv_transpose("1d-same-lower-gaps", (1, 1, 2), (1, 4), stride=5, padding="same_lower", reach=3)
conv_transpose("1d-full", (1, 1, 3), (1, 7), padding="full")
conv_transpose("1d-valid", (1, 1, 2), (1, 3), padding="valid", stride=3, output_size=9, reach=1)
conv_transpose("1d-low-pad", (1, 1, 3), (1, 4), stride=2, padding=((2, 0),))
conv_transpose("2d-groups", (4, 2, 3, 2), (4, 2, 3), groups=2, stride=(2, 1), padding=(1, 0))
conv_transpose("2d-depthwise", (3, 1, 2, 2), (3, 2, 3), groups=3, stride=2)
conv_transpose("2d-complex", (2, 3, 2, 2), (2, 3, 2), "c16", stride=2, dilation=(1, 2))
conv_transpose("2d-int32", (1, 2, 2, 2), (1, 3, 2), "i4", stride=2, output_padding=(1, 0))
conv_transpose(
    "2d-f4-asymmetric", (2, 1, 3, 3), (2, 3, 3), "f4", stride=2, padding=((1, 0), (0, 2))
)
conv_transpose("3d", (1, 2, 2, 2, 3), (1, 2, 3, 2), stride=(2, 1, 2), output_padding=(1, 0, 1))
conv_transpose("4d", (1, 1, 2, 2, 1, 2), (1, 2, 2, 2, 1), stride=(1, 2, 1, 3), padding=(1, 0, 0, 0))


def _a(dtype: Any = "f8", seed: int = 1) -> Any:
    return cm.conv(integers((3, 2, 3), dtype, seed), (2, 6), padding=1)


def _b(dtype: Any = "f8") -> Any:
    return cm.conv(integers((2, 1, 2), dtype, 2), (1, 7))


def _blocks(grid: Any) -> Array:
    zero = np.zeros(_a().shape)
    return np.block(
        [[zero if part is None else part.matrix().toarray() for part in row] for row in grid]
    )


# Compositions; the transposes are of operators that are not layers.
register("algebra-product", lambda: _a() @ _b(), kind="composed")
register("algebra-sum", lambda: _a() + _a(seed=3), kind="composed")
register(
    "algebra-sum-of-unlike", lambda: cm.conv(integers((3, 2, 1)), (2, 6)) + _a(), kind="composed"
)
register("algebra-difference", lambda: _a() - _a(seed=3), kind="composed")
register("algebra-cancel", lambda: _a() - _a(), kind="composed")
register("algebra-double", lambda: 2 * _a(), kind="composed")
register("algebra-complex-scalar", lambda: _a() * (1 + 2j), kind="composed")
register("algebra-negative", lambda: -_a(), kind="composed")
register("algebra-negative-unsigned", lambda: -_a("u1"), kind="composed")
register("algebra-scalar-beyond-int8", lambda: 300 * _a("i1"), kind="composed")
register("algebra-product-beyond-int8", lambda: (9 * _a("i1")) @ (11 * _b("i1")), kind="composed")
register("algebra-mixed-dtypes", lambda: _a("c8") @ _b("i4"), kind="composed")
register("algebra-normal", lambda: _a("c16").H @ _a("c16"), kind="composed")
register("algebra-transposed-sum", lambda: (_a() + 2 * _a(seed=3)).T, kind="composed")
register("algebra-transposed-product", lambda: (_a("c16") @ _b("c16")).H, kind="composed")
register("block-rows", lambda: cm.block([[_a()], [_a(seed=3)]]), kind="composed")
register(
    "block-square",
    lambda: cm.block([[_a("c16"), None], [_a("i4"), 3 * _a("c8")]]),
    lambda: _blocks([[_a("c16"), None], [_a("i4"), 3 * _a("c8")]]),
    kind="composed",
)
register("block-transposed", lambda: cm.block([[_a(), _a(seed=3)]]).T, kind="composed")
register("algebra-fraction", lambda: Fraction(3, 4) * _a(), kind="composed")
register(
    "algebra-fraction-of-fractions",
    lambda: Fraction(1, 2) * cm.upsample((1, 3), scale_factor=2, mode="linear"),
    kind="composed",
)
register("layer-transposed", lambda: _a().T)
register("layer-conjugate-transposed", lambda: _a("c16").H)


# Convolutions that read something else than zeros in their padding, and their transposes.
def padded(
    name: str, weight: Sequence[int], in_shape: Sequence[int], dtype: Any = "f8", **options: Any
) -> None:
    """Register the convolution with a padding mode and the transposed one that undoes its size."""
    w = integers(weight, dtype)
    ndim, groups = len(in_shape) - 1, options.get("groups", 1)
    stride, dilation = (each(options.get(word, 1), ndim) for word in ("stride", "dilation"))

    def truth() -> Array:
        pads = pairs(options["padding"], in_shape[1:], weight[2:], stride, dilation)
        border = naive_moves.pad_matrix(in_shape, pads, options["padding_mode"])
        wide = [n + sum(ends) for n, ends in zip(in_shape[1:], pads, strict=True)]
        none = [(0, 0)] * ndim
        inner = naive.conv_matrix(w, (in_shape[0], *wide), stride, none, dilation, groups)
        whole: Array = inner @ border
        return whole

    def forward() -> Any:
        return cm.conv(w, in_shape, **options)

    def backward() -> Any:
        return cm.conv_transpose(w, forward().out_shape, output_size=in_shape[1:], **options)

    register(f"conv-{name}", forward, truth, kind="composed")
    register(f"conv_transpose-{name}", backward, lambda: truth().T, kind="composed")


padded("reflect-1d", (2, 1, 3), (1, 5), padding=2, padding_mode="reflect")
padded("circular-names", (1, 1, 4), (1, 6), padding="same", padding_mode="circular")
padded("symmetric-full", (1, 2, 3), (2, 3), padding="full", padding_mode="symmetric")
padded("replicate-int8", (2, 1, 3), (1, 4), "i1", padding=3, stride=2, padding_mode="replicate")
padded(
    "reflect-2d-all-options",
    (4, 1, 2, 3),
    (2, 4, 5),
    "c8",
    padding=((1, 2), (3, 0)),
    stride=(3, 2),
    dilation=(2, 1),
    groups=2,
    padding_mode="reflect",
)
padded("circular-3d", (1, 1, 2, 2, 1), (1, 2, 3, 2), padding=(1, 1, 0), padding_mode="circular")
