"""The layers that are applied: from networks that people know, and from image and audio work."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

import convmat as cm

Array = np.ndarray[Any, np.dtype[Any]]
DType = np.dtype[Any]

FORWARD, ADJOINT = "forward", "adjoint"
MULTI, SINGLE, APART = "multi-channel", "single channel", "channels apart"
SEPARABLE = "separable"  # single channel with a kernel of rank one; beside the means over all


@dataclass(frozen=True)
class Case:
    """A layer by the arguments that every library takes: equal along all axes, zero padding."""

    in_shape: tuple[int, ...]
    out_channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    kind: str = "conv"  # or conv_transpose, max_pool, bilinear
    taps: str = "random"  # or bilinear, gaussian
    family: str = MULTI

    @property
    def ndim(self) -> int:
        """The number of spatial axes."""
        return len(self.in_shape) - 1

    @property
    def has_weight(self) -> bool:
        """Whether this is a convolution, transposed or not."""
        return self.kind in ("conv", "conv_transpose")

    def small(self) -> Case:
        """Return a layer of the same kind that takes no time; its channels end in a remainder."""
        apart = self.groups > 1
        channels = 3 if apart else min(self.in_shape[0], 5)
        sizes = tuple(min(n, 3 if self.kind == "conv_transpose" else 9) for n in self.in_shape[1:])
        dilation = min(self.dilation, 2)
        return replace(
            self,
            in_shape=(channels, *sizes),
            out_channels=channels if apart else min(self.out_channels, 3),
            dilation=dilation,
            padding=min(self.padding, 3),
            kernel=min(self.kernel, 16 if self.kind == "conv_transpose" else 7),
            groups=3 if apart else 1,
        )

    def weight(self, dtype: DType) -> Array | None:
        """Return the weight, in the layout that PyTorch gives it too."""
        if not self.has_weight:
            return None
        first, second = self.in_shape[0], self.out_channels
        if self.kind == "conv":
            first, second = second, first
        shape = first, second // self.groups, *[self.kernel] * self.ndim
        if self.taps == "random":
            fan = math.prod(shape[1:])
            normal = np.random.default_rng(0).standard_normal(shape)
            return (normal / math.sqrt(fan)).astype(dtype)
        centred = np.arange(self.kernel) - (self.kernel - 1) / 2
        line = 1 - np.abs(centred) / self.stride
        if self.taps == "gaussian":
            line = np.exp(-18 * (centred / self.kernel) ** 2)
            line /= line.sum()
        line = line.astype(dtype)  # so that the products below have rank one to the last bit
        return np.broadcast_to(np.multiply.outer(line, line), shape).astype(dtype)

    def operator(self, weight: Array | None) -> Any:
        """Return the layer; for a max pooling the layer that is not linear, and gives switches."""
        if self.kind == "max_pool":
            return cm.max_pool(self.in_shape, self.kernel, self.stride, self.padding)
        if self.kind == "bilinear":
            return cm.upsample(self.in_shape, scale_factor=self.stride, mode="bilinear")
        options = {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }
        make: Callable[..., Any] = getattr(cm, self.kind)
        return make(weight, self.in_shape, **options)


@dataclass(frozen=True)
class Problem:
    """A case with its numbers: x for the layer, g for its adjoint."""

    case: Case
    dtype: DType
    batch: int
    _numbers: Any = field(default_factory=lambda: np.random.default_rng(1), repr=False)

    @cached_property
    def weight(self) -> Array | None:
        """The weight, where there is one."""
        return self.case.weight(self.dtype)

    @cached_property
    def operator(self) -> Any:
        """The layer; as a linear operator, the selection of its winners, if it is a max pooling."""
        layer = self.case.operator(self.weight)
        if self.case.kind == "max_pool":
            return cm.selection((self._rows, *self.case.in_shape[1:]), self.switches)
        return layer

    @property
    def _rows(self) -> int:
        """Channels of the whole batch: a selection is made for one input, and here for all."""
        return self.batch * self.case.in_shape[0]

    @cached_property
    def pooling(self) -> Any:
        """The max pooling."""
        return self.case.operator(None)

    @cached_property
    def switches(self) -> Array:
        """Where the greatest inputs are, of all channels of all inputs."""
        places: Array = self.pooling(self.x)[1]
        return places.reshape(self._rows, *places.shape[2:])

    @cached_property
    def x(self) -> Array:
        """Inputs (batch, C, *spatial)."""
        return self._normal(self.case.in_shape)

    @cached_property
    def g(self) -> Array:
        """Numbers of the outputs' shape."""
        if self.case.kind == "max_pool":
            return self._normal((self.case.in_shape[0], *self.switches.shape[1:]))
        return self._normal(self.operator.out_shape)

    def _normal(self, shape: tuple[int, ...]) -> Array:
        numbers: Array = self._numbers.standard_normal((self.batch, *shape))
        return numbers.astype(self.dtype)

    def call(self, direction: str) -> Callable[[], Any]:
        """Return how convmat applies the layer, or its adjoint."""
        A, x, g = self.operator, self.x, self.g
        if self.case.kind != "max_pool":
            return (lambda: A(x)) if direction == FORWARD else (lambda: A.T(g))
        pooling, rows = self.pooling, g.reshape(A.out_shape)
        return (lambda: pooling.values(x)) if direction == FORWARD else (lambda: A.T(rows))

    def first_call(self, direction: str) -> Callable[[], Any] | None:
        """Return a call with a weight that was not seen before, where there is a weight."""
        A, x, g, weight = self.operator, self.x, self.g, self.weight
        if weight is None:
            return None
        if direction == FORWARD:
            return lambda: A.with_weight(weight)(x)
        return lambda: A.with_weight(weight).T(g)

    @cached_property
    def multiply_adds(self) -> int:
        """Products of the matrix with all inputs; none in a selection."""
        if self.case.kind == "max_pool":
            return 0
        return int(self.batch * self.operator.nnz)

    @cached_property
    def nbytes(self) -> int:
        """Bytes that must be moved at least: input, weight, output, and switches."""
        arrays = [self.x, self.g]
        arrays += [self.weight] if self.weight is not None else []
        arrays += [self.switches] if self.case.kind == "max_pool" else []
        return sum(array.nbytes for array in arrays)


