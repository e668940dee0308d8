"""Layers written as text, such as ``1/4 * upsample:nearest,scale=2``: parsed, never evaluated.

One table, `LAYERS`, says which layers there are and which options each takes. The parser, the
messages about bad text and the help of the command line are all derived from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from functools import reduce
from inspect import Parameter, signature
from operator import matmul
from typing import Any, NamedTuple

from convmat.geometry.arguments import GeometryError
from convmat.geometry.borders import MODES
from convmat.geometry.keywords import per_axis
from convmat.layers.average_pooling import adaptive_avg_pool, avg_pool
from convmat.layers.convolution import conv, conv_transpose
from convmat.layers.named_kernels import depthwise
from convmat.layers.rearranging import (
    fold,
    identity,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
    unfold,
)
from convmat.layers.resizing import MODES as UPSAMPLE_MODES
from convmat.layers.resizing import upsample
from convmat.layers.text_values import (
    DIGITS,
    LARGEST,
    PER_AXIS,
    READERS,
    SHORT,
    VALUES,
    for_axes,
    read_number,
    read_truth,
    shown,
)
from convmat.operator import Operator

__all__ = ["LAYERS", "Expression", "layer_help", "read_layers"]

Shape = tuple[int, ...]

# A sign between two layers; one before a number is part of it.
SUM = re.compile(r"\+\s*[A-Za-z(]|\s[-+]\s|(?<![A-Za-z])-\s*[A-Za-z(]")
SWITCHES = "needs the switches of a max pooling, which depend on its input"
ELSEWHERE = {
    "max_pool": (
        "max pooling is no linear map: no matrix stands for it",
        "with its switches it is one: cm.selection(in_shape, switches) in Python",
    ),
    "unpool": (SWITCHES, "use cm.unpool(in_shape, switches) in Python"),
    "selection": (SWITCHES, "use cm.selection(in_shape, switches) in Python"),
}
MOST = 100  # layers and factors of an expression: each is a level of nested operators


# Layers


def _filtering(function: Callable[..., Operator]) -> Callable[[Shape, dict[str, Any]], Operator]:
    def make(shape: Shape, options: dict[str, Any]) -> Operator:
        weight, multiple = depthwise(shape, options)
        options = for_axes(options, len(shape) - 1)
        made = function(weight, shape, groups=shape[0], **options)
        return made if multiple == 1 else made * multiple

    return make


def _plain(function: Callable[..., Operator]) -> Callable[[Shape, dict[str, Any]], Operator]:
    def make(shape: Shape, options: dict[str, Any]) -> Operator:
        for option in list(signature(function).parameters.values())[1:]:
            if option.default is Parameter.empty and option.name not in options:
                short = shown(option.name)
                raise GeometryError(
                    short,
                    None,
                    f"is needed by {function.__name__}",
                    f"write {function.__name__}:{short}=2, or another value",
                )
        return function(shape, **for_axes(options, len(shape) - 1))

    return make


def _upsample(shape: Shape, options: dict[str, Any]) -> Operator:
    if not {"size", "scale_factor"} & options.keys():
        raise GeometryError(
            "scale", None, "is needed by upsample, or size", "write upsample:nearest,scale=2"
        )
    return _plain(upsample)(shape, options)


def _fold(shape: Shape, options: dict[str, Any]) -> Operator:
    """Make the layer that takes `shape`: `fold` itself asks for the shape of its output."""
    for name in ("size", "kernel_size"):
        if name not in options:
            raise GeometryError(name, None, "is needed to fold", "write fold:size=8x8,kernel=3")
    size = options.pop("size")
    spatial = size if isinstance(size, tuple) else (size,)
    options = for_axes(options, len(spatial))
    taps = math.prod(per_axis("kernel_size", options["kernel_size"], len(spatial), 1))
    folded = fold((max(shape[0] // taps, 1), *spatial), **options)
    if folded.in_shape != shape:
        raise GeometryError(
            "shape", shape, f"cannot be folded, which takes {folded.in_shape}", "unfold first"
        )
    return folded


class Layer(NamedTuple):
    """How one layer is written and made.

    options are the keywords it takes; a word alone is the value of `word`, a number alone (or
    several, one for each axis) that of `number`. modes are the values of the option mode.
    """

    make: Callable[[Shape, dict[str, Any]], Operator]
    options: tuple[str, ...] = ()
    word: str | None = None
    number: str | None = None
    modes: tuple[str, ...] = ()


WINDOW = ("kernel_size", "stride", "padding", "dilation")
WEIGHT = ("weight", *WINDOW, "padding_mode", "seed")

LAYERS: dict[str, Layer] = {
    "conv": Layer(_filtering(conv), WEIGHT, "weight", "kernel_size"),
    "conv_transpose": Layer(
        _filtering(conv_transpose),
        (*WEIGHT, "output_padding", "output_size"),
        "weight",
        "kernel_size",
    ),
    "avg_pool": Layer(
        _plain(avg_pool),
        (*WINDOW[:3], "ceil_mode", "count_include_pad", "divisor_override"),
        None,
        "kernel_size",
    ),
    "adaptive_avg_pool": Layer(_plain(adaptive_avg_pool), ("output_size",), None, "output_size"),
    "upsample": Layer(
        _upsample,
        (
            "mode",
            "scale_factor",
            "size",
            "align_corners",
            "coordinate_transformation_mode",
            "nearest_mode",
        ),
        "mode",
        # No number: in Python the one after the shape is the size.
        modes=tuple(UPSAMPLE_MODES),
    ),
    "pixel_shuffle": Layer(
        _plain(pixel_shuffle), ("upscale_factor", "order"), "order", "upscale_factor"
    ),
    "pixel_unshuffle": Layer(
        _plain(pixel_unshuffle), ("downscale_factor", "order"), "order", "downscale_factor"
    ),
    "pad": Layer(_plain(pad), ("padding", "mode"), "mode", "padding", MODES),
    "unfold": Layer(_plain(unfold), WINDOW, None, "kernel_size"),
    "fold": Layer(_fold, ("size", *WINDOW), None, "kernel_size"),
    "identity": Layer(_plain(identity)),
}


def layer_help() -> str:
    """Return the table as text: every layer, and what may follow its name."""
    lines = []
    for name, layer in LAYERS.items():
        bare = [option for option in (layer.word, layer.number) if option]
        rest = [option for option in layer.options if option not in bare]
        options = [f"[{shown(option)}]" for option in bare] + [shown(option) for option in rest]
        lines.append(f"{name}: {', '.join(options)}" if options else name)
        if layer.modes:
            lines.append(f"  mode is {', '.join(layer.modes)}")
    lines += ["", "\b", "Values that are words:"]
    lines += [f"{shown(option)}: {', '.join(values)}" for option, values in VALUES.items()]
    lines += [f"{option}: true, false" for option, read in READERS.items() if read is read_truth]
    return "\n".join(lines)


def _bare(name: str) -> str:
    """Say which options of a layer may be written as a value without their name."""
    layer = LAYERS[name]
    known = [shown(option) for option in (layer.word, layer.number) if option]
    return (
        f"values without a name are those of {' and '.join(known)}"
        if known
        else "every value needs the name of its option"
    )


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
        # A fraction stays exact.
        multiple: Operator = made * (int(self.multiple) if whole else self.multiple)
        return multiple


def read_layers(text: str) -> Expression:
    """Read a layer, a composition ``A @ B`` (the right one first), or a multiple ``1/4 * A``.

    Parameters
    ----------
    text : str
        ``name:word,key=value,...``; a value for each axis is ``3x5``, or ``key=3,5``, padding of
        two sides ``low:high``. Names and options are those of `LAYERS`.

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
    count = text.count("@") + text.count("*") + 1
    if count > MOST:
        raise GeometryError(
            "layer", text, f"has {count} layers and factors, more than {MOST}", "write fewer"
        )
    if SUM.search(text):
        raise GeometryError(
            "layer",
            text,
            "adds or subtracts, and only @ and a multiple are read",
            "write A @ B or 1/4 * A, or add operators in Python",
        )
    parts = text.split("@")
    for place, part in enumerate(parts):
        if len(parts) > 1 and not part.strip():
            where = "before" if place == 0 else "after"
            raise GeometryError("layer", text, f"has nothing {where} @", "write A @ B")
        *factors, layer = part.split("*")
        for factor in factors:
            multiple *= read_number("multiple", "".join(factor.split()))
        calls.append(_call(layer.strip(), text))
    if multiple and not 1 <= abs(multiple) * LARGEST <= LARGEST**2:
        raise GeometryError(
            "multiple", text, f"is outside 1e-{DIGITS} to 1e{DIGITS}", "use another number"
        )
    return Expression(text, multiple, tuple(calls))


