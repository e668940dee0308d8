"""Which inputs reach an output through a stack of layers: receptive field, jump, first centre."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from convmat.geometry.arguments import GeometryError
from convmat.symbolic.stacks.chains import Chain, FloorMap, geometric
from convmat.symbolic.stacks.layer_specs import AxisSpec
from convmat.symbolic.stacks.reach import widest_reach

__all__ = ["first_centre", "jump", "receptive_field"]

Number = Any  # an int or Fraction, or an expression of SymPy, which has no types to offer here
Layers = Sequence[tuple[AxisSpec, Number]]  # with how often each is repeated


def jump(layers: Layers) -> Number:
    """Return how far the windows of neighbouring outputs are apart, in inputs."""
    result: Number = Fraction(1)
    for axis, count in layers:
        record = axis.window()
        result = _times(result, _power(_ratio(record.stride, record.base), count))
    return _plain(result)


def first_centre(layers: Layers) -> Number:
    """Return the middle of the window of output 0, in inputs from 0: padding makes it less.

    A layer's window of output o is centred at ``(stride*o + d*(k - 1)/2 - pad)/base``.
    """
    slope: Number = Fraction(1)
    centre: Number = Fraction(0)
    for axis, count in layers:
        record = axis.window()
        step = _ratio(record.stride, record.base)
        twice = record.dilation * (record.kernel - 1) - 2 * record.pad
        moved = _times(_ratio(twice, 2 * record.base), _power_sum(step, count))
        centre = _plus(centre, _times(slope, moved))
        slope = _times(slope, _power(step, count))
    return _plain(centre)


def _times(first: Number, second: Number) -> Number:
    both = isinstance(first, Fraction) and isinstance(second, (int, Fraction))
    return first * second if both else _symbolic(first) * _symbolic(second)


def _plus(first: Number, second: Number) -> Number:
    both = isinstance(first, Fraction) and isinstance(second, Fraction)
    return first + second if both else _symbolic(first) + _symbolic(second)


def receptive_field(layers: Layers) -> Number:
    """Return the extent, from first to last, of the inputs that reach an output far from the ends.

    Where outputs differ, as they do after a transposed convolution, the largest.
    """
    if all(axis.kind != "conv_transpose" or _touches_all(axis) for axis, _ in layers):
        first, last = _reach(layers, 0), _reach(layers, 1)
        if first.x is last.x and _coprime(first):
            # With floors of (g*o + A)/S and (g*o + B)/S, g and S coprime, the numerators take
            # every remainder, and the floors differ by ceil((B - A)/S) at most.
            parting = Chain(last.offset - first.offset, 1, last.divisor - 1, last.divisor)
            return last.factor * parting.value() + last.shift - first.shift + 1
    return _by_phases(layers)


def _touches_all(axis: AxisSpec) -> bool:
    """Say whether every output of a transposed convolution reads inputs in an unbroken row."""
    surplus = axis.kernel - axis.stride
    known = surplus >= 0 if isinstance(surplus, int) else surplus.is_nonnegative
    return bool(axis.dilation == 1 and known)


def _coprime(chain: Chain) -> bool:
    """Say whether gain and divisor are known to be: ints are, as a chain divides them out."""
    gain, divisor = chain.gain, chain.divisor
    return 1 in (gain, divisor) or (isinstance(gain, int) and isinstance(divisor, int))


def _reach(layers: Layers, end: int) -> Chain:
    """Return the first (end 0) or last (end 1) input that an output reads in endless lines.

    Output o of a layer reads from ``ceil((stride*o - pad)/base)`` to
    ``floor((stride*o + d*(k - 1) - pad)/base)``.
    """
    chain = Chain(_output())
    for axis, count in reversed(layers):
        record = axis.window()
        far = record.dilation * (record.kernel - 1) if end else record.base - 1
        chain = chain.then(FloorMap(record.stride, far - record.pad, record.base).power(count))
    return chain


@cache
def _output() -> Any:
    import sympy

    return sympy.Symbol("o", integer=True)


def _by_phases(layers: Layers) -> int:
    """Follow the inputs of the outputs of every phase, as sets."""
    records = []
    for axis, count in layers:
        numbers = (axis.kernel, axis.stride, axis.low, axis.dilation, count)
        if not all(isinstance(number, int) for number in numbers):
            raise GeometryError(
                "layers",
                axis.kind,
                "has a receptive field in closed form only if its outputs read rows of inputs "
                "without gaps (dilation 1, kernel at least the stride), and if strides divide",
                "put in numbers for the symbols",
            )
        records += [axis.window()] * count
    return widest_reach(records)


def _ratio(first: Number, second: Number) -> Number:
    if isinstance(first, int) and isinstance(second, int):
        return Fraction(first, second)
    import sympy

    return sympy.sympify(first) / second


def _power_sum(ratio: Number, count: Number) -> Number:
    """Return ``1 + ratio + ... + ratio**(count - 1)`` for a ratio that need not be whole."""
    if isinstance(ratio, Fraction):
        if isinstance(count, int):
            return sum((ratio**i for i in range(count)), start=Fraction(0))
        ratio = _symbolic(ratio)
    return geometric(ratio, count)


def _power(ratio: Number, count: Number) -> Number:
    if isinstance(ratio, Fraction) and not isinstance(count, int):
        ratio = _symbolic(ratio)
    return ratio**count


def _symbolic(number: Number) -> Number:
    import sympy

    if isinstance(number, Fraction):
        return sympy.Rational(number.numerator, number.denominator)
    return number


def _plain(number: Number) -> Number:
    """Return whole fractions as ints."""
    if isinstance(number, Fraction) and number.denominator == 1:
        return int(number)
    return number
