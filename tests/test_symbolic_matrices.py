"""Exact matrices: views, determinants, ranks, null spaces, eigenvalues; against NumPy."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

import convmat as cm
from convmat.symbolic import (
    block_view,
    determinant,
    eigenvalues,
    exact_matrix,
    latex,
    nullspace,
    rank,
)

W = sympy.IndexedBase("w")


def layer(weight_shape, in_shape, seed=0, made=cm.conv, **options):
    weight = np.random.default_rng(seed).normal(size=weight_shape)
    return made(weight, in_shape, **options)


def own_weight(A):
    """The one weight of a layer, or of a layer after padding."""
    return A.weight if hasattr(A, "weight") else A.outer.weight


def filled(expression, weight):
    """Put the numbers of a weight into an expression, in 50 digits."""
    numbers = {W[k]: sympy.Float(float(weight[k]), 50) for k in np.ndindex(*weight.shape)}
    return complex(sympy.N(expression.xreplace(numbers), 30))


SQUARE = {
    "tridiagonal": layer((1, 1, 3), (1, 7), padding=1),
    "transposed": layer((1, 1, 3), (1, 7), padding=1, made=cm.conv_transpose),
    "dilated": layer((1, 1, 3), (1, 7), padding=2, dilation=2),
    "wide dilation": layer((1, 1, 3), (1, 4), padding=5, dilation=5),
    "causal": layer((1, 1, 3), (1, 6), padding=[(2, 0)]),
    "shifted": layer((1, 1, 2), (1, 6), padding=[(1, 0)]),
    "circular": layer((1, 1, 3), (1, 6), padding=1, padding_mode="circular"),
    "circular, long kernel": layer((1, 1, 5), (1, 3), padding=2, padding_mode="circular"),
    "circular, 2-D": layer((1, 1, 3, 2), (1, 3, 4), padding=[1, (1, 0)], padding_mode="circular"),
    "circular, channels": layer((2, 2, 3), (2, 5), padding=1, padding_mode="circular"),
    "circular, groups": layer((3, 1, 3), (3, 4), padding=1, groups=3, padding_mode="circular"),
    "pointwise": layer((2, 2, 1), (2, 3)),
    "pointwise, three": layer((3, 3, 1), (3, 2)),
    "reflect": layer((1, 1, 3), (1, 4), padding=1, padding_mode="reflect"),
    "replicate": layer((1, 1, 3), (1, 3), padding=1, padding_mode="replicate"),
}


def assert_same_multiset(found, expected, tolerance):
    left = list(expected)
    for value in found:
        nearest = min(left, key=lambda other: abs(other - value))
        assert abs(nearest - value) < tolerance
        left.remove(nearest)
    assert not left


@pytest.mark.parametrize("A", SQUARE.values(), ids=SQUARE)
def test_eigenvalues_in_symbols_are_numpys_at_random_numbers(A):
    found = eigenvalues(A)
    assert sum(found.values()) == A.shape[0]
    values = [filled(e, own_weight(A)) for e, m in found.items() for _ in range(m)]
    # A defective matrix, such as a triangular one, has eigenvalues NumPy finds to a root of eps.
    tolerance = 1e-2 if len(found) == 1 else 1e-9
    assert_same_multiset(values, np.linalg.eigvals(A.matrix().toarray()), tolerance)


@pytest.mark.parametrize("A", SQUARE.values(), ids=SQUARE)
def test_determinants_in_symbols_are_numpys_at_random_numbers(A):
    value = filled(determinant(A), own_weight(A))
    assert value == pytest.approx(np.linalg.det(A.matrix().toarray()), rel=1e-9)
    exact = determinant(A, values=own_weight(A))
    assert exact.is_Rational
    assert float(exact) == pytest.approx(value.real, rel=1e-12)


@pytest.mark.parametrize("size", [2, 3])
def test_determinants_in_two_dimensions(size):
    A = layer((1, 1, 3, 3), (1, size, size), padding=1)
    symbolic = determinant(A)
    assert filled(symbolic, A.weight) == pytest.approx(np.linalg.det(A.matrix().toarray()))
    # Leibniz's formula, for four rows.
    if size == 2:
        M = A.symbolic_matrix()
        total = sum(
            sympy.LeviCivita(*p) * math.prod(M[r, c] for r, c in enumerate(p))
            for p in itertools.permutations(range(4))
        )
        assert sympy.expand(total - symbolic) == 0


def test_determinants_of_large_bands_are_quick_and_those_too_large_are_refused():
    A = layer((1, 1, 3), (1, 40), padding=1)
    assert filled(determinant(A), A.weight) == pytest.approx(np.linalg.det(A.matrix().toarray()))
    with pytest.raises(cm.GeometryError, match="products of terms"):
        determinant(layer((1, 1, 3, 3), (1, 6, 6), padding=1))
    numbers = np.random.default_rng(0).integers(-5, 6, (1, 1, 3, 3))
    big = cm.conv(numbers, (1, 9, 9), padding=1)
    sign, log = np.linalg.slogdet(big.matrix(dtype=float).toarray())
    value = determinant(big, values=numbers)
    assert value.is_Integer
    assert (np.sign(float(value)), float(sympy.log(abs(value)))) == pytest.approx((sign, log))


def test_determinants_of_products_and_singular_matrices():
    A = layer((1, 1, 2), (1, 4))
    squared = determinant(A @ A.T)
    M = A.symbolic_matrix()
    assert sympy.expand(squared - (M * M.T).det(method="berkowitz")) == 0
    assert determinant(A.T @ A) == 0
    assert determinant(cm.upsample((1, 3), scale_factor=2) @ cm.avg_pool((1, 6), 2)) == 0
    assert determinant(sympy.zeros(3, 3)) == 0
    assert determinant(sympy.Matrix([[0, 1, 0], [0, 0, 2], [3, 0, 0]])) == 6
    assert determinant(sympy.Matrix([[0, 1], [1, 0]])) == -1


SHARED = layer((1, 1, 2), (1, 4))


@pytest.mark.parametrize(
    "A",
    [
        layer((1, 1, 3, 3), (1, 4, 4)),
        layer((1, 1, 3), (1, 8), stride=2),
        layer((2, 2, 2), (2, 4)),
        layer((4, 1, 2), (2, 4), groups=2),
        layer((1, 1, 3, 3), (1, 4, 4)).T,
        layer((1, 1, 2), (1, 6), stride=3),
        layer((3, 1, 1), (1, 2)),
        cm.upsample((1, 2, 2), scale_factor=2),
        cm.avg_pool((1, 7), 3, 2),
        cm.upsample((1, 4), scale_factor=2) @ cm.avg_pool((1, 8), 2),
        cm.unfold((1, 4), 2),
        cm.unfold((1, 4), 2).T,
        SHARED.T @ SHARED,
    ],
)
def test_ranks_and_null_spaces_are_numpys(A):
    dense = A.matrix().toarray()
    expected = np.linalg.matrix_rank(dense)
    assert rank(A) == expected
    basis = nullspace(A)
    assert len(basis) == A.shape[1] - expected
    M = A.symbolic_matrix()
    for x in basis:
        assert x.shape == (A.shape[1], 1)
        assert (M * x).expand() == sympy.zeros(A.shape[0], 1)
    if basis:
        weight = A.weight if hasattr(A, "weight") else SHARED.weight
        numbers = np.array([[filled(e, weight).real for e in x] for x in basis])
        assert np.linalg.matrix_rank(numbers) == len(basis)


def test_rank_and_null_space_of_numbers():
    A = cm.conv([[[1.0, -1.0]]], (1, 5), padding=[(1, 0)], padding_mode="circular")
    assert (rank(A), rank(A, values=[[[1, -1]]])) == (5, 4)
    assert nullspace(A) == []
    assert nullspace(A, values=[[[1, -1]]]) == [sympy.ones(5, 1)]
    # Ranks that floating point cannot see.
    tiny = np.array([[[2.0**-200, 0]]])
    assert rank(cm.conv(tiny, (1, 5)), values=tiny) == 4
    near = [[1, 1], [1, 1 + 2.0**-52]]
    assert (
        rank(cm.conv(np.reshape(near, (2, 2, 1)), (2, 1)), values=np.reshape(near, (2, 2, 1))) == 2
    )
    assert rank(layer((1, 1, 3), (1, 5)), values=np.zeros((1, 1, 3))) == 0
    assert len(nullspace(layer((1, 1, 3), (1, 5)), values=np.zeros((1, 1, 3)))) == 5


def test_rank_where_positions_and_one_place_do_not_decide():
    """A = u v^T has rank 1 with every entry present."""
    a, b, c, d = sympy.symbols("a b c d")
    outer = sympy.Matrix([[a * c, a * d], [b * c, b * d]])
    assert rank(outer) == 1
    assert nullspace(outer) == [sympy.Matrix([-d, c])]
    irrational = sympy.Matrix([[sympy.sqrt(2), 2], [1, sympy.sqrt(2)]])
    assert rank(irrational) == 1
    assert rank(sympy.Matrix([[a, sympy.sqrt(2) * a], [sympy.sqrt(2), 2]])) == 1
    assert rank(sympy.Matrix([[a, 2 * sympy.I], [sympy.I, 1]])) == 2
    half = sympy.Matrix([[a / 2, b / 3], [a, 2 * b / 3]])
    assert rank(half) == 1
    assert nullspace(half) == [sympy.Matrix([-2 * b, 3 * a])] or nullspace(half) == [
        sympy.Matrix([2 * b, -3 * a])
    ]
    assert determinant(sympy.Matrix([[a / 2, b], [b, 2 * a]])) == a**2 - b**2


def test_eigenvalues_of_known_matrices():
    laplacian = np.array([[[[0, -1, 0], [-1, 4, -1], [0, -1, 0]]]])
    A = cm.conv(laplacian, (1, 3, 4), padding=1)
    found = [float(e) for e, m in eigenvalues(A, values=laplacian).items() for _ in range(m)]
    expected = [
        4 - 2 * math.cos(math.pi * i / 4) - 2 * math.cos(math.pi * j / 5)
        for i in (1, 2, 3)
        for j in (1, 2, 3, 4)
    ]
    assert sorted(found) == pytest.approx(sorted(expected))
    project = cm.upsample((1, 3), scale_factor=2) @ cm.avg_pool((1, 6), 2)
    assert eigenvalues(project) == {1: 3, 0: 3}
    assert eigenvalues(sympy.Matrix([[0, 1], [-1, 0]])) == {sympy.I: 1, -sympy.I: 1}
    weight = np.array([[[1, -2, 3, 4, 5]]])
    five = cm.conv(weight, (1, 3), padding=2)
    roots = [complex(e) for e, m in eigenvalues(five, values=weight).items() for _ in range(m)]
    assert_same_multiset(roots, np.linalg.eigvals(five.matrix().toarray()), 1e-9)


def test_eigenvalues_by_blocks():
    """Twice the same within a block, and blocks found though all are connected one way."""
    assert eigenvalues(sympy.Matrix([[3, 1], [-1, 1]])) == {2: 2}
    x = sympy.symbols("x:9")
    triangular = sympy.Matrix(9, 9, lambda r, c: x[c] if c <= r else 0)
    assert eigenvalues(triangular) == dict.fromkeys(x, 1)
    assert determinant(triangular) == math.prod(x)
    assert eigenvalues(layer((1, 1, 4), (1, 12), padding=[(3, 0)])) == {W[0, 0, 3]: 12}


def test_large_matrices_are_refused_at_once():
    with pytest.raises(cm.GeometryError, match="1000000 places"):
        rank(layer((1, 1, 3, 3), (1, 34, 34)))


def test_circulant_eigenvalues_are_the_fourier_transform_of_the_kernel():
    A = layer((1, 1, 3), (1, 8), padding=1, padding_mode="circular")
    kernel = A.matrix().toarray()[0]  # c[t] at offset t
    found = [filled(e, A.outer.weight) for e, m in eigenvalues(A).items() for _ in range(m)]
    assert_same_multiset(found, np.fft.fft(kernel), 1e-12)


def test_eigenvalues_without_closed_form_are_refused():
    for A in (
        layer((1, 1, 5), (1, 8), padding=2),
        layer((1, 1, 3, 3), (1, 2, 2), padding=1),
        layer((3, 3, 3), (3, 5), padding=1, padding_mode="circular"),
    ):
        with pytest.raises(cm.GeometryError, match="closed form"):
            eigenvalues(A)
    numbers = np.arange(9).reshape(1, 1, 3, 3)
    with pytest.raises(cm.GeometryError, match="degree"):
        eigenvalues(cm.conv(numbers, (1, 5, 5), padding=1), values=numbers)


def test_almost_toeplitz_and_almost_circulant_matrices_are_not_mistaken():
    """One entry more, less or different: found by blocks, with NumPy's eigenvalues."""
    for size, edits in itertools.product((3,), ({(0, 0): 7}, {(1, 0): 0}, {(0, 2): 5})):
        for cyclic in (False, True):
            M = sympy.zeros(size, size)
            for r, t in itertools.product(range(size), (-1, 0, 1)):
                if cyclic or 0 <= r + t < size:
                    M[r, (r + t) % size] = 2 + t
            for place, value in edits.items():
                M[place] = value
            found = [complex(e) for e, m in eigenvalues(M).items() for _ in range(m)]
            expected = np.linalg.eigvals(np.array(M.tolist(), dtype=float))
            assert_same_multiset(found, expected, 1e-6)


