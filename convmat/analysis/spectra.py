"""Singular values: all of them where a structure or a small size gives them, else the largest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from convmat.analysis.bounds import absolute_bound, axis_matrix, wrapped
from convmat.analysis.norms import boundary_of
from convmat.analysis.numbers import EPS, check_numbers, dense_matrix, rounding
from convmat.geometry.arguments import GeometryError, as_integer
from convmat.geometry.kronecker import Kronecker
from convmat.operator.algebra import Operator
from convmat.operator.kronecker import KroneckerOperator

__all__ = ["Spectrum", "singular_values"]

Array = np.ndarray[Any, np.dtype[Any]]

DENSE = 4096  # the shorter side of a matrix, or a side of an axis, that is decomposed
DENSE_NUMBERS = 1 << 25  # of it, at most: 256 MB


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Singular values, the largest first, and how far each may be from the truth.

    Attributes
    ----------
    values : float64 array
    error : float
        No value is further than this from a singular value.
    boundary : str
        As that of `convmat.analysis.Bracket`.
    complete : bool
        Whether these are all, as many as the shorter side of the matrix has, zeros included.
    """

    values: Array
    error: float
    boundary: str
    complete: bool

    @property
    def rank(self) -> int:
        """Values above `error`: the rank is at least that, and as far as float64 tells equal."""
        return int((self.values > self.error).sum())

    @property
    def condition(self) -> float:
        """The largest value over the least, infinite where that is within `error` of zero.

        Raises
        ------
        GeometryError
            If not all values are known.
        """
        if not self.complete:
            raise GeometryError(
                "spectrum", self, "lacks the smallest values", "ask for all values of a layer"
            )
        least = float(self.values[-1]) if self.values.size else 0.0
        return math.inf if least <= self.error else float(self.values[0]) / least

    def __repr__(self) -> str:
        kind = "all" if self.complete else "largest"
        ends = f"{self.values[0]:.6g} to {self.values[-1]:.6g}" if self.values.size else "none"
        return (
            f"<{kind} {self.values.size} singular values, {ends}, error at most {self.error:.1e}, "
            f"boundary {self.boundary}>"
        )


def singular_values(A: Operator, k: int | None = None) -> Spectrum:
    """Return all singular values of an operator, or its k largest.

    Parameters
    ----------
    A : operator
        A layer with numbers, or any composition.
    k : int, optional
        How many of the largest; all if not given, which needs a structure or a small matrix.

    Returns
    -------
    Spectrum

    Raises
    ------
    GeometryError
        Symbols, numbers that are not finite, k out of range, or all values of a large operator
        without a structure that gives them; and where the k largest do not converge.

    Notes
    -----
    All values, exactly up to rounding: of a circularly padded convolution whose stride divides
    the image, from the blocks of its frequencies, with any dilation and groups, and of its
    transpose; of layers without weights, as products of those of their axes; of other operators
    by a dense decomposition, up to 4,096 on the shorter side and 256 MB. The k largest of others
    by ARPACK, through the operator, with the residual as `error`.

    References
    ----------
    Sedghi, Gupta and Long, 2019, for stride 1.

    Examples
    --------
    >>> import convmat as cm
    >>> around = cm.conv([[[1, 2, 1]]], (1, 8), padding=1, padding_mode="circular")
    >>> found = cm.analysis.singular_values(around)
    >>> found.values[:2].round(6), found.condition
    (array([4.      , 3.414214]), inf)
    """
    check_numbers(A)
    shorter = min(A.shape)
    if k is not None and as_integer("k", k, 1) > shorter:
        raise GeometryError("k", k, f"must be from 1 to {shorter}", "ask for fewer")
    found = _all_values(A)
    if found is not None:
        values, error = found
        return Spectrum(values[:k], error, boundary_of(A), k in (None, shorter))
    if k is None or k == shorter:
        raise GeometryError(
            "k",
            k,
            f"must be given, and not all, for {A.shape[0]} x {A.shape[1]} without such structure",
            "ask for the largest with k=6, or for the norm with convmat.analysis.norm",
        )
    return _largest(A, k)


def _all_values(A: Operator) -> tuple[Array, float] | None:
    """Return all values, the largest first, and their error."""
    around = wrapped(A)
    if around is not None and around[1]:
        values = around[0].singular_values()
        return values, around[0].rounding * values[0]
    if isinstance(A, KroneckerOperator) and _small_axes(A.record):
        parts = [np.linalg.svd(axis_matrix(part), compute_uv=False) for part in A.record.maps]
        values = reduce(np.multiply.outer, parts).ravel()
        sides = sum(part.n_in + part.n_out for part in A.record.maps)
        values = np.sort(np.append(values, np.zeros(min(A.shape) - values.size)))[::-1]
        return values, 8 * EPS * sides * values[0]
    if min(A.shape) <= DENSE and math.prod(A.shape) <= DENSE_NUMBERS:
        values = np.linalg.svd(dense_matrix(A), compute_uv=False)
        upper, _ = absolute_bound(A)
        return values, 8 * EPS * sum(A.shape) * float(values.max(initial=0)) + rounding(A, upper)
    return None


def _small_axes(record: Kronecker) -> bool:
    return all(max(part.n_in, part.n_out) <= DENSE for part in record.maps)


def _largest(A: Operator, k: int) -> Spectrum:
    from scipy.sparse.linalg import ArpackError, LinearOperator, svds

    dtype = np.result_type(A.dtype, np.float64)
    through: Any = LinearOperator(
        A.shape,
        matvec=lambda x: A.matvec(x.ravel()),
        rmatvec=lambda y: A.rmatvec(y.ravel()),
        dtype=dtype,
    )
    try:
        u, values, vh = svds(through, k=k, rng=np.random.default_rng(0))
    except ArpackError as error:
        raise GeometryError(
            "k", k, f"is more than converges ({error})", "ask for fewer, or for the norm"
        ) from None
    order = np.argsort(values)[::-1]
    values, u, vh = values[order], u[:, order], vh[order]
    forward = A.matmat(vh.conj().T) - u * values
    backward = A.rmatmat(u) - vh.conj().T * values
    residual = np.maximum(np.linalg.norm(forward, axis=0), np.linalg.norm(backward, axis=0))
    noise = rounding(A, absolute_bound(A)[0])
    return Spectrum(values, float(residual.max()) + noise, boundary_of(A), complete=False)
