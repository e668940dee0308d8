"""Functions as formulas: bounded in sizes and time, stopped where they fail, each branch tried."""

from __future__ import annotations

import json
import math
import threading
import time

import numpy as np
import pytest

import convmat as cm
from convmat import GeometryError
from convmat.proof import Proof, SizeCounterexample, Unproved
from convmat.proof.verifying import functions
from convmat.proof.verifying.watching import TookTooLong, within
from convmat.symbolic.formulas.branches import branches
from convmat.symbolic.formulas.tracing import trace


def right_size(n, k, s=1, p=0, d=1):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


# Sizes


def recorder(build):
    """Return a function that runs a layer, and the sizes at which it was called."""
    seen = []

    def function(n, k, s, p, d):
        if isinstance(n, int):
            seen.append((n, k, s, p, d))
        return build(n, k, s, p, d)

    return function, seen


def in_memory(n, k, s, p, d):
    """Run the layer: one number for each padded input and each entry of the window."""
    x, window = np.zeros(n + 2 * p), np.zeros(d * (k - 1) + 1)
    return len(np.convolve(x, window, "valid")[::s])


def by_loops(n, k, s, p, d):
    return sum(start + d * (k - 1) + 1 <= n + 2 * p for start in range(0, n + 2 * p, s))


def by_ones(n, k, s, p, d):
    x = np.ones(int(n))
    return right_size(len(x), k, s, p, d)


@pytest.mark.parametrize("build", [in_memory, by_loops, by_ones])
@pytest.mark.parametrize("largest", [None, 30])
def test_a_function_that_runs_a_layer_is_called_at_small_sizes(build, largest):
    function, seen = recorder(build)
    answer = cm.verify_output_size(function, sizes=largest)
    assert isinstance(answer, Unproved)
    assert answer.compared == len(seen) > 100
    bound = largest or functions.SMALL
    for n, k, s, p, d in seen:
        assert max(n + 2 * p, s, d * (k - 1) + 1, right_size(n, k, s, p, d)) <= bound
    assert max(n for n, *_ in seen) > bound // 8
    assert "it needs numbers" in answer.untraced
    assert answer.untraced in str(answer)
    assert f"up to {bound}" in str(answer)


@pytest.mark.parametrize(
    ("layer", "options"), [("conv_transpose", {}), ("full", {}), ("upsample", {"r": 8}),
                           ("pad", {}), ("conv", {"k": 3, "s": 1, "p": 1, "d": 1})],
)  # fmt: skip
def test_outputs_are_bounded_too(layer, options, monkeypatch):
    monkeypatch.setattr(functions, "SECONDS", 0.3)
    given = {"n": 1, "k": 1, "s": 1, "p": 0, "d": 1, "a": 0} | options
    largest = []

    def anything(n):
        largest.append(n)
        return len(np.empty(n))

    answer = cm.verify_output_size(anything, layer, **options, given=["1 <= n"])
    assert isinstance(answer, (Unproved, SizeCounterexample))
    assert max(value for value in largest if isinstance(value, int)) <= 256 // given.get("r", 1)


def test_larger_sizes_are_called_where_they_are_asked_for():
    function, seen = recorder(by_ones)
    cm.verify_output_size(function, sizes=5_000)
    assert 256 < max(n for n, *_ in seen) <= 5_000


def test_arithmetic_is_called_at_large_sizes_and_can_be_bounded():
    seen = []

    def arithmetic(n, k, s, p, d):
        if isinstance(n, int):
            seen.append(n)
        return right_size(n, k, s, p, d)

    assert isinstance(cm.verify_output_size(arithmetic), Proof)
    assert max(seen) > 2**32
    seen.clear()
    assert isinstance(cm.verify_output_size(arithmetic, sizes=50), Proof)
    assert max(seen) <= 50


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("n", {"sizes": 20}, "belongs to functions"),
        (by_loops, {"sizes": 0}, "at least 1"),
        (by_loops, {"sizes": 2.5}, "integer"),
        (by_loops, {"sizes": True}, "boolean"),
        (by_loops, {"given": ["1000 <= n"]}, "no layer with such sizes was found"),
    ],
)
def test_bounds_that_cannot_be_are_refused(formula, options, message):
    with pytest.raises(GeometryError, match=message):
        cm.verify_output_size(formula, **options)


# Where it stops


def test_an_exception_stops_it_and_is_a_counterexample():
    calls = []

    def raises(n, k, s, p, d):
        calls.append(n)
        if n > 40:
            raise ValueError("too\nlarge")
        return right_size(n, k, s, p, d)

    answer = cm.verify_output_size(raises)
    assert isinstance(answer, SizeCounterexample)
    assert answer.first is None
    assert answer.at["n"] == calls[-1] > 40  # not called again
    assert answer.second == right_size(**answer.at)
    assert "it raised ValueError (too large)" in answer.reason


def test_used_up_memory_stops_it_and_refutes_nothing():
    def allocates(n, k, s, p, d):
        if n > 7:
            raise MemoryError
        return right_size(n, k, s, p, d)

    answer = cm.verify_output_size(allocates)
    assert isinstance(answer, Unproved)
    assert "the memory was used up, at n = " in answer.stopped
    assert answer.stopped in str(answer)
    assert json.loads(answer.to_json())["stopped"] == answer.stopped


