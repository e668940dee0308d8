"""Copy lines in explicit vectors: as they are, taken apart, or interleaved."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# What is written are LLVM objects, which are untyped.

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from convmat.kernels.cpu.vectors.writer import emitted

__all__ = ["SIDE_BY_SIDE", "clear", "copy", "copy_lines", "interleave", "separate"]

SIDE_BY_SIDE = (2, 4, 8)  # lines that may be taken apart or interleaved at once

_INT = ir.IntType(64)


def _copy_lines(write):
    builder, length = write.builder, write["length"]
    source, table = write.address("x", "base"), write.address("offsets", "first")
    target = write.address("y", "at")
    whole = builder.and_(length, _INT(-write.lanes))
    left = builder.sub(length, whole)
    mask, more = write.mask_of_first(left), builder.icmp_signed("!=", left, _INT(0))
    with cgutils.for_range(builder, write["count"]) as step:
        line = write.at(source, builder.load(write.at(table, step.index)))
        place = write.at(target, builder.mul(step.index, write["pitch"]))
        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
            write.store(write.load(write.at(line, j)), write.at(place, j))
        with builder.if_then(more):
            rest = write.masked("load", write.at(line, whole), mask)
            write.store(rest, write.at(place, whole))


@emitted(_copy_lines)
def copy_lines(x, base, offsets, first, count, y, at, pitch, length):
    """y[at + k*pitch + j] = x[base + offsets[first + k] + j] for k < count and j < length.

    In whole vectors: up to a vector less one lane is written beyond `length`.
    """
    for k in range(count):
        start = base + offsets[first + k]
        y[at + k * pitch : at + k * pitch + length] = x[start : start + length]


def _copy(write):
    builder, count = write.builder, write["count"]
    target, source = write.address("y", "to"), write.address("x", "start")
    whole = builder.and_(count, _INT(-write.lanes))
    with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
        write.store(write.load(write.at(source, j)), write.at(target, j))
    left = builder.sub(count, whole)
    with builder.if_then(builder.icmp_signed(">", left, _INT(0))):
        mask = write.mask_of_first(left)
        rest = write.masked("load", write.at(source, whole), mask)
        write.masked("store", write.at(target, whole), mask, rest)


@emitted(_copy)
def copy(y, to, x, start, count):
    """y[to + j] = x[start + j] for j < count; exactly."""
    y[to : to + count] = x[start : start + count]


def _clear(write):
    builder, count = write.builder, write["count"]
    target, zero = write.address("y", "to"), ir.Constant(write.vector, None)
    whole = builder.and_(count, _INT(-write.lanes))
    with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
        write.store(zero, write.at(target, j))
    left = builder.sub(count, whole)
    with builder.if_then(builder.icmp_signed(">", left, _INT(0))):
        write.masked("store", write.at(target, whole), write.mask_of_first(left), zero)


@emitted(_clear)
def clear(y, to, count):
    """y[to + j] = 0 for j < count."""
    y[to : to + count] = 0


def _separate(write):
    def emit(lines):
        builder, lanes = write.builder, write.lanes
        source, target = write.address("x", "start"), write.address("y", "to")
        targets = [write.at(target, builder.mul(write["pitch"], _INT(b))) for b in range(lines)]
        whole = builder.and_(write["count"], _INT(-lanes))
        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(lanes)) as (j, _):
            place = write.at(source, builder.mul(j, _INT(lines)))
            read = [write.load(write.at(place, _INT(n * lanes))) for n in range(lines)]
            for vector, line in zip(write.apart(read), targets, strict=True):
                write.store(vector, write.at(line, j))
        with cgutils.for_range_slice(builder, whole, write["count"], _INT(1)) as (j, _):
            place = write.at(source, builder.mul(j, _INT(lines)))
            for b, line in enumerate(targets):
                builder.store(builder.load(write.at(place, _INT(b))), write.at(line, j))

    write.cases([write["lines"]], [(lines,) for lines in SIDE_BY_SIDE], emit)


@emitted(_separate)
def separate(y, to, pitch, x, start, count, lines):
    """y[to + b*pitch + j] = x[start + lines*j + b] for j < count, b < lines; exactly.

    Lines are as many as `SIDE_BY_SIDE` says.
    """
    for b in range(lines):
        first = to + b * pitch
        y[first : first + count] = x[start + b : start + lines * count : lines]


def _interleave(write):
    def emit(lines):
        builder, lanes = write.builder, write.lanes
        target, source = write.address("y", "to"), write.address("x", "start")
        sources = [write.at(source, builder.mul(write["pitch"], _INT(b))) for b in range(lines)]
        whole = builder.and_(write["count"], _INT(-lanes))
        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(lanes)) as (j, _):
            mixed = write.alternated([[write.load(write.at(line, j))] for line in sources])
            place = write.at(target, builder.mul(j, _INT(lines)))
            for n, vector in enumerate(mixed):
                write.store(vector, write.at(place, _INT(n * lanes)))
        with cgutils.for_range_slice(builder, whole, write["count"], _INT(1)) as (j, _):
            place = write.at(target, builder.mul(j, _INT(lines)))
            for b, line in enumerate(sources):
                builder.store(builder.load(write.at(line, j)), write.at(place, _INT(b)))

    write.cases([write["lines"]], [(lines,) for lines in SIDE_BY_SIDE], emit)


@emitted(_interleave)
def interleave(y, to, x, start, pitch, count, lines):
    """y[to + lines*j + b] = x[start + b*pitch + j] for j < count, b < lines; exactly.

    Lines are as many as `SIDE_BY_SIDE` says.
    """
    for b in range(lines):
        first = start + b * pitch
        y[to + b : to + lines * count : lines] = x[first : first + count]
