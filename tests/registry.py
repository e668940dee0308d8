"""The registry of operators on which every law in `test_laws` is tried, and numbers for them.

Operators are registered in `cases`, and those without a weight in `cases_without_weights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import naive
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Case(NamedTuple):
    """One operator: how to make it, its dense matrix from the definition, if known, and its kind.

    A "layer" has a geometry and a weight, a "separable" one a record and exact fractions; both
    are built entry by entry. What is "composed" is not.
    """

    make: Callable[[], Any]
    truth: Callable[[], Array] | None = None
    kind: str = "layer"


CASES: dict[str, Case] = {}


def register(
    name: str,
    make: Callable[[], Any],
    truth: Callable[[], Array] | None = None,
    *,
    kind: str = "layer",
) -> None:
    assert name not in CASES, f"two cases are named {name}"
    CASES[name] = Case(make, truth, kind)


def integers(shape: Sequence[int], dtype: Any = "f8", seed: int = 0) -> Array:
    """Return small nonzero integers in any dtype; complex ones have imaginary parts."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    least = 1 if dtype.kind == "u" else -5
    numbers = rng.integers(least, 6, shape)
    numbers[numbers == 0] = 3
    if dtype.kind == "c":
        return (numbers + 1j * rng.integers(-5, 6, shape)).astype(dtype)
    return numbers.astype(dtype)


def each(value: Any, ndim: int) -> list[Any]:
    return list(value) if isinstance(value, (tuple, list)) else [value] * ndim


def pairs(
    padding: Any, spatial: Sequence[int], kernel: Sequence[int], stride: Any, dilation: Any
) -> list[tuple[int, int]]:
    """Return (low, high) per axis for any way of writing `padding`."""
    ndim = len(kernel)
    rows = zip(
        each(padding, ndim), spatial, kernel, each(stride, ndim), each(dilation, ndim), strict=True
    )
    result = []
    for p, n, k, s, d in rows:
        if isinstance(p, str):
            result.append(naive.named_pads(p, n, k, s, d))
        else:
            result.append(tuple(p) if isinstance(p, (tuple, list)) else (p, p))
    return result
