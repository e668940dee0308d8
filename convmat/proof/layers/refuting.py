"""Find what is false in the claim that two layers are a convolution and its transpose."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.window import Geometry, Window, solve
from convmat.matrix.csr import pattern
from convmat.operator import LayerOperator
from convmat.proof.definitions.definition import (
    Channels,
    Options,
    convolution_entries,
    convolution_inputs,
    transposed_entries,
    transposed_inputs,
)
from convmat.proof.definitions.enumeration import (
    LARGEST,
    blocks,
    is_transposed_pair,
    match,
    match_exchanged,
    same_product,
)
from convmat.proof.evidence.operators import different_weights

__all__ = ["FalseEntry", "find_false_entry", "flaw"]

IntArray = np.ndarray[Any, np.dtype[np.int64]]
Reads = Callable[[IntArray, IntArray], IntArray]

# Whole matrices up to this many entries are compared with the N-D definition too, if its index
# arrays, zeros included, have at most this many places.
WHOLE_LIMIT, WHOLE_PLACES = 200_000, 1 << 22

# The definitions of one axis hold three padded lines, 3 GB at this length.
LONGEST_LINE = 1 << 27


class _Axes(NamedTuple):
    """Relations of all axes, each a function of arrays of outputs and taps, and their sizes."""

    reads: list[Reads]
    sizes: list[tuple[int, int]]


class FalseEntry(NamedTuple):
    """An entry that a record has and its definition has not, or the reverse."""

    reason: str
    column: tuple[int, ...]
    row: tuple[int, ...]
    defined: Any
    recorded: Any


def flaw(
    record: Geometry, convolution: LayerOperator, transposed: LayerOperator
) -> tuple[list[Options], str | None]:
    """Read the options from one of the two records; say what makes the two no pair, if anything."""
    problem = _mismatch(convolution, transposed)
    if problem:
        return [], problem
    read = _transposed_options if record.flipped else _options
    kind = "transposed convolution" if record.flipped else "convolution"
    for number, axis in enumerate(record.axes):
        if (axis.stride if record.flipped else axis.base) != 1:
            return [], f"axis {number}: {axis} is not the record of a {kind}"
    return [read(axis) for axis in record.axes], None


def _mismatch(convolution: LayerOperator, transposed: LayerOperator) -> str | None:
    """Say in which sizes two layers do not belong together, if any."""
    forward, backward = convolution.geometry, transposed.geometry
    for layer in (convolution, transposed):
        if layer.weight.shape != layer.geometry.weight_shape:
            return (
                f"the record needs a weight of shape {layer.geometry.weight_shape}, the layer has "
                f"{layer.weight.shape}"
            )
        for number, axis in enumerate(layer.geometry.axes):
            if min(axis[:6]) < 1:
                return f"axis {number}: {axis} has a size below 1"
    if (forward.in_shape, forward.out_shape) != (backward.out_shape, backward.in_shape):
        return (
            f"the sizes are not exchanged: {forward.in_shape} -> {forward.out_shape} and "
            f"{backward.in_shape} -> {backward.out_shape}"
        )
    if not is_transposed_pair(forward, backward):
        return "the two layers do not read one weight in the two layouts of a transposed pair"
    return None


def _options(axis: Window) -> Options:
    return Options.choose(axis.n_in, axis.n_out, axis.kernel, axis.stride, axis.dilation, axis.pad)


def _transposed_options(axis: Window) -> Options:
    """Read the record of a transposed convolution: its pad is the low end of the padded line."""
    low = axis.dilation * (axis.kernel - 1) - axis.pad
    return Options.choose(axis.n_out, axis.n_in, axis.kernel, axis.base, axis.dilation, low)


def find_false_entry(
    options: Sequence[Options], convolution: LayerOperator, transposed: LayerOperator
) -> FalseEntry | None:
    """Compare both records with their definitions, and the definitions with each other."""
    _check_extent(options)
    forward = _Axes([convolution_inputs(a) for a in options], [(a.m, a.k) for a in options])
    backward = _Axes([transposed_inputs(a) for a in options], [(a.n, a.k) for a in options])
    sides = (
        (forward, convolution, "convolution"),
        (backward, transposed, "transposed convolution"),
    )
    for defined, layer, name in sides:
        axes = layer.geometry.axes
        for recorded in ([_relation(a) for a in axes], [_closed_form(a) for a in axes]):
            entry = _first_difference(defined, defined._replace(reads=recorded), layer, name)
            if entry is not None:
                return entry
    entry = _not_exchanged(forward, backward, transposed)
    entry = entry or _different_weight(convolution, transposed)
    return entry or _whole(options, convolution, transposed)


def _check_extent(options: Sequence[Options]) -> None:
    """Refuse axes that would take minutes, or lines that would fill the memory."""
    pairs = sum(max(axis.n, axis.m) * axis.k for axis in options)
    line = max(max(axis.n + axis.p0 + axis.p1, axis.n + axis.d * (axis.k - 1)) for axis in options)
    for number, limit, what in (
        (pairs, LARGEST, "pairs of output and tap"),
        (line, LONGEST_LINE, "places on a padded line"),
    ):
        if number > limit:
            raise GeometryError(
                "A",
                tuple(options),
                f"has {number} {what}, too many to enumerate (at most {limit})",
                "prove a smaller layer with the same stride, dilation and padding",
            )


def _relation(axis: Window) -> Reads:
    """Read the record: `Window.inputs` of the part of the axis that a block is about."""

    def read(o: IntArray, tap: IntArray) -> IntArray:
        pad = axis.pad - axis.stride * int(o[0, 0]) - axis.dilation * int(tap[0, 0])
        part = axis._replace(n_out=o.size, kernel=tap.size, pad=pad)
        return part.inputs().T

    return read


def _closed_form(axis: Window) -> Reads:
    """Read the inputs as the builders find them."""
    line = axis.taps()

    def read(o: IntArray, tap: IntArray) -> IntArray:
        first, i, length = solve(line, axis.stride * o - axis.pad)
        beyond = tap - first
        if line.period == 1:
            step = beyond
            found = (step >= 0) & (step < length)
        else:
            step = beyond // line.period
            found = (step >= 0) & (step < length) & (step * line.period == beyond)
        return np.where(found, i + step * line.advance, -1)

    return read


def _not_exchanged(forward: _Axes, backward: _Axes, layer: LayerOperator) -> FalseEntry | None:
    """Return an entry that only one of the two definitions has, if they are not transposes."""
    found = []
    rows = zip(forward.reads, backward.reads, forward.sizes, backward.sizes, strict=True)
    for reads, reads_back, (outputs, taps), (inputs, _) in rows:
        counts = _entries(reads, outputs, taps), _entries(reads_back, inputs, taps)
        found.append(match_exchanged(reads, reads_back, counts, outputs, taps))
    if same_product(found):
        return None
    exchanged = [
        _exchange(reads, *size, n)
        for reads, size, (n, _) in zip(forward.reads, forward.sizes, backward.sizes, strict=True)
    ]
    recorded = backward._replace(reads=exchanged)
    return _first_difference(backward, recorded, layer, "transposed convolution")


def _entries(reads: Reads, outputs: int, taps: int) -> int:
    return sum(int(np.count_nonzero(reads(*block) >= 0)) for block in blocks(outputs, taps))


def _exchange(reads: Reads, outputs: int, taps: int, n: int) -> Reads:
    """Transpose a relation by trying every pair: entry (o, tap, i) becomes (i, k - 1 - tap, o)."""
    held: dict[int, IntArray] = {}

    def column(flip: int) -> IntArray:
        if flip not in held:
            held.clear()
            held[flip] = np.full(n, -1, np.int64)
            o = np.arange(outputs, dtype=np.int64)[None, :]
            i = reads(o, np.array([[taps - 1 - flip]]))[0]
            held[flip][i[i >= 0]] = o[0, i >= 0]
        return held[flip]

    return lambda i, flip: np.stack([column(int(f))[i[0]] for f in flip[:, 0]])


def _first_difference(
    defined: _Axes, recorded: _Axes, layer: LayerOperator, name: str
) -> FalseEntry | None:
    """Return an entry that one product of relations has and the other has not, if any."""
    pairs = list(zip(defined.reads, recorded.reads, defined.sizes, strict=True))
    found = [match(a, b, *sizes) for a, b, sizes in pairs]
    if same_product(found):
        return None
    for here, there, counts in (
        (defined, recorded, [axis.first for axis in found]),
        (recorded, defined, [axis.second for axis in found]),
    ):
        if not all(counts):
            continue  # no entries at all
        for number, (a, b) in enumerate(zip(here.reads, there.reads, strict=True)):
            extra = None
            if not found[number].equal:
                extra = _first_entry(a, *here.sizes[number], unless=b)
            if extra is None:
                continue
            places = [
                _first_entry(reads, *sizes)
                for reads, sizes in zip(here.reads, here.sizes, strict=True)
            ]
            places[number] = extra
            rows = tuple(place[0] for place in places if place)
            columns = tuple(place[1] for place in places if place)
            values = [_value(layer, side, rows, columns) for side in (defined, recorded)]
            reason = (
                f"axis {number}: by its definition the {name} relates output {rows[number]} "
                f"and input {columns[number]} otherwise than {layer.geometry.axes[number]}"
            )
            return FalseEntry(reason, (0, *columns), (0, *rows), *_told_apart(values))
    return None


def _first_entry(
    reads: Reads, outputs: int, taps: int, unless: Reads | None = None
) -> tuple[int, int] | None:
    """Return output and input of an entry, one that the other relation has not if it is given."""
    for o, tap in blocks(outputs, taps):
        i = reads(o, tap)
        here = i >= 0 if unless is None else (i >= 0) & (i != unless(o, tap))
        if here.any():
            t, column = np.argwhere(here)[0]
            return int(o[0, column]), int(i[t, column])
    return None


def _value(
    layer: LayerOperator, side: _Axes, rows: tuple[int, ...], columns: tuple[int, ...]
) -> tuple[str, Any]:
    """Return name and number of the entry of channels (0, 0) at a row and column; 0 if none."""
    flip = layer.geometry.flipped
    index = []
    for reads, (_, count), o, i in zip(side.reads, side.sizes, rows, columns, strict=True):
        inputs = reads(np.array([[o]]), np.arange(count, dtype=np.int64)[:, None])[:, 0]
        taps = np.flatnonzero(inputs == i)
        if not len(taps):
            return "0", 0
        index.append(int(count - 1 - taps[0] if flip else taps[0]))
    place = (0, 0, *index)
    return f"weight{list(place)}", layer.weight[place]


def _told_apart(values: Sequence[tuple[str, Any]]) -> tuple[Any, Any]:
    """Return two numbers, or the names of two entries whose numbers happen to be the same."""
    (first_name, first), (second_name, second) = values
    return (first, second) if first != second else (first_name, second_name)


def _different_weight(convolution: LayerOperator, transposed: LayerOperator) -> FalseEntry | None:
    """Return an entry at which two layers with one pattern have different numbers."""
    places = different_weights(convolution, transposed)
    if not len(places):
        return None
    first, second = convolution.weight, transposed.weight
    geometry = convolution.geometry
    lines = [
        solve(axis.outputs(), axis.dilation * np.arange(axis.kernel) - axis.pad)
        for axis in geometry.axes
    ]
    place = tuple(places[0].tolist())
    out, inner = geometry.group_channels
    taps = list(zip(lines, place[2:], strict=True))
    column = (place[0], *(int(o[tap]) for (o, _, _), tap in taps))
    row = (place[0] // out * inner + place[1], *(int(i[tap]) for (_, i, _), tap in taps))
    reason = f"the two layers have different weights at {place}"
    return FalseEntry(reason, column, row, first[place], second[place])


def _whole(
    options: Sequence[Options], convolution: LayerOperator, transposed: LayerOperator
) -> FalseEntry | None:
    """Compare the patterns that the builders make with the definitions in N dimensions."""
    out, inner = convolution.geometry.group_channels
    channels = Channels(convolution.geometry.groups, out, inner)
    size = channels.groups * channels.out * channels.inner
    padded = [max(a.n + a.p0 + a.p1, a.n + a.d * (a.k - 1)) * a.k for a in options]
    if convolution.geometry.nnz > WHOLE_LIMIT or size * math.prod(padded) > WHOLE_PLACES:
        return None
    for layer, defined in (
        (convolution, convolution_entries(options, channels)),
        (transposed, transposed_entries(options, channels)),
    ):
        built = pattern(layer.geometry)[:3]
        if all(np.array_equal(a, b) for a, b in zip(defined, built, strict=True)):
            continue
        expected, found = _triples(*defined), _triples(*built)
        row, column, _ = min(expected ^ found)
        names = [
            next((f"weight[{slot}]" for r, c, slot in side if (r, c) == (row, column)), "0")
            for side in (expected, found)
        ]
        return FalseEntry(
            "the matrix that is built is not that of the definition",
            _index(column, layer.geometry.in_shape),
            _index(row, layer.geometry.out_shape),
            *names,
        )
    return None


def _triples(indptr: Any, indices: Any, slot: Any) -> set[tuple[int, int, int]]:
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return set(zip(rows.tolist(), indices.tolist(), slot.tolist(), strict=True))


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))
