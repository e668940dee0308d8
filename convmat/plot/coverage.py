"""How many windows cover each position, and with what total weight."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.operator import LayerOperator
from convmat.plot.style import HUES, INK, MUTED, PAPER, RULE, figure, geometry_of, stated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["overlap"]

Array = np.ndarray[Any, np.dtype[Any]]

BARS = 128  # up to this many positions of a line, each has a bar of its own
STEPS = 600  # longer lines are drawn in about so many steps
CELLS = 16  # up to this many positions along an axis, numbers are written


def overlap(A: LayerOperator, side: str | None = None) -> Figure:
    """Draw how many windows cover each position, and the sum of the weights that they bring.

    An uneven sum shows in the output of a transposed convolution as a checkerboard. Learned
    weights seldom even out an uneven count, yet interpolating ones do; and an even count does not
    make the sum even.

    Parameters
    ----------
    A : LayerOperator
        A layer with one or two spatial axes and numeric weights.
    side : str, optional
        ``"inputs"`` (column sums of the matrix) or ``"outputs"`` (row sums). By default the side
        on which windows overlap: outputs of a transposed convolution, inputs of a convolution.

    Returns
    -------
    matplotlib Figure: the count for one pair of channels, and the sum over the channels of the
    other side, for the first channel of this side (its modulus if the weights are complex).

    Raises
    ------
    GeometryError
        A composition, more than two spatial axes, symbolic weights, or an unknown `side`.

    Notes
    -----
    Lines of more than some hundred positions are drawn in steps, solid as far as all values of a
    step reach and pale as far as any does. The sums are A applied to ones, and its transpose; no
    matrix is built.

    References
    ----------
    Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill, 2016.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv_transpose([[[1.0, 1.0, 1.0]]], in_shape=(1, 4), stride=2)
    >>> fig = cm.plot.overlap(A)
    >>> fig.axes[0].get_title(loc="left")
    'windows that cover each output: 1 to 2'
    """
    geometry = geometry_of(A, 2)
    if A.dtype == object:
        raise GeometryError("A", "SymPy weights", "have no sums to draw", "use numbers as weights")
    if side is None:
        side = "outputs" if geometry.flipped else "inputs"
    if side not in ("inputs", "outputs"):
        raise GeometryError("side", side, "is not known", "use inputs or outputs")
    plain = replace(geometry, in_channels=1, out_channels=1, groups=1)
    counted = LayerOperator(plain, np.ones(plain.weight_shape, np.int64))
    count, total = _row_sums(counted, side), _row_sums(A, side)
    if total.dtype.kind == "c":
        total = np.abs(total)
    word = side.removesuffix("s")
    fig = figure(9.4, 4.2 if count.ndim == 2 else 3.0)
    for ax, values, title in zip(
        fig.subplots(1, 2),
        (count, total),
        (f"windows that cover each {word}", f"sum of the weights at each {word}"),
        strict=True,
    ):
        _show(ax, values)
        least, most = _text(values.min()), _text(values.max())
        span = least if least == most else f"{least} to {most}"
        ax.set_title(f"{title}: {span}", fontsize=9.5, color=INK, loc="left")
        ax.tick_params(labelsize=7, colors=MUTED, length=2, width=0.6)
    fig.suptitle(stated(geometry), fontsize=11, color=INK)
    return fig


def _row_sums(A: LayerOperator, side: str) -> Array:
    summed = A if side == "outputs" else A.T
    result: Array = summed(np.ones(summed.in_shape, A.dtype))[0]
    return result


def _show(ax: Axes, values: Array) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    whole = MaxNLocator(5, integer=True) if values.dtype.kind in "iu" else MaxNLocator(5)
    if values.ndim == 1:
        if len(values) <= BARS:
            ax.bar(np.arange(len(values)), values, width=0.86, color=HUES[0])
        else:  # what is drawn is bounded: the least and the most of so many positions
            starts = np.arange(0, len(values), -(-len(values) // STEPS))
            edges = np.append(starts, len(values)) - 0.5
            low, high = (f.reduceat(values, starts) for f in (np.minimum, np.maximum))
            common = np.maximum(low, 0) + np.minimum(high, 0)  # of all in a step, from zero on
            for found, opacity in (
                (np.maximum(high, 0), 0.45),
                (np.minimum(low, 0), 0.45),
                (common, 1),
            ):
                ax.stairs(found, edges, fill=True, color=HUES[0], alpha=opacity)
        ax.yaxis.set_major_locator(whole)
        ax.axhline(0, color=RULE, lw=0.8)
        ax.set_xlim(-0.6, len(values) - 0.4)
        for name in ("top", "right", "bottom"):
            ax.spines[name].set_visible(False)
        return
    ax.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    image = ax.imshow(values, cmap="cividis", interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.85, pad=0.03, ticks=whole)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7, colors=MUTED, length=2, width=0.6)
    for spine in ax.spines.values():
        spine.set(color=RULE, linewidth=0.6)
    if max(values.shape) <= CELLS:
        middle = (float(values.min()) + float(values.max())) / 2
        for (row, column), value in np.ndenumerate(values):
            ink = INK if value > middle else PAPER
            text = _text(value)
            if len(text) <= 5:
                ax.text(column, row, text, ha="center", va="center", fontsize=6, color=ink)


def _text(value: Any) -> str:
    return f"{value:.3g}".replace("-", "−")
