"""Weight arrays: what is accepted, and the order in which the rest of the package reads them."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from convmat._arrays import to_numpy
from convmat._check import GeometryError
from convmat.geometry import Geometry

__all__ = ["as_weight", "correlation_weight", "slots"]

Array = np.ndarray[Any, np.dtype[Any]]


def as_weight(weight: Any, name: str = "weight") -> Array:
    """Return a private, read-only, C-ordered copy of a numeric or SymPy array."""
    if hasattr(weight, "weight"):  # a layer of a framework
        raise GeometryError(
            name, type(weight).__name__, "must be an array", "pass the layer's weight.detach()"
        )
    array = np.array(to_numpy(weight, name), order="C")
    if array.dtype == object:
        _check_symbols(array, name)
    elif array.dtype.kind not in "iu" and array.dtype.char not in "fdFD":
        raise _dtype_error(name, array.dtype)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def _dtype_error(name: str, dtype: object) -> GeometryError:
    return GeometryError(
        name,
        dtype,
        "must have an integer, float32, float64 or complex dtype, or hold SymPy expressions",
        f"convert it, such as with {name}.astype('float64')",
    )


def _check_symbols(array: Array, name: str) -> None:
    for entry in array.flat:
        number = isinstance(entry, Number) and not isinstance(entry, (bool, np.bool_))
        if not (number or hasattr(entry, "free_symbols")):
            raise _dtype_error(name, type(entry).__name__)


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
