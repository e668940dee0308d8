"""Reading size formulas: what is understood, and that hostile or broken text is refused."""

from __future__ import annotations

import itertools
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import convmat as cm
from convmat import GeometryError
from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.statements import eq, le
from convmat.symbolic.formulas.equality import prove_identity
from convmat.symbolic.formulas.evaluation import evaluate_exactly
from convmat.symbolic.formulas.identities import Identity
from convmat.symbolic.formulas.programs import Program
from convmat.symbolic.formulas.reading import from_sympy, read_formula
from convmat.symbolic.formulas.tracing import parameters_of, trace
from convmat.symbolic.formulas.tree import NAMES, Formula, Undefined, canonical_name, substitute

VALUES = {"n": 11, "k": 3, "s": 2, "p": 1, "p0": 1, "p1": 2, "d": 2, "a": 1, "r": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("floor((n + 2*p - k)/s) + 1", 6),
        ("1 + (W - F + 2*P) // S", 6),
        ("-(-n // s)", 6),
        ("-n // s", -6),
        ("-2**2", -4),
        ("2*-n", -22),
        ("n - k - s", 6),
        ("n / s / s", Fraction(11, 4)),
        ("n % s * k", 3),
        ("-n % k", 1),
        ("int(-n/s) + int(n/s)", 0),
        ("floor(-n/s)", -6),
        ("ceiling(-n/s)", -5),
        ("mod(n, k)", 2),
        ("abs(k - n)", 8),
        ("min(n, k, s)", 2),
        ("max(n - 20, k, s)", 3),
        ("(input_size - kernel_size) // stride", 4),
        ("in + dilation - output_padding", 12),
        ("n**0 + n**2", 122),
        (" \n n\t+ 1 ", 12),
    ],
)
def test_text_means_what_it_means_in_python(text, value):
    tree = read_formula(text)
    assert tree.evaluate(VALUES) == value
    assert read_formula(str(tree)) == tree


