"""Files of proofs: written in one form, bounded, and never believed before they are checked."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import replace
from itertools import islice

import pytest
from click.testing import CliRunner

import convmat as cm
from convmat import GeometryError
from convmat.certificates.checker import MOST_FACTORS, MOST_WORK, Earlier, check
from convmat.certificates.polynomials import LARGEST_POWER, MOST_BITS, MOST_MONOMIALS, Polynomial
from convmat.certificates.statements import Certificate, Statement, Step, eq, le
from convmat.cli.commands import main
from convmat.proof import Proof, Refused, load, prove_theorem
from convmat.symbolic import winograd
from convmat.symbolic.library import LIBRARY, write_certificate
from convmat.symbolic.minimal_filtering.bilinear import BilinearProof

# Together they use every rule, products, weakened equations, witnesses and premises that several
# steps say.
SAMPLE = (
    "nested floors",
    "remainder",
    "fraction below one",
    "two zeros",
    "upsample: whole scales",
    "adaptive: windows of a multiple",
    "output padding",
    "transpose of a record",
    "relation 3 with an even span",
)
NAMES = pytest.mark.parametrize("name", SAMPLE)


def edits(value):
    """Every copy of JSON data with one number, string, list or object changed a little."""
    yield from others(value)
    if not isinstance(value, (dict, list)):
        return
    for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
        for other in edits(entry):
            if key == "steps" and _is_reordered(entry, other):
                continue  # another proof, which may be as good
            changed = copy.copy(value)
            changed[key] = other
            yield changed


def _is_reordered(steps, other):
    return isinstance(other, list) and sorted(map(str, steps)) == sorted(map(str, other))


def others(value):
    """Return what might stand in the place of a value."""
    if type(value) is int:
        return [value + 1, value - 1, -value, 0, value + 7, float(value), str(value), value == 1]
    if isinstance(value, str):
        words = ["=", "<=", "<", "floor", "combine", "divide", "define", "hypothesis"]
        return [*words, "floor low", "floor high", "floor same", value + "x", "", None, 1]
    if isinstance(value, list):
        without = [value[:i] + value[i + 1 :] for i in range(len(value))]
        twice = [value[: i + 1] + value[i:] for i in range(len(value))]
        swapped = [value[:i] + value[i : i + 2][::-1] + value[i + 2 :] for i in range(len(value))]
        return [*without, *twice, *swapped, [*value, []], [*value, [[], []]], [*value, 0], {}, None]
    if isinstance(value, dict):
        turned = dict(reversed(value.items()))
        return [{k: v for k, v in value.items() if k != key} for key in value] + [
            turned, value | {"q": 1}, [], None,
        ]  # fmt: skip
    return []


def believed(data):
    try:
        return Proof.from_json(json.dumps(data)).check()
    except GeometryError:
        return False


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
@NAMES
def test_every_edit_of_one_place_is_refused_or_no_edit(name, every):
    data = write_certificate(name).to_json()
    text = json.dumps(data)
    assert believed(data)
    tried = 0
    for other in islice(edits(data), 0, None, every):
        if json.dumps(other) != text:
            tried += 1
            assert not believed(other), tried
    assert tried > 300 // every


X, Y, N, K = (Polynomial.symbol(name) for name in "xynk")


def answer(hypotheses, goal, *steps):
    """Return what the checker says about these steps."""
    theorem = replace(LIBRARY["greatest"], name="test", hypotheses=tuple(hypotheses), goals=(goal,))
    try:
        check(Certificate("test", tuple(hypotheses), (goal,), tuple(steps)), theorem)
    except Refused as error:
        return str(error)
    return "accepted"


def combine(statement, *terms):
    terms = tuple((Polynomial.of(c), tuple(indices)) for c, *indices in terms)
    return Step(statement, "combine", tuple(sorted({i for _, some in terms for i in some})), terms)


def test_terms_have_one_form():
    known = (le(0, X), le(0, Y), le(0, X * X), eq(N, K))
    steps = [Step(statement, "hypothesis") for statement in known]

    def says(statement, *terms):
        return answer(known, statement, *steps, combine(statement, *terms))

    total = le(0, X + Y)
    assert says(total, (1, 0), (1, 1)) == "accepted"
    assert "not in order, each once" in says(total, (1, 1), (1, 0))
    assert "not in order, each once" in says(le(0, 2 * X), (1, 0), (1, 0))
    assert "a term is zero" in says(total, (1, 0), (1, 1), (0, 2))
    assert "a term is zero" in says(total, (1, 0), (1, 1), (0,))
    assert "not in order, each once" in says(le(0, X + 1), (1,), (1, 0))
    assert says(le(0, X * Y), (1, 0, 1)) == "accepted"
    assert "factors of a term are not in order" in says(le(0, X * Y), (1, 1, 0))
    assert "equations give an equation" in says(le(N, K), (1, 3))
    assert says(le(N, K), (1, 3), (0,)) == "accepted"
    assert "inequalities" in says(eq(2 * N, 2 * K), (2, 3), (0,))


def test_of_steps_that_say_the_same_the_first_is_used():
    known = (le(1, X), Statement("<", Polynomial(), X), eq(1, X))
    goal = le(2, 2 * X)
    two = [Step(statement, "hypothesis") for statement in known[:2]]
    assert answer(known, goal, *two, combine(goal, (2, 0))) == "accepted"
    assert "uses step 2 for what step 1 says" in answer(known, goal, *two, combine(goal, (2, 1)))
    three = [*two, Step(known[2], "hypothesis")]
    assert "uses step 1 for what step 3 says" in answer(known, goal, *three, combine(goal, (2, 0)))
    assert answer(known, goal, *three, combine(goal, (2, 2), (0,))) == "accepted"


def test_a_factor_of_zero_is_refused():
    known = (le(0, X),)
    nothing = Step(le(Y, Y), "combine")
    more = combine(le(0, 2 * X), (2, 0), (5, 1))
    said = answer(known, le(0, 2 * X), Step(known[0], "hypothesis"), nothing, more)
    assert "a factor says 0 = 0" in said


# Bounds


def refusal(steps):
    """Return why a file with these steps more is refused, which must not take long."""
    data = write_certificate("relation 6 (padding, any stride)").to_json()
    data["steps"] += [step.to_json() for step in steps]
    start = time.perf_counter()
    with pytest.raises(Refused) as caught:
        load(json.dumps(data)).check()
    assert time.perf_counter() - start < 30, "not the minutes that it took without bounds"
    return str(caught.value)


def test_small_files_that_ask_for_much_are_refused_at_once():
    steps = write_certificate("relation 6 (padding, any stride)").steps
    inside = [i for i, step in enumerate(steps) if step.statement.relation in ("<=", "<")]
    factors = sorted((inside * 48)[:48])
    assert f"a term multiplies 48 steps, more than {MOST_FACTORS}" in refusal(
        [combine(le(0, N), (1, *factors))]
    )
    wide = Polynomial.sum(Polynomial.symbol(f"x{i}") for i in range(100))
    names = [Step(eq(Polynomial.symbol(name), wide), "define") for name in ("y1", "y2", "y3")]
    places = range(len(steps), len(steps) + 3)
    assert f"more than {MOST_MONOMIALS} monomials" in refusal(
        [*names, combine(eq(0, N), (1, *places))]
    )
    squares = [combine(eq(0, N), *((1, *places[:2]) for _ in range(200)))]
    assert "not in order" in refusal([*names, *squares])


def test_products_are_bounded():
    earlier = Earlier()
    sums = Polynomial.sum(Polynomial.symbol(f"x{i}") for i in range(40))
    squared = earlier.times(sums, sums)
    for first, second, said in (
        (squared, sums, f"more than {MOST_MONOMIALS} monomials"),
        (Polynomial({(("x", LARGEST_POWER),): 1}), X, f"a degree above {LARGEST_POWER}"),
        (Polynomial.of(1 << (MOST_BITS - 1)), Polynomial.of(4), f"more than {MOST_BITS} bits"),
    ):
        with pytest.raises(Exception, match=said):
            Earlier().times(first, second)
    earlier.work = MOST_WORK - 1600
    assert earlier.times(sums, sums) == squared
    with pytest.raises(Exception, match="pairs of monomials"):
        earlier.times(X, X)


@pytest.mark.parametrize(
    "polynomial",
    [
        [[1, {f"x{i:04}": 1}] for i in range(MOST_MONOMIALS + 1)],
        [[1, {"x": LARGEST_POWER, "y": 1}]],
        [[1 << MOST_BITS, {}]],
        [[1, {"y": 1}], [1, {"x": 1}]],
    ],
)
def test_polynomials_too_large_or_out_of_order_are_not_read(polynomial):
    with pytest.raises(GeometryError, match="too large"):
        Polynomial.from_json(polynomial)


def test_many_steps_are_checked_in_linear_time():
    """Definitions of fresh names, each of which must be compared with all before it."""
    whole = write_certificate("greatest")
    fresh = tuple(Step(eq(Polynomial.symbol(f"z{i}"), X), "define") for i in range(5_000))
    start = time.perf_counter()
    check(replace(whole, steps=(*whole.steps, *fresh)), LIBRARY["greatest"])
    assert time.perf_counter() - start < 30, "not in the square of the steps"


def test_the_library_is_far_below_the_bounds():
    for name in LIBRARY:
        whole, earlier = write_certificate(name), Earlier()
        for step in whole.steps:
            assert all(len(indices) <= MOST_FACTORS / 2 for _, indices in step.terms)
            for polynomial in (step.statement.left, step.statement.right):
                assert polynomial.size < MOST_MONOMIALS / 10
            earlier.add(step.statement)


# Hostile files


def run(*arguments):
    return CliRunner().invoke(main, ["prove", *map(str, arguments)])


HOSTILE = (
    '{"theorem":"x","hypotheses":[],"goals":[["=",[[' + "9" * 5000 + ',{}]],[]]],"steps":[]}',
    "[" * 100_000,
    "{" * 3,
    "",
    "3",
    "[1]",
    '{"theorem":"x","hypotheses":[[["a"],[],[]]],"goals":[],"steps":[]}',
    '{"theorem":"x","hypotheses":[["=",[[1e400,{}]],[]]],"goals":[],"steps":[]}',
    '{"theorem":[],"hypotheses":[],"goals":[],"steps":[]}',
    '{"factors":[],"identities":3}',
    '{"factors":[[]],"identities":[]}',
    '{"format":"convmat proof 1","claim":"","grades":[["x"]],"evidence":{"kind":"theorems"}}',
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_files_are_one_line_and_exit_code_2(tmp_path, text):
    path = tmp_path / "hostile.json"
    path.write_text(text, encoding="utf-8")
    result = run("--check", path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("convmat: certificate = ")


def test_every_edit_of_a_proof_about_sizes_is_no_traceback(tmp_path):
    """What the file says may be refused in words only."""
    proof = cm.verify_output_size("ceil(n/s)", "same", given=["d = 1"])
    data = json.loads(proof.to_json())
    assert load(proof.to_json()).holds
    outside = data | {"evidence": data["evidence"] | {"certificates": []}}
    tried = 0
    for other in edits(outside):
        if other == outside or not isinstance(other, dict):
            continue
        evidence = other.get("evidence")
        if isinstance(evidence, dict) and evidence.get("certificates") == []:
            other = other | {  # noqa: PLW2901, the certificates as they were
                "evidence": evidence | {"certificates": data["evidence"]["certificates"]}
            }
        path = tmp_path / "edited.json"
        path.write_text(json.dumps(other), encoding="utf-8")
        if json.dumps(other) != json.dumps(data):
            assert run("--check", path).exit_code in (1, 2), other
            tried += 1
    assert tried > 50


class Hostile:
    """Evidence that raises what nobody expects."""

    claim, grades = "anything", ("all sizes",)

    def __init__(self, error):
        self.error = error

    def check(self, _operators=None):
        raise self.error

    def steps(self):
        raise self.error

    def to_json(self):
        return {"kind": "hostile"}


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("division by zero"), KeyError("p"), ValueError("no"), TypeError("no"),
     RecursionError(), OverflowError(), GeometryError("n", 0, "must be at least 1", "use 1")],
)  # fmt: skip
def test_hostile_evidence_does_not_hold_and_raises_nothing_else(error):
    proof = replace(prove_theorem("greatest"), claim="anything", evidence=Hostile(error))
    assert not proof.holds
    assert str(proof).startswith("Not proved: anything.")
    with pytest.raises(GeometryError):
        proof.check()


# What an unchecked proof says


def test_only_what_was_checked_is_called_proved():
    proof = prove_theorem("greatest")
    assert proof.summary.startswith("Proved: ")
    data = json.loads(proof.to_json())
    data["evidence"]["certificates"][0]["steps"][-1]["terms"][0][0] = [[2, {}]]
    edited = load(json.dumps(data))
    for text in (edited.summary, str(edited), edited._repr_latex_()):
        assert "Proved" not in text
        assert "Not proved: " in text
    assert "refused: step 2 does not follow" in edited.summary
    equal = cm.conv([[[1, 2]]], (1, 4))
    numbers = load(cm.prove_equal(equal + equal, 2 * equal).to_json())
    assert "Not proved" in str(numbers)
    assert "two operators" in str(numbers)


def test_the_verdict_is_not_inherited_by_what_says_something_else():
    proof = prove_theorem("greatest")
    assert proof.holds
    for other in (replace(proof, claim="0 = 1"), replace(proof, grades=("everything",))):
        assert not other.holds
    object.__setattr__(proof, "claim", "0 = 1")
    assert not proof.holds
    assert proof.summary.startswith("Not proved: 0 = 1.")
    fresh = prove_theorem("greatest")
    again = copy.copy(fresh)
    assert fresh.holds
    assert again.holds
    object.__setattr__(again.evidence, "certificates", ())
    assert not again.holds


# Bilinear algorithms


def test_a_bilinear_proof_is_a_file_too(tmp_path):
    proof = winograd(2, 3).prove()
    path = tmp_path / "winograd.json"
    path.write_text(proof.to_json(), encoding="utf-8")
    checked = run("--check", path)
    assert checked.exit_code == 0
    assert proof.claim in checked.output
    read = load(path)
    assert read.holds
    assert read.evidence.proof == proof
    assert read.grade == proof.grade
    assert load(read.to_json()) == read
    assert len(read.steps) == len(proof.identities)


def test_every_edit_of_a_bilinear_proof_is_refused():
    data = json.loads(winograd(2, 2).prove().to_json())
    assert load(json.dumps(data)).holds
    text, tried = json.dumps(data), 0
    for other in edits(data):
        if json.dumps(other) != text:
            tried += 1
            assert not believed(other), tried
    assert tried > 200
    half = text.replace('"1"', '"2/2"', 1)
    assert half != text
    with pytest.raises(GeometryError, match="one order and form"):
        load(half)
    assert BilinearProof.from_json(text).holds


def test_a_bilinear_proof_of_a_huge_layer_is_refused_at_once():
    data = json.loads(winograd(1, 2).prove().to_json())
    n = 3000
    data["factors"] = [
        {
            "window": [n, n, n, 1, 1, 1, 0],
            "flipped": False,
            "output": [["1"]] * n,
            "filter": [["1"] * n],
            "data": [["1"] * n],
        }
    ]
    start = time.perf_counter()
    with pytest.raises(Refused, match="27000000000 products"):
        load(json.dumps(data)).check()
    assert time.perf_counter() - start < 30, "not the minutes that it took without bounds"
