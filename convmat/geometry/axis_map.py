"""One axis: which inputs each output reads, with exact weights."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["AxisMap", "quotients"]

Array = np.ndarray[Any, np.dtype[Any]]


class AxisMap:
    """One axis: which inputs each output reads, and with which weights, as fractions.

    Entries of output o stand at ``begin[o]:begin[o+1]``, inputs ascending.

    Attributes
    ----------
    n_in, n_out : int
    begin, inputs : int64 arrays (n_out + 1,) and (entries,)
    numerators, denominators : arrays (entries,)
        int64, or Python integers where those are too narrow; in lowest terms, denominators
        positive.

    Examples
    --------
    >>> pairs = AxisMap.of(4, 2, [0, 0, 1, 1], [0, 1, 2, 3], [1, 1, 1, 1], [2, 2, 2, 2])
    >>> pairs.begin, pairs.inputs, pairs.values(np.dtype(float))
    (array([0, 2, 4]), array([0, 1, 2, 3]), array([0.5, 0.5, 0.5, 0.5]))
    >>> pairs.transpose().transpose() == pairs
    True
    """

    def __init__(
        self,
        n_in: int,
        begin: Array,
        inputs: Array,
        numerators: Array,
        denominators: Array,
    ) -> None:
        self.n_in, self.n_out = n_in, len(begin) - 1
        self.begin, self.inputs = begin, inputs
        self.numerators, self.denominators = numerators, denominators
        self._freeze()

    def _freeze(self) -> None:
        for part in (self.begin, self.inputs, self.numerators, self.denominators):
            part.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._freeze()  # which a pickle does not keep

    @classmethod
    def of(
        cls, n_in: int, n_out: int, outputs: Any, inputs: Any, numerators: Any, denominators: Any
    ) -> AxisMap:
        """Sort entries, add those of one place, and drop zeros.

        Entries of one output must have one denominator. Cost O(entries log entries).
        """
        outputs, inputs = np.asarray(outputs, np.int64), np.asarray(inputs, np.int64)
        order = np.lexsort((inputs, outputs))
        outputs, inputs = outputs[order], inputs[order]
        numerators, denominators = np.asarray(numerators)[order], np.asarray(denominators)[order]
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(outputs) != 0) | (np.diff(inputs) != 0)
        if not new.all():
            numerators = np.add.reduceat(numerators, np.flatnonzero(new))
            outputs, inputs, denominators = outputs[new], inputs[new], denominators[new]
        kept = numerators != 0
        outputs, inputs = outputs[kept], inputs[kept]
        numerators, denominators = numerators[kept], denominators[kept]
        common = np.gcd(numerators, denominators)
        begin = np.searchsorted(outputs, np.arange(n_out + 1))
        return cls(n_in, begin, inputs, numerators // common, denominators // common)

    @classmethod
    def choosing(cls, n_in: int, inputs: Any) -> AxisMap:
        """Return the map whose output o is input ``inputs[o]``, or 0 where that is negative.

        Examples
        --------
        >>> AxisMap.choosing(3, [2, -1, 0]).begin
        array([0, 1, 1, 2])
        """
        wanted = np.asarray(inputs, np.int64)
        begin = np.zeros(len(wanted) + 1, np.int64)
        np.cumsum(wanted >= 0, out=begin[1:])
        kept = wanted if begin[-1] == len(wanted) else wanted[wanted >= 0]
        ones = np.ones(len(kept), np.int64)
        made = cls(n_in, begin, kept.view(), ones, ones)
        made.ones = made.whole = True
        made.longest = min(len(kept), 1)
        return made

    @classmethod
    def identity(cls, size: int) -> AxisMap:
        """Return the map that changes nothing."""
        return cls.choosing(size, np.arange(size))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AxisMap):
            return NotImplemented
        return self.n_in == other.n_in and all(
            np.array_equal(mine, its)
            for mine, its in zip(self._arrays(), other._arrays(), strict=True)
        )

    def __repr__(self) -> str:
        return f"<map of one axis: {self.n_in} -> {self.n_out}, {self.nnz} entries>"

    def __hash__(self) -> int:
        return hash((self.n_in, self.n_out, len(self.inputs)))

    def _arrays(self) -> tuple[Array, ...]:
        return self.begin, self.inputs, self.numerators, self.denominators

    def transpose(self) -> AxisMap:
        """Return the transposed map, with the very same fractions."""
        order = self._by_input()
        begin = np.zeros(self.n_in + 1, np.int64)
        np.cumsum(np.bincount(self.inputs, minlength=self.n_in), out=begin[1:])
        return AxisMap(
            self.n_out,
            begin,
            self.outputs[order],
            self.numerators[order],
            self.denominators[order],
        )

    def absolute(self) -> AxisMap:
        """Return the map with the sizes of the fractions."""
        sizes = abs(self.numerators)
        return AxisMap(self.n_in, self.begin, self.inputs, sizes, self.denominators)

    def _by_input(self) -> Array:
        """Return the entries ordered by input, those of one input by output."""
        place = np.full(self.n_in, -1)
        place[self.inputs] = np.arange(self.nnz)
        order = place[place >= 0]
        if len(order) == self.nnz:  # no input has two entries: nothing to sort
            return order
        return np.argsort(self.inputs, kind="stable")

    @property
    def nnz(self) -> int:
        """Number of entries."""
        return len(self.inputs)

    @property
    def outputs(self) -> Array:
        """The output of every entry."""
        return np.repeat(np.arange(self.n_out), np.diff(self.begin))

    @cached_property
    def longest(self) -> int:
        """Entries of an output, at most."""
        return int(np.diff(self.begin).max(initial=0))

    @cached_property
    def longest_column(self) -> int:
        """Entries of an input, at most."""
        return int(np.bincount(self.inputs).max(initial=0))

    @cached_property
    def common_denominator(self) -> int:
        """The least denominator that all fractions share."""
        return math.lcm(*(int(q) for q in np.unique(self.denominators)))

    @cached_property
    def largest_number(self) -> int:
        """The largest of numerators (without sign) and denominators."""
        pairs = self.numerators, self.denominators
        return max(int(abs(numbers).max(initial=1)) for numbers in pairs)

    @cached_property
    def whole(self) -> bool:
        """Whether all weights are integers."""
        return bool((self.denominators == 1).all())

    @cached_property
    def ones(self) -> bool:
        """Whether all weights are 1."""
        return self.whole and bool((self.numerators == 1).all())

    @cached_property
    def unchanging(self) -> bool:
        """Whether this is the identity."""
        same = self.n_in == self.n_out == self.nnz and self.longest <= 1 and self.ones
        return same and np.array_equal(self.inputs, np.arange(self.nnz))

    def values(self, dtype: np.dtype[Any]) -> Array:
        """Return the weights, each rounded once; SymPy numbers for dtype object."""
        return quotients(self.numerators, self.denominators, dtype)


def quotients(numerators: Array, denominators: Array, dtype: np.dtype[Any]) -> Array:
    """Return fractions in a dtype, each rounded once; SymPy numbers for dtype object."""
    if dtype.kind == "O":
        import sympy

        exact = np.empty(len(numerators), object)
        pairs = zip(numerators.tolist(), denominators.tolist(), strict=True)
        exact[:] = [sympy.Rational(*pair) for pair in pairs]
        return exact
    if dtype.kind in "iu":
        return (numerators // denominators).astype(dtype)
    return (numerators / denominators).astype(dtype)
