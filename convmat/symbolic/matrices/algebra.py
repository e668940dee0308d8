"""Determinants, ranks and null spaces of exact matrices.

Nothing is simplified: entries are elements of polynomial rings, and what is divided divides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.symbolic.matrices.exact import Exact, Place, exact_matrix, read
from convmat.symbolic.matrices.structure import blocks_of, connected, match_of

if TYPE_CHECKING:
    import sympy

__all__ = ["determinant", "nullspace", "rank"]

WORK = 1_000_000  # products of two terms, or of two numbers: seconds, not minutes
PRIME = 2**31 - 1  # products of two residues fit int64

Array = np.ndarray[Any, np.dtype[np.int64]]
Row = dict[int, Any]


def determinant(A: Any, name: str = "w", values: Any = None) -> Any:
    """Return the determinant of a square matrix as a SymPy expression.

    Parameters
    ----------
    A : Operator or SymPy matrix
    name, values
        Name of an operator's symbols, and numbers to put in for them; see `exact_matrix`.

    Returns
    -------
    SymPy expression: a product of expanded polynomials, one for each block of the block
    triangular form.

    Raises
    ------
    GeometryError
        A is not square; or it takes more than 1,000,000 products of terms.

    Notes
    -----
    The matrix is brought to block triangular form by exchanging rows and columns (Dulmage and
    Mendelsohn). Blocks with symbols are expanded row by row, remembering for each set of columns
    the sum of all partial products: banded matrices have few such sets. Blocks of numbers are
    eliminated without fractions (Bareiss).

    Examples
    --------
    >>> import convmat as cm
    >>> determinant(cm.conv([[[1, 2, 3]]], in_shape=(1, 2), padding=1), "v")
    -v[0, 0, 0]*v[0, 0, 2] + v[0, 0, 1]**2
    >>> determinant(cm.conv([[[1, 2, 3]]], in_shape=(1, 4), padding=[(2, 0)]))
    w[0, 0, 2]**4
    """
    import sympy

    exact = read(exact_matrix(A, name, values))
    _check_square(exact.shape)
    match = match_of(exact)
    if (match < 0).any():
        return sympy.Integer(0)
    result = sympy.Integer(_sign(match.tolist()))
    position = {column: row for row, column in enumerate(match.tolist())}
    permuted = {(r, position[c]): e for (r, c), e in exact.entries.items()}
    for block in blocks_of(replace(exact, entries=permuted)):
        result *= block.expression(_block_determinant(block))
    return result


def rank(A: Any, name: str = "w", values: Any = None) -> int:
    """Return the rank: for almost all weights, or for the numbers given.

    Parameters
    ----------
    A : Operator or SymPy matrix
    name, values
        Name of an operator's symbols, and numbers to put in for them; see `exact_matrix`.

    Returns
    -------
    int
        The rank over the field of rational functions in the symbols that remain. All but the
        zeros of some polynomial have it; no weights have more.

    Raises
    ------
    GeometryError
        It takes more than 1,000,000 products of terms.

    Notes
    -----
    The positions of the nonzeros bound the rank from above (a maximum matching), and its value
    modulo a prime at one place bounds it from below. Where the two differ, elimination decides.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv([[[1, -1]]], in_shape=(1, 4), padding=[(1, 0)], padding_mode="circular")
    >>> rank(A), rank(A, values=[[[1, -1]]])
    (4, 3)
    """
    exact = read(exact_matrix(A, name, values))
    above = int((match_of(exact) >= 0).sum())
    if _rank_somewhere(exact) == above:
        return above
    return sum(len(_eliminate(part)[0]) for part in connected(exact))


def nullspace(A: Any, name: str = "w", values: Any = None) -> list[sympy.Matrix]:
    """Return a basis of the vectors x with A x = 0, over the rational functions.

    Parameters
    ----------
    A : Operator or SymPy matrix
    name, values
        Name of an operator's symbols, and numbers to put in for them; see `exact_matrix`.

    Returns
    -------
    list of SymPy columns, polynomials or integers without common divisor where these have one.
    For numbers put in later they stay in the null space, but may become dependent.

    Raises
    ------
    GeometryError
        It takes more than 1,000,000 products of terms.

    Notes
    -----
    Elimination without fractions (Bareiss, as Gauss and Jordan do it), separately for parts of
    the matrix that share no row and no column, as those of a stride or of groups.

    Examples
    --------
    >>> import convmat as cm
    >>> for x in nullspace(cm.conv([[[1, 2, 3]]], in_shape=(1, 5), stride=2)):
    ...     print(x.T)
    Matrix([[-w[0, 0, 1], w[0, 0, 0], 0, 0, 0]])
    Matrix([[w[0, 0, 1]*w[0, 0, 2], 0, -w[0, 0, 0]*w[0, 0, 1], w[0, 0, 0]**2, 0]])
    Matrix([[w[0, 0, 2]**2, 0, -w[0, 0, 0]*w[0, 0, 2], 0, w[0, 0, 0]**2]])
    """
    exact = read(exact_matrix(A, name, values))
    found: list[tuple[int, sympy.Matrix]] = []
    met = {column for _, column in exact.entries}
    for part in connected(exact):
        pivots, rows, denominator = _eliminate(part)
        columns = {column for _, column in part.entries}
        for free in columns - set(pivots.values()):
            vector = {free: denominator}
            for row, column in pivots.items():
                if free in rows[row]:
                    vector[column] = -rows[row][free]
            found.append((free, _column(part, vector)))
    unread = set(range(exact.shape[1])) - met
    found += [(free, _column(exact, {free: exact.domain.one})) for free in unread]
    return [vector for _, vector in sorted(found, key=lambda pair: pair[0])]


def _sign(permutation: list[int]) -> int:
    seen: set[int] = set()
    sign = 1
    for start in permutation:
        length = 0
        while start not in seen:
            seen.add(start)
            start = permutation[start]  # noqa: PLW2901, following the cycle
            length += 1
        sign *= (-1) ** max(length - 1, 0)
    return sign


def _block_determinant(block: Exact) -> Any:
    if block.symbols:
        return _expand(block)
    size = block.shape[0]
    pivots, _, denominator = _eliminate(block, scale=False)
    if len(pivots) < size:
        return block.domain.zero
    return denominator * _sign([pivots[row] for row in range(size)])


def _expand(block: Exact) -> Any:
    """Expand along rows; a state is the set of columns used so far, as bits."""
    rows = _rows_of(block.entries)
    last = {c: r for r, row in sorted(rows.items()) for c in row}
    states = {0: block.domain.one}
    budget = _Budget(block)
    for r in range(block.shape[0]):
        due = sum(1 << c for c, row in last.items() if row <= r)  # or these stay unused
        following: dict[int, Any] = {}
        for used, value in states.items():
            for c, entry in rows[r].items():
                after = used | 1 << c
                if after == used or due & ~after:
                    continue
                budget.spend(entry, (value,))
                product = entry * value
                if (used >> c).bit_count() % 2:
                    product = -product
                following[after] = following.get(after, block.domain.zero) + product
        states = following
    return states.get((1 << block.shape[0]) - 1, block.domain.zero)


def _eliminate(part: Exact, *, scale: bool = True) -> tuple[dict[int, int], dict[int, Row], Any]:
    """Return (column of each row with a pivot, rows, the one value of all pivots).

    Every entry is a minor of the matrix, so that divisions leave no remainder. With `scale`,
    rows are first multiplied by their common denominators, which keeps numbers integers.
    """
    domain = part.domain
    rows = _rows_of(part.entries)
    if scale:
        part, rows = _without_denominators(part, rows)
        domain = part.domain
    pivots: dict[int, int] = {}
    previous = domain.one
    budget = _Budget(part)
    while True:
        open_entries = [
            (part.terms(entry), len(row), r, c)
            for r, row in rows.items()
            if r not in pivots
            for c, entry in row.items()
        ]
        if not open_entries:
            return pivots, rows, previous
        budget.left -= len(open_entries) // 8  # looking is cheaper than multiplying
        _, _, r, c = min(open_entries)
        pivots[r] = c
        pivot = rows[r][c]
        for other in rows:
            if other != r:
                budget.spend(pivot, rows[other].values())
                if c in rows[other]:
                    budget.spend(rows[other][c], rows[r].values())
                rows[other] = _reduced(rows[other], rows[r], c, pivot, previous, domain)
        previous = pivot


def _reduced(row: Row, by: Row, column: int, pivot: Any, previous: Any, domain: Any) -> Row:
    """Return (pivot * row - row[column] * by) / previous."""
    factor = row.get(column)
    result = {c: pivot * entry for c, entry in row.items()}
    if factor is not None:
        for c, entry in by.items():
            result[c] = result.get(c, domain.zero) - factor * entry
    return {c: domain.exquo(entry, previous) for c, entry in result.items() if entry}


def _without_denominators(part: Exact, rows: dict[int, Row]) -> tuple[Exact, dict[int, Row]]:
    ground = part.domain.dom if part.symbols else part.domain
    if not ground.is_QQ:
        return part, rows
    ring = part.domain.get_ring() if not part.symbols else part.domain.set_domain(ground.get_ring())
    whole = {}
    for r, row in rows.items():
        numbers = (c for e in row.values() for c in (e.values() if part.symbols else (e,)))
        multiple = math.lcm(*(int(c.denominator) for c in numbers))
        whole[r] = {c: ring.convert_from(e * ground(multiple), part.domain) for c, e in row.items()}
    return replace(part, domain=ring), whole


def _column(part: Exact, vector: Row) -> sympy.Matrix:
    """Return a vector without the common divisor of its entries."""
    import sympy

    ground = part.domain.dom if part.symbols else part.domain
    domain = part.domain
    if ground.is_QQ:
        domain = domain.set_domain(ground.get_ring()) if part.symbols else ground.get_ring()
    if ground.is_QQ or ground.is_ZZ:
        common = reduce(domain.gcd, (domain.convert(e) for e in vector.values()))
        vector = {c: domain.exquo(domain.convert(e), common) for c, e in vector.items()}
    whole = replace(part, domain=domain)
    column = sympy.zeros(part.shape[1], 1)
    for c, entry in vector.items():
        column[c] = whole.expression(entry)
    return column


def _rows_of(entries: dict[Place, Any]) -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for (r, c), entry in entries.items():
        rows.setdefault(r, {})[c] = entry
    return rows


def _rank_somewhere(exact: Exact) -> int:
    """Return the rank modulo a prime with numbers for symbols: no more than the true one."""
    ground = exact.domain.dom if exact.symbols else exact.domain
    if not (ground.is_ZZ or ground.is_QQ):
        return -1
    numbers = np.random.default_rng(0).integers(1, PRIME, len(exact.symbols)).tolist()
    residues = np.zeros(exact.shape, np.int64)
    for place, entry in exact.entries.items():
        terms = entry.terms() if exact.symbols else [((), entry)]
        residues[place] = sum(_residue(term, numbers) for term in terms) % PRIME
    return _rank_modulo(residues)


def _residue(term: tuple[tuple[int, ...], Any], numbers: Iterable[int]) -> int:
    powers, coefficient = term
    factors = (pow(x, power, PRIME) for x, power in zip(numbers, powers, strict=True))
    inverse = pow(int(coefficient.denominator), -1, PRIME)
    return int(coefficient.numerator) * inverse * math.prod(factors)


def _rank_modulo(matrix: Array) -> int:
    """Eliminate modulo the prime; the matrix is overwritten."""
    done = 0
    for column in range(matrix.shape[1]):
        candidates = np.flatnonzero(matrix[done:, column])
        if not len(candidates):
            continue
        row = done + candidates[0]
        matrix[[done, row]] = matrix[[row, done]]
        matrix[done] = matrix[done] * pow(int(matrix[done, column]), -1, PRIME) % PRIME
        below = done + 1 + np.flatnonzero(matrix[done + 1 :, column])
        multiples = matrix[below, column, None] * matrix[done] % PRIME
        matrix[below] = (matrix[below] - multiples) % PRIME
        done += 1
        if done == len(matrix):
            break
    return done


def _check_square(shape: Place) -> None:
    if shape[0] != shape[1]:
        raise GeometryError("A", shape, "must be square", "pad so that sizes are kept")


class _Budget:
    """Counts products of terms, so that what would take too long stops, everywhere alike."""

    def __init__(self, exact: Exact) -> None:
        self.exact = exact
        self.left = WORK

    def spend(self, first: Any, others: Iterable[Any]) -> None:
        """Take account of one element multiplied by each of the others."""
        terms = self.exact.terms
        self.left -= terms(first) * sum(map(terms, others))
        if self.left < 0:
            raise GeometryError(
                "A",
                self.exact.shape,
                f"takes more than {WORK} products of terms",
                "use a smaller geometry, fewer symbols, or numbers for them (values=...)",
            )
