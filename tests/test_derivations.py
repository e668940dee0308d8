"""Derivations against counting: every window tried, every input size tried."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import naive
import numpy as np
import pytest
import sampling
import sympy
import tampering

import convmat as cm
from convmat import GeometryError
from convmat.certificates.checker import Refused, check
from convmat.certificates.polynomials import symbols
from convmat.certificates.statements import eq, floor, le
from convmat.geometry import sizes
from convmat.geometry.sizes import layers, windows
from convmat.symbolic import derive, inputs_of, normal_form, round_trip
from convmat.symbolic.sizes import deriving
from convmat.symbolic.sizes.deriving import SIZE_THEOREMS, size_certificate
from convmat.symbolic.sizes.meanings import meaning, size_symbol
from convmat.symbolic.sizes.recipes import DERIVATIONS, LEGEND

NAMES = pytest.mark.parametrize("name", DERIVATIONS)
THEOREM_NAMES = pytest.mark.parametrize("theorem", SIZE_THEOREMS)
FAR = range(-4, 40)  # outputs, or input sizes, that are tried
CASES = 400


# What every derivation is


@NAMES
def test_the_checker_accepts_it_within_a_second(name):
    deriving._derive.cache_clear()
    deriving._claims.cache_clear()
    start = time.perf_counter()
    found = derive(name)
    assert found.check()
    assert time.perf_counter() - start < 30  # seconds: it does not search


@NAMES
def test_it_can_be_followed(name):
    found = derive(name)
    text = str(found)
    assert found.question in text
    assert found.latex() in found._repr_latex_()
    assert sympy.latex(found.values[0][1]) in found.latex()
    assert len(found.steps) == sum(len(c.steps) for c in found.certificates)
    for step in found.steps:
        assert str(step) in text
        assert step.words, step
    said = {step.statement for c in found.certificates for step in c.steps}
    for claim in deriving._claims(name):
        assert said >= set(claim.way), "words beside a line that is not there"
    names = {n for c in found.certificates for s in c.steps for n in s.statement.symbols}
    assert names <= set(LEGEND)


@NAMES
def test_hypotheses_are_about_the_symbols_of_the_formula(name):
    found = derive(name)
    free = {symbol.name for _, value in found.values for symbol in value.free_symbols}
    assert all(statement.symbols <= free for statement in found.hypotheses)
    assert le(1, symbols("s")[0]) in found.hypotheses or name in (
        "conv_transpose", "adaptive", "upsample"
    )  # fmt: skip


@NAMES
def test_a_value_that_is_not_the_theorems_is_refused(name):
    found = derive(name)
    for place, (symbol, value) in enumerate(found.values):
        for wrong in (value + 1, value - 1, 2 * value, -value, size_symbol("k")):
            values = (*found.values[:place], (symbol, wrong), *found.values[place + 1 :])
            with pytest.raises(Refused, match="the theorems are about"):
                replace(found, values=values).check()
        with pytest.raises(Refused, match="values"):
            replace(found, values=(*found.values[:place], *found.values[place + 1 :])).check()


@NAMES
def test_certificates_cannot_be_left_out_or_exchanged(name):
    found = derive(name)
    for certificates in (
        found.certificates[1:],
        found.certificates[:-1],
        found.certificates[::-1],
        (*found.certificates, found.certificates[0]),
    ):
        with pytest.raises(Refused, match="certificates"):
            replace(found, certificates=certificates).check()
    first, *others = found.certificates
    short = replace(first, steps=first.steps[:-1])
    with pytest.raises(Refused):
        replace(found, certificates=(short, *others)).check()


@pytest.mark.parametrize(
    ("name", "function"),
    [("conv", "output_size"), ("pool_ceil", "output_size"), ("inputs", "input_sizes"),
     ("conv_transpose", "transposed_output_size"), ("same_upper", "same_padding"),
     ("same_lower", "same_size"), ("adaptive", "adaptive_window"), ("upsample", "upsampled_size"),
     ("inputs_ceil", "input_sizes"), ("output_padding", "output_padding_for")],
)  # fmt: skip
def test_code_that_errs_is_caught(monkeypatch, name, function):
    right = getattr(sizes, function)

    def wrong(*arguments, **options):
        found = right(*arguments, **options)
        return (found[0] + 1, *found[1:]) if isinstance(found, tuple) else found + 1

    for module in (sizes, layers, windows):
        monkeypatch.setattr(module, function, wrong, raising=False)
    with pytest.raises(Refused, match="the theorems are about"):
        deriving._derive.__wrapped__(name).check()


@THEOREM_NAMES
def test_the_checker_refuses_every_small_change(theorem):
    accepted, tried = tampering.accepted_changes(size_certificate(theorem), SIZE_THEOREMS[theorem])
    assert not accepted
    assert tried > 50


@THEOREM_NAMES
def test_the_theorem_is_true_of_small_integers(theorem):
    """A false statement would make a proof worthless: hypotheses imply goals, by enumeration."""
    claim = SIZE_THEOREMS[theorem]
    at = sampling.samples(claim.hypotheses, wanted=60)
    assert len(next(iter(at.values()))) >= 20
    solved = sampling.determined(claim.goals, claim.witnesses)
    sampling.extend(at, solved)
    for goal in claim.goals:
        assert np.all(sampling.holds(goal, at)), goal


@pytest.mark.parametrize("wrong", ["convolution", "", None, 3])
def test_unknown_names(wrong):
    with pytest.raises(GeometryError, match="name"):
        derive(wrong)


# What the theorems are compared with


def test_meanings_are_read_from_hypotheses_alone():
    n, s, q, f, g = symbols("n s q f g")
    one = sympy.Symbol
    assert meaning("f", [eq(f, q + 1), floor(q, n, s)]) == (
        sympy.floor(size_symbol("n") / size_symbol("s")) + 1
    )
    assert meaning("f", [le(n, f), le(s, f)]) is None  # bounds alone say nothing
    both = [le(n, f), le(s, f), eq((f - n) * (f - s), 0)]
    assert meaning("f", both) == sympy.Max(size_symbol("n"), size_symbol("s"))
    both = [le(f, n), le(f, s), eq((n - f) * (s - f), 0)]
    assert meaning("f", both) == sympy.Min(size_symbol("n"), size_symbol("s"))
    assert meaning("g", [eq(g, f), eq(f, g)]) == one("f", integer=True, positive=True)
    assert meaning("f", [eq(f, q)], free=frozenset("f")) is None
    assert meaning("x", [eq(f, q)]) is None


# Counting


def options(rng):
    """Return options of one axis, n and k small enough for loops."""
    n, k, s, d = (int(rng.integers(1, top)) for top in (12, 5, 5, 4))
    return {"n": n, "k": k, "s": s, "d": d, "p0": int(rng.integers(4)), "p1": int(rng.integers(4))}


def taps(at, o, low):
    return [at["s"] * o + at["d"] * tap - low for tap in range(at["k"])]


def inside(at, low, high):
    """Count outputs, of any number, all of whose taps lie in the padded input."""
    return sum(all(-low <= place < at["n"] + high for place in taps(at, o, low)) for o in FAR)


def evaluate(name, at):
    found = derive(name)
    needed = {symbol.name for symbol in found.result.free_symbols}
    return counted(found, **{key: at[key] for key in needed})


def counted(found, **values):
    """Evaluate a derivation; 0 where it says that there is no output."""
    try:
        return found.evaluate(**values)
    except GeometryError as error:
        if "give no output" not in error.rule:
            raise
        return 0


@pytest.mark.parametrize("name", ["conv", "pool", "unfold", "fold", "valid", "full"])
def test_windows_inside_are_counted(name):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        at = options(rng)
        reach = at["d"] * (at["k"] - 1)
        pads = {"valid": (0, 0), "full": (reach, reach)}.get(name, (at["p0"], at["p1"]))
        count = inside(at, *pads)
        found = evaluate(name, at)
        assert max(found, 0) == count
        if count:
            code = sizes.output_size(at["n"], at["k"], at["s"], pads, at["d"])
            assert found == code == naive.windows_that_fit(at["n"], at["k"], at["s"], pads, at["d"])


def test_where_no_window_fits_there_is_no_size():
    conv = derive("conv")
    fitting = {"n": 4, "k": 3, "s": 2, "d": 1, "p0": 0, "p1": 0}
    assert conv.evaluate(**fitting) == 1
    for change in ({"n": 2}, {"n": 1}, {"k": 5}, {"k": 9}, {"d": 4}):
        with pytest.raises(GeometryError, match="the window does not fit"):
            conv.evaluate(**fitting | change)
    for name in ("conv", "valid", "pool_ceil", "unfold", "conv_transpose", "upsample"):
        assert "1 <= size" in str(derive(name)).split(chr(10) * 2)[2].splitlines()[0]


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_large_sizes(ceil_mode):
    rng = np.random.default_rng(7)
    for _ in range(CASES):
        n, k, s, d, p0, p1 = (int(rng.integers(1, 10**top)) for top in (12, 6, 5, 5, 4, 4))
        found = counted(
            derive("pool_ceil" if ceil_mode else "conv"), n=n, k=k, s=s, d=d, p0=p0, p1=p1
        )
        if found > 0:
            assert found == cm.output_size(n, k, s, (p0, p1), d, ceil_mode=ceil_mode)


def test_ceil_mode_counts_overhanging_windows_that_start_inside():
    rng = np.random.default_rng(2)
    fewer = more = 0
    for _ in range(CASES):
        at = options(rng)
        n, s, low, high = at["n"], at["s"], at["p0"], at["p1"]
        count = sum(0 <= s * o < n + low and taps(at, o, low)[-1] < n + high + s - 1 for o in FAR)
        found = evaluate("pool_ceil", at)
        assert max(found, 0) == count
        plain = inside(at, low, high)
        more += count > plain
        fewer += count < plain
        if count:
            assert found == cm.output_size(n, at["k"], s, (low, high), at["d"], ceil_mode=True)
    assert more > 50
    assert fewer > 10


def test_transposed_windows_are_counted_on_the_stretched_line():
    rng = np.random.default_rng(3)
    checked = 0
    for _ in range(CASES):
        at = options(rng) | {"m": int(rng.integers(1, 7)), "a": int(rng.integers(0, 4))}
        at["a"] = min(at["a"], max(at["s"], at["d"]) - 1)
        reach = at["d"] * (at["k"] - 1)
        line = [0] * (reach - at["p0"]) + [1] * (at["s"] * (at["m"] - 1) + 1)
        line += [0] * (reach - at["p1"] + at["a"])
        if reach < max(at["p0"], at["p1"] - at["a"]):
            continue  # padding that crops is no list of zeros
        count = sum(t + reach < len(line) for t in range(80))
        assert max(evaluate("conv_transpose", at), 0) == count
        if count:
            assert count == cm.transposed_output_size(
                at["m"], at["k"], at["s"], (at["p0"], at["p1"]), at["a"], at["d"]
            )
            checked += 1
    assert checked > CASES / 3


@pytest.mark.parametrize("name", ["same_upper", "same_lower"])
def test_same_padding_is_the_least_that_gives_its_size(name):
    rng = np.random.default_rng(4)
    found = dict(derive(name).values)
    put = {key: size_symbol(key) for key in ("n", "k", "s", "d")}
    for _ in range(CASES // 4):
        at = options(rng)
        here = {put[key]: sympy.Integer(at[key]) for key in put}
        out, low, high = (int(found[part].xreplace(here)) for part in ("out", "low", "high"))
        assert out == evaluate(name, at) == sum(at["s"] * o < at["n"] for o in range(40))
        assert inside(at, low, high) == out
        assert (high - low if name == "same_upper" else low - high) in (0, 1)
        if low + high:
            assert inside(at, low + high - 1, 0) < out
        larger, smaller = sizes.same_padding(at["n"], at["k"], at["s"], at["d"])
        assert {low, high} == {larger, smaller}


def test_adaptive_windows_are_those_of_the_layer():
    found = derive("adaptive")
    for n in range(1, 14):
        for m in range(1, 9):
            record = cm.adaptive_avg_pool((1, n), m).matrix().toarray() > 0
            for o in range(m):
                first, past = found.evaluate(n=n, m=m, o=o)
                assert np.array_equal(np.flatnonzero(record[o]), np.arange(first, past))
                assert n <= m * (past - first) <= n + 2 * m - 2
            assert record.any(axis=0).all()


def test_upsampled_cells_are_counted():
    for n in range(1, 9):
        for u in range(1, 8):
            for v in range(1, 6):
                count = sum(v * (o + 1) <= u * n for o in range(80))
                assert counted(derive("upsample"), n=n, u=u, v=v) == count
                if count:
                    assert sizes.upsampled_size(n, Fraction(u, v)) == count


def test_values_out_of_range_are_errors():
    found = derive("conv")
    good = {"n": 5, "k": 3, "s": 2, "d": 1, "p0": 0, "p1": 0}
    assert found.evaluate(**good) == 2
    for wrong in ({"s": 0}, {"d": 0}, {"n": 2.5}, {"n": True}, {"x": 1}):
        with pytest.raises(GeometryError):
            found.evaluate(**good | wrong)
    with pytest.raises(GeometryError):
        found.evaluate(n=5)
    with pytest.raises(GeometryError, match="o < m"):
        derive("adaptive").evaluate(n=5, m=3, o=3)


# Inverses


def sizes_that_lead_to(m, *window, **options):
    found = []
    for n in range(1, 60):
        try:
            if cm.output_size(n, *window, **options) == m:
                found.append(n)
        except GeometryError:
            continue
    return found


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_inputs_are_all_that_lead_to_the_size(ceil_mode):
    rng = np.random.default_rng(5)
    empty = 0
    for _ in range(CASES):
        at, m = options(rng), int(rng.integers(1, 7))
        window = (at["k"], at["s"], (at["p0"], at["p1"]), at["d"])
        wanted = sizes_that_lead_to(m, *window, ceil_mode=ceil_mode)
        if not wanted:
            empty += 1
            with pytest.raises(GeometryError, match="not the output size of any input"):
                inputs_of(m, *window, ceil_mode=ceil_mode)
            continue
        found = inputs_of(m, *window, ceil_mode=ceil_mode)
        assert list(found) == wanted
        assert found.count == len(found) == len(wanted) <= at["s"]
        assert wanted[0] in found
        assert wanted[0] - 1 not in found
    assert 0 < empty < CASES / 4


def test_inputs_of_named_paddings():
    for m in range(1, 6):
        for k, s, d in ((3, 1, 1), (3, 2, 2), (2, 3, 1), (4, 4, 3)):
            for padding in ("same", "same_upper", "same_lower"):
                wanted = []
                for n in range(1, 40):
                    low, high = sizes.same_padding(n, k, s, d)
                    if cm.output_size(n, k, s, (low, high), d) == m:
                        wanted.append(n)
                assert list(inputs_of(m, k, s, padding, d)) == wanted
            assert list(inputs_of(m, k, s, "valid", d)) == sizes_that_lead_to(m, k, s, 0, d)
            reach = d * (k - 1)
            wanted = sizes_that_lead_to(m, k, s, reach, d)
            if wanted:
                assert list(inputs_of(m, k, s, "full", d)) == wanted


def test_inputs_check_themselves():
    found = inputs_of(4, 3, 2, 1)
    assert found.check()
    assert found.certificates == derive("inputs").certificates
    with pytest.raises(Refused, match="first"):
        replace(found, first=found.first + 1).check()
    with pytest.raises(Refused, match="last"):
        replace(found, last=found.last + 1).check()
    m, k, s, t = sympy.symbols("m k s t", integer=True, positive=True)
    for ceil_mode in (False, True):
        general = inputs_of(m, k, 2 * t, 1, ceil_mode=ceil_mode)
        assert general.check()
        with pytest.raises(Refused):
            replace(general, first=general.first + 1).check()
        assert normal_form(general.count - 2 * t) == 0
        with pytest.raises(GeometryError, match="no numbers"):
            list(general)
    assert inputs_of(m, k, s, padding="same").first == s * (m - 1) + 1


def test_symbols_and_integers_agree():
    m, k, s, d = sympy.symbols("m k s d", integer=True)
    general = inputs_of(m, k, s, (1, 2), d)
    for at in ({m: 3, k: 3, s: 2, d: 1}, {m: 5, k: 2, s: 3, d: 4}):
        found = inputs_of(at[m], at[k], at[s], (1, 2), at[d])
        assert (general.first.subs(at), general.last.subs(at)) == (found.first, found.last)


def test_output_padding_selects_the_input():
    rng = np.random.default_rng(6)
    for _ in range(CASES):
        at = options(rng)
        window = (at["k"], at["s"], (at["p0"], at["p1"]), at["d"])
        try:
            m = cm.output_size(at["n"], *window)
        except GeometryError:
            with pytest.raises(GeometryError):
                round_trip(at["n"], *window)
            continue
        found = round_trip(at["n"], *window)
        extra = inputs_of(m, *window).output_padding(at["n"])
        assert extra == found.output_padding == evaluate("output_padding", at)
        assert 0 <= extra < at["s"]
        assert (found.m, found.back) == (m, at["n"])
        back = cm.transposed_output_size(m, *window[:3], extra, window[3])
        assert back == at["n"]
    assert round_trip(28, 3, 2, 1).check()


def test_the_round_trip_is_an_identity():
    n, k, s, d = sympy.symbols("n k s d", integer=True, positive=True)
    p, r = sympy.symbols("p r", integer=True, nonnegative=True)
    for arguments in ((n, k, s, (p, r), d), (n, k, s, "full", d), (n, 3, 2, p), (2 * n, k, s)):
        found = round_trip(*arguments)
        assert found.check()
        assert normal_form(found.back - arguments[0]) == 0
        assert found.derivation.check()
        with pytest.raises(Refused, match="back"):
            replace(found, back=found.back + 1).check()
        with pytest.raises(Refused, match="a ="):
            replace(found, output_padding=found.output_padding + 1).check()
    assert "28 -> 14" in str(round_trip(28, 3, 2, 1))
    assert r"\bmod" in round_trip(n, k, s).latex()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0, 3), "size"), ((3, 0), "kernel"), ((3, 3, 0), "stride"), ((3, 3, 1, -1), "padding"),
        ((3, 3, 1, 0, 0), "dilation"), ((2.5, 3), "size"), (("3", 3), "size"),
        ((3, 3, 1, "some"), "padding"), ((3, 3, 1, (1, 2, 3)), "padding"), ((True, 3), "size"),
        ((3, 3, 1, 0, 1, "yes"), "ceil_mode"), ((3, 3, 1, "same", 1, True), "ceil_mode"),
        ((1, 1, 1, 9), "size"), ((None, 3), "size"),
        ((sympy.Symbol("m", integer=True, negative=True), 3), "size"),
        ((3, sympy.Symbol("k", integer=False)), "kernel"),
    ],
)  # fmt: skip
def test_bad_arguments(arguments, named):
    with pytest.raises(GeometryError) as error:
        inputs_of(*arguments)
    assert error.value.argument == named


def test_output_padding_needs_one_of_the_sizes():
    found = inputs_of(14, 3, 2, 1)
    with pytest.raises(GeometryError, match="does not lead to 14"):
        found.output_padding(29)
    with pytest.raises(GeometryError, match="output_size"):
        inputs_of(14, 3, 2, "same").output_padding(28)
    with pytest.raises(GeometryError, match="padding"):
        round_trip(14, 3, 2, "same")


def test_theorems_of_one_name_are_one_theorem():
    for name in DERIVATIONS:
        for theorem in derive(name).theorems:
            assert SIZE_THEOREMS[theorem.name] == theorem
            assert check(size_certificate(theorem.name), theorem) == theorem
    with pytest.raises(GeometryError, match="theorem"):
        size_certificate("conv")
