"""The matrix of a composition: what is asked before it is made of others, and done at the end."""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.weights import as_dtype, converted
from convmat.matrix import limits

__all__ = ["check_built", "check_product", "finished"]

ROWS_COUNTED = 1 << 22  # entries of a stretch of rows, while the entries of a product are counted


def check_built(entries: int, working: np.dtype[Any], wanted: Any) -> None:
    """Refuse a matrix that would not fit, or would twice where it is converted."""
    copies = 1 + (wanted is not None and as_dtype(wanted) != working)
    limits.check_memory(copies * entries * (working.itemsize + 4))


def check_product(outer: Any, inner: Any, bound: int) -> None:
    """Refuse a product that would not fit; its entries are counted where the bound would not."""
    each = np.result_type(outer.dtype, inner.dtype).itemsize + 8
    try:
        limits.check_memory(bound * each)
    except MemoryError:
        step = max(ROWS_COUNTED * outer.shape[0] // max(bound, 1), 1)
        entries = 0
        for row in range(0, outer.shape[0], step):
            entries += (outer[row : row + step] @ inner).nnz
            limits.check_memory(entries * each)


def finished(matrix: Any, format: str, wanted: Any, zeros: str) -> Any:  # noqa: A002
    """Convert at the end, where a number that does not fit is seen; drop sums that are zero."""
    if wanted is not None and matrix.dtype != as_dtype(wanted):
        converted(matrix.data, wanted)
        matrix = matrix.astype(as_dtype(wanted))
    if zeros == "drop":
        matrix.eliminate_zeros()
    return matrix.asformat(format)
