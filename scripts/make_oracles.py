"""Store what PyTorch answers to random layers, for tests to check without PyTorch.

    python scripts/make_oracles.py [folder]

Each file holds one kind of layer: ``about``, a JSON text with the versions used and the arguments
of every case, and ``numbers``, all arrays of all cases end to end, computed in float64. Seeds are
fixed. Convolutions come in one file for each number of dimensions. Their numbers, and those of
max poolings and of layers that move numbers about, are small integers, hence exact on every
machine. Those of average poolings and resizings are rounded.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import command_line
import numpy as np

try:
    import torch
except ModuleNotFoundError:  # told when the arguments have been read
    torch = None  # type: ignore[assignment]

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
    write(path, seed, cases, numbers, exact=True)


def write(path: Path, seed: int, cases: list[Any], numbers: list[Any], *, exact: bool) -> None:
    """Write a file; exact numbers must be small integers."""
    about = {"torch": torch.__version__, "numpy": np.__version__, "seed": seed, "cases": cases}
    flat = np.concatenate(numbers)
    if exact:
        if not (flat == flat.astype(np.int16)).all():
            raise AssertionError("the answers must be small integers")
        flat = flat.astype(np.int16)
    np.savez_compressed(path, about=json.dumps(about), numbers=flat)
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


def draw_max_pooling(rng: random.Random, ndim: int) -> dict[str, Any]:
    """Draw the arguments of a max pooling, or of the unpooling of one.

    Windows that are unpooled do not overlap: PyTorch's gradient is the transpose only then.
    """
    kernel = [rng.randint(1, 3) for _ in range(ndim)]
    options: dict[str, Any] = {
        "kernel_size": kernel,
        "stride": rng.choice([None, [rng.randint(1, 3) for _ in range(ndim)]]),
        "padding": [rng.randint(0, k // 2) for k in kernel],
    }
    layer = rng.choice(["max_pool", "max_pool", "unpool"])
    span = kernel
    if layer == "unpool":
        options["stride"] = [k + rng.randint(0, 1) for k in kernel]
    else:
        options["dilation"] = [rng.randint(1, 2) for _ in range(ndim)]
        options["ceil_mode"] = rng.random() < 0.5
        span = [d * (k - 1) + 1 for d, k in zip(options["dilation"], kernel, strict=True)]
    in_shape = [rng.randint(1, 2), *(rng.randint(n, n + 3) for n in span)]
    return {"layer": layer, "in_shape": in_shape, "options": options}


def draw_move(rng: random.Random, ndim: int) -> dict[str, Any]:
    """Draw the arguments of a padding or, in the two dimensions of PyTorch's, of another move."""
    move = "pad" if ndim != 2 else rng.choice(["pad", "shuffle", "unshuffle", "unfold", "fold"])
    if move == "pad":
        return draw_padding(rng, ndim)
    channels, spatial = rng.randint(1, 2), [rng.randint(1, 3) for _ in range(2)]
    factor = rng.randint(1, 3)
    if move == "shuffle":
        in_shape = [channels * factor**2, *spatial]
        options: dict[str, Any] = {"upscale_factor": factor}
    elif move == "unshuffle":
        in_shape = [channels, *(n * factor for n in spatial)]
        options = {"downscale_factor": factor}
    else:  # in_shape is what is, or was, unfolded
        names = {"kernel_size": (1, 3), "stride": (1, 3), "padding": (0, 2), "dilation": (1, 2)}
        options = {name: [rng.randint(*ends) for _ in range(2)] for name, ends in names.items()}
        rows = zip(options["kernel_size"], options["dilation"], spatial, strict=True)
        in_shape = [channels, *(d * (k - 1) + n for k, d, n in rows)]
    names_of = {"shuffle": "pixel_shuffle", "unshuffle": "pixel_unshuffle"}
    return {"layer": names_of.get(move, move), "in_shape": in_shape, "options": options}


