"""The main job: one convolution on one photograph, as matrices, checked, proved and drawn."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convmat.cli.inputs import dense_weight, read_kernel, weighting
from convmat.geometry.sizes import output_size, transposed_output_size
from convmat.geometry.window import Window
from convmat.layers import conv, conv_transpose
from convmat.matrix.files import staged
from convmat.matrix.limits import check_memory
from convmat.operator import LayerOperator
from convmat.plot.photograph import photograph

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["FILES", "STEPS", "Request", "inspect"]

Array = np.ndarray[Any, np.dtype[Any]]

STEPS = (
    "read the photograph",
    "build the matrix of A",
    "build it again",
    "transpose it",
    "build the transposed convolution",
    "compare entry by entry",
    "apply A and its transpose",
    "save the matrices",
    "derive the sizes",
    "prove the claim",
    "draw the matrices",
    "draw the images",
)


MATRICES = ("matrix.npz", "transpose.npz")
FILES = (
    *MATRICES,
    "sparsity.png",
    "images.png",
    "proof.txt",
    "proof.json",
    "summary.json",
)


@dataclass(frozen=True)
class Request:
    """What to inspect. Keywords are those of `convmat.conv`.

    image : path of a photograph; Matplotlib's portrait of Grace Hopper if None
    kernel : a name of `convmat.cli.inputs.NAMED`, a file, or numbers as text
    grey : look at the brightness instead of red, green and blue
    output : folder to write
    matrices : save the matrices too
    """

    image: str | None = None
    kernel: str = "sobel"
    stride: Any = 2
    padding: Any = 1
    dilation: Any = 1
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float64))
    grey: bool = False
    output: Path = Path("convmat-inspect")
    matrices: bool = True

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files to write."""
        return tuple(name for name in FILES if self.matrices or name not in MATRICES)


class Record:
    """What has been found out so far: claims and the seconds that each step took."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.tell = tell
        self.claims: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.tell(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 6)

    def claim(self, text: str, holds: bool, **details: Any) -> None:
        self.claims.append({"claim": text, "holds": bool(holds), **details})


def inspect(request: Request, tell: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Do the main job and write its folder; return what is written to ``summary.json``.

    Parameters
    ----------
    request : Request
    tell : callable, optional
        Called with the name of each of `STEPS` as it begins.

    Returns
    -------
    dict of plain numbers, strings and lists; ``summary["holds"]`` says whether every claim holds.

    Raises
    ------
    GeometryError
        Bad image, kernel or option.
    MemoryError
        The three matrices would not fit, found out before any is built.
    OSError
        A file cannot be read or written. The folder is then as it was.

    Notes
    -----
    Writes ``matrix.npz`` and, of the transposed convolution, ``transpose.npz``
    (`scipy.sparse.save_npz`, not compressed: that would take most of the time), ``sparsity.png``,
    ``images.png``, ``proof.txt``, ``proof.json``, ``summary.json``.
    """
    record = Record(tell)
    start = time.perf_counter()
    with staged(request.output) as temporary:
        with record.step("read the photograph"):
            x = photograph(request.image, grey=request.grey)
            kernel = read_kernel(request.kernel)
            weight = dense_weight(kernel, len(x), 2, request.dtype)
        options = {name: getattr(request, name) for name in ("stride", "padding", "dilation")}
        A = conv(weight, x.shape, **options)
        B = conv_transpose(weight, A.out_shape, output_size=A.in_shape[1:], **options)
        x = x.astype(A.dtype)
        check_memory(3 * A.nbytes)
        y, back = _matrices(A, B, x, temporary if request.matrices else None, record)
        with record.step("derive the sizes"):
            sizes = _sizes(A, B, request.padding, record)
        with record.step("prove the claim"):
            proof = _prove(A, B, temporary, record)
        _pictures(A, x, y, back, temporary, record)
        record.seconds["in all"] = round(time.perf_counter() - start, 6)
        summary = _summary(request, A, B, sizes, proof, record)
        summary["kernel"]["weighting"] = weighting(kernel, len(x), 2)
        # Complex values are drawn as their moduli.
        summary["signed"] = A.dtype.kind != "c" and bool(y.min() < 0 or back.min() < 0)
        text = json.dumps(summary, indent=1, ensure_ascii=False)
        temporary("summary.json").write_text(text + "\n", encoding="utf-8")
    return summary


