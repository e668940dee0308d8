"""A(x) by every algorithm: the matrix product, exactly on integers, and within its bound."""

import itertools
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import test_threads
from hypothesis import given, settings
from hypothesis import strategies as st
from registry import integers
from strategies import layer

import convmat as cm
from convmat.geometry.weights import correlation_weight
from convmat.kernels.cpu.conv import direct
from convmat.kernels.cpu.threads.pieces import compiler
from convmat.operator.algorithms import ALGORITHMS

EXACT = ("direct", "gemm", "sparse")  # on integers, in any dtype that holds the sums
FLOATS = ("f4", "f8", "F", "D")
TRANSFORMED = ("channels", "phases", "volume")  # by Winograd's algorithm; the others are slow
SEEN = set()


def shapes():
    """Layers of each kind that an algorithm is good at, all small."""
    return {
        "one channel": cm.conv(integers((1, 1, 5, 5)), (1, 40, 50), padding=2),
        "depthwise": cm.conv(integers((6, 1, 3, 3)), (6, 20, 23), padding=1, groups=6),
        "channels": cm.conv(integers((20, 9, 3, 3)), (9, 13, 17), padding=1),
        "strided": cm.conv(integers((12, 5, 4, 4)), (5, 19, 22), stride=(2, 3), padding=1),
        "phases": cm.conv_transpose(integers((12, 5, 4, 4)), (12, 9, 10), stride=2, padding=1),
        "no overlap": cm.conv_transpose(integers((9, 17, 2, 2)), (9, 7, 8), stride=2),
        "gaps": cm.conv_transpose(integers((3, 4, 1, 2)), (3, 7, 8), stride=3),
        "audio": cm.conv(integers((1, 1, 33)), (1, 3000), padding="same"),
        "dilated": cm.conv(integers((10, 8, 2)), (8, 300), dilation=64),
        "volume": cm.conv(integers((9, 4, 3, 3, 3)), (4, 8, 9, 10), padding=1),
        "deep": cm.conv(integers((8, 300, 2, 2)), (300, 5, 6)),
        "outer product": cm.conv(
            np.multiply.outer([1.0, 2, 4, 2, 1], [2.0, 1, 3])[None, None], (1, 30, 41), padding=1
        ),
        "point": cm.conv(integers((17, 40, 1, 1)), (40, 9, 9)),
        "one place": cm.conv(integers((70, 30, 2, 3)), (30, 2, 3)),
        "one place, deep": cm.conv(integers((20, 300, 2, 2)), (300, 2, 2)),
        "one input": cm.conv_transpose(integers((30, 9, 4, 3)), (30, 1, 1), padding=(1, 0)),
    }


def inputs(A, dtype, images=2):
    x = integers((images, *A.in_shape), dtype=dtype)
    return (
        x + 1j * integers((images, *A.in_shape), dtype=dtype, seed=5) if x.dtype.kind == "c" else x
    )


def product(A, x):
    exact = A.matrix(dtype=np.result_type(A.dtype, x.dtype))
    return (exact @ x.reshape(len(x), -1).T).T.reshape(len(x), *A.out_shape)


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("dtype", [*FLOATS, "i8", "u8"])
@pytest.mark.parametrize("name", shapes())
def test_integers_are_exact(name, dtype, algorithm):
    forward = shapes()[name]
    weight = forward.weight.astype(dtype)
    if weight.dtype.kind == "c":
        weight += 1j * integers(weight.shape, dtype=dtype, seed=9)
    for A in (forward.with_weight(weight), forward.with_weight(weight).T):
        x = inputs(A, dtype)
        y = A(x, algorithm=algorithm)
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, product(A, x))


@given(layer(), st.booleans(), st.sampled_from(EXACT[:2]))
@settings(max_examples=120)
def test_all_geometries(case, transposed, algorithm):
    A = cm.conv(case.weight(transposed=False), case.in_shape, **case.keywords(transposed=False))
    A = A.T if transposed else A
    x = inputs(A, "f8")
    np.testing.assert_array_equal(A(x, algorithm=algorithm), product(A, x))


