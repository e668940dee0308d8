"""Operators side by side and above each other: blocks of channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.matrix import limits
from convmat.matrix.exact import Exact
from convmat.matrix.rounding import Rounding
from convmat.operator.algebra import Operator
from convmat.operator.base import matrix_dtype, promoted

if TYPE_CHECKING:
    import sympy
    from scipy import sparse

    from convmat.matrix.csr import Zeros

__all__ = ["Block", "block"]

Array = np.ndarray[Any, np.dtype[Any]]
Grid = tuple[tuple[Operator | None, ...], ...]
Place = tuple[int, int, Operator]


def block(blocks: Any) -> Block:
    """Return the operator whose matrix is made of blocks: outputs of a row joined by channels.

    Parameters
    ----------
    blocks : nested sequence of Operator or None
        As for `scipy.sparse.block_array`: operators of one row give the same output, which are
        added; those of one column take the same input. Rows are joined along the channels of the
        output (a skip connection is ``[[A], [B]]``), columns along those of the input. None is a
        block of zeros. Each row and each column needs one operator at least.

    Returns
    -------
    Block

    Raises
    ------
    GeometryError
        Rows of unequal length, a row or column without an operator, or shapes that do not match.

    Examples
    --------
    >>> import convmat as cm
    >>> A, B = cm.conv([[[1, 2]]], in_shape=(1, 3)), cm.conv([[[5, 7]]], in_shape=(1, 3))
    >>> print(block([[A, None], [B, A]]).matrix().toarray())
    [[1 2 0 0 0 0]
     [0 1 2 0 0 0]
     [5 7 0 1 2 0]
     [0 5 7 0 1 2]]
    """
    rows = isinstance(blocks, Sequence) and all(isinstance(row, Sequence) for row in blocks)
    grid = tuple(tuple(row) for row in blocks) if rows else ()
    if not grid or not grid[0] or len({len(row) for row in grid}) > 1:
        raise GeometryError(
            "blocks", blocks, "must be rows of equal length", "write None for a block of zeros"
        )
    for row in grid:
        for part in row:
            if part is not None and not isinstance(part, Operator):
                raise GeometryError(
                    "blocks", part, "must hold operators or None", "use None for zeros"
                )
    return Block(grid)


class Block(Operator):
    """Operators in rows and columns of channels; see `block`."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        outs = [_common("row", row, [part and part.out_shape for part in row]) for row in grid]
        ins = [
            _common("column", column, [part and part.in_shape for part in column])
            for column in zip(*grid, strict=True)
        ]
        self.out_channels = _joined("row", outs)
        self.in_channels = _joined("column", ins)
        self.out_shape = (self.out_channels[-1], *outs[0][1:])
        self.in_shape = (self.in_channels[-1], *ins[0][1:])
        self._numbers = reduce(promoted, (part._numbers for part in self.parts))
        self.dtype = matrix_dtype(self._numbers)

    def _parts(self) -> Iterator[Place]:
        """Yield (row, column, operator)."""
        for r, row in enumerate(self.grid):
            yield from ((r, c, part) for c, part in enumerate(row) if part is not None)

    @property
    def nnz(self) -> int:
        """Stored entries of the matrix: exact if those of the blocks are."""
        return sum(part.nnz for _, _, part in self._parts())

    def count_nonzero(self) -> int:
        """Entries that are not zero: exact if those of the blocks are."""
        return sum(part.count_nonzero() for part in self.parts)

    @property
    def longest_row(self) -> int:
        """Stored entries of a row, at most."""
        lengths: list[int] = [sum(part.longest_row for part in row if part) for row in self.grid]
        return max(lengths)

    @property
    def longest_column(self) -> int:
        """Stored entries of a column, at most."""
        columns = zip(*self.grid, strict=True)
        lengths: list[int] = [sum(p.longest_column for p in column if p) for column in columns]
        return max(lengths)

    @property
    def T(self) -> Block:  # noqa: N802
        """The transposed blocks in transposed places."""
        columns = zip(*self.grid, strict=True)
        return Block(tuple(tuple(part and part.T for part in column) for column in columns))

    @property
    def H(self) -> Block:  # noqa: N802
        """The conjugate transpose."""
        columns = zip(*self.grid, strict=True)
        return Block(tuple(tuple(part and part.H for part in column) for column in columns))

    def _assembled(self, working: np.dtype[Any], _wanted: Any, zeros: Zeros) -> Any:
        entries = self._most_entries(zeros)
        limits.check_memory(2 * entries * (working.itemsize + 4))  # the blocks, and the whole
        whole: Any = self.joined(lambda part: part.matrix(dtype=working, zeros=zeros))
        whole.sort_indices()
        return whole

    @property
    def parts(self) -> tuple[Operator, ...]:
        """The operators in it, row by row."""
        return tuple(part for _, _, part in self._parts())

    def joined(self, matrix_of: Callable[[Operator], Any]) -> sparse.csr_array[Any]:
        """Return a matrix of the blocks that `matrix_of` makes of the operators."""
        from scipy import sparse

        parts: Any = [[part and matrix_of(part) for part in row] for row in self.grid]
        return sparse.csr_array(sparse.block_array(parts, format="csr"))

    def _write(self, x: Array, y: Array) -> None:
        y[...] = 0
        for r, c, part in self._parts():
            read = x[:, self.in_channels[c] : self.in_channels[c + 1]]
            y[:, self.out_channels[r] : self.out_channels[r + 1]] += part._apply(read, y.dtype)

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        import sympy

        whole = sympy.SparseMatrix(*self.shape, {})
        for row, column, part in self._corners():
            whole[row : row + part.shape[0], column : column + part.shape[1]] = part._symbolic(
                names
            )
        return whole

    def _corners(self) -> Iterator[Place]:
        """Yield (first row, first column, operator)."""
        plane = self.shape[0] // self.out_shape[0], self.shape[1] // self.in_shape[0]
        for r, c, part in self._parts():
            yield self.out_channels[r] * plane[0], self.in_channels[c] * plane[1], part

    def _exact(self, most: int) -> Exact | None:
        placed = []
        for row, column, part in self._corners():
            exact = part.exact_matrix(most)
            if exact is None:
                return None
            placed.append(exact.moved(self.shape[1], row, column))
        return reduce(Exact.plus, placed)

    def _absolute(self) -> Operator:
        return Block(tuple(tuple(part and part._absolute() for part in row) for row in self.grid))

    def _rounding(self) -> Rounding:
        return reduce(Rounding.either, (part._rounding() for part in self.parts))

    def _name(self) -> str:
        rows = (
            "[" + ", ".join(part._name() if part else "0" for part in row) + "]"
            for row in self.grid
        )
        return f"block [{', '.join(rows)}]"


def _common(what: str, parts: Sequence[Operator | None], shapes: Sequence[Any]) -> Any:
    """Return the one shape of a row or column of blocks."""
    known = {shape for shape in shapes if shape is not None}
    if len(known) == 1:
        return known.pop()
    if not known:
        raise GeometryError("blocks", parts, f"leave a {what} without an operator", "give it one")
    raise GeometryError(
        "blocks",
        tuple(sorted(known)),
        f"one {what} has operators of unequal {'outputs' if what == 'row' else 'inputs'}",
        "make these shapes equal",
    )


def _joined(what: str, shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Return where the channels of each row or column begin, and their number."""
    if len({shape[1:] for shape in shapes}) > 1:
        raise GeometryError(
            "blocks", tuple(shapes), f"{what}s are joined by channels", "make other sizes equal"
        )
    return [0, *np.cumsum([shape[0] for shape in shapes]).tolist()]
