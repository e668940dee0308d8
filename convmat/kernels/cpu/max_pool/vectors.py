"""Explicit vectors for the greatest of several lines, number by number, and where it was.

Each intrinsic has a twin in Python, as those in `vectors` have.
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

from convmat.kernels.cpu.kronecker.vectors import LineWriter
from convmat.kernels.cpu.vectors.writer import PYTHON

__all__ = ["greatest", "greatest_named"]

_INT = ir.IntType(64)
PAIR = 2  # vectors that are compared at once, where a line has so many


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

    def wins(self, number, candidate, best):
        """Say in which lanes a candidate is greater than the best so far, or missing."""
        if not isinstance(number, types.Float):
            compare = self.builder.icmp_signed if number.signed else self.builder.icmp_unsigned
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


@intrinsic
def _greatest(typing_context, y, to, lowest, count, x, offsets, steps):
    where = types.intp
    signature = types.void(y, where, lowest, where, x, offsets, where)

    def codegen(context, builder, sig, args):
        write = _PlaceWriter(context, builder, sig, args)
        target, value = write.address(0, args[1]), write.address(2, _INT(0))
        source, table = write.address(4, _INT(0)), write.address(5, _INT(0))

        def body(j, vectors, mask):
            starts = [builder.add(j, _INT(v * write.lanes)) for v in range(vectors)]

            def step(k, bests):
                line = write.at(source, builder.load(write.at(table, k)))
                read = [write.load_some(write.at(line, start), mask) for start in starts]
                return [
                    builder.select(write.wins(y.dtype, candidate, best), candidate, best)
                    for candidate, best in zip(read, bests, strict=True)
                ]

            found = write.repeated(args[6], [write.splat(value)] * vectors, step)
            for best, start in zip(found, starts, strict=True):
                write.store_some(best, write.at(target, start), mask)

        write.along(args[3], (PAIR, 1), body)
        return write.nothing()

    return signature, codegen


def _greatest_in_python(y, to, lowest, count, x, offsets, steps):
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


@intrinsic
def _greatest_named(
    typing_context, y, to, where, lowest, start, origin, moves, count, x, reads, steps
):
    at = types.intp
    offsets, names = reads.types
    signature = types.void(y, at, where, lowest, start, at, moves, at, x, reads, at)
    number = y.dtype

    def codegen(context, builder, sig, args):
        write = _PlaceWriter(context, builder, sig, args)
        zero = _INT(0)
        source, value = write.address(8, zero), write.address(3, zero)
        firsts, ramp = write.address(4, zero), write.address(6, zero)
        targets = write.address(0, args[1]), write.address(2, args[1])
        table, labels = (
            context.make_array(kind)(context, builder, builder.extract_value(args[9], i)).data
            for i, kind in enumerate((offsets, names))
        )
        integer = ir.IntType(8 * write.size)
        wide = ir.VectorType(_INT, write.lanes)

        def body(j, vectors, mask):
            starts = [builder.add(j, _INT(v * write.lanes)) for v in range(vectors)]

            def step(k, both):
                line = write.at(source, builder.load(write.at(table, k)))
                label = write.every(builder.load(write.at(labels, k)))
                bests, places = both[:vectors], both[vectors:]
                for v, lane in enumerate(starts):
                    candidate = write.load_some(write.at(line, lane), mask)
                    better = write.wins(number, candidate, bests[v])
                    bests[v] = builder.select(better, candidate, bests[v])
                    places[v] = builder.select(better, label, places[v])
                return bests + places

            narrow = args[5] if write.size == 8 else builder.trunc(args[5], integer)
            first = write.every(narrow)
            found = [
                builder.add(write.integers(write.at(firsts, start)), first) for start in starts
            ]
            found = write.repeated(args[10], [write.splat(value)] * vectors + found, step)
            for v, lane in enumerate(starts):
                place = builder.add(found[vectors + v], write.integers(write.at(ramp, lane)))
                write.store_some(found[v], write.at(targets[0], lane), mask)
                place = place if write.size == 8 else builder.sext(place, wide)
                write.store_places(place, write.at(targets[1], lane), mask)

        write.along(args[7], (PAIR, 1), body)
        return write.nothing()

    return signature, codegen


def _greatest_named_in_python(y, to, where, lowest, start, origin, moves, count, x, reads, steps):
    """Write the greatest of the numbers x[offsets[k] + j], k < steps, and the name of the first.

    y[to + j] is the greatest, where[to + j] is names[k] + moves[j]; for all j < count. Where none
    is greater than lowest[0], that is the value, and the name is start[j] + origin. NaN is
    greater than all numbers; of several the last is named. `reads` = (offsets, names).
    Steps are one at least; `start` and `moves` have room for whole vectors.
    """
    offsets, names = reads
    best = np.full(count, lowest[0])
    place = start[:count] + origin
    for k in range(steps):
        candidates = x[offsets[k] : offsets[k] + count]
        wins = (candidates > best) | (candidates != candidates)  # noqa: PLR0124, NaN
        best[wins] = candidates[wins]
        place[wins] = names[k]
    y[to : to + count] = best
    where[to : to + count] = place + moves[:count]


greatest: Any = _greatest_in_python if PYTHON else _greatest
greatest_named: Any = _greatest_named_in_python if PYTHON else _greatest_named
