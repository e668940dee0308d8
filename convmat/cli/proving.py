"""What ``convmat prove`` does: layers, named theorems, and files of proofs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

import convmat as cm
from convmat.certificates.theorems import RELATIONS
from convmat.cli.options import print_json, tell_new_folder
from convmat.geometry.arguments import as_integer
from convmat.matrix.files import missing_folder_of, written
from convmat.proof import Counterexample, Proof, Refused, load, prove_theorem, prove_transpose
from convmat.symbolic.library import CHAPTERS, LIBRARY, find_theorem, write_certificate

__all__ = ["check", "list_theorems", "prove_layer", "prove_theorems"]


def check(paths: Sequence[Path], *, as_json: bool) -> int:
    """Follow the proofs, or certificates, of files; return the exit code, 0 if all hold.

    As JSON, an object for one file, a list of such for more.
    """
    found = [_checked(path) for path in paths]
    if as_json:
        print_json(found[0] if len(found) == 1 else found)
    else:
        for path, data in zip(paths, found, strict=True):
            click.echo(f"{path}: {data['message']}" if len(found) > 1 else data["message"])
    return 0 if all(data["holds"] for data in found) else 1


def _checked(path: Path) -> dict[str, Any]:
    proof = load(path)
    try:
        proof.check()
    except Refused as reason:
        accepted, text = False, f"Proof {reason}"
    else:
        accepted, text = True, proof.words("Checked")
    return proof.head | {"accepted": accepted, "claim": proof.claim, "message": text}


def list_theorems(*, as_json: bool) -> int:
    """Print the names by chapter, with meanings; return the exit code."""
    if as_json:
        data = {
            "theorems": {name: theorem.meaning for name, theorem in LIBRARY.items()},
            "relations": {str(number): list(names) for number, names in RELATIONS.items()},
        }
        print_json(data)
        return 0
    for chapter, theorems in CHAPTERS.items():
        click.echo(f"{chapter}\n")
        for theorem in theorems:
            click.echo(f"  {theorem.name}")
            click.echo(click.wrap_text(theorem.meaning, 96, "      ", "      "))
        click.echo()
    return 0


def prove_theorems(names: Sequence[str], output: Path | None, form: str) -> int:
    """Prove theorems, all of them if "all" is named; write the proof to a file and print it.

    `form` is summary, steps, latex or json. Return the exit code.
    """
    chosen = [t.name for t in map(find_theorem, names)] if "all" not in names else list(LIBRARY)
    proof = prove_theorem(*chosen)
    if form != "latex":
        return _tell(proof, output, form)
    for name in dict.fromkeys(chosen):
        click.echo(f"% {name}\n{LIBRARY[name].latex()}\n{write_certificate(name).latex()}\n")
    if output is not None:
        _write(proof, output, form)
    return 0 if proof.holds else 1


def prove_layer(
    in_shape: tuple[int, ...],
    taps: int | tuple[int, ...],
    channels: tuple[int, int],
    extra: int | tuple[int, ...],
    window: dict[str, Any],
    output: Path | None,
    form: str,
) -> int:
    """Prove that a transposed convolution is the transpose; return the exit code.

    `channels` are those of the output, and groups; `extra` is the output padding.
    """
    out_channels, groups = channels
    kernel = taps if isinstance(taps, tuple) else (taps,) * (len(in_shape) - 1)
    as_integer("groups", groups, 1)
    as_integer("out_channels", out_channels, 1)
    for count in kernel:
        as_integer("kernel_size", count, 1)
    # Too few channels are for the layer to refuse.
    weight_shape = (out_channels, max(in_shape[0] // groups, 1), *kernel)
    try:
        weight = np.ones(weight_shape)
    except ValueError:  # more entries than NumPy can count
        raise MemoryError(f"weight of shape {weight_shape} is too large for any memory") from None
    layer = cm.conv(weight, in_shape, groups=groups, **window)
    wanted = {"output_padding": extra} if extra != 0 else {"output_size": in_shape[1:]}
    other = cm.conv_transpose(weight, layer.out_shape, groups=groups, **wanted, **window)
    return _tell(prove_transpose(layer, other), output, form)


def _tell(answer: Proof | Counterexample, output: Path | None, form: str) -> int:
    if output is not None and answer.holds:
        _write(answer, output, form)
    if form == "json":
        click.echo(answer.report())
    else:
        click.echo(answer.explain() if form == "steps" else answer.summary)
        if form == "summary" and answer.holds:
            click.echo(f"{len(answer.steps)} steps: print them with --steps.")
    return 0 if answer.holds else 1


def _write(answer: Proof | Counterexample, path: Path, form: str) -> None:
    new = missing_folder_of(path)
    with written(path) as place:
        place.write_text(answer.to_json(), encoding="utf-8")
    if form != "json":
        tell_new_folder(new)