def test_slow_functions_are_stopped_between_calls():
    def slow(n, k, s, p, d):
        time.sleep(0.05)
        return by_loops(n, k, s, p, d)

    begun = time.monotonic()
    answer = cm.verify_output_size(slow)
    assert isinstance(answer, Unproved)
    assert 5 < answer.compared <= 41
    assert "2 seconds were over, at n = " in answer.stopped
    assert time.monotonic() - begun < 40  # on a machine that others use, too


def test_a_call_that_does_not_return_is_interrupted(monkeypatch):
    monkeypatch.setattr(functions, "PATIENCE", 1.0)
    running = []

    def hangs(n, k, s, p, d):
        while isinstance(n, int) and n == 9:
            running.append(time.monotonic())
        return by_loops(n, k, s, p, d)

    answer = cm.verify_output_size(hangs)
    assert isinstance(answer, Unproved)
    assert "did not return in 1 seconds, at n = 9" in answer.stopped
    count = len(running)
    time.sleep(0.05)
    assert len(running) == count > 0


def test_calls_within_a_time():
    assert within(5, lambda: 7) == 7
    with pytest.raises(KeyError, match="x"):
        within(5, lambda: {}["x"])
    alive = threading.active_count()
    with pytest.raises(TookTooLong, match=r"0\.1 seconds"):
        within(0.1, lambda: [time.sleep(0.01) for _ in range(10_000)])
    assert threading.active_count() == alive


# Branches


def by_stride(n, k, s, p, d):
    return n + 2 * p - d * (k - 1) if s == 1 else right_size(n, k, s, p, d)


def by_padding(n, k, s, p, d):
    if not p:
        return right_size(n, k, s, 0, d)
    if k % 2 == 0 and 2 <= s < 5:
        return math.ceil((n + 2 * p - d * (k - 1)) / s)
    return right_size(n, k, s, p, d)


def by_remainder(n, k, s, p, d):
    return right_size(n, k, s, p, d) + (1 if n % 3 == 3 else 0)


def test_each_branch_is_proved_under_its_conditions():
    for function, count in ((by_stride, 2), (by_padding, 4)):
        answer = cm.verify_output_size(function)
        assert isinstance(answer, Unproved)
        assert not answer
        assert answer.untraced == "it decides about its arguments"
        assert len(answer.branches) >= count
        for way in answer.branches:
            assert isinstance(way.answer, Proof)
            assert way.answer.check()
            assert way.conditions in str(way.answer)
            assert f"{way}" in str(answer)
        assert json.loads(answer.to_json())["branches"] == [str(way) for way in answer.branches]


def rare_stride(n, k, s, p, d):
    return right_size(n, k, s, p, d) + 1 if s == 97 else right_size(n, k, s, p, d)


def rare_size(n, k, s, p, d):
    return right_size(n, k, s, p, d) - 1 if n == 123456789 and s > 70 else right_size(n, k, s, p, d)


def rare_remainder(n, k, s, p, d):
    return right_size(n, k, s, p, d) + int(n % 4 != 0 and d > 40 and p >= 33)


@pytest.mark.parametrize("function", [rare_stride, rare_size, rare_remainder])
def test_a_branch_that_is_wrong_is_found_however_rare_it_is(function):
    answer = cm.verify_output_size(function)
    assert isinstance(answer, SizeCounterexample)
    assert answer.first == function(**answer.at) != right_size(**answer.at) == answer.second
    assert function.__name__ in answer.claim


def test_branches_that_are_no_expressions_are_told():
    def loops(n, k, s, p, d):
        count = 0
        while n + 2 * p > d * (k - 1) + count * s:
            count += 1
        return count

    answer = cm.verify_output_size(loops)
    assert isinstance(answer, Unproved)
    assert "not all of its branches could be traced" in str(answer)
    assert f"up to {functions.SMALL}" in str(answer)  # it might do anything


def test_branches_that_cannot_be_tried_are_only_compared():
    def by_multiple(n, s):
        return n // s if n % s == 0 else n // s + 1

    answer = cm.verify_output_size(by_multiple, "same")
    assert isinstance(answer, Unproved)
    tried = {way.conditions: way.answer for way in answer.branches}
    assert isinstance(tried["s | n"], Proof)
    assert "not tried, only compared" in str(answer)


def test_every_way_is_followed_once_and_they_exclude_each_other():
    found, whole = branches(by_padding)
    assert whole
    cases = [case for branch in found for case in branch.cases]
    for n in range(1, 9):
        for k, s, p in ((1, 1, 0), (2, 2, 1), (3, 4, 0), (4, 5, 2), (4, 3, 2), (5, 1, 1)):
            at = {"n": n, "k": k, "s": s, "p": p, "d": 2}
            holding = [all(c.holds_at(at) for c in case) for case in cases]
            assert sum(holding) == 1
            (branch,) = (b for b in found if any(all(c.holds_at(at) for c in x) for x in b.cases))
            assert branch.formula.evaluate(at) == by_padding(**at)


def test_min_and_max_are_expressions():
    tree = trace(lambda n, k, p: max(0, min(n, k, 3) + 2 * p))
    assert str(tree) == "max(0, min(min(n, k), 3) + 2*p)"
    assert str(trace(lambda n: max([n, 4]))) == "max(n, 4)"
    proof = cm.verify_output_size(lambda n, k, s, p, d: max(0, right_size(n, k, s, p, d)))
    assert isinstance(proof, Proof)
    assert proof.check()
    assert trace(lambda n: n + max(2, 3, key=abs) + min([], default=1)) is not None
