"""Matrices with SymPy entries, for geometries small enough to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.kronecker import Kronecker
from convmat.geometry.pattern import Record, enumerate_kronecker, enumerate_pattern
from convmat.geometry.window import Geometry

if TYPE_CHECKING:
    import sympy

__all__ = ["separable_matrix", "symbolic_matrix"]

Array = np.ndarray[Any, np.dtype[Any]]


def symbolic_matrix(geometry: Geometry, weight: Array, name: str = "w") -> sympy.SparseMatrix:
    """Return the matrix of a geometry with symbols for the entries of its weight.

    Parameters
    ----------
    geometry : Geometry
    weight : array of shape ``geometry.weight_shape``
        If it holds SymPy expressions they are the entries; numbers are not used.
    name : str
        Entry ``name[c, b, *tap]`` stands for ``weight[c, b, *tap]``.

    Returns
    -------
    sympy.SparseMatrix of shape ``geometry.shape``, mutable.

    Notes
    -----
    Cost: nnz SymPy objects; meant for matrices that a person will read.

    Examples
    --------
    >>> from convmat.geometry.window import Window
    >>> g = Geometry((Window(3, 2, 2, 1, 1, 1, 0),), in_channels=1, out_channels=1)
    >>> symbolic_matrix(g, np.zeros((1, 1, 2)), "v")[1, 2]
    v[0, 0, 1]
    """
    import sympy

    pattern = enumerate_pattern(geometry)
    entries: list[Any]
    if weight.dtype == object:
        entries = [sympy.sympify(entry) for entry in weight.flat]
    else:
        base = sympy.IndexedBase(name)
        entries = [base[index] for index in np.ndindex(*geometry.weight_shape)]
    return _filled(pattern.indptr, pattern.indices, [entries[s] for s in pattern.slot], geometry)


def separable_matrix(record: Kronecker) -> sympy.SparseMatrix:
    """Return the matrix of a layer without weights of its own: exact fractions.

    Examples
    --------
    >>> from convmat.geometry.axis_map import AxisMap
    >>> thirds = AxisMap.of(3, 1, [0, 0, 0], [0, 1, 2], [1, 1, 1], [3, 3, 3])
    >>> separable_matrix(Kronecker.of((thirds,), (3,), (1,)))
    Matrix([[1/3, 1/3, 1/3]])
    """
    indptr, indices, values = enumerate_kronecker(record, np.dtype(object))
    return _filled(indptr, indices, values, record)


def _filled(indptr: Array, indices: Array, values: Any, record: Record) -> sympy.SparseMatrix:
    import sympy

    rows = np.repeat(np.arange(record.shape[0]), np.diff(indptr))
    places = zip(rows.tolist(), indices.tolist(), values, strict=True)
    return sympy.SparseMatrix(*record.shape, {(r, c): value for r, c, value in places})
