"""Exact rewriting of floor, ceiling, Mod, Min and Max over integers to one normal form.

SymPy holds expressions; the rewriting itself is arithmetic on integer polynomials, by
`formulas.rewriting`. Each rule is a theorem of `certificates.theorems.floors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from convmat.certificates.checker import check
from convmat.certificates.provers.found import found
from convmat.certificates.theorems.floors import RULE_THEOREMS
from convmat.geometry.printing import OneLine
from convmat.symbolic.formulas.rewriting import Reader, RewriteStep, unreadable

__all__ = ["RewriteStep", "Rewriting", "normal_form", "rewrite"]


@dataclass(frozen=True, repr=False)
class Rewriting(OneLine):
    """An expression, its normal form, and the uses of rules that lead there, innermost first."""

    expression: Any
    result: Any
    steps: tuple[RewriteStep, ...]

    def check(self) -> bool:
        """Have the checker follow the proof of every rule that was used; return True or raise."""
        for name in {step.rule for step in self.steps}:
            check(found(RULE_THEOREMS[name]), RULE_THEOREMS[name])
        return True

    def __str__(self) -> str:
        lines = [f"{number:>3}. {step}" for number, step in enumerate(self.steps, 1)]
        return "\n".join([f"{self.expression} = {self.result}", *lines])


def normal_form(
    expression: Any, positive: Iterable[str] = (), remainders: Mapping[str, str] | None = None
) -> Any:
    """Return the normal form of an expression in floors over integer symbols.

    Parameters
    ----------
    expression : SymPy expression or int
        Made of integers, symbols, ``+ - * /``, whole powers, floor, ceiling, Mod, Min and Max.
        All symbols are taken to be integers, and the whole has to be one.
    positive : names of symbols
        That are at least 1, besides those which say so themselves.
    remainders : dictionary from names to names, optional
        ``{"a": "s"}`` says that ``0 <= a < s``.

    Returns
    -------
    SymPy expression
        A polynomial in symbols, floors of one fraction each, and Min. Equal to `expression` at
        all integers that satisfy the assumptions.

    Raises
    ------
    GeometryError
        Another function, a symbol that is not an integer, an expression that need not be one, or
        a divisor that is not known to be positive.

    Notes
    -----
    Within a floor the numerator is divided with remainder by the divisor, common factors and
    floors within are removed, and of x and -x - 1 one is chosen. Two expressions whose difference
    has the normal form 0 are equal; Min and several floors in one numerator can hide that they
    are. The rules and their proofs: `convmat.certificates.theorems.floors`.

    Examples
    --------
    >>> from sympy import Mod, ceiling, floor, symbols
    >>> n, s, k = symbols("n s k", integer=True, positive=True)
    >>> normal_form(floor(n / s) * s + Mod(n, s) - n)
    0
    >>> normal_form(ceiling(n / s) - floor((n + s - 1) / s))
    0
    >>> normal_form(floor((floor((n - k) / 2) + 1) / 3))
    floor(-k/6 + n/6 + 1/3)
    """
    return _rewrite(expression, positive, remainders, traced=False).result


def rewrite(
    expression: Any, positive: Iterable[str] = (), remainders: Mapping[str, str] | None = None
) -> Rewriting:
    """Return `normal_form` together with the uses of rules that lead to it.

    Parameters and errors as for `normal_form`.

    Examples
    --------
    >>> from sympy import floor, symbols
    >>> n, s = symbols("n s", integer=True, positive=True)
    >>> print(rewrite(floor((n + 2 * s) / s)))
    floor((n + 2*s)/s) = floor(n/s) + 2
      1. floor((n + 2*s)/s) = floor(n/s) + 2    [integer out of a floor]
    """
    return _rewrite(expression, positive, remainders, traced=True)


def _rewrite(
    expression: Any, positive: Iterable[str], remainders: Mapping[str, str] | None, *, traced: bool
) -> Rewriting:
    import sympy

    if isinstance(expression, int) and not isinstance(expression, bool):
        expression = sympy.Integer(expression)
    if not isinstance(expression, sympy.Expr):
        raise unreadable(expression, "must be a SymPy expression", "make it with sympy.symbols")
    reader = Reader(expression, tuple(positive), dict(remainders or {}), traced=traced)
    value = reader.read(expression)
    if value.divisor != 1:
        raise unreadable(expression, "need not be an integer", "put divisions within floors")
    return Rewriting(expression, reader.sympy(value.numerator), tuple(reader.steps))
