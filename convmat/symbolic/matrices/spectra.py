"""Eigenvalues of exact matrices, in closed form where there is one."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from convmat.geometry.arguments import GeometryError
from convmat.symbolic.matrices.exact import Exact, Place, entries_of, exact_matrix, read
from convmat.symbolic.matrices.structure import blocks_of

if TYPE_CHECKING:
    import sympy

__all__ = ["eigenvalues"]

# Largest blocks without a closed form whose characteristic polynomial is factored.
SIZE_OF_SYMBOLS = 6
SIZE_OF_NUMBERS = 30
DEGREE = 8  # of numbers' polynomials whose roots are isolated

Index = tuple[int, ...]
# (output channel, input channel, offset per axis) -> entry
Kernel = dict[tuple[int, int, Index], Any]


def eigenvalues(A: Any, name: str = "w", values: Any = None) -> dict[Any, int]:
    """Return the eigenvalues of a square matrix with their multiplicities.

    Parameters
    ----------
    A : Operator or SymPy matrix
    name, values
        Name of an operator's symbols, and numbers to put in for them; see `exact_matrix`.

    Returns
    -------
    dict of SymPy expressions to int, as `sympy.Matrix.eigenvals` gives it. Expressions that are
    written differently are listed apart, even if they should be equal; the multiplicities add up
    to the number of rows.

    Raises
    ------
    GeometryError
        A is not square, or there is neither a closed form nor a small enough block.

    Notes
    -----
    Tried in this order, N the sizes of the spatial axes:

    circulant along every axis (``padding_mode="circular"``)
        ``sum over offsets t of c[t] exp(2 pi i <f, t/N>)`` for all frequencies f: the discrete
        Fourier transform of the kernel. With several channels, the eigenvalues of that matrix
        of sums, if it is triangular or 2 x 2.
    Toeplitz along every axis, with two neighbours at most on each: kernels of one axis with 3
    taps, crosses of several
        ``a + sum over axes of 2 sqrt(b c) cos(pi j/(n + 1))``, j = 1 .. n; dilation makes
        separate chains of n.
    others
        Rows and columns are exchanged alike to block triangular form. The characteristic
        polynomials of the blocks, of size 6 at most with symbols and 30 without, are factored;
        what remains is solved in radicals up to degree 3 (these formulas hold for almost all
        weights), and without symbols given as `sympy.CRootOf` from degree 3 to 8.

    References
    ----------
    Davis, "Circulant Matrices", 1979, theorem 3.2.2; Noschese, Pasquini, Reichel, "Tridiagonal
    Toeplitz matrices", 2013.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv([[[-1, 2, -1]]], in_shape=(1, 3), padding=1)
    >>> eigenvalues(A, values=A.weight)
    {sqrt(2) + 2: 1, 2: 1, 2 - sqrt(2): 1}
    >>> A = cm.conv([[[1, 2, 3]]], in_shape=(1, 4), padding=1, padding_mode="circular")
    >>> list(eigenvalues(A))[0]
    w[0, 0, 0] + w[0, 0, 1] + w[0, 0, 2]
    >>> eigenvalues(cm.conv([[[1, 2]]], in_shape=(1, 5), padding=[(1, 0)]))
    {w[0, 0, 1]: 5}
    """
    matrix = exact_matrix(A, name, values)
    if matrix.rows != matrix.cols:
        raise GeometryError("A", matrix.shape, "must be square", "pad so that sizes are kept")
    shape = getattr(A, "in_shape", None) or (1, matrix.rows)
    if getattr(A, "out_shape", shape) == shape:
        entries = entries_of(matrix)
        found = _circulant(entries, shape) or _cross(entries, shape)
        if found is not None:
            return dict(found)
    return dict(_by_blocks(read(matrix)))


def _circulant(entries: Mapping[Place, Any], shape: Index) -> Counter[Any] | None:
    """Return the eigenvalues of a matrix that shifts along with its input, or None."""
    kernel = _shift_invariant(entries, shape, cyclic=True)
    if kernel is None:
        return None
    channels, *sizes = shape
    found: Counter[Any] = Counter()
    for frequency in itertools.product(*map(range, sizes)):
        symbol = _fourier(kernel, frequency, sizes)
        if channels == 1:
            found[symbol.get((0, 0), 0)] += 1
            continue
        few = _of_few_channels(symbol, channels)
        if few is None:
            return None
        found.update(few)
    return found


def _fourier(kernel: Kernel, frequency: Index, sizes: list[int]) -> dict[Place, Any]:
    """Return the sum over offsets for each pair of channels."""
    import sympy

    symbol: dict[Place, Any] = {}
    for (c, b, offset), value in kernel.items():
        phases = (
            sympy.Rational(f * t, n) for f, t, n in zip(frequency, offset, sizes, strict=True)
        )
        turns = sum(phases, sympy.Integer(0)) % 1
        symbol[c, b] = symbol.get((c, b), 0) + value * sympy.exp(2 * sympy.pi * sympy.I * turns)
    return symbol


def _of_few_channels(symbol: dict[Place, Any], channels: int) -> list[Any] | None:
    """Return the eigenvalues of a triangular or 2 x 2 matrix, or None."""
    import sympy

    diagonal = [symbol.get((c, c), sympy.Integer(0)) for c in range(channels)]
    places = [place for place, entry in symbol.items() if entry != 0]
    if all(c >= b for c, b in places) or all(c <= b for c, b in places):
        return diagonal
    if channels != 2:
        return None
    first, second = diagonal
    root = sympy.sqrt((first - second) ** 2 + 4 * symbol[0, 1] * symbol[1, 0])
    return [(first + second - root) / 2, (first + second + root) / 2]


def _cross(entries: Mapping[Place, Any], shape: Index) -> Counter[Any] | None:
    """Return the eigenvalues of a Toeplitz matrix that only meets neighbours along axes."""
    import sympy

    kernel = _shift_invariant(entries, shape, cyclic=False)
    if kernel is None or shape[0] != 1:
        return None
    sizes = shape[1:]
    middle = kernel.get((0, 0, (0,) * len(sizes)), sympy.Integer(0))
    found = Counter({middle: 1})
    used = 1 if middle != 0 else 0
    for axis, size in enumerate(sizes):
        arms = {o[axis]: e for (_, _, o), e in kernel.items() if o[axis] and _only(o, axis)}
        steps = {abs(step) for step in arms}
        if len(steps) > 1:
            return None
        used += len(arms)
        step = steps.pop() if steps else size
        product = arms.get(step, 0) * arms.get(-step, 0)
        shifts = Counter(
            2 * sympy.sqrt(product) * sympy.cos(sympy.pi * j / (n + 1))
            for n in _chains(size, step)
            for j in range(1, n + 1)
        )
        found = _sums(found, shifts)
    return found if used == len(kernel) else None


def _only(offset: Index, axis: int) -> bool:
    return not any(t for d, t in enumerate(offset) if d != axis)


def _chains(size: int, step: int) -> list[int]:
    """Return how many positions each residue modulo the step has."""
    return [-(-(size - start) // step) for start in range(min(step, size))]


def _sums(first: Counter[Any], second: Counter[Any]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for (a, m), (b, n) in itertools.product(first.items(), second.items()):
        found[a + b] += m * n
    return found


def _shift_invariant(entries: Mapping[Place, Any], shape: Index, *, cyclic: bool) -> Kernel | None:
    """Return the entries by offset if they depend on nothing else, or None."""
    plane = math.prod(shape[1:])
    kernel: Kernel = {}
    numbers: Counter[tuple[int, int, Index]] = Counter()
    for (row, column), value in entries.items():
        (c, out), (b, read_at) = divmod(row, plane), divmod(column, plane)
        pairs = zip(_unravel(read_at, shape[1:]), _unravel(out, shape[1:]), shape[1:], strict=True)
        offset = tuple((i - o) % n if cyclic else i - o for i, o, n in pairs)
        if kernel.setdefault((c, b, offset), value) != value:
            return None
        numbers[c, b, offset] += 1
    for (_, _, offset), number in numbers.items():
        inside = (n - abs(t) for n, t in zip(shape[1:], offset, strict=True))
        if number != (plane if cyclic else math.prod(inside)):
            return None
    return kernel


def _unravel(position: int, sizes: Index) -> Index:
    found = []
    for size in reversed(sizes):
        position, i = divmod(position, size)
        found.append(i)
    return tuple(reversed(found))


def _by_blocks(exact: Exact) -> Counter[Any]:
    found: Counter[Any] = Counter()
    known: dict[frozenset[tuple[Place, Any]], Counter[Any]] = {}
    for block in blocks_of(exact):
        key = frozenset((*block.entries.items(), (block.shape, None)))
        if key not in known:
            known[key] = _of_block(block)
        found.update(known[key])
    return found


def _of_block(block: Exact) -> Counter[Any]:
    import sympy
    from sympy.polys.matrices import DomainMatrix

    size = block.shape[0]
    if size == 1:
        entry = block.entries.get((0, 0), block.domain.zero)
        return Counter([block.expression(entry)])
    limit = SIZE_OF_SYMBOLS if block.symbols else SIZE_OF_NUMBERS
    if size > limit:
        raise _no_closed_form(f"has an irreducible block of size {size}; more than {limit}")
    rows = [
        [block.entries.get((r, c), block.domain.zero) for c in range(size)] for r in range(size)
    ]
    unknown = sympy.Dummy("lambda")
    coefficients = DomainMatrix(rows, block.shape, block.domain).charpoly()
    polynomial = sympy.Poly.from_list(
        [block.domain.to_sympy(c) for c in coefficients], unknown, domain=block.domain
    )
    found: Counter[Any] = Counter()
    for factor, power in polynomial.factor_list()[1]:
        for root, multiplicity in _roots(factor).items():
            found[root.xreplace(block.symbols)] += power * multiplicity
    return found


def _roots(factor: sympy.Poly) -> Mapping[Any, int]:
    import sympy

    degree = factor.degree()
    if degree <= 2:
        return dict(sympy.roots(factor))
    if (factor.domain.is_ZZ or factor.domain.is_QQ) and degree <= DEGREE:
        return Counter(factor.all_roots(radicals=False))
    found = dict(sympy.roots(factor, quartics=False)) if degree <= DEGREE else {}
    if sum(found.values()) != degree:
        raise _no_closed_form(f"has a characteristic polynomial with a factor of degree {degree}")
    return found


def _no_closed_form(why: str) -> GeometryError:
    return GeometryError(
        "A",
        "its eigenvalues",
        f"are not known in closed form: it {why}",
        "use circular padding, a smaller geometry, numbers (values=...), or NumPy",
    )
