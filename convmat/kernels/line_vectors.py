"""Explicit vectors along a line of memory: sums of shifted lines, halves apart, the greatest.

The last vector of a line is masked: nothing beyond the line is read or written. Each intrinsic
has a twin in Python, as those in `vectors` have.
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

from convmat.kernels.vectors import Writer

__all__ = ["combine", "greatest", "separate"]

_INT = ir.IntType(64)
MANY = 4  # vectors that are summed at once, where a line has so many


class _LineWriter(Writer):
    """Reads and writes that may leave out lanes."""

    def first_lanes(self, count):
        """Return the mask of so many lanes."""
        kind = ir.VectorType(_INT, self.lanes)
        lane = ir.Constant(kind, list(range(self.lanes)))
        nothing = ir.Constant(kind, ir.Undefined)
        one = self.builder.insert_element(nothing, count, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        every = self.builder.shuffle_vector(one, nothing, zeros)
        return self.builder.icmp_signed("<", lane, every)

    def _masked(self, verb, result, arguments):
        name = f"llvm.masked.{verb}.v{self.lanes}{self._letter()}.p0"
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, arguments)

    def _letter(self):
        return f"{'i' if isinstance(self.lane, ir.IntType) else 'f'}{8 * self.size}"

    def load_some(self, pointer, mask):
        if mask is None:
            return self.load(pointer)
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        align = ir.Constant(ir.IntType(32), self.size)
        zero = ir.Constant(self.vector, None)
        return self._masked("load", self.vector, [wide, align, mask, zero])

    def store_some(self, value, pointer, mask):
        if mask is None:
            self.store(value, pointer)
            return
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        align = ir.Constant(ir.IntType(32), self.size)
        self._masked("store", ir.VoidType(), [value, wide, align, mask])

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

    def along(self, count, widths, body):
        """Emit body(start, vectors, mask) for all of a line: widest first, the rest masked."""
        start = _INT(0)
        for width in widths:
            step = width * self.lanes
            rest = self.builder.sub(count, start)
            whole = self.builder.sub(rest, self.builder.srem(rest, _INT(step)))
            stop = self.builder.add(start, whole)
            with cgutils.for_range_slice(self.builder, start, stop, _INT(step)) as (j, _):
                body(j, width, None)
            start = stop
        with cgutils.if_unlikely(self.builder, self.builder.icmp_signed("<", start, count)):
            body(start, 1, self.first_lanes(self.builder.sub(count, start)))

    def repeated(self, steps, initial, body):
        """Emit values = body(k, values) for k < steps, which are one at least; return the last."""
        before, loop = self.builder.block, self.builder.append_basic_block("steps")
        self.builder.branch(loop)
        self.builder.position_at_end(loop)
        k = self.builder.phi(_INT)
        k.add_incoming(_INT(0), before)
        values = [self.builder.phi(value.type) for value in initial]
        new = body(k, values)
        following = self.builder.add(k, _INT(1))
        k.add_incoming(following, loop)
        for value, first, last in zip(values, initial, new, strict=True):
            value.add_incoming(first, before)
            value.add_incoming(last, loop)
        after = self.builder.append_basic_block("done")
        self.builder.cbranch(self.builder.icmp_signed("<", following, steps), loop, after)
        self.builder.position_at_end(after)
        return new


@intrinsic
def _combine(typing_context, y, to, count, x, at, offsets, w, begin, steps):
    where = types.intp
    signature = types.void(y, where, where, x, where, offsets, w, where, where)

    def codegen(context, builder, sig, args):
        write = _LineWriter(context, builder, sig, args)
        target, source = write.address(0, args[1]), write.address(3, args[4])
        table, weights = write.address(5, args[7]), write.address(6, args[7])

        def body(j, vectors, mask):
            def step(k, sums):
                line = write.at(source, builder.add(j, builder.load(write.at(table, k))))
                weight = write.splat(write.at(weights, k))
                return [
                    write.multiply_add(
                        write.load_some(write.at(line, _INT(v * write.lanes)), mask), weight, one
                    )
                    for v, one in enumerate(sums)
                ]

            zeros = [ir.Constant(write.vector, None)] * vectors
            for v, one in enumerate(write.repeated(args[8], zeros, step)):
                place = builder.add(j, _INT(v * write.lanes))
                write.store_some(one, write.at(target, place), mask)

        write.along(args[2], (MANY, 1), body)
        return write.nothing()

    return signature, codegen


def _combine_in_python(y, to, count, x, at, offsets, w, begin, steps):
    """y[to + j] = sum over k of w[begin + k] * x[at + offsets[begin + k] + j], j < count.

    k < steps, which are one at least.
    """
    sums = 0
    for k in range(begin, begin + steps):
        start = at + offsets[k]
        sums = sums + w[k] * x[start : start + count]
    y[to : to + count] = sums


@intrinsic
def _separate(typing_context, y, even, odd, x, at, count):
    where = types.intp
    signature = types.void(y, where, where, x, where, where)

    def codegen(context, builder, sig, args):
        write = _LineWriter(context, builder, sig, args)
        targets = write.address(0, args[1]), write.address(0, args[2])
        source = write.address(3, args[4])

        def body(j, _, mask):
            line = write.at(source, builder.mul(j, _INT(2)))
            masks = [None, None]
            if mask is not None:
                rest = builder.mul(builder.sub(args[5], j), _INT(2))
                past = builder.sub(rest, _INT(write.lanes))
                masks = [write.first_lanes(rest), write.first_lanes(past)]
            pair = [
                write.load_some(write.at(line, _INT(h * write.lanes)), masks[h]) for h in range(2)
            ]
            for half, target in enumerate(targets):
                lanes = [2 * i + half for i in range(write.lanes)]
                write.store_some(write.shuffle(*pair, lanes), write.at(target, j), mask)

        write.along(args[5], (1,), body)
        return write.nothing()

    return signature, codegen


def _separate_in_python(y, even, odd, x, at, count):
    """y[even + j] = x[at + 2j] and y[odd + j] = x[at + 2j + 1] for j < count; exactly."""
    y[even : even + count] = x[at : at + 2 * count : 2]
    y[odd : odd + count] = x[at + 1 : at + 2 * count : 2]


@intrinsic
def _greatest(typing_context, y, to, where, lowest, start, origin, moves, count, x, reads, steps):
    at = types.intp
    offsets, names = reads.types
    signature = types.void(y, at, where, lowest, start, at, moves, at, x, reads, at)
    number = y.dtype

    def codegen(context, builder, sig, args):
        write = _LineWriter(context, builder, sig, args)
        zero = _INT(0)
        source, value = write.address(8, zero), write.address(3, zero)
        firsts, ramp = write.address(4, zero), write.address(6, zero)
        targets = write.address(0, args[1]), write.address(2, args[1])
        table, labels = (
            context.make_array(kind)(context, builder, builder.extract_value(args[9], i)).data
            for i, kind in enumerate((offsets, names))
        )
        integer = ir.IntType(8 * write.size)
        integers = ir.VectorType(integer, write.lanes)
        wide = ir.VectorType(_INT, write.lanes)

        def every(one):
            nothing = ir.Constant(integers, ir.Undefined)
            vector = builder.insert_element(nothing, one, ir.Constant(ir.IntType(32), 0))
            return write.shuffle(vector, vector, [0] * write.lanes)

        def whole(pointer):
            loaded = builder.load(builder.bitcast(pointer, integers.as_pointer()))
            loaded.align = write.size
            return loaded

        def wins(candidate, best):
            if not isinstance(number, types.Float):
                compare = builder.icmp_signed if number.signed else builder.icmp_unsigned
                return compare(">", candidate, best)
            missing = builder.fcmp_unordered("uno", candidate, candidate)
            return builder.or_(builder.fcmp_ordered(">", candidate, best), missing)

        def body(j, _, mask):
            def step(k, both):
                offset = builder.add(j, builder.load(write.at(table, k)))
                candidate = write.load_some(write.at(source, offset), mask)
                label = every(builder.load(write.at(labels, k)))
                better = wins(candidate, both[0])
                return [
                    builder.select(better, candidate, both[0]),
                    builder.select(better, label, both[1]),
                ]

            narrow = args[5] if write.size == 8 else builder.trunc(args[5], integer)
            place = builder.add(whole(write.at(firsts, j)), every(narrow))
            best, place = write.repeated(args[10], [write.splat(value), place], step)
            place = builder.add(place, whole(write.at(ramp, j)))
            write.store_some(best, write.at(targets[0], j), mask)
            place = place if write.size == 8 else builder.sext(place, wide)
            write.store_places(place, write.at(targets[1], j), mask)

        write.along(args[7], (1,), body)
        return write.nothing()

    return signature, codegen


def _greatest_in_python(y, to, where, lowest, start, origin, moves, count, x, reads, steps):
    """Write the greatest of the numbers x[offsets[k] + j], k < steps, and the name of the first.

    y[to + j] is the greatest, where[to + j] is names[k] + moves[j]; for all j < count. Where none
    is greater than lowest[0], that is the value, and the name is start[j] + origin. NaN is
    greater than all numbers; of several the last is named. `reads` = (offsets, names).
    `start` and `moves` have room for whole vectors.
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


_PYTHON = config.DISABLE_JIT  # intrinsics exist in compiled code alone
combine: Any = _combine_in_python if _PYTHON else _combine
separate: Any = _separate_in_python if _PYTHON else _separate
greatest: Any = _greatest_in_python if _PYTHON else _greatest
