"""How far the inputs of one output lie apart, where the outputs of a stack differ by phase.

Outputs are followed to their inputs, from the last layer to the first. Whole families of outputs
are followed at once: what a family reaches is ``gain*t + x`` for a free integer t and the places
x of a set. A transposed convolution of stride b splits a family by the remainder of t, and what
remains of t afterwards is free again. Families that reach the same up to a shift that t makes up
for are one, so that their number does not grow with the number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from convmat.geometry.arguments import GeometryError
from convmat.geometry.window import Window

__all__ = ["widest_reach"]

Runs = tuple[tuple[int, int], ...]  # unbroken rows (first, last) of places, in order and apart

MOST_RUNS = 500_000  # looked at in all: a second or two


def widest_reach(windows: Sequence[Window]) -> int:
    """Return the largest extent, from first to last, of the inputs that one output reads.

    Notes
    -----
    Where every later step reads unbroken rows, the first and the last place of a set decide, and
    what lies between is forgotten. Elsewhere rows stay short lists: windows that overlap or touch
    join them.

    Raises
    ------
    GeometryError
        More rows and phases than can be followed.
    """
    gain, looked_at = 1, 0
    families: set[Runs] = {((0, 0),)}
    gaps = [number for number, window in enumerate(windows) if not _unbroken(window)]
    for number, window in reversed(list(enumerate(windows))):
        whole = number < min(gaps, default=len(windows))  # from here on the ends decide
        if whole:
            families = {((runs[0][0], runs[-1][1]),) for runs in families}
        step = gain * window.stride
        phases = window.base // math.gcd(step, window.base)
        after = step * phases // window.base
        found: set[Runs] = set()
        for runs in families:
            looked_at += phases * (1 if whole else _cost(window, runs))
            if looked_at > MOST_RUNS:
                raise GeometryError(
                    "layers", len(windows), "have too many phases to follow", "ask for fewer layers"
                )
            for phase in range(phases):
                places = _moved(runs, gain * phase)
                reached = (_ends(window, places[0]),) if whole else _reached(window, places)
                if reached:
                    first = reached[0][0]
                    found.add(_moved(reached, first % after - first))
        gain, families = after, found
    return max((runs[-1][1] - runs[0][0] + 1 for runs in families), default=0)


def _unbroken(window: Window) -> bool:
    """Say whether every place reads something, and neighbours read from no later on."""
    return bool(window.base == 1 or (window.dilation == 1 and window.kernel >= window.base))


def _cost(window: Window, runs: Runs) -> int:
    """Return how many rows are made of these."""
    each: list[int] = [last - first + 1 for first, last in runs]
    if window.stride > 1 and not _joins(window):
        taps: int = 1 if window.dilation == window.base == 1 else window.kernel
        return sum(each) * taps
    narrow = sum(1 for length in each if length < window.dilation)
    return len(each) + narrow * (int(window.kernel) - 1)


def _joins(window: Window) -> bool:
    """Say whether windows of neighbouring places overlap or touch."""
    return bool(window.base == 1 and window.dilation == 1 and window.kernel >= window.stride)


def _reached(window: Window, runs: Runs) -> Runs:
    """Return the places that a layer reads for these: whole ``(stride*x + offset)/base``."""
    stride, base = window.stride, window.base
    offsets = range(-window.pad, window.dilation * window.kernel - window.pad, window.dilation)
    if stride > 1 and not _joins(window):
        return _joined(_strided(window, runs, offsets))
    found = []
    for first, last in runs:
        if stride > 1 or last - first + 1 >= window.dilation:  # the taps leave nothing out
            found.append(_ends(window, (first, last)))
        else:
            found += [(-(-(first + tap) // base), (last + tap) // base) for tap in offsets]
    return _joined(found)


def _ends(window: Window, row: tuple[int, int]) -> tuple[int, int]:
    """Return the first and the last place that the ends of an unbroken row read."""
    reach = window.dilation * (window.kernel - 1) - window.pad
    first = -(-(window.stride * row[0] - window.pad) // window.base)
    return first, (window.stride * row[1] + reach) // window.base


def _strided(window: Window, runs: Runs, offsets: range) -> Iterable[tuple[int, int]]:
    """Yield the rows of each place by itself, where there are gaps between places."""
    for first, last in runs:
        for place in range(window.stride * first, window.stride * last + 1, window.stride):
            if window.dilation == window.base == 1:
                yield place + offsets[0], place + offsets[-1]
                continue
            for total in (place + offset for offset in offsets):
                if total % window.base == 0:
                    yield total // window.base, total // window.base


def _joined(rows: Iterable[tuple[int, int]]) -> Runs:
    """Sort rows and join those that overlap or touch; empty ones (last before first) go."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(row for row in rows if row[0] <= row[1]):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def _moved(runs: Runs, by: int) -> Runs:
    return tuple((first + by, last + by) for first, last in runs)
