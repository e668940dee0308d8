"""Values of options, read from text: numbers, sizes for each axis, words."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from convmat.geometry.arguments import GeometryError
from convmat.geometry.borders import MODES
from convmat.geometry.keywords import NAMES
from convmat.geometry.resampling import CONVENTIONS, ROUNDINGS
from convmat.layers.named_kernels import KERNELS, RANDOM
from convmat.layers.rearranging import ORDERS

__all__ = [
    "DIGITS",
    "LARGEST",
    "READERS",
    "SHORT",
    "VALUES",
    "for_axes",
    "read_number",
    "read_truth",
]

# Digits are bounded, because the exact value of 1e999999999 would fill any memory.
NUMBER = re.compile(r"[-+]?\d{1,18}(/\d{1,18}|\.\d{1,18})?")
DIGITS = 300  # of a multiple, before or behind the point, that a float64 reaches
LARGEST = 10**DIGITS


def read_number(name: str, text: str) -> Fraction:
    """Read an exact number."""
    if not NUMBER.fullmatch(text):
        raise GeometryError(name, text, "is not a number", "write one such as 3, 1.5 or 1/4")
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise GeometryError(name, text, "divides by zero", "write another denominator") from None


def _integer(name: str, text: str) -> int:
    number = read_number(name, text)
    if number.denominator != 1:
        raise GeometryError(name, text, "is not an integer", "write digits, such as 3")
    return int(number)


def _axes(read: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Return a reader of one value, or of one for each axis with an x between them."""

    def several(name: str, text: str) -> Any:
        entries = tuple(read(name, part.strip()) for part in text.split("x"))
        return entries if len(entries) > 1 else entries[0]

    return several


def _scale(name: str, text: str) -> int | Fraction:
    number = read_number(name, text)
    return int(number) if number.denominator == 1 else number


def _pad(name: str, text: str) -> Any:
    low, colon, high = text.partition(":")
    return (_integer(name, low), _integer(name, high)) if colon else _integer(name, text)


def _padding(name: str, text: str) -> Any:
    if text.isidentifier() and not NUMBER.match(text):
        return text
    value = _axes(_pad)(name, text)
    # A pair alone would be read as one number for each of two axes.
    return (value,) if ":" in text and "x" not in text else value


def for_axes(options: dict[str, Any], ndim: int) -> dict[str, Any]:
    """Return options with a pair of padding alone written for each of `ndim` axes."""
    done = dict(options)
    for name, value in options.items():
        if not isinstance(value, tuple):
            continue
        if name == "padding" and len(value) == 1:
            done[name] = value * ndim
        elif len(value) != ndim:
            parts = [":".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in value]
            raise GeometryError(
                name,
                "x".join(parts),
                f"names {len(parts)} axes, where there are {ndim} spatial axes",
                "write one value for all axes, or as many with an x between them, as in 3x5",
            )
    return done


def _word(_: str, text: str) -> str:
    return text


def read_truth(name: str, text: str) -> bool:
    """Read true or false."""
    if text.lower() not in ("true", "false"):
        raise GeometryError(name, text, "must be true or false", f"write {name}=true")
    return text.lower() == "true"


READERS: dict[str, Callable[[str, str], Any]] = {
    "align_corners": read_truth,
    "ceil_mode": read_truth,
    "coordinate_transformation_mode": _word,
    "count_include_pad": read_truth,
    "dilation": _axes(_integer),
    "divisor_override": _integer,
    "downscale_factor": _axes(_integer),
    "kernel_size": _axes(_integer),
    "mode": _word,
    "nearest_mode": _word,
    "order": _word,
    "output_padding": _axes(_integer),
    "output_size": _axes(_integer),
    "padding": _padding,
    "padding_mode": _word,
    "scale_factor": _axes(_scale),
    "seed": _integer,
    "size": _axes(_integer),
    "stride": _axes(_integer),
    "upscale_factor": _axes(_integer),
    "weight": _word,
}

# What the options that are words may be; `mode` depends on the layer.
VALUES: dict[str, tuple[str, ...]] = {
    "weight": (*KERNELS, RANDOM),
    "padding": NAMES,
    "padding_mode": MODES,
    "coordinate_transformation_mode": tuple(CONVENTIONS),
    "nearest_mode": ROUNDINGS,
    "order": ORDERS,
}

SHORT = {
    "kernel": "kernel_size",
    "scale": "scale_factor",
    "upscale": "upscale_factor",
    "downscale": "downscale_factor",
    "coordinates": "coordinate_transformation_mode",
}
