"""A matrix and its transpose, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convmat._check import as_integer
from convmat.operator import LayerOperator, Operator
from convmat.plot._sparsity import CELLS, key, spy
from convmat.plot._style import INK, placed, stated, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["pair"]


def pair(A: Operator, corner: int = 24) -> Figure:
    """Draw A and its transpose side by side at one scale, whole and the corner of each.

    Parameters
    ----------
    A : Operator
    corner : int
        Rows of the corner of A that is shown enlarged. Matrices small enough to show single
        taps as they are have no enlarged corner.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    GeometryError
        `corner` below 1.
    """
    corner = as_integer("corner", corner, 1)
    height, width = A.shape
    tall = min(corner, height)
    wide = min(max(corner, round(corner * width / height)), 2 * corner, width)
    enlarge = max(height, width) > CELLS
    fig, places, taps = _pair_axes(height, width, (tall, wide) if enlarge else None)
    # Fewer pixels than the page could hold: a line of single dots would hardly be seen.
    spy(A, places[0], title=f"A   {height:,} × {width:,}", pixels=420)
    spy(A.T, places[1], title=f"Aᵀ   {width:,} × {height:,}", pixels=420)
    if enlarge:
        first, second = slice(tall), slice(wide)
        spy(A, places[2], rows=first, columns=second, title="A, its top left corner")
        spy(A.T, places[3], rows=second, columns=first, title="Aᵀ, its top left corner")
    heading = f"{times(A.in_shape)}  →  {times(A.out_shape)}"
    if isinstance(A, LayerOperator):
        key(A, taps)
        heading = f"{stated(A.geometry)}   ·   {heading}"
    else:
        taps.axis("off")
    fig.suptitle(heading, fontsize=11, color=INK, x=0.5, y=1 - 0.3 / fig.get_figheight())
    return fig


def _pair_axes(
    height: int, width: int, corner: tuple[int, int] | None
) -> tuple[Figure, list[Axes], Axes]:
    """Place A, its transpose, their corners and the key, in inches from the top left."""
    long, gap, top = 5.6, 1.05, 1.2
    scale = long / max(height, width)
    w, h = max(width * scale, 0.8), max(height * scale, 0.8)
    left = gap
    boxes = [(left, top, w, h), (left + w + gap, top, h, w)]
    bottom = top + max(w, h)
    if corner:
        detail = (long - gap) / sum(corner)
        cw, ch = corner[1] * detail, corner[0] * detail
        # The shorter of the two leaves room below itself; use it where the corners fit.
        x, y = (left, top + h) if w > h else (left + w + gap, top + w)
        if y + gap + max(cw, ch) > bottom:
            x, y = left, bottom
        boxes += [(x, y + gap, cw, ch), (x + cw + gap, y + gap, ch, cw)]
        bottom = max(bottom, y + gap + max(cw, ch))
    right = max(box[0] + max(box[2], 1.9) for box in boxes) + 0.35
    taps = (right, top, 1.1, 3.3)
    if not corner and top + h + gap + 1.4 <= bottom:
        taps = (left, top + h + gap, 1.4, bottom - top - h - gap)  # the room below a wide A
        right -= 1.2
    fig, axes = placed([*boxes, taps], (right + 1.3, bottom + 0.8))
    return fig, axes[:-1], axes[-1]
