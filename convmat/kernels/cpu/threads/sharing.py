"""One call of a kernel, shared by several threads without the interpreter.

A kernel whose first parameter is ``team``, whose last are ``first`` and ``last``, and whose first
statement is ``if shared(team): return`` may be called for all items [first, last) at once. The
call leaves its own arguments in the memory of a team. The threads of the team, which wait in
compiled code, call the same kernel for pieces of the items, and so does the caller; whoever is
free takes the next piece. Nobody needs the GIL, and a call costs about a microsecond more than
it does alone, where waking a thread of Python costs a hundred.

With 0 for `team` a kernel is an ordinary function. `kernels.cpu.threads.team` has the threads.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, attr-defined, unreachable"
# Intrinsics receive Numba and LLVM objects, neither of which is typed.

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from convmat.kernels.compiling import compiled

__all__ = [
    "CLOSED",
    "DONE",
    "ERROR",
    "HELPERS",
    "MOST",
    "PIECES",
    "WORDS",
    "serve",
    "shared",
    "wait",
]

# Where in a team's memory, in words of 8 bytes, which are in lines of 64 of their own if several
# threads write them.
TICKET, DONE, CALL, FIRST, COUNT, PIECES, HELPERS, ERROR, CLOSED = 0, 8, 16, 17, 18, 19, 20, 21, 22
ARGUMENTS, WORDS = 24, 24 + 512

# A ticket is (call, pieces, next piece): 32, 16 and 16 bits. A thread owns a piece once it has
# replaced the ticket by the next one; so nobody can take a piece of a call that is over.
BITS = 16
MOST = (1 << BITS) - 1

_INT, _VOID, _STATUS = ir.IntType(64), ir.VoidType(), ir.IntType(32)
_BYTES, _WORDS = ir.IntType(8).as_pointer(), _INT.as_pointer()
_CALL = ir.FunctionType(_STATUS, [_WORDS, _INT, _INT])


def _word(builder, team, place):
    return builder.gep(team, [_INT(place)])


def _load(builder, team, place):
    return builder.load(_word(builder, team, place))


def _ticket(builder, team):
    """Return the ticket, the pieces and the next piece."""
    ticket = builder.load_atomic(_word(builder, team, TICKET), "acquire", 8)
    pieces = builder.and_(builder.lshr(ticket, _INT(BITS)), _INT(MOST))
    return ticket, pieces, builder.and_(ticket, _INT(MOST))


def _pause(builder):
    """Tell the processor, if it wants to know, that this loop waits for another thread."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        kind = ir.FunctionType(_VOID, [])
        name = "llvm.x86.sse2.pause"
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])


def _helping(module):
    """Return the function that works on pieces of the present call until none is left."""
    name = "convmat.help"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(_VOID, [_WORDS]), name)
    function.linkage = "internal"
    (team,) = function.args
    entry, start, take, work, end = (
        function.append_basic_block(block) for block in ("entry", "start", "take", "work", "end")
    )
    ir.IRBuilder(entry).branch(start)
    builder = ir.IRBuilder(start)
    ticket, pieces, number = _ticket(builder, team)
    builder.cbranch(builder.icmp_unsigned("<", number, pieces), take, end)
    builder.position_at_end(take)
    call = builder.inttoptr(_load(builder, team, CALL), _CALL.as_pointer())
    first, count = (_load(builder, team, place) for place in (FIRST, COUNT))
    following = builder.add(ticket, _INT(1))
    taken = builder.cmpxchg(_word(builder, team, TICKET), ticket, following, "seq_cst", "seq_cst")
    builder.cbranch(builder.extract_value(taken, 1), work, start)
    builder.position_at_end(work)
    ends = [
        builder.add(first, builder.udiv(builder.mul(count, i), pieces))
        for i in (number, builder.add(number, _INT(1)))
    ]
    status = builder.call(call, [team, *ends])
    with builder.if_then(builder.icmp_signed("!=", status, _STATUS(0)), likely=False):
        builder.store(_INT(1), _word(builder, team, ERROR))
    builder.atomic_rmw("add", _word(builder, team, DONE), _INT(1), "seq_cst")
    builder.branch(start)
    builder.position_at_end(end)
    builder.ret_void()
    return function


