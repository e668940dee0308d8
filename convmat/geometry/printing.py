"""What the prompt shows of an object: one line, however much the object holds."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

__all__ = ["OneLine", "one_line"]

LONGEST = 180  # characters
INNERMOST = 40  # characters of a field, where an object has no words of its own


class OneLine:
    """A class whose `repr` is one line; dataclasses leave it to this with ``repr=False``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return one_line(self)

    def _in_short(self) -> str:
        """Return what the `repr` says: the first line of ``str``, or the fields."""
        return in_short(self)


def one_line(self: Any) -> str:
    """Return a `repr` of one line, without its middle where it is long.

    Named tuples, which have no other base, call it in their own.

    Examples
    --------
    >>> from convmat.certificates.statements import le
    >>> one_line(le(1, 2))
    '<Statement: 1 <= 2>'
    """
    words = getattr(self, "_in_short", None)
    return f"<{_cut(in_short(self) if words is None else words(), LONGEST)}>"


def in_short(self: Any) -> str:
    """Return the name of a class, and the first line of a text of its own, or its fields."""
    kind: Any = type(self)
    if kind.__str__ is not object.__str__:
        inner = next(iter(str(self).splitlines()), "")
    else:
        names = getattr(kind, "_fields", None) or [f.name for f in fields(self) if f.repr]
        inner = ", ".join(f"{name} {_cut(repr(getattr(self, name)), INNERMOST)}" for name in names)
    return f"{kind.__name__}: {inner}"


def _cut(text: str, longest: int) -> str:
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    half = (longest - len(" ... ")) // 2
    return f"{text[:half]} ... {text[len(text) - half :]}"
