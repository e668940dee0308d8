"""Arrays on a GPU, as far as no GPU and no extra is needed: what is seen, asked for and refused."""

from __future__ import annotations

import sys
from types import MappingProxyType, ModuleType, SimpleNamespace

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


@pytest.fixture
def runtime(monkeypatch):
    """Stand in for CUDA's runtime, and note what is launched."""
    found = SimpleNamespace(capability=(9, 0), launched=[], current=[])

    class Device:
        def __init__(self, index):
            self.index = index

        def set_current(self):
            found.current.append(self.index)

        @property
        def compute_capability(self):
            return found.capability

    made = ModuleType("cuda.core")
    made.Device = Device
    made.LaunchConfig = SimpleNamespace
    made.Stream = SimpleNamespace(from_handle=lambda handle: ("stream", handle))
    made.ObjectCode = SimpleNamespace(from_cubin=lambda _: SimpleNamespace(get_kernel=str))
    made.launch = lambda *arguments: found.launched.append(arguments)
    monkeypatch.setitem(sys.modules, "cuda.core", made)
    monkeypatch.setattr(engine, "simulated", lambda: False)
    code = b"\0.text._Zname\0.text._Zname_longer\0", ""
    monkeypatch.setattr(engine.Kernel, "cubin", lambda *_: code)
    engine._capability.cache_clear()
    engine._loaded.cache_clear()
    yield found
    engine._capability.cache_clear()
    engine._loaded.cache_clear()


def launch_on(stream):
    x = arrays.Held(None, (2,), np.dtype("f4"), 64, 3, stream, np.empty)
    kernel = engine.Kernel(lambda: None, (), ())
    kernel(engine.Launch(1000, 2), x, 64, 128, engine.sizes_of(5, 6))


@pytest.mark.parametrize(("stream", "handle"), [(0, 1), (2, 2), (4096, 4096)])
def test_a_launch(runtime, stream, handle):
    launch_on(stream)
    ((where, how, kernel, *arguments),) = runtime.launched
    assert where == ("stream", handle)
    assert (how.grid, how.block) == ((4, 2), engine.THREADS)
    assert kernel == "_Zname_longer"
    assert arguments == [64, 128, 5, 6]
    assert [type(one) for one in arguments] == [int, int, np.int32, np.int32]
    assert runtime.current == [3]


def test_old_devices_are_refused(runtime):
    runtime.capability = (7, 0)
    with pytest.raises(RuntimeError, match=r"7\.0 of the device is below 7\.5; copy x"):
        launch_on(0)


def test_grids_are_walked_through():
    assert engine.Launch(1000, 3).grid(256) == (4, 3)
    assert engine.Launch(1 << 30, 1 << 20).grid(256) == (1 << 22, engine.MOST_BLOCKS)
    assert engine.Launch(0, 0).grid(256) == (1, 1)
