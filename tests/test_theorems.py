"""The theorems for all sizes: true on small integers, proved, and proved by nothing less."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import sampling
from click.testing import CliRunner

import convmat as cm
from convmat import GeometryError
from convmat.certificates import checker
from convmat.certificates.checker import Refused, check
from convmat.certificates.polynomials import Polynomial, symbols
from convmat.certificates.provers import found as stored
from convmat.certificates.provers.draft import Draft
from convmat.certificates.provers.finding import find
from convmat.certificates.provers.found import FILE, written
from convmat.certificates.provers.ways import WAYS
from convmat.certificates.statements import Certificate, eq, floor, le
from convmat.certificates.theorems import FAMILIES, RELATIONS, THEOREMS, TRANSPOSE
from convmat.cli.commands import main
from convmat.proof import load, prove_theorem
from convmat.symbolic.library import (
    CHAPTERS,
    LIBRARY,
    find_theorem,
    search_certificate,
    write_certificate,
)

NAMES = pytest.mark.parametrize("name", LIBRARY)
# Every fourth is enough to see what the checker looks at; the others are slow.
SOME = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if number % 4 else [])
        for number, name in enumerate(LIBRARY)
    ],
)


def accepts(whole):
    try:
        check(whole, LIBRARY.get(whole.theorem))
    except Refused:
        return False
    return True


# Truth


@NAMES
def test_the_theorem_is_true_of_small_integers(name):
    """The certificate plays no part: hypotheses are solved by search, goals are evaluated."""
    theorem = LIBRARY[name]
    new = set(theorem.witnesses)
    at = sampling.samples(theorem.hypotheses)
    count = len(next(iter(at.values())))
    assert count >= 200
    rng = np.random.default_rng(1)
    at |= {free: rng.integers(-5, 6, count) for free in sorted(theorem.universal - set(at))}
    solved = sampling.determined(theorem.goals, new)
    assert {symbol for symbol, _ in solved} == new
    sampling.extend(at, solved)
    for goal in theorem.goals:
        assert np.all(sampling.holds(goal, at)), goal
    for place in (0, count - 1):
        one = {symbol: int(numbers[place]) for symbol, numbers in at.items()}
        assert all(s.holds_at(one) for s in (*theorem.hypotheses, *theorem.goals))


# A hypothesis, and a goal that is false somewhere without it.
NEEDED = [
    ("size of the transposed convolution", "a < s"),
    ("relation 3 (half padding)", "e = 2*h + 1"),
    ("relation 8 (transposed, no padding, unit stride)", "p0 = 0"),
    ("relation 12 (transposed, no padding, no remainder)", "n - e = s*z"),
    ("relation 13 (transposed, padding, no remainder)", "n + p0 + p1 - e = s*z"),
    ("composition of two windows: nothing is cut", "low2 <= 0"),
    ("composition of two windows: nothing is cut", "high2 <= 0"),
    ("average pool to nearest upsampling", "n = c*k"),
    ("nearest upsampling to transposed convolution", "k = r"),
    ("sub-pixel convolution to transposed convolution", "k = h*r"),
    ("dilated convolution to space-to-batch", "f = d + n + p0 + p1 - d*k"),
]


@pytest.mark.parametrize(("name", "text"), NEEDED)
def test_a_restriction_that_guides_leave_out_is_needed(name, text):
    theorem = LIBRARY[name]
    rest = [h for h in theorem.hypotheses if str(h) != text]
    assert len(rest) == len(theorem.hypotheses) - 1
    at = sampling.samples(rest)
    solved = sampling.determined(theorem.goals, theorem.witnesses)
    count = len(next(iter(at.values())))
    for free in theorem.universal - set(at):
        at[free] = np.random.default_rng(2).integers(0, 4, count)
    sampling.extend(at, solved)
    assert not all(np.all(sampling.holds(goal, at)) for goal in theorem.goals)


# The certificates


@NAMES
def test_the_checker_accepts_it_and_every_step_is_needed(name):
    whole = write_certificate(name)
    assert check(whole, LIBRARY[name]) is LIBRARY[name]
    used = {i for step in whole.steps for i in step.premises}
    for number, step in enumerate(whole.steps):
        assert number in used or step.statement in whole.goals


def test_the_relations_of_the_guide_are_numbered_without_a_gap():
    assert sorted(RELATIONS) == list(range(1, 16))
    named = [name for names in RELATIONS.values() for name in names]
    assert set(named) <= set(THEOREMS)
    assert len(set(named)) == len(named)
    for number in RELATIONS:
        assert find_theorem(f"relation {number}").name == RELATIONS[number][0]
        assert RELATIONS[number][0].startswith(f"relation {number} (")


def test_no_two_theorems_share_a_name():
    assert sum(map(len, CHAPTERS.values())) == len(LIBRARY)
    assert sum(map(len, FAMILIES.values())) == len(THEOREMS)


@pytest.mark.parametrize("name", THEOREMS)
def test_the_legend_explains_every_symbol_once(name):
    theorem = THEOREMS[name]
    lines = theorem.legend.splitlines()
    named = [n.strip() for line in lines for n in line.split("  ", 1)[0].split(",")]
    assert theorem.universal | set(theorem.witnesses) <= set(named)
    assert len(named) == len(set(named))
    assert str(theorem).count(theorem.meaning) == 1


@NAMES
def test_latex(name):
    theorem, whole = LIBRARY[name], write_certificate(name)
    for text in (theorem.latex(), whole.latex(), prove_theorem(name)._repr_latex_()):
        assert text.count("{") == text.count("}")
        assert text.count(r"\left") == text.count(r"\right")
    assert r"\implies" in theorem.latex()
    assert whole.latex().count(r"\\") == len(whole.steps) - 1


def test_a_symbol_that_exists_is_named_as_such():
    text = LIBRARY["output padding"].latex()
    assert r"\exists\, N,\ a \in \mathbb{Z}:\ " in text
    assert r"\exists" not in LIBRARY["integer out of a floor"].latex()
    assert r"\forall\, m,\ q,\ s,\ x \in" in LIBRARY["integer out of a floor"].latex()
    assert ", there are integers N, a with: " in str(LIBRARY["output padding"])
    assert str(LIBRARY["greatest"]).endswith("For all integers x, y with x <= y: -y <= -x")


# Tampering


def with_step(whole, number, **changes):
    steps = list(whole.steps)
    steps[number] = replace(steps[number], **changes)
    return replace(whole, steps=tuple(steps))


def accepts_step(whole, number, **changes):
    """Say whether a certificate with this step changed is accepted.

    The steps before it are unchanged and hold, so an objection to it is the checker's answer; if
    there is none, the whole certificate is checked.
    """
    changed = with_step(whole, number, **changes)
    before = [step.statement for step in whole.steps[:number]]
    if checker._objection(changed.steps[number], checker.Earlier(before), LIBRARY[whole.theorem]):
        return False
    return accepts(changed)


def altered_polynomials(polynomial):
    for monomial, number in polynomial.terms.items():
        yield Polynomial(polynomial.terms | {monomial: number + 1})
        yield Polynomial(polynomial.terms | {monomial: -number})
    yield polynomial + 1
    yield polynomial - 1
    yield polynomial + Polynomial.symbol("s")


def altered_statements(statement):
    for side in ("left", "right", "divisor"):
        polynomial = getattr(statement, side)
        if polynomial is not None:
            for other in altered_polynomials(polynomial):
                yield replace(statement, **{side: other})
    for relation in {"=", "<=", "<", "floor"} - {statement.relation}:
        yield replace(statement, relation=relation)


@SOME
def test_every_altered_statement_is_refused(name):
    whole = write_certificate(name)
    for number, step in enumerate(whole.steps):
        for other in altered_statements(step.statement):
            assert not accepts_step(whole, number, statement=other), (number, other)


@SOME
def test_every_altered_coefficient_is_refused(name):
    whole = write_certificate(name)
    for number, step in enumerate(whole.steps):
        for place, (coefficient, indices) in enumerate(step.terms):
            before, after = step.terms[:place], step.terms[place + 1 :]
            for other in altered_polynomials(coefficient):
                terms = (*before, (other, indices), *after)
                assert not accepts_step(whole, number, terms=terms)
            assert not accepts_step(whole, number, terms=(*before, *after))


@SOME
def test_every_altered_premise_and_rule_is_refused(name):
    whole = write_certificate(name)
    for number, step in enumerate(whole.steps):
        for place, premise in enumerate(step.premises):
            dropped = (*step.premises[:place], *step.premises[place + 1 :])
            assert not accepts_step(whole, number, premises=dropped)
            for other in (-1, *range(0, number, 3), number, len(whole.steps)):
                premises = (*step.premises[:place], other, *step.premises[place + 1 :])
                if other != premise:
                    assert not accepts_step(whole, number, premises=premises)
        for rule in {*checker._RULES, "trust me"} - {step.rule}:
            assert not accepts_step(whole, number, rule=rule)


@SOME
def test_every_factor_that_is_another_step_is_refused(name):
    whole = write_certificate(name)
    for number, step in enumerate(whole.steps):
        for place, (coefficient, indices) in enumerate(step.terms):
            for factor, old in enumerate(indices):
                for other in set(range(number)) - {old}:
                    changed = (*indices[:factor], other, *indices[factor + 1 :])
                    terms = (*step.terms[:place], (coefficient, changed), *step.terms[place + 1 :])
                    used = tuple(sorted({i for _, some in terms for i in some}))
                    assert not accepts_step(whole, number, terms=terms, premises=used)


@SOME
def test_every_dropped_or_repeated_step_is_refused(name):
    whole = write_certificate(name)
    for number, step in enumerate(whole.steps):
        assert not accepts(replace(whole, steps=whole.steps[:number] + whole.steps[number + 1 :]))
        assert not accepts(replace(whole, steps=whole.steps[:number]))
        assert not accepts(replace(whole, steps=(*whole.steps, step)))


@SOME
def test_every_changed_hypothesis_or_goal_is_refused(name):
    whole = write_certificate(name)
    for key in ("hypotheses", "goals"):
        statements = getattr(whole, key)
        for number, statement in enumerate(statements):
            before, after = statements[:number], statements[number + 1 :]
            assert not accepts(replace(whole, **{key: (*before, *after)}))
            for other in altered_statements(statement):
                assert not accepts(replace(whole, **{key: (*before, other, *after)}))


def test_the_name_of_another_theorem_is_refused():
    for name in LIBRARY:
        for other in (*LIBRARY, "nonsense"):
            if other != name:
                assert not accepts(replace(write_certificate(name), theorem=other))


# Writing certificates


@NAMES
def test_the_search_finds_it_again(name):
    """Another linear program may find other proofs; longer ones would be a step back."""
    again, before = search_certificate(name), write_certificate(name)
    assert check(again, LIBRARY[name]) is LIBRARY[name]
    assert len(again.steps) <= 1.25 * len(before.steps)


@pytest.mark.parametrize("name", TRANSPOSE)
def test_the_search_finds_the_very_proofs_that_are_stored(name):
    """Where SciPy's linear programs end in other corners, this is seen; then store them anew."""
    assert search_certificate(name) == write_certificate(name)


