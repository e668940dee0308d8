"""Compare two operators entry by entry, a block of rows at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from convmat.certificates.checker import Refused
from convmat.certificates.statements import fields, malformed
from convmat.operator import Block, BuiltOperator, Operator, Product, Scaled, Sum
from convmat.proof.matrices.expressions import differing_expressions
from convmat.proof.records import read_integers
from convmat.proof.steps import THESE_NUMBERS, ProofStep, number_steps, plain_step

__all__ = ["Difference", "EqualNumbers", "compare"]

Array = np.ndarray[Any, np.dtype[Any]]
Blocks = Callable[[int, int], Any]

# Entries and rows of one block: two matrices, their keys and the masks of a comparison take some
# 100 bytes an entry.
BLOCK_ENTRIES = 1 << 20


class Difference(NamedTuple):
    """The first entry (in C order) that differs, and the rows that do, ascending."""

    row: int
    column: int
    first: Any
    second: Any
    rows: Array

    @property
    def lowest(self) -> int:
        """The first row that differs."""
        return int(self.rows[0])

    @property
    def highest(self) -> int:
        """The last row that differs."""
        return int(self.rows[-1])


@dataclass(frozen=True, slots=True)
class EqualNumbers:
    """Two matrices whose entries were compared, one by one.

    `entries` counts nonzeros of the first, `deviation` is the largest difference of two entries,
    `tolerance` the largest that rounding can explain at an entry that differs; both are 0 if all
    entries are exactly equal. `dtypes` and `roundings` say how the tolerance was found.
    """

    rows: int
    columns: int
    entries: int
    dtypes: tuple[str, str]
    roundings: tuple[int, int]
    deviation: float
    tolerance: float

    grades = (THESE_NUMBERS,)

    @property
    def claim(self) -> str:
        """Say whether the equality is exact."""
        equal = "equal up to rounding" if self.deviation else "exactly equal"
        return f"the two matrices of shape ({self.rows}, {self.columns}) are {equal}"

    def steps(self) -> tuple[ProofStep, ...]:
        """Say what was compared and how."""
        first, second = self.dtypes
        lines = [
            (
                (
                    f"the matrices have {self.rows} rows and {self.columns} columns; the first "
                    f"({first}) has {self.entries} nonzero entries, the second is {second}"
                ),
                "build",
            )
        ]
        if self.deviation:
            lines.append(
                (
                    (
                        f"an entry made by at most {self.roundings[0]} (first) and "
                        f"{self.roundings[1]} (second) roundings of the coarser of {first} and "
                        f"{second} may deviate by roundings * eps * (sum of the sizes of its "
                        f"terms), here at most {self.tolerance:.3g}"
                    ),
                    "error bound",
                )
            )
        text = (
            f"every entry is within its tolerance; the largest deviation is {self.deviation:.3g}"
            if self.deviation
            else "every entry is exactly equal: tolerance 0, largest deviation 0"
        )
        lines.append((text, "compare every entry"))
        return number_steps([plain_step("", 0, *line, THESE_NUMBERS) for line in lines])

    def check(self, operators: tuple[Operator, Operator] | None = None) -> None:
        """Compare the operators again; without them there is nothing to compare."""
        if operators is None:
            raise Refused(
                "a claim about numbers can only be re-checked with the two operators; pass them "
                "to check(A, B)"
            )
        if compare(*operators) != self:
            raise Refused("comparing the two operators again gives another result", 1)

    def to_json(self) -> dict[str, Any]:
        """Return sizes and deviation; the numbers themselves are not stored."""
        return {
            "kind": "equal numbers",
            "rows": self.rows,
            "columns": self.columns,
            "entries": self.entries,
            "dtypes": list(self.dtypes),
            "roundings": list(self.roundings),
            "deviation": self.deviation,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> EqualNumbers:
        """Read what `to_json` wrote."""
        counts = ("rows", "columns", "entries")
        fields(value, {"kind", *counts, "dtypes", "roundings", "deviation", "tolerance"})
        for key, kinds in (("dtypes", str), ("roundings", int)):
            pair = value[key]
            if not isinstance(pair, list) or [type(entry) for entry in pair] != [kinds] * 2:
                raise malformed(pair, f"two {key}")
        for key in ("deviation", "tolerance"):
            if type(value[key]) not in (int, float):
                raise malformed(value[key], "a number")
        numbers = read_integers({key: value[key] for key in counts}, counts)
        return cls(
            **numbers,
            dtypes=tuple(value["dtypes"]),
            roundings=tuple(value["roundings"]),
            deviation=value["deviation"],
            tolerance=value["tolerance"],
        )


class _Entries(NamedTuple):
    """Entries at which at least one of two blocks is not zero, and whether they differ."""

    row: Array
    column: Array
    first: Array
    second: Array


def compare(first: Operator, second: Operator) -> EqualNumbers | Difference:
    """Compare two operators of equal shape.

    Exactly equal entries are equal. Others are equal up to rounding if they deviate by no more
    than ``eps * (r1 * s1 + r2 * s2)``, r being the roundings that made an entry and s the sum of
    the sizes of its terms (the standard bound for sums of products); eps is that of the coarser
    dtype, 0 for integers.
    """
    if object in (first.dtype, second.dtype):
        return _compare_symbols(first, second)
    eps = max(_eps(first.dtype), _eps(second.dtype))
    roundings = _roundings(first), _roundings(second)
    sizes: list[Blocks] = []
    entries, rows_found, worst, allowance = 0, [], 0.0, 0.0
    found: tuple[int, int, Any, Any] | None = None
    for start, whole in _pairs(first, second):
        entries += int(np.count_nonzero(whole.first))
        block = _differing(whole)
        if not len(block.row):
            continue
        if not sizes:
            sizes = [_magnitude(first), _magnitude(second)]
        stop = start + int(block.row.max()) + 1
        first_size, second_size = (size(start, stop)[block.row, block.column] for size in sizes)
        with np.errstate(invalid="ignore", over="ignore"):
            deviation = abs(_wide(block.first) - _wide(block.second))
            tolerance = eps * (roundings[0] * first_size + roundings[1] * second_size)
            bad = ~(deviation <= tolerance) | ~np.isfinite(tolerance) | (eps == 0)
        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            if found is None:
                where = start + int(block.row[place]), int(block.column[place])
                found = (*where, block.first[place].item(), block.second[place].item())
            rows_found.append(np.unique(block.row[bad]) + start)
        else:
            worst = max(worst, float(deviation.max()))
            allowance = max(allowance, float(tolerance.max()))
    if found is not None:
        return Difference(*found, np.concatenate(rows_found))
    dtypes = str(first.dtype), str(second.dtype)
    return EqualNumbers(*first.shape, entries, dtypes, roundings, worst, allowance)


def _differing(block: _Entries) -> _Entries:
    """Keep the entries that are not exactly equal; missing numbers equal each other."""
    both_missing = np.isnan(block.first) & np.isnan(block.second)
    differs = (block.first != block.second) & ~both_missing
    return _Entries(*(part[differs] for part in block))


def _pairs(first: Operator, second: Operator) -> Iterator[tuple[int, _Entries]]:
    """Yield (first row, aligned entries) of both matrices, block by block."""
    rows, columns = first.shape
    (left, before), (right, before_right) = _rows(first), _rows(second)
    start = 0
    while start < rows:
        stop = min(_stop(before, start, rows), _stop(before_right, start, rows))
        yield start, _align(left(start, stop), right(start, stop), columns)
        start = stop


def _stop(before: Callable[[int], int], start: int, rows: int) -> int:
    """Return the end of the longest block of rows from `start` that is not too large."""
    most = before(start) + BLOCK_ENTRIES
    last = min(rows, start + BLOCK_ENTRIES)
    if before(last) <= most:
        return last
    # the first row end beyond `most`, less one; a single row is a block however long it is
    return start + max(1, bisect_right(range(start + 1, last + 1), most, key=before))


def _rows(operator: Operator) -> tuple[Blocks, Callable[[int], int]]:
    """Return functions from (start, stop) to these rows, and from a row to the entries before."""
    if isinstance(operator, BuiltOperator):
        return (
            lambda start, stop: operator.matrix(rows=slice(start, stop)),
            operator.record.entries_before,
        )
    matrix = operator.matrix().tocsr()
    return lambda start, stop: matrix[start:stop], lambda row: int(matrix.indptr[row])


def _align(first: Any, second: Any, columns: int) -> _Entries:
    """Bring the entries of two CSR blocks to one list of places."""
    (first_keys, first_data), (second_keys, second_data) = _keys(first), _keys(second)
    if np.array_equal(first_keys, second_keys):
        keys = first_keys
    else:
        keys = np.union1d(first_keys, second_keys)
        first_data = _scatter(keys, first_keys, first_data)
        second_data = _scatter(keys, second_keys, second_data)
    return _Entries(keys // columns, keys % columns, first_data, second_data)


def _keys(block: Any) -> tuple[Array, Array]:
    if not block.has_canonical_format:
        block = block.copy()
        block.sum_duplicates()
    rows = np.repeat(np.arange(block.shape[0], dtype=np.int64), np.diff(block.indptr))
    kept = block.data != 0
    return (rows * block.shape[1] + block.indices)[kept], block.data[kept]


def _scatter(keys: Array, some: Array, data: Array) -> Array:
    spread = np.zeros(len(keys), data.dtype)
    spread[np.searchsorted(keys, some)] = data
    return spread


def _wide(data: Array) -> Array:
    """Return floats in which a difference of two numbers does not wrap around."""
    return data if data.dtype.kind == "c" else data.astype(np.float64, copy=False)


def _eps(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0


def _roundings(operator: Operator) -> int:
    """Return a bound on the roundings behind one entry of the matrix."""
    if isinstance(operator, Product):
        longest = int(np.max(np.diff(_indptr(operator.outer)), initial=1))
        terms = min(operator.inner.shape[0], longest)
        return _roundings(operator.outer) + _roundings(operator.inner) + terms
    if isinstance(operator, Sum):
        return max(_roundings(operator.first), _roundings(operator.second)) + 1
    if isinstance(operator, Scaled):
        return _roundings(operator.operator) + 2  # a fraction is a product and a quotient
    if isinstance(operator, Block):
        return max(_roundings(part) for part in operator.parts)
    return 1


def _indptr(operator: Operator) -> Array:
    indptr: Array = operator.matrix().tocsr().indptr
    return indptr


def _magnitude(operator: Operator) -> Blocks:
    """Return, by rows, the sum of the sizes of the terms behind each entry of the matrix."""
    if isinstance(operator, (Block, Product, Sum, Scaled)):
        matrix = _magnitude_matrix(operator).tocsr()
        return lambda start, stop: matrix[start:stop]
    rows, _ = _rows(operator)
    return lambda start, stop: abs(rows(start, stop))


def _magnitude_matrix(operator: Operator) -> Any:
    if isinstance(operator, Product):
        return _magnitude_matrix(operator.outer) @ _magnitude_matrix(operator.inner)
    if isinstance(operator, Sum):
        return _magnitude_matrix(operator.first) + _magnitude_matrix(operator.second)
    if isinstance(operator, Block):
        return operator.joined(_magnitude_matrix)
    if isinstance(operator, Scaled):
        return float(abs(operator.scalar)) * _magnitude_matrix(operator.operator)
    return abs(operator.matrix().astype(np.complex128)).astype(np.float64)


def _compare_symbols(first: Operator, second: Operator) -> EqualNumbers | Difference:
    entries, differing = differing_expressions(first, second)
    if not differing:
        dtypes = str(first.dtype), str(second.dtype)
        return EqualNumbers(*first.shape, entries, dtypes, (0, 0), 0.0, 0.0)
    return Difference(*differing[0], np.unique([entry[0] for entry in differing]))