def floats():
    """Each algorithm, dtype and layer; for Winograd's a kernel is compiled each time."""
    for name, dtype, algorithm in itertools.product(shapes(), FLOATS, ALGORITHMS):
        if algorithm == "winograd" and dtype != "f4" and name != "channels":
            continue  # test_kernels_winograd has the other dtypes
        slow = algorithm == "winograd" and name not in TRANSFORMED
        if algorithm != "sparse":
            yield pytest.param(name, dtype, algorithm, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("name", "dtype", "algorithm"), list(floats()))
def test_floats_are_within_the_bound_of_the_plan(name, dtype, algorithm):
    rng = np.random.default_rng(11)
    forward = shapes()[name]
    double = "D" if np.dtype(dtype).kind == "c" else "d"

    def some(shape):
        real, imaginary = rng.standard_normal((2, *shape))
        return (real + 1j * imaginary if double == "D" else real).astype(dtype)

    forward = forward.with_weight(some(forward.weight.shape))
    for A in (forward, forward.T):
        x = some((2, *A.in_shape))
        try:
            plan = A.plan(x.shape, algorithm=algorithm)
        except cm.GeometryError:  # it says why it cannot serve this layer
            continue
        wide = A.with_weight(A.weight.astype(double))
        exact = product(wide, x.astype(double))
        channel = correlation_weight(A.geometry, np.abs(A.weight))
        unit = channel.sum(tuple(range(2, channel.ndim))).max() * np.abs(x).max()
        room = 1 if np.dtype(dtype).itemsize < np.dtype(double).itemsize else 2
        assert np.abs(plan(x) - exact).max() <= room * plan.error * unit
        SEEN.add((algorithm, name, dtype))


def test_every_algorithm_was_reached_above():
    assert {algorithm for algorithm, _, _ in SEEN} == set(ALGORITHMS) - {"sparse"}
    kinds = {dtype for _, _, dtype in SEEN}  # some sessions leave dtypes out
    for algorithm in ("direct", "gemm"):
        assert sum(seen[0] == algorithm for seen in SEEN) == len(shapes()) * len(kinds)


@pytest.mark.parametrize("name", shapes())
def test_forward_adjoint_and_weight_gradient_are_one_form(name):
    A = shapes()[name]
    x, g = inputs(A, "f8"), inputs(A.T, "f8")
    form = (A(x) * g).sum()
    assert (x * A.T(g)).sum() == form
    assert (A.weight_gradient(x, g) * A.weight).sum() == form
    np.testing.assert_array_equal(A.weight_gradient(x, g).ravel(), A.weight_matrix(x).T @ g.ravel())


CHOSEN = {
    "winograd": ((64, 64, 3, 3), {"in_shape": (64, 56, 56), "padding": 1}),
    "fft": ((1, 1, 63, 63), {"in_shape": (1, 400, 400)}),
    "direct": ((32, 1, 3, 3), {"in_shape": (32, 30, 30), "groups": 32}),
    "gemm": ((512, 256, 2, 2), {"in_shape": (256, 56, 56), "stride": 2}),
}


@pytest.mark.parametrize("algorithm", CHOSEN)
def test_what_takes_least_time_is_chosen(algorithm):
    shape, arguments = CHOSEN[algorithm]
    weight = np.random.default_rng(2).standard_normal(shape).astype("f4")
    A = cm.conv(weight, **arguments)
    plan = A.plan(A.in_shape)
    times = {name: time for name, time in plan.considered.items() if isinstance(time, float)}
    assert plan.algorithm == algorithm == min(times, key=times.get)
    careful = A.plan(A.in_shape, strict=True)
    assert careful.algorithm in ("direct", "gemm")


def test_outer_products_are_applied_axis_by_axis():
    A = cm.conv(np.multiply.outer(np.arange(1.0, 16), np.arange(2.0, 17))[None, None], (1, 99, 99))
    assert A.plan((1, 99, 99)).algorithm == "separable"
    assert A.with_weight(A.weight + np.eye(15)).plan((1, 99, 99)).algorithm != "separable"