HOSTILE = [
    "__import__('os').system('true')",
    "().__class__.__bases__",
    "n.__class__",
    "n.real",
    "lambda: n",
    "lambda n: n",
    "[n for n in k]",
    "n if s else k",
    "n and k",
    "n == k",
    "n < k",
    "n := 3",
    "n = 3",
    "n; k",
    "f'{n}'",
    "'n'",
    "n[0]",
    "{n}",
    "eval(n)",
    "exec(n)",
    "open(n)",
    "print(n)",
    "sympify(n)",
    "math.floor(n)",
    "floor.__globals__",
    "n @ k",
    "n ^ 2",
    "~n",
    "n & k",
    "n >> 1",
    "10**10**10",
    "9**9**9**9",
    "n**9",
    "n**-1",
    "n**k",
    "n**(2)",
    "n**2**2",
    "2**99999999999",
    "99999999999",
    "1e5",
    "0.5*n",
    "0x10",
    "1_000",
    "1j",
    "2n",
    "n k",
    "n٣",
    "٣",
    "\uff4e",
    "²",
    "n²",
    "x",
    "nn",
    "self",
    "None",
    "",
    "   ",
    "(",
    ")",
    "n)",
    "(n",
    "n +",
    "* n",
    "n ** ",
    "floor",
    "floor()",
    "floor(n, k)",
    "floor n",
    "min(n)",
    "mod(n)",
    "mod(n, k, s)",
    "n(k)",
    "\x00",
    "n\x00",
    "#",
    "n # comment",
    "n\\",
    "(" * 60 + "n" + ")" * 60,
    "-" * 60 + "n",
    "floor(" * 60 + "n" + ")" * 60,
    "n" + "+n" * 300,
    "n" + "*n" * 20,
    "((n**8)**8)**8",
    "(n*n*n*n*n)*(n*n*n*n*n)",
    "+".join(["n"] * 130),
    "max(" + ",".join(["n"] * 200) + ")",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_and_broken_texts_are_refused(text):
    with pytest.raises(GeometryError, match="formula"):
        read_formula(text)
    with pytest.raises(GeometryError):
        cm.verify_output_size(text)


def test_the_message_says_where():
    with pytest.raises(GeometryError, match="character 7: there is no function 'sin'"):
        read_formula("n + 1*sin(n)")
    with pytest.raises(GeometryError, match=r"character 5: .* is no part of a formula"):
        read_formula("n + $")
    with pytest.raises(GeometryError, match=r"character 3: '\)' is missing"):
        read_formula("(n")


def test_nothing_is_imported_or_called_by_a_text():
    before = set(sys.modules)
    for text in HOSTILE:
        with pytest.raises(GeometryError):
            read_formula(text)
    assert set(sys.modules) == before


@given(st.text(max_size=60) | st.text("nksp()+-*/% ,0123456789floorminax", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        tree = read_formula(text)
    except GeometryError:
        return
    assert read_formula(str(tree)) == tree


names = st.sampled_from([Formula("name", (name,)) for name in "nksp"])
numbers = st.integers(0, 5).map(lambda value: Formula("number", (value,)))


@st.composite
def trees(draw, depth=3):
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(names | numbers)
    kind = draw(
        st.sampled_from(
            ["+", "-", "*", "/", "//", "%", "negative", "floor", "ceil", "int", "abs", "min", "max"]
        )
    )
    one = kind in ("negative", "floor", "ceil", "int", "abs")
    return Formula(kind, tuple(draw(trees(depth - 1)) for _ in range(1 if one else 2)))


@given(trees())
def test_written_trees_read_as_themselves(tree):
    try:
        again = read_formula(str(tree))
    except GeometryError as error:
        if "degree" in error.rule:  # the one thing that is wrong with it
            return
        raise
    assert again == tree


@given(trees(), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3))
def test_instructions_compute_what_the_tree_says(tree, n, k, s, p):
    values = {"n": n, "k": k, "s": s, "p": p}
    try:
        value = tree.evaluate(values)
    except Undefined:
        value = None
    assert substitute(tree, {}) == tree
    program = Program()
    place = program.lower(tree)
    assert run(program, values, place) == value


def run(program, values, place):
    """Follow instructions one at a time."""
    done: list[int] = []
    for kind, first, second in program.code:
        if kind == "number":
            done.append(first)
        elif kind == "name":
            done.append(values[first])
        else:
            a, b = done[first], done[second]
            if kind == "sign" and a == 0:
                return None
            if kind == "floor":
                assert b >= 1
            done.append(
                {
                    "+": lambda a, b: a + b,
                    "-": lambda a, b: a - b,
                    "*": lambda a, b: a * b,
                    "floor": lambda a, b: a // b,
                    "min": min,
                    "max": max,
                    "sign": lambda a, _: (a > 0) - (a < 0),
                }[kind](a, b)
            )
    return Fraction(done[place.numerator], done[place.denominator])


def test_names_are_unambiguous():
    spellings = [spelling for group in NAMES.values() for spelling in group]
    assert len(spellings) == len(set(spellings))
    assert all(spelling == spelling.lower() for spelling in spellings)
    assert canonical_name("Kernel_Size") == "k"
    assert canonical_name("q") is None


# SymPy and functions


def test_sympy_expressions_keep_their_value():
    n, k, s, p = sympy.symbols("n k s p", integer=True, positive=True)
    expressions = [
        sympy.floor((n + 2 * p - k) / s) + 1,
        sympy.ceiling(n / s) * 2 - sympy.Mod(n, s),
        sympy.Min(n, k, s) - sympy.Max(p, 3) + abs(k - n),
        n / 2 - sympy.Rational(3, 7) * k**2,
        -(n**2),
        sympy.Integer(5),
        sympy.Mod(k, n) - sympy.Mod(n, k),
    ]
    for expression in expressions:
        tree = from_sympy(expression)
        for values in itertools.product(range(1, 5), repeat=4):
            at = dict(zip((n, k, s, p), values, strict=True))
            by_name = {str(symbol): value for symbol, value in at.items()}
            assert tree.evaluate(by_name) == Fraction(str(expression.subs(at)))


@pytest.mark.parametrize(
    "make",
    [
        sympy.sin,
        lambda n: n**n,
        lambda n: n + sympy.Symbol("unknown"),
        lambda n: sympy.Float(0.5) * n,
        sympy.sqrt,
        lambda n: n * sympy.pi,
        lambda n: n + sympy.oo,
        lambda n: n**100,
        lambda n: sympy.Piecewise((n, n > 3), (1, True)),
        lambda n: n + sympy.Integer(10) ** 30,
        lambda n: n > 3,
    ],
)
def test_other_sympy_expressions_are_refused(make):
    with pytest.raises(GeometryError):
        from_sympy(make(sympy.Symbol("n", integer=True)))


def test_functions_are_traced():
    cases = [
        lambda n, kernel_size, stride=1: math.floor((n - kernel_size) / stride) + 1,
        lambda n, k, s: np.ceil((n - k) / s),
        lambda n, k, s: sympy.floor((n - k) / s),
        lambda n, k, s, p, d: cm.output_size(n, k, s, p, d) + 1,
        lambda n: divmod(n, 2)[0],
        lambda n, s: int(-n / s) + int(isinstance(n, float)),
        lambda n, s=2: round(n / s) - int("1"),
    ]
    for function in cases:
        tree = trace(function)
        assert tree is not None
        parameters = parameters_of(function)
        for n in range(8, 14):
            values = VALUES | {"n": n}
            assert tree.evaluate(values) == parameters.call(values)


@pytest.mark.parametrize(
    "function",
    [
        lambda n, s: n if s == 1 else n // s,
        lambda n, s: n if s > 1 else 1,
        lambda n: n or 1,
        lambda n, k: max(n, k) if n != k else 0,
        lambda n: float(n) + 1,
        lambda n: round(n, 0) + 1,
        lambda n: n.parts,
        lambda n: n + 1 / 0,
        lambda n: f"{n}",
        lambda n: [n],
        lambda n: 0.5 * n,
    ],
)
def test_functions_that_decide_are_not_traced(function):
    assert trace(function) is None


def test_parameters_that_mean_nothing_are_refused():
    with pytest.raises(GeometryError, match="is a parameter"):
        parameters_of(lambda n, groups: n + groups)
    with pytest.raises(GeometryError, match="is a parameter"):
        parameters_of(lambda n, stride, s: n + stride + s)
    with pytest.raises(GeometryError, match="is a parameter"):
        parameters_of(lambda *n: n)
    assert parameters_of(lambda n, groups=1: n + groups).symbols == {"n": "n"}


# Identities

N, K, S, D, P, A, H = symbols("n k s d p a h")
POSITIVE = [le(1, N), le(1, K), le(1, S), le(1, D), le(0, P), le(0, A)]

TRUE = [
    ("s*floor(n/s) + n % s", "n", ()),
    ("ceil(n/s)", "floor((n + s - 1)/s)", ()),
    ("floor((floor(n/s) + k)/d)", "floor((n + k*s)/(d*s))", ()),
    ("ceil(ceil(n/s)/d)", "ceil(n/(s*d))", ()),
    ("floor((n + k*s)/s)", "n//s + k", ()),
    ("floor(2*n/(2*s))", "n//s", ()),
    ("int(n/s)", "n//s", ()),
    ("int(-n/s)", "-(n//s)", ()),
    ("max(n, k) + min(n, k)", "n + k", ()),
    ("abs(n - k)", "max(n, k) - min(n, k)", ()),
    ("floor(n/s)", "n", (eq(S, 1),)),
    ("k//2", "(k - 1)/2", (eq(K, 2 * H + 1),)),
    ("n/s", "ceil(n/s)", (eq(N, S * H),)),
    ("n//s", "0", (le(N + 1, S),)),
    ("floor((n + a)/s)", "n/s", (eq(N, S * H), le(A + 1, S))),
    ("n // abs(-s)", "n // s", ()),
    ("(s*n)//(s*k)", "n//k", ()),
]


@pytest.mark.parametrize(("first", "second", "more"), TRUE)
def test_identities_are_proved_and_checked_again(first, second, more):
    identity = prove_identity(first, second, [*POSITIVE, *more])
    assert identity is not None
    assert identity.check()
    without = Identity(
        identity.first, identity.second, identity.hypotheses[:-1], identity.certificates
    )
    with pytest.raises(GeometryError, match="hypotheses"):
        without.check()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("n//s", "ceil(n/s)"),
        ("floor((floor(n/s) + k)/d)", "floor((n + k)/(d*s))"),
        ("n/s", "n//s"),
        ("int(-n/s)", "floor(-n/s)"),
        ("n // (k - 1)", "n // (k - 1)"),  # nothing where k = 1
        ("n/(k - 1)*(k - 1)", "n"),
        ("n + 0/(k - 1)", "n"),
        ("min(n, n + n % (k - 1))", "n"),
        ("n", "n*(k - 3)/(k - 3)"),
        ("n % s", "n"),
        ("k//2", "(k - 1)/2"),
    ],
)
def test_what_is_false_is_not_proved(first, second):
    assert prove_identity(first, second, POSITIVE) is None


