"""Names of padding mean the same in any case: in layers, formulas and on the command line."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sympy
from click.testing import CliRunner

import convmat as cm
from convmat.cli.commands import main
from convmat.geometry.sizes import PADDING_RULES

WEIGHT = np.ones((1, 1, 3))
SPELLINGS = [(rule, written) for rule in PADDING_RULES for written in (rule.upper(), rule.title())]
UNKNOWN = ["NOTSET", "auto", "none", "Explicit", "causal", "reflect", ""]


def size_on_command_line(*words: str) -> Any:
    done = CliRunner().invoke(main, ["size", *words, "--kernel", "3", "--json"])
    return json.loads(done.output) if done.exit_code == 0 else done.exit_code


@pytest.mark.parametrize(("rule", "written"), SPELLINGS)
@pytest.mark.parametrize("stride", [1, 2])
def test_layers_take_a_rule_in_any_case(rule: str, written: str, stride: int) -> None:
    for layer in (cm.conv, cm.conv_transpose):
        plain = layer(WEIGHT, (1, 7), stride=stride, padding=rule)
        other = layer(WEIGHT, (1, 7), stride=stride, padding=written)
        assert plain.geometry == other.geometry


@pytest.mark.parametrize("rule", PADDING_RULES)
@pytest.mark.parametrize("n", [5, 6, 8])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_sizes_of_a_rule_are_those_of_the_layer(
    rule: str, n: int, stride: int, dilation: int
) -> None:
    options = {"stride": stride, "padding": rule, "dilation": dilation}
    forward = cm.conv(WEIGHT, (1, n), **options)
    assert cm.output_size(n, 3, **options) == forward.out_shape[1]
    backward = cm.conv_transpose(WEIGHT, (1, n), **options)
    assert cm.transposed_output_size(n, 3, **options) == backward.out_shape[1]


@pytest.mark.parametrize("rule", PADDING_RULES)
def test_a_formula_of_a_rule_has_its_numbers(rule: str) -> None:
    n = sympy.Symbol("n", integer=True, positive=True)
    for function in (cm.output_size, cm.transposed_output_size):
        formula = function(n, 3, 2, rule)
        for number in range(5, 12):
            assert formula.subs(n, number) == function(number, 3, 2, rule)


def test_same_padding_leaves_no_output_padding() -> None:
    with pytest.raises(cm.GeometryError, match="output_padding = 1: has no meaning"):
        cm.transposed_output_size(7, 3, 2, "SAME", 1)


@pytest.mark.parametrize("written", UNKNOWN)
def test_other_words_are_refused_everywhere(written: str) -> None:
    calls = [
        lambda: cm.conv(WEIGHT, (1, 7), padding=written),
        lambda: cm.conv_transpose(WEIGHT, (1, 7), padding=written),
        lambda: cm.output_size(7, 3, padding=written),
        lambda: cm.transposed_output_size(7, 3, padding=written),
        lambda: cm.symbolic.inputs_of(4, 3, padding=written),
        lambda: cm.symbolic.round_trip(7, 3, padding=written),
    ]
    for call in calls:
        with pytest.raises(cm.GeometryError, match=r"padding = .* is not a known name; use one of"):
            call()


@pytest.mark.parametrize("rule", PADDING_RULES)
def test_the_command_line_reads_rules_and_not_symbols(rule: str) -> None:
    expected = {"size": cm.output_size(7, 3, padding=rule)}
    for written in (rule, rule.upper(), rule.title()):
        assert size_on_command_line("7", "--padding", written) == expected
        formula = size_on_command_line("n", "--padding", written)["formula"]
        assert written not in formula


@pytest.mark.parametrize("written", ["NOTSET", "auto", "None", "Explicit"])
def test_the_command_line_makes_no_symbol_of_a_frameworks_word(written: str) -> None:
    assert size_on_command_line("n", "--padding", written) == 2


def test_a_stack_reads_rules_in_any_case() -> None:
    for rule in ("same", "valid", "full"):
        plain, other = (
            cm.symbolic.layer("conv", 3, padding=written) for written in (rule, rule.upper())
        )
        assert plain.axes(1) == other.axes(1)
