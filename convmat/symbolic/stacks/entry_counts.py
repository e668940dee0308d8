"""How many (output, tap) pairs of one axis read an input: the entries of its matrix."""

from __future__ import annotations

from typing import Any

from convmat.symbolic.stacks.chains import Chain, FloorMap
from convmat.symbolic.stacks.layer_specs import AxisSpec

__all__ = ["entries"]

Number = Any  # an int, or an expression of SymPy, which has no types of its own to offer here


def entries(axis: AxisSpec, size: Chain) -> Number:
    """Return the number of entries of an axis whose input size is `size`.

    Notes
    -----
    In the words of the convolution between a long line (n) and a short one (m), tap j meets the
    places o of the short line with ``0 <= s*o + d*j - p0 < n``: from ``ceil((p0 - d*j)/s)`` to
    ``ceil((n + p0 - d*j)/s) - 1``, cut at 0 and m. The high end is below m for the taps that
    reach into the high padding alone, and the cut at the low end does not depend on n. So for
    all sizes from some size on the number is that of the windows, times the taps, less a
    constant, plus one floor for each tap of the first kind; small sizes need the cuts written
    out. With symbols for parameters it is a sum over the taps.
    """
    numbers = (axis.kernel, axis.stride, axis.low, axis.high, axis.dilation, axis.output_padding)
    if not all(isinstance(number, int) for number in numbers):
        return _sum_over_taps(axis, size)
    ends = _transposed_ends(axis) if axis.kind == "conv_transpose" else _ends(axis)
    short = FloorMap(1, 0, 1) if axis.kind == "conv_transpose" else axis.sizes()
    firsts = [max(0, -((axis.dilation * j - axis.low) // axis.stride)) for j in range(axis.kernel)]
    whole = sum(end is None for end in ends)
    cut = [end for end in ends if end is not None]
    regular = whole * size.then(short).value() - sum(firsts)
    regular += sum(size.then(end).value() for end in cut)
    bounds = [
        _least_size(short if end is None else end, first)
        for end, first in zip(ends, firsts, strict=True)
    ]
    bound = max(bounds)
    if bound <= max(1, _least_size(axis.sizes(), 1)):
        return regular  # whenever there is any output
    x = size.value()
    if isinstance(x, int) and x >= bound:
        return regular

    small = sum(
        _positive(size.then(short if end is None else end).value() - first)
        for end, first in zip(ends, firsts, strict=True)
    )
    if isinstance(x, int):
        return small
    import sympy

    return sympy.Piecewise((regular, sympy.Ge(x, bound)), (small, True))


def _ends(axis: AxisSpec) -> list[FloorMap | None]:
    """Return for each tap how far it reaches, as a map of the input size; None: to the end."""
    offset = axis.sizes().offset
    found: list[FloorMap | None] = []
    for j in range(axis.kernel):
        reach = axis.low - axis.dilation * j + axis.stride - 1  # of ceil((n + p0 - d*j)/s)
        found.append(FloorMap(1, reach, axis.stride) if reach < offset else None)
    return found


def _transposed_ends(axis: AxisSpec) -> list[FloorMap | None]:
    """Do the same for a transposed convolution, whose input is the short line."""
    offset = axis.sizes().offset
    found: list[FloorMap | None] = []
    for j in range(axis.kernel):
        reach = (offset + axis.low - axis.dilation * j + axis.stride - 1) // axis.stride
        found.append(FloorMap(1, reach, 1) if reach < 0 else None)
    return found


def _least_size(end: FloorMap, least: int) -> int:
    """Return the least x for which the map is at least `least`."""
    return -int((end.offset - end.divisor * least) // end.gain)


def _sum_over_taps(axis: AxisSpec, size: Chain) -> Number:
    import sympy

    j = sympy.Symbol("j", integer=True, nonnegative=True)
    ends = [size.then(axis.sizes()).value(), size.value()]
    long, short = ends if axis.kind == "conv_transpose" else reversed(ends)
    start = axis.low - axis.dilation * j
    stop = sympy.Min(short, sympy.ceiling((long + start) / axis.stride))
    first = sympy.Max(0, sympy.ceiling(start / axis.stride))
    return sympy.Sum(sympy.Max(0, stop - first), (j, 0, axis.kernel - 1))


def _positive(number: Number) -> Number:
    if isinstance(number, int):
        return max(0, number)
    import sympy

    return sympy.Max(0, number)
