"""SciPy sparse arrays from a geometry and its weight: whole, by rows, or into old buffers."""

from __future__ import annotations

import math
import weakref
from functools import lru_cache
from typing import Any, Literal, cast, get_args

import numpy as np
from scipy import sparse

from convmat.geometry.arguments import GeometryError, one_of
from convmat.geometry.pattern import (
    Pattern,
    Record,
    entries_between,
    enumerate_pattern,
    grid_size,
    index_dtype,
    index_for,
    nbytes,
)
from convmat.geometry.weights import as_dtype, slots, working_dtype
from convmat.geometry.window import Geometry
from convmat.matrix import entries as sources
from convmat.matrix import limits
from convmat.matrix.entries import Entries, Stored
from convmat.matrix.files import FORMATS, Format

__all__ = [
    "Zeros",
    "build",
    "check_format",
    "pattern",
    "weight_matrix",
]

KEPT_ENTRIES = 1 << 18  # of a pattern that is kept for the next weight gradient

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[int, int]
Zeros = Literal["keep", "drop"]


def pattern(geometry: Geometry) -> Pattern:
    """Return the pattern of a geometry, by whichever builder suits its size."""
    if grid_size(geometry) <= sources.GRID_LIMIT:
        return enumerate_pattern(geometry)
    from convmat.kernels.cpu.csr import build as fast

    limits.check_memory(nbytes(geometry, np.dtype(np.int64)))
    return Pattern(*fast.csr(geometry, slots(geometry)), geometry.shape)


def build(
    entries: Entries,
    format: str = "csr",  # noqa: A002, SciPy's word
    dtype: Any = None,
    rows: slice | None = None,
    out: sparse.csr_array[Any] | None = None,
    *,
    values_only: bool = False,
    zeros: str = "keep",
) -> Any:
    """Return the matrix of a layer; see `BuiltOperator.matrix`."""
    if entries.dtype == object:
        raise GeometryError(
            "weight", "SymPy expressions", "cannot fill a SciPy matrix", "use symbolic_matrix()"
        )
    format = check_format(format, zeros)  # noqa: A001, SciPy's word
    wanted = working_dtype(entries.dtype) if dtype is None else as_dtype(dtype)
    if wanted != entries.dtype:
        entries = entries.converted(wanted)
    record = entries.record
    span = _row_span(rows, record.shape[0])
    if zeros == "drop" and out is not None:
        raise GeometryError(
            "zeros", zeros, "needs buffers of its own: how many are left hangs on the weight",
            "leave out= or zeros= out",
        )  # fmt: skip
    if rows is not None and max(record.nnz, *record.shape) > np.iinfo(np.int64).max:
        raise GeometryError(
            "rows",
            rows,
            f"are of a matrix of {record.shape[0]} x {record.shape[1]} with {record.nnz} entries, "
            "which 64 bits cannot number",
            "use smaller sizes, or fewer channels",
        )
    if out is not None:
        _check_buffers(entries, span, out, values_only=values_only)
        if format != "csr":
            raise GeometryError("format", format, "has no buffers to write into", "use 'csr'")
        if values_only:
            entries.refill(span, out.data)
        else:
            entries.csr(span, (out.indptr, out.indices, out.data))
        return _wrap(record, span, out)
    if values_only:
        raise GeometryError("values_only", True, "needs a matrix to refill", "pass it as out")
    if format == "csc" and span == (0, record.shape[0]):
        return build(entries.transpose(), dtype=entries.dtype, zeros=zeros).T
    kept = entries.nonzero() if zeros == "drop" else entries
    limits.check_memory(_needed(format, kept, span))
    indptr, indices, data = kept.csr(span)
    shape = (span[1] - span[0], record.shape[1])
    filled: Any = sparse.csr_array((data, indices, indptr), shape=shape)
    filled = _wrap(record, span, filled) if kept is entries else _canonical(filled)
    if format == "dia":
        return _diagonals(filled)
    return filled.asformat(format)


def _needed(format: str, entries: Stored, span: Rows) -> int:  # noqa: A002
    """Return the bytes of the matrix, and those of a conversion from CSR: exact, or a bound.

    Python objects, of which dok and lil consist, are counted at what CPython spends on them.
    """
    shape, item = entries.record.shape, entries.dtype.itemsize
    index = index_for(max(entries.before(shape[0]), *shape)).itemsize
    per_entry, per_row, per_column = {
        "csr": (0, 0, 0),
        "csc": (index + item, 0, index),
        "coo": (index, 0, 0),
        "bsr": (2 * (index + item), index, index),  # blocks are at least 70 percent full
        "dia": (2 * index + 24, 0, 0),  # to number the diagonals; see `_diagonals`
        "dok": (288, 0, 0),
        "lil": (112, 192, 0),
    }[format]
    stored, rows = entries.before(span[1]) - entries.before(span[0]), span[1] - span[0]
    own = stored * (index + item) + (rows + 1) * index
    return own + stored * per_entry + rows * per_row + (shape[1] + 1) * per_column


