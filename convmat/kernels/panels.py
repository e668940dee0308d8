"""Layers in panels: places side by side, of which every thread takes some, with all rows or some.

The common part of implicit matrix multiplication, where a place is an output, and of fast
convolution, where it is a tile of outputs.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from convmat.geometry import Geometry
from convmat.kernels._rule import inlined
from convmat.kernels.costs import Work, seconds
from convmat.kernels.phases import Phase, parts_of, phases, three_axes
from convmat.kernels.planes import Planes, fill
from convmat.kernels.threads import Write, cut, in_stages, pieces_for
from convmat.kernels.vectors import VECTOR

__all__ = ["COPIED", "WIDE", "Panels", "segments_of", "tiled"]

Array = np.ndarray[Any, np.dtype[Any]]
Triple = tuple[int, int, int]

WIDE = 3  # vectors of places in a tile of sums
SCRATCH = 1 << 25  # bytes of padded inputs at a time; one image may need more
COPIED = 1e-9  # seconds in which a number is copied


class Panels:
    """A layer whose padded inputs are shared by all threads, which divide the panels.

    Subclasses have `packed`, for each phase (groups, blocks of rows, ...), and write `tiles`.

    Parameters
    ----------
    geometry : Geometry of at most three axes
    dtype : float32, float64, complex64, complex128, int64 or uint64
    tile : outputs of a place, per axis
    work : what is done for one image
    """

    packed: list[Array]

    def __init__(self, geometry: Geometry, dtype: np.dtype[Any], tile: Triple, work: Work) -> None:
        self.geometry = geometry
        self.seconds = seconds(work, 1)
        self.parts, self.real = parts_of(dtype)
        self.phases = phases(geometry, self.parts)
        placed = [tiled(phase, tile) for phase in self.phases]
        self.boxes = [phase.places.box for phase in placed]
        self.channels = geometry.group_channels[1] * self.parts
        self.planes = Planes.of(placed, self.boxes, self.channels)

    @abstractmethod
    def tiles(self, planes: Array, y: Array, number: int, piece: Triple) -> None:
        """Write (split of the rows, first, last) of the panels of a phase."""

    @property
    def _image(self) -> int:
        """Bytes of an image with its padding."""
        return self.geometry.in_channels * self.parts * self.planes.channel * self.real.itemsize

    def padding(self, images: int) -> int:
        """Bytes of padded inputs."""
        return max(self._image, min(images * self._image, SCRATCH))

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, C_out, ...) of x (batch, C_in, ...), both contiguous, of the dtype."""
        images = max(1, SCRATCH // max(self._image, 1))
        for first in range(0, len(x), images):
            some = slice(first, min(first + images, len(x)))
            self._some(x[some], y[some])

    def _some(self, x: Array, y: Array) -> None:
        size = len(x) * self.geometry.in_channels * self.parts * self.planes.channel
        planes = np.empty(size + 2 * VECTOR, self.real)  # with room for a vector behind them
        planes[size:] = 0
        outputs = y.reshape(-1).view(self.real).reshape(len(x), self.geometry.groups, -1)
        pieces = pieces_for(len(x) * self.seconds)
        work = self._pieces(len(x), pieces)

        def write(first: int, last: int) -> None:
            for number, piece in work[first:last]:
                self.tiles(planes, outputs, number, piece)

        padded = cut(len(x) * self.geometry.in_channels, pieces)
        shares = [(i, i + 1) for i in range(len(work))]
        in_stages((self._padding_of(x, planes[:size]), padded), (write, shares))

    def _padding_of(self, x: Array, memory: Array) -> Write:
        """Return what writes padded copies of channels."""
        planes = memory.reshape(-1, *self.planes.shape)
        source = x.reshape(-1).view(self.real)
        shape = tuple(axis.n_in for axis in three_axes(self.geometry.axes))
        start = tuple(-low for low in self.planes.low)
        stretch = self.planes.shape[:2]

        def write(first: int, last: int) -> None:
            some = planes[first * self.parts : last * self.parts]
            fill(source, shape, self.parts, first, last - first, start, some, stretch)

        return write

    def _pieces(self, images: int, pieces: int) -> list[tuple[int, Triple]]:
        """Return (phase, (splits of the rows, first, last)) of every piece of work."""
        width = WIDE * VECTOR // self.real.itemsize
        panels = [self.geometry.groups * -(-images * math.prod(box) // width) for box in self.boxes]
        work = []
        for number, (packed, count) in enumerate(zip(self.packed, panels, strict=True)):
            split = 1  # of the rows among threads, where there are few panels
            while pieces > 1 and 2 * sum(panels) * split < pieces and 2 * split <= packed.shape[1]:
                split *= 2
            share = -(-pieces * count // max(sum(panels), 1))
            work += [(number, (split, *ends)) for ends in cut(count * split, share)]
        return work


def tiled(phase: Phase, tile: Triple) -> Phase:
    """Return a phase whose places are tiles, which read all inputs of their outputs."""
    if tile == (1, 1, 1):
        return phase
    box: Any = tuple(-(-n // m) for n, m in zip(phase.places.box, tile, strict=True))
    reads: Any = tuple(
        np.arange(len(reads) + m - 1) + reads[0] for reads, m in zip(phase.reads, tile, strict=True)
    )
    return replace(phase, places=phase.places._replace(box=box, advance=tile), reads=reads)


@inlined
def segments_of(place: int, count: int, box: Any, segments: Array) -> int:
    """List the lines of the box in [place, place + count): (at, image, j0, j1, j2, length)."""
    met, at = 0, 0
    while at < count:
        q, j2 = (place + at) // box[2], (place + at) % box[2]
        q, j1 = q // box[1], q % box[1]
        length = min(box[2] - j2, count - at)
        segments[met, 0], segments[met, 1], segments[met, 2] = at, q // box[0], q % box[0]
        segments[met, 3], segments[met, 4], segments[met, 5] = j1, j2, length
        at += length
        met += 1
    return met
