"""NumPy views of the arrays that users hold, what they are computed in, and back again."""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError

__all__ = ["Held", "batch_of", "contiguous", "from_numpy", "held", "result_dtype", "to_numpy"]

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


def from_numpy(y: Array, like: Any) -> Any:
    """Return y as the kind of array that `like` is, on its device."""
    if not _is_tensor(like):
        return y
    return sys.modules["torch"].from_numpy(y).to(like.device)


def result_dtype(weight: Any, x: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of a product: NumPy promotion, widened to sum in.

    Integers are widened to int64, or uint64 where both are unsigned and one has 64 bits; floats
    to float32 at least. `weight` is a dtype, or a Python number, whose kind alone matters.
    """
    dtype = np.result_type(weight, x)
    if dtype.kind in "biu":
        return np.dtype(np.uint64 if dtype == np.uint64 else np.int64)
    return np.result_type(dtype, np.float32) if dtype.char == "e" else dtype


class Held(NamedTuple):
    """An input as a user holds it, and as it is computed with.

    Attributes
    ----------
    like : array of any kind
        What the user holds.
    x : array (images, *in_shape)
    batch : tuple of int
        Its product is the number of images.
    dtype : numpy.dtype
        Of the result.
    """

    like: Any
    x: Array
    batch: tuple[int, ...]
    dtype: np.dtype[Any]

    def room(self, out: Any, out_shape: tuple[int, ...]) -> Array:
        """Return y (images, *out_shape) to write into: in C order, aligned, apart from x.

        That is `out` itself where it can be.
        """
        shape = (*self.batch, *out_shape)
        if out is not None:
            _check_out(out, shape, self.dtype)
        fits = out is not None and out.flags.carray and not np.may_share_memory(out, self.x)
        y = np.asarray(out) if fits else np.empty(shape, self.dtype)
        return y.reshape(len(self.x), *out_shape)

    def returned(self, y: Array, out: Any) -> Any:
        """Return what was written as the user wants it: in `out`, or as the array they hold."""
        if out is None:
            return from_numpy(y.reshape(*self.batch, *y.shape[1:]), like=self.like)
        if not np.may_share_memory(out, y):
            out[...] = y.reshape(out.shape)
        return out


def held(x: Any, in_shape: tuple[int, ...], weight: Any) -> Held:
    """Take an input (*batch, *in_shape), whose product with a weight is wanted; see `Held`.

    `weight` is what takes part in the promotion; see `result_dtype`.
    """
    array = to_numpy(x, "x")
    batch = batch_of(array, in_shape)
    images = array.reshape(math.prod(batch), *in_shape)
    return Held(x, images, batch, result_dtype(weight, array.dtype))


def _check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
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