# Views


GUIDE = """\
[w00 w01 w02   0 | w10 w11 w12   0 | w20 w21 w22   0 |   0   0   0   0]
[  0 w00 w01 w02 |   0 w10 w11 w12 |   0 w20 w21 w22 |   0   0   0   0]
[----------------+-----------------+-----------------+----------------]
[  0   0   0   0 | w00 w01 w02   0 | w10 w11 w12   0 | w20 w21 w22   0]
[  0   0   0   0 |   0 w00 w01 w02 |   0 w10 w11 w12 |   0 w20 w21 w22]"""


def test_matrix_of_the_guide_as_text_and_latex():
    """Dumoulin and Visin, section 4.1: a 3 x 3 kernel on a 4 x 4 input."""
    weight = np.array(sympy.symbols("w:3:3")).reshape(1, 1, 3, 3)
    view = block_view(cm.conv(weight, (1, 4, 4)))
    assert str(view) == GUIDE
    lines = view.latex().splitlines()
    assert lines[0] == r"\left[\begin{array}{cccc|cccc|cccc|cccc}"
    assert lines[1].startswith(r"w_{00} & w_{01} & w_{02} & 0 & w_{10} &")
    assert lines[3] == r"\hline"
    assert lines[-1] == r"\end{array}\right]"
    assert view._repr_latex_() == f"$\\displaystyle {view.latex()}$"
    assert latex(cm.conv(weight, (1, 4, 4))) == view.latex()


