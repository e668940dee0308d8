"""A user's formula for an output size: proved, proved under more hypotheses, refuted, or swept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from convmat.certificates.statements import Certificate
from convmat.geometry.arguments import GeometryError
from convmat.proof.evidence.sizes import SizeEvidence, on_one_line
from convmat.proof.proofs import Proof
from convmat.proof.sizes.samples import constants
from convmat.proof.sizes.search import Agreement
from convmat.proof.sizes.settings import LEAST, Setting
from convmat.proof.verifying.answers import SizeCounterexample, Unproved
from convmat.proof.verifying.functions import Calls
from convmat.symbolic.formulas.conditions import Condition, read_condition
from convmat.symbolic.formulas.identities import prove
from convmat.symbolic.formulas.reading import LONGEST, from_sympy, read_formula
from convmat.symbolic.formulas.spelling import Spelling, refuse_two_axes, refuse_two_spellings
from convmat.symbolic.formulas.tracing import Parameters, parameters_of, trace
from convmat.symbolic.formulas.tree import Formula, names_of

__all__ = ["SizeCounterexample", "Unproved", "verify_output_size"]

ATTEMPTS = 8  # sets of hypotheses for which a proof is tried


@dataclass(frozen=True)
class _Question:
    """A formula as it was read, layer and conditions; the function, if it was one.

    `traced` says that the formula is what a function was traced to, and seen to give.
    """

    formula: Formula | None
    text: str
    setting: Setting
    given: tuple[Condition, ...]
    function: Parameters | None = None
    traced: bool = False

    @property
    def claim(self) -> str:
        given = ", ".join(str(condition) for condition in self.given)
        return (
            f"{self.text} is the output size of the layer {self.setting}, {self.setting.size}, "
            f"for all {self.setting.words()}" + (f", given {given}" if given else "")
        )

    def agreement(self) -> Agreement:
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


def verify_output_size(
    formula: Any,
    layer: str = "conv",
    *,
    ceil_mode: bool | None = None,
    given: Sequence[str] | None = (),
    **options: Any,
) -> Proof | SizeCounterexample | Unproved:
    """Find out whether a formula gives the output size of a layer along one axis.

    Parameters
    ----------
    formula : str, SymPy expression, or function
        In the symbols n (input size), k (kernel size), s (stride), p (padding at both ends, or p0
        and p1), d (dilation), a (output padding), r (scale), or longer names such as
        ``kernel_size``. One name for each quantity, all of one axis: H and W together, or k and
        kernel_size, are refused. Text is parsed by a grammar of its own, never evaluated; its
        divisions are exact, `round` takes the even one of two neighbours as Python and PyTorch do.
        What SymPy symbols assume (even, p positive) is given. A function is called by the names
        of its parameters, with symbols that record what it does, and with integers.
    layer : str
        conv, conv_transpose, pool, same (padding as TensorFlow's SAME), valid, full, unfold (the
        positions along an axis), pad, upsample.
    ceil_mode : bool, optional
        For pooling.
    given : sequence of str
        Conditions that may be assumed: ``"s <= k"``, ``"d < 2"``, ``"d = 1"``, ``"2 | k - 1"`` or
        ``"k % 2 = 1"`` (k is odd). A divisor has to be positive wherever the others hold.
    **options : int
        Options that are fixed, by any of their names: ``dilation=1``, ``padding=(0, 1)``.

    Returns
    -------
    Proof
        Of grade ``"all sizes"`` if the formula is right wherever the layer exists. If it is right
        only under more hypotheses, of grade ``"all sizes under added hypotheses"``; they are in
        its `hypotheses`, without them there is a counterexample, and it does not hold. What is
        proved of a function is about the expression that it was traced to, in exact fractions;
        claim and grade say so.
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
    millions of sizes, also near the constants of the formula and at random up to 2^40.

    A function is called at about a hundred thousand sizes, small and large (for two seconds at
    most). Unless it gives exactly what the expression gives that it was traced to, the function
    is only compared: so are functions that decide about their arguments or fail in floats.

    A layer ``"upsample"`` without a fixed scale has the scale r = u/v, any fraction. A float as
    scale stands for the simplest fraction that rounds to it, and sizes are exact. PyTorch works
    in floats and loses a sample now and then (at 4 of 4000 random sizes and scales).

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
    question = _read(formula, layer, ceil_mode, _texts(given), options)
    question.setting.hypotheses(question.given)  # or they contradict each other
    agreement = question.agreement()
    if not agreement.compared:
        raise GeometryError(
            "given",
            ", ".join(map(str, question.given)) or str(question.setting),
            "no layer was found that satisfies it",
            "fix fewer options, or others; leave conditions out",
        )
    if question.function is not None:
        return _called(question, agreement)
    return _tried(question, agreement)


