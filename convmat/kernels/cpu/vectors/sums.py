"""Sums of products in registers: the innermost loops of layers with weights.

A tile is so many vectors of consecutive places, of which all sums are kept in registers over all
taps: one vector of each read, one weight in all lanes, one multiply-add. Of few places, rows are
in the lanes (`multiply_rows`).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from convmat.kernels.cpu.vectors.writer import PYTHON, VECTOR, Writer

__all__ = ["ROWS", "multiply", "multiply_lines", "multiply_rows"]

ROWS = 8  # of a tile: with three vectors 24 sums, which fill the registers of AVX-512

AHEAD = 2048  # bytes: how early weights are asked for, which stream through the tiles

_INT = ir.IntType(64)


@intrinsic(prefer_literal=True)
def _multiply(typing_context, x, at, offsets, w, begin, steps, y, to, pitch, vectors, rows):
    vector_count, row_count = vectors.literal_value, rows.literal_value
    where = types.intp
    signature = types.void(x, where, offsets, w, where, where, y, where, where, vectors, rows)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, weights = write.address(0, args[1]), write.address(3, args[4])
        table, target = write.address(2, _INT(0)), write.address(6, args[7])
        tile = [(b, v) for b in range(row_count) for v in range(vector_count)]

        def tap(k, sums):
            line = write.at(source, builder.load(write.at(table, k)))
            read = [write.load(write.at(line, _INT(v * write.lanes))) for v in range(vector_count)]
            row = write.at(weights, builder.mul(k, _INT(row_count)))
            write.prefetch(write.at(row, _INT(AHEAD // write.size)))
            new = []
            for b in range(row_count):  # beside all sums there is no register for all weights
                weight = write.splat(write.at(row, _INT(b)))
                some = sums[b * vector_count : (b + 1) * vector_count]
                new += [write.multiply_add(r, weight, t) for r, t in zip(read, some, strict=True)]
            return new

        for (b, v), total in zip(
            tile, write.repeated(args[5], write.zeros(len(tile)), tap), strict=True
        ):
            place = builder.add(builder.mul(args[8], _INT(b)), _INT(v * write.lanes))
            write.store(total, write.at(target, place))
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


@intrinsic(prefer_literal=True)
def _multiply_lines(
    typing_context, x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, vectors, lines
):
    vector_count, line_count = vectors.literal_value, lines.literal_value
    where = types.intp
    signature = types.void(
        x, where, where, offsets, w, where, where, y, where, where, where, vectors, lines
    )

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args)
        source, weights = write.address(0, args[1]), write.address(4, args[5])
        table, target = write.address(3, _INT(0)), write.address(7, args[8])
        tile = [(b, v) for b in range(line_count) for v in range(vector_count)]

        def place(pitch, b, v):
            return builder.add(builder.mul(pitch, _INT(b)), _INT(v * write.lanes))

        places = [place(args[2], b, v) for b, v in tile]

        def tap(k, sums):
            read = write.at(source, builder.load(write.at(table, k)))
            weight = write.splat(write.at(weights, k))
            return [
                write.multiply_add(write.load(write.at(read, at)), weight, total)
                for at, total in zip(places, sums, strict=True)
            ]

        last = vector_count - 1
        mask = write.mask_of_first(builder.sub(args[10], _INT(last * write.lanes)))
        for (b, v), total in zip(
            tile, write.repeated(args[6], write.zeros(len(tile)), tap), strict=True
        ):
            pointer = write.at(target, place(args[9], b, v))
            if v < last:
                write.store(total, pointer)
            else:
                write.masked("store", pointer, mask, total)
        return write.nothing()

    return signature, codegen


def _multiply_lines_in_python(
    x, at, ahead, offsets, w, begin, steps, y, to, pitch, count, vectors, lines
):
    """y[to + b*pitch + j] = sum over k of w[begin + k] * x[at + b*ahead + offsets[k] + j].

    For j < count, in so many vectors of which the last is begun, and all b < lines; k < steps,
    which are one at least. Whole vectors are read; no more is written than that.
    """
    taps, places = w[begin : begin + steps], np.arange(count)
    for b in range(lines):
        with np.errstate(invalid="ignore"):
            y[to + b * pitch + places] = taps @ x[at + b * ahead + offsets[:steps, None] + places]


@intrinsic(prefer_literal=True)
def _multiply_rows(typing_context, x, at, offsets, w, begin, ahead, steps, y, to, pitch, blocks):
    block_count = blocks.literal_value
    where = types.intp
    signature = types.void(x, where, offsets, w, where, where, where, y, where, where, blocks)

    def codegen(context, builder, sig, args):
        write = Writer(context, builder, sig, args, ROWS)
        source, weights = write.address(0, args[1]), write.address(3, args[4])
        table, target = write.address(2, _INT(0)), write.address(7, args[8])
        begins = [write.at(weights, builder.mul(args[5], _INT(b))) for b in range(block_count)]

        def tap(k, sums):
            read = write.splat(write.at(source, builder.load(write.at(table, k))))
            place = builder.mul(k, _INT(ROWS))
            new = []
            for block, total in zip(begins, sums, strict=True):
                row = write.at(block, place)
                write.prefetch(write.at(row, _INT(AHEAD // write.size)))
                new.append(write.multiply_add(write.load(row), read, total))
            return new

        for b, total in enumerate(write.repeated(args[6], write.zeros(block_count), tap)):
            for row in range(ROWS):
                place = builder.mul(args[9], _INT(b * ROWS + row))
                number = builder.extract_element(total, _INT(row))
                builder.store(number, write.at(target, place))
        return write.nothing()

    return signature, codegen


def _multiply_rows_in_python(x, at, offsets, w, begin, ahead, steps, y, to, pitch, blocks):
    """Write the sums of a place over k of w[begin + b*ahead + k*ROWS + r] * x[at + offsets[k]].

    To y[to + (b*ROWS + r)*pitch] for all b < blocks and r < ROWS; k < steps, one at least.
    """
    read = x[at + offsets[:steps]]
    for b in range(blocks):
        first = begin + b * ahead
        rows = w[first : first + steps * ROWS].reshape(steps, ROWS)
        with np.errstate(invalid="ignore"):
            y[to + (b * ROWS + np.arange(ROWS)) * pitch] = read @ rows


multiply: Any = _multiply_in_python if PYTHON else _multiply
multiply_lines: Any = _multiply_lines_in_python if PYTHON else _multiply_lines
multiply_rows: Any = _multiply_rows_in_python if PYTHON else _multiply_rows
