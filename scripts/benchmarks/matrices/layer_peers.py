"""Other ways to build the matrices of layers without weights: what users of SciPy write.

Each function returns builders by name. They begin where a user begins: with sizes, or with the
switches of a pooling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

Builder = Callable[[], Any]
Array = np.ndarray[Any, np.dtype[Any]]
DType = np.dtype[Any]


class Axis(NamedTuple):
    """One axis as tables (outputs, taps): the input that is met, and with which weight."""

    n_in: int
    inputs: Array  # out of range where a tap meets no input
    weight: Array

    @property
    def valid(self) -> Array:
        """Which taps meet an input."""
        return (self.inputs >= 0) & (self.inputs < self.n_in)

    def csr(self, dtype: DType) -> Any:
        """Return the matrix of the axis."""
        valid = self.valid
        shape = len(self.inputs), self.n_in
        indptr = np.append(0, valid.sum(1).cumsum())
        return sparse.csr_array(
            (self.weight[valid].astype(dtype), self.inputs[valid], indptr), shape
        )


def windows(n_in: int, kernel: int, stride: int = 1, pad: int = 0, weight: float = 1) -> Axis:
    """Return an axis of windows, all taps with the same weight."""
    starts = np.arange(0, n_in + 2 * pad - kernel + 1, stride, dtype=np.int32)
    index = starts[:, None] + np.arange(kernel, dtype=np.int32) - np.int32(pad)
    return Axis(n_in, index, np.full(index.shape, weight))


def doubled(n_in: int) -> Axis:
    """Return an axis of linear interpolation to twice the size, pixel centres aligned."""
    o = np.arange(2 * n_in, dtype=np.int32)[:, None]
    index = (o - 1) // 2 + np.arange(2, dtype=np.int32)
    weight = np.where((o + np.arange(2)) % 2, 0.75, 0.25)
    weight[0, 1] = weight[-1, 0] = 1  # the edge is repeated
    return Axis(n_in, index, weight)


def repeated(n_in: int, times: int) -> Axis:
    """Return an axis on which every input is repeated."""
    index = np.arange(n_in * times, dtype=np.int32)[:, None] // np.int32(times)
    return Axis(n_in, index, np.ones(index.shape))


def weighted(channels: int, axis: Callable[[], Axis], dtype: DType) -> dict[str, Builder]:
    """Return builders of a layer that is alike on both of its axes and in every channel."""

    def arrays() -> tuple[Any, Any, Any, tuple[int, int]]:
        """Mask, columns and values on the grid (channel, o, o, k, k), and the matrix's shape."""
        one = axis()
        n, plane = len(one.inputs), one.n_in**2
        rows, columns = (slice(None), None, slice(None), None), (None, slice(None), None)
        valid = one.valid[rows] & one.valid[columns]
        column = one.inputs[rows] * np.int32(one.n_in) + one.inputs[columns]
        weight = one.weight.astype(dtype)
        value = weight[rows] * weight[columns]
        start = np.arange(channels, dtype=np.int32).reshape(-1, 1, 1, 1, 1) * np.int32(plane)
        grid = channels, *value.shape
        return (
            np.broadcast_to(valid, grid),
            column + start,
            np.broadcast_to(value, grid),
            (channels * n**2, channels * plane),
        )

    def numpy_csr() -> Any:
        valid, column, value, shape = arrays()
        indptr = np.append(np.int32(0), valid.sum((3, 4), dtype=np.int32).cumsum(dtype=np.int32))
        return sparse.csr_array((value[valid], column[valid], indptr), shape)

    def numpy_coo() -> Any:
        valid, column, value, shape = arrays()
        row = np.arange(shape[0], dtype=np.int32).reshape(*valid.shape[:3], 1, 1)
        row = np.broadcast_to(row, valid.shape)[valid]
        return sparse.coo_array((value[valid], (row, column[valid])), shape).tocsr()

    def kron() -> Any:
        one = axis().csr(dtype)
        plane = sparse.kron(one, one, format="csr")
        return _in_blocks(channels, plane)

    def product() -> Any:
        one = axis().csr(dtype)
        n_out, n_in = one.shape
        rows = sparse.kron(one, sparse.eye_array(n_out, dtype=dtype, format="csr"), format="csr")
        columns = sparse.kron(sparse.eye_array(n_in, dtype=dtype, format="csr"), one, format="csr")
        return _in_blocks(channels, rows @ columns)

    return {"NumPy CSR": numpy_csr, "NumPy COO": numpy_coo, "kron": kron, "product": product}


