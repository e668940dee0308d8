"""Sizes at which a formula and a layer differ, and hypotheses under which they do not.

Places are gone through by the sum of their sizes, so that the first difference is the smallest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.kernels.instructions import EXACT, OPERATIONS, Table, bounds, evaluate
from convmat.proof._size_layers import LEAST, Condition, Setting, read_condition
from convmat.symbolic.formula.formulas import Formula, Undefined
from convmat.symbolic.formula.identities import polynomial
from convmat.symbolic.formula.programs import Program
from convmat.symbolic.formula.reading import read_formula

if TYPE_CHECKING:
    from convmat.kernels.sweep import Found

__all__ = ["Agreement", "value_at"]

Array = np.ndarray[Any, np.dtype[Any]]

PLACES = 200_000  # that are looked at first, in order
BY_HAND = 20_000  # where floats are not exact, or a function has to be called
ENOUGH = 12  # layers that hypotheses must leave

# Hypotheses that people's formulas need, the most natural first. Up to four of the first kind
# may come together, with one of the second.
CORE = ("d = 1", "p0 = p1", "a = 0", "p = 0", "s = 1")
OTHERS = (
    "s + p1 <= d*(k - 1) + 1",
    "s | n + p0 + p1 - d*(k - 1) - 1",
    "2 | k - 1",
    "s | n",
    "s <= k",
    "s <= d*(k - 1) + 1",
    "2*p = d*(k - 1)",
    "2 | k",
    "p0 = 0",
    "p1 = 0",
    "k = s",
    "k <= s",
    "r = 1",
    "k = 1",
)
PAIRED = OTHERS[:6]  # two of these may come together
NATURAL = (
    *("d = 1", "p0 = p1", *OTHERS[:2], "a = 0", *OTHERS[2:4]),
    *("p = 0", *OTHERS[4:7], "s = 1", *OTHERS[7:]),
)
RANK = {text: rank for rank, text in enumerate(NATURAL)}


class Agreement:
    """A formula beside the size of a layer, at all small sizes.

    `compute` gives the values of a formula that is no tree: a function that cannot be traced.
    """

    def __init__(
        self,
        formula: Formula | None,
        setting: Setting,
        given: Sequence[Condition],
        compute: Callable[[dict[str, int]], Fraction | None] | None = None,
    ) -> None:
        self.formula = formula
        self.setting = setting
        self.given = tuple(given)
        self.compute = compute
        # The size of the input last: rows of a sweep are long in it.
        self.names = tuple(sorted(setting.symbols, key=lambda name: (name == "n", name)))

    @cached_property
    def places(self) -> Array:
        """All sizes up to some sum, the smallest sum first; shape (count, symbols)."""
        return _simplex(self.names, PLACES if self._exact else BY_HAND)

    @cached_property
    def _seen(self) -> tuple[Array, Array]:
        """Whether there is a layer at each place, and whether the formula gives its size."""
        places = self.places
        if self.formula is not None and self._exact:
            there, same = evaluate(self._table(self.formula), places)
        else:
            there, _ = evaluate(self._table(self.setting.size), places)
            same = np.zeros(len(places), bool)
            for place in np.flatnonzero(there):
                values = self._values(places[place])
                same[place] = self.value(values) == self.setting.size_at(values)
        for condition in self.given:
            there = there & self._mask(condition)
        return there, same

    @property
    def compared(self) -> int:
        """Number of layers among the places."""
        return int(self._seen[0].sum())

    def layers(self) -> Iterator[dict[str, int]]:
        """Yield the sizes of the layers among the places."""
        there, _ = evaluate(self._table(self.setting.size), self.places)
        for place in self.places[there]:
            yield self._values(place)

    def value(self, values: dict[str, int]) -> Fraction | None:
        """Return what the formula gives, None if it has no value."""
        if self.formula is None:
            return None if self.compute is None else self.compute(values)
        return value_at(self.setting.fill(self.formula), values)

    def smallest_difference(self) -> dict[str, int] | None:
        """Return the smallest sizes at which there is a difference, by their sum."""
        there, same = self._seen
        wrong = np.flatnonzero(there & ~same)
        return self._values(self.places[wrong[0]]) if len(wrong) else None

    def restrictions(self) -> Iterator[tuple[Condition, ...]]:
        """Yield few hypotheses without a difference among the places.

        The fewest come first; of as many, the most natural.
        """
        there, same = self._seen
        masks = self._masks()
        core = [text for text in CORE if text in masks]
        others = [text for text in OTHERS if text in masks]
        found: list[set[str]] = []
        for count in range(1, len(core) + 2):
            choices = [
                *itertools.combinations(core, count),
                *(
                    (*chosen, other)
                    for other in others
                    for chosen in itertools.combinations(core, count - 1)
                ),
            ]
            if count == 2:
                choices += itertools.combinations([t for t in others if t in PAIRED], 2)
            fitting: list[tuple[str, ...]] = []
            for chosen in choices:
                if any(smaller <= set(chosen) for smaller in found):
                    continue
                left = there & np.logical_and.reduce([masks[text] for text in chosen])
                if left.sum() >= ENOUGH and not (left & ~same).any():
                    fitting.append(chosen)
            for chosen in sorted(fitting, key=lambda texts: sum(RANK[text] for text in texts)):
                found.append(set(chosen))
                yield tuple(self._filled(text) for text in chosen)

    def _filled(self, text: str) -> Condition:
        condition = read_condition(self.setting.spelled(text))
        left, right = self.setting.fill(condition.left), self.setting.fill(condition.right)
        if condition.names & dict(self.setting.fixed).keys():  # with numbers in it
            texts = (str(polynomial(side)).replace("^", "**") for side in (left, right))
            left, right = (read_formula(text) for text in texts)
            if condition.relation == "=" and left.kind == "number":
                left, right = right, left
        return Condition(condition.relation, left, right)

    def far(self) -> tuple[Found, dict[str, tuple[int, int]]] | None:
        """Sweep millions of places; return what was found and the box, None if not exact."""
        if self.formula is None:
            return None
        from convmat.kernels.sweep import sweep

        for scale in (8, 4, 2, 1):
            counts = [_FAR[name] * scale // 8 + 2 for name in self.names]
            lows = [LEAST[name] for name in self.names]
            table = self._table(self.formula, self.given)
            if bounds(table, lows, counts) < EXACT:
                box = {
                    name: (low, low + count - 1)
                    for name, low, count in zip(self.names, lows, counts, strict=True)
                }
                return sweep(table, lows, counts), box
        return None

    def far_values(self, found: Found) -> dict[str, int]:
        """Return the sizes at which a sweep found a difference."""
        return dict(zip(self.names, found.place or (), strict=True))

    def _masks(self) -> dict[str, Array]:
        """Return where each hypothesis holds that this layer can have and that says something."""
        there, _ = self._seen
        masks = {}
        for text in (*CORE, *OTHERS):
            condition = read_condition(text)
            ends = condition.names & {"p0", "p1"}
            names = condition.names - ends | ({"p"} if ends and self.setting.equal else ends)
            names -= dict(self.setting.fixed).keys()
            alone = text in ("p0 = p1", "p0 = 0", "p1 = 0")
            if names <= set(self.names) and not (alone and self.setting.equal):
                mask = self._mask(condition)
                if (there & ~mask).any():
                    masks[text] = mask
        return masks

    def _mask(self, condition: Condition) -> Array:
        vanishing = self.setting.fill(condition.vanishing)
        zero = Formula("number", (0,))
        there, same = evaluate(self._table(zero, (), vanishing, bare=True), self.places)
        if condition.relation != "<=":
            return same
        return there

    @cached_property
    def _exact(self) -> bool:
        """Whether the formula can be worked out in floats at all the first places."""
        if self.formula is None:
            return False
        largest = int(_simplex(self.names, PLACES).max(initial=0)) + 1
        table = self._table(self.formula)
        return bounds(table, [0] * len(self.names), [largest] * len(self.names)) < EXACT

    def _table(
        self,
        formula: Formula,
        given: Sequence[Condition] = (),
        other: Formula | None = None,
        *,
        bare: bool = False,
    ) -> Table:
        """Compile the comparison of two formulas where there is a layer and `given` holds."""
        program = Program()
        size = self.setting.size if other is None else other
        equal = program.difference(self.setting.fill(formula), size)
        limits = [size] if bare else list(self.setting.legal())
        for condition in given:
            vanishing = self.setting.fill(condition.vanishing)
            limits.append(vanishing)
            if condition.relation != "<=":
                limits.append(Formula("negative", (vanishing,)))
        conditions = [program.lower(limit).numerator for limit in limits]
        code = [
            (
                OPERATIONS.index(kind),
                self.names.index(first) if kind == "name" else first,
                second,
            )
            for kind, first, second in program.code
        ]
        return Table(np.array(code, np.int64), equal, np.array(conditions, np.int64))

    def _values(self, place: Array) -> dict[str, int]:
        return dict(zip(self.names, (int(value) for value in place), strict=True))


# How many values each symbol takes in a large sweep.
_FAR = {"n": 192, "k": 16, "s": 12, "p": 10, "p0": 7, "p1": 7, "d": 7, "a": 6, "r": 64}


def value_at(formula: Formula, values: dict[str, int]) -> Fraction | None:
    """Return the exact value of a formula, None if it has none."""
    try:
        return formula.evaluate(values)
    except Undefined:
        return None


@lru_cache(maxsize=16)
def _simplex(names: tuple[str, ...], limit: int) -> Array:
    """Return at most `limit` places, all those up to some sum, in order of sum, then of sizes."""
    count = len(names)
    if not count:
        return np.zeros((1, 0), np.int64)
    most = 0
    while comb(most + 1 + count, count) <= limit and most < limit:
        most += 1
    places = np.zeros((1, 0), np.int64)
    for _ in names:
        spare = most - places.sum(1)
        again = np.repeat(np.arange(len(places)), spare + 1)
        first = np.cumsum(spare + 1) - (spare + 1)
        last = np.arange(len(again)) - first[again]
        places = np.column_stack([places[again], last])
    order = np.lexsort((*places.T[::-1], places.sum(1)))
    found: Array = places[order] + np.array([LEAST[name] for name in names], np.int64)
    found.flags.writeable = False
    return found
