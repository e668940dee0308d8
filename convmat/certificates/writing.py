"""JSON that people can read too: short things on a line, and a certificate one step a line."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["write_json"]

WIDTH = 100
LISTS = ("steps", "identities")  # whose entries take one line each, however long


def write_json(data: Any) -> str:
    """Write plain data as JSON text.

    Examples
    --------
    >>> print(write_json({"claim": "a long one: " + 80 * "-", "steps": [{"rule": "floor"}, {}]}))
    ... # doctest: +ELLIPSIS
    {
     "claim": "a long one: ---...---",
     "steps": [
      {"rule": "floor"},
      {}
     ]
    }
    """
    return _written(data, 0)


def _written(data: Any, indent: int, name: str = "") -> str:
    """Write a value that stands under `name`, all but its first line indented."""
    line = json.dumps(data)
    long = name in LISTS or indent == 0
    if not isinstance(data, (dict, list, tuple)) or not data or (len(line) <= WIDTH and not long):
        return line
    if isinstance(data, dict):
        inner = [
            f"{json.dumps(key)}: {_written(value, indent + 1, key)}" for key, value in data.items()
        ]
    elif name in LISTS:
        inner = [json.dumps(entry) for entry in data]
    else:
        inner = [_written(entry, indent + 1) for entry in data]
    first, last = "{}" if isinstance(data, dict) else "[]"
    between = f",\n{' ' * (indent + 1)}"
    return f"{first}\n{' ' * (indent + 1)}{between.join(inner)}\n{' ' * indent}{last}"
