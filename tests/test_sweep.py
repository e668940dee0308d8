"""Comparing formulas at many sizes: the sweep of a box, single places, and fractions agree."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from test_formulas import trees

from convmat.proof.sizes import instructions, search
from convmat.proof.sizes.instructions import EXACT, OPERATIONS, Table, bounds, evaluate, sweep
from convmat.proof.sizes.search import Agreement
from convmat.proof.sizes.settings import Setting
from convmat.symbolic.formulas.programs import Program
from convmat.symbolic.formulas.reading import read_formula
from convmat.symbolic.formulas.tree import Undefined, names_of

NAMES = ("p", "s", "k", "n")
LOWS = (0, 1, 1, 1)
COUNTS = (3, 3, 3, 7)
SIZE = "(n + 2*p - k)//s + 1"
ROOM = "n + 2*p - k"


def compiled(first, second, *limits):
    program = Program()
    equal = program.difference(first, second)
    conditions = [program.lower(read_formula(limit)).numerator for limit in limits]
    code = [
        (OPERATIONS.index(kind), NAMES.index(a) if kind == "name" else a, b)
        for kind, a, b in program.code
    ]
    return Table(np.array(code, np.int64), equal, np.array(conditions, np.int64))


def places(lows=LOWS, counts=COUNTS):
    ranges = [range(low, low + count) for low, count in zip(lows, counts, strict=True)]
    return np.array(list(itertools.product(*ranges)))


def exact(tree, place):
    try:
        return tree.evaluate(dict(zip(NAMES, map(int, place), strict=True)))
    except Undefined:
        return None


@settings(max_examples=150)
@given(trees())
def test_sweep_places_and_fractions_agree(tree):
    size = read_formula(SIZE)
    table = compiled(tree, size, ROOM)
    if bounds(table, LOWS, COUNTS) >= EXACT:
        with pytest.raises(OverflowError):
            sweep(table, LOWS, COUNTS)
        return
    where = places()
    there, same = evaluate(table, where.T, (len(where),))
    inside = [n + 2 * p >= k for p, s, k, n in where]
    assert there.tolist() == inside
    wanted = [exact(tree, place) == exact(size, place) for place in where]
    assert same[there].tolist() == [w for w, i in zip(wanted, inside, strict=True) if i]
    found = sweep(table, LOWS, COUNTS)
    wrong = where[there & ~same]
    assert (found.compared, found.different) == (there.sum(), len(wrong))
    if len(wrong):
        assert sum(found.place) == wrong.sum(1).min()
        assert found.place in set(map(tuple, wrong.tolist()))
    else:
        assert found.place is None


@pytest.mark.parametrize("block", [1, 8, 40, 70, 10_000])
@pytest.mark.parametrize("text", ["(n + 2*p - k)/s + 1", "n//(k - 1)", "min(n//(k - 2), 1)"])
def test_blocks_of_any_size_find_the_same(monkeypatch, block, text):
    table = compiled(read_formula(text), read_formula(SIZE), ROOM)
    counts = (3, 5, 7, 9)
    where = places(LOWS, counts)
    there, same = evaluate(table, where.T, (len(where),))
    wrong = sorted(where[there & ~same].tolist(), key=lambda place: (sum(place), place))
    monkeypatch.setattr(instructions, "BLOCK", block)
    found = sweep(table, LOWS, counts)
    assert found == (there.sum(), len(wrong), tuple(wrong[0]))


def test_one_place_is_a_box():
    table = compiled(read_formula("n"), read_formula(SIZE), ROOM)
    assert sweep(table, (0, 2, 1, 3), (1, 1, 1, 1)) == (1, 1, (0, 2, 1, 3))


@pytest.mark.parametrize(
    ("layer", "formula", "least"),
    [
        ("conv", "n + s + p", 5_000_000),
        ("conv_transpose", "n + s + p", 40_000_000),
        ("conv_transpose", "n + s + p0", 20_000_000),
    ],
)
def test_boxes_are_as_large_as_seconds_allow(monkeypatch, layer, formula, least):
    monkeypatch.setattr(search, "sweep", lambda *box: np.prod(box[2]))
    tree = read_formula(formula)
    places, box = Agreement(tree, Setting.of(names_of(tree), layer, None, {}), ()).far()
    assert least < places <= search.SWEPT
    assert box["n"] == (1, 194)


def test_numbers_beyond_exactness_are_refused():
    size = read_formula(SIZE)
    for text in ("n**8 * 999999999", "999999999*999999999*n", "(n + 2*p - k)//s + 10**8*10**8"):
        table = compiled(read_formula(text), size, ROOM)
        assert bounds(table, LOWS, (3, 3, 3, 700)) >= EXACT
        with pytest.raises(OverflowError, match="exact"):
            sweep(table, LOWS, (3, 3, 3, 700))


@given(trees())
def test_bounds_are_bounds(tree):
    table = compiled(tree, read_formula(SIZE))
    most = bounds(table, LOWS, COUNTS)
    program = Program()
    program.difference(tree, read_formula(SIZE))
    for place in places()[::5]:
        values: list[int | None] = []
        for kind, a, b in program.code:
            value: int | None
            if kind == "number":
                value = a
            elif kind == "name":
                value = int(place[NAMES.index(a)])
            else:
                x, y = values[a], values[b]
                if x is None or y is None or (kind == "floor" and y < 1):
                    value = None
                elif kind == "sign":
                    value = None if x == 0 else 1 if x > 0 else -1
                else:
                    value = {
                        "+": x + y, "-": x - y, "*": x * y, "min": min(x, y), "max": max(x, y),
                        "floor": x // y if y else 0,
                    }[kind]  # fmt: skip
            values.append(value)
            assert value is None or abs(value) <= most


def test_large_quotients_are_rounded_down_right():
    top = 10**9
    table = compiled(
        read_formula(f"({top}*k + n)//(s*999983)"), read_formula(f"floor(({top}*k + n)/s/999983)")
    )
    lows, counts = (0, 1, 4_000_000, 1), (1, 50, 20, 50)
    assert bounds(table, lows, counts) >= EXACT // 2
    if bounds(table, lows, counts) < EXACT:
        assert sweep(table, lows, counts).different == 0
    where = places(lows, counts)
    there, same = evaluate(table, where.T, (len(where),))
    assert there.all()
    assert same.all()
    for _, s, k, n in where[::371].tolist():
        assert (top * k + n) // (s * 999983) == int(np.floor(float(top * k + n) / (s * 999983)))
