"""Maps ``x -> floor((gain*x + offset)/divisor)`` of integers, and chains of them as one floor.

Every size of a layer is such a map of its input size, and so are the first and the last input
that an output reads. Numbers are ints, or SymPy expressions of positive integers.

`formulas.normal_form` joins the same floors by the same rules, reading the whole expression anew. A
chain takes one layer at a time, so that every level of a deep stack is had for one step each, and
it carries powers with a symbol in the exponent, which no polynomial can. Tests hold both together.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

__all__ = ["Chain", "FloorMap", "geometric"]

Number = Any  # an int, or an expression of SymPy, which has no types of its own to offer here


class FloorMap(NamedTuple):
    """``x -> floor((gain*x + offset)/divisor)``."""

    gain: Number
    offset: Number
    divisor: Number

    def power(self, count: Number) -> FloorMap:
        """Apply the map `count` times, where that is one floor again: gain or divisor is 1.

        ``floor((floor((x + c)/s) + c)/s) = floor((x + c + s*c)/s**2)``, and so on: the offsets
        add up to a geometric sum.
        """
        if self.gain == 1:
            total = self.offset * geometric(self.divisor, count)
            return FloorMap(1, total, self.divisor**count)
        if self.divisor == 1:
            return FloorMap(self.gain**count, self.offset * geometric(self.gain, count), 1)
        raise ValueError("neither gain nor divisor is 1")


def geometric(ratio: Number, count: Number) -> Number:
    """Return ``1 + ratio + ... + ratio**(count - 1)``."""
    if ratio == 1:
        return count
    if isinstance(ratio, int) and isinstance(count, int):
        return (ratio**count - 1) // (ratio - 1)
    import sympy

    ratio = sympy.sympify(ratio)
    closed = (ratio**count - 1) / (ratio - 1)
    if ratio.is_Number:
        return closed
    return sympy.Piecewise((count, sympy.Eq(ratio, 1)), (closed, True))


class Chain(NamedTuple):
    """``factor*floor((gain*x + offset)/divisor) + shift``: what a chain of maps makes of x.

    x is a symbol, a number, or, where floors do not join, the value of another chain.
    """

    x: Number
    gain: Number = 1
    offset: Number = 0
    divisor: Number = 1
    factor: Number = 1
    shift: Number = 0

    def then(self, step: FloorMap) -> Chain:
        """Apply one more map.

        With F = floor(.../a): ``floor((u*F + c)/(u*s)) = floor((F + floor(c/u))/s)``, and
        ``floor((F + b)/c) = floor((... + a*b)/(a*c))``. Where u is not a factor of the divisor
        the inner floor has to stay.
        """
        if self.divisor == 1:
            slope, start = self.factor * self.gain, self.factor * self.offset + self.shift
            inside = Chain(self.x, step.gain * slope, step.gain * start + step.offset, step.divisor)
            return inside._reduced()
        factor, shift = step.gain * self.factor, step.gain * self.shift + step.offset
        common = _common(factor, step.divisor)
        factor, divisor = _exact(factor, common), _exact(step.divisor, common)
        shift = _floor(shift, common)
        if divisor == 1:
            return self._replace(factor=factor, shift=shift)
        if factor == 1:
            offset = self.offset + self.divisor * shift
            return Chain(self.x, self.gain, offset, self.divisor * divisor)._reduced()
        inner = self._replace(factor=1, shift=0).value()
        return Chain(inner, factor, shift, divisor)

    def _reduced(self) -> Chain:
        """Remove a common factor of gain and divisor."""
        common = _common(self.gain, self.divisor)
        if common == 1:
            return self
        return self._replace(
            gain=_exact(self.gain, common),
            offset=_floor(self.offset, common),
            divisor=_exact(self.divisor, common),
        )

    def value(self) -> Number:
        """Return the expression; an int if x and all numbers are."""
        return self.factor * _floor(self.gain * self.x + self.offset, self.divisor) + self.shift

    def at(self, x: Number) -> Number:
        """Return the value of a chain without inner floors at another x."""
        return self._replace(x=x).value()


def _floor(number: Number, divisor: Number) -> Number:
    if divisor == 1:
        return number
    if isinstance(number, int) and isinstance(divisor, int):
        return number // divisor
    import sympy

    return sympy.floor(sympy.sympify(number) / divisor)


def _common(first: Number, second: Number) -> Number:
    """Return a common divisor: the greatest of ints, that of polynomials for symbols."""
    if isinstance(first, int) and isinstance(second, int):
        return math.gcd(first, second)
    if first == 1 or second == 1:
        return 1
    import sympy

    return sympy.gcd(sympy.sympify(first), sympy.sympify(second))


def _exact(number: Number, divisor: Number) -> Number:
    if isinstance(number, int) and isinstance(divisor, int):
        return number // divisor
    import sympy

    return sympy.cancel(sympy.sympify(number) / divisor)
