"""Solving for parameters against brute force over all small parameters and many sizes."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import naive
import numpy as np
import pytest
import sympy

import convmat as cm
from convmat import GeometryError
from convmat.certificates.theorems.solving import SOLVING_THEOREMS
from convmat.geometry.sizes import pool_padding_room

# (kernel, stride, dilation, low, high, output padding)
Parameters = tuple[int, int, int, int, int, int]

GOALS: dict[str, tuple[dict[str, Any], list[tuple[int, int]]]] = {
    "keep": ({"goal": "keep"}, [(n, n) for n in range(1, 33)]),
    "halve": ({"goal": "halve"}, [(2 * q, q) for q in range(1, 17)]),
    "double": ({"goal": "double"}, [(n, 2 * n) for n in range(1, 17)]),
    "divide by 3": ({"goal": "divide", "factor": 3}, [(3 * q, q) for q in range(1, 12)]),
    "multiply by 3": ({"goal": "multiply", "factor": 3}, [(n, 3 * n) for n in range(1, 12)]),
    "multiply by 1": ({"goal": "multiply", "factor": 1}, [(n, n) for n in range(1, 33)]),
    **{
        f"{n} to {m}": ({"in_size": n, "out_size": m}, [(n, m)])
        for n, m in ((7, 3), (5, 5), (1, 1), (4, 1), (3, 9), (2, 7), (1, 4))
    },
}
KINDS = (("conv", False), ("pool", False), ("pool", True), ("conv_transpose", False))
LIMITS = {"kernel": 6, "stride": 4, "dilation": 3, "padding": 4}


def size(kind: str, ceil_mode: bool, n: int, parameters: Parameters) -> int:
    """Count outputs one by one, or measure the stretched line."""
    k, s, d, low, high, a = parameters
    if kind == "conv_transpose":
        line = naive.insert_zeros(np.zeros((1, n)), [s]).shape[1] + 2 * d * (k - 1)
        return int(max(0, line - low - high + a - d * (k - 1)))
    if not ceil_mode:
        return naive.windows_that_fit(n, k, s, (low, high), d)
    if d * (k - 1) + 1 >= n + low + high + s:
        return 0  # even the first window overhangs by a stride: no such layer
    return naive.pooling_windows(n, k, s, (low, high), d)


def small(kind: str) -> Iterator[Parameters]:
    k, s, d, p = (
        range(1, LIMITS[name] + 1) for name in ("kernel", "stride", "dilation", "padding")
    )
    for kernel, stride, dilation in itertools.product(k, s, d):
        extras = range(max(stride, dilation)) if kind == "conv_transpose" else (0,)
        for low, high, a in itertools.product((0, *p), (0, *p), extras):
            if kind == "pool" and 2 * max(low, high) > dilation * (kernel - 1) + 1:
                continue
            yield kernel, stride, dilation, low, high, a


@cache
def brute(kind: str, ceil_mode: bool, goal: str) -> frozenset[Parameters]:
    """Return all small parameters that do what the goal says."""
    pairs = GOALS[goal][1]
    # The largest size first: it rules out most.
    return frozenset(
        parameters
        for parameters in small(kind)
        if all(size(kind, ceil_mode, n, parameters) == m for n, m in reversed(pairs))
    )


def key(example: dict[str, Any]) -> Parameters:
    padding = example["padding"]
    low, high = padding if isinstance(padding, tuple) else (padding, padding)
    return (
        example["kernel"], example["stride"], example["dilation"], low, high,
        example.get("output_padding", 0),
    )  # fmt: skip


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize(("kind", "ceil_mode"), KINDS)
def test_none_missed_and_none_wrong(kind: str, ceil_mode: bool, goal: str) -> None:
    wanted = brute(kind, ceil_mode, goal)
    for padding in (None, "equal"):
        wish = {**GOALS[goal][0], "padding": padding, "ceil_mode": ceil_mode}
        solution = cm.solve_layer(kind, **wish)
        even = {p for p in wanted if padding is None or p[3] == p[4]}
        assert {key(example) for example in solution.enumerate(**LIMITS)} == even
        assert bool(solution) or not even
        assert of_families(solution) == even


def of_families(solution: Any) -> set[Parameters]:
    """Return the small solutions that the families give."""
    found: set[Parameters] = set()
    values = {"k": range(1, 7), "s": range(1, 5), "d": range(1, 4), "p": range(5)}
    values |= {"p0": range(5), "p1": range(5), "a": range(4), "t": range(4)}
    modules: Any = [{"gcd": math.gcd}, "math"]
    for family in solution.families:
        free = (*family.free, *family.idle)
        meets = sympy.lambdify(free, sympy.And(*family.conditions), modules=modules)
        rest = sympy.lambdify(free, list(family.values.values()))
        names = [str(symbol) for symbol in free]
        for numbers in itertools.product(*(values[name] for name in names)):
            if meets(*numbers):
                known: dict[str, Any] = dict(
                    zip(map(str, family.values), rest(*numbers), strict=True)
                )
                known |= {**solution.determined, **dict(zip(names, numbers, strict=True))}
                low, high = (known[name if name in known else "p"] for name in ("p0", "p1"))
                one = (known["k"], known["s"], known["d"], low, high, known.get("a", 0))
                assert all(number == int(number) >= 0 for number in one)
                found.add(one)
    return {p for p in found if p[0] <= 6 and p[1] <= 4 and p[2] <= 3 and max(p[3:5]) <= 4}


def padded_so(parameters: Parameters, padding: Any) -> bool:
    low, high = parameters[3:5]
    if padding is None or padding == "equal":
        return padding is None or low == high
    return (low, high) == (padding if isinstance(padding, tuple) else (padding, padding))


def uniform(parameters: Parameters) -> bool:
    k, s, d, *_ = parameters
    taps = [sum((d * j - phase) % s == 0 for j in range(k)) for phase in range(s)]
    return len(set(taps)) == 1


@pytest.mark.parametrize("seed", range(8))
def test_given_parameters_and_no_checkerboard(seed: int) -> None:
    """Random wishes: the same solutions as brute force; empty answers are true everywhere."""
    rng = random.Random(seed)
    for _ in range(12):
        kind, ceil_mode = rng.choice(KINDS)
        goal = rng.choice(list(GOALS))
        given: dict[str, Any] = {
            name: rng.randint(1, most)
            for name, most in (("kernel", 6), ("stride", 4), ("dilation", 3))
            if rng.random() < 0.4
        }
        if kind == "conv_transpose" and rng.random() < 0.4:
            given["output_padding"] = rng.randint(0, 3)
        padding = rng.choice([None, "equal", 0, 1, (0, 1), (2, 1)])
        checkerboard = rng.random() < 0.5
        solution = cm.solve_layer(
            kind, **GOALS[goal][0], **given, padding=padding, ceil_mode=ceil_mode,
            checkerboard=checkerboard,
        )  # fmt: skip
        places = {"kernel": 0, "stride": 1, "dilation": 2, "output_padding": 5}

        wanted = {
            p
            for p in brute(kind, ceil_mode, goal)
            if padded_so(p, padding)
            and all(p[places[name]] == value for name, value in given.items())
            and (checkerboard or uniform(p))
        }
        assert {key(example) for example in solution.enumerate(**LIMITS)} == wanted
        if solution:
            (first, *_) = solution.examples
            assert all(size(kind, ceil_mode, n, key(first)) == m for n, m in GOALS[goal][1])
            assert solution.contains(**first)
        else:
            assert solution.reason
            assert not wanted


def test_uniform_overlap_condition() -> None:
    """Every phase gets as many taps exactly if the stride divides k and shares nothing with d."""
    for k, s, d in itertools.product(range(1, 13), range(1, 7), range(1, 7)):
        same = k % (s // math.gcd(s, d)) == 0 and math.gcd(s, d) == 1
        assert uniform((k, s, d, 0, 0, 0)) == same


def test_doubling_as_in_the_guide() -> None:
    """k = s + 2p - a where dilation is 1."""
    solution = cm.solve_layer("conv_transpose", goal="double", dilation=1, padding="equal")
    k, p, a = (next(x for x in solution.unknown if str(x) == name) for name in ("k", "p", "a"))
    (family,) = solution.families
    assert family.values[k] == 2 + 2 * p - a
    plain = cm.solve_layer("conv_transpose", goal="double", stride=2)
    assert {key(e) for e in plain.enumerate(**LIMITS)} == brute("conv_transpose", False, "double")


def test_parity_is_left_to_the_output_padding() -> None:
    """Equal paddings that add up to 1 do not exist; with one more row they add up to 2."""
    window: dict[str, Any] = {"kernel": 3, "stride": 2, "dilation": 1}
    solution = cm.solve_layer("conv_transpose", in_size=3, out_size=6, padding="equal", **window)
    assert solution.examples == ({**window, "padding": 1, "output_padding": 1},)


def test_examples_are_layers() -> None:
    for example in cm.solve_layer("conv", in_size=28, out_size=14).examples:
        padding = example.pop("padding")
        pads = (padding if isinstance(padding, tuple) else (padding, padding),)
        weight = np.ones((1, 1, example.pop("kernel")))
        assert cm.conv(weight, (1, 28), padding=pads, **example).out_shape == (1, 14)
    for example in cm.solve_layer("conv_transpose", "double", checkerboard=False).examples:
        padding = example.pop("padding")
        pads = (padding if isinstance(padding, tuple) else (padding, padding),)
        layer = cm.conv_transpose(
            np.ones((1, 1, example.pop("kernel"))), (1, 40), padding=pads, **example
        )
        columns = layer(np.ones((1, 40)))[0, 30:-30]
        assert layer.out_shape == (1, 80)
        assert len(set(columns)) == 1


@pytest.mark.parametrize("given", [{}, {"kernel": 1}, {"kernel": 1, "padding": "equal"}])
@pytest.mark.parametrize("goal", ["keep", "halve", "double"])
@pytest.mark.parametrize(("kind", "ceil_mode"), KINDS)
def test_families_have_no_idle_parameter(
    kind: str, ceil_mode: bool, goal: str, given: dict[str, Any]
) -> None:
    """Every free parameter occurs, and none is left that only one value fits."""
    for family in cm.solve_layer(kind, goal, ceil_mode=ceil_mode, **given).families:
        said = (*family.values.values(), *family.conditions)
        symbols: set[Any] = set().union(*(expression.free_symbols for expression in said))
        assert set(family.free) <= symbols
        assert not symbols & set(family.idle)
        values = {"k": range(1, 5), "d": range(1, 6)}
        grid = [values.get(str(symbol), range(4)) for symbol in family.free]
        meets = sympy.lambdify(
            family.free, sympy.And(*family.conditions), modules=[{"gcd": math.gcd}, "math"]
        )
        good = [numbers for numbers in itertools.product(*grid) if meets(*numbers)]
        for column in zip(*good, strict=True):
            assert len(set(column)) > 1, family


def test_what_does_not_matter_is_said() -> None:
    (family,) = cm.solve_layer("conv", "halve", kernel=1).families
    assert str(family) == "s = 2, p1 = 0, p0 = 0; d may be anything"
    assert family.free == ()
    (family,) = cm.solve_layer("conv_transpose", "double", kernel=1, padding=0).families
    assert str(family) == "s = 2, a = 1; d may be anything"


def test_poolings_are_those_that_frameworks_take() -> None:
    """The padding of either end by itself is at most half of the window, dilation included."""
    found = cm.solve_layer("pool", in_size=6, out_size=6, kernel=3, stride=1)
    seen = {key(example)[2:5] for example in found.enumerate(**LIMITS)}
    assert (2, 2, 2) in seen
    assert all(min(pool_padding_room(3, (low, high), d)) >= 0 for d, low, high in seen)
    assert not cm.solve_layer("pool", in_size=6, out_size=6, kernel=2, stride=1, padding=(2, 0))


def test_odd_sizes() -> None:
    solution = cm.solve_layer("conv", goal="halve")
    (remark,) = solution.remarks
    assert "odd n" in remark
    for example in solution.enumerate(5, 2, 2, 3):
        k, s, d, low, high, _ = key(example)
        up = low + high == d * (k - 1)
        for n in (3, 5, 11):
            assert naive.windows_that_fit(n, k, s, (low, high), d) == (n + up) // 2


def test_symbolic_factor_and_sizes() -> None:
    solution = cm.solve_layer("conv_transpose", goal="multiply")
    assert solution.contains(kernel=6, stride=3, padding=(1, 2))
    assert not solution.contains(kernel=6, stride=3, padding=1)
    assert all(
        size("conv_transpose", False, 5, key(e)) == 5 * e["stride"] for e in solution.examples
    )
    wide = {"kernel": 10, "dilation": 10, "padding": 0}
    for kind, goal in (("conv", "divide"), ("conv_transpose", "multiply")):
        (example,) = cm.solve_layer(kind, goal=goal, **wide).examples  # type: ignore[arg-type]  # keywords of its own
        assert example["stride"] == 91 if kind == "conv" else example["stride"] <= 91
    n, m = sympy.symbols("n m", integer=True, positive=True)
    reaching = cm.solve_layer("conv", in_size=n, out_size=m, dilation=1)
    assert reaching.open_sizes
    assert not reaching.examples
    put = {n: 28, m: 14}
    numbers = cm.solve_layer("conv", in_size=28, out_size=14, dilation=1).conditions
    for general, special in zip(reaching.conditions, numbers, strict=True):
        assert sympy.expand((general.lhs - general.rhs).subs(put) - special.lhs + special.rhs) == 0


@pytest.mark.parametrize(
    ("kind", "wish", "word"),
    [
        ("conv", {"goal": "double"}, "has more outputs"),
        ("conv_transpose", {"goal": "halve"}, "has fewer outputs"),
        ("conv", {"goal": "keep", "stride": 2}, "stride 1"),
        ("conv", {"goal": "keep", "kernel": 2, "dilation": 1, "padding": "equal"}, "d*(k - 1)"),
        ("conv", {"in_size": 4, "out_size": 9, "padding": 1}, "p0 + p1"),
        ("conv_transpose", {"goal": "double", "kernel": 3, "checkerboard": False}, "Mod(k, 2)"),
    ],
)
def test_contradictions_say_why(kind: str, wish: dict[str, Any], word: str) -> None:
    solution = cm.solve_layer(kind, **wish)
    assert not solution
    assert solution.conditions == (sympy.false,)
    assert word in str(solution)
    assert not solution.examples
    assert not solution.families


def test_lemmas_are_followed_by_the_checker() -> None:
    used: set[str] = set()
    for kind, wish in (("conv", {"goal": "halve"}), ("conv_transpose", {"goal": "double"})):
        solution = cm.solve_layer(kind, **wish)  # type: ignore[arg-type]  # keywords of its own
        assert solution.check()
        used |= set(solution.lemmas)
    assert used == set(SOLVING_THEOREMS)


def test_text_and_latex() -> None:
    solution = cm.solve_layer("conv", goal="halve")
    assert "s = 2" in str(solution)
    assert "exactly if" in str(solution)
    assert r"\geq" in solution.latex()
    assert solution._repr_latex_().startswith("$")
    assert all(family.latex() for family in solution.families)
    assert any("slope" in step for step in solution.steps)
    smooth = cm.solve_layer("conv_transpose", in_size=3, out_size=9, checkerboard=False)
    assert r"\gcd" in smooth.latex()


@pytest.mark.parametrize(
    "wish",
    [
        {"layer": "dense", "goal": "keep"},
        {"layer": "conv", "goal": "treble"},
        {"layer": "conv"},
        {"layer": "conv", "in_size": 3},
        {"layer": "conv", "in_size": 0, "out_size": 1},
        {"layer": "conv", "goal": "keep", "in_size": 3},
        {"layer": "conv", "goal": "keep", "factor": 3},
        {"layer": "conv", "in_size": 3, "out_size": 3, "factor": 3},
        {"layer": "conv", "goal": "divide", "factor": 0},
        {"layer": "conv", "goal": "divide", "factor": 1.5},
        {"layer": "conv", "goal": "keep", "kernel": 0},
        {"layer": "conv", "goal": "keep", "padding": -1},
        {"layer": "conv", "goal": "keep", "padding": "same"},
        {"layer": "conv", "goal": "keep", "padding": (1, 2, 3)},
        {"layer": "conv", "goal": "keep", "output_padding": 0},
        {"layer": "conv", "goal": "keep", "ceil_mode": True},
        {"layer": "conv", "goal": "keep", "checkerboard": 1},
    ],
)
def test_bad_input(wish: dict[str, Any]) -> None:
    with pytest.raises(GeometryError):
        cm.solve_layer(**wish)


def test_bad_questions() -> None:
    solution = cm.solve_layer("conv", goal="halve")
    for parameters in ({}, {"kernel": 0}, {"kernel": 3, "colour": 1}, {"kernel": 3, "padding": -1}):
        with pytest.raises(GeometryError):
            solution.contains(**parameters)