def test_hypotheses_in_sympy_and_contradictions():
    n, s = sympy.symbols("n s", integer=True)
    zero = sympy.Integer(0)
    assert prove_identity(sympy.floor(n / s), zero, [n >= 0, n < s])  # so that s is positive
    assert prove_identity(sympy.floor(n / s), zero, [n >= 0]) is None
    assert prove_identity(sympy.floor(n / s), zero, [n >= 0, n < s**2]) is None
    for contradictory in ([n >= 5, n <= 3], [sympy.Eq(n, 2), n > 2], [n >= s, n < s]):
        with pytest.raises(GeometryError, match="contradict"):
            prove_identity("n", "n + 1", contradictory)
    with pytest.raises(GeometryError, match="no relation"):
        prove_identity("n", "n", [sympy.Ne(n, 2)])


def test_symbols_of_floors_are_no_symbols_of_the_user():
    n, s, k, q1, q2 = sympy.symbols("n s k q1 q2", integer=True)
    assert prove_identity(sympy.floor(n / s), k, [n >= 1, s >= 1, sympy.Eq(q1, k)]) is None
    assert prove_identity("n//s", "k", [*POSITIVE, *(eq(Polynomial.symbol(f"q{i}"), K)
                                                    for i in range(1, 4))]) is None  # fmt: skip
    hypotheses = [n >= 1, s >= 1, sympy.Eq(n, s * q1 + q2), q2 >= 0, q2 < s]
    identity = prove_identity(sympy.floor(n / s) * s + q2, n, hypotheses)
    assert identity is not None
    assert identity.check()