def _dcgan(channels: int, out_channels: int, n: int) -> Case:
    return Case((channels, n, n), out_channels, 4, 2, 1, kind="conv_transpose")


def _resnet(channels: int, n: int) -> Case:
    return Case((channels, n, n), channels, 3, padding=1)


def _up(channels: int, n: int) -> Case:
    return Case((channels, n, n), channels // 2, 2, 2, kind="conv_transpose")


def _blur(kernel: int, **options: str) -> Case:
    options = {"family": SINGLE, **options}
    return Case((1, 2048, 2048), 1, kernel, padding=kernel // 2, **options)  # type: ignore[arg-type]  # texts alone


CASES = {
    "DCGAN 100→1024@1 k4": Case((100, 1, 1), 1024, 4, kind="conv_transpose"),
    "DCGAN 1024→512@4 k4 s2": _dcgan(1024, 512, 4),
    "DCGAN 512→256@8 k4 s2": _dcgan(512, 256, 8),
    "DCGAN 256→128@16 k4 s2": _dcgan(256, 128, 16),
    "DCGAN 128→3@32 k4 s2": _dcgan(128, 3, 32),
    "U-Net up 512→256@28 k2 s2": _up(512, 28),
    "U-Net up 128→64@112 k2 s2": _up(128, 112),
    "FCN-8s bilinear 21@34 k16 s8": Case(
        (21, 34, 34), 21, 16, 8, groups=21, kind="conv_transpose", taps="bilinear", family=APART
    ),
    "ResNet 64@56 k3": _resnet(64, 56),
    "ResNet 128@28 k3": _resnet(128, 28),
    "ResNet 256@14 k3": _resnet(256, 14),
    "ResNet 512@7 k3": _resnet(512, 7),
    "stem 3→64@224 k7 s2": Case((3, 224, 224), 64, 7, 2, 3),
    "1×1 256→64@56": Case((256, 56, 56), 64, 1),
    "depthwise 144@56 k3": Case((144, 56, 56), 144, 3, padding=1, groups=144, family=APART),
    "blur 2048² k5": _blur(5),
    "blur 2048² k31": _blur(31),
    "blur 2048² k31, rank one": _blur(31, taps="gaussian", family=SEPARABLE),
    "audio 10⁶ k101": Case((1, 10**6), 1, 101, padding=50, family=SINGLE),
    "WaveNet 64@16000 k2 d512": Case((64, 16000), 64, 2, dilation=512),
    "3-D 32@32³ k3": Case((32, 32, 32, 32), 32, 3, padding=1),
    "max-pool 64@112 k3 s2": Case((64, 112, 112), 64, 3, 2, 1, kind="max_pool", family=APART),
    "bilinear ×2 64@56": Case((64, 56, 56), 64, 1, 2, kind="bilinear", family=APART),
}
QUICK = ("DCGAN 100→1024@1 k4", "depthwise 144@56 k3", "bilinear ×2 64@56")
