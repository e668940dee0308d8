"""Answers to claims: true only if the claim holds."""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

__all__ = ["Answer", "NotProved"]


class NotProved(Exception):  # noqa: N818, what is missing is a proof
    """A claim was required to hold, and does not, or was not proved as it was stated."""


class Answer:
    """What is answered to a claim: a proof, a counterexample, or neither.

    An answer is true if and only if it `holds`, so that ``assert prove_equal(A, B)`` asserts it.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def holds(self) -> bool:
        """Whether the claim is proved as it was stated."""

    @property
    def summary(self) -> str:
        """The claim, and what became of it: what is printed, where nothing shorter is said."""
        return str(self)

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
