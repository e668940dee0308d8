"""The shape of files and functions: short ones, with few parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import convmat

ROOT = Path(convmat.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

MOST_LINES = 400
MOST_PARAMETERS = 10
# Functions with more, each for a reason.
LONG = {
    "cli/claims.py prove": "every option of a command is a parameter",
    "symbolic/solver/solving.py solve_layer": "the parameters of a layer, and what is asked of it",
    "symbolic/stacks/layer_specs.py layer": "the parameters of a layer, by PyTorch's names",
}


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[str]:
    """Return the names of all parameters but the object or class that a method belongs to."""
    given = function.args
    found = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    found += [one for one in (given.vararg, given.kwarg) if one is not None]
    names = [one.arg for one in found]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def functions(text: str) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield getattr(node, "name", "lambda"), parameters(node)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("def f(a, /, b, *c, d, **e): pass", 5),
        ("class A:\n    def f(self, a): pass", 1),
        ("class A:\n    @classmethod\n    def f(cls): pass", 0),
        ("async def f(a): pass", 1),
        ("f = lambda a, b: a", 2),
    ],
)
def test_parameters_are_counted(text: str, count: int) -> None:
    ((_, names),) = functions(text)
    assert len(names) == count


def test_functions_have_few_parameters() -> None:
    found = {
        f"{path.relative_to(ROOT).as_posix()} {name}"
        for path in MODULES
        for name, names in functions(path.read_text(encoding="utf-8"))
        if len(names) > MOST_PARAMETERS
    }
    assert found == set(LONG)


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path for path, lines in lengths.items() if lines > MOST_LINES} == set()
