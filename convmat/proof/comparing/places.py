"""Where two results differ, in words that say it exactly: a boundary, a phase, or a count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from convmat.geometry.printing import OneLine

__all__ = ["Places", "places"]

Array = np.ndarray[Any, np.dtype[Any]]

LARGEST_PERIOD = 8
LISTED = 6


@dataclass(frozen=True, repr=False)
class Places(OneLine):
    """A set of outputs, told in words.

    Attributes
    ----------
    count, total : int
        Outputs in the set, and outputs in all.
    kind : str
        ``"all"``, ``"boundary"`` (first or last positions along axes, at most half of each),
        ``"phase"`` (positions o with o mod m in a set), ``"part"`` (other positions along axes)
        or ``"scattered"`` (not a matter of positions along axes; words name the first few).
    words : str
        Exactly the set, but for ``"scattered"``.
    ends : tuple of (first, last)
        Of a boundary, for every axis: how many positions belong to it at each end.
    """

    count: int
    total: int
    kind: str
    words: str
    ends: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return f"{self.count} of {self.total} outputs: {self.words}"


def places(inside: Array) -> Places:
    """Describe a set of outputs, given as a mask of shape (C, *spatial).

    The set is described if it is a product of sets along the axes, or the complement of one.

    Examples
    --------
    >>> mask = np.zeros((1, 6), bool)
    >>> mask[:, [0, 5]] = True
    >>> print(places(mask))
    2 of 6 outputs: only the boundary, the first and last position along axis 1
    >>> mask = np.arange(12).reshape(2, 6) % 2 == 1
    >>> print(places(mask))
    6 of 12 outputs: only the phase o mod 2 == 1 along axis 1
    """
    count, total = int(inside.sum()), inside.size
    if count == total:
        return Places(count, total, "all", "all of them")
    described = _box(~inside, outside=True) or _box(inside, outside=False)
    if described is None:
        first = np.argwhere(inside)[:LISTED].tolist()
        listed = ", ".join(str(tuple(place)) for place in first)
        more = ", ..." if count > LISTED else ""
        return Places(count, total, "scattered", f"{listed}{more}")
    kind, words, ends = described
    return Places(count, total, kind, words, ends)


def _box(box: Array, *, outside: bool) -> tuple[str, str, tuple[tuple[int, int], ...]] | None:
    """Describe a set of places as a product of sets along the axes, or what lies outside it."""
    sides = [_side(box, axis) for axis in range(box.ndim)]
    if not box.any() or int(box.sum()) != int(np.prod([side.sum() for side in sides])):
        return None
    named: dict[int, tuple[str, str]] = {}
    others: dict[int, tuple[str, str]] = {}
    ends: list[tuple[int, int]] = []
    for axis, side in enumerate(sides):
        wanted = ~side if outside else side
        whole = not wanted.any() if outside else bool(wanted.all())
        ends.append((0, 0) if whole else _ends(wanted))
        if whole:
            continue
        found, other = _line(wanted), _line(~wanted)
        if found is None:
            return None
        named[axis] = found
        if other is not None:
            others[axis] = other
    kinds = {kind for kind, _ in named.values()}
    kind = kinds.pop() if len(kinds) == 1 else "part"
    if kind == "boundary" and (outside or len(named) == 1):
        return kind, f"only the boundary, {_joined(named, outside=outside)}", tuple(ends)
    if kind == "phase":
        return kind, f"only the phase {_joined(named, outside=outside)}", ()
    if outside and len(others) == len(named) and 2 * int(box.sum()) < box.size - int(box.sum()):
        return "part", f"all but {_corners(others, box.ndim)}{_joined(others, outside=False)}", ()
    corners = "" if outside else _corners(named, box.ndim)
    return "part", f"only {corners}{_joined(named, outside=outside)}", ()


def _joined(named: dict[int, tuple[str, str]], *, outside: bool) -> str:
    """Write what holds along one axis or another, or along all of several axes."""
    axes: dict[str, list[str]] = {}
    for axis, (_, words) in named.items():
        axes.setdefault(words, []).append(f"axis {axis}")
    joint = " or " if outside else " and "
    parts = [f"{words} along {joint.join(where)}" for words, where in axes.items()]
    return (", or " if outside else " and ").join(parts)


def _corners(named: dict[int, tuple[str, str]], ndim: int) -> str:
    """Return the word for places at the ends of all spatial axes, if they are several."""
    ends = [axis for axis, (_, words) in named.items() if words.startswith(("the f", "the l"))]
    return "the corners, " if ndim > 2 and ends == list(range(1, ndim)) == list(named) else ""


def _side(box: Array, axis: int) -> Array:
    """Return which positions along an axis hold any place of a set."""
    return np.asarray(np.moveaxis(box, axis, 0).reshape(box.shape[axis], -1).any(1))


def _line(wanted: Array) -> tuple[str, str] | None:
    """Return kind and words of a set of positions along one axis; None if there are none."""
    size, at = len(wanted), np.flatnonzero(wanted)
    first, last = _ends(wanted)
    if first + last == len(at):
        kind = "boundary" if 2 * len(at) <= size else "part"
        return kind, f"the {_at_ends(first, last)}"
    period, residues = _phase(wanted)
    if period:
        one = len(residues) == 1
        words = f"== {residues[0]}" if one else f"in {{{', '.join(map(str, residues))}}}"
        return "phase", f"o mod {period} {words}"
    if len(at) > 1 and len(at) == at[-1] - at[0] + 1:
        return "part", f"positions {at[0]} to {at[-1]}"
    if len(at) <= LISTED:
        return "part", f"position{'s' * (len(at) > 1)} {', '.join(map(str, at))}"
    return None


def _at_ends(first: int, last: int) -> str:
    """Name the first and last positions of an axis.

    Examples
    --------
    >>> _at_ends(1, 1), _at_ends(2, 0), _at_ends(2, 1)
    ('first and last position', 'first 2 positions', 'first 2 positions and the last position')
    """
    ends = [
        f"{word} position" if n == 1 else f"{word} {n} positions"
        for word, n in (("first", first), ("last", last))
        if n
    ]
    if first == last:
        noun = "position" if first == 1 else "positions"
        return f"{ends[0].removesuffix(f' {noun}')} and {ends[1]}"
    return " and the ".join(ends)


def _phase(wanted: Array) -> tuple[int, list[int]]:
    """Return the shortest period of a set that comes at least twice, and its residues; or 0."""
    for period in range(2, min(LARGEST_PERIOD, len(wanted) // 2) + 1):
        if np.array_equal(np.resize(wanted[:period], len(wanted)), wanted):
            return period, np.flatnonzero(wanted[:period]).tolist()
    return 0, []


def _ends(wanted: Array) -> tuple[int, int]:
    """Return how many positions at the start and at the end of an axis are in a proper subset."""
    missing = np.flatnonzero(~wanted)
    return int(missing[0]), int(len(wanted) - 1 - missing[-1])
