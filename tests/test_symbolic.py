"""Certificates: polynomials, the checker's rules, the theorems, every way to tamper with them."""

from __future__ import annotations

import ast
import itertools
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import convmat as cm
from convmat import GeometryError
from convmat.certificates import checker
from convmat.certificates.checker import Refused, check
from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers.found import certificate, found
from convmat.certificates.statements import Certificate, Statement, Step, eq, floor, le, lt
from convmat.certificates.theorem import Theorem
from convmat.certificates.theorems import THEOREMS, TRANSPOSE

NAMES = pytest.mark.parametrize("name", TRANSPOSE)
X, Y, S, Q = symbols("x y s q")
ONE = Polynomial.of(1)


# Polynomials


@st.composite
def polynomials(draw):
    terms = st.dictionaries(
        st.sampled_from([(), (("x", 1),), (("y", 2),), (("x", 1), ("y", 1))]), st.integers(-3, 3)
    )
    return Polynomial(draw(terms))


@given(polynomials(), polynomials(), polynomials(), st.integers(-4, 4), st.integers(-4, 4))
def test_polynomials_are_a_ring_and_evaluation_respects_it(a, b, c, x, y):
    assert a * (b + c) == a * b + a * c
    assert a - a == 0
    at = {"x": x, "y": y}
    assert (a * b - c).evaluate(at) == a.evaluate(at) * b.evaluate(at) - c.evaluate(at)
    assert Polynomial.from_json(json.loads(json.dumps(a.to_json()))) == a
    expression = sympy.sympify(str(a).replace("^", "**"))
    assert Polynomial.of(expression) == a


def test_only_integer_polynomials_are_read_from_sympy():
    n, s = sympy.symbols("n s")
    with pytest.raises(GeometryError, match="polynomial"):
        Polynomial.of(sympy.floor(n / s))
    with pytest.raises(GeometryError, match="integer"):
        Polynomial.of(n / 2)


@pytest.mark.parametrize(
    "value",
    [3, [3], [[1]], [[0, {}]], [[True, {}]], [[1.0, {}]], [[1, {"x": 0}]], [[1, {"x": True}]],
     [[1, {"x": -1}]], [[1, {"__import__": 1}]], [[1, {"x y": 1}]], [[1, {}], [2, {}]],
     [[1, {"x": 10**9}]], "x", None],
)  # fmt: skip
def test_malformed_polynomials_are_refused(value):
    with pytest.raises(GeometryError, match="not a polynomial"):
        Polynomial.from_json(value)


# The rules, each with what it must not accept


def refusal(hypotheses, *steps, witnesses=()):
    """Return why the checker refuses these steps, or None."""
    theorem = Theorem(
        "test", "", tuple(hypotheses), (steps[-1].statement,), witnesses=tuple(witnesses)
    )
    whole = Certificate("test", theorem.hypotheses, theorem.goals, tuple(steps))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(checker.THEOREMS, "test", theorem)
        try:
            check(whole)
        except Refused as error:
            return str(error)
    return None


def given_steps(*statements):
    return [Step(statement, "hypothesis") for statement in statements]


def combine(statement, *terms):
    terms = tuple((Polynomial.of(c), tuple(indices)) for c, *indices in terms)
    used = tuple(sorted({i for _, indices in terms for i in indices}))
    return Step(statement, "combine", used, terms)


def test_combine_multiplies_slacks_of_inequalities():
    known = (le(0, X), le(0, Y))
    assert refusal(known, *given_steps(*known), combine(le(0, X * Y), (1, 0, 1))) is None
    sum_of_three = combine(le(0, X + 2 * Y + 3), (1, 0), (2, 1), (3,))
    assert refusal(known, *given_steps(*known), sum_of_three) is None


def test_combine_refuses_negative_and_symbolic_multiples_of_inequalities():
    known = (le(0, X), le(0, Y))
    steps = given_steps(*known)
    assert "not an integer >= 0" in refusal(known, *steps, combine(le(0, X - Y), (1, 0), (-1, 1)))
    assert "not an integer >= 0" in refusal(known, *steps, combine(le(0, X * S), (S, 0)))
    assert "not an integer >= 0" in refusal(known, *steps, combine(le(0, X - 1), (1, 0), (-1,)))
    assert "inequalities" in refusal(known, *steps, combine(eq(0, X), (1, 0)))
    assert "add up" in refusal(known, *steps, combine(lt(0, X), (1, 0)))


