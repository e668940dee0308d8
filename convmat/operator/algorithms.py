"""The algorithms that apply a layer: when each can serve, what it costs, how it is prepared."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.kernels.costs import Work, seconds
from convmat.kernels.cpu.conv import direct, gemm, separable, winograd

if TYPE_CHECKING:
    from convmat.geometry.window import Geometry
    from convmat.operator.plan import Choice

__all__ = ["ALGORITHMS", "Prepared", "Refusal", "estimate"]

Array = np.ndarray[Any, np.dtype[Any]]

LEAST_CHANNELS = 8  # in and out, below which transforms of tiles outweigh the products
MOST_POINTS = 6  # of a tile along an axis: with more, errors and code grow fast
LEAST_TRANSFORMED = 64  # taps, below which transforms are never worth it


class Refusal(NamedTuple):
    """Why an algorithm cannot serve."""

    reason: str


class Prepared(NamedTuple):
    """An algorithm that is ready to run."""

    scratch: int
    bound: Callable[[], float]
    run: Callable[[Array, Array], None]


class Algorithm(Protocol):
    """One way to apply a layer."""

    def work(self, asked: Choice) -> Work | Refusal:
        """Count what it would do, or say why it cannot serve or is not chosen by itself."""

    def prepare(self, asked: Choice) -> Prepared | Refusal:
        """Pack what depends on the weight."""


def estimate(algorithm: Algorithm, asked: Choice) -> float | str:
    """Return the seconds that it would take, or why it does not come into question."""
    work = algorithm.work(asked)
    return work.reason if isinstance(work, Refusal) else seconds(work, asked.threads)


def _direct_bound(asked: Choice) -> Callable[[], float]:
    """Return what bounds the error of a sum in any order."""
    return lambda: asked.layer.geometry.longest_row * asked.unit


class _Direct:
    """Direct summation: serves everything, and is the reference."""

    def work(self, asked: Choice) -> Work | Refusal:
        return direct.work(*asked.three)

    def prepare(self, asked: Choice) -> Prepared | Refusal:
        made = asked.packed("direct", direct.Direct)
        return Prepared(asked.threads * made.scratch, _direct_bound(asked), made)


class _Gemm:
    """Implicit matrix multiplication: for many channels."""

    def work(self, asked: Choice) -> Work | Refusal:
        return gemm.work(*asked.three)

    def prepare(self, asked: Choice) -> Prepared | Refusal:
        made = asked.packed("gemm", gemm.Gemm)
        return Prepared(made.scratch(asked.images, asked.threads), _direct_bound(asked), made)


class _Winograd:
    """Fewer multiplications for small windows; the rounding errors of a tile are mixed."""

    def work(self, asked: Choice) -> Work | Refusal:
        if asked.strict:
            return Refusal("spreads NaN and infinity")
        if min(asked.layer.geometry.group_channels) < LEAST_CHANNELS:
            return Refusal("only when asked for: there are few channels")
        found = _best_tiles(*asked.three, asked.precision == "fast")
        return found if isinstance(found, Refusal) else found[0]

    def prepare(self, asked: Choice) -> Prepared | Refusal:
        found = _best_tiles(*asked.three, asked.precision == "fast")
        if isinstance(found, Refusal):
            return found
        algorithm = found[1]
        made = asked.packed("winograd", winograd.Winograd, algorithm)

        def bound() -> float:
            weight = np.abs(asked.weight.astype(asked.dtype))  # -128 has no absolute value
            taps = tuple(range(3, weight.ndim))
            largest = weight.max((1, *taps)).sum(1).max()  # of each channel, over a group
            rows = weight.sum((2, *taps)).max()
            factor = winograd.error_factor(algorithm, asked.layer.geometry, asked.dtype)
            return factor * float(largest / rows) if rows else 0.0

        return Prepared(made.scratch(asked.images, asked.threads), bound, made)


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


class _Fft:
    """Products of spectra, for large kernels; errors, NaN and infinity spread over a block."""

    def work(self, asked: Choice) -> Work | Refusal:
        if asked.strict:
            return Refusal("spreads NaN and infinity")
        if math.prod(asked.layer.geometry.kernel) < LEAST_TRANSFORMED:
            return Refusal("only when asked for: the kernel is small")
        return _work_of_fft(*asked.three)

    def prepare(self, asked: Choice) -> Prepared | Refusal:
        from convmat.kernels.cpu.conv.fft import Fft  # SciPy's transforms take a while to import

        try:
            made = asked.packed("fft", Fft)
        except GeometryError as error:
            return Refusal(error.rule)
        scratch = made.spectrum_bytes + asked.threads * made.scratch_bytes
        # norm(x, 2) of a block is at most the root of its size times the largest number.
        return Prepared(scratch, lambda: made.error * math.sqrt(math.prod(made.size)), made)


@lru_cache(maxsize=256)
def _work_of_fft(geometry: Geometry, dtype: np.dtype[Any], images: int) -> Work | Refusal:
    from convmat.kernels.cpu.conv.fft import Fft

    try:
        return Fft(geometry, None, dtype).work(images)
    except GeometryError as error:
        return Refusal(error.rule)


class _Separable:
    """Outer products, axis by axis."""

    def work(self, asked: Choice) -> Work | Refusal:
        geometry = asked.layer.geometry
        if sum(kernel > 1 for kernel in geometry.kernel) < 2:
            return Refusal("only when asked for: the kernel has one axis")
        if geometry.group_channels[1] != 1:
            return Refusal(separable.SUMMED)
        return separable.work(*asked.three)

    def prepare(self, asked: Choice) -> Prepared | Refusal:
        geometry = asked.layer.geometry
        try:
            made = asked.packed("separable", separable.RankOne)
        except GeometryError as error:
            return Refusal(error.rule)
        # Each pass rounds its sums, and each axis its factor by two units.
        terms = sum(geometry.kernel) + 4 * len(geometry.kernel)
        return Prepared(asked.threads * made.scratch_bytes, lambda: terms * asked.unit, made)


class _Sparse:
    """The product with the explicit matrix, which is built, kept, and read for every input."""

    def work(self, asked: Choice) -> Work | Refusal:  # noqa: ARG002, for every layer alike
        return Refusal("only when asked for: it holds the matrix")

    def prepare(self, asked: Choice) -> Prepared | Refusal:
        matrix = asked.layer.matrix(dtype=asked.dtype)
        kept = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes

        def run(x: Array, y: Array) -> None:
            flat = y.reshape(len(x), -1)
            flat[...] = (matrix @ x.reshape(len(x), -1).T).T

        result = asked.images * matrix.shape[0] * asked.dtype.itemsize
        return Prepared(kept + result, _direct_bound(asked), run)


# From the one that is most often the fastest to the ones that are rarely, or never chosen.
ALGORITHMS: dict[str, Algorithm] = {
    "direct": _Direct(),
    "gemm": _Gemm(),
    "winograd": _Winograd(),
    "separable": _Separable(),
    "fft": _Fft(),
    "sparse": _Sparse(),
}
