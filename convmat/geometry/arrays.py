"""NumPy views of the arrays that users hold, what they are computed in, and back again."""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from numbers import Number
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from convmat.geometry.arguments import GeometryError

__all__ = [
    "Held",
    "Tensor",
    "batch_of",
    "contiguous",
    "from_numpy",
    "held",
    "on_device",
    "plain_tensor",
    "result_dtype",
    "to_host",
    "to_numpy",
]

Array = np.ndarray[Any, np.dtype[Any]]


class _Tensor(Protocol):
    """What type checkers take for a tensor, such as PyTorch's: an array with a gradient."""

    def detach(self) -> Any:
        """Return it without gradient."""


Tensor = TypeVar("Tensor", bound=_Tensor)

MISSING = ("NAType", "NaTType")  # of pandas; its NaN is a number


def _is_tensor(x: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def on_device(x: Any) -> bool:
    """Say whether the numbers of x lie in the memory of a GPU."""
    if _is_tensor(x):
        return bool(x.is_cuda)
    # Numba's simulator has arrays of the second kind alone.
    return hasattr(x, "__cuda_array_interface__") or getattr(x, "__cuda_ndarray__", False) is True


def to_host(x: Any, name: str) -> Any:
    """Return x itself, or a copy of what lies on a GPU, in the words of its library."""
    if not on_device(x):
        return x
    for method in ("cpu", "get", "copy_to_host"):  # PyTorch, CuPy, Numba
        if hasattr(x, method):
            return getattr(x, method)()
    raise GeometryError(
        name, type(x).__name__, "cannot be copied to the host by itself", "pass a NumPy array"
    )


def to_numpy(x: Any, name: str) -> Array:
    """Return a numeric or object array sharing memory with x where that is possible.

    The one reader of users' arrays: what is no array of numbers is refused here, by name. Tensors
    of 16 bits that NumPy lacks are widened to 32 bits for each real number, exactly.
    """
    if on_device(x):
        raise GeometryError(
            name,
            type(x).__name__,
            "lies on a GPU, where this is not computed; nothing is copied to the host unasked",
            f"copy it, such as with {name}.cpu(), {name}.get() or {name}.copy_to_host()",
        )
    if _is_tensor(x):
        array = _of_tensor(x, name)
    else:
        _refuse_kinds(x, name)
        array = _of_others(x, name)
    if array.dtype.kind not in "biufcO":
        raise GeometryError(
            name, array.dtype, "must be an array of numbers", "convert it to a numeric dtype"
        )
    if array.dtype == object:
        _check_entries(array, name)
    return array


def _of_tensor(x: Any, name: str) -> Array:
    """Return the numbers of a tensor of PyTorch, of any device."""
    try:
        array: Array = plain_tensor(x, name).cpu().numpy()
    except TypeError:  # a dtype that NumPy lacks
        raise GeometryError(
            name, x.dtype, "is a dtype that NumPy lacks", f"pass {name}.float()"
        ) from None
    except RuntimeError:  # batched by vmap, tracked by torch.func, fake, or of another subclass
        kind = repr(x).partition("(")[0]
        raise GeometryError(
            name,
            kind,
            "is a tensor whose numbers cannot be read",
            "pass a plain tensor, outside of vmap, torch.func and tracing",
        ) from None
    return array


def plain_tensor(x: Any, name: str) -> Any:
    """Return a tensor of PyTorch where it lies, with its numbers as they are, or refuse it.

    They may be conjugated or negated by a mark alone, which NumPy and kernels do not read.
    """
    torch = sys.modules["torch"]
    _refuse_tensors(torch, x, name)
    narrow = {torch.bfloat16: torch.float32, torch.complex32: torch.complex64}
    return x.detach().to(narrow.get(x.dtype, x.dtype)).resolve_conj().resolve_neg()


def _refuse_tensors(torch: Any, x: Any, name: str) -> None:
    """Refuse tensors without numbers of their own, and those that know more than their numbers."""
    if x.is_nested:
        raise GeometryError(
            name,
            "nested tensor",
            "has rows of several lengths",
            f"pass one of {name}.unbind(), or {name}.to_padded_tensor(0.0)",
        )
    if x.requires_grad and torch.is_grad_enabled():
        raise GeometryError(
            name,
            tuple(x.shape),
            "is a tensor that requires grad, which would be lost",
            f"pass {name}.detach(), or call inside of torch.no_grad()",
        )
    if torch.autograd.forward_ad.unpack_dual(x).tangent is not None:
        raise GeometryError(
            name,
            tuple(x.shape),
            "is a dual tensor, whose tangent would be lost",
            "pass its primal and its tangent one by one",
        )
    if x.layout != torch.strided:
        raise GeometryError(
            name, str(x.layout), "must be a dense tensor", f"pass {name}.to_dense()"
        )
    if x.is_quantized:
        raise GeometryError(name, x.dtype, "is a quantized tensor", f"pass {name}.dequantize()")
    if x.device.type == "meta":
        raise GeometryError(
            name, "meta tensor", "has a shape but no numbers", "pass a tensor on a device"
        )
    if torch._is_functional_tensor(x):  # NumPy would read memory that holds anything
        raise GeometryError(
            name,
            "FunctionalTensor",
            "is a tensor whose numbers cannot be read",
            "pass a plain tensor, outside of torch.func.functionalize",
        )


def _refuse_kinds(x: Any, name: str) -> None:
    """Refuse arrays of which NumPy would lose a part without a word, in lists too."""
    if isinstance(x, (list, tuple)):
        for entry in x:
            if type(entry) not in (int, float, complex):
                _refuse_kinds(entry, name)
    elif _is_tensor(x):
        _refuse_tensors(sys.modules["torch"], x, name)
    elif isinstance(x, np.ma.MaskedArray):
        raise GeometryError(
            name,
            "masked array",
            "has a mask, which would be lost",
            f"pass {name}.filled(0), or {name}.data where nothing is masked",
        )
    elif hasattr(x, "toarray") and not hasattr(x, "rmatvec"):  # PyLops' operators have both
        raise GeometryError(
            name,
            f"{type(x).__module__.partition('.')[0]} {type(x).__name__}",
            "is a sparse matrix where a dense array is needed",
            f"pass {name}.toarray()",
        )


def _of_others(x: Any, name: str) -> Array:
    """Return what NumPy makes of an object that is no tensor."""
    try:
        return np.asarray(x)
    except ValueError:
        raise GeometryError(
            name, x, "has rows of several lengths", "give every row the same length"
        ) from None
    except Exception as error:  # noqa: BLE001, foreign arrays refuse NumPy in as many ways
        reason = str(error).partition("\n")[0][:160]
        raise GeometryError(
            name,
            type(x).__name__,
            f"cannot be read as an array: {reason}",
            "pass a NumPy array",
        ) from None


def _check_entries(array: Array, name: str) -> None:
    """Refuse objects that are neither numbers nor expressions."""
    for entry in array.flat:
        if isinstance(entry, Number) and not isinstance(entry, (bool, np.bool_, Decimal)):
            continue
        if hasattr(entry, "free_symbols"):
            continue
        kind = type(entry).__name__
        if entry is None or kind in MISSING:
            rule, repair = "has missing values", "fill them, or leave them out"
        elif isinstance(entry, (list, tuple, np.ndarray)):
            rule, repair = "holds arrays, as of rows of several lengths", "make them one array"
        else:
            rule = "must hold numbers or SymPy expressions"
            repair = "convert it, such as with np.asarray(..., dtype='float64')"
        raise GeometryError(name, kind, rule, repair)


def batch_of(x: Any, in_shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the batch of an array (*batch, *in_shape), and refuse other shapes."""
    start = max(len(x.shape) - len(in_shape), 0)
    if x.shape[start:] != in_shape:
        repair = "check channels and spatial sizes; a channel axis is needed even when it is 1"
        if x.shape[start:] == (*in_shape[1:], in_shape[0]):  # as TensorFlow and images have it
            repair = f"its channels come last here: pass np.moveaxis(x, -1, {-len(in_shape)})"
        elif len(x.shape) in (1, 2) and x.shape[0] == math.prod(in_shape):
            repair = "A(x) takes tensors: write A @ x for vectors, or reshape x"
        raise GeometryError(
            "x", x.shape, f"must have shape (*batch, {', '.join(map(str, in_shape))})", repair
        )
    batch: tuple[int, ...] = x.shape[:start]
    return batch


def contiguous(x: Array, dtype: np.dtype[Any]) -> Array:
    """Return x as kernels are compiled for: in C order, of the dtype, aligned, and writeable."""
    array = np.ascontiguousarray(x, dtype)
    return array if array.flags.carray else array.copy()


def from_numpy(y: Array, like: Any, *, alike: bool = False) -> Any:
    """Return y as the kind of array that `like` is, on its device; `alike`: of its dtype too."""
    if not _is_tensor(like):
        return y
    made = sys.modules["torch"].from_numpy(y)
    return made.to(like.device, like.dtype if alike else made.dtype)


def result_dtype(weight: Any, x: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of a product: NumPy promotion, widened to sum in.

    Integers are widened to int64, or uint64 where both are unsigned and one has 64 bits; floats
    to float32 at least, bfloat16 having been widened when it was read. `weight` is a dtype, or a
    Python number, whose kind alone matters.
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
            halves = self.dtype == np.float32 and self.x.dtype == np.float16
            _check_out(out, shape, (self.dtype, self.x.dtype) if halves else (self.dtype,))
        fits = (
            out is not None
            and out.dtype == self.dtype
            and out.flags.carray
            and not np.may_share_memory(out, self.x)
        )
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


def _check_out(out: Any, shape: tuple[int, ...], dtypes: tuple[np.dtype[Any], ...]) -> None:
    """Refuse to write into anything but a NumPy array of the very shape and one of the dtypes."""
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise GeometryError("out", type(out).__name__, "must be a NumPy array", "pass one")
    dtype = dtypes[0]
    if out.shape != shape or out.dtype not in dtypes:
        raise GeometryError(
            "out",
            f"{out.shape} of {out.dtype}",
            f"must have shape {shape} and dtype {dtype}",
            f"make it with np.empty({shape}, {dtype.str!r})",
        )
    if not out.flags.writeable:
        raise GeometryError("out", "a read-only array", "must be writeable", "pass a copy")