def draw_padding(rng: random.Random, ndim: int) -> dict[str, Any]:
    """Draw the arguments of a padding.

    Circles are not cropped: PyTorch returns uninitialised memory where more is wrapped than left.
    """
    mode = rng.choice(["zeros", "reflect", "replicate", "circular"])
    spatial = [rng.randint(2, 5) for _ in range(ndim)]
    padding = []
    for n in spatial:
        most = {"reflect": n - 1, "circular": n}.get(mode, 3)
        least = 0 if mode == "circular" else -((n - 1) // 2)
        padding.append([rng.randint(least, most), rng.randint(least, most)])
    in_shape = [rng.randint(1, 2), *spatial]
    return {"layer": "pad", "in_shape": in_shape, "options": {"padding": padding, "mode": mode}}


def fixed_layer(case: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    """Apply a layer without a weight in PyTorch."""
    name, options = case["layer"], dict(case["options"])
    if name == "pad":
        frame = [p for pair in reversed(options["padding"]) for p in pair]
        mode = options["mode"].replace("zeros", "constant")
        padded: torch.Tensor = torch.nn.functional.pad(x, frame, mode)
        return padded
    if name == "fold":
        options["output_size"] = case["in_shape"][1:]
    name = "interpolate" if name == "upsample" else name
    name += f"{x.ndim - 2}d" if "avg_pool" in name else ""
    y: torch.Tensor = getattr(torch.nn.functional, name)(x, **options)
    return y


def fixed_answer(case: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return the arrays of one case by their names, `FIXED_ARRAYS` and switches."""

    def integers(shape: Any) -> torch.Tensor:
        return torch.tensor(rng.integers(-4, 5, shape), dtype=torch.float64)

    x = integers((1, *case["in_shape"]))
    ndim, options = x.ndim - 2, case["options"]
    arrays: dict[str, torch.Tensor] = {}
    if case["layer"] in ("max_pool", "unpool"):
        pool = getattr(torch.nn.functional, f"max_pool{ndim}d")
        y, arrays["switches"] = pool(x.requires_grad_(), **options, return_indices=True)
        if case["layer"] == "unpool":
            back = getattr(torch.nn.functional, f"max_unpool{ndim}d")
            shape, x = x.shape, integers(tuple(y.shape)).requires_grad_()
            y = back(x, arrays["switches"], **options, output_size=shape)
    else:
        if case["layer"] == "fold":
            x = integers(tuple(torch.nn.functional.unfold(x, **options).shape))
        y = fixed_layer(case, x.requires_grad_())
    y_grad = integers(tuple(y.shape))
    (x_grad,) = torch.autograd.grad(y, x, y_grad)
    arrays |= dict(zip(FIXED_ARRAYS, (x, y, y_grad, x_grad), strict=True))
    return {name: tensor.detach().numpy() for name, tensor in arrays.items()}


def store_fixed(path: Path, drawn: Any, seed: int, each: int = 20, *, exact: bool = False) -> None:
    """Write the file of a kind of layer without a weight, for 1, 2 and 3 dimensions."""
    rng = random.Random(seed)  # noqa: S311, repeatable numbers are the purpose
    numbers_rng = np.random.default_rng(seed)
    cases, numbers = [], []
    for ndim in (1, 2, 3):
        for _ in range(each):
            case = drawn(rng, ndim)
            arrays = fixed_answer(case, numbers_rng)
            case["shapes"] = {name: array.shape for name, array in arrays.items()}
            cases.append(case)
            numbers += [array.ravel() for array in arrays.values()]
    write(path, seed, cases, numbers, exact=exact)


def main() -> None:
    """Write all files into the folder named on the command line, or into tests/oracles."""
    here = Path(__file__).resolve().parent.parent / "tests" / "oracles"
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=here)
    wanted = parser.parse_args().folder
    if torch is None:
        parser.error("PyTorch is missing: pip install torch")
    folder = command_line.made(wanted)
    for ndim in (1, 2, 3):
        store(folder / f"conv{ndim}d.npz", ndim, transposed=False)
        store(folder / f"conv_transpose{ndim}d.npz", ndim, transposed=True)
    store_fixed(folder / "pooling.npz", draw_pooling, 1000)
    store_fixed(folder / "resizing.npz", draw_resizing, 2000)
    store_fixed(folder / "max_pooling.npz", draw_max_pooling, 3000, each=15, exact=True)
    store_fixed(folder / "moves.npz", draw_move, 4000, exact=True)


if __name__ == "__main__":
    command_line.run(main)
