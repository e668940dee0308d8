"""Matrices read into exact rings: polynomials in their symbols, over the numbers they hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import to_numpy
from convmat.geometry.printing import OneLine

if TYPE_CHECKING:
    import sympy

__all__ = ["Exact", "entries_of", "exact_matrix", "read"]

LARGEST = 1_000_000  # rows times columns

Place = tuple[int, int]


@dataclass(frozen=True, repr=False)
class Exact(OneLine):
    """A matrix over a ring of SymPy: of numbers, or of polynomials with such coefficients.

    `symbols` are the generators, each a stand-in for the expression it maps to.
    """

    shape: Place
    entries: dict[Place, Any]
    domain: Any
    symbols: dict[Any, Any] = field(default_factory=dict)

    def expression(self, element: Any) -> Any:
        """Return an element of the ring as a SymPy expression."""
        return self.domain.to_sympy(element).xreplace(self.symbols)

    def terms(self, element: Any) -> int:
        """Return the number of terms of an element: 1 for numbers."""
        return len(element) if self.symbols else 1


def exact_matrix(A: Any, name: str = "w", values: Any = None) -> sympy.SparseMatrix:
    """Return the matrix of an operator in symbols, or with numbers for some of them.

    Parameters
    ----------
    A : Operator or SymPy matrix
        Of an operator, its `symbolic_matrix`.
    name : str
        Name of the symbols of an operator's weight.
    values : array, or mapping of names or symbols to arrays or numbers, optional
        Numbers to put in. An array is that of the weight called `name`, such as ``A.weight``.
        Floats stand for exactly the binary fractions that they are.

    Raises
    ------
    GeometryError
        A is no matrix, or the values do not fit it.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv([[[0.5, 2]]], in_shape=(1, 3))
    >>> exact_matrix(A)
    Matrix([
    [w[0, 0, 0], w[0, 0, 1],          0],
    [         0, w[0, 0, 0], w[0, 0, 1]]])
    >>> exact_matrix(A, values=A.weight)
    Matrix([
    [1/2,   2, 0],
    [  0, 1/2, 2]])
    """
    import sympy

    if hasattr(A, "symbolic_matrix"):
        matrix = A.symbolic_matrix(name)
    elif isinstance(A, sympy.MatrixBase):
        matrix = sympy.SparseMatrix(A)
    else:
        raise GeometryError(
            "A", type(A).__name__, "must be an operator or a SymPy matrix", "make one, as with conv"
        )
    if values is None:
        return matrix
    if not isinstance(values, Mapping):
        values = {name: values}
    replaced = _replacements(matrix, {str(key): value for key, value in values.items()})
    entries = {place: e.xreplace(replaced) for place, e in matrix.todok().items()}
    return sympy.SparseMatrix(*matrix.shape, entries)


def entries_of(matrix: Any) -> dict[Place, Any]:
    """Return the entries of a SymPy matrix that are not zero."""
    return {place: entry for place, entry in matrix.todok().items() if entry != 0}


def read(matrix: Any) -> Exact:
    """Read a SymPy matrix into the ring that its entries generate.

    Raises
    ------
    GeometryError
        Entries that are no polynomials in symbols, or hold inexact or unknown numbers; or a
        matrix of more than 1,000,000 places.
    """
    import sympy
    from sympy.polys.constructor import construct_domain

    if math.prod(matrix.shape) > LARGEST:
        raise GeometryError(
            "A", matrix.shape, f"has more than {LARGEST} places", "use a smaller geometry"
        )
    entries = entries_of(matrix)
    distinct = list(dict.fromkeys(entries.values()))  # weights repeat
    stand_ins = {atom: sympy.Dummy(str(atom)) for atom in _atoms(distinct)}
    generators = list(stand_ins.values())
    if not generators:
        domain, elements = construct_domain(distinct, extension=True)
        _check_domain(domain)
        known = dict(zip(distinct, elements, strict=True))
        return Exact(matrix.shape, {place: known[e] for place, e in entries.items()}, domain)
    try:
        polynomials = [sympy.Poly(e.xreplace(stand_ins), *generators) for e in distinct]
    except sympy.PolynomialError:
        raise GeometryError(
            "A", matrix, "has entries that are no polynomials", "name what is not by a symbol"
        ) from None
    coefficients = [c for polynomial in polynomials for c in polynomial.coeffs()]
    ground, numbers = construct_domain(coefficients, extension=True)
    _check_domain(ground)
    domain = ground[tuple(generators)]
    number = iter(numbers)
    elements = [
        domain.ring.from_dict({powers: next(number) for powers in polynomial.monoms()})
        for polynomial in polynomials
    ]
    known = dict(zip(distinct, elements, strict=True))
    back = {dummy: atom for atom, dummy in stand_ins.items()}
    return Exact(matrix.shape, {place: known[e] for place, e in entries.items()}, domain, back)


def _atoms(expressions: Iterable[Any]) -> list[Any]:
    """Return the symbols and indexed symbols that occur, in an order of their own."""
    import sympy

    found: set[Any] = set()
    for expression in expressions:
        indexed = expression.atoms(sympy.Indexed)
        hidden = {symbol for entry in indexed for symbol in entry.free_symbols} - indexed
        found |= indexed | (expression.free_symbols - hidden)
    return sorted(found, key=sympy.default_sort_key)


def _check_domain(domain: Any) -> None:
    if not (
        domain.is_ZZ or domain.is_QQ or domain.is_Algebraic or domain.is_ZZ_I or domain.is_QQ_I
    ):
        raise GeometryError(
            "A",
            str(domain),
            "holds numbers that are not exact and algebraic",
            "use integers, fractions, or symbols",
        )


def _replacements(matrix: Any, values: dict[str, Any]) -> dict[Any, Any]:
    import sympy

    replaced, used = {}, set()
    for atom in _atoms(entries_of(matrix).values()):
        indexed = isinstance(atom, sympy.Indexed)
        label = str(atom.base.label) if indexed else str(atom)
        if label not in values:
            continue
        used.add(label)
        given = values[label]
        array = given if isinstance(given, (list, tuple)) else to_numpy(given, "values")
        array = np.asarray(array, dtype=object)
        place = tuple(int(i) for i in atom.indices) if indexed else ()
        if array.ndim != len(place) or any(i >= n for i, n in zip(place, array.shape)):  # noqa: B905, unequal lengths stop at the first
            raise GeometryError(
                "values", array.shape, f"has no entry for {atom}", "give the shape of the weight"
            )
        replaced[atom] = _number(array[place])
    if missing := set(values) - used:
        raise GeometryError(
            "values", sorted(missing), "name no symbols of the matrix", "print it to see its names"
        )
    return replaced


def _number(value: Any) -> Any:
    """Return a number as SymPy's, exactly."""
    import sympy

    if isinstance(value, (complex, np.complexfloating)):
        return _number(value.real) + sympy.I * _number(value.imag)
    if isinstance(value, (float, np.floating)):
        if not np.isfinite(value):
            raise GeometryError("values", value, "must be finite", "use finite numbers")
        value = Fraction(float(value))
    if isinstance(value, Fraction):
        return sympy.Rational(value.numerator, value.denominator)
    return sympy.sympify(int(value)) if isinstance(value, (int, np.integer)) else _symbolic(value)


def _symbolic(value: Any) -> Any:
    if hasattr(value, "free_symbols"):
        return value
    raise GeometryError("values", value, "must be a number or an expression", "pass numbers")
