"""Pictures of layers: sparsity with taps in colour, convolution arithmetic, overlap.

Every function returns a Matplotlib object and shows nothing: call ``.savefig(...)`` on a figure
(``.figure.savefig(...)`` on axes), or let a notebook display it. Matplotlib is imported on first
use, and pyplot never, so no window system and no global state is involved.

One colour stands for one tap of the kernel in every picture.

============  =========================================================
`sparsity`    `spy`: the matrix of a layer, each tap in its colour
`pairs`       `pair`: a matrix and its transpose side by side
`raster`      the entries of a matrix, counted by pixels
`grid`        which rows and columns are one pixel
`patterns`    which entries a matrix has, axis by axis
`ruling`      axes, ticks and rules around a matrix
`windows`     `arithmetic` and `animate`: which inputs one output reads
`coverage`    `overlap`: how many windows cover each position
`strips`      `strip`: images side by side
`photograph`  an image file as an array
`style`       colours and figures that all pictures share
============  =========================================================
"""

from __future__ import annotations

from convmat.plot.coverage import overlap
from convmat.plot.pairs import pair
from convmat.plot.sparsity import key, spy
from convmat.plot.strips import strip
from convmat.plot.windows import animate, arithmetic

__all__ = ["animate", "arithmetic", "key", "overlap", "pair", "spy", "strip"]


def __dir__() -> list[str]:
    return sorted(__all__)
