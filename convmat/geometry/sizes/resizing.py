"""Sizes of what resizes or rearranges: padding, pixel shuffles, scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError, as_pair, as_size, at_least

__all__ = [
    "adaptive_window",
    "as_scale",
    "padded_size",
    "pixel_shuffle_shape",
    "pixel_unshuffle_shape",
    "upsampled_size",
]


def padded_size(n: Any, padding: Any) -> Any:
    """Return the size of one axis after padding; negative numbers crop.

    Parameters
    ----------
    n : int or SymPy expression
        Input size, in samples.
    padding : int, SymPy expression, or a (low, high) pair of them
        Cells added at each end.

    Returns
    -------
    int, or SymPy expression if any argument is one.

    Raises
    ------
    GeometryError
        No integers or expressions, or nothing left.

    Notes
    -----
    ``n + low + high``. O(1).

    Examples
    --------
    >>> padded_size(28, 2), padded_size(28, (-4, 0))
    (32, 24)
    >>> from sympy import symbols
    >>> n, p = symbols("n p", integer=True, positive=True)
    >>> padded_size(n, p)
    n + 2*p
    """
    n = as_size("n", n, 1)
    low, high = as_pair(padding, least=None)
    size = n + low + high
    if isinstance(size, int) and size < 1:
        raise GeometryError(
            "padding", padding, f"leaves nothing of {n}", f"crop {n - 1} in all at most"
        )
    return size


def pixel_shuffle_shape(in_shape: Sequence[Any], factors: Sequence[Any]) -> tuple[Any, ...]:
    """Return (C, *spatial) after a pixel shuffle: channels become finer positions.

    Parameters
    ----------
    in_shape : (C, *spatial) of int or SymPy expression
    factors : one int or SymPy expression for each spatial axis

    Returns
    -------
    tuple of int and SymPy expressions

    Raises
    ------
    GeometryError
        Channels that the product of the factors does not divide.

    Notes
    -----
    ``(C / prod(r), n*r on each axis)``. O(1).

    References
    ----------
    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", 2016, equation 4.

    Examples
    --------
    >>> pixel_shuffle_shape((12, 5, 6), (2, 3))
    (2, 10, 18)
    >>> from sympy import symbols
    >>> c, h, w, r = symbols("c h w r", integer=True, positive=True)
    >>> pixel_shuffle_shape((c * r**2, h, w), (r, r))
    (c, h*r, r*w)
    """
    channels, *spatial = in_shape
    rule = "its {0} channels must be a multiple of {1}, the product of the upscale factors"
    fewer = _quotient(in_shape, channels, math.prod(factors), rule)
    return (fewer, *(n * r for n, r in zip(spatial, factors, strict=True)))


def pixel_unshuffle_shape(in_shape: Sequence[Any], factors: Sequence[Any]) -> tuple[Any, ...]:
    """Return (C, *spatial) after a pixel unshuffle: fine positions become channels.

    Parameters
    ----------
    in_shape : (C, *spatial) of int or SymPy expression
    factors : one int or SymPy expression for each spatial axis

    Returns
    -------
    tuple of int and SymPy expressions

    Raises
    ------
    GeometryError
        A spatial size that its factor does not divide.

    Notes
    -----
    ``(C * prod(r), n/r on each axis)``, the inverse of `pixel_shuffle_shape`. O(1).

    Examples
    --------
    >>> pixel_unshuffle_shape((2, 10, 18), (2, 3))
    (12, 5, 6)
    """
    channels, *spatial = in_shape
    rule = "a spatial size of {0} must be a multiple of its downscale factor {1}"
    coarse = [_quotient(in_shape, n, r, rule) for n, r in zip(spatial, factors, strict=True)]
    return (channels * math.prod(factors), *coarse)


def _quotient(in_shape: Sequence[Any], size: Any, divisor: Any, rule: str) -> Any:
    """Divide exactly; a symbol is taken to be a multiple."""
    if not (isinstance(size, int) and isinstance(divisor, int)):
        return size / divisor
    if size % divisor:
        raise GeometryError(
            "in_shape",
            tuple(in_shape),
            rule.format(size, divisor),
            f"use {size - size % divisor or divisor} or {size - size % divisor + divisor}",
        )
    return size // divisor


def adaptive_window(n: Any, n_out: Any, o: Any) -> tuple[Any, Any]:
    """Return (first, past) of the inputs that output o of an adaptive pooling holds.

    ``floor(o*n/n_out) <= i < ceil((o + 1)*n/n_out)``, for integers, arrays o or SymPy expressions.

    Examples
    --------
    >>> adaptive_window(5, 3, 1)
    (1, 4)
    """
    return o * n // n_out, -(-(o + 1) * n // n_out)


def as_scale(scale_factor: Any) -> Any:
    """Return a scale as an exact fraction, or a SymPy expression as it is.

    A float stands for the simplest fraction that rounds to it: 1.7 is 17/10.

    Examples
    --------
    >>> as_scale(2), as_scale(1.7), as_scale(1 / 3)
    (Fraction(2, 1), Fraction(17, 10), Fraction(1, 3))
    """
    if getattr(scale_factor, "free_symbols", None):
        return scale_factor
    if isinstance(scale_factor, np.ndarray) and scale_factor.ndim == 0:
        scale_factor = scale_factor[()]  # a NumPy number, which knows its precision
    scale = _fraction(scale_factor)
    if scale is None or scale <= 0:
        raise GeometryError(
            "scale_factor", scale_factor, "must be a number above 0", "pass a float or a Fraction"
        )
    return scale


def _fraction(number: Any) -> Fraction | None:
    """Return a real number as a fraction, None if it is none."""
    if isinstance(number, (bool, np.bool_)):
        return None
    if isinstance(number, (int, np.integer)):
        return Fraction(int(number))
    if getattr(number, "is_Rational", False):  # SymPy's
        return Fraction(int(number.p), int(number.q))
    if isinstance(number, (float, np.floating)) and np.isfinite(number):
        exact = Fraction(*number.as_integer_ratio())
        return exact if exact.denominator == 1 or exact < 0 else _simplest(*_rounding(number))
    return number if isinstance(number, Fraction) else None


def _simplest(least: Fraction, most: Fraction) -> Fraction:
    """Return the fraction of the least denominator between two positive numbers.

    Continued fractions of all numbers between the two begin alike.

    Examples
    --------
    >>> _simplest(Fraction(3, 10), Fraction(4, 10)), _simplest(Fraction(1), Fraction(3))
    (Fraction(1, 3), Fraction(2, 1))
    """
    before, now = (0, 1), (1, 0)  # numerators and denominators of the last two convergents
    high: Fraction | None = most
    while True:
        whole = math.floor(least)
        last = high is None or whole + 1 < high
        term = whole + last
        before, now = now, (term * now[0] + before[0], term * now[1] + before[1])
        if high is None or last:
            return Fraction(*now)
        least, high = 1 / (high - whole), 1 / (least - whole) if least > whole else None


def _rounding(number: Any) -> tuple[Fraction, Fraction]:
    """Return the ends of the interval whose numbers round to a float, in its own precision."""
    exact = Fraction(*number.as_integer_ratio())
    kind = np.float64 if isinstance(number, float) else type(number)
    gaps = []
    for end in (-np.inf, np.inf):
        with np.errstate(over="ignore"):
            beyond = np.nextafter(number, kind(end))
        if np.isfinite(beyond):
            gaps.append(abs(Fraction(*beyond.as_integer_ratio()) - exact) / 2)
    return exact - gaps[0], exact + gaps[-1]


def upsampled_size(n: Any, scale_factor: Any) -> Any:
    """Return the output size of a resizing by a scale along one axis.

    Parameters
    ----------
    n : int or SymPy expression
        Input size, in samples.
    scale_factor : int, float, Fraction, or SymPy expression
        Outputs per input; a float stands for the simplest fraction that rounds to it.

    Returns
    -------
    int, or SymPy expression if any argument is one.

    Raises
    ------
    GeometryError
        A scale that is not above 0, or that leaves no output.

    Notes
    -----
    ``floor(n * scale_factor)``, in exact arithmetic. Frameworks multiply floats, so that now and
    then they lose a sample: 45 * 1.4 is 63, but 62.99999999999999 in float64. O(1).

    Examples
    --------
    >>> upsampled_size(5, 1.5), upsampled_size(45, 1.4)
    (7, 63)
    >>> from sympy import symbols
    >>> upsampled_size(symbols("n", integer=True), 2.5)
    floor(5*n/2)
    """
    (n,) = at_least(1, n=n)
    scale = as_scale(scale_factor)
    if isinstance(n, int) and isinstance(scale, Fraction):
        size = n * scale.numerator // scale.denominator
        if size < 1:
            raise GeometryError(
                "scale_factor",
                scale_factor,
                f"leaves no output of an input of {n}",
                f"use at least {Fraction(1, n)}",
            )
        return size
    import sympy

    if isinstance(scale, Fraction):
        scale = sympy.Rational(scale.numerator, scale.denominator)
    return sympy.floor(n * scale)
