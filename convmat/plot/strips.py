"""Images side by side: photographs, and what layers make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import to_numpy
from convmat.plot.style import INK, MUTED, placed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["show", "strip"]

Array = np.ndarray[Any, np.dtype[Any]]

LONGEST = 8  # times as long as wide: images beyond are stretched, or one side could not be seen
WIDEST = 2.5  # times the height of a strip: wider images are drawn lower
GAP, ABOVE, BELOW = 0.2, 0.35, 0.6  # inches around an image: its title and words stand there
TITLE, WORDS = 9.5, 7.5  # points
LETTER = 0.62 / 72  # inches that a letter takes for each point of its size, at most on average


def strip(images: Sequence[Any], titles: Sequence[str], height: float = 3.0) -> Figure:
    """Draw images in a row, each in the colours that suit its values.

    They are `height` high, or lower where they are very wide; images of which one side is more
    than 8 times the other are stretched, and the words below say so. Any size of image gives a
    page of bounded size.

    Parameters
    ----------
    images : sequence of arrays
        (H, W) or (1, H, W): grey, or blue to red around a white zero where there are negative
        values (complex values: their modulus). (3, H, W): red, green, blue, none negative.
    titles : sequence of str
        One for each image.
    height : float
        Height of the images, in inches, at most.

    Returns
    -------
    matplotlib Figure. Below each image stands the range of its values, and what its colours mean.

    Raises
    ------
    GeometryError
        No images, another number of titles, an array of another shape, or numbers that are
        missing or infinite.
    """
    arrays = [_as_image(image) for image in images]
    if not arrays or len(titles) != len(arrays):
        raise GeometryError(
            "titles", len(titles), f"must be one for each of {len(arrays)} images", "name each"
        )
    boxes, left = [], GAP
    for image, title in zip(arrays, titles, strict=True):
        wide, tall = _drawn(image, height)
        boxes.append((left, ABOVE, wide, tall))
        words = max(map(len, _words(image).split("\n")))
        left += max(wide, LETTER * TITLE * len(title), LETTER * WORDS * words) + GAP
    fig, panels = placed(boxes, (left, ABOVE + max(box[3] for box in boxes) + BELOW))
    for ax, image, title in zip(panels, arrays, titles, strict=True):
        show(ax, image, title)
    return fig


def _drawn(image: Array, height: float) -> tuple[float, float]:
    """Return the width and height, in inches, at which `strip` draws an image."""
    ratio = min(max(image.shape[1] / image.shape[0], 1 / LONGEST), LONGEST)
    return (
        (height * ratio, height) if ratio <= WIDEST else (height * WIDEST, height * WIDEST / ratio)
    )


def _stretched(image: Array) -> bool:
    shorter, longer = sorted(image.shape[:2])
    return bool(longer > LONGEST * shorter)


def _words(image: Array, most: float | None = None) -> str:
    """Say how large an image is, which values it has, and what its colours mean."""
    low, high = float(image.min()), float(image.max())
    words = f"{image.shape[0]} × {image.shape[1]}   ·   {low:.4g} to {high:.4g}".replace("-", "−")
    if low < 0:
        words += "\nred positive, blue negative"
    elif most:
        words += f"\nwhite is {most:.4g}"
    return words + ("\nstretched: not to scale" if _stretched(image) else "")


def show(ax: Axes, image: Any, title: str, most: float | None = None) -> None:
    """Draw one image as `strip` does; with `most`, the value that is white, as others have it."""
    array = _as_image(image)
    low, high = float(array.min()), float(array.max())
    aspect: Literal["auto", "equal"] = "auto" if _stretched(array) else "equal"
    if array.ndim == 3:
        ax.imshow(array / max(high, 1e-300), aspect=aspect)
    elif low < 0:
        # A few extreme pixels must not leave the others without colour.
        limit = most or float(np.quantile(np.abs(array), 0.995)) or max(-low, high)
        ax.imshow(array, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect=aspect)
    else:
        ax.imshow(array, cmap="gray", vmin=0, vmax=most or high or 1.0, aspect=aspect)
    ax.set_title(title, fontsize=TITLE, color=INK, loc="left")
    ax.set_xlabel(_words(array, most), fontsize=WORDS, color=MUTED, loc="left")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _as_image(image: Any) -> Array:
    """Return (H, W) or (H, W, 3) in floating point."""
    array = to_numpy(image, "images")
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
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise GeometryError(
            "images",
            array.shape,
            "has numbers that are missing (NaN) or infinite, which no colour stands for",
            "fill them first",
        )
    return array
