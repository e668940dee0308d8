"""Layers as parameters alone: integers or symbols, no arrays and no input sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

from convmat.geometry.arguments import GeometryError, as_bool, as_size, one_of
from convmat.geometry.keywords import axes_keywords, entry_per_axis, keywords
from convmat.geometry.printing import OneLine
from convmat.geometry.sizes import is_same, padding_ends
from convmat.geometry.sizes.layers import CEIL_POOL
from convmat.geometry.window import Geometry, Window
from convmat.symbolic.formulas.size_maps import size_map
from convmat.symbolic.stacks.chains import FloorMap

__all__ = ["AxisSpec", "LayerSpec", "as_layer", "layer"]

KINDS = ("conv", "conv_transpose", "pool")

Number = Any  # an int, or an expression of SymPy, which has no types of its own to offer here


class AxisSpec(NamedTuple):
    """One axis of a layer."""

    kind: str
    kernel: Number
    stride: Number
    low: Number
    high: Number
    dilation: Number
    output_padding: Number
    ceil_mode: bool

    def sizes(self) -> FloorMap:
        """Return the output size as a map of the input size.

        Examples
        --------
        >>> layer("pool", 3, 2, ceil_mode=True).axes(1)[0].sizes()
        FloorMap(gain=1, offset=0, divisor=2)
        """
        kind, *numbers, ceil_mode = self
        gain, offsets, divisor = size_map(CEIL_POOL if ceil_mode else kind, *numbers)
        if len(offsets) == 1 or all(isinstance(offset, int) for offset in offsets):
            return FloorMap(gain, min(offsets), divisor)
        import sympy

        return FloorMap(gain, sympy.Min(*offsets), divisor)

    def window(self) -> Window:
        """Return the record of the axis but for its sizes, which are 0."""
        record = Window(0, 0, self.kernel, self.stride, 1, self.dilation, self.low)
        return record.transpose() if self.kind == "conv_transpose" else record


@dataclass(frozen=True, repr=False)
class LayerSpec(OneLine):
    """A layer for `stack`: what `layer` was given, unchecked until the number of axes is known."""

    kind: str
    kernel: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    output_padding: Any = 0
    ceil_mode: bool = False
    channels: Any = None
    groups: Any = 1
    bias: bool = False
    repeat: Any = 1
    in_channels: Any = None
    spatial: tuple[int, ...] | None = None

    @cached_property
    def ndim(self) -> int | None:
        """The number of axes, if a parameter says it."""
        named = (self.kernel, self.stride, self.dilation, self.output_padding)
        lengths = {len(value) for value in named if isinstance(value, (tuple, list))}
        if len(lengths) > 1:
            raise GeometryError(
                "kernel", self.kernel, "and the other parameters differ in axes", "use one number"
            )
        return lengths.pop() if lengths else None

    def axes(self, ndim: int) -> tuple[AxisSpec, ...]:
        """Return the layer axis by axis, checked."""
        stride = self.stride
        if stride is None:
            stride = self.kernel if self.kind == "pool" else 1
        rows = zip(
            self._entries("kernel", self.kernel, ndim, 1),
            self._entries("stride", stride, ndim, 1),
            self._entries("dilation", self.dilation, ndim, 1),
            self._entries("output_padding", self.output_padding, ndim, 0),
            range(ndim),
            strict=True,
        )
        found = []
        for k, s, d, a, number in rows:
            low, high = self._padding(number, ndim, k, s, d)
            if all(isinstance(entry, int) for entry in (s, d, a)) and a >= max(s, d):
                rule = f"must be less than max(stride, dilation) = {max(s, d)}"
                raise GeometryError("output_padding", a, rule, f"use at most {max(s, d) - 1}")
            found.append(AxisSpec(self.kind, k, s, low, high, d, a, self.ceil_mode))
        return tuple(found)

    def _entries(self, name: str, value: Any, ndim: int, least: int) -> list[Any]:
        return [as_size(name, entry, least) for entry in entry_per_axis(name, value, ndim)]

    def _padding(self, number: int, ndim: int, k: Any, s: Any, d: Any) -> tuple[Any, Any]:
        """Return (low, high) of one axis; of the names, those that depend on no size."""
        entry = self.padding
        if not isinstance(entry, str):
            entry = entry_per_axis("padding", entry, ndim)[number]
        if is_same(entry) and (s != 1 or not isinstance(k, int) or not isinstance(d, int)):
            raise GeometryError(
                "padding",
                entry,
                "depends on the size of the input where the stride is not 1",
                "give numbers",
            )
        return padding_ends(entry, 1, k, s, d)

    def __str__(self) -> str:
        words = [f"{self.kind} {self.kernel}"]
        for field in fields(self):
            value = getattr(self, field.name)
            unsaid = field.name in ("kind", "kernel", "in_channels", "spatial", "channels")
            if not unsaid and value != field.default:
                words.append(f"{field.name} {value}")
        return ", ".join(words)


def layer(
    kind: str,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    output_padding: Any = 0,
    ceil_mode: bool = False,
    channels: Any = None,
    groups: Any = 1,
    bias: bool = False,
    repeat: Any = 1,
) -> LayerSpec:
    """Return a layer of a stack: integers or SymPy symbols, one for all axes or one for each.

    Parameters
    ----------
    kind : {"conv", "conv_transpose", "pool"}
    kernel, stride, dilation, output_padding : int, symbol, or one per axis
        The stride is 1 if it is not given, of a pooling the kernel.
    padding : int, symbol, one per axis, (low, high) per axis, "valid", "full", or "same"
        "same" for stride 1 only: else it depends on the input.
    ceil_mode : bool
        Of a pooling.
    channels : int or symbol, optional
        Output channels; as many as come in, if not given. A pooling keeps them.
    groups : int or symbol
    bias : bool
        Whether one number per output channel counts among the parameters.
    repeat : int or symbol
        So many equal layers, one after the other.

    Raises
    ------
    GeometryError
        An unknown kind, a number out of range, or options that the kind does not have.

    Examples
    --------
    >>> print(layer("conv", 3, padding=1, channels=64))
    conv 3, padding 1
    """
    one_of("kind", kind, KINDS)
    if as_bool("ceil_mode", ceil_mode) and kind != "pool":
        raise GeometryError("ceil_mode", True, f"is no option of {kind}", 'use kind="pool"')
    if kind != "conv_transpose" and output_padding != 0:
        rule = f"is no option of {kind}"
        raise GeometryError("output_padding", output_padding, rule, "leave it out")
    if kind == "pool" and (channels is not None or groups != 1 or as_bool("bias", bias)):
        raise GeometryError("channels", channels, "are kept by a pooling", "leave it out")
    if channels is not None:
        channels = as_size("channels", channels, 1)
    return LayerSpec(
        kind,
        kernel,
        stride,
        padding,
        dilation,
        output_padding,
        ceil_mode,
        channels,
        as_size("groups", groups, 1),
        as_bool("bias", bias),
        as_size("repeat", repeat, 0),
    )


def as_layer(value: Any) -> LayerSpec:
    """Return a spec, a mapping of `layer`'s keywords, or an operator as a `LayerSpec`."""
    if isinstance(value, LayerSpec):
        return value
    if isinstance(value, Mapping):
        return _from_mapping(value)
    geometry = getattr(value, "geometry", None)
    if isinstance(geometry, Geometry):
        return _from_geometry(geometry)
    axes = getattr(value, "axes", None)
    if isinstance(axes, tuple) and all(isinstance(axis, Window) for axis in axes):
        return _from_pooling(axes, value.channels)
    raise GeometryError(
        "layers",
        value,
        "holds something that is not a layer with a kernel and a stride",
        "use convmat.symbolic.layer(...), a convolution, or a max pooling",
    )


def _from_mapping(value: Mapping[str, Any]) -> LayerSpec:
    known = [field.name for field in fields(LayerSpec)][:-2]
    given = dict(value)
    if "layer" in given:
        given["kind"] = given.pop("layer")
    for name in given:
        if name not in known:
            raise GeometryError("layers", name, "is no option of a layer", f"use {known}")
    for name in ("kind", "kernel"):
        if name not in given:
            raise GeometryError("layers", dict(value), f"has no {name!r}", f"add {name!r}")
    return layer(**given)


def _from_geometry(geometry: Geometry) -> LayerSpec:
    kind = "conv_transpose" if geometry.flipped else "conv"
    named: dict[str, Any] = keywords(geometry)
    spec = layer(kind, channels=geometry.out_channels, **named)
    spatial = geometry.in_shape[1:]
    return replace(spec, in_channels=geometry.in_channels, spatial=spatial)


def _from_pooling(axes: tuple[Window, ...], channels: int) -> LayerSpec:
    named = {"stride": 1, **axes_keywords(axes)}
    spec = layer("pool", tuple(axis.kernel for axis in axes), **named)
    return replace(spec, in_channels=channels, spatial=tuple(axis.n_in for axis in axes))