def _in_blocks(channels: int, plane: Any) -> Any:
    """Repeat the matrix of one channel along the diagonal."""
    if channels == 1:
        return plane
    eye = sparse.eye_array(channels, dtype=plane.dtype, format="csr")
    return sparse.kron(eye, plane, format="csr")


def unfolded(channels: int, axis: Callable[[], Axis], dtype: DType) -> dict[str, Builder]:
    """Return builders of an unfolding: rows (channel, k, k, o, o), one entry each at most."""

    def arrays() -> tuple[Any, Any, tuple[int, int]]:
        one = axis()
        index, ok = one.inputs.T, one.valid.T
        rows, columns = (slice(None), None, slice(None), None), (None, slice(None), None)
        valid = ok[rows] & ok[columns]
        column = index[rows] * np.int32(one.n_in) + index[columns]
        start = np.arange(channels, dtype=np.int32)[:, None] * np.int32(one.n_in**2)
        shape = channels * column.size, channels * one.n_in**2
        return np.tile(valid.ravel(), channels), (column[valid] + start).ravel(), shape

    def numpy_csr() -> Any:
        valid, column, shape = arrays()
        indptr = np.zeros(shape[0] + 1, np.int32)
        np.cumsum(valid, out=indptr[1:])
        return sparse.csr_array((np.ones(len(column), dtype), column, indptr), shape)

    def numpy_coo() -> Any:
        valid, column, shape = arrays()
        row = np.flatnonzero(valid).astype(np.int32)
        return sparse.coo_array((np.ones(len(column), dtype), (row, column)), shape).tocsr()

    def kron() -> Any:
        one = axis()
        n_in, (n_out, kernel) = one.n_in, one.inputs.shape
        shifts = [
            sparse.eye_array(n_out, n_in, k=int(one.inputs[0, k]), dtype=dtype, format="csr")
            for k in range(kernel)
        ]
        taps = [sparse.kron(down, right, format="csr") for down in shifts for right in shifts]
        return _in_blocks(channels, sparse.vstack(taps, format="csr"))

    return {"NumPy CSR": numpy_csr, "NumPy COO": numpy_coo, "kron": kron}


def transposed(builders: dict[str, Builder]) -> dict[str, Builder]:
    """Return builders of the transposes, as CSR."""

    def turned(build: Builder) -> Builder:
        def csr() -> Any:
            return build().T.tocsr()

        return csr

    return {name: turned(build) for name, build in builders.items()}


def chosen(n_in: int, columns: Callable[[], Array], dtype: DType) -> dict[str, Builder]:
    """Return builders of a matrix with one 1 in each row, whose columns a user works out."""

    def numpy_csr() -> Any:
        column = columns()
        indptr = np.arange(len(column) + 1, dtype=np.int32)
        return sparse.csr_array((np.ones(len(column), dtype), column, indptr), (len(column), n_in))

    def numpy_coo() -> Any:
        column = columns()
        triplets = np.ones(len(column), dtype), (np.arange(len(column), dtype=np.int32), column)
        return sparse.coo_array(triplets, (len(column), n_in)).tocsr()

    def rows_of_eye() -> Any:
        return sparse.eye_array(n_in, dtype=dtype, format="csr")[columns()]

    return {"NumPy CSR": numpy_csr, "NumPy COO": numpy_coo, "rows of eye": rows_of_eye}


def selected(channels: int, n_in: int, switches: Array, dtype: DType) -> dict[str, Builder]:
    """Return builders of the selection that the switches of a max pooling name."""

    def columns() -> Array:
        flat = switches.reshape(channels, -1).astype(np.int32)
        return (flat + np.arange(channels, dtype=np.int32)[:, None] * np.int32(n_in**2)).ravel()

    return chosen(channels * n_in**2, columns, dtype)


def shuffled(channels: int, n_in: int, factor: int, dtype: DType) -> dict[str, Builder]:
    """Return builders of a pixel shuffle to `channels` channels."""

    def columns() -> Array:
        size = channels * factor**2 * n_in**2
        flat = np.arange(size, dtype=np.int32).reshape(channels, factor, factor, n_in, n_in)
        return flat.transpose(0, 3, 1, 4, 2).ravel()

    return chosen(channels * factor**2 * n_in**2, columns, dtype)
