"""What the scripts share: errors of one line with exit code 2, and output in any encoding.

It loads no library that computes: scripts set the number of threads of those before.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

INTERRUPTED = 130  # what shells report for a program ended by Ctrl-C


class Parser(argparse.ArgumentParser):
    """A parser of options, whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with exit code 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (--help tells the options)\n")


def layer_parser(description: str, sizes: Sequence[int]) -> Parser:
    """Return a parser with the options of a convolution."""
    parser = Parser(description=description)
    parser.add_argument(
        "--size", type=positive, nargs="+", default=list(sizes), help="spatial sizes"
    )
    parser.add_argument("--channels", type=positive, nargs=2, default=[1, 1], metavar=("IN", "OUT"))
    parser.add_argument("--kernel-size", type=positive, default=3)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--padding", type=int, default=0)
    parser.add_argument("--dilation", type=int, default=1)
    return parser


def positive(text: str) -> int:
    """Read an integer above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not above 0")
    return number


def writable(text: str) -> Path:
    """Read the path of a file that can be written, before the work that it is to hold."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path


def made(folder: Path) -> Path:
    """Make a folder if it is missing, in one that exists; say so."""
    if not folder.is_dir():
        folder.mkdir()
        print(f"made the folder {folder}")
    return folder


def run(main: Callable[[], Any]) -> NoReturn:
    """Run a script: its exit code is what `main` returns, or 2 with one line on bad input."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # consoles of any encoding
    try:
        sys.exit(main())
    except click.ClickException as error:
        message, code = error.format_message(), error.exit_code
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        message, code = f"{place}{error.strerror or error}", 2
    except MemoryError as error:
        message, code = str(error) or "not enough memory", 2
    except ValueError as error:
        from convmat import GeometryError

        if not isinstance(error, GeometryError):
            raise
        message, code = str(error), 2
    except (KeyboardInterrupt, click.Abort):
        message, code = "interrupted", INTERRUPTED
    print(f"{Path(sys.argv[0]).name}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
