"""Two layers compared at smaller shapes: the first at which they differ, if any."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import OneLine
from convmat.operator import Operator
from convmat.proof.counterexamples import Counterexample
from convmat.proof.layers.claims import prove_equal

__all__ = ["COMPARED", "FEW", "Maker", "Search", "Smallest", "search", "sizes_differ_of"]

Shape = tuple[int, ...]
Maker = Callable[[Shape], Operator]  # from the shape of an input

FEW = 40  # smaller shapes that show most differences, where many pairs are compared
COMPARED = 300  # smaller shapes at which two layers are compared, at most
OFFERED = 5000  # smaller shapes that two layers are offered, at most


@dataclass(frozen=True, repr=False)
class Smallest(OneLine):
    """The smallest input shape at which two layers differ, and how."""

    shape: Shape
    answer: Counterexample

    def to_dict(self) -> dict[str, Any]:
        """Return shape, input and output as plain data."""
        return {"shape": list(self.shape), **self.answer.counterexample}


@dataclass(frozen=True, repr=False)
class Search(OneLine):
    """What was found at smaller shapes.

    Attributes
    ----------
    smallest : Smallest or None
        The first shape, by number of values, at which the two differ in the way looked for.
    compared : int
        Smaller shapes at which the two were compared.
    others : int
        Smaller shapes at which the output sizes differ; if they do at the shape that was asked
        about, those at which they agree.
    complete : bool
        Whether these are all that come before `smallest` (or before the shape that was asked
        about) and both accept.
    exact : bool
        Whether no comparison rested on a tolerance.
    """

    smallest: Smallest | None = None
    compared: int = 0
    others: int = 0
    complete: bool = False
    exact: bool = True


def sizes_differ_of(one: Operator, other: Operator) -> bool:
    """Say whether two operators have different shapes of input or output."""
    return (one.in_shape, one.out_shape) != (other.in_shape, other.out_shape)


def search(first: Maker, second: Maker, shape: Shape, most: int, *, sizes_differ: bool) -> Search:
    """Look for the first smaller shape at which two layers differ, be it in their sizes."""
    compared = others = 0
    exact = True
    for offered, smaller in enumerate(_up_to(shape)):
        if compared == most or offered == OFFERED:
            return Search(None, compared, others, complete=False, exact=exact)
        if smaller == shape:
            continue
        try:
            one, other = first(smaller), second(smaller)
        except GeometryError:
            continue
        if sizes_differ_of(one, other) != sizes_differ:
            others += 1  # a difference of another kind, or none
            continue
        compared += 1
        answer = prove_equal(one, other)
        exact &= answer.exact
        if isinstance(answer, Counterexample):
            smallest = Smallest(smaller, answer)
            return Search(smallest, compared, others, complete=True, exact=exact)
    return Search(None, compared, others, complete=True, exact=exact)


def _up_to(shape: Shape) -> Iterator[Shape]:
    """Yield every shape that is nowhere larger than `shape`, those of fewest values first."""
    start = (1,) * len(shape)
    waiting, seen = [(1, start)], {start}
    while waiting:
        _, least = heapq.heappop(waiting)
        yield least
        for axis, most in enumerate(shape):
            grown = (*least[:axis], least[axis] + 1, *least[axis + 1 :])
            if grown[axis] <= most and grown not in seen:
                seen.add(grown)
                heapq.heappush(waiting, (math.prod(grown), grown))
