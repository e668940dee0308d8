"""The size of each layer along one axis, as a function whose parameters are known by letters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from convmat.geometry.sizes.resizing import padded_size, upsampled_size
from convmat.geometry.sizes.windows import output_size, transposed_output_size, unfold_shape

__all__ = ["CEIL_POOL", "SIZES", "layer_size", "letters"]

Number = Any  # an int, or an expression of SymPy, which has no types of its own to offer here

CEIL_POOL = "pool, ceil_mode"

# n is the input size, k the kernel size, s the stride, p the padding, d the dilation, a the output
# padding, r the scale.
SIZES: dict[str, Callable[..., Number]] = {
    "conv": lambda n, k, s, p, d: output_size(n, k, s, padding=p, dilation=d),
    "unfold": lambda n, k, s, p, d: unfold_shape(
        (1, n), (k,), stride=(s,), padding=(p,), dilation=(d,)
    )[1],
    "valid": lambda n, k, s, d: output_size(n, k, s, "valid", d),
    "full": lambda n, k, s, d: output_size(n, k, s, "full", d),
    "same": lambda n, k, s, d: output_size(n, k, s, "same", d),
    "pool": lambda n, k, s, p, d: output_size(n, k, s, padding=p, dilation=d),
    CEIL_POOL: lambda n, k, s, p, d: output_size(n, k, s, p, d, ceil_mode=True),
    "conv_transpose": lambda n, k, s, p, d, a: transposed_output_size(n, k, s, p, a, d),
    "pad": lambda n, p: padded_size(n, padding=p),
    "upsample": lambda n, r: upsampled_size(n, scale_factor=r),
}


def letters(layer: str) -> list[str]:
    """Return the parameters of a layer in `SIZES`, the input size first."""
    return list(signature(SIZES[layer]).parameters)


def layer_size(layer: str, values: Mapping[str, Number]) -> Number:
    """Return the output size of a layer in `SIZES`, its parameters given by letter.

    Unequal padding is p0 and p1 in the place of p, a scale u/v in the place of r.

    Examples
    --------
    >>> layer_size("conv_transpose", {"n": 5, "k": 3, "s": 2, "p0": 0, "p1": 1, "a": 1, "d": 1})
    11
    """
    return SIZES[layer](*(_value(letter, values) for letter in letters(layer)))


def _value(letter: str, values: Mapping[str, Number]) -> Number:
    if letter == "p" and "p" not in values:
        return values["p0"], values["p1"]
    if letter == "r" and "r" not in values:
        return values["u"] / values["v"]
    return values[letter]
