"""A size formula as a small tree: what text, SymPy expressions and functions are read into.

A tree is plain data. It is evaluated exactly (fractions of integers), written back as text that
reads as the same tree, and lowered to integer instructions by `convmat.symbolic.formulas.programs`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from convmat.geometry.arguments import GeometryError

__all__ = [
    "NAMES",
    "Formula",
    "Undefined",
    "canonical_name",
    "names_of",
    "refuse_if_large",
    "substitute",
]

# Every name that a formula may use, by the symbol that it stands for. Capitals mean the same.
NAMES: dict[str, tuple[str, ...]] = {
    "n": (
        *("n", "i", "in", "n_in", "in_size", "input", "input_size", "input_length", "size"),
        *("w", "h", "l", "w_in", "h_in", "l_in", "length", "width", "height"),
    ),
    "k": ("k", "f", "kernel", "kernel_size", "filter_size", "ksize", "kh", "kw"),
    "s": ("s", "stride", "strides", "sh", "sw"),
    "p": ("p", "pad", "padding"),
    "p0": ("p0", "p_low", "pad_low", "padding_low", "p_begin", "pad_begin", "p_left", "pad_left"),
    "p1": ("p1", "p_high", "pad_high", "padding_high", "p_end", "pad_end", "p_right", "pad_right"),
    "d": ("d", "dilation", "dilation_rate", "rate"),
    "a": ("a", "op", "output_padding", "out_padding", "o_p", "adj"),
    "r": ("r", "scale", "scale_factor", "upscale_factor"),
    "u": ("u",),  # numerator and denominator of a scale
    "v": ("v",),
}
_MEANING = {spelling: symbol for symbol, spellings in NAMES.items() for spelling in spellings}

LARGEST_NUMBER = 10**9
LARGEST_EXPONENT = 8
LARGEST_DEGREE = 8  # of what stands under one floor
LARGEST_SIZE = 64  # of the whole, floors counted with what they hold
DEEPEST = 120  # levels of a tree

BINARY = ("+", "-", "*", "/", "//", "%", "**")
FUNCTIONS = ("floor", "ceil", "round", "int", "abs", "min", "max")
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "negative": 3, "**": 4}


class Undefined(ArithmeticError):  # noqa: N818, a statement about a formula, not an accident
    """A formula has no value at some sizes: it divides by zero there."""


class Formula(NamedTuple):
    """One node: ``number`` and ``name`` are leaves, the others are operators and functions.

    Examples
    --------
    >>> from convmat.symbolic.formulas.reading import read_formula
    >>> tree = read_formula("floor((n + 2*p - k)/s) + 1")
    >>> print(tree), tree.evaluate({"n": 8, "k": 3, "s": 2, "p": 1})
    floor((n + 2*p - k)/s) + 1
    (None, Fraction(4, 1))
    """

    kind: str
    parts: tuple[Any, ...]

    def evaluate(self, values: Mapping[str, int | Fraction]) -> Fraction:
        """Return the exact value, or raise `Undefined`."""
        if self.kind == "number":
            return Fraction(self.parts[0])
        if self.kind == "name":
            return Fraction(values[self.parts[0]])
        try:
            return Fraction(_EVALUATE[self.kind](*(part.evaluate(values) for part in self.parts)))
        except ZeroDivisionError:
            raise Undefined(f"{self} divides by zero") from None

    def __str__(self) -> str:
        return _write(self)[0]


_EVALUATE: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": lambda base, exponent: base ** int(exponent),
    "negative": operator.neg,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,  # of fractions: to the even of two neighbours
    "int": math.trunc,
    "abs": abs,
    "min": min,
    "max": max,
}


def canonical_name(name: str) -> str | None:
    """Return the symbol that a spelling stands for, None if it is unknown."""
    if not name.isascii():  # the sign for kelvin is a small k to `lower`
        return None
    return _MEANING.get(name.lower())


def names_of(formula: Formula) -> frozenset[str]:
    """Return the symbols that occur."""
    if formula.kind == "name":
        return frozenset(formula.parts)
    if formula.kind == "number":
        return frozenset()
    return frozenset[str]().union(*(names_of(part) for part in formula.parts))


def substitute(formula: Formula, values: Mapping[str, Formula]) -> Formula:
    """Put trees in the places of symbols."""
    if formula.kind == "name":
        return values.get(formula.parts[0], formula)
    if formula.kind == "number":
        return formula
    return Formula(formula.kind, tuple(substitute(part, values) for part in formula.parts))


def refuse_if_large(formula: Formula) -> Formula:
    """Return the formula, unless its powers are so high that exact arithmetic would take long."""
    level: list[Formula] = [formula]
    for _ in range(DEEPEST):
        level = [
            part for node in level if node.kind not in ("number", "name") for part in node.parts
        ]
    if level:
        raise GeometryError(
            "formula", "a tree", f"is nested deeper than {DEEPEST} levels", "write a shorter one"
        )
    _measure(formula)
    return formula


def _measure(formula: Formula) -> tuple[int, int]:
    """Return (degree, size); a floor has degree 1, for it becomes a symbol of its own."""
    if formula.kind == "name":
        return 1, 1
    if formula.kind == "number":
        return 0, 1
    if formula.kind == "**":
        exponent = formula.parts[1]
        power = exponent.parts[0] if exponent.kind == "number" else -1
        if not 0 <= power <= LARGEST_EXPONENT:
            raise GeometryError(
                "formula",
                str(formula),
                f"has an exponent that is not an integer from 0 to {LARGEST_EXPONENT}",
                "write small powers only",
            )
        degree, size = _measure(formula.parts[0])
        degree, size = power * degree, max(1, power * size)
    else:
        degrees, sizes = zip(*(_measure(part) for part in formula.parts), strict=True)
        size = max(sizes) if formula.kind in ("+", "-") else sum(sizes)
        degree = max(degrees) if formula.kind in ("+", "-", "min", "max") else sum(degrees)
    if degree > LARGEST_DEGREE or size > LARGEST_SIZE:
        raise GeometryError(
            "formula",
            str(formula),
            f"has a degree above {LARGEST_DEGREE}, or nests too many products",
            "size formulas have small powers",
        )
    rounded = formula.kind in ("floor", "ceil", "round", "int", "//")
    return (min(degree, 1) if rounded else degree), size


def _write(formula: Formula) -> tuple[str, int]:
    """Return the text and how tightly it binds."""
    kind, parts = formula
    if kind == "number":
        return str(parts[0]), 5
    if kind == "name":
        return parts[0], 5
    if kind in FUNCTIONS:
        return f"{kind}({', '.join(str(part) for part in parts)})", 5
    level = _PRECEDENCE[kind]
    if kind == "negative":
        return f"-{_inside(parts[0], level)}", level
    left, right = parts
    if kind == "**":
        return f"{_inside(left, 5)}**{_inside(right, 5)}", level
    sign = f" {kind} " if kind in ("+", "-", "//", "%") else kind
    return f"{_inside(left, level)}{sign}{_inside(right, level + 1)}", level


def _inside(formula: Formula, least: int) -> str:
    text, level = _write(formula)
    return text if level >= least else f"({text})"
