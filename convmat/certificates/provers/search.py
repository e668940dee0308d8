"""Writing certificates for statements about integers by linear arithmetic over products of facts.

A statement ``e >= 0`` is sought as a sum of products of known facts with factors >= 0: a linear
program finds the factors, exact fractions repeat its last step. Equations are used to eliminate
symbols. Floors bring in their two bounds; what remains smaller than a divisor is divided away.
Nothing here is believed: `convmat.certificates.checker` follows what is written down.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from convmat.certificates.polynomials import Monomial, Polynomial
from convmat.certificates.provers import monomials
from convmat.certificates.provers.combining import solve
from convmat.certificates.provers.draft import Draft, bounds
from convmat.certificates.provers.ratios import divide_out
from convmat.certificates.statements import Statement, eq, floor, le, lt

__all__ = ["Arithmetic"]

MOST_COLUMNS, MOST_PAIRED, LONGEST_REWRITING = 2500, 12, 64
ZERO, ONE = Polynomial(), Polynomial.of(1)


class _Rule(NamedTuple):
    """The monomial that an equation eliminates, its coefficient (1 or -1), and the equation."""

    lead: Monomial
    sign: int
    equation: Statement


class _Fact(NamedTuple):
    """An inequality and its slack after elimination."""

    statement: Statement
    slack: Polynomial


Multiples = list[tuple[Polynomial, Statement]]


class Arithmetic:
    """What is known in a draft, and how to conclude from it."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.rules: list[_Rule] = []
        self.facts: list[_Fact] = []
        self.floors: list[Statement] = []
        self._products: dict[tuple[int, ...], Polynomial] = {}

    def assume(self, statements: Iterable[Statement]) -> bool:
        """Take in hypotheses, floors with their bounds; False if a divisor may not be positive."""
        ordered = sorted(statements, key=monomials.turn)
        for statement in ordered:
            if statement.relation == "=":
                self.eliminate(statement)
            elif statement.relation != "floor":
                self._know(statement)
        for pair in itertools.combinations(self.facts[:MOST_PAIRED], 2):
            self._tighten(*pair)
        self._fix_ones()
        return all(self._use_floor(s) for s in ordered if s.relation == "floor")

    def _fix_ones(self) -> None:
        """From an equation of a product with a number, such as d*d = 1, conclude d = 1."""
        for rule in list(self.rules):
            if monomials.degree(rule.equation.left) < 2 or rule.equation.right.constant() is None:
                continue
            for name, _ in rule.lead:
                equation = self.equal(Polynomial.symbol(name), ONE)
                if equation is not None:
                    self.eliminate(equation)

    def _know(self, statement: Statement) -> None:
        slack, _ = self.reduce(statement.slack)
        constant = slack.constant()
        if (constant is None or constant < 0) and all(f.slack != slack for f in self.facts):
            self.facts.append(_Fact(statement, slack))
            self._tighten(self.facts[-1])

    def _tighten(self, *facts: _Fact) -> None:
        """From ``g*u + c >= 0`` for a sum of facts conclude ``u + floor(c/g) >= 0``."""
        slack = sum((fact.slack for fact in facts), ZERO)
        constant = slack.terms.get((), 0)
        divisor = math.gcd(*(number for monomial, number in slack.terms.items() if monomial))
        if divisor < 2 or constant % divisor == 0:
            return
        parts = {m: number // divisor for m, number in slack.terms.items() if m}
        rest = Polynomial(parts) + constant // divisor
        larger = rest * divisor + divisor - 1
        spare = (larger - slack).terms.get((), 0)  # nothing else is left of the difference
        terms = [(1, fact.statement) for fact in facts]
        total = sum((fact.statement.slack for fact in facts), ZERO)
        _, multiples = self.reduce(larger - total - spare)
        enough = self.draft.combine(le(0, larger), *terms, (spare,), *multiples)
        positive = self.draft.combine(le(1, divisor), (divisor - 1,))
        self._know(self.draft.follow(le(0, rest), "divide", positive, enough))

    def establish(self, statement: Statement) -> bool:
        """Establish a statement of any kind; False if no proof is found."""
        if statement.relation == "=":
            return self.equal(statement.left, statement.right) is not None
        if statement.relation != "floor":
            return self.known(statement)
        if statement in self.draft.place:
            return True
        if not all(map(self.known, bounds(statement))):
            return False
        self.draft.follow(statement, "floor", *bounds(statement))
        return True

    def use(self, statement: Statement) -> None:
        """Let what follows use a statement that stands in the draft."""
        if statement.relation == "=":
            self.eliminate(statement)
        elif statement.relation == "floor":
            self._use_floor(statement)
        else:
            known = self.facts[:MOST_PAIRED]
            self._know(statement)
            new = [fact for fact in self.facts if fact.statement == statement]
            for pair in itertools.product(known, new):
                self._tighten(*pair)

    # Equations

    def eliminate(self, statement: Statement) -> None:
        """Use an equation to replace a symbol that stands alone in it, or else a product."""
        slack, multiples = self.reduce(statement.slack)
        if not slack.terms:
            return
        constant = slack.constant()
        if constant:  # 0 = constant: everything follows
            sign = -1 if constant > 0 else 1
            less = [(m * -sign, e) for m, e in multiples]
            self.draft.combine(le(1, 0), (sign, statement), *less, (abs(constant) - 1,))
            return
        leads = monomials.leads(slack)
        if not leads:
            left, right = statement.left, statement.right
            for small, large, sign in ((left, right, 1), (right, left, -1)):
                self._know(self.draft.combine(le(small, large), (sign, statement), (0,)))
            return
        lead = min(leads, key=lambda m: monomials.preference(m, statement))
        sign = slack.terms[lead]
        symbol = Polynomial({lead: 1})
        equation = eq(symbol, symbol - slack * sign)
        if multiples or (len(lead) == 1 and equation != statement):
            less = [(m * sign, e) for m, e in multiples]
            self.draft.combine(equation, (-sign, statement), *less)
            sign = -1  # the slack of x = v is v - x
        else:
            equation = statement
        self.rules.append(_Rule(lead, sign, equation))
        facts, self.facts, self._products = self.facts, [], {}
        for fact in facts:
            self._know(fact.statement)

    def reduce(self, polynomial: Polynomial) -> tuple[Polynomial, Multiples]:
        """Return r and multiples with ``polynomial = r + sum(multiple * slack of equation)``."""
        multiples: Multiples = []
        for lead, sign, equation in self.rules:
            whole = ZERO
            for _ in range(LONGEST_REWRITING):
                factor = ZERO
                for m, number in polynomial.terms.items():
                    if monomials.divides(lead, m):
                        factor = factor + Polynomial({monomials.over(m, lead): number * sign})
                if not factor.terms:
                    break
                polynomial = polynomial - factor * equation.slack
                whole = whole + factor
            if whole.terms:
                multiples.append((whole, equation))
        return polynomial, multiples

    def equal(self, left: Polynomial, right: Polynomial) -> Statement | None:
        """Establish ``left = right``, or return None."""
        statement = eq(left, right)
        if statement in self.draft.place:
            return statement
        slack, multiples = self.reduce(statement.slack)
        if not slack.terms:
            return self.draft.combine(statement, *multiples)
        common = monomials.common_factor(slack)
        rest = divide_out(slack, common)[0]
        if common != ONE and rest.symbols:  # that factor is zero, which may need division
            zero = self.equal(ZERO, rest)
            if zero is not None:
                return self.draft.combine(statement, (common, zero), *multiples)
        by_floor = self._as_quotient(statement, slack, multiples)
        if by_floor is not None:
            return by_floor
        if not (self.known(le(left, right)) and self.known(le(right, left))):
            return None
        draft = self.draft
        draft.combine(le(right, right))
        draft.combine(lt(right, right + 1))
        high = draft.combine(lt(right, left + 1), (1, le(right, left)))
        first = draft.follow(floor(left, right, ONE), "floor", le(left, right), high)
        second = draft.follow(
            floor(right, right, ONE), "floor", le(right, right), lt(right, right + 1)
        )
        return draft.follow(statement, "floor same", first, second)

    def _as_quotient(
        self, statement: Statement, slack: Polynomial, multiples: Multiples
    ) -> Statement | None:
        """Establish an equation that says ``q = v`` of a floor q, if v is between its bounds."""
        for quotient in self.floors:
            symbol = quotient.left
            sign = sum(slack.terms.get(m, 0) * number for m, number in symbol.terms.items())
            value = symbol - slack * sign
            if abs(sign) != 1 or symbol.symbols & value.symbols:
                continue
            again = Statement("floor", value, quotient.right, quotient.divisor)
            if all(map(self._sum, bounds(again))):
                self.draft.follow(again, "floor", *bounds(again))
                same = self.draft.follow(eq(symbol, value), "floor same", quotient, again)
                return self.draft.combine(statement, (-sign, same), *multiples)
        return None

    # Inequalities

    def known(self, statement: Statement) -> bool:
        """Establish an inequality: as a sum of products, or by division by divisors of floors."""
        if statement in self.draft.place:
            return True
        if self._sum(statement):
            return True
        slack, _ = self.reduce(statement.slack)
        for divisor in (*self._divisors(slack), *self._gaps()):
            positive = le(1, divisor)
            larger = le(0, divisor * statement.slack + divisor - 1)
            if self._sum(positive) and self._sum(larger):
                self.draft.follow(statement, "divide", positive, larger)
                return True
        return False

    def _divisors(self, slack: Polynomial) -> list[Polynomial]:
        """Return divisors of the floors that occur, and products of two of them."""
        mine = [f for f in self.floors if f.left.symbols <= slack.symbols] or self.floors
        single = list(dict.fromkeys(f.divisor or ONE for f in mine))[:6]
        pairs = [a * b for a, b in itertools.combinations_with_replacement(single, 2)]
        found = [d for d in dict.fromkeys([*single, *pairs]) if d != ONE]
        return found[:12]

    def _gaps(self) -> list[Polynomial]:
        """Return 1 + u + v for facts u >= 0, v >= 0 with u*v = 0, of which one is 0.

        If e + u >= 0 and e + v >= 0 then e >= 0, for (1 + u + v)*e + u + v is
        u*(e + v) + v*(e + u) + (e + u) + v - 2*u*v.
        """
        slacks = [fact.statement.slack for fact in self.facts]
        return [slacks[i] + slacks[j] + 1 for i, j in self._alternatives()]

    def _alternatives(self) -> list[tuple[int, int]]:
        """Return the pairs of facts whose product is 0 by an equation of products."""
        if all(len(rule.lead) == 1 for rule in self.rules):
            return []
        pairs = itertools.combinations(range(len(self.facts)), 2)
        return [pair for pair in pairs if not self._product(pair).terms]

    def _sum(self, statement: Statement) -> bool:
        """Establish an inequality as a sum of products of facts."""
        if statement in self.draft.place:
            return True
        goal, _ = self.reduce(statement.slack)
        constant = goal.constant()
        if constant is not None and constant >= 0:
            return self._conclude(statement, {(): Fraction(constant)})
        for columns in self._stages(goal):
            factors = solve([self._product(c) for c in columns], goal)
            if factors is not None:
                chosen = {c: f for c, f in zip(columns, factors, strict=True) if f}
                return self._conclude(statement, chosen)
        return False

    def _stages(self, goal: Polynomial) -> Iterable[list[tuple[int, ...]]]:
        """Offer more and longer products, each time with those before."""
        every = range(len(self.facts))
        single: list[tuple[int, ...]] = [(), *((i,) for i in every)]
        yield single
        degree = monomials.degree(goal)
        gaps = set(itertools.chain(*self._alternatives()))
        simple = [i for i in every if i in gaps or len(self.facts[i].slack.terms) <= 2]
        few = [(i, j) for i in simple for j in every if i <= j or j not in simple]
        if degree > 1 or any(monomials.degree(fact.slack) > 1 for fact in self.facts):
            pairs = [*single, *few]
            yield pairs[:MOST_COLUMNS]
            if degree > 2:
                triples = [(i, *pair) for i in simple for pair in few if i <= pair[0]]
                yield [*pairs, *triples][:MOST_COLUMNS]

    def _product(self, column: tuple[int, ...]) -> Polynomial:
        if column not in self._products:
            product = math.prod((self.facts[i].slack for i in column), start=ONE)
            self._products[column] = self.reduce(product)[0]
        return self._products[column]

    def _conclude(self, statement: Statement, chosen: dict[tuple[int, ...], Fraction]) -> bool:
        """Write down a sum with these factors; a common denominator is divided away."""
        scale = math.lcm(*(factor.denominator for factor in chosen.values()))
        terms: list[Any] = []
        total = statement.slack * scale
        for column, factor in chosen.items():
            statements = [self.facts[i].statement for i in column]
            number = int(factor * scale)
            terms.append((number, *statements))
            total = total - math.prod((s.slack for s in statements), start=ONE) * number
        rest, multiples = self.reduce(total)
        if rest.terms:  # never, as the sum is exact
            return False
        terms = terms or [(0,)]
        if scale == 1:
            self.draft.combine(statement, *terms, *multiples)
            return True
        terms.append((scale - 1,))
        larger = le(0, statement.slack * scale + scale - 1)
        positive = self.draft.combine(le(1, scale), (scale - 1,))
        self.draft.combine(larger, *terms, *multiples)
        self.draft.follow(statement, "divide", positive, larger)
        return True

    # Floors

    def _use_floor(self, statement: Statement) -> bool:
        """Replace a floor by an earlier one or a polynomial, or else know its bounds."""
        divisor = statement.divisor or ONE
        positive = le(1, divisor)
        if not self.known(positive):
            return False
        quotient, numerator = statement.left, statement.right
        for bound, rule in zip(bounds(statement), ("floor low", "floor high"), strict=True):
            self.draft.follow(bound, rule, statement, positive)
            self._know(bound)
        for earlier in self.floors:
            if (earlier.right, earlier.divisor) == (numerator, divisor):
                same = eq(earlier.left, quotient)
                self.eliminate(self.draft.follow(same, "floor same", earlier, statement))
                return True
        self.floors.append(statement)
        for value in self._values(statement):
            equation = self.equal(quotient, value)
            if equation is not None:
                self.eliminate(equation)
                return True
        if self._sum(le(0, numerator)):
            bound = le(0, quotient)
            if self.known(bound):
                self._know(bound)
        return True

    def _values(self, statement: Statement) -> Iterable[Polynomial]:
        """Guess polynomials in symbols and earlier quotients that a quotient equals."""
        numerator, divisor = self._flat(statement)
        if not divisor.terms:  # in a case that does not occur
            return
        quotient, rest = divide_out(numerator, divisor)
        if len(rest.terms) < len(numerator.terms):
            yield quotient
            if rest.terms:
                yield quotient - 1
        for earlier in self.floors[:-1]:
            other, under = self._flat(earlier)
            if not under.terms:
                continue
            cross = numerator * under - other * divisor
            if not cross.terms:
                yield earlier.left
                continue
            quotient, rest = divide_out(cross, divisor * under)
            if quotient.terms and not rest.terms:
                yield earlier.left + quotient
            if under == divisor:  # floor(x/s) + floor((-x - 1)/s) = -1
                quotient, rest = divide_out(numerator + other, divisor)
                if rest == -1:
                    yield quotient - 1 - earlier.left

    def _flat(self, statement: Statement) -> tuple[Polynomial, Polynomial]:
        """Return numerator and divisor of a floor, a floor inside of it taken into both."""
        numerator, _ = self.reduce(statement.right)
        divisor, _ = self.reduce(statement.divisor or ONE)
        for inner in self.floors:
            if inner == statement or len(inner.left.terms) != 1:
                continue
            if numerator.terms.get(monomials.monomial(inner.left)) != 1:
                continue
            rest = numerator - inner.left
            if not inner.left.symbols & (rest.symbols | divisor.symbols):
                over, under = self._flat(inner)
                return over + rest * under, divisor * under
        return numerator, divisor
