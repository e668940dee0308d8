"""Reading a size formula from a function: it is called with symbols that record what is done.

A function that decides something about its arguments (``if s == 1``), or needs their numbers,
cannot be read so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from convmat._check import GeometryError
from convmat.symbolic.formula.formulas import NAMES, Formula, canonical_name, refuse_if_large
from convmat.symbolic.formula.reading import from_sympy

__all__ = ["Parameters", "parameters_of", "trace"]

MOST_PARAMETERS = 32


class Parameters(NamedTuple):
    """Parameters of a function by their own names, and the symbol that each stands for."""

    symbols: Mapping[str, str]
    function: Callable[..., Any]

    def call(self, values: Mapping[str, Any]) -> Any:
        """Call the function with the values of the symbols."""
        return self.function(**{name: values[symbol] for name, symbol in self.symbols.items()})


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """Find out what each parameter of a function means; others must have a default."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise GeometryError(
            "formula", function, "has no signature that could be read", "wrap it in a lambda"
        ) from None
    symbols: dict[str, str] = {}
    for parameter in found:
        symbol = canonical_name(parameter.name)
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            symbol = None
        if symbol is not None and symbol not in symbols.values():
            symbols[parameter.name] = symbol
        elif parameter.default is parameter.empty or len(symbols) > MOST_PARAMETERS:
            raise GeometryError(
                "formula",
                parameter.name,
                "is a parameter of the function that means nothing here, or twice the same",
                f"name parameters {', '.join(NAMES)}, or give it a default",
            )
    return Parameters(symbols, function)


class _Undecided(TypeError):  # noqa: N818, what a symbol says, not an accident
    """A function wants to know how a symbol compares: one expression does not tell it all."""


class Recorded:
    """A symbol, or what was computed with symbols."""

    __slots__ = ("formula",)
    __hash__ = None  # type: ignore[assignment]  # equality is refused, so hashing is

    def __init__(self, formula: Formula) -> None:
        self.formula = formula

    @property
    def free_symbols(self) -> bool:
        """Say, as expressions do, that this is no number."""
        return True

    def _undecided(self, *_: object) -> Any:
        raise _Undecided("a symbol has no number, so nothing can be decided about it")

    def _refuse(self, *_: object) -> Any:
        raise TypeError("a symbol is no number")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = _undecided
    __int__ = __index__ = __float__ = __iter__ = __round__ = _refuse

    def __neg__(self) -> Recorded:
        return Recorded(Formula("negative", (self.formula,)))

    def __pos__(self) -> Recorded:
        return self

    def __abs__(self) -> Recorded:
        return Recorded(Formula("abs", (self.formula,)))

    def __floor__(self) -> Recorded:
        return Recorded(Formula("floor", (self.formula,)))

    def __ceil__(self) -> Recorded:
        return Recorded(Formula("ceil", (self.formula,)))

    def __trunc__(self) -> Recorded:
        return Recorded(Formula("int", (self.formula,)))

    def __divmod__(self, other: object) -> tuple[Any, Any]:
        return _operator("//", swapped=False)(self, other), _operator("%", swapped=False)(
            self, other
        )


def _operator(kind: str, *, swapped: bool) -> Callable[[Recorded, object], Any]:
    def apply(self: Recorded, other: object) -> Any:
        operand = _formula(other)
        if operand is None:
            return NotImplemented
        parts = (operand, self.formula) if swapped else (self.formula, operand)
        return Recorded(Formula(kind, parts))

    return apply


for _kind, _name in {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "truediv",
    "//": "floordiv",
    "%": "mod",
    "**": "pow",
}.items():
    setattr(Recorded, f"__{_name}__", _operator(_kind, swapped=False))
    setattr(Recorded, f"__r{_name}__", _operator(_kind, swapped=True))


def _formula(value: object) -> Formula | None:
    """Return an operand as a tree, None if it is none."""
    if isinstance(value, Recorded):
        return value.formula
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, Fraction)) or hasattr(value, "__index__"):
        whole: Any = value  # integers of NumPy, too
        number = Fraction(whole)
        top, bottom = (Formula("number", (n,)) for n in (number.numerator, number.denominator))
        return top if number.denominator == 1 else Formula("/", (top, bottom))
    return None


def trace(function: Callable[..., Any]) -> Formula | None:
    """Call a function with symbols; return the tree of what it returns, None if it cannot be.

    The symbols are recorders; if the function fails with them, SymPy's, for it may call SymPy. A
    function that compares its arguments is not followed: SymPy would say that s == 1 is false.

    Examples
    --------
    >>> import math
    >>> print(trace(lambda n, k, stride=1: math.floor((n - k) / stride) + 1))
    floor((n - k)/s) + 1
    >>> trace(lambda n, k, s: n if s == 1 else n // s) is None
    True
    """
    parameters = parameters_of(function)
    names = parameters.symbols.values()
    for make in (_recorded, _sympy_symbol):
        try:
            result = parameters.call({name: make(name) for name in names})
            formula = _formula(result)
            formula = from_sympy(result) if formula is None else refuse_if_large(formula)
        except _Undecided:
            return None
        except Exception:  # noqa: BLE001, S112, whatever a stranger's function does with symbols
            continue
        return formula
    return None


def _recorded(name: str) -> Recorded:
    return Recorded(Formula("name", (name,)))


def _sympy_symbol(name: str) -> Any:
    import sympy

    return sympy.Symbol(name, integer=True)