def test_the_plan_says_what_will_run():
    A = cm.conv(np.ones((8, 4, 3, 3), "f4"), (4, 16, 16), padding=1)
    plan = A.plan((5, 4, 16, 16), algorithm="gemm")
    assert plan.multiply_adds == 5 * A.nnz
    assert plan.nbytes == 4 * (5 * sum(A.shape) + A.weight.size)
    assert 0 < plan.error < 1e-5
    assert plan.scratch > 0
    told = str(A.plan((5, 4, 16, 16)))
    for word in ("multiply-adds", "scratch", "error at most", "sparse: only when asked"):
        assert word in told
    x = inputs(A, "f4", 5)
    np.testing.assert_array_equal(plan(x), A(x))
    with pytest.raises(cm.GeometryError, match="as planned"):
        plan(x[:2])


def test_weights_are_packed_once():
    A = shapes()["channels"]
    assert A.plan(A.in_shape) is A.plan(A.in_shape)
    assert A.T.T is A
    again = pickle.loads(pickle.dumps(A))
    np.testing.assert_array_equal(again(inputs(A, "f8")), A(inputs(A, "f8")))


@pytest.mark.parametrize("algorithm", EXACT)
def test_any_layout_of_memory(algorithm):
    A = shapes()["strided"]
    x = inputs(A, "f8")
    expected = A(x, algorithm=algorithm)
    read_only = x.copy()
    read_only.flags.writeable = False
    strided = np.repeat(x, 2, axis=-1)[..., ::2]
    for other in (read_only, strided, np.asfortranarray(x), x[::-1][::-1]):
        np.testing.assert_array_equal(A(other, algorithm=algorithm), expected)
    assert A(x[:0]).shape == (0, *A.out_shape)
    assert A(x[0]).shape == A.out_shape
    assert A(x[None]).shape == (1, 2, *A.out_shape)


@pytest.mark.parametrize("algorithm", EXACT)
def test_out_is_written_and_nothing_else(algorithm):
    A = shapes()["phases"]
    x = inputs(A, "f8")
    room = np.full((4, *A.out_shape), np.pi)
    assert A(x, out=room[1:3], algorithm=algorithm) is not None
    np.testing.assert_array_equal(room[1:3], A(x))
    assert (room[[0, 3]] == np.pi).all()
    apart = np.full((2, *A.out_shape[:-1], 2 * A.out_shape[-1]), np.pi)
    A(x, out=apart[..., ::2], algorithm=algorithm)
    np.testing.assert_array_equal(apart[..., ::2], A(x))
    assert (apart[..., 1::2] == np.pi).all()
    same = cm.conv(integers((3, 3, 3)), (3, 20), padding=1)
    both = inputs(same, "f8")
    expected = same(both)
    np.testing.assert_array_equal(same(both, out=both), expected)


def test_bad_requests_are_refused_before_a_kernel_starts():
    A = shapes()["channels"]
    x = inputs(A, "f8")
    read_only = np.empty((2, *A.out_shape))
    read_only.flags.writeable = False
    for arguments, words in (
        ({"out": np.empty((2, 1))}, "must have shape"),
        ({"out": np.empty((2, *A.out_shape), "f4")}, "dtype"),
        ({"out": [1.0]}, "NumPy array"),
        ({"out": read_only}, "writeable"),
        ({"algorithm": "magic"}, "algorithm"),
        ({"precision": "low"}, "precision"),
    ):
        with pytest.raises(cm.GeometryError, match=words):
            A(x, **arguments)
    with pytest.raises(cm.GeometryError, match="x_shape"):
        A.plan((9, 13, 18))


