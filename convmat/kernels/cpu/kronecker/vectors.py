"""Explicit vectors along lines of memory: sums of shifted lines, and halves apart.

Nothing beyond a line is read or written: its last vector overlaps the one before, and is masked
where there is none. What is written is not read. Each intrinsic has a twin in Python, as those
in `vectors` have.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from convmat.kernels.cpu.vectors.writer import PYTHON, Writer

__all__ = ["LineWriter", "combine", "combine_pairs", "separate", "spread"]

_INT = ir.IntType(64)
MANY = 4  # vectors that are summed at once, where a line has so many
KNOWN = (1, 2)  # entries of a sum that are kept in registers


class LineWriter(Writer):
    """Reads and writes that may leave out lanes."""

    def first_pairs(self, count):
        """Return the masks of twice so many lanes, in two vectors."""
        twice = self.builder.mul(count, _INT(2))
        return [self.mask_of_first(self.builder.sub(twice, _INT(h * self.lanes))) for h in range(2)]

    def multiply(self, first, second):
        """Return first * second."""
        if isinstance(self.lane, ir.IntType):
            return self.builder.mul(first, second)
        return self.builder.fmul(first, second)

    def load_some(self, pointer, mask):
        """Load the lanes of a mask, or all if there is none."""
        if mask is None:
            return self.load(pointer)
        return self.masked("load", pointer, mask)

    def store_some(self, value, pointer, mask):
        """Store the lanes of a mask, or all if there is none."""
        if mask is None:
            self.store(value, pointer)
            return
        self.masked("store", pointer, mask, value)

    def along(self, count, widths, body):
        """Emit body(start, vectors, mask) for all of a line: the widest first, in whole vectors."""
        builder, start = self.builder, _INT(0)
        for width in widths:
            step = width * self.lanes
            rest = builder.sub(count, start)
            stop = builder.add(start, builder.and_(rest, _INT(-step)))
            with cgutils.for_range_slice(builder, start, stop, _INT(step)) as (j, _):
                body(j, width, None)
            start = stop
        with builder.if_then(builder.icmp_signed("<", start, count)):
            last = builder.sub(count, _INT(self.lanes))
            with builder.if_else(builder.icmp_signed(">=", last, _INT(0))) as (long, short):
                with long:
                    body(last, 1, None)
                with short:
                    body(_INT(0), 1, self.mask_of_first(count))

    def each_line(self, targets, sources, lines, body):
        """Emit body(first number written, first number read) for lines that begin anywhere."""
        to, at = (self.address(argument, _INT(0)) for argument in (targets[1], sources[1]))
        with cgutils.for_range(self.builder, lines) as line:
            start, read = (self.builder.load(self.at(table, line.index)) for table in (to, at))
            body(self.address(targets[0], start), self.address(sources[0], read))

    def cases(self, number, known, emit):
        """Emit emit(n) for each known value of a number, and emit(None) for all others."""
        if not known:
            emit(None)
            return
        same = self.builder.icmp_signed("==", number, _INT(known[0]))
        with self.builder.if_else(same) as (then, otherwise):
            with then:
                emit(known[0])
            with otherwise:
                self.cases(number, known[1:], emit)


class _Taps:
    """Offsets and weights of a sum: in registers where their number is known, else read."""

    def __init__(self, write, table, weights, steps, known):
        self.write, self.table, self.weights, self.steps = write, table, weights, steps
        self.held = None if known is None else [self._tap(_INT(k)) for k in range(known)]

    def _tap(self, k):
        offset = self.write.builder.load(self.write.at(self.table, k))
        return offset, self.write.splat(self.write.at(self.weights, k))

    def sums(self, source, vectors, mask):
        """Return so many vectors of the sum, the first of which begins at `source` + offset."""

        def read(offset, v):
            line = self.write.at(source, offset)
            return self.write.load_some(self.write.at(line, _INT(v * self.write.lanes)), mask)

        def step(k, sums):
            offset, weight = self._tap(k)
            return [
                self.write.multiply_add(read(offset, v), weight, one) for v, one in enumerate(sums)
            ]

        if self.held is None:
            zeros = [ir.Constant(self.write.vector, None)] * vectors
            return self.write.repeated(self.steps, zeros, step)
        (offset, weight), *others = self.held
        sums = [self.write.multiply(read(offset, v), weight) for v in range(vectors)]
        for offset, weight in others:
            sums = [
                self.write.multiply_add(read(offset, v), weight, one) for v, one in enumerate(sums)
            ]
        return sums


@intrinsic
def _combine(typing_context, y, targets, to, count, x, sources, lines, offsets, w, begin, steps):
    where = types.intp
    signature = types.void(
        y, targets, where, where, x, sources, where, offsets, w, where, where
    )  # fmt: skip

    def codegen(context, builder, sig, args):
        write = LineWriter(context, builder, sig, args)
        table, weights = write.address(7, args[9]), write.address(8, args[9])

        def emit(known):
            taps = _Taps(write, table, weights, args[10], known)

            def line(target, source):
                def body(j, vectors, mask):
                    for v, one in enumerate(taps.sums(write.at(source, j), vectors, mask)):
                        place = builder.add(j, _INT(v * write.lanes))
                        write.store_some(one, write.at(target, place), mask)

                target = write.at(target, args[2])
                write.along(args[3], (MANY, 1), body)

            write.each_line((0, 1), (4, 5), args[6], line)

        write.cases(args[10], KNOWN, emit)
        return write.nothing()

    return signature, codegen


def _combine_in_python(y, targets, to, count, x, sources, lines, offsets, w, begin, steps):
    """Write sums of shifted lines, of several lines that begin anywhere.

    y[targets[l] + to + j] = sum over k < steps of w[begin + k] * x[sources[l] + offsets[begin + k]
    + j], for l < lines and j < count; steps are one at least. A single entry of weight 1 copies.
    """
    for target, source in zip(targets[:lines] + to, sources[:lines], strict=True):
        y[target : target + count] = _sum(count, x, source, offsets, w, begin, steps)


def _sum(count, x, source, offsets, w, begin, steps):
    starts = source + offsets[begin : begin + steps]
    terms = [
        weight * x[start : start + count]
        for start, weight in zip(starts, w[begin : begin + steps], strict=True)
    ]
    return sum(terms[1:], terms[0])


@intrinsic
def _combine_pairs(
    typing_context, y, targets, to, count, x, sources, lines, offsets, w, begin, steps, others
):
    where = types.intp
    signature = types.void(
        y, targets, where, where, x, sources, where, offsets, w, where, where, where
    )  # fmt: skip

    def codegen(context, builder, sig, args):
        write = LineWriter(context, builder, sig, args)
        lanes = write.lanes
        middle = builder.add(args[9], args[10])
        tables = [(write.address(7, at), write.address(8, at)) for at in (args[9], middle)]

        def emit(known):
            both = [
                _Taps(write, *table, steps, known)
                for table, steps in zip(tables, args[10:], strict=True)
            ]

            def line(target, source):
                def body(j, _, mask):
                    pair = [taps.sums(write.at(source, j), 1, mask)[0] for taps in both]
                    place = write.at(target, builder.mul(j, _INT(2)))
                    masks = [None, None] if mask is None else write.first_pairs(args[3])
                    for half, part in enumerate(write.alternated([[one] for one in pair])):
                        write.store_some(part, write.at(place, _INT(half * lanes)), masks[half])

                target = write.at(target, args[2])
                write.along(args[3], (1,), body)

            write.each_line((0, 1), (4, 5), args[6], line)

        alike = builder.icmp_signed("==", args[10], args[11])
        write.cases(builder.select(alike, args[10], _INT(0)), KNOWN, emit)
        return write.nothing()

    return signature, codegen


def _combine_pairs_in_python(
    y, targets, to, count, x, sources, lines, offsets, w, begin, steps, others
):
    """Write two sums of shifted lines, the numbers of one in the gaps of the other.

    The first is written to even places after targets[l] + to, the second to odd ones; the entries
    of the second follow those of the first. All else is as in `combine`.
    """
    for target, source in zip(targets[:lines] + to, sources[:lines], strict=True):
        for half, first, taps in ((0, begin, steps), (1, begin + steps, others)):
            numbers = _sum(count, x, source, offsets, w, first, taps)
            y[target + half : target + 2 * count : 2] = numbers


@intrinsic
def _separate(typing_context, y, even, odd, x, at, count):
    where = types.intp
    signature = types.void(y, where, where, x, where, where)

    def codegen(context, builder, sig, args):
        write = LineWriter(context, builder, sig, args)
        targets = write.address(0, args[1]), write.address(0, args[2])
        source = write.address(3, args[4])

        def body(j, _, mask):
            line = write.at(source, builder.mul(j, _INT(2)))
            masks = [None, None] if mask is None else write.first_pairs(args[5])
            pair = [
                write.load_some(write.at(line, _INT(h * write.lanes)), masks[h]) for h in range(2)
            ]
            for target, part in zip(targets, write.apart(pair), strict=True):
                write.store_some(part, write.at(target, j), mask)

        write.along(args[5], (1,), body)
        return write.nothing()

    return signature, codegen


def _separate_in_python(y, even, odd, x, at, count):
    """y[even + j] = x[at + 2j] and y[odd + j] = x[at + 2j + 1] for j < count; exactly."""
    y[even : even + count] = x[at : at + 2 * count : 2]
    y[odd : odd + count] = x[at + 1 : at + 2 * count : 2]


@intrinsic
def _spread(typing_context, y, to, step, x, count):
    where = types.intp
    signature = types.void(y, where, where, x, where)

    def codegen(context, builder, sig, args):
        write = LineWriter(context, builder, sig, args)
        target, source = write.address(0, args[1]), write.address(3, _INT(0))
        whole = builder.and_(args[4], _INT(-write.lanes))

        def store(number, j):
            builder.store(number, write.at(target, builder.mul(args[2], j)))

        with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
            numbers = write.load(write.at(source, j))
            for lane in range(write.lanes):
                number = builder.extract_element(numbers, ir.Constant(ir.IntType(32), lane))
                store(number, builder.add(j, _INT(lane)))
        with cgutils.for_range_slice(builder, whole, args[4], _INT(1)) as (j, _):
            store(builder.load(write.at(source, j)), j)
        return write.nothing()

    return signature, codegen


def _spread_in_python(y, to, step, x, count):
    """y[to + step*j] = x[j] for j < count; exactly.

    LLVM would scatter them with one instruction, which takes longer than these many.
    """
    y[to : to + step * count : step] = x[:count]


combine: Any = _combine_in_python if PYTHON else _combine
combine_pairs: Any = _combine_pairs_in_python if PYTHON else _combine_pairs
separate: Any = _separate_in_python if PYTHON else _separate
spread: Any = _spread_in_python if PYTHON else _spread
