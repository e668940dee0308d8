"""Sizes at which a formula and a layer differ.

Places are gone through by the sum of their sizes, so that the first difference is the smallest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from math import comb, prod
from typing import Any

import numpy as np

from convmat.proof.sizes.instructions import (
    EXACT,
    OPERATIONS,
    Found,
    Table,
    bounds,
    evaluate,
    sweep,
)
from convmat.proof.sizes.samples import compare, repaired, sampled, values_at
from convmat.proof.sizes.settings import LEAST, Setting
from convmat.symbolic.formulas.conditions import Condition
from convmat.symbolic.formulas.programs import Program
from convmat.symbolic.formulas.tree import Formula, Undefined

__all__ = ["ENOUGH", "Agreement", "smallest", "value_at"]

Array = np.ndarray[Any, np.dtype[Any]]

PLACES = 200_000  # that are looked at first, in order
ENOUGH = 12  # layers that conditions must leave


class Agreement:
    """A formula beside the size of a layer, at all small sizes.

    Attributes
    ----------
    moved : bool
        Whether few of the smallest sizes satisfy the conditions, so that others were sought.
    """

    def __init__(self, formula: Formula, setting: Setting, given: Sequence[Condition]) -> None:
        self.formula = formula
        self.setting = setting
        self.given = tuple(given)
        # The size of the input last: it takes the most values.
        self.names = tuple(sorted(setting.symbols, key=lambda name: (name == "n", name)))

    @cached_property
    def _places(self) -> tuple[Array, bool]:
        """All sizes up to some sum, the smallest first; and whether they had to be moved."""
        places = _simplex(self.names, PLACES)
        if not self.given or not self.names:
            return places, False
        if self.legal(places).sum() >= ENOUGH:
            return places, False
        columns = dict(zip(self.names, places.T, strict=True))
        moved = repaired(columns, self.setting, self.given)
        table = np.column_stack([moved[name] for name in self.names])
        table = np.unique(table[(table < 1 << 42).all(1)], axis=0)
        return table[np.argsort(table.sum(1), kind="stable")], True

    @property
    def places(self) -> Array:
        """The sizes that are looked at; shape (count, symbols)."""
        return self._places[0]

    @property
    def moved(self) -> bool:
        """Whether the places are not simply the smallest."""
        return self._places[1]

    def legal(self, places: Array) -> Array:
        """Say where there is a layer that satisfies what is given."""
        there, _ = self._compared(self.setting.size, places)
        for condition in self.given:
            there = there & self.mask(condition, places)
        return there

    def _compared(
        self, formula: Formula, places: Array, other: Formula | None = None, *, bare: bool = False
    ) -> tuple[Array, Array]:
        """Say where there is a layer, and where two formulas are equal: in floats if exact."""
        table = self._table(formula, (), other, bare=bare)
        most = [int(largest) for largest in places.max(0, initial=0)]
        if bounds(table, [0] * len(self.names), [largest + 1 for largest in most]) < EXACT:
            return evaluate(table, places.T, (len(places),))
        columns, count = dict(zip(self.names, places.T, strict=True)), len(places)
        there = np.ones(count, bool)
        second = self.setting.size if other is None else other
        for limit in [second] if bare else self.setting.legal():
            (value, _), exists = values_at(limit, columns, count)
            there &= exists & (value >= 0).astype(bool)
        return there, compare(self.setting.fill(formula), second, columns, count)

    @cached_property
    def seen(self) -> tuple[Array, Array]:
        """Whether there is a layer at each place, and whether the formula gives its size."""
        there, same = self._compared(self.formula, self.places)
        for condition in self.given:
            there = there & self.mask(condition, self.places)
        return there, same

    @property
    def compared(self) -> int:
        """Number of layers among the places."""
        return int(self.seen[0].sum())

    def layers(self) -> dict[str, Array]:
        """Return the sizes of the layers among the places."""
        return dict(zip(self.names, self.places[self.seen[0]].T, strict=True))

    def value(self, values: dict[str, int]) -> Fraction | None:
        """Return what the formula gives, None if it has no value."""
        return value_at(self.setting.fill(self.formula), values)

    def smallest_difference(self) -> dict[str, int] | None:
        """Return the smallest sizes at which there is a difference, by their sum."""
        there, same = self.seen
        wrong = np.flatnonzero(there & ~same)
        return self._values(self.places[wrong[0]]) if len(wrong) else None

    def sampled_difference(self, special: Iterable[int]) -> tuple[dict[str, int] | None, int]:
        """Return large sizes at which there is a difference, if any; and how many were tried."""
        columns = sampled(self.setting, self.given, self.formula, special)
        count = len(next(iter(columns.values()))) if columns else 0
        if not count:
            return None, 0
        same = compare(self.setting.fill(self.formula), self.setting.size, columns, count)
        wrong = np.flatnonzero(~same)
        if not len(wrong):
            return None, count
        return {name: int(array[wrong[0]]) for name, array in columns.items()}, count

    def far(self) -> tuple[Found, dict[str, tuple[int, int]]] | None:
        """Sweep millions of places; return what was found and the box, None if not exact."""
        table = self._table(self.formula, self.given)
        lows = [LEAST[name] for name in self.names]
        for scale in (8, 4, 2, 1):
            counts = _far_counts(self.names, scale)
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

    def mask(self, condition: Condition, places: Array | None = None) -> Array:
        """Say where a condition holds, at these places or at all that are looked at."""
        vanishing = self.setting.fill(condition.vanishing)
        at = self.places if places is None else places
        there, same = self._compared(Formula("number", (0,)), at, vanishing, bare=True)
        if condition.relation != "<=":
            return same
        return there

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


# How many values each symbol takes in a large sweep, and how many places there are at most.
SWEPT = 50_000_000
_FAR = {"n": 192, "k": 16, "s": 12, "p": 10, "p0": 7, "p1": 7, "d": 7, "a": 6, "u": 16, "v": 16}


def _far_counts(names: Sequence[str], scale: int) -> list[int]:
    """Return how many values each symbol takes, of eight eighths `scale`.

    Where that were too many, the others than the size of the input take fewer.
    """
    for fewer in range(scale, 0, -1):
        parts = {name: scale if name == "n" else fewer for name in names}
        counts = [_FAR[name] * part // 8 + 2 for name, part in parts.items()]
        if prod(counts) <= SWEPT:
            break
    return counts


def value_at(formula: Formula, values: dict[str, int]) -> Fraction | None:
    """Return the exact value of a formula, None if it has none."""
    try:
        return formula.evaluate(values)
    except Undefined:
        return None


def smallest(names: Sequence[str], most: int = 1500) -> Iterator[dict[str, int]]:
    """Yield small sizes, the smallest sums first, whether there is a layer or not."""
    for place in _simplex(tuple(names), most).tolist():
        yield dict(zip(names, place, strict=True))


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
