"""SciPy sparse arrays from a geometry and its weight: whole, by rows, or into old buffers."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from scipy import sparse

from convmat._check import GeometryError, one_of
from convmat.geometry import Geometry
from convmat.pattern import (
    Pattern,
    entries_before,
    enumerate_pattern,
    grid_size,
    index_dtype,
    nbytes,
)
from convmat.weights import as_weight, correlation_weight, slots

__all__ = ["build", "check_format", "check_memory", "pattern", "weight_matrix"]

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[int, int]

# Below this many candidates the NumPy grid answers within milliseconds, less than it costs to
# import Numba; above it the compiled builder is worth loading.
GRID_LIMIT = 1 << 18


def pattern(geometry: Geometry) -> Pattern:
    """Return the pattern of a geometry, by whichever builder suits its size."""
    if grid_size(geometry) <= GRID_LIMIT:
        return enumerate_pattern(geometry)
    from convmat.kernels import build as fast

    check_memory(nbytes(geometry, np.dtype(np.int64)))
    return Pattern(*fast.csr(geometry, slots(geometry)), geometry.shape)


def build(
    geometry: Geometry,
    weight: Array,
    format: str = "csr",  # noqa: A002, SciPy's word
    dtype: Any = None,
    rows: slice | None = None,
    out: sparse.csr_array[Any] | None = None,
    *,
    values_only: bool = False,
) -> Any:
    """Return the matrix of a geometry and a weight; see `LayerOperator.matrix`."""
    if weight.dtype == object:
        raise GeometryError(
            "weight", "SymPy expressions", "cannot fill a SciPy matrix", "use symbolic_matrix()"
        )
    check_format(format)
    if dtype is not None:
        weight = _converted(weight, dtype)
    span = _row_span(rows, geometry.shape[0])
    if out is not None:
        _check_buffers(geometry, weight.dtype, span, out, values_only=values_only)
        if format != "csr":
            raise GeometryError("format", format, "has no buffers to write into", "use 'csr'")
        return _fill(geometry, weight, span, out, values_only=values_only)
    if values_only:
        raise GeometryError("values_only", True, "needs a matrix to refill", "pass it as out")
    if format == "csc" and span == (0, geometry.shape[0]):
        return build(geometry.transpose(), weight).T
    check_memory(nbytes(geometry, weight.dtype, span))
    filled: Any = _fill(geometry, weight, span, None)
    return filled.asformat(format)


def weight_matrix(geometry: Geometry, x: Array) -> sparse.csr_array[Any]:
    """Return U with ``layer(x) == U @ weight`` for x of shape (batch, columns), flattened."""
    p = pattern(geometry)
    size = int(np.prod(geometry.weight_shape))
    blocks = [
        sparse.csr_array((row[p.indices], p.slot, p.indptr), shape=(p.shape[0], size)) for row in x
    ]
    if not blocks:
        return sparse.csr_array((0, size), dtype=x.dtype)
    stacked = blocks[0] if len(blocks) == 1 else sparse.vstack(blocks, format="csr")
    stacked.sort_indices()
    return stacked


def _fill(
    geometry: Geometry,
    weight: Array,
    span: Rows,
    out: sparse.csr_array[Any] | None,
    *,
    values_only: bool = False,
) -> sparse.csr_array[Any]:
    """Write the rows of `span`, into `out` or into fresh arrays."""
    if grid_size(geometry) <= GRID_LIMIT:
        indptr, indices, data = _small(geometry, weight, span)
        if out is not None:
            out.indptr[:], out.indices[:], out.data[:] = indptr, indices, data
            return _wrap(geometry, span, out)
    else:
        from convmat.kernels import build as fast

        numbers = correlation_weight(geometry, weight)
        if out is not None:
            if values_only:
                fast.values(geometry, numbers, span, out.data)
            else:
                fast.csr(geometry, numbers, span, (out.indptr, out.indices, out.data))
            return _wrap(geometry, span, out)
        indptr, indices, data = fast.csr(geometry, numbers, span)
    shape = (span[1] - span[0], geometry.shape[1])
    return _wrap(geometry, span, sparse.csr_array((data, indices, indptr), shape=shape))


def _small(geometry: Geometry, weight: Array, span: Rows) -> tuple[Array, Array, Array]:
    p = enumerate_pattern(geometry)
    start, stop = span
    cut = slice(int(p.indptr[start]), int(p.indptr[stop]))
    data = weight.reshape(-1)[p.slot[cut]]
    return p.indptr[start : stop + 1] - p.indptr[start], p.indices[cut], data


def _wrap(geometry: Geometry, span: Rows, matrix: sparse.csr_array[Any]) -> sparse.csr_array[Any]:
    """Mark a matrix as canonical, and with what it was built from, for later refills."""
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    matrix._convmat_built_from = (geometry, span)  # type: ignore[attr-defined]  # a mark of ours
    return matrix


def check_format(format: str) -> None:  # noqa: A002, SciPy's word
    """Refuse what is not a format of `scipy.sparse`."""
    one_of("format", format, ("csr", "csc", "coo", "bsr", "dia", "dok", "lil"))


def _converted(weight: Array, dtype: Any) -> Array:
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise GeometryError("dtype", dtype, "is not a dtype", "use one such as 'f8'") from None
    if weight.dtype.kind == "c" and wanted.kind in "iuf":
        raise GeometryError("dtype", dtype, "would drop the imaginary parts", "use a complex dtype")
    if wanted.kind not in "iufc":
        raise GeometryError("dtype", dtype, "is not a dtype of numbers", "use one such as 'f8'")
    return as_weight(weight.astype(wanted), "dtype")


def _row_span(rows: slice | None, total: int) -> Rows:
    if rows is None:
        return 0, total
    if not isinstance(rows, slice):
        raise GeometryError("rows", rows, "must be a slice", "use rows=slice(start, stop)")
    try:
        start, stop, step = rows.indices(total)
    except TypeError:
        raise GeometryError("rows", rows, "must hold integers", "use slice(start, stop)") from None
    if step != 1:
        raise GeometryError("rows", rows, "must have step 1", "index the result for other steps")
    return start, max(start, stop)


def _check_buffers(
    geometry: Geometry, dtype: np.dtype[Any], span: Rows, out: Any, *, values_only: bool
) -> None:
    """Check that `out` can hold the result before anything is written."""
    if not isinstance(out, sparse.csr_array):
        raise GeometryError("out", type(out).__name__, "must be a csr_array", "build one first")
    if values_only and getattr(out, "_convmat_built_from", None) != (geometry, span):
        raise GeometryError(
            "out",
            out.shape,
            "was not built by convmat on this geometry and rows, so its structure is unknown",
            "leave values_only out",
        )
    entries = entries_before(geometry, span[1]) - entries_before(geometry, span[0])
    index = index_dtype(geometry)
    wanted = (
        ("shape", out.shape, (span[1] - span[0], geometry.shape[1])),
        ("number of entries", (out.indices.size, out.data.size), (entries, entries)),
        ("index dtype", (out.indptr.dtype, out.indices.dtype), (index, index)),
        ("dtype", out.dtype, dtype),
    )
    for what, found, needed in wanted:
        if found != needed:
            raise GeometryError("out", found, f"its {what} must be {needed}", "build a fresh one")
    for name in ("indptr", "indices", "data"):
        flags = getattr(out, name).flags
        if not (flags.writeable and flags.c_contiguous and flags.aligned):
            raise GeometryError(
                "out", name, "must be a writeable, contiguous array", "build a fresh one"
            )


def check_memory(needed: int) -> None:
    """Refuse what would not fit before allocating it."""
    available = _available_memory()
    if available is not None and needed > available:
        raise MemoryError(
            f"matrix = {needed / 2**30:.4g} GiB: must fit in the {available / 2**30:.4g} GiB "
            "available; build rows=slice(start, stop) at a time, or apply A(x) without a matrix"
        )


def _available_memory() -> int | None:
    """Bytes that can be allocated now, or None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
