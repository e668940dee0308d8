"""Size formulas derived from "which outputs have their whole window inside", and proved.

A `Derivation` holds the expression that `convmat.geometry.sizes` gives on symbols, and
certificates of theorems about that expression. It states no formula of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from convmat.certificates.checker import Refused, check
from convmat.certificates.polynomials import Polynomial
from convmat.certificates.provers.found import found
from convmat.certificates.provers.sizes.claim import Claim
from convmat.certificates.statements import Certificate, Statement
from convmat.certificates.theorem import Theorem
from convmat.geometry.arguments import GeometryError, as_integer, one_of
from convmat.geometry.printing import OneLine, one_line
from convmat.symbolic.formulas.normal_form import normal_form
from convmat.symbolic.sizes.meanings import meaning, size_symbol
from convmat.symbolic.sizes.recipes import DERIVATIONS, LEGEND

__all__ = [
    "SIZE_CLAIMS",
    "SIZE_THEOREMS",
    "Derivation",
    "DerivationStep",
    "derive",
    "size_certificate",
]

RULES = {
    "hypothesis": "given",
    "define": "a name",
    "combine": "add up",
    "equations": "put one into the other",
    "divide": "divide",
    "floor": "the quotient between these bounds",
    "floor low": "a floor is not above its fraction",
    "floor high": "and less than 1 below it",
    "floor same": "a fraction has one floor",
}


COMBINED = ("combine", "=")
COUNTS = frozenset({"size", "whole", "out", "back"})  # of outputs: at least 1 where there are any


class DerivationStep(NamedTuple):
    """One line: its theorem, number within it, statement, words, what it follows from, LaTeX."""

    part: str
    number: int
    statement: str
    words: str
    reason: str
    latex: str

    def __repr__(self) -> str:
        return one_line(self)

    def __str__(self) -> str:
        return f"{self.number:>3}. {self.statement}    {self.words}  [{self.reason}]"


@dataclass(frozen=True, repr=False)
class Derivation(OneLine):
    """A size formula, how it follows from its definition, and certificates for each direction.

    The formula holds where every size that it gives is at least 1 (the window fits); elsewhere
    nothing is counted, and `evaluate` refuses.

    Attributes
    ----------
    name : str
        A key of `DERIVATIONS`.
    values : tuple of (str, SymPy expression)
        Symbols of the theorems, and what `convmat.geometry.sizes` gives for them.
    certificates : tuple of Certificate
        For the theorems, which are found by name and are not part of this value.

    Examples
    --------
    >>> found = derive("conv")
    >>> found.result
    floor((-d*(k - 1) + n + p0 + p1 - 1)/s) + 1
    >>> [str(hypothesis) for hypothesis in found.hypotheses]
    ['1 <= s', '1 <= d']
    >>> found.evaluate(n=28, k=3, s=2, d=1, p0=1, p1=1), found.check()
    (14, True)
    """

    name: str
    values: tuple[tuple[str, Any], ...]
    certificates: tuple[Certificate, ...]

    @property
    def question(self) -> str:
        """What the formula counts."""
        return DERIVATIONS[self.name].question

    @property
    def result(self) -> Any:
        """The expression of the size, or a tuple of those that belong together."""
        import sympy

        named = dict(self.values)
        found = [named[symbol] for symbol in DERIVATIONS[self.name].answer]
        return found[0] if len(found) == 1 else sympy.Tuple(*found)

    @property
    def theorems(self) -> tuple[Theorem, ...]:
        """What the certificates prove."""
        return tuple(claim.theorem for claim in _claims(self.name))

    @property
    def hypotheses(self) -> tuple[Statement, ...]:
        """What sizes have to satisfy, besides being integers."""
        free = self._parameters
        every = dict.fromkeys(h for theorem in self.theorems for h in theorem.hypotheses)
        return tuple(statement for statement in every if statement.symbols <= free)

    @property
    def _parameters(self) -> frozenset[str]:
        """Names that the values are made of."""
        return frozenset(x.name for _, value in self.values for x in value.free_symbols)

    @property
    def steps(self) -> tuple[DerivationStep, ...]:
        """All steps of all certificates, each in words."""
        words = {claim.theorem.name: claim.words for claim in _claims(self.name)}
        return tuple(
            DerivationStep(
                certificate.theorem,
                number,
                str(step.statement),
                told,
                _reason(step.rule, step.premises),
                step.statement.latex(),
            )
            for certificate in self.certificates
            for number, (step, told) in enumerate(
                zip(
                    certificate.steps,
                    _told(certificate, words.get(certificate.theorem, {})),
                    strict=True,
                ),
                1,
            )
        )

    def evaluate(self, **sizes: int) -> Any:
        """Return the result at integers, one for each of its symbols.

        Raises
        ------
        GeometryError
            A symbol without a value, or a value that is not an integer or breaks a hypothesis.
        """
        values = {name: as_integer(name, value) for name, value in sizes.items()}
        needed = {symbol.name for symbol in self.result.free_symbols}
        if needed != set(values):
            raise GeometryError(
                "sizes", sorted(values), f"must be {', '.join(sorted(needed))}", "name each once"
            )
        for statement in self.hypotheses:
            if statement.symbols <= needed and not statement.holds_at(values):
                raise GeometryError("sizes", values, f"must satisfy {statement}", "choose others")
        names = DERIVATIONS[self.name].answer
        given = {size_symbol(name): v for name, v in _whole(values).items()}
        found = self.result.xreplace(given)
        numbers = tuple(map(int, found)) if len(names) > 1 else (int(found),)
        for name, number in zip(names, numbers, strict=True):
            if name in COUNTS and number < 1:
                raise GeometryError(
                    "sizes",
                    values,
                    f"give no output (the formula says {number}): the window does not fit",
                    "choose a larger input, or a smaller window",
                )
        return numbers if len(names) > 1 else numbers[0]

    def check(self) -> bool:
        """Follow every certificate, and compare every value with the theorems; True or `Refused`.

        A value is compared with what the hypotheses of a theorem define its symbol as.
        """
        claims = _claims(self.name)
        if [c.theorem for c in self.certificates] != [claim.theorem.name for claim in claims]:
            raise Refused(f"the certificates are not those of {self.name!r}")
        for certificate, claim in zip(self.certificates, claims, strict=True):
            check(certificate, claim.theorem)
        if [symbol for symbol, _ in self.values] != list(_values(self.name)):
            raise Refused(f"the values are not those of {self.name!r}")
        free = self._parameters
        for symbol, value in self.values:
            meanings = [
                found
                for claim in claims
                if (found := meaning(symbol, claim.theorem.hypotheses, free)) is not None
            ]
            if not meanings:
                raise Refused(f"no theorem is about {symbol}")
            for found in meanings:
                if value != found and normal_form(value - found) != 0:
                    raise Refused(f"the theorems are about {symbol} = {found}, not {value}")
        return True

    def latex(self) -> str:
        """Return the formula in LaTeX, one equation for each value."""
        import sympy

        lines = [
            f"{Polynomial.symbol(symbol).latex()} &= {sympy.latex(value)}"
            for symbol, value in self.values
        ]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        rows, part = [], ""
        for step in self.steps:
            if step.part != part:
                part = step.part
                rows.append(rf"&\text{{{_plain(part)}}}&")
            words = _plain(f"{step.words} [{step.reason}]")
            rows.append(rf"{step.number}.\;&{step.latex}&\text{{{words}}}")
        proof = "\\begin{array}{rll}\n" + " \\\\\n".join(rows) + "\n\\end{array}"
        return f"${self.latex()}$\n\n${proof}$"

    def _in_short(self) -> str:
        shown = ", ".join(f"{name} = {value}" for name, value in self.values)
        return f"derivation {self.name}: {shown}"

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.question}", ""]
        lines += [f"  {symbol} = {value}" for symbol, value in self.values]
        fits = [f"1 <= {name}" for name, _ in self.values if name in COUNTS]
        limits = ", ".join([*map(str, self.hypotheses), *fits])
        lines += ["", f"for all integers with {limits}"]
        names = {n for c in self.certificates for step in c.steps for n in step.statement.symbols}
        lines += [f"  {name:<5} {words}" for name, words in LEGEND.items() if name in names]
        part = ""
        meanings = {theorem.name: theorem.meaning for theorem in self.theorems}
        for step in self.steps:
            if step.part != part:
                part = step.part
                lines += ["", f"{part}.", f"  {meanings.get(part, '')}"]
            lines.append(str(step))
        return "\n".join(lines)


def derive(name: str) -> Derivation:
    """Return the derivation of a size formula.

    Parameters
    ----------
    name : str
        ``"conv"``, ``"valid"``, ``"full"``, ``"same_upper"``, ``"same_lower"``, ``"pool"``,
        ``"pool_ceil"``, ``"unfold"``, ``"fold"``, ``"conv_transpose"``, ``"adaptive"``,
        ``"upsample"``; and, for the way back, ``"inputs"``, ``"inputs_ceil"``, ``"inputs_same"``,
        ``"output_padding"``.

    Returns
    -------
    Derivation
        Print it to follow it line by line; `Derivation.check` has the checker do so.

    Raises
    ------
    GeometryError
        An unknown name.

    References
    ----------
    Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, relations 6
    and 14, here with dilation and unequal padding.

    Examples
    --------
    >>> derive("conv_transpose").result
    a + d*(k - 1) - p0 - p1 + s*(m - 1) + 1
    >>> derive("adaptive").result
    (floor(n*o/m), -floor(n*(-o - 1)/m))
    >>> print(str(derive("valid")).split(chr(10))[2])
      size = floor((-d*(k - 1) + n - 1)/s) + 1
    """
    one_of("name", name, DERIVATIONS)
    return _derive(name)


@cache
def _derive(name: str) -> Derivation:
    certificates = tuple(found(claim.theorem) for claim in _claims(name))
    return Derivation(name, tuple(_values(name).items()), certificates)


@cache
def _claims(name: str) -> tuple[Claim, ...]:
    return DERIVATIONS[name].claims(name)


def _values(name: str) -> dict[str, Any]:
    return DERIVATIONS[name].values(_Symbols())


class _Symbols(dict[str, Any]):
    """SymPy symbols by name."""

    def __missing__(self, name: str) -> Any:
        return size_symbol(name)


def _whole(values: Mapping[str, int]) -> dict[str, Any]:
    import sympy

    return {name: sympy.Integer(value) for name, value in values.items()}


def _told(certificate: Certificate, words: Mapping[Statement, str]) -> list[str]:
    """Return words for every step: its own, those of what a division needs, or its rule's."""
    steps = certificate.steps
    needed: dict[int, str] = {}
    for step in steps:
        if step.rule == "divide":
            positive, multiple = step.premises
            divisor = steps[positive].statement.slack + 1
            needed[positive] = "a divisor: one more than two gaps that are not negative"
            needed[multiple] = f"right minus left of the next line is more than -1: times {divisor}"
    told = []
    for number, step in enumerate(steps):
        rule = "equations" if (step.rule, step.statement.relation) == COMBINED else step.rule
        by_rule = needed.get(number, RULES[rule]) if step.rule == "combine" else RULES[rule]
        told.append(words.get(step.statement, by_rule))
    return told


def _reason(rule: str, premises: tuple[int, ...]) -> str:
    if premises:
        return "from " + ", ".join(str(i + 1) for i in premises)
    return "arithmetic" if rule == "combine" else RULES.get(rule, rule)


def _plain(text: str) -> str:
    """Leave nothing in words that LaTeX would act on."""
    marks = {"_": r"\_", "`": "", "<": "$<$", ">": "$>$", "^": r"\^{}", "%": r"\%", "#": r"\#"}
    return "".join(marks.get(character, character) for character in text)


SIZE_CLAIMS: dict[str, Claim] = {
    claim.theorem.name: claim for name in DERIVATIONS for claim in _claims(name)
}
SIZE_THEOREMS: dict[str, Theorem] = {name: claim.theorem for name, claim in SIZE_CLAIMS.items()}


def size_certificate(name: str) -> Certificate:
    """Return the certificate of a theorem of `SIZE_THEOREMS`.

    Examples
    --------
    >>> [str(goal) for goal in size_certificate("conv: every window is counted").goals]
    ['0 <= o', 'o < size']
    """
    if name not in SIZE_THEOREMS:
        raise GeometryError("name", name, "is not the name of a theorem", "see SIZE_THEOREMS")
    return found(SIZE_THEOREMS[name])
