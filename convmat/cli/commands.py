"""The command line: options in, tables or JSON out. What is done is done elsewhere.

Exit codes: 0 yes, 1 a claim does not hold, 2 bad input.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

import convmat as cm
from convmat.cli import inputs
from convmat.cli.claims import prove, verify
from convmat.cli.lengths import norm, spectrum
from convmat.cli.options import (
    INTERRUPTED,
    PADDING,
    layer_options,
    print_json,
    read_shape,
    shared,
    tell_new_folder,
)
from convmat.cli.streams import leave_output, spell_missing_signs
from convmat.geometry.weights import as_dtype
from convmat.layers.text import layer_help
from convmat.matrix.files import (
    FORMATS,
    FULL,
    check_suffix,
    missing_folder,
    missing_folder_of,
    save_matrix,
)
from convmat.matrix.limits import NotEnoughMemoryError

__all__ = ["main"]

# What to do where memory does not suffice; Python has other ways.
ADVICE = {
    "inspect": "use a smaller photograph, --grey, a larger --stride or --dtype float32",
    "matrix": "use a smaller --shape, a larger --stride or --dtype float32",
    "compare": "use a smaller --shape: what tells layers apart shows there",
    "prove": "use a smaller --shape or fewer --out-channels",
}


class OneLineError(click.ClickException):
    """A message of one line on standard error, and exit code 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message."""
        click.echo(f"convmat: {' '.join(self.message.split())}", file=file or sys.stderr)


class Commands(click.Group):
    """A group of commands whose errors are one line each, on streams of any encoding."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program."""
        spell_missing_signs()
        return super().main(*args, **options)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options that stand before the command."""
        rest: list[str] = _in_one_line(ctx, lambda: super(Commands, self).parse_args(ctx, args))
        return rest

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, with the whole first sentence of each."""
        rows = [(name, self.commands[name].get_short_help_str(1000)) for name in self.commands]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        return _in_one_line(ctx, lambda: super(Commands, self).invoke(ctx))


def _in_one_line(ctx: click.Context, run: Callable[[], Any]) -> Any:
    try:
        try:
            return run()
        finally:
            sys.stdout.flush()  # what cannot be written is told here, not at the interpreter's end
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.ClickException as error:
        raise OneLineError(error.format_message()) from None
    except cm.GeometryError as error:
        raise OneLineError(str(error)) from None
    except MemoryError as error:
        fact = error.fact if isinstance(error, NotEnoughMemoryError) else str(error)
        advice = ADVICE.get(str(ctx.invoked_subcommand), "use smaller sizes")
        raise OneLineError(f"{fact or 'not enough memory'}; {advice}") from None
    except BrokenPipeError:  # whoever read the output has gone; nothing is to be told
        raise
    except OSError as error:
        if error.filename is None and error.errno in FULL:
            leave_output()
            raise OneLineError(f"standard output: {error.strerror}") from None
        place = f"{error.filename}: " if error.filename else ""
        raise OneLineError(f"{place}{error.strerror or error}") from None
    except KeyboardInterrupt:
        ctx.exit(INTERRUPTED)


