"""What a comparison of two matrices finds, and the rung of the ladder that it stands on."""

from __future__ import annotations

import hashlib
from decimal import ROUND_UP, Context
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.printing import one_line

__all__ = [
    "EXPRESSIONS",
    "FLOATS",
    "FRACTIONS",
    "LEAST",
    "Agreement",
    "Difference",
    "Fingerprint",
    "at_most",
]

Array = np.ndarray[Any, np.dtype[Any]]

FRACTIONS, EXPRESSIONS, FLOATS = "fractions", "expressions", "floats"
LEAST = 5e-324  # what a number that is smaller, and not 0, counts as


class Agreement(NamedTuple):
    """Two matrices that no entry tells apart, be it up to rounding.

    Attributes
    ----------
    rung : str
        What was compared: ``"fractions"``, ``"expressions"`` or ``"floats"``.
    entries : int
        Nonzeros of the first.
    roundings : (int, int)
        Behind an entry of the first and of the second, at most.
    deviation : float
        The largest difference of two entries.
    tolerance : float
        The largest difference that rounding can explain; 0 if the matrices are exactly equal.
    fingerprint : str
        Of the entries of both: other matrices have another.
    """

    rung: str
    entries: int
    roundings: tuple[int, int]
    deviation: float
    tolerance: float
    fingerprint: str


class Fingerprint:
    """A digest of entries that are given in parts, the same however they are parted."""

    def __init__(self, streams: int) -> None:
        self._streams = [hashlib.sha256() for _ in range(streams)]

    def add(self, *parts: Any) -> None:
        """Append to every stream an array of numbers, or text."""
        for stream, part in zip(self._streams, parts, strict=True):
            stream.update(part.encode() if isinstance(part, str) else _bytes(part))

    @property
    def text(self) -> str:
        """The digest of all streams, 32 hexadecimal digits."""
        whole = b"".join(stream.digest() for stream in self._streams)
        return hashlib.sha256(whole).hexdigest()[:32]


def _bytes(numbers: Array) -> bytes:
    """Return numbers as bytes, in one form on all machines and for all missing numbers."""
    whole = numbers.dtype.kind in "iub"
    wide = numbers.astype("<i8" if whole else "<c16" if numbers.dtype.kind == "c" else "<f8")
    if not whole:
        wide[np.isnan(wide)] = np.nan
        wide += 0.0  # the negative zeros of complex numbers
    return wide.tobytes()


class Difference(NamedTuple):
    """The first entry (in C order) that differs, and the rows that do, ascending."""

    rung: str
    row: int
    column: int
    first: Any
    second: Any
    rows: Array

    def __repr__(self) -> str:
        return one_line(self)

    def mask(self, shape: tuple[int, ...]) -> Array:
        """Return which outputs differ, as an array of their shape."""
        differs = np.zeros(shape, bool)
        differs.reshape(-1)[self.rows] = True
        return differs


def at_most(number: float) -> str:
    """Write a bound with three digits, none of them too low.

    Examples
    --------
    >>> at_most(2.0**-52), at_most(0.5)
    ('2.23e-16', '0.5')
    """
    return f"{float(Context(prec=3, rounding=ROUND_UP).create_decimal_from_float(number)):.3g}"
