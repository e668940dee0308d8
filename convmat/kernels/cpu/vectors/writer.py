"""Explicit vectors in Numba, for the innermost loops of the fast path: `sums` and `copies`.

LLVM does not find these loops by itself: arrays that might overlap, signed indices that might
wrap around, and more values than registers stand in its way. An intrinsic writes the vectors
down. Each has a twin in Python, which is what it means, and what runs without the compiler.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

from llvmlite import ir
from numba import config
from numba.core import cgutils

__all__ = ["PYTHON", "VECTOR", "Writer"]

VECTOR = 64  # bytes; LLVM splits what the machine's own vectors cannot hold

PYTHON = config.DISABLE_JIT  # intrinsics exist in compiled code alone

_INT, _SHORT = ir.IntType(64), ir.IntType(32)


class Writer:
    """What the intrinsics share: addresses, and vectors that need no alignment.

    Vectors have `VECTOR` bytes, if it is not said how many lanes.
    """

    def __init__(self, context, builder, sig, args, lanes=None):
        self.context, self.builder, self.sig, self.args = context, builder, sig, args
        self.lane = context.get_value_type(sig.args[0].dtype)
        self.size = context.get_abi_sizeof(self.lane)
        self.lanes = lanes or VECTOR // self.size
        self.vector = ir.VectorType(self.lane, self.lanes)

    def address(self, argument, index):
        """Return a pointer to an element of an argument's array."""
        array = self.context.make_array(self.sig.args[argument])
        data = array(self.context, self.builder, self.args[argument]).data
        return self.builder.gep(data, [index])

    def at(self, pointer, offset):
        """Return a pointer further on."""
        return self.builder.gep(pointer, [offset])

    def load(self, pointer):
        """Load a vector from anywhere."""
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        loaded = self.builder.load(wide)
        loaded.align = self.size
        return loaded

    def store(self, value, pointer):
        """Store a vector anywhere."""
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        self.builder.store(value, wide).align = self.size

    def shuffle(self, first, second, lanes):
        """Choose lanes of two vectors."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), lanes)
        return self.builder.shuffle_vector(first, second, mask)

    def alternated(self, rows):
        """Return vectors with the first lane of each row, then the second of each, and so on.

        A row is a list of vectors; there are a power of two of them.
        """
        if len(rows) == 1:
            return rows[0]
        half = len(rows) // 2
        low = [i // 2 + i % 2 * self.lanes for i in range(self.lanes)]
        high = [self.lanes // 2 + lane for lane in low]
        mixed = []
        for first, second in zip(rows[:half], rows[half:], strict=True):
            pairs = zip(first, second, strict=True)
            mixed.append([self.shuffle(*pair, mask) for pair in pairs for mask in (low, high)])
        return self.alternated(mixed)

    def apart(self, vectors):
        """Do the reverse for as many vectors as there are rows: return one of each row."""
        if len(vectors) == 1:
            return vectors
        rows = [None] * len(vectors)
        for odd in range(2):
            lanes = [odd + 2 * lane for lane in range(self.lanes)]
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            rows[odd::2] = self.apart([self.shuffle(*pair, lanes) for pair in pairs])
        return rows

    def splat(self, pointer):
        """Load one number into all lanes."""
        nothing = ir.Constant(self.vector, ir.Undefined)
        number = self.builder.load(pointer)
        first = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, nothing, [0] * self.lanes)

    def multiply_add(self, first, second, third):
        """Return first * second + third, rounded once if they are floats."""
        if isinstance(self.lane, ir.IntType):
            return self.builder.add(self.builder.mul(first, second), third)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fma.v{self.lanes}f{8 * self.size}"
        fused = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(fused, [first, second, third])

    def mask_of_first(self, count):
        """Return the mask of so many first lanes: none if there are less, all if there are more."""
        number = self.builder.trunc(count, _SHORT)
        nothing = ir.Constant(ir.VectorType(_SHORT, self.lanes), ir.Undefined)
        number = self.builder.insert_element(nothing, number, _SHORT(0))
        number = self.shuffle(number, nothing, [0] * self.lanes)
        lanes = ir.Constant(ir.VectorType(_SHORT, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", lanes, number)

    def masked(self, kind, pointer, mask, value=None):
        """Load or store the lanes of a mask alone; the others are zero, or left as they are."""
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        align = ir.Constant(_SHORT, self.size)
        letter = "i" if isinstance(self.lane, ir.IntType) else "f"
        name = f"llvm.masked.{kind}.v{self.lanes}{letter}{8 * self.size}.p0"
        if kind == "load":
            takes = [wide.type, _SHORT, mask.type, self.vector]
            made = ir.FunctionType(self.vector, takes)
            given = [wide, align, mask, ir.Constant(self.vector, None)]
        else:
            made = ir.FunctionType(ir.VoidType(), [self.vector, wide.type, _SHORT, mask.type])
            given = [value, wide, align, mask]
        function = cgutils.get_or_insert_function(self.builder.module, made, name)
        return self.builder.call(function, given)

    def zeros(self, count):
        """Return so many vectors of zeros."""
        return [ir.Constant(self.vector, None)] * count

    def prefetch(self, pointer):
        """Ask for memory that will be read soon; it may lie anywhere."""
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _SHORT, _SHORT, _SHORT])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        hints = [_SHORT(0), _SHORT(3), _SHORT(1)]  # to read, into all caches, data
        self.builder.call(function, [self.builder.bitcast(pointer, byte), *hints])

    def repeated(self, steps, initial, body):
        """Emit values = body(k, values) for k < steps, which are one at least; return the last."""
        before, loop = self.builder.block, self.builder.append_basic_block("steps")
        self.builder.branch(loop)
        self.builder.position_at_end(loop)
        k = self.builder.phi(_INT)
        k.add_incoming(_INT(0), before)
        values = [self.builder.phi(value.type) for value in initial]
        new = body(k, values)
        following = self.builder.add(k, _INT(1))
        k.add_incoming(following, loop)
        for value, first, last in zip(values, initial, new, strict=True):
            value.add_incoming(first, before)
            value.add_incoming(last, loop)
        after = self.builder.append_basic_block("done")
        self.builder.cbranch(self.builder.icmp_signed("<", following, steps), loop, after)
        self.builder.position_at_end(after)
        return new

    def nothing(self):
        """Return what a function without a result returns."""
        return self.context.get_dummy_value()
