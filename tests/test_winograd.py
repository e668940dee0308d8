"""Fast convolution: transforms, proofs, counts and errors."""

import dataclasses
import itertools
import json
import math
import time
from fractions import Fraction

import numpy as np
import pytest
import sympy

import convmat as cm
from convmat.symbolic import Refused, Winograd, winograd
from convmat.symbolic.minimal_filtering import points
from convmat.symbolic.minimal_filtering.bilinear import BilinearProof, Identity
from convmat.symbolic.minimal_filtering.points import CANDIDATES, INFINITY, good_points
from convmat.symbolic.minimal_filtering.rounding import rounded

SIZES = [(1, 1), (1, 3), (3, 1), (2, 3), (4, 3), (6, 3), (3, 3), (2, 5), (4, 5), (3, 2), (5, 4)]
NESTED = [((2, 2), (3, 3)), ((4, 2), (3, 5)), ((2, 3, 1), (3, 2, 2))]
HALF = Fraction(1, 2)

# Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016:
# section 4.1 for F(2 x 2, 3 x 3), and section 4.3 for F(4 x 4, 3 x 3).
LAVIN_GRAY = {
    (2, 3): (
        [[1, 1, 1, 0], [0, 1, -1, -1]],
        [[1, 0, 0], ["1/2", "1/2", "1/2"], ["1/2", "-1/2", "1/2"], [0, 0, 1]],
        [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    ),
    (4, 3): (
        [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
        [
            ["1/4", 0, 0],
            ["-1/6", "-1/6", "-1/6"],
            ["-1/6", "1/6", "-1/6"],
            ["1/24", "1/12", "1/6"],
            ["1/24", "-1/12", "1/6"],
            [0, 0, 1],
        ],
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
    ),
}


def direct(data, taps):
    """The definition, in whatever arithmetic the numbers have."""
    shape = [n - k + 1 for n, k in zip(data.shape, taps.shape, strict=True)]
    y = np.zeros(shape, np.result_type(data, taps))
    for o, k in itertools.product(np.ndindex(*shape), np.ndindex(*taps.shape)):
        y[o] = y[o] + taps[k] * data[tuple(map(sum, zip(o, k, strict=True)))]
    return y


def symbols(name, shape):
    return np.array([sympy.Symbol(f"{name}{i}") for i in range(math.prod(shape))]).reshape(shape)


def layer_matrix(F):
    """The matrix of the layer in symbols w[...], from the constructors of the package."""
    geometry, ones = F.geometry, np.ones((1, 1, *F.geometry.kernel))
    made = cm.conv_transpose if geometry.flipped else cm.conv
    operator = made(ones, geometry.in_shape)
    assert operator.out_shape == geometry.out_shape
    return operator.symbolic_matrix()


def assert_computes_its_layer(F):
    """AT [(G g) * (BT d)], multiplied out, is the convolution's matrix times d."""
    kernel = F.geometry.kernel
    w = sympy.IndexedBase("w")
    g = sympy.Matrix([w[0, 0, *k] for k in np.ndindex(*kernel)])
    d = sympy.Matrix(sympy.symbols(f"d:{F.BT.cols}"))
    y = F.AT * sympy.matrices.dense.matrix_multiply_elementwise(F.G * g, F.BT * d)
    assert y.expand() == sympy.Matrix(layer_matrix(F) * d).expand()


@pytest.mark.parametrize(("m", "r"), [*SIZES, ((2, 2), (3, 3)), ((2, 1), (2, 3))])
def test_multiplied_out_it_is_the_convolution(m, r):
    F = winograd(m, r)
    for algorithm in (F, F.transpose()):
        assert_computes_its_layer(algorithm)


@pytest.mark.parametrize(("m", "r"), SIZES + NESTED)
def test_proofs_hold_for_all_three_layers(m, r):
    F = winograd(m, r)
    for algorithm in (F, F.transpose(), F.weight_gradient()):
        proof = algorithm.prove()
        assert proof.holds
        assert proof.geometry == algorithm.geometry
        assert len(proof.steps) == sum(
            a.window.n_in * a.window.n_out * a.window.kernel for a in algorithm.factors
        )


@pytest.mark.parametrize(("m", "r"), SIZES + NESTED)
def test_sizes_and_counts(m, r):
    F = winograd(m, r)
    outputs, taps = np.ravel(m), np.ravel(r)
    assert F.multiplications == math.prod(outputs + taps - 1)
    assert F.direct_multiplications == math.prod(outputs) * math.prod(taps)
    assert F.AT.shape == (math.prod(outputs), F.multiplications)
    assert F.G.shape == (F.multiplications, math.prod(taps))
    assert F.BT.shape == (F.multiplications, F.multiplications)
    assert all(entry.is_Integer for entry in (*F.AT, *F.BT))
    assert len(F.axes) == len(outputs)
    if len(F.axes) == 2:
        first, second = F.axes
        for name in ("AT", "G", "BT"):
            product = sympy.kronecker_product(getattr(first, name), getattr(second, name))
            assert getattr(F, name) == product


def test_two_dimensional_map_is_the_proved_one():
    """The Kronecker products themselves, against the layer: every one of 4 * 9 * 16 numbers."""
    for F in (winograd((2, 2), (3, 3)), winograd((2, 2), (3, 3)).transpose()):
        AT, G, BT = (
            np.array([[Fraction(int(e.p), int(e.q)) for e in row] for row in matrix.tolist()])
            for matrix in (F.AT, F.G, F.BT)
        )
        found = np.einsum("oa,ak,ai->oki", AT, G, BT)
        expected = np.zeros(found.shape, dtype=int)
        w = sympy.IndexedBase("w")
        numbers = {w[0, 0, *k]: n for n, k in enumerate(np.ndindex(3, 3))}
        for (o, i), entry in layer_matrix(F).todok().items():
            expected[o, numbers[entry], i] = 1
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("size", LAVIN_GRAY)
def test_published_matrices_up_to_scaling(size):
    """Same points, same algorithm: row a of G and of BT, and column a of AT, up to a number."""
    finite = [0, 1, -1, 2, -2][: sum(size) - 2]
    F = winograd(*size, points=finite)
    AT, G, BT = map(sympy.Matrix, LAVIN_GRAY[size])
    for a in range(F.multiplications):
        scales = []
        for ours, theirs in (
            (F.AT[:, a], AT[:, a]),
            (F.G[a, :], G[a, :]),
            (F.BT[a, :], BT[a, :]),
        ):
            (scale,) = {o / t for o, t in zip(ours, theirs, strict=True) if t or o}
            scales.append(scale)
        assert math.prod(scales) == 1
    assert abs(AT) == abs(F.AT) if size == (2, 3) else AT == F.AT
    assert BT == F.BT or size == (2, 3)


def test_transposition_principle():
    """<y, F(d, g)> = <F.transpose()(y, g), d> = <F.weight_gradient()(d, y), g>, exactly."""
    rng = np.random.default_rng(1)
    for m, r in [(2, 3), (4, 3), (3, 5), *NESTED]:
        F = winograd(m, r)
        T, W = F.transpose(), F.weight_gradient()
        d, g, y = (
            rng.integers(-9, 10, shape).astype(object)
            for shape in (F.geometry.in_shape[1:], F.geometry.kernel, F.geometry.out_shape[1:])
        )
        value = (y * F(d, g)).sum()
        assert value == (d * T(y, g)).sum() == (g * W(d, y)).sum() == (y * direct(d, g)).sum()
        assert (T.multiplications, T.direct_multiplications) == (
            F.multiplications,
            F.direct_multiplications,
        )
        assert T.transpose() == F
        assert W.weight_gradient() == F
        assert T.weight_gradient() == W
        # The weight gradient is itself a correlation, of r outputs.
        assert W.geometry == winograd(r, m).geometry


def test_symbolic_data_and_exact_fractions():
    F = winograd((2, 1), (2, 3))
    d, g = symbols("d", F.geometry.in_shape[1:]), symbols("g", F.geometry.kernel)
    difference = [sympy.expand(e) for e in (F(d, g) - direct(d, g)).ravel()]
    assert difference == [0] * len(difference)
    thirds = winograd(2, 2)(np.array([Fraction(1, 3)] * 3), np.array([Fraction(1, 7), 1]))
    assert thirds.tolist() == [sympy.Rational(8, 21)] * 2


# Proofs are checked, not believed


def changed(proof, number, **fields):
    identities = list(proof.identities)
    identities[number] = dataclasses.replace(identities[number], **fields)
    return dataclasses.replace(proof, identities=tuple(identities))


def with_factor(proof, **fields):
    first, *others = proof.factors
    return dataclasses.replace(proof, factors=(dataclasses.replace(first, **fields), *others))


def test_tampering_is_refused():
    proof = winograd(2, 3).prove()
    several = [n for n, e in enumerate(proof.identities) if len(e.terms) > 1]
    zero, one = (next(n for n in several if proof.identities[n].total == t) for t in (0, 1))
    edited = [
        changed(proof, one, total=0),
        changed(proof, zero, total=1),
        changed(proof, one, terms=(Fraction(1),)),
        changed(proof, one, terms=(*proof.identities[one].terms, Fraction(0))),
        changed(proof, one, tap=2),
        changed(proof, 0, axis=1),
        dataclasses.replace(proof, identities=proof.identities[:-1]),
        dataclasses.replace(proof, identities=proof.identities[::-1]),
        dataclasses.replace(proof, identities=proof.identities * 2),
        dataclasses.replace(proof, factors=()),
        dataclasses.replace(proof, factors=proof.factors * 2),
    ]
    (factor,) = proof.factors
    for name in ("output", "filter", "data"):
        rows = getattr(factor, name)
        edited.append(with_factor(proof, **{name: rows[::-1]}))
        edited.append(with_factor(proof, **{name: rows[:-1]}))
        edited.append(with_factor(proof, **{name: tuple(row[:-1] for row in rows)}))
    edited.append(with_factor(proof, flipped=True))
    for field in ("n_in", "n_out", "kernel", "stride", "base", "dilation", "pad"):
        window = factor.window._replace(**{field: getattr(factor.window, field) + 1})
        edited.append(with_factor(proof, window=window))
    edited.append(with_factor(proof, window=factor.window._replace(base=0)))
    for number, wrong in enumerate(edited):
        assert not wrong.holds, number
        with pytest.raises(Refused):
            wrong.check()


def test_a_wrong_algorithm_with_consistent_steps_is_refused():
    """The steps are multiplied out anew from wrong matrices: the totals give them away."""
    from convmat.symbolic.minimal_filtering.bilinear import derive

    (factor,) = winograd(2, 3).factors
    for name, matrix in (("output", 0), ("filter", 1), ("data", 2)):
        rows = [list(row) for row in getattr(factor, name)]
        rows[0][0] += matrix + 1
        wrong = dataclasses.replace(factor, **{name: tuple(map(tuple, rows))})
        with pytest.raises(Refused, match=r"step \d+ does not follow"):
            derive((wrong,)).check()


def test_totals_wanted_by_the_layer_do_not_hide_wrong_sums():
    """Scaled output, true terms, and the totals that the layer has: only the sums are wrong."""
    from convmat.symbolic.minimal_filtering.bilinear import derive

    (factor,) = winograd(2, 3).factors
    halved = tuple(tuple(entry / 2 for entry in row) for row in factor.output)
    right = winograd(2, 3).prove().identities
    wrong = derive((dataclasses.replace(factor, output=halved),))
    pairs = zip(wrong.identities, right, strict=True)
    pretended = tuple(dataclasses.replace(e, total=good.total) for e, good in pairs)
    with pytest.raises(Refused, match="add up to 1/2, not to 1"):
        dataclasses.replace(wrong, identities=pretended).check()


def test_recheck_with_fractions_alone():
    """The same identities, added up here: nothing of the checker is used."""
    for F in (winograd(4, 3), winograd(2, 3).transpose()):
        proof = BilinearProof.from_json(F.prove().to_json())
        (factor,) = proof.factors
        flip = F.geometry.flipped
        for e in proof.identities:
            total = sum(
                a * g[e.tap] * d[e.input]
                for a, g, d in zip(factor.output[e.output], factor.filter, factor.data, strict=True)
            )
            expected = e.output == e.tap + e.input if flip else e.input == e.output + e.tap
            assert total == sum(e.terms) == e.total == expected


def test_proofs_are_kept_as_text():
    proof = winograd((2, 2), (3, 2)).prove()
    text = proof.to_json()
    assert BilinearProof.from_json(text) == proof
    assert str(proof).startswith("proved: y = AT [(G g) * (BT d)] is the layer (4, 3) -> (2, 2)")
    assert "1/2 + 1/2 = 1" in winograd(2, 3).prove().explain()
    value = json.loads(text)
    value["identities"][5][5] ^= 1
    assert str(BilinearProof.from_json(json.dumps(value))).startswith("refused")


@pytest.mark.parametrize(
    "edit",
    [
        lambda v: v.pop("factors"),
        lambda v: v.update(more=1),
        lambda v: v.update(identities=3),
        lambda v: v["identities"][0].pop(),
        lambda v: v["identities"][0].__setitem__(0, 0.0),
        lambda v: v["identities"][0].__setitem__(4, ["0.5"]),
        lambda v: v["identities"][0].__setitem__(4, ["1/0"]),
        lambda v: v["identities"][0].__setitem__(4, ["__import__('os')"]),
        lambda v: v["factors"][0].update(window=[4, 2, 3]),
        lambda v: v["factors"][0].update(window=[4, 2, 3, 1, 1, 1, True]),
        lambda v: v["factors"][0].update(window=[10**9, 2, 3, 1, 1, 1, 0]),
        lambda v: v["factors"][0].update(flipped=0),
        lambda v: v["factors"][0].update(data=[[None]]),
    ],
)
def test_malformed_text_is_an_error(edit):
    value = json.loads(winograd(2, 3).prove().to_json())
    edit(value)
    with pytest.raises(cm.GeometryError):
        BilinearProof.from_json(json.dumps(value)).check()


def test_truncated_text_is_an_error():
    text = winograd(2, 3).prove().to_json()
    for cut in (0, 1, len(text) // 2, len(text) - 1):
        with pytest.raises(cm.GeometryError):
            BilinearProof.from_json(text[:cut])
    with pytest.raises(cm.GeometryError):
        BilinearProof.from_json("[" * 100_000)


def test_identities_read_well():
    identity = Identity(0, 1, 2, 3, (HALF, -HALF), 0)
    assert str(identity) == "axis 0: the coefficient of g[2] d[3] in y[1] is 1/2 + (-1/2) = 0"


# Points


def test_any_points_give_an_algorithm():
    rng = np.random.default_rng(0)
    pool = [Fraction(p, q) for q in range(1, 6) for p in range(-6, 7)]
    pool = [*dict.fromkeys(pool)]
    for m, r in [(2, 3), (3, 3), (2, 4), (4, 2)]:
        chosen = [pool[i] for i in rng.choice(len(pool), m + r - 1, replace=False)]
        for given in (chosen, chosen[1:], [*chosen[2:], math.inf, chosen[0]]):
            F = winograd(m, r, points=given)
            assert F.prove().holds
            assert_computes_its_layer(F)


def test_points_of_every_kind_of_number():
    given = [0, np.int64(1), sympy.Integer(-1), sympy.Rational(1, 2), Fraction(-1, 2)]
    F = winograd(4, 3, points=given)
    assert F.points == (((0, 1), (1, 1), (-1, 1), (1, 2), (-1, 2), INFINITY),)
    assert winograd(4, 3, points=[*given, sympy.oo]) == F
    assert winograd(4, 3, points=[*given, math.inf]) == F
    assert winograd(4, 3, points=[*given, -math.inf]) == F
    both = winograd((4, 2), (3, 3), points=[given, None])
    assert both.axes == (F, winograd(2, 3))


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ((2, 3, [0, 1, 1]), "points"),
        ((2, 3, [0, 1, sympy.Rational(2, 2)]), "points"),
        ((2, 3, [0, 1, math.inf, -math.inf]), "points"),
        ((2, 3, [0, 1]), "points"),
        ((2, 3, [0, 1, 2, 3, 4]), "points"),
        ((2, 3, []), "points"),
        ((2, 3, [0, 1, 0.5]), "points"),
        ((2, 3, [0, 1, math.nan]), "points"),
        ((2, 3, [0, 1, sympy.sqrt(2)]), "points"),
        ((2, 3, [0, 1, sympy.Symbol("a")]), "points"),
        ((2, 3, [0, 1, True]), "points"),
        ((2, 3, [0, 1, "1/2"]), "points"),
        ((2, 3, [0, 1, 1j]), "points"),
        ((2, 3, [0, 1, None]), "points"),
        ((2, 3, [0, 1, np.arange(3)]), "points"),
        ((2, 3, "012"), "points"),
        ((2, 3, 1), "points"),
        (((2, 2), (3, 3), [0, 1, -1]), "points"),
        (((2, 2), (3, 3), [[0, 1, -1]]), "points"),
        (((2, 2), (3, 3), 3), "points"),
        ((0, 3), "m"),
        ((2, 0), "r"),
        ((2.0, 3), "m"),
        ((True, 3), "m"),
        (("2", 3), "m"),
        (((), ()), "m"),
        (((2, 2), 3), "r"),
        ((2, (3,)), "r"),
        (((2, 2), (3, 3, 3)), "r"),
        ((60, 10), "m"),
        ((20, 3), "points"),
    ],
)
def test_bad_arguments(arguments, argument):
    with pytest.raises(cm.GeometryError) as caught:
        winograd(*arguments)
    assert caught.value.argument == argument


def test_bad_data_and_dtypes():
    F = winograd(2, 3)
    with pytest.raises(cm.GeometryError, match="data"):
        F([1, 2, 3], [1, 2, 3])
    with pytest.raises(cm.GeometryError, match="filter"):
        F([1, 2, 3, 4], [[1, 2, 3]])
    for dtype in (int, complex, object, "nonsense", np.longdouble):
        with pytest.raises(cm.GeometryError, match="dtype"):
            F.as_float(dtype)
    with pytest.raises(cm.GeometryError, match="entries"):
        _ = winograd((8,) * 4, (3,) * 4).BT


def amplification(given, m, r):
    """From the definition with Lagrange's basis, in fractions: no code of the package."""
    largest = Fraction()
    for j in range(m):
        total = Fraction(1) * (j == m - 1) * sum(map(abs, monic(given)))  # infinity
        for a in given:
            others = [b for b in given if b != a]
            basis = monic(others)
            value = math.prod((a - b for b in others), start=Fraction(1))
            total += (
                abs(a**j) * sum(abs(a) ** k for k in range(r)) * sum(map(abs, basis)) / abs(value)
            )
        largest = max(largest, total)
    return largest


def monic(roots):
    polynomial = [Fraction(1)]
    for root in roots:
        pairs = zip([Fraction(), *polynomial], [*polynomial, Fraction()], strict=True)
        polynomial = [above - root * here for above, here in pairs]
    return polynomial


def finite(F):
    return [Fraction(p, q) for p, q in F.points[0] if q]


def table():
    lines = [line.strip() for line in winograd.__doc__.splitlines()]
    for line in lines:
        if line.startswith("F(") and line[2].isdigit() and "  " in line:
            name, chosen, value, simplest = (part.strip() for part in line.split("  ") if part)
            yield pytest.param(*map(int, name[2:-1].split(",")), chosen, value, simplest, id=name)


@pytest.mark.parametrize(("m", "r", "chosen", "value", "simplest"), list(table()))
def test_table_of_default_points(m, r, chosen, value, simplest):
    F = winograd(m, r)
    assert finite(F) == [Fraction(point) for point in chosen.split(",")]
    assert F.amplification == amplification(finite(F), m, r)
    assert f"{float(F.amplification):.4g}" == value
    first = [0, 1, -1, 2, -2, HALF, -HALF, 3, -3][: m + r - 2]
    assert [Fraction(*c) for c in CANDIDATES[: len(first)]] == first
    assert f"{float(amplification([Fraction(p) for p in first], m, r)):.4g}" == simplest


def test_the_table_is_complete():
    assert [p.id for p in table()] == [
        *("F(2, 3)", "F(3, 2)", "F(3, 3)", "F(4, 3)", "F(5, 3)", "F(6, 3)"),
        *("F(2, 5)", "F(4, 5)", "F(6, 5)"),
    ]


@pytest.mark.parametrize(("m", "r"), [(2, 2), (2, 3), (3, 3), (2, 4), (3, 2)])
def test_default_points_are_near_the_best_of_all(m, r):
    """Every set of candidates, each bound from the exact matrices."""
    value = bound(winograd(m, r))
    pool = [Fraction(*c) for c in CANDIDATES]
    least = min(
        bound(winograd(m, r, points=chosen))
        for chosen in itertools.combinations(pool[:13], m + r - 2)
    )
    sets = np.array(list(itertools.combinations(CANDIDATES, m + r - 2)), np.int64)
    assert points.relative_bounds(sets, m, r).min() <= float(least) * (1 + 1e-12)
    assert value <= points.relative_bounds(sets, m, r).min() * 1.0500001


def bound(F):
    return F.amplification * F.roundings


@pytest.mark.parametrize(("m", "r"), [(5, 3), (6, 3), (4, 5), (2, 7)])
def test_exchanging_points_finds_what_random_search_does_not_better(m, r):
    rng = np.random.default_rng(0)
    number = m + r - 2
    order = rng.permuted(np.tile(np.arange(len(CANDIDATES)), (20_000, 1)), axis=1)[:, :number]
    others = points.relative_bounds(np.array(CANDIDATES, np.int64)[order], m, r)
    assert float(bound(winograd(m, r))) <= others.min() * 1.05


def test_bounds_of_many_sets_are_those_of_the_matrices():
    rng = np.random.default_rng(0)
    for m, r in [(2, 3), (3, 4), (6, 3), (8, 5)]:
        for _ in range(10):
            chosen = rng.choice(len(CANDIDATES), m + r - 2, replace=False)
            sets = np.array(CANDIDATES, np.int64)[chosen][None]
            exact = bound(winograd(m, r, points=[Fraction(*CANDIDATES[i]) for i in chosen]))
            assert points.relative_bounds(sets, m, r)[0] == pytest.approx(float(exact), rel=1e-12)


# Errors


def measured(F, dtype, seed=0, tiles=200):
    """Root mean square error, and the largest error in units of its bound."""
    rng = np.random.default_rng(seed)
    squares, worst = [], 0.0
    for _ in range(tiles):
        d = rng.uniform(-1, 1, F.geometry.in_shape[1:]).astype(dtype)
        g = rng.uniform(-1, 1, F.geometry.kernel).astype(dtype)
        y = F(d, g)
        assert y.dtype == dtype
        error = np.abs(y - direct(d.astype(np.float64), g.astype(np.float64)))
        squares.append(error.ravel() ** 2)
        within = F.error_bound(d, g, dtype)
        assert (within <= F.error_bound(dtype=dtype) * (1 + 1e-12)).all()
        worst = max(worst, float((error / within).max()))
    return math.sqrt(np.concatenate(squares).mean()), worst


@pytest.mark.parametrize(
    ("m", "r"), [(2, 3), (4, 3), (6, 3), (8, 3), (2, 5), (4, 5), (3, 2), ((4, 4), (3, 3))]
)
def test_float32_errors_stay_below_the_bound(m, r):
    F = winograd(m, r)
    rms, worst = measured(F, np.float32)
    assert 1e-9 < rms < float(F.error_bound().max()) / 10
    assert 0.001 < worst <= 1  # a bound that nothing comes near would say nothing


def test_float16_errors_stay_below_the_bound():
    assert 0.001 < measured(winograd(4, 3), np.float16)[1] <= 1


def test_default_points_measure_better_than_integers():
    """0, 1, -1, 2, -2 in two dimensions, and 0, 1, -1, ..., 4 where numbers grow."""
    both = [[0, 1, -1, 2, -2]] * 2
    pairs = [
        (winograd((4, 4), (3, 3)), winograd((4, 4), (3, 3), points=both)),
        (winograd(8, 3), winograd(8, 3, points=[0, 1, -1, 2, -2, 3, -3, 4, -4])),
    ]
    for ours, integers in pairs:
        assert measured(ours, np.float32)[0] < 0.9 * measured(integers, np.float32)[0]
        assert ours.amplification < integers.amplification


def test_bound_in_two_dimensions_is_the_product():
    F = winograd((2, 4), (3, 3))
    assert F.amplification == math.prod(axis.amplification for axis in F.axes)
    assert F.roundings == sum(axis.roundings - 1 for axis in F.axes) + 1
    unit = 2.0**-24
    gamma = F.roundings * unit / (1 - F.roundings * unit)
    assert F.error_bound().max() == pytest.approx(gamma * float(F.amplification), rel=1e-12)
    with pytest.raises(cm.GeometryError, match="wider"):
        winograd((2,) * 300, (3,) * 300).error_bound(dtype=np.float16)


def test_constants_are_rounded_to_the_nearest():
    value = Fraction(1, 3)
    third = rounded(((value,),), np.dtype(np.float32))[0, 0]
    assert third == np.float32(1) / np.float32(3)
    # A detour by float64 would end on the even neighbour, which is farther away.
    between = 1 + Fraction(1, 2**24) + Fraction(1, 2**80)
    assert rounded(((between,),), np.dtype(np.float32))[0, 0] == np.float32(1 + 2.0**-23)
    AT, G, BT = winograd(4, 3).as_float()
    assert AT.dtype == G.dtype == BT.dtype == np.float32
    assert G[1, 0] == np.float32(1 / 120)


def test_counts_of_the_published_algorithm():
    """Lavin and Gray count 4 additions for the data of F(2, 3), and 32 and 24 in 2-D."""
    F = winograd(2, 3)
    assert F.data_cost == (4, 0, 0)
    assert F.output_cost == (4, 0, 0)
    assert F.filter_cost == (4, 6, 6)
    nested = winograd((2, 2), (3, 3))
    assert nested.data_cost == (32, 0, 0)
    assert nested.output_cost == (24, 0, 0)
    assert nested.filter_cost == (28, 42, 42)
    third = winograd(3, 2, points=[0, 1, 3]).data_cost
    assert third.constants > third.shifts


def test_printing():
    F = winograd(2, 3, points=[0, 1, HALF])
    assert repr(F).endswith("4 multiplications, points 0, 1, 1/2, oo>")
    assert str(F).startswith("(4,) -> (2,), kernel (3,): 4 multiplications, 6 directly\nAT =")
    assert r"B^{T} = \left[\begin{matrix}" in F.latex()
    assert F._repr_latex_().startswith("$")
    assert isinstance(F, Winograd)
    assert hash(F) == hash(winograd(2, 3, points=[0, 1, HALF]))


@pytest.mark.parametrize(("m", "r"), [(2, 3), (4, 3), (6, 3), (8, 5), ((4, 4), (3, 3)), (9, 9)])
def test_deriving_takes_less_than_a_second(m, r):
    good_points.cache_clear()
    start = time.process_time()
    F = winograd(m, r)
    seconds = time.process_time() - start
    assert F.prove().holds
    assert seconds < 1
