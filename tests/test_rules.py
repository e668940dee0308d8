"""Rewriting: the rules as theorems, and expressions against their values at integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import sympy
import tampering
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Max, Min, Mod, Symbol, ceiling, floor, symbols

import convmat as cm
from convmat import GeometryError
from convmat.certificates.checker import Refused, check
from convmat.certificates.polynomials import Polynomial
from convmat.certificates.provers.found import found
from convmat.certificates.provers.ratios import Ratio, divide_out
from convmat.certificates.theorems.floors import RULE_THEOREMS
from convmat.symbolic import normal_form, rewrite

RULES = pytest.mark.parametrize("name", RULE_THEOREMS)
n, s, k = symbols("n s k", integer=True, positive=True)
p = Symbol("p", integer=True, nonnegative=True)
x, y, a = symbols("x y a", integer=True)


# The rules


@RULES
def test_the_checker_accepts_the_rule(name):
    assert check(found(RULE_THEOREMS[name]), RULE_THEOREMS[name]).name == name


@RULES
def test_the_checker_refuses_every_small_change(name):
    accepted, tried = tampering.accepted_changes(found(RULE_THEOREMS[name]), RULE_THEOREMS[name])
    assert not accepted
    assert tried > 30


def test_the_rules_that_are_needed_are_there():
    assert {"nested floors", "ceiling", "remainder", "fraction below one"} <= set(RULE_THEOREMS)


# Expressions


def value(expression, at):
    """Evaluate an expression at integers with Python's own division; nothing of SymPy's."""
    if expression.is_Rational:
        return Fraction(int(expression.p), int(expression.q))
    if expression.is_Symbol:
        return Fraction(at[expression.name])
    arguments = [value(argument, at) for argument in expression.args]
    if expression.is_Add:
        return sum(arguments)
    if expression.is_Mul:
        product = Fraction(1)
        for argument in arguments:
            product *= argument
        return product
    if expression.is_Pow:
        return arguments[0] ** int(arguments[1])
    functions = {
        floor: lambda q: q.numerator // q.denominator,
        ceiling: lambda q: -(-q.numerator // q.denominator),
        Mod: lambda q, r: q - r * ((q / r).numerator // (q / r).denominator),
        Min: min,
        Max: max,
    }
    return Fraction(functions[expression.func](*arguments))


DIVISORS = [sympy.Integer(2), sympy.Integer(3), sympy.Integer(6), s, k, 2 * s, s * k, s + 1,
            s * (k - 1) + 1, n + s]  # fmt: skip


def grown(inner):
    divisor = st.sampled_from(DIVISORS)
    whole = st.one_of(inner, st.integers(-7, 7).map(sympy.Integer))
    return st.one_of(
        st.tuples(whole, whole).map(lambda two: two[0] + two[1]),
        st.tuples(whole, whole).map(lambda two: 3 * two[0] - two[1]),
        st.tuples(inner, divisor).map(lambda two: floor(two[0] / two[1])),
        st.tuples(inner, divisor).map(lambda two: ceiling(two[0] / two[1])),
        st.tuples(inner, divisor).map(lambda two: Mod(*two)),
        st.tuples(whole, whole).map(lambda two: Min(*two)),
        st.tuples(whole, whole).map(lambda two: Max(*two)),
        st.tuples(whole, whole, divisor).map(lambda c: floor(c[0] / c[2] - c[1] / (2 * c[2]))),
        st.tuples(whole, whole, divisor).map(lambda c: floor((c[0] - 3 * c[1] * c[2]) / c[2])),
    )


EXPRESSIONS = st.recursive(st.sampled_from([n, s, k, p, x, y]), grown, max_leaves=5)
SIZES = st.fixed_dictionaries(
    {name: st.integers(1, 9) for name in "nsk"}
    | {"p": st.integers(0, 5), "x": st.integers(-30, 30), "y": st.integers(-30, 30)}
)


@settings(max_examples=250, deadline=None)
@given(EXPRESSIONS, st.lists(SIZES, min_size=8, max_size=8))
def test_the_normal_form_has_the_same_values(expression, sizes):
    found = rewrite(expression)
    for at in sizes:
        assert value(found.result, at) == value(expression, at)
        for step in found.steps:
            assert value(step.before, at) == value(step.after, at), step
    assert normal_form(found.result) == found.result
    assert normal_form(expression - found.result) == 0
    assert {step.rule for step in found.steps} <= set(RULE_THEOREMS)


@pytest.mark.parametrize(
    "expression",
    [
        floor(n / s) * s + Mod(n, s) - n,
        floor((floor(x / s) + y) / k) - floor((x + s * y) / (s * k)),
        ceiling(x / s) - floor((x + s - 1) / s),
        -floor(-x / s) - ceiling(x / s),
        floor((s - 1) / s),
        floor((n + s) / s) - floor(n / s) - 1,
        floor((4 * x + 6) / (6 * s)) - floor((2 * x + 3) / (3 * s)),
        floor(Min(x, y) / s) - Min(floor(x / s), floor(y / s)),
        ceiling(Max(x, y) / 3) - Max(ceiling(x / 3), ceiling(y / 3)),
        Max(x, y) + Min(-x, -y),
        Min(x + n, y + n) - Min(y, x) - n,
        Min(n, n + p) - n,
        floor(x / 2) + ceiling(x / 2) - x,
        floor(floor(floor(x / 2) / 3) / 5) - floor(x / 30),
        floor(floor(-x / s) / k) + ceiling(x / (s * k)),
        Mod(x + s * y, s) - Mod(x, s),
        Mod(Mod(x, s), s) - Mod(x, s),
    ],
    ids=str,
)  # fmt: skip
def test_identities_close(expression):
    assert normal_form(expression) == 0


@pytest.mark.parametrize(
    "expression",
    [
        floor((x + y) / s) - floor(x / s) - floor(y / s),
        floor((floor(x / s) + y) / k) - floor((x + y) / (s * k)),
        ceiling(x / s) - floor((x + s) / s),
        floor((n - 1) / s) - floor(n / s),
        Min(x, y) - x,
        Mod(x, s) - x,
    ],
    ids=str,
)
def test_false_identities_do_not_close(expression):
    assert normal_form(expression) != 0


def test_a_remainder_is_below_its_bound():
    assert normal_form(floor((s * (n - 1) + a) / s), remainders={"a": "s"}) == n - 1
    assert normal_form(floor((s * (n - 1) - a) / s), remainders={"a": "s"}) != n - 1
    assert normal_form(floor((s * (n - 1) + a) / s)) != n - 1
    with pytest.raises(GeometryError, match="remainder"):
        normal_form(floor(a / s), remainders={"a": "s", "x": "a"})


def test_symbols_without_assumptions_are_integers_of_any_sign():
    free, divisor = symbols("free divisor")
    assert normal_form(floor(free + sympy.Rational(1, 2))) == free
    with pytest.raises(GeometryError, match="not known to be positive"):
        normal_form(floor(free / divisor))
    assert normal_form(floor(free / divisor) - floor((free + divisor) / divisor),
                       positive=["divisor"]) == -1  # fmt: skip
    negative = Symbol("r", integer=True, negative=True)
    with pytest.raises(GeometryError, match="positive"):
        normal_form(floor(n / negative))


@pytest.mark.parametrize(
    "wrong",
    ["floor(n/s)", None, 1.5, True, n / 2, n / s, sympy.sqrt(n), sympy.Abs(x), sympy.sin(n),
     2**n, sympy.Float(2.0), sympy.pi, sympy.oo, Symbol("h", integer=False), n > s,
     sympy.Piecewise((n, n > 2), (s, True)), floor(n / (s - s * 1 + x)), Min(n / 2, s)],
    ids=str,
)  # fmt: skip
def test_what_is_no_integer_expression_is_an_error(wrong):
    with pytest.raises(GeometryError):
        normal_form(wrong)


def test_one_name_with_two_meanings_is_an_error():
    with pytest.raises(GeometryError, match="two meanings"):
        normal_form(floor(n / Symbol("n", positive=True)))


@pytest.mark.parametrize("name", ["[0]", "[1]", "[", "[[0]"])
def test_no_name_is_taken_for_a_floor(name):
    z = Symbol(name, integer=True)
    assert normal_form(floor(n / s) - z) == floor(n / s) - z
    assert normal_form(Min(floor(n / s), k) + floor(z / 2) + z) == (
        Min(floor(n / s), k) + floor(z / 2) + z
    )
    assert normal_form(z - floor(n / s), positive=[name]) == z - floor(n / s)
    rest = floor(n / Symbol("t", integer=True))
    assert normal_form(rest, remainders={name: "t"}) == rest


def test_steps_are_told_and_their_rules_checked():
    found = rewrite(floor((floor(n / s) + k) / 2))
    assert [step.rule for step in found.steps] == ["nested floors"]
    assert found.check()
    assert str(found).splitlines()[1].endswith("[nested floors]")
    assert rewrite(sympy.Integer(7)).steps == ()
    assert normal_form(7) == 7


def test_a_rule_that_is_not_proved_is_refused(monkeypatch):
    found = rewrite(floor((floor(n / s) + k) / 2))
    wrong = replace(RULE_THEOREMS["nested floors"], goals=RULE_THEOREMS["ceiling"].goals)
    monkeypatch.setitem(RULE_THEOREMS, "nested floors", wrong)
    with pytest.raises(Refused):
        found.check()


def test_output_sizes_of_fifty_layers_are_one_floor():
    size = n
    for _ in range(50):
        size = cm.output_size(size, 3, 2, 1)
    (within,) = normal_form(size).atoms(floor)
    assert within.args[0].as_numer_denom()[1] == 2**50


@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(1, 9))
def test_division_with_remainder_by_a_polynomial(c, e, d):
    first, second = Polynomial.symbol("x"), Polynomial.symbol("s")
    top, bottom = first * second * c + second * e + first + c, second * d
    whole, rest = divide_out(top, bottom)
    assert whole * bottom + rest == top
    assert rest.terms.get((("s", 1),), 0) * 2 <= d


def test_ratios_cancel_numbers_and_symbols():
    first, second = Polynomial.symbol("x"), Polynomial.symbol("s")
    assert Ratio.of(first * second * 4, second * second * -6) == Ratio.of(first * -2, second * 3)
    assert Ratio.of(first, second).power(-2) == Ratio.of(second * second, first * first)
    with pytest.raises(GeometryError, match="zero"):
        Ratio.of(first, 0)
