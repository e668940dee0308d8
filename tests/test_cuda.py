"""Arrays on a GPU, as far as no GPU and no extra is needed: what is seen, asked for and refused."""

from __future__ import annotations

import sys
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest

import convmat as cm
from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import on_device, to_host
from convmat.kernels.cuda import arrays, engine, extra

A = cm.conv(np.ones((1, 1, 3), "f4"), (1, 5))


class Foreign:
    """An array on a GPU that no library knows."""

    __cuda_array_interface__ = MappingProxyType(
        {"shape": (1, 5), "typestr": "<f4", "data": (64, False), "version": 3}
    )


class Cupy:
    """As much of an array of CuPy as is asked for."""

    __module__ = "cupy"
    __cuda_array_interface__ = Foreign.__cuda_array_interface__
    shape, dtype = (1, 5), np.dtype("f4")
    device, data = SimpleNamespace(id=0), SimpleNamespace(ptr=64)

    def get(self):
        return np.ones((1, 1, 3), "f4")


@pytest.fixture
def cupy(monkeypatch):
    """Stand in for CuPy, whose device 0 and stream 7 are current."""
    made = SimpleNamespace(
        cuda=SimpleNamespace(
            Device=lambda: SimpleNamespace(id=0),
            get_current_stream=lambda: SimpleNamespace(ptr=7),
        ),
        ascontiguousarray=lambda x: x,
        empty=np.empty,
    )
    monkeypatch.setitem(sys.modules, "cupy", made)
    monkeypatch.setattr(arrays, "check_installed", lambda _: None)
    return made


def test_what_lies_on_a_device():
    assert on_device(Foreign())
    assert not any(map(on_device, (np.ones(3), [1, 2], 3.0, None)))
    with pytest.raises(GeometryError, match="weight = 'Foreign': cannot be copied"):
        to_host(Foreign(), "weight")
    assert cm.conv(Cupy(), (1, 5)).weight.shape == (1, 1, 3)


@pytest.mark.parametrize(
    "operator",
    [A, cm.max_pool((1, 5), 2), cm.pad((1, 5), 1), cm.pad((1, 7), -1) @ cm.pad((1, 5), 1)],
)
def test_a_missing_extra_is_named(operator, monkeypatch):
    monkeypatch.setattr(extra, "find_spec", lambda _: None)
    with pytest.raises(GeometryError, match=r"x = 'Foreign': .*pip install 'convmat\[cuda\]'"):
        operator(Foreign())


@pytest.mark.parametrize(
    "call",
    [
        A.matvec,
        A.matmat,
        A.weight_matrix,
        lambda x: A.weight_gradient(x, np.ones((1, 3))),
        A.plan((1, 5)),
        lambda x: cm.unpool((1, 5), x),
    ],
)
def test_nothing_is_copied_unasked(call):
    with pytest.raises(GeometryError, match=r"lies on a GPU.*copy it.*\.get\(\)"):
        call(Foreign())


def test_arrays_of_cupy(cupy):
    given = arrays.held(Cupy(), "x")
    assert given[1:6] == ((1, 5), np.dtype("f4"), 64, 0, 7)
    assert given.empty is np.empty
    cupy.cuda.Device = lambda: SimpleNamespace(id=1)
    with pytest.raises(GeometryError, match=r"on device 0.*with cupy.cuda.Device\(0\)"):
        arrays.held(Cupy(), "x")


def test_arrays_of_torch(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(arrays, "check_installed", lambda _: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: None)  # the index of a CPU
    stream = SimpleNamespace(cuda_stream=7)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    x = torch.arange(6.0).reshape(2, 3).T
    given = arrays.held(x, "x")
    assert given.like.is_contiguous()
    assert given.memory == given.like.data_ptr() == arrays.memory_of(given.like)
    assert given[1:3] == ((3, 2), np.dtype("f4"))
    assert given.stream == 7
    assert given.empty((2, 1), np.dtype("c16")).dtype == torch.complex128
    assert arrays.held(x.bfloat16(), "x").dtype == np.float32
    with pytest.raises(GeometryError, match="not known to NumPy"):
        arrays.held(x.to(torch.float8_e5m2), "x")
    with pytest.raises(GeometryError, match="requires grad"):
        arrays.held(x.requires_grad_(), "x")


def test_grids_are_walked_through():
    assert engine.Launch(1000, 3).grid(256) == (4, 3)
    assert engine.Launch(1 << 30, 1 << 20).grid(256) == (1 << 22, engine.MOST_BLOCKS)
    assert engine.Launch(0, 0).grid(256) == (1, 1)
