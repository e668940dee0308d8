"""NumPy views of the arrays that users hold, and back again."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError

__all__ = ["batch_of", "check_out", "contiguous", "from_numpy", "to_numpy"]

Array = np.ndarray[Any, np.dtype[Any]]


def _is_tensor(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def to_numpy(x: Any, name: str) -> Array:
    """Return a numeric or object array sharing memory with x where that is possible."""
    if _is_tensor(x) and x.requires_grad:
        raise GeometryError(
            name,
            tuple(x.shape),
            "is a tensor that requires grad, which would be lost",
            f"pass {name}.detach()",
        )
    if _is_tensor(x) and x.layout != sys.modules["torch"].strided:
        raise GeometryError(
            name, str(x.layout), "must be a dense tensor", f"pass {name}.to_dense()"
        )
    try:
        # Tensors may be conjugated or negated by a mark alone, which NumPy does not read.
        array = np.asarray(x.cpu().resolve_conj().resolve_neg() if _is_tensor(x) else x)
    except TypeError:  # a tensor dtype that NumPy lacks, such as bfloat16
        raise GeometryError(
            name, getattr(x, "dtype", x), "is not known to NumPy", f"pass {name}.float()"
        ) from None
    except ValueError:  # a ragged list
        raise GeometryError(
            name, x, "must be an array of numbers", "give every row the same length"
        ) from None
    if array.dtype.kind not in "biufcO":
        raise GeometryError(
            name, array.dtype, "must be an array of numbers", "convert it to a numeric dtype"
        )
    return array


def batch_of(x: Array, in_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the batch of an array (*batch, *in_shape), and refuse other shapes."""
    start = max(x.ndim - len(in_shape), 0)
    if x.shape[start:] != in_shape:
        raise GeometryError(
            "x",
            x.shape,
            f"must have shape (*batch, {', '.join(map(str, in_shape))})",
            "check channels and spatial sizes; a channel axis is needed even when it is 1",
        )
    batch: tuple[int, ...] = x.shape[:start]
    return batch


def contiguous(x: Array, dtype: np.dtype[Any]) -> Array:
    """Return x as kernels are compiled for: in C order, of the dtype, aligned, and writeable."""
    array = np.ascontiguousarray(x, dtype)
    return array if array.flags.carray else array.copy()


def check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse to write into anything but a NumPy array of the very shape and dtype."""
    if not isinstance(out, np.ndarray):
        raise GeometryError("out", type(out).__name__, "must be a NumPy array", "pass one")
    if out.shape != shape or out.dtype != dtype:
        raise GeometryError(
            "out",
            f"{out.shape} of {out.dtype}",
            f"must have shape {shape} and dtype {dtype}",
            f"make it with np.empty({shape}, {dtype.str!r})",
        )
    if not out.flags.writeable:
        raise GeometryError("out", "a read-only array", "must be writeable", "pass a copy")


def from_numpy(y: Array, like: Any) -> Any:
    """Return y as the kind of array that `like` is, on its device."""
    if not _is_tensor(like):
        return y
    return sys.modules["torch"].from_numpy(y).to(like.device)