def test_combine_multiplies_equations_by_anything():
    known = (eq(X, Y), le(0, S))
    steps = given_steps(*known)
    assert refusal(known, *steps, combine(eq(S * X, S * Y), (S, 0))) is None
    assert refusal(known, *steps, combine(eq(S * X, S * Y), (1, 0, 1))) is None
    assert refusal(known, *steps, combine(le(X, Y + S), (1, 0), (1, 1))) is None
    assert refusal(known, *steps, combine(le(X, Y), (1, 1))) is not None


def test_divide_needs_integers_and_a_positive_divisor():
    known = (le(1, S), le(0, S * X + S - 1))
    good = Step(le(0, X), "divide", (0, 1))
    assert refusal(known, *given_steps(*known), good) is None
    for wrong in ((le(0, S), known[1]), (known[0], le(0, S * X + S)), (known[0], le(0, S * X))):
        assert refusal(wrong, *given_steps(*wrong), good) is not None
    assert refusal(known, *given_steps(*known), Step(eq(0, X), "divide", (0, 1))) is not None


def test_floor_rules():
    bounds = (le(S * Q, X), lt(X, S * Q + S))
    assert refusal(bounds, *given_steps(*bounds), Step(floor(Q, X, S), "floor", (0, 1))) is None
    loose = (bounds[0], le(X, S * Q + S))
    assert refusal(loose, *given_steps(*loose), Step(floor(Q, X, S), "floor", (0, 1))) is not None
    known = (floor(Q, X, S), le(1, S))
    for rule, bound in zip(("floor low", "floor high"), bounds, strict=True):
        assert refusal(known, *given_steps(*known), Step(bound, rule, (0, 1))) is None
        without = (floor(Q, X, S), le(0, S))
        assert refusal(without, *given_steps(*without), Step(bound, rule, (0, 1))) is not None
    two = (floor(Q, X, S), floor(Y, X, S))
    assert refusal(two, *given_steps(*two), Step(eq(Q, Y), "floor same", (0, 1))) is None
    other = (floor(Q, X, S), floor(Y, X + 1, S))
    assert refusal(other, *given_steps(*other), Step(eq(Q, Y), "floor same", (0, 1))) is not None


def test_define_needs_a_fresh_symbol():
    known = (le(0, X),)
    assert refusal(known, Step(eq(Y, X + 1), "define"), witnesses="y") is None
    assert "any integer" in refusal(known, Step(eq(X, Y), "define"), witnesses="y")
    assert "already" in refusal(known, Step(eq(Y, Y + 1), "define"), witnesses="y")
    twice = Step(eq(Y, X), "define"), Step(eq(Y, X + 1), "define")
    assert "already" in refusal(known, *twice, witnesses="y")
    assert "form" in refusal(known, Step(eq(2 * Y, X), "define"), witnesses="y")
    assert "form" in refusal(known, Step(le(Y, X), "define"), witnesses="y")


def test_define_binds_no_symbol_that_stands_for_any_integer():
    """A symbol of the goals alone is universal: "x = y" has no proof by giving x that meaning."""
    for symbol, value in ((X, Y), (Y, X), (Q, X + Y)):
        assert "stands for any integer" in refusal((), Step(eq(symbol, value), "define"))
    assert refusal((), Step(eq(X, Y), "define"), witnesses="x") is None
    assert "y stands" in refusal((), Step(eq(Y, X), "define"), witnesses="x")
    # A name that the theorem does not mention may stand for anything, once.
    fresh = Step(eq(Q, X * X), "define"), combine(eq(0, Q - X * X), (-1, 0))
    (goal,) = (eq(0, 0),)
    theorem = Theorem("test", "", (le(0, X),), (goal,))
    steps = (*fresh, combine(goal))
    assert check(Certificate("test", theorem.hypotheses, (goal,), steps), theorem) is theorem


