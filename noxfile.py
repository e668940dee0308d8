# /// script
# dependencies = ["nox"]
# ///
"""The ways in which convmat is tested: one session each.

``nox`` runs all but the slow ones, ``nox -s lint tests`` some. Where everything is installed
already, ``nox --no-venv --no-install -s ...`` runs a session in the present environment.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv|virtualenv"

# What the compiled loops compute, and the modules through which their numbers go.
COMPILED = ["apply", "build", "kernels_gradient", "kernels_kronecker", "kronecker", "max_pool"]
COMPILED += ["sweep", "threads", "vectors"]
COMPILED = [f"tests/test_{name}.py" for name in COMPILED]
CORE = ["agreement", "build", "convolution_matrix", "geometry", "laws", "layers", "matrix"]
CORE += ["kronecker", "maps", "max_pool", "padding_modes", "pool", "rearrange", "resize", "sizes"]
CORE += ["apply", "derivations", "kernels_fft", "kernels_gradient", "kernels_kronecker"]
CORE += ["kernels_separable", "out"]
CORE += ["kernels_winograd", "sweep", "vectors"]
CORE_MODULES = [f"{room}/**/*" for room in ("geometry", "kernels", "layers", "matrix", "operator")]


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
    """Run only the tests that take minutes."""
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
    session.run("python", "-m", "pytest", *COMPILED, *session.posargs, env=env)


@nox.session
def threads(session: nox.Session) -> None:
    """Run with one thread and with two; results must not differ in a single bit."""
    _install(session)
    for count in ("1", "2"):
        env = {"NUMBA_NUM_THREADS": count}
        session.run("python", "-m", "pytest", *COMPILED, *session.posargs, env=env)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it, and run the tests where the sources cannot be seen."""
    session.install("build")
    work = Path(session.create_tmp())
    shutil.rmtree(work)
    session.run("python", "-m", "build", "--outdir", str(work / "dist"), str(ROOT))
    (built,) = (work / "dist").glob("*.whl")
    session.install("--force-reinstall", "--no-deps", str(built))
    session.install(f"{built}[test]")
    # Everything that the tests read, but not the package itself.
    for name in ("docs", "images", "scripts", "tests"):
        shutil.copytree(ROOT / name, work / name)
    for name in ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, work)
    session.chdir(work)
    session.run("python", "-c", "import convmat; assert 'site-packages' in convmat.__file__")
    session.run("python", "-m", "pytest", "tests", *session.posargs)


if __name__ == "__main__":
    nox.main()
