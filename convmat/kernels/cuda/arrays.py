"""The arrays that users hold on a GPU: PyTorch's, CuPy's, Numba's, or what calls itself one.

Nothing is copied but what is not contiguous, by the library that it comes from. Results are
allocated by that library, on its current stream, on which kernels are launched too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import plain_tensor
from convmat.kernels.cuda.extra import check_installed, simulated

__all__ = ["Held", "held", "memory_of", "uploaded"]

Array = np.ndarray[Any, np.dtype[Any]]


class Memory:
    """What a pointer reaches, in the simulator: to read or write beyond it is an error."""

    def __init__(self, numbers: Array, start: int = 0) -> None:
        self.numbers, self.start = numbers, start

    def moved(self, offset: Any) -> Memory:
        """Return the memory from there on."""
        return Memory(self.numbers, self.start + int(offset))

    def _place(self, at: Any) -> int:
        place = self.start + int(at)
        if not 0 <= place < len(self.numbers):
            raise IndexError(f"{place} lies outside of {len(self.numbers)} numbers")
        return place

    def __getitem__(self, at: Any) -> Any:
        return self.numbers[self._place(at)]

    def __setitem__(self, at: Any, value: Any) -> None:
        self.numbers[self._place(at)] = value

    def four(self, at: Any) -> tuple[Any, ...]:
        """Return four numbers, the first of which must stand at a multiple of four."""
        if self._place(at) % 4:
            raise IndexError(f"{self._place(at)} is not aligned")
        return tuple(self[at + j] for j in range(4))


class Held(NamedTuple):
    """An array on a GPU as a user holds it, and as kernels see it.

    Attributes
    ----------
    like : array of any kind
    shape : tuple of int
    dtype : numpy.dtype
    memory : int
        Pointer to the first number; in the simulator a `Memory`.
    device : int
    stream : int
        On which the numbers will be there, and on which to launch.
    empty : callable (shape, dtype)
        Makes an array of the same kind on the same device.
    """

    like: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    memory: Any
    device: int
    stream: int
    empty: Callable[[tuple[int, ...], np.dtype[Any]], Any]


def held(x: Any, name: str) -> Held:
    """Take an array for which `convmat.geometry.arrays.on_device` holds."""
    check_installed(type(x).__name__)
    home = type(x).__module__.partition(".")[0]
    if home == "torch" or hasattr(x, "is_cuda"):
        return _of_torch(x, name)
    if home == "cupy":
        return _of_cupy(x, name)
    if getattr(x, "__cuda_ndarray__", False) is True:
        return _of_numba(x, name, getattr(x, "stream", 0))
    interface = x.__cuda_array_interface__
    return _of_numba(cuda.as_cuda_array(x, sync=False), name, interface.get("stream") or 0)


def memory_of(array: Any) -> Any:
    """Return the pointer to what `Held.empty` or `uploaded` made."""
    if simulated():
        return Memory(array._ary.reshape(-1))
    if hasattr(array, "data_ptr"):
        return array.data_ptr()
    return array.__cuda_array_interface__["data"][0]


def uploaded(array: Array) -> Any:
    """Copy an array of the host to the current device, once for all calls."""
    return cuda.to_device(np.ascontiguousarray(array) if array.size else np.zeros(1, array.dtype))


def _of_torch(x: Any, name: str) -> Held:
    torch = sys.modules["torch"]
    index = x.device.index
    _check_current(name, index, torch.cuda.current_device(), f"with torch.cuda.device({index})")
    x = plain_tensor(x, name).contiguous()

    def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        return torch.empty(shape, dtype=getattr(torch, dtype.name), device=x.device)

    dtype = _known(str(x.dtype).removeprefix("torch."), name)
    stream = torch.cuda.current_stream(x.device).cuda_stream
    return Held(x, tuple(x.shape), dtype, x.data_ptr(), index, stream, empty)


def _of_cupy(x: Any, name: str) -> Held:
    cupy = sys.modules["cupy"]
    index = x.device.id
    _check_current(name, index, cupy.cuda.Device().id, f"with cupy.cuda.Device({index})")
    x = cupy.ascontiguousarray(x)
    stream = cupy.cuda.get_current_stream().ptr
    return Held(x, x.shape, _known(x.dtype, name), x.data.ptr, index, stream, cupy.empty)


def _of_numba(x: Any, name: str, stream: Any) -> Held:
    if not x.is_c_contiguous():
        raise GeometryError(
            name, x.strides, "must be in C order on a GPU", "copy it with the library it is from"
        )
    number = stream if isinstance(stream, int) else getattr(stream, "handle", stream).value or 0

    def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        return cuda.device_array(shape, dtype, stream=stream)

    index = 0 if simulated() else cuda.get_current_device().id
    dtype = _known(x.dtype, name)
    return Held(x, tuple(x.shape), dtype, memory_of(x), index, number, empty)


def _known(dtype: Any, name: str) -> np.dtype[Any]:
    """Return a dtype that NumPy has too, of numbers."""
    try:
        known: np.dtype[Any] = np.dtype(dtype)
    except TypeError:  # such as those of 8 bits
        raise GeometryError(name, dtype, "is not known to NumPy", f"pass {name}.float()") from None
    if known.kind not in "biufc":
        raise GeometryError(name, dtype, "must be an array of numbers", "convert it")
    return known


def _check_current(name: str, index: int, current: int, repair: str) -> None:
    if index != current:
        raise GeometryError(
            name, f"on device {index}", f"device {current} is the current one", f"{repair}: call it"
        )