def _call(part: str, text: str) -> _Call:
    name, colon, rest = part.partition(":")
    name = name.strip()
    if name not in LAYERS:
        if name in ELSEWHERE:
            raise GeometryError("layer", name, *ELSEWHERE[name])
        known = f"a layer is one of {', '.join(LAYERS)}"
        guess = _meant(name, LAYERS)
        raise GeometryError("layer", name or text, "is not a known layer", f"{guess}{known}")
    if ";" in rest:
        raise GeometryError(
            "layer",
            part,
            "holds the numbers of a kernel, which cannot be written here",
            f"use one of {', '.join(VALUES['weight'])}, or cm.prove_equal in Python",
        )
    options: dict[str, Any] = {}
    for key, value in _options(name, rest.split(",") if colon else []):
        if key in options:
            each = f", or write {shown(key)}=3x5 for a value on each axis" * (key in PER_AXIS)
            repair = f"leave one out{each}; {_bare(name)}"
            raise GeometryError(shown(key), value, f"is given twice for {name}", repair)
        options[key] = READERS[key](key, value)
    return _Call(name, tuple(options.items()))


def _options(name: str, words: Iterable[str]) -> list[tuple[str, str]]:
    """Return keywords and values of the words between commas.

    A number alone after numbers with a name is one of theirs, as in ``stride=3,5``.
    """
    found: list[tuple[str, str]] = []
    joined: tuple[str, str, str] | None = None  # the first number that was taken so
    more = False  # whether a number may come
    for word in map(str.strip, words):
        if more and "=" not in word and (word[:1].isdecimal() or word[:1] in ("-", "+")):
            key, value = found[-1]
            found[-1] = key, f"{value},{word}"
            joined = joined or (key, value, word)
        else:
            key, value = _option(name, word)
            found.append((key, value))
            more = "=" in word and key in PER_AXIS and not value.isidentifier()
    number = LAYERS[name].number
    if joined and number and number not in dict(found):
        key, first, second = joined
        key, number = shown(key), shown(number)
        raise GeometryError(
            key,
            f"{first},{second}",
            f"could be a value for each axis, or {first} and then the {number} of {name}",
            f"write {key}={first}x{second}, or {key}={first},{number}={second}",
        )
    return found


def _option(name: str, word: str) -> tuple[str, str]:
    """Return keyword and value of one word between commas."""
    layer = LAYERS[name]
    key, equals, value = (part.strip() for part in word.partition("="))
    if not equals:
        bare = layer.word if key[:1].isalpha() else layer.number
        if name == "upsample" and bare is None and key:
            raise GeometryError(
                "option", key, "could be a size or a scale", f"write scale={key} or size={key}"
            )
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
    known = [shown(option) for option in LAYERS[name].options]
    return GeometryError(
        "option",
        word,
        f"is not known to {name}",
        f"{_meant(word, known)}use one of {', '.join(known)}; {_bare(name)}"
        if known
        else f"write {name} alone",
    )


def _meant(word: str, known: Iterable[str]) -> str:
    """Return a guess at what was meant, as a question; or nothing."""
    near = get_close_matches(word, list(known), 1)
    return f"did you mean {near[0]}? " if near else ""
