"""Pictures of a verdict: images, and beside them small matrices whose differences are framed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.operator import Operator
from convmat.plot.strips import show
from convmat.plot.style import CELL, INK, MUTED, PAPER, RULE, ink_on, placed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["picture", "tiled"]

Array = np.ndarray[Any, np.dtype[Any]]
Box = tuple[float, float, float, float]

SIDE = 2.15  # inches, of an image
MARGIN = 0.2
TITLE, CAPTION = 0.32, 0.5  # inches above and below each picture
CELL_WIDTH = 0.36  # inches, of an entry of a matrix, at most
# The ends of the colours that images with negative values have.
POSITIVE, NEGATIVE, SIGNS = "#B2182B", "#2166AC", "red positive, blue negative"
FRAME = "#000000"


def picture(
    images: Sequence[tuple[str, Any]],
    matrices: Sequence[tuple[str, Operator]] = (),
    differences: Sequence[str] = (),
    compared: tuple[int, int] = (0, 1),
    alike: Sequence[str] = (),
) -> Figure:
    """Draw titled images in a row; or in two, and the matrices of small operators beside them.

    Parameters
    ----------
    images : sequence of (title, array)
        As `convmat.plot.strip` takes them.
    matrices : sequence of (title, Operator)
    differences : sequence of str
        Titles of images that are differences: drawn around a white zero, and as a blank panel
        that says so where they are 0 everywhere.
    compared : (int, int)
        Matrices of one shape whose entries are compared: those that differ are framed.
    alike : sequence of str
        Titles of images without negative values that are drawn in one grey scale, so that what
        is brighter has larger values.
    """
    most = max((float(np.max(image)) for title, image in images if title in alike), default=None)
    columns = (len(images) + 1) // 2 if matrices else len(images)
    step = TITLE + SIDE + CAPTION
    boxes: list[Box] = [
        (
            MARGIN + (SIDE + 0.3) * (place % columns),
            MARGIN + TITLE + step * (place // columns),
            SIDE,
            SIDE,
        )
        for place in range(len(images))
    ]
    bottom = max(top + tall for _, top, _, tall in boxes)
    right = max(left + wide for left, _, wide, _ in boxes)
    dense = [operator.matrix().toarray() for _, operator in matrices]
    boxes += _beside(dense, right, bottom)
    page = (max(left + wide for left, _, wide, _ in boxes) + MARGIN, bottom + CAPTION)
    fig, axes = placed(boxes, page)
    for ax, (title, image) in zip(axes, images, strict=False):
        if title in differences:
            _difference(ax, np.asarray(image), title)
        else:
            show(ax, image, title, most if title in alike else None)
    frames = [np.zeros(matrix.shape, bool) for matrix in dense]
    if len(dense) > 1:
        first, second = (dense[place] for place in compared)
        for place in compared:
            frames[place] = first != second
    largest = max((float(np.abs(matrix).max()) for matrix in dense), default=1.0)
    signed = any((matrix < 0).any() for matrix in dense)
    for number, (title, operator) in enumerate(matrices):
        ax = axes[len(images) + number]
        _matrix(ax, dense[number], frames[number], largest)
        _name(ax, operator, title, differs=bool(frames[number].any()), signed=signed)
    return fig


def tiled(channels: Any) -> Array:
    """Lay the channels of (C, H, W) out as a grid, for C a square number; else in a row.

    Examples
    --------
    >>> tiled(np.arange(4).reshape(4, 1, 1))
    array([[0, 1],
           [2, 3]])
    """
    array = np.asarray(channels)
    side = round(len(array) ** 0.5)
    side = side if side * side == len(array) else len(array)
    return np.block([list(array[start : start + side]) for start in range(0, len(array), side)])


def _beside(dense: Sequence[Array], right: float, bottom: float) -> list[Box]:
    """Return a box for each matrix, right of the images and no lower than they are."""
    if not dense:
        return []
    top = MARGIN + TITLE
    cell = min((bottom - top) / max(len(matrix) for matrix in dense), CELL_WIDTH)
    boxes, left = [], right + 0.75
    for matrix in dense:
        # Tall matrices of narrow cells would leave no room for their numbers.
        wide = max(cell, min(0.3, 2.4 / matrix.shape[1])) * matrix.shape[1]
        boxes.append((left, top, wide, cell * len(matrix)))
        left += max(wide, 1.5) + 0.55
    return boxes


def _matrix(ax: Axes, matrix: Array, framed: Array, most: float) -> None:
    """Draw a small matrix, one cell an entry, coloured by its value as images are."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    rows, columns = matrix.shape
    depth = (0.25 + 0.75 * np.abs(matrix) / most)[..., None]
    hue = np.where((matrix < 0)[..., None], to_rgb(NEGATIVE), to_rgb(POSITIVE))
    colours = np.asarray(to_rgb(PAPER)) * (1 - depth) + hue * depth
    colours[matrix == 0] = to_rgb(CELL)
    ax.imshow(colours, interpolation="nearest", aspect="auto")
    ax.hlines(np.arange(rows) - 0.5, -0.5, columns - 0.5, color=PAPER, lw=0.8)
    ax.vlines(np.arange(columns) - 0.5, -0.5, rows - 0.5, color=PAPER, lw=0.8)
    height, width = _cell_inches(ax, rows, columns)
    for row, column in np.argwhere(matrix != 0):
        text = _text(matrix[row, column])
        size = min(9.0, 58 * height, 105 * width / max(len(text), 2))
        if size >= 5:
            ax.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                fontsize=size,
                color=ink_on(colours[row, column]),
            )
    for row, column in np.argwhere(framed):
        place = (column - 0.42, row - 0.42)
        ax.add_patch(Rectangle(place, 0.84, 0.84, fill=False, ec=FRAME, lw=2.0, zorder=4))


