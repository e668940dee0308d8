"""Compiled separable layers and max pooling against NumPy, entry by entry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import pytest
from cases import CASES
from hypothesis import given
from hypothesis import strategies as st

import convmat as cm
from convmat.geometry.axis_map import AxisMap
from convmat.geometry.kronecker import Kronecker
from convmat.kernels.cpu.kronecker import (
    apply as separable_apply,
)
from convmat.kernels.cpu.kronecker import (
    in_numpy,
    segments,
    selection,
)
from convmat.kernels.cpu.kronecker.apply import KroneckerApplication, apply
from convmat.kernels.cpu.kronecker.selection import Selection
from convmat.kernels.cpu.max_pool import pooling
from convmat.layers.max_pooling import _pooled

SEPARABLE = [name for name, case in CASES.items() if case.kind == "separable"]
FLOATS = ("f4", "f8", "c8", "c16")
NAN, INF = float("nan"), float("inf")


def numbers(shape: Any, dtype: np.dtype[Any], seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 50, shape).astype(dtype)
    return (x - 1j * rng.integers(0, 50, shape)).astype(dtype) if dtype.kind == "c" else x


def check(record: Kronecker, dtype: Any, batch: int = 2) -> Any:
    """Assert the compiled result equals NumPy's; return the prepared layer."""
    dtype = np.dtype(dtype)
    x = numbers((batch, *record.in_shape), dtype)
    expected = in_numpy.apply(record, x, dtype)
    prepared = KroneckerApplication(record, dtype)
    # Room before and behind must stay as it is.
    memory = np.full(expected.size + 64, 77, dtype)
    y = memory[32 : 32 + expected.size].reshape(expected.shape)
    prepared(x, y)
    if dtype.kind in "iu":
        np.testing.assert_array_equal(y, expected)
    else:
        size = np.finfo(dtype).eps * 1e4
        np.testing.assert_allclose(y, expected, rtol=0, atol=size)
    assert (memory[:32] == 77).all()
    assert (memory[32 + expected.size :] == 77).all()
    return prepared


@pytest.mark.parametrize("name", SEPARABLE)
def test_the_registry(name: str) -> None:
    operator = CASES[name].make()
    for record in (operator.record, operator.T.record):
        for dtype in FLOATS + (("i8", "u8") if record.whole else ()):
            if dtype != "u8" or record.fits(np.dtype("u8")):
                check(record, dtype)


LARGER: dict[str, Callable[[], Any]] = {
    "bilinear": lambda: cm.upsample((3, 21, 40), scale_factor=2, mode="bilinear"),
    "bilinear-uneven": lambda: cm.upsample((2, 21, 40), size=(33, 71), mode="bilinear"),
    "bicubic-down": lambda: cm.upsample((2, 21, 40), size=(10, 20), mode="bicubic"),
    "nearest-3": lambda: cm.upsample((2, 9, 50), scale_factor=3),
    "pool": lambda: cm.avg_pool((3, 37, 71), 3, 2, 1),
    "pool-far-apart": lambda: cm.avg_pool((2, 40, 90), 2, 11),
    "pool-long": lambda: cm.avg_pool((2, 9000), 4),
    "pool-long-overlapping": lambda: cm.avg_pool((1, 9000), 5, 1, 2),
    "pool-3d": lambda: cm.avg_pool((2, 9, 8, 20), 3, 1, 1),
    "pool-3d-wide": lambda: cm.avg_pool((1, 12, 11, 20), 6, 1, 3),
    "pool-to-one": lambda: cm.adaptive_avg_pool((4, 7, 70), 1),
    "shuffle": lambda: cm.pixel_shuffle((12, 5, 40), 2),
    "shuffle-3": lambda: cm.pixel_shuffle((18, 5, 40), 3),
    "pad": lambda: cm.pad((2, 5, 40), 3),
    "reflect": lambda: cm.pad((2, 9, 40), 4, mode="reflect"),
    "replicate": lambda: cm.pad((2, 9, 40), 4, mode="replicate"),
    "unfold": lambda: cm.unfold((2, 9, 60), 3, padding=1),
    "unfold-strided": lambda: cm.unfold((2, 19, 90), 5, stride=2, padding=2),
}


