"""Sizes to compare at beyond the smallest: large ones, odd ones, and where a formula bends.

Random sizes up to 2^40 are put where roundings change (just at and before multiples of strides);
others are at every constant of a formula, and where the two sides of a minimum, or a numerator
and its divisor, pass each other. What does not satisfy the conditions is moved until it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from convmat.certificates.polynomials import Polynomial
from convmat.geometry.arguments import GeometryError
from convmat.proof.sizes.settings import LEAST, Setting
from convmat.symbolic.formulas.conditions import Condition
from convmat.symbolic.formulas.evaluation import evaluate_exactly
from convmat.symbolic.formulas.programs import Program
from convmat.symbolic.formulas.tree import Formula

__all__ = ["compare", "constants", "repaired", "sampled", "values_at"]

Array = np.ndarray[Any, np.dtype[Any]]
Places = dict[str, Array]

LARGEST = 40  # bits of a size
BITS = {
    "n": LARGEST,
    "k": 10,
    "s": 12,
    "d": 8,
    "p": 10,
    "p0": 10,
    "p1": 10,
    "a": 12,
    "u": 12,
    "v": 12,
}
RANDOM = 20_000  # places to begin with
BASES = 48  # places from which bends are looked for
ZERO = Formula("number", (0,))


def sampled(
    setting: Setting, given: Sequence[Condition], formula: Formula | None, special: Iterable[int]
) -> Places:
    """Return sizes of layers that satisfy the conditions, many of them large."""
    rng = np.random.default_rng(0)
    parts = [_random(setting, rng, RANDOM)]
    parts += list(_aligned(setting, parts[0]))
    parts += list(_near(setting, rng, special))
    if formula is not None:
        parts += list(_bends(setting, rng, setting.fill(formula)))
    moved = [repaired(part, setting, given) for part in parts]
    whole = {s: np.concatenate([part[s] for part in moved]) for s in setting.symbols}
    return _those(whole, _allowed(whole, setting, given))


def repaired(places: Places, setting: Setting, given: Sequence[Condition]) -> Places:
    """Move places to where conditions and limits hold, as far as single symbols can do that."""
    places = dict(places)
    limits = [Condition("<=", ZERO, limit) for limit in setting.legal()[len(setting.symbols) :]]
    for condition in [*given, *limits, *given]:
        try:
            left, right = setting.filled(condition).sides()
        except GeometryError:  # with a rounding in it: such places are only sorted out
            continue
        _move(places, condition.relation, left, right)
    return places


def _move(places: Places, relation: str, left: Polynomial, right: Polynomial) -> None:
    """Change one symbol that stands alone in a condition."""
    slack = right if relation == "|" else right - left
    alone = _alone(slack, left.symbols if relation == "|" else frozenset())
    if not alone or not slack.symbols <= places.keys():
        return
    name, sign = alone[0]
    value, old = _at(slack, places), places[name]
    if relation == "=":  # for the symbol that can do that most often
        solved = [(other, places[other] - s * value) for other, s in alone]
        name, new = max(solved, key=lambda pair: int((pair[1] >= LEAST[pair[0]]).sum()))
    elif relation == "|":
        divisor = np.maximum(_at(left, places), 1)
        new = old - sign * (value % divisor)
        new = np.where(new < LEAST[name], old + (-sign * value) % divisor, new)
    else:
        rising = [n for n, s in alone if s > 0]
        name, sign = (rising[0], 1) if rising else (name, sign)
        old = places[name]
        again = old - LEAST[name] if sign > 0 else 0  # so that different places stay different
        new = np.where(value < 0, old - sign * value + again, old)
    places[name] = new


def _alone(polynomial: Polynomial, without: frozenset[str]) -> list[tuple[str, int]]:
    """Return symbols that occur once, times 1 or -1; the size of the input last."""
    terms = polynomial.terms
    found = [
        (name, terms[((name, 1),)])
        for name in polynomial.symbols - without
        if abs(terms.get(((name, 1),), 0)) == 1
        and sum(name in dict(monomial) for monomial in terms) == 1
    ]
    return sorted(found, key=lambda pair: (pair[0] == "n", pair[0]))


def _at(polynomial: Polynomial, places: Places) -> Any:
    return polynomial.evaluate(places)  # type: ignore[arg-type]  # arrays add and multiply, too


def _random(setting: Setting, rng: np.random.Generator, count: int) -> Places:
    """Return sizes of all magnitudes; of output paddings and paddings, legal ones."""
    found: Places = {}
    for symbol in setting.symbols:
        bits = BITS[symbol] * rng.choice([0.3, 0.6, 1.0], count)
        found[symbol] = np.floor(2 ** (rng.random(count) * bits)).astype(np.int64)
        if LEAST[symbol] == 0:
            found[symbol][rng.random(count) < 0.3] = 0
    one = np.ones(count, np.int64)
    k, s, d = (found.get(name, one) for name in "ksd")
    if "a" in found:
        found["a"] %= np.maximum(s, d)
    for end in sorted({"p", "p0", "p1"} & found.keys()):  # at most half of a window, mostly
        half = (d * (k - 1) + 1) // 2 + 1
        found[end] = np.where(rng.random(count) < 0.7, found[end] % half, found[end])
    return found


def _aligned(setting: Setting, places: Places) -> Iterator[Places]:
    """Yield places with a multiple of the stride as size or as room, and just before it."""
    if "n" not in places:
        return
    program = Program()
    room = program.lower(setting.read("n + p0 + p1 - d*(k - 1) - 1")) if "k" in places else None
    for divisor in sorted({"s", "k", "v"} & places.keys()):
        spans = [places["n"]]
        if room is not None and {i.first for i in program.code if i.kind == "name"} <= set(places):
            values, _ = evaluate_exactly(program, places, len(places["n"]))
            spans.append(values[room.numerator].astype(np.int64))
        for span in spans:
            n = places["n"] - span % places[divisor]
            yield places | {"n": np.maximum(n, 1)}
            yield places | {"n": np.maximum(n - 1, 1)}


def _near(setting: Setting, rng: np.random.Generator, special: Iterable[int]) -> Iterator[Places]:
    """Yield places where a symbol is a constant that occurs, or next to it."""
    for constant in sorted(set(special))[:16]:
        for symbol in setting.symbols:
            places = _random(setting, rng, 3 * BASES)
            near = abs(constant) + np.tile(np.arange(-1, 2), BASES)
            yield places | {symbol: np.maximum(near, LEAST[symbol])}


def constants(formula: Formula) -> frozenset[int]:
    """Return the integers in a formula."""
    if formula.kind == "number":
        return frozenset(formula.parts)
    if formula.kind == "name":
        return frozenset()
    return frozenset[int]().union(*(constants(part) for part in formula.parts))


def _bends(setting: Setting, rng: np.random.Generator, formula: Formula) -> Iterator[Places]:
    """Yield places around those where something that a formula chooses by changes its sign."""
    for bend in list(dict.fromkeys(_choices(formula)))[:24]:
        program = Program()
        place = program.lower(bend).numerator
        names = {first for kind, first, _ in program.code if kind == "name"}
        for symbol in sorted(names & set(setting.symbols)):
            places = _random(setting, rng, BASES)
            for low in _crossing(program, place, places, symbol):
                near = np.repeat(low, 4) + np.tile(np.arange(-1, 3), BASES)
                again = {name: np.repeat(array, 4) for name, array in places.items()}
                yield again | {symbol: np.maximum(near, LEAST[symbol])}


def _choices(formula: Formula) -> Iterator[Formula]:
    """Yield what is compared with zero in a formula, so to speak."""
    kind, parts = formula
    if kind in ("number", "name"):
        return
    if kind in ("min", "max", "%", "//"):
        yield Formula("-", parts)
    if kind in ("floor", "ceil", "int", "round") and parts[0].kind == "/":
        yield Formula("-", parts[0].parts)
    if kind in ("abs", "int", "**"):
        yield parts[0]
    if kind == "-":
        yield formula
    for part in parts:
        yield from _choices(part)


def _crossing(program: Program, place: int, places: Places, symbol: str) -> Iterator[Array]:
    """Bisect for values of a symbol after which the sign of an instruction changes."""
    count = len(places[symbol])
    low = np.full(count, LEAST[symbol], np.int64)
    high = np.full(count, 1 << LARGEST, np.int64)

    def positive(at: Array) -> Array:
        values, _ = evaluate_exactly(program, places | {symbol: at}, count)
        return (values[place] > 0).astype(bool)

    first = positive(low)
    if (first == positive(high)).all():
        return
    for _ in range(LARGEST):
        middle = (low + high) // 2
        same = positive(middle) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    yield low


def _allowed(places: Places, setting: Setting, given: Sequence[Condition]) -> Array:
    """Say where there is a layer that satisfies the conditions, exactly."""
    count = len(next(iter(places.values()))) if places else 1
    good = np.ones(count, bool)
    for limit in setting.legal():
        value, there = values_at(limit, places, count)
        good &= there & (value[0] >= 0).astype(bool)
    for condition in given:
        value, there = values_at(setting.fill(condition.vanishing), places, count)
        holds = value[0] >= 0 if condition.relation == "<=" else value[0] == 0
        good &= there & holds.astype(bool)
    return good


def values_at(formula: Formula, places: Places, count: int) -> tuple[tuple[Array, Array], Array]:
    """Return numerators and denominators of a formula at places, and where it has a value."""
    program = Program()
    ratio = program.lower(formula)
    values, there = evaluate_exactly(program, places, count)
    exists = there[ratio.numerator] & there[ratio.denominator]
    return (values[ratio.numerator], values[ratio.denominator]), exists


def compare(first: Formula, second: Formula, places: Places, count: int) -> Array:
    """Say where two formulas are equal, exactly; nowhere where one has no value."""
    program = Program()
    left, right = program.difference(first, second)
    values, there = evaluate_exactly(program, places, count)
    same: Array = there[left] & there[right] & (values[left] == values[right]).astype(bool)
    return same


def _those(places: Places, chosen: Array) -> Places:
    """Return the places that are chosen, each once, those of a small sum first."""
    if not places:
        return places
    table = np.unique(np.column_stack([array[chosen] for array in places.values()]), axis=0)
    table = table[np.argsort(table.sum(1), kind="stable")]
    return dict(zip(places, table.T, strict=True))
