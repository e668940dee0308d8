"""Which spelling stands for which quantity, and what a SymPy symbol says about itself.

Many spellings are understood, so two of them could be taken for one quantity where the writer
meant two (H and W, a kernel's height and the width of the image). Whatever could be meant so is
refused. What a symbol assumes (positive, even) is handed on as conditions, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from convmat.certificates.polynomials import NAME
from convmat.geometry.arguments import GeometryError
from convmat.symbolic.formulas.tree import canonical_name

__all__ = ["Spelling", "refuse_two_axes", "refuse_two_spellings"]

# Spellings that belong to one axis of an image or a sequence.
AXES = {
    "height": ("h", "h_in", "height", "kh", "sh"),
    "width": ("w", "w_in", "width", "kw", "sw"),
    "length": ("l", "l_in", "length", "input_length"),
}
_AXIS = {spelling: axis for axis, spellings in AXES.items() for spelling in spellings}

# What SymPy assumes of any integer, and what no integer is.
ALWAYS = (
    "commutative",
    "complex",
    "algebraic",
    "rational",
    "integer",
    "real",
    "hermitian",
    "finite",
)
NEVER = ("irrational", "transcendental", "imaginary", "noninteger", "infinite")
SIGNS = ("positive", "negative", "zero", "nonzero", "nonnegative", "nonpositive", "even", "odd")


class Spelling:
    """The names of one text, expression or function; `free` ones may stand for themselves.

    Attributes
    ----------
    used : dict of symbol to spelling
    conditions : list of str
        What SymPy symbols assume beyond being integers.
    """

    def __init__(self, *, free: bool = False) -> None:
        self.free = free
        self.used: dict[str, str] = {}
        self.conditions: list[str] = []
        self._objects: dict[str, Any] = {}

    def read(self, name: str) -> str | None:
        """Return the symbol that a name stands for, None if it is unknown.

        Examples
        --------
        >>> Spelling().read("kernel_size")
        'k'
        """
        symbol = canonical_name(name)
        if symbol is None:
            return name if self.free and NAME.fullmatch(name) else None
        known = self.used.setdefault(symbol, name)
        refuse_two_spellings(symbol, (known, name))
        refuse_two_axes(self.used.values())
        return symbol

    def read_symbol(self, symbol: Any) -> str | None:
        """Return what a SymPy symbol stands for; note what it assumes."""
        name = self.read(symbol.name)
        if name is None:
            return None
        known = self._objects.setdefault(name, symbol)
        if known != symbol:
            raise GeometryError(
                "formula",
                symbol.name,
                "is the name of two SymPy symbols with different assumptions",
                "make the symbol once and use it everywhere",
            )
        said = _assumed_of_scale if name == "r" and not self.free else _assumed
        self.conditions += [c for c in said(symbol, name) if c not in self.conditions]
        return name


def refuse_two_spellings(symbol: str, names: Iterable[str]) -> None:
    """Refuse different spellings of one quantity."""
    different = list(dict.fromkeys(names))
    if len(different) > 1:
        raise GeometryError(
            "formula",
            " and ".join(different),
            f"are two spellings of one quantity, {symbol}",
            "use one of them, or another name for what is meant to differ",
        )


def refuse_two_axes(names: Iterable[str]) -> None:
    """Refuse spellings of more than one axis: a formula is about one."""
    found: dict[str, str] = {}
    for name in names:
        axis = _AXIS.get(name.lower())
        if axis is not None:
            found.setdefault(axis, name)
    if len(found) > 1:
        raise GeometryError(
            "formula",
            " and ".join(found.values()),
            f"belong to different axes, {' and '.join(found)}",
            "write the formula for one axis",
        )


def _said(symbol: Any, name: str) -> dict[str, Any]:
    """Return what a SymPy symbol was made with; refuse what is not understood."""
    said = getattr(symbol, "_assumptions_orig", None) or symbol.assumptions0
    plain = {key.removeprefix("extended_"): value for key, value in said.items()}
    for key, value in plain.items():
        impossible = (key in ALWAYS and not value) or (key in NEVER and value)
        if impossible or key not in (*ALWAYS, *NEVER, *SIGNS):
            raise _unusable(name, key, value)
    return plain


def _assumed_of_scale(symbol: Any, name: str) -> list[str]:
    """Return conditions on a scale r = u/v: any positive fraction, if nothing more is assumed."""
    said, known = _said(symbol, name), symbol.assumptions0
    for key in ("negative", "nonpositive", "zero"):
        if known.get(key):
            raise _unusable(name, key, True)
    for key in ("positive", "nonnegative", "nonzero", "even", "odd"):
        if said.get(key) is False:
            raise _unusable(name, key, False)
    if not known.get("integer"):
        return []
    parity = ["2 | u"] if known.get("even") else ["2 | u - 1"] if known.get("odd") else []
    return ["v = 1", *parity]


def _assumed(symbol: Any, name: str) -> list[str]:
    """Return conditions for what a SymPy symbol assumes, or refuse."""
    plain = _said(symbol, name)
    known = {key: value for key, value in symbol.assumptions0.items() if key in SIGNS} | plain
    found = []
    if known.get("zero"):
        return [f"{name} = 0"]
    low, high = _bounds(known)
    if known.get("nonzero") or known.get("zero") is False:
        if low == 0 or high == 0:
            low, high = (1, high) if low == 0 else (low, -1)
        elif low is None and high is None and not (known.get("odd") or known.get("even") is False):
            raise _unusable(name, "nonzero", True)
    if low is not None:
        found.append(f"{low} <= {name}")
    if high is not None:
        found.append(f"{name} <= {high}")
    if known.get("even") or known.get("odd") is False:
        found.append(f"2 | {name}")
    elif known.get("odd") or known.get("even") is False:
        found.append(f"2 | {name} - 1")
    return found


def _bounds(known: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the least and the greatest integer that signs leave, None for no bound."""
    low = high = None
    if known.get("nonnegative") or known.get("negative") is False:
        low = 0
    if known.get("positive") or known.get("nonpositive") is False:
        low = 1
    if known.get("nonpositive") or known.get("positive") is False:
        high = 0
    if known.get("negative") or known.get("nonnegative") is False:
        high = -1
    return low, high


def _unusable(name: str, key: str, value: Any) -> GeometryError:
    return GeometryError(
        "formula",
        name,
        f"is a SymPy symbol that assumes {key}={value}, which is not understood here",
        "make it with integer=True, and positive, nonnegative, even or odd at most",
    )
