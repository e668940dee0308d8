"""Verifying size formulas: proved, restricted, refuted or swept, and never wrongly proved."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import convmat as cm
from convmat import GeometryError
from convmat.cli.commands import main
from convmat.proof import Proof, Refused, SizeCounterexample, Unproved, load
from convmat.proof.sizes.settings import LAYERS, Setting
from convmat.symbolic.formulas.conditions import read_condition
from convmat.symbolic.formulas.reading import read_formula
from convmat.symbolic.formulas.tree import Formula, Undefined

CONV = "floor((n + 2*p - d*(k - 1) - 1)/s) + 1"
TRANSPOSED = "s*(n - 1) + d*(k - 1) + 1 - 2*p + a"


# What layers do, restated by counting


def windows(n, k, s, d, low, high, *, overhang=False):
    """Count the windows inside the padded input; or, overhanging, those that begin before n."""
    span = d * (k - 1) + 1
    starts = range(0, n + low + high, s)
    if not overhang:
        return sum(start + span <= n + low + high for start in starts)
    reach = n + low + high + s - 1  # a window may overhang by less than the stride
    return sum(start + span <= reach and start < n + low for start in starts)


def counted(layer, n, k=1, s=1, p=0, d=1, a=0, u=1, v=1):  # noqa: PLR0911, one for each layer
    """Return the number of outputs, None if there is no such layer."""
    span = d * (k - 1) + 1
    if layer in ("conv", "unfold", "pool", "valid"):
        low = 0 if layer == "valid" else p
        if layer == "pool" and 2 * p > span:
            return None
        return windows(n, k, s, d, low, low) or None
    if layer == "pool, ceil_mode":
        return None if 2 * p > span else windows(n, k, s, d, p, p, overhang=True) or None
    if layer == "full":
        return windows(n, k, s, d, span - 1, span - 1)
    if layer == "same":
        return len(range(0, n, s))  # one output for every s inputs begun
    if layer == "pad":
        return n + 2 * p
    if layer == "upsample":
        return n * u // v or None
    line = s * (n - 1) + 1 + 2 * (span - 1 - p) + a  # zeros inserted, padded
    return max(line - span + 1, 0) or None if a < max(s, d) else None


RANGES = {
    "n": (1, 9),
    "k": (1, 4),
    "s": (1, 4),
    "p": (0, 3),
    "d": (1, 3),
    "a": (0, 2),
    "u": (1, 4),
    "v": (1, 3),
}


def grid(names):
    for values in itertools.product(*(range(a, b + 1) for a, b in (RANGES[n] for n in names))):
        yield dict(zip(names, values, strict=True))


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_are_what_is_counted(layer):
    ceil_mode = True if "ceil" in layer else None
    setting = Setting.of(frozenset(), layer.split(",")[0], ceil_mode, {})
    seen = 0
    for values in grid(setting.symbols):
        wanted = counted(layer, **values)
        legal = all(limit.evaluate(values) >= 0 for limit in setting.legal())
        assert legal == (wanted is not None), values
        if wanted is not None:
            seen += 1
            assert setting.size.evaluate(values) == wanted, values
            assert setting.size_at(values) == wanted, values
    assert seen >= 20


# Right formulas

RIGHT = [
    (CONV, "conv", {}),
    ("(n + 2*p - d*(k - 1) - 1)//s + 1", "conv", {}),
    ("floor((n + 2*p - d*(k - 1) - 1 + s)/s)", "conv", {}),
    ("ceil((n + 2*p - d*(k - 1))/s)", "conv", {}),
    ("int((n + 2*p - d*(k - 1) - 1)/s + 1)", "conv", {}),
    ("int((n + 2*p - d*(k - 1) - 1)/s) + 1", "conv", {}),
    ("(H + 2*pad - (dilation*(kernel_size - 1) + 1))//stride + 1", "conv", {}),
    ("floor((n + 2*p - k - (k - 1)*(d - 1))/s) + 1", "conv", {}),
    ("1 + (n + 2*p - d*(k - 1) - 1 - (n + 2*p - d*(k - 1) - 1) % s)/s", "conv", {}),
    ("(n + p0 + p1 - d*(k - 1) - 1)//s + 1", "conv", {}),
    ("max(0, (n + p0 + p1 - d*(k - 1) - 1)//s + 1)", "conv", {}),
    ("(n + 2*p - k)//s + 1", "conv", {"dilation": 1}),
    ("n - 2", "conv", {"kernel_size": 3, "stride": 1, "padding": 0, "dilation": 1}),
    ("(n + 1)//2", "conv", {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 1}),
    ("n", "conv", {"kernel_size": 4, "stride": 1, "padding": (1, 2), "dilation": 1}),
    ("(n + 2*p - k)//s + 1", "conv", {"given": ["d = 1"]}),
    ("(n + 2*p - k)//s + 1", "conv", {"given": ["d <= 1"]}),
    ("(n + 2*p - d*(k - 1) - 1)//s + 1", "unfold", {}),
    ("(n + 2*p - d*(k - 1) - 1)//s + 1", "pool", {}),
    ("min(ceil((n + 2*p - d*(k - 1) - 1)/s) + 1, ceil((n + p)/s))", "pool", {"ceil_mode": True}),
    ("ceil((n - k)/s) + 1", "pool",
     {"ceil_mode": True, "padding": 0, "dilation": 1, "given": ["s <= k"]}),
    ("ceil((n - d*(k - 1))/s)", "valid", {}),
    ("(n - d*(k - 1) - 1 + s)//s", "valid", {}),
    ("(n + d*(k - 1) - 1)//s + 1", "full", {}),
    ("n + k - 1", "full", {"stride": 1, "dilation": 1}),
    ("ceil(n/s)", "same", {}),
    ("(n + s - 1)//s", "same", {}),
    ("-(-n//s)", "same", {}),
    ("(n - 1)//s + 1", "same", {}),
    ("n//s + min(1, n % s)", "same", {}),
    ("floor(n/s) + min(n % s, s - 1, 1)", "same", {}),
    ("n//s + 1 - max(0, 1 - n % s)", "same", {}),
    ("n//s + min(1, n % s)", "same", {"stride": 3}),
    ("n", "same", {"stride": 1}),
    ("floor((n + 2*((k - 1)//2) - k)/s) + 1", "same", {"given": ["2 | k - 1"]}),
    (TRANSPOSED, "conv_transpose", {}),
    ("(n - 1)*s - 2*p + d*(k - 1) + a + 1", "conv_transpose", {}),
    ("(n - 1)*s - p0 - p1 + d*(k - 1) + a + 1", "conv_transpose", {}),
    ("s*n", "conv_transpose",
     {"dilation": 1, "padding": 1, "output_padding": 0, "given": ["k = s + 2"]}),
    ("2*n", "conv_transpose",
     {"k": 4, "s": 2, "p": 1, "d": 1, "a": 0}),
    ("n*s + max(k - s, 0)", "conv_transpose",
     {"padding": 0, "dilation": 1, "a": 0, "given": ["s <= k"]}),
    ("n + 2*p", "pad", {}),
    ("n + p0 + p1", "pad", {}),
    ("floor(n*scale)", "upsample", {}),
    ("int(scale*n)", "upsample", {}),
    ("n*scale", "upsample", {"given": ["v = 1"]}),
    ("floor(3*n/2)", "upsample", {"scale_factor": 1.5}),
    ("n//2", "upsample", {"scale_factor": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "layer", "options"), RIGHT)
def test_right_formulas_are_proved_for_all_sizes(formula, layer, options):
    proof = cm.verify_output_size(formula, layer, **options)
    assert isinstance(proof, Proof), proof
    assert proof.grade == "all sizes"
    assert proof.hypotheses == ()
    assert proof.holds
    assert formula.split()[0] in proof.claim
    again = load(proof.to_json())
    assert again == proof
    assert again.check()
    assert "Proved" in str(proof)
    assert proof._repr_latex_().startswith("$")


# Wrong formulas, as people wrote them in documentation, code and questions

WRONG = [
    ("floor((n + 2*p - k)/s) + 1", "conv", {}, ("d = 1",)),  # dilation forgotten
    ("(W - F + 2*P)/S + 1", "conv", {}, ("d = 1", "s | n + 2*p - d*(k - 1) - 1")),  # no floor
    ("ceil((n + 2*p - k)/s) + 1", "conv", {"d": 1}, ("s | n + 2*p - k",)),  # ceil for floor
    ("floor((n + 2*p - k + 1)/s)", "conv", {"d": 1}, ("s = 1",)),
    ("floor((n + 2*p - k)/s + 2)", "conv", {"d": 1}, None),
    ("floor((n + 2*p - d*(k - 1) + 1)/s) + 1", "conv", {}, None),  # + 1 where - 1 belongs
    ("floor((n + p0 + p1 - k*(d - 1) - 1)/s) + 1", "conv", {}, ("k = d",)),
    ("(n - k) + (2*p)/s + 1", "conv", {}, ("d = 1", "s = 1")),  # brackets
    ("floor(n + 2*p - k)/s + 1", "conv", {"d": 1}, ("s | n + 2*p - k",)),
    ("(n + p - k)//s + 1", "conv", {"d": 1}, ("p = 0",)),  # one padding for both ends
    ("(n + 2*p - d*k)//s + 1", "conv", {}, ("d = 1",)),
    ("(n - k)//s + 1", "conv", {"d": 1}, ("p = 0",)),
    ("(n + 2*p0 - k)//s + 1", "conv", {"d": 1}, ("p0 = p1",)),
    ("n/s", "same", {}, ("s | n",)),
    ("n//s", "same", {}, ("s | n",)),
    ("n", "same", {}, ("s = 1",)),
    ("floor((n + 2*((k - 1)//2) - k)/s) + 1", "same", {}, ("2 | k - 1",)),  # even kernels
    ("(n + 2*(k//2) - k)//s + 1", "same", {}, ("2 | k - 1",)),
    ("(n - k + 1)/s", "valid", {"d": 1}, ("s = 1",)),
    ("ceil(n/s)", "valid", {"d": 1}, ("k = 1",)),  # SAME for VALID
    ("ceil((n - k + 1)/s)", "valid", {}, ("d = 1",)),
    ("ceil((n + 2*p - d*(k - 1) - 1)/s) + 1", "pool", {"ceil_mode": True},
     ("s + p <= d*(k - 1) + 1",)),  # the last window is not dropped
    ("ceil((n + 2*p - k)/s + 1)", "pool", {"ceil_mode": True, "d": 1},
     ("p + s <= k",)),
    ("(n + 2*p - k)//s + 1", "pool", {"ceil_mode": True, "d": 1}, ("s | n + 2*p - k",)),
    ("n//k", "pool", {"p": 0, "d": 1}, ("k = s",)),
    ("s*(n - 1) + k - 2*p", "conv_transpose", {"a": 0}, ("d = 1",)),
    ("s*(n - 1) + k - 2*p + a", "conv_transpose", {}, ("d = 1",)),
    ("s*(n - 1) + d*(k - 1) + 1 - 2*p + 2*a", "conv_transpose", {}, ("a = 0",)),  # at both ends
    ("s*(n - 1) + d*(k - 1) + 1 - 2*p", "conv_transpose", {}, ("a = 0",)),
    ("n*s + max(k - s, 0)", "conv_transpose", {"p": 0, "a": 0, "d": 1}, ("s <= k",)),
    ("s*n + k - s", "conv_transpose", {"a": 0}, ("d = 1", "p = 0")),
    ("(n - 1)*s - 2*p + k + a + 1", "conv_transpose", {"d": 1}, None),
    ("n*s", "conv_transpose", {"k": 3, "d": 1, "p": 0, "a": 0}, ("s = 3",)),
    ("n + p", "pad", {}, ("p = 0",)),
    ("ceil(3*n/2)", "upsample", {"scale_factor": 1.5}, None),
]  # fmt: skip


# More from issue threads: some hold under hypotheses, none as they stand.
THREADS = [
    ("floor((n + 2*p - k)/s + 1)", "conv"),
    ("ceil((n + 2*p - k)/s) + 1", "conv"),
    ("(n - k + 2*p)/s", "conv"),
    ("floor((n - 1)/s) + 1", "conv"),
    ("ceil((n - k + 1)/s)", "conv"),
    ("floor((n + 2*p - d*k - 1)/s) + 1", "conv"),
    ("floor((n + 2*p - d*(k - 1))/s) + 1", "conv"),
    ("floor((n + 2*p - k*d)/s) + 1", "conv"),
    ("round((n + 2*p - d*(k - 1) - 1)/s) + 1", "conv"),
    ("(n + p - k)//s + 1", "conv"),
    ("n*s", "same"),
    ("floor(n/s)", "same"),
    ("(n - 1)*s + k + 2*p", "conv_transpose"),
    ("n*s + a", "conv_transpose"),
    ("n*s", "conv_transpose"),
    ("n*s + max(k - s, 0)", "conv_transpose"),
    ("(n - 1)*s - 2*p + d*(k - 1) + a", "conv_transpose"),
    ("(n - 1)*s + k - 2*p + a*s", "conv_transpose"),
    ("s*(n - 1) + k - 2*p", "conv_transpose"),
    ("ceil((n + 2*p - k)/s) + 1", "pool"),
    ("floor((n - k)/s) + 1", "pool"),
    ("ceil(n/s)", "pool"),
    ("n + 2*p - k + 1", "unfold"),
    ("round(n*r)", "upsample"),
    ("ceil(n*r)", "upsample"),
    ("n*r", "upsample"),
]


@pytest.mark.parametrize(("formula", "layer"), THREADS)
def test_formulas_from_threads_are_not_proved_as_they_stand(formula, layer):
    answer = cm.verify_output_size(formula, layer)
    assert isinstance(answer, (Proof, SizeCounterexample))
    at = answer.evidence.at if isinstance(answer, Proof) else answer.at
    assert read_formula(formula).evaluate(
        at | {"r": Fraction(at.get("u", 1), at.get("v", 1))}
    ) != counted(layer, **at)
    if isinstance(answer, Proof):
        assert answer.hypotheses
        assert answer.check()
        assert "k = 1" not in answer.hypotheses  # where nothing slides


@pytest.mark.parametrize(("formula", "layer", "options", "added"), WRONG)
def test_wrong_formulas_are_restricted_or_refuted(formula, layer, options, added):
    answer = cm.verify_output_size(formula, layer, **options)
    if added is None:
        assert isinstance(answer, SizeCounterexample)
        assert not answer.holds
        assert str(answer.first) in answer.reason
        return
    assert isinstance(answer, Proof)
    assert set(answer.hypotheses) == set(added)
    assert answer.grade == "all sizes under added hypotheses"
    assert answer.check()
    assert "under the added hypotheses" in answer.summary
    assert "without them it is wrong" in answer.summary
    assert load(answer.to_json()).check()
    # With the hypotheses given, nothing needs to be added; they are needed one by one.
    assert cm.verify_output_size(formula, layer, given=added, **options).grade == "all sizes"
    for left_out in added:
        fewer = [text for text in added if text != left_out]
        assert getattr(
            cm.verify_output_size(formula, layer, given=fewer, **options), "hypotheses", (None,)
        )


def test_the_counterexample_is_the_smallest():
    answer = cm.verify_output_size("max(n - k + 1, 3)", "conv", s=1, p=0, d=1)
    assert answer.at == {"n": 1, "k": 1}
    assert (answer.first, answer.second) == (3, 1)
    for formula in ("(n + 2*p - k)//s + n//4", "n + 2*p - k + 1 + n//5", "ceil(n/s) + k"):
        answer = cm.verify_output_size(formula, "conv", d=1)
        assert isinstance(answer, SizeCounterexample)
        best = None
        for values in grid("nksp"):
            wanted, value = counted("conv", **values), read_formula(formula).evaluate(values)
            if wanted is not None and value != wanted:
                best = min(best or math.inf, sum(values.values()))
        assert sum(answer.at.values()) == best
        assert answer.second == counted("conv", **answer.at)
        assert answer.first == read_formula(formula).evaluate(answer.at) != answer.second


def test_a_division_by_zero_is_a_counterexample():
    for formula in ("n/0", f"({CONV})/(n - 9)*(n - 9)", f"{CONV} + 0*(n//(s - 1))", "n % (p - p)"):
        answer = cm.verify_output_size(formula)
        assert isinstance(answer, SizeCounterexample), formula
        assert answer.first is None
        assert "divides by zero" in str(answer)
    even = cm.verify_output_size(f"({CONV})/(k - 1)*(k - 1)")
    assert even.hypotheses == ("2 | k",)
    assert even.evidence.at["k"] == 1
    # Nor can a choice hide it.
    answer = cm.verify_output_size(f"min({CONV}, {CONV} + n//(k - 2))", k=2)
    assert isinstance(answer, SizeCounterexample)
    assert answer.first is None


def test_what_is_neither_proved_nor_refuted_is_swept():
    answer = cm.verify_output_size(f"{CONV} + (n*n + n) % 2")
    assert isinstance(answer, Unproved)
    assert not answer.holds
    assert answer.compared > 2_000_000
    text = f"{answer}{answer.to_json()}{answer.steps}{answer._repr_latex_()}"
    assert "proved" not in text.lower()
    assert f"{answer.compared}" in text
    assert answer.box["n"][1] > 100


def test_a_sweep_finds_what_is_far_away():
    answer = cm.verify_output_size(f"{CONV} + n//150")
    assert isinstance(answer, SizeCounterexample)
    assert answer.at["n"] == 150
    assert "that was found" in answer.reason


@pytest.mark.parametrize(
    "formula",
    [
        f"{CONV} + n//1000000",
        f"{CONV} + max(0, n - 1000000)",
        f"min({CONV}, 1000000)",
        f"{CONV} + (n % 1000003)//1000002",
        f"{CONV} + max(0, n*k*s*d*p - 100000000)",
    ],
)
def test_differences_at_large_constants_are_found(formula):
    answer = cm.verify_output_size(formula)
    assert isinstance(answer, SizeCounterexample)
    setting = Setting.of(frozenset("p"), "conv", None, {})
    assert all(limit.evaluate(answer.at) >= 0 for limit in setting.legal())
    assert answer.second == setting.size.evaluate(answer.at)
    assert answer.first == read_formula(formula).evaluate(answer.at) != answer.second


@pytest.mark.parametrize("given", [["100 <= n"], ["n = 224"], ["7 <= k"], ["n = k + 50"],
                                   ["64 | n", "1000 <= n"], ["s = 40", "100 <= k"]])  # fmt: skip
def test_conditions_that_no_small_layer_satisfies(given):
    assert cm.verify_output_size(CONV, given=given).grade == "all sizes"
    wrong = cm.verify_output_size(f"{CONV} + 1", given=given)
    assert isinstance(wrong, SizeCounterexample)
    assert all(read_condition(text).holds_at(wrong.at) for text in given)
    assert wrong.second == wrong.first - 1 >= 1
    restricted = cm.verify_output_size("(n + 2*p - k)//s + 1", given=given)
    assert restricted.hypotheses == ("d = 1",)
    assert restricted.check()


# Functions and expressions


def test_functions_and_expressions_are_verified():
    def size(n, kernel_size, stride=1, padding=0, dilation=1):
        return math.floor((n + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1)

    n, k, s, p, d = sympy.symbols("n k s p d", integer=True, positive=True)

    def ours(n, k, s, p, d):
        return cm.output_size(n, k, s, p, d)

    proof = cm.verify_output_size(cm.output_size(n, k, s, p, d))
    assert proof.grade == "all sizes"
    assert "given 1 <= p" in proof.claim  # as the symbol says
    for right in (size, ours):
        proof = cm.verify_output_size(right)
        assert proof.grade == "all sizes, for the expression traced from a function"
        assert "(not the function, which was only compared with it)" in proof.claim
        assert load(proof.to_json()) == proof
        assert proof.check()
    wrong = cm.verify_output_size(lambda n, k, s, p: (n + 2 * p - k) // s + 1)
    assert wrong.hypotheses == ("d = 1",)


def test_functions_that_decide_are_only_compared():
    def right(n, k, s, p):
        return n + 2 * p - k + 1 if s == 1 else (n + 2 * p - k) // s + 1

    def wrong(n, k, s, p):
        return n + 2 * p - k if s == 3 else (n + 2 * p - k) // s + 1

    def fails(n):
        return [5][n]

    answer = cm.verify_output_size(right, dilation=1)
    assert isinstance(answer, Unproved)
    assert answer.compared > 1_000  # for as many as two seconds allow
    answer = cm.verify_output_size(wrong, dilation=1)
    assert isinstance(answer, SizeCounterexample)
    assert answer.at == {"n": 1, "k": 1, "s": 3, "p": 0}
    assert isinstance(cm.verify_output_size(fails, dilation=1), SizeCounterexample)


def test_a_trace_is_not_believed_where_the_function_disagrees():
    def tricky(n, k, s, p):
        if isinstance(n, int) and n == 7:
            return 99
        return (n + 2 * p - k) // s + 1

    answer = cm.verify_output_size(tricky, dilation=1)
    assert isinstance(answer, SizeCounterexample)
    assert answer.at["n"] == 7


def right_size(n, k, s, p, d):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1


def by_type(n, k, s=1, p=0, d=1):
    return right_size(n, k, s, p, d) if not isinstance(n, int) or n < 500 else 0


def by_exact_type(n, k, s=1, p=0, d=1):
    return 0 if type(n) is int and n > 60 else right_size(n, k, s, p, d)


def catching(n, k, s=1, p=0, d=1):
    try:
        more = n > 150
    except Exception:  # noqa: BLE001, that is the point
        more = False
    return right_size(n, k, s, p, d) + more


def catching_all(n, k, s=1, p=0, d=1):
    try:
        more = int(n > 150)
    except:  # noqa: E722, that is the point
        more = 0
    return right_size(n, k, s, p, d) + more


def at_a_constant(n, k, s=1, p=0, d=1):
    return right_size(n, k, s, p, d) + (n == 1000003)


def by_reciprocal(n, k, s=1, p=0, d=1):
    return math.floor((n + 2 * p - d * (k - 1) - 1) * (1 / s)) + 1


def by_single_precision(n, k, s=1, p=0, d=1):
    return int(np.floor(np.float32((n + 2 * p - d * (k - 1) - 1) / s))) + 1 if s else 0


@pytest.mark.parametrize(
    "function",
    [by_type, by_exact_type, catching, catching_all, at_a_constant, by_reciprocal,
     by_single_precision],
)  # fmt: skip
def test_functions_that_are_wrong_somewhere_are_refuted_by_calling_them(function):
    answer = cm.verify_output_size(function, sizes=2**40)
    assert isinstance(answer, SizeCounterexample), answer
    at = dict(answer.at)
    assert answer.first == function(**at) != right_size(**at) == answer.second
    assert function.__name__ in answer.claim
    assert "the function gives" in answer.reason


def test_a_function_with_a_state_is_not_itself_proved():
    calls = []

    def tiring(n, k, s, p, d):
        calls.append(n)
        return right_size(n, k, s, p, d) + int(len(calls) > 10**6)

    proof = cm.verify_output_size(tiring)
    assert proof.grade != "all sizes"
    assert "not the function, which was only compared" in proof.claim


def test_what_is_fixed_and_rounded_by_a_function():
    half = cm.verify_output_size(lambda n: int(n / 2), "upsample", scale_factor=0.5)
    assert half.check()
    even = cm.verify_output_size(lambda n: round(n / 2), "upsample", scale_factor=0.5)
    assert isinstance(even, SizeCounterexample)
    assert (even.at, even.first, even.second) == ({"n": 3}, 2, 1)
    text = cm.verify_output_size("round(n*r)", "upsample")
    assert text.hypotheses == ("v = 1",)
    assert text.check()


def test_a_scale_is_any_fraction():
    wrong = cm.verify_output_size("ceil(n*r)", "upsample")
    assert wrong.hypotheses == ("v = 1",)
    assert "the scale is r = u/v" in wrong.claim
    at = wrong.evidence.at
    assert -(-at["n"] * at["u"] // at["v"]) != at["n"] * at["u"] // at["v"] >= 1
    assert cm.verify_output_size(lambda n, scale: math.floor(n * scale), "upsample").check()


# Names


@pytest.mark.parametrize(
    ("formula", "given", "message"),
    [
        ("floor((H + 2*P - KW)/SH) + 1", [], "different axes"),
        ("floor((W + 2*P - F)/S) + 1 + W - H", [], "two spellings"),
        ("floor((h_in + 2*pad - kh)/sw) + 1", [], "different axes"),
        ("(n + 2*p - k)//s + k - kernel_size + 1", [], "two spellings"),
        ("(H + 2*p - k)//s + 1", ["10 <= W"], "two spellings|different axes"),
        ("(H + 2*p - kh)//s + 1", ["sw = 1"], "different axes"),
        (lambda h, kw: h - kw, [], "different axes"),
        (sympy.Symbol("N") + sympy.Symbol("n"), [], "two spellings"),
        (sympy.Symbol("n", positive=True) + sympy.Symbol("n"), [], "two SymPy symbols"),
        (sympy.Symbol("n") - sympy.Symbol("\u212a"), [], "is none of the names"),
        (sympy.Symbol("n", prime=True), [], "assumes prime=True"),
        (sympy.Symbol("n", integer=False), [], "not understood"),
        (sympy.Symbol("n", nonzero=True), [], "assumes nonzero"),
        (sympy.Symbol("n", negative=True), [], "contradict"),
    ],
)  # fmt: skip
def test_names_that_could_mean_two_things_are_refused(formula, given, message):
    with pytest.raises(GeometryError, match=message):
        cm.verify_output_size(formula, given=given)


def test_what_symbols_assume_is_given():
    even = sympy.Symbol("n", even=True)
    proof = cm.verify_output_size(even / 2, "same", stride=2)
    assert proof.grade == "all sizes"
    assert proof.claim.endswith("given 2 | n")
    odd = sympy.Symbol("k", odd=True, positive=True)
    n, s = sympy.symbols("n s", integer=True)
    proof = cm.verify_output_size(sympy.floor((n + 2 * sympy.floor(odd / 2) - odd) / s) + 1, "same",
                                  dilation=1)  # fmt: skip
    assert "given 2 | k - 1" in proof.claim


# Bad input


@pytest.mark.parametrize(
    ("formula", "layer", "options", "message"),
    [
        ("n + a", "conv", {}, "output padding is no option"),
        ("n*r", "conv", {}, "scale is no option"),
        ("n + k", "pad", {}, "kernel size is no option"),
        ("n + p + p0", "conv", {}, "both ends and at one of them"),
        ("n + p0", "conv", {"padding": 1}, "both ends and at one of them"),
        ("n", "convolution", {}, "not a known name"),
        ("n", "pool, ceil_mode", {}, "not a known name"),
        ("n", "conv", {"ceil_mode": True}, "belongs to pooling"),
        ("n", "pool", {"ceil_mode": 1}, "True or False"),
        ("n", "conv", {"groups": 2}, "no option of the layer"),
        ("n", "conv", {"stride": 0}, "at least 1"),
        ("n", "conv", {"stride": True}, "not a boolean"),
        ("n", "conv", {"stride": 1.5}, "must be an integer"),
        ("n", "conv", {"stride": sympy.Symbol("s")}, "must be an integer"),
        ("n", "conv", {"stride": 1, "s": 1}, "given twice"),
        ("n", "conv", {"n": 2, "k": 5, "p": 0}, "contradict"),
        ("n", "conv", {"given": ["d = 1", "d = 2"]}, "contradict"),
        ("n", "conv", {"given": ["2 | k", "2 | k - 1"]}, "contradict"),
        ("n", "conv", {"given": ["n*n = 2"]}, "no layer was found"),
        ("n", "conv", {"given": ["s >= 2"], "s": 1}, "contradict"),
        ("n", "conv", {"given": ["a = 0"]}, "no option"),
        ("n", "conv", {"given": ["n"]}, "no condition"),
        ("n", "conv", {"given": [3]}, "no condition"),
        ("n", "conv", {"given": ["n//2 = k"]}, "no polynomial"),
        ("n", "conv", {"given": ["d = __import__('os')"]}, "no function"),
        (3, "conv", {}, "must be text"),
        (None, "conv", {}, "must be text"),
        (lambda n, groups: n + groups, "conv", {}, "means nothing"),
    ],
)
def test_bad_input_is_a_geometry_error(formula, layer, options, message):
    with pytest.raises(GeometryError, match=message):
        cm.verify_output_size(formula, layer, **options)


def test_conditions_are_read_and_written():
    for text in ("s <= k", "d = 1", "2 | k - 1", "s | n + 2*p - k"):
        assert str(read_condition(text)) == text
    assert str(read_condition("k >= s")) == "s <= k"
    assert str(read_condition("k == s")) == "k = s"


# Soundness


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data.update(claim="everything"),
        lambda data: data.update(grades=["all sizes"]),
        lambda data: data["evidence"].update(added=[]),
        lambda data: data["evidence"].update(added=["d = 2"]),
        lambda data: data["evidence"].update(added=["d = 1", "d = 2"]),
        lambda data: data["evidence"].update(added=["d = 1", "n = 0"]),
        lambda data: data["evidence"].update(formula="(n + 2*p - k)//s + 2"),
        lambda data: data["evidence"].update(formula="(n + 2*p - k)//s + a"),
        lambda data: data["evidence"].update(formula="__import__('os')"),
        lambda data: data["evidence"].update(layer="full"),
        lambda data: data["evidence"].update(layer="pool"),
        lambda data: data["evidence"].update(equal=False),
        lambda data: data["evidence"].update(fixed={"s": "1"}),
        lambda data: data["evidence"].update(exception=[1, 1, 1, 0, 1]),
        lambda data: data["evidence"].update(exception=[]),
        lambda data: data["evidence"].update(exception=[1, 2, 1, 1, 1]),  # obeys what was added
        lambda data: data["evidence"].update(exception=[1, 2, 1, 0, 2]),  # there is no layer
        lambda data: data["evidence"].update(exception=[0, 2, 1, 1, 2]),
        lambda data: data["evidence"].update(given=["s = 2"]),
        lambda data: data["evidence"].update(fixed={"p0": "3"}),
        lambda data: data["evidence"].update(fixed={"a": "3"}),
        lambda data: data["evidence"].update(fixed={"stride": "1"}),
        lambda data: data["evidence"].update(traced=True),
        lambda data: data["evidence"].update(traced=1),
        lambda data: data["evidence"].update(compared=7),
        lambda data: data["evidence"].update(certificates=[]),
        lambda data: data["evidence"]["certificates"].append(data["evidence"]["certificates"][0]),
        lambda data: data["evidence"]["certificates"][0]["steps"].pop(0),
        lambda data: data["evidence"]["certificates"][0]["steps"].pop(),
        lambda data: data["evidence"]["certificates"][0]["goals"].pop(),
        lambda data: data["evidence"]["certificates"][0]["hypotheses"].pop(),
        lambda data: data["evidence"]["certificates"][0].update(theorem="other"),
    ],
)
def test_edited_proofs_are_refused(edit):
    proof = cm.verify_output_size("(n + 2*p - k)//s + 1")
    data = json.loads(proof.to_json())
    edit(data)
    with pytest.raises(GeometryError) as caught:
        load(json.dumps(data)).check()
    assert isinstance(caught.value, Refused) or caught.value.argument in ("certificate", "formula")


def claimed_anew(data):
    """Load a proof with the claim that its evidence would have."""
    data["claim"] = load(json.dumps(data)).evidence.claim
    return load(json.dumps(data))


def test_a_loaded_setting_is_one_that_the_call_would_make():
    proof = cm.verify_output_size("(n + 2*p - k)//s + 1", dilation=1)
    for fixed in ({"d": "1", "p0": "3"}, {"d": "1", "a": "0"}, {"d": "2/2"}, {"dilation": "1"}):
        data = json.loads(proof.to_json())
        data["evidence"]["fixed"] = fixed
        with pytest.raises(GeometryError):
            claimed_anew(data).check()


def test_an_exception_obeys_what_is_given():
    proof = cm.verify_output_size("(n + 2*p - k)//s + 1", given=["s = 2"])
    assert proof.check()
    data = json.loads(proof.to_json())
    at = proof.evidence.at | {"s": 1}
    data["evidence"]["exception"] = list(at.values())
    data["claim"] = data["claim"].replace(
        data["claim"].partition("at n = ")[2],
        load(json.dumps(data)).evidence.claim.partition("at n = ")[2],
    )
    with pytest.raises(Refused, match="given does not hold"):
        load(json.dumps(data)).check()


def test_every_coefficient_of_a_proof_matters():
    proof = cm.verify_output_size("(n + 2*p - d*(k - 1) - 1 + s)//s")
    steps = json.loads(proof.to_json())["evidence"]["certificates"][0]["steps"]
    refused = 0
    for place in range(len(steps)):
        data = json.loads(proof.to_json())
        statement = data["evidence"]["certificates"][0]["steps"][place]["statement"]
        side = statement[2] or statement[1]
        side[0][0] += 1
        if not side[0][0]:
            side[0][0] = 2
        with pytest.raises(GeometryError):
            load(json.dumps(data)).check()
        refused += 1
    assert refused == len(steps) > 5


LEAVES = [*(Formula("name", (name,)) for name in "nkspd"), *(
    Formula("number", (number,)) for number in range(4)
)]  # fmt: skip
KINDS = ["+", "-", "*", "/", "//", "%", "min", "max"]
RIGHT_TREES = [read_formula(text) for text in (CONV, "ceil((n + 2*p - d*(k - 1))/s)")]


def positions(tree, path=()):
    yield path
    if tree.kind not in ("number", "name"):
        for number, part in enumerate(tree.parts):
            yield from positions(part, (*path, number))


def replaced(tree, path, change):
    if not path:
        return change(tree)
    first, *rest = path
    parts = list(tree.parts)
    parts[first] = replaced(parts[first], tuple(rest), change)
    return Formula(tree.kind, tuple(parts))


@st.composite
def mutants(draw):
    """Right formulas with one or two changes: another leaf, operation, rounding, or one more."""
    tree = draw(st.sampled_from(RIGHT_TREES))
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(positions(tree))))
        leaf, kind = draw(st.sampled_from(LEAVES)), draw(st.sampled_from(KINDS))
        rounding = draw(st.sampled_from(["floor", "ceil", "int", "abs", "negative"]))
        how = draw(st.integers(0, 3))

        def change(node, how=how, leaf=leaf, kind=kind, rounding=rounding):
            if how == 0:
                return leaf
            if how == 1 and len(node.parts) == 2 and node.kind in KINDS:
                return Formula(kind, node.parts)
            if how == 2:
                return Formula(kind, (node, leaf))
            return Formula(rounding, (node,))

        tree = replaced(tree, path, change)
    return tree


def value(tree, values):
    try:
        return tree.evaluate(values)
    except Undefined:
        return None


FAR = [
    dict(zip("nkspd", values, strict=True))
    for values in itertools.product((1, 2, 7, 30, 61), (1, 2, 3, 6, 11), (1, 2, 3, 5, 14),
                                    (0, 1, 2, 9), (1, 2, 5))
]  # fmt: skip


def satisfied(condition, values):
    left, right = condition.left.evaluate(values), condition.right.evaluate(values)
    if condition.relation == "|":
        return right % left == 0
    return left == right if condition.relation == "=" else left <= right


@settings(max_examples=50)
@given(mutants())
def test_a_wrong_formula_never_gets_a_proof(tree):
    try:
        answer = cm.verify_output_size(str(tree))
    except GeometryError as error:
        if "degree" in error.rule:
            return
        raise
    places = [v for v in itertools.chain(grid("nkspd"), FAR) if counted("conv", **v)]
    if isinstance(answer, SizeCounterexample):
        assert value(tree, answer.at) != counted("conv", **answer.at)
        return
    if isinstance(answer, Proof):
        assert load(answer.to_json()).check()
    conditions = [read_condition(text) for text in getattr(answer, "hypotheses", ())]
    compared = 0
    for values in places:
        if all(satisfied(condition, values) for condition in conditions):
            compared += 1
            assert value(tree, values) == counted("conv", **values), (values, str(answer))
    assert compared > 5


# The command line


def test_the_command_says_yes_no_and_bad_input():
    run = CliRunner().invoke
    right = run(main, ["verify", CONV])
    assert right.exit_code == 0
    assert "Grade: all sizes." in right.output
    restricted = run(main, ["verify", "floor((n + 2*p - k)/s) + 1", "--layer", "conv"])
    assert restricted.exit_code == 1
    assert "added hypotheses d = 1" in restricted.output
    fixed = run(main, ["verify", "floor((n + 2*p - k)/s) + 1", "--dilation", "1", "--json"])
    assert fixed.exit_code == 0
    assert load(fixed.output).check()
    wrong = run(main, ["verify", "n + k", "--padding", "1:2", "--json"])
    assert wrong.exit_code == 1
    assert json.loads(wrong.output)["at"]["n"] == 1
    given = run(main, ["verify", "n*s", "--layer", "conv_transpose", "--output-padding", "0",
                       "--dilation", "1", "--given", "k = s + 2*p", "--steps"])  # fmt: skip
    assert given.exit_code == 0
    assert "1. " in given.output
    for bad in (["__import__('os')"], ["n", "--layer", "x"], ["n + x"], ["n", "--ceil-mode"],
                ["n", "--stride", "0"], ["n", "--padding", "a"]):  # fmt: skip
        refused = run(main, ["verify", *bad])
        assert refused.exit_code == 2
        assert len(refused.output.strip().splitlines()) == 1
