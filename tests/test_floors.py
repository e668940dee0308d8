"""The shape of the package: imports point down, and heavy libraries wait until they are needed."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import convmat

ROOT = Path(convmat.__file__).parent

# Who stands on whom: for each folder that has rooms, its floors from the ground up. A module may
# import from its own floor and from those below; a folder that is not listed has files alone.
FLOORS = {
    "": (
        ("geometry", "version"),
        ("kernels", "certificates"),
        ("matrix", "symbolic"),
        ("operator",),
        ("layers", "plot"),
        ("analysis", "proof"),
        ("answer",),
        ("__init__",),
        ("cli",),
        ("__main__",),
    ),
    "geometry": (
        ("arguments", "printing"),
        ("window", "axis_map"),
        ("kronecker",),
        ("arrays", "sizes"),
        ("borders", "keywords", "resampling", "weights"),
        ("pattern",),
    ),
    "kernels": (("keeping", "costs"), ("compiling",), ("cpu", "cuda")),
    "kernels/cpu": (
        ("threads", "vectors"),
        ("layout",),
        ("conv", "csr", "kronecker", "max_pool"),
        ("weight_gradient",),
    ),
    "certificates": (
        ("polynomials", "writing"),
        ("statements", "truth"),
        ("theorem",),
        ("theorems",),
        ("checker",),
        ("provers",),
    ),
    "certificates/provers": (
        ("combining", "draft", "monomials", "ratios"),
        ("search", "sizes"),
        ("finding", "found", "ways"),
    ),
    "symbolic": (
        ("formulas", "matrices", "minimal_filtering", "solver", "stacks"),
        ("sizes",),
        ("library",),
    ),
    "analysis": (
        ("lanczos", "numbers", "torus"),
        ("bounds",),
        ("norms",),
        ("checkerboard", "spectra"),
    ),
    "proof": (
        ("definitions", "records", "sizes", "steps"),
        ("counterexamples", "matrices"),
        ("evidence",),
        ("proofs",),
        ("layers", "theorems", "verifying"),
        ("comparing",),
    ),
}
HEAVY = {"matplotlib", "numba", "scipy", "sympy", "torch", "click", "rich", "llvmlite"}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def dotted(path: Path) -> str:
    """Return the name of a module within the package; that of a folder's `__init__` ends so."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


NAMES = {dotted(path) for path in modules()}


def imported(node: ast.AST) -> Iterator[str]:
    """Yield full dotted names of the modules that an import statement may load."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "relative imports hide which floor they reach"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str:
    """Return the module of the package in which a dotted name stands."""
    parts = name.split(".")[1:]
    for end in range(len(parts), -1, -1):
        for found in (".".join(parts[:end]), ".".join([*parts[:end], "__init__"])):
            if found in NAMES:
                return found
    raise AssertionError(name)


def arrows() -> Iterator[tuple[str, str, int]]:
    """Yield (module, module that it imports, line): anywhere, in functions and for types too."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in imported(node):
                if name.split(".")[0] == "convmat" and module_of(name) != dotted(path):
                    yield dotted(path), module_of(name), getattr(node, "lineno", 0)


ARROWS = list(arrows())


def folders() -> list[str]:
    inner = {".".join(path.parent.relative_to(ROOT).parts) for path in modules()}
    return sorted(inner)


def children(folder: str) -> set[str]:
    start = f"{folder}." if folder else ""
    return {name[len(start) :].split(".")[0] for name in NAMES if name.startswith(start)}


def inside(folder: str) -> Iterator[tuple[str, str, str]]:
    """Yield (child, child that it imports, where) for what a folder's own children import."""
    start = f"{folder}." if folder else ""
    for source, target, line in ARROWS:
        if source.startswith(start) and target.startswith(start):
            here, there = (name[len(start) :].split(".")[0] for name in (source, target))
            if here not in {there, "__init__"}:
                yield here, there, f"{source}:{line} imports {target}"


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return the sets of nodes that can all be reached from one another."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        stack, seen = [start], set()
        while stack:
            for after in graph.get(stack.pop(), set()) - seen:
                seen.add(after)
                stack.append(after)
        reached[start] = seen
    knots = {
        frozenset({other for other in seen if start in reached.get(other, set())})
        for start, seen in reached.items()
    }
    return knots - {frozenset()}


@pytest.mark.parametrize("folder", folders())
def test_imports_point_down(folder: str) -> None:
    rooms = FLOORS.get(folder.replace(".", "/"))
    graph: dict[str, set[str]] = {}
    height = {name: floor for floor, names in enumerate(rooms or ()) for name in names}
    if rooms:
        assert {*height, "__init__"} == {*children(folder), "__init__"}, "say where each stands"
    for here, there, where in inside(folder):
        assert folder == "" or there != "__init__", f"{where}, the table of its own room"
        assert not rooms or height[there] <= height[here], f"{where}, which is above it"
        graph.setdefault(here, set()).add(there)
    assert not circles(graph)


def test_rooms_that_hold_rooms_have_floors() -> None:
    holding = {folder.rpartition(".")[0] for folder in folders()} - {""}
    missing = {name.replace(".", "/") for name in holding} - set(FLOORS)
    assert not missing


@pytest.mark.parametrize("folder", folders())
def test_a_room_begins_with_its_table_of_contents(folder: str) -> None:
    path = ROOT.joinpath(*folder.split("."), "__init__.py") if folder else ROOT / "__init__.py"
    words = set(re.findall(r"\w+", ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""))
    assert children(folder) - {"__init__", "__main__"} <= words


def test_docstrings_name_modules_that_exist() -> None:
    for path in modules():
        for name in re.findall(r"`(convmat(?:\.\w+)+)", path.read_text(encoding="utf-8")):
            found = module_of(name)
            left = name.split(".")[1 + len(found.removesuffix("__init__").strip(".").split(".")) :]
            if found == "__init__":
                left = name.split(".")[1:]
            home = importlib.import_module(f"convmat.{found}".removesuffix(".__init__"))
            assert not left or hasattr(home, left[0]), f"{path.name} names {name}"


def test_no_module_is_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for source, target, _ in ARROWS:
        graph.setdefault(source, set()).add(target)
    assert not circles(graph)


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}) == {
        frozenset("bc"),
        frozenset("d"),
    }


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
    for name, heavy in found.items():
        if name.startswith(("symbolic", "plot", "cli", "proof")):
            continue  # these are loaded on first use, as a whole
        light = name.endswith(("__init__.py", "in_numpy.py"))
        compiled = name.startswith("kernels") and not light
        allowed = {"numba", "llvmlite"} if compiled else set()
        if name == "kernels/cpu/conv/fft.py":  # loaded when there is something to transform
            allowed.add("scipy")
        assert heavy <= allowed | ({"scipy"} if name == "matrix/csr.py" else set()), name


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
            # Machine code alone, which Numba would unpickle anyway: only what a digest vouches for.
            unpickled = set() if path.name == "keeping.py" else {"pickle"}
            for name in imported(node):
                assert name.split(".")[0] not in unpickled | {"marshal", "shelve"}, path
