"""From output sizes back to input sizes: integers or SymPy expressions alike."""

from __future__ import annotations

from typing import Any

from convmat.geometry.arguments import as_bool, as_pair, at_least

__all__ = ["input_sizes", "output_padding_for", "same_input_sizes"]


def input_sizes(
    m: Any,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> tuple[Any, Any]:
    """Return (first, last) of the input sizes that a convolution or pooling maps to `m`.

    Parameters
    ----------
    m, kernel, stride, dilation : int or SymPy expression
        Output size and window, in samples.
    padding : int, SymPy expression, or a (low, high) pair of them
    ceil_mode : bool
        See `output_size`.

    Returns
    -------
    tuple of int or SymPy expression
        The ends of ``stride`` consecutive integers. Where there is much padding the first of
        them may be below 1, and so no sizes.

    Raises
    ------
    GeometryError
        An integer argument out of range.

    Notes
    -----
    The first is ``stride*(m - 1) + dilation*(kernel - 1) + 1 - p_low - p_high``, the size that a
    transposed convolution without output padding makes of m. With `ceil_mode` it is
    ``stride*(m - 1) + 1 - p_low + max(0, dilation*(kernel - 1) + 1 - stride - p_high)``. O(1).

    Examples
    --------
    >>> input_sizes(14, kernel=3, stride=2, padding=1)
    (27, 28)
    >>> input_sizes(3, kernel=3, stride=2, ceil_mode=True)
    (6, 7)
    """
    m, kernel = at_least(1, m=m, kernel=kernel)
    stride, dilation = at_least(1, stride=stride, dilation=dilation)
    low, high = as_pair(padding)
    reach = dilation * (kernel - 1) - high
    if as_bool("ceil_mode", ceil_mode):
        reach = _at_least_zero(reach + 1 - stride)
    first = stride * (m - 1) + 1 - low + reach
    return first, first + stride - 1


def same_input_sizes(m: Any, stride: Any = 1) -> tuple[Any, Any]:
    """Return (first, last) of the input sizes that SAME padding maps to `m`.

    Examples
    --------
    >>> same_input_sizes(3, stride=2)
    (5, 6)
    """
    (m,) = at_least(1, m=m)
    (stride,) = at_least(1, stride=stride)
    first = stride * (m - 1) + 1
    return first, first + stride - 1


def output_padding_for(
    n: Any, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Any:
    """Return the output padding with which the transposed convolution leads back to `n`.

    Parameters
    ----------
    n, kernel, stride, dilation : int or SymPy expression
        Input size and window of the convolution.
    padding : int, SymPy expression, or a (low, high) pair of them

    Returns
    -------
    int, or SymPy expression if any argument is one
        ``(n + p_low + p_high - dilation*(kernel - 1) - 1) mod stride``.

    Raises
    ------
    GeometryError
        An integer argument out of range.

    Examples
    --------
    >>> output_padding_for(28, kernel=3, stride=2, padding=1)
    1
    """
    n, kernel = at_least(1, n=n, kernel=kernel)
    stride, dilation = at_least(1, stride=stride, dilation=dilation)
    low, high = as_pair(padding)
    return (n + low + high - dilation * (kernel - 1) - 1) % stride


def _at_least_zero(size: Any) -> Any:
    if isinstance(size, int):
        return max(0, size)
    import sympy

    return sympy.Max(0, size)
