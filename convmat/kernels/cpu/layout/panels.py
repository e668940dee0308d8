"""Layers in panels: places side by side, of which every thread takes some, with all rows or some.

The common part of implicit matrix multiplication, where a place is an output, and of fast
convolution, where it is a tile of outputs.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from convmat.geometry.window import Geometry
from convmat.kernels.compiling import inlined
from convmat.kernels.costs import Work, seconds
from convmat.kernels.cpu.layout.phases import Phase, parts_of, phases, three_axes
from convmat.kernels.cpu.layout.planes import OF_GROUP, Planes, pad
from convmat.kernels.cpu.threads.pieces import pieces_for
from convmat.kernels.cpu.threads.team import together
from convmat.kernels.cpu.vectors.writer import VECTOR

__all__ = [
    "AT",
    "IMAGE",
    "J0",
    "J1",
    "J2",
    "LENGTH",
    "WIDE",
    "Group",
    "Panels",
    "Source",
    "segments_of",
    "source_of",
    "tiled",
]

Array = np.ndarray[Any, np.dtype[Any]]
Triple = tuple[int, int, int]
Arguments = tuple[Any, ...]

WIDE = 3  # vectors of places in a tile of sums
SCRATCH = 1 << 25  # bytes of padded inputs at a time; one image may need more

# Columns of segments: what a tile or panel has of one line of places. Where it begins in the tile,
# its image, its first place along each axis, and how many places it has.
AT, IMAGE, J0, J1, J2, LENGTH = range(6)


class Source(NamedTuple):
    """Padded inputs, and where in them things lie; see `Planes`."""

    planes: Array
    offsets: Array
    lines: Array


class Group(NamedTuple):
    """A group of channels: its number, how many there are, and the elements of its outputs."""

    number: int
    groups: int
    outputs: int


class Layout(NamedTuple):
    """How a layer lies in memory.

    Attributes
    ----------
    parts, real : see `parts_of`
    phases : of the layer
    inputs : sizes of the input along the axes
    boxes : of each phase, its places
    planes : how what they read lies in memory
    image : bytes of an input with its padding
    as_given : whether inputs are read where they are
    """

    parts: int
    real: np.dtype[Any]
    phases: tuple[Phase, ...]
    inputs: Triple
    boxes: list[Triple]
    planes: Planes
    image: int
    as_given: bool


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
        layout = _layout(geometry, dtype, tile)
        self.real, self.parts, self.phases = layout.real, layout.parts, layout.phases
        self.boxes, self.planes = layout.boxes, layout.planes
        self.inputs, self.image, self.as_given = layout.inputs, layout.image, layout.as_given
        self.channels = geometry.group_channels[1] * self.parts

    @abstractmethod
    def tiles(self, planes: Array, y: Array, number: int, splits: int) -> tuple[Any, Arguments]:
        """Return the kernel that writes the panels of a phase, and its arguments."""

    def padding(self, images: int) -> int:
        """Bytes of padded inputs."""
        if self.as_given:
            return 0
        return max(self.image, min(images * self.image, SCRATCH))

    def __call__(self, x: Array, y: Array) -> None:
        """Write y (batch, C_out, ...) of x (batch, C_in, ...), both contiguous, of the dtype."""
        images = max(1, SCRATCH // max(self.image, 1))
        for first in range(0, len(x), images):
            some = slice(first, min(first + images, len(x)))
            self._some(x[some], y[some])

    def _some(self, x: Array, y: Array) -> None:
        outputs = y.reshape(-1).view(self.real).reshape(len(x), self.geometry.groups, -1)
        pieces = pieces_for(len(x) * self.seconds)
        given = x.reshape(-1).view(self.real)
        planes = given if self.as_given else self._padded(x, pieces)
        width = WIDE * VECTOR // self.real.itemsize
        for number, (packed, box) in enumerate(zip(self.packed, self.boxes, strict=True)):
            panels = self.geometry.groups * -(-len(x) * math.prod(box) // width)
            splits = 1  # of the rows among threads, where there are few panels
            while pieces > 1 and 2 * panels * splits < pieces and 2 * splits <= packed.shape[1]:
                splits *= 2
            kernel, arguments = self.tiles(planes, outputs, number, splits)
            together(kernel, arguments, panels * splits, pieces)

    def _padded(self, x: Array, pieces: int) -> Array:
        """Return padded copies of all channels."""
        channels = len(x) * self.geometry.in_channels
        planes = np.empty((channels * self.parts, *self.planes.shape), self.real)
        source = x.reshape(-1).view(self.real)
        start = tuple(-low for low in self.planes.low)
        together(pad, (source, self.inputs, self.parts, start, planes), channels, pieces)
        return planes.reshape(-1)


@lru_cache(maxsize=256)
def _layout(geometry: Geometry, dtype: np.dtype[Any], tile: Triple) -> Layout:
    """Lay out a layer, whatever its weight."""
    parts, real = parts_of(dtype)
    placed = [tiled(phase, tile) for phase in phases(geometry, parts)]
    boxes = [phase.places.box for phase in placed]
    planes = Planes.of(placed, boxes, geometry.group_channels[1] * parts)
    inputs: Any = tuple(axis.n_in for axis in three_axes(geometry.axes))
    # Where nothing is padded, and no axis is split, the copy would be the input itself.
    unmoved = (*planes.shape[:2], planes.shape[3]) == inputs and planes.low == (0, 0, 0)
    as_given = parts == planes.shape[2] == 1 and unmoved
    image = geometry.in_channels * parts * planes.channel * real.itemsize
    return Layout(
        parts, real, phases(geometry, parts), inputs, boxes, planes, image, as_given=as_given
    )


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
    """List the lines of the box in [place, place + count)."""
    met, at = 0, 0
    while at < count:
        q, j2 = (place + at) // box[2], (place + at) % box[2]
        q, j1 = q // box[1], q % box[1]
        length = min(box[2] - j2, count - at)
        segments[met, AT], segments[met, LENGTH] = at, length
        segments[met, IMAGE], segments[met, J0] = q // box[0], q % box[0]
        segments[met, J1], segments[met, J2] = j1, j2
        at += length
        met += 1
    return met


@inlined
def source_of(segments: Array, s: int, group: Group, lines: Array) -> int:
    """Return where in the padded inputs the first place of a segment lies; see `Planes.lines`."""
    image = (segments[s, IMAGE] * group.groups + group.number) * lines[OF_GROUP]
    place = segments[s, J0] * lines[0] + segments[s, J1] * lines[1] + segments[s, J2]
    base: int = image + place
    return base
