"""From a size formula and a size that is wanted to conditions on the parameters of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from convmat.geometry.sizes import pool_padding_room
from convmat.geometry.sizes.layers import CEIL_POOL, layer_size
from convmat.symbolic.formulas.size_maps import size_map

__all__ = ["Branch", "Derived", "Slack", "derive", "domain", "gcd", "names", "relation"]

# Symbols, expressions and relations of SymPy, which has no types of its own to offer here.
Expression = Any
Relation = Any


class Names(NamedTuple):
    """The symbols of the formulas; `q` numbers input sizes, `t` is a remainder."""

    n: Any
    k: Any
    s: Any
    d: Any
    r: Any
    q: Any
    p0: Any
    p1: Any
    p: Any
    a: Any
    t: Any
    span: Any  # d*(k - 1), through which alone kernel and dilation enter a size


@cache
def names() -> Names:
    """Return the symbols, which SymPy makes on first use."""
    import sympy

    positive = sympy.symbols("n k s d r q", integer=True, positive=True)
    return Names(*positive, *sympy.symbols("p0 p1 p a t span", integer=True, nonnegative=True))


class Slack(NamedTuple):
    """An expression that is to be zero (``=``) or not negative (``>=``)."""

    expression: Expression
    sign: str

    def at(self, values: Mapping[Any, Any]) -> Slack:
        """Substitute."""
        return Slack(self.expression.subs(values), self.sign)


class Branch(NamedTuple):
    """One way to reach the size: ``0 <= exact <= width``, and every slack of `others` >= 0.

    `width` is 0 for an equation, stride - 1 for a floor.
    """

    exact: Expression
    width: Expression
    others: tuple[Expression, ...]

    def slacks(self) -> tuple[Slack, ...]:
        """Return all slacks of the branch."""
        own: tuple[Slack, ...] = (Slack(self.exact, ">="), Slack(self.width - self.exact, ">="))
        if self.width == 0:
            own = (Slack(self.exact, "="),)
        return (*own, *(Slack(other, ">=") for other in self.others))


class Derived(NamedTuple):
    """The stride that the growth of the size needs (or None), the branches, the steps in words.

    `lemmas` are the names in `SOLVING_THEOREMS` of what the steps use.
    """

    stride: Expression | None
    branches: tuple[Branch, ...]
    steps: tuple[str, ...]
    lemmas: tuple[str, ...]


def derive(
    layer: str, size: Expression, target: Expression, *, ceil_mode: bool, every: Any
) -> Derived:
    """Return when a layer makes `target` outputs of `size` inputs.

    Parameters
    ----------
    layer : {"conv", "conv_transpose", "pool"}
    size, target : SymPy expressions, affine in `every`
    every : SymPy symbol or None
        A symbol such that the sizes must be right for all its values 1, 2, 3...

    Notes
    -----
    The conditions come from the function of the layer in `SIZES`, evaluated on symbols.
    """
    x = names()
    name = CEIL_POOL if ceil_mode else layer
    window = {"k": x.k, "s": x.s, "p0": x.p0, "p1": x.p1, "d": x.d, "a": x.a}
    steps = [f"the size is {layer_size(name, {'n': size, **window})}, wanted is {target}"]
    gain, offsets, divisor = size_map(name, **{**window, "k": x.span / x.d + 1})
    exact = [(gain * size + offset - divisor * target).expand() for offset in offsets]
    branches = [
        Branch(one, divisor - 1, tuple(other for other in exact if other is not one))
        for one in exact
    ]
    if layer == "conv_transpose":
        lemmas = ["two zeros"]
        steps.append("both are affine, so that their difference must vanish in each coefficient")
    else:
        lemmas = ["floor gives bounds", "bounds give floor"]
        steps.append("floor(y/s) = f exactly if 0 <= y - s*f <= s - 1")
    if len(exact) > 1:
        steps.append("a minimum is the target if both counts reach it and one is not above it")
    if every is None:
        used = () if layer == "conv_transpose" else tuple(lemmas)
        return Derived(None, tuple(branches), tuple(steps), used)
    slope = branches[0].exact.coeff(every)
    stride = (-slope.subs(x.s, 0) / slope.coeff(x.s)).cancel()
    steps.append(
        f"the slope {slope} in {every} must be zero, or the difference would leave its bounds "
        f"as {every} grows: s = {stride}"
    )
    if layer != "conv_transpose":
        lemmas += ["rising line leaves", "falling line leaves"]
    constant = tuple(_constant(branch, x.s, stride, every) for branch in branches)
    return Derived(stride, constant, tuple(steps), tuple(lemmas))


def _constant(branch: Branch, symbol: Any, stride: Expression, every: Any) -> Branch:
    """Put in the stride that makes all slopes vanish, and see that they do."""
    parts = [branch.exact, *branch.others]
    fixed = [part.subs(symbol, stride).expand() for part in parts]
    if any(part.has(every) for part in fixed):
        raise AssertionError("one stride makes every slope zero")
    width = branch.width if branch.width == 0 else stride - 1
    return Branch(fixed[0], width, tuple(fixed[1:]))


def domain(layer: str, *, uniform: bool) -> tuple[Relation, ...]:
    """Return what any such layer must satisfy, and when its overlap is uniform, if asked."""
    import sympy

    x = names()
    found: list[Relation] = []
    if layer == "conv_transpose":
        found.append(x.a < sympy.Max(x.s, x.d))
    if layer == "pool":
        for end, room in zip((x.p0, x.p1), pool_padding_room(x.k, (x.p0, x.p1), x.d), strict=True):
            found.append(2 * end <= room + 2 * end)
    if uniform:
        found += [sympy.Eq(sympy.Mod(x.k, x.s), 0), sympy.Eq(gcd(x.s, x.d), 1)]
    return tuple(found)


def relation(slack: Slack, values: Mapping[Any, Any]) -> Relation:
    """Write a slack as a relation between sums of positive terms, with these values put in."""
    import sympy

    x = names()
    kernel, dilation = values.get(x.k, x.k), values.get(x.d, x.d)
    product = dilation * (kernel - 1)
    whole = dilation == x.d and kernel == x.k  # then it is left as a product
    expression = slack.expression.subs(values)
    expression = sympy.expand(expression if whole else expression.subs(x.span, product))
    terms = sympy.Add.make_args(expression)
    right = [-term for term in terms if term.could_extract_minus_sign()]
    left = [term for term in terms if not term.could_extract_minus_sign()]
    kind = sympy.Eq if slack.sign == "=" or not left else sympy.Ge  # 0 >= p0 says p0 = 0
    return kind(sympy.Add(*left), sympy.Add(*right)).subs(x.span, product)


def gcd(first: Any, second: Any) -> Any:
    """Return the greatest common divisor of integers, kept as it is for symbols.

    SymPy's own is the one of polynomials: 1 for any two symbols.
    """
    return _gcd_function()(first, second)


@cache
def _gcd_function() -> Any:
    import sympy

    def evaluate(_: Any, first: Any, second: Any) -> Any:
        if first.is_Integer and second.is_Integer:
            return sympy.Integer(sympy.igcd(first, second))
        return sympy.Integer(1) if 1 in (first, second) else None

    def latex(self: Any, printer: Any) -> str:
        return rf"\gcd\left({', '.join(printer.doprint(part) for part in self.args)}\right)"

    members = {"nargs": 2, "eval": classmethod(evaluate), "_latex": latex}
    return type("gcd", (sympy.Function,), members)
