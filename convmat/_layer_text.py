"""Layers written as text, such as ``1/4 * upsample:nearest,scale=2``: parsed, never evaluated.

One table, `LAYERS`, says which layers there are and which options each takes. The parser, the
messages about bad text and the help of the command line are all derived from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from operator import matmul
from typing import Any, NamedTuple

from convmat import layers
from convmat._check import GeometryError
from convmat._named_kernels import depthwise
from convmat._padding import per_axis
from convmat.operator import Operator

__all__ = ["LAYERS", "Expression", "layer_help", "read_layers"]

Shape = tuple[int, ...]

# Digits are bounded, because the exact value of 1e999999999 would fill any memory.
NUMBER = re.compile(r"[-+]?\d{1,18}(/\d{1,18}|\.\d{1,18})?")


# Values


def _number(name: str, text: str) -> Fraction:
    if not NUMBER.fullmatch(text) or text.endswith(("/0", "/00")):
        raise GeometryError(name, text, "is not a number", "write one such as 3, 1.5 or 1/4")
    try:
        return Fraction(text)
    except ZeroDivisionError:
        raise GeometryError(name, text, "divides by zero", "write another denominator") from None


def _integer(name: str, text: str) -> int:
    number = _number(name, text)
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
    number = _number(name, text)
    return int(number) if number.denominator == 1 else number


def _pad(name: str, text: str) -> Any:
    low, colon, high = text.partition(":")
    return (_integer(name, low), _integer(name, high)) if colon else _integer(name, text)


def _padding(name: str, text: str) -> Any:
    if text.isidentifier() and not NUMBER.match(text):
        return text
    value = _axes(_pad)(name, text)
    # A pair of one axis would be read as one number for each of two axes.
    return (value,) if ":" in text and "x" not in text else value


def _word(_: str, text: str) -> str:
    return text


def _truth(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise GeometryError(name, text, "must be true or false", f"write {name}=true")
    return text == "true"


READERS: dict[str, Callable[[str, str], Any]] = {
    "align_corners": _truth,
    "ceil_mode": _truth,
    "coordinate_transformation_mode": _word,
    "count_include_pad": _truth,
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

SHORT = {
    "kernel": "kernel_size",
    "scale": "scale_factor",
    "upscale": "upscale_factor",
    "downscale": "downscale_factor",
    "coordinates": "coordinate_transformation_mode",
}


# Layers


def _filtering(name: str) -> Callable[[Shape, dict[str, Any]], Operator]:
    def make(shape: Shape, options: dict[str, Any]) -> Operator:
        weight = depthwise(shape, options)
        made: Operator = getattr(layers, name)(weight, shape, groups=shape[0], **options)
        return made

    return make


def _plain(name: str) -> Callable[[Shape, dict[str, Any]], Operator]:
    def make(shape: Shape, options: dict[str, Any]) -> Operator:
        made: Operator = getattr(layers, name)(shape, **options)
        return made

    return make


def _fold(shape: Shape, options: dict[str, Any]) -> Operator:
    """Make the layer that takes `shape`: `fold` itself asks for the shape of its output."""
    for name in ("size", "kernel_size"):
        if name not in options:
            raise GeometryError(name, None, "is needed to fold", "write fold:size=8x8,kernel=3")
    size = options.pop("size")
    spatial = size if isinstance(size, tuple) else (size,)
    taps = math.prod(per_axis("kernel_size", options["kernel_size"], len(spatial), 1))
    folded: Operator = layers.fold((max(shape[0] // taps, 1), *spatial), **options)
    if folded.in_shape != shape:
        raise GeometryError(
            "shape", shape, f"cannot be folded, which takes {folded.in_shape}", "unfold first"
        )
    return folded


class Layer(NamedTuple):
    """How one layer is written and made.

    options are the keywords it takes; a word alone is the value of `word`, a number alone (or
    several, one for each axis) that of `number`.
    """

    make: Callable[[Shape, dict[str, Any]], Operator]
    options: tuple[str, ...] = ()
    word: str | None = None
    number: str | None = None


WINDOW = ("kernel_size", "stride", "padding", "dilation")
WEIGHT = ("weight", *WINDOW, "padding_mode", "seed")

LAYERS: dict[str, Layer] = {
    "conv": Layer(_filtering("conv"), WEIGHT, "weight", "kernel_size"),
    "conv_transpose": Layer(
        _filtering("conv_transpose"),
        (*WEIGHT, "output_padding", "output_size"),
        "weight",
        "kernel_size",
    ),
    "avg_pool": Layer(
        _plain("avg_pool"),
        (*WINDOW[:3], "ceil_mode", "count_include_pad", "divisor_override"),
        None,
        "kernel_size",
    ),
    "adaptive_avg_pool": Layer(_plain("adaptive_avg_pool"), ("output_size",), None, "output_size"),
    "upsample": Layer(
        _plain("upsample"),
        (
            "mode",
            "scale_factor",
            "size",
            "align_corners",
            "coordinate_transformation_mode",
            "nearest_mode",
        ),
        "mode",
        "scale_factor",
    ),
    "pixel_shuffle": Layer(
        _plain("pixel_shuffle"), ("upscale_factor", "order"), "order", "upscale_factor"
    ),
    "pixel_unshuffle": Layer(
        _plain("pixel_unshuffle"), ("downscale_factor", "order"), "order", "downscale_factor"
    ),
    "pad": Layer(_plain("pad"), ("padding", "mode"), "mode", "padding"),
    "unfold": Layer(_plain("unfold"), WINDOW, None, "kernel_size"),
    "fold": Layer(_fold, ("size", *WINDOW), None, "kernel_size"),
    "identity": Layer(_plain("identity")),
}


def layer_help() -> str:
    """Return the table as text: every layer, and what may follow its name."""
    shown = {long: short for short, long in SHORT.items()}
    lines = []
    for name, layer in LAYERS.items():
        options = [shown.get(option, option) for option in layer.options]
        lines.append(f"{name}: {', '.join(options)}" if options else name)
    return "\n".join(lines)


# Reading


@dataclass(frozen=True)
class _Call:
    """One layer by name, with its options."""

    name: str
    options: tuple[tuple[str, Any], ...]

    def build(self, shape: Shape) -> Operator:
        return LAYERS[self.name].make(shape, dict(self.options))


@dataclass(frozen=True)
class Expression:
    """A multiple of a composition of layers, as text and as what it says.

    Calling it with the shape (C, *spatial) of an input makes the operator.

    Examples
    --------
    >>> halved = read_layers("1/2 * conv:ones,kernel=2,stride=2")
    >>> halved((1, 4)).matrix().toarray()
    array([[0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 0.5]])
    """

    text: str
    multiple: Fraction
    calls: tuple[_Call, ...]

    def __str__(self) -> str:
        return self.text

    def __call__(self, shape: Sequence[int]) -> Operator:
        """Make the operator; the layer on the right comes first."""
        steps: list[Operator] = []
        given = tuple(shape)
        for call in reversed(self.calls):
            steps.insert(0, call.build(steps[0].out_shape if steps else given))
        made: Operator = reduce(matmul, steps)
        if self.multiple == 1:
            return made
        whole = self.multiple.denominator == 1
        scaled: Operator = (int(self.multiple) if whole else float(self.multiple)) * made
        return scaled


def read_layers(text: str) -> Expression:
    """Read a layer, a composition ``A @ B`` (the right one first), or a multiple ``1/4 * A``.

    Parameters
    ----------
    text : str
        ``name:word,key=value,...``; one value for each axis is written ``3x5``, padding of two
        sides ``low:high``. Names and options are those of `LAYERS`.

    Raises
    ------
    GeometryError
        An unknown name or option, or a value that cannot be read; the message lists what is
        known. Whether a layer takes a shape is found out when it is made.

    Examples
    --------
    >>> read_layers("pad:reflect,1").calls
    (_Call(name='pad', options=(('mode', 'reflect'), ('padding', 1))),)
    """
    multiple, calls = Fraction(1), []
    for part in text.split("@"):
        *factors, layer = part.split("*")
        for factor in factors:
            multiple *= _number("multiple", "".join(factor.split()))
        calls.append(_call(layer.strip(), text))
    return Expression(text, multiple, tuple(calls))


def _call(part: str, text: str) -> _Call:
    name, colon, rest = part.partition(":")
    name = name.strip()
    if name not in LAYERS:
        extra = "max pooling is no linear map, and a " if name == "max_pool" else "a "
        raise GeometryError(
            "layer",
            name or text,
            "is not a known layer",
            f"{extra}layer is one of {', '.join(LAYERS)}",
        )
    options: dict[str, Any] = {}
    for word in rest.split(",") if colon else ():
        key, value = _option(name, word.strip())
        if key in options:
            raise GeometryError(key, value, f"is given twice for {name}", "leave one out")
        options[key] = READERS[key](key, value)
    return _Call(name, tuple(options.items()))


def _option(name: str, word: str) -> tuple[str, str]:
    """Return keyword and value of one word between commas."""
    layer = LAYERS[name]
    key, equals, value = (part.strip() for part in word.partition("="))
    if not equals:
        bare = layer.word if key[:1].isalpha() else layer.number
        if bare is None or not key:
            raise _unknown(name, word)
        return bare, key
    long = SHORT.get(key, key)
    if long not in layer.options:
        raise _unknown(name, key)
    if not value:
        raise GeometryError(long, value, "has no value", f"write {key}=2, or another value")
    return long, value


def _unknown(name: str, word: str) -> GeometryError:
    shown = {long: short for short, long in SHORT.items()}
    known = ", ".join(shown.get(option, option) for option in LAYERS[name].options)
    return GeometryError(
        "option",
        word,
        f"is not known to {name}",
        f"use one of {known}" if known else f"write {name} alone",
    )
