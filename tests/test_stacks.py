"""Closed forms of stacks against operators that are made, one after the other."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import convmat as cm
from convmat import GeometryError
from convmat.symbolic import LayerSpec, Stack, layer, normal_form, stack
from convmat.symbolic.stacks.chains import Chain, FloorMap

N = sympy.Symbol("n", integer=True, positive=True)
L = sympy.Symbol("L", integer=True, positive=True)


@st.composite
def layers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw the keywords of one to four layers."""
    small, number = st.integers(0, 2), st.integers(1, 3)
    found = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "conv", "pool", "conv_transpose"]))
        kernel, stride, dilation = draw(number), draw(number), draw(number)
        keywords = {"kind": kind, "kernel": kernel, "stride": stride, "dilation": dilation}
        keywords["padding"] = ((draw(small), draw(small)),)
        if kind == "pool":
            keywords["ceil_mode"] = draw(st.booleans())
            keywords["dilation"] = 1
        else:
            keywords["channels"] = draw(number)
        if kind == "conv_transpose":
            keywords["output_padding"] = draw(st.integers(0, max(stride, dilation) - 1))
        found.append(keywords)
    return found


def made(specs: list[dict[str, Any]], n: int, channels: int = 1) -> list[Any] | None:
    """Make the operators, None if a window does not fit or holds no input."""
    shape: tuple[int, ...] = (channels, n)
    found = []
    for spec in specs:
        options = {name: spec[name] for name in ("stride", "padding")}
        try:
            if spec["kind"] == "pool":
                options["ceil_mode"] = spec["ceil_mode"]
                operator = cm.avg_pool(shape, spec["kernel"], **options)
            else:
                weight = [shape[0], spec["channels"]]
                weight = weight if spec["kind"] == "conv_transpose" else weight[::-1]
                if spec["kind"] == "conv_transpose":
                    options["output_padding"] = spec["output_padding"]
                make = getattr(cm, spec["kind"])
                ones = np.ones((*weight, spec["kernel"]))
                operator = make(ones, shape, dilation=spec["dilation"], **options)
        except GeometryError:
            return None
        found.append(operator)
        shape = operator.out_shape
    return found


def number(value: Any, n: int) -> int:
    """Put n into a closed form."""
    return int(sympy.sympify(value).subs(N, n).doit())


@settings(max_examples=60, deadline=None)
@given(layers(), st.integers(1, 40))
def test_sizes_and_counts_are_those_of_the_operators(specs: list[dict[str, Any]], n: int) -> None:
    operators = made(specs, n, channels=2)
    if operators is None:
        return
    closed = stack(specs, in_channels=2)
    exact = closed.at(n)
    assert exact.out_shape == operators[-1].out_shape
    assert tuple(number(size, n) for size in closed.out_size) == operators[-1].out_shape[1:]
    entries = [operator.nnz for operator in operators]
    assert list(exact.nonzeros) == entries
    assert [number(count, n) for count in closed.nonzeros] == entries
    weights = [operator.weight.size for operator in operators if hasattr(operator, "weight")]
    assert closed.parameters == sum(weights)
    for spec, operator, count in zip(specs, operators, exact.multiply_adds, strict=True):
        if spec["kind"] == "pool":
            assert count == 0
        else:
            short = operator.in_shape if spec["kind"] == "conv_transpose" else operator.out_shape
            assert count == operator.weight.size * short[1]


@settings(max_examples=60, deadline=None)
@given(layers())
def test_receptive_field_is_what_the_matrices_reach(specs: list[dict[str, Any]]) -> None:
    for spec in specs:
        if "channels" in spec:
            spec["channels"] = 1
    closed = stack(specs)
    operators = made(specs, 60 + 4 * min(closed.receptive_field[0], 100))
    if operators is not None:
        assert closed.receptive_field == (widest_reach(operators),)


