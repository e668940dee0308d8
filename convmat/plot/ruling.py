"""The words and rules around the picture of a matrix: axes, ticks, blocks of channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from convmat.operator import Operator
from convmat.plot.style import MUTED, RULE, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLOCKS", "channels_met", "inches", "label_axes", "rule_channels"]

Span = tuple[int, int]

BLOCKS = 12  # up to this many channels, each block is named
MOST = 24  # rules along one side, about


def label_axes(ax: Axes, A: Operator, rows: Span, columns: Span) -> None:
    """Say what rows and columns run over, with as many ticks as there is room for."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

    wide, tall = inches(ax)
    room = (rows[1] - rows[0]) / (columns[1] - columns[0])
    wide, tall = min(wide, tall / room), min(tall, wide * room)  # both axes have one scale
    number = 0.2 + 0.08 * len(f"{columns[1]:,}")
    for axis, words, length, tick, span in (
        (ax.yaxis, f"rows: {_words(A.out_shape, 'output')}", tall, 0.45, rows),
        (ax.xaxis, f"columns: {_words(A.in_shape, 'input')}", wide, number, columns),
    ):
        axis.set_label_text(_broken(words, max(length, 0.9)), fontsize=8, color=MUTED)
        ticks = min(int(length / tick), 8)
        if ticks > 1:
            axis.set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=1))
        else:  # no room for round numbers: the first and the last
            axis.set_major_locator(FixedLocator(sorted({span[0], span[1] - 1})))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.tick_params(labelsize=7, colors=MUTED, length=2, width=0.6, top=False)
    for spine in ax.spines.values():
        spine.set(color=RULE, linewidth=0.8, zorder=5)


def _words(shape: tuple[int, ...], side: str) -> str:
    """Say what a matrix axis runs over.

    Examples
    --------
    >>> _words((2, 3, 4), "output"), _words((1, 5), "input")
    ('2 output channels × 3 × 4', '5 inputs')
    """
    channels, *spatial = shape
    if channels == 1:
        return f"{times(spatial)} {side}s"
    return f"{channels} {side} channels × {times(spatial)}"


def _broken(words: str, inches: float) -> str:
    r"""Break a label into as few lines as fit.

    Examples
    --------
    >>> _broken("rows: 2 output channels × 30 × 25", 1.0)
    'rows:\n2 output channels\n× 30 × 25'
    >>> _broken("rows: 200 × 171 outputs", 1.0), _broken("rows: 9 outputs", 1.0)
    ('rows:\n200 × 171 outputs', 'rows: 9 outputs')
    """

    def fits(line: str) -> bool:
        return len(line) * 0.062 <= inches  # letters are about so wide

    if fits(words):
        return words
    head, rest = words.split(": ", 1)
    if not fits(rest):
        rest = rest.replace(" channels × ", " channels\n× ")
    return f"{head}:\n{rest}"


def rule_channels(ax: Axes, shape: tuple[int, ...], span: Span, which: str) -> None:
    """Rule the blocks of the channels along one axis, and name them while they are few."""
    size = math.prod(shape[1:])
    blocks = channels_met(shape, span)
    line = ax.axhline if which == "y" else ax.axvline
    few = len(blocks) <= BLOCKS
    # Beyond a few, rules would outweigh the entries: they are thin, and stand at every 2nd, 4th ...
    each = 1 if few else 2 ** math.ceil(math.log2(len(blocks) / MOST))
    for channel in blocks[1:]:
        if channel % each == 0:
            line(channel * size - 0.5, color=RULE, lw=1.0 if few else 0.3, zorder=4)
    if not 1 < len(blocks) <= BLOCKS:
        return
    for channel in blocks:
        middle = (max(channel * size, span[0]) + min((channel + 1) * size, span[1]) - 1) / 2
        if which == "y":
            at, transform, angle = (1.0, middle), ax.get_yaxis_transform(), -90
            name, align, away = f"out {channel}", ("left", "center"), (4, 0)
        else:
            at, transform, angle = (middle, 1.0), ax.get_xaxis_transform(), 0
            name, align, away = f"in {channel}", ("center", "bottom"), (0, 3)
        ax.annotate(
            name,
            at,
            away,
            xycoords=transform,
            textcoords="offset points",
            ha=align[0],
            va=align[1],
            fontsize=7,
            color=MUTED,
            rotation=angle,
        )


def channels_met(shape: tuple[int, ...], span: Span) -> range:
    """Return the channels that a part of the rows or columns meets."""
    size = math.prod(shape[1:])
    return range(span[0] // size, (span[1] - 1) // size + 1)


def inches(ax: Axes) -> tuple[float, float]:
    """Return width and height of the axes on the page."""
    fig = ax.get_figure(root=True)
    page = fig.get_size_inches() if fig else np.ones(2)
    box = ax.get_position()
    return float(page[0] * box.width), float(page[1] * box.height)