@pytest.mark.parametrize("name", LARGER)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_lines_of_many_vectors(name: str, dtype: str) -> None:
    operator = LARGER[name]()
    check(operator.record, dtype)
    check(operator.T.record, dtype)


def test_every_way_is_taken() -> None:
    seen = set()
    records = [CASES[name].make().record for name in SEPARABLE]
    records += [make().record for make in LARGER.values()]
    for record in [*records, *(record.transpose() for record in records)]:
        stages = KroneckerApplication(record, np.dtype("f8")).stages
        for stage in stages:
            line = stage.line
            single = stage.outer.longest <= 1
            paired = bool(line.segments[:, 5].any())
            seen |= {
                ("scattered", line.scattered, stage.copied, single),
                ("split", min(line.split, 3)),
                ("paired", paired),
                ("blocks", len(line.blocks) > 1),
                ("stages", len(stages)),
            }
    assert {("split", 1), ("split", 2), ("split", 3), ("paired", True), ("blocks", True)} <= seen
    assert {("stages", 1), ("stages", 2)} <= seen
    for scattered in (True, False):
        assert ("scattered", scattered, True, False) in seen
        assert ("scattered", scattered, False, True) in seen
    assert ("scattered", False, False, False) in seen


@st.composite
def maps(draw: st.DrawFn) -> AxisMap:
    n_in, n_out = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    entry = st.tuples(st.integers(0, n_out - 1), st.integers(0, n_in - 1), st.integers(-3, 3))
    if draw(st.booleans()):  # entries that move on evenly, and some others
        step, taps = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        even = [
            (o, step * o + k, k + 1)
            for o in range(n_out)
            for k in range(taps)
            if step * o + k < n_in
        ]
    else:
        even = []
    entries = even + draw(st.lists(entry, max_size=6))
    outputs, inputs, weights = np.array(entries, np.int64).reshape(-1, 3).T
    return AxisMap.of(n_in, n_out, outputs, inputs, weights, np.ones_like(weights))


@given(parts=st.lists(maps(), min_size=1, max_size=3), data=st.data())
def test_any_maps(parts: list[AxisMap], data: st.DataObject) -> None:
    in_shape = tuple(part.n_in for part in parts)
    out_shape = tuple(part.n_out for part in parts)
    order = data.draw(st.permutations(range(len(parts))))
    digits = [(d, parts[d].n_out) for d in order]
    shape = tuple(out_shape[d] for d in order)
    record = Kronecker.of(parts, in_shape, shape, out_digits=digits)
    check(record, "i8", batch=data.draw(st.integers(1, 3)))
    check(record.transpose(), "f4", batch=1)


def test_what_is_not_read_is_not_touched() -> None:
    for operator in (cm.avg_pool((1, 4, 40), 2, 3), cm.upsample((1, 4, 40), size=(2, 17))):
        record = operator.record
        read = np.zeros(record.shape[1], bool)
        read[operator.matrix().indices] = True
        x = np.where(read, 1.0, NAN).reshape(1, *record.in_shape)
        y = apply(record, x, np.dtype("f8"))
        assert np.isfinite(y).all()


def test_missing_numbers_stay_where_they_are() -> None:
    record = cm.upsample((1, 5, 20), scale_factor=2, mode="bilinear").record
    x = numbers((1, *record.in_shape), np.dtype("f4"))
    x[0, 0, 0, 0], x[0, 0, 2, 9], x[0, 0, 4, 19] = NAN, NAN, INF
    expected = in_numpy.apply(record, x, np.dtype("f4"))
    y = apply(record, x, np.dtype("f4"))
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    np.testing.assert_array_equal(np.isinf(y), np.isinf(expected))


def test_inputs_of_any_layout_and_kind() -> None:
    record = cm.avg_pool((3, 6, 8), 2).record
    x = numbers((2, 3, 6, 8), np.dtype("f8"))
    expected = apply(record, x, np.dtype("f8"))
    frozen = x.copy()
    frozen.flags.writeable = False
    strided = np.repeat(x, 2, axis=-1)[..., ::2]
    for other in (frozen, strided, np.asfortranarray(x), x.astype("i2")):
        np.testing.assert_array_equal(apply(record, other, np.dtype("f8")), expected)
    exact = apply(record, x.astype(np.longdouble), np.dtype(np.longdouble))
    assert exact.dtype == np.longdouble
    np.testing.assert_array_equal(exact, expected)
    assert apply(record, x[:0], np.dtype("f4")).shape == (0, 3, 3, 4)
    assert not separable_apply.serves(np.dtype(object))
    assert not separable_apply.serves(np.dtype(">f4"))


