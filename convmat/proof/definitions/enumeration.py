"""The checker of integer claims: what two records relate, entry by entry.

It decides membership by arithmetic on the record's integers, where `definition` moves index
arrays about; the two share no code. A relation is a function of outputs o and taps that returns
the input that is read, or -1; it is asked for a block of (tap, output) pairs at a time, so that
memory does not grow with the sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from convmat.certificates.checker import Refused
from convmat.geometry.window import Geometry, Window
from convmat.proof.definitions.definition import Options

__all__ = [
    "LARGEST",
    "UNTRUSTED",
    "Match",
    "blocks",
    "check_equal_patterns",
    "check_transpose",
    "is_transposed_pair",
    "match",
    "match_exchanged",
    "same_product",
]

IntArray = np.ndarray[Any, np.dtype[np.int64]]
Relation = Callable[[IntArray, IntArray], IntArray]

# (output, tap) pairs of all axes together: all of them are tried, at some 30 ns each. Where nobody
# vouches for the sizes, about a second is spent on them.
LARGEST = 10**9
UNTRUSTED = 2 * 10**7

# Outputs and pairs of one block: the arrays of a comparison stay in the cache.
BLOCK_OUTPUTS, BLOCK_PAIRS = 1 << 12, 1 << 15


class Match(NamedTuple):
    """Whether two relations of one axis are equal, and how many entries each has."""

    equal: bool
    first: int
    second: int


def check_transpose(
    convolution: Geometry,
    transposed: Geometry,
    options: Sequence[Options],
    *,
    most: int = LARGEST,
) -> None:
    """Check that two records are a convolution and its transposed convolution, or refuse.

    On every axis: the first record is the convolution with these options, the second is zero
    insertion, padding and correlation with the flipped kernel, and these two are each other's
    transpose. Cost: outputs times taps of each axis in time, a few small blocks in memory; more
    than `most` pairs are refused.
    """
    if not len(convolution.axes) == len(transposed.axes) == len(options):
        raise Refused("the two records and the options do not have the same number of axes")
    if not is_transposed_pair(convolution, transposed):
        raise Refused("channels, groups or the layout of the weight are not exchanged")
    _check_extent([(max(axis.n, axis.m), axis.k) for axis in options], most)
    forwards, backwards, exchanges = [], [], []
    for forward, backward, axis in zip(convolution.axes, transposed.axes, options, strict=True):
        _check_sizes(forward, backward, axis)
    for forward, backward, axis in zip(convolution.axes, transposed.axes, options, strict=True):
        reads, reads_back = _convolution(axis), _transposed(axis)
        forwards.append(match(reads, _record(forward), axis.m, axis.k))
        backwards.append(match(reads_back, _record(backward), axis.n, axis.k))
        counts = forwards[-1].first, backwards[-1].first
        exchanges.append(match_exchanged(reads, reads_back, counts, axis.m, axis.k))
    if not same_product(forwards):
        raise Refused("the record of the convolution does not read what its definition reads")
    if not same_product(backwards):
        raise Refused(
            "the record of the transposed convolution does not read what zero insertion, padding "
            "and correlation with the flipped kernel read"
        )
    if not same_product(exchanges):
        raise Refused("zero insertion does not give the transpose of the convolution")


def check_equal_patterns(first: Geometry, second: Geometry, *, most: int = LARGEST) -> None:
    """Check that two records give the same pattern, axis by axis and slot by slot, or refuse.

    More than `most` pairs of output and tap are refused, unless the records are the same.
    """
    if (first.in_shape, first.out_shape) != (second.in_shape, second.out_shape):
        raise Refused("the two layers have different shapes")
    if (first.weight_shape, first.groups) != (second.weight_shape, second.groups):
        raise Refused("the two layers have weights of different shapes")
    if first.flipped != second.flipped and not _flip_is_void(first):
        raise Refused("the two layers read the weight in different orders")
    if first.axes == second.axes:
        return
    for geometry in (first, second):
        _check_extent([(axis.n_out, axis.kernel) for axis in geometry.axes], most)
        for axis in geometry.axes:
            _check_range(*axis[3:])
    pairs = zip(first.axes, second.axes, strict=True)
    if not same_product([match(_record(a), _record(b), a.n_out, a.kernel) for a, b in pairs]):
        raise Refused("the two records relate different inputs and outputs")


def same_product(axes: Sequence[Match]) -> bool:
    """Decide whether two products of relations are equal: axis by axis, or both without entries."""
    if all(axis.equal for axis in axes):
        return True
    return not all(axis.first for axis in axes) and not all(axis.second for axis in axes)


def match(first: Relation, second: Relation, outputs: int, taps: int) -> Match:
    """Compare two relations of as many outputs and taps, block by block."""
    equal, counts = True, [0, 0]
    for o, tap in blocks(outputs, taps):
        a, b = first(o, tap), second(o, tap)
        here = np.array_equal(a, b)
        counts[0] += int(np.count_nonzero(a >= 0))
        counts[1] = counts[0] if equal and here else counts[1] + int(np.count_nonzero(b >= 0))
        equal &= here
        if not equal and all(counts):
            break  # unequal axes that are not empty: no product over them is equal
    return Match(equal, *counts)


def match_exchanged(
    forward: Relation, backward: Relation, counts: tuple[int, int], outputs: int, taps: int
) -> Match:
    """Compare `backward` with `forward` after exchange of output and input, taps flipped.

    An entry (o, tap, i) becomes (i, taps - 1 - tap, o). Different entries of `forward` become
    different entries, so if `backward` has them all, and no more of them, the two are equal.
    """
    equal = counts[0] == counts[1]
    for o, tap in blocks(outputs, taps):
        if not equal:
            break
        i = forward(o, tap)
        inside = i >= 0
        back = backward(np.where(inside, i, 0), taps - 1 - tap)
        equal = not bool(((back != o) & inside).any())
    return Match(equal, *counts)


def blocks(outputs: int, taps: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield rows of outputs and columns of taps that together make every pair once."""
    width = min(outputs, BLOCK_OUTPUTS)
    height = max(1, min(taps, BLOCK_PAIRS // max(width, 1)))
    for t in range(0, taps, height):
        tap = np.arange(t, min(t + height, taps), dtype=np.int64)[:, None]
        for o in range(0, outputs, width):
            yield np.arange(o, min(o + width, outputs), dtype=np.int64)[None, :], tap


def is_transposed_pair(convolution: Geometry, transposed: Geometry) -> bool:
    """Say whether channels are exchanged, groups equal, and both weights laid out alike."""
    return (
        not convolution.flipped
        and transposed.flipped
        and convolution.in_channels == transposed.out_channels
        and convolution.out_channels == transposed.in_channels
        and convolution.groups == transposed.groups
        and convolution.weight_shape == transposed.weight_shape
    )


def _flip_is_void(geometry: Geometry) -> bool:
    """Say whether reading the weight flipped changes nothing: one tap, one channel each."""
    return set(geometry.kernel) == {1} and geometry.group_channels == (1, 1)


def _check_sizes(forward: Window, backward: Window, axis: Options) -> None:
    _check_range(*axis[3:], *forward[3:], *backward[3:])
    if min(axis.n, axis.m, axis.k, axis.s, axis.d) < 1 or axis.a < 0:
        raise Refused(f"{axis} are not options of a convolution")
    if (forward.n_in, forward.n_out, forward.kernel) != (axis.n, axis.m, axis.k):
        raise Refused(f"the record {forward} does not have the sizes of {axis}")
    if (backward.n_in, backward.n_out, backward.kernel) != (axis.m, axis.n, axis.k):
        raise Refused(f"the record {backward} does not have the sizes of {axis}")
    if axis.n != axis.s * (axis.m - 1) + axis.d * (axis.k - 1) + 1 - axis.p0 - axis.p1 + axis.a:
        raise Refused(f"{axis} do not satisfy n = s(m - 1) + d(k - 1) + 1 - p0 - p1 + a")


def _check_extent(axes: Sequence[tuple[int, int]], most: int) -> None:
    """Refuse outputs and taps of all axes that make too many pairs."""
    pairs = sum(outputs * taps for outputs, taps in axes)
    if pairs > LARGEST:
        raise Refused(f"{pairs} pairs of output and tap are too many to enumerate")
    if pairs > most:
        raise Refused(
            f"{pairs} pairs of output and tap are too many to enumerate for a file alone; pass the "
            "two operators to check(A, B)"
        )


def _check_range(*numbers: int) -> None:
    """Refuse what could leave 64-bit integers: sums of these numbers times a place on a line."""
    if max(map(abs, numbers)) * LARGEST >= 2**60:
        raise Refused(f"{max(numbers, key=abs)} is too large to enumerate")


def _record(axis: Window) -> Relation:
    """``base*i = stride*o + dilation*k - pad``."""

    def read(o: IntArray, tap: IntArray) -> IntArray:
        multiple = axis.stride * o + (axis.dilation * tap - axis.pad)
        if axis.base == 1:
            return np.where((multiple >= 0) & (multiple < axis.n_in), multiple, -1)
        i = multiple // axis.base
        return np.where((axis.base * i == multiple) & (i >= 0) & (i < axis.n_in), i, -1)

    return read


def _convolution(axis: Options) -> Relation:
    """``i = s*o + d*tap - p0``."""

    def read(o: IntArray, tap: IntArray) -> IntArray:
        i = axis.s * o + (axis.d * tap - axis.p0)
        return np.where((i >= 0) & (i < axis.n), i, -1)

    return read


def _transposed(axis: Options) -> Relation:
    """``u = s*j``, ``v = u + d(k-1) - p0``, ``v = t + d*flip``, with 0 <= v < length."""
    low, high = axis.d * (axis.k - 1) - axis.p0, axis.d * (axis.k - 1) - axis.p1 + axis.a
    length = axis.s * (axis.m - 1) + 1 + low + high

    def read(t: IntArray, flip: IntArray) -> IntArray:
        v = t + axis.d * flip
        u = v - low
        j = u // axis.s
        inside = (axis.s * j == u) & (j >= 0) & (j < axis.m) & (v >= 0) & (v < length)
        return np.where(inside, j, -1)

    return read
