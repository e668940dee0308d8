"""Hypotheses under which a wrong formula is right: weak ones, in the words of the layer."""

from __future__ import annotations

import itertools

import pytest

import convmat as cm
from convmat.proof import Proof, Refused, load
from convmat.proof.sizes.settings import Setting
from convmat.symbolic.formulas import programs
from convmat.symbolic.formulas.conditions import read_condition
from convmat.symbolic.formulas.reading import read_formula

ROOM = "n + 2*p - d*(k - 1) - 1"

# Formula, layer, options, and the condition under which it is right
EXACT = [
    ("s*n", "conv_transpose", {}, "d*(k - 1) + 1 + a = s + 2*p"),
    ("n*s", "conv_transpose", {"a": 0, "d": 1}, "k = s + 2*p"),
    ("n*s + a", "conv_transpose", {}, "d*(k - 1) + 1 = s + 2*p"),
    ("2*n", "conv_transpose", {"s": 2}, "d*(k - 1) + a = 2*p + 1"),
    ("s*n", "conv_transpose", {"k": 4, "d": 1, "a": 0}, "s + 2*p = 4"),
    ("n*s + 1", "conv_transpose", {}, "d*(k - 1) + a = s + 2*p"),
    ("s*n + p", "conv_transpose", {"d": 1}, "k + a = s + 3*p"),
    ("n//s", "conv", {}, "d*(k - 1) + 1 = s + 2*p"),
    ("n//s", "pool", {}, "d*(k - 1) + 1 = s + 2*p"),
    ("ceil(n/s)", "conv", {}, "2*p = d*(k - 1)"),
    (f"({ROOM})//s + 1", "pool", {"ceil_mode": True}, f"s | {ROOM}"),
    (f"({ROOM})/s + 1", "pool", {"ceil_mode": True}, f"s | {ROOM}"),
    ("(n + p0 + p1 - d*(k - 1) - 1)//s + 1", "pool", {"ceil_mode": True},
     "s | n + p0 + p1 - d*(k - 1) - 1"),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "layer", "options", "condition"), EXACT)
def test_the_condition_that_a_formula_needs_is_found(formula, layer, options, condition):
    answer = cm.verify_output_size(formula, layer, **options)
    assert isinstance(answer, Proof)
    assert not answer.holds
    assert answer.hypotheses == (condition,)
    assert answer.check()
    assert load(answer.to_json()) == answer
    given = cm.verify_output_size(formula, layer, given=[condition], **options)
    assert given.holds
    assert given.grade == "all sizes"


@pytest.mark.parametrize(("formula", "layer", "options", "condition"), EXACT)
def test_it_is_the_weakest_one_about_the_options(formula, layer, options, condition):
    """Wherever it does not hold, the formula is wrong for some size of the input."""
    more = {name: value for name, value in options.items() if name != "ceil_mode"}
    used = {"p0"} if "p0" in formula else {"p"}
    setting = Setting.of(frozenset(used), layer, options.get("ceil_mode"), more)
    tree, wanted = setting.fill(read_formula(formula)), setting.filled(read_condition(condition))
    names = [name for name in setting.symbols if name != "n"]
    ranges = [range(1, 5) if name in "ksd" else range(3) for name in names]
    seen = 0
    for options_ in itertools.product(*ranges):
        places = [dict(zip(("n", *names), (n, *options_), strict=True)) for n in range(1, 14)]
        layers = [at for at in places if all(v.evaluate(at) >= 0 for v in setting.legal())]
        right = [at for at in layers if tree.evaluate(at) == setting.size_at(at)]
        holding = [at for at in layers if wanted.holds_at(at)]
        assert all(at in right for at in holding)
        if len(layers) < 13 or "n" in wanted.names:  # for few sizes it may be right by chance
            continue
        seen += 1
        assert len(right) < 13 or len(holding) == 13
    assert seen > 5 or "n" in condition


def test_numbers_of_a_formula_are_tried_for_options_that_it_leaves_out():
    halved = cm.verify_output_size("n//2", "conv")
    assert halved.hypotheses == ("s = 2", "d*(k - 1) = 2*p + 1")
    assert halved.check()
    pooled = cm.verify_output_size("n//3", "pool", d=1)
    assert pooled.hypotheses == ("s = 3", "k = 2*p + 3")


def test_plain_hypotheses_come_first_where_they_leave_nearly_as_many_layers():
    assert cm.verify_output_size("(n + 2*p - k)//s + 1").hypotheses == ("d = 1",)
    assert cm.verify_output_size("s*n + k - s", "conv_transpose", a=0).hypotheses == (
        "d = 1",
        "p = 0",
    )


def test_what_hypotheses_are_is_told():
    answer = cm.verify_output_size("s*n", "conv_transpose")
    assert "Hypotheses under which it was proved: d*(k - 1) + 1 + a = s + 2*p." in str(answer)
    assert "under which it was proved" not in str(cm.verify_output_size("n", "same", s=1))


def test_a_prover_that_lowers_formulas_wrongly_is_refused(monkeypatch):
    """Ceilings become floors in prover and checker alike: a wrong formula gets its certificates."""
    with monkeypatch.context() as broken:
        broken.setitem(programs._LOWER, "ceil", programs.Program._floor)
        wrong = cm.verify_output_size("ceil((n + 2*p - d*(k - 1) - 1)/s) + 1")
        assert isinstance(wrong, Proof)
        assert wrong.evidence.identity().check()
        with pytest.raises(Refused, match="the formula ceil"):
            wrong.check()
        assert not wrong


def test_a_size_that_was_simplified_wrongly_is_refused(monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(Setting, "size", property(lambda _: read_formula("(n - 1)//s + 2")))
        wrong = cm.verify_output_size("(n + s - 1)//s + 1", "same")
        assert isinstance(wrong, Proof)
        with pytest.raises(Refused, match="not 1"):
            wrong.check()
