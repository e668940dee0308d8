"""The compiled builder beside other threads, after a fork, and without a place for its cache."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import convmat as cm

BUILD = """
import hashlib
import numpy as np
import convmat as cm

def digest(seed):
    weight = np.random.default_rng(seed).standard_normal((2, 3, 3, 3))
    matrix = cm.conv(weight, (3, 150, 160), padding=1).matrix()
    arrays = (matrix.indptr, matrix.indices, matrix.data)
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
"""


def run(program, **env):
    command = [sys.executable, "-c", BUILD + program]
    env = {**os.environ, "NUMBA_NUM_THREADS": "2", **env}
    return subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def test_several_threads_may_build_at_once():
    rng = np.random.default_rng(0)
    layers = [cm.conv(rng.standard_normal((1, 1, 3, 3)), (1, 200 + n, 230)) for n in range(6)]
    alone = [layer.matrix() for layer in layers]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda layer: layer.matrix(), 5 * layers))
    for first, second in zip(5 * alone, together, strict=True):
        np.testing.assert_array_equal(first.indices, second.indices)
        np.testing.assert_array_equal(first.data, second.data)


@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_several_threads_under_each_layer_of_numba(layer):
    program = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(6) as pool:
    assert len(set(pool.map(digest, [1] * 24))) == 1
"""
    done = run(program, NUMBA_THREADING_LAYER=layer)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_children_of_a_fork_build_the_same():
    program = """
import multiprocessing, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process with threads
own = [digest(seed) for seed in range(4)]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(digest, range(4)).get(timeout=120) == own
"""
    done = run(program)
    assert done.returncode == 0, done.stderr


def test_an_error_in_a_thread_reaches_the_caller():
    from convmat.kernels.cpu.threads import pieces

    def fail(first, _last):
        if first > 0:
            raise MemoryError("in a thread")

    with pytest.raises(MemoryError, match="in a thread"):
        pieces.in_threads(fail, [(0, 1), (1, 2)])


def test_rows_of_a_matrix_too_large_to_hold():
    """The plan reaches as far as the rows: 2**38 outputs along the first axis are no burden."""
    import tracemalloc

    operator = cm.conv(np.arange(1.0, 10).reshape(1, 1, 3, 3), (1, 2**38, 7), padding=1)
    start = 7 * 2**37 + 3
    tracemalloc.start()
    block = operator.matrix(rows=slice(start, start + 10))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    near = cm.conv(np.arange(1.0, 10).reshape(1, 1, 3, 3), (1, 9, 7), padding=1)
    small = near.matrix(rows=slice(7 * 4 + 3, 7 * 4 + 13))
    np.testing.assert_array_equal(block.indptr, small.indptr)
    np.testing.assert_array_equal(block.indices - 7 * 2**37, small.indices - 7 * 4)
    np.testing.assert_array_equal(block.data, small.data)


def test_a_stride_of_millions_does_not_make_blocks_of_millions():
    import tracemalloc

    operator = cm.conv_transpose(np.ones((1, 1, 3)), (1, 4), stride=10**6)
    operator.matrix()
    tracemalloc.start()
    matrix = operator.matrix()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matrix.nnz == 12
    assert peak < 1.1 * operator.nbytes + 1e6


@pytest.mark.parametrize(("stride", "n", "ndim"), [(100, 3, 3), (1000, 3, 2)])
def test_many_phases_on_every_axis_do_not_make_tables_of_their_product(stride, n, ndim):
    import tracemalloc

    weight = np.ones((1, 1) + (2,) * ndim, "f4")
    operator = cm.conv_transpose(weight, (1,) + (n,) * ndim, stride=stride)
    operator.matrix(rows=slice(0, 1))
    tracemalloc.start()
    matrix = operator.matrix()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert matrix.nnz == (2 * n) ** ndim
    assert peak < 1.1 * operator.nbytes + 2e6
