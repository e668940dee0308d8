"""At the prompt every answer is one line, and printed it is the claim and how far it goes."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import numpy as np
import pytest
import sympy

import convmat as cm
from convmat import answer, proof, symbolic
from convmat.certificates.statements import Statement
from convmat.certificates.truth import Answer
from convmat.geometry.printing import OneLine
from convmat.matrix.exact import Exact
from convmat.operator.plan import Plan
from convmat.proof.matrices.outcomes import Difference
from convmat.symbolic.formulas.rewriting import RewriteStep
from convmat.symbolic.sizes.deriving import DerivationStep

SAMPLE = cm.conv(np.arange(24.0).reshape(2, 3, 4), (3, 17), stride=2, padding=1)
LONG = "upsample:nearest,scale=2 @ " * 12 + "identity"
WEIGHTS = np.array(sympy.symbols("w:9"), object).reshape(1, 1, 3, 3)

OBJECTS = {
    "transpose": lambda: cm.prove_transpose(SAMPLE),
    "patterns": lambda: cm.prove_equal(SAMPLE, SAMPLE),
    "numbers": lambda: cm.prove_equal(SAMPLE + SAMPLE, 2 * SAMPLE),
    "symbols": lambda: cm.prove_equal(
        cm.conv(WEIGHTS, (1, 5, 5)), 2 * cm.conv(WEIGHTS, (1, 5, 5)) - cm.conv(WEIGHTS, (1, 5, 5))
    ),
    "counterexample": lambda: cm.prove_equal(SAMPLE, 2 * SAMPLE),
    "theorems": proof.prove_theorem,
    "size": lambda: cm.verify_output_size("floor((n + 2*p - d*(k - 1) - 1)/s) + 1"),
    "restricted": lambda: cm.verify_output_size("(n + 2*p - k)//s + 1"),
    "wrong size": lambda: cm.verify_output_size(" + ".join(["n"] * 60)),
    "undecided": lambda: proof.Unproved("a claim " * 90, 3, {"n": (1, 2)}),
    "comparison": lambda: cm.compare("pad:reflect,1", "pad:replicate,1", (1, 4, 4)),
    "long comparison": lambda: cm.compare(LONG, LONG, (1, 1)),
    "verdict": lambda: answer.QUESTIONS["bilinear"](answer.sample()),
    "tile": lambda: symbolic.winograd(4, 3).prove(),
    "algorithm": lambda: symbolic.winograd((4, 4), (3, 3)),
    "plan": lambda: SAMPLE.plan((5, 3, 17)),
    "solution": lambda: cm.solve_layer("conv", goal="halve"),
    "no solution": lambda: cm.solve_layer("conv", goal="double"),
    "derivation": lambda: symbolic.derive("adaptive"),
    "inputs": lambda: symbolic.inputs_of(*sympy.symbols("m k s p d", integer=True, positive=True)),
    "round trip": lambda: symbolic.round_trip(*sympy.symbols("n k s", integer=True, positive=True)),
    "stack": lambda: symbolic.stack([symbolic.layer("conv", kernel=3, stride=2, padding=1)] * 30),
    "theorem": lambda: symbolic.LIBRARY["output padding"],
    "identity": lambda: symbolic.prove_identity("-(-n // 2)", "(n + 1) // 2"),
    "exact": lambda: SAMPLE.exact_matrix(10_000),
}


TUPLES = proof.ProofStep, DerivationStep, RewriteStep, Difference, Exact


def held(found, seen=None):
    """Yield an object and all answers and records that it holds."""
    seen = set() if seen is None else seen
    if id(found) in seen:
        return
    seen.add(id(found))
    if isinstance(found, dict):
        found = tuple(found.values())
    if isinstance(found, (tuple, list)) and not hasattr(found, "_fields"):
        for entry in found[:50]:
            yield from held(entry, seen)
        return
    if isinstance(found, (OneLine, *TUPLES)):
        yield found
        names = getattr(found, "_fields", None) or [f.name for f in dataclasses.fields(found)]
        for name in names:
            yield from held(getattr(found, name), seen)
        yield from held(getattr(found, "steps", ()), seen)


@pytest.mark.parametrize("name", OBJECTS)
def test_the_prompt_shows_one_line(name):
    found = OBJECTS[name]()
    shown = [repr(found), *map(repr, held(found))]
    for text in shown:
        assert len(text) < 200
        assert len(text.splitlines()) == 1
        assert text.startswith("<")
        assert text.endswith(">")


@pytest.mark.parametrize("name", OBJECTS)
def test_answers_print_claim_and_grade(name):
    found = OBJECTS[name]()
    if isinstance(found, Answer):
        assert str(found) == found.summary
        assert found.explain().startswith(found.summary)
    if isinstance(found, proof.Proof):
        assert len(str(found).splitlines()) == 2 + bool(found.hypotheses)
        assert found.claim in str(found)
        assert found.grade in str(found).splitlines()[1]
        told = found.explain()
        assert all(step.statement in told for step in found.steps)


def modules():
    for package in (proof, symbolic, answer, importlib.import_module("convmat.certificates")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(module.name)
    yield importlib.import_module("convmat.operator.plan")


def test_every_class_of_answers_has_such_a_repr():
    classes = {
        kind
        for module in modules()
        for kind in vars(module).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
        if kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
    }
    assert {proof.Proof, proof.Unproved, symbolic.Solution, Statement, Plan} <= classes
    assert len(classes) > 30
    for kind in classes:
        assert kind.__repr__ is OneLine.__repr__, kind


def test_a_repr_checks_nothing():
    sound = cm.prove_transpose(SAMPLE)
    changed = dataclasses.replace(sound, claim="anything at all")
    assert repr(changed) == "<Proof of grade 'all sizes': anything at all>"
    assert not changed._found
    assert str(changed).startswith("Not proved")


def test_the_middle_of_a_long_line_is_left_out():
    line = repr(proof.Unproved(f"first {'word ' * 90} last", 3, ""))
    assert line.startswith("<Unproved: Not decided: first word")
    assert " ... " in line
    assert line.endswith("last.>")
