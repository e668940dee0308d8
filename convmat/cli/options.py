"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from convmat.certificates.writing import write_json
from convmat.cli import inputs
from convmat.layers.text_values import for_axes, read_integers, read_padding

__all__ = [
    "INTERRUPTED",
    "PADDING",
    "layer_options",
    "print_json",
    "read_shape",
    "shared",
    "tell_new_folder",
]

INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C
PADDING = (
    "1; 1,2 per axis; 0:1 low:high; 0:1,2:2 per axis; valid, same, full, same_upper, same_lower."
)


def shared(*names: str) -> Callable[[Any], Any]:
    """Add the options that several commands share."""
    known = {
        "kernel": click.option(
            "--kernel",
            default="sobel",
            show_default=True,
            help=f"{', '.join(inputs.NAMED)}; a .npy or text file; or numbers: '1,0,-1;2,0,-2'. "
            "Filters without a channel axis look at the brightness: their taps are multiplied by "
            "0.299, 0.587, 0.114 (luma) for 3 channels, by 1/C for another number C.",
        ),
        "stride": click.option(
            "--stride", default="1", show_default=True, help="3, or 3,2 per axis."
        ),
        "padding": click.option(
            "--padding",
            default="0",
            show_default=True,
            help=PADDING,
        ),
        "dilation": click.option(
            "--dilation", default="1", show_default=True, help="2, or 2,1 per axis."
        ),
        "groups": click.option("--groups", default=1, show_default=True, help="Channel groups."),
        "dtype": click.option(
            "--dtype",
            default="float64",
            show_default=True,
            help="float32, float64, complex64, complex128, int8 to int64 or uint8 to uint64.",
        ),
        "shape": click.option(
            "--shape", default="1,8,8", show_default=True, help="Input: channels, then sizes."
        ),
        "json": click.option(
            "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
        ),
    }

    def add(command: Any) -> Any:
        for name in reversed(names):
            command = known[name](command)
        return command

    return add


def layer_options(texts: dict[str, str], ndim: int = 2) -> dict[str, Any]:
    """Return stride, padding and dilation for so many axes."""
    options = {
        "stride": read_integers("stride", texts["stride"]),
        "padding": read_padding("padding", texts["padding"]),
        "dilation": read_integers("dilation", texts["dilation"]),
    }
    return for_axes(options, ndim)


def read_shape(text: str) -> tuple[int, ...]:
    """Read integers with commas, or with an x, between them."""
    shape = read_integers("shape", text)
    return shape if isinstance(shape, tuple) else (shape,)


def print_json(data: Any) -> None:
    """Print one JSON document."""
    click.echo(write_json(data))


def tell_new_folder(folder: Path | None) -> None:
    """Say that a folder has been made: its name may have been mistyped."""
    if folder is not None:
        click.echo(f"convmat: made the folder {folder}", err=True)
