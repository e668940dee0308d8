"""Argument checks shared by every floor: one error type, one wording."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "GeometryError",
    "as_bool",
    "as_integer",
    "as_pair",
    "as_shape",
    "as_size",
    "at_least",
    "one_of",
]


class GeometryError(ValueError):
    """A bad argument: which one, its value, the rule that it broke, and the repair.

    Examples
    --------
    >>> print(GeometryError("stride", 0, "must be at least 1", "use stride=1"))
    stride = 0: must be at least 1; use stride=1
    """

    __module__ = "convmat"  # where people import it from, and what tracebacks say

    def __init__(self, argument: str, value: object, rule: str, repair: str) -> None:
        super().__init__(argument, value, rule, repair)
        self.argument = argument
        self.value = value
        self.rule = rule
        self.repair = repair

    def __str__(self) -> str:
        return f"{self.argument} = {_short(self.value)}: {self.rule}; {self.repair}"


def _short(value: object, limit: int = 80) -> str:
    text = " ".join(repr(value).split())  # arrays print on several lines
    return text if len(text) <= limit else text[: limit - 3] + "..."


def as_bool(name: str, value: object) -> bool:
    """Return a true boolean; 0 and 1 are refused, as they hide swapped arguments."""
    if not isinstance(value, (bool, np.bool_)):
        raise GeometryError(name, value, "must be True or False", "pass a boolean")
    return bool(value)


def one_of(name: str, value: Any, choices: Iterable[str], *, any_case: bool = False) -> str:
    """Return `value` if it is one of the names in `choices`, in lower case if in `any_case`."""
    known = tuple(choices)
    word = value.lower() if any_case and isinstance(value, str) else value
    if not isinstance(word, str) or word not in known:
        raise GeometryError(name, value, "is not a known name", f"use one of {', '.join(known)}")
    return word


def as_integer(name: str, value: Any, least: int | None = None) -> int:
    """Return `value` as an int: no booleans, no floats, not below `least`."""
    if isinstance(value, (bool, np.bool_)):
        raise GeometryError(name, value, "must be an integer, not a boolean", f"use {int(value)}")
    try:
        number = operator.index(value)
    except TypeError:
        raise GeometryError(
            name, value, f"must be an integer, not {type(value).__name__}", "pass an int"
        ) from None
    if least is not None and number < least:
        raise GeometryError(
            name, number, f"must be at least {least}", f"use {name}={least} or more"
        )
    return number


def as_shape(name: str, value: Any) -> tuple[int, ...]:
    """Return the shape (C, *spatial) of a layer's input or output, without batch."""
    vector = isinstance(value, np.ndarray) and value.ndim == 1
    if isinstance(value, str) or not (vector or isinstance(value, Sequence)):
        raise GeometryError(name, value, "must be (C, *spatial)", "pass a tuple")
    shape = tuple(as_integer(name, n, 1) for n in value)
    if len(shape) < 2:
        raise GeometryError(
            name, shape, "must be (C, *spatial)", "name channels and at least one size"
        )
    return shape


def as_size(name: str, value: Any, least: int | None) -> Any:
    """Return an int of at least `least`, if that is given, or a SymPy expression as it is."""
    if getattr(value, "free_symbols", None):
        return value
    return as_integer(name, value, least)


def at_least(least: int, **arguments: Any) -> tuple[Any, ...]:
    """Check several named sizes against one lower bound."""
    return tuple(as_size(name, value, least) for name, value in arguments.items())


def as_pair(padding: Any, least: int | None = 0) -> tuple[Any, Any]:
    """Return padding along one axis as (low, high)."""
    if isinstance(padding, np.ndarray):
        padding = padding.tolist()
    if isinstance(padding, Sequence) and not isinstance(padding, str):
        if len(padding) != 2:
            raise GeometryError(
                "padding", padding, "along one axis must be p or (low, high)", "pass two numbers"
            )
        low, high = padding
    else:
        low = high = padding
    return as_size("padding", low, least), as_size("padding", high, least)
