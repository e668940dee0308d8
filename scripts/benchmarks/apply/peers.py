"""Other ways to apply the same layers, as fast as each library can: all preparation is made before.

Each function returns calls by name, for a problem and a direction; none where it does not apply.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.apply.cases import FORWARD, SEPARABLE, SINGLE, Problem

Call = Callable[[], Any]
Calls = dict[str, Call]

MOST_BYTES = 4 << 30  # of an explicit matrix
LETTER = {np.dtype(np.float32): 1, np.dtype(np.float64): 11}  # how ONNX numbers its dtypes


def installed(package: str) -> bool:
    """Say whether a peer is there."""
    return importlib.util.find_spec(package) is not None


def is_transposed(problem: Problem, direction: str) -> bool:
    """Say whether what is applied is a transposed convolution."""
    return (problem.case.kind == "conv_transpose") == (direction == FORWARD)


def lost(problem: Problem) -> int:
    """Return what a transposed convolution must be told to reach the size it came from."""
    case = problem.case
    if case.kind == "conv_transpose":
        return 0
    reach = case.dilation * (case.kernel - 1) + 1
    return (case.in_shape[1] + 2 * case.padding - reach) % case.stride


def torch(problem: Problem, direction: str, threads: int) -> Calls:
    """Return PyTorch in either memory layout, and what its autograd runs for an adjoint."""
    import torch as pytorch

    pytorch.set_num_threads(threads)
    case = problem.case
    given = pytorch.from_numpy(problem.x if direction == FORWARD else problem.g)
    weight = None if problem.weight is None else pytorch.from_numpy(problem.weight)
    calls = {"PyTorch": _torch_call(problem, direction, given, weight)}
    if case.ndim > 1:
        form = pytorch.channels_last if case.ndim == 2 else pytorch.channels_last_3d
        last = given.contiguous(memory_format=form)
        turned = None if weight is None else weight.contiguous(memory_format=form)
        calls["PyTorch channels_last"] = _torch_call(problem, direction, last, turned)
    if case.has_weight and direction != FORWARD:
        calls["PyTorch gradient"] = _torch_gradient(problem, given, weight)
    return {name: _without_gradients(call) for name, call in calls.items()}


def _without_gradients(call: Call) -> Call:
    import torch as pytorch

    def run() -> Any:
        with pytorch.inference_mode():
            return call()

    return run


def _torch_call(problem: Problem, direction: str, given: Any, weight: Any) -> Call:
    from torch.nn import functional

    case = problem.case
    if not case.has_weight:
        return _torch_resampling(problem, direction, given)
    if is_transposed(problem, direction):
        return partial(
            getattr(functional, f"conv_transpose{case.ndim}d"),
            given,
            weight,
            None,
            case.stride,
            case.padding,
            lost(problem),
            case.groups,
            case.dilation,
        )
    convolve = getattr(functional, f"conv{case.ndim}d")
    places = case.stride, case.padding, case.dilation, case.groups
    return partial(convolve, given, weight, None, *places)


def _torch_resampling(problem: Problem, direction: str, given: Any) -> Call:
    import torch as pytorch
    from torch.nn import functional

    case, aten = problem.case, pytorch.ops.aten
    sizes = list(case.in_shape[1:])
    if case.kind == "bilinear":
        if direction == FORWARD:
            return partial(
                functional.interpolate,
                given,
                scale_factor=case.stride,
                mode="bilinear",
                align_corners=False,
            )
        large, small = [case.stride * n for n in sizes], [problem.batch, *case.in_shape]
        return partial(aten.upsample_bilinear2d_backward, given, large, small, False)
    window = [case.kernel] * 2, [case.stride] * 2, [case.padding] * 2, [1, 1]
    if direction == FORWARD:
        return lambda: aten.max_pool2d_with_indices(given, *window)[0]
    x = pytorch.from_numpy(problem.x)
    form = pytorch.channels_last if not given.is_contiguous() else pytorch.contiguous_format
    x = x.contiguous(memory_format=form)
    _, places = aten.max_pool2d_with_indices(x, *window)
    return partial(aten.max_pool2d_with_indices_backward, given, x, *window, False, places)


def _torch_gradient(problem: Problem, given: Any, weight: Any) -> Call:
    import torch as pytorch

    case, axes = problem.case, problem.case.ndim
    x = pytorch.from_numpy(problem.x)
    places = [case.stride] * axes, [case.padding] * axes, [case.dilation] * axes
    transposed = case.kind == "conv_transpose"
    backward = pytorch.ops.aten.convolution_backward
    wanted = [True, False, False]

    def run() -> Any:
        rest = *places, transposed, [0] * axes, case.groups, wanted
        return backward(given, x, weight, None, *rest)[0]

    return run


def onnx_runtime(problem: Problem, direction: str, threads: int) -> Calls:
    """Return ONNX Runtime on a model of one node, from and to memory of its own."""
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Unknown

    model = _onnx_model(problem, direction)
    if model is None:
        return {}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Unknown:  # such as every convolution in double precision
        return {}
    given = onnxruntime.OrtValue.ortvalue_from_numpy(
        problem.x if direction == FORWARD else problem.g
    )
    return {"ONNX Runtime": lambda: session.run_with_ort_values(["y"], {"x": given})[0]}


def _onnx_model(problem: Problem, direction: str) -> bytes | None:
    from onnx import helper, numpy_helper

    case, axes = problem.case, problem.case.ndim
    x, y = (problem.x, problem.g) if direction == FORWARD else (problem.g, problem.x)
    inputs, constants = ["x"], []
    options: dict[str, Any] = {
        "kernel_shape": [case.kernel] * axes,
        "strides": [case.stride] * axes,
        "pads": [case.padding] * 2 * axes,
    }
    if problem.weight is not None:
        kind = "ConvTranspose" if is_transposed(problem, direction) else "Conv"
        options |= {"dilations": [case.dilation] * axes, "group": case.groups}
        if kind == "ConvTranspose":
            options["output_padding"] = [lost(problem)] * axes
        inputs.append("w")
        constants.append(numpy_helper.from_array(problem.weight, "w"))
    elif direction != FORWARD:
        return None  # there is no operator for it
    elif case.kind == "max_pool":
        kind = "MaxPool"
    else:
        kind, options = "Resize", {"mode": "linear"}
        inputs += ["", "scales"]
        scales = np.array([1, 1, *[case.stride] * axes], np.float32)
        constants.append(numpy_helper.from_array(scales, "scales"))
    letter = LETTER[problem.dtype]
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, ["y"], **options)],
        "layer",
        [helper.make_tensor_value_info("x", letter, x.shape)],
        [helper.make_tensor_value_info("y", letter, y.shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def matrix_bytes(problem: Problem) -> int:
    """Return the bytes of the explicit matrix."""
    return int(problem.operator.nnz * (problem.dtype.itemsize + 4))


def sparse(problem: Problem, direction: str, _threads: int) -> Calls:
    """Return SciPy's product with the explicit matrix, built before; none where it is too large."""
    if problem.case.kind == "max_pool" and direction == FORWARD:
        return {}  # which inputs win is not known before
    if matrix_bytes(problem) > MOST_BYTES:
        return {}
    operator = problem.operator if direction == FORWARD else problem.operator.T
    given = problem.x if direction == FORWARD else problem.g
    matrix = operator.matrix(dtype=problem.dtype)
    columns = given.reshape(-1, matrix.shape[1]).T
    if columns.shape[1] == 1:
        columns = columns[:, 0]
    return {"SciPy CSR": lambda: (matrix @ columns).T}


