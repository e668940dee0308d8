"""Explicit vectors along lines of memory: sums of shifted lines, and halves apart.

Nothing beyond a line is read or written: its last vector overlaps the one before, and is masked
where there is none. What is written is not read. Each loop says
in Python what it means: see `convmat.kernels.cpu.vectors.writer`.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# What is written are LLVM objects, which are untyped.

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from convmat.kernels.cpu.vectors.writer import Writer, emitted

__all__ = ["Entries", "LineWriter", "Lines", "combine", "combine_pairs", "separate", "spread"]

Array = np.ndarray[Any, np.dtype[Any]]

_INT = ir.IntType(64)
MANY = 4  # vectors that are summed at once, where a line has so many
KNOWN = ((1,), (2,), (None,))  # entries of a sum that are kept in registers; or others


class Lines(NamedTuple):
    """Where each of several lines is written, and what it reads, begin."""

    to: Array
    read: Array


class Entries(NamedTuple):
    """How far on each entry of a sum reads, and its weight."""

    offsets: Array
    weights: Array


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

    def each_line(self, body):
        """Emit body(first number written, first number read) for each of some `Lines`."""
        to, read = self.address("lines.to"), self.address("lines.read")
        y, x = self.address("y", "to"), self.address("x")
        with cgutils.for_range(self.builder, self["many"]) as line:
            target, source = (self.builder.load(self.at(table, line.index)) for table in (to, read))
            body(self.at(y, target), self.at(x, source))


class _Taps:
    """Offsets and weights of a sum: in registers where their number is known, else read."""

    def __init__(self, write, begin, steps, known):
        self.write, self.steps = write, steps
        self.table = write.at(write.address("entries.offsets"), begin)
        self.weights = write.at(write.address("entries.weights"), begin)
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
            return self.write.repeated(self.steps, self.write.zeros(vectors), step)
        (offset, weight), *others = self.held
        sums = [self.write.multiply(read(offset, v), weight) for v in range(vectors)]
        for offset, weight in others:
            sums = [
                self.write.multiply_add(read(offset, v), weight, one) for v, one in enumerate(sums)
            ]
        return sums


def _combine(write):
    def emit(known):
        taps = _Taps(write, write["begin"], write["steps"], known)

        def line(target, source):
            def body(j, vectors, mask):
                for v, one in enumerate(taps.sums(write.at(source, j), vectors, mask)):
                    place = write.builder.add(j, _INT(v * write.lanes))
                    write.store_some(one, write.at(target, place), mask)

            write.along(write["count"], (MANY, 1), body)

        write.each_line(line)

    write.cases([write["steps"]], KNOWN, emit)


@emitted(_combine, LineWriter)
def combine(y, x, lines, many, to, count, entries, begin, steps):
    """Write sums of shifted lines, of several lines that begin anywhere.

    y[lines.to[l] + to + j] = sum over begin <= k < begin + steps of
    entries.weights[k] * x[lines.read[l] + entries.offsets[k] + j], for l < many and j < count;
    steps are one at least. A single entry of weight 1 copies.
    """
    for target, source in zip(lines.to[:many] + to, lines.read[:many], strict=True):
        y[target : target + count] = _sum(count, x, source, entries, begin, steps)


def _sum(count, x, source, entries, begin, steps):
    starts = source + entries.offsets[begin : begin + steps]
    terms = [
        weight * x[start : start + count]
        for start, weight in zip(starts, entries.weights[begin : begin + steps], strict=True)
    ]
    return sum(terms[1:], terms[0])


def _combine_pairs(write):
    builder, lanes = write.builder, write.lanes
    middle = builder.add(write["begin"], write["steps"])

    def emit(known):
        both = [
            _Taps(write, write["begin"], write["steps"], known),
            _Taps(write, middle, write["others"], known),
        ]

        def line(target, source):
            def body(j, _, mask):
                pair = [taps.sums(write.at(source, j), 1, mask)[0] for taps in both]
                place = write.at(target, builder.mul(j, _INT(2)))
                masks = [None, None] if mask is None else write.first_pairs(write["count"])
                for half, part in enumerate(write.alternated([[one] for one in pair])):
                    write.store_some(part, write.at(place, _INT(half * lanes)), masks[half])

            write.along(write["count"], (1,), body)

        write.each_line(line)

    alike = builder.icmp_signed("==", write["steps"], write["others"])
    write.cases([builder.select(alike, write["steps"], _INT(0))], KNOWN, emit)


@emitted(_combine_pairs, LineWriter)
def combine_pairs(y, x, lines, many, to, count, entries, begin, steps, others):
    """Write two sums of shifted lines, the numbers of one in the gaps of the other.

    The first is written to even places after lines.to[l] + to, the second to odd ones; so many
    other entries of the second follow those of the first. All else is as in `combine`.
    """
    for target, source in zip(lines.to[:many] + to, lines.read[:many], strict=True):
        for half, first, taps in ((0, begin, steps), (1, begin + steps, others)):
            numbers = _sum(count, x, source, entries, first, taps)
            y[target + half : target + 2 * count : 2] = numbers


def _separate(write):
    targets = write.address("y", "even"), write.address("y", "odd")
    source = write.address("x", "at")

    def body(j, _, mask):
        line = write.at(source, write.builder.mul(j, _INT(2)))
        masks = [None, None] if mask is None else write.first_pairs(write["count"])
        pair = [write.load_some(write.at(line, _INT(h * write.lanes)), masks[h]) for h in range(2)]
        for target, part in zip(targets, write.apart(pair), strict=True):
            write.store_some(part, write.at(target, j), mask)

    write.along(write["count"], (1,), body)


@emitted(_separate, LineWriter)
def separate(y, even, odd, x, at, count):
    """y[even + j] = x[at + 2j] and y[odd + j] = x[at + 2j + 1] for j < count; exactly."""
    y[even : even + count] = x[at : at + 2 * count : 2]
    y[odd : odd + count] = x[at + 1 : at + 2 * count : 2]


def _spread(write):
    builder, count = write.builder, write["count"]
    target, source = write.address("y", "to"), write.address("x")
    whole = builder.and_(count, _INT(-write.lanes))

    def store(number, j):
        builder.store(number, write.at(target, builder.mul(write["step"], j)))

    with cgutils.for_range_slice(builder, _INT(0), whole, _INT(write.lanes)) as (j, _):
        numbers = write.load(write.at(source, j))
        for lane in range(write.lanes):
            number = builder.extract_element(numbers, ir.Constant(ir.IntType(32), lane))
            store(number, builder.add(j, _INT(lane)))
    with cgutils.for_range_slice(builder, whole, count, _INT(1)) as (j, _):
        store(builder.load(write.at(source, j)), j)


@emitted(_spread, LineWriter)
def spread(y, to, step, x, count):
    """y[to + step*j] = x[j] for j < count; exactly.

    LLVM would scatter them with one instruction, which takes longer than these many.
    """
    y[to : to + step * count : step] = x[:count]
