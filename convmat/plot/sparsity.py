"""The sparsity of a matrix, with the taps of the kernel in colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError, as_integer
from convmat.operator import KroneckerOperator, LayerOperator, Operator
from convmat.plot.patterns import weighted_layer
from convmat.plot.raster import Raster, colours_of, rasterise
from convmat.plot.ruling import BLOCKS, channels_met, inches, label_axes, rule_channels
from convmat.plot.style import (
    CELL,
    INK,
    MUTED,
    PAPER,
    figure,
    geometry_of,
    ink_on,
    operator_of,
    placed,
    stated,
    tap_colours,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CELLS", "key", "key_cells", "spy"]

Array = np.ndarray[Any, np.dtype[Any]]
Span = tuple[int, int]

CELLS = 72  # up to this many rows and columns, cells are told apart by gaps
FAINTEST = 0.25  # opacity of a pixel that is almost empty


def spy(
    A: Operator,
    ax: Axes | None = None,
    *,
    rows: slice | None = None,
    columns: slice | None = None,
    annotate: str = "auto",
    title: str | None = None,
    pixels: int = 1000,
) -> Axes:
    """Draw the sparsity of an operator's matrix, one colour per tap of the kernel.

    Rows are outputs and columns inputs, both in C order. Lines rule the blocks of output and
    input channels. The matrix is not built: entries are counted axis by axis, so a matrix of
    millions of rows is drawn in less than a second. Every stored entry is drawn, those of weights
    that are zero too.

    Parameters
    ----------
    A : Operator
        A layer, or a composition of layers. Layers without taps, such as pooling or upsampling,
        have one colour for each distinct weight, and so have compositions of up to two million
        entries; larger ones have one colour. A convolution with another padding than by zeros
        has the colours of its taps.
    ax : matplotlib Axes, optional
        Where to draw; a new figure, with a key of the taps, if not given.
    rows, columns : slice, optional
        Draw this part only (step 1).
    annotate : str
        What is written inside an entry: ``"values"`` (the number), ``"names"`` (the tap, as
        w with its position), ``"none"``, or ``"auto"`` (numbers, where there is room).
    title : str, optional
        Text above the picture; the layer and the size of its matrix if not given.
    pixels : int
        Largest height and width of the raster, in pixels.

    Returns
    -------
    matplotlib Axes; save with ``ax.figure.savefig("sparsity.png")``. The figure is none of
    pyplot's, so ``plt.savefig`` would not save it.

    Raises
    ------
    GeometryError
        Not an operator, bad slice, unknown `annotate`, or `pixels` below 1.

    Notes
    -----
    While rows and columns number at most `pixels`, one pixel is one entry. Beyond, a pixel is as
    dark as it is full: its opacity grows with the share of its entries that are stored, up to
    that of the fullest pixel. All entries are counted, and it has their mean colour. Pixels begin
    and end with channels, lines or parts of lines, so that equal blocks look equal.

    Memory: some ten arrays of pixels**2 at most. Time: that of the pixels that hold entries;
    sums, and products with layers that rearrange channels, take that of all their entries.

    Examples
    --------
    >>> import convmat as cm
    >>> ax = cm.plot.spy(cm.conv([[[1, 2, 3]]], (1, 6), stride=2, padding=1))
    >>> ax.get_ylabel()
    'rows: 3 outputs'
    """
    height, width = operator_of(A).shape
    if annotate not in ("auto", "values", "names", "none"):
        raise GeometryError("annotate", annotate, "is not known", "use auto, values, names or none")
    most = as_integer("pixels", pixels, 1)
    row_span = _span("rows", rows, height)
    column_span = _span("columns", columns, width)
    if ax is None:
        ax = _own_axes(A, row_span, column_span)
    raster = rasterise(A, row_span, column_span, colours_of(A), most)
    _paint(ax, raster, row_span, column_span)
    label_axes(ax, A, row_span, column_span)
    rule_channels(ax, A.out_shape, row_span, "y")
    rule_channels(ax, A.in_shape, column_span, "x")
    _annotate(ax, A, row_span, column_span, annotate, raster)
    if title is None:
        title = _title(A)
    blocks = channels_met(A.in_shape, column_span)  # their names stand between title and picture
    pad = 19 if 1 < len(blocks) <= BLOCKS else 7
    ax.set_title(title, color=INK, fontsize=9.5, loc="left", pad=pad)
    return ax


def _title(A: Operator) -> str:
    layer = weighted_layer(A)
    if layer is not None:
        return stated(layer.geometry) + (" · composed with padding" if layer is not A else "")
    return A.names[0] if isinstance(A, KroneckerOperator) else "composed operator"


def key(A: Operator, ax: Axes | None = None) -> Axes:
    """Draw the kernel with each tap in its colour, the key to every other picture.

    Parameters
    ----------
    A : Operator
        A single layer.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    GeometryError
        A composition has no single kernel.
    """
    from matplotlib.patches import Rectangle

    kernel = geometry_of(A).kernel
    if ax is None:
        ax = figure(2.2, 2.2).add_subplot()
    height = kernel[-2] if len(kernel) > 1 else 1
    rows, width = key_cells(kernel)
    colours = tap_colours(kernel)
    room = 72 * min(size / cells for size, cells in zip(inches(ax), (width, rows), strict=True))
    letters = max(len(",".join(str(size - 1) for size in kernel)), 2)
    size = min(7.0, room * 0.9 / (0.62 * letters))  # points
    for number, tap in enumerate(np.ndindex(*kernel)):
        # Beyond two axes, planes of the kernel stand below each other.
        plane = number // (height * width)
        row = (tap[-2] if len(kernel) > 1 else 0) + plane * (height + 0.5)
        ax.add_patch(Rectangle((tap[-1], row), 0.92, 0.92, color=colours[number], lw=0))
        if height * width <= 25 and size >= 3.5:
            ax.text(
                tap[-1] + 0.46,
                row + 0.46,
                ",".join(map(str, tap)),
                color=ink_on(colours[number]),
                ha="center",
                va="center",
                fontsize=size,
            )
    ax.set_xlim(-0.1, width + 0.02)
    ax.set_ylim(rows + 0.02, -0.1)
    ax.set_aspect("equal", anchor="NW")
    ax.axis("off")
    ax.set_title("taps of the kernel", fontsize=8, color=MUTED, loc="left", pad=5)
    return ax


def key_cells(kernel: Sequence[int]) -> tuple[float, int]:
    """Return height and width of the key in cells; planes stand half a cell apart."""
    height = kernel[-2] if len(kernel) > 1 else 1
    return math.prod(kernel[:-2]) * (height + 0.5) - 0.5, kernel[-1]


def _span(name: str, part: slice | None, total: int) -> Span:
    if part is None:
        return 0, total
    if not isinstance(part, slice):
        raise GeometryError(name, part, "must be a slice", "use slice(start, stop)")
    try:
        start, stop, step = part.indices(total)
    except (TypeError, ValueError):
        raise GeometryError(name, part, "must hold integers", "use slice(start, stop)") from None
    if step != 1:
        raise GeometryError(name, part, "must have step 1", "use slice(start, stop)")
    if stop <= start:
        raise GeometryError(name, part, f"holds nothing of 0 to {total}", "choose another part")
    return start, stop


def _own_axes(A: Operator, rows: Span, columns: Span) -> Axes:
    """Return axes in a figure of their own, shaped like the window, beside a key."""
    height, width = rows[1] - rows[0], columns[1] - columns[0]
    scale = 6.0 / max(height, width)
    wide, tall = max(width * scale, 0.8), max(height * scale, 0.8)
    boxes = [(0.95, 0.75, wide, tall)]
    right, bottom = 0.95 + max(wide, 3.2) + 0.45, 0.75 + max(tall, 1.2)
    layer = weighted_layer(A)
    if layer is None:
        return placed(boxes, (right, bottom + 0.6))[1][0]
    side = min(0.36 * layer.geometry.kernel[-1], 2.2)
    boxes.append((right, 0.75, side, bottom - 0.75))
    ax, taps = placed(boxes, (right + max(side, 1.2) + 0.15, bottom + 0.6))[1]
    key(layer, taps)
    return ax


def _paint(ax: Axes, raster: Raster, rows: Span, columns: Span) -> None:
    height, width = raster.entries.shape
    image = np.empty((height, width, 4), np.uint8)
    image[..., :3] = np.round(raster.colour * 255)
    image[..., 3] = np.round(_opacity(raster) * 255)
    (top, bottom), (left, right) = raster.rows.ends(), raster.columns.ends()
    top, bottom, left, right = (end - 0.5 for end in (top, bottom, left, right))
    single = max(rows[1] - rows[0], columns[1] - columns[0]) <= CELLS
    ax.set_facecolor(CELL if single else PAPER)
    ax.imshow(
        image,
        extent=(left, right, bottom, top),
        interpolation="nearest" if max(height, width) < 300 else "antialiased",
        zorder=1,
    )
    ax.set_xlim(columns[0] - 0.5, columns[1] - 0.5)
    ax.set_ylim(rows[1] - 0.5, rows[0] - 0.5)
    tall, wide = rows[1] - rows[0], columns[1] - columns[0]
    ax.set_aspect("equal" if max(tall, wide) <= 8 * min(tall, wide) else "auto", anchor="NW")
    if single:
        ax.hlines(np.arange(*rows) - 0.5, left, right, color=PAPER, lw=0.8, zorder=2)
        ax.vlines(np.arange(*columns) - 0.5, top, bottom, color=PAPER, lw=0.8, zorder=2)


def _opacity(raster: Raster) -> Array:
    """Return how dark each pixel is: by its coverage, if it is more than one entry.

    The fullest pixel that nothing cuts short is opaque; the emptiest one can still be seen.
    """
    if raster.rows.single and raster.columns.single:
        return (raster.entries > 0).astype(float)
    coverage = raster.coverage()
    whole = np.multiply.outer(
        raster.rows.lengths() == raster.rows.length,
        raster.columns.lengths() == raster.columns.length,
    )
    fullest = coverage[whole].max(initial=0) or coverage.max()
    share = np.minimum(coverage / max(fullest, 1e-300), 1)
    return np.where(raster.entries > 0, FAINTEST + (1 - FAINTEST) * share, 0)


def _annotate(
    ax: Axes, A: Operator, rows: Span, columns: Span, annotate: str, raster: Raster
) -> None:
    """Write the number, or the name of the tap, inside each entry."""
    single = isinstance(A, LayerOperator)
    if annotate == "none" or (annotate == "names" and not single):
        return
    room = _cell_points(ax, rows, columns)
    if annotate == "auto" and room < 13:
        return
    found = A._entries().pick(np.arange(*rows))

    def place(row: int, column: int) -> tuple[int, int]:
        down, across = raster.rows, raster.columns
        return down.pixel(row) - down.first, across.pixel(column) - across.first

    inside = (found.column >= columns[0]) & (found.column < columns[1])
    for row, column, slot, value in zip(*(part[inside] for part in found), strict=True):
        if annotate == "names" and isinstance(A, LayerOperator):
            text = _tap_name(A, int(slot))
        else:
            text = _number(value)
        if annotate == "auto" and len(text) > 6:
            continue
        ax.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=min(9.0, 1.25 * room / max(len(text), 2.4)),
            color=ink_on(raster.colour[place(row, column)]),
            zorder=3,
        )


def _cell_points(ax: Axes, rows: Span, columns: Span) -> float:
    """Return about how many points wide and high one entry is on the page."""
    wide, tall = inches(ax)
    return 72 * min(wide / (columns[1] - columns[0]), tall / (rows[1] - rows[0]))


def _tap_name(A: LayerOperator, slot: int) -> str:
    position = np.unravel_index(slot, A.weight.shape)
    # With one channel on each side the two zeros would only be clutter.
    shown = position[2:] if A.weight.shape[:2] == (1, 1) else position
    return f"w[{','.join(str(p) for p in shown)}]"


def _number(value: Any) -> str:
    if isinstance(value, (int, float, np.integer, np.floating)):
        return f"{value:.3g}".replace("-", "−")
    if isinstance(value, (complex, np.complexfloating)):
        return f"{value:.2g}".replace("-", "−")
    return str(value)
