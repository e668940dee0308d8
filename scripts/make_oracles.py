"""Store what PyTorch answers to random layers, for tests to check without PyTorch.

    python scripts/make_oracles.py [folder]

Each file holds one kind of layer: ``about``, a JSON text with the versions used and the arguments
of every case, and ``numbers``, all arrays of all cases end to end, computed in float64. Seeds are
fixed. Convolutions come in one file for each number of dimensions; all their numbers are small
integers, hence exact on every machine. Those of poolings and resizings are rounded.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

CASES = 25  # per layer and number of dimensions
ARRAYS = ("x", "weight", "y", "y_grad", "x_grad", "weight_grad")
FIXED_ARRAYS = ("x", "y", "y_grad", "x_grad")  # of a layer without a weight
RESIZINGS = {
    1: ("nearest", "nearest-exact", "area", "linear"),
    2: ("nearest", "nearest-exact", "area", "bilinear", "bicubic"),
    3: ("nearest", "nearest-exact", "area", "trilinear"),
}
SCALES = (0.6, 0.75, 1.25, 1.5, 1.7, 2, 2.3, 3)


def draw(rng: random.Random, ndim: int, *, transposed: bool) -> dict[str, Any]:
    """Draw the arguments of a layer that fits; `kernel_size` and channels are in the weight."""
    groups = rng.choice([1, 1, 2])
    stride = [rng.randint(1, 3) for _ in range(ndim)]
    dilation = [rng.randint(1, 3) for _ in range(ndim)]
    kernel = [rng.randint(1, 4 if ndim < 3 else 3) for _ in range(ndim)]
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    padding: Any = [[rng.randint(0, s - 1), rng.randint(0, s - 1)] for s in span]
    if transposed:
        padding = [min(low, 2) for low, _ in padding]
        size = [rng.randint(2 + p, 4 + p) for p in padding]
    else:
        size = [s + rng.randint(0, 4) for s in span]
        if rng.random() < 0.3:
            padding = rng.choice(["valid", "same"])
            stride = [1] * ndim if padding == "same" else stride
    inner, outer = rng.randint(1, 2), rng.randint(1, 2)
    case: dict[str, Any] = {
        "in_shape": [groups * inner, *size],
        "weight_shape": [groups * inner, outer, *kernel]
        if transposed
        else [groups * outer, inner, *kernel],
        "options": {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
    }
    if transposed:
        extra = [rng.randint(0, max(pair) - 1) for pair in zip(stride, dilation, strict=True)]
        case["options"]["output_padding"] = extra
    return case


def layer(case: dict[str, Any], x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Apply the layer of a case in PyTorch, which wants asymmetric padding as a step of its own."""
    name = "conv_transpose" if "output_padding" in case["options"] else "conv"
    function = getattr(torch.nn.functional, f"{name}{x.ndim - 2}d")
    options = dict(case["options"])
    if name == "conv" and not isinstance(options["padding"], str):
        frame = [p for pair in reversed(options.pop("padding")) for p in pair]
        x = torch.nn.functional.pad(x, frame)
    y: torch.Tensor = function(x, weight, **options)
    return y