def _diagonals(matrix: sparse.csr_array[Any]) -> Any:
    """Convert to dia, whose size depends on how many diagonals hold any entry."""
    triplets = matrix.tocoo(copy=False)
    offsets = np.unique(triplets.col - triplets.row)
    length = int(triplets.col.max(initial=-1)) + 1  # of each stored diagonal
    needed = offsets.size * length * matrix.dtype.itemsize
    limits.check_memory(needed, "use format='csr'")
    return triplets.asformat("dia")


def weight_matrix(geometry: Geometry, x: Array, dtype: np.dtype[Any]) -> sparse.csr_array[Any]:
    """Return U with ``layer(x) == U @ weight`` for x of shape (batch, columns), flattened."""
    batch, rows, entries = len(x), geometry.shape[0], geometry.nnz
    size = math.prod(geometry.weight_shape)
    most = max(batch * entries, batch * rows, size)
    index = np.dtype(np.int32 if most <= np.iinfo(np.int32).max else np.int64)
    result = (
        batch * entries * (dtype.itemsize + index.itemsize) + (batch * rows + 1) * index.itemsize
    )
    limits.check_memory(
        result + 32 * entries + x.size * dtype.itemsize, "apply A(x) to smaller batches"
    )
    # The structure is that of the pattern, repeated: it is sorted once, carrying the columns.
    one = (_kept_by_slot if entries <= KEPT_ENTRIES else _by_slot)(geometry)
    starts = entries * np.arange(batch, dtype=index)[:, None] + one.indptr[:-1].astype(index)
    indptr = np.append(starts.ravel(), index.type(batch * entries))
    indices = np.tile(one.indices.astype(index, copy=False), batch)
    data = x.astype(dtype, copy=False)[:, one.data].ravel()
    stacked = sparse.csr_array((data, indices, indptr), shape=(batch * rows, size))
    stacked.has_sorted_indices = True
    stacked.has_canonical_format = True  # a row meets a slot once
    return stacked


def _by_slot(geometry: Geometry) -> sparse.csr_array[Any]:
    """Return the pattern as a matrix from slots to outputs, whose values are the columns."""
    p = pattern(geometry)
    shape = geometry.shape[0], math.prod(geometry.weight_shape)
    one = sparse.csr_array((p.indices, p.slot, p.indptr), shape=shape)
    one.sort_indices()
    return one


# Training asks for the same few geometries at every step.
_kept_by_slot = lru_cache(maxsize=8)(_by_slot)


def _canonical(matrix: sparse.csr_array[Any]) -> sparse.csr_array[Any]:
    """Mark a matrix whose columns ascend in every row."""
    matrix.has_sorted_indices = True
    matrix.has_canonical_format = True
    return matrix


def _wrap(record: Record, span: Rows, matrix: sparse.csr_array[Any]) -> sparse.csr_array[Any]:
    """Mark a matrix as canonical, and with what it was built from, for later refills."""
    _canonical(matrix)
    matrix._convmat_mark = _Mark(record, span, matrix)  # type: ignore[attr-defined]  # ours
    return matrix


class _Mark:
    """What a matrix was built from, valid while it holds the very index arrays it was given.

    A matrix that is pickled or copied in depth leaves its mark behind.
    """

    def __init__(self, record: Record, span: Rows, matrix: sparse.csr_array[Any]) -> None:
        self.built_from = record, span
        self.arrays = weakref.ref(matrix.indptr), weakref.ref(matrix.indices)

    def vouches(self, record: Record, span: Rows, matrix: sparse.csr_array[Any]) -> bool:
        """Say whether `matrix` still has the structure of these rows."""
        indptr, indices = (array() for array in self.arrays)
        kept = matrix.indptr is indptr and matrix.indices is indices
        return kept and self.built_from == (record, span)

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


def check_format(format: str, zeros: str = "keep") -> Format:  # noqa: A002, SciPy's word
    """Return the name of a format of `scipy.sparse`, in any case; refuse unknown words."""
    one_of("zeros", zeros, get_args(Zeros))
    return cast("Format", one_of("format", format, FORMATS, any_case=True))


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


def _check_buffers(entries: Entries, span: Rows, out: Any, *, values_only: bool) -> None:
    """Check that `out` can hold the result before anything is written."""
    record = entries.record
    if not isinstance(out, sparse.csr_array):
        raise GeometryError("out", type(out).__name__, "must be a csr_array", "build one first")
    mark = getattr(out, "_convmat_mark", None)
    if values_only and not (mark is not None and mark.vouches(record, span, out)):
        raise GeometryError(
            "out",
            out.shape,
            "was not built by convmat on this geometry and rows, or was changed since, so its "
            "structure is unknown",
            "leave values_only out",
        )
    stored = entries_between(record, *span)
    index = index_dtype(record)
    wanted = (
        ("shape", out.shape, (span[1] - span[0], record.shape[1])),
        ("number of entries", (out.indices.size, out.data.size), (stored, stored)),
        ("index dtype", (out.indptr.dtype, out.indices.dtype), (index, index)),
        ("dtype", out.dtype, entries.dtype),
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
