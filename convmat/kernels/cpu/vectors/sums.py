"""Sums of products in registers: the innermost loops of layers with weights.

A tile is so many vectors of consecutive places, of which all sums are kept in registers over all
taps: one vector of each read, one weight in all lanes, one multiply-add. Of few places, rows are
in the lanes (`multiply_rows`). There is machine code for the shapes in the tables here, and no
others.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# What is written are LLVM objects, which are untyped.

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir

from convmat.kernels.cpu.vectors.writer import VECTOR, Writer, emitted

__all__ = ["BLOCKS", "LINES", "ROWS", "VECTORS", "multiply_in", "multiply_lines", "multiply_rows"]

ROWS = 8  # of a tile: with three vectors 24 sums, which fill the registers of AVX-512

# The vectors of tiles of so many rows, the widest first: what registers hold.
VECTORS = {1: (8, 4, 2, 1), 2: (8, 4, 2, 1), 4: (4, 2, 1), ROWS: (3, 2, 1)}
# Vectors of a line, and how many lines: of short lines several at once.
LINES = ((8, 1), (4, 2), (4, 1), (2, 4), (2, 1), (1, 8), (1, 1))
BLOCKS = (4, 2, 1)  # blocks of rows that are in the lanes

AHEAD = 2048  # bytes: how early weights are asked for, which stream through the tiles

_INT = ir.IntType(64)


def _multiply(shapes, write):
    def emit(vectors, rows):
        source, weights = write.address("x", "at"), write.address("w", "begin")
        table, target = write.address("offsets"), write.address("y", "to")
        tile = [(b, v) for b in range(rows) for v in range(vectors)]

        def tap(k, sums):
            line = write.at(source, write.builder.load(write.at(table, k)))
            read = [write.load(write.at(line, _INT(v * write.lanes))) for v in range(vectors)]
            row = write.at(weights, write.builder.mul(k, _INT(rows)))
            write.prefetch(write.at(row, _INT(AHEAD // write.size)))
            new = []
            for b in range(rows):  # beside all sums there is no register for all weights
                weight = write.splat(write.at(row, _INT(b)))
                some = sums[b * vectors : (b + 1) * vectors]
                new += [write.multiply_add(r, weight, t) for r, t in zip(read, some, strict=True)]
            return new

        totals = write.repeated(write["steps"], write.zeros(len(tile)), tap)
        for (b, v), total in zip(tile, totals, strict=True):
            write.store(total, write.at(target, write.place("pitch", b, v)))

    write.cases([write["shape.0"], write["shape.1"]], shapes, emit)


def multiply_in(*heights: int) -> Any:
    """Return `multiply` for the shapes of tiles that have so many rows."""
    shapes = [(vectors, rows) for rows in heights for vectors in VECTORS[rows]]

    @emitted(partial(_multiply, shapes))
    def multiply(x, at, offsets, w, begin, steps, y, to, pitch, shape):
        """y[to + b*pitch + lane] = sum over k of w[begin + k*rows + b] * x[at + offsets[k] + lane].

        Of the shape (vectors, rows): for all lanes of so many vectors, and all b < rows; k < steps,
        which are one at least.
        """
        vectors, rows = shape
        lanes = np.arange(vectors * VECTOR // x.itemsize)
        read = x[at + offsets[:steps, None] + lanes]
        with np.errstate(invalid="ignore"):  # infinity less infinity, of which no processor warns
            sums = w[begin : begin + steps * rows].reshape(steps, rows).T @ read
        for b in range(rows):
            y[to + b * pitch + lanes] = sums[b]

    return multiply


def _multiply_lines(write):
    def emit(vectors, lines):
        source, weights = write.address("x", "at"), write.address("w", "begin")
        table, target = write.address("offsets"), write.address("y", "to")
        tile = [(b, v) for b in range(lines) for v in range(vectors)]
        places = [write.place("pitches.0", b, v) for b, v in tile]

        def tap(k, sums):
            read = write.at(source, write.builder.load(write.at(table, k)))
            weight = write.splat(write.at(weights, k))
            return [
                write.multiply_add(write.load(write.at(read, at)), weight, total)
                for at, total in zip(places, sums, strict=True)
            ]

        last = vectors - 1
        mask = write.mask_of_first(write.builder.sub(write["count"], _INT(last * write.lanes)))
        totals = write.repeated(write.length("offsets"), write.zeros(len(tile)), tap)
        for (b, v), total in zip(tile, totals, strict=True):
            pointer = write.at(target, write.place("pitches.1", b, v))
            if v < last:
                write.store(total, pointer)
            else:
                write.masked("store", pointer, mask, total)

    write.cases([write["shape.0"], write["shape.1"]], LINES, emit)


@emitted(_multiply_lines)
def multiply_lines(x, at, offsets, w, begin, y, to, pitches, count, shape):
    """y[to + b*pitch + j] = sum over k of w[begin + k] * x[at + b*ahead + offsets[k] + j].

    With (ahead, pitch) = pitches, and of the shape (vectors, lines): for j < count, in so many
    vectors of which the last is begun, and all b < lines; there is one offset at least. Whole
    vectors are read; no more is written than that.
    """
    (ahead, pitch), (_, lines) = pitches, shape
    taps, places = w[begin : begin + len(offsets)], np.arange(count)
    for b in range(lines):
        with np.errstate(invalid="ignore"):
            y[to + b * pitch + places] = taps @ x[at + b * ahead + offsets[:, None] + places]


def _multiply_rows(write):
    def emit(blocks):
        builder = write.builder
        source, weights = write.address("x", "at"), write.address("w", "begin")
        table, target = write.address("offsets"), write.address("y", "to")
        begins = [write.at(weights, builder.mul(write["blocks.1"], _INT(b))) for b in range(blocks)]

        def tap(k, sums):
            read = write.splat(write.at(source, builder.load(write.at(table, k))))
            place = builder.mul(k, _INT(ROWS))
            new = []
            for block, total in zip(begins, sums, strict=True):
                row = write.at(block, place)
                write.prefetch(write.at(row, _INT(AHEAD // write.size)))
                new.append(write.multiply_add(write.load(row), read, total))
            return new

        totals = write.repeated(write["steps"], write.zeros(blocks), tap)
        for b, total in enumerate(totals):
            for row in range(ROWS):
                number = builder.extract_element(total, _INT(row))
                builder.store(number, write.at(target, write.place("pitch", b * ROWS + row)))

    write.cases([write["blocks.0"]], [(blocks,) for blocks in BLOCKS], emit)


@emitted(_multiply_rows, partial(Writer, lanes=ROWS))
def multiply_rows(x, at, offsets, w, begin, steps, y, to, pitch, blocks):
    """Write the sums of a place over k of w[begin + b*ahead + k*ROWS + r] * x[at + offsets[k]].

    To y[to + (b*ROWS + r)*pitch] for all b < count and r < ROWS, with (count, ahead) = blocks;
    k < steps, one at least.
    """
    (count, ahead), read = blocks, x[at + offsets[:steps]]
    for b in range(count):
        first = begin + b * ahead
        rows = w[first : first + steps * ROWS].reshape(steps, ROWS)
        with np.errstate(invalid="ignore"):
            y[to + (b * ROWS + np.arange(ROWS)) * pitch] = read @ rows
