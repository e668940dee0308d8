"""What may be given to a verification: divisors, scales, functions that stop, and odd texts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from fractions import Fraction

import pytest
import sympy
from click.testing import CliRunner

import convmat as cm
from convmat import GeometryError
from convmat.certificates.checker import check
from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Certificate, Step, eq
from convmat.certificates.theorem import Theorem
from convmat.cli.commands import main
from convmat.proof import Proof, SizeCounterexample, load
from convmat.symbolic.formulas.conditions import read_condition

CONV = "(n + 2*p - d*(k - 1) - 1)//s + 1"


# Divisors


@pytest.mark.parametrize(
    "divisor", ["n - 3025", "n - k", "p", "0", "-2", "n - n", "k - s", "p*s", "0 - n"]
)
def test_a_divisor_that_need_not_be_positive_is_refused(divisor):
    with pytest.raises(GeometryError, match="need not be positive"):
        cm.verify_output_size(f"{CONV} + (n - 1)*max(0, 3026 - n)", given=[f"{divisor} | n - 1"])


@pytest.mark.parametrize(
    "given",
    [["s | n"], ["3 | n"], ["s*d | n"], ["p | n", "1 <= p"], ["n - k | n", "k + 1 <= n"],
     ["k - s | n", "s + 3 = k"], ["n + p | k"], ["s/2 | n"]],
)  # fmt: skip
def test_a_divisor_that_is_positive_may_be_given(given):
    proof = cm.verify_output_size(CONV, given=given)
    assert proof.grade == "all sizes"
    assert load(proof.to_json()).check()
    assert isinstance(cm.verify_output_size(f"{CONV} + 1", given=given), SizeCounterexample)


def test_a_divisor_that_is_not_positive_divides_nothing():
    condition = read_condition("n - 3 | k")
    assert [condition.holds_at({"n": n, "k": 4}) for n in (1, 2, 3, 4, 5, 6, 7)] == [
        *(False, False, False),
        *(True, True, False, True),
    ]
    proof = cm.verify_output_size(CONV, given=["s | n"])
    data = json.loads(proof.to_json())
    data["evidence"]["given"] = ["p | n"]
    with pytest.raises(GeometryError):
        load(json.dumps(data)).check()


# Scales


def test_a_positive_scale_is_any_fraction():
    n = sympy.Symbol("n", integer=True, positive=True)
    r = sympy.Symbol("r", positive=True)
    wrong = cm.verify_output_size(sympy.floor(n * sympy.Max(1, r)), "upsample")
    assert not isinstance(wrong, Proof) or wrong.grade != "all sizes"
    at = wrong.at if isinstance(wrong, SizeCounterexample) else wrong.evidence.at
    assert Fraction(at["u"], at["v"]) < 1
    right = cm.verify_output_size(sympy.floor(n * r), "upsample")
    assert (right.grade, right.evidence.given) == ("all sizes", ())


@pytest.mark.parametrize(
    ("assumed", "given"),
    [
        ({}, ()),
        ({"nonnegative": True}, ()),
        ({"rational": True, "positive": True}, ()),
        ({"integer": True}, ("v = 1",)),
        ({"integer": True, "positive": True}, ("v = 1",)),
        ({"even": True}, ("v = 1", "2 | u")),
        ({"odd": True}, ("v = 1", "2 | u - 1")),
    ],
)
def test_what_a_scale_assumes_is_said_of_its_fraction(assumed, given):
    r, n = sympy.Symbol("r", **assumed), sympy.Symbol("n", integer=True)
    proof = cm.verify_output_size(sympy.floor(n * r), "upsample")
    assert proof.grade == "all sizes"
    assert proof.evidence.given == given
    assert load(proof.to_json()).check()


@pytest.mark.parametrize("sign", ["negative", "nonpositive", "zero"])
def test_a_scale_is_positive(sign):
    r, n = sympy.Symbol("r", **{sign: True}), sympy.Symbol("n", integer=True)
    with pytest.raises(GeometryError, match="assumes"):
        cm.verify_output_size(sympy.floor(n * r + n), "upsample")


def test_an_integer_scale_that_is_fixed():
    r, n = sympy.Symbol("r", integer=True), sympy.Symbol("n", integer=True)
    assert cm.verify_output_size(n * r, "upsample", scale_factor=3).check()
    with pytest.raises(GeometryError, match="contradict"):
        cm.verify_output_size(n * r, "upsample", scale_factor=1.5)


# Functions


def test_a_slow_function_is_called_for_two_seconds():
    calls = []

    def slow(n, k, s=1, p=0, d=1):
        calls.append(n)
        time.sleep(0.01)
        return (n + 2 * p - d * (k - 1) - 1) // s + 1

    proof = cm.verify_output_size(slow)
    assert proof.grade.startswith("all sizes, for the expression traced")
    assert 16 < len(calls) < 250


@pytest.mark.parametrize("stop", [SystemExit, GeneratorExit, BaseException])
def test_a_function_that_would_end_the_program_is_refused(stop):
    def ends(n, k):  # noqa: ARG001, the names say what they stand for
        raise stop

    def ends_somewhere(n, k):
        if isinstance(n, int) and n == 5:
            raise stop
        return n - k

    for function in (ends, ends_somewhere):
        with pytest.raises(GeometryError, match=f"raises {stop.__name__}"):
            cm.verify_output_size(function)


def test_ctrl_c_is_for_the_user():
    def interrupted(n, k):  # noqa: ARG001, the names say what they stand for
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cm.verify_output_size(interrupted)


# Texts


def test_what_is_no_expression_is_refused():
    n = sympy.Symbol("n")
    for formula in (
        sympy.Matrix([n]),
        sympy.Eq(n, 1),
        sympy.Tuple(n),
        sympy.MatrixSymbol("n", 2, 2),
    ):
        with pytest.raises(GeometryError, match="no expression of one size"):
            cm.verify_output_size(formula)
    assert cm.verify_output_size(CONV, given=None).grade == "all sizes"
    with pytest.raises(GeometryError, match="must be conditions"):
        cm.verify_output_size(CONV, given=5)


def test_a_formula_may_begin_with_a_minus():
    for formula in ("-(-n//s)", "-(-h_in//s)", "-n//-s"):
        found = CliRunner().invoke(main, ["verify", formula, "--layer", "same"])
        assert formula.strip() in found.output
        assert found.exit_code == (1 if formula == "-n//-s" else 0)
    assert "Usage" in CliRunner().invoke(main, ["verify", "-h"]).output


@pytest.mark.parametrize(
    "edit",
    [
        lambda e: e.update(formula=" " + e["formula"]),
        lambda e: e.update(formula=e["formula"].replace(" + ", "  + ")),
        lambda e: e.update(given=["s<=k"]),
        lambda e: e.update(given=["k >= s"]),
        lambda e: e.update(given=["s <= k", "s <= k"]),
        lambda e: e.update(given=["stride <= k"]),
        lambda e: e.update(traced=1),
        lambda e: e.update(traced=True),
    ],
)
def test_texts_of_a_proof_have_one_form(edit):
    proof = cm.verify_output_size(CONV, given=["s <= k"])
    data = json.loads(proof.to_json())
    edit(data["evidence"])
    with pytest.raises(GeometryError):
        load(json.dumps(data)).check()
    evidence = data["evidence"]  # nor with the claim that the edited evidence would have
    given, formula = ", ".join(evidence["given"]), evidence["formula"]
    data["claim"] = data["claim"].replace("given s <= k", f"given {given}").replace(CONV, formula)
    if not evidence["traced"]:
        with pytest.raises(GeometryError):
            load(json.dumps(data)).check()


def test_the_checker_follows_thousands_of_definitions():
    x = [Polynomial.symbol(f"x{i}") for i in range(2000)]
    steps = tuple(Step(eq(symbol, i), "define") for i, symbol in enumerate(x))
    goal = (steps[0].statement,)
    theorem = Theorem("many", "", (), goal, witnesses=("x0",))
    check(Certificate("many", (), goal, steps), theorem)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("d < 2", "d <= 1"),
        ("k > s", "s + 1 <= k"),
        ("2 > d", "d <= 1"),
        ("d > 1", "2 <= d"),
        ("p < n - k", "p + 1 <= n - k"),
        ("n % 2 = 0", "2 | n"),
        ("n % s == 0", "s | n"),
        ("k % 4 = 3", "4 | k - 3"),
    ],
)
def test_other_ways_to_write_a_condition(text, read):
    condition = read_condition(text)
    assert str(condition) == read
    assert read_condition(read) == condition
    python = text.replace(" = ", " == ")
    for n, k, s in [(a, b, c) for a in range(1, 6) for b in range(1, 9) for c in range(1, 4)]:
        values = {"n": n, "k": k, "s": s, "d": s, "p": c_of(n)}
        assert condition.holds_at(values) == PYTHON[python](**values)


def c_of(n):
    return n % 3


PYTHON = {
    "d < 2": lambda d, **_: d < 2,
    "k > s": lambda k, s, **_: k > s,
    "d > 1": lambda d, **_: d > 1,
    "2 > d": lambda d, **_: d < 2,
    "p < n - k": lambda p, n, k, **_: p < n - k,
    "n % 2 == 0": lambda n, **_: n % 2 == 0,
    "n % s == 0": lambda n, s, **_: n % s == 0,
    "k % 4 == 3": lambda k, **_: k % 4 == 3,
}


@pytest.mark.parametrize(
    ("formula", "given", "message"),
    [
        ("n", "1 <= s <= 2", "write '1 <= s' and 's <= 2'"),
        ("n", "n != 2", "is no condition"),
        ("n", "n <", "a number, a name or a bracket is missing"),
        ("n", "n/2 < 3", "may be a fraction"),
        ("n + 2P", "d = 1", r"write 2\*P"),
        ("n + 2(k - 1)", "d = 1", r"write 2\*\("),
        ("n*0.5", "d = 1", "write 1/2 for 0.5"),
        ("n*.25", "d = 1", "write 1/4 for .25"),
        ("n^2", "d = 1", r"write \*\* for a power"),
    ],
)
def test_messages_say_what_to_write(formula, given, message):
    with pytest.raises(GeometryError, match=message):
        cm.verify_output_size(formula, given=[given])


def test_a_strict_condition_on_a_scale_is_refused():
    with pytest.raises(GeometryError, match="may be a fraction"):
        cm.verify_output_size("floor(n*r)", "upsample", given=["r < 2"])


@pytest.mark.parametrize("scale", ["3/2", "1.5", " 3 / 2"])
def test_a_scale_on_the_command_line(scale):
    command = ["verify", "3*n//2", "--layer", "upsample", "--scale-factor", scale]
    assert CliRunner().invoke(main, command).exit_code == 0
    for bad in ("x", "1/0", "3/2/1", "nan", "-1"):
        refused = CliRunner().invoke(main, [*command[:-1], bad])
        assert refused.exit_code == 2
        assert len(refused.output.splitlines()) == 1


def test_several_files_are_all_checked(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    text = cm.verify_output_size(CONV).to_json()
    good.write_text(text)
    data = json.loads(text)
    data["evidence"]["certificates"][0]["steps"].pop()
    bad.write_text(json.dumps(data))
    for files, code in (([good, good], 0), ([good, bad], 1), ([bad, good], 1)):
        options = [part for file in files for part in ("--check", str(file))]
        told = CliRunner().invoke(main, ["prove", *options])
        assert told.exit_code == code
        assert told.output.count("Checked") == sum(file == good for file in files)
        as_json = CliRunner().invoke(main, ["prove", *options, "--json"])
        assert [entry["accepted"] for entry in json.loads(as_json.output)] == [
            file == good for file in files
        ]


def test_nobody_reads_the_output_to_its_end():
    command = f"{sys.executable} -m convmat prove --list"
    done = subprocess.run(  # the reader is gone before the first line is written
        [sys.executable, "-c", READER, command], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


READER = """
import shlex, subprocess, sys
first = subprocess.Popen(shlex.split(sys.argv[1]), stdout=subprocess.PIPE)
first.stdout.close()
first.wait()
"""


# Which hypotheses are added


@pytest.mark.parametrize(
    ("formula", "layer", "added"),
    [
        ("(n + 2*p - 2*(k - 1) - 1)//s + 1", "conv", ("d = 2",)),
        ("(n + 2*p - 3*(k - 1) - 1)//s + 1", "conv", ("d = 3",)),
        ("(n + 2*p - d*(k - 1) - 1)//2 + 1", "conv", ("s = 2",)),
        ("(n + 2*p - 3)//s + 1", "conv", ("d = 1", "k = 3")),
        ("(n + 2*p - 3)//2 + 1", "conv", ("d = 1", "s = 2", "k = 3")),
        ("n*s + k - 1", "conv_transpose", ("d*(k - 1) + 2 + a = k + s + 2*p",)),
    ],
)
def test_hypotheses_leave_most_of_the_usual_layers(formula, layer, added):
    proof = cm.verify_output_size(formula, layer)
    assert proof.hypotheses == added
    assert load(proof.to_json()).check()


# Harder ones


@pytest.mark.parametrize("given", ["d*d = 1", "d*s = 1"])
def test_a_product_that_is_one_has_factors_that_are(given):
    proof = cm.verify_output_size("(n + 2*p - k)//s + 1", given=[given])
    assert proof.grade == "all sizes"
    assert load(proof.to_json()).check()
    wrong = cm.verify_output_size("(n + 2*p - k)//s + 1", given=[given.replace("1", "4")])
    assert wrong.grade != "all sizes"
    at = wrong.at if isinstance(wrong, SizeCounterexample) else wrong.evidence.at
    assert at["d"] > 1


@pytest.mark.parametrize(
    "more",
    ["1//(1 + (n - 77777*k - 13)**2)", "max(0, 1 - (n - 65537*s)**2)", "0*(n//(n - 77777*k - 13))"],
)
def test_differences_where_something_is_zero_are_found(more):
    wrong = cm.verify_output_size(f"{CONV} + {more}")
    assert isinstance(wrong, SizeCounterexample)
    assert wrong.second >= 1
