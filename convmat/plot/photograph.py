"""A photograph as an array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError

__all__ = ["photograph"]

Array = np.ndarray[Any, np.dtype[Any]]


def photograph(path: str | Path | None, *, grey: bool = False) -> Array:
    """Return a photograph as (C, H, W): 3 channels, or 1 if it is grey or `grey` is set.

    Values are those of the file, 0 to 255 in 8-bit files. Without a path, the portrait of Grace
    Hopper that Matplotlib ships as sample data.

    Raises
    ------
    GeometryError
        The file is not an image, or is damaged.
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
                upright = ImageOps.exif_transpose(image)
                deep = upright.mode in ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
                single = grey or deep or upright.mode in ("1", "L", "LA", "La")
                pixels = np.asarray(upright if deep else upright.convert("L" if single else "RGB"))
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
    if pixels.ndim == 2:
        return pixels[None]
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