def widest_reach(operators: list[Any]) -> int:
    """Return the extent of the longest row of the product of the matrices."""
    reach = operators[0].matrix()
    for operator in operators[1:]:
        reach = operator.matrix() @ reach
    reach = reach.tocsr()
    reach.sort_indices()
    spans = [
        reach.indices[stop - 1] - reach.indices[start] + 1
        for start, stop in zip(reach.indptr[:-1], reach.indptr[1:], strict=True)
        if stop > start
    ]
    return int(max(spans, default=0))


def one_layer(kind: str) -> Iterator[dict[str, Any]]:
    """Yield small layers, all of them."""
    numbers = itertools.product(range(1, 5), range(1, 4), (1, 2), range(3), range(3))
    for kernel, stride, dilation, low, high in numbers:
        spec = {"kind": kind, "kernel": kernel, "stride": stride, "dilation": dilation}
        spec["padding"] = ((low, high),)
        if kind == "pool":
            if dilation == 1:
                yield {**spec, "ceil_mode": True}
        elif kind == "conv":
            yield {**spec, "channels": 1}
        else:
            extras = range(max(stride, dilation))
            yield from ({**spec, "channels": 1, "output_padding": a} for a in extras)


@pytest.mark.parametrize("kind", ["conv", "conv_transpose", "pool"])
def test_entries_of_one_layer_whatever_the_size(kind: str) -> None:
    """All small layers on inputs of 1 to 9: also where taps miss the input altogether."""
    for index, spec in enumerate(one_layer(kind)):
        closed = stack([spec])
        for n in range(1, 10):
            operators = made([spec], n)
            if operators is None:
                continue
            assert closed.at(n).nonzeros == (operators[0].nnz,), (spec, n)
            if (index + n) % 7 == 0:  # putting numbers into expressions takes its time
                assert number(closed.nonzeros[0], n) == operators[0].nnz, (spec, n)


def test_receptive_field_of_pairs() -> None:
    kinds = [
        {"kind": "conv", "dilation": 2, "kernel": 2, "stride": 3},
        {"kind": "conv", "dilation": 1, "kernel": 3, "stride": 2},
        *({"kind": "conv_transpose", "dilation": 1, "kernel": k, "stride": s, "output_padding": 0}
          for k, s in ((3, 2), (4, 2), (5, 3), (2, 3))),
        {"kind": "conv_transpose", "dilation": 2, "kernel": 3, "stride": 3, "output_padding": 0},
    ]  # fmt: skip
    for pair in itertools.product(kinds, repeat=2):
        specs = [{**spec, "padding": ((1, 1),), "channels": 1} for spec in pair]
        operators = made(specs, 40)
        assert operators is not None
        assert stack(specs).receptive_field == (widest_reach(operators),), pair


def test_receptive_field_of_many_layers_before_outputs_that_differ() -> None:
    """Neither the number of layers nor that of phases tells how long it takes."""
    start = time.perf_counter()
    convs = [layer("conv", 3, padding=1)] * 25
    assert stack([*convs, layer("conv_transpose", 2, stride=3)]).receptive_field == (51,)
    down = layer("conv", 3, stride=2, padding=1, repeat=25)
    up = layer("conv_transpose", 2, stride=3, repeat=25)
    assert stack([down, up]).receptive_field == (2**26 - 1,)
    mixed = [layer("conv", 3, stride=2, padding=1), layer("conv_transpose", 4, stride=2, padding=1)]
    assert [stack(mixed * count).receptive_field for count in (1, 2, 25)] == [(5,), (9,), (101,)]
    assert time.perf_counter() - start < 30  # seconds: it does not search


