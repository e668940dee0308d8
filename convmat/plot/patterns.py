"""Where the entries of a matrix stand, axis by axis, so that they are counted and not built.

The pattern of a layer is a Kronecker product: an output meets an input where their channels meet
and their positions along every axis do. A product of such layers is one again; a block of them is
some of them beside each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Digit
from convmat.geometry.window import Geometry, Window
from convmat.operator import Block, KroneckerOperator, LayerOperator, Operator, Product
from convmat.operator.algebra import Scaled, Sum

__all__ = ["Axis", "Met", "Pattern", "patterns_of", "rows_of", "weighted_layer"]

Array = np.ndarray[Any, np.dtype[Any]]


class Met(NamedTuple):
    """Entries of some outputs of an axis, one element each.

    owner : which of the outputs, as its place among those asked for
    inputs : the input that it meets
    label : which tap it does so through, or which weight
    share : 1, or less where one entry has several labels: together they are 1
    """

    owner: Array
    inputs: Array
    label: Array
    share: Array


class Axis(Protocol):
    """Which outputs of one axis meet which inputs."""

    n_in: int
    n_out: int
    longest: int  # entries of an output, at most
    labels: int

    def pick(self, outputs: Array) -> Met:
        """Return the entries of some outputs."""


class Channels:
    """Every output channel meets every input channel of its group."""

    labels = 1

    def __init__(self, geometry: Geometry) -> None:
        self.n_in, self.n_out = geometry.in_channels, geometry.out_channels
        self.group_channels = geometry.group_channels
        self.longest = self.group_channels[1]

    def pick(self, outputs: Array) -> Met:
        """Return the entries of some output channels."""
        out, inner = self.group_channels
        inputs = (outputs // out * inner)[:, None] + np.arange(inner)
        owner = np.repeat(np.arange(len(outputs)), inner)
        return Met(owner, inputs.ravel(), np.zeros_like(owner), np.ones(len(owner)))


class Windows:
    """An axis of a convolution; the labels are taps of the weight."""

    def __init__(self, window: Window, *, flipped: bool) -> None:
        self.window, self.flipped = window, flipped
        self.n_in, self.n_out = window.n_in, window.n_out
        self.longest = self.labels = window.kernel

    def pick(self, outputs: Array) -> Met:
        """Return the entries of some outputs: the relation, restated."""
        axis = self.window
        numerator = (axis.stride * outputs - axis.pad)[:, None] + axis.dilation * np.arange(
            axis.kernel
        )
        inputs, rest = np.divmod(numerator, axis.base)
        owner, tap = np.nonzero((rest == 0) & (inputs >= 0) & (inputs < axis.n_in))
        label = axis.kernel - 1 - tap if self.flipped else tap
        return Met(owner, inputs[owner, tap], label, np.ones(len(owner)))


class Mapped:
    """An axis of a layer without a weight; the labels are its distinct weights."""

    def __init__(self, part: AxisMap) -> None:
        self.part = part
        self.n_in, self.n_out, self.longest = part.n_in, part.n_out, max(part.longest, 1)
        values = part.values(np.dtype(float))
        self.values, self.label = np.unique(values, return_inverse=True)
        self.labels = max(len(self.values), 1)

    def pick(self, outputs: Array) -> Met:
        """Return the entries of some outputs."""
        begin = self.part.begin[outputs]
        length = self.part.begin[outputs + 1] - begin
        owner = np.repeat(np.arange(len(outputs)), length)
        entry = np.arange(len(owner)) + np.repeat(begin - (np.cumsum(length) - length), length)
        return Met(owner, self.part.inputs[entry], self.label[entry], np.ones(len(owner)))


class Chained:
    """One axis after another: an output meets what the inputs that it meets meet.

    The labels are those of one of them, `named`, or if that is None there is only one.
    """

    def __init__(self, outer: Axis, inner: Axis, named: Axis | None) -> None:
        self.outer, self.inner, self.named = outer, inner, named
        self.n_in, self.n_out = inner.n_in, outer.n_out
        self.longest = outer.longest * inner.longest
        self.labels = named.labels if named else 1

    def pick(self, outputs: Array) -> Met:
        """Return the entries of some outputs; those that coincide are one, and share it."""
        first = self.outer.pick(outputs)
        second = self.inner.pick(first.inputs)
        place = first.owner[second.owner] * self.n_in + second.inputs
        label = second.label if self.named is self.inner else first.label[second.owner]
        if self.named is None:
            label = np.zeros_like(place)
        place, label = np.divmod(np.unique(place * self.labels + label), self.labels)
        _, which, number = np.unique(place, return_inverse=True, return_counts=True)
        owner, inputs = np.divmod(place, self.n_in)
        return Met(owner, inputs, label, 1 / number[which])


class Pattern(NamedTuple):
    """The axes of a pattern, the order of rows and columns, and what labels mean.

    kind : what labels name: the taps of one weight, of which the marks of the axes add up to the
        flat tap; weights, of which they multiply to the entry; nothing, where all weights are 1
        ("ones"), or are sums of products ("mixed")
    marks : for each axis, the mark of each label
    shift : how many channels stand above it and to its left, in a block
    """

    axes: tuple[Axis, ...]
    out_digits: tuple[Digit, ...]
    in_digits: tuple[Digit, ...]
    kind: Literal["taps", "weights", "ones", "mixed"]
    marks: tuple[Array, ...]
    shift: tuple[int, int] = (0, 0)

    @property
    def plain(self) -> bool:
        """Whether rows and columns have one digit for each axis, in order, and no shift."""
        count = list(range(len(self.axes)))
        orders = ([digit.axis for digit in side] for side in (self.out_digits, self.in_digits))
        return self.shift == (0, 0) and all(order == count for order in orders)


def patterns_of(A: Operator) -> list[Pattern] | None:
    """Return the patterns whose sum is that of A, or None if it is no such sum."""
    if isinstance(A, LayerOperator):
        return [_of_layer(A.geometry)]
    if isinstance(A, KroneckerOperator):
        axes = tuple(Mapped(part) for part in A.record.maps)
        marks = tuple(axis.values for axis in axes)
        kind: Any = "ones" if A.record.ones else "weights"
        return [Pattern(axes, A.record.out_digits, A.record.in_digits, kind, marks)]
    if isinstance(A, Scaled):
        return patterns_of(A.operator)
    if isinstance(A, Product):
        return _of_product(patterns_of(A.outer), patterns_of(A.inner))
    if isinstance(A, Block):
        return _of_block(A)
    return None


def _of_layer(geometry: Geometry) -> Pattern:
    windows = [Windows(axis, flipped=geometry.flipped) for axis in geometry.axes]
    places = [math.prod(geometry.kernel[d + 1 :]) for d in range(len(windows))]
    marks = [np.arange(size) * place for size, place in zip(geometry.kernel, places, strict=True)]
    return _plain((Channels(geometry), *windows), "taps", (np.zeros(1, np.int64), *marks))


def _plain(axes: Sequence[Axis], kind: Any, marks: Sequence[Array]) -> Pattern:
    out_digits = tuple(Digit(d, axis.n_out) for d, axis in enumerate(axes))
    in_digits = tuple(Digit(d, axis.n_in) for d, axis in enumerate(axes))
    return Pattern(tuple(axes), out_digits, in_digits, kind, tuple(marks))


def _of_product(outer: list[Pattern] | None, inner: list[Pattern] | None) -> list[Pattern] | None:
    if outer is None or inner is None or len(outer) != 1 or len(inner) != 1:
        return None
    first, second = outer[0], inner[0]
    if not (first.plain and second.plain and len(first.axes) == len(second.axes)):
        return None
    kinds = {first.kind, second.kind}
    taps = first if first.kind == "taps" else second
    if kinds != {"taps", "ones"}:
        axes = [Chained(*pair, None) for pair in zip(first.axes, second.axes, strict=True)]
        kind = "ones" if kinds == {"ones"} else "mixed"
        return [_plain(axes, kind, [np.zeros(1, np.int64)] * len(axes))]
    axes = [Chained(*each) for each in zip(first.axes, second.axes, taps.axes, strict=True)]
    return [_plain(axes, "taps", taps.marks)]


def _of_block(A: Block) -> list[Pattern] | None:
    found = []
    for r, c, part in A._parts():
        inside = patterns_of(part)
        if inside is None or not all(pattern.plain for pattern in inside):
            return None
        shift = A.out_channels[r], A.in_channels[c]
        found += [pattern._replace(shift=shift) for pattern in inside]
    return found


def weighted_layer(A: Operator) -> LayerOperator | None:
    """Return the layer whose taps the entries of A are: A itself, or one that meets padding."""
    if isinstance(A, LayerOperator):
        return A
    found = patterns_of(A) if isinstance(A, Product) else None
    if not isinstance(A, Product) or found is None or found[0].kind != "taps":
        return None
    return weighted_layer(A.outer) or weighted_layer(A.inner)


def rows_of(A: Operator, rows: Array) -> Any:
    """Return rows of the matrix as a sparse array, whatever A is composed of.

    Only the rows of the parts that these rows meet are made. The numbers are made too: in a sum
    entries that cancel are not stored.
    """
    from scipy import sparse

    if isinstance(A, Scaled):
        return A.scalar * rows_of(A.operator, rows)
    if isinstance(A, Sum):
        return rows_of(A.first, rows) + rows_of(A.second, rows)
    if isinstance(A, Product):
        outer = rows_of(A.outer, rows)
        met, column = np.unique(outer.indices, return_inverse=True)
        shape = len(rows), len(met)
        chosen = sparse.csr_array((outer.data, column, outer.indptr), shape=shape)
        return chosen @ rows_of(A.inner, met)
    if isinstance(A, Block):
        return _rows_of_block(A, rows)
    found = A._entries().pick(rows)
    place = np.searchsorted(rows, found.row)
    return sparse.csr_array((found.value, (place, found.column)), shape=(len(rows), A.shape[1]))


def _rows_of_block(A: Block, rows: Array) -> Any:
    from scipy import sparse

    plane, around = math.prod(A.out_shape[1:]), math.prod(A.in_shape[1:])
    total: Any = sparse.csr_array((len(rows), A.shape[1]), dtype=A.dtype)
    for r, c, part in A._parts():
        first = A.out_channels[r] * plane
        inside = np.flatnonzero((rows >= first) & (rows < first + part.shape[0]))
        entries = rows_of(part, rows[inside] - first).tocoo()
        column = entries.col + A.in_channels[c] * around
        total += sparse.csr_array((entries.data, (inside[entries.row], column)), shape=total.shape)
    return total
