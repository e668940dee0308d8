"""Find what is false in the claim that two layers are a convolution and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry import Geometry, Window, solve
from convmat.matrix import pattern
from convmat.operator import LayerOperator
from convmat.symbolic.definition import (
    Channels,
    Options,
    convolution_entries,
    convolution_inputs,
    transposed_entries,
    transposed_inputs,
)
from convmat.symbolic.enumeration import is_transposed_pair

__all__ = ["FalseEntry", "find_false_entry", "flaw"]

IntArray = np.ndarray[Any, np.dtype[np.int64]]

# Whole matrices up to this many entries are compared with the N-D definition too.
WHOLE_LIMIT = 200_000


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
    forward = [convolution_inputs(axis) for axis in options]
    backward = [transposed_inputs(axis) for axis in options]
    sides = (
        (forward, convolution, "convolution"),
        (backward, transposed, "transposed convolution"),
    )
    for defined, layer, name in sides:
        for recorded in (_relation(layer.geometry), _closed_form(layer.geometry)):
            entry = _first_difference(defined, recorded, layer, name)
            if entry is not None:
                return entry
    exchanged = [_exchange(f, axis.n) for f, axis in zip(forward, options, strict=True)]
    entry = _first_difference(backward, exchanged, transposed, "transposed convolution")
    entry = entry or _different_weight(convolution, transposed)
    return entry or _whole(options, convolution, transposed)


def _relation(geometry: Geometry) -> list[IntArray]:
    return [axis.inputs() for axis in geometry.axes]


def _closed_form(geometry: Geometry) -> list[IntArray]:
    """Return the inputs of every (output, tap) as the builders find them."""
    relations = []
    for axis in geometry.axes:
        line = axis.taps()
        tap, i, length = solve(line, axis.stride * np.arange(axis.n_out) - axis.pad)
        relation = np.full((axis.n_out, axis.kernel), -1, np.int64)
        for step in range(int(length.max(initial=0))):
            o = np.flatnonzero(length > step)
            relation[o, tap[o] + step * line.period] = i[o] + step * line.advance
        relations.append(relation)
    return relations


def _exchange(relation: IntArray, n: int) -> IntArray:
    """Transpose a relation by trying every pair: entry (o, tap, i) becomes (i, k - 1 - tap, o)."""
    exchanged = np.full((n, relation.shape[1]), -1, np.int64)
    for tap, inputs in enumerate(relation.T):
        o = np.flatnonzero(inputs >= 0)
        exchanged[inputs[o], relation.shape[1] - 1 - tap] = o
    return exchanged


def _first_difference(
    defined: Sequence[IntArray], recorded: Sequence[IntArray], layer: LayerOperator, name: str
) -> FalseEntry | None:
    """Return an entry that one product of relations has and the other has not, if any."""
    if all(np.array_equal(a, b) for a, b in zip(defined, recorded, strict=True)):
        return None
    for here, there in ((defined, recorded), (recorded, defined)):
        if any((relation < 0).all() for relation in here):
            continue  # no entries at all
        for number, (a, b) in enumerate(zip(here, there, strict=True)):
            extra = np.argwhere((a >= 0) & (a != b))
            if len(extra):
                places = [np.argwhere(relation >= 0)[0] for relation in here]
                places[number] = extra[0]
                rows = tuple(int(o) for o, _ in places)
                columns = tuple(int(r[tuple(p)]) for r, p in zip(here, places, strict=True))
                values = [_value(layer, side, rows, columns) for side in (defined, recorded)]
                reason = (
                    f"axis {number}: by its definition the {name} relates output {rows[number]} "
                    f"and input {columns[number]} otherwise than {layer.geometry.axes[number]}"
                )
                return FalseEntry(reason, (0, *columns), (0, *rows), *_told_apart(values))
    return None


def _value(
    layer: LayerOperator,
    relations: Sequence[IntArray],
    rows: tuple[int, ...],
    columns: tuple[int, ...],
) -> tuple[str, Any]:
    """Return name and number of the entry of channels (0, 0) at a row and column; 0 if none."""
    flip = layer.geometry.flipped
    index = []
    for relation, o, i in zip(relations, rows, columns, strict=True):
        taps = np.flatnonzero(relation[o] == i)
        if not len(taps):
            return "0", 0
        index.append(int(relation.shape[1] - 1 - taps[0] if flip else taps[0]))
    place = (0, 0, *index)
    return f"weight{list(place)}", layer.weight[place]


def _told_apart(values: Sequence[tuple[str, Any]]) -> tuple[Any, Any]:
    """Return two numbers, or the names of two entries whose numbers happen to be the same."""
    (first_name, first), (second_name, second) = values
    return (first, second) if first != second else (first_name, second_name)


def _different_weight(convolution: LayerOperator, transposed: LayerOperator) -> FalseEntry | None:
    """Return an entry at which two layers with one pattern have different numbers."""
    first, second = convolution.weight, transposed.weight
    if first is second:
        return None
    with np.errstate(invalid="ignore"):
        same = (first == second) | ((first != first) & (second != second))  # noqa: PLR0124, not a number
        differs = np.argwhere(~same)
    for place in map(tuple, differs.tolist()):
        found = pattern(transposed.geometry)
        slot = int(np.ravel_multi_index(place, first.shape))
        entries = np.flatnonzero(found.slot == slot)
        if len(entries):
            row = int(np.searchsorted(found.indptr, entries[0], side="right")) - 1
            return FalseEntry(
                f"the two layers have different weights at {place}",
                _index(int(found.indices[entries[0]]), transposed.geometry.in_shape),
                _index(row, transposed.geometry.out_shape),
                first[place],
                second[place],
            )
    return None


def _whole(
    options: Sequence[Options], convolution: LayerOperator, transposed: LayerOperator
) -> FalseEntry | None:
    """Compare the patterns that the builders make with the definitions in N dimensions."""
    out, inner = convolution.geometry.group_channels
    channels = Channels(convolution.geometry.groups, out, inner)
    if convolution.geometry.nnz > WHOLE_LIMIT:
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