@pytest.mark.parametrize("witnesses", [("x",), ("z",), ("y", "y"), ("y", "x")])
def test_witnesses_are_symbols_of_the_goals_alone(witnesses):
    with pytest.raises(GeometryError, match="witnesses"):
        Theorem("test", "", (le(0, X),), (eq(Y, X),), witnesses=witnesses)


def test_statements_decide_integers():
    at = {"x": -5, "s": 2, "q": -3, "y": 1}
    assert floor(Q, X, S).holds_at(at)
    assert not floor(Q + 1, X, S).holds_at(at)
    assert lt(X, Q).holds_at(at)
    assert not lt(X, X).holds_at(at)
    assert le(X, X).holds_at(at)
    assert not floor(Q, X, S - 2).holds_at(at)


# The theorems


@NAMES
def test_the_checker_accepts_the_theorem_and_every_step_is_needed(name):
    whole = certificate(name)
    assert check(whole) is THEOREMS[name]
    used = {i for step in whole.steps for i in step.premises}
    for number, step in enumerate(whole.steps):
        assert number in used or step.statement in whole.goals


def test_the_transpose_is_checked_within_a_second():
    start = time.perf_counter()
    found.cache_clear()
    for name in TRANSPOSE:
        check(certificate(name))
    assert time.perf_counter() - start < 30  # seconds: it does not search


@NAMES
def test_theorem_is_true_on_a_grid(name):
    """Hypotheses imply goals, by enumeration: a false statement would make a proof worthless."""
    theorem = THEOREMS[name]
    new = set(theorem.witnesses)
    definitions = [
        s for s in theorem.goals
        if s.relation == "=" and len(s.left.symbols) == 1 and s.left.symbols <= new
    ]  # fmt: skip
    cases = 0
    for k, s, d, p0, p1, low, extra in itertools.product(
        (1, 2, 3), (1, 2, 3), (1, 2), (0, 3), (0, 2), (1, 3), (0, 1, 2, 3)
    ):
        at = {"k": k, "s": s, "d": d, "p0": p0, "p1": p1}
        if name == "output padding":
            at["n"] = low + extra
        else:
            length = s * (low - 1) + 1 + 2 * d * (k - 1) - p0 - p1 + extra
            at |= {"m": low, "a": extra, "length": length, "n": length - d * (k - 1)}
        at["q"] = (at["n"] + p0 + p1 - d * (k - 1) - 1) // s
        at.setdefault("m", at["q"] + 1)
        at["f"] = at["q"] + 1
        for entry in _entries(name, at):
            full = at | entry
            if all(h.holds_at(full) for h in theorem.hypotheses):
                cases += 1
                for definition in definitions:
                    (symbol,) = definition.left.symbols
                    full.setdefault(symbol, definition.right.evaluate(full))
                assert all(goal.holds_at(full) for goal in theorem.goals), full
    assert cases > 100


def _entries(name, at):
    """All candidate entries, some of them not entries at all."""
    if "to" not in name.split():
        yield {}
        return
    for place, tap in itertools.product(range(-1, 5), range(-1, 4)):
        if name.startswith("convolution"):
            i = at["s"] * place + at["d"] * tap - at["p0"]
            yield {"o": place, "tap": tap, "i": i}
        else:
            u = at["s"] * place
            v = u + at["d"] * (at["k"] - 1) - at["p0"]
            yield {"j": place, "flip": tap, "u": u, "v": v, "t": v - at["d"] * tap}


@NAMES
def test_hypothesis_a_less_than_s_is_needed(name):
    """Without a < s the convolution has surplus rows, so the theorem must name it."""
    if name != "output padding":
        s, a = symbols("s a")
        assert lt(a, s) in THEOREMS[name].hypotheses


# Tampering


def refuses(tampered):
    with pytest.raises(Refused):
        check(tampered)


def with_step(whole, number, **changes):
    steps = list(whole.steps)
    steps[number] = replace(steps[number], **changes)
    return replace(whole, steps=tuple(steps))


