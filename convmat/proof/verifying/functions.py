"""Functions as size formulas: what they are traced to, and what they give when they are called.

A function may run a real layer. So it is called at small sizes only, the smallest first, unless it
computed with symbols: then it does arithmetic alone, and is called at large sizes, too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from numbers import Rational
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError, as_integer
from convmat.geometry.printing import OneLine
from convmat.proof.sizes.samples import constants, sampled, values_at
from convmat.proof.sizes.search import Agreement
from convmat.proof.sizes.settings import Setting
from convmat.proof.verifying.watching import TookTooLong, within
from convmat.symbolic.formulas.branches import Branch, branches
from convmat.symbolic.formulas.conditions import Condition
from convmat.symbolic.formulas.tracing import (
    Parameters,
    Stopped,
    constants_of,
    parameters_of,
    trace,
)
from convmat.symbolic.formulas.tree import Formula, names_of

__all__ = ["Calls", "Function"]

SECONDS = 2.0  # for calls of a function; the first is made in any case
STALL = 0.25  # of them at most for one call: the machine may be busy
PATIENCE = 10.0  # seconds by the clock, whatever they were spent on
SMALL = 256  # sizes that a layer in three dimensions can have in memory
LARGE = 2**40
LARGER = 1000  # places that are not among the smallest, for a function that may be slow

# What a layer has in memory besides its input and output.
EXTENTS = ("n + p0 + p1", "d*(k - 1) + 1")
TRANSPOSED = "s*(n - 1) + 1 + d*(k - 1)"

Value = Fraction | None


@dataclass(frozen=True, repr=False)
class Function(OneLine):
    """A function, and what it computes with symbols.

    Attributes
    ----------
    parameters : Parameters
    tree : Formula or None
        The one expression that it computes, if it is one.
    branches : tuple of Branch
        The ways through it, if it decides something about its arguments.
    whole : bool
        Whether these are all, each with an expression.
    largest : int
        No size of a layer at which it is called is larger.
    """

    parameters: Parameters
    tree: Formula | None
    branches: tuple[Branch, ...]
    whole: bool
    largest: int

    @classmethod
    def of(cls, function: Any, largest: int | None) -> Function:
        """Call a function with symbols."""
        parameters = parameters_of(function)
        try:
            tree = within(PATIENCE, lambda: trace(function))
            found, whole = ((), False) if tree else within(PATIENCE, lambda: branches(function))
        except TookTooLong:  # it will be called with integers all the same
            tree, found, whole = None, (), False
        whole = whole and all(branch.formula for branch in found)
        if largest is None:
            largest = LARGE if tree or whole else SMALL
        return cls(parameters, tree, found, whole, min(as_integer("sizes", largest, 1), LARGE))

    @property
    def name(self) -> str:
        """What it is called in answers."""
        return getattr(self.parameters.function, "__name__", "the function")

    @property
    def arithmetic(self) -> bool:
        """Whether it computed with symbols all the way: it does nothing else, then."""
        return self.tree is not None or self.whole

    def at(self, setting: Setting, values: Mapping[str, int]) -> Value:
        """Return what it gives at one place, None if that is no number; raise what it raises."""
        return _as_fraction(self.parameters.call(setting.options(values)))


class Calls(NamedTuple):
    """Sizes of layers, and what a function gave there when it was called with integers.

    Attributes
    ----------
    places : dict of symbol to array
    values : list of Fraction or None
        None where it gave no number.
    stopped : str
        Why it was not called any more before all places were done; empty if they were.
    raised : bool
        Whether it was because it raised an exception, at the last place.
    """

    places: dict[str, Any]
    values: list[Value]
    stopped: str
    raised: bool

    @classmethod
    def of(cls, function: Function, setting: Setting, given: Sequence[Condition]) -> Calls:
        """Call a function at the smallest sizes, at larger ones, and near its constants."""
        table = _table(function, setting, given)
        names, run = setting.symbols, _Run()
        try:
            within(PATIENCE, lambda: run.call(function, setting, table))
        except TookTooLong:
            run.ended = True
            run.stopped = f"a call did not return in {PATIENCE:g} seconds, at {run.where}"
        values = list(run.values)
        places = dict(zip(names, table[: len(values)].T, strict=True))
        return cls(places, values, run.stopped, run.raised)

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

    def at(self, i: int) -> dict[str, int]:
        """Return the sizes of one call."""
        return {symbol: int(array[i]) for symbol, array in self.places.items()}


@dataclass
class _Run:
    """Calls as they are made, in a thread that may have to be left alone."""

    values: list[Value] = field(default_factory=list)
    where: str = ""
    stopped: str = ""
    raised: bool = False
    ended: bool = False

    def call(self, function: Function, setting: Setting, table: Any) -> None:
        """Call a function at one place after the other, until the time is over or it fails."""
        spent, looked = 0.0, time.monotonic()
        for place in table.tolist():
            if spent > SECONDS:
                self.stopped = f"{SECONDS:g} seconds were over, at {self.where}"
            if self.stopped or self.ended:
                return
            at = dict(zip(setting.symbols, place, strict=True))
            self.where = ", ".join(f"{name} = {size}" for name, size in at.items()) or "this layer"
            self._once(function, setting, at)
            now = time.monotonic()
            spent, looked = spent + min(now - looked, STALL), now

    def _once(self, function: Function, setting: Setting, at: Mapping[str, int]) -> None:
        try:
            value = function.at(setting, at)
        except Stopped:
            raise
        except MemoryError:
            self.stopped = f"the memory was used up, at {self.where}"
        except Exception as reason:  # noqa: BLE001, a stranger's function
            self._failed(reason)
        else:
            self.values.append(value)

    def _failed(self, reason: Exception) -> None:
        words = " ".join(str(reason).split())[:120]
        name = type(reason).__name__
        self.stopped = f"it raised {name}{f' ({words})' if words else ''}, at {self.where}"
        self.raised = True
        self.values.append(None)


def _table(function: Function, setting: Setting, given: Sequence[Condition]) -> Any:
    """Return the places to call a function at: shape (count, symbols).

    Small and larger ones stand in turns, so that a slow function is called at both kinds. What a
    call costs may grow with the sizes, unless it is arithmetic: so larger ones come later.
    """
    small = Agreement(setting.size, setting, given).layers()
    special = constants_of(function.parameters.function)
    for tree in (function.tree, *(branch.formula for branch in function.branches)):
        special |= constants(tree) if tree else frozenset()
    parts = [small, sampled(setting, given, function.tree, special)]
    names = setting.symbols
    if not names:
        return np.zeros((1, 0), np.int64)
    tables = [
        np.column_stack([part[s][_within(part, setting, function.largest)] for s in names])
        for part in parts
    ]
    mixed = np.random.default_rng(0).permutation(tables[1])
    tables[1] = mixed if function.arithmetic else _by_sum(mixed[:LARGER])
    table = np.concatenate(tables)
    if not len(table):
        words = ", ".join(map(str, given)) or str(setting)
        raise GeometryError(
            "sizes",
            function.largest,
            f"no layer with such sizes was found ({words})",
            "choose a larger one, if the function can be called there",
        )
    return table[np.argsort(np.concatenate([np.arange(len(t)) for t in tables]), kind="stable")]


def _by_sum(table: Any) -> Any:
    return table[np.argsort(table.sum(1), kind="stable")]


def _within(places: dict[str, Any], setting: Setting, largest: int) -> Any:
    """Say where no size is larger, nor anything that a layer of these sizes has in memory."""
    count = len(next(iter(places.values())))
    fits = np.ones(count, bool)
    texts = (*EXTENTS, *((TRANSPOSED,) if setting.layer == "conv_transpose" else ()))
    extents = [setting.size, *(setting.read(text) for text in texts)]
    names = [Formula("name", (symbol,)) for symbol in setting.symbols]
    for extent in (*names, *extents):
        if names_of(extent) <= set(setting.symbols):
            (top, bottom), there = values_at(extent, places, count)
            fits &= there & (top <= largest * bottom).astype(bool)
    return fits


def _as_fraction(value: Any) -> Value:
    if isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool):
        return None
    if isinstance(value, (Rational, float, Decimal)):
        return Fraction(value)
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    return Fraction(int(value.__index__()))