def _matrices(
    A: LayerOperator,
    B: LayerOperator,
    x: Array,
    temporary: Callable[[str], Path] | None,
    record: Record,
) -> tuple[Array, Array]:
    """Build, compare and save the matrices; return A(x) and the transpose of A applied to it."""
    from scipy import sparse

    with record.step("build the matrix of A"):
        matrix = A.matrix()
    with record.step("build it again"):  # the first time pays for the builder's compilation
        A.matrix(out=matrix)
    with record.step("transpose it"):
        transpose = matrix.T.tocsr()
    with record.step("build the transposed convolution"):
        other = B.matrix()
    with record.step("compare entry by entry"):
        same = transpose.shape == other.shape and all(
            np.array_equal(getattr(transpose, name), getattr(other, name))
            for name in ("indptr", "indices", "data")
        )
    record.claim(
        "the transpose of the matrix of A equals the matrix of the transposed convolution, "
        "entry by entry",
        same,
        entries=int(transpose.nnz),
    )
    with record.step("apply A and its transpose"):
        y = A(x)
        back = B(y)
        _check_product("A(x)", "the matrix of A times x", matrix, x, y, record)
        _check_product("Aᵀ(A(x))", "the transposed matrix times A(x)", other, y, back, record)
    with record.step("save the matrices"):
        if temporary is not None:
            for name, array in zip(MATRICES, (matrix, other), strict=True):
                sparse.save_npz(temporary(name), array, compressed=False)
    return y, back


def _check_product(
    name: str,
    product: str,
    matrix: sparse.csr_array[Any],
    x: Array,
    y: Array,
    record: Record,
) -> None:
    """Compare a layer's output with its matrix times the input, in exact or bounded arithmetic.

    References
    ----------
    Higham, "Accuracy and Stability of Numerical Algorithms", 2002, equation 3.5: a sum of n
    products in any order is off by at most gamma(n) = n*u / (1 - n*u) times the sum of moduli.
    """
    vector = x.astype(y.dtype, copy=False).ravel()
    error = np.abs(matrix @ vector - y.ravel())
    worst = float(error.max())
    if y.dtype.kind in "iu":
        record.claim(f"{name} equals {product}, exactly", worst == 0, worst=worst)
        return
    terms = int(np.diff(matrix.indptr).max()) + 2  # two more, for products of complex numbers
    unit = float(np.finfo(y.dtype).eps) / 2
    # Both sides are off by at most gamma; twice that covers complex arithmetic.
    gamma = 4 * terms * unit / (1 - terms * unit)
    bound = gamma * (abs(matrix) @ np.abs(vector).astype(np.float64))
    record.claim(
        f"{name} equals {product}, to rounding",
        bool((error <= bound).all()),
        worst=worst,
        bound=float(bound.max()),
    )


def _sizes(
    A: LayerOperator,
    B: LayerOperator,
    padding: Any,
    record: Record,
) -> dict[str, Any]:
    """Derive both sizes as formulas, and evaluate them at the sizes of each axis."""
    import sympy

    axes = A.geometry.axes
    pads = [_ends(axis, entry) for axis, entry in zip(axes, _each(padding, len(axes)), strict=True)]
    n, m, k, s, d, p, a = sympy.symbols("n m k s d p a", integer=True, nonnegative=True)
    low, high = sympy.symbols("p_low p_high", integer=True, nonnegative=True)
    ends = (p, p) if all(first == last for first, last in pads) else (low, high)
    forward = output_size(n, k, s, ends, d)
    backward = transposed_output_size(m, k, s, ends, a, d)
    down, up, extras = [], [], []
    for axis, (first, last), other in zip(axes, pads, B.geometry.axes, strict=True):
        window = {k: axis.kernel, s: axis.stride, d: axis.dilation}
        window |= dict(zip(ends, (first, last), strict=True))
        plain = backward.subs({**window, m: axis.n_out, a: 0})
        extra = axis.n_in - int(plain)
        down.append((axis.n_in, axis.n_out, int(forward.subs({**window, n: axis.n_in}))))
        made = int(backward.subs({**window, m: axis.n_out, a: extra}))
        up.append((other.n_in, other.n_out, made))
        extras.append(extra)
    holds = all(size == derived for _, size, derived in (*down, *up))
    record.claim("the formulas give the sizes of both layers", holds)

    def table(formula: Any, rows: list[tuple[int, int, int]]) -> dict[str, Any]:
        return {
            "formula": str(formula),
            "axes": [{"n": r[0], "size": r[1], "derived": r[2]} for r in rows],
        }

    meanings = {n: "size of x", m: "size of A(x)", k: "kernel", s: "stride", d: "dilation"}
    meanings |= {p: "padding"} if ends == (p, p) else {low: "padding before", high: "padding after"}
    meanings |= {a: "output padding"}
    return {
        "convolution": table(forward, down),
        "transposed convolution": table(backward, up),
        "symbols": {str(symbol): text for symbol, text in meanings.items()},
        "padding": [list(pair) for pair in pads],
        "output_padding": extras,
    }