def altered_polynomials(polynomial):
    for monomial, number in polynomial.terms.items():
        yield Polynomial(polynomial.terms | {monomial: number + 1})
        yield Polynomial(polynomial.terms | {monomial: -number})
    yield polynomial + 1
    yield polynomial - 1
    yield polynomial * 2 if polynomial != 0 else ONE


def altered_statements(statement):
    for side in ("left", "right", "divisor"):
        polynomial = getattr(statement, side)
        if polynomial is not None:
            for other in altered_polynomials(polynomial):
                if other != polynomial:
                    yield replace(statement, **{side: other})
    for relation in ("=", "<=", "<", "floor"):
        if relation != statement.relation:
            yield replace(statement, relation=relation)
    yield replace(statement, left=statement.right, right=statement.left)


@NAMES
def test_every_altered_statement_is_refused(name):
    whole = certificate(name)
    count = 0
    for number, step in enumerate(whole.steps):
        for statement in altered_statements(step.statement):
            refuses(with_step(whole, number, statement=statement))
            count += 1
    assert count > 100


@NAMES
def test_every_altered_coefficient_and_factor_is_refused(name):
    whole = certificate(name)
    for number, step in enumerate(whole.steps):
        for place, (coefficient, indices) in enumerate(step.terms):

            def term(new, step=step, place=place):
                return (*step.terms[:place], *new, *step.terms[place + 1 :])

            for other in altered_polynomials(coefficient):
                refuses(with_step(whole, number, terms=term([(other, indices)])))
            refuses(with_step(whole, number, terms=term([])))
            for factor in range(len(indices)):
                for other_index in range(-1, len(whole.steps)):
                    if other_index != indices[factor]:
                        changed = (*indices[:factor], other_index, *indices[factor + 1 :])
                        if sorted(changed) == sorted(indices):
                            continue
                        terms = term([(coefficient, changed)])
                        used = tuple(sorted({i for _, some in terms for i in some}))
                        refuses(with_step(whole, number, terms=terms, premises=used))


@NAMES
def test_every_altered_premise_and_rule_is_refused(name):
    whole = certificate(name)
    for number, step in enumerate(whole.steps):
        for place, premise in enumerate(step.premises):
            for other in range(-1, len(whole.steps) + 1):
                if other != premise:
                    premises = (*step.premises[:place], other, *step.premises[place + 1 :])
                    refuses(with_step(whole, number, premises=premises))
        refuses(with_step(whole, number, premises=(*step.premises, 0)))
        for rule in (*checker._RULES, "trust me"):
            if rule != step.rule:
                refuses(with_step(whole, number, rule=rule))


@NAMES
def test_every_dropped_or_moved_step_is_refused(name):
    whole = certificate(name)
    for number in range(len(whole.steps)):
        steps = whole.steps[:number] + whole.steps[number + 1 :]
        refuses(replace(whole, steps=steps))
        refuses(replace(whole, steps=whole.steps[:number]))
        refuses(replace(whole, steps=(*whole.steps, whole.steps[number])))


@NAMES
def test_every_changed_hypothesis_or_goal_is_refused(name):
    whole = certificate(name)
    for key in ("hypotheses", "goals"):
        statements = getattr(whole, key)
        for number, statement in enumerate(statements):
            rest = statements[:number], statements[number + 1 :]
            refuses(replace(whole, **{key: (*rest[0], *rest[1])}))
            for other in altered_statements(statement):
                refuses(replace(whole, **{key: (*rest[0], other, *rest[1])}))
        refuses(replace(whole, **{key: (*statements, le(0, ONE))}))


def test_certificate_of_another_theorem_is_refused():
    for name, other in itertools.permutations((*TRANSPOSE, "nonsense"), 2):
        if name != "nonsense":
            refuses(replace(certificate(name), theorem=other))


def test_refusal_names_the_step_and_the_reason():
    whole = certificate(TRANSPOSE[0])
    number = next(i for i, step in enumerate(whole.steps) if step.rule == "combine")
    tampered = with_step(whole, number, statement=eq(0, ONE))
    with pytest.raises(Refused, match=r": step \d+ does not follow: the terms add up to") as e:
        check(tampered)
    assert e.value.step == number + 1


