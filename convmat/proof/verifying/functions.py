"""Functions as size formulas: what they are traced to, and what they give when they are called."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from numbers import Rational
from typing import Any, NamedTuple

import numpy as np

from convmat.proof.sizes.samples import constants, sampled, values_at
from convmat.proof.sizes.search import Agreement
from convmat.proof.sizes.settings import Setting
from convmat.symbolic.formulas.conditions import Condition
from convmat.symbolic.formulas.tracing import Parameters, Stopped, constants_of
from convmat.symbolic.formulas.tree import Formula

__all__ = ["Calls"]

SECONDS = 2.0  # for calls of a function; the first of them are made in any case
STALL = 0.25  # of them at most for calls between two looks at the clock: the machine may be busy
PATIENCE = 20.0  # seconds by the clock, whatever they were spent on
AT_ONCE = 16  # calls between two looks at the clock

Value = Fraction | None


class Calls(NamedTuple):
    """Sizes of layers, and what a function gave there when it was called with integers.

    Attributes
    ----------
    places : dict of symbol to array
    values : list of Fraction or None
        None where it failed, or gave no number.
    """

    places: dict[str, Any]
    values: list[Value]

    @classmethod
    def of(
        cls,
        function: Parameters,
        setting: Setting,
        given: Sequence[Condition],
        tree: Formula | None,
    ) -> Calls:
        """Call a function at the smallest sizes, at large ones, and near its constants."""
        small = Agreement(setting.size, setting, given).layers()
        special = constants_of(function.function) | (constants(tree) if tree else frozenset())
        large = sampled(setting, given, tree, special)
        # The two in turns, the large ones in any order: a slow function is called at all kinds.
        parts = [small, large]
        names = setting.symbols
        tables = [
            np.column_stack([p[s] for s in names]) if names else np.zeros((1, 0)) for p in parts
        ]
        tables[1] = np.random.default_rng(0).permutation(tables[1])
        order = np.argsort(np.concatenate([np.arange(len(t)) for t in tables]), kind="stable")
        table = np.concatenate(tables)[order]
        values: list[Value] = []
        begun = looked = time.monotonic()
        spent = 0.0
        for place in table.tolist():
            if values and len(values) % AT_ONCE == 0:
                now = time.monotonic()
                spent, looked = spent + min(now - looked, STALL), now
                if spent > SECONDS or now - begun > PATIENCE:
                    break
            at = dict(zip(names, place, strict=True))
            values.append(_value(function.call, setting.options(at)))
        places = dict(zip(names, table[: len(values)].T, strict=True))
        return cls(places, values)

    def unlike(self, formula: Formula) -> list[int]:
        """Return where a formula has another value than the function, the smallest first."""
        count = len(self.values)
        (top, bottom), there = values_at(formula, self.places, count)
        different = [
            i
            for i, value in enumerate(self.values)
            if (value is None) == bool(there[i])
            or (value is not None and value.numerator * bottom[i] != top[i] * value.denominator)
        ]
        return sorted(different, key=lambda i: sum(int(a[i]) for a in self.places.values()))

    @staticmethod
    def at_one(function: Parameters, setting: Setting, at: Mapping[str, int]) -> Value:
        """Return what a function gives at one place."""
        return _value(function.call, setting.options(at))

    def at(self, i: int) -> dict[str, int]:
        """Return the sizes of one call."""
        return {symbol: int(array[i]) for symbol, array in self.places.items()}


def _value(call: Callable[[dict[str, Any]], Any], values: dict[str, Any]) -> Value:
    try:
        return _as_fraction(call(values))
    except Stopped:
        raise
    except Exception:  # noqa: BLE001, a stranger's function that fails has no value
        return None


def _as_fraction(value: Any) -> Value:
    if isinstance(value, bool):
        return None
    if isinstance(value, (Rational, float)):
        return Fraction(value)
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    return Fraction(int(value.__index__()))
