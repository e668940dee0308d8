"""Two layers compared: equal for all inputs, with the proof; or different, and where.

A layer is a linear map, so it is equal to another for all inputs if their matrices are equal.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convmat._check import GeometryError, as_integer
from convmat._layer_text import LAYERS, Expression, layer_help, read_layers
from convmat._places import Places, places
from convmat.operator import Operator
from convmat.proof import Counterexample, Proof, prove_equal
from convmat.proof._compare import Difference
from convmat.proof._compare import compare as compare_entries

__all__ = [
    "LAYERS",
    "Comparison",
    "Expression",
    "Maker",
    "Places",
    "Smallest",
    "compare",
    "compare_makers",
    "compare_operators",
    "layer_help",
    "read_layers",
]

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
Maker = Callable[[Shape], Operator]  # from the shape of an input

COMPARED = 300  # smaller shapes at which two layers are compared, at most
OFFERED = 5000  # smaller shapes that two layers are offered, at most
ROWS = 1 << 26  # of a matrix that is compared: more would take minutes, and show nothing new


@dataclass(frozen=True)
class Smallest:
    """The smallest input shape at which two layers differ, and how."""

    shape: Shape
    answer: Counterexample


@dataclass(frozen=True)
class Comparison:
    """What a comparison of two layers found.

    Attributes
    ----------
    names : (str, str)
    shape : tuple of int
        The input shape that was asked about.
    out_shapes : tuple of two shapes
    answer : Proof or Counterexample
        At that shape.
    places : Places or None
        Which outputs differ at that shape; None if none does or the sizes differ.
    smallest : Smallest or None
        The first input shape, by number of values, at which the two differ.
    compared : int
        Smaller shapes at which the two were compared.
    complete : bool
        Whether these are all that come before `smallest` (or before `shape`) and both accept.
    """

    names: tuple[str, str]
    shape: Shape
    out_shapes: tuple[Shape, Shape]
    answer: Proof | Counterexample
    places: Places | None
    smallest: Smallest | None
    compared: int
    complete: bool

    @property
    def holds(self) -> bool:
        """Whether the two are equal for all inputs of `shape`."""
        return self.answer.holds

    @property
    def verdict(self) -> str:
        """The result in one line."""
        if self.holds:
            return f"equal, for all inputs of shape {self.shape}"
        if self.places is None:
            return f"different: sizes {self.out_shapes[0]} and {self.out_shapes[1]}"
        return "different"

    @property
    def evidence(self) -> tuple[str, ...]:
        """Proof or counterexample, and how far it goes, one sentence each."""
        lines = []
        if isinstance(self.answer, Proof):
            lines.append(f"Proved: {self.answer.claim}. Grade: {'; '.join(self.answer.grades)}.")
        if self.smallest is not None:
            lines.append(self._smallest(self.smallest))
        elif self.compared:
            which = "all" if self.complete else "the first"
            lines.append(f"Equal as well at {which} {self.compared} smaller shapes compared.")
        if self.places is not None:
            lines.append(f"At shape {self.shape} they differ at {self.places}.")
        return tuple(lines)

    def _smallest(self, found: Smallest) -> str:
        answer = found.answer
        most = "Smallest counterexample" if self.complete else "Counterexample"
        but = "But not at every smaller shape. " if self.holds else ""
        if answer.column is None:
            return f"{but}{most}: at shape {found.shape}, {answer.reason}."
        return (
            f"{but}{most}: at shape {found.shape}, for the input that is 1 at {answer.column} and "
            f"0 elsewhere, output {answer.row} is {_plain(answer.first)} by A and "
            f"{_plain(answer.second)} by B."
        )

    def __str__(self) -> str:
        lines = [self.verdict]
        lines += [
            f"  {letter} = {name}: {self.shape} -> {out_shape}"
            for letter, name, out_shape in zip("AB", self.names, self.out_shapes, strict=True)
        ]
        lines += self.evidence
        if self.holds:
            lines.append("Layers are linear maps: with equal matrices they are equal everywhere.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain numbers, strings and lists."""
        data: dict[str, Any] = {
            "equal": self.holds,
            "verdict": self.verdict,
            "layers": list(self.names),
            "shape": list(self.shape),
            "out_shapes": [list(shape) for shape in self.out_shapes],
            "claim": self.answer.claim,
            "grades": list(self.answer.grades) if isinstance(self.answer, Proof) else [],
            "smallest": None,
            "places": None,
            "compared": self.compared,
            "complete": self.complete,
        }
        if self.smallest is not None:
            answer = self.smallest.answer
            data["smallest"] = {
                "shape": list(self.smallest.shape),
                "input": None if answer.column is None else list(answer.column),
                "output": None if answer.row is None else list(answer.row),
                "values": [_number(value) for value in (answer.first, answer.second)],
            }
        if self.places is not None:
            found = self.places
            data["places"] = {"differ": found.count, "of": found.total, "kind": found.kind}
            data["places"]["words"] = found.words
        return data