def test_rules_stand_between_channels_and_lines():
    view = block_view(layer((2, 2, 2, 2), (2, 3, 3)))
    assert view.matrix.shape == (8, 18)
    assert view.row_rules == (0, 0, 1, 0, 2, 0, 1, 0)
    assert view.column_rules == (0, 0, 0, 1, 0, 0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 1, 0, 0)
    assert view.latex().count(r"\hline\hline") == 1
    assert "{ccc|ccc|ccc||ccc|ccc|ccc}" in view.latex()
    text = str(view).splitlines()
    assert len({len(line) for line in text}) == 1
    assert [n for n, line in enumerate(text) if "++" in line] == [2, 5, 8]
    cubes = block_view(layer((1, 1, 1, 2, 2), (1, 2, 2, 2)))
    assert cubes.column_rules == (0, 0, 1, 0, 1, 0, 1, 0)


def test_blocks_between_rules_are_toeplitz():
    A = layer((1, 1, 3, 3), (1, 5, 4), padding=1)
    view = block_view(A)
    starts = [i for i, rule in enumerate(view.row_rules) if rule or not i]
    for r, c in itertools.product(starts, starts):
        block = view.matrix[r : r + 4, c : c + 4]
        assert block[1:, 1:] == block[:-1, :-1]


def test_views_of_compositions_and_plain_matrices():
    A = layer((1, 1, 2), (1, 3))
    assert "w[0, 0, 0]**2 + w[0, 0, 1]**2" in str(block_view(A @ A.T))
    assert str(block_view(sympy.Matrix([[1, 2], [3, 40]]))) == "[1  2]\n[3 40]"
    assert str(block_view(cm.avg_pool((1, 4), 2))) == "[1/2 1/2   0   0]\n[  0   0 1/2 1/2]"
    assert str(block_view(A, values=[[[0.5, -2]]])) == "[1/2  -2  0]\n[  0 1/2 -2]"
    assert r"{v}_{0,0,0}" in latex(A, "v")
    with pytest.raises(cm.GeometryError, match="10000 entries"):
        block_view(layer((1, 1, 3), (1, 200), padding=1))


