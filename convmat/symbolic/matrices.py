"""Matrices with SymPy entries, for geometries small enough to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry import Geometry
from convmat.pattern import enumerate_pattern

if TYPE_CHECKING:
    import sympy

__all__ = ["symbolic_matrix"]

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
    >>> from convmat.geometry import Window
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
    rows = np.repeat(np.arange(geometry.shape[0]), np.diff(pattern.indptr))
    places = zip(rows.tolist(), pattern.indices.tolist(), pattern.slot.tolist(), strict=True)
    return sympy.SparseMatrix(*geometry.shape, {(r, c): entries[slot] for r, c, slot in places})
