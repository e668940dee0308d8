"""The spectral norm of an operator, between two bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from convmat.analysis.bounds import absolute_bound, structural_bound, wrapped
from convmat.analysis.lanczos import largest_from_below
from convmat.analysis.numbers import EPS, check_numbers, dense_matrix, rounding
from convmat.geometry.arguments import GeometryError
from convmat.operator.algebra import Operator
from convmat.operator.convolution import LayerOperator
from convmat.operator.kronecker import KroneckerOperator

__all__ = ["Bracket", "boundary_of", "brackets", "norm"]

Array = np.ndarray[Any, np.dtype[Any]]

PRODUCTS = 600  # with the operator or its transpose, at most
DENSE, DENSE_SIDE = 256, 4096  # sides of a matrix that is decomposed
FIRST = 24  # products before frequencies are asked
PATIENCE = 24  # products that gain nothing, until it ends


@dataclass(frozen=True)
class Bracket:
    """A number between two bounds; `float` of it is the middle.

    Attributes
    ----------
    lower, upper : float
        The largest singular value is neither below nor above. Rounding in float64 is counted.
    boundary : str
        What the layer reads beyond the ends of its input; "composed" for compositions.
    products : int
        Products with the operator, its transpose, or their absolute values.
    rtol : float
        The relative width that was asked for.
    """

    lower: float
    upper: float
    boundary: str
    products: int
    rtol: float = 0.0

    @property
    def width(self) -> float:
        """Width relative to the upper bound; 0 for the zero operator."""
        return (self.upper - self.lower) / self.upper if self.upper else 0.0

    @property
    def reached(self) -> bool:
        """Whether the bracket is as narrow as was asked."""
        return self.width <= self.rtol

    def __float__(self) -> float:
        return (self.lower + self.upper) / 2

    def __str__(self) -> str:
        asked = "" if self.reached else ", wider than asked"
        return (
            f"between {self.lower:.6g} and {self.upper:.6g} ({self.width:.1e} apart{asked}), "
            f"boundary {self.boundary}, {self.products} products"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return bounds, boundary, products, `reached` and `width`, for JSON."""
        names = ("lower", "upper", "boundary", "products", "reached", "width")
        return {name: getattr(self, name) for name in names}


def norm(A: Operator, rtol: float = 0.01) -> Bracket:
    """Return the largest singular value of an operator, bracketed, without its matrix.

    Parameters
    ----------
    A : operator
        A layer with numbers, or any composition.
    rtol : float
        The width that is asked for, relative to the norm. The bracket may be wider, where no
        better upper bound is known, and says so.

    Returns
    -------
    Bracket

    Raises
    ------
    GeometryError
        Weights that are symbols or are not finite; rtol that is not positive.

    Notes
    -----
    From below, Golub-Kahan-Lanczos. From above the least of: Schur's test of the absolute values;
    for a zero-padded convolution of any stride, dilation and groups, and for its transpose, the
    norm of a convolution on a torus that is long enough for no window to meet its own end, of
    which the layer is a part; for circular padding of the image's own size, that norm itself;
    for layers without weights the product of the norms of the axes; for sums and products the
    sum and product of these. Cost: at most 600 products, and the blocks of the torus,
    O(positions * channels**3).

    References
    ----------
    Sedghi, Gupta and Long, 2019 (circular, stride 1); Golub and Kahan, 1965.

    Examples
    --------
    >>> import convmat as cm
    >>> blur = cm.conv([[[1, 2, 1]]], in_shape=(1, 64), padding=1)
    >>> found = cm.analysis.norm(blur)
    >>> bool(found.lower <= 4 * np.cos(np.pi / 130) ** 2 <= found.upper), found.boundary
    (True, 'zeros')
    """
    for bracket in brackets(A, rtol):  # noqa: B007, the last is the answer
        pass
    return bracket


def brackets(A: Operator, rtol: float = 0.01) -> Iterator[Bracket]:
    """Yield brackets that grow narrower, each within the one before; the last is `norm`."""
    check_numbers(A)
    number: Any = rtol  # which may be anything
    if not isinstance(number, (int, float)) or not 0 < number < math.inf:
        raise GeometryError("rtol", rtol, "must be positive", "use 0.01 for one percent")
    upper, products = absolute_bound(A)
    noise = rounding(A, upper)
    now = Bracket(0.0, upper, boundary_of(A), products, rtol)
    if min(A.shape) <= DENSE and max(A.shape) <= DENSE_SIDE:
        yield _decomposed(A, now, noise)
        return
    yield now
    structure, gained_at = False, 0
    for value, used in largest_from_below(A):
        lower = max(value * (1 - 1e-14) - noise, now.lower)
        if lower > now.lower * (1 + rtol / 16):
            gained_at = used
        now = replace(now, lower=min(lower, now.upper), products=products + used)
        if not structure and used >= FIRST and not now.reached:
            now, structure = _bounded(A, now), True
        yield now
        if now.reached or used - gained_at > PATIENCE or used >= PRODUCTS:
            break
    if not now.reached and not structure:
        yield _bounded(A, now)


def _bounded(A: Operator, now: Bracket) -> Bracket:
    """Return the bracket with the bound of the structure, where that is lower."""
    return replace(now, upper=max(min(now.upper, structural_bound(A)), now.lower))


def _decomposed(A: Operator, now: Bracket, noise: float) -> Bracket:
    """Return the bracket of a small matrix, whose values are all computed."""
    values = np.linalg.svd(dense_matrix(A), compute_uv=False)
    largest = float(values.max(initial=0.0))
    error = noise + 16 * max(A.shape) * EPS * largest
    return replace(now, lower=max(largest - error, 0.0), upper=largest + error)


def boundary_of(A: Operator) -> str:
    """Name what an operator reads beyond the ends of its input."""
    if isinstance(A, KroneckerOperator):
        return "its own"
    if not isinstance(A, LayerOperator):
        return "circular" if wrapped(A) is not None else "composed"
    layer = A.T if A.geometry.flipped else A  # the boundary is that of the convolution
    return "zeros" if any(any(n > 0 for n in a.pads) for a in layer.geometry.axes) else "valid"