def signal(problem: Problem, direction: str, threads: int) -> Calls:
    """Return SciPy's convolutions of images and signals; the adjoint does not turn the kernel."""
    from scipy import fft, ndimage
    from scipy import signal as scipy_signal

    if problem.case.family not in (SINGLE, SEPARABLE) or problem.weight is None:
        return {}
    given = (problem.x if direction == FORWARD else problem.g)[:, 0]
    kernel = problem.weight[0, 0]
    turned = np.flip(kernel) if direction == FORWARD else kernel
    space = tuple(range(1, given.ndim))
    wide = turned[None]

    def with_threads(name: str) -> Any:
        with fft.set_workers(threads):
            return getattr(scipy_signal, name)(given, wide, mode="same", axes=space)

    return {
        "fftconvolve": partial(with_threads, "fftconvolve"),
        "oaconvolve": partial(with_threads, "oaconvolve"),
        "scipy.ndimage": lambda: ndimage.convolve(given, wide, mode="constant"),
    }


def pylops(problem: Problem, direction: str, _threads: int) -> Calls:
    """Return PyLops' operators of convolution, which are those of one input."""
    from pylops.signalprocessing import Convolve1D, ConvolveND

    case = problem.case
    if case.family not in (SINGLE, SEPARABLE) or problem.weight is None or problem.batch > 1:
        return {}
    kernel = np.flip(problem.weight[0, 0])
    sizes, name = case.in_shape[1:], problem.dtype.name
    if case.ndim == 1:
        operator = Convolve1D(sizes[0], kernel, offset=case.kernel // 2, dtype=name)
    else:
        middle = (case.kernel // 2,) * case.ndim
        operator = ConvolveND(sizes, kernel, offset=middle, dtype=name)
    if direction == FORWARD:
        return {"PyLops": partial(operator.matvec, problem.x.ravel())}
    return {"PyLops": partial(operator.rmatvec, problem.g.ravel())}


PACKAGES: dict[str, Callable[[Problem, str, int], Calls]] = {
    "torch": torch,
    "onnxruntime": onnx_runtime,
    "scipy": sparse,
    "scipy.signal": signal,
    "pylops": pylops,
}
NAMES = (
    "PyTorch",
    "PyTorch channels_last",
    "PyTorch gradient",
    "ONNX Runtime",
    "SciPy CSR",
    "fftconvolve",
    "oaconvolve",
    "scipy.ndimage",
    "PyLops",
)


def peers(problem: Problem, direction: str, threads: int) -> Calls:
    """Return the calls of every peer that is installed and can do the case."""
    calls: Calls = {}
    for package, make in PACKAGES.items():
        if package == "onnxruntime" and not installed("onnx"):
            continue
        if installed(package):
            calls |= make(problem, direction, threads)
    return calls


def values(result: Any) -> Any:
    """Return what a peer gave as an array of NumPy."""
    return result if isinstance(result, np.ndarray) else np.asarray(result.numpy())
