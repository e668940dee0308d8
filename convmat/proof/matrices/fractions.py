"""Matrices of operators as exact fractions, so that two of them are compared without rounding."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from convmat.operator import KroneckerOperator, LayerOperator, Operator, Product, Scaled, Sum

__all__ = ["Exact", "Unequal", "exact_matrix", "first_difference", "rounds"]

Array = np.ndarray[Any, np.dtype[Any]]

MOST = 1 << 16  # stored entries: Python integers take some hundred nanoseconds each
MOST_TERMS = 1 << 18  # of the sums behind the entries of a product
MANTISSA = 1 << 53  # smaller integers over a power of two are float64 numbers


class Exact(NamedTuple):
    """A sparse matrix of fractions with one denominator.

    keys : int64 array, ascending: row * columns + column
    numerators : array of Python integers
    """

    columns: int
    keys: Array
    numerators: Array
    denominator: int


class Unequal(NamedTuple):
    """The first entry, in C order, at which two matrices differ, and all rows that do."""

    row: int
    column: int
    first: Fraction
    second: Fraction
    rows: Array


def exact_matrix(A: Operator) -> Exact | None:  # noqa: N803, operators are written as matrices are
    """Return the matrix of an operator, exactly; None if it is large or holds other numbers.

    The weights of a layer without weights are fractions, and a float is one too.

    Examples
    --------
    >>> import convmat as cm
    >>> third = exact_matrix(Fraction(1, 3) * cm.identity((1, 2)))
    >>> third.keys, third.numerators, third.denominator
    (array([0, 3]), array([1, 1], dtype=object), 3)
    """
    makers: tuple[tuple[type, Callable[[Any], Exact | None]], ...] = (
        (KroneckerOperator, _separable),
        (LayerOperator, _layer),
        (Scaled, _multiple),
        (Product, _composed),
        (Sum, _added),
    )
    if A.nnz > MOST:
        return None
    return next((make(A) for kind, make in makers if isinstance(A, kind)), None)


def _multiple(A: Scaled) -> Exact | None:  # noqa: N803
    inner, scalar = exact_matrix(A.operator), _fraction(A.scalar)
    if inner is None or scalar is None:
        return None
    numerators = inner.numerators * scalar.numerator
    if not scalar:
        return Exact(inner.columns, inner.keys[:0], numerators[:0], 1)
    return Exact(inner.columns, inner.keys, numerators, inner.denominator * scalar.denominator)


def _composed(A: Product) -> Exact | None:  # noqa: N803
    left, right = exact_matrix(A.outer), exact_matrix(A.inner)
    return None if left is None or right is None else _product(left, right, A.inner.shape[0])


def _added(A: Sum) -> Exact | None:  # noqa: N803
    left, right = exact_matrix(A.first), exact_matrix(A.second)
    return None if left is None or right is None else _sum(left, right)


def _fraction(number: Any) -> Fraction | None:
    if isinstance(number, np.integer):
        return Fraction(int(number))
    try:
        return Fraction(*number.as_integer_ratio())
    except (AttributeError, OverflowError, ValueError):  # complex, a symbol; infinite; missing
        return None


def _objects(values: Any) -> Array:
    """Return Python integers in an array, which do not overflow."""
    made = np.empty(len(values), object)
    made[:] = [int(value) for value in values]
    return made


def _separable(A: KroneckerOperator) -> Exact:  # noqa: N803
    record = A.record
    rows, columns = np.zeros(1, np.int64), np.zeros(1, np.int64)
    numerators, denominator = _objects([1]), 1
    for axis, part in enumerate(record.maps):
        common = math.lcm(*(int(q) for q in np.unique(part.denominators)))
        own = _objects(part.numerators) * (common // _objects(part.denominators))
        rows = np.add.outer(rows, record.rows_of(axis, part.outputs)).ravel()
        columns = np.add.outer(columns, record.columns_of(axis, part.inputs)).ravel()
        numerators = np.multiply.outer(numerators, own).ravel()
        denominator *= common
    return _gathered(A.shape[1], rows * A.shape[1] + columns, numerators, denominator)


def _layer(A: LayerOperator) -> Exact | None:  # noqa: N803
    if A.dtype.kind not in "iuf":
        return None
    matrix = A.matrix().tocoo()
    known, which = np.unique(matrix.data, return_inverse=True)
    scaled = _over_one_denominator(known)
    if scaled is None:
        return None
    keys = matrix.row.astype(np.int64) * A.shape[1] + matrix.col
    return _gathered(A.shape[1], keys, scaled[0][which.ravel()], scaled[1])


def _over_one_denominator(weights: Array) -> tuple[Array, int] | None:
    """Return numerators and their denominator; None where a weight is no finite number."""
    ratios = [_fraction(weight) for weight in weights]
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < len(ratios):
        return None
    common = math.lcm(*(ratio.denominator for ratio in known))
    return _objects([ratio.numerator * (common // ratio.denominator) for ratio in known]), common


def _gathered(columns: int, keys: Array, numerators: Array, denominator: int) -> Exact:
    """Sort entries, add those of one place, and drop zeros."""
    order = np.argsort(keys, kind="stable")
    keys, numerators = keys[order], numerators[order]
    if len(keys):
        starts = np.flatnonzero(np.r_[True, np.diff(keys) != 0])
        keys, numerators = keys[starts], np.add.reduceat(numerators, starts)
        kept = np.asarray(numerators != 0, bool)
        keys, numerators = keys[kept], numerators[kept]
    return Exact(columns, keys, numerators, denominator)


def _product(left: Exact, right: Exact, inner: int) -> Exact | None:
    """Return left @ right, whose sums run over `inner` positions."""
    begin = np.searchsorted(right.keys, right.columns * np.arange(inner + 1))
    rows, middle = np.divmod(left.keys, left.columns)
    lengths = (begin[1:] - begin[:-1])[middle]
    terms = int(lengths.sum())
    if terms > MOST_TERMS:
        return None
    before = np.cumsum(lengths) - lengths
    met = np.arange(terms) + np.repeat(begin[middle] - before, lengths)
    keys = np.repeat(rows, lengths) * right.columns + right.keys[met] % right.columns
    numerators = np.repeat(left.numerators, lengths) * right.numerators[met]
    return _gathered(right.columns, keys, numerators, left.denominator * right.denominator)


def _sum(left: Exact, right: Exact) -> Exact:
    common = math.lcm(left.denominator, right.denominator)
    numerators = [part.numerators * (common // part.denominator) for part in (left, right)]
    keys = np.concatenate([left.keys, right.keys])
    return _gathered(left.columns, keys, np.concatenate(numerators), common)


def first_difference(first: Exact, second: Exact) -> Unequal | None:
    """Return where two matrices of one shape differ, None if nowhere.

    Examples
    --------
    >>> import convmat as cm
    >>> eye = cm.identity((1, 2))
    >>> near = first_difference(exact_matrix(eye), exact_matrix((1 + Fraction(1, 10**18)) * eye))
    >>> near.row, near.column, float(near.second - near.first)
    (0, 0, 1e-18)
    """
    gap = _sum(first, second._replace(numerators=-second.numerators))
    if not len(gap.keys):
        return None
    key = int(gap.keys[0])
    values = []
    for part in (first, second):
        place = int(np.searchsorted(part.keys, key))
        stored = place < len(part.keys) and int(part.keys[place]) == key
        values.append(Fraction(part.numerators[place], part.denominator) if stored else Fraction(0))
    rows = np.unique(gap.keys // gap.columns)
    return Unequal(key // gap.columns, key % gap.columns, values[0], values[1], rows)


def rounds(A: Operator) -> bool:  # noqa: N803
    """Say whether the matrix of an operator may be rounded, or whether its floats are exact.

    Examples
    --------
    >>> import convmat as cm
    >>> rounds(cm.avg_pool((1, 4), 2)), rounds(cm.avg_pool((1, 6), 3))
    (False, True)
    """
    if isinstance(A, LayerOperator) and A.dtype.kind in "iuf":
        return False
    bound = _bound(A)
    return bound is None or bound[0] >= MANTISSA


def _bound(A: Operator) -> tuple[int, int] | None:  # noqa: N803
    """Return what bounds the numerators of all partial sums, and their denominator 2**n.

    None if there is no such denominator.
    """
    makers: tuple[tuple[type, Callable[[Any], tuple[int, int] | None]], ...] = (
        (KroneckerOperator, _separable_bound),
        (LayerOperator, _layer_bound),
        (Scaled, _multiple_bound),
        (Product, _composed_bound),
        (Sum, _added_bound),
    )
    return next((make(A) for kind, make in makers if isinstance(A, kind)), None)


def _separable_bound(A: KroneckerOperator) -> tuple[int, int] | None:  # noqa: N803
    most = common = 1
    for part in A.record.maps:
        most *= int(abs(part.numerators).max(initial=1))
        common *= math.lcm(*(int(q) for q in np.unique(part.denominators)))
    return _dyadic(most * common, common)


def _layer_bound(A: LayerOperator) -> tuple[int, int] | None:  # noqa: N803
    scaled = _over_one_denominator(np.unique(A.weight)) if A.dtype.kind in "iuf" else None
    return None if scaled is None else _dyadic(max(1, *abs(scaled[0])), scaled[1])


def _multiple_bound(A: Scaled) -> tuple[int, int] | None:  # noqa: N803
    inner, scalar = _bound(A.operator), _fraction(A.scalar)
    if inner is None or scalar is None:
        return None
    return _dyadic(inner[0] * max(abs(scalar.numerator), 1), inner[1] * scalar.denominator)


def _composed_bound(A: Product) -> tuple[int, int] | None:  # noqa: N803
    left, right = _bound(A.outer), _bound(A.inner)
    if left is None or right is None:
        return None
    terms = min(A.outer.longest_row, A.inner.longest_column)
    return left[0] * right[0] * terms, left[1] * right[1]


def _added_bound(A: Sum) -> tuple[int, int] | None:  # noqa: N803
    left, right = _bound(A.first), _bound(A.second)
    if left is None or right is None:
        return None
    common = max(left[1], right[1])
    return sum(most * (common // power) for most, power in (left, right)), common


def _dyadic(most: int, denominator: int) -> tuple[int, int] | None:
    return (most, denominator) if denominator & (denominator - 1) == 0 else None
