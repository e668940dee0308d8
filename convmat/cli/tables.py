"""What the command line prints: tables for people, dictionaries for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.operator import LayerOperator

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from convmat.matrix.files import Format

__all__ = ["matrix_summary", "print_matrix", "print_summary", "print_verdicts", "progress"]

WIDEST = 36  # columns of a matrix that is printed
UNWRAPPED = 10_000  # characters of a line
LISTED = 10_000  # entries of a matrix that is listed in JSON


def _width() -> int | None:
    """Return the width of tables: the terminal's; in pipes and files, enough for any line."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else UNWRAPPED


def _print_table(console: Console, table: Table) -> None:
    """Print a table; in pipes and files, without the blanks that fill its last column."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as text:
        console.print(table)
    for line in text.get().splitlines():
        print(line.rstrip())


@contextmanager
def progress(steps: int, *, lines: bool) -> Iterator[Callable[[str], None]]:
    """Show a bar on standard error while a job runs; where there is no terminal, write lines.

    The first step reads the input: bad input is told in one line, with none before it. Hence the
    first line comes with the second.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), BarColumn(24), TextColumn("{task.description}"))
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("start", total=steps)
        begun: list[str] = []

        def tell(step: str) -> None:
            bar.update(task, description=step, completed=len(begun))
            begun.append(step)
            if lines and len(begun) > 1 and not console.is_terminal:
                for number in (1, 2) if len(begun) == 2 else (len(begun),):
                    text = f"[{number}/{steps}] {begun[number - 1]}"
                    print(text, file=sys.stderr, flush=True)

        yield tell


