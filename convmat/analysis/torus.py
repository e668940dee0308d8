"""Convolutions that wrap around: one small matrix of channels for each frequency.

A convolution of stride s on a torus of N positions takes the s frequencies that alias to one
output frequency q, namely ``q + m*N/s``, to that frequency alone. In bases of unit vectors it is
the block ``[M(q), M(q + N/s), ...] / sqrt(s)`` with ``M(f) = sum over k of
w[k] * exp(2*pi*i*f*dilation*k/N)``, on every axis. Its singular values are those of all blocks:
Sedghi, Gupta and Long (2019) for stride 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from convmat.analysis.numbers import EPS

__all__ = ["Torus"]

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK = 1 << 22  # complex numbers of the blocks that are held at a time
SQUARINGS = 5  # until what still may be the largest is decomposed
FEW = 16  # decomposed at once


@dataclass(frozen=True, eq=False)
class Torus:
    """A convolution whose axes wrap around, with strides that divide their sizes.

    Attributes
    ----------
    weight : array (groups, out, inner, *kernel)
        Channels of one group, as a correlation reads them.
    sizes, strides, dilations : tuple of int
        Of every spatial axis.
    """

    weight: Array
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def frequencies(self) -> tuple[int, ...]:
        """Output frequencies of every axis."""
        return tuple(n // s for n, s in zip(self.sizes, self.strides, strict=True))

    @property
    def size(self) -> int:
        """Numbers in all blocks."""
        channels: tuple[int, ...] = self.weight.shape[:3]
        return math.prod(self.sizes) * math.prod(channels)

    def blocks(self) -> Iterator[tuple[Array, int]]:
        """Yield (blocks, times): arrays (many, out, inner*strides), and how often each occurs.

        A real weight has the conjugate block at the opposite frequency, which is left out. Cost
        O(size * longest kernel); about 64 MB are held.
        """
        first = self.frequencies[0]
        real = not np.iscomplexobj(self.weight)
        rows = self.size // self.sizes[0] * self.strides[0]
        step = max(CHUNK // max(rows, 1), 1)
        # The frequencies that are their own opposites, and those that stand for two.
        halves = {0} | ({first // 2} if first % 2 == 0 else set())
        twice = list(range(1, (first + 1) // 2))
        kinds = [(sorted(halves), 1), (twice, 2)] if real else [(list(range(first)), 1)]
        for chosen, times in kinds:
            for start in range(0, len(chosen), step):
                yield self._blocks(np.array(chosen[start : start + step])), times

    def _blocks(self, chosen: Array) -> Array:
        """Return the blocks of some frequencies of the first axis and all of the others."""
        made: Array = self.weight
        for axis, (n, s) in enumerate(zip(self.sizes, self.strides, strict=True)):
            q = chosen if axis == 0 else np.arange(n // s)
            aliased = q[:, None] + np.arange(s) * (n // s)
            taps = self.dilations[axis] * np.arange(self.weight.shape[3 + axis])
            waves = np.exp(2j * np.pi / n * (aliased[..., None] * taps % n))
            # The axis of taps stands at 3, and is replaced by (q, alias) at the end.
            made = np.tensordot(made, waves, axes=(3, 2))
        ndim = len(self.sizes)
        out, inner = made.shape[1:3]
        order = [0, *range(3, 3 + 2 * ndim, 2), 1, 2, *range(4, 4 + 2 * ndim, 2)]
        aliases = math.prod(self.strides)
        blocks: Array = made.transpose(order).reshape(-1, out, inner * aliases)
        return blocks / math.sqrt(aliases)

    def norm(self) -> float:
        """Return the largest singular value, from above: rounding is added.

        Blocks that cannot hold it, by ``norm(G)**p <= norm(G**p, "fro")`` of their Gram matrices
        for growing p, are not decomposed.
        """
        best = 0.0
        for blocks, _ in self.blocks():
            best = max(best, _largest(blocks, best))
        return math.sqrt(best) * (1 + self.rounding)

    def singular_values(self) -> Array:
        """Return all of them, the largest first; cost O(frequencies * channels**3).

        As many as the shorter side of the matrix has, zeros included.
        """
        found = []
        for blocks, times in self.blocks():
            values = np.linalg.svd(blocks, compute_uv=False)
            found.append(np.repeat(values.ravel(), times))
        return np.sort(np.concatenate(found))[::-1]

    @property
    def rounding(self) -> float:
        """Relative error of a norm, at most: of the sums over taps, and of the decompositions."""
        _, out, inner, *kernel = self.weight.shape
        terms = math.prod(kernel) + 8 * len(kernel) + 16 * max(out, inner * math.prod(self.strides))
        return float(terms * EPS)


def _largest(blocks: Array, best: float) -> float:
    """Return the largest eigenvalue of all Gram matrices, or `best` if none is larger."""
    conjugate = blocks.conj().swapaxes(1, 2)
    wide = blocks.shape[1] <= blocks.shape[2]
    gram = blocks @ conjugate if wide else conjugate @ blocks
    scale = float(np.linalg.norm(gram, axis=(1, 2)).max(initial=0.0))
    if scale == 0.0 or gram.shape[1] == 1:
        return max(best, scale)
    power, exponent = gram / scale, 1  # so that no power overflows
    for _ in range(SQUARINGS):
        power, exponent = power @ power, 2 * exponent
        bounds = scale * np.linalg.norm(power, axis=(1, 2)) ** (1 / exponent)
        top = np.argsort(bounds)[-FEW:]
        best = max(best, float(np.linalg.eigvalsh(gram[top])[:, -1].max()))
        kept = bounds > best
        kept[top] = False
        gram, power = gram[kept], power[kept]
        if not len(gram):
            return best
    return max(best, float(np.linalg.eigvalsh(gram)[:, -1].max()))
