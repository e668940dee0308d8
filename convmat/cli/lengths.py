"""The commands `norm` and `spectrum`: what a layer does to lengths."""

from __future__ import annotations

import sys
from typing import Any

import click

from convmat.cli.options import INTERRUPTED, print_json, read_shape, shared

__all__ = ["norm", "spectrum"]

LAYER = {"ignore_unknown_options": True}  # a layer such as "-1 * identity" is no option


@click.command(context_settings=LAYER)
@click.argument("layer")
@shared("shape")
@click.option("--rtol", default=0.01, show_default=True, help="Width to reach, relative.")
@shared("json")
def norm(layer: str, shape: str, rtol: float, *, as_json: bool) -> None:
    """Print the spectral norm of a layer, between two bounds.

    Ctrl-C prints the bracket that has been reached. Exit codes: 0 as narrow as asked, 1 wider,
    2 bad input, 130 interrupted.
    """
    from convmat.analysis.norms import brackets

    found: Any = None
    code = 0
    try:
        for found in brackets(_operator(layer, shape), rtol):  # noqa: B007, the last is told
            pass
    except KeyboardInterrupt:
        if found is None:
            raise
        code = INTERRUPTED
    if as_json:
        print_json(found.as_dict())
    else:
        click.echo(str(found))
    sys.exit(code or int(not found.reached))


@click.command(context_settings=LAYER)
@click.argument("layer")
@shared("shape")
@click.option("--largest", type=int, help="So many of the largest; all if not given.")
@shared("json")
def spectrum(layer: str, shape: str, largest: int | None, *, as_json: bool) -> None:
    """Print the singular values of a layer, the largest first, after a line on their error."""
    from convmat.analysis import singular_values

    found = singular_values(_operator(layer, shape), largest)
    if as_json:
        print_json({**vars(found), "values": found.values.tolist(), "rank": found.rank})
        return
    click.echo(f"# {repr(found)[1:-1]}")
    for value in found.values:
        click.echo(f"{value:.17g}")


def _operator(layer: str, shape: str) -> Any:
    from convmat.layers.text import read_layers

    return read_layers(layer)(read_shape(shape))