def test_what_is_stored_is_read_as_it_was_written():
    assert FILE.read_text(encoding="utf-8") == written(map(write_certificate, LIBRARY))


def test_what_is_stored_is_checked_when_it_is_read(monkeypatch):
    steps = write_certificate("greatest").to_json()["steps"]
    steps[-1]["rule"] = "hypothesis"
    monkeypatch.setattr(stored, "_proofs", lambda: {"greatest": json.dumps(steps)})
    stored.found.cache_clear()
    with pytest.raises(Refused, match="'greatest'"):
        write_certificate("greatest")
    with pytest.raises(GeometryError, match="theorem"):
        stored.certificate("nonsense")


def test_a_way_is_needed():
    """Nothing is told to the search that it finds by itself."""
    assert set(WAYS) <= set(LIBRARY)
    assert all(find(LIBRARY[name]) is None for name in WAYS)


def test_unused_steps_are_left_out():
    x, y = symbols("x y")
    theorem = replace(
        LIBRARY["greatest"], name="test", hypotheses=(le(x, y),), goals=(le(x, y + 1),)
    )
    draft = Draft(theorem)
    draft.combine(le(x, y + 7), (1, le(x, y)), (7,))
    draft.combine(le(x, y + 1), (1, le(x, y)), (1,))
    whole = draft.finish()
    assert [str(step.statement) for step in whole.steps] == ["x <= y", "x <= y + 1"]
    assert check(whole, theorem) is theorem


