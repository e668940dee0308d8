"""Explicit vectors for the weight gradient: sums over places, in registers.

Each loop says in Python what it means: see `convmat.kernels.cpu.vectors.writer`.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# What is written are LLVM objects, which are untyped.

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from convmat.kernels.cpu.vectors.writer import VECTOR, emitted

__all__ = [
    "HEIGHTS",
    "SHAPES",
    "Operand",
    "Vectors",
    "apart",
    "correlate",
    "finite",
    "outer",
    "spread",
    "transpose",
]

Array = np.ndarray[Any, np.dtype[Any]]

_INT = ir.IntType(64)

SHAPES = ((3, 8), (2, 8), (1, 8))  # vectors and rows of a tile: 24 sums fill the registers
HEIGHTS = (3, 6, 9, 12)  # entries that are summed at once


class Operand(NamedTuple):
    """Numbers, and where among them each place begins."""

    numbers: Array
    places: Array


class Vectors(NamedTuple):
    """Vectors of places: where each begins in the two operands, and how many places it holds."""

    x: Array
    g: Array
    lengths: Array


def _outer(write):
    def emit(vectors, rows):
        builder = write.builder
        source, weights = write.address("x.numbers", "at"), write.address("w.numbers", "begin")
        x_table, w_table = write.address("x.places"), write.address("w.places")
        target = write.address("y", "to")

        def body(k, sums):
            line = write.at(source, builder.load(write.at(x_table, k)))
            row = write.at(weights, builder.load(write.at(w_table, k)))
            read = [write.load(write.at(line, _INT(v * write.lanes))) for v in range(vectors)]
            new: list[Any] = []
            for b in range(rows):
                weight = write.splat(write.at(row, _INT(b)))
                for v in range(vectors):
                    new.append(write.multiply_add(read[v], weight, sums[len(new)]))
            return new

        new = write.repeated(write["steps"], write.zeros(vectors * rows), body)
        for n, value in enumerate(new):
            place = write.at(target, write.place("pitch", *divmod(n, vectors)))
            more = write.plus(write.load(place), value)
            write.store(builder.select(write["fresh"], value, more), place)

    write.cases([write["shape.0"], write["shape.1"]], SHAPES, emit)


@emitted(_outer)
def outer(x, at, w, begin, steps, fresh, y, to, pitch, shape):
    """Add sums over k of w.numbers[begin + w.places[k] + b] * x.numbers[at + x.places[k] + lane].

    Each to y[to + b*pitch + lane], of the shape (vectors, rows): for all lanes of so many vectors
    and all b < rows; k < steps, which are one at least. What y held does not count if it is fresh.
    """
    vectors, rows = shape
    lanes = np.arange(vectors * VECTOR // y.itemsize)
    read = x.numbers[at + x.places[:steps, None] + lanes]
    weights = w.numbers[begin + w.places[:steps, None] + np.arange(rows)]
    with np.errstate(invalid="ignore", over="ignore"):  # of which no processor warns
        sums = weights.T @ read
        for b in range(rows):
            y[to + b * pitch + lanes] = sums[b] if fresh else y[to + b * pitch + lanes] + sums[b]


def _correlate(write):
    def emit(count):
        builder = write.builder
        source, table = write.address("x"), write.address("taps", "tap")
        weighing, target = write.address("g", "begin"), write.address("y", "to")
        x_table, g_table = write.address("vectors.x"), write.address("vectors.g")
        counts = write.address("vectors.lengths")
        lines = [write.at(source, builder.load(write.at(table, _INT(t)))) for t in range(count)]

        def body(k, sums):
            first = builder.load(write.at(x_table, k))
            place = write.at(weighing, builder.load(write.at(g_table, k)))
            mask = write.mask_of_first(builder.load(write.at(counts, k)))
            weights = write.masked("load", place, mask)
            return [
                write.multiply_add(write.load(write.at(line, first)), weights, total)
                for line, total in zip(lines, sums, strict=True)
            ]

        for t, value in enumerate(write.repeated(write["steps"], write.zeros(count), body)):
            place = write.at(target, _INT(t))
            builder.store(write.plus(builder.load(place), _lanes_summed(write, value)), place)

    write.cases([write["count"]], [(count,) for count in HEIGHTS], emit)


def _lanes_summed(write, value):
    """Return the sum of all lanes: the upper half is added to the lower one, and again."""
    lanes = write.lanes
    while lanes > 1:
        lanes //= 2
        moved = [(i + lanes) % write.lanes for i in range(write.lanes)]
        value = write.plus(value, write.shuffle(value, value, moved))
    return write.builder.extract_element(value, _INT(0))


@emitted(_correlate)
def correlate(x, taps, tap, g, begin, vectors, steps, y, to, count):
    """Add the sum over k and lanes of g[begin + vectors.g[k] + lane] * x[taps[tap + t] + ...].

    To y[to + t]; of x at ``vectors.x[k] + lane`` further on; for t < count, which is one of
    `HEIGHTS`, and k < steps, which are one at least, and the first ``vectors.lengths[k]`` lanes of
    a vector; only x is read beyond them.
    """
    lanes = np.arange(VECTOR // x.itemsize)
    inside = lanes < vectors.lengths[:steps, None]
    places = np.where(inside, begin + vectors.g[:steps, None] + lanes, 0)
    weights = np.where(inside, g[places], 0)
    with np.errstate(invalid="ignore", over="ignore"):
        for t in range(count):
            read = x[taps[tap + t] + vectors.x[:steps, None] + lanes]
            y[to + t] += (read * weights).sum()


def _transpose(write):
    source, target = write.address("x", "at"), write.address("y", "to")
    rows = [write.load(write.at(source, write.place("pitch", i))) for i in range(write.lanes)]
    for j, column in enumerate(write.alternated([[row] for row in rows])):
        write.store(column, write.at(target, write.place("width", j)))


@emitted(_transpose)
def transpose(x, at, pitch, y, to, width):
    """y[to + j*width + i] = x[at + i*pitch + j] for i and j below the lanes of a vector.

    Where lines of y overlap, the later j holds.
    """
    lanes = np.arange(VECTOR // x.itemsize)
    y[to + lanes[:, None] * width + lanes] = x[at + lanes * pitch + lanes[:, None]]


def _apart(write):
    builder, count, lanes = write.builder, write["count"], write.lanes
    target, source = write.address("y", "to"), write.address("x", "at")
    # No number behind the last is read, which is the first of a pair.
    whole = builder.sdiv(builder.sub(count, _INT(1)), _INT(lanes))
    whole = builder.mul(whole, _INT(lanes))
    twice = builder.icmp_signed("==", write["step"], _INT(2))
    begin = builder.select(twice, whole, _INT(0))
    with cgutils.for_range_slice(builder, _INT(0), begin, _INT(lanes)) as (j, _):
        place = write.at(source, builder.mul(j, _INT(2)))
        pair = [write.load(place), write.load(write.at(place, _INT(lanes)))]
        write.store(write.apart(pair)[0], write.at(target, j))
    with cgutils.for_range_slice(builder, begin, count, _INT(1)) as (j, _):
        number = builder.load(write.at(source, builder.mul(j, write["step"])))
        builder.store(number, write.at(target, j))


@emitted(_apart)
def apart(y, to, x, at, step, count):
    """y[to + j] = x[at + step*j] for j < count; exactly."""
    y[to : to + count] = x[at + step * np.arange(count)]


def _spread(write):
    builder = write.builder
    target, source = write.address("y", "to"), write.address("x", "at")
    with cgutils.for_range_slice(builder, _INT(0), write["count"], _INT(1)) as (j, _):
        number = builder.load(write.at(source, builder.mul(j, write["pitch"])))
        builder.store(number, write.at(target, builder.mul(j, write["step"])))


@emitted(_spread)
def spread(y, to, step, x, at, pitch, count):
    """y[to + step*j] = x[at + pitch*j] for j < count; steps may be negative."""
    j = np.arange(count)
    y[to + step * j] = x[at + pitch * j]


def _finite(write):
    if isinstance(write.lane, ir.IntType):
        return cgutils.true_bit
    builder = write.builder
    bits = ir.VectorType(ir.IntType(8 * write.size), write.lanes)
    source, lost = write.address("x", "at"), cgutils.alloca_once(builder, bits)
    builder.store(ir.Constant(bits, None), lost)
    with cgutils.for_range(builder, write["vectors"]) as loop:
        place = write.at(source, builder.mul(loop.index, _INT(write.lanes)))
        value = write.load(place)
        itself = builder.bitcast(builder.fsub(value, value), bits)  # zero, or not a number
        builder.store(builder.or_(builder.load(lost), itself), lost)
    some = builder.icmp_unsigned("!=", builder.load(lost), ir.Constant(bits, None))
    some = builder.bitcast(some, ir.IntType(write.lanes))
    return builder.icmp_unsigned("==", some, some.type(0))


@emitted(_finite, returns=types.boolean)
def finite(x, at, vectors):
    """Say whether all numbers of so many vectors are finite."""
    return np.isfinite(x[at : at + vectors * VECTOR // x.itemsize]).all()