def _tried(question: _Question, agreement: Agreement) -> Proof | SizeCounterexample | Unproved:
    """Look for a difference among the smallest sizes, for a proof, and for one further away."""
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
    return _refuted(question, agreement, difference, least=not agreement.moved)


def _swept(question: _Question, agreement: Agreement) -> SizeCounterexample | Unproved:
    """Look further: in millions of places, at large sizes, and where the formula may change."""
    far = agreement.far()
    if far is not None and far[0].place is not None:
        return _refuted(question, agreement, agreement.far_values(far[0]), least=False)
    special = constants(agreement.formula)
    difference, tried = agreement.sampled_difference(special)
    if difference is not None:
        return _refuted(question, agreement, difference, least=False)
    if far is None:
        box = f"the {agreement.compared} smallest, by their sum, and {tried} up to 2^40"
        return Unproved(question.claim, agreement.compared + tried, box, tried)
    return Unproved(question.claim, far[0].compared + tried, far[1], tried)


def _refuted(
    question: _Question, agreement: Agreement, at: dict[str, int], *, least: bool = True
) -> SizeCounterexample:
    return _counterexample(question, at, agreement.value(at), least=least)


def _counterexample(
    question: _Question, at: dict[str, int], value: Fraction | None, *, least: bool
) -> SizeCounterexample:
    size = question.setting.size_at(at)
    if value == size:  # floats and exact arithmetic would have to disagree
        raise AssertionError(f"{question.text} is right at {at}")
    in_order = {name: at[name] for name in question.setting.symbols}
    sizes = ", ".join(f"{name} = {number}" for name, number in in_order.items())
    none = "it fails" if question.formula is None else "it divides by zero"
    gives = f"has no value ({none})" if value is None else f"gives {value}"
    order = "no smaller sum of sizes has one" if least else "the smallest one that was found"
    where = f"at {sizes}" if sizes else "for this layer"
    what = "formula" if question.formula is not None else "function"
    return SizeCounterexample(
        question.claim,
        f"{where} the {what} {gives}, the layer has {size} "
        f"{'output' if size == 1 else 'outputs'} ({order})",
        first=int(value) if value is not None and value.denominator == 1 else value,
        second=size,
        at=in_order,
    )


def _called(question: _Question, agreement: Agreement) -> Proof | SizeCounterexample | Unproved:
    """Judge a function by calling it; believe what it was traced to only if it gives the same."""
    assert question.function is not None  # noqa: S101, for the reader
    tree, setting = question.formula, question.setting
    calls = Calls.of(question.function, setting, question.given, tree)
    count = len(calls.values)
    if tree is not None and not calls.unlike(setting.fill(tree)):
        answer = _tried(replace(question, text=str(tree), traced=True), agreement)
        if not isinstance(answer, SizeCounterexample):
            return answer
        again = Calls.at_one(question.function, setting, answer.at)
        if again == agreement.value(dict(answer.at)):
            return answer
    name = getattr(question.function.function, "__name__", "the function")
    alone = replace(question, formula=None, text=name)
    wrong = calls.unlike(setting.size)
    if wrong:
        at = calls.at(wrong[0])
        return _counterexample(alone, at, calls.values[wrong[0]], least=False)
    return Unproved(
        alone.claim, count, "the smallest by their sum, and others up to 2^40 at random"
    )


def _read(
    formula: Any,
    layer: str,
    ceil_mode: bool | None,
    given: tuple[str, ...],
    options: Mapping[str, Any],
) -> _Question:
    spelling, tree, function = Spelling(), None, None
    if isinstance(formula, str):
        tree = read_formula(formula, spelling)
    elif hasattr(formula, "free_symbols"):
        tree = from_sympy(formula, spelling)
    elif callable(formula):
        function = parameters_of(formula)
        spelling, tree = function.spelling, trace(formula)
    else:
        raise GeometryError(
            "formula",
            formula,
            "must be text, a SymPy expression, or a function",
            "write such as 'floor((n + 2*p - k)/s) + 1'",
        )
    spellings = [spelling]
    conditions = []
    for text in given:
        spellings.append(Spelling())
        conditions.append(read_condition(text, spellings[-1]))
    conditions += [read_condition(text) for text in spelling.conditions if not _is_plain(text)]
    _refuse_mixture(spellings, options)
    symbols = frozenset(function.symbols.values()) if function else names_of(tree or _NOTHING)
    used = symbols.union(*(condition.names for condition in conditions))
    setting = Setting.of(used, layer, ceil_mode, options)
    text = formula if isinstance(formula, str) else str(tree)
    given_once = tuple(dict.fromkeys(conditions))
    return _Question(tree, on_one_line(text), setting, given_once, function)


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
