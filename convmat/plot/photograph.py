"""A photograph as an array."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

__all__ = ["photograph"]

DEEP_WHITE = 65535  # of files with 16 bits, the only ones of these modes with a transparent colour

Array = np.ndarray[Any, np.dtype[Any]]


def photograph(path: str | Path | None, *, grey: bool = False) -> Array:
    """Return a photograph as (C, H, W): 3 channels, or 1 if it is grey or `grey` is set.

    Values are those of the file in its own range: 0 to 255 in 8-bit files, 0 to 65535 in grey ones
    of 16 bits, any number in files of floating-point numbers; of colours of 16 bits, the upper 8.
    What is transparent is laid on white. Without a path, the portrait of Grace Hopper that
    Matplotlib ships as sample data.

    Raises
    ------
    GeometryError
        The file is not an image, or is damaged, or pixels are missing (NaN) or infinite, or one
        colour of 16 bits is transparent.
    OSError
        There is no such file, or it cannot be opened.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    if path is None:
        from matplotlib import cbook

        path = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    with open(path, "rb") as file:
        try:
            with Image.open(file) as image:
                lost = _clear_colour_is_lost(image)
                upright = ImageOps.exif_transpose(image)
                pixels = _pixels(upright, grey)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001, decoders of damaged bytes raise nearly anything
            unknown = isinstance(error, UnidentifiedImageError)
            raise GeometryError(
                "image",
                str(path),
                "is not an image of a known kind" if unknown else "is a damaged image",
                "pass a whole PNG or JPEG file",
            ) from None
    if lost:
        raise GeometryError(
            "image",
            str(path),
            "has a transparent colour of 16 bits, where only the upper 8 are read",
            "save it with an alpha channel, or with 8 bits",
        )
    if not np.isfinite(pixels).all():
        missing = int(np.size(pixels) - np.isfinite(pixels).sum())
        raise GeometryError(
            "image",
            str(path),
            f"has {missing} pixels that are missing (NaN) or infinite",
            "fill them first: a sum over a window that holds one would say nothing",
        )
    if pixels.ndim == 2:
        return pixels[None]
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _clear_colour_is_lost(image: ImageFile.ImageFile) -> bool:
    """Say whether a PNG file tells its transparent colour in digits that Pillow drops."""
    tiles = getattr(image, "tile", ())  # of files, until pixels are read
    deep = any(tile[3] == "RGB;16B" for tile in tiles)
    return deep and "transparency" in image.info


def _pixels(image: Image.Image, grey: bool) -> Array:
    """Return (H, W) or (H, W, 3); what is transparent is laid on white."""
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        clear = image.info.get("transparency")
        return values if clear is None else np.where(values == clear, DEEP_WHITE, values)
    single = grey or image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L" if single else "RGB"))