@pytest.mark.parametrize("algorithm", EXACT[:2])
@pytest.mark.parametrize("name", ["one channel", "channels", "phases", "no overlap", "strided"])
def test_nan_and_infinity_go_where_the_matrix_sends_them(name, algorithm):
    A = shapes()[name]
    for value in (np.nan, np.inf):
        x = np.ones((1, *A.in_shape))
        x.flat[x.size // 2 + 3] = value
        reached = np.asarray((A.matrix() != 0).astype(float) @ ~np.isfinite(x).ravel()) > 0
        y = A.with_weight(np.where(A.weight == 0, 1, A.weight))(x, algorithm=algorithm)
        every = A.with_weight(np.ones_like(A.weight)).matrix() @ (~np.isfinite(x)).ravel() > 0
        np.testing.assert_array_equal(~np.isfinite(y).ravel(), every)
        assert reached.sum() <= every.sum() < y.size


def test_weights_that_are_not_finite_are_not_spread_by_padding():
    weight = np.ones((1, 1, 3))
    weight[0, 0, 0] = np.inf
    A = cm.conv(weight, (1, 5), padding=1)
    y = A(np.ones((1, 5)))
    assert y[0, 0] == 2
    assert np.isinf(y[0, 1:]).all()
    with pytest.raises(cm.GeometryError, match="not finite"):
        A(np.ones((1, 5)), algorithm="gemm")


PROGRAM = """
import hashlib, sys
import numba
sys.path.insert(0, sys.argv[1])
import test_apply
assert numba.get_num_threads() == int(sys.argv[2])
for name, A in test_apply.shapes().items():
    for B in (A, A.T):
        for algorithm in test_apply.ALGORITHMS:
            if algorithm == "winograd" and name not in test_apply.TRANSFORMED:
                continue
            x = test_apply.np.random.default_rng(1).standard_normal((3, *B.in_shape), "f4")
            try:
                y = B.with_weight(B.weight.astype("f4"))(x, algorithm=algorithm)
            except test_apply.cm.GeometryError:
                continue
            print(name, algorithm, hashlib.sha256(y.tobytes()).hexdigest())
"""


def test_bits_do_not_depend_on_the_number_of_threads():
    def told(threads):
        env = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            os.path.dirname(test_threads.__file__),
            str(threads),
        ]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    alone = told(1)
    assert len(alone) >= 2 * 3 * len(shapes())
    assert told(2) == alone
    assert told(3) == alone


def test_one_packing_serves_any_number_of_images():
    A = shapes()["channels"]
    one, two = (A.plan((n, *A.in_shape), algorithm="gemm") for n in (1, 2))
    assert one.run is two.run
    assert A.plan((3, *A.in_shape), "f4", algorithm="direct").run is not one.run


@pytest.mark.parametrize("algorithm", ["direct", "gemm"])
def test_phases_of_several_axes_where_the_last_has_one_output(algorithm):
    # Phases of an axis before the last are then neighbours in memory, as those of the last are.
    for n, stride in ((31, (3, 2)), (30, (4, 2)), (31, (2, 2))):
        A = cm.conv_transpose(integers((8, 8, 3, 1)), (8, n, 1), stride=stride, padding=(1, 0))
        x = inputs(A, "f8", 4)
        room = np.full((6, *A.out_shape), np.pi)
        A(x, out=room[1:5], algorithm=algorithm)
        np.testing.assert_array_equal(room[1:5], product(A, x))
        assert (room[[0, 5]] == np.pi).all()


@given(st.data())
@settings(max_examples=150)
def test_axes_of_few_outputs(data):
    size, small = st.integers(1, 4), st.integers(1, 3)
    kernel = data.draw(st.tuples(small, small, small))
    stride = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2)))
    n = data.draw(st.tuples(size, size, size))
    channels = data.draw(st.integers(1, 9))
    A = cm.conv_transpose(integers((2, channels, *kernel)), (2, *n), stride=stride)
    x = inputs(A, "f8")
    for algorithm in ("direct", "gemm"):
        room = np.full((4, *A.out_shape), np.pi)
        A(x, out=room[1:3], algorithm=algorithm)
        np.testing.assert_array_equal(room[1:3], product(A, x))
        assert (room[[0, 3]] == np.pi).all()


def test_several_threads_may_plan_at_once():
    A = cm.conv(integers((1, 1, 3)), (1, 40))
    with ThreadPoolExecutor(8) as pool:
        shapes_of = pool.map(lambda n: A(np.ones((n % 29 + 1, 1, 40))).shape, range(600))
        assert list(shapes_of) == [(n % 29 + 1, 1, 38) for n in range(600)]


