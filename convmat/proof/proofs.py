"""`Proof`: a claim with what is needed to check it again, and how it is read and written."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convmat.certificates.checker import Refused
from convmat.certificates.statements import as_written, fields, malformed
from convmat.certificates.truth import Answer, split_head
from convmat.certificates.writing import write_json
from convmat.geometry.arguments import GeometryError
from convmat.operator import Operator
from convmat.proof.evidence.layers import Evidence, read_alone, read_evidence
from convmat.proof.steps import ProofStep, describe, latex

__all__ = ["Proof", "load"]

FORMAT = "convmat proof 1"


@dataclass(frozen=True, repr=False)
class Proof(Answer):
    """A claim, with what is needed to check it again: it says "proved" only if that succeeds.

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
    _found: list[_Found] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def headline(self) -> str:
        """The claim without the numbers of the record, where it can be said in short."""
        short: tuple[str, ...] = getattr(self.evidence, "short_claims", ())
        return short[-1] if short and self.claim == self.evidence.claim else self.claim

    @property
    def grade(self) -> str:
        """The strongest grade."""
        return self.grades[0]

    @property
    def exact(self) -> bool:
        """Whether the claim rests on no tolerance."""
        return getattr(self.evidence, "exact", True)

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """What had to be added for a claim about all sizes to hold; empty if nothing."""
        return getattr(self.evidence, "hypotheses", ())

    @property
    def counterexample(self) -> dict[str, Any] | None:
        """Sizes at which the claim is false without `hypotheses`, and what is there instead."""
        return getattr(self.evidence, "counterexample", None)

    @property
    def accepted(self) -> bool:
        """Whether `check` accepts; found out once for what the proof says."""
        return self._objection() is None

    @property
    def holds(self) -> bool:
        """Whether `check` accepts, and no hypotheses had to be added to what was claimed."""
        return self.accepted and not self.hypotheses

    def _objection(self) -> str | None:
        """Return why `check` does not accept, or None.

        The answer is kept beside all that it is about: a copy that says something else asks anew.
        """
        try:
            content = self.to_json()
        except (TypeError, ValueError) as error:
            return f"refused: it cannot be written: {error}"
        if not self._found or not self._found[0].is_about(content, self.operators):
            try:
                self.check()
            except GeometryError as error:
                reason: str | None = str(error)
            else:
                reason = None
            self._found[:] = [_Found(content, self.operators, reason)]
        return self._found[0].reason

    @property
    def steps(self) -> tuple[ProofStep, ...]:
        """All steps, in order."""
        return self.evidence.steps()

    def check(self, *operators: Any) -> bool:
        """Re-check everything, without the code that made the proof; return True or raise.

        Parameters
        ----------
        *operators : Operator, optional
            Two operators, in either order, that the claim must be about: those of a proof about
            layers or numbers. To be given if it is about numbers, and was read from a file.

        Raises
        ------
        Refused
            A GeometryError that says which step does not follow, and why; or that the claim is not
            about these operators.
        GeometryError
            The evidence is about sizes that there are not, or `operators` are not two operators.
        """
        if len(operators) not in (0, 2):
            raise GeometryError("operators", len(operators), "must be two", "use check(A, B)")
        for operator in operators:
            if not isinstance(operator, Operator):
                kind = type(operator).__name__
                raise GeometryError("operators", kind, "must be operators", "use check(A, B)")
        pair = (operators[0], operators[1]) if operators else self.operators
        with _instead_of_any_error(_unfollowed):
            self._compare_claim()
            reason = None if pair is None else self.evidence.objection(*pair)
            if reason is not None:
                raise Refused(reason)
            self.evidence.check(pair)
        return True

    def _compare_claim(self) -> None:
        """Refuse a claim that the evidence does not support, before any of it is followed."""
        claim, grades = self.evidence.claim, self.evidence.grades
        if self.claim != claim:
            raise Refused(f"the claim is not the one that the evidence supports: {claim}")
        if self.grades != grades:
            raise Refused(f"the evidence supports the grade {grades[0]!r} only")

    @property
    def summary(self) -> str:
        """Claim and grades, without the steps; why it is not proved, if it is not."""
        objection = self._objection()
        if objection is not None:
            return f"Not proved: {self.claim}.\nProof {objection}."
        return self.words("Proved")

    def words(self, proved: str) -> str:
        """Say of the claim that it is proved, or under what alone, and how far it goes."""
        end = ""
        if self.hypotheses:  # not all that it needs: it may hold elsewhere, too
            proved = f"Not in general; it does where {' and '.join(self.hypotheses)}"
            end = f"\nHypotheses under which it was proved: {', '.join(self.hypotheses)}."
        return f"{proved}: {self.claim}.\nGrade: {'; '.join(self.grades)}.{end}"

    def _in_short(self) -> str:  # which does not check: a proof may be long, or hostile
        under = f", where {' and '.join(self.hypotheses)}" if self.hypotheses else ""
        return f"Proof of grade {self.grade!r}{under}: {self.claim}"

    def explain(self) -> str:
        """Return claim and grades, and every step, after what symbols and words mean."""
        legend = getattr(self.evidence, "legend", "")  # of theorems, the only ones with symbols
        steps = f"\n{describe(self.steps, legend)}" if self.accepted else ""
        return f"{self.summary}{steps}"

    def _repr_latex_(self) -> str:
        return latex(self.summary.splitlines()[0], self.steps if self.accepted else ())

    def to_json(self) -> str:
        """Return the proof as text that `load` reads: integers and names, nothing to evaluate."""
        data = {
            "format": FORMAT,
            "claim": self.claim,
            "grades": list(self.grades),
            "evidence": self.evidence.to_json(),
        }
        return write_json(data)

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """Read what `to_json` or `report` wrote, or a `Certificate` or a `BilinearProof` alone.

        Nothing is believed until `check` or `accepted` says so. Text is read in the one form in
        which it is written, but for spaces. The head of a report must say what follows from the
        rest; it is not kept.
        """
        with _instead_of_any_error(lambda _: malformed(text, "whole JSON")):
            data = json.loads(
                text,
                object_pairs_hook=_unique,
                parse_constant=_refuse_constant,
                parse_float=_as_written_number(float),
                parse_int=_as_written_number(int),
            )
        with _instead_of_any_error(lambda _: malformed(text, "a proof")):
            head, rest = split_head(data)
            proof = cls._read(rest)
            if head is not None:
                as_written(head, proof.head_if(holds=not proof.hypotheses))
        return proof

    @classmethod
    def _read(cls, data: Any) -> Proof:
        alone = read_alone(data)
        if alone is not None:
            return cls(alone.claim, alone.grades, alone)
        fields(data, {"format", "claim", "grades", "evidence"})
        if data["format"] != FORMAT:
            raise malformed(data["format"], repr(FORMAT))
        claim, grades = data["claim"], data["grades"]
        if not isinstance(claim, str) or not isinstance(grades, list):
            raise malformed(claim, "a claim and its grades")
        proof = cls(claim, tuple(grades), read_evidence(data["evidence"]))
        as_written(data, json.loads(proof.to_json()))
        # Earlier versions left out of a claim what the evidence says: it is read in full.
        if claim in getattr(proof.evidence, "short_claims", ()):
            return replace(proof, claim=proof.evidence.claim)
        return proof


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found out about a proof with this content and these operators."""

    content: str
    operators: tuple[Operator, Operator] | None
    reason: str | None

    def is_about(self, content: str, operators: tuple[Operator, Operator] | None) -> bool:
        if self.operators is None or operators is None:
            return self.content == content and self.operators is operators
        same = all(a is b for a, b in zip(self.operators, operators, strict=True))
        return self.content == content and same


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


@contextmanager
def _instead_of_any_error(error: Callable[[Exception], GeometryError]) -> Iterator[None]:
    """Turn what hostile data may raise anywhere into an error that says what it is about."""
    try:
        yield
    except GeometryError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as e:
        raise error(e) from None


def _unfollowed(error: Exception) -> Refused:
    return Refused(f"its evidence cannot be followed ({type(error).__name__}: {error})")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a key twice: readers would disagree about it."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise malformed([key for key, _ in pairs], "an object whose keys occur once")
    return data


def _refuse_constant(name: str) -> Any:
    raise malformed(name, "a finite number")


def _as_written_number(read: Callable[[str], float]) -> Callable[[str], float]:
    """Return a reader of numbers in the one form in which they are written; zero has no sign."""

    def reader(text: str) -> float:
        number = read(text)
        if repr(number) != text or text == "-0.0" or not math.isfinite(number):
            raise malformed(text, f"a finite number as it is written, such as {number + 0!r}")
        return number

    return reader
