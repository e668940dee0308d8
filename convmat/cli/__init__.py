"""The command line: `main` reads it, and the commands stand in their files."""

from convmat.cli.commands import main

__all__ = ["main"]
