"""What makes a formula and the size of a layer equal, solved: ``d*(k - 1) + 1 + a = s + 2*p``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convmat.certificates.polynomials import Monomial, Polynomial
from convmat.certificates.statements import Statement
from convmat.geometry.arguments import GeometryError
from convmat.proof.sizes.samples import constants
from convmat.proof.sizes.settings import Setting
from convmat.symbolic.formulas.conditions import Condition, read_condition
from convmat.symbolic.formulas.identities import differences
from convmat.symbolic.formulas.tree import Formula, names_of, substitute

__all__ = ["FIXABLE", "solved"]

FIXABLE = "dskp"  # symbols for which a formula that does not mention them may have a number
MOST_FIXED = 4  # numbers of a formula that are tried
LETTERS = ("n", "k", "s", "p", "p0", "p1", "d", "a", "u", "v")
SPAN: Monomial = (("d", 1), ("k", 1))
DILATION: Monomial = (("d", 1),)


def solved(formula: Formula, setting: Setting) -> Iterator[tuple[Condition, ...]]:
    """Yield conditions on the options of a layer under which a formula plainly gives its size.

    A symbol that the formula does not mention may have one of its numbers, as well.
    """
    first, second = setting.fill(formula), setting.size
    yield from (((condition,)) for condition in _equations(first, second, setting))
    numbers = sorted(c for c in constants(formula) if c > 1)[:MOST_FIXED]
    for name in FIXABLE:
        if name not in setting.symbols or name in names_of(formula):
            continue
        for number in numbers:
            value = {name: Formula("number", (number,))}
            fixed = read_condition(f"{name} = {number}")
            for condition in _equations(first, substitute(second, value), setting):
                yield fixed, condition


def _equations(first: Formula, second: Formula, setting: Setting) -> Iterator[Condition]:
    """Yield equations, of options alone, under which two formulas are equal."""
    found: dict[str, None] = {}
    try:
        cases = list(differences(first, second))
    except GeometryError:  # too many cases
        return
    for difference, floors in cases:
        zero = _without_floors(difference, floors)
        # A formula that is right for this input or that is none.
        if zero is not None and zero.symbols and zero.symbols <= set(setting.symbols) - {"n"}:
            found[_equation(zero)] = None
    for text in found:
        condition = read_condition(text)
        if str(condition) == text:
            yield condition


def _without_floors(difference: Polynomial, floors: Sequence[Statement]) -> Polynomial | None:
    """Return a polynomial that is zero only where a difference is, None if none is found.

    Two floors with one divisor m differ by c where their numerators differ by m*c.
    """
    used = [f for f in floors if f.left.symbols <= difference.symbols]
    if not used:
        return difference
    if len(used) != 2 or used[0].divisor != used[1].divisor or used[0].divisor is None:
        return None
    up, down = sorted(used, key=lambda f: -difference.terms.get(_only(f.left), 0))
    rest = difference - up.left + down.left
    if any(symbol in rest.symbols for f in used for symbol in f.left.symbols):
        return None
    return up.right - down.right + (up.divisor or 1) * rest


def _only(symbol: Polynomial) -> Monomial:
    (monomial,) = symbol.terms
    return monomial


def _equation(zero: Polynomial) -> str:
    """Write ``zero = 0`` with positive terms alone, a window's size as it is written.

    Examples
    --------
    >>> from convmat.certificates.polynomials import symbols
    >>> s, p, d, k, a = symbols("s p d k a")
    >>> _equation(s + 2 * p + d - d * k - 1 - a), _equation(3 - s), _equation(p * -1)
    ('d*(k - 1) + 1 + a = s + 2*p', 's = 3', 'p = 0')
    """
    sides = [_side(zero, 1), _side(zero, -1)]
    sides.sort(key=lambda side: ("d*(k - 1)" not in side, "k" not in side, side.isdigit()))
    return " = ".join(sides)


def _side(zero: Polynomial, sign: int) -> str:
    """Write the terms with one sign; with ``d*k`` goes the ``-d`` of ``d*(k - 1)``."""
    terms = dict(zero.terms)
    texts = []
    window = terms.get(SPAN, 0)
    if window and terms.get(DILATION) == -window:
        del terms[SPAN], terms[DILATION]
        if window * sign > 0:
            texts.append(_times(abs(window), "d*(k - 1)"))
    one = terms.pop((), 0) * sign
    if texts and one > 0:  # the size of the window
        texts.append(str(one))
    for monomial in sorted(terms, key=_in_order):
        if terms[monomial] * sign > 0:
            names = "*".join(name if power == 1 else f"{name}**{power}" for name, power in monomial)
            texts.append(_times(abs(terms[monomial]), names))
    if one > 0 and (not window or window * sign < 0 or str(one) not in texts):
        texts.append(str(one))
    return " + ".join(texts) or "0"


def _times(number: int, text: str) -> str:
    return text if number == 1 else f"{number}*{text}"


def _in_order(monomial: Monomial) -> tuple[int, ...]:
    return tuple(LETTERS.index(name) for name, _ in monomial)
