"""Layers whose output size along one axis can be verified: symbols, size, and where it exists.

The size is what `convmat.geometry.sizes` returns for symbols; no formula is written down here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from convmat.certificates.polynomials import Polynomial
from convmat.certificates.statements import Statement, le
from convmat.geometry import sizes
from convmat.geometry.arguments import GeometryError, as_bool, as_size, one_of
from convmat.geometry.sizes.layers import CEIL_POOL, layer_size, letters
from convmat.symbolic.formulas.conditions import Condition
from convmat.symbolic.formulas.identities import contradiction, follows, polynomial
from convmat.symbolic.formulas.reading import from_sympy, read_formula
from convmat.symbolic.formulas.tracing import trace
from convmat.symbolic.formulas.tree import Formula, canonical_name, substitute

__all__ = ["LAYERS", "LEAST", "WORDS", "Setting"]

WORDS = {
    "n": "input size",
    "k": "kernel size",
    "s": "stride",
    "p": "padding at both ends",
    "p0": "low padding",
    "p1": "high padding",
    "d": "dilation",
    "a": "output padding",
    "r": "scale",
    "u": "numerator of the scale",
    "v": "denominator of the scale",
}
LEAST = {"n": 1, "k": 1, "s": 1, "d": 1, "u": 1, "v": 1, "p": 0, "p0": 0, "p1": 0, "a": 0}
SCALE = Formula("/", (Formula("name", ("u",)), Formula("name", ("v",))))  # r, if not fixed

ROOM = "n + p0 + p1 - d*(k - 1) - 1"
FITS = (ROOM, "the window fits")


class Layer(NamedTuple):
    """What is at least 0 where there is a layer.

    Conditions in `limits` (a formula and its words) are assumed by theorems too. Those in `legal`
    are not: what is proved without them is proved all the more, but counterexamples obey them.
    """

    limits: tuple[tuple[str, str], ...] = ()
    legal: tuple[str, ...] = ()


def _pool_limits() -> tuple[tuple[str, str], ...]:
    """Return what frameworks demand of the padding at each end of a pooling."""
    words = "the padding is at most half of the window"
    low = trace(lambda k, p0, p1, d: sizes.pool_padding_room(k, (p0, p1), d)[0])
    high = trace(lambda k, p0, p1, d: sizes.pool_padding_room(k, (p0, p1), d)[1])
    return (str(low), words), (str(high), words)


_HALF = _pool_limits()

LAYERS: dict[str, Layer] = {
    "conv": Layer((FITS,)),
    "unfold": Layer((FITS,)),
    "valid": Layer((("n - d*(k - 1) - 1", "the window fits"),)),
    "full": Layer(),
    "same": Layer(),
    "pool": Layer((FITS, *_HALF)),
    CEIL_POOL: Layer(
        ((f"{ROOM} + s - 1", "the window fits, or overhangs by less than the stride"), *_HALF),
    ),
    "conv_transpose": Layer(
        (("s*(n - 1) + d*(k - 1) - p0 - p1 + a", "there is an output"),),
        ("max(s, d) - 1 - a",),
    ),
    "pad": Layer(),
    "upsample": Layer(legal=("n*r - 1",)),
}


class Setting(NamedTuple):
    """A layer with some of its options fixed.

    Attributes
    ----------
    layer : str
        A name in `LAYERS`.
    fixed : tuple of (symbol, Formula)
        Options that are numbers.
    equal : bool
        Whether one symbol p stands for both paddings.
    """

    layer: str
    fixed: tuple[tuple[str, Formula], ...]
    equal: bool

    @classmethod
    def of(
        cls, formula: frozenset[str], layer: str, ceil_mode: bool | None, options: Mapping[str, Any]
    ) -> Setting:
        """Check the options of a layer, and that a formula uses no symbol that it lacks."""
        choices = [name for name in LAYERS if "," not in name]
        name = one_of("layer", layer, choices)
        if ceil_mode is not None and name != "pool":
            raise GeometryError("ceil_mode", ceil_mode, "belongs to pooling", "use layer='pool'")
        if ceil_mode is not None and as_bool("ceil_mode", ceil_mode):
            name = CEIL_POOL
        known = letters(name)
        fixed = _fixed(name, known, options)
        used = formula | fixed.keys()
        ends = used & {"p0", "p1"}
        if "p" in used and ends:
            raise GeometryError(
                "formula",
                ", ".join(sorted(ends | {"p"})),
                "are paddings at both ends and at one of them",
                "use p alone, or p0 and p1",
            )
        allowed = {*known, *(("p0", "p1") if "p" in known else ())}
        if "r" in known:
            allowed |= {"u", "v"}
        for symbol in sorted(formula - allowed):
            raise GeometryError(
                "formula",
                symbol,
                f"the {WORDS[symbol]} is no option of the layer {layer!r}",
                f"use {', '.join(sorted(allowed))}",
            )
        return cls(name, tuple(sorted(fixed.items())), not ends)

    @property
    def symbols(self) -> tuple[str, ...]:
        """All symbols of the layer that are not fixed."""
        known = letters(self.layer)
        fixed = dict(self.fixed)
        if not self.equal:
            known[known.index("p") : known.index("p") + 1] = ["p0", "p1"]
        if "r" in known and "r" not in fixed:
            known[known.index("r") :] = ["u", "v"]
        return tuple(symbol for symbol in known if symbol not in fixed)

    @property
    def size(self) -> Formula:
        """The output size, of symbols."""
        return _size_formula(self)

    def size_at(self, values: Mapping[str, int]) -> int:
        """Return the output size at integers, by `convmat.geometry.sizes` itself."""
        return int(layer_size(self.layer, self.options(values)))

    def options(self, values: Mapping[str, int]) -> dict[str, Any]:
        """Return what is fixed and the sizes, the scale as one number."""
        numbers: dict[str, Any] = {symbol: number.evaluate({}) for symbol, number in self.fixed}
        if "u" in values:
            numbers["r"] = Fraction(int(values["u"]), int(values["v"]))
        whole = {s: int(v) if v.denominator == 1 else v for s, v in numbers.items()}
        return {**whole, **values}

    def spelled(self, text: str) -> str:
        """Write a text in p0 and p1 for this layer."""
        if not self.equal:
            return text
        return text.replace("+ p0 + p1", "+ 2*p").replace("- p0 - p1", "- 2*p")

    def read(self, text: str) -> Formula:
        """Read a formula in p0 and p1 for this layer."""
        return self.fill(read_formula(self.spelled(text)))

    def fill(self, formula: Formula) -> Formula:
        """Put in what is fixed."""
        p = Formula("name", ("p",))
        if self.equal:
            formula = substitute(formula, {"p0": p, "p1": p})
        if "u" in self.symbols:
            formula = substitute(formula, {"r": SCALE})
        fixed = dict(self.fixed)
        if "r" in fixed:
            scale = fixed["r"].evaluate({})
            fixed |= {
                "u": Formula("number", (scale.numerator,)),
                "v": Formula("number", (scale.denominator,)),
            }
        return substitute(formula, fixed)

    def filled(self, condition: Condition) -> Condition:
        """Put what is fixed in a condition."""
        left, right = self.fill(condition.left), self.fill(condition.right)
        return condition._replace(left=left, right=right)

    def limits(self) -> tuple[Formula, ...]:
        """Return what is at least 0 for the theorems to hold, symbols at their least first."""
        least = [
            Formula("-", (Formula("name", (s,)), Formula("number", (LEAST[s],))))
            for s in self.symbols
        ]
        return (*least, *(self.read(text) for text, _ in LAYERS[self.layer].limits))

    def legal(self) -> tuple[Formula, ...]:
        """Return what is at least 0 wherever frameworks accept the layer."""
        return (*self.limits(), *(self.read(text) for text in LAYERS[self.layer].legal))

    def hypotheses(self, conditions: tuple[Condition, ...]) -> tuple[Statement, ...]:
        """Return the hypotheses of theorems under more conditions; refuse a contradiction."""
        statements = self.statements(conditions)
        if contradiction(statements) is not None:
            raise GeometryError(
                "hypotheses",
                ", ".join(map(str, statements)),
                "contradict each other: no layer has such sizes",
                "fix fewer options, or others",
            )
        return statements

    def statements(self, conditions: tuple[Condition, ...]) -> tuple[Statement, ...]:
        """Return the hypotheses of theorems under more conditions, contradictory or not."""
        found = [le(LEAST[symbol], Polynomial.symbol(symbol)) for symbol in self.symbols]
        limits = self.limits()[len(self.symbols) :]
        found += [le(0, polynomial(limit)) for limit in limits]
        filled = [self.filled(condition) for condition in conditions]
        _refuse_divisors(filled, found)
        for number, condition in enumerate(filled, 1):
            found += condition.statements(number)
        return tuple(dict.fromkeys(found))

    def words(self) -> str:
        """Say for which sizes the theorems hold."""
        least = ", ".join(f"{symbol} >= {LEAST[symbol]}" for symbol in self.symbols)
        limits = list(dict.fromkeys(words for _, words in LAYERS[self.layer].limits))
        if "u" in self.symbols:
            limits.append("the scale is r = u/v")
        every = f"integers {least}" if least else "sizes"
        return " where ".join([every, *([" and ".join(limits)] if limits else [])])

    def __str__(self) -> str:
        fixed = ", ".join(f"{symbol} = {value}" for symbol, value in self.fixed)
        return f"{self.layer} ({fixed})" if fixed else self.layer


def _refuse_divisors(conditions: Sequence[Condition], found: Sequence[Statement]) -> None:
    """Refuse ``m | x`` unless m is positive in every layer that obeys the other conditions."""
    known = [*found, *(s for c in conditions if c.relation != "|" for s in c.statements(0))]
    for condition in conditions:
        positive = condition.divisor
        if positive is not None and not follows(known, positive):
            raise GeometryError(
                "given",
                str(condition),
                f"divides by {condition.left}, which need not be positive",
                f"add a condition from which 1 <= {condition.left} follows, or divide by a number",
            )


def _fixed(layer: str, known: list[str], options: Mapping[str, Any]) -> dict[str, Formula]:
    """Return the options that are numbers, by symbol."""
    found: dict[str, Formula] = {}
    for name, value in options.items():
        symbol = canonical_name(name)
        ends = ("p0", "p1") if "p" in known else ()
        if symbol is None or symbol not in (*known, *ends):
            raise GeometryError(
                name, value, f"is no option of the layer {layer!r}", f"use {', '.join(known)}"
            )
        if symbol == "p" and isinstance(value, (tuple, list)) and len(value) == 2:
            pairs = [("p0", value[0]), ("p1", value[1])]
        else:
            pairs = [(symbol, value)]
        for key, number in pairs:
            if key in found:
                raise GeometryError(name, value, "is given twice", "give it once")
            found[key] = _number(key, name, number)
    return found


def _number(symbol: str, name: str, value: Any) -> Formula:
    if symbol == "r":
        scale = sizes.as_scale(value)
        if getattr(scale, "free_symbols", None):
            raise GeometryError(name, value, "must be a number", "leave a symbol out")
        top, bottom = (Formula("number", (n,)) for n in (scale.numerator, scale.denominator))
        return top if scale.denominator == 1 else Formula("/", (top, bottom))
    number = as_size(name, value, LEAST[symbol])
    if not isinstance(number, int):
        raise GeometryError(name, value, "must be an integer", "leave a symbol out")
    return Formula("number", (number,))


@lru_cache(maxsize=256)
def _size_formula(setting: Setting) -> Formula:
    import sympy

    values: dict[str, Any] = {
        symbol: sympy.Symbol(symbol, integer=True, nonnegative=True)
        if LEAST[symbol] == 0
        else sympy.Symbol(symbol, integer=True, positive=True)
        for symbol in setting.symbols
    }
    for symbol, number in setting.fixed:
        exact = number.evaluate({})
        values[symbol] = int(exact) if exact.denominator == 1 else exact
    return from_sympy(sympy.sympify(layer_size(setting.layer, values)))
