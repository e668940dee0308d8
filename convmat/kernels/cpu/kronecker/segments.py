"""The last axis of a Kronecker layer, cut into segments that plain vectors can compute.

Outputs that lie evenly apart, have the same weights, and read inputs that move on evenly are a
*segment*: of nearest or linear upsampling by 2 there are one for the even outputs, one for the
odd ones, and one for each output at the ends. Where nothing of the kind is found (a resizing
from 56 to 97 samples, a selection) the axis is *scattered*: its outputs are gathered one by one.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.axis_map import AxisMap

__all__ = [
    "COLUMN",
    "COLUMNS",
    "COUNT",
    "FIRST",
    "LAST",
    "PAIRED",
    "ROW",
    "STEP",
    "TAP",
    "TAPS",
    "Line",
    "line_of",
]

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 2048  # outputs at a time, so that what they read and write stays in cache
SAMPLE = 256  # outputs from which the period is guessed
PERIODS = 8
SPARSE, FEW = 4, 64  # columns that may be copied for each entry, and besides
DENSE_ENTRIES = 1 << 22  # a table of more than so many taps is not searched


# Columns of blocks: the first and the last segment (or output), the first column, and how many.
FIRST, LAST, COLUMN, COLUMNS = range(4)
# Columns of segments: the first row, the step of rows, how many outputs, the first tap, how many,
# and whether the next segment fills the gaps of this one.
ROW, STEP, COUNT, TAP, TAPS, PAIRED = range(6)


class Line(NamedTuple):
    """How the outputs of one line are computed from the inputs of one line.

    Rows and columns are what positions along the axis add to row and column numbers.
    """

    scattered: bool
    compact: bool  # whether the columns of each block lie close together
    split: int  # columns so far apart stand side by side in the copy of a line
    pitch: int  # room for the columns of one remainder
    span: int  # columns of a block, at most
    outputs: int  # outputs of a block, at most
    taps: int  # entries of an output, at most
    blocks: Array  # (n, 4)
    segments: Array  # (n, 6)
    rows: Array  # of each output, where scattered
    begin: Array  # first entry of each output, where scattered
    offsets: Array  # of each entry: its column after the first of the block, in the copy
    weights: Array


class _Table(NamedTuple):
    """The entries of an axis, one line for each output, filled up with zeros."""

    rows: Array
    lengths: Array
    columns: Array
    weights: Array


def line_of(part: AxisMap, rows: Array, columns: Array, dtype: np.dtype[Any]) -> Line:
    """Cut an axis whose outputs add `rows` to the row number, whose entries read `columns`."""
    weights = part.values(dtype)
    longest = part.longest
    if longest and part.n_out * longest <= DENSE_ENTRIES:
        middle = max(part.n_out - SAMPLE, 0) // 2
        sample = _table(part, rows, columns, weights, middle, min(SAMPLE, part.n_out))
        counts = [len(_segments(sample, p)[1]) for p in range(1, PERIODS + 1)]
        # A longer period costs copies, so it must pay.
        period = next(p for p, count in enumerate(counts, 1) if count <= 2 * min(counts))
        if 2 * counts[period - 1] <= len(sample.rows) + PERIODS:
            table = _table(part, rows, columns, weights, 0, part.n_out)
            split, found = _segments(table, period)
            if 2 * len(found) <= part.n_out + PERIODS:
                line = _in_segments(table, split, found)
                if line.compact or line.split == 1:
                    return line
    return _scattered(part, rows, columns, weights)


def _table(
    part: AxisMap, rows: Array, columns: Array, weights: Array, first: int, count: int
) -> _Table:
    begin = part.begin[first : first + count + 1]
    lengths = np.diff(begin)
    entry = begin[:-1, None] + np.arange(max(int(lengths.max()), 1))
    there = entry < begin[1:, None]
    entry = np.where(there, entry, 0)
    return _Table(
        rows[first : first + count],
        lengths,
        np.where(there, columns[entry] if len(columns) else 0, 0),
        np.where(there, weights[entry] if len(columns) else 0, weights.dtype.type(0)),
    )


def _segments(table: _Table, period: int) -> tuple[int, list[Array]]:
    """Return how far apart the inputs of neighbours are, and the outputs of each segment."""
    count = len(table.rows)
    order = np.concatenate([np.arange(r, count, period) for r in range(min(period, count))])
    rows, lengths = table.rows[order], table.lengths[order]
    moves = np.diff(table.columns[order], axis=0)
    there = np.arange(moves.shape[1]) < lengths[1:, None]
    alike = ((moves == moves[:, :1]) | ~there).all(1) & (np.diff(lengths) == 0)
    alike &= (np.diff(table.weights[order], axis=0) == 0).all(1)
    alike &= np.diff(order) == period
    advance, step = moves[:, 0], np.diff(rows)
    empty = lengths[1:] == 0
    usual = advance[alike & ~empty & (advance > 0)]
    split = int(np.bincount(usual).argmax()) if usual.size and usual.max() < 1 << 20 else 1
    alike &= (empty | (advance == split)) & (step > 0)
    # A segment goes on while its links are alike and its rows are equally far apart.
    label = np.where(alike, step, -1 - np.arange(len(step)))
    cuts = [0, *(np.flatnonzero(np.diff(label)) + 1).tolist(), len(label)]
    found: list[Array] = []
    taken = 0
    for first, last in itertools.pairwise(cuts) if len(label) else ():
        if alike[first] and taken <= last:
            found += [order[i : i + 1] for i in range(taken, first)]
            start = max(taken, first)
            found.append(order[start : last + 1])
            taken = last + 1
    found += [order[i : i + 1] for i in range(taken, count)]
    return split, [part for part in found if len(part)]


def _in_segments(table: _Table, split: int, found: list[Array]) -> Line:
    if split > PERIODS:
        split = 1
        found = [part[i : i + 1] for part in found for i in range(len(part))]
    pieces = [part[i : i + BLOCK] for part in found for i in range(0, len(part), BLOCK)]
    if len(table.rows) > BLOCK:
        pieces.sort(key=lambda piece: int(table.columns[piece[0], 0]))
    blocks: list[list[tuple[Array, bool]]] = [[]]
    size = 0
    for group in _with_pairs(pieces, table):
        outputs = sum(len(piece) for piece in group)
        if size and size + outputs > BLOCK:
            blocks.append([])
            size = 0
        blocks[-1] += [(piece, i + 1 < len(group)) for i, piece in enumerate(group)]
        size += outputs
    return _placed(table, split, blocks)


def _with_pairs(pieces: list[Array], table: _Table) -> list[list[Array]]:
    """Put a segment of every other row together with the one that fills its gaps."""

    def key(piece: Array) -> tuple[int, int]:
        return int(table.rows[piece[0]]), len(piece)

    def in_twos(piece: Array) -> bool:
        rows = table.rows[piece[:2]]
        return len(rows) == 2 and int(rows[1] - rows[0]) == 2 and bool(table.lengths[piece[0]])

    twos = {key(piece): piece for piece in pieces if in_twos(piece)}
    groups: list[list[Array]] = []
    for piece in pieces:
        row, count = key(piece)
        if not in_twos(piece):
            groups.append([piece])
        elif (row - 1, count) not in twos:  # else it follows that one
            filler = twos.get((row + 1, count))
            groups.append([piece] if filler is None else [piece, filler])
    return groups


def _placed(table: _Table, split: int, blocks: list[list[tuple[Array, bool]]]) -> Line:
    """Say where the reads of each segment lie in the copy of its block."""
    ranges, compact = [], True
    for block in blocks:
        read = [table.columns[piece, : table.lengths[piece[0]]] for piece, _ in block]
        read = [columns for columns in read if columns.size]
        low = min((int(columns.min()) for columns in read), default=0)
        high = max((int(columns.max()) for columns in read), default=-1)
        entries = sum(columns.size for columns in read)
        compact &= high - low < SPARSE * entries + FEW
        ranges.append((low, high + 1 - low))
    span = max(count for _, count in ranges)
    pitch = -(-span // split)
    rows: list[tuple[int, ...]] = []
    lines, offsets, weights = [], [], []
    taps = 0
    for block, (low, count) in zip(blocks, ranges, strict=True):
        first = len(rows)
        for piece, paired in block:
            o, length = piece[0], int(table.lengths[piece[0]])
            step = int(table.rows[piece[1]] - table.rows[o]) if len(piece) > 1 else 1
            rows.append((int(table.rows[o]), step, len(piece), taps, length, int(paired)))
            after = table.columns[o, :length] - low
            offsets.append(after % split * pitch + after // split if split > 1 else after)
            weights.append(table.weights[o, :length])
            taps += length
        lines.append((first, len(rows), low, count))
    nothing = np.zeros(0, np.int64)
    outputs = max(len(piece) for block in blocks for piece, _ in block)
    return Line(
        scattered=False,
        compact=compact,
        split=split,
        pitch=pitch,
        span=span,
        outputs=outputs,
        taps=int(table.lengths.max()),
        blocks=np.array(lines, np.int64),
        segments=np.array(rows, np.int64),
        rows=nothing,
        begin=nothing,
        offsets=np.concatenate(offsets).astype(np.int64),
        weights=np.concatenate(weights),
    )


def _scattered(part: AxisMap, rows: Array, columns: Array, weights: Array) -> Line:
    blocks, offsets, compact, span = [], columns.astype(np.int64), True, 0
    for first in range(0, part.n_out, BLOCK):
        last = min(first + BLOCK, part.n_out)
        some = slice(int(part.begin[first]), int(part.begin[last]))
        read = offsets[some]
        low = int(read.min(initial=read[0])) if read.size else 0
        high = int(read.max(initial=low)) if read.size else -1
        compact &= high - low < SPARSE * read.size + FEW
        offsets[some] -= low
        span = max(span, high + 1 - low)
        blocks.append((first, last, low, high + 1 - low))
    return Line(
        scattered=True,
        compact=compact,
        split=1,
        pitch=span,
        span=span,
        outputs=min(BLOCK, part.n_out),
        taps=part.longest,
        blocks=np.array(blocks, np.int64).reshape(-1, 4),
        segments=np.zeros((0, 6), np.int64),
        rows=rows.astype(np.int64),
        begin=part.begin,
        offsets=offsets,
        weights=weights,
    )
