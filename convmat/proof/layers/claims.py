"""Claims about the matrices of layers: proved, or refuted by an input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from convmat.certificates.checker import Refused
from convmat.certificates.provers.found import certificate
from convmat.certificates.theorems import SURPLUS, TRANSPOSE
from convmat.geometry.arguments import GeometryError
from convmat.operator import LayerOperator, Operator
from convmat.proof.counterexamples import Counterexample
from convmat.proof.definitions.enumeration import check_equal_patterns
from convmat.proof.evidence.layers import EqualPatterns, TransposeEvidence
from convmat.proof.layers.refuting import find_false_entry, flaw
from convmat.proof.matrices.equality import compare
from convmat.proof.matrices.outcomes import Difference
from convmat.proof.proofs import Proof

if TYPE_CHECKING:
    from convmat.proof.layers.refuting import FalseEntry

__all__ = ["Settled", "prove_equal", "prove_transpose", "settle"]


def prove_transpose(A: Any, B: Any = None) -> Proof | Counterexample:  # noqa: N803, operators are written as matrices are
    """Prove that a transposed convolution is the transpose of its convolution.

    Parameters
    ----------
    A : LayerOperator
        Made by `conv` or `conv_transpose`, or the transpose of such a layer.
    B : LayerOperator, optional
        The layer said to be its transpose; ``A.T`` if not given.

    Returns
    -------
    Proof
        Of grade ``"all sizes"`` (theorems for symbolic sizes, whose hypotheses hold at the sizes
        of A) and ``"this geometry, all weights"``. Where the output padding is not less than the
        stride, the layer transposes the first rows of the convolution, and the claim says so.
    Counterexample
        If the claim is false.

    Raises
    ------
    GeometryError
        A or B is not such a layer, or an axis is too long to enumerate.

    Notes
    -----
    Per axis, ``i = s*o + d*tap - p`` is compared with zero insertion, padding, and correlation
    with the flipped kernel; the whole follows, as both matrices are products over axes and
    channels. Small matrices are also compared whole with the definition in N dimensions. Cost:
    outputs times taps of each axis in time, a few lines of its padded length in memory.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4,
    relations 8 to 14.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv_transpose([[[1, 2, 3]]], in_shape=(1, 4), stride=2, padding=1)
    >>> print(str(prove_transpose(A)).splitlines()[1])
    Grade: all sizes; this geometry, all weights.
    """
    for name, layer in (("A", A), ("B", B)):
        if not isinstance(layer, LayerOperator) and (name == "A" or layer is not None):
            raise GeometryError(
                name,
                type(layer).__name__,
                "must be a layer made by conv or conv_transpose",
                "compare other operators with prove_equal(A, B)",
            )
    other = A.T if B is None else B
    claim = f"the matrix of {other!r} is the transpose of the matrix of {A!r}"
    convolution, transposed = (other, A) if A.geometry.flipped else (A, other)
    options, problem = flaw(A.geometry, convolution, transposed)
    if problem:
        return Counterexample(claim, problem)
    entry = find_false_entry(options, convolution, transposed)
    if entry is not None:
        return _refuted(claim, entry)
    names = SURPLUS if any(axis.a >= axis.s for axis in options) else TRANSPOSE
    evidence = TransposeEvidence(
        convolution.geometry,
        transposed.geometry,
        tuple(options),
        tuple(certificate(name) for name in names),
    )
    return Proof(evidence.claim, evidence.grades, evidence, (A, other))


def prove_equal(A: Any, B: Any) -> Proof | Counterexample:  # noqa: N803, as above
    """Prove that two operators have the same matrix, or find an input that tells them apart.

    Parameters
    ----------
    A, B : Operator
        Layers, transposes, sums, products.

    Returns
    -------
    Proof
        ``"this geometry, all weights"`` if two layers have the same pattern and weight; else
        ``"these numbers"``: the matrices were compared, and are exactly equal or equal up to
        rounding, within a bound that is stated.
    Counterexample
        A unit input on which the two differ: the first row that differs, and its first column.

    Raises
    ------
    GeometryError
        A or B is not an operator.

    Notes
    -----
    Equality is decided on the highest rung that bears it: the patterns of two layers with one
    weight; fractions, where a float is the one that it stores, up to 2**16 entries that are not
    complex, and integers are not wrapped as a matrix of 64 bits would wrap them; expressions,
    where there are symbols; floats. What rounding may explain (a float in place of a fraction that
    it is nearest to, or sums in floating point) is never called exactly equal. In floats layers are
    compared by blocks of rows, so their matrices need not fit in memory; other operators are built
    whole.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv([[[1, 2, 3]]], in_shape=(1, 6))
    >>> prove_equal(A.T.T, A).grade
    'this geometry, all weights'
    >>> prove_equal(A + A, 2 * A).headline
    'the two matrices of shape (4, 6) are exactly equal'
    >>> third = cm.conv([[[1 / 3, 1 / 3, 1 / 3]]], in_shape=(1, 6), stride=3)
    >>> prove_equal(third, cm.avg_pool((1, 6), 3)).headline
    'the two matrices of shape (2, 6) are equal up to rounding, within 7.41e-17'
    """
    return settle(A, B).answer


class Settled(NamedTuple):
    """What became of the claim that two operators are equal, and where their matrices differ."""

    answer: Proof | Counterexample
    difference: Difference | None = None


def settle(A: Any, B: Any) -> Settled:  # noqa: N803, as above
    """Decide whether two operators are equal; see `prove_equal`."""
    for name, operator in (("A", A), ("B", B)):
        if not isinstance(operator, Operator):
            raise GeometryError(
                name, type(operator).__name__, "must be an operator", "make one, such as with conv"
            )
    claim = f"{A!r} and {B!r} have the same matrix"
    if (A.in_shape, A.out_shape) != (B.in_shape, B.out_shape):
        sizes = (
            f"the sizes differ: {A.in_shape} -> {A.out_shape} (matrix {A.shape}) and "
            f"{B.in_shape} -> {B.out_shape} (matrix {B.shape})"
        )
        return Settled(Counterexample(claim, sizes))
    if _share_pattern_and_weight(A, B):
        patterns = EqualPatterns(A.geometry, B.geometry)
        return Settled(Proof(patterns.claim, patterns.grades, patterns, (A, B)))
    found = compare(A, B)
    if not isinstance(found, Difference):
        return Settled(Proof(found.claim, found.grades, found, (A, B)))
    first, last = (_index(int(found.rows[end]), A.out_shape) for end in (0, -1))
    answer = Counterexample(
        claim,
        f"compared as {found.rung}, {len(found.rows)} of {A.shape[0]} rows differ, the first at "
        f"output {first}, the last at {last}{_unlike(A, B)}",
        _index(found.column, A.in_shape),
        _index(found.row, A.out_shape),
        found.first,
        found.second,
    )
    return Settled(answer, found)


def _unlike(A: Operator, B: Operator) -> str:  # noqa: N803, as above
    """Say what tells two operators apart that are written alike; nothing if they are not."""
    if repr(A) != repr(B):
        return ""
    begin = "; both are written alike, but "
    for number, (one, other) in enumerate(zip(A._weighted(), B._weighted(), strict=False)):
        if one.shape != other.shape:
            return f"{begin}weights have the shapes {one.shape} and {other.shape}"
        at = np.argwhere(np.not_equal(one, other).astype(bool))
        if len(at):
            place = tuple(at[0].tolist())
            which = f"weight {number + 1}" if len(A._weighted()) > 1 else "weight"
            entry = f"{which}{list(place)} is {one[place]} and {other[place]}"
            return f"{begin}{len(at)} of {one.size} weights differ: {entry}"
    return f"{begin}the weights, if any, are put in other places"


def _refuted(claim: str, entry: FalseEntry) -> Counterexample:
    return Counterexample(
        claim, entry.reason, entry.column, entry.row, entry.defined, entry.recorded
    )


def _share_pattern_and_weight(first: Operator, second: Operator) -> bool:
    """Say whether two operators are layers with one pattern and one weight."""
    if not isinstance(first, LayerOperator) or not isinstance(second, LayerOperator):
        return False
    if first.weight.shape != second.weight.shape or (first.dtype == object) != (
        second.dtype == object
    ):
        return False
    try:
        check_equal_patterns(first.geometry, second.geometry)
    except Refused:
        return False
    if first.weight is second.weight:
        return True
    if first.dtype != second.dtype and {first.dtype.kind, second.dtype.kind} & {"i", "u"}:
        # NumPy would compare as floats, which 2**53 + 1 is none of; Python compares exactly.
        return first.weight.ravel().tolist() == second.weight.ravel().tolist()
    return bool(
        np.array_equal(
            first.weight, second.weight, equal_nan=first.dtype.kind + second.dtype.kind in _FLOATS
        )
    )


_FLOATS = frozenset(a + b for a in "fc" for b in "fc")


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))
