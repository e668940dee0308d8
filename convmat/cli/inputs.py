"""What people type and point at: kernels, and sizes or symbols. Parsed, never evaluated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from convmat.cli.kernel_files import check_numbers, read_file, read_rows
from convmat.geometry.arguments import GeometryError
from convmat.geometry.sizes import PADDING_RULES, padding_rule
from convmat.geometry.weights import converted, fits
from convmat.layers.named_kernels import FILTERS, KERNELS, filters
from convmat.layers.text_values import read_integers

__all__ = [
    "NAMED",
    "dense_weight",
    "layer_weight",
    "read_kernel",
    "read_padding_ends",
    "read_size",
    "weighting",
]

Array = np.ndarray[Any, np.dtype[Any]]

NAMED = (*FILTERS, *KERNELS)

LUMA = (0.299, 0.587, 0.114)  # of red, green, blue: ITU-R Recommendation BT.601

FOREIGN_RULES = ("auto", "causal", "explicit", "none", "notset")  # no rule that convmat knows

NUMBERS = re.compile(r"[-+0-9.eE/,;\[\] ]+")


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
    number = read_integers(name, text)
    if isinstance(number, tuple):
        raise GeometryError(name, text, "must be one number", "ask for one axis at a time")
    return number


def read_padding_ends(text: str) -> Any:
    """Return the size of padding, both of ``low:high``, or the rule that a name means.

    Words with which frameworks leave padding to another argument are no symbols.

    Examples
    --------
    >>> read_padding_ends("p"), read_padding_ends("0:1"), read_padding_ends("SAME")
    (p, (0, 1), 'same')
    """
    ends = text.split(":")
    if any(end.strip().lower() in (*PADDING_RULES, *FOREIGN_RULES) for end in ends):
        return padding_rule(text)
    low, *high = (read_size("padding", end) for end in ends)
    return (low, *high) if high else low


def read_kernel(text: str) -> Array:
    """Return a named stack of filters, the numbers of a file, or numbers in the text itself.

    A file is ``.npy`` (nothing is unpickled) or text with one row a line; see
    `convmat.cli.kernel_files`. In the text itself commas part numbers and semicolons rows:
    ``"1,0,-1;2,0,-2"``, ``"1/4,1/2,1/4"``.

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
    if text in NAMED:
        return filters(text)
    if not text.strip():
        raise GeometryError("kernel", text, "is empty", f"use one of {', '.join(NAMED)}")
    path = Path(text)
    if NUMBERS.fullmatch(text) and not path.exists():
        array = read_rows(text.replace(";", "\n"), text)
    elif not path.exists() and ("," in text or ";" in text):
        raise GeometryError(
            "kernel", text, "is neither numbers nor a file", "write numbers as 1,0,-1;2,0,-2"
        )
    elif not path.exists() and not path.suffix:
        raise GeometryError(
            "kernel", text, "is neither a name nor a file", f"use one of {', '.join(NAMED)}"
        )
    else:
        array = read_file(path)
    check_numbers(array, text)
    return array


def dense_weight(kernel: Array, channels: int, ndim: int, dtype: np.dtype[Any]) -> Array:
    """Return the weight (F, channels, *kernel) of one filter, a stack of filters, or a weight.

    Filters of `ndim` axes look at the brightness: red, green and blue by their luma, other
    channels by their mean.

    Raises
    ------
    GeometryError
        Another number of axes, or a dtype that weights cannot have or that would change them.
    """
    if kernel.ndim in (ndim, ndim + 1):
        filters = kernel.reshape(-1, *kernel.shape[-ndim:])
        weight = filters[:, None] * _shares(channels).reshape(1, -1, *(1,) * ndim)
    elif kernel.ndim == ndim + 2:
        weight = kernel
    else:
        raise GeometryError(
            "kernel",
            kernel.shape,
            f"must have {ndim} axes (one filter), {ndim + 1} (a stack) or {ndim + 2} (a weight)",
            "reshape it",
        )
    shares = weighting(kernel, channels, ndim)
    if shares and dtype.kind in "iu" and weight.dtype.kind != "c" and not fits(weight, dtype):
        raise GeometryError(
            "dtype",
            str(dtype),
            f"would round the weights ({shares})",
            "use float32 or float64, or one channel only",
        )
    return converted(weight, str(dtype))


def layer_weight(
    name: str, kernel: Array, in_shape: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> Array:
    """Return `dense_weight` for inputs of `in_shape`, refusing a shape without its channels.

    `name` is the text of which the kernel was read: those of `NAMED` have two axes.
    """
    # Too few channels are for the layer to refuse.
    channels, ndim = max(in_shape[0] // max(groups, 1), 1), len(in_shape) - 1
    if ndim < 1:
        raise GeometryError(
            "shape", in_shape, "has no sizes after its channels", f"write 1,{in_shape[0]}"
        )
    if name in NAMED and ndim > 2:
        raise GeometryError(
            "shape",
            in_shape,
            f"has {ndim} sizes after its channels, but the kernel {name} needs two",
            "write channels, height and width",
        )
    # Filters with one axis more than the input: 28,28 was meant as 1,28,28.
    stack = kernel.ndim == ndim + 2 and kernel.shape[1] != channels
    if ndim == 1 and (stack or name in NAMED):
        raise GeometryError(
            "shape",
            in_shape,
            "has one size after its channels, but the kernel needs two",
            f"did you mean 1,{','.join(map(str, in_shape))}?",
        )
    return dense_weight(kernel, channels, ndim, dtype)


def weighting(kernel: Array, channels: int, ndim: int) -> str | None:
    """Say how `dense_weight` spreads filters over channels; None where it leaves them alone.

    Examples
    --------
    >>> weighting(np.ones((3, 3)), 3, 2)
    'taps times 0.299, 0.587, 0.114 for red, green, blue (luma)'
    >>> weighting(np.ones((3, 3)), 4, 2), weighting(np.ones((3, 3)), 1, 2)
    ('taps times 1/4 for each of 4 channels (mean)', None)
    """
    if channels == 1 or kernel.ndim == ndim + 2:
        return None
    if channels == len(LUMA):
        return f"taps times {', '.join(map(str, LUMA))} for red, green, blue (luma)"
    return f"taps times 1/{channels} for each of {channels} channels (mean)"


def _shares(channels: int) -> Array:
    return np.array(LUMA if channels == len(LUMA) else [1 / channels] * channels)
