"""The shape of the package: imports point down, and heavy libraries wait until they are needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import convmat

ROOT = Path(convmat.__file__).parent
FLOORS = (
    ("_check", "geometry", "separable", "sizes"),
    ("weights", "pattern", "maps", "border", "_padding", "_arrays"),
    ("kernels", "symbolic"),
    ("entries", "matrix"),
    ("operator",),
    ("layers", "proof", "plot"),
    (
        *(
            "_files",
            "_inputs",
            "_tables",
            "_named_kernels",
            "_layer_values",
            "_layer_text",
            "_places",
            "_exact",
            "_judgement",
            "_smaller_shapes",
            "_comparison",
            "answer",
        ),
        *("inspection", "_mirror", "cli_options", "cli_prove", "cli_claims", "cli"),
        *("__init__", "__main__"),
    ),
)
FLOOR = {name: height for height, names in enumerate(FLOORS) for name in names}
HEAVY = {"matplotlib", "numba", "scipy", "sympy", "torch", "click", "rich", "llvmlite"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def home(path: Path) -> str:
    """Return the name of the module or subpackage at the top of the package."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(node: ast.AST) -> Iterator[str]:
    """Yield full dotted names of the modules that an import statement may load."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide which floor they reach"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def neighbours(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the parts of the package that a module imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for name in imported(node):
            first, *rest = name.split(".")
            if first == "convmat":
                part = rest[0] if rest and rest[0] in FLOOR else "__init__"
                yield part, getattr(node, "lineno", 0)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    here = home(path)
    assert here in FLOOR, f"say in FLOORS on which floor {here} stands"
    for part, line in neighbours(path):
        assert FLOOR[part] <= FLOOR[here], f"{path}:{line} imports {part}, which is above {here}"


def test_no_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for path in modules():
        here = home(path)
        if here != "__init__":
            graph.setdefault(here, set()).update(p for p, _ in neighbours(path) if p != here)
    done: list[str] = []
    while len(done) < len(graph):
        free = [m for m, uses in graph.items() if m not in done and uses <= {*done, "__init__"}]
        assert free, f"a cycle among {sorted(set(graph) - set(done))}"
        done += free


def at_import_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when a module is imported: not bodies of functions, not typing."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from at_import_time(node)


def heavy_at_import(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {name.split(".")[0] for node in at_import_time(tree) for name in imported(node)}
    return names & HEAVY


def test_heavy_libraries_stay_out_of_the_lower_floors() -> None:
    found = {str(path.relative_to(ROOT)): heavy_at_import(path) for path in modules()}
    light = {"kernels/__init__.py", "kernels/shifts.py"}
    for name, heavy in found.items():
        if name.startswith(("symbolic", "plot", "cli", "proof")):
            continue  # these are loaded on first use, as a whole
        compiled = name.startswith("kernels") and name not in light
        allowed = {"numba", "llvmlite"} if compiled else set()
        if name == "kernels/fft.py":  # loaded when there is something to transform
            allowed.add("scipy")
        assert heavy <= allowed | ({"scipy"} if name == "matrix.py" else set()), name


def loaded_after(code: str) -> set[str]:
    """Run code in a fresh interpreter; return the top-level modules that it left loaded."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT.parent), "PATH": ""},
    )
    return set(ran.stdout.split())


def test_import_is_light() -> None:
    loaded = loaded_after("import convmat")
    assert "convmat" in loaded
    assert not loaded & HEAVY


def test_a_small_matrix_loads_scipy_alone() -> None:
    code = """
import numpy as np
import convmat as cm
A = cm.conv(np.ones((1, 1, 3, 3)), (1, 5, 5))
M = A.matrix()
assert M.shape == (9, 25) and A(np.ones((1, 5, 5))).sum() == 81
repr(A), A.nnz, A.T.matrix("csc"), cm.output_size(5, 3)
"""
    loaded = loaded_after(code)
    assert loaded & HEAVY == {"scipy"}


def test_public_names_resolve() -> None:
    assert sorted(convmat.__all__) == convmat.__dir__()
    for name in convmat.__all__:
        assert getattr(convmat, name) is not None
        assert getattr(convmat, name).__doc__
    with pytest.raises(AttributeError, match="nonsense"):
        _ = convmat.nonsense


def test_no_module_reads_the_environment_or_runs_text() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, path
            for name in imported(node):
                assert name.split(".")[0] not in {"pickle", "marshal", "shelve"}, path
