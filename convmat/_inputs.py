"""What people type and point at: numbers as text, kernels, photographs. Parsed, never evaluated."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from convmat._check import GeometryError
from convmat._files import written

__all__ = [
    "KERNELS",
    "dense_weight",
    "photograph",
    "read_dtype",
    "read_integers",
    "read_kernel",
    "read_padding",
    "read_size",
    "save_matrix",
]

Array = np.ndarray[Any, np.dtype[Any]]

# Stacks of 3 x 3 filters: one output channel each.
KERNELS: dict[str, list[list[list[float]]]] = {
    "sobel": [
        [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    ],
    "gaussian": [[[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]]],
    "box": [[[1 / 9] * 3] * 3],
    "laplacian": [[[0, 1, 0], [1, -4, 1], [0, 1, 0]]],
    "triangle": [[[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]],  # linear interpolation
    "identity": [[[0, 0, 0], [0, 1, 0], [0, 0, 0]]],
}

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R Recommendation BT.601

NUMBERS = re.compile(r"[-+0-9.eE,; ]+")


def read_integers(name: str, text: str) -> int | tuple[int, ...]:
    """Return ``3`` of "3" and ``(3, 2)`` of "3,2".

    Examples
    --------
    >>> read_integers("stride", "2"), read_integers("stride", "2,1")
    (2, (2, 1))
    """
    numbers = tuple(_integer(name, part) for part in text.split(","))
    return numbers if len(numbers) > 1 else numbers[0]


def read_padding(text: str) -> Any:
    """Return a name as it is, "1" and "1,2" as integers, "0:1,2:2" as (low, high) per axis.

    Examples
    --------
    >>> read_padding("same"), read_padding("1"), read_padding("0:1,2:2")
    ('same', 1, ((0, 1), (2, 2)))
    """
    if text.isidentifier():
        return text
    if ":" not in text:
        return read_integers("padding", text)
    return tuple(
        tuple(_integer("padding", end) for end in part.split(":"))
        if ":" in part
        # One number among pairs stands for both ends.
        else _integer("padding", part)
        for part in text.split(",")
    )


def read_size(name: str, text: str) -> Any:
    """Return an integer, or a SymPy symbol of that name.

    Examples
    --------
    >>> read_size("n", "28"), read_size("n", "n") + 1
    (28, n + 1)
    """
    if text.isascii() and text.isidentifier():
        import sympy

        return sympy.Symbol(text, integer=True, nonnegative=True)
    return _integer(name, text)


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise GeometryError(name, text, "is not an integer", "write digits, such as 3") from None


def read_dtype(text: str) -> np.dtype[Any]:
    """Return the dtype of that name; whether weights can have it is for the layer to say."""
    try:
        return np.dtype(text)
    except TypeError:
        raise GeometryError("dtype", text, "is not a dtype", "use float32 or float64") from None


def read_kernel(text: str) -> Array:
    """Return a named stack of filters, the numbers of a file, or numbers in the text itself.

    A file is ``.npy`` (nothing is unpickled) or text with one row a line. In the text itself
    commas part numbers and semicolons rows: ``"1,0,-1;2,0,-2"``.

    Raises
    ------
    GeometryError
        Not a finite array of numbers.
    OSError
        No such file, or it cannot be read.

    Examples
    --------
    >>> read_kernel("1,2;3,4")
    array([[1., 2.],
           [3., 4.]])
    >>> read_kernel("sobel").shape
    (2, 3, 3)
    """
    if text in KERNELS:
        return np.array(KERNELS[text], np.float64)
    path = Path(text)
    if NUMBERS.fullmatch(text) and not path.exists():
        array = _numbers(text.replace(";", "\n"), text)
    elif not path.exists() and not path.suffix:
        raise GeometryError(
            "kernel", text, "is neither a name nor a file", f"use one of {', '.join(KERNELS)}"
        )
    elif path.suffix == ".npy":
        array = _array(path)
    else:
        try:
            array = _numbers(path.read_text(encoding="utf-8"), text)
        except UnicodeDecodeError:
            raise _unreadable(text) from None
    if array.dtype.kind not in "iufc" or array.size == 0 or not np.isfinite(array).all():
        raise GeometryError(
            "kernel", text, "must hold finite numbers", "remove NaN, infinities and other entries"
        )
    return array


def _array(path: Path) -> Array:
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (ValueError, EOFError):
        raise _unreadable(str(path)) from None


def _numbers(text: str, source: str) -> Array:
    """Return a vector of one row of numbers, an array of several."""
    if not text.strip():
        raise _unreadable(source)
    try:
        array = np.loadtxt(io.StringIO(text.replace(",", " ")), ndmin=2)
    except ValueError:
        raise _unreadable(source) from None
    return array[0] if len(array) == 1 else array


def _unreadable(source: str) -> GeometryError:
    return GeometryError(
        "kernel",
        source,
        "cannot be read as an array of numbers",
        "use a .npy file, or text with one row of numbers a line",
    )


def dense_weight(kernel: Array, channels: int, ndim: int, dtype: np.dtype[Any]) -> Array:
    """Return the weight (F, channels, *kernel) of one filter, a stack of filters, or a weight.

    Filters of `ndim` axes look at the brightness: red, green and blue by their luma, other
    channels by their mean.

    Raises
    ------
    GeometryError
        Another number of axes, or an integer dtype in which the weights would be rounded.
    """
    if kernel.ndim in (ndim, ndim + 1):
        filters = kernel.reshape(-1, *kernel.shape[-ndim:])
        share = np.array(LUMA if channels == 3 else [1 / channels] * channels)
        weight = filters[:, None] * share.reshape(1, -1, *(1,) * ndim)
    elif kernel.ndim == ndim + 2:
        weight = kernel
    else:
        raise GeometryError(
            "kernel",
            kernel.shape,
            f"must have {ndim} axes (one filter), {ndim + 1} (a stack) or {ndim + 2} (a weight)",
            "reshape it",
        )
    if weight.dtype.kind == "c" and dtype.kind != "c":
        raise GeometryError("dtype", str(dtype), "would drop imaginary parts", "use complex128")
    with np.errstate(invalid="ignore"):  # a value out of range is refused below
        converted: Array = weight.astype(dtype)
    if dtype.kind in "biu" and not np.array_equal(converted, weight):
        raise GeometryError(
            "dtype",
            str(dtype),
            "would round the weights, which are not whole numbers in its range",
            "use float32 or float64",
        )
    return converted


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


def save_matrix(path: Path, matrix: Any) -> None:
    """Save a SciPy sparse array as ``.npz``, whole or not at all.

    Raises
    ------
    GeometryError
        Another suffix, or a format that has no file form.
    OSError
        The file cannot be written.
    """
    from scipy import sparse

    if path.suffix != ".npz":
        raise GeometryError("output", str(path), "must end in .npz", f"use {path.name}.npz")
    with written(path) as beside:
        try:
            sparse.save_npz(beside, matrix)
        except NotImplementedError:
            raise GeometryError(
                "format", matrix.format, "cannot be saved by SciPy", "use csr, csc, coo, bsr or dia"
            ) from None
