"""Images side by side: photographs, and what layers make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.plot.style import INK, MUTED, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["show", "strip"]

Array = np.ndarray[Any, np.dtype[Any]]


def strip(images: Sequence[Any], titles: Sequence[str], height: float = 3.0) -> Figure:
    """Draw images in a row at one height, each in the colours that suit its values.

    Parameters
    ----------
    images : sequence of arrays
        (H, W) or (1, H, W): grey, or blue to red around a white zero where there are negative
        values (complex values: their modulus). (3, H, W): red, green, blue, none negative.
    titles : sequence of str
        One for each image.
    height : float
        Height of the images, in inches.

    Returns
    -------
    matplotlib Figure. Below each image stands the range of its values, and what its colours mean.

    Raises
    ------
    GeometryError
        No images, another number of titles, or an array of another shape.
    """
    arrays = [_as_image(image) for image in images]
    if not arrays or len(titles) != len(arrays):
        raise GeometryError(
            "titles", len(titles), f"must be one for each of {len(arrays)} images", "name each"
        )
    widths = [height * image.shape[1] / image.shape[0] for image in arrays]
    fig = figure(sum(widths) + 0.15 * (len(arrays) + 1), height + 0.75)
    panels = fig.subplots(1, len(arrays), width_ratios=widths, squeeze=False)[0]
    for ax, image, title in zip(panels, images, titles, strict=True):
        show(ax, image, title)
    return fig


def show(ax: Axes, image: Any, title: str, most: float | None = None) -> None:
    """Draw one image as `strip` does; with `most`, the value that is white, as others have it."""
    array = _as_image(image)
    low, high = float(array.min()), float(array.max())
    if array.ndim == 3:
        ax.imshow(array / max(high, 1e-300))
    elif low < 0:
        # A few extreme pixels must not leave the others without colour.
        limit = most or float(np.quantile(np.abs(array), 0.995)) or max(-low, high)
        ax.imshow(array, cmap="RdBu_r", vmin=-limit, vmax=limit)
    else:
        ax.imshow(array, cmap="gray", vmin=0, vmax=most or high or 1.0)
    ax.set_title(title, fontsize=9.5, color=INK, loc="left")
    words = f"{array.shape[0]} × {array.shape[1]}   ·   {low:.4g} to {high:.4g}"
    meaning = f"\nwhite is {most:.4g}" if most else ""
    meaning = "\nred positive, blue negative" if low < 0 else meaning
    ax.set_xlabel(
        words.replace("-", "−") + meaning,
        fontsize=7.5,
        color=MUTED,
        loc="left",
    )
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _as_image(image: Any) -> Array:
    """Return (H, W) or (H, W, 3) in floating point."""
    array = np.asarray(image)
    if array.dtype.kind == "c":
        array = np.abs(array)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    elif array.ndim == 3 and array.shape[0] == 3 and array.min(initial=0) >= 0:
        array = np.moveaxis(array, 0, -1)
    if array.size == 0 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] != 3):
        raise GeometryError(
            "images",
            array.shape,
            "must be (H, W), (1, H, W), or (3, H, W) without negative values",
            "draw channels one by one",
        )
    return array.astype(np.float64)
