"""What is asked: a formula as it was read, a layer and conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convmat.certificates.statements import Certificate
from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import OneLine
from convmat.proof.evidence.sizes import MOST_CONDITIONS, SizeEvidence, on_one_line
from convmat.proof.proofs import Proof
from convmat.proof.sizes.search import Agreement
from convmat.proof.sizes.settings import LEAST, Setting
from convmat.proof.verifying.functions import Function
from convmat.symbolic.formulas.conditions import Condition, read_condition
from convmat.symbolic.formulas.identities import prove
from convmat.symbolic.formulas.reading import LONGEST, from_sympy, read_formula
from convmat.symbolic.formulas.spelling import Spelling, refuse_two_axes, refuse_two_spellings
from convmat.symbolic.formulas.tree import Formula, names_of

__all__ = ["Question", "read_question"]


@dataclass(frozen=True, repr=False)
class Question(OneLine):
    """A formula as it was read, layer and conditions; the function, if it was one.

    `traced` says that the formula is what a function was traced to, and seen to give.
    """

    formula: Formula | None
    text: str
    setting: Setting
    given: tuple[Condition, ...]
    function: Function | None = None
    traced: bool = False

    @property
    def claim(self) -> str:
        """What is asked, as a statement."""
        given = ", ".join(str(condition) for condition in self.given)
        return (
            f"{self.text} is the output size of the layer {self.setting}, {self.setting.size}, "
            f"for all {self.setting.words()}" + (f", given {given}" if given else "")
        )

    def agreement(self) -> Agreement:
        """Return formula and layer beside each other; without a formula the layer alone."""
        return Agreement(self.formula or self.setting.size, self.setting, self.given)

    def certificates(self, added: Sequence[Condition]) -> tuple[Certificate, ...] | None:
        """Return certificates of the equality under more hypotheses, None if none are found."""
        if self.formula is None or len(self.text) > LONGEST:
            return None
        try:
            hypotheses = self.setting.hypotheses((*self.given, *added))
            return prove(self.setting.fill(self.formula), self.setting.size, hypotheses)
        except GeometryError:  # contradictory additions, or too many cases
            return None

    def proof(
        self,
        certificates: tuple[Certificate, ...],
        added: Sequence[Condition] = (),
        exception: Mapping[str, int] | None = None,
    ) -> Proof:
        """Return a proof with these certificates; `exception` is where it needs what was added."""
        evidence = SizeEvidence(
            self.text,
            self.setting,
            tuple(map(str, self.given)),
            tuple(map(str, added)),
            tuple(exception[name] for name in self.setting.symbols) if exception else (),
            certificates,
            self.traced,
        )
        return Proof(evidence.claim, evidence.grades, evidence)


def read_question(
    formula: Any,
    layer: str,
    ceil_mode: bool | None,
    given: Any,
    largest: int | None,
    options: Mapping[str, Any],
) -> Question:
    """Read a formula and conditions, and refuse what they mix up; call a function with symbols."""
    spelling, tree, function = Spelling(), None, None
    if largest is not None and (hasattr(formula, "free_symbols") or not callable(formula)):
        raise GeometryError(
            "sizes", largest, "belongs to functions, which are called", "leave it out"
        )
    if isinstance(formula, str):
        tree = read_formula(formula, spelling)
    elif hasattr(formula, "free_symbols"):
        tree = from_sympy(formula, spelling)
    elif callable(formula):
        function = Function.of(formula, largest)
        spelling, tree = function.parameters.spelling, function.tree
    else:
        raise GeometryError(
            "formula",
            formula,
            "must be text, a SymPy expression, or a function",
            "write such as 'floor((n + 2*p - k)/s) + 1'",
        )
    spellings = [spelling]
    conditions = []
    for text in _texts(given):
        spellings.append(Spelling())
        conditions.append(read_condition(text, spellings[-1]))
    conditions += [read_condition(text) for text in spelling.conditions if not _is_plain(text)]
    _refuse_mixture(spellings, options)
    meant = function.parameters.symbols.values() if function else names_of(tree or _NOTHING)
    used = frozenset(meant).union(*(condition.names for condition in conditions))
    setting = Setting.of(used, layer, ceil_mode, options)
    text = formula if isinstance(formula, str) else str(tree)
    given_once = tuple(dict.fromkeys(conditions))
    if len(given_once) > MOST_GIVEN:
        raise GeometryError(
            "given", f"{len(given_once)} conditions", f"must be at most {MOST_GIVEN}",
            "leave out those that follow from others",
        )  # fmt: skip
    return Question(tree, on_one_line(text), setting, given_once, function)


MOST_GIVEN = MOST_CONDITIONS // 2  # so that as many can be added
_NOTHING = Formula("number", (0,))


def _texts(given: Any) -> tuple[Any, ...]:
    if given is None or isinstance(given, str):
        return () if given is None else (given,)
    try:
        return tuple(given)
    except TypeError:
        raise GeometryError(
            "given", given, "must be conditions as text", "write such as ['s <= k', 'd = 1']"
        ) from None


def _is_plain(text: str) -> bool:
    """Say whether what a SymPy symbol assumes is true of it in every layer."""
    return any(text in (f"{low} <= {name}", f"0 <= {name}") for name, low in LEAST.items())


def _refuse_mixture(spellings: Sequence[Spelling], options: Mapping[str, Any]) -> None:
    """Refuse conditions that spell a quantity, or an axis, in another way than the formula.

    The symbols themselves may stand beside a longer name: answers are written in them.
    """
    names: dict[str, list[str]] = {}
    for spelling in spellings:
        for symbol, name in spelling.used.items():
            if name != symbol:
                names.setdefault(symbol, []).append(name)
    for symbol, found in names.items():
        refuse_two_spellings(symbol, found)
    refuse_two_axes([name for found in names.values() for name in found] + list(options))
