"""The checker of integer claims: what two records relate, entry by entry.

It decides membership by arithmetic on the record's integers, where `definition` moves index
arrays about; the two share no code. Relations are arrays (outputs, taps) of the input that is
read, or -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convmat.geometry import Geometry, Window
from convmat.symbolic.checker import Refused
from convmat.symbolic.definition import Options

__all__ = ["check_equal_patterns", "check_transpose", "is_transposed_pair", "same_product"]

IntArray = np.ndarray[Any, np.dtype[np.int64]]

# More (output, tap) pairs on one axis than any array that this machine can index.
LARGEST = 10**9


def check_transpose(
    convolution: Geometry, transposed: Geometry, options: Sequence[Options]
) -> None:
    """Check that two records are a convolution and its transposed convolution, or refuse.

    On every axis: the first record is the convolution with these options, the second is zero
    insertion, padding and correlation with the flipped kernel, and these two are each other's
    transpose. Cost: outputs times taps of each axis.
    """
    if not len(convolution.axes) == len(transposed.axes) == len(options):
        raise Refused("the two records and the options do not have the same number of axes")
    if not is_transposed_pair(convolution, transposed):
        raise Refused("channels, groups or the layout of the weight are not exchanged")
    relations = []
    for forward, backward, axis in zip(convolution.axes, transposed.axes, options, strict=True):
        _check_sizes(forward, backward, axis)
        relations.append(
            (_convolution(axis), _record(forward), _transposed(axis), _record(backward))
        )
    forwards, recorded, backwards, recorded_back = zip(*relations, strict=True)
    if not same_product(forwards, recorded):
        raise Refused("the record of the convolution does not read what its definition reads")
    if not same_product(backwards, recorded_back):
        raise Refused(
            "the record of the transposed convolution does not read what zero insertion, padding "
            "and correlation with the flipped kernel read"
        )
    if not same_product([_exchange(f, a.n) for f, a in zip(forwards, options, strict=True)],
                        backwards):  # fmt: skip
        raise Refused("zero insertion does not give the transpose of the convolution")


def check_equal_patterns(first: Geometry, second: Geometry) -> None:
    """Check that two records give the same pattern, axis by axis and slot by slot, or refuse."""
    if (first.in_shape, first.out_shape) != (second.in_shape, second.out_shape):
        raise Refused("the two layers have different shapes")
    if (first.weight_shape, first.groups) != (second.weight_shape, second.groups):
        raise Refused("the two layers have weights of different shapes")
    if first.flipped != second.flipped and not _flip_is_void(first):
        raise Refused("the two layers read the weight in different orders")
    for geometry in (first, second):
        for axis in geometry.axes:
            _check_extent(axis.n_out, axis.kernel)
    if not same_product([_record(a) for a in first.axes], [_record(a) for a in second.axes]):
        raise Refused("the two records relate different inputs and outputs")


def same_product(first: Sequence[IntArray], second: Sequence[IntArray]) -> bool:
    """Decide whether two products of relations are equal: axis by axis, or both without entries."""
    if all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)):
        return True
    return all(any((a < 0).all() for a in side) for side in (first, second))


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
    _check_extent(max(axis.n, axis.m), axis.k)
    if min(axis.n, axis.m, axis.k, axis.s, axis.d) < 1 or axis.a < 0:
        raise Refused(f"{axis} are not options of a convolution")
    if (forward.n_in, forward.n_out, forward.kernel) != (axis.n, axis.m, axis.k):
        raise Refused(f"the record {forward} does not have the sizes of {axis}")
    if (backward.n_in, backward.n_out, backward.kernel) != (axis.m, axis.n, axis.k):
        raise Refused(f"the record {backward} does not have the sizes of {axis}")
    if axis.n != axis.s * (axis.m - 1) + axis.d * (axis.k - 1) + 1 - axis.p0 - axis.p1 + axis.a:
        raise Refused(f"{axis} do not satisfy n = s(m - 1) + d(k - 1) + 1 - p0 - p1 + a")


def _check_extent(outputs: int, taps: int) -> None:
    if outputs * taps > LARGEST:
        raise Refused(f"{outputs} outputs times {taps} taps are too many to enumerate")


def _collect(kernel: int, outputs: int, read: Any) -> IntArray:
    """Gather ``read(outputs, tap) -> (input, valid)`` over all taps."""
    relation = np.full((outputs, kernel), -1, np.int64)
    position = np.arange(outputs, dtype=np.int64)
    for tap in range(kernel):
        found, valid = read(position, tap)
        relation[valid, tap] = found[valid]
    return relation


def _record(axis: Window) -> IntArray:
    """``base*i = stride*o + dilation*k - pad``."""

    def read(o: IntArray, tap: int) -> tuple[IntArray, Any]:
        multiple = axis.stride * o + axis.dilation * tap - axis.pad
        i = multiple // axis.base
        return i, (axis.base * i == multiple) & (i >= 0) & (i < axis.n_in)

    return _collect(axis.kernel, axis.n_out, read)


def _convolution(axis: Options) -> IntArray:
    """``i = s*o + d*tap - p0``."""

    def read(o: IntArray, tap: int) -> tuple[IntArray, Any]:
        i = axis.s * o + axis.d * tap - axis.p0
        return i, (i >= 0) & (i < axis.n)

    return _collect(axis.k, axis.m, read)


def _transposed(axis: Options) -> IntArray:
    """``u = s*j``, ``v = u + d(k-1) - p0``, ``v = t + d*flip``, with 0 <= v < length."""
    low, high = axis.d * (axis.k - 1) - axis.p0, axis.d * (axis.k - 1) - axis.p1 + axis.a
    length = axis.s * (axis.m - 1) + 1 + low + high

    def read(t: IntArray, flip: int) -> tuple[IntArray, Any]:
        v = t + axis.d * flip
        j = (v - low) // axis.s
        return j, (axis.s * j == v - low) & (j >= 0) & (j < axis.m) & (v >= 0) & (v < length)

    return _collect(axis.k, axis.n, read)


def _exchange(relation: IntArray, n: int) -> IntArray:
    """Exchange output and input of a relation, and count its taps from the other end."""
    outputs, taps = np.nonzero(relation >= 0)
    exchanged = np.full((n, relation.shape[1]), -1, np.int64)
    exchanged[relation[outputs, taps], relation.shape[1] - 1 - taps] = outputs
    return exchanged
