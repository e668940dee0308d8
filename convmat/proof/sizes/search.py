"""Sizes at which a formula and a layer differ, and hypotheses under which they do not.

Places are gone through by the sum of their sizes, so that the first difference is the smallest.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from convmat.proof.sizes.samples import compare, constants, repaired, sampled, values_at
from convmat.proof.sizes.settings import LEAST, Setting
from convmat.symbolic.formulas.conditions import Condition, read_condition
from convmat.symbolic.formulas.identities import polynomial
from convmat.symbolic.formulas.programs import Program
from convmat.symbolic.formulas.reading import read_formula
from convmat.symbolic.formulas.tree import Formula, Undefined, names_of

__all__ = ["Agreement", "value_at"]

Array = np.ndarray[Any, np.dtype[Any]]

PLACES = 200_000  # that are looked at first, in order
ENOUGH = 12  # layers that hypotheses must leave

# Hypotheses that people's formulas need, the most natural first. Up to four of the first kind
# may come together, with one of the second.
CORE = ("d = 1", "p0 = p1", "a = 0", "p = 0", "v = 1", "s = 1")
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
    "u = v",
    "a = s - 1",
    "k = 1",
)
PAIRED = OTHERS[:6]  # two of these may come together
NATURAL = (
    *("d = 1", "p0 = p1", "v = 1", *OTHERS[:2], "a = 0", *OTHERS[2:4]),
    *("p = 0", *OTHERS[4:7], "s = 1", *OTHERS[7:]),
)
RANK = {text: rank for rank, text in enumerate(NATURAL)}
FIXABLE = "dskp"  # symbols for which a formula that does not mention them may have a number
MOST_FIXED = 6  # numbers of a formula that are tried


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
        if self._legal(places).sum() >= ENOUGH:
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

    def _legal(self, places: Array) -> Array:
        """Say where there is a layer that satisfies what is given."""
        there, _ = self._compared(self.setting.size, places)
        for condition in self.given:
            there = there & self._mask(condition, places)
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
    def _seen(self) -> tuple[Array, Array]:
        """Whether there is a layer at each place, and whether the formula gives its size."""
        there, same = self._compared(self.formula, self.places)
        for condition in self.given:
            there = there & self._mask(condition, self.places)
        return there, same

    @property
    def compared(self) -> int:
        """Number of layers among the places."""
        return int(self._seen[0].sum())

    def layers(self) -> dict[str, Array]:
        """Return the sizes of the layers among the places."""
        return dict(zip(self.names, self.places[self._seen[0]].T, strict=True))

    def value(self, values: dict[str, int]) -> Fraction | None:
        """Return what the formula gives, None if it has no value."""
        return value_at(self.setting.fill(self.formula), values)

    def smallest_difference(self) -> dict[str, int] | None:
        """Return the smallest sizes at which there is a difference, by their sum."""
        there, same = self._seen
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

    def restrictions(self) -> Iterator[tuple[Condition, ...]]:
        """Yield few hypotheses without a difference among the places, the most useful first.

        Most useful are those that leave most of the layers that people make; of those that leave
        as many, the fewest and most natural.
        """
        there, same = self._seen
        masks = {text: mask[there] for text, mask in self._masks().items()}
        wrong, usual = ~same[there], self._usual()
        fitting: list[tuple[str, ...]] = []
        for chosen in self._choices(masks):
            if any(set(smaller) <= set(chosen) for smaller in fitting):
                continue
            left = np.logical_and.reduce([masks[text] for text in chosen])
            if left.sum() >= ENOUGH and not (left & wrong).any():
                fitting.append(chosen)

        def usefulness(chosen: tuple[str, ...]) -> tuple[float, int, int]:
            left = np.logical_and.reduce([usual[text] for text in chosen])
            return (
                -float(left.mean()),
                len(chosen),
                sum(RANK.get(text, len(RANK)) for text in chosen),
            )

        for chosen in sorted(fitting, key=usefulness):
            yield tuple(self._filled(text) for text in chosen)

    def _others(self) -> tuple[str, ...]:
        """Return hypotheses of the second kind, those with numbers of this formula at the end."""
        numbers = sorted(c for c in constants(self.formula) if c > 1)[:MOST_FIXED]
        left_out = [name for name in FIXABLE if name not in names_of(self.formula)]
        return (*OTHERS, *(f"{name} = {number}" for name in left_out for number in numbers))

    def _choices(self, masks: Mapping[str, Array]) -> Iterator[tuple[str, ...]]:
        """Yield hypotheses that may come together, the fewest first."""
        core = [text for text in CORE if text in masks]
        others = [text for text in self._others() if text in masks]
        for count in range(1, len(core) + 2):
            yield from itertools.combinations(core, count)
            for other in others:
                for chosen in itertools.combinations(core, count - 1):
                    yield (*chosen, other)
            if count == 2:
                yield from itertools.combinations([t for t in others if t in PAIRED], 2)
            if count in (2, 3):
                numbered = [t for t in others if t not in OTHERS]
                for first, second in itertools.combinations(numbered, 2):
                    if first[0] != second[0]:
                        for chosen in itertools.combinations(core, count - 2):
                            yield (*chosen, first, second)

    def _usual(self) -> dict[str, Array]:
        """Return where hypotheses hold among layers as people make them."""
        rng = np.random.default_rng(0)
        places = np.column_stack([rng.choice(_USUAL[name], 4096) for name in self.names])
        places = places[self._legal(places)]
        if not len(places):
            places = self.places[self._seen[0]]
        return {text: self._mask(read_condition(text), places) for text in self._masks()}

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

    def _masks(self) -> dict[str, Array]:
        """Return where each hypothesis holds that this layer can have and that says something."""
        there, _ = self._seen
        masks = {}
        for text in (*CORE, *self._others()):
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

    def _mask(self, condition: Condition, places: Array | None = None) -> Array:
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

# Sizes as people choose them, each as often as it stands here.
_USUAL: dict[str, list[int]] = {
    "n": list(range(1, 65)),
    "k": [1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 11],
    "s": [1, 1, 2, 2, 3, 4],
    "d": [1, 1, 1, 2, 3],
    "a": [0, 0, 1],
    "u": [1, 2, 3, 4, 5],
    "v": [1, 1, 2, 3],
    "p": [0, 0, 1, 1, 2, 3],
    "p0": [0, 0, 1, 1, 2, 3],
    "p1": [0, 0, 1, 1, 2, 3],
}


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