def test_receptive_field_where_outputs_differ() -> None:
    """Every output of a period followed by itself, through gaps, strides and dilations."""
    numbers = list(itertools.product((1, 2, 3, 5), (1, 2, 3), (1, 2, 4), (0, 1)))
    kinds = [
        layer(kind, k, stride=s, dilation=d, padding=p)
        for kind in ("conv", "conv_transpose")
        for k, s, d, p in numbers
    ]
    rng = np.random.default_rng(5)
    for _ in range(300):
        chosen = [kinds[i] for i in rng.integers(len(kinds), size=rng.integers(1, 5))]
        records = [spec.axes(1)[0].window() for spec in chosen]
        period = math.prod(record.base for record in records)
        if period > 60:
            continue
        widest = max(extent(records, o) for o in range(period))
        assert stack(chosen).receptive_field == (widest,), chosen
    apart = [layer("conv_transpose", 1, stride=3), layer("conv", 2, dilation=4)]
    assert stack(apart).receptive_field == (1,)  # 3 divides o or o + 4, never both


def extent(records: list[Any], output: int) -> int:
    """Return how far the inputs of one output reach, tap by tap."""
    places = {output}
    for record in reversed(records):
        sums = {
            record.stride * place + record.dilation * tap - record.pad
            for place in places
            for tap in range(record.kernel)
        }
        places = {total // record.base for total in sums if total % record.base == 0}
    return max(places) - min(places) + 1 if places else 0


def test_too_many_phases_are_refused() -> None:
    pair = [layer("conv_transpose", 4, stride=3), layer("conv", 3, stride=2)]
    with pytest.raises(GeometryError, match="phases"):
        _ = stack(pair * 25).receptive_field


def test_receptive_field_by_gradients() -> None:
    """A unit gradient at one output comes back to as many inputs, jump and centre included."""
    specs: list[dict[str, Any]] = [
        {"kind": "conv", "kernel": 3, "stride": 2, "padding": ((1, 1),), "dilation": 1},
        {"kind": "conv", "kernel": 5, "stride": 1, "padding": ((2, 0),), "dilation": 2},
        {"kind": "conv", "kernel": 4, "stride": 3, "padding": ((0, 1),), "dilation": 1},
    ]
    for spec in specs:
        spec["channels"] = 1
    operators = made(specs, 200)
    assert operators is not None
    closed = stack(specs)
    for o in (10, 11):
        gradient = np.zeros(operators[-1].out_shape)
        gradient[0, o] = 1
        for operator in reversed(operators):
            gradient = operator.T(gradient)
        (places,) = np.nonzero(gradient[0])
        assert np.ptp(places) + 1 == closed.receptive_field[0]
        centre = sympy.Rational(int(places[0] + places[-1]), 2)
        assert centre == closed.first_centre[0] + o * closed.jump[0]


def vgg16() -> list[LayerSpec]:
    found = []
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        found += [layer("conv", 3, padding=1, channels=channels, bias=True)] * count
        found.append(layer("pool", 2))
    return found


def test_vgg16_as_published() -> None:
    net = stack(vgg16(), in_channels=3, ndim=2)
    assert net.upto(17).receptive_field == (196, 196)
    assert net.receptive_field == (212, 212)
    assert net.jump == (32, 32)
    assert net.at(224).out_shape == (512, 7, 7)
    assert net.parameters == 14_714_688
    assert sum(net.at(224).multiply_adds) == 15_346_630_656


def test_alexnet_as_published() -> None:
    """Receptive fields 11, 19, 51, 67, 99, 131, 163, 195, as tabled by Araujo, Norris and Sim."""
    net = stack(
        [
            layer("conv", 11, stride=4, channels=64),
            layer("pool", 3, stride=2),
            layer("conv", 5, padding=2, channels=192),
            layer("pool", 3, stride=2),
            layer("conv", 3, padding=1, channels=384),
            layer("conv", 3, padding=1, channels=256),
            layer("conv", 3, padding=1),
            layer("pool", 3, stride=2),
        ],
        in_channels=3,
    )
    fields = [net.upto(count).receptive_field[0] for count in range(1, 9)]
    assert fields == [11, 19, 51, 67, 99, 131, 163, 195]
    assert net.jump == (32,)


def test_resnet50_as_published() -> None:
    """483 inputs as tabled by Araujo, Norris and Sim, whose blocks stride in their last unit."""
    net = [layer("conv", 7, stride=2, padding=3), layer("pool", 3, stride=2, padding=1)]
    for block, units in enumerate((3, 4, 6, 3)):
        for unit in range(units):
            last = unit == units - 1 and block < 3
            net += [layer("conv", 1), layer("conv", 3, stride=2 if last else 1, padding=1)]
            net.append(layer("conv", 1))
    closed = stack(net)
    assert closed.receptive_field == (483,)
    assert closed.jump == (32,)


def test_fifty_layers_are_one_floor_soon() -> None:
    start = time.perf_counter()
    deep = stack([layer("conv", 3, stride=1 + (i % 10 == 0), padding=1) for i in range(50)])
    (size,) = deep.out_size
    deep.table()
    assert time.perf_counter() - start < 30  # seconds: it does not search
    assert len(size.atoms(sympy.floor)) == 1
    assert size.subs(N, 1000) == 32


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "conv", "kernel": 3, "stride": 2, "padding": 1},
        {"kind": "conv", "kernel": 3, "padding": 0, "dilation": 2},
        {"kind": "conv_transpose", "kernel": 4, "stride": 2, "padding": 1},
        {"kind": "conv_transpose", "kernel": 3, "stride": 3, "output_padding": 1},
        {"kind": "pool", "kernel": 3, "stride": 2, "ceil_mode": True},
    ],
)
def test_equal_layers_have_closed_forms_in_their_number(options: dict[str, Any]) -> None:
    closed = stack([layer(**options, repeat=L)])
    for count in (1, 2, 4):
        plain = stack([layer(**options, repeat=count)])
        for name in ("jump", "first_centre", "receptive_field"):
            (value,) = getattr(closed, name)
            (wanted,) = getattr(plain, name)
            assert sympy.sympify(value).subs(L, count) == sympy.Rational(str(wanted)), name
        assert closed.parameters.subs(L, count) == plain.parameters
        for n in (33, 64):
            (size,) = closed.out_size
            assert (size.subs({L: count, N: n}),) == plain.at(n).out_size
            for name in ("nonzeros", "multiply_adds"):
                (total,) = getattr(closed, name)
                total = sympy.sympify(total).subs({L: count, N: n}).doit()
                assert total == sum(getattr(plain.at(n), name)), name


