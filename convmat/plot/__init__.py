"""Pictures of layers: sparsity with taps in colour, convolution arithmetic, overlap.

Every function returns a Matplotlib object and shows nothing: call ``.savefig(...)`` on a figure
(``.figure.savefig(...)`` on axes), or let a notebook display it. Matplotlib is imported on first
use, and pyplot never, so no window system and no global state is involved.

One colour stands for one tap of the kernel in every picture.
"""

from __future__ import annotations

from convmat.plot.coverage import overlap
from convmat.plot.pairs import pair
from convmat.plot.sparsity import key, spy
from convmat.plot.strips import strip
from convmat.plot.windows import animate, arithmetic

__all__ = ["animate", "arithmetic", "key", "overlap", "pair", "spy", "strip"]
