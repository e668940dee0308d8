"""Convolution arithmetic drawn from the record: which inputs one output reads, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError, as_integer
from convmat.geometry.weights import slots
from convmat.geometry.window import Geometry, Window
from convmat.operator import LayerOperator
from convmat.plot.style import (
    INK,
    MUTED,
    RULE,
    figure,
    geometry_of,
    ink_on,
    stated,
    tap_colours,
    times,
)

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

__all__ = ["animate", "arithmetic"]

Array = np.ndarray[Any, np.dtype[Any]]

MOST = 48  # cells along one axis that a page can show
INPUT = "#CBD3DF"
OUTPUT = "#E3E6EB"
GAP = 2.4  # cells between the input and the output


class Line(NamedTuple):
    """One axis in the frame of the padded input, zeros inserted: positions base*i.

    start, stop : the frame, padding included
    inputs : input at each position of the frame, -1 for a zero
    taps : position of every tap of the window of one output
    """

    start: int
    stop: int
    inputs: Array
    taps: Array


def arithmetic(
    A: LayerOperator,
    output: Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one output of a layer and the window that it reads, channels left aside.

    Solid cells are inputs; dashed cells are zeros, of the padding or inserted between inputs.
    The taps of the window wear the colours that they have in `spy`.

    Parameters
    ----------
    A : LayerOperator
        A layer with one or two spatial axes, at most 48 cells long each.
    output : tuple of int, optional
        Spatial position of the output; the second along each axis if not given.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    GeometryError
        A composition, too many axes, a layer too large to draw, or no such output.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, made this
    kind of picture known.

    Examples
    --------
    >>> import convmat as cm
    >>> ax = cm.plot.arithmetic(cm.conv([[[1, 2, 3]]], (1, 5), stride=2, padding=1))
    >>> print(ax.texts[-1].get_text())
    output 1: i = 2o + k − 1, 3 of 3 taps read an input
    """
    geometry = geometry_of(A, 2)
    chosen = _chosen(geometry, output)
    lines = [_line(axis, o) for axis, o in zip(geometry.axes, chosen, strict=True)]
    if max(line.stop - line.start for line in lines) > MOST:
        raise GeometryError(
            "A",
            A.in_shape,
            f"needs more than {MOST} cells along an axis, padding included",
            "draw a smaller input through the same layer",
        )
    if ax is None:
        ax = figure(*_page(geometry, lines)).add_subplot()
    ax.set_aspect("equal")
    ax.axis("off")
    taps = slots(geometry)[0, 0, 0].reshape(-1) % math.prod(geometry.kernel)
    colours = tap_colours(geometry.kernel)[taps]
    names = [",".join(map(str, np.unravel_index(tap, geometry.kernel))) for tap in taps]
    draw = _draw_line if len(lines) == 1 else _draw_plane
    draw(ax, geometry, lines, chosen, colours, names)
    _caption(ax, geometry, lines, chosen)
    return ax


def animate(A: LayerOperator, interval: int = 500) -> FuncAnimation:
    """Animate `arithmetic` over all outputs, in C order.

    Parameters
    ----------
    A : LayerOperator
        As for `arithmetic`.
    interval : int
        Milliseconds per output.

    Returns
    -------
    matplotlib FuncAnimation; save with ``.save("layer.gif")``, or ``.to_jshtml()`` in a notebook.

    Raises
    ------
    GeometryError
        As for `arithmetic`, or `interval` below 1.
    """
    from matplotlib.animation import FuncAnimation

    interval = as_integer("interval", interval, 1)
    spatial = geometry_of(A, 2).out_shape[1:]
    ax = arithmetic(A, (0,) * len(spatial))
    fig = ax.get_figure(root=True)
    assert fig is not None  # noqa: S101, tells the type checker what was drawn on

    def show(output: tuple[int, ...]) -> list[Axes]:
        ax.clear()
        return [arithmetic(A, output, ax)]

    frames = list(np.ndindex(*spatial))
    return FuncAnimation(fig, show, frames, init_func=list, interval=interval, blit=False)


def _chosen(geometry: Geometry, output: Sequence[int] | None) -> tuple[int, ...]:
    spatial = geometry.out_shape[1:]
    if output is None:
        return tuple(min(1, n - 1) for n in spatial)
    chosen = tuple(as_integer("output", o, 0) for o in np.atleast_1d(np.asarray(output, object)))
    if len(chosen) != len(spatial) or any(o >= n for o, n in zip(chosen, spatial, strict=True)):
        raise GeometryError(
            "output", output, f"is not a position in the output {spatial}", "choose one inside"
        )
    return chosen


