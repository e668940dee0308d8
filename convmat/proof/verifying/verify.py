"""A user's formula for an output size: proved, proved under more hypotheses, refuted, or swept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from convmat.geometry.arguments import GeometryError
from convmat.proof.proofs import Proof
from convmat.proof.sizes.hypotheses import Candidates
from convmat.proof.sizes.samples import constants
from convmat.proof.sizes.search import Agreement
from convmat.proof.sizes.settings import Setting
from convmat.proof.verifying.answers import SizeCounterexample, Unproved, Way
from convmat.proof.verifying.functions import Calls, Function
from convmat.proof.verifying.question import Question, read_question
from convmat.symbolic.formulas.identities import contradiction
from convmat.symbolic.formulas.tracing import Stopped

__all__ = ["SizeCounterexample", "Unproved", "verify_output_size"]

ATTEMPTS = 8  # sets of hypotheses for which a proof is tried


def verify_output_size(
    formula: Any,
    layer: str = "conv",
    *,
    ceil_mode: bool | None = None,
    given: Sequence[str] | None = (),
    sizes: int | None = None,
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
    sizes : int, optional
        The largest size of a layer at which a function is called, be it an input, an output, a
        window, or an input with its padding. Without it, 2^40 for a function that computes with
        symbols, whatever it decides, so that it does arithmetic alone; 256 for every other one,
        which may run a real layer.
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

    A function is called at about a hundred thousand sizes, small and large, for two seconds at
    most, until it raises an exception; the answer says where that was. Unless it gives exactly what
    the expression gives that it was traced to, the function is only compared: so are functions that
    fail in floats. Of one that decides about its arguments, each branch is tried under its
    conditions; the answer is a counterexample if one is wrong there, and else `Unproved`, with what
    became of each in `branches`.

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
    question = read_question(formula, layer, ceil_mode, given, sizes, options)
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


def _tried(question: Question, agreement: Agreement) -> Proof | SizeCounterexample | Unproved:
    """Look for a difference among the smallest sizes, for a proof, and for one further away."""
    difference = agreement.smallest_difference()
    if difference is None:
        certificates = question.certificates(())
        if certificates is not None:
            return question.proof(certificates)
        return _swept(question, agreement)
    for attempt, added in enumerate(Candidates(agreement).sets()):
        certificates = question.certificates(added)
        if certificates is not None:
            return question.proof(certificates, added, difference)
        if attempt + 1 == ATTEMPTS:
            break
    return _refuted(question, agreement, difference, least=not agreement.moved)


def _swept(question: Question, agreement: Agreement) -> SizeCounterexample | Unproved:
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
    question: Question, agreement: Agreement, at: dict[str, int], *, least: bool = True
) -> SizeCounterexample:
    return _counterexample(question, at, agreement.value(at), least=least)


def _counterexample(
    question: Question,
    at: dict[str, int],
    value: Fraction | None,
    *,
    least: bool,
    failed: str = "",
) -> SizeCounterexample:
    size = question.setting.size_at(at)
    if value == size:  # floats and exact arithmetic would have to disagree
        raise AssertionError(f"{question.text} is right at {at}")
    in_order = {name: at[name] for name in question.setting.symbols}
    sizes = ", ".join(f"{name} = {number}" for name, number in in_order.items())
    none = (failed or "it fails") if question.formula is None else "it divides by zero"
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


def _called(question: Question, agreement: Agreement) -> Proof | SizeCounterexample | Unproved:
    """Judge a function by calling it; believe what it was traced to only if it gives the same."""
    assert question.function is not None  # noqa: S101, for the reader
    tree, setting, function = question.formula, question.setting, question.function
    calls = Calls.of(function, setting, question.given)
    if tree is not None and not calls.raised and not calls.unlike(setting.fill(tree)):
        answer = _tried(replace(question, text=str(tree), traced=True), agreement)
        if not isinstance(answer, SizeCounterexample) or _confirmed(function, setting, answer):
            return answer
    alone = replace(question, formula=None, text=function.name)
    wrong = calls.unlike(setting.size)
    if wrong:
        at, value = calls.at(wrong[0]), calls.values[wrong[0]]
        failed = calls.stopped if calls.raised and wrong[0] == len(calls.values) - 1 else ""
        return _counterexample(alone, at, value, least=False, failed=failed.partition(", at ")[0])
    ways = _branches(question)
    for way in ways:
        if isinstance(way.answer, SizeCounterexample) and _confirmed(function, setting, way.answer):
            at = dict(way.answer.at)
            return _counterexample(alone, at, function.at(setting, at), least=False)
    return Unproved(
        alone.claim,
        len(calls.values),
        f"the smallest by their sum, and others up to {_power(function.largest)} at random",
        stopped=calls.stopped,
        branches=ways,
        untraced=_untraced(function),
    )


def _power(number: int) -> str:
    return "2^40" if number == 2**40 else str(number)


def _untraced(function: Function) -> str:
    """Say why a function is not one expression, if it is not."""
    if function.tree is not None:
        return ""
    if not function.branches:
        return "it needs numbers where it was called with symbols"
    more = "" if function.whole else "; not all of its branches could be traced"
    return f"it decides about its arguments{more}"


def _confirmed(function: Function, setting: Setting, wrong: SizeCounterexample) -> bool:
    """Say whether a function gives what its expression gives, where that is wrong."""
    at = dict(wrong.at)
    if max(at.values(), default=1) > function.largest:
        return False
    try:
        return bool(function.at(setting, at) == wrong.first)
    except Stopped:
        raise
    except Exception:  # noqa: BLE001, a stranger's function
        return wrong.first is None


def _branches(question: Question) -> tuple[Way, ...]:
    """Try each branch of a function under its conditions."""
    found: list[Way] = []
    for branch in question.function.branches if question.function else ():
        if branch.formula is None or not branch.cases:
            found.append(Way(branch.words, None if branch.formula is None else str(branch.formula)))
        for case in branch.cases if branch.formula is not None else ():
            part = replace(
                question,
                formula=branch.formula,
                text=str(branch.formula),
                given=tuple(dict.fromkeys((*question.given, *case))),
                traced=True,
            )
            words = ", ".join(map(str, case))
            try:
                statements = part.setting.statements(part.given)
            except GeometryError:  # with a rounding in them, or a divisor that may be zero
                found.append(Way(words, part.text))
                continue
            if contradiction(statements) is None:
                found.append(Way(words, part.text, _tried_alone(part)))
    return tuple(found)


def _tried_alone(part: Question) -> Proof | SizeCounterexample | Unproved | None:
    """Prove or refute a branch, without hypotheses that it does not have; None if it is empty."""
    agreement = part.agreement()
    if not agreement.compared:
        return None
    difference = agreement.smallest_difference()
    if difference is not None:
        return _refuted(part, agreement, difference, least=False)
    certificates = part.certificates(())
    return part.proof(certificates) if certificates else _swept(part, agreement)