def answer(case: dict[str, Any], rng: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """Return the arrays of one case, in the order of `ARRAYS`."""

    def integers(shape: Any) -> torch.Tensor:
        return torch.tensor(rng.integers(-4, 5, shape), dtype=torch.float64)

    x = integers([rng.integers(1, 3), *case["in_shape"]]).requires_grad_()
    weight = integers(case["weight_shape"]).requires_grad_()
    y = layer(case, x, weight)
    y_grad = integers(tuple(y.shape))
    gradients = torch.autograd.grad(y, (x, weight), y_grad)
    return [t.detach().numpy() for t in (x, weight, y, y_grad, *gradients)]


def store(path: Path, ndim: int, *, transposed: bool) -> None:
    """Write the file of one layer in one number of dimensions."""
    seed = 100 * ndim + transposed
    rng = random.Random(seed)  # noqa: S311, repeatable numbers are the purpose
    numbers_rng = np.random.default_rng(seed)
    cases, numbers = [], []
    for _ in range(CASES):
        case = draw(rng, ndim, transposed=transposed)
        arrays = answer(case, numbers_rng)
        case["shapes"] = {name: a.shape for name, a in zip(ARRAYS, arrays, strict=True)}
        cases.append(case)
        numbers += [a.ravel() for a in arrays]
    about = {"torch": torch.__version__, "numpy": np.__version__, "seed": seed, "cases": cases}
    flat = np.concatenate(numbers)
    if not (flat == flat.astype(np.int16)).all():
        raise AssertionError("the answers must be small integers")
    np.savez_compressed(path, about=json.dumps(about), numbers=flat.astype(np.int16))
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


def draw_pooling(rng: random.Random, ndim: int) -> dict[str, Any]:
    """Draw the arguments of an average pooling, adaptive or not."""
    if rng.random() < 0.3:
        in_shape = [rng.randint(1, 2), *(rng.randint(1, 6) for _ in range(ndim))]
        options: dict[str, Any] = {"output_size": [rng.randint(1, 5) for _ in range(ndim)]}
        return {"layer": "adaptive_avg_pool", "in_shape": in_shape, "options": options}
    kernel = [rng.randint(1, 3) for _ in range(ndim)]
    options = {
        "kernel_size": kernel,
        "stride": rng.choice([None, [rng.randint(1, 3) for _ in range(ndim)]]),
        "padding": [rng.randint(0, k // 2) for k in kernel],
        "ceil_mode": rng.random() < 0.5,
        "count_include_pad": rng.random() < 0.5,
    }
    if ndim > 1:  # PyTorch has it there alone
        options["divisor_override"] = rng.choice([None, None, 5])
    in_shape = [rng.randint(1, 2), *(rng.randint(k, k + 3) for k in kernel)]
    return {"layer": "avg_pool", "in_shape": in_shape, "options": options}


def draw_resizing(rng: random.Random, ndim: int) -> dict[str, Any]:
    """Draw the arguments of a resizing.

    Scales that keep or double a size are left out unless they are 1 or 2: PyTorch may ignore them.
    """
    mode = rng.choice(RESIZINGS[ndim])
    spatial = [rng.randint(2, 6) for _ in range(ndim)]
    options: dict[str, Any] = {"mode": mode}
    scales = [rng.choice(SCALES) for _ in range(ndim)]
    sizes = [int(n * s) for n, s in zip(spatial, scales, strict=True)]
    rows = zip(spatial, sizes, scales, strict=True)
    if rng.random() < 0.5 and not any(m in (n, 2 * n) and s != 2 for n, m, s in rows):
        options["scale_factor"] = scales
    else:
        options["size"] = [rng.randint(1, 8) for _ in range(ndim)]
    if "linear" in mode or "cubic" in mode:
        options["align_corners"] = rng.random() < 0.5
    return {"layer": "upsample", "in_shape": [rng.randint(1, 2), *spatial], "options": options}


def fixed_layer(case: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    """Apply a layer without a weight in PyTorch."""
    name = case["layer"]
    name = "interpolate" if name == "upsample" else f"{name}{x.ndim - 2}d"
    y: torch.Tensor = getattr(torch.nn.functional, name)(x, **case["options"])
    return y


def store_fixed(path: Path, drawn: Any, seed: int, each: int = 20) -> None:
    """Write the file of a kind of layer without a weight, for 1, 2 and 3 dimensions."""
    rng = random.Random(seed)  # noqa: S311, repeatable numbers are the purpose
    numbers_rng = np.random.default_rng(seed)
    cases, numbers = [], []
    for ndim in (1, 2, 3):
        for _ in range(each):
            case = drawn(rng, ndim)
            shape = (1, *case["in_shape"])
            x = torch.tensor(numbers_rng.integers(-4, 5, shape), dtype=torch.float64)
            y = fixed_layer(case, x.requires_grad_())
            y_grad = torch.tensor(numbers_rng.integers(-4, 5, tuple(y.shape)), dtype=torch.float64)
            (x_grad,) = torch.autograd.grad(y, x, y_grad)
            arrays = [t.detach().numpy() for t in (x, y, y_grad, x_grad)]
            case["shapes"] = {n: a.shape for n, a in zip(FIXED_ARRAYS, arrays, strict=True)}
            cases.append(case)
            numbers += [a.ravel() for a in arrays]
    about = {"torch": torch.__version__, "numpy": np.__version__, "seed": seed, "cases": cases}
    np.savez_compressed(path, about=json.dumps(about), numbers=np.concatenate(numbers))
    print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


def main() -> None:
    """Write all files into the folder named on the command line, or into tests/oracles."""
    here = Path(__file__).resolve().parent.parent / "tests" / "oracles"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here
    folder.mkdir(parents=True, exist_ok=True)
    for ndim in (1, 2, 3):
        store(folder / f"conv{ndim}d.npz", ndim, transposed=False)
        store(folder / f"conv_transpose{ndim}d.npz", ndim, transposed=True)
    store_fixed(folder / "pooling.npz", draw_pooling, 1000)
    store_fixed(folder / "resizing.npz", draw_resizing, 2000)


if __name__ == "__main__":
    main()
