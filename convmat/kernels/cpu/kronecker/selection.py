"""Apply selections, unpoolings and their transposes: numbers go elsewhere, or are added there.

All weights of such a layer are 1, and its entries stand in one list. Whoever goes through the list
in order sums every output in the order of the matrix product, for the layer as for its transpose:
nothing is sorted. Where all later entries are written behind all earlier ones, as between the
planes of a selection, the list is cut, and its parts may go to different threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Kronecker
from convmat.kernels.compiling import compiled
from convmat.kernels.cpu.threads.pieces import PIECES, threads
from convmat.kernels.cpu.threads.sharing import shared
from convmat.kernels.cpu.threads.team import together

__all__ = ["Selection", "serves"]

Array = np.ndarray[Any, np.dtype[Any]]

PARTS = 64  # of a list of entries, at most
NOTHING = np.zeros(0, np.int64)
WORTH_THREADS = 1 << 13  # entries for which it pays to share a call


def serves(record: Kronecker) -> bool:
    """Say whether the layer, or its transpose, only chooses among its inputs."""
    part = record.maps[0]
    one = len(record.maps) == 1 and part.ones
    return one and (part.longest <= 1 or part.longest_column <= 1)


class Selection:
    """The single map of a layer for which `serves` holds, or the transpose of that map.

    Parameters
    ----------
    part : AxisMap
    transposed : bool

    Notes
    -----
    Cost of each call: one addition for each entry. Prepared in two passes over the entries, but
    for a layer each of whose outputs has an entry. Numbers are of any dtype, in C order.
    """

    def __init__(self, part: AxisMap, *, transposed: bool) -> None:
        self.shape = (part.n_in, part.n_out) if transposed else (part.n_out, part.n_in)
        whole = part.nnz == part.n_out and part.longest == 1
        self.reads = whole and not transposed
        rows: Array = NOTHING if whole else part.outputs
        columns: Array = part.inputs
        rows.flags.writeable = columns.flags.writeable = False  # one type for the compiler
        self.columns, self.rows = (rows, columns) if transposed else (columns, rows)
        self.ends = self.starts = NOTHING
        if not self.reads:
            ends, starts = np.zeros(PARTS + 1, np.int64), np.zeros(PARTS + 1, np.int64)
            parts = _cut(self.rows, self.shape[0], ends, starts)
            self.ends, self.starts = ends[: parts + 1], starts[: parts + 1]

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, *out_shape) of x (batch, *in_shape)."""
        source, target = x.reshape(-1), y.reshape(-1)
        count = len(x) * max(len(self.rows), len(self.columns))
        pieces = min(PIECES * threads(), count // WORTH_THREADS + 1)
        if self.reads:
            together(_read, (source, target, self.columns, self.shape[1]), y.size, pieces)
        else:
            lists = self.rows, self.columns, self.ends, self.starts
            items = len(x) * (len(self.ends) - 1)
            together(_add, (source, target, *lists, self.shape), items, pieces)


@compiled
def _cut(rows: Array, count: int, ends: Array, starts: Array) -> int:
    """Cut entries that are written to `rows` into parts, and the outputs with them.

    Part p are the entries from ends[p] up to ends[p + 1], all written to outputs from starts[p]
    up to starts[p + 1]. Returns how many parts there are.
    """
    most = len(ends) - 1
    least = np.empty(len(rows) + 1, np.int64)  # of what comes after each entry, itself included
    least[-1] = count
    for entry in range(len(rows) - 1, -1, -1):
        least[entry] = min(least[entry + 1], rows[entry])
    parts, highest, wanted = 0, -1, len(rows) // most + 1
    for entry in range(len(rows)):
        if (entry >= wanted) & (highest < least[entry]) & (parts + 1 < most):
            parts += 1
            ends[parts], starts[parts] = entry, least[entry]
            wanted = len(rows) * (parts + 1) // most + 1
        highest = max(highest, rows[entry])
    ends[parts + 1], starts[parts + 1] = len(rows), count
    return parts + 1


@compiled
def _read(team: int, x: Array, y: Array, columns: Array, width: int, first: int, last: int) -> None:
    """Write the outputs [first, last) of all images, each of which reads one input."""
    if shared(team):
        return
    height = len(columns)
    for image in range(first // height, (last + height - 1) // height):
        low, high = max(first, image * height), min(last, (image + 1) * height)
        source, target = x[image * width : (image + 1) * width], y[low:high]
        own = columns[low - image * height : high - image * height]
        for o in range(len(own)):
            target[o] = source[own[o]]


@compiled
def _add(
    team: int,
    x: Array,
    y: Array,
    rows: Array,
    columns: Array,
    ends: Array,
    starts: Array,
    shape: tuple[int, int],
    first: int,
    last: int,
) -> None:
    """Write the items [first, last) of (image, part); without `columns` they count up."""
    if shared(team):
        return
    parts = len(ends) - 1
    for item in range(first, last):
        image, part = item // parts, item % parts
        target = y[image * shape[0] : (image + 1) * shape[0]]
        source = x[image * shape[1] : (image + 1) * shape[1]]
        target[starts[part] : starts[part + 1]] = 0
        own = rows[ends[part] : ends[part + 1]]
        if len(columns) == 0:
            numbers = source[ends[part] : ends[part + 1]]
            for entry in range(len(own)):
                target[own[entry]] += numbers[entry]
        else:
            read = columns[ends[part] : ends[part + 1]]
            for entry in range(len(own)):
                target[own[entry]] += source[read[entry]]
