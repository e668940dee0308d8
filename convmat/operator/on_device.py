"""Operators where arrays lie on a GPU: from a call to the kernels there, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import batch_of, result_dtype

if TYPE_CHECKING:
    import numpy as np

    from convmat.kernels.cuda.arrays import Held

__all__ = ["called", "launched", "layer_on_device", "refuse"]

COMPUTED = "fdFDlLqQ"  # dtypes in which there are kernels


def called(operator: Any, x: Any, out: Any, algorithm: str = "auto") -> Any:
    """Apply an operator to x (*batch, *in_shape) on a GPU; see `Map.__call__`.

    Raises
    ------
    GeometryError
        What has no kernel there, an extra that is missing, or x of another shape.
    """
    from convmat.kernels.cuda.arrays import held

    if out is not None:
        raise GeometryError(
            "out", type(out).__name__, "cannot be given where x lies on a GPU", "leave it out"
        )
    if algorithm not in ("auto", "direct"):
        raise GeometryError(
            "algorithm", algorithm, "has no kernel on a GPU", "use algorithm='direct'"
        )
    given = held(x, "x")
    batch = batch_of(given, operator.in_shape)
    dtype = result_dtype(operator._numbers, given.dtype)
    if dtype.char not in COMPUTED:
        raise GeometryError(
            "x", given.dtype, f"there are no kernels on a GPU for {dtype}", "copy x to the host"
        )
    y = operator._on_device(given, math.prod(batch), dtype)
    return y.reshape((*batch, *operator.out_shape))


def launched(operator: Any, ready: Any, given: Held, images: int, dtype: np.dtype[Any]) -> Any:
    """Return a new array (images, *out_shape), which what is ready for the dtype will write."""
    y = given.empty((images, *operator.out_shape), dtype)
    if images * operator.shape[0]:
        ready(given, y, images)
    return y


def layer_on_device(operator: Any, given: Held, images: int, dtype: np.dtype[Any]) -> Any:
    """Apply a layer with a weight, which is packed and uploaded once; see `Map._on_device`."""
    from convmat.kernels.cuda.windows import prepared

    kept = operator.__dict__.setdefault("_packed", {})
    ready = prepared(operator.geometry, operator.weight, given, dtype, kept)
    return launched(operator, ready, given, images, dtype)


def refuse(operator: Any, given: Held) -> Any:
    """Say that an operator has no kernel on a GPU."""
    raise GeometryError(
        "x",
        type(given.like).__name__,
        f"lies on a GPU, where {operator._name()} has no kernel yet",
        "apply its layers one by one, or copy x to the host",
    )
