"""Questions about convolutions and their transposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.answer.figures import picture
from convmat.answer.verdict import (
    FALSE,
    HOLDS,
    Pair,
    Shape,
    Verdict,
    for_every_weight,
    makers,
    measured,
    settled,
)
from convmat.layers import conv, conv_transpose, identity
from convmat.operator import LayerOperator, Operator
from convmat.proof import Proof, prove_transpose
from convmat.proof.comparing.comparison import FEW, compare_makers, compare_operators

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["EDGES", "inserted", "inverse", "transposed"]

Array = np.ndarray[Any, np.dtype[Any]]

BLUR = np.multiply.outer([1, 3, 1], [1, 3, 1])[None, None] / 25
EDGES = np.array([[1, 2, 0], [2, 0, -2], [0, -1, -2]])[None, None]


def transposed(x: Array, kernel: Array = EDGES, other: Array | None = None) -> Verdict:
    """Compare the transpose of a convolution with the transposed convolution."""
    same = kernel if other is None else other

    def three(shape: Shape) -> tuple[LayerOperator, LayerOperator, LayerOperator]:
        C = conv(kernel, shape, stride=2, padding=1)
        size = shape[1:]
        B = conv_transpose(same, C.out_shape, stride=2, padding=1, output_size=size)
        return C, C.T, B

    C, A, B = three(x.shape)
    small = three((1, 4, 4))[1:]
    found = compare_operators(A, B, ("conv, transposed", "conv_transpose"))
    proof = prove_transpose(C, B)
    more = (
        [f"Proved: {proof.claim}. Grade: {'; '.join(proof.grades)}."]
        if isinstance(proof, Proof)
        else []
    )
    y = C(x)

    def draw() -> Figure:
        return picture(
            [
                ("image x", x),
                ("y = C(x)", y),
                ("A(y), the transpose", A(y)),
                ("A(y) − B(y)", A(y) - B(y)),
            ],
            [("A for 2 × 2 values", small[0]), ("B for 2 × 2 values", small[1])],
            differences=["A(y) − B(y)"],
        )

    return settled(
        "Transposed convolution",
        "The transpose of a strided convolution C (A = Cᵀ) is the transposed convolution with the "
        "same kernel, stride and padding (B).",
        found,
        (A, B),
        {
            HOLDS: "A transposed convolution is exactly that: the transpose of a convolution, for "
            "every kernel.",
            FALSE: "This transposed convolution transposes another convolution.",
        },
        code=(
            "kernel = np.array([[1, 2, 0], [2, 0, -2], [0, -1, -2]])[None, None]",
            "C = cm.conv(kernel, x.shape, stride=2, padding=1)",
            "A = C.T",
            "size = x.shape[1:]",
            "B = cm.conv_transpose(kernel, C.out_shape, stride=2, padding=1, output_size=size)",
            "cm.prove_transpose(C, B).holds",
        ),
        evidence=more,
        numbers=measured(A, B, y),
        figure=draw,
    )


def inverse(x: Array, kernel: Array = BLUR) -> Verdict:
    """Compare a convolution followed by its transposed convolution with the identity."""
    from scipy.sparse.linalg import lsqr

    pad = tuple(size // 2 for size in kernel.shape[2:])

    def there_and_back(shape: Shape) -> Operator:
        C = conv(kernel, shape, padding=pad)
        made: Operator = C.T @ C
        return made

    found = compare_makers(there_and_back, identity, x.shape, ("Cᵀ @ C", "identity"), FEW)
    A, B = there_and_back(x.shape), identity(x.shape)
    C = conv(kernel, x.shape, padding=pad)
    y = C(x)
    operator: Any = C  # which SciPy accepts, though its types do not say so
    solution = lsqr(operator, y.ravel(), atol=1e-13, btol=1e-13, iter_lim=2000)
    solved, back = solution[0].reshape(x.shape), A(x)

    def draw() -> Figure:
        return picture(
            [
                ("image x", x),
                ("y = C(x), blurred", y),
                ("A(x) = Cᵀ(y)", back),
                ("x − Cᵀ(y)", x - back),
                ("the inverse, by lsqr", solved),
            ],
            differences=["x − Cᵀ(y)"],
        )

    return settled(
        "A convolution and then its transpose",
        "A convolution C followed by its transposed convolution (A = Cᵀ C) gives the image back "
        "(B, the identity).",
        found,
        (A, B),
        {
            HOLDS: "For this kernel the transpose is the inverse.",
            FALSE: "The transpose is not the inverse, though the layer has been called "
            "deconvolution. Where there is an inverse, it takes solving a linear system.",
        },
        code=(
            "taps = np.array([1, 3, 1])",
            "C = cm.conv(np.outer(taps, taps)[None, None] / 25, x.shape, padding=1)",
            "A = C.T @ C",
            "B = cm.identity(x.shape)",
            "cm.prove_equal(A, B).holds",
        ),
        numbers={
            **_relative("|x − Cᵀ C x| / |x|", x - back, x),
            **_relative("|x − lsqr(C, C x)| / |x|", x - solved, x),
            "steps of lsqr": int(solution[2]),
        },
        figure=draw,
    )


def _relative(name: str, error: Array, x: Array) -> dict[str, float]:
    """Name the length of an error beside that of x; of a black image there is nothing to say."""
    length = float(np.linalg.norm(x))
    return {name: float(np.linalg.norm(error)) / length} if length else {}


def _flipped(kernel: Array) -> Array:
    return np.flip(kernel, (2, 3))


def inserted(x: Array, kernel: Array = EDGES, turn: Callable[[Array], Array] = _flipped) -> Verdict:
    """Compare zero insertion and a flipped convolution with the transposed convolution."""

    def zeros_between(shape: Shape) -> Operator:
        return conv_transpose(np.ones((1, 1, 1, 1), int), shape, stride=2)

    def pair(weight: Array, shape: Shape) -> Pair:
        zeros = zeros_between(shape)
        correlated = conv(turn(weight), zeros.out_shape, padding=1) @ zeros
        return correlated, conv_transpose(weight, shape, stride=2, padding=1)

    names = ("conv @ zero insertion", "conv_transpose")
    found = compare_makers(*makers(pair, kernel), x.shape, names, FEW)
    (A, B), drawn = pair(kernel, x.shape), pair(kernel, (1, 2, 3))
    spread = zeros_between(x.shape)(x)

    def draw() -> Figure:
        return picture(
            [
                ("zeros between pixels, corner", spread[:, :24, :24]),
                ("A(x), then convolved", A(x)),
                ("B(x), transposed convolution", B(x)),
                ("A(x) − B(x)", A(x) - B(x)),
            ],
            [
                ("zero insertion, 2 × 3 pixels", zeros_between((1, 2, 3))),
                ("A", drawn[0]),
                ("B", drawn[1]),
            ],
            differences=["A(x) − B(x)"],
            compared=(1, 2),
        )

    return settled(
        "Zero insertion",
        "Zeros between the pixels, then a plain convolution with the flipped kernel and padding "
        "k − 1 − p (A), is the transposed convolution of stride 2 (B).",
        found,
        (A, B),
        {
            HOLDS: "A transposed convolution is an ordinary convolution of an image with zeros put "
            "in between.",
            FALSE: "With this kernel the two differ: the kernel has to be flipped.",
        },
        code=(
            "kernel = np.array([[1, 2, 0], [2, 0, -2], [0, -1, -2]])[None, None]",
            "zeros = cm.conv_transpose(np.ones((1, 1, 1, 1), int), x.shape, stride=2)",
            "A = cm.conv(np.flip(kernel, (2, 3)), zeros.out_shape, padding=1) @ zeros",
            "B = cm.conv_transpose(kernel, x.shape, stride=2, padding=1)",
            "cm.prove_equal(A, B).holds",
        ),
        evidence=for_every_weight(pair, kernel.shape),
        numbers=measured(A, B, x),
        figure=draw,
    )
