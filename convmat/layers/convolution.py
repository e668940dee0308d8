"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from convmat.geometry.arguments import GeometryError, as_integer, as_shape, one_of
from convmat.geometry.keywords import (
    PaddingMode,
    as_mode,
    conv_axes,
    conv_pads,
    conv_transpose_axes,
)
from convmat.geometry.weights import as_weight
from convmat.geometry.window import Geometry
from convmat.layers.rearranging import pad
from convmat.operator import LayerOperator, Operator, Product

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["conv", "conv_transpose", "convolution_matrix"]


@overload
def conv(
    weight: Any,
    in_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: Literal["zeros"] = "zeros",
) -> LayerOperator: ...


@overload
def conv(
    weight: Any,
    in_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode,
) -> Operator: ...


def conv(
    weight: Any,
    in_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode = "zeros",
) -> Operator:
    """Return a convolution (cross-correlation, as frameworks mean it) as a linear operator.

    Parameters
    ----------
    weight : array (C_out, C_in/groups, *kernel)
        Integers, floats, complex numbers, or SymPy expressions. Copied.
    in_shape : tuple (C_in, *spatial)
        Shape of one input; any number of spatial axes.
    stride, dilation : int, or one per spatial axis
        Steps, in samples, between windows and between taps.
    padding : int, one per axis, (low, high) per axis, or a name
        Zeros added at each end. ``"valid"`` none; ``"full"`` dilation*(kernel - 1);
        ``"same"``, ``"same_upper"``, ``"same_lower"`` as few as give ceil(n/stride) outputs, the
        odd one at the high end (upper) or the low end (lower).
    groups : int
        Channels are split into this many independent groups.
    padding_mode : {"zeros", "reflect", "replicate", "circular", "symmetric"}
        What stands in the padding; see `pad`. By keyword: PyTorch has others at its place.

    Returns
    -------
    LayerOperator, or where something else than zeros is read, a product: the convolution of
    the padded input after `pad`.

    Raises
    ------
    GeometryError
        Any argument out of range, or a window that does not fit.

    Notes
    -----
    There is no bias, with which a layer is no linear map but affine: add it to what the operator
    gives, ``A(x) + b[:, None, None]`` for b (C_out,) and two spatial axes.

    ``y[c, o] = sum over b, k of weight[c, b, k] * x[g*C_in/groups + b, i]`` with g the group of c
    and ``i = stride*o + dilation*k - pad`` on every axis, terms outside the input being zero, or
    what `pad` puts there.
    Making the operator costs O(1) memory beyond the weight.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 2.

    Examples
    --------
    >>> A = conv(np.ones((1, 1, 3, 3)), in_shape=(1, 4, 4))
    >>> A.shape, A.nnz
    ((4, 16), 36)
    >>> A(np.ones((1, 4, 4)))
    array([[[9., 9.],
            [9., 9.]]])
    """
    array, shape = _weight_and_shape(weight, in_shape)
    out, inner = array.shape[:2]
    groups = _check_groups(groups, shape[0])
    if inner != shape[0] // groups:
        raise GeometryError(
            "weight",
            array.shape,
            f"its second axis must be C_in/groups = {shape[0] // groups}",
            _layout(array.shape, -2, shape[0] // groups)
            or "a convolution takes (C_out, C_in/groups, *kernel)",
        )
    if out % groups:
        raise GeometryError(
            "weight",
            array.shape,
            f"{out} output channels do not divide into {groups} groups",
            f"make weight.shape[0] a multiple of {groups}",
        )
    kernel = array.shape[2:]
    try:
        axes = conv_axes(shape[1:], kernel, stride, padding, dilation)
    except GeometryError as error:
        layout = _layout(array.shape, -2, inner)
        if error.argument != "kernel" or not layout:
            raise
        repair = f"{error.repair}; or, {layout}"
        raise GeometryError("kernel", error.value, error.rule, repair) from None
    if as_mode("padding_mode", padding_mode) != "zeros":
        pads = conv_pads(shape[1:], kernel, stride, padding, dilation)
        if any(map(any, pads)):
            before = pad(shape, pads, padding_mode)
            axes = conv_axes(before.out_shape[1:], kernel, stride, 0, dilation)
            return Product(LayerOperator(Geometry(axes, shape[0], out, groups), array), before)
    return LayerOperator(Geometry(axes, shape[0], out, groups), array)


@overload
def conv_transpose(
    weight: Any,
    in_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    *,
    output_size: Any = None,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: Literal["zeros"] = "zeros",
) -> LayerOperator: ...


@overload
def conv_transpose(
    weight: Any,
    in_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    *,
    output_size: Any = None,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: PaddingMode,
) -> Operator: ...


def conv_transpose(
    weight: Any,
    in_shape: Sequence[int],
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    *,
    output_size: Any = None,
    dilation: Any = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Operator:
    """Return a transposed convolution as a linear operator.

    Parameters
    ----------
    weight : array (C_in, C_out/groups, *kernel)
        In the layout of the convolution that is transposed. Copied.
    in_shape : tuple (C_in, *spatial)
        Shape of one input, an output of the convolution that is transposed.
    stride, padding, dilation, groups
        Those of the convolution that is transposed; see `conv`.
    output_padding : int, or one per axis
        Lengthens the output at its high end, where real sums fall (no zeros are appended);
        less than max(stride, dilation).
    output_size : int, or one per axis, optional
        The spatial output size itself, instead of `output_padding`. This and what follows are
        given by keyword: the functions of PyTorch and its modules have them in other orders.
    padding_mode : {"zeros", "reflect", "replicate", "circular", "symmetric"}
        That of the convolution that is transposed. Frameworks have only zeros here.

    Returns
    -------
    LayerOperator, or where the padding holds something else than zeros, a product: the
    transposed convolution onto the padded size, then the transpose of `pad`, which adds what
    fell on the padding to the cells that it was copied from.

    Raises
    ------
    GeometryError
        Any argument out of range, or an output size that cannot be reached.

    Notes
    -----
    Defined as frameworks do: insert stride - 1 zeros between the inputs, pad by
    dilation*(kernel - 1) - padding, correlate with the flipped kernel at stride 1. That this is
    the transpose of `conv` is a theorem: see `prove_transpose`.

    References
    ----------
    Dumoulin and Visin, 2016, section 4. Zeiler, Krishnan, Taylor and Fergus, "Deconvolutional
    networks", 2010.

    Examples
    --------
    >>> w = np.arange(1.0, 4.0).reshape(1, 1, 3)
    >>> conv_transpose(w, in_shape=(1, 2), stride=2)(np.array([[1.0, 10.0]]))
    array([[ 1.,  2., 13., 20., 30.]])
    """
    array, shape = _weight_and_shape(weight, in_shape)
    groups = _check_groups(groups, shape[0])
    if array.shape[0] != shape[0]:
        raise GeometryError(
            "weight",
            array.shape,
            f"its first axis must be the {shape[0]} input channels of in_shape",
            _layout(array.shape, -1, shape[0])
            or "a transposed convolution takes (C_in, C_out/groups, *kernel)",
        )
    kernel, out = array.shape[2:], array.shape[1] * groups
    axes = conv_transpose_axes(
        shape[1:], kernel, stride, padding, output_padding, output_size, dilation
    )
    if as_mode("padding_mode", padding_mode) != "zeros":
        sizes = [axis.n_out for axis in axes]
        pads = conv_pads(sizes, kernel, stride, padding, dilation)
        if any(map(any, pads)):
            before = pad((out, *sizes), pads, padding_mode)  # of the convolution, so last here
            wide = before.out_shape[1:]
            axes = conv_transpose_axes(shape[1:], kernel, stride, 0, 0, wide, dilation)
            geometry = Geometry(axes, shape[0], out, groups, flipped=True)
            return Product(before.T, LayerOperator(geometry, array))
    geometry = Geometry(axes, shape[0], out, groups, flipped=True)
    return LayerOperator(geometry, array)


def convolution_matrix(
    kernel: Any, shape: Any, mode: Literal["full", "same", "valid"] = "full"
) -> sparse.csr_array[Any]:
    """Return `scipy.signal.convolve` with a fixed kernel as a sparse matrix, in N dimensions.

    Here, and only here, convolution means the mathematician's: the kernel is flipped.

    Parameters
    ----------
    kernel : array
        One axis per dimension of the input.
    shape : int or tuple of int
        Shape of the input.
    mode : {"full", "same", "valid"}
        As in `scipy.signal.convolve`; ``"same"`` is the centre of ``"full"`` with the size of
        the input. ``"valid"`` is where the smaller of kernel and input lies inside the other,
        which must be the same one on every axis.

    Returns
    -------
    scipy.sparse.csr_array M with ``M @ x.ravel() == convolve(x, kernel, mode).ravel()``.

    Notes
    -----
    ``M[o, i] = kernel[o - i + start]`` on every axis, start being 0, (kernel - 1)//2 or
    kernel - 1. SciPy's function of this name is 1-D and dense, and reads a 2-D kernel as a batch.

    Examples
    --------
    >>> convolution_matrix([1, 2, 3], 4, mode="same").toarray()
    array([[2, 1, 0, 0],
           [3, 2, 1, 0],
           [0, 3, 2, 1],
           [0, 0, 3, 2]])
    """
    array = as_weight(kernel, "kernel")
    if array.dtype == object:
        raise GeometryError(
            "kernel",
            "SymPy expressions",
            "cannot fill a SciPy matrix",
            "use conv(...).symbolic_matrix()",
        )
    entries = shape if isinstance(shape, Sequence) or np.ndim(shape) else [shape]
    sizes = [as_integer("shape", n, 1) for n in entries]
    if array.ndim != len(sizes) or array.ndim == 0 or array.size == 0:
        raise GeometryError(
            "kernel",
            array.shape,
            f"must have one non-empty axis per axis of shape {sizes}",
            "reshape it",
        )
    spans: dict[str, Callable[[int, int], tuple[int, int]]] = {
        "full": lambda _, k: (k - 1, k - 1),
        "same": lambda _, k: (k // 2, (k - 1) // 2),
        "valid": lambda n, k: (max(k - n, 0), max(k - n, 0)),
    }
    pads = spans[one_of("mode", mode, spans)]
    longer = [k > n for n, k in zip(sizes, array.shape, strict=True)]
    shorter = [k < n for n, k in zip(sizes, array.shape, strict=True)]
    if mode == "valid" and any(longer) and any(shorter):
        raise GeometryError(
            "kernel",
            array.shape,
            f"must fit inside the input {sizes}, or contain it, on every axis",
            "use mode='full' or 'same'",
        )
    padding = [pads(n, k) for n, k in zip(sizes, array.shape, strict=True)]
    return conv(np.flip(array)[None, None], (1, *sizes), padding=padding).matrix()


def _weight_and_shape(weight: Any, in_shape: Any) -> tuple[Any, tuple[int, ...]]:
    if isinstance(weight, (tuple, list)) and getattr(in_shape, "ndim", 0) >= 3:
        raise GeometryError(
            "weight",
            weight,
            f"comes before an in_shape that is an array of shape {tuple(in_shape.shape)}",
            "are the arguments swapped? the weight comes first, then in_shape",
        )
    array = as_weight(weight)
    shape = as_shape("in_shape", in_shape)
    if array.ndim != len(shape) + 1:
        raise GeometryError(
            "weight",
            array.shape,
            f"must have {len(shape) + 1} axes for in_shape {shape}: (C_out, C_in/groups, *kernel)",
            _repaired(array.ndim, len(shape)),
        )
    if 0 in array.shape:
        raise GeometryError(
            "weight", array.shape, "has an axis of size 0", "use sizes of 1 or more"
        )
    return array, shape


def _layout(shape: tuple[int, ...], axis: int, channels: int) -> str:
    """Return the repair of a weight with its channels last, if it may be one, as TensorFlow has it.

    There `axis`, the last but one of a convolution and the last of a transposed one, is that of
    the input channels. Of a single channel and a single axis it would be a guess.
    """
    if len(shape) < 3 or shape[axis] != channels or (channels == 1 and len(shape) == 3):
        return ""
    last = "C_in, C_out" if axis == -2 else "C_out, C_in"
    return (
        f"if it is laid out (*kernel, {last}), as in TensorFlow, pass "
        "np.moveaxis(weight, (-1, -2), (0, 1))"
    )


def _repaired(axes: int, in_axes: int) -> str:
    """Return what to change where weight and in_shape have numbers of axes that do not match."""
    if axes > in_axes + 1:
        return "write in_shape as (C_in, *spatial), with the channels, such as (1, 28, 28)"
    batch = "leave a batch axis out of in_shape, which is (C_in, *spatial), such as (1, 28, 28)"
    kernel = "pass a single kernel as kernel[None, None]"
    return f"{batch}, and {kernel}" if axes > 2 else f"{kernel}, and {batch}"


def _check_groups(groups: Any, in_channels: int) -> int:
    count = as_integer("groups", groups, 1)
    if in_channels % count:
        raise GeometryError(
            "groups",
            count,
            f"must divide the {in_channels} input channels",
            f"use a divisor of {in_channels}",
        )
    return count
