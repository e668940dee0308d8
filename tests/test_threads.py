"""The number of threads changes nothing: not one bit of a matrix."""

import os
import subprocess
import sys

import numpy as np
import pytest

import convmat as cm

# Large enough for the compiled builder, with boundary, phases, groups and two words per entry.
CASES = {
    "plain": {"weight": (4, 3, 3, 3), "in_shape": (3, 120, 130), "padding": 1},
    "strided": {"weight": (6, 2, 5, 4), "in_shape": (4, 97, 101), "stride": (2, 3), "groups": 2},
    "long": {"weight": (1, 1, 9), "in_shape": (1, 200_003), "dilation": 2, "padding": "same"},
}

PROGRAM = """
import hashlib, sys
import numba
sys.path.insert(0, sys.argv[1])
import test_threads
assert numba.get_num_threads() == int(sys.argv[2])
for operator in test_threads.operators():
    matrix = operator.matrix()
    arrays = (matrix.indptr, matrix.indices, matrix.data)
    print(hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest(), matrix.nnz)
"""


def operators():
    for case in CASES.values():
        arguments = dict(case)
        shape = arguments.pop("weight")
        numbers = np.random.default_rng(7).standard_normal((2, *shape))
        for weight in (numbers[0].astype("f4"), numbers[0] + 1j * numbers[1]):
            forward = cm.conv(weight, **arguments)
            yield from (forward, forward.T)


def digests(threads):
    env = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", PROGRAM, os.path.dirname(__file__), str(threads)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


@pytest.fixture(scope="module")
def alone():
    return digests(1)


def test_as_many_digests_as_operators(alone):
    assert len(alone) == 4 * len(CASES)
    assert len(set(alone)) == len(alone)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_do_not_depend_on_the_number_of_threads(alone, threads):
    assert digests(threads) == alone
