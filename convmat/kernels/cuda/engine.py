"""Numba compiles, CUDA's own runtime for Python links and launches: no dispatcher of Numba's.

A kernel is made by a factory from numbers that are constants of its code. It is linked with link
time optimization and kept on disk as a cubin, under a digest of all sources, the types, the
compute capability and the versions. In Numba's simulator the same function runs in Python.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import cuda, types, void
from numba.core import config

from convmat.kernels.compiling import sources
from convmat.kernels.cuda.arrays import Held
from convmat.kernels.cuda.extra import simulated
from convmat.kernels.keeping import write_whole

__all__ = ["MOST_BLOCKS", "THREADS", "Kernel", "Launch", "number_type", "pointer_to", "sizes_of"]

THREADS = 256  # of a block
SIMULATED = 4  # the same in the simulator, where each takes a third of a millisecond to start
MOST_BLOCKS = 65535  # along the second axis of a grid; what is beyond is walked through
LEAST_CAPABILITY = (7, 5)


class Launch(NamedTuple):
    """How many things there are for threads, and for the second axis of the grid."""

    things: int
    planes: int

    def grid(self, threads: int) -> tuple[int, int]:
        """Return the blocks along both axes; kernels walk on where there are too few."""
        return max(1, -(-self.things // threads)), max(1, min(self.planes, MOST_BLOCKS))


class Kernel(NamedTuple):
    """A function for the GPU before it is compiled.

    Attributes
    ----------
    make : callable
        Returns the function of `constants`; it stands at the top of a module.
    constants : tuple
        Numbers and Numba types.
    signature : tuple
        Numba types of the arguments.
    blocks : int
        Of `THREADS` threads each, that a multiprocessor must have registers for.
    """

    make: Callable[..., Callable[..., None]]
    constants: tuple[Any, ...]
    signature: tuple[Any, ...]
    blocks: int = 4

    def __call__(self, launch: Launch, x: Held, *arguments: Any) -> None:
        """Launch on the stream and device of x. Arguments: pointers, int32 numbers and tuples."""
        if simulated():
            wide, high = launch.grid(SIMULATED)
            run = cuda.jit(self.make(*self.constants))
            run[(min(wide, 2), min(high, 2)), SIMULATED](*arguments)
            return
        _launch(self, launch.grid(THREADS), x, arguments)

    def cubin(self, capability: tuple[int, int]) -> tuple[bytes, str]:
        """Return the machine code, and what the linker says of it if it was linked just now."""
        kept = _place() / f"{self.make.__module__.rpartition('.')[2]}-{self._digest(capability)}"
        with contextlib.suppress(OSError):
            return kept.read_bytes(), ""
        code, log = self.linked(capability)
        with contextlib.suppress(OSError):  # no directory is writeable: link in every process
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_whole(kept, code)
        return code, log

    def linked(self, capability: tuple[int, int]) -> tuple[bytes, str]:
        """Compile and link; return the machine code and what the linker says of it."""
        from cuda.core import Linker, LinkerOptions, ObjectCode

        function = self.make(*self.constants)
        code, _ = cuda.compile(
            function,
            void(*self.signature),
            cc=capability,
            device=False,
            abi="numba",
            output="ltoir",
            launch_bounds=(THREADS, self.blocks),
        )
        arch = "sm_{}{}".format(*capability)
        options = LinkerOptions(arch=arch, link_time_optimization=True, verbose=True)
        linker = Linker(ObjectCode.from_ltoir(code), options=options)
        return bytes(linker.link("cubin").code), str(linker.get_info_log())

    def _digest(self, capability: tuple[int, int]) -> str:
        versions = [version(name) for name in ("numba", "numba-cuda", "cuda-core")]
        asked = self.make.__qualname__, self.constants, self.signature, self.blocks, capability
        text = repr((sources("cuda"), asked, versions))
        return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def number_type(dtype: np.dtype[Any]) -> Any:
    """Return Numba's type of a number; truth is stored in bytes."""
    return types.uint8 if dtype.kind == "b" else getattr(types, dtype.name)


def pointer_to(dtype: np.dtype[Any]) -> Any:
    """Return Numba's type of a pointer, whose indices never wrap around as those of arrays do."""
    return types.CPointer(number_type(dtype))


def sizes_of(*numbers: int) -> tuple[np.int32, ...]:
    """Return numbers as an argument of type ``UniTuple(int32, n)``."""
    return tuple(np.int32(number) for number in numbers)


def _place() -> Path:
    return Path(config.CACHE_DIR or Path(__file__).parent / "__pycache__") / "cubins"


def _launch(kernel: Kernel, grid: tuple[int, int], x: Held, arguments: tuple[Any, ...]) -> None:
    from cuda.core import Device, LaunchConfig, Stream, launch

    Device(x.device).set_current()
    # Zero is what libraries call the stream that waits for all others: 1 by its own handle.
    stream = Stream.from_handle(x.stream or 1)
    flat = [one for part in arguments for one in (part if isinstance(part, tuple) else (part,))]
    configuration = LaunchConfig(grid=grid, block=THREADS)
    launch(stream, configuration, _loaded(kernel, _capability(x.device)), *flat)


@lru_cache(maxsize=16)
def _capability(device: int) -> tuple[int, int]:
    from cuda.core import Device

    found: tuple[int, int] = tuple(Device(device).compute_capability)
    if found < LEAST_CAPABILITY:
        raise RuntimeError(
            "compute capability {}.{} of the device is below {}.{}; copy x to the host".format(
                *found, *LEAST_CAPABILITY
            )
        )
    return found


@lru_cache(maxsize=1024)
def _loaded(kernel: Kernel, capability: tuple[int, int]) -> Any:
    from cuda.core import ObjectCode

    code, _ = kernel.cubin(capability)
    name = max(re.findall(rb"\.text\.(\w+)\0", code), key=len).decode()
    return ObjectCode.from_cubin(code).get_kernel(name)
