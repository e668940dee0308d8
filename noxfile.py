# /// script
# dependencies = ["nox"]
# ///
"""The ways in which convmat is tested: one session each.

``nox`` runs all but the slow ones, ``nox -s lint tests`` some. Where everything is installed
already, ``nox --no-venv --no-install -s ...`` runs a session in the present environment.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"

# What the compiled loops compute, and the modules through which their numbers go.
COMPILED = ["apply", "build", "kernels_gradient", "kernels_kronecker", "kronecker", "max_pool"]
COMPILED = [f"tests/test_{name}.py" for name in COMPILED]
THREADED = ["apply", "kernels_fft", "kernels_kronecker", "kernels_separable", "kernels_winograd"]
THREADED = [f"tests/test_{name}.py" for name in [*THREADED, "processes", "team"]]
CORE = ["agreement", "build", "convolution_matrix", "geometry", "laws", "layers", "matrix"]
CORE += ["kronecker", "maps", "max_pool", "padding_modes", "pool", "rearrange", "resize", "sizes"]
CORE += ["apply", "kernels_fft", "kernels_gradient", "kernels_kronecker"]
CORE += ["kernels_separable", "out"]
CORE += ["kernels_winograd", "vectors"]
CORE_MODULES = ["geometry/**/*", "kernels/*", "kernels/cpu/**/*", "operator/*"]
CORE_MODULES += [f"matrix/{name}" for name in ("csr", "entries", "limits")]
CORE_MODULES += [
    f"layers/{name}" for name in ("*_pooling", "convolution", "rearranging", "resizing")
]

# Indices are the same whatever the numbers: one real and one complex dtype have all of them.
FEW_DTYPES = "not f4 and not -f- and not i8 and not u8 and not c8"
# The laws hold for small layers, which need no kernel; these few see all lines of the operators.
FEW_LAWS = "not test_laws or algebra or block or all-options or reflect-1d or shuffle"
# In Python large layers take minutes; small ones go the same ways. There are no threads either.
SMALL = "not large and not several_blocks and not long_rows and not threads_do_not"
SMALL += " and not in_every_way and not channels_are_summed_in_parts"
# These start processes with so many threads as they need, wherever they run.
OWN_THREADS = "number_of_threads"
# What only an installed package can get wrong: files that are missing, imports, the commands.
INSTALLED = ["cli", "floors", "inputs"]
INSTALLED = [f"tests/test_{name}.py" for name in INSTALLED]


PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
# What old or new releases of others broke before: commands, tables, pictures, formulas, kernels.
VERSIONS = ["cli", "encodings", "floors", "inputs", "keeping", "matrix", "plot", "sizes", "solving"]
VERSIONS = [f"tests/test_{name}.py" for name in VERSIONS]


def _install(session: nox.Session) -> None:
    session.install("-e", ".[test]")


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, its formatter and mypy."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests as a user would."""
    _install(session)
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Run only the tests that take minutes; a quarter of them with ``-- --quarter=0`` to 3."""
    _install(session)
    nothing_collected = 5  # the mark may be on no test at present
    session.run(
        *("python", "-m", "pytest", "-m", "slow", *session.posargs),
        success_codes=[0, nothing_collected],
    )


@nox.session
def nojit(session: nox.Session) -> None:
    """Run the compiled functions as plain Python, so that coverage sees their lines."""
    _install(session)
    # Compiled integers wrap around silently; as NumPy scalars they warn.
    options = ["-W", "ignore:overflow encountered:RuntimeWarning", "--cov", "--cov-report="]
    options += ["-k", f"({FEW_DTYPES}) and ({FEW_LAWS}) and ({SMALL}) and not {OWN_THREADS}"]
    names = session.posargs or [f"tests/test_{name}.py" for name in CORE]
    session.run("python", "-m", "pytest", *options, *names, env={"NUMBA_DISABLE_JIT": "1"})
    include = ",".join(f"convmat/{name}.py" for name in CORE_MODULES)
    session.run("coverage", "report", f"--include={include}", "--fail-under=90")


@nox.session
def boundscheck(session: nox.Session) -> None:
    """Run the compiled functions with every index checked."""
    _install(session)
    # A cache of its own: Numba's does not tell code with these checks from code without.
    env = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": session.create_tmp()}
    few = ["-k", f"{FEW_DTYPES} and not {OWN_THREADS}"]
    session.run("python", "-m", "pytest", *few, *COMPILED, *session.posargs, env=env)


@nox.session
def threads(session: nox.Session) -> None:
    """Run with one thread, and what compares several with two, whatever the machine has."""
    _install(session)
    for count, some, names in (
        ("1", f"not thread and not {OWN_THREADS}", COMPILED),
        ("2", f"thread and not {OWN_THREADS}", THREADED),
    ):
        env = {"NUMBA_NUM_THREADS": count}
        session.run("python", "-m", "pytest", "-k", some, *names, *session.posargs, env=env)


@nox.session(python=PYTHONS[0], default=False)
def floors(session: nox.Session) -> None:
    """Run with the lowest releases that pyproject.toml declares."""
    declared = PROJECT["project"]
    wanted = [*declared["dependencies"], *declared["optional-dependencies"]["test"]]
    lowest = [one.replace(">=", "==") for one in wanted]
    session.install("-e", ".[test]", *lowest)
    session.run("python", "-m", "pytest", *VERSIONS, *session.posargs)


@nox.session(python=PYTHONS[-1], default=False)
def newest(session: nox.Session) -> None:
    """Run with the newest releases of everything, on the newest Python that is declared."""
    session.install("--upgrade", "-e", ".[test]")
    session.run("python", "-m", "pytest", *VERSIONS, *session.posargs)


@nox.session
def cuda(session: nox.Session) -> None:
    """Run kernels for GPUs in Numba's simulator, and read what the compiler makes of them.

    An environment of its own: the extra replaces a part of Numba wherever it is installed.
    """
    session.install("-e", ".[test-cuda]")
    # One file is all that there is for several processes.
    run = ("python", "-m", "pytest", "-m", "cuda", "--dist=load", *session.posargs)
    session.run(*run, "tests/test_cuda_sim.py", env={"NUMBA_ENABLE_CUDASIM": "1"})
    session.run(*run, "tests/test_cuda_budgets.py")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it, and run what may differ where the sources cannot be seen."""
    session.install("build")
    work = Path(session.create_tmp())
    shutil.rmtree(work)
    session.run("python", "-m", "build", "--outdir", str(work / "dist"), str(ROOT))
    (built,) = (work / "dist").glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        packed = {name for name in archive.namelist() if name.startswith("convmat/")}
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "convmat").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    if packed != files:
        session.error(f"the wheel differs from the package in {sorted(packed ^ files)}")
    session.install("--force-reinstall", "--no-deps", str(built))
    session.install(f"{built}[test]")
    # Everything that the tests read, but not the package itself.
    for name in ("docs", "images", "scripts", "tests"):
        shutil.copytree(ROOT / name, work / name)
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, work)
    session.chdir(work)
    session.run("python", "-c", "import convmat; assert 'site-packages' in convmat.__file__")
    names = [*INSTALLED, "--pyargs", "convmat.layers"]  # whose docstrings are examples
    session.run("python", "-m", "pytest", *names, *session.posargs)


if __name__ == "__main__":
    nox.main()
