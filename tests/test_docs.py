"""What README and docs show is what happens: their code runs, their commands and links are real."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

import convmat as cm
from convmat import geometry

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(cm.__file__).resolve().parent
FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]+) -->\n)?```(?P<language>\w+)\n(?P<body>.*?)^```$", re.M | re.S
)
TORCH = "needs torch"
COMMAND = "command: "
README_LINES, README_BYTES = 150, 20_000


class Block(NamedTuple):
    """A fenced block, with the mark in the comment above it."""

    mark: str | None
    language: str
    body: str


class Page(NamedTuple):
    path: Path
    text: str
    blocks: list[Block]

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The text without its blocks."""
        return FENCE.sub("", self.text)

    @property
    def anchors(self) -> list[str]:
        """The names that forges give to its headings."""
        titles = re.findall(r"^#+ (.+)$", self.prose, re.M)
        return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]

    @property
    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    def of(self, language: str) -> list[Block]:
        return [block for block in self.blocks if block.language == language]


def read(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    return Page(path, text, [Block(**match.groupdict()) for match in FENCE.finditer(text)])


README = read(ROOT / "README.md")
INDEX = read(ROOT / "docs" / "index.md")
PAGES = {page.path: page for page in (README, *map(read, sorted(INDEX.path.parent.glob("*.md"))))}
COMMANDS = {
    block.mark.removeprefix(COMMAND): block.body.strip()
    for block in README.blocks
    if (block.mark or "").startswith(COMMAND)
}


def each(pages):
    return pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in pages])


def run_python(blocks, name):
    """Run blocks in order in one namespace, as doctests; fail on the first wrong output."""
    text = "".join(block.body for block in blocks)
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    output: list[str] = []
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    results = doctest.DocTestRunner(optionflags=flags).run(test, out=output.append)
    assert results.failed == 0, "".join(output)
    assert results.attempted > 0


@each(PAGES.values())
def test_every_fence_is_understood(page):
    assert page.text.count("\n```") == 2 * len(page.blocks)
    assert {block.language for block in page.blocks} <= {"python", "console", "sh"}
    assert all(">>>" in block.body for block in page.of("python"))
    marks = {None, TORCH} | ({COMMAND + name for name in COMMANDS} if page == README else set())
    assert {block.mark for block in page.blocks} <= marks


@each(page for page in PAGES.values() if page.of("python"))
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # pictures are saved there
    run_python([block for block in page.of("python") if block.mark != TORCH], page.name)
    pictures = set(re.findall(r'\.savefig\("(.+?)"\)', page.text))
    assert {path.name for path in tmp_path.iterdir() if path.stat().st_size} == pictures


@each(page for page in PAGES.values() if any(block.mark == TORCH for block in page.blocks))
def test_python_agrees_with_torch(page, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    run_python(page.of("python"), page.name)


def console_commands():
    """Pairs (command, expected output or nothing) of the console blocks."""
    for page in PAGES.values():
        for block in page.of("console"):
            for part in re.split(r"^\$ ", block.body, flags=re.M)[1:]:
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
    # Nothing but the steps of a long job, what a first run compiles, and a new folder.
    told = r"\[\d+/\d+\] [\w ]+|convmat: (compiling the|made the folder) .*"
    assert all(re.fullmatch(told, line) for line in done.stderr.splitlines())
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
    assert project["scripts"][program] == "convmat.cli:main"


@each(PAGES.values())
def test_links_and_pictures_exist(page):
    assert len(set(page.anchors)) == len(page.anchors), "a link reaches the first of equal headings"
    for target in page.links:
        if target.startswith("https://"):
            continue
        place, _, anchor = target.partition("#")
        path = (page.path.parent / place).resolve() if place else page.path
        assert path.is_relative_to(ROOT), target
        inside = path.relative_to(ROOT)
        # The package may be installed elsewhere.
        start = PACKAGE.parent if inside.parts[:1] == (PACKAGE.name,) else ROOT
        assert (start / inside).exists(), target
        assert not anchor or anchor in PAGES[path].anchors, target


@each(PAGES.values())
def test_pictures_have_words(page):
    assert all(words.strip() for words in re.findall(r"!\[(.*?)\]\(", page.prose))


def test_the_index_leads_to_every_page():
    linked = {(INDEX.path.parent / target).resolve() for target in INDEX.links}
    assert PAGES.keys() - {INDEX.path} <= linked


def test_the_glossary_defines_its_words():
    page = PAGES[INDEX.path.parent / "conventions.md"]
    words = re.findall(r"\*(\w+)\*", page.text.split("## Glossary\n")[1].split("Other words")[0])
    entries = re.findall(r"^([a-z][\w, ()]+)\n    ", geometry.__doc__, re.M)
    assert words
    assert set(words) <= {word for entry in entries for word in entry.split(", ")}


def test_the_readme_is_short():
    assert len(README.text.splitlines()) <= README_LINES
    assert README.path.stat().st_size < README_BYTES
