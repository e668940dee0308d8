"""Cook's and Toom's transforms for F(m, r), exact, from any points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

from convmat.geometry.arguments import GeometryError, as_integer
from convmat.geometry.window import Window
from convmat.symbolic.minimal_filtering.bilinear import Factor, transposed
from convmat.symbolic.minimal_filtering.points import Point, as_points, good_points
from convmat.symbolic.minimal_filtering.tiles import Winograd

__all__ = ["winograd"]

LONGEST = 64  # multiplications along an axis: no use is in sight long before


def winograd(m: Any, r: Any, points: Any = None) -> Winograd:
    """Return the transforms of F(m, r): m outputs of r taps from m + r - 1 multiplications.

    The algorithm is Toom's and Cook's for the product of polynomials, with data and output
    exchanged: correlation, as frameworks call convolution.

    Parameters
    ----------
    m, r : int, or one per axis
        Outputs and taps along each axis. ``winograd((2, 2), (3, 3))`` nests two algorithms.
    points : sequence of rational numbers, or one sequence (or None) per axis
        m + r - 2 distinct numbers (int, Fraction, SymPy), to which infinity is added; or
        m + r - 1, where ``math.inf`` or ``sympy.oo`` may stand for infinity. If not given,
        points with small errors are taken; see Notes.

    Returns
    -------
    Winograd
        `AT`, `G`, `BT`, exact; `prove`, `transpose`, `weight_gradient`, costs and error bounds.

    Raises
    ------
    GeometryError
        Sizes out of range; points that repeat, are too few or too many, or not rational.

    Notes
    -----
    With points ``p/q`` and ``n = m + r - 1``, ``AT[j, a] = p^j q^(m-1-j)``; row a of BT holds the
    coefficients of the product of ``(q_b x - p_b)`` over all other points b, divided by their
    common divisor; ``G[a, k] = p^k q^(r-1-k)`` divided by the value of that product at a. So AT
    and BT are integers, and every rounding of constants is in G, which is applied once. Signs
    are those that make the leading entries of BT positive, and for the point 0 that of G.

    Default points have an error bound at most 5 % above the least that is found among all p/q
    with p and q up to 4:

    =======  =====================================  =============  ==================
    F(m, r)  points beside infinity                 amplification  of simplest points
    =======  =====================================  =============  ==================
    F(2, 3)  0, 1, -1                               8              8
    F(3, 2)  0, 1, -1                               6              6
    F(3, 3)  0, 1, -2, -1/2                         15.78          24.33
    F(4, 3)  0, 2, -2, 1/2, -1/2                    22             48
    F(5, 3)  0, 1, 2, -2, 1/3, -2/3                 47.6           65.29
    F(6, 3)  0, 1, -1, 2, -2, 1/2, -1/2             67.67          67.67
    F(2, 5)  0, 2, -2, 1/2, -1/2                    29.5           57.67
    F(4, 5)  0, 1, -1, 2, -2, 1/2, -1/2             86.78          86.78
    F(6, 5)  0, 1, -1, -2, 1/2, 3, 3/2, -1/3, -2/3  297.5          958.6
    =======  =====================================  =============  ==================

    The last column is for the first of 0, 1, -1, 2, -2, 1/2, -1/2, 3, -3.

    Cost: O(n^3) rational operations along each axis.

    References
    ----------
    Winograd, "Arithmetic Complexity of Computations", SIAM, 1980; Lavin and Gray, "Fast
    algorithms for convolutional neural networks", CVPR 2016, section 4; Blahut, "Fast Algorithms
    for Signal Processing", 2010, chapter 5; Barabasz, Anderson, Soodhalter, Gregg, "Error
    analysis and improving the accuracy of Winograd convolution for deep neural networks", ACM
    TOMS 46(4), 2020.

    Examples
    --------
    >>> F = winograd((2, 2), (3, 3))
    >>> F.AT.shape, F.G.shape, F.BT.shape
    ((4, 16), (16, 9), (16, 16))
    >>> F.multiplications, F.direct_multiplications
    (16, 36)
    >>> winograd(3, 2, points=[0, 1, -1]).G
    Matrix([
    [  1,    0],
    [1/2,  1/2],
    [1/2, -1/2],
    [  0,    1]])
    """
    sizes, taps = _per_axis("m", m), _per_axis("r", r)
    if isinstance(m, Sequence) != isinstance(r, Sequence) or len(sizes) != len(taps):
        raise GeometryError(
            "r", r, f"must have as many axes as m = {m}", "give both per axis, or two integers"
        )
    if points is None:
        named: Sequence[Any] = [None] * len(sizes)
    elif not isinstance(m, Sequence):
        named = [points]
    else:
        named = _points_per_axis(points, len(sizes))
    chosen = []
    for outputs, kernel, given in zip(sizes, taps, named, strict=True):
        number = outputs + kernel - 1
        if number > LONGEST:
            raise GeometryError(
                "m", m, f"needs {number} multiplications along an axis, too many", "use smaller m"
            )
        chosen.append(good_points(outputs, kernel) if given is None else as_points(given, number))
    factors = tuple(map(_toom_cook, sizes, taps, chosen))
    return Winograd(factors, tuple(chosen))


def _per_axis(name: str, value: Any) -> tuple[int, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise GeometryError(name, value, "must have one size per axis", "pass (2, 2), or 2")
        return tuple(as_integer(name, size, 1) for size in value)
    return (as_integer(name, value, 1),)


def _points_per_axis(points: Any, axes: int) -> Sequence[Any]:
    nested = isinstance(points, Sequence) and all(
        axis is None or isinstance(axis, Sequence) for axis in points
    )
    if not nested or len(points) != axes:
        raise GeometryError(
            "points",
            points,
            f"must be {axes} sequences, one per axis",
            "repeat the points, or write None for an axis",
        )
    named: Sequence[Any] = points
    return named


def _toom_cook(m: int, r: int, points: tuple[Point, ...]) -> Factor:
    """Return the transforms for one axis; see `winograd` for the formulas."""
    output, taps, data = [], [], []
    for point in points:
        p, q = point
        others = [other for other in points if other != point]
        polynomial = reduce(_times, others, [1])
        value = math.prod(other[1] * p - other[0] * q for other in others)
        divisor = math.gcd(*polynomial)
        leading = next(entry for entry in reversed(polynomial) if entry)
        if (value if p == 0 else leading) < 0:
            divisor = -divisor
        output.append(tuple(Fraction(power) for power in _powers(point, m)))
        taps.append(tuple(Fraction(power * divisor, value) for power in _powers(point, r)))
        data.append(tuple(Fraction(entry // divisor) for entry in polynomial))
    window = Window(m + r - 1, m, r, 1, 1, 1, 0)
    return Factor(window, False, transposed(tuple(output)), tuple(taps), tuple(data))


def _powers(point: Point, length: int) -> list[int]:
    p, q = point
    return [p**j * q ** (length - 1 - j) for j in range(length)]


def _times(polynomial: list[int], point: Point) -> list[int]:
    """Multiply a polynomial, lowest coefficient first, by (q x - p)."""
    p, q = point
    return [
        q * above - p * here for above, here in zip([0, *polynomial], [*polynomial, 0], strict=True)
    ]
