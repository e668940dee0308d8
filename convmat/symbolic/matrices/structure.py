"""What the positions of the nonzeros say: blocks, parts and matchings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from convmat.symbolic.matrices.exact import Exact, Place

__all__ = ["blocks_of", "connected", "match_of"]

Array = np.ndarray[Any, np.dtype[np.int64]]


def blocks_of(exact: Exact) -> list[Exact]:
    """Return the diagonal blocks to which a square matrix is brought by exchanging indices.

    Rows and columns are exchanged alike, so that the blocks have the eigenvalues, and the
    determinants multiply. They are the strongly connected parts of the matrix as a graph.
    """
    from scipy.sparse.csgraph import connected_components

    _, label = connected_components(_graph(exact), directed=True, connection="strong")
    return _grouped(exact, label, label)


def connected(exact: Exact) -> list[Exact]:
    """Return the parts that share no row and no column, rows and columns keeping their number."""
    from scipy.sparse.csgraph import connected_components

    rows = exact.shape[0]
    places = np.array(list(exact.entries), np.int64).reshape(-1, 2)
    both = _sparse(places + np.array([0, rows]), (sum(exact.shape),) * 2)
    _, label = connected_components(both, directed=False)
    parts: dict[int, dict[Place, Any]] = {}
    for place, entry in exact.entries.items():
        parts.setdefault(label[place[0]], {})[place] = entry
    return [replace(exact, entries=part) for part in parts.values()]


def _grouped(exact: Exact, rows: Any, columns: Any) -> list[Exact]:
    """Cut out the blocks of indices with equal labels, numbered anew in their old order."""
    position = np.zeros(len(rows), np.int64)
    sizes = np.zeros(int(rows.max(initial=-1)) + 1, np.int64)
    for index, group in enumerate(rows):
        position[index] = sizes[group]
        sizes[group] += 1
    blocks: list[dict[Place, Any]] = [{} for _ in sizes]
    for (r, c), entry in exact.entries.items():
        if rows[r] == columns[c]:
            blocks[rows[r]][int(position[r]), int(position[c])] = entry
    return [
        replace(exact, shape=(int(n), int(n)), entries=block)
        for n, block in zip(sizes, blocks, strict=True)
    ]


def _sparse(places: Array, shape: Place) -> Any:
    from scipy import sparse

    return sparse.csr_matrix((np.ones(len(places), np.int8), places.T), shape=shape)


def _graph(exact: Exact) -> Any:
    return _sparse(np.array(list(exact.entries), np.int64).reshape(-1, 2), exact.shape)


def match_of(exact: Exact) -> Array:
    """Return a column for each row, none twice, and -1 for rows that no column is left for."""
    from scipy.sparse.csgraph import maximum_bipartite_matching

    found = maximum_bipartite_matching(_graph(exact), perm_type="column")
    return np.asarray(found, np.int64)
