"""From an output size back: all inputs that lead to it, and the output padding that selects one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convmat.certificates.checker import Refused
from convmat.certificates.statements import Certificate
from convmat.geometry import sizes
from convmat.geometry.arguments import GeometryError, as_bool, as_integer, at_least
from convmat.geometry.printing import OneLine
from convmat.symbolic.formulas.normal_form import normal_form
from convmat.symbolic.sizes.deriving import Derivation, derive
from convmat.symbolic.sizes.meanings import size_symbol

__all__ = ["Inputs", "RoundTrip", "inputs_of", "round_trip"]

Arguments = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, repr=False)
class Inputs(OneLine):
    """All input sizes that lead to one output size: first, ..., last.

    Attributes
    ----------
    size : int or SymPy expression
        The output size.
    first, last : int or SymPy expression
        The ends of the range. Of integers, sizes below 1 are left out.
    stride : int or SymPy expression
    arguments : tuple of (str, value)
        What the symbols of the derivation stand for here.
    derivation : Derivation
        The proof that these, and no others, lead to the output size.
    """

    size: Any
    first: Any
    last: Any
    stride: Any
    arguments: Arguments
    derivation: Derivation

    @property
    def count(self) -> Any:
        """How many there are: the stride, unless sizes below 1 are left out."""
        return self.last - self.first + 1

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Certificates of both directions, for all sizes."""
        return self.derivation.certificates

    def output_padding(self, n: Any) -> Any:
        """Return the output padding that selects n: how far it lies above the least of them.

        Raises
        ------
        GeometryError
            An integer that is not one of the sizes, or a layer whose inverse has none.
        """
        if self.derivation.name != "inputs":
            raise GeometryError(
                "padding",
                self.derivation.name.removeprefix("inputs_"),
                "is not that of a transposed convolution with output padding",
                "give its output_size instead",
            )
        least, _ = _ends(self.derivation, self.arguments)
        if isinstance(n, int) and isinstance(least, int) and n not in self.sizes:
            raise GeometryError(
                "n", n, f"does not lead to {self.size}", f"use {self.first} to {self.last}"
            )
        return n - least

    @property
    def sizes(self) -> range:
        """The sizes, if they are numbers."""
        if not isinstance(self.first, int) or not isinstance(self.last, int):
            raise GeometryError(
                "size", self.size, "leads to sizes that are no numbers", "use first and last"
            )
        return range(self.first, self.last + 1)

    def __iter__(self) -> Iterator[int]:
        return iter(self.sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    def __contains__(self, n: object) -> bool:
        return n in self.sizes

    def check(self) -> bool:
        """Check the derivation, and that the ends are its values here; True or `Refused`."""
        self.derivation.check()
        ends = _ends(self.derivation, self.arguments)
        if isinstance(self.first, int) and isinstance(ends[0], int):
            ends = max(1, ends[0]), ends[1]
        for name, here, value in zip(("first", "last"), (self.first, self.last), ends, strict=True):
            _require_same(name, here, value, self.stride)
        return True

    def latex(self) -> str:
        """Return the range in LaTeX."""
        import sympy

        return rf"{sympy.latex(self.first)} \le n \le {sympy.latex(self.last)}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def _in_short(self) -> str:
        return f"inputs {self.first} to {self.last} give {self.size} outputs"

    def __str__(self) -> str:
        return (
            f"output size {self.size} comes from the input sizes {self.first}, ..., {self.last} "
            f"({self.count} in a row)"
        )


@dataclass(frozen=True, repr=False)
class RoundTrip(OneLine):
    """From n by a convolution to m, and by the transposed convolution back to n.

    Attributes
    ----------
    n : int or SymPy expression
    m : int or SymPy expression
        ``output_size(n, ...)``.
    output_padding : int or SymPy expression
        ``(n + p_low + p_high - dilation*(kernel - 1) - 1) mod stride``.
    back : int or SymPy expression
        ``transposed_output_size(m, ..., output_padding)``, which equals n.
    arguments : tuple of (str, value)
    derivation : Derivation
    """

    n: Any
    m: Any
    output_padding: Any
    back: Any
    arguments: Arguments
    derivation: Derivation

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Certificates that it leads back, and that no other output padding does."""
        return self.derivation.certificates

    def check(self) -> bool:
        """Check the derivation, its values here, and the identity; True or `Refused`."""
        self.derivation.check()
        named = dict(self.arguments)
        here = {"a": self.output_padding, "m": self.m, "back": self.back}
        for name, value in self.derivation.values:
            _require_same(name, here[name], _substitute(value, self.arguments), named["s"])
        _require_same("back", self.back, self.n, named["s"])
        return True

    def latex(self) -> str:
        """Return sizes and identity in LaTeX."""
        import sympy

        parts = (("m", self.m), ("a", self.output_padding), (sympy.latex(self.n), self.back))
        lines = [f"{name} &= {sympy.latex(value)}" for name, value in parts]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def _in_short(self) -> str:
        return f"round trip of {self.n}"

    def __str__(self) -> str:
        return (
            f"{self.n} -> {self.m} -> {self.back} = {self.n}, with output padding "
            f"{self.output_padding}"
        )


def inputs_of(
    size: Any,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Inputs:
    """Return all input sizes that a convolution or pooling maps to one output size.

    Parameters
    ----------
    size, kernel, stride, dilation : int or SymPy expression
        Output size and window, in samples.
    padding : int, SymPy expression, (low, high), or a name
        ``"valid"``, ``"full"``, ``"same"``, ``"same_upper"``, ``"same_lower"``.
    ceil_mode : bool
        Of a pooling, see `output_size`.

    Returns
    -------
    Inputs
        As many consecutive sizes as the stride, and the proof that there are no others.

    Raises
    ------
    GeometryError
        An argument out of range, or an output size that no input of at least 1 leads to.

    Notes
    -----
    The least is ``stride*(size - 1) + dilation*(kernel - 1) + 1 - p_low - p_high``. O(1).

    Examples
    --------
    >>> found = inputs_of(14, kernel=3, stride=2, padding=1)
    >>> list(found), found.output_padding(28)
    ([27, 28], 1)
    >>> print(inputs_of(4, kernel=3, stride=3, padding="same"))
    output size 4 comes from the input sizes 10, ..., 12 (3 in a row)
    >>> from sympy import symbols
    >>> m, k, s = symbols("m k s", integer=True, positive=True)
    >>> inputs_of(m, k, s).first, inputs_of(m, k, s).count
    (k + s*(m - 1), s)
    """
    ceil_mode = as_bool("ceil_mode", ceil_mode)
    size, kernel = _checked(size=size, kernel=kernel)
    stride, dilation = _checked(stride=stride, dilation=dilation)
    if sizes.is_same(padding):
        if ceil_mode:
            raise GeometryError(
                "ceil_mode", True, f"changes nothing with padding={padding!r}", "leave it out"
            )
        first, last = sizes.same_input_sizes(size, stride)
        return _inputs("inputs_same", size, first, last, (("m", size), ("s", stride)))
    low, high = sizes.padding_ends(padding, size, kernel, stride, dilation)
    first, last = sizes.input_sizes(size, kernel, stride, (low, high), dilation, ceil_mode)
    arguments = _arguments("m", size, kernel, stride, (low, high), dilation)
    return _inputs("inputs_ceil" if ceil_mode else "inputs", size, first, last, arguments)


def round_trip(
    n: Any, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> RoundTrip:
    """Return the way from n through a convolution and its transposed convolution back to n.

    Parameters
    ----------
    n, kernel, stride, dilation : int or SymPy expression
        Input size and window, in samples.
    padding : int, SymPy expression, (low, high), ``"valid"`` or ``"full"``

    Returns
    -------
    RoundTrip
        The size between, the one output padding below the stride that leads back, and the proof.

    Raises
    ------
    GeometryError
        An argument out of range, or a window that does not fit.

    Examples
    --------
    >>> print(round_trip(28, kernel=3, stride=2, padding=1))
    28 -> 14 -> 28 = 28, with output padding 1
    >>> from sympy import symbols
    >>> n, k, s = symbols("n k s", integer=True, positive=True)
    >>> found = round_trip(n, k, s)
    >>> found.back, normal_form(found.back), found.check()
    (k + s*floor((-k + n)/s) + Mod(-k + n, s), n, True)
    """
    n, kernel = _checked(n=n, kernel=kernel)
    stride, dilation = _checked(stride=stride, dilation=dilation)
    if isinstance(padding, str):
        sizes.padding_rule(padding, ("valid", "full"))
    pads = sizes.padding_ends(padding, n, kernel, stride, dilation)
    m = sizes.output_size(n, kernel, stride, pads, dilation)
    extra = sizes.output_padding_for(n, kernel, stride, pads, dilation)
    back = sizes.transposed_output_size(m, kernel, stride, pads, extra, dilation)
    arguments = _arguments("n", n, kernel, stride, pads, dilation)
    return RoundTrip(n, m, extra, back, arguments, derive("output_padding"))


def _checked(**arguments: Any) -> tuple[Any, ...]:
    """Check sizes; what is not an integer has to be an expression in integers."""
    import sympy

    for name, value in arguments.items():
        if isinstance(value, sympy.Expr) and value.free_symbols:
            if value.is_integer is False or value.is_positive is False:
                raise GeometryError(
                    name, value, "is not a positive integer", "declare its symbols as integers"
                )
        else:
            as_integer(name, value, 1)
    return at_least(1, **arguments)


def _arguments(
    name: str, size: Any, kernel: Any, stride: Any, pads: tuple[Any, Any], dilation: Any
) -> Arguments:
    return (
        (name, size), ("k", kernel), ("s", stride),
        ("p0", pads[0]), ("p1", pads[1]), ("d", dilation),
    )  # fmt: skip


def _inputs(name: str, size: Any, first: Any, last: Any, arguments: Arguments) -> Inputs:
    if isinstance(first, int) and isinstance(last, int):
        if last < 1:
            raise GeometryError(
                "size",
                size,
                f"is not the output size of any input: those would be {first} to {last}",
                "use less padding or a larger size",
            )
        first = max(1, first)
    return Inputs(size, first, last, dict(arguments)["s"], arguments, derive(name))


def _ends(derivation: Derivation, arguments: Arguments) -> tuple[Any, Any]:
    first, last = (_substitute(value, arguments) for _, value in derivation.values)
    return first, last


def _substitute(value: Any, arguments: Arguments) -> Any:
    """Put what the symbols stand for into an expression; an int if no symbol is left."""
    import sympy

    put = {size_symbol(name): sympy.sympify(what) for name, what in arguments}
    found = value.xreplace(put)
    return int(found) if found.is_Integer else found


def _require_same(name: str, here: Any, value: Any, stride: Any) -> None:
    """Refuse a value that is not the one of the derivation, for all values of its symbols."""
    if here == value:
        return
    positive = [symbol.name for symbol in getattr(stride, "free_symbols", ())]
    if normal_form(here - value, positive=positive) != 0:
        raise Refused(f"{name} = {here} is not {value}, which the derivation gives")
