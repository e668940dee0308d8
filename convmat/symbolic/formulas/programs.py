"""Formulas as integer instructions: one form for provers, sweeps and checkers alike.

A fraction is a pair of integers, numerator and positive denominator; rounding becomes floor
division. Equal instructions are shared, so what two formulas have in common is computed once.

Instructions, each with the numbers of earlier ones:

==========  ====================================================================
number      an integer
name        the value of a symbol
+ - *       of two earlier values
floor       the first divided by the second, which is at least 1, rounded down
min, max    of two earlier values
sign        1 or -1; of zero there is none: the formula has no value there
==========  ====================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from convmat.symbolic.formulas.tree import Formula

__all__ = ["Instruction", "Program", "Ratio"]

POSITIVE = frozenset("nksduv")  # symbols that are at least 1 in every layer


class Instruction(NamedTuple):
    """What to do, and its operands: two earlier numbers, an integer, or a symbol's name."""

    kind: str
    first: Any
    second: Any = 0


class Ratio(NamedTuple):
    """Numbers of the instructions that give numerator and denominator."""

    numerator: int
    denominator: int


class Program:
    """A growing list of instructions without repetitions.

    Examples
    --------
    >>> from convmat.symbolic.formulas.reading import read_formula
    >>> program = Program()
    >>> _ = program.lower(read_formula("n // s"))
    >>> [instruction.kind for instruction in program.code]
    ['name', 'number', 'name', 'floor']
    """

    def __init__(self) -> None:
        self.code: list[Instruction] = []
        self._place: dict[Instruction, int] = {}
        self.divisors: dict[str, None] = {}  # symbols taken to be positive, to divide by

    def emit(self, kind: str, first: Any, second: Any = 0) -> int:
        """Return the number of an instruction; constants are folded."""
        if kind in _FOLD:
            known = self._folded(kind, first, second)
            if known is not None:
                return known
        instruction = Instruction(kind, first, second)
        if instruction not in self._place:
            self._place[instruction] = len(self.code)
            self.code.append(instruction)
        return self._place[instruction]

    def number(self, value: int) -> int:
        """Return the number of the instruction that gives an integer."""
        return self.emit("number", value)

    def lower(self, formula: Formula) -> Ratio:
        """Append what computes a formula."""
        kind, parts = formula
        if kind == "number":
            return Ratio(self.number(parts[0]), self.number(1))
        if kind == "name":
            return Ratio(self.emit("name", parts[0]), self.number(1))
        if kind == "**":
            base, power = self.lower(parts[0]), Ratio(self.number(1), self.number(1))
            for _ in range(parts[1].parts[0]):
                power = self._times(power, base)
            return power
        return _LOWER[kind](self, *(self.lower(part) for part in parts))

    def difference(self, first: Formula, second: Formula) -> tuple[int, int]:
        """Return two instructions that are equal exactly where two formulas are."""
        a, b = self.lower(first), self.lower(second)
        return self._crossed(a, b)[:2]

    def _constant(self, place: int) -> int | None:
        instruction = self.code[place]
        return instruction.first if instruction.kind == "number" else None

    def _folded(self, kind: str, first: int, second: int) -> int | None:
        a, b = self._constant(first), self._constant(second)
        if a is not None and b is not None:
            if kind == "floor" and b < 1:
                return None
            return self.number(_FOLD[kind](a, b))
        if (kind in "+-" and b == 0) or (kind in ("*", "floor") and b == 1):
            return first
        if (kind == "+" and a == 0) or (kind == "*" and a == 1):
            return second
        if kind in ("min", "max") and first == second:
            return first
        return None

    def _plainly_positive(self, place: int) -> bool:
        kind, first, second = self.code[place]
        if kind == "number":
            return bool(first > 0)
        if kind == "*":
            return self._plainly_positive(first) and self._plainly_positive(second)
        return kind == "name" and first in POSITIVE

    def _divide_by(self, place: int) -> None:
        """Note the symbols of a plainly positive divisor: that they are is to be proved."""
        kind, first, second = self.code[place]
        if kind == "name":
            self.divisors[first] = None
        elif kind == "*":
            self._divide_by(first)
            self._divide_by(second)

    def _crossed(self, a: Ratio, b: Ratio) -> tuple[int, int, int]:
        """Return both numerators over one denominator."""
        if a.denominator == b.denominator:
            return a.numerator, b.numerator, a.denominator
        return (
            self.emit("*", a.numerator, b.denominator),
            self.emit("*", b.numerator, a.denominator),
            self.emit("*", a.denominator, b.denominator),
        )

    def _plus(self, a: Ratio, b: Ratio, kind: str = "+") -> Ratio:
        first, second, denominator = self._crossed(a, b)
        return Ratio(self.emit(kind, first, second), denominator)

    def _minus(self, a: Ratio, b: Ratio) -> Ratio:
        return self._plus(a, b, "-")

    def _times(self, a: Ratio, b: Ratio) -> Ratio:
        return Ratio(
            self.emit("*", a.numerator, b.numerator), self.emit("*", a.denominator, b.denominator)
        )

    def _over(self, a: Ratio, b: Ratio) -> Ratio:
        """Divide; the sign of the divisor moves to the numerator."""
        numerator = self.emit("*", a.numerator, b.denominator)
        divisor = b.numerator
        if not self._plainly_positive(divisor):
            constant = self._constant(divisor)
            sign = self.number(-1) if constant and constant < 0 else self.emit("sign", divisor)
            numerator = self.emit("*", numerator, sign)
            divisor = self.emit("*", divisor, sign)
        else:
            self._divide_by(divisor)
        return Ratio(numerator, self.emit("*", a.denominator, divisor))

    def _negative(self, a: Ratio) -> Ratio:
        return Ratio(self.emit("-", self.number(0), a.numerator), a.denominator)

    def _whole(self, place: int) -> Ratio:
        return Ratio(place, self.number(1))

    def _floor(self, a: Ratio) -> Ratio:
        return self._whole(self.emit("floor", a.numerator, a.denominator))

    def _ceil(self, a: Ratio) -> Ratio:
        return self._negative(self._floor(self._negative(a)))

    def _round(self, a: Ratio) -> Ratio:
        """Round to the nearest, of two to the even one: floor((2x + 1)/4) + ceil((2x - 1)/4)."""
        one = Ratio(self.number(1), self.number(1))
        twice = self._times(Ratio(self.number(2), self.number(1)), a)
        quarter = Ratio(self.number(1), self.number(4))
        low = self._floor(self._times(self._plus(twice, one), quarter))
        return self._plus(low, self._ceil(self._times(self._minus(twice, one), quarter)))

    def _int(self, a: Ratio) -> Ratio:
        """Round towards zero: of the two roundings down, one is what remains above zero."""
        zero = self.number(0)
        up, down = (
            self.emit("max", self._floor(part).numerator, zero) for part in (a, self._negative(a))
        )
        return self._whole(self.emit("-", up, down))

    def _floor_division(self, a: Ratio, b: Ratio) -> Ratio:
        return self._floor(self._over(a, b))

    def _remainder(self, a: Ratio, b: Ratio) -> Ratio:
        return self._minus(a, self._times(b, self._floor_division(a, b)))

    def _choice(self, kind: str) -> Callable[[Ratio, Ratio], Ratio]:
        def choose(a: Ratio, b: Ratio) -> Ratio:
            first, second, denominator = self._crossed(a, b)
            return Ratio(self.emit(kind, first, second), denominator)

        return choose

    def _abs(self, a: Ratio) -> Ratio:
        return self._choice("max")(a, self._negative(a))


_FOLD: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "floor": lambda a, b: a // b,
    "min": min,
    "max": max,
}

_LOWER: dict[str, Callable[..., Ratio]] = {
    "+": Program._plus,
    "-": Program._minus,
    "*": Program._times,
    "/": Program._over,
    "//": Program._floor_division,
    "%": Program._remainder,
    "negative": Program._negative,
    "floor": Program._floor,
    "ceil": Program._ceil,
    "round": Program._round,
    "int": Program._int,
    "abs": Program._abs,
    "min": lambda program, a, b: program._choice("min")(a, b),
    "max": lambda program, a, b: program._choice("max")(a, b),
}
