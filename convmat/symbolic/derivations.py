"""The proofs: which step follows from which. `certificate(name)` writes them down for the checker.

Everything here may be wrong without harm: a mistake makes the checker refuse the certificate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from convmat.symbolic.certificate import Certificate, Statement, Step, Term, eq, floor, le, lt
from convmat.symbolic.polynomials import Polynomial, symbols
from convmat.symbolic.theorems import THEOREMS, Theorem

__all__ = ["TRANSPOSE", "certificate"]

# The theorems that together say: the transposed convolution is the transpose.
TRANSPOSE = (
    "size of the transposed convolution",
    "output padding",
    "convolution to transposed convolution",
    "transposed convolution to convolution",
)


class Draft:
    """A certificate in the making. Hypotheses enter when a step first uses them."""

    def __init__(self, theorem: Theorem) -> None:
        self.theorem = theorem
        self.steps: list[Step] = []
        self.place: dict[Statement, int] = {}

    def add(
        self,
        statement: Statement,
        rule: str,
        premises: tuple[int, ...] = (),
        terms: tuple[Term, ...] = (),
    ) -> Statement:
        """Append a step, unless its statement is there already; return the statement."""
        if statement not in self.place:
            self.place[statement] = len(self.steps)
            self.steps.append(Step(statement, rule, premises, terms))
        return statement

    def find(self, statement: Statement) -> int:
        """Return the number of a statement's step; only hypotheses may be new."""
        if statement not in self.place:
            self.add(statement, "hypothesis")
        return self.place[statement]

    def define(self, symbol: Polynomial, value: Polynomial) -> Statement:
        """Name an expression by a fresh symbol."""
        return self.add(eq(symbol, value), "define")

    def combine(
        self, statement: Statement, *terms: tuple[int | Polynomial, *tuple[Statement, ...]]
    ) -> Statement:
        """Conclude from terms (coefficient, factor, ...)."""
        numbered = tuple(
            (Polynomial.of(c), tuple(self.find(factor) for factor in factors))
            for c, *factors in terms
        )
        used = tuple(sorted({i for _, indices in numbered for i in indices}))
        return self.add(statement, "combine", used, numbered)

    def follow(self, statement: Statement, rule: str, *premises: Statement) -> Statement:
        """Conclude by a rule without data."""
        return self.add(statement, rule, tuple(self.find(p) for p in premises))

    def establish(self, goals: tuple[Statement, ...]) -> None:
        """Add the goals that are hypotheses."""
        for goal in goals:
            if goal in self.theorem.hypotheses:
                self.find(goal)

    def finish(self) -> Certificate:
        """Return the certificate; it is for the checker to say whether it is one."""
        theorem = self.theorem
        return Certificate(theorem.name, theorem.hypotheses, theorem.goals, tuple(self.steps))


@cache
def certificate(name: str) -> Certificate:
    """Return the certificate of a theorem of `THEOREMS`."""
    draft = Draft(THEOREMS[name])
    _WRITERS[name](draft)
    draft.establish(draft.theorem.goals)
    return draft.finish()


def _transposed_size(c: Draft) -> None:
    """Show n = s(m-1) + d(k-1) + 1 - p0 - p1 + a, that the window fits, and f = m."""
    n, m, s, d, k, p0, p1, a = symbols("n m s d k p0 p1 a")
    s1, m1, a0 = le(1, s), le(1, m), le(0, a)
    _, size = _same_count(c)
    # The room for the window's start, s(m - 1) + a, is a sum of terms that are >= 0.
    c.combine(le(d * (k - 1) + 1, n + p0 + p1), (-1, size), (1, s1, m1), (1, m1), (1, a0))


def _same_count(c: Draft) -> tuple[Statement, Statement]:
    """Show f = m and, on the way, the closed form of n; return both."""
    n, m, s, d, k, p0, p1, a, q, f, length = symbols("n m s d k p0 p1 a q f length")
    room = n + p0 + p1 - d * (k - 1) - 1
    stretched = eq(length, s * (m - 1) + 1 + (d * (k - 1) - p0) + (d * (k - 1) - p1 + a))
    counted = eq(n, length - d * (k - 1))
    size = c.combine(
        eq(n, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a), (1, counted), (1, stretched)
    )
    # Thus room = s(m - 1) + a with 0 <= a < s: the quotient of the floor is m - 1.
    low = c.combine(le(s * (m - 1), room), (-1, size), (1, le(0, a)))
    high = c.combine(lt(room, s * (m - 1) + s), (1, size), (1, lt(a, s)))
    quotient = c.follow(floor(m - 1, room, s), "floor", low, high)
    same = c.follow(eq(m - 1, q), "floor same", quotient, floor(q, room, s))
    return c.combine(eq(f, m), (1, eq(f, q + 1)), (-1, same)), size


