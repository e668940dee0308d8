"""Explicit vectors in Numba: the innermost loops of the fast path.

LLVM does not find these loops by itself: arrays that might overlap, signed indices that might
wrap around, and more values than registers stand in its way. An intrinsic writes the vectors
down. Each has a twin in Python, which is what it means, and what runs without the compiler.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "VECTOR",
    "Writer",
    "clear",
    "copy",
    "copy_lines",
    "interleave",
    "multiply",
    "separate",
]

VECTOR = 64  # bytes; LLVM splits what the machine's own vectors cannot hold

AHEAD = 2048  # bytes: how early weights are asked for, which stream through the tiles

_INT, _BIT, _SHORT = ir.IntType(64), ir.IntType(1), ir.IntType(32)


class Writer:
    """What the intrinsics share: addresses, and vectors that need no alignment."""

    def __init__(self, context, builder, sig, args):
        self.context, self.builder, self.sig, self.args = context, builder, sig, args
        self.lane = context.get_value_type(sig.args[0].dtype)
        self.size = context.get_abi_sizeof(self.lane)
        self.lanes = VECTOR // self.size
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

    def first(self, count):
        """Return the mask of so many first lanes."""
        nothing = ir.Constant(ir.VectorType(_INT, self.lanes), ir.Undefined)
        number = self.builder.insert_element(nothing, count, _SHORT(0))
        number = self.shuffle(number, nothing, [0] * self.lanes)
        lanes = ir.Constant(ir.VectorType(_INT, self.lanes), list(range(self.lanes)))
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

    def prefetch(self, pointer):
        """Ask for memory that will be read soon; it may lie anywhere."""
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _SHORT, _SHORT, _SHORT])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        hints = [_SHORT(0), _SHORT(3), _SHORT(1)]  # to read, into all caches, data
        self.builder.call(function, [self.builder.bitcast(pointer, byte), *hints])

    def nothing(self):
        """Return what a function without a result returns."""
        return self.context.get_dummy_value()


@intrinsic(prefer_literal=True)
def _multiply(typing_context, x, at, offsets, w, begin, steps, y, to, pitch, vectors, rows):
    vector_count, row_count = vectors.literal_value, rows.literal_value
    where = types.intp
    signature = types.void(x, where, offsets, w, where, where, y, where, where, vectors, rows)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, weights = write.address(0, args[1]), write.address(3, args[4])
        table, target = write.address(2, _INT(0)), write.address(6, args[7])
        tile = [(v, b) for v in range(vector_count) for b in range(row_count)]
        before, loop = builder.block, builder.append_basic_block("steps")
        builder.branch(loop)
        builder.position_at_end(loop)
        k = builder.phi(_INT)
        k.add_incoming(_INT(0), before)
        sums = {place: builder.phi(write.vector) for place in tile}
        line = write.at(source, builder.load(write.at(table, k)))
        read = [write.load(write.at(line, _INT(v * write.lanes))) for v in range(vector_count)]
        row = write.at(weights, builder.mul(k, _INT(row_count)))
        write.prefetch(write.at(row, _INT(AHEAD // write.size)))
        new = {}
        for b in range(row_count):
            weight = write.splat(write.at(row, _INT(b)))
            for v in range(vector_count):
                new[v, b] = write.multiply_add(read[v], weight, sums[v, b])
        following = builder.add(k, _INT(1))
        k.add_incoming(following, loop)
        for place in tile:
            sums[place].add_incoming(ir.Constant(write.vector, None), before)
            sums[place].add_incoming(new[place], loop)
        after = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", following, args[5]), loop, after)
        builder.position_at_end(after)
        for v, b in tile:
            place = builder.add(builder.mul(args[8], _INT(b)), _INT(v * write.lanes))
            write.store(new[v, b], write.at(target, place))
        return write.nothing()

    return signature, codegen


def _multiply_in_python(x, at, offsets, w, begin, steps, y, to, pitch, vectors, rows):
    """y[to + b*pitch + lane] = sum over k of w[begin + k*rows + b] * x[at + offsets[k] + lane].

    For all lanes of so many vectors, and all b < rows; k < steps, which are one at least.
    """
    lanes = np.arange(vectors * VECTOR // x.itemsize)
    read = x[at + offsets[:steps, None] + lanes]
    with np.errstate(invalid="ignore"):  # infinity less infinity, of which no processor warns
        sums = w[begin : begin + steps * rows].reshape(steps, rows).T @ read
    for b in range(rows):
        y[to + b * pitch + lanes] = sums[b]


@intrinsic
def _copy_lines(typing_context, x, base, offsets, first, count, y, at, pitch, length):
    where = types.intp
    signature = types.void(x, where, offsets, where, where, y, where, where, where)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, table = write.address(0, args[1]), write.address(2, args[3])
        target = write.address(5, args[6])
        whole = builder.and_(args[8], _INT(-write.lanes))
        left = builder.sub(args[8], whole)
        mask, more = write.first(left), builder.icmp_signed("!=", left, _INT(0))
        with cgutils.for_range(builder, args[4]) as step:
            line = write.at(source, builder.load(write.at(table, step.index)))
            place = write.at(target, builder.mul(step.index, args[7]))
            with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
                write.store(write.load(write.at(line, j)), write.at(place, j))
            with builder.if_then(more):
                rest = write.masked("load", write.at(line, whole), mask)
                write.store(rest, write.at(place, whole))
        return write.nothing()

    return signature, codegen


def _copy_lines_in_python(x, base, offsets, first, count, y, at, pitch, length):
    """y[at + k*pitch + j] = x[base + offsets[first + k] + j] for k < count and j < length.

    In whole vectors: up to a vector less one lane is written beyond `length`.
    """
    for k in range(count):
        start = base + offsets[first + k]
        y[at + k * pitch : at + k * pitch + length] = x[start : start + length]


@intrinsic
def _copy(typing_context, y, to, x, start, count):
    signature = types.void(y, types.intp, x, types.intp, types.intp)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        target, source = write.address(0, args[1]), write.address(2, args[3])
        whole = builder.and_(args[4], _INT(-write.lanes))
        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
            write.store(write.load(write.at(source, j)), write.at(target, j))
        left = builder.sub(args[4], whole)
        with builder.if_then(builder.icmp_signed(">", left, _INT(0))):
            mask = write.first(left)
            rest = write.masked("load", write.at(source, whole), mask)
            write.masked("store", write.at(target, whole), mask, rest)
        return write.nothing()

    return signature, codegen


def _copy_in_python(y, to, x, start, count):
    """y[to + j] = x[start + j] for j < count; exactly."""
    y[to : to + count] = x[start : start + count]


@intrinsic
def _clear(typing_context, y, to, count):
    signature = types.void(y, types.intp, types.intp)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        target, zero = write.address(0, args[1]), ir.Constant(write.vector, None)
        whole = builder.and_(args[2], _INT(-write.lanes))
        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
            write.store(zero, write.at(target, j))
        left = builder.sub(args[2], whole)
        with builder.if_then(builder.icmp_signed(">", left, _INT(0))):
            write.masked("store", write.at(target, whole), write.first(left), zero)
        return write.nothing()

    return signature, codegen


def _clear_in_python(y, to, count):
    """y[to + j] = 0 for j < count."""
    y[to : to + count] = 0


@intrinsic(prefer_literal=True)
def _separate(typing_context, y, to, pitch, x, start, count, rows):
    where, row_count = types.intp, rows.literal_value
    signature = types.void(y, where, where, x, where, where, rows)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, target = write.address(3, args[4]), write.address(0, args[1])
        targets = [write.at(target, builder.mul(args[2], _INT(b))) for b in range(row_count)]
        lanes = write.lanes
        whole = builder.and_(args[5], _INT(-lanes))
        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(lanes)) as (j, _):
            place = write.at(source, builder.mul(j, _INT(row_count)))
            read = [write.load(write.at(place, _INT(n * lanes))) for n in range(row_count)]
            for vector, row in zip(write.apart(read), targets, strict=True):
                write.store(vector, write.at(row, j))
        with cgutils.for_range_slice(builder, whole, args[5], _INT(1)) as (j, _):
            place = write.at(source, builder.mul(j, _INT(row_count)))
            for b, row in enumerate(targets):
                builder.store(builder.load(write.at(place, _INT(b))), write.at(row, j))
        return write.nothing()

    return signature, codegen


def _separate_in_python(y, to, pitch, x, start, count, rows):
    """y[to + b*pitch + j] = x[start + rows*j + b] for j < count, b < rows: 2, 4, 8; exactly."""
    for b in range(rows):
        first = to + b * pitch
        y[first : first + count] = x[start + b : start + rows * count : rows]


@intrinsic(prefer_literal=True)
def _interleave(typing_context, y, to, x, start, pitch, count, rows):
    where, row_count = types.intp, rows.literal_value
    signature = types.void(y, where, x, where, where, where, rows)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        target, source = write.address(0, args[1]), write.address(2, args[3])
        sources = [write.at(source, builder.mul(args[4], _INT(b))) for b in range(row_count)]
        lanes = write.lanes
        whole = builder.and_(args[5], _INT(-lanes))
        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(lanes)) as (j, _):
            mixed = write.alternated([[write.load(write.at(row, j))] for row in sources])
            place = write.at(target, builder.mul(j, _INT(row_count)))
            for n, vector in enumerate(mixed):
                write.store(vector, write.at(place, _INT(n * lanes)))
        with cgutils.for_range_slice(builder, whole, args[5], _INT(1)) as (j, _):
            place = write.at(target, builder.mul(j, _INT(row_count)))
            for b, row in enumerate(sources):
                builder.store(builder.load(write.at(row, j)), write.at(place, _INT(b)))
        return write.nothing()

    return signature, codegen


def _interleave_in_python(y, to, x, start, pitch, count, rows):
    """y[to + rows*j + b] = x[start + b*pitch + j] for j < count, b < rows: 2, 4, 8; exactly."""
    for b in range(rows):
        first = start + b * pitch
        y[to + b : to + rows * count : rows] = x[first : first + count]


_PYTHON = config.DISABLE_JIT  # intrinsics exist in compiled code alone
multiply: Any = _multiply_in_python if _PYTHON else _multiply
copy_lines: Any = _copy_lines_in_python if _PYTHON else _copy_lines
copy: Any = _copy_in_python if _PYTHON else _copy
clear: Any = _clear_in_python if _PYTHON else _clear
separate: Any = _separate_in_python if _PYTHON else _separate
interleave: Any = _interleave_in_python if _PYTHON else _interleave
