"""Reading a size formula from a function: it is called with symbols that record what is done.

A function that needs the numbers of its arguments cannot be read so; one that decides something
about them (``if s == 1``) is read by `convmat.symbolic.formulas.branches`. What is read is an
expression in exact fractions. Whether the function, with its floats and its cases for this type or
that, gives the same at integers is for others to compare.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from convmat.geometry.arguments import GeometryError
from convmat.symbolic.formulas.reading import from_sympy
from convmat.symbolic.formulas.spelling import Spelling
from convmat.symbolic.formulas.tree import NAMES, Formula, canonical_name, refuse_if_large

__all__ = [
    "Parameters",
    "Recorded",
    "Refusals",
    "Stopped",
    "Undecided",
    "called_with_symbols",
    "constants_of",
    "parameters_of",
    "trace",
]

MOST_PARAMETERS = 32
LARGEST_CONSTANT = 2**50


class Stopped(GeometryError):  # noqa: N818, what a function does
    """A function would end the program (SystemExit); no value, unlike after other exceptions."""


class Parameters(NamedTuple):
    """Parameters of a function by their own names, and the symbol that each stands for."""

    symbols: Mapping[str, str]
    spelling: Spelling
    function: Callable[..., Any]

    def call(self, values: Mapping[str, Any]) -> Any:
        """Call the function with the values of the symbols; `Stopped` if it ends the program."""
        arguments = {name: values[symbol] for name, symbol in self.symbols.items()}
        try:
            return self.function(**arguments)
        except (Exception, KeyboardInterrupt, Undecided, _NoNumber):
            raise
        except BaseException as reason:
            raise Stopped(
                "formula",
                getattr(self.function, "__name__", "the function"),
                f"raises {type(reason).__name__} instead of returning a size",
                "return a number, or raise a ValueError",
            ) from reason


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """Find out what each parameter of a function means; others must have a default."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise GeometryError(
            "formula", function, "has no signature that could be read", "wrap it in a lambda"
        ) from None
    symbols: dict[str, str] = {}
    spelling = Spelling()
    for parameter in found:
        symbol = None if _is_known(parameter.name, spelling) else spelling.read(parameter.name)
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
    return Parameters(symbols, spelling, function)


def _is_known(name: str, spelling: Spelling) -> bool:
    """Say whether a parameter means what an earlier one means."""
    return canonical_name(name) in spelling.used


def constants_of(function: Callable[..., Any]) -> frozenset[int]:
    """Return the integers that are written in the code of a function."""
    waiting, found = [getattr(function, "__code__", None)], set()
    while waiting:
        code = waiting.pop()
        for constant in getattr(code, "co_consts", ()):
            if isinstance(constant, types.CodeType):
                waiting.append(constant)
            elif isinstance(constant, (int, float)) and abs(constant) < LARGEST_CONSTANT:
                found.add(int(constant))
    return frozenset(found)


class Undecided(BaseException):
    """A function wants to know how a symbol compares: one expression does not tell it all.

    No `Exception`: a function may catch those, and go on with the symbol as if it were decided.
    """


class _NoNumber(BaseException):
    """A function wants the number of a symbol."""


class Refusals(NamedTuple):
    """What was asked of symbols in vain, kept for functions that catch everything.

    `decide` answers whether two formulas are in a relation, ``=`` or ``<=``; None where nothing is
    to be decided.
    """

    undecided: list[bool]
    numbers: list[bool]
    decide: Callable[[str, Formula, Formula], bool] | None = None


class Recorded:
    """A symbol, or what was computed with symbols."""

    __slots__ = ("formula", "refusals")
    __hash__ = None  # type: ignore[assignment]  # equality is refused, so hashing is

    def __init__(self, formula: Formula, refusals: Refusals) -> None:
        self.formula = formula
        self.refusals = refusals

    @property
    def free_symbols(self) -> bool:
        """Say, as expressions do, that this is no number."""
        return True

    def _decided(self, relation: str, other: object, *, swapped: bool = False) -> bool:
        """Have it decided how a formula compares, or refuse."""
        operand, decide = _operand(other), self.refusals.decide
        if operand is None or decide is None:
            self.refusals.undecided.append(True)
            raise Undecided("a symbol has no number, so nothing can be decided about it")
        parts = (operand, self.formula) if swapped else (self.formula, operand)
        try:
            return decide(relation, *parts)
        except Undecided:
            self.refusals.undecided.append(True)
            raise

    def __eq__(self, other: object) -> bool:
        return self._decided("=", other)

    def __ne__(self, other: object) -> bool:
        return not self._decided("=", other)

    def __le__(self, other: object) -> bool:
        return self._decided("<=", other)

    def __ge__(self, other: object) -> bool:
        return self._decided("<=", other, swapped=True)

    def __lt__(self, other: object) -> bool:
        return not self._decided("<=", other, swapped=True)

    def __gt__(self, other: object) -> bool:
        return not self._decided("<=", other)

    def __bool__(self) -> bool:
        return not self._decided("=", 0)

    def _refuse(self, *_: object) -> Any:
        self.refusals.numbers.append(True)
        raise _NoNumber("a symbol is no number")

    __int__ = __index__ = __float__ = __iter__ = _refuse

    def _with(self, kind: str) -> Recorded:
        return Recorded(Formula(kind, (self.formula,)), self.refusals)

    def __neg__(self) -> Recorded:
        return self._with("negative")

    def __pos__(self) -> Recorded:
        return self

    def __abs__(self) -> Recorded:
        return self._with("abs")

    def __floor__(self) -> Recorded:
        return self._with("floor")

    def __ceil__(self) -> Recorded:
        return self._with("ceil")

    def __trunc__(self) -> Recorded:
        return self._with("int")

    def __round__(self, digits: int | None = None) -> Recorded:
        whole: Recorded = self._with("round") if digits is None else self._refuse()
        return whole

    def __divmod__(self, other: object) -> tuple[Any, Any]:
        return _operator("//", swapped=False)(self, other), _operator("%", swapped=False)(
            self, other
        )


