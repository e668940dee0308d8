"""Draw the pictures of README and docs again.

python scripts/make_figures.py images
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import command_line
import matplotlib as mpl
import numpy as np
from matplotlib import cbook, image
from matplotlib.figure import Figure

import convmat as cm

SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
LUMA = np.array([0.299, 0.587, 0.114])  # of red, green, blue: ITU-R BT.601


def photograph_strip() -> Any:
    """Draw a photograph, what a layer makes of it, and what the transpose makes of that."""
    path = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    x = np.moveaxis(image.imread(path), -1, 0)
    weight = np.stack([np.multiply.outer(LUMA, taps) for taps in (SOBEL, SOBEL.T)])
    A = cm.conv(weight, x.shape, stride=2, padding=1)
    y = A(x)
    titles = ["image x", "A(x), channel 0", "A(x), channel 1", "Aᵀ(A(x)), sum of 3 channels"]
    return cm.plot.strip([x, *y, A.T(y).sum(0)], titles)


def upsampling_matrices() -> Any:
    """Draw the matrices of two upsamplings, of a transposed convolution, and a difference."""
    shape = (1, 6)
    nearest, linear = (cm.upsample(shape, scale_factor=2, mode=m) for m in ("nearest", "linear"))
    triangle = cm.conv_transpose(np.array([[[0.25, 0.75, 0.75, 0.25]]]), shape, 2, padding=1)
    figure = Figure(figsize=(11, 5), layout="constrained")
    titles = {
        "nearest upsampling by 2": nearest,
        "linear upsampling by 2": linear,
        "triangle, transposed conv.": 1 * triangle,  # a multiple has a colour for each weight
        "linear − triangle": linear - triangle,
    }
    for ax, (title, operator) in zip(figure.subplots(1, 4), titles.items(), strict=True):
        cm.plot.spy(operator, ax, annotate="values", title=title)
    return figure


def main() -> None:
    """Save every figure into the folder."""
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("images"))
    place = command_line.made(parser.parse_args().folder)
    A = cm.conv(np.arange(1.0, 10).reshape(1, 1, 3, 3), (1, 5, 5), stride=2, padding=1)
    # Windows overlap unevenly, yet the weights of linear interpolation even them out.
    triangle = np.multiply.outer([0.5, 1.0, 0.5], [0.5, 1.0, 0.5])[None, None]
    interpolation = cm.conv_transpose(triangle, (1, 6, 6), stride=2)
    # The user's own settings of Matplotlib must not change the figures.
    with mpl.rc_context(mpl.rcParamsDefault):
        figures: dict[str, Any] = {
            "matrices": cm.plot.pair(A),
            "photograph": photograph_strip(),
            "convolution": cm.plot.arithmetic(A, (0, 1)).figure,
            "transposed": cm.plot.arithmetic(A.T, (2, 3)).figure,
            "overlap": cm.plot.overlap(interpolation),
            "upsampling": upsampling_matrices(),
        }
        for name, figure in figures.items():
            # Without the version of Matplotlib inside, equal pictures are equal files.
            figure.savefig(place / f"{name}.png", dpi=110, metadata={"Software": None})
            print(place / f"{name}.png")


if __name__ == "__main__":
    command_line.run(main)