def _cell_inches(ax: Axes, rows: int, columns: int) -> tuple[float, float]:
    fig = ax.get_figure(root=True)
    wide, tall = fig.get_size_inches() if fig else (1.0, 1.0)
    box = ax.get_position()
    return float(tall * box.height / rows), float(wide * box.width / columns)


def _text(value: Any) -> str:
    """Write a number in few letters, as a fraction where it is a simple one.

    Examples
    --------
    >>> _text(0.75), _text(-2.0), _text(0.1296)
    ('3/4', '−2', '0.13')
    """
    simple = Fraction(float(value)).limit_denominator(64)
    text = str(simple) if float(simple) == float(value) else f"{value:.2g}"
    return text.replace("-", "−")


def _name(ax: Axes, operator: Operator, title: str, *, differs: bool, signed: bool) -> None:
    ax.set_title(title, fontsize=9.5, color=INK, loc="left")
    words = f"{operator.shape[0]} × {operator.shape[1]}"
    if signed:
        words += f"\n{SIGNS}"
    if differs:
        words += "\nframed where A and B differ"
    ax.set_xlabel(words, fontsize=7.5, color=MUTED, loc="left")
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(color=RULE, linewidth=0.8)


def _difference(ax: Axes, image: Array, title: str) -> None:
    plane = image.reshape(image.shape[-2:])
    most = float(np.abs(plane).max())
    if most:
        limit = float(np.quantile(np.abs(plane), 0.999)) or most
        ax.imshow(plane, cmap="RdBu_r", vmin=-limit, vmax=limit)
        words = f"{plane.min():.3g} to {plane.max():.3g}\n{SIGNS}, white 0"
    else:
        ax.imshow(np.zeros_like(plane, float), alpha=0)
        ax.set_facecolor(CELL)
        middle = (plane.shape[1] - 1) / 2, (plane.shape[0] - 1) / 2
        ax.text(*middle, "0 everywhere", color=MUTED, fontsize=11, ha="center", va="center")
        words = "exactly"
    ax.set_title(title, fontsize=9.5, color=INK, loc="left")
    ax.set_xlabel(words.replace("-", "−"), fontsize=7.5, color=MUTED, loc="left")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
