"""Explicit vectors for the greatest of several lines, number by number, and where it was.

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

from convmat.kernels.cpu.kronecker.vectors import LineWriter
from convmat.kernels.cpu.vectors.writer import emitted

__all__ = ["Found", "Taps", "greatest", "greatest_named"]

Array = np.ndarray[Any, np.dtype[Any]]

_INT = ir.IntType(64)
PAIR = 2  # vectors that are compared at once, where a line has so many


class Found(NamedTuple):
    """The greatest numbers, and their names."""

    values: Array
    names: Array


class Taps(NamedTuple):
    """Where the line begins that a tap reads, and the name of its first number."""

    offsets: Array
    names: Array


class _PlaceWriter(LineWriter):
    """Compares numbers, and keeps where they are."""

    def every(self, one):
        """Return an integer as wide as the numbers in all lanes."""
        kind = ir.VectorType(one.type, self.lanes)
        nothing = ir.Constant(kind, ir.Undefined)
        vector = self.builder.insert_element(nothing, one, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(vector, vector, [0] * self.lanes)

    def integers(self, pointer):
        """Load a vector of integers as wide as the numbers."""
        kind = ir.VectorType(ir.IntType(8 * self.size), self.lanes)
        loaded = self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()))
        loaded.align = self.size
        return loaded

    def wins(self, candidate, best):
        """Say in which lanes a candidate is greater than the best so far, or missing."""
        if not isinstance(self.number, types.Float):
            signed = self.number.signed
            compare = self.builder.icmp_signed if signed else self.builder.icmp_unsigned
            return compare(">", candidate, best)
        missing = self.builder.fcmp_unordered("uno", candidate, candidate)
        return self.builder.or_(self.builder.fcmp_ordered(">", candidate, best), missing)

    def store_places(self, value, pointer, mask):
        """Store integers of 64 bits, one for each lane."""
        wide = self.builder.bitcast(pointer, value.type.as_pointer())
        if mask is None:
            self.builder.store(value, wide).align = 8
            return
        align = ir.Constant(ir.IntType(32), 8)
        name = f"llvm.masked.store.v{self.lanes}i64.p0"
        arguments = [value, wide, align, mask]
        kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        self.builder.call(function, arguments)


def _greatest(write):
    builder = write.builder
    target, lowest = write.address("y", "to"), write.splat(write.address("lowest"))
    source, table = write.address("x"), write.address("offsets")

    def body(j, vectors, mask):
        starts = [builder.add(j, _INT(v * write.lanes)) for v in range(vectors)]

        def step(k, bests):
            line = write.at(source, builder.load(write.at(table, k)))
            read = [write.load_some(write.at(line, start), mask) for start in starts]
            return [
                builder.select(write.wins(candidate, best), candidate, best)
                for candidate, best in zip(read, bests, strict=True)
            ]

        found = write.repeated(write["steps"], [lowest] * vectors, step)
        for best, start in zip(found, starts, strict=True):
            write.store_some(best, write.at(target, start), mask)

    write.along(write["count"], (PAIR, 1), body)


@emitted(_greatest, _PlaceWriter)
def greatest(y, to, lowest, count, x, offsets, steps):
    """Write the greatest of the numbers x[offsets[k] + j], k < steps, to y[to + j], j < count.

    Steps are one at least. Where none is greater than lowest[0] it is that. NaN is greater than all
    numbers.
    """
    best = np.full(count, lowest[0])
    for k in range(steps):
        candidates = x[offsets[k] : offsets[k] + count]
        wins = (candidates > best) | (candidates != candidates)  # noqa: PLR0124, NaN
        best[wins] = candidates[wins]
    y[to : to + count] = best


def _greatest_named(write):
    builder = write.builder
    source, lowest = write.address("x"), write.splat(write.address("lowest"))
    firsts, ramp = write.address("start"), write.address("moves")
    values, names = write.address("found.values", "to"), write.address("found.names", "to")
    table, labels = write.address("taps.offsets"), write.address("taps.names")
    wide = ir.VectorType(_INT, write.lanes)

    def body(j, vectors, mask):
        starts = [builder.add(j, _INT(v * write.lanes)) for v in range(vectors)]

        def step(k, both):
            line = write.at(source, builder.load(write.at(table, k)))
            label = write.every(builder.load(write.at(labels, k)))
            bests, places = both[:vectors], both[vectors:]
            for v, lane in enumerate(starts):
                candidate = write.load_some(write.at(line, lane), mask)
                better = write.wins(candidate, bests[v])
                bests[v] = builder.select(better, candidate, bests[v])
                places[v] = builder.select(better, label, places[v])
            return bests + places

        origin, narrow = write["origin"], ir.IntType(8 * write.size)
        first = write.every(origin if write.size == 8 else builder.trunc(origin, narrow))
        found = [builder.add(write.integers(write.at(firsts, start)), first) for start in starts]
        found = write.repeated(write["steps"], [lowest] * vectors + found, step)
        for v, lane in enumerate(starts):
            place = builder.add(found[vectors + v], write.integers(write.at(ramp, lane)))
            write.store_some(found[v], write.at(values, lane), mask)
            place = place if write.size == 8 else builder.sext(place, wide)
            write.store_places(place, write.at(names, lane), mask)

    write.along(write["count"], (PAIR, 1), body)


@emitted(_greatest_named, _PlaceWriter)
def greatest_named(found, to, lowest, start, origin, moves, count, x, taps, steps):
    """Write the greatest of the numbers x[taps.offsets[k] + j], k < steps, and its name.

    found.values[to + j] is the greatest, found.names[to + j] is taps.names[k] + moves[j]; for all
    j < count. Where none is greater than lowest[0], that is the value, and the name is start[j] +
    origin + moves[j]. NaN is greater than all numbers; of several the last is named, of equal
    numbers the first. Steps are one at least; `start` and `moves` have room for whole vectors.
    """
    best = np.full(count, lowest[0])
    place = start[:count] + origin
    for k in range(steps):
        candidates = x[taps.offsets[k] : taps.offsets[k] + count]
        wins = (candidates > best) | (candidates != candidates)  # noqa: PLR0124, NaN
        best[wins] = candidates[wins]
        place[wins] = taps.names[k]
    found.values[to : to + count] = best
    found.names[to : to + count] = place + moves[:count]
