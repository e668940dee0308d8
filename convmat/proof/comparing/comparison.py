"""Two layers compared: equal for all inputs, with the proof; or different, and where.

A layer is a linear map, so it is equal to another for all inputs if their matrices are equal,
which `convmat.prove_equal` decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from convmat.certificates.truth import Answer
from convmat.certificates.writing import write_json
from convmat.geometry.arguments import GeometryError, as_integer
from convmat.geometry.printing import OneLine
from convmat.layers import Padding, pad
from convmat.layers.text import LAYERS, Expression, layer_help, read_layers
from convmat.operator import Operator
from convmat.proof.comparing.places import Places, places
from convmat.proof.comparing.smaller_shapes import (
    COMPARED,
    FEW,
    Maker,
    Search,
    Smallest,
    search,
    sizes_differ_of,
)
from convmat.proof.comparing.words import in_words, plain_number, plain_pair
from convmat.proof.counterexamples import Counterexample
from convmat.proof.layers.claims import prove_equal, settle
from convmat.proof.matrices.equality import EqualNumbers
from convmat.proof.proofs import Proof
from convmat.proof.steps import ALL_SIZES, THESE_NUMBERS, THIS_GEOMETRY

__all__ = [
    "FEW",
    "LAYERS",
    "Comparison",
    "Expression",
    "Inner",
    "Maker",
    "Places",
    "Smallest",
    "compare",
    "compare_makers",
    "compare_operators",
    "layer_help",
    "read_layers",
]

Shape = tuple[int, ...]

ROWS = 1 << 26  # of a matrix that is compared: more would take minutes, and show nothing new


# What each grade of a proof says of where the claim holds.
REACH = {
    ALL_SIZES: "for every size and all weights",
    THIS_GEOMETRY: "for these sizes, whatever the weights",
    THESE_NUMBERS: "for these sizes and numbers alone",
}


AWAY = "the outputs along the boundary are left out"


@dataclass(frozen=True, repr=False)
class Inner(OneLine):
    """Two layers whose outputs are cropped by the boundary where they differ, and are equal so."""

    crop: Padding
    answer: Proof


@dataclass(frozen=True, repr=False)
class Comparison(Answer):
    """What a comparison of two layers found.

    Attributes
    ----------
    names : (str, str)
    shape : tuple of int
        The input shape that was asked about.
    out_shapes : tuple of two shapes
    answer : Proof or Counterexample
        What was found at that shape.
    places : Places or None
        Which outputs differ at that shape; None if none does or the sizes differ.
    search : Search
        What was found at smaller shapes.
    inner : Inner or None
        What holds without the boundary, where the difference is confined to that.
    """

    names: tuple[str, str]
    shape: Shape
    out_shapes: tuple[Shape, Shape]
    answer: Proof | Counterexample
    places: Places | None
    search: Search
    inner: Inner | None = None

    @property
    def claim(self) -> str:
        """What was proved or refuted."""
        return self.answer.claim

    @property
    def exact(self) -> bool:
        """False if nothing larger than rounding was found, and numbers may have been rounded."""
        return self.answer.exact

    @property
    def deviation(self) -> float:
        """The largest difference of two entries that was taken for rounding."""
        evidence = self.answer.evidence if isinstance(self.answer, Proof) else None
        return evidence.deviation if isinstance(evidence, EqualNumbers) else 0.0

    @property
    def holds(self) -> bool:
        """Whether the two are equal for all inputs of `shape`, be it up to rounding."""
        return self.answer.holds

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """Where the two are equal although they differ; empty if they are equal or nowhere."""
        return () if self.inner is None else (AWAY,)

    @property
    def counterexample(self) -> dict[str, Any] | None:
        """The smallest shape at which the two differ, and how; None if they are equal."""
        smallest = None if self.holds else self.smallest
        return None if smallest is None else smallest.to_dict()

    @property
    def smallest(self) -> Smallest | None:
        """The first input shape, by number of values, at which the two differ."""
        if self.search.smallest is None and isinstance(self.answer, Counterexample):
            return Smallest(self.shape, self.answer)
        return self.search.smallest

    @property
    def compared(self) -> int:
        """Smaller shapes at which the two were compared."""
        return self.search.compared

    @property
    def complete(self) -> bool:
        """Whether these are all that come before `smallest`, or before `shape`."""
        return self.search.complete

    @property
    def verdict(self) -> str:
        """The result in one line."""
        if self.holds:
            close = "" if self.exact else " up to rounding"
            return f"equal{close}, for all inputs of shape {self.shape}"
        if self.places is None:
            return f"different: sizes {self.out_shapes[0]} and {self.out_shapes[1]}"
        return "different"

    @property
    def evidence(self) -> tuple[str, ...]:
        """Proof or counterexample, and how far it goes, one sentence each."""
        lines = []
        if isinstance(self.answer, Proof):
            lines.append(self._proved(self.answer))
        if self.smallest is not None:
            lines.append(self._smallest(self.smallest))
        elif self.compared or self.complete:
            lines.append(self._smaller())
        if self.search.others:
            lines.append(self._other_sizes())
        if self.places is not None:
            lines.append(f"At shape {self.shape} they differ at {self.places}.")
        if self.inner is not None:
            lines.append(self._inside(self.inner.answer))
        return tuple(lines)

    def _smaller(self) -> str:
        """Say at which smaller shapes the two were found equal."""
        count, total = self.compared, math.prod(self.shape) - 1
        if total == 0:
            return "There is no smaller shape."
        if count == 0:
            if self.search.others:
                return "At no smaller shape are the output sizes equal: this is about one shape."
            return "Nothing is known beyond this shape: there is no smaller one that both take."
        close = "" if self.search.exact else " up to rounding"
        shapes = "shape" if count == 1 else "shapes"
        if count == total:
            which = "all" if count > 1 else "the"
            return f"Equal{close} as well at {which} {count} smaller {shapes}."
        size = ", with outputs of one size" * bool(self.search.others)
        if self.complete:
            return (
                f"Equal{close} as well at the {count} of {total} smaller shapes that both "
                f"take{size}."
            )
        return (
            f"Equal{close} as well at {count} of {total} smaller shapes, the smallest that both "
            f"take{size}; the others were not compared."
        )

    def _inside(self, found: Proof) -> str:
        """Say what was proved of the two without the boundary."""
        close = "" if found.exact else " up to rounding"
        return f"Without that boundary they are equal{close}. Proved: {found.headline}."

    def _proved(self, proof: Proof) -> str:
        grades = f"Grade: {'; '.join(f'{grade} ({REACH[grade]})' for grade in proof.grades)}."
        evidence = proof.evidence
        how = f" Compared as {evidence.rung}." if isinstance(evidence, EqualNumbers) else ""
        if self.exact:
            return f"Proved: {proof.headline}. {grades}{how}"
        return (
            f"Not proved exactly: {proof.headline}, as numbers in them may be rounded. The largest "
            f"difference of two entries is {self.deviation:.3g}. {grades}{how}"
        )

    def _other_sizes(self) -> str:
        count = self.search.others
        shapes = "shape" if count == 1 else "shapes"
        if self.out_shapes[0] == self.out_shapes[1]:
            return (
                f"At {count} other smaller {shapes} the output sizes differ: they are different "
                "layers, which agree in size at some shapes alone."
            )
        return f"At {count} smaller {shapes} the output sizes agree."

    def _smallest(self, found: Smallest) -> str:
        answer = found.answer
        most = "Smallest counterexample" if self.complete else "Counterexample"
        but = "But not at every smaller shape. " if self.holds else ""
        if answer.column is None:
            return f"{but}{most}: at shape {found.shape}, {answer.reason}."
        first, second = plain_pair(answer.first, answer.second)
        return (
            f"{but}{most}: at shape {found.shape}, for the input that is 1 at {answer.column} and "
            f"0 elsewhere, output {answer.row} is {first} by A and {second} by B."
        )

    def _in_short(self) -> str:
        return f"Comparison of {' and '.join(self.names)}: {self.verdict}"

    @property
    def summary(self) -> str:
        """The verdict, the layers, and the evidence."""
        lines = [self.verdict, f"  inputs: {in_words(self.shape)}"]
        lines += [
            f"  {letter} = {name}: {self.shape} -> {out_shape}"
            for letter, name, out_shape in zip("AB", self.names, self.out_shapes, strict=True)
        ]
        lines += self.evidence
        if self.holds and self.exact:
            lines.append("Layers are linear maps: with equal matrices they are equal everywhere.")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain numbers, strings and lists."""
        data: dict[str, Any] = self.head | {
            "equal": self.holds,
            "exact": self.exact,
            "deviation": self.deviation,
            "verdict": self.verdict,
            "layers": list(self.names),
            "shape": list(self.shape),
            "out_shapes": [list(shape) for shape in self.out_shapes],
            "claim": self.claim,
            "grades": list(self.answer.grades) if isinstance(self.answer, Proof) else [],
            "smallest": None,
            "places": None,
            "compared": self.compared,
            "other_shapes": self.search.others,
            "complete": self.complete,
        }
        if self.smallest is not None:
            answer = self.smallest.answer
            data["smallest"] = {
                "shape": list(self.smallest.shape),
                "input": None if answer.column is None else list(answer.column),
                "output": None if answer.row is None else list(answer.row),
                "values": [plain_number(value) for value in (answer.first, answer.second)],
            }
        if self.places is not None:
            found = self.places
            data["places"] = {"differ": found.count, "of": found.total, "kind": found.kind}
            data["places"]["words"] = found.words
        return data

    def to_json(self) -> str:
        """Return the result as text."""
        return write_json(self.to_dict())


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
    the two apart. Whether matrices are equal is decided as by `prove_equal`: as fractions up to
    2**16 entries, where 1/3 is a third. A float that stands for a third is equal to it up to
    rounding, and so are larger matrices, in floats, where numbers had to be rounded.

    Examples
    --------
    >>> halves = "conv:ones,kernel=2,stride=2"
    >>> compare(halves, "2 * conv:box,kernel=2,stride=2", (1, 4)).verdict
    'equal, for all inputs of shape (1, 4)'
    >>> print(compare(halves, "conv:identity,kernel=2,stride=2", (1, 4)))
    different
      inputs: 1 channel of 4
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
    smaller = search(first, second, given, most, sizes_differ=sizes_differ_of(A, B))
    return _found(A, B, given, names, smaller)


def compare_operators(A: Operator, B: Operator, names: tuple[str, str]) -> Comparison:
    """Compare two operators, at the one shape that they take."""
    return _found(A, B, A.in_shape, names, Search())


def _found(
    A: Operator, B: Operator, shape: Shape, names: tuple[str, str], smaller: Search
) -> Comparison:
    answer, difference = settle(A, B)
    differing = None if difference is None else places(difference.mask(A.out_shape))
    inner = None if differing is None else _inner(A, B, differing)
    out_shapes = (A.out_shape, B.out_shape)
    return Comparison(names, shape, out_shapes, answer, differing, smaller, inner)


def _inner(A: Operator, B: Operator, differing: Places) -> Inner | None:
    """Compare two operators without the boundary where they differ, if they differ there alone."""
    if differing.kind != "boundary" or any(differing.ends[0]):
        return None
    crop = pad(A.out_shape, [(-low, -high) for low, high in differing.ends[1:]])
    answer = prove_equal(crop @ A, crop @ B)
    return Inner(crop, answer) if isinstance(answer, Proof) else None
