"""Words that Numba lacks: pointers that move, and loads of 16 bytes. All LLVM of this folder.

In the simulator they have twins in Python.
"""

from __future__ import annotations

from typing import Any

from numba import cuda, types
from numba.core import config

__all__ = ["inlined", "load4", "moved"]

inlined = cuda.jit(device=True, inline="always")

if config.ENABLE_CUDASIM:

    def moved(pointer: Any, offset: Any) -> Any:
        """Return the pointer so many numbers further on: indices from there have 32 bits."""
        return pointer.moved(offset)

    def load4(pointer: Any, at: Any) -> Any:
        """Return four numbers of which the first is aligned to 16 bytes."""
        return pointer.four(at)

else:
    from numba.extending import intrinsic

    @intrinsic
    def moved(_context: Any, pointer: Any, offset: Any) -> Any:
        """Return the pointer so many numbers further on: indices from there have 32 bits."""

        def codegen(_: Any, builder: Any, _signature: Any, given: Any) -> Any:
            return builder.gep(given[0], [given[1]])

        return pointer(pointer, offset), codegen

    @intrinsic
    def load4(_context: Any, pointer: Any, at: Any) -> Any:
        """Return four numbers of which the first is aligned to 16 bytes."""

        def codegen(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            from llvmlite import ir

            number = context.get_data_type(pointer.dtype)
            place = builder.gep(given[0], [given[1]])
            wide = builder.bitcast(place, ir.VectorType(number, 4).as_pointer())
            loaded = builder.load(wide, align=16)
            lanes = [builder.extract_element(loaded, ir.IntType(32)(j)) for j in range(4)]
            return context.make_tuple(builder, signature.return_type, lanes)

        return types.UniTuple(pointer.dtype, 4)(pointer, at), codegen
