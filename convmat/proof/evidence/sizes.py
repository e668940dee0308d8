"""The evidence that a formula gives the output size of a layer, for all sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convmat.certificates.checker import Refused
from convmat.certificates.statements import Certificate, fields, malformed
from convmat.geometry.arguments import GeometryError
from convmat.geometry.printing import OneLine
from convmat.proof.sizes.search import Agreement, smallest, value_at
from convmat.proof.sizes.settings import LAYERS, LEAST, WORDS, Setting
from convmat.proof.steps import ALL_SIZES, ProofStep
from convmat.symbolic.formulas.conditions import Condition, read_condition
from convmat.symbolic.formulas.identities import Identity
from convmat.symbolic.formulas.reading import read_formula
from convmat.symbolic.formulas.tree import names_of

if TYPE_CHECKING:
    from convmat.operator import Operator

__all__ = ["SizeEvidence", "on_one_line"]

# Given and added together: each takes time in the search for contradictions.
MOST_CONDITIONS = 16

RESTRICTED = "all sizes under added hypotheses"
COMPARED = 300  # small layers at which formula and layer are compared in fractions
OF_A_TRACE = ", for the expression traced from a function"


@dataclass(frozen=True, slots=True, repr=False)
class SizeEvidence(OneLine):
    """A formula, a layer, hypotheses, and a certificate for each case of their equality.

    `formula`, `given` and `added` are texts, read again whenever they are used. `given` was asked
    for; `added` was found to be needed: `exception` are sizes, in the order of the layer's
    symbols, at which the formula is wrong without it (empty if nothing was added).

    The formula may be what a function was traced to (`traced`). That the function itself was seen
    to give the same is told, not proved: nobody who checks the certificates can repeat it.
    """

    formula: str
    setting: Setting
    given: tuple[str, ...]
    added: tuple[str, ...]
    exception: tuple[int, ...]
    certificates: tuple[Certificate, ...]
    traced: bool = False

    @property
    def hypotheses(self) -> tuple[str, ...]:
        """What had to be added for the formula to hold; empty if it always does."""
        return self.added

    @property
    def grades(self) -> tuple[str, ...]:
        """All sizes, or those that satisfy what was added; of a function, its expression."""
        return ((RESTRICTED if self.added else ALL_SIZES) + (OF_A_TRACE if self.traced else ""),)

    @property
    def claim(self) -> str:
        """Formula, layer, sizes and hypotheses."""
        under = f", under the added hypotheses {_list(self.added)}" if self.added else ""
        given = f", given {_list(self.given)}" if self.given else ""
        traced = (
            "the expression traced from a function (not the function, which was only compared with "
            "it), worked out in exact fractions, "
            if self.traced
            else ""
        )
        return (
            f"{traced}{self.formula} is the output size of the layer {self.setting}, "
            f"{self.setting.size}, for all {self.setting.words()}{given}{under}"
        ) + self._elsewhere()

    def _elsewhere(self) -> str:
        """Say where the formula is wrong without the added hypotheses."""
        if not self.added:
            return ""
        sizes = ", ".join(f"{name} = {number}" for name, number in self.at.items())
        value, size = self._sides()
        gives = "has no value" if value is None else f"gives {value}"
        return f"; without them it is wrong: at {sizes} it {gives}, the layer has {size}"

    def _sides(self) -> tuple[Any, int]:
        """Return what the formula gives at the exception, and the size that the layer has."""
        at = self.at
        value = value_at(self.setting.fill(read_formula(self.formula)), at)
        try:
            return value, self.setting.size_at(at)
        except GeometryError as error:
            raise Refused(f"the exception is no layer: {error}") from None

    @property
    def counterexample(self) -> dict[str, Any] | None:
        """Sizes at which the formula is wrong without what was added, and both sides there."""
        if not self.added:
            return None
        value, size = self._sides()
        return {"at": self.at, "first": None if value is None else str(value), "second": str(size)}

    @property
    def at(self) -> dict[str, int]:
        """The sizes at which the formula is wrong without what was added."""
        return dict(zip(self.setting.symbols, self.exception, strict=False))

    def conditions(self) -> tuple[Condition, ...]:
        """Return what is given and what was added."""
        return tuple(read_condition(text) for text in (*self.given, *self.added))

    def identity(self) -> Identity:
        """Return the equality that the certificates are about."""
        return Identity(
            self.setting.fill(read_formula(self.formula)),
            self.setting.size,
            self.setting.hypotheses(self.conditions()),
            self.certificates,
        )

    def steps(self) -> tuple[ProofStep, ...]:
        """Write every case with what it assumes."""
        legend = ", ".join(f"{symbol} {WORDS[symbol]}" for symbol in self.setting.symbols)
        return tuple(
            ProofStep(
                f"{certificate.theorem}: {_goal(certificate)}. For all integers with "
                f"{', '.join(str(hypothesis) for hypothesis in certificate.hypotheses)}. "
                f"Symbols: {legend}.",
                number,
                str(step.statement),
                "assumed" if step.rule == "hypothesis" else step.reason,
                self.grades[0],
                step.statement.latex(),
            )
            for certificate in self.certificates
            for number, step in enumerate(certificate.steps, 1)
        )

    def objection(self, _first: Operator, _second: Operator) -> str | None:
        """Refuse any operators."""
        return "the claim is about an output size, not about two operators"

    def check(self, _operators: tuple[Operator, Operator] | None = None) -> None:
        """Read the formula, write the theorems down, follow the certificates."""
        if len(self.given) + len(self.added) > MOST_CONDITIONS:
            raise Refused(f"there are more than {MOST_CONDITIONS} conditions")
        try:
            _same_setting(self)
            identity = self.identity()
        except GeometryError as error:
            raise Refused(str(error)) from None
        if not names_of(identity.first) <= set(self.setting.symbols):
            raise Refused("the formula uses symbols that the layer does not have")
        if not Agreement(identity.first, self.setting, self.conditions()).compared:
            raise Refused("no small sizes satisfy the hypotheses")
        if len(self.exception) != (len(self.setting.symbols) if self.added else 0):
            raise Refused("sizes without the added hypotheses are needed where any were added")
        if self.added:
            self._check_exception(identity)
        identity.check()
        self._check_at_small_sizes(identity)

    def _check_at_small_sizes(self, identity: Identity) -> None:
        """Compare formula and layer in plain fractions, without instructions and without SymPy.

        Certificates are about statements that `convmat.symbolic.formulas.programs` made of the two
        formulas, and SymPy simplified one of them: here neither has a hand in it.
        """
        setting, conditions = self.setting, self.conditions()
        limits = setting.legal()
        compared = 0
        for at in smallest(setting.symbols):
            if any(limit.evaluate(at) < 0 for limit in limits):
                continue
            if not all(setting.filled(condition).holds_at(at) for condition in conditions):
                continue
            size = setting.size_at(at)
            for formula, what in ((identity.first, "formula"), (identity.second, "layer's size")):
                value = value_at(formula, at)
                if value != size:
                    raise Refused(f"at {at} the {what} {formula} is {value}, not {size}")
            compared += 1
            if compared == COMPARED:
                break

    def _check_exception(self, identity: Identity) -> None:
        """See that the formula is wrong where it is said to be, and only for want of `added`."""
        at, setting = self.at, self.setting
        if any(value < LEAST[symbol] for symbol, value in at.items()) or any(
            limit.evaluate(at) < 0 for limit in setting.legal()
        ):
            raise Refused(f"there is no layer at {at}")
        given, added = (
            [setting.filled(read_condition(text)).holds_at(at) for text in texts]
            for texts in (self.given, self.added)
        )
        if not all(given):
            raise Refused(f"what is given does not hold at {at}")
        if all(added):
            raise Refused(f"what was added holds at {at}")
        if value_at(identity.first, at) == setting.size_at(at):
            raise Refused(f"the formula is right at {at}")

    def to_json(self) -> dict[str, Any]:
        """Return texts, integers and certificates."""
        return {
            "kind": "output size",
            "formula": self.formula,
            "layer": self.setting.layer,
            "fixed": {symbol: str(value) for symbol, value in self.setting.fixed},
            "equal": self.setting.equal,
            "given": list(self.given),
            "added": list(self.added),
            "exception": list(self.exception),
            "traced": self.traced,
            "certificates": [certificate.to_json() for certificate in self.certificates],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SizeEvidence:
        """Read what `to_json` wrote."""
        lists = ("given", "added", "exception", "certificates")
        fields(value, {"kind", "formula", "layer", "fixed", "equal", "traced", *lists})
        if value["layer"] not in tuple(LAYERS):
            raise malformed(value["layer"], "a layer")
        if not all(isinstance(value[name], bool) for name in ("equal", "traced")):
            raise malformed(value, "true or false")
        if not all(isinstance(value[name], list) for name in lists):
            raise malformed(value, "lists of hypotheses and certificates")
        if len(value["given"]) + len(value["added"]) > MOST_CONDITIONS:
            raise malformed(value["given"], f"at most {MOST_CONDITIONS} conditions")
        texts = [value["formula"], *value["given"], *value["added"]]
        if not isinstance(value["fixed"], dict) or not all(isinstance(t, str) for t in texts):
            raise malformed(value, "texts")
        fixed = {symbol: _number(text) for symbol, text in value["fixed"].items()}
        name, _, more = value["layer"].partition(",")
        try:
            made = Setting.of(frozenset(), name, True if more else None, fixed)
        except GeometryError as error:
            raise malformed(value["fixed"], f"options of the layer: {error}") from None
        found = cls(
            value["formula"],
            Setting(value["layer"], made.fixed, value["equal"]),
            tuple(value["given"]),
            tuple(value["added"]),
            tuple(_size(number) for number in value["exception"]),
            tuple(Certificate.from_json(entry) for entry in value["certificates"]),
            value["traced"],
        )
        if {symbol: str(number) for symbol, number in made.fixed} != value["fixed"]:
            raise malformed(value["fixed"], "symbols of options and their numbers")
        _same_setting(found)
        _as_spelled(found)
        return found


def _as_spelled(evidence: SizeEvidence) -> None:
    """Refuse texts that say the same as those that would be written, but in another way."""
    if evidence.formula != on_one_line(evidence.formula):
        raise malformed(evidence.formula, "a formula without needless spaces")
    texts = (*evidence.given, *evidence.added)
    if tuple(map(str, evidence.conditions())) != texts or len(set(texts)) != len(texts):
        raise malformed(", ".join(texts), "conditions as they are written, each once")


def on_one_line(text: str) -> str:
    """Return a formula as claims show it: as it was written, but for spaces and line breaks."""
    return " ".join(text.split())


def _same_setting(evidence: SizeEvidence) -> None:
    """Refuse a setting that formula, conditions and options do not give."""
    setting = evidence.setting
    used = names_of(read_formula(evidence.formula)).union(
        *(condition.names for condition in evidence.conditions())
    )
    name, _, more = setting.layer.partition(",")
    numbers = {symbol: number.evaluate({}) for symbol, number in setting.fixed}
    fixed = {s: int(v) if v.denominator == 1 else v for s, v in numbers.items()}
    try:
        made = Setting.of(used - fixed.keys(), name, True if more else None, fixed)
    except GeometryError as error:
        raise malformed(setting, f"a layer with such options: {error}") from None
    if made != setting:
        raise malformed(setting, "a layer with the options that were fixed")


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise malformed(value, "a size")
    return value


def _number(text: Any) -> Any:
    if not isinstance(text, str):
        raise malformed(text, "a number as text")
    value = read_formula(text)
    if names_of(value):
        raise malformed(text, "a number as text")
    number = value.evaluate({})
    return int(number) if number.denominator == 1 else number


def _goal(certificate: Certificate) -> str:
    if [str(goal) for goal in certificate.goals] == ["1 <= 0"]:
        return "this case does not occur"
    return str(certificate.goals[-1])


def _list(texts: tuple[str, ...]) -> str:
    return ", ".join(texts)
