"""Maps along one axis: averages over windows, and interpolation, with exact weights."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.sizes import adaptive_window

__all__ = [
    "CONVENTIONS",
    "ROUNDINGS",
    "Coordinates",
    "adaptive",
    "averaging",
    "coordinates",
    "cubic",
    "linear",
    "nearest",
]

CONVENTIONS = (
    "half_pixel",
    "pytorch_half_pixel",
    "half_pixel_symmetric",
    "align_corners",
    "asymmetric",
)
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
LONGEST = 1 << 28  # entries along one axis, which are held in arrays
LONGEST_OBJECTS = 1 << 19  # outputs whose weights are Python integers
EXACT = 1 << 53  # fractions of smaller integers are rounded once when they become floats

Array = np.ndarray[Any, np.dtype[Any]]


def averaging(
    n: int,
    kernel: int,
    stride: int,
    low: int,
    high: int,
    n_out: int,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> AxisMap:
    """Return average pooling along one axis: window o covers ``stride*o - low`` and onwards.

    With `count_include_pad` a sum is divided by the cells of its window, padding included; those
    beyond the high padding, which ceil mode reaches, never count. Without it, by the inputs that
    the window holds. A `divisor` that is given replaces either. Every window holds an input:
    `convmat.layers` refuses others.

    Cost O(n_out + entries).

    Examples
    --------
    >>> averaging(4, kernel=3, stride=2, low=1, high=1, n_out=2).denominators
    array([3, 3, 3, 3, 3])
    >>> averaging(4, 3, 2, 1, 1, n_out=2, count_include_pad=False).denominators
    array([2, 2, 3, 3, 3])
    """
    _check_extent(n, n_out)
    if n_out * min(kernel, n) > LONGEST:
        raise _too_long("kernel_size", n_out * min(kernel, n))
    starts = stride * np.arange(n_out, dtype=np.int64) - low
    stops = np.minimum(starts + kernel, n + high)
    first, past = np.maximum(starts, 0), np.minimum(stops, n)
    if divisor is not None:
        size = abs(divisor)
        cells = np.full(n_out, size, np.int64 if size < 1 << 63 else object)
    else:
        cells = stops - starts if count_include_pad else past - first
    return _runs(n, first, past, cells, sign=-1 if divisor is not None and divisor < 0 else 1)


def adaptive(n: int, n_out: int) -> AxisMap:
    """Return the average over ``floor(o*n/n_out) <= i < ceil((o + 1)*n/n_out)``.

    Examples
    --------
    >>> thirds = adaptive(5, 3)
    >>> thirds.begin, thirds.inputs
    (array([0, 2, 5, 7]), array([0, 1, 1, 2, 3, 3, 4]))
    """
    _check_extent(n, n_out)
    o = np.arange(n_out, dtype=np.int64)
    first, past = adaptive_window(n, n_out, o)
    return _runs(n, first, past, past - first)


def _runs(n: int, first: Array, past: Array, divisors: Array, sign: int = 1) -> AxisMap:
    """Return the map whose output o is the sum of ``first[o] <= i < past[o]`` over a divisor."""
    lengths = past - first
    begin = np.zeros(len(first) + 1, np.int64)
    np.cumsum(lengths, out=begin[1:])
    entries = int(begin[-1])
    inputs = np.arange(entries) + np.repeat(first - begin[:-1], lengths)
    return AxisMap(n, begin, inputs, np.full(entries, sign), np.repeat(divisors, lengths))


class Coordinates(NamedTuple):
    """Where outputs lie between inputs: output o at ``(step*o + start) / denominator``, exactly."""

    step: int
    start: int
    denominator: int

    @classmethod
    def of(cls, step: Fraction, start: Fraction) -> Coordinates:
        """Bring two fractions to their least common denominator."""
        common = math.lcm(step.denominator, start.denominator)
        return cls(int(step * common), int(start * common), common)

    def largest(self, n_out: int) -> int:
        """Return a bound of twice the numerators of `n_out` outputs, plus twice q."""
        return 2 * (abs(self.step) * n_out + abs(self.start) + self.denominator)

    def numerators(self, n_out: int, bound: int) -> Array:
        """Return ``step*o + start``; 64-bit integers if `bound` allows them, else Python's.

        Of those fewer outputs are taken, for they cost a hundred times as much.
        """
        if bound >= EXACT and n_out > LONGEST_OBJECTS:
            raise GeometryError(
                "size",
                n_out,
                f"with weights of more than 64 bits can be at most {LONGEST_OBJECTS}",
                "use a smaller size, or a simpler ratio of sizes",
            )
        o = np.arange(n_out)
        return self.step * (o if bound < EXACT else o.astype(object)) + self.start


def coordinates(convention: str, n: int, n_out: int, scale: Fraction) -> Coordinates:
    """Return where the outputs of a resizing lie, by the name of the convention in ONNX.

    Parameters
    ----------
    convention : str
        One of `CONVENTIONS`.
    n, n_out : int
        Sizes of input and output.
    scale : Fraction
        Outputs per input; n_out / n where the output size was asked for. Where it was asked for
        itself, n*scale need not be whole, and n_out is its floor.

    Notes
    -----
    ========================  ==========================================================
    ``half_pixel``            ``(o + 1/2)/scale - 1/2``
    ``pytorch_half_pixel``    the same, but 0 if there is a single output
    ``half_pixel_symmetric``  the same plus ``(n - n_out/scale)/2``: centred
    ``align_corners``         ``o * (n - 1)/(n*scale - 1)``, 0 where that is 0/0
    ``asymmetric``            ``o/scale``
    ========================  ==========================================================

    References
    ----------
    ONNX, operator Resize, version 19, attribute ``coordinate_transformation_mode``.

    Examples
    --------
    >>> coordinates("half_pixel", 2, 4, Fraction(2))
    Coordinates(step=2, start=-1, denominator=4)
    """
    step, start = 1 / scale, Fraction(0)
    if convention == "align_corners":
        length = n * scale
        step = Fraction(n - 1) / (length - 1) if length != 1 else Fraction(0)
    elif convention == "pytorch_half_pixel" and n_out == 1:
        step = Fraction(0)
    elif convention != "asymmetric":
        start = (step - 1) / 2
        if convention == "half_pixel_symmetric":
            start += (n - n_out * step) / 2
    return Coordinates.of(step, start)


def nearest(n: int, n_out: int, at: Coordinates, rounding: str) -> AxisMap:
    """Return the map that picks the input at the rounded coordinate, ends repeated.

    Examples
    --------
    >>> nearest(3, 5, coordinates("asymmetric", 3, 5, Fraction(5, 3)), "floor").inputs
    array([0, 0, 1, 1, 2])
    """
    _check_extent(n, n_out)
    q = at.denominator
    twice = 2 * at.numerators(n_out, at.largest(n_out))
    if rounding == "floor":
        chosen = twice // (2 * q)
    elif rounding == "ceil":
        chosen = -(-twice // (2 * q))
    elif rounding == "round_prefer_floor":
        chosen = -((q - twice) // (2 * q))  # the least integer not below x - 1/2
    else:
        chosen = (twice + q) // (2 * q)  # the greatest integer not above x + 1/2
    return AxisMap.choosing(n, _inside(chosen, n))


def linear(n: int, n_out: int, at: Coordinates) -> AxisMap:
    """Return linear interpolation, ends repeated.

    Examples
    --------
    >>> twice = linear(2, 4, coordinates("half_pixel", 2, 4, Fraction(2)))
    >>> twice.begin, twice.inputs, twice.values(np.dtype(float))
    (array([0, 1, 3, 5, 6]), array([0, 0, 1, 0, 1, 1]),
     array([1.  , 0.75, 0.25, 0.25, 0.75, 1.  ]))
    """
    _check_extent(n, n_out)
    q = at.denominator
    below, r = _split(at.numerators(n_out, at.largest(n_out)), q)
    return _taps(n, below, {0: q - r, 1: r}, q)


def cubic(n: int, n_out: int, at: Coordinates) -> AxisMap:
    """Return interpolation by cubic convolution with a = -3/4, ends repeated.

    Notes
    -----
    An input at distance d of the coordinate has the weight ``(a + 2)d^3 - (a + 3)d^2 + 1`` up to
    a distance of 1 and ``a d^3 - 5a d^2 + 8a d - 4a`` up to 2.

    References
    ----------
    Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 15 with
    another a than its -1/2: frameworks take -3/4.

    Examples
    --------
    >>> midway = cubic(4, 1, Coordinates(0, 3, 2))
    >>> midway.numerators, midway.denominators
    (array([-3, 19, 19, -3]), array([32, 32, 32, 32]))
    """
    _check_extent(n, n_out)
    q = at.denominator
    largest = max(at.largest(n_out), 144 * q**3)  # the terms of `far` at d = 2q, added up
    below, r = _split(at.numerators(n_out, largest), q)

    def near(d: Any) -> Any:  # four times the weight, times q^3, at a distance d/q
        return 5 * d**3 - 9 * q * d**2 + 4 * q**3

    def far(d: Any) -> Any:
        return -3 * d**3 + 15 * q * d**2 - 24 * q**2 * d + 12 * q**3

    weights = {-1: far(q + r), 0: near(r), 1: near(q - r), 2: far(2 * q - r)}
    return _taps(n, below, weights, 4 * q**3)


def _split(numerators: Array, q: int) -> tuple[Array, Array]:
    """Return quotients and remainders; `numpy.divmod` does not take Python's integers."""
    below = numerators // q
    return below, numerators - below * q


def _taps(n: int, below: Array, weights: dict[int, Array], denominator: int) -> AxisMap:
    """Return the map of taps at these offsets from the input below; ends are repeated."""
    n_out = len(below)
    inputs = [_inside(below + offset, n) for offset in weights]
    numerators = np.concatenate(list(weights.values()))
    denominators = np.full(len(numerators), denominator, numerators.dtype)
    outputs = np.tile(np.arange(n_out), len(weights))
    return AxisMap.of(n, n_out, outputs, np.concatenate(inputs), numerators, denominators)


def _inside(positions: Array, n: int) -> Array:
    return np.minimum(np.maximum(positions, 0), n - 1).astype(np.int64)


def _check_extent(n: int, n_out: int) -> None:
    for argument, size in (("in_shape", n), ("size", n_out)):
        if size > LONGEST:
            raise _too_long(argument, size)


def _too_long(argument: str, count: int) -> GeometryError:
    return GeometryError(
        argument, count, f"leads to more than {LONGEST} entries along one axis", "use smaller sizes"
    )
