"""Two matrices compared in floating point, a block of rows at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.matrix.entries import Rows
from convmat.matrix.rounding import spacing
from convmat.operator import Operator
from convmat.proof.matrices.outcomes import FLOATS, LEAST, Agreement, Difference, Fingerprint

__all__ = ["compare_floats"]

Array = np.ndarray[Any, np.dtype[Any]]

# Entries and rows of one block: two matrices, their keys and the masks of a comparison take some
# 100 bytes an entry.
BLOCK_ENTRIES = 1 << 20


class _Entries(NamedTuple):
    """Entries (row * columns + column) at which at least one of two blocks is not zero."""

    keys: Array
    first: Array
    second: Array


class _Side:
    """One of two operators: its rows, and how far rounding may have moved its entries."""

    def __init__(self, operator: Operator, other: Operator) -> None:
        self.operator = operator
        self.rows, self.known = operator._entries(), operator._rounding()
        made = spacing(operator.dtype) * self.known.made
        # Of the sum of the sizes of the terms of an entry: the standard bound.
        self.share = self.known.unit * self.known.given + made
        # NumPy compares integers with floats as floats.
        self.cast = operator.dtype.kind in "iu" and other.dtype.kind in "fc"
        if self.cast and self.largest >= 2.0**53:
            self.share += spacing(np.dtype(float))

    @cached_property
    def sizes(self) -> Rows:
        """The sum of the sizes of the terms of every entry."""
        return self.operator._absolute()._entries()

    @cached_property
    def largest(self) -> float:
        """The largest of these sums."""
        sizes = self.sizes.distinct()
        return float(sizes[np.isfinite(sizes)].max(initial=0.0))

    @property
    def rounds(self) -> bool:
        """Whether the matrix may be rounded, or is known to hold its numbers exactly."""
        bottom, dtype = self.known.denominator, self.operator.dtype
        if self.cast and self.largest >= 2.0**53:
            return True
        if not self.known.made or not bottom:
            return bool(self.known.made)
        if dtype.kind not in "fc":
            return self.largest >= 2.0**63
        # All numbers are multiples of 1/bottom: exact while they neither vanish nor grow too large.
        vanishing = 1 / Fraction(float(np.finfo(dtype).smallest_subnormal))
        grown = self.overflows or Fraction(self.largest) * bottom >= 2 / Fraction(spacing(dtype))
        return bottom > vanishing or grown

    @property
    def least(self) -> float:
        """How far an entry may be off besides: integers that wrap around, floats that vanish."""
        dtype = self.operator.dtype
        if dtype.kind in "iu":
            return self.largest if self.known.made and self.largest >= 2.0**63 else 0.0
        return self.known.made * float(np.finfo(dtype).smallest_subnormal)

    def check_range(self, name: str) -> None:
        """Refuse entries that left the range of floats: infinities that are equal say nothing."""
        finite = all(np.isfinite(weight).all() for weight in self.operator._weighted())
        if self.known.made and finite and self.overflows:
            raise GeometryError(
                name,
                self.operator,
                f"has entries beyond the range of {self.operator.dtype}",
                "use smaller numbers, or sizes that can be compared as fractions",
            )

    @cached_property
    def overflows(self) -> bool:
        """Whether sums of sizes leave the range of floats."""
        return not np.isfinite(self.sizes.distinct()).all()


def compare_floats(A: Operator, B: Operator) -> Agreement | Difference:  # noqa: N803, operators are written as matrices are
    """Compare two operators of equal shape, of numbers.

    Equal entries are exactly equal if no number in them may have been rounded; others are equal up
    to rounding if they deviate by no more than rounding explains.
    """
    sides = _Side(A, B), _Side(B, A)
    columns = A.shape[1]
    entries, rows_found, worst, allowance = 0, [], 0.0, 0.0
    fingerprint = Fingerprint(3)
    found: tuple[int, int, Any, Any] | None = None
    for start, stop, whole in _blocks(*sides):
        entries += int(np.count_nonzero(whole.first))
        fingerprint.add(start * columns + whole.keys, whole.first, whole.second)
        # Missing numbers equal each other.
        missing = np.isnan(whole.first) & np.isnan(whole.second)
        block = _Entries(*(part[(whole.first != whole.second) & ~missing] for part in whole))
        if not len(block.keys):
            continue
        with np.errstate(invalid="ignore", over="ignore"):
            deviation = abs(_wide(block.first) - _wide(block.second))
            tolerance: Array = np.zeros(len(deviation))
            for side in sides:
                sizes = _keyed(side.sizes, start, stop, columns)
                tolerance += side.share * _spread(block.keys, *sizes)
            bad = ~((deviation <= tolerance) & (tolerance > 0) & np.isfinite(tolerance))
        if bad.any():
            rows = start + block.keys[bad] // columns
            if found is None:
                first, second = (part[bad][0].item() for part in block[1:])
                found = (int(rows[0]), int(block.keys[bad][0] % columns), first, second)
            rows_found.append(np.unique(rows))
        else:
            worst = max(worst, float(deviation.max()))
            allowance = max(allowance, float(tolerance.max()))
    if found is not None:
        return Difference(FLOATS, *found, np.concatenate(rows_found))
    for name, side in zip("AB", sides, strict=True):
        side.check_range(name)
    if any(side.rounds for side in sides):
        most = sum(side.share * side.largest + side.least for side in sides)
        allowance = max(allowance, LEAST, most)
    first_roundings, second_roundings = (side.known.given + side.known.made for side in sides)
    roundings = first_roundings, second_roundings
    return Agreement(FLOATS, entries, roundings, worst, allowance, fingerprint.text)


def _blocks(first: _Side, second: _Side) -> Iterator[tuple[int, int, _Entries]]:
    """Yield (first row, last row + 1, aligned entries) of both matrices, block by block."""
    rows, columns = first.operator.shape
    start = 0
    while start < rows:
        stop = min(_stop(side.rows, start, rows) for side in (first, second))
        keys, numbers = _keyed(first.rows, start, stop, columns)
        others, other_numbers = _keyed(second.rows, start, stop, columns)
        if not np.array_equal(keys, others):
            union = np.union1d(keys, others)
            numbers = _spread(union, keys, numbers)
            other_numbers = _spread(union, others, other_numbers)
            keys = union
        yield start, stop, _Entries(keys, numbers, other_numbers)
        start = stop


def _stop(matrix: Rows, start: int, rows: int) -> int:
    """Return the end of the longest block of rows from `start` that is not too large."""
    most = matrix.before(start) + BLOCK_ENTRIES
    last = min(rows, start + BLOCK_ENTRIES)
    if matrix.before(last) <= most:
        return last
    # the first row end beyond `most`, less one; a single row is a block however long it is
    return start + max(1, bisect_right(range(start + 1, last + 1), most, key=matrix.before))


def _keyed(matrix: Rows, start: int, stop: int, columns: int) -> tuple[Array, Array]:
    """Return keys, ascending, and numbers of the nonzeros of a block of rows."""
    indptr, indices, data = matrix.csr((start, stop))
    rows = np.repeat(np.arange(stop - start, dtype=np.int64), np.diff(indptr))
    kept = data != 0
    return (rows * columns + indices)[kept], data[kept]


def _spread(wanted: Array, keys: Array, numbers: Array) -> Array:
    """Return the numbers at the wanted keys, 0 where there is none; both ascend."""
    if not len(keys):
        return np.zeros(len(wanted), numbers.dtype)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, numbers[place], 0).astype(numbers.dtype, copy=False)


def _wide(data: Array) -> Array:
    """Return floats in which a difference of two numbers does not wrap around."""
    return data if data.dtype.kind == "c" else data.astype(np.float64, copy=False)
