"""Interpolation points of fast convolution: which are allowed, and which make small errors.

A point is a pair (p, q) of integers without common divisor, q >= 0: the number p/q, or infinity
where it is (1, 0). Written so, infinity is a point like every other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from numbers import Rational
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError

__all__ = ["CANDIDATES", "INFINITY", "Point", "as_points", "good_points"]

Point = tuple[int, int]
IntArray = np.ndarray[Any, np.dtype[np.int64]]
FloatArray = np.ndarray[Any, np.dtype[np.float64]]

INFINITY: Point = (1, 0)


def _simplest_first(point: Point) -> tuple[int, bool, int, int]:
    p, q = point
    return max(abs(p), q), abs(p) != 0, q, -p


CANDIDATES: tuple[Point, ...] = tuple(
    sorted(
        ((p, q) for q in range(1, 5) for p in range(-4, 5) if math.gcd(p, q) == 1),
        key=_simplest_first,
    )
)
"""All p/q with numerator and denominator up to 4, among which `good_points` looks."""

MOST_POINTS = 16  # by then float32 has no digit left


def as_points(points: Any, number: int) -> tuple[Point, ...]:
    """Check the points a user gives: `number` of them, or one less and infinity is added.

    Raises
    ------
    GeometryError
        Points that are not rational, that repeat, or that are too few or too many.
    """
    if isinstance(points, str) or not isinstance(points, Iterable):
        raise GeometryError("points", points, "must be a sequence of numbers", "pass a list")
    given = tuple(points)
    if len(given) not in (number - 1, number):
        raise GeometryError(
            "points",
            given,
            f"must be {number - 1} numbers beside infinity, for m + r - 1 = {number} "
            f"multiplications, not {len(given)}",
            "add or drop points, or leave them out",
        )
    read = tuple(_as_point(value) for value in given)
    if len(read) < number:
        read = (*read, INFINITY)
    for position, point in enumerate(read):
        if point in read[:position]:
            raise GeometryError(
                "points", given, f"must be distinct, but {_name(point)} repeats", "change one"
            )
    return read


def _as_point(value: Any) -> Point:
    if not isinstance(value, bool) and isinstance(value, Rational):  # SymPy's are, too
        return int(value.numerator), int(value.denominator)
    # One point stands for both infinities: on the projective line they are the same.
    if isinstance(value, float) and math.isinf(value):
        return INFINITY
    if getattr(value, "is_infinite", None) is True:
        return INFINITY
    raise GeometryError(
        "points",
        value,
        f"must hold rational numbers, not {type(value).__name__}",
        "write fractions.Fraction(1, 2) or sympy.Rational(1, 2)",
    )


def _name(point: Point) -> str:
    return "infinity" if point == INFINITY else str(Fraction(*point))


@lru_cache(maxsize=256)
def good_points(m: int, r: int) -> tuple[Point, ...]:
    """Return the points for F(m, r) that are taken where the user names none.

    They make the bound of `Winograd.error_bound` small: of all sets of `CANDIDATES` whose bound
    is at most a twentieth above the least one found, the simplest, for points such as 1/2 and 2
    cost no rounding, and 0 and 1 no multiplication. Infinity is always taken.

    Notes
    -----
    Up to five points all sets are tried. For more, the search begins with the simplest
    candidates and goes to the best of all sets in which at most two points are exchanged, until
    none is better; the least bound is then that of a local minimum.

    References
    ----------
    Barabasz, Anderson, Soodhalter, Gregg, "Error analysis and improving the accuracy of Winograd
    convolution for deep neural networks", ACM TOMS 46(4), 2020, where points are chosen by
    measured errors.

    Examples
    --------
    >>> good_points(2, 3)
    ((0, 1), (1, 1), (-1, 1), (1, 0))
    """
    number = m + r - 2
    if number > MOST_POINTS:
        raise GeometryError(
            "points",
            None,
            f"there are no good ones for m + r - 1 = {number + 1} multiplications: the error "
            "grows exponentially",
            "use a smaller m, nest, or name the points",
        )
    if number <= 5:
        tried = np.array(list(itertools.combinations(range(len(CANDIDATES)), number)), np.int64)
        bounds = _bounds(tried, m, r)
    else:
        tried, bounds = _descend(number, m, r)
    near = tried[bounds <= bounds.min() * 1.05]
    chosen = min((tuple(row.tolist()) for row in near), key=_simplicity)
    return (*(CANDIDATES[i] for i in chosen), INFINITY)


def _descend(number: int, m: int, r: int) -> tuple[IntArray, FloatArray]:
    """Exchange points while that helps; return all sets that were tried, and their bounds."""
    best, least = tuple(range(number)), math.inf
    sets, bounds = [], []
    while True:
        sets.append(np.array(list(_exchanges(best)), np.int64))
        bounds.append(_bounds(sets[-1], m, r))
        if bounds[-1].min() >= least:
            return np.concatenate(sets), np.concatenate(bounds)
        least = float(bounds[-1].min())
        best = min(tuple(row.tolist()) for row in sets[-1][bounds[-1] == least])


def _exchanges(chosen: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield all sets in which up to two of the chosen are others, the same set among them."""
    for kept in itertools.combinations(chosen, len(chosen) - 2):
        others = [i for i in range(len(CANDIDATES)) if i not in kept]
        for added in itertools.combinations(others, 2):
            yield tuple(sorted((*kept, *added)))


