"""The commands about claims: ``convmat prove`` and ``convmat verify``."""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

import convmat as cm
from convmat.cli.options import layer_options, read_shape, shared
from convmat.layers.text_values import read_ends, read_integers

__all__ = ["prove", "verify"]


@click.command()
@click.option("--shape", help="Input: channels, then sizes, such as 1,28,28.")
@click.option("--kernel-size", default="3", show_default=True, help="3, or 3,5 per axis.")
@shared("stride", "padding", "dilation", "groups")
@click.option("--out-channels", default=1, show_default=True)
@click.option("--output-padding", default="0", show_default=True, help="Of the transposed side.")
@click.option("--theorem", multiple=True, help="Prove a named theorem instead; all of them: all.")
@click.option("--list", "list_", is_flag=True, help="List the theorems instead.")
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Check this proof again instead; may be repeated.",
)
@click.option(
    *("--output", "-o", "--out", "output"),
    type=click.Path(path_type=Path),
    help="A .json file for --check.",
)
@click.option("--steps", is_flag=True, help="Print every step, and what its symbols mean.")
@click.option("--latex", is_flag=True, help="With --theorem: statement and steps in LaTeX.")
@shared("json")
def prove(
    shape: str | None,
    kernel_size: str,
    groups: int,
    out_channels: int,
    output_padding: str,
    theorem: tuple[str, ...],
    check: tuple[Path, ...],
    output: Path | None,
    *,
    list_: bool,
    steps: bool,
    latex: bool,
    as_json: bool,
    **options: str,
) -> None:
    """Prove that a transposed convolution is the transpose, for every weight.

    Or prove theorems for all sizes, by name. Prints claim and grades; --steps prints the proof
    itself. Exit codes: 0 proved, 1 false or refused, 2 bad input.
    """
    from convmat.cli import proving

    if check:
        sys.exit(proving.check(check, as_json=as_json))
    if list_:
        sys.exit(proving.list_theorems(as_json=as_json))
    form = "json" if as_json else "latex" if latex else "steps" if steps else "summary"
    if theorem:
        sys.exit(proving.prove_theorems(theorem, output, form))
    if latex:
        raise click.UsageError("Option '--latex' needs '--theorem'.")
    if shape is None:
        raise click.UsageError("Missing option '--shape', such as 1,28,28, or --check FILE.")
    in_shape = read_shape(shape)
    window = layer_options(options, len(in_shape) - 1)
    taps = read_integers("kernel_size", kernel_size)
    extra = read_integers("output_padding", output_padding)
    channels = out_channels, groups
    sys.exit(proving.prove_layer(in_shape, taps, channels, extra, window, output, form))


def _read_scale(text: str) -> Fraction | float:
    """Read a scale: a fraction is exact, a decimal is a float."""
    try:
        if re.fullmatch(r"\s*[0-9]{1,9}\s*(/\s*[0-9]{1,9}\s*)?", text):
            return Fraction("".join(text.split()))
        return float(text)
    except (ValueError, ZeroDivisionError):
        raise cm.GeometryError(
            "scale_factor", text, "is no number", "write 2, 1.5 or 3/2"
        ) from None


class _AFormula(click.Command):
    """A command whose argument may begin with a minus: only words after two of them are options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options, ``-(-n//s)`` not as some."""
        plain = [
            f" {text}" if text[:1] == "-" and text[:2] != "--" and text not in ("-", "-h") else text
            for text in args
        ]
        return super().parse_args(ctx, plain)


@click.command(cls=_AFormula)
@click.argument("formula")
@click.option(
    "--layer",
    default="conv",
    show_default=True,
    help="conv, conv_transpose, pool, unfold, pad, upsample; or a convolution with padding valid, "
    "same, full.",
)
@click.option("--input-size", type=int, help="Fix n.")
@click.option("--kernel-size", type=int, help="Fix k.")
@click.option("--stride", type=int, help="Fix s.")
@click.option("--padding", help="Fix p, or low:high.")
@click.option("--dilation", type=int, help="Fix d.")
@click.option("--output-padding", type=int, help="Fix a.")
@click.option("--scale-factor", help="Fix r: 2, 1.5 or 3/2.")
@click.option("--ceil-mode", is_flag=True, help="Of a pooling.")
@click.option("--given", multiple=True, help="May be assumed: 's <= k', 'd = 1', '2 | k - 1'.")
@click.option("--steps", is_flag=True, help="Print every step of a proof.")
@shared("json")
def verify(
    formula: str,
    layer: str,
    padding: str | None,
    given: tuple[str, ...],
    *,
    ceil_mode: bool,
    steps: bool,
    as_json: bool,
    scale_factor: str | None,
    **options: int | None,
) -> None:
    """Prove or refute that FORMULA gives the output size of a layer, for all sizes.

    In FORMULA n is the input size, k the kernel size, s the stride, p the padding (p0 and p1 if
    they differ), d the dilation, a the output padding; longer names are understood as well.

    Exit codes: 0 proved for all sizes; 1 false, proved only under added hypotheses, or not
    decided; 2 bad input.
    """
    fixed: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if scale_factor is not None:
        fixed["scale_factor"] = _read_scale(scale_factor)
    if padding is not None:
        fixed["padding"] = read_ends("padding", padding)
    found = cm.verify_output_size(formula, layer, ceil_mode=ceil_mode or None, given=given, **fixed)
    if as_json:
        click.echo(found.report())
    else:
        click.echo(found.explain() if steps else found.summary)
    sys.exit(0 if found else 1)
