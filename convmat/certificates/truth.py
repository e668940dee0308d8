"""Answers to claims: true only if the claim holds."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import Any, Self

from convmat.certificates.writing import write_json
from convmat.geometry.printing import OneLine

__all__ = ["Answer", "NotProved", "split_head"]

HEAD = ("holds", "under", "counterexample")  # in this order, before all else


class NotProved(Exception):  # noqa: N818, what is missing is a proof
    """A claim was required to hold, and does not, or was not proved as it was stated."""


class Answer(OneLine):
    """What is answered to a claim: a proof, a counterexample, or neither.

    An answer is true if and only if it `holds`, so that ``assert prove_equal(A, B)`` asserts it.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def holds(self) -> bool:
        """Whether the claim is proved as it was stated."""

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """What had to be added for the claim to hold; empty if nothing."""
        return ()

    @property
    def counterexample(self) -> dict[str, Any] | None:
        """An input or sizes at which the claim is false, as plain data; None if none is known."""
        return None

    @property
    def head(self) -> dict[str, Any]:
        """What every answer begins with as JSON: whether it holds, under what, and where not."""
        return self.head_if(holds=self.holds)

    def head_if(self, *, holds: bool) -> dict[str, Any]:
        """Return the head of an answer of which it is known whether it holds."""
        values = holds, list(self.hypotheses), self.counterexample
        return dict(zip(HEAD, values, strict=True))

    def report(self) -> str:
        """Return the answer as JSON text: `head` first, a certificate last, one step a line."""
        return write_json(self.head | json.loads(self.to_json()))

    @abstractmethod
    def to_json(self) -> str:
        """Return the answer as JSON text."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """The claim, and what became of it: what is printed."""

    def explain(self) -> str:
        """Return the summary, and every step of what it rests on."""
        return self.summary

    def __str__(self) -> str:
        return self.summary

    def __bool__(self) -> bool:
        return self.holds

    def require(self) -> Self:
        """Return the answer if it holds.

        Raises
        ------
        NotProved
            It does not; the message says why, with the counterexample if there is one.

        Examples
        --------
        >>> import convmat as cm
        >>> A, B = (cm.conv([[[1, 2, last]]], in_shape=(1, 4)) for last in (3, 4))
        >>> cm.prove_equal(A, A).require().grade
        'this geometry, all weights'
        >>> cm.prove_equal(A, B).require()  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        convmat.certificates.truth.NotProved: False: <conv, ...
        """
        if not self.holds:
            raise NotProved(self.summary)
        return self


def split_head(data: Any) -> tuple[dict[str, Any] | None, Any]:
    """Return the head of what `Answer.report` wrote, if there is one, and the rest."""
    if not isinstance(data, dict) or tuple(data)[: len(HEAD)] != HEAD:
        return None, data
    items = list(data.items())
    return dict(items[: len(HEAD)]), dict(items[len(HEAD) :])
