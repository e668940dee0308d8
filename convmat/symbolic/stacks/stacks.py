"""Stacks of layers: sizes, receptive fields and counts in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from convmat.geometry.arguments import GeometryError, as_integer, as_size
from convmat.geometry.printing import OneLine
from convmat.symbolic.stacks import receptive
from convmat.symbolic.stacks.chains import Chain
from convmat.symbolic.stacks.entry_counts import entries
from convmat.symbolic.stacks.layer_specs import AxisSpec, LayerSpec, as_layer

__all__ = ["Stack", "stack"]

Number = Any  # an int or Fraction, or an expression of SymPy, which has no types to offer here


Chains = tuple[Chain, ...]  # one for each axis


@dataclass(frozen=True, repr=False)
class Level(OneLine):
    """One layer in its place: its axes and channels, how often it follows itself."""

    spec: LayerSpec
    axes: tuple[AxisSpec, ...]
    in_channels: Number
    out_channels: Number
    repeat: Number

    @property
    def channels(self) -> Number:
        """Pairs of an input and an output channel that share weights with a tap."""
        if self.spec.kind == "pool":
            return self.out_channels
        return _quotient(self.in_channels * self.out_channels, self.spec.groups)

    @property
    def parameters(self) -> Number:
        """Weights, and biases if there are any, of one repetition."""
        if self.spec.kind == "pool":
            return 0
        taps = math.prod(axis.kernel for axis in self.axes)
        return self.channels * taps + (self.out_channels if self.spec.bias else 0)


@dataclass(frozen=True, repr=False)
class Stack(OneLine):
    """Layers one after the other, in closed form; made by `stack`.

    Attributes
    ----------
    levels : tuple of Level
    sizes : tuple of int or SymPy expression
        Input size of each axis.
    """

    levels: tuple[Level, ...]
    sizes: tuple[Number, ...]

    @cached_property
    def _chains(self) -> tuple[tuple[Chain, ...], ...]:
        """The size before each level and after the last, of each axis."""
        found = [tuple(Chain(size) for size in self.sizes)]
        for level in self.levels:
            found.append(
                tuple(
                    chain.then(axis.sizes().power(level.repeat))
                    for chain, axis in zip(found[-1], level.axes, strict=True)
                )
            )
        return tuple(found)

    @property
    def out_size(self) -> tuple[Number, ...]:
        """Output size of each axis: one floor of n wherever floors join."""
        return tuple(chain.value() for chain in self._chains[-1])

    @property
    def out_shape(self) -> tuple[Number, ...]:
        """(C, *spatial) of the output."""
        return (self.levels[-1].out_channels, *self.out_size)

    def _along(self, number: int) -> list[tuple[AxisSpec, Number]]:
        return [(level.axes[number], level.repeat) for level in self.levels]

    @property
    def receptive_field(self) -> tuple[Number, ...]:
        """Extent in inputs, of each axis, of what reaches one output far from the ends.

        After a transposed convolution outputs differ; the largest extent then.

        Raises
        ------
        GeometryError
            If there is no closed form: symbols in a transposed convolution whose outputs may read
            inputs with gaps between them. Or if outputs differ in too many ways to follow, as
            after dozens of strides of 2 and 3 by turns.
        """
        return tuple(receptive.receptive_field(self._along(d)) for d in range(len(self.sizes)))

    def _field(self) -> tuple[Number, ...]:
        """Return the receptive field for a table, a dash where it has no closed form."""
        try:
            return self.receptive_field
        except GeometryError:
            return ("-",)

    @property
    def jump(self) -> tuple[Number, ...]:
        """Inputs from one output to the next, of each axis: products of strides, or fractions."""
        return tuple(receptive.jump(self._along(d)) for d in range(len(self.sizes)))

    @property
    def first_centre(self) -> tuple[Number, ...]:
        """Middle of the window of output 0, of each axis, in inputs counted from 0."""
        return tuple(receptive.first_centre(self._along(d)) for d in range(len(self.sizes)))

    @property
    def parameters(self) -> Number:
        """Number of weights, and biases where a layer has them."""
        return sum(level.parameters * level.repeat for level in self.levels)

    @cached_property
    def nonzeros(self) -> tuple[Number, ...]:
        """Nonzeros of each layer's matrix, boundaries included: its `nnz`.

        A layer repeated as often as a symbol says counts all repetitions, as a sum over them.
        """

        def count(level: Level, before: Chains, _: Chains) -> Number:
            pairs = zip(level.axes, before, strict=True)
            return level.channels * math.prod(entries(axis, chain) for axis, chain in pairs)

        return tuple(self._summed(number, count) for number in range(len(self.levels)))

    @cached_property
    def multiply_adds(self) -> tuple[Number, ...]:
        """Multiply-adds of each layer as frameworks count them: all taps, padding included.

        Every window of a convolution, and every input of a transposed convolution, meets every
        tap. A pooling multiplies nothing.
        """

        def count(level: Level, before: Chains, after: Chains) -> Number:
            if level.spec.kind == "pool":
                return 0
            windows = before if level.spec.kind == "conv_transpose" else after
            pairs = zip(level.axes, windows, strict=True)
            return level.channels * math.prod(a.kernel * chain.value() for a, chain in pairs)

        return tuple(self._summed(number, count) for number in range(len(self.levels)))

    def _summed(self, number: int, count: Callable[[Level, Chains, Chains], Number]) -> Number:
        """Sum what one level counts over its repetitions."""
        level, before, after = self.levels[number], self._chains[number], self._chains[number + 1]
        if level.repeat == 1:
            return count(level, before, after)
        import sympy

        i = sympy.Symbol("i", integer=True, nonnegative=True)
        at, behind = (
            tuple(c.then(a.sizes().power(times)) for c, a in zip(before, level.axes, strict=True))
            for times in (i, i + 1)
        )
        total = sympy.sympify(count(level, at, behind))
        if not total.has(i):
            return total * level.repeat
        return sympy.Sum(total, (i, 0, level.repeat - 1))

    def upto(self, count: int) -> Stack:
        """Return the stack of the first layers."""
        return Stack(self.levels[:count], self.sizes)

    def at(self, *sizes: int) -> Stack:
        """Return the same stack on inputs of these sizes, one for all axes or one for each.

        Examples
        --------
        >>> from convmat.symbolic import layer
        >>> stack([layer("conv", 3), layer("pool", 2)]).at(9).out_size
        (3,)
        """
        given = sizes * len(self.sizes) if len(sizes) == 1 else sizes
        return _checked(self.levels, _sizes(given, len(self.sizes)))

    def table(self) -> str:
        """Return one line for each layer: what the stack up to it does, and what it holds."""
        head = ("", "layer", "out", "field", "jump", "parameters", "nonzeros", "multiply-adds")
        rows: list[tuple[str, ...]] = [head]
        for number, level in enumerate(self.levels, 1):
            part = self.upto(number)
            rows.append(
                (
                    str(number),
                    str(level.spec),
                    *(_row(x) for x in (part.out_size, part._field(), part.jump)),
                    str(level.parameters * level.repeat),
                    str(self.nonzeros[number - 1]),
                    str(self.multiply_adds[number - 1]),
                )
            )
        totals = (self.parameters, sum(self.nonzeros), sum(self.multiply_adds))
        rows.append(("", "together", "", "", "", *map(str, totals)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def _in_short(self) -> str:
        return f"stack of {len(self.levels)} layers: {self.sizes} -> {self.out_size}"

    def __str__(self) -> str:
        return "\n".join(
            f"{name}: {value}"
            for name, value in (
                ("layers", len(self.levels)),
                ("out size", _row(self.out_size)),
                ("receptive field", _row(self._field())),
                ("jump", _row(self.jump)),
                ("first centre", _row(self.first_centre)),
                ("parameters", self.parameters),
            )
        )

    def latex(self) -> str:
        """Return output size, receptive field, jump and first centre of each axis as LaTeX."""
        import sympy

        rows = []
        field = self._field()
        if field == ("-",):
            field = (sympy.Symbol("-"),) * len(self.sizes)
        columns = (self.out_size, field, self.jump, self.first_centre)
        for number, values in enumerate(zip(*columns, strict=True)):
            axis = f"_{{{number}}}" if len(self.sizes) > 1 else ""
            for name, value in zip((r"\mathrm{out}", "r", "j", "c"), values, strict=True):
                rows.append(rf"{name}{axis} &= {sympy.latex(sympy.sympify(value))}")
        return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


def stack(
    layers: Sequence[Any],
    in_channels: Any = None,
    sizes: Any = None,
    ndim: int | None = None,
) -> Stack:
    """Return closed forms for layers one after the other.

    Parameters
    ----------
    layers : sequence
        Of `layer(...)`, dictionaries of its keywords, convolutions and max poolings of this
        package. Their sizes are not used: n is free.
    in_channels : int or SymPy symbol, optional
        Channels of the input; those of a first operator, or 1, if not given.
    sizes : int, SymPy expression, or one per axis, optional
        Input sizes; the symbol n, or n0, n1..., if not given.
    ndim : int, optional
        Number of spatial axes; 1 if no layer says it.

    Returns
    -------
    Stack

    Raises
    ------
    GeometryError
        No layers, layers of different numbers of axes, channels that do not divide into groups,
        or, for integer sizes, a window that does not fit.

    Notes
    -----
    Sizes and the ends of windows are maps ``floor((gain*n + offset)/divisor)``, joined by
    ``floor((floor(x/a) + b)/c) = floor((x + a*b)/(a*c))``. L equal layers are one map, whose
    offset is a geometric sum. The receptive field is the difference of two such maps.
    The time is linear in the number of layers.

    References
    ----------
    Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks",
    Distill 2019, equations 2 to 6. Dumoulin and Visin, "A guide to convolution arithmetic for
    deep learning", 2016.

    Examples
    --------
    >>> from convmat.symbolic import layer
    >>> halving = stack([layer("conv", 3, stride=2, padding=1)] * 3)
    >>> halving.out_size, halving.receptive_field, halving.jump, halving.first_centre
    ((floor(n/8 + 7/8),), (15,), (8,), (0,))
    >>> from sympy import Symbol
    >>> repeated = stack([layer("conv", 3, stride=2, padding=1, repeat=Symbol("L", integer=True))])
    >>> repeated.receptive_field
    (2*2**L - 1,)
    """
    specs = [as_layer(entry) for entry in layers]
    if not specs:
        raise GeometryError("layers", layers, "must hold a layer", "pass one or more")
    known = {spec.ndim for spec in specs if spec.ndim is not None}
    if ndim is not None:
        known.add(as_integer("ndim", ndim, 1))
    if isinstance(sizes, (tuple, list)):
        known.add(len(sizes))
    if len(known) > 1:
        raise GeometryError("layers", sorted(known), "differ in their axes", "use as many for all")
    axes = known.pop() if known else 1
    channels = specs[0].in_channels if in_channels is None else in_channels
    channels = 1 if channels is None else as_size("in_channels", channels, 1)
    levels: list[Level] = []
    for spec in specs:
        found = _levels(spec, channels, axes)
        levels += found
        channels = found[-1].out_channels if found else channels
    if not levels:
        raise GeometryError("layers", layers, "are all repeated 0 times", "use repeat=1")
    return _checked(tuple(levels), _sizes(sizes, axes))


def _levels(spec: LayerSpec, channels: Number, ndim: int) -> list[Level]:
    """Put a layer in its place; one repeated a number of times becomes so many."""
    axes = spec.axes(ndim)
    out = channels if spec.channels is None else spec.channels
    for name, value in (("in_channels", channels), ("channels", out)):
        whole = all(isinstance(number, int) for number in (value, spec.groups))
        if whole and value % spec.groups:
            raise GeometryError(name, value, f"must divide into {spec.groups} groups", "change it")
    if spec.in_channels is not None and channels != spec.in_channels:
        rule = f"does not fit a layer that takes {spec.in_channels} channels"
        raise GeometryError("in_channels", channels, rule, f"use {spec.in_channels}")
    first, later = (Level(spec, axes, c, out, 1) for c in (channels, out))
    if isinstance(spec.repeat, int):
        return [first, *[later] * (spec.repeat - 1)] if spec.repeat else []
    if channels != out:
        raise GeometryError(
            "repeat",
            spec.repeat,
            "repeats a layer that changes the channels",
            "put one layer that changes them before",
        )
    return [Level(spec, axes, channels, out, spec.repeat)]


def _sizes(sizes: Any, ndim: int) -> tuple[Number, ...]:
    if sizes is None:
        import sympy

        names = ["n"] if ndim == 1 else [f"n{d}" for d in range(ndim)]
        return tuple(sympy.Symbol(name, integer=True, positive=True) for name in names)
    given = tuple(sizes) if isinstance(sizes, (tuple, list)) else (sizes,) * ndim
    if len(given) != ndim:
        raise GeometryError("sizes", given, f"must be one for each of {ndim} axes", "pass as many")
    return tuple(as_size("sizes", size, 1) for size in given)


def _checked(levels: tuple[Level, ...], sizes: tuple[Number, ...]) -> Stack:
    """Return the stack; where sizes are numbers every window has to fit."""
    found = Stack(levels, sizes)
    for number, chains in enumerate(found._chains[1:], 1):
        for chain in chains:
            size = chain.value() if isinstance(chain.x, int) else 1
            if isinstance(size, int) and size < 1:
                raise GeometryError(
                    "sizes",
                    sizes,
                    f"leave no output of layer {number} ({levels[number - 1].spec})",
                    "use larger inputs",
                )
    return found


def _quotient(number: Number, divisor: Number) -> Number:
    if isinstance(number, int) and isinstance(divisor, int):
        return number // divisor
    return number / divisor


def _row(values: Sequence[Number]) -> str:
    """Write one value where all axes agree."""
    return str(values[0]) if len(set(values)) == 1 else ", ".join(map(str, values))
