"""Colours and small drawing helpers that all pictures share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.keywords import keywords
from convmat.geometry.window import Geometry
from convmat.operator import LayerOperator, Operator

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "CELL",
    "HUES",
    "INK",
    "MUTED",
    "PAPER",
    "RULE",
    "figure",
    "geometry_of",
    "ink_on",
    "operator_of",
    "placed",
    "stated",
    "tap_colours",
    "times",
]

Array = np.ndarray[Any, np.dtype[Any]]

INK = "#22262E"
MUTED = "#6B7280"
RULE = "#3B4252"
CELL = "#EEF0F3"
PAPER = "#FFFFFF"

# Hues that stay apart for the common colour-vision deficiencies (after Okabe and Ito's set).
HUES = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#B8860B", "#3AA6D0", "#7A4B2A")


def figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) that belongs to no window system."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
    return Figure(figsize=(width, height), dpi=150, facecolor=PAPER, layout=layout)


def placed(
    boxes: Sequence[tuple[float, float, float, float]], page: tuple[float, float]
) -> tuple[Figure, list[Axes]]:
    """Return a figure of the size of `page` with axes at (left, top, width, height), in inches."""
    fig = figure(*page)
    fig.set_layout_engine("none")
    axes = [
        fig.add_axes((x / page[0], 1 - (y + h) / page[1], w / page[0], h / page[1]))
        for x, y, w, h in boxes
    ]
    return fig, axes


def operator_of(A: Any) -> Operator:
    """Return an operator as it is, refusing matrices and everything else."""
    if not isinstance(A, Operator):
        raise GeometryError("A", A, "is not an operator", "pass the operator, not its matrix")
    return A


def geometry_of(A: Any, most_axes: int | None = None) -> Geometry:
    """Return the geometry of a layer, refusing operators that have none."""
    layer = operator_of(A)
    if not isinstance(layer, LayerOperator):
        raise GeometryError(
            "A", A, "is not a single layer, so it has no taps to draw", "draw each layer by itself"
        )
    if most_axes is not None and len(layer.geometry.axes) > most_axes:
        raise GeometryError(
            "A",
            layer.in_shape,
            f"has more than {most_axes} spatial axes, which a page cannot show",
            "draw a layer of the same windows with fewer axes",
        )
    return layer.geometry


def tap_colours(kernel: Sequence[int]) -> Array:
    """Return one RGB colour (0 to 1) per tap in C order, shape (taps, 3).

    In one dimension every tap has a hue. In more, a hue stands for one line of the kernel, and
    its lightness for the position along that line.
    """
    from matplotlib.colors import to_rgb

    *outer, last = kernel
    lines = math.prod(outer)
    if lines == 1:
        return _hues(last)
    # One shade only would leave a column kernel without its hues, so the middle is the hue.
    shade = np.linspace(-0.32, 0.5, last) if last > 1 else np.zeros(1)
    hue = _hues(lines)[:, None, :]
    towards = np.where(shade[:, None] < 0, to_rgb(INK), to_rgb(PAPER))
    mixed = hue + np.abs(shade)[:, None] * (towards - hue)
    colours: Array = mixed.reshape(-1, 3)
    return colours


def _hues(count: int) -> Array:
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    if count <= len(HUES):
        return np.array([to_rgb(hue) for hue in HUES[:count]])
    return np.asarray(colormaps["viridis"](np.linspace(0, 0.95, count)))[:, :3]


def ink_on(colour: Array) -> str:
    """Return the text colour, dark or light, that reads better on a background."""
    red, green, blue = colour[:3]
    return PAPER if 0.299 * red + 0.587 * green + 0.114 * blue < 0.58 else INK


def times(sizes: Sequence[int]) -> str:
    """Write sizes as ``3 × 4``.

    Examples
    --------
    >>> times((3, 4))
    '3 × 4'
    """
    return " × ".join(str(size) for size in sizes)


def stated(geometry: Geometry) -> str:
    """Return the layer in words, from the record alone, as the keywords that make it.

    Examples
    --------
    >>> import convmat as cm
    >>> stated(cm.conv([[[1, 2, 3]]], (1, 5), stride=2, padding=1).geometry)
    'convolution · kernel 3 · stride 2 · padding 1'
    """
    words = ["transposed convolution" if geometry.flipped else "convolution"]
    for word, value in keywords(geometry).items():
        whole = isinstance(value, tuple) and all(isinstance(entry, int) for entry in value)
        words.append(f"{word} {times(value) if whole else value}")
    return " · ".join(words)