def _each(padding: Any, ndim: int) -> list[Any]:
    return list(padding) if isinstance(padding, (tuple, list)) else [padding] * ndim


def _ends(axis: Window, padding: Any) -> tuple[int, int]:
    """Return (low, high) padding of an axis as it was asked for; of a name, what it came to."""
    if isinstance(padding, int):
        return padding, padding
    return padding if isinstance(padding, tuple) else axis.pads


def _prove(
    A: LayerOperator,
    B: LayerOperator,
    temporary: Callable[[str], Path],
    record: Record,
) -> dict[str, Any]:
    from convmat.proof import prove_transpose

    proof = prove_transpose(A, B)
    grades = list(getattr(proof, "grades", (proof.grade,)))  # a counterexample has one
    record.claim(proof.claim, proof.holds, grade=proof.grade, grades=grades)
    temporary("proof.txt").write_text(f"{proof.explain()}\n", encoding="utf-8")
    temporary("proof.json").write_text(proof.to_json() + "\n", encoding="utf-8")
    return {
        "claim": proof.claim,
        "grade": proof.grade,
        "grades": grades,
        "steps": len(proof.steps),
    }


def _pictures(
    A: LayerOperator,
    x: Array,
    y: Array,
    back: Array,
    temporary: Callable[[str], Path],
    record: Record,
) -> None:
    from convmat.plot import pair, strip

    with record.step("draw the matrices"):
        pair(A).savefig(temporary("sparsity.png"))
    with record.step("draw the images"):
        shown = y[:4]  # a page has no room for more
        titles = ["image x", *(f"A(x), channel {c}" for c in range(len(shown)))]
        summed = "Aᵀ(A(x))" if len(x) == 1 else f"Aᵀ(A(x)), sum of {len(x)} channels"
        fig = strip([abs(x), *shown, back.sum(0)], [*titles, summed])
        fig.savefig(temporary("images.png"))


def _summary(
    request: Request,
    A: LayerOperator,
    B: LayerOperator,
    sizes: dict[str, Any],
    proof: dict[str, Any],
    record: Record,
) -> dict[str, Any]:
    packages = ("numpy", "scipy", "sympy", "matplotlib", "numba")
    false = [claim for claim in record.claims if not claim["holds"]]
    return {
        "holds": not false,
        "under": [],
        "counterexample": false[0] if false else None,
        "image": {"file": request.image or "grace_hopper.jpg", "shape": list(A.in_shape)},
        "kernel": {
            "name": request.kernel,
            "weight_shape": list(A.weight.shape),
            "zeros": int((A.weight == 0).sum()),
        },
        "options": {
            "stride": request.stride,
            "padding": request.padding,
            "dilation": request.dilation,
            "dtype": str(request.dtype),
            "grey": request.grey,
        },
        "in_shape": list(A.in_shape),
        "out_shape": list(A.out_shape),
        "matrices": [
            {
                "layer": repr(layer),
                "shape": list(layer.shape),
                "nnz": layer.nnz,
                "nbytes": layer.nbytes,
            }
            for layer in (A, B)
        ],
        "sizes": sizes,
        "proof": proof,
        "claims": record.claims,
        "seconds": record.seconds,
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "folder": str(request.output),
        "files": list(request.files),
    }
