"""Sizes of what slides a window: convolution, pooling, their transposes and unfolding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from convmat.geometry.arguments import GeometryError, as_bool, as_pair, as_size, at_least, one_of

__all__ = [
    "PADDING_RULES",
    "is_same",
    "output_size",
    "padding_ends",
    "padding_rule",
    "pool_padding_room",
    "same_padding",
    "same_size",
    "transposed_output_size",
    "unfold_shape",
]

PADDING_RULES = ("valid", "same", "full", "same_upper", "same_lower")


def output_size(
    n: Any,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """Return the output size of a convolution or pooling along one axis.

    Parameters
    ----------
    n, kernel, stride, dilation : int or SymPy expression
        Input size and window, in samples.
    padding : int, SymPy expression, or a (low, high) pair of them
        Zeros added at each end; or one of `PADDING_RULES`, as `padding_ends` reads them.
    ceil_mode : bool
        Count a last window that overhangs the end by less than the stride, provided that it
        starts inside the input or its low padding (the pooling rule of PyTorch).

    Returns
    -------
    int, or SymPy expression if any argument is one.

    Raises
    ------
    GeometryError
        An integer argument out of range, or a window that does not fit; the message says the
        least padding that would make it fit.

    Notes
    -----
    ``floor((n + p_low + p_high - dilation*(kernel - 1) - 1) / stride) + 1``, the number of o
    whose whole window lies inside the padded input. With `ceil_mode` the least of
    ``ceil((n + p_low + p_high - dilation*(kernel - 1) - 1) / stride) + 1`` and
    ``ceil((n + p_low) / stride)``: windows that start inside and overhang by less than a stride.
    O(1).

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, relation 6,
    here with dilation (section 5.1) and unequal padding.

    Examples
    --------
    >>> output_size(28, kernel=3, stride=2, padding=1), output_size(28, 3, 2, padding="same")
    (14, 14)
    >>> output_size(6, kernel=3, stride=2), output_size(6, kernel=3, stride=2, ceil_mode=True)
    (2, 3)
    >>> from sympy import symbols
    >>> n, k, s, p = symbols("n k s p", integer=True, positive=True)
    >>> output_size(n, k, s, p)
    floor((-k + n + 2*p)/s) + 1
    """
    n, kernel = at_least(1, n=n, kernel=kernel)
    stride, dilation = at_least(1, stride=stride, dilation=dilation)
    low, high = padding_ends(padding, n, kernel, stride, dilation)
    ceil_mode = as_bool("ceil_mode", ceil_mode)
    span = dilation * (kernel - 1) + 1
    room = n + low + high - span
    overhang = stride - 1 if ceil_mode and isinstance(stride, int) else 0  # of the first window
    if isinstance(room, int) and room < -overhang:
        raise GeometryError(
            "kernel",
            kernel,
            f"the window spans {span} (dilation {dilation}) but the input of {n} with padding "
            f"{low} + {high} has only {n + low + high}",
            f"the least padding that fits is {-(-(span - n) // 2)} on each side",
        )
    if not ceil_mode:
        return room // stride + 1
    starts = -((-n - low) // stride)  # windows that start inside the input or its low padding
    return _minimum(-(-room // stride) + 1, starts)


def pool_padding_room(kernel: Any, padding: Any = 0, dilation: Any = 1) -> tuple[Any, Any]:
    """Return (low, high): by how much a pooling's window exceeds twice its padding at each end.

    Frameworks take a pooling only if both are at least 0: the padding of an end is at most half
    of the window, dilation included, so that every window holds an input.

    Parameters
    ----------
    kernel, dilation : int or SymPy expression
    padding : int, SymPy expression, or a (low, high) pair of them

    Examples
    --------
    >>> pool_padding_room(3, padding=1), pool_padding_room(2, padding=(1, 2))
    ((1, 1), (0, -2))
    >>> pool_padding_room(3, padding=2, dilation=2)
    (1, 1)
    """
    span = dilation * (kernel - 1) + 1
    low, high = as_pair(padding)
    return span - 2 * low, span - 2 * high


def transposed_output_size(
    n: Any,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
) -> Any:
    """Return the output size of a transposed convolution along one axis.

    Parameters
    ----------
    n, kernel, stride, dilation : int or SymPy expression
        Input size, and the window of the convolution that is transposed.
    padding : int, SymPy expression, or a (low, high) pair of them
        Padding of the convolution that is transposed; or one of `PADDING_RULES`: SAME padding
        leads to ``stride*n``, the largest size that the convolution maps to `n`.
    output_padding : int or SymPy expression
        Selects one of the sizes that the convolution maps to `n`; less than
        ``max(stride, dilation)``.

    Returns
    -------
    int, or SymPy expression if any argument is one.

    Raises
    ------
    GeometryError
        An integer argument out of range, or no output left.

    Notes
    -----
    ``stride*(n - 1) + dilation*(kernel - 1) + 1 - p_low - p_high + output_padding``. O(1).

    References
    ----------
    Dumoulin and Visin, 2016, relation 14, here with dilation and unequal padding.

    Examples
    --------
    >>> transposed_output_size(14, kernel=3, stride=2, padding=1, output_padding=1)
    28
    >>> transposed_output_size(14, kernel=3, stride=2, padding="SAME")
    28
    >>> from sympy import symbols
    >>> n, k, s, p, a = symbols("n k s p a", integer=True)
    >>> transposed_output_size(n, k, s, p, a)
    a + k - 2*p + s*(n - 1)
    """
    n, kernel = at_least(1, n=n, kernel=kernel)
    stride, dilation = at_least(1, stride=stride, dilation=dilation)
    extra = as_size("output_padding", output_padding, 0)
    if is_same(padding):
        if extra != 0:
            raise GeometryError(
                "output_padding",
                extra,
                f"has no meaning with padding={padding!r}",
                "leave it out; the size of a layer is chosen with output_size",
            )
        return stride * n
    low, high = padding_ends(padding, n, kernel, stride, dilation)
    limit = _output_padding_limit(stride, dilation)
    if isinstance(extra, int) and limit is not None and extra >= limit:
        raise GeometryError(
            "output_padding",
            extra,
            f"must be less than max(stride, dilation) = {limit}",
            f"use at most {limit - 1}",
        )
    size = stride * (n - 1) + dilation * (kernel - 1) + 1 - low - high + extra
    if isinstance(size, int) and size < 1:
        raise GeometryError(
            "padding",
            padding,
            f"leaves no output: the size would be {size}",
            f"the total padding can be at most {low + high + size - 1}",
        )
    return size


def _output_padding_limit(stride: Any, dilation: Any) -> int | None:
    if isinstance(stride, int) and isinstance(dilation, int):
        return max(stride, dilation)
    return None


def _minimum(first: Any, second: Any) -> Any:
    if isinstance(first, int) and isinstance(second, int):
        return min(first, second)
    import sympy

    return sympy.Min(first, second)


def same_size(n: Any, stride: Any) -> Any:
    """Return the output size ceil(n / stride) of SAME padding, of integers or SymPy expressions.

    Examples
    --------
    >>> same_size(5, 2)
    3
    """
    return -(-n // stride)


def same_padding(n: Any, kernel: Any, stride: Any, dilation: Any) -> tuple[Any, Any]:
    """Return (larger half, smaller half) of the padding under which out = ceil(n / stride).

    Integers, or SymPy expressions if any argument is one. The total is as small as it can be.
    ``"same_upper"`` (and ``"same"``) put the larger half at the high end, as TensorFlow and
    PyTorch do, ``"same_lower"`` at the low end.

    Examples
    --------
    >>> same_padding(n=5, kernel=4, stride=1, dilation=1)
    (2, 1)
    """
    out = same_size(n, stride)
    total = -_minimum(n - (out - 1) * stride - dilation * (kernel - 1) - 1, 0)
    return total - total // 2, total // 2


def padding_rule(padding: str, rules: Sequence[str] = PADDING_RULES) -> str:
    """Return which of `rules` a name of padding means, in any case.

    TensorFlow and ONNX write them in capitals, Keras in small letters.

    Raises
    ------
    GeometryError
        No such rule: ``"NOTSET"``, ``"auto"``, ``"none"`` leave the numbers to another argument.

    Examples
    --------
    >>> padding_rule("SAME_UPPER"), padding_rule("Valid")
    ('same_upper', 'valid')
    """
    name = padding.strip().lower()
    return name if name in rules else one_of("padding", padding, rules)


def is_same(padding: Any) -> bool:
    """Return whether padding is written as one of the three rules that depend on the size."""
    return isinstance(padding, str) and padding_rule(padding).startswith("same")


def padding_ends(padding: Any, n: Any, kernel: Any, stride: Any, dilation: Any) -> tuple[Any, Any]:
    """Return (low, high) along one axis, from numbers or from one of `PADDING_RULES`.

    Integers, or SymPy expressions if any argument that matters is one. ``"valid"`` adds nothing,
    ``"full"`` all that a window can reach, the SAME rules what `same_padding` says of an input
    of size `n`.

    Raises
    ------
    GeometryError
        An unknown rule, or numbers out of range.

    Examples
    --------
    >>> padding_ends("full", 5, 3, 1, 2), padding_ends("SAME_LOWER", 5, 4, 1, 1)
    ((4, 4), (2, 1))
    """
    if not isinstance(padding, str):
        return as_pair(padding)
    rule = padding_rule(padding)
    if rule == "valid":
        return 0, 0
    if rule == "full":
        return dilation * (kernel - 1), dilation * (kernel - 1)
    larger, smaller = same_padding(n, kernel, stride, dilation)
    return (larger, smaller) if rule == "same_lower" else (smaller, larger)


def unfold_shape(
    in_shape: Sequence[Any],
    kernel: Sequence[Any],
    *,
    stride: Sequence[Any],
    padding: Sequence[Any],
    dilation: Sequence[Any],
) -> tuple[Any, Any]:
    """Return the shape (C * taps, windows) of an unfolding.

    Parameters
    ----------
    in_shape : (C, *spatial) of int or SymPy expression
    kernel, stride, padding, dilation
        One entry for each spatial axis, as for `output_size`; but for the kernel by keyword, as
        for `unfold`.

    Returns
    -------
    tuple of two ints or SymPy expressions

    Raises
    ------
    GeometryError
        An integer out of range, or a window that does not fit.

    Notes
    -----
    ``(C * prod(kernel), prod(output_size of each axis))``. O(1).

    Examples
    --------
    >>> unfold_shape((3, 8, 8), (3, 3), stride=(1, 1), padding=(1, 1), dilation=(1, 1))
    (27, 64)
    """
    channels, *spatial = in_shape
    sizes = map(output_size, spatial, kernel, stride, padding, dilation)
    return channels * math.prod(kernel), math.prod(sizes)