def test_fractions_in_hypotheses_are_exact():
    n = sympy.Symbol("n", integer=True)
    half = sympy.Rational(5, 2)
    assert prove_identity("n//3", "0", [n >= 0, n < half])
    assert prove_identity("n//2", "0", [n >= 0, n < half]) is None  # n = 2
    assert prove_identity("n", "2", [n >= half - 1, n < half])
    any_n = sympy.Symbol("n")  # else SymPy itself says no
    for never in (sympy.Eq(any_n, half), sympy.Eq(2 * any_n, 2 * half)):
        with pytest.raises(GeometryError, match="contradict"):
            prove_identity("n", "2", [never])
    for unclear in (sympy.Eq(n, 2.5), n < sympy.Float(2.5), n < sympy.pi, sympy.Eq(n, 2 / n)):
        with pytest.raises(GeometryError):
            prove_identity("n", "2", [unclear])
    with pytest.raises(GeometryError, match="integer"):
        Polynomial.of(half)


def test_a_divisor_must_be_proved_positive():
    assert prove_identity("n/s*s", "n", []) is None  # nothing where s = 0
    assert prove_identity("n/s*s", "n", [le(1, S)])


def test_assumptions_of_symbols_are_hypotheses():
    n, s = sympy.Symbol("n", nonnegative=True), sympy.Symbol("s", positive=True)
    identity = prove_identity(sympy.ceiling(n / s), sympy.floor((n + s - 1) / s))
    assert {str(h) for h in identity.hypotheses} == {"0 <= n", "1 <= s"}
    even = sympy.Symbol("n", even=True)
    assert prove_identity(sympy.floor(even / 2) * 2, even)
    with pytest.raises(GeometryError, match="two SymPy symbols"):
        prove_identity(n, sympy.Symbol("n"))


@given(st.fractions(max_denominator=12))
def test_round_goes_to_the_even_neighbour(number):
    text = f"round({number.numerator}/{number.denominator})"
    if abs(number.numerator) < 10**9:
        tree = read_formula(text)
        assert tree.evaluate({}) == round(number)
        program = Program()
        assert run(program, {}, program.lower(tree)) == round(number)


def test_exact_evaluation_agrees_with_fractions():
    rng = np.random.default_rng(1)
    places = {name: rng.integers(1, 9, 60) for name in "nks"} | {"p": rng.integers(0, 1 << 40, 60)}
    for text in ("(n - k)//(s - 3)", "min(n/k, round(p/7))", "abs(p - n)*p % (k - 4)", "int(-p/s)"):
        tree, program = read_formula(text), Program()
        ratio = program.lower(tree)
        values, there = evaluate_exactly(program, places, 60)
        for i in range(60):
            try:
                wanted = tree.evaluate({name: int(array[i]) for name, array in places.items()})
            except Undefined:
                wanted = None
            exists = there[ratio.numerator][i] and there[ratio.denominator][i]
            assert exists == (wanted is not None)
            if exists:
                assert Fraction(values[ratio.numerator][i], values[ratio.denominator][i]) == wanted


@pytest.mark.parametrize(
    ("text", "place", "name"),
    [
        ("n // s\u00a0+ 1", 7, r"no-break space \(U\+00A0\) is no part .*: write a plain space"),
        ("n +\u2003 1", 4, r"em space \(U\+2003\)"),
        ("n\u200b+1", 2, r"zero width space \(U\+200B\)"),
        ("n \u2212 k", 3, r"minus sign \(U\+2212\) is no part of a formula: write -"),
        ("2\u00d7n", 2, r"multiplication sign \(U\+00D7\) is no part of a formula: write \*"),
        ("n\u0085+ 1", 2, r"control character \(U\+0085\)"),
    ],
)  # fmt: skip
def test_a_character_that_looks_like_another_is_named_itself(text, place, name):
    with pytest.raises(GeometryError, match=f"character {place}: {name}"):
        read_formula(text)
