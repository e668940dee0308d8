"""`Proof`, `Counterexample`, and the functions that return them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat._check import GeometryError
from convmat.operator import LayerOperator, Operator
from convmat.proof._compare import Difference, compare
from convmat.proof._evidence import EqualPatterns, Evidence, TransposeEvidence, read_evidence
from convmat.proof._refute import find_false_entry, flaw
from convmat.proof._steps import ProofStep, describe, latex
from convmat.proof._theorem_evidence import TheoremEvidence
from convmat.symbolic.certificate import Certificate, fields, malformed
from convmat.symbolic.checker import Refused
from convmat.symbolic.derivations import SURPLUS, TRANSPOSE, certificate
from convmat.symbolic.enumeration import check_equal_patterns

if TYPE_CHECKING:
    from convmat.proof._refute import FalseEntry

__all__ = ["Counterexample", "Proof", "load", "prove_equal", "prove_transpose"]

FORMAT = "convmat proof 1"


@dataclass(frozen=True)
class Proof:
    """A claim that holds, with what is needed to check it again.

    Attributes
    ----------
    claim : str
    grades : tuple of str
        How far it holds, the strongest first: ``"all sizes"``, ``"this geometry, all weights"``,
        ``"these numbers"``.
    evidence
        Integers and certificates from which claim, grades and steps are derived.

    Examples
    --------
    >>> import convmat as cm
    >>> proof = cm.prove_transpose(cm.conv([[[1, 2, 3]]], in_shape=(1, 7), stride=2))
    >>> proof.holds, proof.grade
    (True, 'all sizes')
    >>> load(proof.to_json()) == proof
    True
    """

    claim: str
    grades: tuple[str, ...]
    evidence: Evidence
    operators: tuple[Operator, Operator] | None = field(default=None, repr=False, compare=False)
    _verdict: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def grade(self) -> str:
        """The strongest grade."""
        return self.grades[0]

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """What had to be added for a claim about all sizes to hold; empty if nothing."""
        return getattr(self.evidence, "hypotheses", ())

    @property
    def holds(self) -> bool:
        """Whether `check` accepts; found out once."""
        if not self._verdict:
            try:
                self.check()
            except Refused:
                self._verdict.append(False)
            else:
                self._verdict.append(True)
        return self._verdict[0]

    @property
    def steps(self) -> tuple[ProofStep, ...]:
        """All steps, in order."""
        return self.evidence.steps()

    def check(self, *operators: Operator) -> bool:
        """Re-check everything, without the code that made the proof; return True or raise.

        Parameters
        ----------
        *operators : Operator, optional
            The two operators of a proof about numbers that was read from a file.

        Raises
        ------
        Refused
            A GeometryError that says which step does not follow, and why.
        """
        if len(operators) not in (0, 2):
            raise GeometryError("operators", len(operators), "must be two", "use check(A, B)")
        self.evidence.check((operators[0], operators[1]) if operators else self.operators)
        if self.claim != self.evidence.claim:
            raise Refused("the claim is not the one that the evidence supports")
        if self.grades != self.evidence.grades:
            raise Refused(f"the evidence supports the grade {self.evidence.grades[0]!r} only")
        return True

    @property
    def summary(self) -> str:
        """Claim and grades, without the steps."""
        return f"Proved: {self.claim}.\nGrade: {'; '.join(self.grades)}."

    def __str__(self) -> str:
        legend = getattr(self.evidence, "legend", "")  # of theorems, the only ones with symbols
        return f"{self.summary}\n{describe(self.steps, legend)}"

    def _repr_latex_(self) -> str:
        return latex(f"Proved: {self.claim}.", self.steps)

    def to_json(self) -> str:
        """Return the proof as text that `load` reads: integers and names, nothing to evaluate."""
        data = {
            "format": FORMAT,
            "claim": self.claim,
            "grades": list(self.grades),
            "evidence": self.evidence.to_json(),
        }
        return json.dumps(data, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """Read what `to_json` wrote, or a `Certificate` alone.

        Nothing is believed until `check` or `holds` says so.
        """
        try:
            data = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        except (json.JSONDecodeError, RecursionError):
            raise malformed(text, "whole JSON") from None
        if isinstance(data, dict) and "theorem" in data:  # a certificate alone
            evidence = TheoremEvidence((Certificate.from_json(data),))
            return cls(evidence.claim, evidence.grades, evidence)
        fields(data, {"format", "claim", "grades", "evidence"})
        if data["format"] != FORMAT:
            raise malformed(data["format"], repr(FORMAT))
        claim, grades = data["claim"], data["grades"]
        if not isinstance(claim, str) or not isinstance(grades, list):
            raise malformed(claim, "a claim and its grades")
        return cls(claim, tuple(grades), read_evidence(data["evidence"]))


@dataclass(frozen=True)
class Counterexample:
    """A claim that does not hold, and an input that shows it.

    Attributes
    ----------
    claim : str
        What was to be proved.
    reason : str
        Why it is false.
    column, row : tuple of int, or None
        Index of the 1 in a unit input, and of an output that differs; None if sizes differ.
    first, second : number, SymPy expression or str
        The output there by the first and by the second side.
    steps : tuple of ProofStep

    Examples
    --------
    >>> import convmat as cm
    >>> A, B = (cm.conv([[[1, 2, last]]], in_shape=(1, 4)) for last in (3, 4))
    >>> answer = cm.prove_equal(A, B)
    >>> answer.holds, answer.column, answer.row, answer.first, answer.second
    (False, (0, 2), (0, 0), 3, 4)
    """

    claim: str
    reason: str
    column: tuple[int, ...] | None = None
    row: tuple[int, ...] | None = None
    first: Any = None
    second: Any = None
    grade: str = "counterexample"

    @property
    def holds(self) -> bool:
        """Always False."""
        return False

    @property
    def steps(self) -> tuple[ProofStep, ...]:
        """Input, outputs, and how far the difference goes."""
        lines = []
        if self.column is not None:
            lines += [
                (f"take the input that is 1 at {self.column} and 0 elsewhere", "choose"),
                (
                    (
                        f"output {self.row} is {self.first} by the first side and {self.second} by "
                        "the second"
                    ),
                    "evaluate",
                ),
            ]
        lines.append((self.reason, "conclude"))
        return tuple(
            ProofStep("Counterexample", number, text, rule, self.grade, "")
            for number, (text, rule) in enumerate(lines, 1)
        )

    @property
    def summary(self) -> str:
        """The claim, and the input that shows it to be false."""
        return f"False: {self.claim}.\n{describe(self.steps)}"

    def __str__(self) -> str:
        return self.summary

    def _repr_latex_(self) -> str:
        return latex(f"False: {self.claim}.", self.steps)

    def to_json(self) -> str:
        """Return the counterexample as text."""
        data = {
            "format": "convmat counterexample 1",
            "claim": self.claim,
            "reason": self.reason,
            "column": self.column,
            "row": self.row,
            "first": None if self.first is None else str(self.first),
            "second": None if self.second is None else str(self.second),
        }
        return json.dumps(data, indent=1)


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
        rounding, with the tolerance stated.
    Counterexample
        A unit input on which the two differ: the first row that differs, and its first column.

    Raises
    ------
    GeometryError
        A or B is not an operator.

    Notes
    -----
    Layers are compared by blocks of rows, so their matrices need not fit in memory; other
    operators are built whole.

    Examples
    --------
    >>> import convmat as cm
    >>> A = cm.conv([[[1, 2, 3]]], in_shape=(1, 6))
    >>> prove_equal(A.T.T, A).grade
    'this geometry, all weights'
    >>> prove_equal(A + A, 2 * A).claim
    'the two matrices of shape (4, 6) are exactly equal'
    """
    for name, operator in (("A", A), ("B", B)):
        if not isinstance(operator, Operator):
            raise GeometryError(
                name, type(operator).__name__, "must be an operator", "make one, such as with conv"
            )
    claim = f"{A!r} and {B!r} have the same matrix"
    if (A.in_shape, A.out_shape) != (B.in_shape, B.out_shape):
        return Counterexample(
            claim,
            f"the sizes differ: {A.in_shape} -> {A.out_shape} (matrix {A.shape}) and "
            f"{B.in_shape} -> {B.out_shape} (matrix {B.shape})",
        )
    if _share_pattern_and_weight(A, B):
        evidence = EqualPatterns(A.geometry, B.geometry)
        return Proof(evidence.claim, evidence.grades, evidence, (A, B))
    found = compare(A, B)
    if not isinstance(found, Difference):
        return Proof(found.claim, found.grades, found, (A, B))
    return Counterexample(
        claim,
        f"{len(found.rows)} of {A.shape[0]} rows differ, the first at output "
        f"{_index(found.lowest, A.out_shape)}, the last at {_index(found.highest, A.out_shape)}",
        _index(found.column, A.in_shape),
        _index(found.row, A.out_shape),
        found.first,
        found.second,
    )


def load(source: Any) -> Proof:
    """Read a proof from JSON text or from a file that holds it; call its `check` to believe it.

    Raises
    ------
    GeometryError
        The text is truncated, or is not a proof.
    OSError
        The file cannot be read.
    """
    if isinstance(source, str) and source.lstrip().startswith(("{", "[")):
        return Proof.from_json(source)
    if not isinstance(source, (str, os.PathLike)):
        raise GeometryError("source", source, "must be JSON text or a path", "pass proof.to_json()")
    try:
        return Proof.from_json(Path(source).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise malformed(str(source), "a file of UTF-8 text") from None


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
    return bool(
        np.array_equal(
            first.weight, second.weight, equal_nan=first.dtype.kind + second.dtype.kind in _FLOATS
        )
    )


_FLOATS = frozenset(a + b for a in "fc" for b in "fc")


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a key twice: readers would disagree about it."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise malformed([key for key, _ in pairs], "an object whose keys occur once")
    return data


def _refuse_constant(name: str) -> Any:
    raise malformed(name, "a finite number")