def _output_padding(c: Draft) -> None:
    """Show that a, the remainder of the floor, is an output padding that gives back n."""
    n, m, s, d, k, p0, p1, a, q, back_to = symbols("n m s d k p0 p1 a q N")
    room = n + p0 + p1 - d * (k - 1) - 1
    s1, fits = le(1, s), le(d * (k - 1) + 1, n + p0 + p1)
    quotient, outputs = floor(q, room, s), eq(m, q + 1)
    low = c.follow(le(s * q, room), "floor low", quotient, s1)
    high = c.follow(lt(room, s * q + s), "floor high", quotient, s1)
    rest = c.define(a, room - s * (m - 1))
    back = c.define(back_to, s * (m - 1) + d * (k - 1) + 1 - p0 - p1 + a)
    c.combine(le(0, a), (-1, rest), (s, outputs), (1, low))
    c.combine(lt(a, s), (1, rest), (-s, outputs), (1, high))
    c.combine(eq(back_to, n), (1, back), (1, rest))
    bound = c.combine(le(0, s * q + s - 1), (1, high), (1, fits))
    positive = c.follow(le(0, q), "divide", s1, bound)
    c.combine(le(1, m), (1, positive), (-1, outputs))


def _forward_entries(c: Draft) -> None:
    """Turn an entry (o, i, tap) of the convolution into one (t, j, flip) of the other."""
    maps, _ = _same_count(c)
    n, m, f, s, d, k, p0, length = symbols("n m f s d k p0 length")
    o, i, tap, t, j, flip, u, v = symbols("o i tap t j flip u v")
    d1, reads = le(1, d), eq(i, s * o + d * tap - p0)
    at_t = c.define(t, i)
    at_j = c.define(j, o)
    flipped = c.define(flip, k - 1 - tap)
    inserted = c.define(u, s * j)
    padded = c.define(v, u + d * (k - 1) - p0)
    # v - t - d*flip = s*o + d*(k-1) - p0 - i - d*(k-1-tap) = 0.
    position = c.combine(
        eq(v, t + d * flip),
        (1, padded), (1, inserted), (s, at_j), (-1, at_t), (-1, reads), (-d, flipped),
    )  # fmt: skip
    c.combine(le(0, j), (1, le(0, o)), (-1, at_j))
    c.combine(lt(j, m), (1, lt(o, f)), (1, maps), (1, at_j))
    t0 = c.combine(le(0, t), (1, le(0, i)), (-1, at_t))
    tn = c.combine(lt(t, n), (1, lt(i, n)), (1, at_t))
    flip0 = c.combine(le(0, flip), (1, lt(tap, k)), (-1, flipped))
    flipk = c.combine(lt(flip, k), (1, le(0, tap)), (1, flipped))
    c.combine(le(0, v), (-1, position), (1, t0), (1, d1, flip0), (1, flip0))
    counted = eq(n, length - d * (k - 1))
    c.combine(lt(v, length), (1, position), (1, tn), (1, d1, flipk), (1, flipk), (1, counted))


def _transposed_entries(c: Draft) -> None:
    """Turn an entry (t, j, flip) of the transposed convolution into one (o, i, tap)."""
    maps, _ = _same_count(c)
    n, m, f, s, d, k, p0 = symbols("n m f s d k p0")
    o, i, tap, t, j, flip, u, v = symbols("o i tap t j flip u v")
    at_i = c.define(i, t)
    at_o = c.define(o, j)
    tapped = c.define(tap, k - 1 - flip)
    inserted, padded, position = eq(u, s * j), eq(v, u + d * (k - 1) - p0), eq(v, t + d * flip)
    c.combine(
        eq(i, s * o + d * tap - p0),
        (1, at_i), (-s, at_o), (-d, tapped), (1, inserted), (1, padded), (-1, position),
    )  # fmt: skip
    c.combine(le(0, i), (1, le(0, t)), (-1, at_i))
    c.combine(lt(i, n), (1, lt(t, n)), (1, at_i))
    c.combine(le(0, o), (1, le(0, j)), (-1, at_o))
    c.combine(lt(o, f), (1, lt(j, m)), (1, at_o), (-1, maps))
    c.combine(le(0, tap), (1, lt(flip, k)), (-1, tapped))
    c.combine(lt(tap, k), (1, le(0, flip)), (1, tapped))


_WRITERS: dict[str, Callable[[Draft], None]] = dict(
    zip(
        TRANSPOSE,
        (_transposed_size, _output_padding, _forward_entries, _transposed_entries),
        strict=True,
    )
)