def test_equations_are_found_by_elimination():
    x, y, s = symbols("x y s")
    known = (eq(x, y + s), le(0, x * x - y))
    goal = le(0, (y + s) * (y + s) - y)
    theorem = replace(LIBRARY["greatest"], name="test", hypotheses=known, goals=(goal,))
    assert check(find(theorem), theorem) is theorem


def test_what_exists_is_found_from_the_goals():
    x, y, u, v = symbols("x y u v")
    goals = (eq(x, u + v), eq(2 * y, 3 - u))
    theorem = replace(
        LIBRARY["greatest"], name="test", hypotheses=(), goals=goals, witnesses=("u", "v")
    )
    whole = find(theorem)
    defined = [str(step.statement) for step in whole.steps if step.rule == "define"]
    assert defined == ["u = 3 - 2*y", "v = x - u"]
    assert check(whole, theorem) is theorem
    assert find(replace(theorem, goals=(eq(2 * u, x), eq(v, u)))) is None


def test_one_of_two_gaps_is_nothing():
    """Min and Max are equations of products: what bounds both bounds either."""
    least, x, y, z = symbols("l x y z")
    is_least = (le(least, x), le(least, y), eq((x - least) * (y - least), 0))
    for goal, known in ((le(z, least), (le(z, x), le(z, y))), (le(least + x, x + y), ())):
        theorem = replace(
            LIBRARY["greatest"], name="test", hypotheses=(*is_least, *known), goals=(goal,)
        )
        assert check(find(theorem), theorem) is theorem
    assert find(replace(theorem, goals=(le(x, least),))) is None


