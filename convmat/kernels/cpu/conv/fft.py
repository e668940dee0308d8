"""Layers as products of spectra, block by block: for kernels so large that sums cost more.

Each phase of a layer (`kernels.cpu.layout.phases`) is a correlation, of which `advance` leaves some
outputs out. Overlap-save cuts it into blocks: the input under a block is transformed, multiplied
by the conjugate spectrum of the weight, summed over channels and transformed back; what wraps
around is not kept. All phases share the transform of the input, and blocks are small enough to
stay in cache.

A transform mixes all inputs of a block: rounding errors, NaN and infinity spread over the block
and are not confined to the outputs that read them.

Oppenheim and Schafer, "Discrete-Time Signal Processing" (2010), section 8.7.3, for overlap-save;
Higham, "Accuracy and Stability of Numerical Algorithms" (2002), theorem 24.2, for the error of
the transforms.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import fft

from convmat.geometry.arguments import GeometryError
from convmat.geometry.window import Geometry
from convmat.kernels.costs import Work
from convmat.kernels.cpu.layout.phases import AXES, phases, three_axes
from convmat.kernels.cpu.threads.pieces import in_threads
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = ["Fft"]

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 1 << 16  # numbers of a block, of one channel: the transforms stay in cache
UNTOUCHED = 16  # outputs of a block along an axis on which the kernel has one tap
CHUNK = 1 << 17  # numbers of the blocks that are transformed together
MOST_SPECTRUM = 1 << 28  # bytes of the weight's spectrum
TRANSFORM = 3.5  # Higham's constant: error of a transform over log2(size), in units of eps


class Fft:
    """The spectrum of a layer's weight, and how its outputs are cut into blocks.

    Parameters
    ----------
    geometry : Geometry of at most three axes
    weight : array (groups, out, inner, *kernel), from `correlation_weight`
        None to know sizes and costs alone.
    dtype : float32, float64, complex64 or complex128

    Attributes
    ----------
    size : numbers of a block, per axis
    spectrum_bytes, scratch_bytes : what is kept, and what each thread needs besides
    error : bound of the error of any output, relative to the sum over channels of
        ``norm(weight of the channel, 1) * norm(inputs of the channel, 2)``

    Notes
    -----
    ``2 * log2(size)`` butterflies for each output and channel, whatever the size of the kernel,
    and as many multiplications as there are pairs of channels.
    """

    def __init__(self, geometry: Geometry, weight: Array | None, dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "fc":
            raise GeometryError(
                "dtype", dtype, "has no Fourier transform", "use algorithm='direct', which is exact"
            )
        self.geometry = geometry
        self.dtype = dtype
        self.phases = [phase for phase in phases(geometry) if phase.taps_read]
        self.inner = geometry.group_channels[1]
        self.rows = [
            (phase, row, place[:4]) for phase in self.phases for row, place in enumerate(phase.rows)
        ]
        self.advance = self.phases[0].places.advance if self.phases else (1, 1, 1)
        self._cut()
        groups, out = geometry.groups, len(self.rows)
        points = math.prod(self.size[d] for d in self.axes[:-1]) * self._points()
        self.spectrum_bytes = groups * out * self.inner * points * _complex(dtype).itemsize
        if self.spectrum_bytes > MOST_SPECTRUM:
            raise GeometryError(
                "algorithm",
                "fft",
                f"would keep a spectrum of {self.spectrum_bytes / 1e6:.0f} MB",
                "use algorithm='gemm'",
            )
        numbers = math.prod(self.size) * (self.inner + out)  # and as many in the spectra
        self.scratch_bytes = 2 * dtype.itemsize * max(numbers, 2 * CHUNK)
        transform = 3 * TRANSFORM * max(math.log2(math.prod(self.size)), 1)
        self.error = float(np.finfo(dtype).eps) * (transform + self.inner)
        if weight is not None:
            self.spectrum = self._spectrum(weight)

    def work(self, images: int) -> Work:
        """Return what it does for so many images."""
        rows, numbers = len(self.rows), math.prod(self.size)
        blocks = images * self.geometry.groups * math.prod(self.blocks)
        lanes = VECTOR // self.dtype.itemsize
        return Work(
            transformed=blocks * (self.inner + rows) * numbers * math.log2(max(numbers, 2)),
            cycles=blocks * self.inner * rows * numbers * 2 / lanes,
            moved=3 * blocks * (self.inner + rows) * numbers / lanes,
            calls=len(self._work(images)) + 1,
        )

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, C_out, ...) of x (batch, C_in, ...), both contiguous, of the dtype."""
        groups = self.geometry.groups
        axes = three_axes(self.geometry.axes)
        shape_in = tuple(axis.n_in for axis in axes)
        shape_out = tuple(axis.n_out for axis in axes)
        inputs = x.reshape(len(x), groups, self.inner, *shape_in)
        outputs = y.reshape(len(y), groups, self.geometry.group_channels[0], *shape_out)
        written = sum(math.prod(map(int, place[1:])) for _, _, place in self.rows)
        if written < math.prod(outputs.shape[2:]):
            y[...] = 0  # of phases that meet no input
        work = self._work(len(x))

        def write(first: int, last: int) -> None:
            for image, group, block, count in work[first:last]:
                self._blocks(inputs[image, group], outputs[image, group], group, block, count)

        if self.rows:
            in_threads(write, [(i, i + 1) for i in range(len(work))])

    def _cut(self) -> None:
        """Choose the size of a block and how many outputs of it are kept, per axis."""
        self.low, self.span, self.extent = [0] * AXES, [1] * AXES, [1] * AXES
        for d in range(AXES):
            reads = [phase.reads[d] for phase in self.phases]
            if reads:
                self.low[d] = min(int(read[0]) for read in reads)
                self.span[d] = max(int(read[-1]) for read in reads) - self.low[d] + 1
                places = max(phase.places.box[d] for phase in self.phases)
                self.extent[d] = self.advance[d] * (places - 1) + 1
        active = [d for d in range(AXES) if self.span[d] > 1] or [AXES - 1]
        self.axes = tuple(d - AXES for d in active)
        most = max(BLOCK // 16, BLOCK // self.inner)
        side = int(most ** (1 / len(active)))
        self.size, self.kept = [1] * AXES, [1] * AXES
        for d in range(AXES):
            if d in active:
                self.size[d] = self._best_size(d, side)
            else:  # nothing is summed along this axis, nor transformed
                self.size[d] = min(self.extent[d], max(UNTOUCHED, self.advance[d]))
            kept = self.size[d] - self.span[d] + 1
            self.kept[d] = max(kept - kept % self.advance[d], self.advance[d])
        self.blocks = [
            -(-extent // kept) for extent, kept in zip(self.extent, self.kept, strict=True)
        ]

    def _best_size(self, d: int, side: int) -> int:
        """Return the size that costs least, among those that transform fast."""
        span, extent, advance = self.span[d], self.extent[d], self.advance[d]
        real = self.dtype.kind == "f" and d - AXES == self.axes[-1]
        least = span + advance - 1
        whole = fft.next_fast_len(span + extent - 1 + advance, real)
        found, size = [], least
        while size <= max(side, 4 * span):
            size = fft.next_fast_len(size, real)
            kept = (size - span + 1) // advance * advance
            found.append((-(-extent // kept) * size * (math.log2(size) + 2), size))
            size += max(size // 16, 1)
        return min(min(found)[1], whole) if found else whole

    def _points(self) -> int:
        size = self.size[self.axes[-1]]
        return size // 2 + 1 if self.dtype.kind == "f" else size

    def _spectrum(self, weight: Array) -> Array:
        """Return (groups, n0, n1, n2, inner, rows): what the spectrum of a block is multiplied by.

        With one input channel it is (groups, rows, n0, n1, 1, n2).
        """
        groups, out, inner = weight.shape[:3]
        kernel = (1,) * (AXES - len(self.geometry.axes)) + self.geometry.kernel
        w = weight.astype(self.dtype, copy=False).reshape(groups, out, inner, *kernel)
        placed = np.zeros((groups, len(self.rows), inner, *self.span), self.dtype)
        for number, (phase, row, place) in enumerate(self.rows):
            channel = self._origin(place)[0]
            members = np.unravel_index(row, (out, *(len(taps) for taps in phase.taps)))[1:]
            taps = [of[member] for of, member in zip(phase.taps, members, strict=True)]
            at: Any = np.ix_(*(r - low for r, low in zip(phase.reads, self.low, strict=True)))
            to_taps: Any = np.ix_(*taps)
            placed[:, number][:, :, *at] = w[:, channel][:, :, *to_taps]
        transform = fft.rfftn if self.dtype.kind == "f" else fft.fftn
        spectrum = transform(placed.conj(), [self.size[d] for d in self.axes], self.axes).conj()
        if inner == 1:
            return np.ascontiguousarray(spectrum[:, :, 0, :, :, None])
        return np.ascontiguousarray(spectrum.transpose(0, 3, 4, 5, 2, 1))

    def _origin(self, place: Array) -> tuple[int, ...]:
        """Return (channel, o0, o1, o2) of the first output of a row."""
        sizes = [axis.n_out for axis in three_axes(self.geometry.axes)]
        shape = (self.geometry.group_channels[0], *sizes)
        return tuple(int(index) for index in np.unravel_index(int(place[0]), shape))

    def _work(self, images: int) -> list[tuple[int, slice, tuple[int, int, int], int]]:
        """Return (image, groups, first block, how many along the last axis) of each piece.

        The pieces are the same for any number of threads, and so are the results to the bit.
        """
        block = math.prod(self.size) * max(self.inner, len(self.rows))
        along = min(self.blocks[2], max(1, CHUNK // block))
        together = max(1, CHUNK // (block * along))
        groups = self.geometry.groups
        some = [slice(g, min(g + together, groups)) for g in range(0, groups, together)]
        starts = range(0, self.blocks[2], along)
        return [
            (image, chosen, (b0, b1, b2), min(along, self.blocks[2] - b2))
            for image in range(images)
            for chosen in some
            for b0 in range(self.blocks[0])
            for b1 in range(self.blocks[1])
            for b2 in starts
        ]

    def _blocks(
        self, x: Array, y: Array, groups: slice, block: tuple[int, int, int], count: int
    ) -> None:
        """Write `count` blocks along the last axis; x and y are (groups, channels, ...)."""
        first = [b * kept for b, kept in zip(block, self.kept, strict=True)]
        n0, n1, n2 = self.size
        segment = (n0, n1, (count - 1) * self.kept[2] + n2)
        part = np.zeros((*x.shape[:2], *segment), self.dtype)
        start = [f + low for f, low in zip(first, self.low, strict=True)]
        here, there = [], []
        for at, size, axis_size in zip(start, segment, x.shape[2:], strict=True):
            low = min(max(at, 0), axis_size)
            high = max(min(at + size, axis_size), low)
            there.append(slice(low, high))
            here.append(slice(low - at, high - at) if high > low else slice(0, 0))
        part[:, :, *here] = x[:, :, *there]
        *outer, last = part.strides
        shape = (*x.shape[:2], n0, n1, count, n2)
        # Numbers under several blocks are read several times, where they stand.
        under = np.lib.stride_tricks.as_strided(part, shape, (*outer, self.kept[2] * last, last))
        self._store(self._correlated(under, groups), y, first, count)

    def _correlated(self, x: Array, groups: slice) -> Array:
        """Return (groups, rows, n0, n1, blocks, n2), of which the last of each block are wrong."""
        axes = tuple(d if d == -1 else d - 1 for d in self.axes)  # before the blocks stand two axes
        sizes = [self.size[d] for d in self.axes]
        real = self.dtype.kind == "f"
        spectrum = fft.rfftn(x, sizes, axes) if real else fft.fftn(x, sizes, axes)
        weight = self.spectrum[groups]
        if self.inner == 1:
            product = spectrum * weight
        else:
            sides = np.ascontiguousarray(spectrum.transpose(0, 2, 3, 5, 4, 1))
            product = (sides @ weight).transpose(0, 5, 1, 2, 4, 3)
        back = fft.irfftn if real else fft.ifftn
        result: Array = back(product, sizes, axes, overwrite_x=True)
        return result

    def _store(self, sums: Array, y: Array, first: list[int], count: int) -> None:
        """Write what is kept of some blocks, row by row."""
        k0, k1, k2 = self.kept
        a0, a1, a2 = self.advance
        periods = [axis.outputs().period for axis in three_axes(self.geometry.axes)]
        sums = sums[:, :, :k0:a0, :k1:a1, :, :k2:a2]
        places = [f // a for f, a in zip(first, self.advance, strict=True)]
        for number, (_, _, place) in enumerate(self.rows):
            channel, *origin = self._origin(place)
            ends = [int(end) for end in place[1:]]
            found = sums[:, number]
            found = found.reshape(*found.shape[:3], count * found.shape[-1])
            cut = [
                min(size, max(end - p, 0))
                for size, end, p in zip(found.shape[1:], ends, places, strict=True)
            ]
            phase: Any = tuple(slice(o, None, s) for o, s in zip(origin, periods, strict=True))
            block: Any = tuple(slice(p, p + c) for p, c in zip(places, cut, strict=True))
            y[:, channel][:, *phase][:, *block] = found[:, : cut[0], : cut[1], : cut[2]]


def _complex(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64)