@pytest.fixture
def threads() -> Iterator[None]:
    before = numba.get_num_threads()
    yield
    numba.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(separable_apply, "WORTH_THREADS", 1)
    monkeypatch.setattr(pooling, "WORTH_THREADS", 1)
    monkeypatch.setattr(selection, "WORTH_THREADS", 1)
    if os.cpu_count() == 1:
        pytest.skip("one core")
    rng = np.random.default_rng(0)
    records = [make().record for make in LARGER.values()]
    pool = cm.max_pool((3, 37, 71), 3, 2, 1)
    image = rng.standard_normal((2, 3, 37, 71))
    results = []
    for count in (1, numba.config.NUMBA_NUM_THREADS):  # where there are several
        numba.set_num_threads(count)
        some = [
            apply(r, np.random.default_rng(1).standard_normal((2, *r.in_shape)), np.dtype("f8"))
            for r in records
        ]
        places = np.random.default_rng(2).integers(0, 500, 900).reshape(3, 300)
        chosen = cm.selection((3, 500), places)  # many of which meet
        sums = np.empty((2, *chosen.in_shape))
        added = np.random.default_rng(3).standard_normal((2, *chosen.out_shape))
        Selection(chosen.record.maps[0], transposed=True)(added, sums)
        results.append([*some, *pool(image), sums])
    for one, two in zip(*results, strict=True):
        assert one.tobytes() == two.tobytes()


@given(
    places=st.lists(st.integers(-1, 19), min_size=1, max_size=200),
    dtype=st.sampled_from(("f4", "f8", "c8", "c16", "i8", "u8")),
    ordered=st.booleans(),
)
def test_choices_and_their_transposes(places: list[int], dtype: str, ordered: bool) -> None:
    part = AxisMap.choosing(20, sorted(places) if ordered else places)
    record = Kronecker.of((part,), (20,), (len(places),))
    assert selection.serves(record)
    assert selection.serves(record.transpose())
    ways = [(record, part, False), (record.transpose(), part, True)]
    ways += [(record.transpose(), part.transpose(), False), (record, part.transpose(), True)]
    for meant, known, transposed in ways:
        x = numbers((2, *meant.in_shape), np.dtype(dtype))
        y = np.full((2, *meant.out_shape), 77, dtype)
        Selection(known, transposed=transposed)(x, y)
        np.testing.assert_array_equal(y, in_numpy.apply(meant, x, np.dtype(dtype)))


def test_a_choice_sums_in_the_order_of_the_matrix() -> None:
    rng = np.random.default_rng(0)
    places = rng.integers(0, 9, (3, 8000))
    chosen = cm.selection((3, 9), places)
    for A in (chosen.T, cm.unpool((3, 9), places), cm.unpool((3, 9), places).T, chosen):
        x = rng.standard_normal((2, *A.in_shape)).astype("f4")
        expected = [A.matrix(dtype="f4") @ one.ravel() for one in x]
        np.testing.assert_array_equal(A(x).reshape(2, -1), expected)
    far = np.full((1, *chosen.out_shape), NAN, "f4")
    far[0, 1] = 1
    assert np.isnan(chosen.T(far)[0]).all(axis=1).tolist() == [True, False, True]


def test_a_list_is_cut_where_nothing_crosses() -> None:
    planes = np.repeat(np.arange(4), 64)[:, None] * 10 + np.array([3, 1])
    ends, starts = np.zeros(9, np.int64), np.zeros(9, np.int64)
    parts = selection._cut(planes.ravel(), 40, ends, starts)
    assert (ends[: parts + 1].tolist(), starts[: parts + 1].tolist()) == (
        [0, 128, 256, 384, 512],
        [0, 11, 21, 31, 40],
    )
    assert not selection.serves(cm.avg_pool((1, 4), 2).record)
    both = AxisMap.of(2, 2, [0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 1, 1])
    assert not selection.serves(Kronecker.of((both,), (2,), (2,)))