def test_a_wrong_derivation_is_refused_not_believed():
    q, x, s = symbols("q x s")
    theorem = replace(
        LIBRARY["greatest"], name="test", hypotheses=(le(s * q, x),), goals=(floor(q, x, s),)
    )
    draft = Draft(theorem)
    draft.follow(floor(q, x, s), "floor", le(s * q, x), le(s * q, x))
    with pytest.raises(Refused, match="step 2 does not follow"):
        check(draft.finish(), theorem)


# Proofs and files


def test_all_theorems_are_proved_and_go_through_a_file(tmp_path):
    proof = prove_theorem()
    assert proof.holds
    assert proof.grade == "all sizes"
    assert len(proof.evidence.certificates) == len(LIBRARY)
    path = tmp_path / "all.json"
    path.write_text(proof.to_json(), encoding="utf-8")
    again = load(path)
    assert again == proof
    assert again.check()


@NAMES
def test_a_certificate_alone_is_a_file_too(name):
    text = json.dumps(write_certificate(name).to_json())
    proof = load(text)
    assert proof.check()
    assert LIBRARY[name].meaning.rstrip(".") in proof.claim
    assert Certificate.from_json(json.loads(text)) == write_certificate(name)
    edited = json.loads(text)
    edited["steps"][-1]["statement"][1] = [[1, {"edited": 1}]]
    assert not load(json.dumps(edited)).holds
    with pytest.raises(GeometryError):
        load(text[:-2])


def test_no_certificate_proves_nothing():
    proof = prove_theorem("greatest")
    empty = replace(proof, evidence=replace(proof.evidence, certificates=()))
    assert not empty.holds
    unknown = json.dumps(write_certificate("greatest").to_json() | {"theorem": "unknown"})
    with pytest.raises(Refused, match="there is no theorem 'unknown'"):
        load(unknown).check()


def test_names_of_theorems():
    assert find_theorem("Output  Padding").name == "output padding"
    for name in ("", "nonsense", "relation", "composition of two windows", 7):
        with pytest.raises(GeometryError, match="theorem"):
            find_theorem(name)
    with pytest.raises(GeometryError, match="must be a name"):
        prove_theorem(7)
    assert prove_theorem("greatest", "greatest") == prove_theorem("greatest")


def run(*arguments):
    return CliRunner().invoke(main, ["prove", *map(str, arguments)])


