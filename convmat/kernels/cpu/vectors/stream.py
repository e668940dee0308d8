"""Copy a block of integers plus a constant, in whole cache lines, from Numba.

A matrix is larger than the caches and is written once. A store of a whole aligned cache line
needs no read of the old line, which would be half of the traffic; LLVM does not find that store
by itself in a loop over two arrays that might overlap. Non-temporal stores, which go past the
cache, were measured too: equal on memory in use, and a third slower on fresh memory, which the
kernel has just cleared through the cache.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

from llvmlite import ir
from numba import config, njit, types
from numba.extending import intrinsic

__all__ = ["stream"]

LINE = 64  # bytes of a cache line, and of the widest vector


@intrinsic
def _store_line(typing_context, target, at, source, start, shift):
    """target[at:at+lanes] = source[start:start+lanes] + shift, target aligned to a line."""
    signature = types.void(target, types.intp, source, types.intp, target.dtype)

    def codegen(context, builder, sig, args):
        lane = context.get_value_type(sig.args[0].dtype)
        lanes = LINE // context.get_abi_sizeof(lane)
        vector = ir.VectorType(lane, lanes)

        def address(array_type, array, index):
            data = context.make_array(array_type)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())

        target, at, source, start, shift = args
        loaded = builder.load(address(sig.args[2], source, start))
        loaded.align = lane.width // 8
        splat = ir.Constant(vector, ir.Undefined)
        for i in range(lanes):
            splat = builder.insert_element(splat, shift, ir.Constant(ir.IntType(32), i))
        stored = builder.store(builder.add(loaded, splat), address(sig.args[0], target, at))
        stored.align = LINE
        return context.get_dummy_value()

    return signature, codegen


def _store_line_in_python(target, at, source, start, shift):
    """Do the same without a compiler: intrinsics exist in compiled code alone."""
    lanes = LINE // target.itemsize
    target[at : at + lanes] = source[start : start + lanes] + shift


store_line = _store_line_in_python if config.DISABLE_JIT else _store_line


@njit(forceinline=True)
def stream(target, at, source, start, count, shift):
    """target[at:at+count] = source[start:start+count] + shift, for integer arrays of one dtype."""
    size = target.itemsize
    lanes = LINE // size
    head = min(((-(target.ctypes.data + at * size)) % LINE) // size, count)
    whole = head + (count - head) // lanes * lanes
    for j in range(head):
        target[at + j] = source[start + j] + shift
    for j in range(head, whole, lanes):
        store_line(target, at + j, source, start + j, shift)
    for j in range(whole, count):
        target[at + j] = source[start + j] + shift
