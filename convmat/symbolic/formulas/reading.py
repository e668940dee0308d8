"""Reading a size formula from text or a SymPy expression. Text is never evaluated.

Text has a grammar of its own: integers, the names of `convmat.symbolic.formulas.tree.NAMES`, the
operators ``+ - * / // % **`` with Python's precedence, parentheses, and the functions floor, ceil
(or ceiling), round (of two neighbours as near to the even one, as in Python and PyTorch; halves
upwards are ``floor(x + 1/2)``), int (towards zero, as in Python), mod, abs, min, max. Nothing else
is understood, so there is nothing in a text that could run. A division is exact.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from convmat.geometry.arguments import GeometryError
from convmat.symbolic.formulas.spelling import Spelling
from convmat.symbolic.formulas.tree import (
    FUNCTIONS,
    LARGEST_EXPONENT,
    LARGEST_NUMBER,
    NAMES,
    Formula,
    refuse_if_large,
)

__all__ = ["from_sympy", "read_formula"]

LONGEST = 500  # characters
DEEPEST = 40  # brackets within brackets, and signs upon signs

TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_][A-Za-z_0-9]*)|(\*\*|//|[-+*/%(),]))", re.ASCII)
ALIKE = {"\u2212": "-", "\u2013": "-", "\u2014": "-", "\u00d7": "*", "\u00b7": "*", "\u00f7": "/"}
CALLS = {"ceiling": "ceil", "mod": "%", **{name: name for name in FUNCTIONS}}
ARGUMENTS = {"%": 2, "min": 0, "max": 0}  # 0: two or more; the others have one


def read_formula(text: str, spelling: Spelling | None = None) -> Formula:
    """Return the tree of a formula written as text; note how its quantities are spelled.

    Raises
    ------
    GeometryError
        What is not understood, and at which character; or two spellings of one quantity.

    Examples
    --------
    >>> print(read_formula("1 + (W - F + 2*P) // S"))
    1 + (n - k + 2*p) // s
    >>> read_formula("__import__('os')")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    convmat.GeometryError: formula = "__import__('os')": cannot be read at character 1: ...
    """
    if len(text) > LONGEST:
        raise GeometryError(
            "formula", text, f"is longer than {LONGEST} characters", "write a shorter one"
        )
    reader = _Reader(text, Spelling() if spelling is None else spelling)
    tree = reader.sum()
    if reader.kind:
        raise reader.error(f"{reader.value!r} is out of place")
    return refuse_if_large(tree)


class _Reader:
    """One token ahead; a method for each level of precedence."""

    def __init__(self, text: str, spelling: Spelling) -> None:
        self.text = text
        self.spelling = spelling
        self.end = 0
        self.depth = 0
        self.advance()

    def advance(self) -> str:
        """Move to the next token; return the one that was there."""
        value = getattr(self, "value", "")
        rest = self.text[self.end :]
        self.start = self.end + len(rest) - len(rest.lstrip(string.whitespace))
        match = TOKEN.match(self.text, self.end)
        if match:
            self.kind, self.value = str(match.lastindex), match[match.lastindex or 0]
            self.end = match.end()
        elif self.start < len(self.text):
            raise self.error(self.strange())
        else:
            self.kind = self.value = ""
        return value

    def strange(self) -> str:
        """Say what is wrong with the character at hand, and what to write if that is known."""
        character = self.text[self.start]
        if character == "^":
            return "write ** for a power"
        whole = re.search(r"\d*$", self.text[: self.start], re.ASCII)
        rest = re.match(r"\.\d+", self.text[self.start :], re.ASCII)
        if rest and whole:
            number = whole[0] + rest[0]
            exact = f"{Fraction(number)} for {number}" if len(number) < 10 else "a fraction"
            return f"numbers are exact: write {exact}"
        if not character.isascii():  # it may look like one that is, or like nothing at all
            name = unicodedata.name(character, "control character").lower()
            named = f"{name} (U+{ord(character):04X})"
            plain = ALIKE.get(character, "a plain space" if character.isspace() else "")
            return f"{named} is no part of a formula" + (f": write {plain}" if plain else "")
        return f"{character!r} is no part of a formula"

    def error(self, reason: str) -> GeometryError:
        functions = "floor, ceil, round, int, abs, mod, min, max"
        repair = f"write integers, names, + - * / // % **, and {functions}"
        return GeometryError(
            "formula",
            self.text,
            f"cannot be read at character {self.start + 1}: {reason}",
            repair,
        )

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} levels of brackets or signs")

    def expect(self, value: str) -> None:
        if self.value != value:
            raise self.error(f"{value!r} is missing")
        self.advance()

    def sum(self) -> Formula:
        return self.chain(("+", "-"), self.product)

    def product(self) -> Formula:
        return self.chain(("*", "/", "//", "%"), self.signed)

    def chain(self, signs: tuple[str, ...], part: Callable[[], Formula]) -> Formula:
        tree = part()
        while self.value in signs and self.kind == "3":
            tree = Formula(self.advance(), (tree, part()))
        return tree

    def signed(self) -> Formula:
        if self.kind == "3" and self.value in ("-", "+"):
            self.deeper()
            negative = self.advance() == "-"
            tree = self.signed()
            self.depth -= 1
            return Formula("negative", (tree,)) if negative else tree
        return self.power()

    def power(self) -> Formula:
        base = self.atom()
        if self.value != "**":
            return base
        self.advance()
        if self.kind != "1" or len(self.value) > 1 or int(self.value) > LARGEST_EXPONENT:
            raise self.error(f"an exponent is an integer from 0 to {LARGEST_EXPONENT}")
        tree = Formula("**", (base, Formula("number", (int(self.advance()),))))
        if self.value == "**":
            raise self.error("a power of a power needs brackets")
        return tree

    def atom(self) -> Formula:
        if self.kind == "1":
            if len(self.value) > 10 or int(self.value) > LARGEST_NUMBER:
                raise self.error(f"a number above {LARGEST_NUMBER}")
            number = self.advance()
            if self.kind == "2" or self.value == "(":
                raise self.error(f"a product has a sign: write {number}*{self.value}")
            return Formula("number", (int(number),))
        if self.value == "(":
            self.deeper()
            self.advance()
            tree = self.sum()
            self.depth -= 1
            self.expect(")")
            return tree
        if self.kind == "2":
            return self.named()
        raise self.error("a number, a name or a bracket is missing")

    def named(self) -> Formula:
        start, name = self.start, self.value
        following = TOKEN.match(self.text, self.end)
        called = following is not None and following[3] == "("
        meaning = CALLS.get(name.lower()) if called else self.spelling.read(name)
        if meaning is None:
            known = ", ".join(CALLS) if called else ", ".join(NAMES)
            what = "function" if called else "name"
            raise self.error(f"there is no {what} {name!r}; there are {known}")
        self.advance()
        if not called:
            return Formula("name", (meaning,))
        function, arguments = meaning, self.arguments()
        wanted = ARGUMENTS.get(function, 1)
        if len(arguments) < 2 if wanted == 0 else len(arguments) != wanted:
            self.start = start
            raise self.error(f"{name} takes {wanted or 'two or more'}, not {len(arguments)}")
        return _nested(function, arguments)

    def arguments(self) -> list[Formula]:
        self.deeper()
        self.expect("(")
        found = [self.sum()]
        while self.value == ",":
            self.advance()
            found.append(self.sum())
        self.depth -= 1
        self.expect(")")
        return found


def _nested(function: str, arguments: list[Formula]) -> Formula:
    """Return a call; min and max of several are calls with two arguments, one in the other."""
    tree = arguments[0]
    if function not in ("min", "max"):
        return Formula(function, tuple(arguments))
    for argument in arguments[1:]:
        tree = Formula(function, (tree, argument))
    return tree


def from_sympy(expression: Any, spelling: Spelling | None = None) -> Formula:
    """Return the tree of a SymPy expression in floors, ceilings, Mod, Min, Max and Abs.

    Examples
    --------
    >>> from sympy import floor, symbols
    >>> n, s = symbols("n s", integer=True, positive=True)
    >>> print(from_sympy(floor((n - 1) / s) + 1))
    floor((n - 1)/s) + 1
    """
    import sympy

    if not isinstance(expression, sympy.Expr) or getattr(expression, "is_Matrix", False):
        raise _unknown(expression, "is no expression of one size")
    spelling = Spelling() if spelling is None else spelling
    return refuse_if_large(_converted(expression, 0, spelling))


def _converted(expression: Any, depth: int, spelling: Spelling) -> Formula:
    import sympy

    if depth > DEEPEST:
        raise _unknown(expression, "is nested too deeply")
    if expression.is_Integer or expression.is_Rational:
        return _ratio(int(expression.p), int(expression.q))
    if expression.is_Symbol:
        name = spelling.read_symbol(expression)
        if name is None:
            raise _unknown(expression, f"is none of the names {', '.join(NAMES)}")
        return Formula("name", (name,))
    arguments = expression.args
    if expression.is_Add:
        return _sum([_converted(a, depth + 1, spelling) for a in expression.as_ordered_terms()])
    if expression.is_Mul:
        return _product(expression, depth, spelling)
    if expression.is_Pow:
        base, exponent = arguments
        if not exponent.is_Integer or abs(exponent) > LARGEST_EXPONENT:
            raise _unknown(expression, "has an exponent that is no small integer")
        raised = _power(_converted(base, depth + 1, spelling), abs(int(exponent)))
        return raised if exponent > 0 else Formula("/", (Formula("number", (1,)), raised))
    kinds = {
        sympy.floor: "floor",
        sympy.ceiling: "ceil",
        sympy.Mod: "%",
        sympy.Min: "min",
        sympy.Max: "max",
        sympy.Abs: "abs",
    }
    if expression.func not in kinds:
        raise _unknown(expression, "is no part of a formula")
    inner = [_converted(a, depth + 1, spelling) for a in sorted(arguments, key=str)]
    if expression.func == sympy.Mod:  # its order matters
        inner = [_converted(a, depth + 1, spelling) for a in arguments]
    return _nested(kinds[expression.func], inner)


def _product(expression: Any, depth: int, spelling: Spelling) -> Formula:
    """Return a product as one fraction, with its sign in front."""
    numerator, denominator = expression.as_numer_denom()
    if denominator != 1:
        parts = (_converted(part, depth + 1, spelling) for part in (numerator, denominator))
        return Formula("/", tuple(parts))
    number, rest = expression.as_coeff_mul()
    factors = [_converted(factor, depth + 1, spelling) for factor in rest]
    if abs(number) != 1:
        factors.insert(0, _converted(abs(number), depth + 1, spelling))
    tree = factors[0]
    for factor in factors[1:]:
        tree = Formula("*", (tree, factor))
    return Formula("negative", (tree,)) if number < 0 else tree


def _sum(terms: list[Formula]) -> Formula:
    """Add terms, those with a minus sign last and subtracted."""
    terms = sorted(terms, key=_is_negative)
    tree = terms[0]
    for term in terms[1:]:
        if _is_negative(term):
            value = term.parts[0]
            size = Formula("number", (-value,)) if term.kind == "number" else value
            tree = Formula("-", (tree, size))
        else:
            tree = Formula("+", (tree, term))
    return tree


def _is_negative(term: Formula) -> bool:
    return term.kind == "negative" or (term.kind == "number" and term.parts[0] < 0)


def _power(base: Formula, exponent: int) -> Formula:
    return base if exponent == 1 else Formula("**", (base, Formula("number", (exponent,))))


def _ratio(numerator: int, denominator: int) -> Formula:
    if max(abs(numerator), denominator) > LARGEST_NUMBER:
        raise _unknown(numerator, f"is a number above {LARGEST_NUMBER}")
    top = Formula("number", (numerator,))
    return top if denominator == 1 else Formula("/", (top, Formula("number", (denominator,))))


def _unknown(value: Any, reason: str) -> GeometryError:
    return GeometryError(
        "formula",
        str(value),
        reason,
        "use integers, + - * /, floor, ceiling, Mod, Min, Max and integer powers",
    )
