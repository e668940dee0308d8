"""Explicit vectors for the weight gradient: sums over places, in registers.

As in `convmat.kernels.cpu.vectors.writer`, each has a twin in Python, which is what it means.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from convmat.kernels.cpu.vectors.writer import PYTHON, VECTOR, Writer

__all__ = ["apart", "correlate", "finite", "outer", "spread", "transpose"]

_INT = ir.IntType(64)


def _plus(write, first, second):
    add = write.builder.add if isinstance(write.lane, ir.IntType) else write.builder.fadd
    return add(first, second)


@intrinsic(prefer_literal=True)
def _outer(
    typing_context, x, at, x_places, w, begin, w_places, steps, fresh, y, to, pitch, vectors, rows
):  # fmt: skip
    vector_count, row_count = vectors.literal_value, rows.literal_value
    where = types.intp
    signature = types.void(
        x, where, x_places, w, where, w_places, where, types.boolean, y, where, where,
        vectors, rows,
    )  # fmt: skip

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, weights = write.address(0, args[1]), write.address(3, args[4])
        x_table, w_table = write.address(2, _INT(0)), write.address(5, _INT(0))
        target = write.address(8, args[9])

        def body(k, sums):
            line = write.at(source, builder.load(write.at(x_table, k)))
            row = write.at(weights, builder.load(write.at(w_table, k)))
            read = [write.load(write.at(line, _INT(v * write.lanes))) for v in range(vector_count)]
            new: list[Any] = []
            for b in range(row_count):
                weight = write.splat(write.at(row, _INT(b)))
                for v in range(vector_count):
                    new.append(write.multiply_add(read[v], weight, sums[len(new)]))
            return new

        new = write.repeated(args[6], write.zeros(vector_count * row_count), body)
        for n, value in enumerate(new):
            b, v = divmod(n, vector_count)
            place = builder.add(builder.mul(args[10], _INT(b)), _INT(v * write.lanes))
            place = write.at(target, place)
            more = _plus(write, write.load(place), value)
            write.store(builder.select(args[7], value, more), place)
        return write.nothing()

    return signature, codegen


def _outer_in_python(
    x, at, x_places, w, begin, w_places, steps, fresh, y, to, pitch, vectors, rows
):
    """y[to + b*pitch + lane] += sum over k of w[begin + w_places[k] + b] * x[at + ... + lane].

    Of x at ``x_places[k]`` further on; for all lanes of so many vectors, and all b < rows; k <
    steps, which are one at least. What y held does not count if it is fresh.
    """
    lanes = np.arange(vectors * VECTOR // x.itemsize)
    read = x[at + x_places[:steps, None] + lanes]
    weights = w[begin + w_places[:steps, None] + np.arange(rows)]
    with np.errstate(invalid="ignore", over="ignore"):  # of which no processor warns
        sums = weights.T @ read
        for b in range(rows):
            y[to + b * pitch + lanes] = sums[b] if fresh else y[to + b * pitch + lanes] + sums[b]


@intrinsic(prefer_literal=True)
def _correlate(
    typing_context, x, at, x_places, taps, tap, g, begin, g_places, lengths, steps, y, to, count
):  # fmt: skip
    tap_count = count.literal_value
    where = types.intp
    signature = types.void(
        x, where, x_places, taps, where, g, where, g_places, lengths, where, y, where, count
    )  # fmt: skip

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, table = write.address(0, args[1]), write.address(3, args[4])
        weighing, target = write.address(5, args[6]), write.address(10, args[11])
        x_table, g_table = write.address(2, _INT(0)), write.address(7, _INT(0))
        counts = write.address(8, _INT(0))
        lines = [write.at(source, builder.load(write.at(table, _INT(t)))) for t in range(tap_count)]

        def body(k, sums):
            first = builder.load(write.at(x_table, k))
            place = write.at(weighing, builder.load(write.at(g_table, k)))
            mask = write.mask_of_first(builder.load(write.at(counts, k)))
            weights = write.masked("load", place, mask)
            return [
                write.multiply_add(write.load(write.at(line, first)), weights, total)
                for line, total in zip(lines, sums, strict=True)
            ]

        for t, value in enumerate(write.repeated(args[9], write.zeros(tap_count), body)):
            lanes = write.lanes
            while lanes > 1:  # upper half to lower half
                lanes //= 2
                other = write.shuffle(value, value, [(i + lanes) % write.lanes for i in
                                                     range(write.lanes)])  # fmt: skip
                value = _plus(write, value, other)  # noqa: PLW2901
            place = write.at(target, _INT(t))
            total = builder.extract_element(value, _INT(0))
            builder.store(_plus(write, builder.load(place), total), place)
        return write.nothing()

    return signature, codegen


def _correlate_in_python(
    x, at, x_places, taps, tap, g, begin, g_places, lengths, steps, y, to, count
):
    """y[to + t] += sum over k, lanes of g[begin + g_places[k] + lane] * x[at + x_places[k] + ...].

    Of x at ``taps[tap + t] + lane`` further on; for t < count and k < steps, which are one at
    least, and the first ``lengths[k]`` lanes of a vector; only x is read beyond them.
    """
    lanes = np.arange(VECTOR // x.itemsize)
    inside = lanes < lengths[:steps, None]
    places = np.where(inside, begin + g_places[:steps, None] + lanes, 0)
    weights = np.where(inside, g[places], 0)
    with np.errstate(invalid="ignore", over="ignore"):
        for t in range(count):
            y[to + t] += (x[at + taps[tap + t] + x_places[:steps, None] + lanes] * weights).sum()


@intrinsic
def _transpose(typing_context, x, at, pitch, y, to, width):
    where = types.intp
    signature = types.void(x, where, where, y, where, where)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, target = write.address(0, args[1]), write.address(3, args[4])
        lanes = write.lanes
        rows = [write.load(write.at(source, builder.mul(args[2], _INT(i)))) for i in range(lanes)]
        columns = write.alternated([[row] for row in rows])
        for j in range(lanes):
            write.store(columns[j], write.at(target, builder.mul(args[5], _INT(j))))
        return write.nothing()

    return signature, codegen


def _transpose_in_python(x, at, pitch, y, to, width):
    """y[to + j*width + i] = x[at + i*pitch + j] for i and j below the lanes of a vector.

    Where lines of y overlap, the later j holds.
    """
    lanes = np.arange(VECTOR // x.itemsize)
    y[to + lanes[:, None] * width + lanes] = x[at + lanes * pitch + lanes[:, None]]


@intrinsic
def _apart(typing_context, y, to, x, at, step, count):
    signature = types.void(y, types.intp, x, types.intp, types.intp, types.intp)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        target, source = write.address(0, args[1]), write.address(2, args[3])
        lanes = write.lanes
        # No number behind the last is read, which is the first of a pair.
        whole = builder.sdiv(builder.sub(args[5], _INT(1)), _INT(lanes))
        whole = builder.mul(whole, _INT(lanes))
        twice = builder.icmp_signed("==", args[4], _INT(2))
        begin = builder.select(twice, whole, _INT(0))
        with cgutils.for_range_slice(builder, _INT(0), begin, _INT(lanes)) as (j, _):
            place = write.at(source, builder.mul(j, _INT(2)))
            pair = [write.load(place), write.load(write.at(place, _INT(lanes)))]
            write.store(write.apart(pair)[0], write.at(target, j))
        with cgutils.for_range_slice(builder, begin, args[5], _INT(1)) as (j, _):
            number = builder.load(write.at(source, builder.mul(j, args[4])))
            builder.store(number, write.at(target, j))
        return write.nothing()

    return signature, codegen


def _apart_in_python(y, to, x, at, step, count):
    """y[to + j] = x[at + step*j] for j < count; exactly."""
    y[to : to + count] = x[at + step * np.arange(count)]


@intrinsic
def _spread(typing_context, y, to, step, x, at, pitch, count):
    where = types.intp
    signature = types.void(y, where, where, x, where, where, where)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        target, source = write.address(0, args[1]), write.address(3, args[4])
        with cgutils.for_range_slice(builder, _INT(0), args[6], _INT(1)) as (j, _):
            number = builder.load(write.at(source, builder.mul(j, args[5])))
            builder.store(number, write.at(target, builder.mul(j, args[2])))
        return write.nothing()

    return signature, codegen


def _spread_in_python(y, to, step, x, at, pitch, count):
    """y[to + step*j] = x[at + pitch*j] for j < count; steps may be negative."""
    j = np.arange(count)
    y[to + step * j] = x[at + pitch * j]


@intrinsic
def _finite(typing_context, x, at, vectors):
    signature = types.boolean(x, types.intp, types.intp)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        if isinstance(write.lane, ir.IntType):
            return cgutils.true_bit
        bits = ir.VectorType(ir.IntType(8 * write.size), write.lanes)
        source, lost = write.address(0, args[1]), cgutils.alloca_once(builder, bits)
        builder.store(ir.Constant(bits, None), lost)
        with cgutils.for_range(builder, args[2]) as loop:
            place = write.at(source, builder.mul(loop.index, _INT(write.lanes)))
            value = write.load(place)
            itself = builder.bitcast(builder.fsub(value, value), bits)  # zero, or not a number
            builder.store(builder.or_(builder.load(lost), itself), lost)
        some = builder.icmp_unsigned("!=", builder.load(lost), ir.Constant(bits, None))
        some = builder.bitcast(some, ir.IntType(write.lanes))
        return builder.icmp_unsigned("==", some, some.type(0))

    return signature, codegen


def _finite_in_python(x, at, vectors):
    """Say whether all numbers of so many vectors are finite."""
    return np.isfinite(x[at : at + vectors * VECTOR // x.itemsize]).all()


apart: Any = _apart_in_python if PYTHON else _apart
finite: Any = _finite_in_python if PYTHON else _finite
outer: Any = _outer_in_python if PYTHON else _outer
correlate: Any = _correlate_in_python if PYTHON else _correlate
spread: Any = _spread_in_python if PYTHON else _spread
transpose: Any = _transpose_in_python if PYTHON else _transpose
