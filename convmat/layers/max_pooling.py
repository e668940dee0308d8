"""Max pooling, the selection that it amounts to, and the unpooling that undoes its sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError, as_shape
from convmat.geometry.arrays import batch_of, from_numpy, on_device, to_numpy
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.keywords import axes_keywords, pool_axes
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.window import Window
from convmat.kernels.cpu.conv.in_numpy import shift
from convmat.layers.pooling_windows import check_entries, check_windows, first_inputs
from convmat.operator import KroneckerOperator

__all__ = ["MaxPool", "max_pool", "selection", "unpool"]

Array = np.ndarray[Any, np.dtype[Any]]


NOT_LINEAR = (
    "max pooling is not linear; with its switches fixed it is: "
    "y, switches = pool(x), then selection(in_shape, switches)"
)


@dataclass(frozen=True)
class MaxPool:
    """A max pooling: not linear, so it gives values and switches instead of being an operator.

    Attributes
    ----------
    channels : int
    axes : tuple of Window
        One for each spatial axis.
    """

    channels: int
    axes: tuple[Window, ...]

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Shape (C, *spatial) of the input, without batch."""
        return (self.channels, *(axis.n_in for axis in self.axes))

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape (C, *spatial) of the output, without batch."""
        return (self.channels, *(axis.n_out for axis in self.axes))

    def __call__(self, x: Any) -> tuple[Any, Any]:
        """Return (y, switches) of x (*batch, C, *spatial); the kind of array is kept.

        y has the dtype of x. The switches are int64: for each output, the flat position of the
        input that won, within the plane of its channel and without padding.
        """
        return self._pool(x, named=True)

    def values(self, x: Any) -> Any:
        """Return y alone: the switches are not looked for, which takes less time.

        Examples
        --------
        >>> max_pool((1, 4), kernel_size=2).values(np.array([[1, 7, 3, 2]]))
        array([[7, 3]])
        """
        return self._pool(x, named=False)[0]

    def _pool(self, x: Any, *, named: bool) -> tuple[Any, Any]:
        if on_device(x):
            return self._pool_on_device(x, named=named)
        array = to_numpy(x, "x")
        batch_of(array, self.in_shape)
        _check_order(array.dtype)
        from convmat.kernels.cpu.max_pool import pooling  # Numba is loaded on first use

        if pooling.serves(self.axes, array.dtype):
            y, switches = pooling.max_pool(self.axes, array, named=named)
        else:
            y, switches = _pooled(self.axes, array)
        y = from_numpy(y, like=x, alike=True)
        return y, None if switches is None else from_numpy(switches, like=x)

    def _pool_on_device(self, x: Any, *, named: bool) -> tuple[Any, Any]:
        from convmat.kernels.cuda.arrays import held
        from convmat.kernels.cuda.max_pool import max_pool

        given = held(x, "x")
        batch = batch_of(given, self.in_shape)
        _check_order(given.dtype)
        planes, shape = math.prod(batch) * self.channels, (*batch, *self.out_shape)
        y, switches = max_pool(self.axes, given, planes, shape, named=named)
        return y.to(x.dtype) if hasattr(y, "to") else y, switches  # bfloat16 had been widened

    def __getattr__(self, name: str) -> Any:
        if name in ("T", "H", "matrix", "nnz", "symbolic_matrix", "weight_matrix"):
            raise AttributeError(f"a max pooling has no {name}: {NOT_LINEAR}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __matmul__(self, other: Any) -> Any:
        raise TypeError(f"a max pooling is not composed with @: {NOT_LINEAR}")

    # The operator on the left leaves what it does not know to this.
    __rmatmul__ = __matmul__
    # NumPy must hand `array @ pool` to this class.
    __array_ufunc__ = None

    def __repr__(self) -> str:
        kernel = tuple(axis.kernel for axis in self.axes)
        words = [f"kernel {kernel}"]
        words += [f"{word} {value}" for word, value in axes_keywords(self.axes).items()]
        return f"<max_pool, {', '.join(words)}: {self.in_shape} -> {self.out_shape}>"


def max_pool(
    in_shape: Sequence[int],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    ceil_mode: bool = False,
) -> MaxPool:
    """Return a max pooling; calling it gives the greatest input of each window, and where it was.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Shape of one input; any number of spatial axes.
    kernel_size : int, or one per spatial axis
    stride : int, or one per spatial axis, optional
        Steps, in samples, between windows; the kernel size if not given.
    padding : int, one per axis, (low, high) per axis, or a name
        As for `conv`. Padding never wins.
    dilation : int, or one per spatial axis
        Steps, in samples, between the taps of a window.
    ceil_mode : bool
        Keep a last window that overhangs the end; see `output_size`. By keyword: PyTorch's
        modules have another flag at its place.

    Returns
    -------
    MaxPool
        ``y, switches = max_pool(...)(x)``.

    Raises
    ------
    GeometryError
        Any argument out of range, or a window that holds no input at all.

    Notes
    -----
    ``y[c, o] = max over k of x[c, i]`` with ``i = stride*o + dilation*k - pad`` on every axis,
    over the i inside the input. Of equal winners the first in C order is named. NaN wins over
    every number, and of several NaNs the last is named, as PyTorch does on CPU. One comparison
    for each output and tap; scratch of some 32 KB for each thread (two to three times the output
    for float128 and for more than three spatial axes, which are not compiled).

    With the switches fixed, pooling is linear: see `selection`.

    References
    ----------
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1,
    for the switches.

    Examples
    --------
    >>> pool = max_pool((1, 2, 4), kernel_size=2)
    >>> pool
    <max_pool, kernel (2, 2), stride 2: (1, 2, 4) -> (1, 1, 2)>
    >>> y, switches = pool(np.array([[[1, 7, 0, 2], [5, 3, 9, 4]]]))
    >>> y, switches
    (array([[[7, 9]]]), array([[[1, 6]]]))
    """
    shape = as_shape("in_shape", in_shape)
    axes = pool_axes(shape[1:], kernel_size, stride, padding, dilation, ceil_mode)
    check_windows(axes)
    return MaxPool(shape[0], axes)


def _check_order(dtype: np.dtype[Any]) -> None:
    """Refuse numbers of which none is the greatest."""
    if dtype.kind in "cO":
        raise GeometryError(
            "x", dtype, "must hold real numbers, which have an order", "pass x.real"
        )


def _pooled(axes: tuple[Window, ...], x: Array) -> tuple[Array, Array]:
    """Return values and switches, one pass for each tap."""
    spatial = tuple(axis.n_in for axis in axes)
    plane = np.arange(math.prod(spatial), dtype=np.int64).reshape(spatial)
    # Every window starts with its own first input, so that padding needs no number.
    start: Any = (..., *np.ix_(*(first_inputs(axis)[0] for axis in axes)))
    y = np.ascontiguousarray(x[start])
    switches = np.array(np.broadcast_to(plane[start], y.shape), order="C")
    for tap in np.ndindex(*(axis.kernel for axis in axes)):
        met = [shift(axis, k) for axis, k in zip(axes, tap, strict=True)]
        outputs: Any = (..., *(o for o, _ in met))
        inputs: Any = (..., *(i for _, i in met))
        candidates, best = x[inputs], y[outputs]
        wins = candidates > best
        if x.dtype.kind == "f":
            wins |= np.isnan(candidates)
        np.copyto(best, candidates, where=wins)
        np.copyto(switches[outputs], plane[inputs], where=wins)
    return y, switches


def selection(in_shape: Sequence[int], switches: Any) -> KroneckerOperator:
    """Return the 0/1 operator that reads, for each output, the input that its switch names.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Shape of what was pooled.
    switches : integer array (C, *pooled)
        Flat positions within the plane of a channel, as `max_pool` gives them for one input.

    Returns
    -------
    KroneckerOperator
        in_shape to (C, *pooled).

    Raises
    ------
    GeometryError
        Switches of another dtype or shape, or beyond the plane.

    Notes
    -----
    With ``y, switches = max_pool(...)(x)``, ``y == selection(in_shape, switches)(x)``. The
    transpose is the gradient of max pooling: it puts numbers back where they came from and adds
    those of windows that share a winner. Frameworks' unpooling assigns instead: `unpool` is
    equal to the transpose if and only if no winner is shared.

    Entries: one for each output. Memory: five integers for each.

    Examples
    --------
    >>> S = selection((1, 4), [[2, 2]])
    >>> S.matrix().toarray()
    array([[0., 0., 1., 0.],
           [0., 0., 1., 0.]])
    >>> S.T(np.array([[1.0, 10.0]])), unpool((1, 4), [[2, 2]])(np.array([[1.0, 10.0]]))
    (array([[ 0.,  0., 11.,  0.]]), array([[ 0.,  0., 10.,  0.]]))
    """
    shape = _shape_before(in_shape, switches)
    winners, pooled = _winners(shape, switches)
    chosen = AxisMap.choosing(math.prod(shape), winners)
    record = Kronecker.of((chosen,), shape, pooled)
    return KroneckerOperator(record, ("selection", "selection, transposed"))


def unpool(in_shape: Sequence[int], switches: Any) -> KroneckerOperator:
    """Return the unpooling of frameworks: each number is assigned to the place of its switch.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Shape of what was pooled, which is the output of the unpooling.
    switches : integer array (C, *pooled)
        Flat positions within the plane of a channel, as `max_pool` gives them for one input.

    Returns
    -------
    KroneckerOperator
        (C, *pooled) to in_shape; places that no switch names are 0.

    Raises
    ------
    GeometryError
        Switches of another dtype or shape, or beyond the plane.

    Notes
    -----
    Where several switches name one place, the last in C order is kept (PyTorch leaves open which
    one, and keeps the last where it runs in a single thread). ``unpool(...)`` and
    ``selection(...).T`` are equal if and only if no winner is shared, such as when windows do
    not overlap; `prove_equal` tells.

    Entries: one for each place that is named. Memory: an integer for each place besides.

    References
    ----------
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.

    Examples
    --------
    >>> U = unpool((1, 4), [[1, 2]])
    >>> U(np.array([[5.0, 6.0]]))
    array([[0., 5., 6., 0.]])
    """
    shape = _shape_before(in_shape, switches)
    winners, pooled = _winners(shape, switches)
    check_entries(math.prod(shape))
    source = np.full(math.prod(shape), -1, np.int64)
    source[winners] = np.arange(len(winners))  # NumPy keeps the last of equal indices
    record = Kronecker.of((AxisMap.choosing(len(winners), source),), pooled, shape)
    return KroneckerOperator(record, ("unpool", "unpool, transposed"))


def _shape_before(in_shape: Any, switches: Any) -> tuple[int, ...]:
    """Return the shape of what was pooled; refuse switches in its place."""
    if getattr(in_shape, "ndim", 0) >= 2 and isinstance(switches, (tuple, list)):
        raise GeometryError(
            "in_shape",
            in_shape,
            "is an array where a shape is expected",
            "are the arguments swapped? in_shape comes first, then switches",
        )
    return as_shape("in_shape", in_shape)


def _winners(in_shape: tuple[int, ...], switches: Any) -> tuple[Array, tuple[int, ...]]:
    """Return flat positions in `in_shape` from positions in planes, and the pooled shape."""
    array = to_numpy(switches, "switches")
    if array.dtype.kind not in "iu":
        raise GeometryError(
            "switches", array.dtype, "must be integers", "pass the switches that max_pool returned"
        )
    if array.ndim != len(in_shape) or array.shape[0] != in_shape[0] or array.size == 0:
        raise GeometryError(
            "switches",
            array.shape,
            f"must have shape ({in_shape[0]}, *pooled) with {len(in_shape) - 1} sizes of 1 or "
            f"more for in_shape {in_shape}",
            "pass those of one input: of a batch, switches[0]",
        )
    plane = math.prod(in_shape[1:])
    least, most = int(array.min()), int(array.max())
    if least < 0 or most >= plane:
        raise GeometryError(
            "switches",
            least if least < 0 else most,
            f"is outside a plane of {plane} positions, {in_shape[1:]}",
            f"use flat positions 0 to {plane - 1} within the plane of a channel",
        )
    starts = plane * np.arange(in_shape[0])
    flat = array.reshape(in_shape[0], -1).astype(np.int64) + starts[:, None]
    return flat.ravel(), array.shape