def test_the_weight_gradient_of_no_inputs_is_zero():
    A = shapes()["strided"]
    gradient = A.weight_gradient(np.zeros((0, *A.in_shape)), np.zeros((0, *A.out_shape)))
    np.testing.assert_array_equal(gradient, np.zeros(A.weight.shape))


@pytest.mark.parametrize(
    ("shape", "weight", "options"),
    [
        ((6, 30, 28), (16, 6, 3, 1), {"stride": (3, 1), "padding": (1, 0)}),
        ((6, 9, 4, 5), (8, 6, 3, 1, 1), {"stride": (3, 1, 1), "padding": (1, 0, 0)}),
        ((6, 76), (6, 3, 2), {"padding": ((0, 2),), "groups": 2}),
        ((6, 76), (6, 3, 2), {"padding": ((2, 0),), "groups": 2}),
        ((8, 12, 7), (8, 8, 1, 1), {}),
    ],
)
@pytest.mark.parametrize("algorithm", ["direct", "gemm"])
def test_inputs_that_need_no_copy_are_read_where_they_are(shape, weight, options, algorithm):
    rng = np.random.default_rng(4)
    A = cm.conv(rng.integers(-9, 9, weight), shape, **options)
    for operator in (A, A.T):
        x = rng.integers(-9, 9, (2, *operator.in_shape))
        expected = (operator.matrix() @ x.reshape(2, -1).T).T.reshape(2, *operator.out_shape)
        np.testing.assert_array_equal(operator(x, algorithm=algorithm), expected)


def test_a_phase_may_have_no_line_in_the_last_block(monkeypatch):
    rng = np.random.default_rng(5)
    for name in ("IN_CACHE", "MOST"):
        monkeypatch.setattr(direct, name, 1 << 11)
    direct._layout.cache_clear()
    try:
        for n in (57, 71):
            A = cm.conv(rng.integers(-9, 9, (3, 2, 3, 3)), (2, n, 40), stride=2, padding=1).T
            box, block, _ = direct._layout(A.geometry, np.dtype(np.int64))
            assert any(
                phase.places.box[1] % block[1] == 0 and phase.places.box[1] < box[1]
                for phase in direct.phases(A.geometry, 1)
            ), "this is what is tested"
            x = rng.integers(-9, 9, A.in_shape)
            expected = (A.matrix() @ x.ravel()).reshape(A.out_shape)
            np.testing.assert_array_equal(A(x, algorithm="direct"), expected)
    finally:
        direct._layout.cache_clear()


def test_the_bound_holds_for_narrow_integers():
    weight = np.zeros((16, 16, 3, 3), np.int8)
    weight[3, 4, 1, 1] = -128
    bounds = [
        cm.conv(weight.astype(kind), (16, 8, 8)).plan((16, 8, 8), "f4", algorithm="winograd").error
        for kind in ("i1", "f4")
    ]
    assert bounds[0] == bounds[1]


def test_machine_code_is_kept_only_while_no_kernel_changes():
    from convmat.kernels import compiling
    from convmat.kernels.cpu.conv import gemm

    kept = getattr(getattr(gemm._tiles, "_cache", None), "_cache_file", None)
    if kept is not None:  # there is a compiler, and a place for what it makes
        assert kept.stamp[0] == compiling.sources("cpu")
    assert len(compiling.sources("cpu")) == 32


@pytest.mark.skipif(not compiler(), reason="NumPy's products sum in an order of their own")
@pytest.mark.parametrize("algorithm", ["direct", "gemm"])
def test_bits_do_not_depend_on_the_place_or_the_batch(algorithm):
    rng = np.random.default_rng(6)
    A = cm.conv(rng.normal(size=(20, 300, 2, 2)), (300, 6, 6))
    x = np.broadcast_to(rng.normal(size=(1, 300, 1, 1)), (3, 300, 6, 6))
    y = A(x, algorithm=algorithm)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:1, :, :1, :1], y.shape))
    np.testing.assert_array_equal(A(x[:1], algorithm=algorithm), y[:1])