# Values


def test_values_may_be_named_and_partial():
    A, B = layer((1, 1, 2), (1, 4)), layer((1, 1, 2), (1, 3))
    product = B @ A
    first = exact_matrix(product, values={"w1": [[[1, 0]]], "w2": np.array([[[2, 3]]])})
    assert first == sympy.SparseMatrix([[2, 3, 0, 0], [0, 2, 3, 0]])
    partial = exact_matrix(product, values={"w1": [[[1, 0]]]})
    assert {str(s) for s in partial.free_symbols if "[" in str(s)} == {"w2[0, 0, 0]", "w2[0, 0, 1]"}
    assert exact_matrix(A, "v", values={"v": [[[1, 2]]]})[0, 1] == 2
    a = sympy.Symbol("a")
    assert exact_matrix(sympy.Matrix([[a]]), values={a: Fraction(1, 3)})[0] == sympy.Rational(1, 3)
    assert exact_matrix(A, values=[[[0.1, 1j]]])[0, 0] == sympy.Rational(*(0.1).as_integer_ratio())
    assert exact_matrix(A, values=[[[0.1, 1j]]])[0, 1] == sympy.I
    assert exact_matrix(A, values=[[[a, np.int8(3)]]])[0, 0] == a


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        ([[1, 2]], "values"),
        ([[[1]]], "values"),
        ({"v": [[[1, 2]]]}, "values"),
        ([[[1, math.nan]]], "values"),
        ([[[1, "2"]]], "values"),
        (3, "values"),
    ],
)
def test_bad_values(values, argument):
    for function in (exact_matrix, rank, latex):
        with pytest.raises(cm.GeometryError) as caught:
            function(layer((1, 1, 2), (1, 4)), values=values)
        assert caught.value.argument == argument


def test_bad_matrices():
    x = sympy.Symbol("x")
    for function in (exact_matrix, rank, nullspace, determinant, eigenvalues, block_view):
        with pytest.raises(cm.GeometryError, match="operator or a SymPy matrix"):
            function([[1, 2], [3, 4]])
    for wrong in (1 / x, sympy.sin(x), sympy.Float(0.5), sympy.pi, sympy.sqrt(x)):
        with pytest.raises(cm.GeometryError):
            rank(sympy.Matrix([[wrong, x], [1, 1]]))
    for wrong in (sympy.Float(0.5), sympy.pi):
        with pytest.raises(cm.GeometryError, match="exact"):
            determinant(sympy.Matrix([[wrong]]))
    for function in (determinant, eigenvalues):
        with pytest.raises(cm.GeometryError, match="square"):
            function(layer((1, 1, 2), (1, 4)))
