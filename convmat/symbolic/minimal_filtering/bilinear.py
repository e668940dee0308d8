"""Bilinear algorithms along axes, and the proof that one computes a convolution.

The proof is a list of identities between rational numbers, one for each output, tap and input,
and `check_bilinear` goes through them with nothing but fractions and the record of the layer.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from convmat.certificates.checker import Refused
from convmat.certificates.statements import fields, malformed
from convmat.certificates.truth import Answer
from convmat.certificates.writing import write_json
from convmat.geometry.printing import OneLine
from convmat.geometry.window import Geometry, Window

__all__ = ["BilinearProof", "Factor", "Identity", "check_bilinear", "derive", "layer", "transposed"]

Rows = tuple[tuple[Fraction, ...], ...]

# How claims call the fields of a record that sizes leave open.
WORDS = {"stride": "stride", "base": "base", "dilation": "dilation", "padding": "pad"}

# Of matrix entries, for all coefficients: the algorithm of 20 outputs and 20 taps takes 600 000. A
# hostile file takes a second.
MOST_PRODUCTS = 5_000_000

NUMBER = re.compile(r"-?[0-9]{1,400}(/[0-9]{1,400})?")


@dataclass(frozen=True, slots=True, repr=False)
class Factor(OneLine):
    """A bilinear algorithm along one axis: ``y = output [(filter g) * (data d)]``.

    Attributes
    ----------
    window : Window
        Which output meets which input through which tap.
    flipped : bool
        Whether g is read with its taps reversed, as by `Geometry`.
    output, filter, data : rows of fractions
        Matrices of (outputs, products), (products, taps) and (products, inputs).
    """

    window: Window
    flipped: bool
    output: Rows
    filter: Rows
    data: Rows

    def row_sums(self) -> tuple[Fraction, ...]:
        """Return, for each output, the sum of absolute values of all its terms g_k d_i.

        This bounds |y| / (max |g| max |d|) of every intermediate sum, and scales the error.
        """
        weights = [_size(g) * _size(d) for g, d in zip(self.filter, self.data, strict=True)]
        return tuple(
            sum((abs(a) * w for a, w in zip(row, weights, strict=True)), Fraction())
            for row in self.output
        )

    def roundings(self) -> int:
        """Return how often, at most, a term is rounded on its way through the three transforms.

        A sum of t terms rounds t - 1 times, its products once, and their coefficients once.
        """
        pairs = zip(self.filter, self.data, strict=True)
        before = [_nonzeros(g) + _nonzeros(d) + 2 for g, d in pairs]
        return max(
            _nonzeros(row) + 1 + steps
            for row in self.output
            for a, steps in zip(row, before, strict=True)
            if a
        )


def layer(factors: tuple[Factor, ...]) -> Geometry:
    """Return the layer of one channel whose axes are these."""
    windows = tuple(factor.window for factor in factors)
    return Geometry(windows, in_channels=1, out_channels=1, flipped=factors[0].flipped)


def transposed(rows: Rows) -> Rows:
    """Return the transposed matrix."""
    return tuple(zip(*rows, strict=True))


@dataclass(frozen=True, slots=True, repr=False)
class Identity(OneLine):
    """``sum of terms = total``: the coefficient of g[tap] d[input] in y[output] along one axis.

    The terms are the products ``output[o, a] * filter[a, tap] * data[a, i]`` that are not zero,
    in the order of a.
    """

    axis: int
    output: int
    tap: int
    input: int
    terms: tuple[Fraction, ...]
    total: int

    def __str__(self) -> str:
        terms = " + ".join(f"({t})" if t < 0 else str(t) for t in self.terms) or "0"
        return (
            f"axis {self.axis}: the coefficient of g[{self.tap}] d[{self.input}] in "
            f"y[{self.output}] is {terms} = {self.total}"
        )


@dataclass(frozen=True, slots=True, repr=False)
class BilinearProof(Answer):
    """Proof that matrices compute a layer, for all data and filters.

    Attributes
    ----------
    factors : tuple of Factor
        The algorithm, axis by axis.
    identities : tuple of Identity
        What is to be checked: every coefficient along every axis.

    Notes
    -----
    In several dimensions the matrices are Kronecker products, and so is the map: the coefficient
    of ``g[k1, k2] d[i1, i2]`` in ``y[o1, o2]`` is the product of those along the axes.
    """

    factors: tuple[Factor, ...]
    identities: tuple[Identity, ...]

    @property
    def geometry(self) -> Geometry:
        """The layer of one channel that is computed."""
        return layer(self.factors)

    @property
    def claim(self) -> str:
        """What is proved, with every number of the record, and which matrices it is about."""
        columns = [
            f"{word} {tuple(int(getattr(f.window, name)) for f in self.factors)}"
            for word, name in WORDS.items()
        ]
        flipped = tuple(factor.flipped for factor in self.factors)
        products = tuple(len(factor.data) for factor in self.factors)
        return (
            f"{self.sizes}, {', '.join(columns)}, taps reversed {flipped}, for all d and g, by "
            f"{products} products with the matrices of fingerprint {self.fingerprint}"
        )

    @property
    def sizes(self) -> str:
        """The claim as far as it is about sizes."""
        return (
            f"y = AT [(G g) * (BT d)] is the layer {self.geometry.in_shape[1:]} -> "
            f"{self.geometry.out_shape[1:]} with kernel {self.geometry.kernel}"
        )

    @property
    def fingerprint(self) -> str:
        """The beginning of the SHA-256 of all matrices, as they are written."""
        rows = [[_write(getattr(factor, name)) for name in MATRICES] for factor in self.factors]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]

    @property
    def grade(self) -> str:
        """How far the proof reaches."""
        return "this geometry, all weights"

    @property
    def steps(self) -> tuple[str, ...]:
        """The identities, one a line."""
        return tuple(str(identity) for identity in self.identities)

    @property
    def holds(self) -> bool:
        """Whether every step follows; each is checked again."""
        try:
            self.check()
        except Refused:
            return False
        return True

    def check(self) -> None:
        """Follow every step, or raise `Refused`."""
        check_bilinear(self)

    @property
    def summary(self) -> str:
        """The claim, its grade, and whether every step follows."""
        return f"{'proved' if self.holds else 'refused'}: {self.claim} ({self.grade})"

    def _in_short(self) -> str:
        return f"BilinearProof of grade {self.grade!r}: {self.claim}"

    def explain(self) -> str:
        """Return the summary, and every identity."""
        return "\n".join((self.summary, *self.steps))

    def to_json(self) -> str:
        """Return the proof as text; `from_json` reads it, and `check` must follow."""
        factors = [
            {
                "window": list(map(int, factor.window)),
                "flipped": factor.flipped,
                **{name: _write(getattr(factor, name)) for name in MATRICES},
            }
            for factor in self.factors
        ]
        identities = [
            [e.axis, e.output, e.tap, e.input, [str(t) for t in e.terms], e.total]
            for e in self.identities
        ]
        return write_json({"factors": factors, "identities": identities})

    @classmethod
    def from_json(cls, text: str) -> BilinearProof:
        """Read what `to_json` wrote; nothing is evaluated, and nothing is believed yet.

        Raises
        ------
        GeometryError
            The text is truncated, or is no such proof.
        """
        try:
            value = json.loads(text)
        except (TypeError, ValueError, RecursionError):
            raise malformed(text, "JSON text") from None
        fields(value, {"factors", "identities"})
        factors = tuple(_read_factor(entry) for entry in _list(value["factors"]))
        identities = tuple(_read_identity(entry) for entry in _list(value["identities"]))
        return cls(factors, identities)


def derive(factors: tuple[Factor, ...]) -> BilinearProof:
    """Write the proof: multiply out the coefficients that `check_bilinear` compares."""
    identities = []
    for axis, factor in enumerate(factors):
        for o, k, i in _coefficients(factor):
            terms = _terms(factor, o, k, i)
            identities.append(Identity(axis, o, k, i, terms, int(sum(terms))))
    return BilinearProof(factors, tuple(identities))


def check_bilinear(proof: BilinearProof) -> None:
    """Follow a proof: every coefficient along every axis, in order, or raise `Refused`.

    Each total must be the exact sum of the products of the matrices, and must be 1 where the
    record of the layer has the tap at that input and output, and 0 elsewhere. Cost: outputs
    times taps times inputs times products, for each axis.
    """
    if not proof.factors or len({factor.flipped for factor in proof.factors}) > 1:
        raise Refused("the axes are not those of one layer")
    for factor in proof.factors:
        _check_sizes(factor)
    work = sum(math.prod((*f.window[:3], len(f.data))) for f in proof.factors)
    if work > MOST_PRODUCTS:
        raise Refused(f"{work} products of matrix entries are too many to multiply out")
    count = sum(f.window.n_out * f.window.kernel * f.window.n_in for f in proof.factors)
    if count != len(proof.identities):  # before anything as long as that is made
        raise Refused(f"there are {len(proof.identities)} identities, not {count}")
    wanted = [
        (axis, *place)
        for axis, factor in enumerate(proof.factors)
        for place in _coefficients(factor)
    ]
    if wanted != [(e.axis, e.output, e.tap, e.input) for e in proof.identities]:
        raise Refused("the identities are not those of every output, tap and input, in order")
    read = [factor.window.inputs().tolist() for factor in proof.factors]
    for number, step in enumerate(proof.identities, 1):
        factor = proof.factors[step.axis]
        if step.terms != _terms(factor, step.output, step.tap, step.input):
            raise Refused("its terms are not the products of the three matrices", number)
        if sum(step.terms) != step.total:
            raise Refused(f"its terms add up to {sum(step.terms)}, not to {step.total}", number)
        tap = factor.window.kernel - 1 - step.tap if factor.flipped else step.tap
        if step.total != (read[step.axis][step.output][tap] == step.input):
            raise Refused(f"{step.total} is not the coefficient of the layer", number)


def _check_sizes(factor: Factor) -> None:
    window = factor.window
    products = len(factor.data)
    if min(window.n_in, window.n_out, window.kernel, window.stride, window.base, products) < 1:
        raise Refused("a record has a size below 1")
    for matrix, rows, columns in (
        (factor.output, window.n_out, products),
        (factor.filter, products, window.kernel),
        (factor.data, products, window.n_in),
    ):
        if len(matrix) != rows or any(len(row) != columns for row in matrix):
            raise Refused("the sizes of the matrices are not those of the record")


def _coefficients(factor: Factor) -> Iterator[tuple[int, int, int]]:
    """Yield (output, tap, input) of every coefficient."""
    window = factor.window
    return itertools.product(range(window.n_out), range(window.kernel), range(window.n_in))


def _terms(factor: Factor, o: int, k: int, i: int) -> tuple[Fraction, ...]:
    products = (
        a * g[k] * d[i]
        for a, g, d in zip(factor.output[o], factor.filter, factor.data, strict=True)
        if a and g[k] and d[i]
    )
    return tuple(products)


def _size(row: tuple[Fraction, ...]) -> Fraction:
    return sum(map(abs, row), Fraction())


def _nonzeros(row: tuple[Fraction, ...]) -> int:
    return sum(1 for entry in row if entry)


MATRICES = ("output", "filter", "data")


def _write(rows: Rows) -> list[list[str]]:
    return [[str(entry) for entry in row] for row in rows]


def _read_factor(value: Any) -> Factor:
    fields(value, {"window", "flipped", *MATRICES})
    window = tuple(_integer(entry) for entry in _list(value["window"]))
    if len(window) != len(Window._fields) or type(value["flipped"]) is not bool:
        raise malformed(value, "the record of an axis")
    matrices = (
        tuple(tuple(_fraction(entry) for entry in _list(row)) for row in _list(value[name]))
        for name in MATRICES
    )
    return Factor(Window(*window), value["flipped"], *matrices)


def _read_identity(value: Any) -> Identity:
    if not isinstance(value, list) or len(value) != 6:
        raise malformed(value, "an identity")
    axis, output, tap, position = (_integer(entry) for entry in value[:4])
    terms = tuple(_fraction(term) for term in _list(value[4]))
    return Identity(axis, output, tap, position, terms, _integer(value[5]))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise malformed(value, "a list")
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) > 10**6:
        raise malformed(value, "an integer")
    return value


def _fraction(value: Any) -> Fraction:
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise malformed(value, "a fraction such as '1/2'")
    try:
        return Fraction(value)
    except ZeroDivisionError:
        raise malformed(value, "a fraction") from None