def _line(axis: Window, o: int) -> Line:
    def first_tap(output: int) -> int:
        return int(axis.stride * output - axis.pad)

    span = axis.dilation * (axis.kernel - 1)
    start = min(0, first_tap(0))
    stop = max(axis.base * (axis.n_in - 1), first_tap(axis.n_out - 1) + span) + 1
    if stop - start > MOST:
        return Line(start, stop, np.empty(0, np.int64), np.empty(0, np.int64))
    position = np.arange(start, stop)
    i = position // axis.base
    real = (position % axis.base == 0) & (i >= 0) & (i < axis.n_in)
    return Line(
        start,
        stop,
        np.where(real, i, -1),
        first_tap(o) + axis.dilation * np.arange(axis.kernel),
    )


def _page(geometry: Geometry, lines: list[Line]) -> tuple[float, float]:
    cells = [line.stop - line.start for line in lines]
    if len(lines) == 1:
        width, height = cells[0] + 2, GAP + 2.2
    else:
        width = cells[1] + GAP + geometry.axes[1].n_out
        height = max(cells[0], geometry.axes[0].n_out)
    scale = min(0.5, 9.0 / width)
    return max(width * scale, 5.6) + 0.3, height * scale + 0.8


def _cells(ax: Axes, x: Array, y: Array, **style: Any) -> None:
    """Draw many equal cells at once: one collection, not an artist for each."""
    from matplotlib.collections import PolyCollection

    middle = np.stack(np.broadcast_arrays(x, y), -1).reshape(-1, 1, 2)
    corners = np.array([(-0.46, -0.46), (0.46, -0.46), (0.46, 0.46), (-0.46, 0.46)])
    ax.add_collection(PolyCollection(middle + corners, **style), autolim=False)


def _zeros(ax: Axes, x: Array, y: Array) -> None:
    style = {"facecolor": "none", "edgecolor": "#A8B0BC", "linewidth": 0.7, "zorder": 1}
    _cells(ax, x, y, linestyle=[(0, (2, 2))], **style)


def _cell(ax: Axes, x: float, y: float, **style: Any) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, **style))


def _tap(
    ax: Axes, x: float, y: float, colour: Array, name: str, *, real: bool, size: float
) -> None:
    """Draw a tap: solid on an input, a dashed outline on a zero."""
    style: dict[str, Any] = {"facecolor": colour, "edgecolor": colour, "linewidth": 1.2}
    if not real:
        style |= {"facecolor": (*colour, 0.13), "linestyle": (0, (2, 1.5))}
    _cell(ax, x, y, **style, zorder=3)
    ink = ink_on(colour) if real else MUTED
    ax.text(x, y, name, ha="center", va="center", fontsize=size, color=ink, zorder=4)


def _draw_line(
    ax: Axes,
    geometry: Geometry,
    lines: list[Line],
    chosen: tuple[int, ...],
    colours: Array,
    names: list[str],
) -> None:
    (line,), (axis,) = lines, geometry.axes
    size = 8.0 if line.stop - line.start <= 24 else 5.0
    y = GAP
    real, position = line.inputs >= 0, np.arange(line.start, line.stop)
    _zeros(ax, position[~real], np.zeros(1))
    _cells(ax, position[real], np.zeros(1), facecolor=INPUT, linewidth=0)
    for x, i in zip(position[real], line.inputs[real], strict=True):
        ax.text(x, -0.72, str(i), ha="center", fontsize=size - 1, color=MUTED, va="center")
    # Output o stands below the middle of its window.
    middle = axis.dilation * (axis.kernel - 1) / 2 - axis.pad
    for o in range(axis.n_out):
        here = o == chosen[0]
        _cell(ax, axis.stride * o + middle, y, facecolor=INK if here else OUTPUT, linewidth=0)
        ax.text(
            axis.stride * o + middle,
            y + 0.72,
            str(o),
            ha="center",
            va="center",
            fontsize=size - 1,
            color=INK if here else MUTED,
        )
    target = axis.stride * chosen[0] + middle
    for position, colour, name in zip(line.taps, colours, names, strict=True):
        met = bool(line.inputs[position - line.start] >= 0)
        if met:
            ax.plot([position, target], [0.5, y - 0.5], color=colour, lw=1.4, zorder=1)
        _tap(ax, position, 0, colour, name, real=met, size=size)
    left = min(line.start, middle) - 0.7
    ax.text(left, 0, "input", ha="right", va="center", fontsize=8, color=MUTED)
    ax.text(left, y, "output", ha="right", va="center", fontsize=8, color=MUTED)
    ax.set_xlim(left - 1.6, max(line.stop, axis.stride * (axis.n_out - 1) + middle + 1))
    ax.set_ylim(y + 1.1, -1.1)


