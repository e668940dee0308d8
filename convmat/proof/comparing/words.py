"""Shapes and numbers in words."""

from __future__ import annotations

from typing import Any

__all__ = ["in_words", "plain_number", "plain_pair"]

Shape = tuple[int, ...]


def in_words(shape: Shape) -> str:
    """Say how the shape of an input is read.

    Examples
    --------
    >>> in_words((8, 8)), in_words((1, 8, 9))
    ('8 channels of 8', '1 channel of 8 x 9')
    """
    channels, *spatial = shape
    plural = "channel" if channels == 1 else "channels"
    return f"{channels} {plural} of {' x '.join(map(str, spatial))}"


def plain_pair(first: Any, second: Any) -> tuple[str, str]:
    """Write two numbers that differ, with as many digits as show it."""
    for digits in (6, 17):
        texts = [f"{v:.{digits}g}" if isinstance(v, (int, float)) else str(v)
                 for v in (first, second)]  # fmt: skip
        if texts[0] != texts[1]:
            break
    return texts[0], texts[1]


def plain_number(value: Any) -> Any:
    """Return a number that JSON has, or the text of another."""
    return value if value is None or isinstance(value, (int, float)) else str(value)
