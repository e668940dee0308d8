"""Fresh memory for the three arrays of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["allocate"]

Array = np.ndarray[Any, np.dtype[Any]]

CACHE_LINE = 64
HUGE_PAGE = 2 << 20


def allocate(
    index: np.dtype[Any], rows: int, entries: int, dtype: np.dtype[Any]
) -> tuple[Array, Array, Array]:
    """Allocate (indptr, indices, data) as views of one buffer.

    Most of the time of a large build is the kernel's, clearing the pages that are touched for
    the first time. One buffer, begun at a huge page where that wastes little, is cleared in
    huge pages (NumPy asks for them), and given back to the allocator as one piece.
    """
    sizes = [entries * dtype.itemsize, entries * index.itemsize, (rows + 1) * index.itemsize]
    ends = np.cumsum([-(-size // CACHE_LINE) * CACHE_LINE for size in sizes])
    spare = min(int(ends[-1]) // 16 // HUGE_PAGE, 2) * HUGE_PAGE
    # Wide elements, for SciPy copies a view that has less than half the elements of its base.
    base = np.empty((int(ends[-1]) + spare) // 16, np.complex128)
    buffer = base.view(np.uint8)
    begin = -buffer.ctypes.data % HUGE_PAGE if spare else 0
    starts = [begin, *(begin + ends[:-1])]
    data, indices, indptr = (
        buffer[start : start + size].view(kind)
        for start, size, kind in zip(starts, sizes, (dtype, index, index), strict=True)
    )
    return indptr, indices, data
