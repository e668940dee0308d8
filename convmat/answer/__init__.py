"""Are upsampling and transposed convolution the same? Answered by running it.

Each function in `QUESTIONS` takes an image, makes two operators, compares them, and returns a
`Verdict`. What a verdict says follows from the comparison alone; other kernels give others.

=============  ==================================================
`enlarging`    questions about upsampling and unpooling
`convolving`   questions about convolutions and their transposes
`rearranging`  questions about pixel shuffles, phases and windows
`verdict`      what a question is answered with
`figures`      pictures of a verdict
`pages`        all verdicts as one HTML page
=============  ==================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from convmat.answer import (
    convolving,
    enlarging,
    rearranging,
)
from convmat.answer.pages import page
from convmat.answer.verdict import EXCEPT, FALSE, HOLDS, Verdict
from convmat.geometry.arguments import GeometryError
from convmat.layers import avg_pool
from convmat.matrix.files import written
from convmat.plot.photograph import photograph

__all__ = [
    "EXCEPT",
    "FALSE",
    "HOLDS",
    "QUESTION",
    "QUESTIONS",
    "Verdict",
    "headline",
    "sample",
    "summary",
    "verdicts",
    "write_page",
]

Array = np.ndarray[Any, np.dtype[Any]]

QUESTION = "Are upsampling and transposed convolution the same?"
SIDE = 64  # pixels that the sample is high and wide
LEAST = 16

QUESTIONS: dict[str, Callable[[Array], Verdict]] = {
    "nearest": enlarging.nearest,
    "bilinear": enlarging.bilinear,
    "learned": enlarging.learned,
    "average": enlarging.average,
    "unpooling": enlarging.unpooling,
    "unpooling shared": partial(enlarging.unpooling, kernel=3, stride=2),
    "transposed": convolving.transposed,
    "inverse": convolving.inverse,
    "inserted": convolving.inserted,
    "subpixel": rearranging.subpixel,
    "dilated": rearranging.dilated,
    "folded": rearranging.folded,
}


def sample(path: str | Path | None = None) -> Array:
    """Return a small grey image (1, n, n) in float64: a photograph, cropped and averaged.

    n is a multiple of 4, at most 64; values are those of the photograph in its own range, 0 to
    255 in 8-bit files, rounded to 8 binary digits of the largest, so that sums of them are exact.

    Parameters
    ----------
    path : path, optional
        The portrait of Grace Hopper that Matplotlib ships, if not given.

    Raises
    ------
    GeometryError
        Not an image, or one of fewer than 16 pixels along an axis.
    OSError
        The file cannot be read.
    """
    image = photograph(path, grey=True).astype(np.float64)
    height, width = image.shape[1:]
    shorter = min(height, width)
    if shorter < LEAST:
        raise GeometryError(
            "image",
            (height, width),
            f"has fewer than {LEAST} pixels along an axis",
            "use a larger photograph",
        )
    factor = max(shorter // SIDE, 1)
    side = min(shorter // factor, SIDE) // 4 * 4 * factor
    # Across, the middle; down, nearer the top, where portraits have their faces.
    left, top = (width - side) // 2, (height - side) // 4
    square = image[:, top : top + side, left : left + side]
    return _rounded(avg_pool(square.shape, factor)(square))


def _rounded(values: Array) -> Array:
    """Round to 8 binary digits of the largest value: to integers, where that is 128 to 255."""
    _, exponent = np.frexp(np.abs(values).max())
    step = np.ldexp(1.0, int(exponent) - 8)
    rounded: Array = np.rint(values / step) * step
    return rounded


def verdicts(image: Array, tell: Callable[[str], None] = lambda _: None) -> dict[str, Verdict]:
    """Ask all `QUESTIONS` of an image (1, H, W), H and W multiples of 4.

    Parameters
    ----------
    image : array (1, H, W)
    tell : callable, optional
        Called with the name of each question as it begins.
    """
    found = {}
    for name, ask in QUESTIONS.items():
        tell(name)
        found[name] = ask(image)
    return found


def headline(found: Mapping[str, Verdict]) -> tuple[str, tuple[str, ...]]:
    """Return yes or no, and what it rests on."""
    same = all(found[name].holds for name in ("nearest", "bilinear", "learned"))
    reasons = (found[name].so for name in ("nearest", "bilinear", "learned", "inverse"))
    return "Yes" if same else "No", tuple(reasons)


def summary(found: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return question, answer and verdicts as plain numbers, strings and lists."""
    answer, reasons = headline(found)
    return {
        "question": QUESTION,
        "answer": answer,
        "reasons": list(reasons),
        "verdicts": {name: verdict.to_dict() for name, verdict in found.items()},
    }


def write_page(
    path: str | Path,
    found: Mapping[str, Verdict],
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Write the verdicts and their pictures as one HTML page that needs no other file.

    Raises
    ------
    OSError
        The file cannot be written; one that was there is then as it was.
    """
    with written(path) as beside:
        tell("draw the pictures")
        beside.write_text(page(QUESTION, *headline(found), found), encoding="utf-8")


def __dir__() -> list[str]:
    return sorted(__all__)
