"""A user's formula for an output size: proved, proved under more hypotheses, refuted, or swept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Rational
from typing import Any

from convmat._check import GeometryError
from convmat.proof._proofs import Counterexample, Proof
from convmat.proof._size_evidence import SizeEvidence
from convmat.proof._size_layers import Condition, Setting, read_condition
from convmat.proof._size_search import Agreement, value_at
from convmat.proof._steps import ProofStep, latex, plain_step
from convmat.symbolic.certificate import Certificate
from convmat.symbolic.formula.formulas import Formula, names_of
from convmat.symbolic.formula.identities import prove
from convmat.symbolic.formula.reading import LONGEST, from_sympy, read_formula
from convmat.symbolic.formula.tracing import parameters_of, trace

__all__ = ["SizeCounterexample", "Unproved", "verify_output_size"]

ATTEMPTS = 6  # sets of hypotheses for which a proof is tried


@dataclass(frozen=True)
class SizeCounterexample(Counterexample):
    """Sizes at which a formula does not give the output size of a layer.

    Attributes
    ----------
    at : dict of symbol to int
        The sizes.
    first : int, Fraction or None
        What the formula gives there; None if it divides by zero.
    second : int
        The layer's output size there.
    """

    at: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the counterexample as text."""
        data = json.loads(super().to_json())
        del data["column"], data["row"]
        return json.dumps(data | {"at": dict(self.at)}, indent=1)


@dataclass(frozen=True)
class Unproved:
    """A claim without a proof and without a counterexample among the sizes that were compared.

    Attributes
    ----------
    claim : str
    compared : int
        Number of layers at which the two agree.
    box : dict of symbol to (least, greatest), or str
        Which sizes were gone through.
    """

    claim: str
    compared: int
    box: Any
    grade: str = "no counterexample found"

    @property
    def holds(self) -> bool:
        """Always False: nothing is established."""
        return False

    @property
    def steps(self) -> tuple[ProofStep, ...]:
        """What was compared."""
        return (plain_step("Comparison", 1, self._seen, "compare", self.grade),)

    @property
    def _seen(self) -> str:
        if isinstance(self.box, str):
            return f"{self.compared} layers were compared: {self.box}"
        box = ", ".join(f"{low} <= {name} <= {high}" for name, (low, high) in self.box.items())
        return f"{self.compared} layers were compared, all with {box}"

    @property
    def summary(self) -> str:
        """The claim, and how far it was compared."""
        return (
            f"Not decided: {self.claim}.\nNo counterexample among {self.compared} parameter "
            f"sets; not established in general.\n{self._seen}."
        )

    def __str__(self) -> str:
        return self.summary

    def _repr_latex_(self) -> str:
        return latex(f"Not decided: {self.claim}.", self.steps)

    def to_json(self) -> str:
        """Return what was compared as text."""
        data = {
            "format": "convmat comparison 1",
            "claim": self.claim,
            "compared": self.compared,
            "box": self.box,
        }
        return json.dumps(data, indent=1)


@dataclass(frozen=True)
class _Question:
    """A formula as it was read, layer and conditions; how to compute it if it is no tree."""

    formula: Formula | None
    text: str
    setting: Setting
    given: tuple[Condition, ...]
    compute: Callable[[dict[str, int]], Fraction | None] | None = None

    @property
    def claim(self) -> str:
        given = ", ".join(str(condition) for condition in self.given)
        return (
            f"{self.text} is the output size of the layer {self.setting}, {self.setting.size}, "
            f"for all {self.setting.words()}" + (f", given {given}" if given else "")
        )

    def agreement(self) -> Agreement:
        return Agreement(self.formula, self.setting, self.given, self.compute)

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
        evidence = SizeEvidence(
            self.text,
            self.setting,
            tuple(map(str, self.given)),
            tuple(map(str, added)),
            tuple(exception[name] for name in self.setting.symbols) if exception else (),
            certificates,
        )
        return Proof(evidence.claim, evidence.grades, evidence)


