"""Vectors for fast convolution: small exact matrices as straight-line code, and tiles put in place.

The matrices are known when a kernel is compiled, so zeros cost nothing, ones are additions, and
two rows that differ in signs alone share their sums. They come as text, since that is what a
compiled function may have as a constant: rows of fractions, ``"1,0,-1;0,1/2,1"``, and ``|``
between axes.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# What is written are LLVM objects, which are untyped.

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from convmat.kernels.cpu.vectors.writer import VECTOR, Writer, emitted

__all__ = ["as_text", "spread", "transform"]

Rows = Sequence[Sequence[Fraction]]

_INT, _BIT, _SHORT = ir.IntType(64), ir.IntType(1), ir.IntType(32)


def as_text(axes: Sequence[Rows]) -> str:
    """Write down one matrix per axis."""
    return "|".join(";".join(",".join(map(str, row)) for row in rows) for rows in axes)


def _matrices(text: str) -> list[list[list[Fraction]]]:
    return [
        [[Fraction(entry) for entry in row.split(",")] for row in rows.split(";")]
        for rows in text.split("|")
    ]


def _along_axes(
    matrices: list[list[list[Fraction]]], values: list[Any], combine: Callable[..., list[Any]]
) -> list[Any]:
    """Apply each matrix along its axis of a C-ordered list."""
    shape = [len(rows[0]) for rows in matrices]
    for d, rows in enumerate(matrices):
        inside, count = math.prod(shape[d + 1 :]), shape[d]
        new: list[Any] = [None] * (len(values) // count * len(rows))
        for line in range(len(values) // count):
            start = line // inside * inside * count + line % inside
            column = [values[start + k * inside] for k in range(count)]
            start = line // inside * inside * len(rows) + line % inside
            for a, value in enumerate(combine(rows, column)):
                new[start + a * inside] = value
        values, shape[d] = new, len(rows)
    return values


class _Combiner(Writer):
    """Linear combinations of vectors with constant coefficients."""

    def combine(self, rows, values):
        """Return the matrix times a column of vectors."""
        done: list[Any] = []
        while len(done) < len(rows):
            row, following = rows[len(done)], rows[len(done) + 1 : len(done) + 2]
            if following and self._alike(row, following[0]):
                pairs = list(zip(row, following[0], values, strict=True))
                same = self._sum([(a, v) for a, b, v in pairs if a == b])
                other = self._sum([(a, v) for a, b, v in pairs if a != b])
                done += [self.builder.fadd(same, other), self.builder.fsub(same, other)]
            else:
                done.append(self._sum(list(zip(row, values, strict=True))))
        return done

    def _alike(self, first, second):
        """Whether two rows differ in some signs, and sharing sums saves something."""
        equal = sum(a == b != 0 for a, b in zip(first, second, strict=True))
        opposite = sum(a == -b != 0 for a, b in zip(first, second, strict=True))
        present = sum(a != 0 or b != 0 for a, b in zip(first, second, strict=True))
        return equal and opposite and equal + opposite == present

    def _sum(self, terms):
        terms = [(a, value) for a, value in terms if a]
        if not terms:
            return ir.Constant(self.vector, None)
        terms.sort(key=lambda term: term[0] != 1)  # start without a multiplication, if possible
        (first, total), rest = terms[0], terms[1:]
        if first != 1:
            total = self.builder.fmul(self._constant(first), total)
        for a, value in rest:
            if a == 1:
                total = self.builder.fadd(total, value)
            elif a == -1:
                total = self.builder.fsub(total, value)
            else:
                total = self.multiply_add(self._constant(a), value, total)
        return total

    def _constant(self, number):
        return ir.Constant(self.vector, [float(number)] * self.lanes)


def _transform(write):
    builder, axes = write.builder, _matrices(write.known("matrices"))
    count = math.prod(len(rows[0]) for rows in axes)
    source, target = write.address("x", "at"), write.address("y", "to")
    with cgutils.for_range(builder, write["vectors"]) as step:
        lane = builder.mul(step.index, _INT(write.lanes))
        line = write.at(source, lane)
        read = [write.load(write.at(line, write.place("pitch", k))) for k in range(count)]
        line = write.at(target, lane)
        for k, value in enumerate(_along_axes(axes, read, write.combine)):
            write.store(value, write.at(line, write.place("wide", k)))


@emitted(_transform, _Combiner, literals=("matrices",))
def transform(x, at, pitch, y, to, wide, vectors, matrices):
    """y[to + a*wide + lane] = sum over k of matrix[a, k] * x[at + k*pitch + lane].

    For all lanes of so many vectors; the matrix is the Kronecker product of those in the text.
    What meets a zero of the matrix is not read.
    """
    lanes = np.arange(vectors * VECTOR // x.itemsize)
    axes = _matrices(matrices)

    def combine(rows, values):
        pairs = [[(a, v) for a, v in zip(row, values, strict=True) if a] for row in rows]
        return [sum(x.dtype.type(a) * v for a, v in some) for some in pairs]

    count = math.prod(len(rows[0]) for rows in axes)
    read = [x[at + k * pitch + lanes] for k in range(count)]
    for k, value in enumerate(_along_axes(axes, read, combine)):
        y[to + k * wide + lanes] = value


def _spread(write):
    builder, lanes = write.builder, write.lanes
    tile, parts, step = (write.known(name) for name in ("tile", "parts", "step"))
    period = tile * step * parts
    bits, shorts = ir.VectorType(_BIT, lanes), ir.VectorType(_SHORT, lanes)
    together = builder.insert_element(ir.Constant(bits, None), write["add"], _SHORT(0))
    nowhere = ir.Constant(shorts, None)
    adding = builder.shuffle_vector(together, ir.Constant(bits, None), nowhere)
    source, target = write.address("x", "at"), write.address("y", "to")
    elements = builder.mul(write["count"], _INT(step * parts))
    chunk = _INT(lanes * period)
    with cgutils.for_range_slice(builder, _INT(0), elements, chunk) as (first, _):
        line = write.at(source, builder.udiv(first, _INT(period)))
        read = [write.load(write.at(line, write.place("pitch", s))) for s in range(tile * parts)]
        left = builder.trunc(builder.sub(elements, first), _SHORT)
        limit = builder.insert_element(ir.Constant(shorts, None), left, _SHORT(0))
        limit = builder.shuffle_vector(limit, ir.Constant(shorts, None), nowhere)
        for q in range(period):
            numbers = range(q * lanes, (q + 1) * lanes)
            chosen = [_chosen(element, tile, parts, step) for element in numbers]
            if all(which is None for which, _ in chosen):
                continue
            inside = builder.icmp_signed("<", ir.Constant(shorts, list(numbers)), limit)
            wanted = ir.Constant(bits, [which is not None for which, _ in chosen])
            mask = builder.and_(inside, wanted)
            place = write.at(write.at(target, first), _INT(q * lanes))
            before = write.masked("load", place, builder.and_(mask, adding))
            mixed = builder.fadd(_mixed(write, read, chosen), before)
            write.masked("store", place, mask, mixed)


def _chosen(element, tile, parts, step):
    """Return (source, lane) of an element of the output; the source is None for other phases."""
    place, part = element // parts, element % parts
    which = None if place % step else place // step % tile * parts + part
    return which, place // (step * tile)


def _mixed(write, read, chosen):
    """Return a vector of chosen lanes of chosen vectors."""
    mixed = ir.Constant(write.vector, ir.Undefined)
    for source in sorted({which for which, _ in chosen if which is not None}):
        lanes = [
            write.lanes + lane if which == source else i for i, (which, lane) in enumerate(chosen)
        ]
        mixed = write.shuffle(mixed, read[source], lanes)
    return mixed


@emitted(_spread, _Combiner, literals=("tile", "parts", "step"))
def spread(x, at, pitch, y, to, count, add, tile, parts, step):
    """y[to + (a*step)*parts + part] = x[at + (a%tile*parts + part)*pitch + a//tile], a < count.

    Or it is added. Lines of the outputs that lie equally in their tiles become one line.
    """
    for a in range(count):
        for part in range(parts):
            number = x[at + (a % tile * parts + part) * pitch + a // tile]
            place = to + a * step * parts + part
            y[place] = y[place] + number if add else number
