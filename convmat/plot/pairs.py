"""A matrix and its transpose, side by side."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

from convmat.geometry.arguments import as_integer
from convmat.operator import LayerOperator, Operator
from convmat.plot.sparsity import CELLS, key, key_cells, spy
from convmat.plot.style import INK, MUTED, operator_of, placed, stated, times

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["pair"]

Box = tuple[float, float, float, float]

LONG = 5.6  # inches of the longer side of a matrix
GAP = 0.95  # between matrices, for labels
TOP = 1.0
ROWS = "Each row is one output, each column one input."
TAPS = "One colour is one tap"
WHERE = {1: ".", 2: ", at (row, column).", 3: ", at (plane, row, column)."}
MIRROR = "Aᵀ holds the same entries, mirrored."
PIXELS = 420  # fewer than the page could hold: a line of single dots would hardly be seen
LETTER = 0.62 / 72  # inches that a letter takes for each point of its size, at most on average
NOTE, HEADING = 8.5, 11  # points
MIXED = "A pixel of the whole matrices holds many entries: their colours mix."


class Page(NamedTuple):
    """Where things stand, in inches from the top left: (left, top, width, height)."""

    boxes: list[Box]
    key: Box
    note: tuple[float, float]  # its left and top
    letters: int  # in a line of the note
    size: tuple[float, float]


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
    matplotlib Figure; save with ``pair(A).savefig("A.png")``.

    Raises
    ------
    GeometryError
        Not an operator, or `corner` below 1.
    """
    corner = as_integer("corner", corner, 1)
    height, width = operator_of(A).shape
    tall = min(corner, height)
    wide = min(max(corner, round(corner * width / height)), 2 * corner, width)
    enlarge = max(height, width) > CELLS
    cells = key_cells(A.geometry.kernel) if isinstance(A, LayerOperator) else (1.0, 1)
    heading = f"{times(A.in_shape)}  →  {times(A.out_shape)}"
    words = [ROWS, MIRROR]
    if isinstance(A, LayerOperator):
        heading = f"{stated(A.geometry)}   ·   {heading}"
        taps = TAPS + WHERE.get(len(A.geometry.kernel), ".")
        words = [ROWS, taps, MIXED if max(height, width) > PIXELS else MIRROR]
    page = _page(height, width, (tall, wide) if enlarge else None, cells)
    lines = [line for sentence in words for line in textwrap.wrap(sentence, page.letters)]
    page = _widened(page, max(map(len, lines)), len(heading))
    fig, axes = placed([*page.boxes, page.key], page.size)
    *places, kernel = axes
    spy(A, places[0], title=f"A   {height:,} × {width:,}", pixels=PIXELS)
    spy(A.T, places[1], title=f"Aᵀ   {width:,} × {height:,}", pixels=PIXELS)
    if enlarge:
        first, second = slice(tall), slice(wide)
        spy(A, places[2], rows=first, columns=second, title="A, its top left corner")
        spy(A.T, places[3], rows=second, columns=first, title="Aᵀ, its top left corner")
    if isinstance(A, LayerOperator):
        key(A, kernel)
    else:
        kernel.axis("off")
    left, top = page.note
    fig.text(
        left / page.size[0],
        1 - top / page.size[1],
        "\n".join(lines),
        fontsize=NOTE,
        color=MUTED,
        va="top",
        linespacing=1.6,
    )
    fig.suptitle(heading, fontsize=HEADING, color=INK, x=0.5, y=1 - 0.25 / page.size[1])
    return fig


def _widened(page: Page, note: int, heading: int) -> Page:
    """Return a page wide enough for a line of the note, and the heading, of so many letters."""
    width = max(
        page.size[0],
        page.note[0] + LETTER * NOTE * note + 0.15,
        LETTER * HEADING * heading + 0.3,
    )
    return page._replace(size=(width, page.size[1]))


def _page(
    height: int, width: int, corner: tuple[int, int] | None, cells: tuple[float, int]
) -> Page:
    """Place A, its transpose, their corners and the key of so many cells."""
    scale = LONG / max(height, width)
    w, h = max(width * scale, 0.8), max(height * scale, 0.8)
    left = 0.95
    boxes = [(left, TOP, w, h), (left + w + GAP, TOP, h, w)]
    bottom = TOP + max(w, h)
    # The shorter of the two leaves room below itself: for the corners, and the key.
    x, y = (left, TOP + h) if w > h else (left + w + GAP, TOP + w)
    side = left + w + GAP + max(h, 1.7) + 0.35  # the right edge, titles included
    room = bottom - y - GAP
    letters = 30
    if corner:
        detail = (LONG - GAP) / sum(corner)
        cw, ch = corner[1] * detail, corner[0] * detail
        if max(cw, ch) > room:
            x, y = left, bottom
        y += GAP
        boxes += [(x, y, cw, ch), (x + cw + GAP, y, ch, cw)]
        bottom = max(bottom, y + max(cw, ch))
        beside = x + cw + GAP + ch + 0.45
        if side - beside < 2.6:  # below the first corner, which is the flatter one
            y += ch + GAP
            beside = x
        found = _key(beside, y, max(bottom - y, 1.3), cells)
    elif room >= 1.2:
        found = _key(x, y + GAP, room, cells)
        letters = 47
    else:
        found = _key(side, TOP, 1.3, cells)
        side += 3.9
    box, note = found
    # Beside the key there is room up to the next matrix, or the end of the page.
    bottom = max(bottom, box[1] + max(box[3], 1.2))
    return Page(boxes, box, note, letters, (side, bottom + 0.75))


def _key(
    left: float, top: float, room: float, cells: tuple[float, int]
) -> tuple[Box, tuple[float, float]]:
    """Return the box of the key and the place of the words to its right."""
    cell = min(room / cells[0], 2.4 / cells[1], 0.75)
    width = cells[1] * cell
    beside = left + max(width, 1.05) + 0.25
    return (left, top, width, cells[0] * cell), (beside, top)