def print_summary(summary: dict[str, Any]) -> None:
    """Print what an inspection found, as a short table."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="convmat inspect", title_justify="left", show_header=False, box=None)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    A, B = summary["matrices"]
    weighting = summary["kernel"]["weighting"]
    zeros = summary["kernel"]["zeros"]
    options = ", ".join(f"{key} {value}" for key, value in summary["options"].items())
    forward, backward = (
        summary["sizes"][name] for name in ("convolution", "transposed convolution")
    )
    rows = [
        ("image", f"{summary['image']['file']}  {_sizes(summary['in_shape'])}"),
        (
            "kernel",
            f"{summary['kernel']['name']}  weight {_sizes(summary['kernel']['weight_shape'])}"
            + (f", {weighting}" if weighting else ""),
        ),
        ("options", options),
        ("A", f"{_sizes(summary['in_shape'])} -> {_sizes(summary['out_shape'])}"),
        ("size of A(x)", _formula(forward)),
        ("size of Aᵀ(y)", _formula(backward)),
        ("", ", ".join(f"{name} {text}" for name, text in summary["sizes"]["symbols"].items())),
        ("matrix of A", _matrix(A, zeros)),
        ("transpose", _matrix(B, zeros)),
        ("seconds", _seconds(summary["seconds"])),
    ]
    for name, text in rows:
        table.add_row(name, escape(text))
    console = Console(width=_width())
    _print_table(console, table)
    claims = Table(show_header=False, box=None)
    for claim in summary["claims"]:
        mark = "[green]holds[/]" if claim["holds"] else "[bold red]FALSE[/]"
        claims.add_row(mark, escape(_claim(claim)))
    _print_table(console, claims)
    files = ", ".join(summary["files"])
    folder = f"[bold]{escape(summary['folder'])}[/]: {escape(files)}"
    console.print(folder, highlight=False, soft_wrap=True)
    if summary["signed"]:
        padded = any(end > 0 for ends in summary["sizes"]["padding"] for end in ends)
        border = "; lines along the border come from the zeros of the padding" if padded else ""
        told = f"images.png: red is positive, blue negative{border}."
        console.print(told, highlight=False, soft_wrap=not console.is_terminal)


def _claim(claim: dict[str, Any]) -> str:
    text = str(claim["claim"])
    if "grade" in claim:
        grades = "; ".join(claim["grades"])
        return f"proof ({grades}): the transposed convolution is the transpose"
    if "bound" in claim:
        return f"{text} (off by {claim['worst']:.1e}, bound {claim['bound']:.1e})"
    return text


def _sizes(shape: list[int]) -> str:
    return " x ".join(map(str, shape))


def _formula(sizes: dict[str, Any]) -> str:
    made = ", ".join(f"{axis['n']} -> {axis['size']}" for axis in sizes["axes"])
    return f"{sizes['formula']}:  {made}"


def _matrix(entry: dict[str, Any], zeros: int) -> str:
    rows, columns = entry["shape"]
    kept = " (weights that are 0 included)" if zeros else ""
    return (
        f"{rows:,} x {columns:,}, {entry['nnz']:,} stored entries{kept}, "
        f"{entry['nbytes'] / 1e6:,.1f} MB"
    )


def _seconds(seconds: dict[str, float]) -> str:
    first, again = seconds["build the matrix of A"], seconds["build it again"]
    other, prove = seconds["build the transposed convolution"], seconds["prove the claim"]
    return (
        f"{first:.3g} to build A first (loading or compiling the builder included), {again:.3g} "
        f"to build it again in place, {other:.3g} the transposed convolution, {prove:.3g} to "
        f"prove, {seconds['in all']:.1f} in all"
    )


def print_verdicts(summary: dict[str, Any], page: str) -> None:
    """Print question, answer, and a table of verdicts, each with its first two proofs."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    colours = {"holds": "green", "does not hold": "red"}
    table = Table(show_header=False, box=None, padding=(0, 2, 1, 0))
    console = Console(highlight=False, width=_width())
    table.add_column(max_width=17 if console.is_terminal else None)
    table.add_column(overflow="fold")
    for verdict in summary["verdicts"].values():
        colour = colours.get(verdict["verdict"], "yellow")
        lines = [f"[bold]{escape(verdict['title'])}[/]", *map(escape, verdict["evidence"][:2])]
        table.add_row(f"[{colour}]{verdict['verdict']}[/]", "\n".join(lines))
    console.print(f"[bold]{escape(summary['question'])}[/]\n")
    _print_table(console, table)
    console.print(f"[bold]{escape(summary['answer'])}.[/] {escape(' '.join(summary['reasons']))}")
    console.print(f"\nAll evidence and pictures: {escape(page)}", soft_wrap=True)


def matrix_summary(
    A: LayerOperator, format_: Format, path: Path | None, weighting: str | None
) -> dict[str, Any]:
    """Return the facts of a matrix, and its entries if it is small and not saved."""
    data: dict[str, Any] = {
        "layer": repr(A),
        "in_shape": list(A.in_shape),
        "out_shape": list(A.out_shape),
        "shape": list(A.shape),
        "nnz": A.nnz,
        "nbytes": A.nbytes,
        "dtype": str(A.dtype),
        "weighting": weighting,
        "file": None if path is None else str(path),
    }
    if path is None and A.nnz <= LISTED:
        entries = A.matrix(format_).tocoo()
        values = entries.data
        if values.dtype.kind == "c":
            values = np.stack([values.real, values.imag], -1)  # JSON has no complex numbers
        data |= {"row": entries.row.tolist(), "column": entries.col.tolist()}
        data["value"] = values.tolist()
    return data


def print_matrix(A: LayerOperator, path: Path | None, weighting: str | None) -> None:
    """Print a small matrix whole, of a large one its size; or where it was saved."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(repr(A))
    if weighting:
        console.print(f"weight: {weighting}")
    if path is not None:
        console.print(f"saved as {path}")
    elif max(A.shape) <= WIDEST:
        with np.printoptions(linewidth=10_000, threshold=WIDEST**2, precision=4, suppress=True):
            console.print(str(A.matrix().toarray()))
    else:
        console.print("too large to print: name a file with --output")
