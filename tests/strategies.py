"""Hypothesis strategies: arguments of layers that are valid, and arguments that may not be."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from cases import integers
from hypothesis import strategies as st


class Axis(NamedTuple):
    """One spatial axis of a layer."""

    n: int
    kernel: int
    stride: int
    dilation: int
    pads: tuple[int, int]
    output_padding: int


class Layer(NamedTuple):
    """Arguments of `conv` or `conv_transpose`, the axes one by one."""

    axes: list[Axis]
    in_channels: int
    out_channels: int
    groups: int
    seed: int

    def per_axis(self, field: str) -> list[Any]:
        return [getattr(axis, field) for axis in self.axes]

    @property
    def in_shape(self) -> tuple[int, ...]:
        return (self.in_channels, *self.per_axis("n"))

    def weight(self, *, transposed: bool) -> Any:
        first, second = self.out_channels, self.in_channels
        if transposed:
            first, second = second, first
        return integers((first, second // self.groups, *self.per_axis("kernel")), seed=self.seed)

    def keywords(self, *, transposed: bool) -> dict[str, Any]:
        """Everything after weight and in_shape."""
        chosen = {
            "stride": self.per_axis("stride"),
            "padding": self.per_axis("pads"),
            "dilation": self.per_axis("dilation"),
            "groups": self.groups,
        }
        if transposed:
            chosen["output_padding"] = self.per_axis("output_padding")
        return chosen


@st.composite
def axis(draw: st.DrawFn, *, symmetric: bool, transposed: bool) -> Axis:
    """Draw an axis on which the window fits, or on which some output is left."""
    kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 3))
    low = draw(st.integers(0, 3))
    high = low if symmetric else draw(st.integers(0, 3))
    span = dilation * (kernel - 1) + 1
    extra = draw(st.integers(0, max(stride, dilation) - 1)) if transposed else 0
    # The window fits, or s*(n - 1) + span - low - high + extra >= 1.
    short = low + high + 1 - span - extra
    least = 1 + -(-short // stride) if transposed else span - low - high
    least = max(least, 1)
    return Axis(draw(st.integers(least, least + 4)), kernel, stride, dilation, (low, high), extra)


@st.composite
def layer(
    draw: st.DrawFn, ndim: int | None = None, *, symmetric: bool = False, transposed: bool = False
) -> Layer:
    """Draw a valid layer of one to three dimensions, small enough for loops."""
    ndim = draw(st.integers(1, 3)) if ndim is None else ndim
    axes = [draw(axis(symmetric=symmetric, transposed=transposed)) for _ in range(ndim)]
    groups = draw(st.integers(1, 2))
    channels = st.integers(1, 2)
    return Layer(
        axes,
        groups * draw(channels),
        groups * draw(channels),
        groups,
        draw(st.integers(0, 1000)),
    )


# What a caller may write where a small integer is meant, right or wrong.
near_integers = st.one_of(
    st.integers(-1, 4),
    st.sampled_from(
        [None, True, 1.0, float("nan"), float("inf"), "same", "2", b"1", 1j, np.int8(2)]
    ),
    st.sampled_from([np.float32(1), np.bool_(True), np.array(2), object(), {}, (), np.array([])]),
)
near_sequences = st.one_of(
    near_integers, st.lists(st.one_of(near_integers, st.lists(near_integers)), max_size=3)
)


@st.composite
def careless(draw: st.DrawFn, *, transposed: bool) -> dict[str, Any]:
    """Draw keywords of a layer of which a few may be wrong in type, sign, length or size."""
    names = ["stride", "padding", "dilation", "groups", "padding_mode", "in_shape"]
    if transposed:
        names += ["output_padding", "output_size"]
    return {
        name: draw(near_sequences) for name in draw(st.sets(st.sampled_from(names), max_size=2))
    }


@st.composite
def careless_weight(draw: st.DrawFn) -> Any:
    """Draw an array that may be a weight: any rank, any dtype, sizes from zero."""
    shape = draw(st.lists(st.integers(0, 3), max_size=5))
    dtype = draw(
        st.sampled_from(["f8", "f4", "c16", "i2", "u1", "?", "f2", "U1", "S1", "M8[s]", "O", "V2"])
    )
    return np.zeros(shape, dtype)