def test_the_command_proves_writes_and_checks(tmp_path):
    path = tmp_path / "relation.json"
    proved = run("--theorem", "relation 14", "--output", path)
    assert proved.exit_code == 0
    assert "relation 14 (transposed, any remainder)" in proved.output
    checked = run("--check", path)
    assert checked.exit_code == 0
    assert checked.output.startswith("Checked: theorem 'relation 14")
    path.write_text(path.read_text().replace("relation 14 (", "relation 13 ("))
    assert run("--check", path).exit_code == 1
    path.write_text(json.dumps(write_certificate("nested floors").to_json()))
    assert json.loads(run("--check", path, "--json").output)["accepted"]
    assert run("--theorem", "nonsense").exit_code == 2
    assert run("--latex").exit_code == 2


def test_the_command_lists_and_prints():
    listed = run("--list").output
    data = json.loads(run("--list", "--json").output)
    for name in LIBRARY:
        assert f"  {name}\n" in listed
        assert data["theorems"][name] == LIBRARY[name].meaning
    assert data["relations"]["6"] == ["relation 6 (padding, any stride)"]
    steps = run("--theorem", "relation 6", "--steps").output
    assert "f - 1 = floor((n + p0 + p1 - e) / s)    [floor from" in steps
    assert "low and high padding" in steps
    assert r"\implies" in run("--theorem", "relation 6", "--latex").output
    assert load(run("--theorem", "all", "--json").output).holds


# What the theorems say is what the layers do


@pytest.mark.parametrize(("n", "r"), [(1, 1), (3, 2), (4, 3)])
def test_nearest_upsampling_is_the_transposed_convolution(n, r):
    ones = cm.conv_transpose(np.ones((1, 1, r)), (1, n), stride=r).matrix().toarray()
    assert np.array_equal(cm.upsample((1, n), scale_factor=r).matrix().toarray(), ones)
    pool = cm.avg_pool((1, n * r), r).matrix().toarray()
    assert np.allclose(pool.T * r, ones)


@pytest.mark.parametrize(("m", "h", "r", "pad"), [(5, 3, 2, 1), (4, 2, 3, 0), (6, 3, 3, 2)])
def test_the_rearranged_weight_is_that_of_the_sub_pixel_theorem(m, h, r, pad):
    small = np.arange(1.0, 1 + r * h).reshape(r, 1, h)
    sub_pixel = cm.conv(small, (1, m), padding=pad)
    shuffled = cm.pixel_shuffle(sub_pixel.out_shape, r) @ sub_pixel
    large = np.zeros((1, 1, r * h))
    for y in range(h):
        for phase in range(r):
            large[0, 0, r * (h - 1 - y) + phase] = small[phase, 0, y]
    both = r * (h - 1 - pad)
    whole = cm.conv_transpose(large, (1, m), stride=r).matrix().toarray()
    low = max(both, 0)  # a layer pads by 0 or more; less than 0 adds rows of zeros
    expected = np.pad(whole, ((max(-both, 0), max(-both, 0)), (0, 0)))
    expected = expected[low : len(expected) - low]
    assert np.array_equal(shuffled.matrix().toarray(), expected)


@pytest.mark.parametrize("pads", [(0, 0), (1, 0)])
def test_two_convolutions_are_the_window_of_the_composition_theorem(pads):
    n, (k1, s1, d1, p1), (k2, s2, d2) = 23, (3, 2, 2, 1), (2, 3, 2)
    w1, w2 = np.arange(1.0, 1 + k1).reshape(1, 1, k1), np.array([[[5.0, -7.0]]])
    first = cm.conv(w1, (1, n), stride=s1, dilation=d1, padding=p1)
    second = cm.conv(w2, first.out_shape, stride=s2, dilation=d2, padding=[pads])
    kernel = np.zeros((1, 1, d1 * (k1 - 1) + s1 * d2 * (k2 - 1) + 1))
    for tap1 in range(k1):
        for tap2 in range(k2):
            kernel[0, 0, d1 * tap1 + s1 * d2 * tap2] += w1[0, 0, tap1] * w2[0, 0, tap2]
    sides = [(p1 + s1 * pads[0], p1 + s1 * pads[1])]
    one = cm.conv(kernel, (1, n), stride=s1 * s2, padding=sides)
    assert one.out_shape == second.out_shape
    two = (second @ first).matrix().toarray()
    if pads == (0, 0):
        assert np.array_equal(two, one.matrix().toarray())
    else:  # the first output reads the second window's own padding, and is cut
        assert np.array_equal(two[1:], one.matrix().toarray()[1:])
        assert not np.array_equal(two[0], one.matrix().toarray()[0])
