"""The algorithms that apply a layer: when each can serve, what it costs, how it is prepared.

Each is a pair of functions: one counts its work, the other packs the weight. A request goes
through them and comes out as a plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.weights import correlation_weight
from convmat.geometry.window import Geometry
from convmat.kernels.costs import Work, seconds
from convmat.kernels.cpu.conv import direct, gemm, separable, winograd
from convmat.kernels.cpu.layout.phases import AXES
from convmat.kernels.cpu.threads.pieces import threads
from convmat.matrix import csr
from convmat.matrix.entries import LayerEntries
from convmat.operator.base import unit_roundoff
from convmat.operator.plan import Plan, Request, in_numpy_plan

__all__ = ["ALGORITHMS", "Algorithm", "Prepared", "Refusal", "make_plan"]

Array = np.ndarray[Any, np.dtype[Any]]

COMPILED = tuple(np.dtype(char) for char in "fdFDlL")  # what there are kernels for
LEAST_CHANNELS = 8  # in and out, below which transforms of tiles outweigh the products
MOST_POINTS = 6  # of a tile along an axis: with more, errors and code grow fast
LEAST_TRANSFORMED = 64  # taps, below which transforms are never worth it


class Refusal(NamedTuple):
    """Why an algorithm cannot serve."""

    reason: str


class Prepared(NamedTuple):
    """An algorithm that is ready to run; see `Plan`."""

    scratch: int
    bound: Callable[[], float]
    run: Callable[[Array, Array], None]


class Algorithm(NamedTuple):
    """One way to apply a layer.

    Attributes
    ----------
    work : counts what it would do, or says why it cannot serve or is not chosen by itself
    prepare : packs what depends on the weight, or says why it cannot serve
    """

    work: Callable[[Request], Work | Refusal]
    prepare: Callable[[Request], Prepared | Refusal]


def make_plan(request: Request, algorithm: str) -> Plan:
    """Choose the algorithm that will take the least time, or take what was asked for; prepare it.

    Raises
    ------
    GeometryError
        What was asked for cannot serve, with the reason.
    """
    unserved = _unserved(request)
    if unserved and algorithm in ("auto", "direct"):
        return in_numpy_plan(request, unserved)
    if unserved and algorithm != "sparse":
        rule = f"cannot serve {unserved}"
        raise GeometryError("algorithm", algorithm, rule, "use algorithm='direct'")
    if algorithm != "auto":
        made = ALGORITHMS[algorithm].prepare(request)
        if isinstance(made, Refusal):
            raise GeometryError("algorithm", algorithm, made.reason, "use algorithm='auto'")
        return Plan(request, algorithm, "asked for", {}, *made)
    considered = {name: _estimate(one, request) for name, one in ALGORITHMS.items()}
    able = [name for name, value in considered.items() if isinstance(value, float)]
    for name in sorted(able, key=lambda name: considered[name]):
        made = ALGORITHMS[name].prepare(request)
        if not isinstance(made, Refusal):
            return Plan(request, name, "the least estimated time", considered, *made)
        considered[name] = made.reason
    raise AssertionError("direct summation serves whatever there are kernels for")


def _unserved(request: Request) -> str:
    """Say what there are no kernels for, if anything."""
    geometry, weight, dtype = request.geometry, request.weight, request.dtype
    if dtype not in COMPILED:
        return f"numbers of dtype {dtype}"
    if len(geometry.axes) > AXES:
        return f"{len(geometry.axes)} spatial axes"
    if weight.dtype.kind in "fc" and not np.isfinite(weight).all():
        return "weights that are not finite, which padded zeros would spread"
    return ""


def _estimate(algorithm: Algorithm, request: Request) -> float | str:
    """Return the seconds that it would take, or why it does not come into question."""
    work = algorithm.work(request)
    return work.reason if isinstance(work, Refusal) else seconds(work, threads())


def _packed(request: Request, make: Callable[..., Any], *more: Any) -> Any:
    """Return what an algorithm makes of the weight, made once for any number of images."""
    key = make, request.dtype, *more
    if key not in request.kept:
        weight = correlation_weight(request.geometry, request.weight)
        request.kept[key] = make(request.geometry, weight, request.dtype, *more)
    return request.kept[key]


def _sum_bound(request: Request) -> Callable[[], float]:
    """Return what bounds the error of a sum in any order."""
    return lambda: request.geometry.longest_row * unit_roundoff(request.dtype)


def _direct_work(request: Request) -> Work:
    """Count direct summation, which serves everything: it is the reference."""
    return direct.work(request.geometry, request.dtype, request.images)


def _prepare_direct(request: Request) -> Prepared:
    made = _packed(request, direct.Direct)
    return Prepared(threads() * made.scratch, _sum_bound(request), made)


def _gemm_work(request: Request) -> Work:
    """Count implicit matrix multiplication: for many channels."""
    return gemm.work(request.geometry, request.dtype, request.images)


def _prepare_gemm(request: Request) -> Prepared:
    made = _packed(request, gemm.Gemm)
    return Prepared(made.scratch(request.images, threads()), _sum_bound(request), made)


def _winograd_work(request: Request) -> Work | Refusal:
    """Count fast convolution: fewer products for small windows; a tile mixes its errors."""
    if request.strict:
        return Refusal("spreads NaN and infinity")
    if min(request.geometry.group_channels) < LEAST_CHANNELS:
        return Refusal("only when asked for: there are few channels")
    found = _best_tiles_of(request)
    return found if isinstance(found, Refusal) else found[0]


def _prepare_winograd(request: Request) -> Prepared | Refusal:
    found = _best_tiles_of(request)
    if isinstance(found, Refusal):
        return found
    _, algorithm = found
    made = _packed(request, winograd.Winograd, algorithm)

    def bound() -> float:
        # -128 has no absolute value of its own dtype.
        weight = np.abs(correlation_weight(request.geometry, request.weight).astype(request.dtype))
        taps = tuple(range(3, weight.ndim))
        largest = weight.max((1, *taps)).sum(1).max()  # of each channel, over a group
        rows = weight.sum((2, *taps)).max()
        factor = winograd.error_factor(algorithm, request.geometry, request.dtype)
        return factor * float(largest / rows) if rows else 0.0

    return Prepared(made.scratch(request.images, threads()), bound, made)


def _best_tiles_of(request: Request) -> tuple[Work, Any] | Refusal:
    fast = request.precision == "fast"
    return _best_tiles(request.geometry, request.dtype, request.images, fast)


@lru_cache(maxsize=256)
def _best_tiles(
    geometry: Geometry, dtype: np.dtype[Any], images: int, fast: bool
) -> tuple[Work, Any] | Refusal:
    """Return the work and the exact matrices of the best tile that is precise enough."""
    from convmat.symbolic.minimal_filtering.transforms import winograd as derive

    if dtype.kind not in "fc":
        return Refusal("rounds integers")
    try:
        taps = winograd.taps(geometry)
    except GeometryError as error:
        return Refusal(error.rule)
    if not 1 < max(taps) < MOST_POINTS:
        return Refusal(f"needs windows of 2 to {MOST_POINTS - 1} taps an axis")
    # F(4, r) in single precision loses a digit: only where that is allowed.
    precise = [2, 4] if fast or dtype in (np.dtype(float), np.dtype(complex)) else [2]
    tiles = [tile for tile in precise if tile + max(taps) - 1 <= MOST_POINTS]
    found = []
    for tile in tiles:
        algorithm = derive(tuple(tile if r > 1 else 1 for r in taps), taps)
        found.append((winograd.work(geometry, dtype, images, algorithm), algorithm))
    return min(found, key=lambda pair: seconds(pair[0], 1))


def _fft_work(request: Request) -> Work | Refusal:
    """Count products of spectra, for large kernels: NaN and infinity spread over a block."""
    if request.strict:
        return Refusal("spreads NaN and infinity")
    if math.prod(request.geometry.kernel) < LEAST_TRANSFORMED:
        return Refusal("only when asked for: the kernel is small")
    return _counted_fft(request.geometry, request.dtype, request.images)


@lru_cache(maxsize=256)
def _counted_fft(geometry: Geometry, dtype: np.dtype[Any], images: int) -> Work | Refusal:
    from convmat.kernels.cpu.conv.fft import Fft  # SciPy's transforms take a while to import

    try:
        return Fft(geometry, None, dtype).work(images)
    except GeometryError as error:
        return Refusal(error.rule)


def _prepare_fft(request: Request) -> Prepared | Refusal:
    from convmat.kernels.cpu.conv.fft import Fft

    try:
        made = _packed(request, Fft)
    except GeometryError as error:
        return Refusal(error.rule)
    scratch = made.spectrum_bytes + threads() * made.scratch_bytes
    # norm(x, 2) of a block is at most the root of its size times the largest number.
    return Prepared(scratch, lambda: made.error * math.sqrt(math.prod(made.size)), made)


def _separable_work(request: Request) -> Work | Refusal:
    """Count sums along one axis after the other: for weights that are outer products."""
    if sum(kernel > 1 for kernel in request.geometry.kernel) < 2:
        return Refusal("only when asked for: the kernel has one axis")
    if request.geometry.group_channels[1] != 1:
        return Refusal(separable.SUMMED)
    return separable.work(request.geometry, request.dtype, request.images)


def _prepare_separable(request: Request) -> Prepared | Refusal:
    try:
        made = _packed(request, separable.Separable)
    except GeometryError as error:
        return Refusal(error.rule)
    # Each pass rounds its sums, and each axis its factor by two units.
    terms = sum(request.geometry.kernel) + 4 * len(request.geometry.kernel)

    def bound() -> float:
        return terms * unit_roundoff(request.dtype)

    return Prepared(threads() * made.scratch_bytes, bound, made)


def _sparse_work(_request: Request) -> Refusal:
    """Refuse: the explicit matrix is built, kept, and read for every input."""
    return Refusal("only when asked for: it holds the matrix")


def _prepare_sparse(request: Request) -> Prepared:
    entries = LayerEntries(request.geometry, request.weight)
    matrix = csr.build(entries, dtype=request.dtype)
    kept = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes

    def run(x: Array, y: Array) -> None:
        flat = y.reshape(len(x), -1)
        flat[...] = (matrix @ x.reshape(len(x), -1).T).T

    result = request.images * matrix.shape[0] * request.dtype.itemsize
    return Prepared(kept + result, _sum_bound(request), run)


# From the one that is most often the fastest to the ones that are rarely, or never chosen.
ALGORITHMS = {
    "direct": Algorithm(_direct_work, _prepare_direct),
    "gemm": Algorithm(_gemm_work, _prepare_gemm),
    "winograd": Algorithm(_winograd_work, _prepare_winograd),
    "separable": Algorithm(_separable_work, _prepare_separable),
    "fft": Algorithm(_fft_work, _prepare_fft),
    "sparse": Algorithm(_sparse_work, _prepare_sparse),
}
