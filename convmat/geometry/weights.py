"""Weight arrays: what is accepted, and the order in which the rest of the package reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import result_dtype, to_host, to_numpy
from convmat.geometry.window import Geometry

__all__ = [
    "as_dtype",
    "as_weight",
    "converted",
    "correlation_weight",
    "fits",
    "slots",
    "working_dtype",
]

Array = np.ndarray[Any, np.dtype[Any]]


def as_weight(weight: Any, name: str = "weight") -> Array:
    """Return a private, read-only, C-ordered copy of a numeric or SymPy array."""
    if hasattr(weight, "weight"):  # a layer of a framework
        raise GeometryError(
            name, type(weight).__name__, "must be an array", "pass the layer's weight.detach()"
        )
    array = np.array(to_numpy(to_host(weight, name), name), order="C")
    if array.dtype == np.float16:  # as bfloat16, which NumPy lacks
        array = array.astype(np.float32)
    if array.dtype != object and not _accepted(array.dtype):
        raise GeometryError(
            name,
            array.dtype,
            "must have an integer, float or complex dtype, or hold SymPy expressions",
            f"convert it, such as with {name}.astype('float64')",
        )
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def _accepted(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iu" or dtype.char in "fdFD"


def fits(array: Array, dtype: np.dtype[Any]) -> bool:
    """Say whether an integer dtype holds every entry of a real array exactly.

    Examples
    --------
    >>> fits(np.array([127.0, -128.0]), np.dtype("i1")), fits(np.array([128]), np.dtype("i1"))
    (True, False)
    """
    if array.dtype.kind == "f" and not (np.isfinite(array) & (np.trunc(array) == array)).all():
        return False
    span = np.iinfo(dtype)
    return array.size == 0 or bool(span.min <= int(array.min()) and int(array.max()) <= span.max)


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """Return a dtype that a weight may have."""
    try:
        wanted: np.dtype[Any] = np.dtype(dtype)
    except (TypeError, ValueError, SyntaxError):  # NumPy reads some texts as Python
        raise GeometryError("dtype", dtype, "is not a dtype", "use one such as 'f8'") from None
    if not _accepted(wanted):
        raise GeometryError(
            "dtype",
            dtype,
            "must be an integer, float32, float64 or complex dtype",
            "use one such as 'f8'",
        )
    return wanted


def working_dtype(own: np.dtype[Any], wanted: Any = None) -> np.dtype[Any]:
    """Return what a matrix of numbers of a dtype is computed in, and kept in if none is wanted.

    Sums are made in it, so that products with the matrix are what the layer gives.

    Examples
    --------
    >>> working_dtype(np.dtype("u1")), working_dtype(np.dtype("f4"))
    (dtype('int64'), dtype('float32'))
    """
    return result_dtype(own, own if wanted is None else as_dtype(wanted))


def converted(weight: Array, dtype: Any) -> Array:
    """Return a weight in another dtype; integers are never rounded, cut or wrapped."""
    wanted = as_dtype(dtype)
    if weight.dtype.kind == "c" and wanted.kind != "c":
        raise GeometryError("dtype", dtype, "would drop the imaginary parts", "use a complex dtype")
    if wanted.kind in "iu" and not fits(weight, wanted):
        raise GeometryError(
            "dtype",
            dtype,
            "would change the weights, which are not whole numbers in its range",
            "use a wider integer dtype, or one such as 'f8'",
        )
    return as_weight(weight.astype(wanted))


def correlation_weight(geometry: Geometry, weight: Array) -> Array:
    """Return the weight as a view (groups, out, inner, *kernel), to be correlated as it stands.

    A flipped geometry exchanges the channel axes and reverses the taps. Nothing else in the
    package knows about either.
    """
    out, inner = geometry.group_channels
    if not geometry.flipped:
        return weight.reshape(geometry.groups, out, inner, *geometry.kernel)
    swapped = weight.reshape(geometry.groups, inner, out, *geometry.kernel).swapaxes(1, 2)
    return np.flip(swapped, axis=tuple(range(3, swapped.ndim)))


def slots(geometry: Geometry) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the slot of every entry of `correlation_weight`."""
    size = int(np.prod(geometry.weight_shape))
    return correlation_weight(geometry, np.arange(size).reshape(geometry.weight_shape))
