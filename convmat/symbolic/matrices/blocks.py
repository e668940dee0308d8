"""Exact matrices as a person reads them: ruled into blocks, as text and as LaTeX."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import OneLine
from convmat.symbolic.matrices.exact import exact_matrix

if TYPE_CHECKING:
    import sympy

__all__ = ["BlockView", "block_view", "latex"]

LARGEST = 10_000  # entries: more than anyone reads

# What separates two rows or columns: nothing, a change of an outer axis, a change of channel.
PLAIN, AXIS, CHANNEL = range(3)


@dataclass(frozen=True, repr=False)
class BlockView(OneLine):
    """A matrix with the rules between its blocks; print it, or take its `latex`.

    Attributes
    ----------
    matrix : sympy.ImmutableSparseMatrix
    row_rules, column_rules : tuple of int
        What stands before each row or column: 0 nothing; 1 a rule between Toeplitz blocks, where
        an axis but the last moves on; 2 a rule between channels.

    Examples
    --------
    >>> import convmat as cm
    >>> print(block_view(cm.conv([[[1, 2]], [[3, 4]]], in_shape=(1, 3))))
    [w[0, 0, 0] w[0, 0, 1]          0]
    [         0 w[0, 0, 0] w[0, 0, 1]]
    [================================]
    [w[1, 0, 0] w[1, 0, 1]          0]
    [         0 w[1, 0, 0] w[1, 0, 1]]
    """

    matrix: sympy.ImmutableSparseMatrix
    row_rules: tuple[int, ...]
    column_rules: tuple[int, ...]

    def __str__(self) -> str:
        cells = [[str(entry) for entry in row] for row in self.matrix.tolist()]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = []
        for before, row in zip(self.row_rules, cells, strict=True):
            if before:
                lines.append(self._rule("=" if before == CHANNEL else "-", widths))
            padded = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            lines.append(self._joined(list(padded), (" ", " | ", " || ")))
        return "\n".join(f"[{line}]" for line in lines)

    def latex(self) -> str:
        r"""Return the matrix as a LaTeX array, ruled by ``|`` and ``\hline``.

        Examples
        --------
        >>> import convmat as cm
        >>> print(block_view(cm.conv([[[1, 2]], [[3, 4]]], in_shape=(1, 2)), "g").latex())
        \left[\begin{array}{cc}
        {g}_{0,0,0} & {g}_{0,0,1} \\
        \hline\hline
        {g}_{1,0,0} & {g}_{1,0,1}
        \end{array}\right]
        """
        import sympy

        columns = "".join("|" * rule + "c" for rule in self.column_rules)
        text = ""
        for before, row in zip(self.row_rules, self.matrix.tolist(), strict=True):
            if text:
                text += " \\\\\n" + r"\hline" * before + "\n" * bool(before)
            text += " & ".join(sympy.latex(entry) for entry in row)
        return rf"\left[\begin{{array}}{{{columns}}}" + f"\n{text}\n" + r"\end{array}\right]"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def _rule(self, stroke: str, widths: list[int]) -> str:
        cells = [stroke * width for width in widths]
        crossed = (stroke, f"{stroke}+{stroke}", f"{stroke}++{stroke}")
        return self._joined(cells, crossed)

    def _joined(self, cells: list[str], separators: tuple[str, str, str]) -> str:
        parts = [cells[0]]
        for rule, cell in zip(self.column_rules[1:], cells[1:], strict=True):
            parts += [separators[rule], cell]
        return "".join(parts)


def block_view(A: Any, name: str = "w", values: Any = None) -> BlockView:
    """Return the exact matrix of an operator, ruled into the blocks of its channels and axes.

    Parameters
    ----------
    A : Operator or SymPy matrix
        A SymPy matrix has no blocks.
    name, values
        Name of an operator's symbols, and numbers to put in for them; see `exact_matrix`.

    Returns
    -------
    BlockView

    Raises
    ------
    GeometryError
        More than 10,000 entries.

    Notes
    -----
    Within a block between rules, rows and columns run over the last axis alone: without stride
    each block is a Toeplitz matrix of one row of taps, and the blocks are arranged as one.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.1:
    the matrix of a 3 x 3 kernel on a 4 x 4 input, which is the example.

    Examples
    --------
    >>> import convmat as cm, numpy as np, sympy
    >>> w = np.array(sympy.symbols("w:3:3")).reshape(1, 1, 3, 3)
    >>> print(block_view(cm.conv(w, in_shape=(1, 4, 4))))
    [w00 w01 w02   0 | w10 w11 w12   0 | w20 w21 w22   0 |   0   0   0   0]
    [  0 w00 w01 w02 |   0 w10 w11 w12 |   0 w20 w21 w22 |   0   0   0   0]
    [----------------+-----------------+-----------------+----------------]
    [  0   0   0   0 | w00 w01 w02   0 | w10 w11 w12   0 | w20 w21 w22   0]
    [  0   0   0   0 |   0 w00 w01 w02 |   0 w10 w11 w12 |   0 w20 w21 w22]
    """
    import sympy

    rows, columns = A.shape if hasattr(A, "shape") else (0, 0)
    if rows * columns > LARGEST:
        raise GeometryError(
            "A", (rows, columns), f"has more than {LARGEST} entries", "use a smaller geometry"
        )
    matrix = exact_matrix(A, name, values)
    out_shape = getattr(A, "out_shape", (1, matrix.rows))
    in_shape = getattr(A, "in_shape", (1, matrix.cols))
    return BlockView(sympy.ImmutableSparseMatrix(matrix), _rules(out_shape), _rules(in_shape))


def latex(A: Any, name: str = "w", values: Any = None) -> str:
    """Return the exact matrix as a LaTeX array with rules between its blocks; see `block_view`."""
    return block_view(A, name, values).latex()


def _rules(shape: tuple[int, ...]) -> tuple[int, ...]:
    line, plane = shape[-1], math.prod(shape[1:])
    return tuple(
        PLAIN if not i or i % line else CHANNEL if i % plane == 0 else AXIS
        for i in range(math.prod(shape))
    )
