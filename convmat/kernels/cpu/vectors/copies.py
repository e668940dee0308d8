"""Copy lines in explicit vectors: as they are, apart, or woven into one another."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from convmat.kernels.cpu.vectors.writer import PYTHON, Writer

__all__ = ["clear", "copy", "copy_lines", "interleave", "separate"]

_INT = ir.IntType(64)


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
        mask, more = write.mask_of_first(left), builder.icmp_signed("!=", left, _INT(0))
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
            mask = write.mask_of_first(left)
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
            write.masked("store", write.at(target, whole), write.mask_of_first(left), zero)
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


copy_lines: Any = _copy_lines_in_python if PYTHON else _copy_lines
copy: Any = _copy_in_python if PYTHON else _copy
clear: Any = _clear_in_python if PYTHON else _clear
separate: Any = _separate_in_python if PYTHON else _separate
interleave: Any = _interleave_in_python if PYTHON else _interleave