def verify_output_size(
    formula: Any,
    layer: str = "conv",
    *,
    ceil_mode: bool | None = None,
    given: Sequence[str] = (),
    **options: Any,
) -> Proof | SizeCounterexample | Unproved:
    """Find out whether a formula gives the output size of a layer along one axis.

    Parameters
    ----------
    formula : str, SymPy expression, or function
        In the symbols n (input size), k (kernel size), s (stride), p (padding at both ends, or p0
        and p1), d (dilation), a (output padding), r (scale), or longer names such as
        ``kernel_size``. Text is parsed by a grammar of its own, never evaluated. A function is
        called with SymPy symbols, by the names of its parameters, and with integers.
    layer : str
        conv, conv_transpose, pool, same (padding as TensorFlow's SAME), valid, full, unfold (the
        positions along an axis), pad, upsample.
    ceil_mode : bool, optional
        For pooling.
    given : sequence of str
        Conditions that may be assumed: ``"s <= k"``, ``"d = 1"``, ``"2 | k - 1"`` (k is odd).
    **options : int
        Options that are fixed, by any of their names: ``dilation=1``, ``padding=(0, 1)``.

    Returns
    -------
    Proof
        Of grade ``"all sizes"`` if the formula is right wherever the layer exists. If it is right
        only under more hypotheses, of grade ``"all sizes under added hypotheses"``; they are in
        its `hypotheses`, and without them there is a counterexample.
    SizeCounterexample
        The sizes with the smallest sum at which the formula is wrong, with both numbers.
    Unproved
        Neither a proof nor a counterexample was found: how many sizes were compared.

    Raises
    ------
    GeometryError
        The formula is not understood, uses what the layer does not have, or the options and
        conditions contradict each other.

    Notes
    -----
    All sizes up to some sum are compared first (200 000 of them). What survives is to be proved
    with a certificate that the checker follows; what is neither proved nor refuted is compared at
    millions of sizes. The proof about a function is about the expression that it returns for
    symbols; it must agree with the function at thousands of integers, or the function is
    only compared.

    Examples
    --------
    >>> import convmat as cm
    >>> cm.verify_output_size("floor((n + 2*p - d*(k - 1) - 1)/s) + 1").grade
    'all sizes'
    >>> cm.verify_output_size("(n + 2*p - k)//s + 1").hypotheses
    ('d = 1',)
    >>> wrong = cm.verify_output_size("(n + 2*p - k)//s + 2", dilation=1)
    >>> wrong.at, wrong.first, wrong.second
    ({'n': 1, 'k': 1, 's': 1, 'p': 0}, 2, 1)
    """
    conditions = (given,) if isinstance(given, str) else tuple(given)
    question = _read(formula, layer, ceil_mode, conditions, options)
    question.setting.hypotheses(question.given)  # or they contradict each other
    agreement = question.agreement()
    if not agreement.compared:
        raise GeometryError(
            "options",
            str(question.setting),
            "leave no layer of a small size",
            "fix fewer options, or smaller ones",
        )
    difference = agreement.smallest_difference()
    if difference is None:
        certificates = question.certificates(())
        if certificates is not None:
            return question.proof(certificates)
        return _swept(question, agreement)
    for attempt, added in enumerate(agreement.restrictions()):
        certificates = question.certificates(added)
        if certificates is not None:
            return question.proof(certificates, added, difference)
        if attempt + 1 == ATTEMPTS:
            break
    return _refuted(question, agreement, difference)


def _swept(question: _Question, agreement: Agreement) -> SizeCounterexample | Unproved:
    """Look further, in millions of places."""
    far = agreement.far()
    if far is None:
        return Unproved(
            question.claim, agreement.compared, f"the {agreement.compared} smallest, by their sum"
        )
    found, box = far
    if found.place is not None:
        return _refuted(question, agreement, agreement.far_values(found), least=False)
    return Unproved(question.claim, found.compared, box)