def test_lines_whose_lists_move_on() -> None:
    # Columns of the last axis lie far apart, so that every line has a list of its own.
    far = AxisMap.of(400, 3, [0, 0, 1, 2], [0, 390, 200, 7], [1, 2, 3, 4], [1] * 4)
    rows = AxisMap.of(8, 6, [0, 0, 1, 1, 2, 2, 3, 4, 4], [0, 1, 1, 2, 2, 3, 0, 3, 4],
                      [1, 2, 1, 2, 1, 3, 2, 1, 3], [1] * 9)  # fmt: skip
    planes = AxisMap.of(2, 2, [0, 1, 1], [0, 0, 1], [1, 2, 5], [1] * 3)
    for parts in ((rows, far), (planes, rows, far), (rows, planes, far)):
        sizes = tuple(part.n_in for part in parts), tuple(part.n_out for part in parts)
        prepared = check(Kronecker.of(parts, *sizes), "i8")
        assert not prepared.stages[-1].copied


def test_segments_of_an_axis() -> None:
    bilinear = cm.upsample((1, 56), scale_factor=2, mode="linear").record.maps[1]
    line = segments.line_of(bilinear, np.arange(112), bilinear.inputs, np.dtype("f4"))
    found = sorted(map(tuple, line.segments[:, [0, 1, 2, 4, 5]].tolist()))
    # both ends; the odd outputs, and the even ones which fill their gaps
    assert found == [(0, 1, 1, 1, 0), (1, 2, 55, 2, 1), (2, 2, 55, 2, 0), (111, 1, 1, 1, 0)]
    assert not line.scattered
    uneven = cm.upsample((1, 56), size=97, mode="linear").record.maps[1]
    assert segments.line_of(uneven, np.arange(97), uneven.inputs, np.dtype("f4")).scattered


@given(data=st.data(), ndim=st.integers(1, 3), dtype=st.sampled_from("fdilqILQbBhHe?"))
def test_max_pooling_equals_numpy(data: st.DataObject, ndim: int, dtype: str) -> None:
    def each(low: int, high: int) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=ndim, max_size=ndim))

    options = each(1, 4), each(1, 4), each(0, 1), each(1, 3)
    try:
        pool = cm.max_pool((2, *each(1, 40)), *options)
    except cm.GeometryError:
        return
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.integers(0, 3, (2, *pool.in_shape)).astype(dtype)
    if dtype in "fde":
        x = np.where(rng.random(x.shape) < 0.3, rng.choice([NAN, -INF, INF], x.shape), x)
        x = x.astype(dtype)
    assert pooling.serves(pool.axes, x.dtype)
    x.flags.writeable = False
    alone, none = pooling.max_pool(pool.axes, x, named=False)
    assert none is None
    for got, expected in zip(pooling.max_pool(pool.axes, x), _pooled(pool.axes, x), strict=True):
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype
    np.testing.assert_array_equal(alone, _pooled(pool.axes, x)[0])


def test_max_pooling_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooling, "SCRATCH", 1 << 12)
    x = np.random.default_rng(0).integers(0, 9, (2, 41, 67)).astype("f4")
    for options in ((3, 2, 1), (2, 3, 0), (3, 1, 1, 2), (5, 5, 2)):
        pool = cm.max_pool(x.shape, *options)
        for got, expected in zip(
            pooling.max_pool(pool.axes, x), _pooled(pool.axes, x), strict=True
        ):
            np.testing.assert_array_equal(got, expected)


def test_more_axes_and_other_numbers_are_pooled_in_numpy() -> None:
    pool = cm.max_pool((1, 2, 2, 4, 4), 2)
    assert not pooling.serves(pool.axes, np.dtype("f4"))
    y, _ = pool(np.arange(64.0).reshape(1, 2, 2, 4, 4))
    assert y.ravel().tolist() == [53.0, 55.0, 61.0, 63.0]
    wide = cm.max_pool((1, 4), 2)
    assert not pooling.serves(wide.axes, np.dtype(np.longdouble))
    assert wide(np.arange(4, dtype=np.longdouble)[None])[0].tolist() == [[1, 3]]
