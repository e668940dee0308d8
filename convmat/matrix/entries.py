"""The entries of a matrix before it is built: a record, its numbers, and the builders of its kind.

`convmat.matrix.csr` asks these for rows of CSR arrays, and knows of nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.pattern import Record, enumerate_kronecker, enumerate_pattern, grid_size
from convmat.geometry.weights import as_dtype, converted, correlation_weight
from convmat.geometry.window import Geometry

__all__ = ["Entries", "KroneckerEntries", "LayerEntries"]

Array = np.ndarray[Any, np.dtype[Any]]
Rows = tuple[int, int]
Buffers = tuple[Array, Array, Array]

# Below this many candidates the NumPy grid answers within milliseconds, less than it costs to
# import Numba; above it the compiled builder is worth loading.
GRID_LIMIT = 1 << 18
SORT_LIMIT = 1 << 15  # the same, where NumPy has to sort the entries


class Entries(Protocol):
    """What `convmat.matrix.csr` needs to know of a layer."""

    @property
    def record(self) -> Record:
        """Which output meets which input."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def transpose(self) -> Entries:
        """Return the entries of the transposed matrix."""

    def converted(self, dtype: Any) -> Entries:
        """Return the entries in another dtype, or refuse to round or cut them."""

    def csr(self, rows: Rows, out: Buffers | None = None) -> Buffers:
        """Return (indptr, indices, data) of the rows [start, stop), into `out` if it is given."""

    def refill(self, rows: Rows, data: Array) -> None:
        """Write the values alone."""


@dataclass(frozen=True)
class LayerEntries:
    """A geometry and its weight."""

    record: Geometry
    weight: Array

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the weight."""
        return self.weight.dtype

    def transpose(self) -> LayerEntries:
        """Return the transposed geometry with the very same weight."""
        return LayerEntries(self.record.transpose(), self.weight)

    def converted(self, dtype: Any) -> LayerEntries:
        """Convert the weight."""
        return LayerEntries(self.record, converted(self.weight, dtype))

    @property
    def _small(self) -> bool:
        return grid_size(self.record) <= GRID_LIMIT

    def csr(self, rows: Rows, out: Buffers | None = None) -> Buffers:
        """Build in NumPy what is small, in Numba what is not."""
        if self._small:
            p = enumerate_pattern(self.record)
            values = self.weight.reshape(-1)
            return _cut(p.indptr, p.indices, lambda part: values[p.slot[part]], rows, out)
        from convmat.kernels.cpu.csr import build

        return build.csr(self.record, correlation_weight(self.record, self.weight), rows, out)

    def refill(self, rows: Rows, data: Array) -> None:
        """Write the values alone."""
        if self._small:
            data[:] = self.csr(rows)[2]
            return
        from convmat.kernels.cpu.csr import build

        build.values(self.record, correlation_weight(self.record, self.weight), rows, data)


@dataclass(frozen=True)
class KroneckerEntries:
    """A Kronecker layer in a dtype."""

    record: Kronecker
    dtype: np.dtype[Any]

    def transpose(self) -> KroneckerEntries:
        """Return the transposed record."""
        return KroneckerEntries(self.record.transpose(), self.dtype)

    def converted(self, dtype: Any) -> KroneckerEntries:
        """Choose a dtype that holds the weights: any float, or an integer if they are whole."""
        wanted = as_dtype(dtype)
        if wanted.kind in "iu" and not self.record.fits(wanted):
            raise GeometryError(
                "dtype",
                dtype,
                "would change the weights, which are not whole numbers in its range",
                "use one such as 'f8'",
            )
        return KroneckerEntries(self.record, wanted)

    def csr(self, rows: Rows, out: Buffers | None = None) -> Buffers:
        """Build in NumPy what is small, in Numba what is not."""
        if self.record.nnz <= SORT_LIMIT:
            indptr, indices, values = enumerate_kronecker(self.record, self.dtype)
            return _cut(indptr, indices, lambda part: values[part], rows, out)
        from convmat.kernels.cpu.csr import kronecker

        return kronecker.csr(self.record, self.dtype, rows, out)

    def refill(self, rows: Rows, data: Array) -> None:
        """Write the values alone."""
        data[:] = self.csr(rows)[2]


def _cut(indptr: Array, indices: Array, values: Any, rows: Rows, out: Buffers | None) -> Buffers:
    """Cut rows out of a whole pattern."""
    start, stop = rows
    part = slice(int(indptr[start]), int(indptr[stop]))
    made = indptr[start : stop + 1] - indptr[start], indices[part], values(part)
    if out is None:
        return made
    for target, source in zip(out, made, strict=True):
        target[:] = source
    return out
