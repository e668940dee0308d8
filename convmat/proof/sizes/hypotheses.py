"""Hypotheses under which a formula that is wrong somewhere is right, the most useful first."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from convmat.proof.sizes.samples import constants
from convmat.proof.sizes.search import ENOUGH, Agreement
from convmat.proof.sizes.solving import FIXABLE, solved
from convmat.symbolic.formulas.conditions import Condition, read_condition
from convmat.symbolic.formulas.identities import polynomial
from convmat.symbolic.formulas.reading import read_formula
from convmat.symbolic.formulas.tree import names_of

__all__ = ["Candidates"]

Array = np.ndarray[Any, np.dtype[Any]]

# How many times the layers that one plain hypothesis leaves, or several, make a solved one better.
THAN_ONE, THAN_SEVERAL = 3.0, 1.3

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
MOST_FIXED = 6  # numbers of a formula that are tried

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


class Candidates:
    """Hypotheses for a formula that is wrong somewhere, among the places that were looked at."""

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.formula = agreement.formula
        self.setting = agreement.setting

    def sets(self) -> Iterator[tuple[Condition, ...]]:
        """Yield few hypotheses without a difference among the places, the most useful first.

        Most useful are those that leave most of the layers that people make; of those that leave
        as many, the fewest and most natural. What makes formula and size equal, solved, comes
        first unless a plain one leaves nearly as many: who reads it has to work it out.
        """
        there, same = self.agreement.seen
        known = self._masks()
        masks = {text: mask[there] for text, mask in known.items()}
        wrong = ~same[there]
        plain: list[tuple[str, ...]] = []
        for chosen in self._choices(masks):
            if any(set(smaller) <= set(chosen) for smaller in plain):
                continue
            left = np.logical_and.reduce([masks[text] for text in chosen])
            if left.sum() >= ENOUGH and not (left & wrong).any():
                plain.append(chosen)
        usual, places = self._usual(known)

        def usefulness(chosen: tuple[str, ...]) -> tuple[float, int, int]:
            left = np.logical_and.reduce([usual[text] for text in chosen])
            return (
                -float(left.mean()),
                len(chosen),
                sum(RANK.get(text, len(RANK)) for text in chosen),
            )

        plain.sort(key=usefulness)
        best = -usefulness(plain[0])[0] if plain else 0.0
        enough = best * (THAN_ONE if plain and len(plain[0]) == 1 else THAN_SEVERAL)
        first: list[tuple[float, int, tuple[Condition, ...]]] = []
        last: list[tuple[float, int, tuple[Condition, ...]]] = []
        for conditions in solved(self.formula, self.setting):
            left = np.logical_and.reduce([self.agreement.mask(c)[there] for c in conditions])
            if left.sum() < ENOUGH or (left & wrong).any():
                continue
            kept = np.logical_and.reduce([self.agreement.mask(c, places) for c in conditions])
            share = float(kept.mean())
            (first if share > enough else last).append((-share, len(conditions), conditions))
        yield from (conditions for *_, conditions in sorted(first, key=itemgetter(0, 1)))
        for chosen in plain:
            yield tuple(self._filled(text) for text in chosen)
        yield from (conditions for *_, conditions in sorted(last, key=itemgetter(0, 1)))

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

    def _usual(self, known: Iterable[str]) -> tuple[dict[str, Array], Array]:
        """Return where hypotheses hold among layers as people make them, and those layers."""
        rng = np.random.default_rng(0)
        agreement = self.agreement
        places = np.column_stack([rng.choice(_USUAL[name], 4096) for name in agreement.names])
        places = places[agreement.legal(places)]
        if not len(places):
            places = agreement.places[agreement.seen[0]]
        return {text: agreement.mask(read_condition(text), places) for text in known}, places

    def _filled(self, text: str) -> Condition:
        condition = read_condition(self.setting.spelled(text))
        left, right = self.setting.fill(condition.left), self.setting.fill(condition.right)
        if condition.names & dict(self.setting.fixed).keys():  # with numbers in it
            texts = (str(polynomial(side)).replace("^", "**") for side in (left, right))
            left, right = (read_formula(text) for text in texts)
            if condition.relation == "=" and left.kind == "number":
                left, right = right, left
        return Condition(condition.relation, left, right)

    def _masks(self) -> dict[str, Array]:
        """Return where each hypothesis holds that this layer can have and that says something."""
        there, _ = self.agreement.seen
        masks = {}
        for text in (*CORE, *self._others()):
            condition = read_condition(text)
            ends = condition.names & {"p0", "p1"}
            names = condition.names - ends | ({"p"} if ends and self.setting.equal else ends)
            names -= dict(self.setting.fixed).keys()
            alone = text in ("p0 = p1", "p0 = 0", "p1 = 0")
            if names <= set(self.agreement.names) and not (alone and self.setting.equal):
                mask = self.agreement.mask(condition)
                if (there & ~mask).any():
                    masks[text] = mask
        return masks
