"""Questions about layers that make images larger: upsampling and unpooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.answer.figures import picture
from convmat.answer.verdict import EXCEPT, FALSE, HOLDS, Verdict, answer_of, measured, settled
from convmat.layers import avg_pool, max_pool, selection, unpool, upsample
from convmat.operator import Operator
from convmat.proof.comparing.comparison import (
    FEW,
    compare,
    compare_makers,
    compare_operators,
    read_layers,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["average", "bilinear", "learned", "nearest", "unpooling"]

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]

LINE = (1, 5)  # shape of the small inputs whose matrices are drawn


def nearest(
    x: Array,
    first: str = "upsample:nearest,scale=2",
    second: str = "conv_transpose:ones,kernel=2,stride=2",
) -> Verdict:
    """Compare nearest upsampling with a transposed convolution whose kernel is all ones."""
    found = compare(first, second, x.shape, FEW)
    A, B = read_layers(first)(x.shape), read_layers(second)(x.shape)
    small = [read_layers(text)(LINE) for text in (first, second)]

    def draw() -> Figure:
        return picture(
            [
                ("image x", x),
                ("A(x), upsampled", A(x)),
                ("B(x), transposed convolution", B(x)),
                ("A(x) − B(x)", A(x) - B(x)),
            ],
            [("A for 5 samples", small[0]), ("B for 5 samples", small[1])],
            differences=["A(x) − B(x)"],
            alike=["image x", "A(x), upsampled", "B(x), transposed convolution"],
        )

    return settled(
        "Nearest upsampling and a kernel of ones",
        "Nearest upsampling by 2 (A) is the transposed convolution with a 2 × 2 kernel of ones and "
        "stride 2 (B).",
        found,
        (A, B),
        {
            HOLDS: "Nearest upsampling is one particular transposed convolution, with weights that "
            "nobody learned.",
            FALSE: "Nearest upsampling is not this transposed convolution.",
        },
        code=(
            "A = cm.upsample(x.shape, scale_factor=2, mode='nearest')",
            "B = cm.conv_transpose(np.ones((1, 1, 2, 2)), x.shape, stride=2)",
            "cm.prove_equal(A, B).holds",
        ),
        numbers=measured(A, B, x),
        figure=draw,
        command=_command(first, second, x.shape),
    )


def bilinear(
    x: Array,
    first: str = "upsample:bilinear,scale=2",
    second: str = "conv_transpose:triangle,kernel=4,stride=2,padding=1",
) -> Verdict:
    """Compare bilinear upsampling with a transposed convolution whose kernel is a triangle."""
    found = compare(first, second, x.shape, FEW)
    A, B = read_layers(first)(x.shape), read_layers(second)(x.shape)
    small = [read_layers(text.replace("bilinear", "linear"))(LINE) for text in (first, second)]
    numbers = measured(A, B, x)
    if found.inner is not None:
        crop = found.inner.crop
        numbers["largest difference inside"] = float(np.abs(crop(A(x)) - crop(B(x))).max())

    def draw() -> Figure:
        return picture(
            [
                ("image x", x),
                ("A(x), bilinear", A(x)),
                ("B(x), triangle kernel", B(x)),
                ("A(x) − B(x)", A(x) - B(x)),
            ],
            [("A for 5 samples", small[0]), ("B for 5 samples", small[1])],
            differences=["A(x) − B(x)"],
            alike=["image x", "A(x), bilinear", "B(x), triangle kernel"],
        )

    return settled(
        "Bilinear upsampling and a triangle kernel",
        "Bilinear upsampling by 2 (A) is the transposed convolution with the triangle kernel "
        "(1, 3, 3, 1)/4 on each axis, stride 2, padding 1 (B).",
        found,
        (A, B),
        {
            HOLDS: "Bilinear upsampling is a transposed convolution.",
            EXCEPT: "Bilinear upsampling is a transposed convolution inside the image. At the "
            "boundary it repeats the outermost pixel, where the transposed convolution adds "
            "nothing and so comes out darker.",
            FALSE: "Bilinear upsampling is not this transposed convolution.",
        },
        code=(
            "taps = np.array([1, 3, 3, 1]) / 4",
            "A = cm.upsample(x.shape, scale_factor=2, mode='bilinear')",
            "B = cm.conv_transpose(np.outer(taps, taps)[None, None], x.shape, stride=2, padding=1)",
            "crop = cm.pad(A.out_shape, [(-1, -1), (-1, -1)])",
            "assert cm.prove_equal(crop @ A, crop @ B).holds  # without the boundary",
            "cm.prove_equal(A, B).holds",
        ),
        numbers=numbers,
        figure=draw,
        command=_command(first, second, x.shape),
    )


def learned(
    x: Array,
    first: str = "upsample:nearest,scale=2",
    second: str = "conv_transpose:random,kernel=4,stride=2,padding=1",
    third: str = "upsample:bilinear,scale=2",
) -> Verdict:
    """Compare upsampling with a transposed convolution whose weights are any."""
    found, other = (compare(text, second, x.shape, FEW) for text in (first, third))
    A, B = read_layers(first)(x.shape), read_layers(second)(x.shape)
    flat = B(np.ones(x.shape))
    inside = flat[(slice(None), *(slice(2, -2) for _ in x.shape[1:]))]
    span = f"values from {inside.min():.3g} to {inside.max():.3g}"

    def draw() -> Figure:
        return picture(
            [
                ("image x", x),
                ("A(x), upsampled", A(x)),
                ("B(x), weights at random", B(x)),
                ("B of a blank image, corner", B(np.ones(x.shape))[:, :16, :16]),
            ],
        )

    return settled(
        "Any transposed convolution and upsampling",
        "A transposed convolution of stride 2 is upsampling by 2, whatever its weights: here B "
        "with a 4 × 4 kernel drawn at random, as before training, and A nearest.",
        found,
        (A, B),
        {
            HOLDS: "These weights make an upsampling.",
            FALSE: "A transposed convolution is an upsampling for special weights only. Upsampling "
            "has nothing to learn; a learned layer does what its weights say, even a checkerboard "
            "on a blank image.",
        },
        answer=max(answer_of(found), answer_of(other), key=[FALSE, EXCEPT, HOLDS].index),
        evidence=[
            f"Against {third}: {other.verdict}, {other.places or 'nowhere different'}.",
            f"Of a blank image (all 1) B makes {span}, boundary aside; upsampling makes 1 of it.",
        ],
        code=(
            "A = cm.upsample(x.shape, scale_factor=2, mode='nearest')",
            "kernel = np.random.default_rng(0).standard_normal((1, 1, 4, 4))",
            "B = cm.conv_transpose(kernel, x.shape, stride=2, padding=1)",
            "cm.prove_equal(A, B).holds",
        ),
        numbers=measured(A, B, x),
        figure=draw,
        command=_command(first, second, x.shape),
    )


def average(x: Array, multiple: float = 1 / 4) -> Verdict:
    """Compare the transpose of average pooling with nearest upsampling."""

    def transposed(shape: Shape) -> Operator:
        return avg_pool((shape[0], *(2 * size for size in shape[1:])), 2).T

    def spread(shape: Shape) -> Operator:
        made: Operator = multiple * upsample(shape, scale_factor=2)
        return made

    pooling = avg_pool(x.shape, 2)
    y = pooling(x)
    names = ("avg_pool:kernel=2, transposed", f"{multiple:g} * upsample:nearest,scale=2")
    found = compare_makers(transposed, spread, y.shape, names, FEW)
    A, B = transposed(y.shape), spread(y.shape)

    def draw() -> Figure:
        small = (1, 2, 3)
        images = [
            ("y, averages of 2 × 2 pixels", y),
            ("A(y), pooling transposed", A(y)),
            (f"B(y), upsampled times {multiple:g}", B(y)),
            ("A(y) − B(y)", A(y) - B(y)),
        ]
        return picture(
            images,
            [("A for 2 × 3 averages", transposed(small)), ("B for 2 × 3 averages", spread(small))],
            differences=["A(y) − B(y)"],
            alike=[title for title, _ in images[:3]],
        )

    return settled(
        "Average pooling and nearest upsampling",
        "The transpose of average pooling over 2 × 2 windows (A) is nearest upsampling by 2, "
        f"times {multiple:g} (B).",
        found,
        (A, B),
        {
            HOLDS: "What flows back through average pooling is nearest upsampling, divided by the "
            "size of the window.",
            FALSE: "The transpose of average pooling is not this multiple of nearest upsampling.",
        },
        code=(
            "A = cm.avg_pool(x.shape, 2).T",
            "B = 1 / 4 * cm.upsample(A.in_shape, scale_factor=2, mode='nearest')",
            "cm.prove_equal(A, B).holds",
        ),
        numbers=measured(A, B, y),
        figure=draw,
    )


def unpooling(x: Array, kernel: int = 2, stride: int = 2) -> Verdict:
    """Compare max unpooling, which assigns, with the transposed selection, which adds."""
    y, switches = max_pool(x.shape, kernel, stride=stride)(x)
    A, B = unpool(x.shape, switches), selection(x.shape, switches).T
    found = compare_operators(A, B, ("unpool", "selection, transposed"))
    shared = switches.size - sum(len(np.unique(plane)) for plane in switches)
    windows = f"windows of {kernel} × {kernel} every {stride}"
    numbers = measured(A, B, y)
    numbers |= {"windows": int(switches.size), "windows whose winner an earlier one has": shared}

    def draw() -> Figure:
        return picture(
            [
                ("image x", x),
                ("y, largest of each window", y),
                ("A(y), assigned", A(y)),
                ("B(y), added", B(y)),
                ("A(y) − B(y)", A(y) - B(y)),
            ],
            differences=["A(y) − B(y)"],
            alike=["A(y), assigned", "B(y), added"],
        )

    apart = kernel <= stride
    return settled(
        f"Max unpooling, {'windows apart' if apart else 'windows that overlap'}",
        "Max unpooling (A), which puts each value where it came from, is the transpose of the "
        f"selection that max pooling made (B); {windows}.",
        found,
        (A, B),
        {
            HOLDS: "No pixel wins twice, so max unpooling is the transpose of a matrix of zeros "
            "and ones, the one that picked the winners.",
            FALSE: "Where a pixel wins in several windows, unpooling writes its value once and the "
            "transpose, which is the gradient, adds it up.",
        },
        code=(
            f"y, switches = cm.max_pool(x.shape, {kernel}, stride={stride})(x)",
            "A = cm.unpool(x.shape, switches)",
            "B = cm.selection(x.shape, switches).T",
            "cm.prove_equal(A, B).holds",
        ),
        numbers=numbers,
        figure=draw,
    )


def _command(first: str, second: str, shape: Shape) -> str:
    return f"convmat compare {first} {second} --shape {','.join(map(str, shape))}"
