"""Questions about layers that rearrange: pixel shuffles, phases, windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.answer.convolving import EDGES
from convmat.answer.figures import picture, tiled
from convmat.answer.verdict import (
    EXCEPT,
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
from convmat.layers import (
    conv,
    conv_transpose,
    fold,
    identity,
    pixel_shuffle,
    pixel_unshuffle,
    unfold,
)
from convmat.operator import Operator
from convmat.proof.comparing.comparison import FEW, compare_makers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["dilated", "folded", "rearranged", "subpixel"]

Array = np.ndarray[Any, np.dtype[Any]]


def rearranged(weight: Array, r: int) -> Array:
    """Return the weight of the transposed convolution that equals a sub-pixel convolution.

    Parameters
    ----------
    weight : array (C*r*r, C_in, k, k)
        Of a convolution whose output `pixel_shuffle` (r, order crd) spreads over r x r pixels.
    r : int

    Returns
    -------
    array (C_in, C, r*k, r*k)
        For `conv_transpose` with stride r and padding r*(k - 1 - p), p being the padding of the
        convolution.

    Notes
    -----
    ``V[b, c, r*(k-1-t) + i, r*(k-1-u) + j] = weight[c*r*r + i*r + j, b, t, u]``: the r*r small
    kernels, each flipped, are the phases of one large kernel.

    References
    ----------
    Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016.

    Examples
    --------
    >>> rearranged(np.arange(4).reshape(4, 1, 1, 1), 2)[0, 0]
    array([[0, 1],
           [2, 3]])
    """
    out, inner, k, _ = weight.shape
    phases = weight.reshape(out // r**2, r, r, inner, k, k)[..., ::-1, ::-1]
    return phases.transpose(3, 0, 4, 1, 5, 2).reshape(inner, out // r**2, r * k, r * k)


def subpixel(
    x: Array, weight: Array | None = None, rearrange: Callable[[Array, int], Array] = rearranged
) -> Verdict:
    """Compare a sub-pixel convolution with a transposed one whose weights are rearranged."""
    small = np.random.default_rng(0).integers(-2, 3, (4, 1, 3, 3)) if weight is None else weight

    def pair(weight: Array, shape: Shape) -> Pair:
        inner = conv(weight, shape, padding=1)
        direct = conv_transpose(rearrange(weight, 2), shape, stride=2, padding=2)
        return pixel_shuffle(inner.out_shape, 2) @ inner, direct

    names = ("pixel_shuffle @ conv", "conv_transpose")
    found = compare_makers(*makers(pair, small), x.shape, names, FEW)
    (A, B), drawn = pair(small, x.shape), pair(small, (1, 2, 3))

    def draw() -> Figure:
        return picture(
            [
                ("the 4 kernels of A", tiled(small[:, 0])),
                ("the kernel of B", rearrange(small, 2)[0, 0]),
                ("A(x)", A(x)),
                ("A(x) − B(x)", A(x) - B(x)),
            ],
            [("A for 2 × 3 pixels", drawn[0]), ("B for 2 × 3 pixels", drawn[1])],
            differences=["A(x) − B(x)"],
        )

    return settled(
        "Sub-pixel convolution",
        "A 3 × 3 convolution to 4 channels and a pixel shuffle by 2 (A) is one transposed "
        "convolution of stride 2 whose 6 × 6 kernel holds the 4 kernels as its phases (B).",
        found,
        (A, B),
        {
            HOLDS: "Sub-pixel convolution and transposed convolution are one layer, with its "
            "weights laid out in two ways.",
            FALSE: "With the weights laid out like this the two layers differ.",
        },
        code=(
            "weight = np.random.default_rng(0).integers(-2, 3, (4, 1, 3, 3))",
            "inner = cm.conv(weight, x.shape, padding=1)",
            "A = cm.pixel_shuffle(inner.out_shape, 2) @ inner",
            "phases = weight.reshape(1, 2, 2, 1, 3, 3)[..., ::-1, ::-1]",
            "large = phases.transpose(3, 0, 4, 1, 5, 2).reshape(1, 1, 6, 6)",
            "B = cm.conv_transpose(large, x.shape, stride=2, padding=2)",
            "cm.prove_equal(A, B).holds",
        ),
        evidence=for_every_weight(pair, small.shape),
        numbers=measured(A, B, x),
        figure=draw,
    )


def _for_each_phase(kernel: Array) -> Array:
    return np.tile(kernel, (4, 1, 1, 1))


def dilated(
    x: Array, kernel: Array = EDGES, spread: Callable[[Array], Array] = _for_each_phase
) -> Verdict:
    """Compare a dilated convolution with a plain one on the phases of the image."""

    def pair(weight: Array, shape: Shape) -> Pair:
        apart = pixel_unshuffle(shape, 2, order="dcr")
        plain = conv(spread(weight), apart.out_shape, padding=1, groups=4)
        together = pixel_shuffle(plain.out_shape, 2, order="dcr") @ plain @ apart
        return conv(weight, shape, dilation=2, padding=2), together

    names = ("conv, dilation 2", "pixel_shuffle @ conv @ pixel_unshuffle")
    found = compare_makers(*makers(pair, kernel), x.shape, names, FEW)
    A, B = pair(kernel, x.shape)
    batch = np.stack([x[:, i::2, j::2] for i in range(2) for j in range(2)])
    plain = conv(kernel, batch.shape[1:], padding=1)(batch)
    joined = np.empty_like(A(x), plain.dtype)
    for number, part in enumerate(plain):
        joined[:, number // 2 :: 2, number % 2 :: 2] = part
    numbers = measured(A, B, x)
    numbers["largest difference, phases as a batch"] = float(np.abs(A(x) - joined).max())

    def draw() -> Figure:
        return picture(
            [
                ("image x", x),
                ("its 4 phases", tiled(batch[:, 0])),
                ("each convolved", tiled(plain[:, 0])),
                ("B(x), put together", B(x)),
                ("A(x) − B(x)", A(x) - B(x)),
            ],
            differences=["A(x) − B(x)"],
        )

    return settled(
        "Dilated convolution",
        "A convolution with dilation 2 (A) is a plain convolution of the 4 images made of every "
        "second pixel, put together again (B; known as space-to-batch).",
        found,
        (A, B),
        {
            HOLDS: "Dilation needs no layer of its own: rearrange, convolve, rearrange.",
            FALSE: "With these kernels the two differ.",
        },
        code=(
            "kernel = np.array([[1, 2, 0], [2, 0, -2], [0, -1, -2]])[None, None]",
            "A = cm.conv(kernel, x.shape, dilation=2, padding=2)",
            "apart = cm.pixel_unshuffle(x.shape, 2, order='dcr')",
            "plain = cm.conv(np.tile(kernel, (4, 1, 1, 1)), apart.out_shape, padding=1, groups=4)",
            "B = cm.pixel_shuffle(plain.out_shape, 2, order='dcr') @ plain @ apart",
            "cm.prove_equal(A, B).holds",
        ),
        evidence=for_every_weight(pair, kernel.shape),
        numbers=numbers,
        figure=draw,
    )


def folded(x: Array, kernel: int = 3, stride: int = 1) -> Verdict:
    """Compare unfolding and folding with the identity, and with the counts of overlaps."""

    def there_and_back(shape: Shape) -> Operator:
        made: Operator = fold(shape, kernel, stride=stride) @ unfold(shape, kernel, stride=stride)
        return made

    found = compare_makers(there_and_back, identity, x.shape, ("fold @ unfold", "identity"), FEW)
    A, B = there_and_back(x.shape), identity(x.shape)
    counts, matrix = A(np.ones(x.shape)), A.matrix()
    diagonal = np.array_equal(matrix.diagonal(), counts.ravel())
    diagonal = diagonal and matrix.nnz == np.count_nonzero(matrix.diagonal())
    more = [
        "The matrix of A is diagonal: it multiplies each pixel by the number of windows that cover "
        f"it, {counts.min():g} to {counts.max():g}."
        if diagonal
        else "The matrix of A is not diagonal."
    ]
    quotient = A(x) / np.maximum(counts, 1)
    numbers = measured(A, B, x)
    numbers["largest difference of A(x) / counts and x"] = float(np.abs(quotient - x).max())

    def draw() -> Figure:
        small = (1, max(kernel, 4), max(kernel, 4))
        return picture(
            [
                ("image x", x),
                ("A(x), unfolded and folded", A(x)),
                ("windows over each pixel, corner", counts[:, :8, :8]),
                ("A(x) / counts − x", quotient - x),
            ],
            [(f"A for {small[1]} × {small[1]} pixels", there_and_back(small))],
            differences=["A(x) / counts − x"],
        )

    return settled(
        "Unfold and fold",
        f"Taking an image apart into {kernel} × {kernel} windows every {stride} and folding them "
        "back (A) gives the image (B, the identity).",
        found,
        (A, B),
        {
            HOLDS: "Windows that neither overlap nor leave gaps fold back to the image.",
            EXCEPT: "Fold undoes unfold except where no window reaches.",
            FALSE: "Fold is the transpose of unfold, not its inverse: it adds up what overlaps. "
            "Dividing by the overlap counts gives the image back.",
        },
        code=(
            f"U = cm.unfold(x.shape, {kernel}, stride={stride})",
            f"A = cm.fold(x.shape, {kernel}, stride={stride}) @ U",
            "B = cm.identity(x.shape)",
            "cm.prove_equal(A, B).holds",
        ),
        evidence=more,
        numbers=numbers,
        figure=draw,
    )
