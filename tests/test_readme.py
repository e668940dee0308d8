"""What the README shows is what happens: its code runs, its commands and links are real."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import convmat as cm

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]+) -->\n)?```(?P<language>\w+)\n(?P<body>.*?)^```$", re.M | re.S
)
BLOCKS = [match.groupdict() for match in FENCE.finditer(README)]
PYTHON = [block for block in BLOCKS if block["language"] == "python"]
CONSOLE = [block["body"] for block in BLOCKS if block["language"] == "console"]
COMMANDS = {
    block["mark"].removeprefix("command: "): block["body"].strip()
    for block in BLOCKS
    if (block["mark"] or "").startswith("command: ")
}
TORCH = "needs torch"


def run_python(blocks):
    """Run blocks in order in one namespace, as doctests; fail on the first wrong output."""
    text = "".join(block["body"] for block in blocks)
    test = doctest.DocTestParser().get_doctest(text, {}, "README.md", "README.md", 0)
    output: list[str] = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    results = doctest.DocTestRunner(optionflags=flags).run(test, out=output.append)
    assert results.failed == 0, "".join(output)
    return results.attempted


def test_every_fence_is_understood():
    assert README.count("\n```") == 2 * len(BLOCKS)
    assert {block["language"] for block in BLOCKS} <= {"python", "console", "sh"}
    assert all(">>>" in block["body"] for block in PYTHON)


def test_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pictures are saved there
    plain = [block for block in PYTHON if block["mark"] != TORCH]
    assert run_python(plain) >= 10
    pictures = set(re.findall(r'\.savefig\("(.+?)"\)', README))
    assert pictures
    assert {path.name for path in tmp_path.iterdir() if path.stat().st_size} == pictures


def test_python_agrees_with_torch(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    assert any(block["mark"] == TORCH for block in PYTHON)
    run_python(PYTHON)


def console_commands():
    """Pairs (command, expected output or nothing) of the console blocks."""
    for body in CONSOLE:
        for part in re.split(r"^\$ ", body, flags=re.M)[1:]:
            command, _, expected = part.partition("\n")
            yield pytest.param(command, expected, id=command)


@pytest.mark.parametrize(("command", "expected"), list(console_commands()))
def test_console(command, expected, tmp_path):
    program, *arguments = shlex.split(command, comments=True)
    assert program == "convmat"
    start = [sys.executable, "-m", "convmat"]
    # The very package under test, wherever it was imported from.
    env = {**os.environ, "PYTHONPATH": str(Path(cm.__file__).parents[1]), "COLUMNS": "100"}
    done = subprocess.run(
        [*start, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # Nothing but the steps of a long job.
    assert all(re.fullmatch(r"\[\d+/\d+\] [\w ]+", line) for line in done.stderr.splitlines())
    if expected:
        assert done.stdout.split() == expected.split()


def test_commands_name_what_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(COMMANDS) == {"job", "tests"}
    assert all("\n" not in command for command in COMMANDS.values())
    for extra in re.findall(r"\[(\w+)\]", COMMANDS["tests"]):
        assert extra in project["optional-dependencies"]
    assert COMMANDS["tests"].endswith(".venv/bin/python -m pytest")
    (program,) = re.findall(r"\.venv/bin/(\w+) inspect$", COMMANDS["job"])
    assert project["scripts"][program] == "convmat.cli.commands:main"


def test_links_and_pictures_exist():
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", README, re.M)
    }
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    assert targets
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("https://"):
            assert (ROOT / target).is_file(), target
