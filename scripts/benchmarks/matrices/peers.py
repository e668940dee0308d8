"""Other ways to build the matrix of a convolution with "same"-sized padding.

Each builder takes the weight (C_out, C_in, *kernel), the input shape, stride and dilation, and
returns a callable, or None where the peer cannot do the case.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

Builder = Callable[[], Any]


class Case(NamedTuple):
    """One matrix to be built; padding is dilation*(kernel // 2) on every side."""

    weight: np.ndarray[Any, np.dtype[Any]]
    in_shape: tuple[int, ...]
    stride: int
    dilation: int

    @property
    def plain(self) -> bool:
        """Whether it has one channel, stride 1 and dilation 1."""
        return self.weight.shape[:2] == (1, 1) and self.stride == self.dilation == 1


def axis_index(n: int, k: int, stride: int, dilation: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the input of every (output, tap), out of range where there is none."""
    pad = dilation * (k // 2)
    outputs = (n + 2 * pad - dilation * (k - 1) - 1) // stride + 1
    return (
        stride * np.arange(outputs, dtype=np.int32)[:, None]
        + dilation * np.arange(k, dtype=np.int32)
        - np.int32(pad)
    )


def numpy_coo(case: Case) -> Builder:
    """Vectorised index arithmetic on the whole grid, then COO to CSR."""

    def build() -> Any:
        out, inner, *kernel = case.weight.shape
        spatial = case.in_shape[1:]
        ndim = len(spatial)
        column: Any = np.int32(0)
        valid: Any = np.bool_(True)
        positions = []
        for d, (n, k) in enumerate(zip(spatial, kernel, strict=True)):
            index = axis_index(n, k, case.stride, case.dilation)
            shape = [1] * (2 * ndim)
            shape[d], shape[ndim + d] = index.shape
            column = column * np.int32(n) + index.reshape(shape)
            valid = valid & ((index >= 0) & (index < n)).reshape(shape)
            positions.append(len(index))
        row = np.arange(np.prod(positions), dtype=np.int32).reshape(*positions, *[1] * ndim)
        grid = np.broadcast_shapes(row.shape, column.shape)
        row, column = np.broadcast_to(row, grid)[valid], column[valid]
        tap = np.broadcast_to(
            np.arange(np.prod(kernel), dtype=np.int32).reshape([1] * ndim + kernel), grid
        )[valid]
        n_out, n_in = int(np.prod(positions)), int(np.prod(spatial))
        size = (out, inner, len(row))
        channel_out = np.arange(out, dtype=np.int32)[:, None, None] * np.int32(n_out)
        channel_in = np.arange(inner, dtype=np.int32)[None, :, None] * np.int32(n_in)
        rows = np.broadcast_to(row + channel_out, size).ravel()
        columns = np.broadcast_to(column + channel_in, size).ravel()
        data = case.weight.reshape(out, inner, -1)[:, :, tap].ravel()
        return sparse.coo_array((data, (rows, columns)), shape=(out * n_out, inner * n_in)).tocsr()

    return build


def scipy_kron(case: Case) -> Builder:
    """``scipy.sparse``: diags in 1-D, Kronecker products of shifts beyond, then COO to CSR."""

    def shift(n: int, k: int, tap: int) -> Any:
        pad = case.dilation * (k // 2)
        dtype = case.weight.dtype
        full = sparse.eye_array(n, n, k=case.dilation * tap - pad, dtype=dtype, format="csr")
        return full[:: case.stride] if case.stride > 1 else full

    def one_dimension() -> Any:
        (n,), k = case.in_shape[1:], case.weight.shape[-1]
        offsets = [case.dilation * (tap - k // 2) for tap in range(k)]
        full = sparse.diags_array(
            list(case.weight[0, 0]), offsets=offsets, shape=(n, n), format="csr"
        )
        return full[:: case.stride] if case.stride > 1 else full

    def build() -> Any:
        _, _, *kernel = case.weight.shape
        parts = []
        for tap in np.ndindex(*kernel):
            product = sparse.coo_array(case.weight[(slice(None),) * 2 + tap])
            for n, k, t in zip(case.in_shape[1:], kernel, tap, strict=True):
                product = sparse.kron(product, shift(n, k, t), format="coo")
            parts.append(product)
        row, column, data = (
            np.concatenate([part[j] for part in ((p.row, p.col, p.data) for p in parts)])
            for j in range(3)
        )
        return sparse.coo_array((data, (row, column)), shape=parts[0].shape).tocsr()

    single = case.weight.shape[:2] == (1, 1) and case.weight.ndim == 3
    return one_dimension if single else build


def ptwt(case: Case) -> Builder | None:
    """``ptwt.sparse_math.construct_conv2d_matrix``: a PyTorch sparse tensor, columns stacked."""
    if importlib.util.find_spec("ptwt") is None or case.weight.ndim != 4 or not case.plain:
        return None
    import torch
    from ptwt.sparse_math import construct_conv2d_matrix

    kernel = torch.from_numpy(np.flip(case.weight[0, 0]).copy())
    return lambda: construct_conv2d_matrix(kernel, *case.in_shape[1:], mode="same").coalesce()


def sparse_convolution(case: Case) -> Builder | None:
    """``sparse_convolution.Toeplitz_convolution2d``, precomputed: the full-sized matrix."""
    missing = importlib.util.find_spec("sparse_convolution") is None
    if missing or case.weight.ndim != 4 or not case.plain:
        return None
    from sparse_convolution import Toeplitz_convolution2d

    kernel = np.flip(case.weight[0, 0]).copy()
    return lambda: Toeplitz_convolution2d(
        case.in_shape[1:], kernel, mode="same", method="precomputed", backend="numpy", verbose=0
    )


PEERS: dict[str, Callable[[Case], Builder | None]] = {
    "NumPy COO": numpy_coo,
    "scipy.sparse": scipy_kron,
    "ptwt": ptwt,
    "sparse_convolution": sparse_convolution,
}