def compare(first: str, second: str, shape: Sequence[int], most: int = COMPARED) -> Comparison:
    """Compare two layers written as text, on inputs of `shape`.

    Parameters
    ----------
    first, second : str
        ``name:word,key=value,...``, such as ``"upsample:nearest,scale=2"``, ``A @ B`` (B first) and
        ``1/4 * A``; ``convmat compare --help`` lists names and options.
    shape : sequence of int
        (C, *spatial)
    most : int
        Smaller shapes at which the two are compared, at most.

    Returns
    -------
    Comparison

    Raises
    ------
    GeometryError
        Text that cannot be read, or a layer that does not take this shape.

    Notes
    -----
    Builds both matrices at `shape`, and at smaller shapes, fewest values first, until one tells
    the two apart.

    Examples
    --------
    >>> halves = "conv:ones,kernel=2,stride=2"
    >>> compare(halves, "2 * conv:box,kernel=2,stride=2", (1, 4)).verdict
    'equal, for all inputs of shape (1, 4)'
    >>> print(compare(halves, "conv:identity,kernel=2,stride=2", (1, 4)))
    different
      A = conv:ones,kernel=2,stride=2: (1, 4) -> (1, 2)
      B = conv:identity,kernel=2,stride=2: (1, 4) -> (1, 2)
    Smallest counterexample: at shape (1, 2), for the input that is 1 at (0, 1) and 0 elsewhere,
    output (0, 0) is 1 by A and 0 by B.
    At shape (1, 4) they differ at 2 of 2 outputs: all of them.
    """
    return compare_makers(read_layers(first), read_layers(second), shape, (first, second), most)


def compare_makers(
    first: Maker,
    second: Maker,
    shape: Sequence[int],
    names: tuple[str, str],
    most: int = COMPARED,
) -> Comparison:
    """Compare two functions that make an operator for inputs of a shape; see `compare`.

    Parameters
    ----------
    first, second : callable
        From (C, *spatial) to an operator; a GeometryError says that a shape is not taken.
    shape : sequence of int
    names : (str, str)
    most : int
    """
    given = tuple(as_integer("shape", size, 1) for size in shape)
    A, B = first(given), second(given)
    if max(*A.shape, *B.shape) > ROWS:
        raise GeometryError(
            "shape",
            given,
            f"makes a matrix of {A.shape[0]} rows and {A.shape[1]} columns, more than {ROWS}",
            "use smaller sizes: what tells layers apart shows there",
        )
    sizes_differ = (A.in_shape, A.out_shape) != (B.in_shape, B.out_shape)
    search = _search(first, second, given, most, sizes_differ=sizes_differ)
    return _found(A, B, given, names, *search)


def compare_operators(A: Operator, B: Operator, names: tuple[str, str]) -> Comparison:
    """Compare two operators, at the one shape that they take."""
    return _found(A, B, A.in_shape, names, None, 0, complete=False)


def _found(
    A: Operator,
    B: Operator,
    shape: Shape,
    names: tuple[str, str],
    smallest: Smallest | None,
    compared: int,
    complete: bool,
) -> Comparison:
    answer, differing = prove_equal(A, B), None
    if isinstance(answer, Counterexample):
        smallest = smallest or Smallest(shape, answer)
        if answer.column is not None:
            differing = places(differing_outputs(A, B))
    outputs = (A.out_shape, B.out_shape)
    return Comparison(names, shape, outputs, answer, differing, smallest, compared, complete)


def differing_outputs(A: Operator, B: Operator) -> Array:
    """Return a mask of `out_shape`: the outputs that differ for some input.

    Examples
    --------
    >>> A, B = (read_layers(f"conv:ones,kernel=3,padding={p}")((1, 4)) for p in ("same", "1"))
    >>> differing_outputs(A, B), differing_outputs(A, 2 * B)
    (array([[False, False, False, False]]), array([[ True,  True,  True,  True]]))
    """
    mask = np.zeros(math.prod(A.out_shape), bool)
    found = compare_entries(A, B)
    if isinstance(found, Difference):
        mask[found.rows] = True
    return mask.reshape(A.out_shape)


def _search(
    first: Maker, second: Maker, shape: Shape, most: int, *, sizes_differ: bool
) -> tuple[Smallest | None, int, bool]:
    """Return the first smaller shape at which two layers differ, shapes compared, and if all."""
    compared = 0
    for offered, smaller in enumerate(_up_to(shape)):
        if compared == most or offered == OFFERED:
            return None, compared, False
        if smaller == shape:
            continue
        try:
            A, B = first(smaller), second(smaller)
        except GeometryError:
            continue
        if ((A.in_shape, A.out_shape) != (B.in_shape, B.out_shape)) != sizes_differ:
            continue  # a difference of another kind
        compared += 1
        answer = prove_equal(A, B)
        if isinstance(answer, Counterexample):
            return Smallest(smaller, answer), compared, True
    return None, compared, True


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


def _plain(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, (int, float)) else str(value)


def _number(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float)) else str(value)