def _again(context, builder):
    """Return a function that calls the present one for a piece, and the struct of its arguments."""
    whole = builder.function
    given = whole.args[2:]  # after the places for a result and for an error
    kept = ir.LiteralStructType([argument.type for argument in given])
    if context.get_abi_sizeof(kept) > 8 * (WORDS - ARGUMENTS):
        raise TypeError(f"{whole.name} has too many arguments for a team")
    function = ir.Function(builder.module, _CALL, f"{whole.name}.piece")
    function.linkage = "internal"
    team, first, last = function.args
    inside = ir.IRBuilder(function.append_basic_block())
    place = inside.bitcast(_word(inside, team, ARGUMENTS), kept.as_pointer())
    values = [
        inside.load(inside.gep(place, [_STATUS(0), _STATUS(i)])) for i in range(1, len(given) - 2)
    ]
    places = [inside.alloca(argument.type.pointee) for argument in whole.args[:2]]
    status = inside.call(whole, [*places, _INT(0), *values, first, last])
    inside.ret(status)
    return function, kept


@intrinsic
def _shared(typing_context, team):
    signature = types.boolean(types.int64)

    def codegen(context, builder, sig, args):
        given = builder.function.args[2:]
        alone = builder.icmp_signed("==", args[0], _INT(0))
        with builder.if_then(builder.not_(alone)):
            team = builder.inttoptr(args[0], _WORDS)
            call, kept = _again(context, builder)
            place = builder.bitcast(_word(builder, team, ARGUMENTS), kept.as_pointer())
            for i, value in enumerate(given):
                # The caller's records of who holds an array are gone before helpers end, while
                # the array is not: for them it is one that nobody counts.
                counted = i + 1 < len(given) and value.type == given[i + 1].type == _BYTES
                kept_value = ir.Constant(_BYTES, None) if counted else value
                builder.store(kept_value, builder.gep(place, [_STATUS(0), _STATUS(i)]))
            count = builder.sub(given[-1], given[-2])
            for word, value in (
                (CALL, builder.ptrtoint(call, _INT)), (FIRST, given[-2]), (COUNT, count),
                (DONE, _INT(0)),
            ):  # fmt: skip
                builder.store(value, _word(builder, team, word))
            ticket, _, _ = _ticket(builder, team)
            calls = builder.add(builder.lshr(ticket, _INT(2 * BITS)), _INT(1))
            ticket = builder.shl(calls, _INT(2 * BITS))
            pieces = builder.shl(_load(builder, team, PIECES), _INT(BITS))
            ticket = builder.or_(ticket, pieces)
            builder.store_atomic(ticket, _word(builder, team, TICKET), "seq_cst", 8)
            builder.call(_helping(builder.module), [team])
        return builder.not_(alone)

    return signature, codegen


@intrinsic
def _help(typing_context, team):
    signature = types.boolean(types.int64)

    def codegen(context, builder, sig, args):
        """Work on the present call, and say whether there was something to do."""
        team = builder.inttoptr(args[0], _WORDS)
        _, pieces, number = _ticket(builder, team)
        some = builder.icmp_unsigned("<", number, pieces)
        with builder.if_else(some) as (then, otherwise):
            with then:
                builder.call(_helping(builder.module), [team])
            with otherwise:
                _pause(builder)
        return some

    return signature, codegen


@intrinsic
def _read(typing_context, team, place):
    signature = types.int64(types.int64, types.int64)

    def codegen(context, builder, sig, args):
        team = builder.inttoptr(args[0], _WORDS)
        return builder.load_atomic(builder.gep(team, [args[1]]), "acquire", 8)

    return signature, codegen


@compiled
def serve(team: int, number: int, patience: int) -> None:
    """Help with every call, as helper of this number, until for so many turns there is none."""
    idle = 0
    while (idle < patience) & (_read(team, CLOSED) == 0):
        if number < _read(team, HELPERS):
            idle = 0 if _help(team) else idle + 1
        else:
            _idle()
            idle += 1


@compiled
def wait(team: int, patience: int) -> bool:
    """Wait until all pieces are done, for so many turns at most, and say whether they are."""
    idle = 0
    while _read(team, DONE) < _read(team, PIECES):
        if idle == patience:
            return False
        _idle()
        idle += 1
    return True


@intrinsic
def _idle(typing_context):
    def codegen(context, builder, sig, args):
        _pause(builder)
        return context.get_dummy_value()

    return types.void(), codegen


def _not_shared(team):
    """Say whether the items were written by a team, of which there is none without the compiler."""
    return False


shared: Any = _not_shared if config.DISABLE_JIT else _shared