def test_symbols_for_parameters() -> None:
    k, s, p, d = sympy.symbols("k s p d", integer=True, positive=True)
    closed = stack([layer("conv", k, s, p, d), layer("conv", k, s, p, d)])
    for values in ((3, 2, 1, 1), (4, 3, 2, 2), (1, 1, 1, 1)):
        put = dict(zip((k, s, p, d), values, strict=True))
        plain = stack([layer("conv", *values)] * 2).at(25)
        assert (closed.out_size[0].subs({**put, N: 25}),) == plain.out_size
        assert (closed.receptive_field[0].subs(put),) == plain.receptive_field
        counts = [count.subs({**put, N: 25}).doit() for count in closed.nonzeros]
        assert tuple(counts) == plain.nonzeros


def test_floors_that_do_not_join_stay_nested() -> None:
    """Enlarging by 3 after halving, then halving again: 2 does not divide 3."""
    specs = [layer("conv", 2, 2), layer("conv_transpose", 3, 3), layer("conv", 2, 2)]
    (size,) = stack(specs).out_size
    assert size.subs(N, 11) == 7
    assert len(size.atoms(sympy.floor)) == 2
    joined = Chain(N).then(FloorMap(1, 0, 2)).then(FloorMap(6, 5, 4))
    assert joined.value().subs(N, 11) == (6 * (11 // 2) + 5) // 4


@settings(max_examples=60, deadline=None)
@given(layers())
def test_chains_join_floors_as_the_normal_form_does(specs: list[dict[str, Any]]) -> None:
    """The sizes nested by hand, brought to normal form: the same expression."""
    size = N
    for spec in specs:
        kernel, stride, dilation = spec["kernel"], spec["stride"], spec["dilation"]
        (pads,) = spec["padding"]
        if spec["kind"] == "conv_transpose":
            extra = spec["output_padding"]
            size = cm.transposed_output_size(size, kernel, stride, pads, extra, dilation)
        else:
            size = cm.output_size(
                size, kernel, stride, pads, dilation, spec.get("ceil_mode", False)
            )
    (chained,) = stack(specs).out_size
    assert normal_form(chained - size) == 0


def test_operators_as_layers() -> None:
    first = cm.conv(np.ones((4, 2, 3, 5)), (2, 16, 20), stride=(1, 2), padding=1, groups=1)
    second = cm.max_pool(first.out_shape, 2)
    third = cm.conv_transpose(np.ones((4, 3, 2, 2)), second.out_shape, stride=2)
    closed = stack([first, second, third])
    assert closed.at(16, 20).out_shape == third.out_shape
    assert closed.at(16, 20).nonzeros[::2] == (first.nnz, third.nnz)
    assert closed.jump == (1, 2)


def test_text() -> None:
    closed = stack([layer("conv", 3, stride=2, padding=1, channels=8), layer("pool", 2)])
    assert "receptive field: 5" in str(closed)
    assert closed.table().splitlines()[1].split()[:2] == ["1", "conv"]
    assert r"\left\lfloor" in closed.latex()
    assert closed._repr_latex_().startswith("$")


def test_dictionaries_and_axes() -> None:
    closed = stack([{"layer": "conv", "kernel": (3, 5), "padding": "same"}])
    assert [str(size) for size in closed.out_size] == ["n0", "n1"]
    assert closed.receptive_field == (3, 5)
    assert isinstance(closed, Stack)


@pytest.mark.parametrize(
    ("specs", "options"),
    [
        ([], {}),
        ([layer("conv", (3, 3)), layer("conv", (3,))], {}),
        ([layer("conv", 3, channels=4, groups=3)], {}),
        ([layer("conv", 3, stride=2, padding="same")], {}),
        ([layer("conv", 3)], {"sizes": 2}),
        ([layer("conv", 3)], {"sizes": (4, 4), "ndim": 3}),
        ([{"kernel": 3}], {}),
        ([{"kind": "conv", "kernel": 3, "colour": 1}], {}),
        ([{"kind": "spiral", "kernel": 3}], {}),
        ([3], {}),
        ([layer("conv_transpose", 3, 2, output_padding=2)], {}),
        ([layer("conv", 3, channels=2, repeat=L)], {}),
        ([layer("conv", 3, repeat=0)], {}),
        ([cm.identity((1, 4))], {}),
    ],
)
def test_bad_input(specs: list[Any], options: dict[str, Any]) -> None:
    with pytest.raises(GeometryError):
        stack(specs, **options)


def test_bad_layers() -> None:
    for arguments in ({"kernel": 0}, {"kernel": 3, "padding": -1}, {"kernel": 2.5}):
        with pytest.raises(GeometryError):
            stack([layer("conv", **arguments)])
    for kind, options in (
        ("conv", {"ceil_mode": True}),
        ("conv", {"output_padding": 1}),
        ("pool", {"channels": 3}),
        ("conv", {"repeat": -1}),
    ):
        with pytest.raises(GeometryError):
            layer(kind, 3, **options)


def test_no_closed_form_says_so() -> None:
    k, s = sympy.symbols("k s", integer=True, positive=True)
    open_stack = stack([layer("conv_transpose", k, s)])
    with pytest.raises(GeometryError, match="closed form"):
        _ = open_stack.receptive_field
    assert "receptive field: -" in str(open_stack)
    assert open_stack.table()
    assert open_stack.latex()
