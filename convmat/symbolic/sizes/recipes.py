"""What each derivation asks, which claims answer it, and what `geometry.sizes` says on symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from convmat.certificates.provers.sizes import (
    input_sizes,
    resized_sizes,
    same_padding,
    window_sizes,
)
from convmat.certificates.provers.sizes.claim import Claim
from convmat.geometry import sizes
from convmat.geometry.sizes.layers import CEIL_POOL, SIZES, layer_size

__all__ = ["DERIVATIONS", "LEGEND", "Recipe"]

LEGEND = {
    "n": "input size",
    "m": "output size of a convolution or pooling, input size of a transposed convolution",
    "k": "kernel size",
    "s": "stride",
    "d": "dilation",
    "p0": "low padding",
    "p1": "high padding",
    "a": "output padding",
    "u": "numerator of the scale",
    "v": "denominator of the scale",
    "r": "a scale that is whole",
    "g": "n/m, if it is whole",
    "size": "output size",
    "whole": "output size at a whole scale",
    "out": "output size, ceiling(n/s)",
    "back": "output size of the transposed convolution",
    "first": "the first input of a window, or the first input size",
    "past": "the input after the last of a window",
    "last": "the last input size",
    "next": "the first input of the next window",
    "length": "inputs of a window, or cells of the stretched and padded line",
    "low": "padding at the low end",
    "high": "padding at the high end",
    "need": "padding that is needed, negative if there is some left",
    "total": "padding in all",
    "half": "half of it, rounded down",
    "other": "another padding",
    "reach": "see its lines",
    "stops": "windows that overhang the end by less than a stride",
    "starts": "windows that start inside the input or its low padding",
    "o": "an output",
    "t": "an output",
    "i": "an input, or a window along the first axis",
    "j": "a window along the second axis",
    "height": "windows along the first axis",
    "width": "windows along the second axis",
    "column": "the column of two windows",
    "tap": "a tap of the kernel",
    "q": "steps of the stride, the floor in the formula",
    "steps": "steps of the stride with another padding",
    "x": "a floor, see its line",
    "y": "a floor, see its line",
    "z": "a floor, see its line",
}


class Recipe(NamedTuple):
    """How a derivation is made: the question, the claims, the values, which make the result."""

    question: str
    claims: Callable[[str], tuple[Claim, ...]]
    values: Callable[[Mapping[str, Any]], dict[str, Any]]
    answer: tuple[str, ...] = ("size",)


def _pads(x: Mapping[str, Any]) -> tuple[Any, Any]:
    return x["p0"], x["p1"]


def _size(layer: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return the values of a recipe that asks for the size of a layer in `SIZES`."""
    return lambda x: {"size": layer_size(layer, x)}


def _transposed(x: Mapping[str, Any]) -> dict[str, Any]:
    size = SIZES["conv_transpose"]
    return {"size": size(x["m"], x["k"], x["s"], _pads(x), x["d"], x["a"])}


def _same(rule: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def values(x: Mapping[str, Any]) -> dict[str, Any]:
        low, high = sizes.padding_ends(rule, x["n"], x["k"], x["s"], x["d"])
        return {"out": sizes.same_size(x["n"], x["s"]), "low": low, "high": high}

    return values


def _adaptive(x: Mapping[str, Any]) -> dict[str, Any]:
    first, past = sizes.adaptive_window(x["n"], x["m"], x["o"])
    return {"first": first, "past": past}


def _ends(ends: tuple[Any, Any]) -> dict[str, Any]:
    return dict(zip(("first", "last"), ends, strict=True))


def _inputs(x: Mapping[str, Any]) -> dict[str, Any]:
    return _ends(sizes.input_sizes(x["m"], x["k"], x["s"], _pads(x), x["d"]))


def _ceil_inputs(x: Mapping[str, Any]) -> dict[str, Any]:
    return _ends(sizes.input_sizes(x["m"], x["k"], x["s"], _pads(x), x["d"], ceil_mode=True))


def _same_inputs(x: Mapping[str, Any]) -> dict[str, Any]:
    return _ends(sizes.same_input_sizes(x["m"], x["s"]))


def _round_trip(x: Mapping[str, Any]) -> dict[str, Any]:
    window = (x["k"], x["s"], _pads(x))
    m = sizes.output_size(x["n"], *window, x["d"])
    extra = sizes.output_padding_for(x["n"], *window, x["d"])
    back = sizes.transposed_output_size(m, *window, extra, x["d"])
    return {"a": extra, "m": m, "back": back}


def _windows(_: str) -> tuple[Claim, ...]:
    """Return the claims of a convolution, which also hold for what is counted like one."""
    return window_sizes.window_claims("conv")


def _unfolding(_: str) -> tuple[Claim, ...]:
    return (*window_sizes.window_claims("conv"), *window_sizes.position_claims("unfold"))


PADDED = "which outputs o have their whole window inside the padded input?"
DERIVATIONS: dict[str, Recipe] = {
    "conv": Recipe(PADDED, _windows, _size("conv")),
    "valid": Recipe(
        "which outputs o have their whole window inside the input?",
        window_sizes.valid_claims,
        _size("valid"),
    ),
    "full": Recipe(
        "which outputs o have a window that reaches the input?",
        window_sizes.full_claims,
        _size("full"),
    ),
    "same_upper": Recipe(
        "which least padding gives ceiling(n/s) outputs, the odd one at the high end?",
        lambda title: same_padding.same_claims(title, upper=True),
        _same("same_upper"),
        ("out",),
    ),
    "same_lower": Recipe(
        "which least padding gives ceiling(n/s) outputs, the odd one at the low end?",
        lambda title: same_padding.same_claims(title, upper=False),
        _same("same_lower"),
        ("out",),
    ),
    "pool": Recipe(PADDED, _windows, _size("pool")),
    "pool_ceil": Recipe(
        "which windows overhang by less than a stride, and start before the high padding?",
        window_sizes.ceil_claims,
        _size(CEIL_POOL),
    ),
    "unfold": Recipe(
        "how many windows are there along an axis, and which column is which?",
        _unfolding,
        _size("unfold"),
    ),
    "fold": Recipe(
        "how many columns does fold take, n being the size of its output?",
        _unfolding,
        _size("unfold"),
    ),
    "conv_transpose": Recipe(
        "which outputs t have their whole window on the stretched and padded line?",
        window_sizes.transposed_claims,
        _transposed,
    ),
    "adaptive": Recipe(
        "which inputs does output o hold, and does every input belong to one?",
        resized_sizes.adaptive_claims,
        _adaptive,
        ("first", "past"),
    ),
    "upsample": Recipe(
        "which outputs o have their whole cell inside the input, at scale u/v?",
        resized_sizes.upsample_claims,
        _size("upsample"),
    ),
    "inputs": Recipe(
        "which input sizes does a convolution map to m outputs?",
        input_sizes.inverse_claims,
        _inputs,
        ("first", "last"),
    ),
    "inputs_ceil": Recipe(
        "which input sizes does a pooling with ceil_mode map to m outputs?",
        input_sizes.ceil_inverse_claims,
        _ceil_inputs,
        ("first", "last"),
    ),
    "inputs_same": Recipe(
        "which input sizes does SAME padding map to m outputs?",
        input_sizes.same_inverse_claims,
        _same_inputs,
        ("first", "last"),
    ),
    "output_padding": Recipe(
        "which output padding leads from the output size back to n?",
        input_sizes.output_padding_claims,
        _round_trip,
        ("a",),
    ),
}
