"""The gradient of ``sum(g * A(x))`` by the weight of a layer, compiled.

For output channel o, input channel c and tap k it is the sum, over the batch and over the places
p at which the tap meets an input, of ``g[o, p] * x[c, p*stride + k*dilation - pad]``. Layers with
many channels in a group sum small dense tiles (`tiles`), others whole lines of places
(`lines`). A transposed convolution is the layer that it transposes with x and g
exchanged; of layers that could be seen either way what takes fewer cycles is chosen.

Cost: batch * nnz multiply-adds, with those that read padding. Scratch: in tiles, some lines of x
and g (half a megabyte; more where a single line of a volume or the reach of a window needs it)
and the sums (as large as the weight in whole tiles, or half a megabyte where the sums of some
rows of tiles can be finished before others begin); in lines, a block of x for each thread, sums
of parts of the places (4 MB at most, or the weight's size), and for complex numbers a copy of g.

Order of summation: tiles sum `tiles.DEPTH` places in the order of (image, place), and
add such sums in order; lines sum blocks of places, in each of which every lane of a vector has a
sum of its own, lanes in halves, and blocks in order. All of it follows from geometry, batch and
dtype, and each sum is one thread's: the number of threads changes no bit. With n terms a sum is
off by ``n * u * sum(abs(g) * abs(x))`` at most, as in any order; u is the unit roundoff, for
complex numbers ``2 * sqrt(2)`` times that. Integers wrap around.

NaN and infinity reach the entries whose taps meet them and no others, as in the product: where a
sum is not finite, for padding times infinity may have added to it, NumPy computes the gradient
again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from convmat.geometry.arrays import contiguous
from convmat.geometry.window import Geometry
from convmat.kernels.cpu.conv import in_numpy
from convmat.kernels.cpu.layout.phases import AXES
from convmat.kernels.cpu.weight_gradient.lines import Lines
from convmat.kernels.cpu.weight_gradient.tiles import Tiles

__all__ = ["candidates", "weight_gradient"]

Array = np.ndarray[Any, np.dtype[Any]]

KINDS = ("f4", "f8", "c8", "c16", "i8", "u8")  # of numbers, that there are kernels for


def weight_gradient(geometry: Geometry, x: Array, g: Array, dtype: np.dtype[Any]) -> Array:
    """Return the gradient in the weight's own layout, computed and returned in `dtype`.

    x is (batch, C_in, *in) and g (batch, C_out, *out), of any order in memory. Other dtypes, more
    axes than three, and windows with a base and a stride are left to `in_numpy.weight_gradient`.
    """
    found = _chosen(geometry, dtype, len(x))
    if found is None:
        return in_numpy.weight_gradient(geometry, x, g, dtype)
    first, second = contiguous(x, dtype), contiguous(g, dtype)
    if found.geometry != geometry:
        first, second = second, first
    gradient = found.gradient(first, second)
    return in_numpy.weight_gradient(geometry, x, g, dtype) if gradient is None else gradient


def candidates(geometry: Geometry, dtype: np.dtype[Any], images: int) -> list[Tiles | Lines]:
    """Return all ways to sum; those of another geometry than the given take x and g exchanged."""
    found: list[Tiles | Lines] = []
    if images == 0 or len(geometry.axes) > AXES or dtype.str[1:] not in KINDS:
        return found
    for one in (geometry, geometry.transpose()):
        if all(axis.base == 1 for axis in one.axes):
            found += [Tiles(one, dtype, images, over_outputs=over) for over in (False, True)]
            found.append(Lines(one, dtype, images))
    return found


@lru_cache(maxsize=64)
def _chosen(geometry: Geometry, dtype: np.dtype[Any], images: int) -> Tiles | Lines | None:
    found = candidates(geometry, dtype, images)
    return min(found, key=lambda made: made.cycles(), default=None)