def _epilog() -> str:
    """Return examples, and the layers that can be written, as help."""
    examples = [
        "convmat compare upsample:nearest,scale=2 conv_transpose:ones,kernel=2,stride=2",
        "convmat compare upsample:bilinear,scale=2 conv_transpose:triangle,stride=2,padding=1",
        'convmat compare "fold:size=8x8,kernel=3 @ unfold:kernel=3" identity',
        'convmat compare avg_pool:kernel=2 "1/4 * conv:ones,kernel=2,stride=2" --shape 3,8,8',
    ]
    return (
        "\b\nExamples:\n  "
        + "\n  ".join(examples)
        + "\n\nA layer is NAME:OPTION,OPTION,..., an option KEY=VALUE, or a value alone for "
        "those in brackets. stride=3,5 or 3x5 gives a value to each axis; padding=0:1 is low "
        "and high padding of every axis, 0:1,2:2 of each. A @ B does B first, 1/4 * A is a "
        "multiple. A kernel is applied to every channel. Layers and their options:\n\n\b\n"
        + layer_help()
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(cm.__version__, prog_name="convmat")
def main() -> None:
    """Matrices, proofs, formulas and pictures of convolutions.

    Exit codes: 0 yes, 1 a claim does not hold, 2 bad input.
    """


@main.command()
@click.argument("image", required=False)
@shared("kernel")
@click.option("--stride", default="2", show_default=True, help="3, or 3,2 per axis.")
@click.option("--padding", default="1", show_default=True, help=PADDING)
@shared("dilation", "dtype")
@click.option("--grey", is_flag=True, help="Look at brightness instead of colours.")
@click.option(
    *("--output", "-o", "--out", "output"),
    default="convmat-inspect",
    show_default=True,
    help="Folder to write; files of an earlier run in it are replaced.",
)
@click.option(
    "--matrices/--no-matrices", default=True, show_default=True, help="Save the matrices, or not."
)
@shared("json")
def inspect(
    image: str | None,
    kernel: str,
    dtype: str,
    output: str,
    *,
    grey: bool,
    matrices: bool,
    as_json: bool,
    **options: str,
) -> None:
    """Turn a convolution on IMAGE into matrices; check, prove and draw them.

    Without IMAGE, a portrait of Grace Hopper that Matplotlib ships.
    """
    from convmat.cli import tables
    from convmat.cli.inspection import STEPS, Request, inspect

    request = Request(
        image=image,
        kernel=kernel,
        dtype=as_dtype(dtype),
        grey=grey,
        output=Path(output),
        matrices=matrices,
        **layer_options(options),
    )
    new = missing_folder(request.output)
    with tables.progress(len(STEPS), lines=not as_json) as tell:
        summary = inspect(request, tell)
    if as_json:
        print_json(summary)
    else:
        tables.print_summary(summary)
        tell_new_folder(new)
    sys.exit(0 if summary["holds"] else 1)


@main.command()
@click.argument("n")
@click.option("--kernel", required=True, help="Size of the kernel: an integer or a symbol.")
@click.option("--stride", default="1", show_default=True, help="An integer or a symbol.")
@click.option(
    "--padding", default="0", show_default=True, help="Both ends, low:high, or a rule: same."
)
@click.option("--dilation", default="1", show_default=True, help="An integer or a symbol.")
@click.option("--ceil-mode", is_flag=True, help="Count an overhanging last window, as in pooling.")
@click.option("--transposed", is_flag=True, help="Size of the transposed convolution instead.")
@click.option("--output-padding", default="0", show_default=True, help="With --transposed.")
@shared("json")
def size(
    n: str,
    padding: str,
    output_padding: str,
    *,
    ceil_mode: bool,
    transposed: bool,
    as_json: bool,
    **window: str,
) -> None:
    """Print the output size along one axis of N inputs.

    Any size may be an integer or a name; with names the answer is a formula.
    """
    numbers = {name: inputs.read_size(name, text) for name, text in window.items()}
    count = inputs.read_size("n", n)
    numbers["padding"] = inputs.read_padding_ends(padding)
    extra = inputs.read_size("output_padding", output_padding)
    if transposed and ceil_mode:
        raise cm.GeometryError("ceil_mode", True, "belongs to pooling", "leave --transposed out")
    if transposed:
        answer = cm.transposed_output_size(count, output_padding=extra, **numbers)
    elif extra != 0:
        raise cm.GeometryError(
            "output_padding", extra, "belongs to a transposed convolution", "add --transposed"
        )
    else:
        answer = cm.output_size(count, ceil_mode=ceil_mode, **numbers)
    if as_json:
        print_json({"size": answer} if isinstance(answer, int) else {"formula": str(answer)})
    else:
        click.echo(str(answer))


@main.command()
@click.option("--shape", required=True, help="Input: channels, then sizes, such as 1,28,28.")
@shared("kernel", "stride", "padding", "dilation", "groups", "dtype")
@click.option("--transposed", is_flag=True, help="The matrix of the transpose.")
@click.option(
    *("--format", "format_"),
    default="csr",
    show_default=True,
    help=f"{', '.join(FORMATS)}; the last two cannot be saved.",
)
@click.option(
    *("--output", "-o", "--out", "output"),
    type=click.Path(path_type=Path),
    help="A .npz, .mtx or .mat file to write.",
)
@shared("json")
def matrix(
    shape: str,
    kernel: str,
    groups: int,
    dtype: str,
    format_: str,
    output: Path | None,
    *,
    transposed: bool,
    as_json: bool,
    **options: str,
) -> None:
    """Build the matrix of a convolution; save it, or print it if it is small."""
    from convmat.cli import tables
    from convmat.matrix.csr import check_format

    kind_of_matrix = check_format(format_)
    if output is not None:
        check_suffix(output)
    new = None if output is None else missing_folder_of(output)
    in_shape = read_shape(shape)
    filters, kind = inputs.read_kernel(kernel), as_dtype(dtype)
    weight = inputs.layer_weight(kernel, filters, in_shape, groups, kind)
    weighting = inputs.weighting(filters, weight.shape[1], len(in_shape) - 1)
    A = cm.conv(weight, in_shape, groups=groups, **layer_options(options, len(in_shape) - 1))
    layer = A.T if transposed else A
    if output is not None:
        save_matrix(output, layer.matrix(kind_of_matrix))
    if as_json:
        print_json(tables.matrix_summary(layer, kind_of_matrix, output, weighting))
    else:
        tables.print_matrix(layer, output, weighting)
        tell_new_folder(new)
    if weighting and len(in_shape) == 2 and filters.ndim == 2:
        channels, length = in_shape
        click.echo(
            f"convmat: {shape} was read as {channels} channels of length {length}; for one image "
            f"write --shape 1,{shape}",
            err=True,
        )


# A text that begins with a minus, as "-1 * identity" does, is no option.
@main.command(epilog=_epilog(), context_settings={"ignore_unknown_options": True})
@click.argument("A")
@click.argument("B")
@shared("shape", "json")
def compare(a: str, b: str, shape: str, *, as_json: bool) -> None:
    """Say whether the layers A and B are equal for all inputs, with proof, or where they differ.

    Exit codes: 0 equal, 1 different, 2 bad input.
    """
    found = cm.compare(a, b, read_shape(shape))
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(str(found))
    sys.exit(0 if found.holds else 1)


@main.command()
@click.option(
    *("--output", "-o", "--out", "out"),
    default="answer.html",
    show_default=True,
    help="The page to write.",
)
@click.option("--image", help="A photograph instead of the portrait that Matplotlib ships.")
@shared("json")
def answer(out: str, image: str | None, *, as_json: bool) -> None:
    """Answer whether upsampling and transposed convolution are the same, by running both.

    Prints a table of verdicts, each with a proof or a counterexample, and writes a page with
    pictures.
    """
    from convmat import answer as asked
    from convmat.cli import tables

    new = missing_folder_of(Path(out))
    with tables.progress(len(asked.QUESTIONS) + 2, lines=not as_json) as tell:
        tell("read the photograph")
        x = asked.sample(image)
        found = asked.verdicts(x, tell)
        asked.write_page(out, found, tell)
    data = asked.summary(found)
    if as_json:
        print_json(data | {"page": out})
    else:
        tables.print_verdicts(data, out)
        tell_new_folder(new)


main.add_command(norm)
main.add_command(prove)
main.add_command(spectrum)
main.add_command(verify)
