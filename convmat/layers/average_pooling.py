"""Average pooling, over windows and adaptive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convmat.geometry.arguments import GeometryError, as_bool, as_integer, as_shape
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.keywords import conv_pads, per_axis, pool_axes
from convmat.geometry.kronecker import Kronecker
from convmat.geometry.resampling import adaptive, averaging
from convmat.layers.pooling_windows import check_entries, check_windows
from convmat.operator import KroneckerOperator

__all__ = ["AveragePool", "adaptive_avg_pool", "avg_pool"]


class AveragePool(KroneckerOperator):
    """An average over windows, so that `convmat.mirror` can tell it: weights alone do not."""


def avg_pool(
    in_shape: Sequence[int],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> AveragePool:
    """Return average pooling as a linear operator.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Shape of one input; any number of spatial axes.
    kernel_size : int, or one per spatial axis
        Size of the window, in samples.
    stride : int, or one per spatial axis, optional
        Steps between windows, in samples; `kernel_size` if not given.
    padding : int, one per axis, (low, high) per axis, or a name
        Zeros added at each end; the names are those of `conv`.
    ceil_mode : bool
        Count a last window that overhangs the end; see `output_size`.
    count_include_pad : bool
        Divide by the cells of the window within the padded input, rather than by the number of
        inputs that it holds. Cells beyond the high padding, which `ceil_mode` reaches, never
        count.
    divisor_override : int, optional
        Divide by this number instead, which may be negative.

    Returns
    -------
    AveragePool
        Maps (C, *spatial) to (C, *out), each size being `output_size` of its axis.

    Raises
    ------
    GeometryError
        Any argument out of range, a window that does not fit, or one that holds no input.

    Notes
    -----
    ``y[c, o] = sum over the window of x[c, i] / divisor``. The divisor is a product of one number
    for each axis, so that the matrix is a Kronecker product of one small matrix for each axis.
    Making the operator costs O(sum of the entries of those). The transpose spreads every average
    evenly over its window; where windows tile the input it is nearest upsampling over the number
    of cells.

    References
    ----------
    PyTorch, ``torch.nn.AvgPool2d``, and for the two divisors its ``count_include_pad``.

    Examples
    --------
    >>> A = avg_pool((1, 4), kernel_size=2)
    >>> A.matrix().toarray()
    array([[0.5, 0.5, 0. , 0. ],
           [0. , 0. , 0.5, 0.5]])
    >>> avg_pool((1, 3), 2, padding=1).symbolic_matrix()
    Matrix([
    [1/2,   0,   0],
    [  0, 1/2, 1/2]])
    """
    shape = as_shape("in_shape", in_shape)
    ceil_mode = as_bool("ceil_mode", ceil_mode)
    include = as_bool("count_include_pad", count_include_pad)
    windows = pool_axes(shape[1:], kernel_size, stride, padding, ceil_mode=ceil_mode)
    check_windows(windows)
    check_entries(shape[0], *(window.n_out * min(window.kernel, window.n_in) for window in windows))
    kernel = tuple(window.kernel for window in windows)
    strides = tuple(window.stride for window in windows)
    divisors: list[int | None] = [None] * len(windows)
    if divisor_override is not None:
        divisors = [_divisor(divisor_override), *[1] * (len(windows) - 1)]
    maps = [
        averaging(n, k, s, low, high, window.n_out, include, divisor)
        for n, k, s, (low, high), window, divisor in zip(
            shape[1:],
            kernel,
            strides,
            conv_pads(shape[1:], kernel, strides, padding, dilation=1),
            windows,
            divisors,
            strict=True,
        )
    ]
    name = f"average pooling, kernel {kernel}"
    return _on_each_channel(
        shape, maps, name + (f", stride {strides}" if strides != kernel else "")
    )


def _divisor(divisor_override: Any) -> int:
    divisor = as_integer("divisor_override", divisor_override)
    if divisor == 0:
        raise GeometryError("divisor_override", 0, "must not be zero", "use divisor_override=1")
    return divisor


def adaptive_avg_pool(in_shape: Sequence[int], output_size: Any) -> AveragePool:
    """Return average pooling to a given size as a linear operator.

    Parameters
    ----------
    in_shape : tuple (C, *spatial)
        Shape of one input; any number of spatial axes.
    output_size : int or None, or one per spatial axis
        Size of the output; None keeps the size of the axis. 1 is global pooling.

    Returns
    -------
    AveragePool
        Maps (C, *spatial) to (C, *output_size).

    Raises
    ------
    GeometryError
        Any argument out of range.

    Notes
    -----
    Output o of an axis of n is the mean of ``floor(o*n/m) <= i < ceil((o + 1)*n/m)``, m being
    its output size. Windows overlap where m does not divide n, and may be of two sizes. Making
    the operator costs O(sum over the axes of n + m).

    References
    ----------
    PyTorch, ``torch.nn.AdaptiveAvgPool2d``.

    Examples
    --------
    >>> adaptive_avg_pool((1, 5), 3).symbolic_matrix()
    Matrix([
    [1/2, 1/2,   0,   0,   0],
    [  0, 1/3, 1/3, 1/3,   0],
    [  0,   0,   0, 1/2, 1/2]])
    >>> adaptive_avg_pool((2, 4, 6), 1).shape
    (2, 48)
    """
    shape = as_shape("in_shape", in_shape)
    ndim = len(shape) - 1
    wanted: list[int | None] = [None] * ndim
    if output_size is not None:
        wanted = _sizes_or_none(output_size, ndim)
    sizes = [n if m is None else m for n, m in zip(shape[1:], wanted, strict=True)]
    check_entries(shape[0], *shape[1:], *sizes)  # windows overlap by one input at most
    maps = [adaptive(n, m) for n, m in zip(shape[1:], sizes, strict=True)]
    return _on_each_channel(shape, maps, "adaptive average pooling")


def _sizes_or_none(output_size: Any, ndim: int) -> list[int | None]:
    """Return one size for each axis, None where the size is kept."""
    if not isinstance(output_size, (list, tuple)) or all(m is not None for m in output_size):
        return [*per_axis("output_size", output_size, ndim, 1)]
    output_size = output_size * ndim if len(output_size) == 1 else output_size
    stands = [1 if entry is None else entry for entry in output_size]
    sizes = per_axis("output_size", stands, ndim, 1)
    return [None if entry is None else m for entry, m in zip(output_size, sizes, strict=True)]


def _on_each_channel(shape: tuple[int, ...], maps: Sequence[AxisMap], name: str) -> AveragePool:
    """Return the operator of one map for each spatial axis."""
    out_shape = (shape[0], *(part.n_out for part in maps))
    record = Kronecker.of((AxisMap.identity(shape[0]), *maps), shape, out_shape)
    return AveragePool(record, (name, f"transpose of {name}"))
