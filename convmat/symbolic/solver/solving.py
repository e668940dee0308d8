"""Which layers keep, halve, double, or reach a size: conditions derived from the size formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from convmat.geometry.arguments import GeometryError, as_bool, as_integer, as_pair, as_size, one_of
from convmat.geometry.sizes import output_size
from convmat.symbolic.solver.conditions import Derived, Relation, derive, domain, names, relation
from convmat.symbolic.solver.existence import Bounds, find
from convmat.symbolic.solver.families import family
from convmat.symbolic.solver.solutions import Solution, written

__all__ = ["solve_layer"]

LAYERS = ("conv", "conv_transpose", "pool")
GOALS = ("keep", "halve", "double", "multiply", "divide")
WORDS = {"conv": "convolution", "conv_transpose": "transposed convolution", "pool": "pooling"}

Expression = Any  # of SymPy, which has no types of its own to offer here


@dataclass(frozen=True)
class _Wish:
    """A layer and the sizes wanted of it: `target` outputs of `size` inputs.

    `every` is the symbol for all of whose values 1, 2, 3... that is to be so, if there is one.
    """

    layer: str
    ceil_mode: bool
    uniform: bool
    words: str
    size: Expression
    target: Expression
    factor: Expression = None
    every: Any = None


def solve_layer(
    layer: str,
    goal: str | None = None,
    *,
    factor: Any = None,
    in_size: Any = None,
    out_size: Any = None,
    kernel: Any = None,
    stride: Any = None,
    padding: Any = None,
    dilation: Any = None,
    output_padding: Any = None,
    ceil_mode: bool = False,
    checkerboard: bool = True,
) -> Solution:
    """Return all layers that change sizes as asked, by conditions on their parameters.

    Parameters
    ----------
    layer : {"conv", "conv_transpose", "pool"}
    goal : {"keep", "halve", "double", "multiply", "divide"}, optional
        What to do with every input size: "keep" n for every n; "halve" exactly every even n;
        "double" every n; "multiply" every n by `factor`; "divide" exactly every multiple of it.
    factor : int, optional
        The whole number r of "multiply" and "divide"; a symbol r if it is not given.
    in_size, out_size : int or SymPy expression, optional
        Instead of a goal: one input size and the output size to reach from it.
    kernel, stride, dilation, output_padding : int, optional
        Parameters that are fixed; the others are solved for.
    padding : int, (low, high), or "equal", optional
        Fixed padding of both ends or of each; "equal" solves for one number for both ends.
    ceil_mode : bool
        Of a pooling; see `output_size`.
    checkerboard : bool
        False asks, besides, that in a transposed convolution (or in the transpose of the layer:
        its gradient) the same number of taps meets every position away from the ends.

    Returns
    -------
    Solution
        Conditions (necessary and sufficient), families in free parameters, small examples, and
        the steps; false, with a reason, if no layer does it.

    Raises
    ------
    GeometryError
        An unknown layer or goal, a parameter out of range or one that the layer does not have,
        sizes and goal together, or neither.

    Notes
    -----
    With room(n) = n + p0 + p1 - d(k-1) - 1 a convolution has floor(room/s) + 1 outputs, and
    floor(x) = f exactly if 0 <= room - s*f <= s - 1. For the size to be right at n = r*q for
    every q >= 1, the affine function room - s*(q - 1) of q must stay between 0 and s - 1: its
    slope r - s is zero. What remains does not contain q. A transposed convolution's size is
    itself affine in n, so both its coefficients are determined. A pooling in ceil mode is a
    minimum of two such counts, each wanted >= the target, and one of them <=.

    For a pooling the paddings are at most half of the window's span, as frameworks demand.

    Each output position t of a transposed convolution, away from the ends, meets the taps j with
    ``d*j = t + p0 (mod s)``: none where gcd(s, d) does not divide t + p0, so all positions agree
    only if gcd(s, d) = 1; then j is determined modulo s, and the k taps fall evenly into the s
    classes exactly if s divides k.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, relations
    1 to 14. Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill 2016.

    Examples
    --------
    >>> print(solve_layer("conv_transpose", goal="double", dilation=1, padding="equal"))
    conv_transpose: out = 2*n for every n
      given: d = 1
      exactly if:
        s = 2
        a + k = 2*p + 2
        a < 2
      family: s = 2, k = -a + 2*p + 2 for any p, a with 2*p + 1 >= a, a < 2
      example: kernel 1, stride 2, output_padding 1
      example: kernel 2, stride 2
      example: kernel 3, stride 2, padding 1, output_padding 1
      example: kernel 4, stride 2, padding 1
      example: kernel 5, stride 2, padding 2, output_padding 1
      example: kernel 6, stride 2, padding 2
      example: kernel 7, stride 2, padding 3, output_padding 1
    >>> print(solve_layer("conv", goal="double"))
    conv: out = 2*n for every n
      none: no convolution has more outputs than inputs at all sizes (stride 1/2)
    """
    one_of("layer", layer, LAYERS)
    if as_bool("ceil_mode", ceil_mode) and layer != "pool":
        raise GeometryError("ceil_mode", True, f"is no parameter of {layer}", 'use layer="pool"')
    uniform = not as_bool("checkerboard", checkerboard)
    wish = _Wish(layer, ceil_mode, uniform, *_sizes(goal, factor, in_size, out_size))
    given, equal = _given(layer, kernel, stride, padding, dilation, output_padding)
    x = names()
    derived = derive(layer, wish.size, wish.target, ceil_mode=ceil_mode, every=wish.every)
    ends = ["p"] if equal else ["p0", "p1"]
    all_unknown = ["k", "s", "d", *ends, *(["a"] if layer == "conv_transpose" else [])]
    known = dict(given)
    if derived.stride is not None and derived.stride.is_Integer:
        known.setdefault("s", int(derived.stride))
    found = Solution(
        layer,
        wish.words,
        conditions=_conditions(wish, derived, given, equal=equal),
        families=(),
        given=given,
        determined=known,
        unknown=tuple(getattr(x, name) for name in all_unknown if name not in known),
        steps=derived.steps,
        lemmas=derived.lemmas,
        remarks=_remarks(wish),
    )
    reason = _impossible(wish, derived.stride, given)
    if reason is None and not found.open_sizes:
        witness = find(_bounds(wish, found, derived, equal=equal))
        if witness is None:
            reason = _unmet(found, _conditions(wish, derived, {}, equal=equal))
        found = replace(found, witness=witness)
    if reason is not None:
        import sympy

        return replace(found, conditions=(sympy.false,), remarks=(), reason=reason)
    return replace(found, families=_families(wish, derived, found, equal=equal))


def _sizes(
    goal: Any, factor: Any, in_size: Any, out_size: Any
) -> tuple[str, Expression, Expression, Expression, Any]:
    """Check the ways to ask, and put them into one form: the last fields of a `_Wish`."""
    import sympy

    sizes = {"in_size": in_size, "out_size": out_size}
    if goal is None:
        for name, value in sizes.items():
            if value is None:
                raise GeometryError(name, None, "is needed where there is no goal", f"pass {name}")
        if factor is not None:
            raise GeometryError("factor", factor, "belongs to a goal", 'pass goal="divide"')
        n, m = (sympy.sympify(as_size(name, value, 1)) for name, value in sizes.items())
        return f"{m} outputs of {n} inputs", n, m, None, None
    one_of("goal", goal, GOALS)
    for name, value in sizes.items():
        if value is not None:
            raise GeometryError(name, value, "is one size, but a goal is for all", "leave it out")
    x = names()
    if goal in ("multiply", "divide"):
        r = x.r if factor is None else sympy.Integer(as_integer("factor", factor, 1))
    elif factor is not None:
        raise GeometryError("factor", factor, f"is not for {goal!r}", 'use goal="multiply"')
    else:
        r = sympy.Integer(1 if goal == "keep" else 2)
    if goal in ("halve", "divide") and r != 1:
        every = "even n" if r == 2 else f"n that {r} divides"
        return f"out = n/{r} for every {every}", r * x.q, x.q, r, x.q
    return f"out = {r * x.n} for every n", x.n, r * x.n, r, x.n


def _given(
    layer: str, kernel: Any, stride: Any, padding: Any, dilation: Any, output_padding: Any
) -> tuple[dict[str, int], bool]:
    """Return the given parameters by symbol, and whether one free number pads both ends."""
    given = {}
    for symbol, name, value in (
        ("k", "kernel", kernel), ("s", "stride", stride), ("d", "dilation", dilation)
    ):  # fmt: skip
        if value is not None:
            given[symbol] = as_integer(name, value, 1)
    equal = isinstance(padding, str)
    if equal:
        one_of("padding", padding, ("equal",))
    elif padding is not None:
        low, high = as_pair(padding)
        given["p0"], given["p1"] = as_integer("padding", low, 0), as_integer("padding", high, 0)
    if output_padding is not None:
        if layer != "conv_transpose":
            raise GeometryError(
                "output_padding",
                output_padding,
                f"is no parameter of {layer}",
                'use layer="conv_transpose"',
            )
        given["a"] = as_integer("output_padding", output_padding, 0)
    return given, equal


def _values(given: Mapping[str, int], *, equal: bool) -> dict[Any, Any]:
    """Return what stands for each symbol that is not free."""
    import sympy

    x = names()
    ends = {x.p0: x.p, x.p1: x.p} if equal else {}
    return ends | {getattr(x, name): sympy.Integer(value) for name, value in given.items()}


def _conditions(
    wish: _Wish, derived: Derived, given: Mapping[str, int], *, equal: bool
) -> tuple[Relation, ...]:
    """Return the conditions, less those that always hold."""
    import sympy

    x = names()
    values = _values(given, equal=equal)
    found = []
    if derived.stride is not None:
        found.append(sympy.Eq(values.get(x.s, x.s), derived.stride))
        values[x.s] = derived.stride
    ways = [[relation(slack, values) for slack in branch.slacks()] for branch in derived.branches]
    shared = [one for one in ways[0] if all(one in way for way in ways)]
    found += shared
    if len(ways) > 1:
        found.append(sympy.Or(*(sympy.And(*(o for o in w if o not in shared)) for w in ways)))
    found += [condition.subs(values) for condition in domain(wish.layer, uniform=wish.uniform)]
    return tuple(one for one in dict.fromkeys(found) if one is not sympy.true)


def _families(wish: _Wish, derived: Derived, found: Solution, *, equal: bool) -> tuple[Any, ...]:
    values = _values(found.determined, equal=equal)
    if derived.stride is not None:
        values.setdefault(names().s, derived.stride)
    bounds = [condition.subs(values) for condition in domain(wish.layer, uniform=wish.uniform)]
    unknown = [name for name in found.unknown if name not in values]
    found_all = [family(branch, values, unknown, bounds) for branch in derived.branches]
    if derived.stride is None or "s" in found.given:
        return tuple(found_all)
    pinned = {names().s: derived.stride}
    return tuple(replace(one, values={**pinned, **one.values}) for one in found_all)


def _bounds(wish: _Wish, found: Solution, derived: Derived, *, equal: bool) -> Bounds:
    """Give the search what it needs, as functions of integers."""
    import sympy

    x = names()
    nothing = {x.p0: 0, x.p1: 0, x.a: 0, x.r: x.s}
    exact = [branch.exact.subs(nothing) for branch in derived.branches]
    exact.sort(key=lambda slack: not slack.has(x.span))  # the count that starts limit comes last
    total = exact[0] if found.layer == "conv_transpose" else -exact[0]
    first = -exact[1] if len(exact) > 1 else sympy.Integer(0)
    sizes = (0, 0) if wish.every is not None else (int(wish.size), int(wish.target))
    order = [str(symbol) for symbol in found.unknown]
    return Bounds(
        found.layer == "conv_transpose",
        equal,
        found.layer == "pool",
        found.determined,
        sizes,
        sympy.lambdify((x.s, x.span), total),
        sympy.lambdify((x.s, x.span), first),
        lambda values: found.holds(*(values[name] for name in order)),
    )


def _impossible(wish: _Wish, stride: Expression | None, given: Mapping[str, int]) -> str | None:
    """Return why no stride does it, None if one does."""
    if stride is None:
        return None
    what = WORDS[wish.layer]
    if not stride.is_Integer and stride != names().r:
        change = "has more" if wish.layer != "conv_transpose" else "has fewer"
        return f"no {what} {change} outputs than inputs at all sizes (stride {stride})"
    if stride.is_Integer and given.get("s", stride) != stride:
        return f"it needs the stride {stride}, but stride {given['s']} was given"
    return None


def _unmet(found: Solution, wanted: Sequence[Relation]) -> str:
    """Say which conditions, written without what was given, have no solution in integers."""
    told = ", ".join(f"{name} = {value}" for name, value in found.given.items())
    needed = " and ".join(map(written, wanted))
    return f"no integers satisfy {needed}" + (f" with {told}" if told else "")


def _remarks(wish: _Wish) -> tuple[str, ...]:
    """Say what happens to sizes that a division does not divide."""
    import sympy

    x, r = names(), wish.factor
    if wish.every != x.q or wish.layer == "conv_transpose":
        return ()
    if wish.ceil_mode:
        u = sympy.Symbol("u", integer=True, positive=True)
        count = output_size(r * x.q + u, x.k, r, (x.p0, x.p1), x.d, ceil_mode=True)
        return (f"n = {r}*q + u with 0 < u < {r} gives {count} outputs",)
    if r == 2:
        up, down = "p0 + p1 = d*(k - 1)", "p0 + p1 = d*(k - 1) - 1"
        return (f"odd n gives (n + 1)/2 outputs if {up}, (n - 1)/2 if {down}",)
    more = "q + 1 outputs if u > d*(k - 1) - p0 - p1, else q"
    return (f"n = {r}*q + u with 0 < u < {r} gives {more}",)
