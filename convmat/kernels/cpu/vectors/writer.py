"""Explicit vectors in Numba, for the innermost loops of the fast path: how they are written down.

LLVM does not find these loops by itself: arrays that might overlap, signed indices that might
wrap around, and more values than registers stand in its way. So they are functions of two halves:
what a loop means is said in Python, and runs where nothing is compiled; what it is made of is
written by another function into the code of the caller.

    def _add(write):
        x, y = write.address("x", "at"), write.address("y", "to")
        write.store(write.plus(write.load(y), write.load(x)), y)

    @emitted(_add)
    def add(y, to, x, at):  # y[to + lane] += x[at + lane] for all lanes of a vector
        lanes = np.arange(VECTOR // x.itemsize)
        y[to + lanes] += x[at + lanes]
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined"
# What is written are Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["PYTHON", "VECTOR", "Writer", "emitted"]

VECTOR = 64  # bytes; LLVM splits what the machine's own vectors cannot hold

PYTHON = config.DISABLE_JIT  # what is written exists in compiled code alone

_INT, _SHORT = ir.IntType(64), ir.IntType(32)
_BITS = 8  # of each number of a case


class Writer:
    """What is passed to a function by name, and vectors that need no alignment.

    The numbers of a vector are those of the first array. There are `VECTOR` bytes of them, if it
    is not said how many lanes.
    """

    def __init__(self, context, builder, kinds, values, lanes=None):
        self.context, self.builder, self.kinds, self.values = context, builder, kinds, values
        for name, kind in list(kinds.items()):  # the fields of a record have names too
            if isinstance(kind, types.BaseTuple):
                fields = getattr(kind, "fields", range(len(kind)))
                for i, (field, own) in enumerate(zip(fields, kind.types, strict=True)):
                    kinds[f"{name}.{field}"] = own
                    values[f"{name}.{field}"] = builder.extract_value(values[name], i)
        self.number = next(kind.dtype for kind in kinds.values() if isinstance(kind, types.Array))
        self.lane = context.get_value_type(self.number)
        self.size = context.get_abi_sizeof(self.lane)
        self.lanes = lanes or VECTOR // self.size
        self.vector = ir.VectorType(self.lane, self.lanes)

    def __getitem__(self, name):
        """Return the value of an argument, or of a field of one: ``"read.start"``."""
        return self.values[name]

    def known(self, name):
        """Return the value of a literal."""
        return self.kinds[name].literal_value

    def address(self, array, index=None):
        """Return a pointer to an element of an array: its first, or that of an argument's index."""
        made = self.context.make_array(self.kinds[array])
        data = made(self.context, self.builder, self.values[array]).data
        return data if index is None else self.builder.gep(data, [self.values[index]])

    def length(self, array):
        """Return the elements of an array of one axis."""
        made = self.context.make_array(self.kinds[array])
        return made(self.context, self.builder, self.values[array]).nitems

    def at(self, pointer, offset):
        """Return a pointer further on."""
        return self.builder.gep(pointer, [offset])

    def place(self, pitch, line, vector=0):
        """Return how far on a vector of a line lies, where lines are an argument apart."""
        ahead = self.builder.mul(self.values[pitch], _INT(line))
        return self.builder.add(ahead, _INT(vector * self.lanes))

    def load(self, pointer):
        """Load a vector from anywhere."""
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        loaded = self.builder.load(wide)
        loaded.align = self.size
        return loaded

    def store(self, value, pointer):
        """Store a vector anywhere."""
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        self.builder.store(value, wide).align = self.size

    def shuffle(self, first, second, lanes):
        """Choose lanes of two vectors."""
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), lanes)
        return self.builder.shuffle_vector(first, second, mask)

    def alternated(self, rows):
        """Return vectors with the first lane of each row, then the second of each, and so on.

        A row is a list of vectors; there are a power of two of them.
        """
        if len(rows) == 1:
            return rows[0]
        half = len(rows) // 2
        low = [i // 2 + i % 2 * self.lanes for i in range(self.lanes)]
        high = [self.lanes // 2 + lane for lane in low]
        mixed = []
        for first, second in zip(rows[:half], rows[half:], strict=True):
            pairs = zip(first, second, strict=True)
            mixed.append([self.shuffle(*pair, mask) for pair in pairs for mask in (low, high)])
        return self.alternated(mixed)

    def apart(self, vectors):
        """Do the reverse for as many vectors as there are rows: return one of each row."""
        if len(vectors) == 1:
            return vectors
        rows = [None] * len(vectors)
        for odd in range(2):
            lanes = [odd + 2 * lane for lane in range(self.lanes)]
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            rows[odd::2] = self.apart([self.shuffle(*pair, lanes) for pair in pairs])
        return rows

    def splat(self, pointer):
        """Load one number into all lanes."""
        nothing = ir.Constant(self.vector, ir.Undefined)
        number = self.builder.load(pointer)
        first = self.builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, nothing, [0] * self.lanes)

    def multiply_add(self, first, second, third):
        """Return first * second + third, rounded once if they are floats."""
        if isinstance(self.lane, ir.IntType):
            return self.builder.add(self.builder.mul(first, second), third)
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fma.v{self.lanes}f{8 * self.size}"
        fused = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(fused, [first, second, third])

    def mask_of_first(self, count):
        """Return the mask of so many first lanes: none if there are less, all if there are more."""
        number = self.builder.trunc(count, _SHORT)
        nothing = ir.Constant(ir.VectorType(_SHORT, self.lanes), ir.Undefined)
        number = self.builder.insert_element(nothing, number, _SHORT(0))
        number = self.shuffle(number, nothing, [0] * self.lanes)
        lanes = ir.Constant(ir.VectorType(_SHORT, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", lanes, number)

    def masked(self, kind, pointer, mask, value=None):
        """Load or store the lanes of a mask alone; the others are zero, or left as they are."""
        wide = self.builder.bitcast(pointer, self.vector.as_pointer())
        align = ir.Constant(_SHORT, self.size)
        letter = "i" if isinstance(self.lane, ir.IntType) else "f"
        name = f"llvm.masked.{kind}.v{self.lanes}{letter}{8 * self.size}.p0"
        if kind == "load":
            takes = [wide.type, _SHORT, mask.type, self.vector]
            made = ir.FunctionType(self.vector, takes)
            given = [wide, align, mask, ir.Constant(self.vector, None)]
        else:
            made = ir.FunctionType(ir.VoidType(), [self.vector, wide.type, _SHORT, mask.type])
            given = [value, wide, align, mask]
        function = cgutils.get_or_insert_function(self.builder.module, made, name)
        return self.builder.call(function, given)

    def plus(self, first, second):
        """Return first + second."""
        add = self.builder.add if isinstance(self.lane, ir.IntType) else self.builder.fadd
        return add(first, second)

    def zeros(self, count):
        """Return so many vectors of zeros."""
        return [ir.Constant(self.vector, None)] * count

    def prefetch(self, pointer):
        """Ask for memory that will be read soon; it may lie anywhere."""
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _SHORT, _SHORT, _SHORT])
        function = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        hints = [_SHORT(0), _SHORT(3), _SHORT(1)]  # to read, into all caches, data
        self.builder.call(function, [self.builder.bitcast(pointer, byte), *hints])

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

    def cases(self, numbers, known, emit):
        """Emit emit(*case) for each known case of some small numbers; all others are the last."""
        builder, key = self.builder, _INT(0)
        for number in numbers:
            key = builder.or_(builder.shl(key, _INT(_BITS)), number)
        *blocks, other = [builder.append_basic_block("case") for _ in known]
        after = builder.append_basic_block("chosen")
        switch = builder.switch(key, other)
        for case, block in zip(known, [*blocks, other], strict=True):
            if block is not other:
                switch.add_case(_INT(sum(n << _BITS * i for i, n in enumerate(case[::-1]))), block)
            builder.position_at_end(block)
            emit(*case)
            builder.branch(after)
        builder.position_at_end(after)


def emitted(
    emit: Callable[[Any], Any],
    writer: Any = Writer,
    literals: tuple[str, ...] = (),
    returns: Any = types.void,
) -> Callable[[Callable[..., Any]], Any]:
    """Declare a function of which `emit` writes the code, and the decorated one says the meaning.

    Parameters
    ----------
    emit : function of a `Writer`, which has all arguments by their names
    writer : type of the writer
    literals : names of arguments that are known when the caller is compiled
    returns : type of what `emit` returns, if it is something

    Notes
    -----
    The function in Python runs where nothing is compiled; tests call it as `meaning`. Numba may
    not be told of ``*args``, so it is shown the parameters of that function.
    """

    def declare(meaning: Callable[..., Any]) -> Any:
        meaning.meaning = meaning
        if PYTHON:
            return meaning
        given = inspect.signature(meaning)

        def definition(typing_context: Any, *kinds: Any) -> Any:
            passed = {
                name: kind if name in literals else _passed(kind)
                for name, kind in zip(given.parameters, kinds, strict=True)
            }

            def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
                own = dict(zip(passed, signature.args, strict=True))
                made = emit(writer(context, builder, own, dict(zip(passed, values, strict=True))))
                return context.get_dummy_value() if made is None else made

            return returns(*passed.values()), codegen

        first = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        definition.__signature__ = given.replace(parameters=[first, *given.parameters.values()])
        definition.__name__ = meaning.__name__
        function = intrinsic(prefer_literal=bool(literals))(definition)
        function.meaning = meaning
        return function

    return declare


def _passed(kind: Any) -> Any:
    """Return the type that an argument is passed as: places and counts are of one width."""
    if isinstance(kind, types.Boolean):
        return types.boolean
    return types.intp if isinstance(kind, types.Integer) else kind
