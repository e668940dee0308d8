"""Whether any layer meets conditions: a finite search that is enough, and its reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

__all__ = ["Bounds", "find"]


class Bounds(NamedTuple):
    """What the search needs of the conditions.

    Attributes
    ----------
    transposed, equal, pool : bool
        The kind of layer; whether one free number pads both ends.
    given : dict of symbol name to int
        Parameters that are determined.
    sizes : (int, int)
        Input and output size wanted, (0, 0) if the wish is for all sizes.
    total : function of (s, span)
        The least p0 + p1 (of a transposed convolution: p0 + p1 - a itself).
    first : function of (s, span)
        The least p0.
    holds : function of a dict of all symbols
    """

    transposed: bool
    equal: bool
    pool: bool
    given: Mapping[str, int]
    sizes: tuple[int, int]
    total: Callable[[int, int], int]
    first: Callable[[int, int], int]
    holds: Callable[[Mapping[str, int]], bool]


def find(bounds: Bounds) -> dict[str, int] | None:
    """Return one solution, None if there is none at all.

    Notes
    -----
    Complete, by these arguments. The conditions depend on d(k-1) and the paddings only through
    differences, apart from lower bounds: adding 2*s*x to d(k-1) and s*x to each padding (2*s*x
    to their sum) leaves a solution one, parities and divisibility of k by s included. So where
    the padding is free it is enough to look at spans just above the sum of all given numbers,
    one period of 2*s, and, for the bounds of ceil mode, at small ones. Where the padding is
    given, the span is bounded by it and the sizes. Given stride and span, the smallest sum of
    paddings that the conditions allow, or the next (of the other parity), is a solution if any
    is, with the smallest low padding that this sum allows.
    """
    given = bounds.given
    window = given.get("k", 1) * given.get("d", 1)
    most = sum(bounds.sizes) + sum(given.values()) + window + 3
    for s in [given["s"]] if "s" in given else _strides(bounds, most):
        for d, k in _windows(bounds, s, most):
            for p0, p1, a in _ends(bounds, s, d * (k - 1)):
                values = {"k": k, "s": s, "d": d, "p0": p0, "p1": p1, "p": p0, "a": a}
                agrees = all(values[name] == value for name, value in given.items())
                if a >= 0 and agrees and bounds.holds(values):
                    return values
    return None


def _strides(bounds: Bounds, most: int) -> Iterator[int]:
    """Yield enough strides, likely ones first.

    With a given padding, s*(m - 1) cannot exceed n + p0 + p1, n being the line that is strided
    over and m the number of windows; in ceil mode s*(m - 2) cannot.
    """
    given = bounds.given
    n, m = bounds.sizes[::-1] if bounds.transposed else bounds.sizes
    total = given["p0"] + given["p1"] if "p0" in given else None
    if bounds.pool and "k" in given and "d" in given:
        total = given["d"] * (given["k"] - 1) + 1  # as much as half a window at each end
    certain = m - (2 if bounds.pool else 1)
    last = most if total is None or certain < 1 else min(most, (n + total) // certain + 2)
    ratio = n // m if m else 1
    likely = range(max(1, ratio), min(last, ratio + 3))
    yield from likely
    yield from (s for s in range(1, last) if s not in likely)


def _windows(bounds: Bounds, s: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield enough dilations and kernels for one stride."""
    given, extra = bounds.given, bounds.given.get("a", 0)
    enough = most + 2 * s
    wide = range(extra + 1, extra + s + 2)  # dilations that allow the output padding
    if "d" in given and "k" in given:
        yield given["d"], given["k"]
    elif "k" in given:
        step = given["k"] - 1
        for d in chain(_steps(bounds, step, s, enough), wide):
            yield d, given["k"]
    else:
        for d in [given["d"]] if "d" in given else chain([1], wide):
            for k in _steps(bounds, d, s, enough):
                yield d, k


def _steps(bounds: Bounds, step: int, s: int, enough: int) -> Iterator[int]:
    """Yield 1, 2, ... for a multiple of `step` that may be as large as `enough`."""
    last = enough // max(step, 1) + 2
    if "p0" in bounds.given:
        yield from range(1, last + 2)
    else:
        small = min(4 * s + 8, last)
        yield from range(1, small)
        yield from range(small, small + 1) if step == 0 else range(last, last + 2 * s + 2)


def _ends(bounds: Bounds, s: int, span: int) -> Iterator[tuple[int, int, int]]:
    """Yield the paddings and output padding that decide for one stride and window."""
    given = bounds.given
    least = bounds.total(s, span)
    if bounds.transposed:
        if "p0" in given:
            yield given["p0"], given["p1"], given["p0"] + given["p1"] - least
            return
        start = given.get("a", max(0, -least))
        for a in (start, start + 1):
            if least + a >= 0 and not (bounds.equal and (least + a) % 2):
                yield (least + a) // 2, (least + a + 1) // 2, a
        return
    if "p0" in given:
        yield given["p0"], given["p1"], 0
        return
    first = max(0, bounds.first(s, span))
    start = max(0, least, 2 * first if bounds.equal else first)
    for total in (start, start + 1):
        if bounds.equal:
            if total % 2 == 0:
                yield total // 2, total // 2, 0
        else:
            low = max(first, total - (span + 1) // 2) if bounds.pool else first
            yield low, total - low, 0