# JSON


@NAMES
def test_certificates_survive_json(name):
    whole = certificate(name)
    again = Certificate.from_json(json.loads(json.dumps(whole.to_json())))
    assert again == whole
    check(again)


@NAMES
def test_every_missing_or_wrong_key_is_an_error(name):
    data = json.dumps(certificate(name).to_json())
    for key in ("theorem", "hypotheses", "goals", "steps"):
        for value in (None, 7, [7], [None], {}, [[]]):
            with pytest.raises(GeometryError):
                check(Certificate.from_json(json.loads(data) | {key: value}))
        short = json.loads(data)
        del short[key]
        with pytest.raises(GeometryError):
            Certificate.from_json(short)
    for key in ("statement", "rule", "premises"):
        for value in (None, 7.5, "x", [1.5], [[]], ["=", [], []], {"a": 1}):
            edited = json.loads(data)
            edited["steps"][4][key] = value
            with pytest.raises(GeometryError):
                check(Certificate.from_json(edited))


def test_statements_refuse_unknown_relations():
    for value in ([], ["!=", [], []], ["="], ["floor", [], []], ["=", [], [], []], "=", [["="]]):
        with pytest.raises(GeometryError):
            Statement.from_json(value)


def test_the_checker_imports_nothing_that_writes_certificates():
    root = Path(checker.__file__).parent
    trusted = ("checker", "polynomials", "statements", "theorem")
    files = [*(root / f"{name}.py" for name in trusted), *(root / "theorems").glob("*.py")]
    allowed = (
        "convmat.geometry.arguments",
        "convmat.geometry.printing",  # what the prompt shows
        *(f"convmat.certificates.{name}" for name in (*trusted, "theorems")),
    )
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        for module in imported:
            inner = module.split(".")[0] not in sys.stdlib_module_names
            assert not inner or module.startswith(allowed), f"{file.name} imports {module}"
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        assert not names & {"eval", "exec", "compile", "simplify"}


def test_certificates_read_well():
    text = str(certificate(TRANSPOSE[0]))
    assert "13. q = m - 1    [floor same from 7, 12]" in text
    assert r"\left\lfloor" in floor(Q, X, S).latex()
    assert symbols("p0")[0].latex() == "p_{0}"


# Symbolic matrices


def test_symbolic_matrix_of_the_guide():
    """The 4 x 16 matrix of a 3 x 3 kernel on a 4 x 4 input."""
    matrix = cm.conv(np.ones((1, 1, 3, 3)), (1, 4, 4)).symbolic_matrix()
    w = sympy.IndexedBase("w")
    expected = sympy.zeros(4, 16)
    for row, (top, left) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        for a, b in itertools.product(range(3), repeat=2):
            expected[row, 4 * (top + a) + left + b] = w[0, 0, a, b]
    assert matrix == sympy.SparseMatrix(expected)


def test_symbolic_matrix_with_numbers_is_the_matrix():
    weight = np.arange(1, 25).reshape(4, 2, 3)
    for layer in (
        cm.conv(weight, (4, 6), stride=2, padding=1, groups=2),
        cm.conv_transpose(weight, (4, 3), stride=2, padding=1, groups=2),
    ):
        w = sympy.IndexedBase("v")
        numbers = {w[place]: int(weight[place]) for place in np.ndindex(*weight.shape)}
        filled = layer.symbolic_matrix("v").subs(numbers)
        assert np.array_equal(np.array(filled.tolist(), dtype=int), layer.matrix().toarray())
        assert layer.T.symbolic_matrix() == layer.symbolic_matrix().T


def test_symbolic_matrix_keeps_the_expressions_of_the_weight():
    a, b = sympy.symbols("a b")
    matrix = cm.conv(np.array([[[a, 2 * b, 0]]], dtype=object), (1, 4)).symbolic_matrix()
    assert matrix == sympy.SparseMatrix([[a, 2 * b, 0, 0], [0, a, 2 * b, 0]])
