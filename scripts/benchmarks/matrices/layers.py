"""Building explicit matrices of layers without weights, beside what users of SciPy write."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

import convmat as cm
from benchmarks.matrices import layer_peers
from benchmarks.matrices.layer_peers import Builder, DType
from benchmarks.measure import floors, line, outcome, summary, table
from benchmarks.report import interleaved

PEERS = ("NumPy CSR", "NumPy COO", "kron", "product", "rows of eye")
PROMPT = 1 << 22  # entries: what has fewer takes so little time that it is run more often


class Layer(NamedTuple):
    """A layer to be made by convmat, and other ways to its matrix."""

    make: Callable[[], Any]
    peers: Callable[[DType], dict[str, Builder]]


def bilinear(n: int) -> Layer:
    """Return bilinear upsampling to twice the size."""
    make = partial(cm.upsample, (1, n, n), scale_factor=2, mode="bilinear")
    return Layer(make, partial(layer_peers.weighted, 1, partial(layer_peers.doubled, n)))


def selection(n: int) -> Layer:
    """Return the selection of a max pooling of random numbers."""
    shape = 64, n, n
    x = np.random.default_rng(0).standard_normal(shape)
    _, switches = cm.max_pool(shape, kernel_size=3, stride=2, padding=1)(x)
    return Layer(
        partial(cm.selection, shape, switches), partial(layer_peers.selected, 64, n, switches)
    )


def unfold(n: int) -> Layer:
    """Return the unfolding into patches of 3 by 3."""
    axis = partial(layer_peers.windows, n, 3, pad=1)
    make = partial(cm.unfold, (64, n, n), kernel_size=3, padding=1)
    return Layer(make, partial(layer_peers.unfolded, 64, axis))


def fold(n: int) -> Layer:
    """Return its transpose."""
    forth = unfold(n)
    make = partial(cm.fold, (64, n, n), kernel_size=3, padding=1)
    return Layer(make, lambda dtype: layer_peers.transposed(forth.peers(dtype)))


def average(n: int) -> Layer:
    """Return average pooling by 2."""
    axis = partial(layer_peers.windows, n, 2, stride=2, weight=0.5)
    return Layer(partial(cm.avg_pool, (64, n, n), 2), partial(layer_peers.weighted, 64, axis))


def nearest(n: int) -> Layer:
    """Return nearest upsampling to twice the size."""
    make = partial(cm.upsample, (64, n, n), scale_factor=2)
    return Layer(make, partial(layer_peers.weighted, 64, partial(layer_peers.repeated, n, 2)))


def shuffle(n: int) -> Layer:
    """Return a pixel shuffle to twice the size."""
    make = partial(cm.pixel_shuffle, (256, n, n), 2)
    return Layer(make, lambda dtype: layer_peers.shuffled(64, n, 2, dtype))


# name: layer of a size, that size, a small one
CASES = {
    "bilinear ×2, 2048²": (bilinear, 2048, 20),
    "max-pool selection, 64×112² k=3": (selection, 112, 9),
    "unfold, 64×56² k=3": (unfold, 56, 8),
    "fold, 64×56² k=3": (fold, 56, 8),
    "average pooling, 64×112² k=2": (average, 112, 10),
    "nearest ×2, 64×56²": (nearest, 56, 6),
    "pixel shuffle ×2, 256×56²": (shuffle, 56, 6),
}
QUICK = ("max-pool selection, 64×112² k=3", "unfold, 64×56² k=3")


def run(dtypes: list[str], rounds: int, *, quick: bool) -> list[dict[str, Any]]:
    """Measure every case and print a line for each as it is done."""
    console = Console()
    results = []
    for dtype in dtypes:
        for name in QUICK if quick else CASES:
            make, size, _ = CASES[name]
            result = measure(name, make(size), np.dtype(dtype), rounds)
            results.append(result)
            console.print(line(result))
    console.print(summary(results))
    return results


def measure(name: str, layer: Layer, dtype: DType, rounds: int) -> dict[str, Any]:
    """Compare the matrices of all candidates, then their times.

    Peers begin with the arguments of the layer, so the layer is also timed from there.
    """
    operator = layer.make()
    matrix = operator.matrix(dtype=dtype)
    builders = layer.peers(dtype)
    for peer, build in builders.items():
        check_equal(peer, build(), matrix)
    times = interleaved(
        builders
        | {
            "convmat": lambda: operator.matrix(dtype=dtype),
            "layer too": lambda: layer.make().matrix(dtype=dtype),
            "out=": lambda: operator.matrix(dtype=dtype, out=matrix),
        }
        | floors(matrix),
        rounds * (1 + PROMPT // operator.nnz),
    )
    return outcome(__name__, name, matrix, times, list(builders))


def check_equal(peer: str, built: Any, matrix: Any) -> None:
    """Refuse to measure a peer that builds another matrix, or in another dtype."""
    built.sum_duplicates()  # and sorts
    same = (built.shape, built.dtype) == (matrix.shape, matrix.dtype) and all(
        np.array_equal(getattr(built, part), getattr(matrix, part))
        for part in ("indptr", "indices", "data")
    )
    if not same:
        raise ValueError(f"{peer} builds another matrix")


def operators(name: str, _dtype: DType) -> tuple[Any, Any]:
    """Return a small operator of the kind of a case, and its own."""
    make, size, small = CASES[name]
    return make(small).make(), make(size).make()


def markdown(results: list[dict[str, Any]], setting: dict[str, Any]) -> str:
    """Return the table for docs/performance.md."""
    return table(results, [*PEERS, "convmat", "layer too", "out=", "copy", "fill fresh"], setting)