def _operator(kind: str, *, swapped: bool) -> Callable[[Recorded, object], Any]:
    def apply(self: Recorded, other: object) -> Any:
        operand = _operand(other)
        if operand is None:
            return NotImplemented
        parts = (operand, self.formula) if swapped else (self.formula, operand)
        return Recorded(Formula(kind, parts), self.refusals)

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


def _operand(value: object) -> Formula | None:
    """Return what stands beside a symbol as a tree, None if it is none; true is 1, as ever."""
    return _formula(int(value) if isinstance(value, bool) else value)


def _formula(value: object) -> Formula | None:
    """Return a result as a tree, None if it is none."""
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
    refusals = Refusals([], [])
    found, failed = called_with_symbols(function, refusals)
    if failed and not refusals.undecided:
        found, _ = _called_with(function, _sympy_symbol)
    return found


def called_with_symbols(
    function: Callable[..., Any], refusals: Refusals
) -> tuple[Formula | None, bool]:
    """Return the tree of what a function makes of recorded symbols, and whether it failed."""
    found, failed = _called_with(
        function, lambda name: Recorded(Formula("name", (name,)), refusals)
    )
    # Caught by the function, a refusal may have sent it another way than integers go.
    return None if refusals.undecided or refusals.numbers else found, failed


def _called_with(
    function: Callable[..., Any], make: Callable[[str], Any]
) -> tuple[Formula | None, bool]:
    parameters = parameters_of(_with_traced_builtins(function))
    try:
        result = parameters.call({name: make(name) for name in parameters.symbols.values()})
        formula = _formula(result)
        return from_sympy(result) if formula is None else refuse_if_large(formula), False
    except Stopped:
        raise
    except (Exception, Undecided, _NoNumber):  # noqa: BLE001, a stranger's function
        return None, True


class _IntegerMeta(type):
    """Makes ``int(x)`` of a symbol a symbol; everything else is as with int."""

    def __call__(cls, *values: Any) -> Any:
        if len(values) == 1 and isinstance(values[0], Recorded):
            return values[0].__trunc__()
        return int(*values)

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, int)


class _Integer(int, metaclass=_IntegerMeta):
    """Stands for int in a function that is traced: Python insists that int(x) is an integer."""


def _smaller(*values: Any, **options: Any) -> Any:
    """Return what min does, of symbols a symbol."""
    return _chosen(min, "min", values, options)


def _larger(*values: Any, **options: Any) -> Any:
    """Return what max does, of symbols a symbol."""
    return _chosen(max, "max", values, options)


def _chosen(choose: Callable[..., Any], kind: str, values: Any, options: Any) -> Any:
    found = list(values[0]) if len(values) == 1 else list(values)
    values = (found,) if len(values) == 1 else values  # which may have been an iterator
    if options or not any(isinstance(value, Recorded) for value in found):
        return choose(*values, **options)
    tree, *others = map(_operand, found)
    (refusals, *_) = (value.refusals for value in found if isinstance(value, Recorded))
    for other in others:
        if tree is None or other is None:
            return choose(*values)
        tree = Formula(kind, (tree, other))
    return Recorded(tree, refusals) if tree is not None else choose(*values)


# What Python would decide at once, or insist to be an integer, is recorded where a symbol is in it.
TRACED = {"int": _Integer, "min": _smaller, "max": _larger}


def _with_traced_builtins(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of a plain function in which int, min and max of symbols are recorded."""
    if not isinstance(function, types.FunctionType):
        return function
    known = function.__globals__
    traced = {name: value for name, value in TRACED.items() if name not in known}
    copy = types.FunctionType(
        function.__code__,
        {**known, **traced},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _sympy_symbol(name: str) -> Any:
    import sympy

    return sympy.Symbol(name, integer=True)
