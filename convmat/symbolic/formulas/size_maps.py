"""Sizes of layers as floors of one form, read off the size functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from convmat.geometry.sizes.layers import layer_size

__all__ = ["size_map"]

Number = Any  # an int, or an expression of SymPy, which has no types of its own to offer here


def size_map(
    layer: str, k: Number, s: Number, p0: Number, p1: Number, d: Number, a: Number
) -> tuple[Number, list[Number], Number]:
    """Return gain, offsets and divisor of the size ``floor((gain*n + offset)/divisor)``.

    Of a convolution, a pooling, or a transposed convolution; of several offsets the least counts.

    Examples
    --------
    >>> size_map("conv", 3, 2, 1, 1, 1, 0)
    (1, [1], 2)
    >>> size_map("pool, ceil_mode", 3, 2, 0, 1, 1, 0)
    (1, [1, 1], 2)
    """
    gain, offsets, divisor = _size_map(layer)(k, s, p0, p1, d, a)
    return gain, offsets, divisor


@cache
def _size_map(layer: str) -> Callable[..., Any]:
    """Return the three as a function of the parameters.

    A number minus a floor is turned over by ``-floor(-y/s) = floor((y + s - 1)/s)``.
    """
    import sympy

    names = sympy.symbols("k s p0 p1 d a", integer=True, positive=True)
    n, s = sympy.Symbol("n", integer=True, positive=True), names[1]
    size = layer_size(layer, {symbol.name: symbol for symbol in (n, *names)})

    def function(gain: Number, offsets: list[Number], divisor: Number) -> Callable[..., Any]:
        made: Callable[..., Any] = sympy.lambdify(names, (gain, offsets, divisor), "math")
        return made

    if layer == "conv_transpose":
        return function(size.expand().coeff(n), [size.subs(n, 0)], 1)
    offsets = []
    for count in size.args if isinstance(size, sympy.Min) else (size,):
        (floor,) = count.atoms(sympy.floor)
        sign = count.coeff(floor)
        numerator, divisor = sympy.fraction(sympy.together(floor.args[0]))
        inside = sign * numerator + (count - sign * floor) * divisor
        offsets.append(sympy.expand(inside + (s - 1 if sign < 0 else 0) - n))
        if divisor != s or offsets[-1].has(n):
            raise AssertionError(f"{count} is not floor((n + offset)/s)")
    return function(1, offsets, s)