def _simplicity(chosen: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Order sets by the sizes of their numerators and denominators."""
    return sum(_simplest_first(CANDIDATES[i])[0] for i in chosen), chosen


def _bounds(sets: IntArray, m: int, r: int) -> FloatArray:
    """Return the bounds of sets of indices, rounded so that symmetric sets are equally good."""
    bounds = relative_bounds(np.array(CANDIDATES, np.int64)[sets], m, r)
    return np.array([float(f"{bound:.10g}") for bound in bounds])


def relative_bounds(points: IntArray, m: int, r: int) -> FloatArray:
    """Return the bounds of many sets of finite points at once, in units of the roundoff.

    Parameters
    ----------
    points : integer array (sets, m + r - 2, 2)
        Numerators and denominators; infinity is added.

    Returns
    -------
    float array (sets,), the amplification times the number of roundings, as `Winograd` has them.
    Coefficients are integers, so that zeros among them are seen.
    """
    infinity = np.broadcast_to(np.array(INFINITY, np.int64), (len(points), 1, 2))
    p, q = np.moveaxis(np.concatenate([points, infinity], axis=1), -1, 0)
    output, taps = _powers(p, q, m), _powers(p, q, r)
    lagrange, scale = _lagrange(p, q)
    weights = np.abs(taps).sum(-1) * np.abs(lagrange).sum(-1) / np.abs(scale)
    amplification = (np.abs(output) * weights[:, :, None]).sum(1).max(-1)
    before = np.count_nonzero(taps, -1) + np.count_nonzero(lagrange, -1)
    after = np.count_nonzero(output, 1)
    longest = np.where(output != 0, before[:, :, None] + after[:, None, :], 0).max((1, 2))
    result: FloatArray = amplification * (longest + 4.0)
    return result


def _powers(p: IntArray, q: IntArray, length: int) -> IntArray:
    """Return p^j q^(length - 1 - j) for all j, along a new last axis."""
    j = np.arange(length)
    powers: IntArray = p[..., None] ** j * q[..., None] ** (length - 1 - j)
    return powers


def _lagrange(p: IntArray, q: IntArray) -> tuple[IntArray, FloatArray]:
    """Return the product of (q_j x - p_j y) over j != i for every i, and its value at point i."""
    number = p.shape[-1]
    polynomial = np.zeros((*p.shape, number), np.int64)
    polynomial[..., 0] = 1
    scale = np.ones(p.shape)
    for i, j in itertools.permutations(range(number), 2):
        raised = np.roll(polynomial[..., i, :], 1, -1)  # its top coefficient is zero until the end
        polynomial[..., i, :] = q[:, j, None] * raised - p[:, j, None] * polynomial[..., i, :]
        scale[:, i] *= q[:, j] * p[:, i] - p[:, j] * q[:, i]
    return polynomial, scale