def _refuted(
    question: _Question, agreement: Agreement, at: dict[str, int], *, least: bool = True
) -> SizeCounterexample:
    value, size = agreement.value(at), question.setting.size_at(at)
    if value == size:  # floats and exact arithmetic would have to disagree
        raise AssertionError(f"{question.text} is right at {at}")
    in_order = {name: at[name] for name in question.setting.symbols}
    sizes = ", ".join(f"{name} = {number}" for name, number in in_order.items())
    gives = "has no value (it divides by zero)" if value is None else f"gives {value}"
    order = "no smaller sum of sizes has one" if least else "the smallest one that was found"
    where = f"at {sizes}" if sizes else "for this layer"
    return SizeCounterexample(
        question.claim,
        f"{where} the formula {gives}, the layer has {size} "
        f"{'output' if size == 1 else 'outputs'} ({order})",
        first=int(value) if value is not None and value.denominator == 1 else value,
        second=size,
        at=in_order,
    )


def _read(
    formula: Any,
    layer: str,
    ceil_mode: bool | None,
    given: tuple[str, ...],
    options: Mapping[str, Any],
) -> _Question:
    tree, compute, symbols = _tree(formula)
    conditions = tuple(read_condition(text) for text in given)
    used = symbols.union(*(condition.names for condition in conditions))
    setting = Setting.of(used, layer, ceil_mode, options)
    compute = None if compute is None else _completed(compute, setting)
    if tree is None or compute is None:
        text = formula if isinstance(formula, str) else str(tree)
        if tree is None:
            text = getattr(formula, "__name__", "the function")
        return _Question(tree, " ".join(text.split()), setting, conditions, compute)
    # A function that was traced: believe the tree only if the function agrees with it.
    question = _Question(tree, str(tree), setting, conditions)
    if _agree(tree, compute, setting):
        return question
    name = getattr(formula, "__name__", "the function")
    return _Question(None, name, setting, conditions, compute)


def _completed(
    compute: Callable[[dict[str, int]], Fraction | None], setting: Setting
) -> Callable[[dict[str, int]], Fraction | None]:
    """Return a function of what is not fixed."""
    numbers = {symbol: number.evaluate({}) for symbol, number in setting.fixed}
    fixed: dict[str, Any] = {s: int(v) if v.denominator == 1 else v for s, v in numbers.items()}
    return lambda values: compute({**fixed, **values})


def _agree(
    tree: Formula, compute: Callable[[dict[str, int]], Fraction | None], setting: Setting
) -> bool:
    """Say whether a function gives what its tree gives, wherever there is a small layer."""
    sample = Agreement(None, setting, (), compute)
    filled = setting.fill(tree)
    return all(value_at(filled, values) == compute(values) for values in sample.layers())


def _tree(
    formula: Any,
) -> tuple[Formula | None, Callable[[dict[str, int]], Fraction | None] | None, frozenset[str]]:
    """Return the tree, how to compute a function, and the symbols that are used."""
    if isinstance(formula, str):
        tree = read_formula(formula)
        return tree, None, names_of(tree)
    if hasattr(formula, "free_symbols"):
        tree = from_sympy(formula)
        return tree, None, names_of(tree)
    if not callable(formula):
        raise GeometryError(
            "formula",
            formula,
            "must be text, a SymPy expression, or a function",
            "write such as 'floor((n + 2*p - k)/s) + 1'",
        )
    parameters = parameters_of(formula)

    def compute(values: dict[str, int]) -> Fraction | None:
        try:
            return _as_fraction(parameters.call(values))
        except Exception:  # noqa: BLE001, a stranger's function that fails has no value
            return None

    return trace(formula), compute, frozenset(parameters.symbols.values())


def _as_fraction(value: Any) -> Fraction | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (Rational, float)):
        return Fraction(value)
    if getattr(value, "is_Rational", False):
        return Fraction(int(value.p), int(value.q))
    return Fraction(int(value.__index__()))
