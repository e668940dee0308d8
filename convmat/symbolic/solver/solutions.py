"""What solving for a layer's parameters gives: conditions, families, examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from convmat.geometry.arguments import GeometryError, as_integer, as_pair
from convmat.geometry.printing import OneLine

__all__ = ["Family", "Solution"]

# Relations, booleans and expressions of SymPy, which has no types of its own to offer here.
Relation = Any

KEYWORDS = {
    "k": "kernel",
    "s": "stride",
    "d": "dilation",
    "p": "padding",
    "p0": "padding",
    "p1": "padding",
    "a": "output_padding",
}
PER_KERNEL = 3  # examples shown for one kernel size


@dataclass(frozen=True, repr=False)
class Family(OneLine):
    """All solutions, or a part of them, in free integer parameters.

    Attributes
    ----------
    values : dict of SymPy symbol to expression
        What is determined, in terms of `free`.
    free : tuple of SymPy symbols
        Any integers that satisfy the conditions: k, s, d at least 1, the others at least 0.
    conditions : tuple of SymPy relations
        On the free parameters.
    idle : tuple of SymPy symbols
        Parameters that occur nowhere else: whatever they are, nothing changes.
    """

    values: Mapping[Any, Any]
    free: tuple[Any, ...]
    conditions: tuple[Relation, ...]
    idle: tuple[Any, ...] = ()

    def __str__(self) -> str:
        text = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        if self.free:
            text += " for any " + ", ".join(map(str, self.free))
        if self.conditions:
            text += " with " + ", ".join(map(written, self.conditions))
        text = text.strip() or "what is determined"
        if self.idle:
            text += f"; {', '.join(map(str, self.idle))} may be anything"
        return text

    def latex(self) -> str:
        """Return LaTeX."""
        import sympy

        parts = [rf"{sympy.latex(n)} = {sympy.latex(value)}" for n, value in self.values.items()]
        return r",\; ".join(parts + [sympy.latex(condition) for condition in self.conditions])


@dataclass(frozen=True, repr=False)
class Solution(OneLine):
    """The layers that do what was asked: exactly those whose parameters meet the conditions.

    Symbols: k kernel, s stride, d dilation, p0 and p1 the low and high padding (p where they are
    equal), a output padding, r the factor; k, s, d are integers of at least 1, the others at
    least 0. False if there is no such layer; `reason` then says why.

    Attributes
    ----------
    layer : {"conv", "conv_transpose", "pool"}
    goal : str
        What the layers do, in words.
    conditions : tuple of SymPy relations
        Necessary and sufficient, all of them together; ``(False,)`` if there is no solution.
    families : tuple of Family
        The same set of solutions, in free parameters.
    given : dict of symbol name to int
        Parameters that were given.
    determined : dict of symbol name to int
        These, and the stride if the growth of the size needs one.
    unknown : tuple of SymPy symbols
        The parameters that are left to the conditions.
    steps : tuple of str
        How the conditions follow from the size formula.
    lemmas : tuple of str
        Names in `convmat.certificates.theorems.solving` of what the steps use.
    remarks : tuple of str
        What happens at input sizes that the goal does not speak of.
    reason : str or None
    """

    layer: str
    goal: str
    conditions: tuple[Relation, ...]
    families: tuple[Family, ...]
    given: Mapping[str, int]
    determined: Mapping[str, int]
    unknown: tuple[Any, ...]
    steps: tuple[str, ...]
    lemmas: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    reason: str | None = None
    witness: Mapping[str, int] | None = None

    def __bool__(self) -> bool:
        return self.reason is None

    @cached_property
    def holds(self) -> Callable[..., bool]:
        """The conditions as a function of the integers that `unknown` stands for, in order."""
        import sympy

        known = {name: value for name, value in self.determined.items() if name in KEYWORDS}
        factor = known.get("s", "s")  # where the factor is left open it is the stride
        put = {x: known[str(x)] for x in self.symbols if str(x) in known}
        put |= {x: _named(factor, self.unknown) for x in self.symbols if str(x) == "r"}
        conditions = [sympy.sympify(condition).subs(put) for condition in self.conditions]
        function: Callable[..., bool] = sympy.lambdify(
            self.unknown, sympy.And(*conditions), modules=[{"gcd": math.gcd}, "math"]
        )
        return function

    @property
    def symbols(self) -> frozenset[Any]:
        """All symbols of the conditions."""
        return frozenset[Any]().union(*(c.free_symbols for c in self.conditions))

    @property
    def open_sizes(self) -> bool:
        """Whether the sizes asked for are symbols, so that nothing can be enumerated."""
        known = {*KEYWORDS, "r"}
        return any(str(symbol) not in known for symbol in self.symbols)

    def check(self) -> bool:
        """Have the checker follow the proofs of the lemmas that were used; return True or raise."""
        from convmat.certificates.checker import check
        from convmat.certificates.provers.found import found
        from convmat.certificates.theorems.solving import SOLVING_THEOREMS

        for name in self.lemmas:
            check(found(SOLVING_THEOREMS[name]), SOLVING_THEOREMS[name])
        return True

    def contains(self, **parameters: Any) -> bool:
        """Decide whether a layer is among the solutions.

        Parameters
        ----------
        kernel, stride, dilation, output_padding : int
        padding : int or (low, high)
            What is determined may be left out, as may a stride or dilation of 1 and a padding
            of 0.

        Raises
        ------
        GeometryError
            A parameter that the layer does not have, or out of range.

        Examples
        --------
        >>> from convmat import solve_layer
        >>> halving = solve_layer("conv", goal="halve")
        >>> halving.contains(kernel=3, stride=2, padding=1), halving.contains(kernel=3, stride=2)
        (True, False)
        """
        values = self._values(parameters)
        if values["p0"] != values["p1"] and "p" in map(str, self.unknown):
            return False
        if any(values[name] != value for name, value in self.determined.items()):
            return False
        return bool(self.holds(*(values[str(symbol)] for symbol in self.unknown)))

    def _values(self, parameters: Mapping[str, Any]) -> dict[str, int]:
        """Return the value of each symbol."""
        known = [word for symbol, word in KEYWORDS.items() if symbol != "a" or self._has_extra]
        for name, value in parameters.items():
            if name not in known:
                rule = f"is no parameter of {self.layer}"
                raise GeometryError(name, value, rule, f"use {', '.join(sorted({*known}))}")
        ends = (self.determined.get("p0", 0), self.determined.get("p1", 0))
        low, high = as_pair(parameters.get("padding", ends))
        values = {"p0": low, "p1": high, "p": low}
        for symbol, otherwise in (("k", None), ("s", 1), ("d", 1), ("a", 0)):
            word = KEYWORDS[symbol]
            value = parameters.get(word, self.determined.get(symbol, otherwise))
            values[symbol] = as_integer(word, value, 0 if symbol == "a" else 1)
        return values

    @property
    def _has_extra(self) -> bool:
        return self.layer == "conv_transpose"

    def enumerate(
        self,
        kernel: int = 7,
        stride: int = 4,
        dilation: int = 2,
        padding: int = 3,
        output_padding: int = 7,
    ) -> Iterator[dict[str, Any]]:
        """Yield every solution up to these limits, as keywords of the layer, by kernel size.

        Parameters that are determined are not limited.

        Notes
        -----
        Tries all parameters within the limits: their product many evaluations.
        """
        if not self or self.open_sizes:
            return
        known = self.determined
        widest = max(known.get("s", stride), known.get("d", dilation))
        most = min(widest - 1, output_padding)
        limits = {"k": (1, kernel), "s": (1, stride), "d": (1, dilation), "a": (0, most)}
        limits |= dict.fromkeys(("p", "p0", "p1"), (0, padding))
        names = [str(symbol) for symbol in self.unknown]
        tried = product(*(range(limits[n][0], limits[n][1] + 1) for n in names))
        found = [dict(zip(names, values, strict=True)) for values in tried if self.holds(*values)]
        yield from sorted((self._keywords({**known, **v}) for v in found), key=_simplest_first)

    def _keywords(self, values: Mapping[str, int]) -> dict[str, Any]:
        low, high = (values.get(name, values.get("p", 0)) for name in ("p0", "p1"))
        found: dict[str, Any] = {"kernel": values["k"], "stride": values["s"]}
        found["padding"] = low if low == high else (low, high)
        found["dilation"] = values["d"]
        if self._has_extra:
            found["output_padding"] = values["a"]
        return found

    @cached_property
    def examples(self) -> tuple[dict[str, Any], ...]:
        """Some small solutions, by kernel size: keywords of the layer, a few for each kernel."""
        shown: dict[int, int] = {}
        found = []
        for example in self.enumerate():
            kernel, dilation = example["kernel"], example["dilation"]
            void = kernel == 1 and dilation > 1 and "d" not in self.determined
            shown[kernel] = shown.get(kernel, 0) + (not void)
            if shown[kernel] <= PER_KERNEL and not void:
                found.append(example)
        if not found and self.witness is not None:
            found.append(self._keywords(self.witness))
        return tuple(found)

    def _in_short(self) -> str:
        none = "" if self else f"; none: {self.reason}"
        return f"{self.layer}: {self.goal}{none}"

    def __str__(self) -> str:
        lines = [f"{self.layer}: {self.goal}"]
        if self.given:
            lines.append("  given: " + ", ".join(f"{n} = {v}" for n, v in self.given.items()))
        if not self:
            return "\n".join([*lines, f"  none: {self.reason}"])
        lines.append("  exactly if:")
        lines += [f"    {written(condition)}" for condition in self.conditions] or ["    always"]
        lines += [f"  family: {family}" for family in self.families]
        lines += [f"  {remark}" for remark in self.remarks]
        lines += [f"  example: {_described(example)}" for example in self.examples]
        return "\n".join(lines)

    def latex(self) -> str:
        """Return the conditions as LaTeX, one below the other."""
        import sympy

        if not self:
            return r"\text{none}"
        rows = [sympy.latex(condition) for condition in self.conditions] or [r"\text{always}"]
        return r"\begin{gathered}" + r" \\ ".join(rows) + r"\end{gathered}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def written(condition: Relation) -> str:
    """Write a relation as people do: ``=`` for equations, ``or`` between alternatives."""
    kind = condition.func.__name__
    if kind == "Equality":
        return f"{condition.lhs} = {condition.rhs}"
    if kind in ("Or", "And"):
        return f" {kind.lower()} ".join(
            f"({written(part)})" if part.args and part.func.__name__ in ("Or", "And")
            else written(part)
            for part in sorted(condition.args, key=str)
        )  # fmt: skip
    return str(condition)


def _named(value: Any, symbols: tuple[Any, ...]) -> Any:
    return next((symbol for symbol in symbols if str(symbol) == value), value)


def _simplest_first(example: Mapping[str, Any]) -> tuple[Any, ...]:
    low, high = as_pair(example["padding"])
    return (
        example["kernel"], low != high, example["dilation"], example["stride"],
        low + high, example.get("output_padding", 0), low,
    )  # fmt: skip


def _described(example: Mapping[str, Any]) -> str:
    plain = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
    return ", ".join(f"{w} {value}" for w, value in example.items() if plain.get(w) != value)
