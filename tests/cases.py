"""The registry of operators on which every law in `test_laws` is tried.

To add an operator, add one line with `register`; give `truth` where loops can say what its
matrix must be. Numbers are small integers, so that sums in any dtype are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import naive
import naive_moves
import numpy as np

import convmat as cm

Array = np.ndarray[Any, np.dtype[Any]]


class Case(NamedTuple):
    """One operator: how to make it, its dense matrix from the definition, if known, and its kind.

    A "layer" has a geometry and a weight, a "separable" one a record and exact fractions; both
    are built entry by entry. What is "composed" is not.
    """

    make: Callable[[], Any]
    truth: Callable[[], Array] | None = None
    kind: str = "layer"


CASES: dict[str, Case] = {}


def register(
    name: str,
    make: Callable[[], Any],
    truth: Callable[[], Array] | None = None,
    *,
    kind: str = "layer",
) -> None:
    assert name not in CASES, f"two cases are named {name}"
    CASES[name] = Case(make, truth, kind)


def integers(shape: Sequence[int], dtype: Any = "f8", seed: int = 0) -> Array:
    """Return small nonzero integers in any dtype; complex ones have imaginary parts."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    least = 1 if dtype.kind == "u" else -5
    numbers = rng.integers(least, 6, shape)
    numbers[numbers == 0] = 3
    if dtype.kind == "c":
        return (numbers + 1j * rng.integers(-5, 6, shape)).astype(dtype)
    return numbers.astype(dtype)


def each(value: Any, ndim: int) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value] * ndim


def pairs(
    padding: Any, spatial: Sequence[int], kernel: Sequence[int], stride: Any, dilation: Any
) -> list[tuple[int, int]]:
    """Return (low, high) per axis for any way of writing `padding`."""
    ndim = len(kernel)
    rows = zip(
        each(padding, ndim), spatial, kernel, each(stride, ndim), each(dilation, ndim), strict=True
    )
    result = []
    for p, n, k, s, d in rows:
        if isinstance(p, str):
            result.append(naive.named_pads(p, n, k, s, d))
        else:
            result.append(tuple(p) if isinstance(p, (tuple, list)) else (p, p))
    return result


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
register("layer-transposed", lambda: _a().T)
register("layer-conjugate-transposed", lambda: _a("c16").H)


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