def _draw_plane(
    ax: Axes,
    geometry: Geometry,
    lines: list[Line],
    chosen: tuple[int, ...],
    colours: Array,
    names: list[str],
) -> None:
    from matplotlib.patches import Rectangle

    rows, columns = lines
    size = 7.0 if max(columns.stop - columns.start, rows.stop - rows.start) <= 14 else 4.0
    inside = (rows.inputs >= 0)[:, None] & (columns.inputs >= 0)
    u, v = np.nonzero(inside)
    _cells(ax, v + columns.start, u + rows.start, facecolor=INPUT, linewidth=0)
    u, v = np.nonzero(~inside)
    _zeros(ax, v + columns.start, u + rows.start)
    taps = np.stack(np.meshgrid(rows.taps, columns.taps, indexing="ij"), -1).reshape(-1, 2)
    for (u, v), colour, name in zip(taps, colours, names, strict=True):
        real = bool(rows.inputs[u - rows.start] >= 0 and columns.inputs[v - columns.start] >= 0)
        _tap(ax, v, u, colour, name, real=real, size=size)
    # The output stands to the right, its middle level with that of the input.
    tall, wide = geometry.out_shape[1:]
    top = (rows.start + rows.stop - tall) / 2
    left = columns.stop + GAP
    across, down = left + np.arange(wide), top + np.arange(tall)
    _cells(ax, across, down[:, None], facecolor=OUTPUT, linewidth=0)
    _cell(ax, across[chosen[1]], down[chosen[0]], facecolor=INK, linewidth=0)
    corner = left + chosen[1] - 0.46, top + chosen[0] - 0.46
    edge = columns.taps[-1] + 0.5
    first, last = rows.taps[0] - 0.5, rows.taps[-1] + 0.5
    frame = Rectangle((columns.taps[0] - 0.5, first), edge - columns.taps[0] + 0.5, last - first)
    frame.set(facecolor="none", edgecolor=INK, linewidth=1.3, zorder=5)
    ax.add_patch(frame)
    for start, end in ((first, corner[1]), (last, corner[1] + 0.92)):
        ax.plot([edge, corner[0]], [start, end], color=RULE, lw=0.7, zorder=2)
    bottom = max(rows.stop, top + tall) - 0.5 + 0.25
    for x, words in (
        ((columns.start + columns.stop - 1) / 2, f"input {times(geometry.in_shape[1:])}"),
        (left + (wide - 1) / 2, f"output {times((tall, wide))}"),
    ):
        ax.text(x, bottom, words, ha="center", va="top", fontsize=8, color=MUTED)
    ax.set_xlim(columns.start - 0.7, left + wide - 0.3)
    ax.set_ylim(bottom + 0.5, min(rows.start, top) - 0.7)


def _caption(ax: Axes, geometry: Geometry, lines: list[Line], chosen: tuple[int, ...]) -> None:
    sizes = f"{times(geometry.in_shape[1:])} → {times(geometry.out_shape[1:])}"
    ax.set_title(f"{stated(geometry)}   ·   {sizes}", fontsize=9.5, color=INK, pad=6)
    relations = list(dict.fromkeys(_relation(axis) for axis in geometry.axes))
    hits = math.prod(int((line.inputs[line.taps - line.start] >= 0).sum()) for line in lines)
    position = ", ".join(map(str, chosen))
    flipped = " with the kernel flipped" if geometry.flipped else ""
    ax.text(
        0.5,
        -0.02,
        f"output {position}: {' and '.join(relations)}{flipped}, "
        f"{hits} of {math.prod(geometry.kernel)} taps read an input",
        transform=ax.transAxes,
        ha="center",
        va="top",
        fontsize=8,
        color=MUTED,
    )


def _relation(axis: Window) -> str:
    """Write the relation of a record with its numbers.

    Examples
    --------
    >>> _relation(Window(5, 3, 3, 2, 1, 1, 1)), _relation(Window(3, 5, 3, 1, 2, 1, 0))
    ('i = 2o + k − 1', '2i = o + k')
    """

    def scaled(number: int, letter: str) -> str:
        return letter if number == 1 else f"{number}{letter}"

    text = f"{scaled(axis.base, 'i')} = {scaled(axis.stride, 'o')} + {scaled(axis.dilation, 'k')}"
    if axis.pad:
        text += f" − {axis.pad}" if axis.pad > 0 else f" + {-axis.pad}"
    return text
