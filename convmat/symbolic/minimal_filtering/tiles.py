"""A fast convolution of one tile: its matrices, applied, proved, counted and bounded."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import to_numpy
from convmat.geometry.printing import OneLine
from convmat.geometry.window import Geometry
from convmat.symbolic.minimal_filtering.bilinear import (
    BilinearProof,
    Factor,
    Rows,
    derive,
    layer,
    transposed,
)
from convmat.symbolic.minimal_filtering.points import Point
from convmat.symbolic.minimal_filtering.rounding import float_dtype, rounded

if TYPE_CHECKING:
    import sympy

__all__ = ["Cost", "Transforms", "Winograd"]

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST = 1 << 20  # entries of a matrix


class Transforms(NamedTuple):
    """The three matrices in floating point: ``y = AT @ ((G @ g) * (BT @ d))``."""

    AT: Array
    G: Array
    BT: Array


class Cost(NamedTuple):
    """What one transform of one tile costs, applied axis by axis as the matrix is written.

    Nothing is shared between rows, so that cleverer code may do with less. `shifts` are those of
    the `constants` that are powers of two: exact, and cheap.
    """

    additions: int
    constants: int
    shifts: int


@dataclass(frozen=True, repr=False)
class Winograd(OneLine):
    """A fast algorithm for one tile: ``y = AT [(G g) * (BT d)]``, exact over the rationals.

    Made by `winograd`. Tiles, filters and outputs of several axes are C-ordered vectors.

    Attributes
    ----------
    factors : tuple of Factor
        The algorithm along each axis, in fractions; the matrices are their Kronecker products.
    points : tuple, per axis, of (numerator, denominator)
        Where the polynomials are evaluated; (1, 0) is infinity.

    Examples
    --------
    >>> from convmat.symbolic import winograd
    >>> F = winograd(2, 3)
    >>> F.AT
    Matrix([
    [1, 1,  1, 0],
    [0, 1, -1, 1]])
    >>> F.prove().holds, F.multiplications, F.direct_multiplications
    (True, 4, 6)
    """

    factors: tuple[Factor, ...] = field(hash=False)  # which follow from points and sizes
    points: tuple[tuple[Point, ...], ...]

    @property
    def geometry(self) -> Geometry:
        """The layer of one channel that one tile is."""
        return layer(self.factors)

    @property
    def AT(self) -> sympy.ImmutableMatrix:  # noqa: N802, the names of the papers
        """The output transform (outputs, products)."""
        return self._matrix("output")

    @property
    def G(self) -> sympy.ImmutableMatrix:  # noqa: N802
        """The filter transform (products, taps)."""
        return self._matrix("filter")

    @property
    def BT(self) -> sympy.ImmutableMatrix:  # noqa: N802
        """The data transform (products, inputs)."""
        return self._matrix("data")

    def as_float(self, dtype: Any = np.float32) -> Transforms:
        """Return the three matrices rounded to a floating dtype, each entry to the nearest."""
        kind = float_dtype(dtype)
        return Transforms(*(rounded(self._rows(name), kind).copy() for name in ROLES))

    @property
    def axes(self) -> tuple[Winograd, ...]:
        """The algorithm along each axis."""
        parts = zip(self.factors, self.points, strict=True)
        return tuple(Winograd((factor,), (points,)) for factor, points in parts)

    def __call__(self, data: Any, filter: Any) -> Array:  # noqa: A002, the word of the field
        """Compute one tile, axis by axis, in the dtype of data and filter.

        Parameters
        ----------
        data : array of shape ``geometry.in_shape[1:]``
        filter : array of shape ``geometry.kernel``
            Floats, or objects such as fractions and SymPy expressions, which stay exact.

        Returns
        -------
        array of shape ``geometry.out_shape[1:]``
        """
        d, g = to_numpy(data, "data"), to_numpy(filter, "filter")
        for name, array, shape in (
            ("data", d, self.geometry.in_shape[1:]),
            ("filter", g, self.geometry.kernel),
        ):
            if array.shape != shape:
                raise GeometryError(name, array.shape, f"must have shape {shape}", "reshape it")
        dtype = np.result_type(d, g)
        if dtype.kind != "O":
            dtype = np.result_type(dtype, np.float16)
        products = self._along("filter", g, dtype) * self._along("data", d, dtype)
        return self._along("output", products, dtype)

    def prove(self) -> BilinearProof:
        """Prove that this is the convolution of `geometry`, for all data and filters.

        Returns
        -------
        BilinearProof
            Its `steps` are exact identities, which `check` goes through again.
        """
        return derive(self.factors)

    def transpose(self) -> Winograd:
        """Return the algorithm for the transposed layer with the same filter.

        Notes
        -----
        With data and output exchanged, the sum of all ``y[o] g[k] d[i]`` is the same trilinear
        form, so ``d = (BT).T [(G g) * ((AT).T y)]``: the transposition principle (Tellegen). It
        needs the same number of multiplications. Transposing twice gives the algorithm back.

        References
        ----------
        Winograd, "Arithmetic Complexity of Computations", SIAM, 1980; Blahut, "Fast Algorithms for
        Signal Processing", 2010, chapter 5.

        Examples
        --------
        >>> from convmat.symbolic import winograd
        >>> winograd(2, 3).transpose()([1, 2], [1, 10, 100]).tolist()
        [1.0, 12.0, 120.0, 200.0]
        """
        factors = tuple(
            Factor(
                factor.window.transpose(),
                not factor.flipped,
                transposed(factor.data),
                factor.filter,
                transposed(factor.output),
            )
            for factor in self.factors
        )
        return Winograd(factors, self.points)

    def weight_gradient(self) -> Winograd:
        """Return the algorithm for the weight gradient: F(r, m) with the same points.

        With filter and output exchanged in the same trilinear form, the gradient with respect to
        g is ``(G).T [((AT).T y) * (BT d)]``, where the output gradient y takes the place of the
        filter. Of the transposed layer, data and output gradient change places.
        """
        if self.geometry.flipped:
            return self.transpose().weight_gradient()
        factors = tuple(
            Factor(
                # base*i = stride*o + dilation*k - pad, read with o and k exchanged.
                factor.window._replace(
                    n_out=factor.window.kernel,
                    kernel=factor.window.n_out,
                    stride=factor.window.dilation,
                    dilation=factor.window.stride,
                ),
                False,
                transposed(factor.filter),
                transposed(factor.output),
                factor.data,
            )
            for factor in self.factors
        )
        return Winograd(factors, self.points)

    @property
    def multiplications(self) -> int:
        """Products of transformed data and filter, for one tile."""
        return math.prod(len(factor.data) for factor in self.factors)

    @property
    def direct_multiplications(self) -> int:
        """Products that the definition needs for the same tile."""
        return self.geometry.nnz

    @property
    def output_cost(self) -> Cost:
        """Cost of the output transform."""
        return self._cost("output")

    @property
    def filter_cost(self) -> Cost:
        """Cost of the filter transform, needed once for all tiles."""
        return self._cost("filter")

    @property
    def data_cost(self) -> Cost:
        """Cost of the data transform."""
        return self._cost("data")

    @property
    def amplification(self) -> Fraction:
        """How much larger than |g| and |d| intermediate sums may be, and errors with them.

        The largest, over outputs o, of ``sum over a of |AT[o, a]| (|G| 1)[a] (|BT| 1)[a]``. The
        direct sum has the number of taps. Scaling rows of the matrices does not change it.
        """
        return math.prod((max(factor.row_sums()) for factor in self.factors), start=Fraction(1))

    def error_bound(self, data: Any = 1.0, filter: Any = 1.0, dtype: Any = np.float32) -> Array:  # noqa: A002, as above
        """Return what the rounding error of one tile is at most, component by component.

        Parameters
        ----------
        data, filter : arrays of one tile, or numbers
            Numbers bound the entries of all tiles or filters.
        dtype : floating dtype
            In which the transforms are rounded and applied, axis by axis, in any order of
            summation.

        Returns
        -------
        float64 array of shape ``geometry.out_shape[1:]``

        Notes
        -----
        ``gamma |AT| [(|G| |g|) * (|BT| |d|)]`` with ``gamma = n u / (1 - n u)``: every term
        passes n roundings at most, u is half the spacing at 1. Overflow and underflow are not
        considered. ``amplification`` times gamma bounds it for |g|, |d| <= 1.

        References
        ----------
        Higham, "Accuracy and Stability of Numerical Algorithms", 2002, lemma 3.1 and section 3.5,
        for gamma; Barabasz et al. (2020) for bounds of this form, componentwise and
        by norms ``||AT|| ||G|| ||BT||``.
        """
        n = self.roundings
        unit = float(np.finfo(float_dtype(dtype)).eps) / 2
        if n * unit >= 1:
            raise GeometryError(
                "dtype", dtype, f"cannot bound {n} roundings", "use a wider one, or a smaller tile"
            )
        d = np.broadcast_to(np.abs(np.asarray(data, np.float64)), self.geometry.in_shape[1:])
        g = np.broadcast_to(np.abs(np.asarray(filter, np.float64)), self.geometry.kernel)
        kind = np.dtype(np.float64)
        products = self._along("filter", g, kind, absolute=True)
        products = products * self._along("data", d, kind, absolute=True)
        return n * unit / (1 - n * unit) * self._along("output", products, kind, absolute=True)

    @property
    def roundings(self) -> int:
        """How often a term is rounded at most: in all transforms, and in the product."""
        return sum(factor.roundings() for factor in self.factors) + 1

    def latex(self) -> str:
        """Return the three matrices in LaTeX."""
        import sympy

        pairs = ((r"A^{T}", self.AT), ("G", self.G), (r"B^{T}", self.BT))
        return r" \qquad ".join(f"{name} = {sympy.latex(matrix)}" for name, matrix in pairs)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def __str__(self) -> str:
        import sympy

        axes = "x".join(str(len(factor.data)) for factor in self.factors)
        size = f"{axes} = " if len(self.factors) > 1 else ""
        parts = (f"{name} =\n{sympy.pretty(getattr(self, name))}" for name in ("AT", "G", "BT"))
        return (
            f"{self.geometry.in_shape[1:]} -> {self.geometry.out_shape[1:]}, "
            f"kernel {self.geometry.kernel}: {size}{self.multiplications} multiplications, "
            f"{self.direct_multiplications} directly\n" + "\n".join(parts)
        )

    def _in_short(self) -> str:
        points = "; ".join(
            ", ".join("oo" if not q else str(Fraction(p, q)) for p, q in axis)
            for axis in self.points
        )
        return (
            f"Winograd {self.geometry.in_shape[1:]} -> {self.geometry.out_shape[1:]}, kernel "
            f"{self.geometry.kernel}, {self.multiplications} multiplications, points {points}"
        )

    def _rows(self, name: str) -> Rows:
        parts = [getattr(factor, name) for factor in self.factors]
        entries = math.prod(len(rows) * len(rows[0]) for rows in parts)
        if entries > LARGEST:
            raise GeometryError(
                "m", self, f"its {name} matrix has {entries} entries", "use the matrices of `axes`"
            )
        return reduce(_kronecker, parts)

    def _matrix(self, name: str) -> sympy.ImmutableMatrix:
        import sympy

        rows = self._rows(name)
        return sympy.ImmutableMatrix([[_rational(entry) for entry in row] for row in rows])

    def _along(
        self, name: str, array: Array, dtype: np.dtype[Any], *, absolute: bool = False
    ) -> Array:
        """Apply one transform along every axis of a tile."""
        result = array.astype(dtype)
        for axis, factor in enumerate(self.factors):
            rows: Rows = getattr(factor, name)
            if absolute:
                rows = tuple(tuple(map(abs, row)) for row in rows)
            matrix = _exact(rows) if dtype.kind == "O" else rounded(rows, dtype)
            result = np.moveaxis(np.tensordot(matrix, result, (1, axis)), 0, axis)
        return np.ascontiguousarray(result)

    def _cost(self, name: str) -> Cost:
        parts = [getattr(factor, name) for factor in self.factors]
        sizes = [len(rows[0]) for rows in parts]
        total = Cost(0, 0, 0)
        for axis, rows in enumerate(parts):
            lines = math.prod(sizes) // sizes[axis]
            total = Cost(*(a + lines * b for a, b in zip(total, _count(rows), strict=True)))
            sizes[axis] = len(rows)
        return total


ROLES = ("output", "filter", "data")


def _kronecker(first: Rows, second: Rows) -> Rows:
    return tuple(
        tuple(a * b for a, b in itertools.product(left, right))
        for left, right in itertools.product(first, second)
    )


def _count(rows: Rows) -> Cost:
    """Count the operations of one product with a vector."""
    entries = [abs(entry) for row in rows for entry in row if entry]
    constants = [entry for entry in entries if entry != 1]
    shifts = [c for c in constants if (c.numerator * c.denominator).bit_count() == 1]
    return Cost(len(entries) - sum(map(any, rows)), len(constants), len(shifts))


def _rational(value: Fraction) -> sympy.Rational:
    import sympy

    return sympy.Rational(value.numerator, value.denominator)


def _exact(rows: Rows) -> Array:
    """Return SymPy's fractions, for they multiply symbols."""
    return np.array([[_rational(entry) for entry in row] for row in rows], object)
