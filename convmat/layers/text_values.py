"""Values of options, read from text: numbers, sizes for each axis, words."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from convmat.geometry.arguments import GeometryError
from convmat.geometry.borders import MODES
from convmat.geometry.resampling import CONVENTIONS, ROUNDINGS
from convmat.geometry.sizes import PADDING_RULES
from convmat.layers.named_kernels import KERNELS, RANDOM
from convmat.layers.rearranging import ORDERS

__all__ = [
    "DIGITS",
    "LARGEST",
    "PER_AXIS",
    "READERS",
    "SHORT",
    "VALUES",
    "for_axes",
    "read_ends",
    "read_integer",
    "read_integers",
    "read_number",
    "read_padding",
    "read_truth",
    "shown",
]

# Digits are bounded, because the exact value of 1e999999999 would fill any memory.
PLACES = 18
NUMBER = re.compile(rf"[-+]?\d{{1,{PLACES}}}(/\d{{1,{PLACES}}}|\.\d{{1,{PLACES}}})?")
BETWEEN = re.compile(r"(?<=\d)\s*([x,])\s*(?=[-+\d])")  # what parts the values of several axes
DIGITS = 300  # of a multiple, before or behind the point, that a float64 reaches
LARGEST = 10**DIGITS


def read_number(name: str, text: str) -> Fraction:
    """Read an exact number."""
    text = text.strip()
    if not NUMBER.fullmatch(text):
        repair = f"write one such as 3, 1.5 or 1/4, of at most {PLACES} digits"
        raise GeometryError(name, text, "is not a number", repair)
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise GeometryError(name, text, "divides by zero", "write another denominator") from None


def read_integer(name: str, text: str) -> int:
    """Read an integer."""
    text = text.strip()
    if not NUMBER.fullmatch(text) or (number := read_number(name, text)).denominator != 1:
        repair = f"write digits, such as 3, at most {PLACES} of them"
        raise GeometryError(name, text, "is not an integer", repair)
    return int(number)


def read_integers(name: str, text: str) -> int | tuple[int, ...]:
    """Read ``3``, or ``3,5`` and ``3x5`` with a value for each axis.

    Examples
    --------
    >>> read_integers("stride", "2"), read_integers("stride", "2,1"), read_integers("stride", "2x1")
    (2, (2, 1), (2, 1))
    """
    found: int | tuple[int, ...] = _each(read_integer, name, text)
    return found


def read_ends(name: str, text: str) -> int | tuple[int, int]:
    """Read the same number for both ends of an axis, or one for each, ``low:high``."""
    low, *high = (read_integer(name, end) for end in text.split(":"))
    if len(high) > 1:
        raise GeometryError(name, text, "has more than two ends", "write low:high, such as 0:1")
    return (low, high[0]) if high else low


def read_padding(name: str, text: str) -> Any:
    """Read a name as it is, or the ends of every axis.

    Examples
    --------
    >>> read_padding("padding", "same"), read_padding("padding", "1")
    ('same', 1)
    >>> read_padding("padding", "0:1,2:2"), read_padding("padding", "0:1x2")
    (((0, 1), (2, 2)), ((0, 1), 2))
    """
    text = text.strip()
    if text.isidentifier():
        return text
    value = _each(read_ends, name, text)
    # A pair alone would be read as one number for each of two axes.
    return (value,) if ":" in text and not BETWEEN.search(text) else value


def _each(read: Callable[[str, str], Any], name: str, text: str) -> Any:
    """Read one value, or one for each axis with commas, or with an x, between them."""
    first, *rest = BETWEEN.split(text)
    signs, others = rest[::2], rest[1::2]
    if len(set(signs)) > 1:
        parts = (first, *others)
        repair = f"write {'x'.join(parts)} or {','.join(parts)}"
        raise GeometryError(name, text, "has both x and commas between its values", repair)
    entries = tuple(read(name, part) for part in (first, *others))
    return entries if others else entries[0]


def _scales(name: str, text: str) -> Any:
    return _each(_scale, name, text)


def _scale(name: str, text: str) -> int | Fraction:
    number = read_number(name, text)
    return int(number) if number.denominator == 1 else number


def shown(option: str) -> str:
    """Return the name of an option as it is written in texts."""
    return next((short for short, long in SHORT.items() if long == option), option)


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
                shown(name),
                "x".join(parts),
                f"names {len(parts)} axes, where there are {ndim} spatial axes",
                "write one value for all axes, or as many as there are axes, as in 3x5",
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
    "dilation": read_integers,
    "divisor_override": read_integer,
    "downscale_factor": read_integers,
    "kernel_size": read_integers,
    "mode": _word,
    "nearest_mode": _word,
    "order": _word,
    "output_padding": read_integers,
    "output_size": read_integers,
    "padding": read_padding,
    "padding_mode": _word,
    "scale_factor": _scales,
    "seed": read_integer,
    "size": read_integers,
    "stride": read_integers,
    "upscale_factor": read_integers,
    "weight": _word,
}

PER_AXIS = frozenset(
    name for name, read in READERS.items() if read in (read_integers, read_padding, _scales)
)

# What the options that are words may be; `mode` depends on the layer.
VALUES: dict[str, tuple[str, ...]] = {
    "weight": (*KERNELS, RANDOM),
    "padding": PADDING_RULES,
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
