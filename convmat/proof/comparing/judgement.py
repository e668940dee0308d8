"""Whether two operators are equal: exactly where they are small, else up to rounding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from convmat.operator import Operator
from convmat.proof.counterexamples import Counterexample
from convmat.proof.layers.claims import prove_equal
from convmat.proof.matrices.fractions import exact_matrix, first_difference, rounds
from convmat.proof.matrices.numbers import Difference, EqualNumbers
from convmat.proof.matrices.numbers import compare as compare_entries
from convmat.proof.proofs import Proof

__all__ = ["Judgement", "differing_outputs", "judge"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Judgement:
    """Whether two operators are equal, and how that is known.

    Attributes
    ----------
    answer : Proof or Counterexample
    exact : bool
        False if nothing larger than rounding was found, and rounding took place.
    fractions : bool
        Whether it was decided by comparing fractions.
    mask : array of `out_shape`, or None
        Outputs that differ; None if none does or the sizes differ.
    """

    answer: Proof | Counterexample
    exact: bool = True
    fractions: bool = False
    mask: Array | None = None

    @property
    def deviation(self) -> float:
        """The largest difference of two entries that was taken for rounding."""
        numbers = _numbers(self.answer)
        return numbers.deviation if numbers is not None and not self.exact else 0.0


def judge(A: Operator, B: Operator) -> Judgement:  # noqa: N803, written as matrices are
    """Say whether two operators are equal: exactly where they are small enough."""
    answer = prove_equal(A, B)
    if isinstance(answer, Counterexample):
        return Judgement(answer, mask=None if answer.column is None else differing_outputs(A, B))
    if _numbers(answer) is None:  # equal for all weights
        return Judgement(answer)
    first, second = exact_matrix(A), exact_matrix(B)
    if first is None or second is None:
        symbols = object in (A.dtype, B.dtype)
        return Judgement(answer, exact=symbols or not (rounds(A) or rounds(B)))
    found = first_difference(first, second)
    if found is None:
        return Judgement(answer, fractions=True)
    mask = np.zeros(A.shape[0], bool)
    mask[found.rows] = True
    refuted = Counterexample(
        "A equals B",
        f"{len(found.rows)} of {len(mask)} rows differ, by less than floats show",
        tuple(map(int, np.unravel_index(found.column, A.in_shape))),
        tuple(map(int, np.unravel_index(found.row, A.out_shape))),
        found.first,
        found.second,
    )
    return Judgement(refuted, fractions=True, mask=mask.reshape(A.out_shape))


def _numbers(answer: Proof | Counterexample) -> EqualNumbers | None:
    """Return the comparison of numbers that a proof rests on, if it does."""
    evidence = answer.evidence if isinstance(answer, Proof) else None
    return evidence if isinstance(evidence, EqualNumbers) else None


def differing_outputs(A: Operator, B: Operator) -> Array:  # noqa: N803, as above
    """Return a mask of `out_shape`: the outputs that differ for some input.

    Examples
    --------
    >>> import convmat as cm
    >>> A, B = (cm.conv([[[1, 1, 1]]], (1, 4), padding=p) for p in ("same", 1))
    >>> differing_outputs(A, B), differing_outputs(A, 2 * B)
    (array([[False, False, False, False]]), array([[ True,  True,  True,  True]]))
    """
    mask = np.zeros(math.prod(A.out_shape), bool)
    found = compare_entries(A, B)
    if isinstance(found, Difference):
        mask[found.rows] = True
    return mask.reshape(A.out_shape)
