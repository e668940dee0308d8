"""Standard streams of any encoding: signs that a stream cannot hold are spelled in ASCII."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from contextlib import suppress

__all__ = ["leave_output", "spell_missing_signs"]

SIGNS = {
    "×": "x",
    "−": "-",
    "–": "-",
    "·": "*",
    "→": "->",
    "²": "^2",
    "³": "^3",
    "⁶": "^6",
    "ᵀ": "^T",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "✓": "yes",
    "✗": "no",
    "◐": "partly",
}


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(sign: str) -> str:
    if sign in SIGNS:
        return SIGNS[sign]
    plain = unicodedata.normalize("NFD", sign).encode("ascii", "ignore").decode()
    return plain or sign.encode("ascii", "backslashreplace").decode()


def spell_missing_signs() -> None:
    """Let standard output and error take any text, whatever their encoding.

    Consoles and redirected streams of Windows are in code pages that lack signs such as a
    transpose's; a program must not fail when its work is done.

    Examples
    --------
    >>> "3 × 4 → Aᵀ, naïve".encode("ascii", "convmat.spelled").decode()
    '3 x 4 -> A^T, naive'
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # some stand-ins for streams have no encoding at all
            reconfigure(errors="convmat.spelled")


def leave_output() -> None:
    """Send nowhere what standard output still holds: the interpreter would fail on it."""
    with suppress(OSError, ValueError, AttributeError):  # stand-ins for streams have no number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


codecs.register_error("convmat.spelled", _spelled)
