"""Find weights that are outer products, so that a layer may be applied axis by axis.

A weight that was made as ``u[i] * v[j]`` holds these products rounded, and perhaps divided by
their sum, which rounds again. Whole numbers, and floats that are whole numbers after scaling by a
power of two, are factored exactly. Otherwise factors are accepted if their product reproduces
*every single weight*, the smallest too, within `CLOSE` units of rounding: the same distance from
the weight, however it was made, as two roundings for each axis. Weights below the square of that
unit, next to the largest, may differ by as much: such corners underflow.

A changed weight changes an output by its share of ``sum |w| * |x|``. Direct summation of n
products may err by n/2 such units, and so by more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["CLOSE", "outer_factors"]

Array = np.ndarray[Any, np.dtype[Any]]

CLOSE = 2  # of eps, the distance from 1 to the next float, for each axis
ROUNDS = 2  # of improving factors
EXACT = 1 << 53  # whole numbers beyond are not told apart in double precision


def outer_factors(weight: Array, dtype: np.dtype[Any]) -> list[Array] | None:
    """Return factors (kernels, k_d) of every kernel, or None if one of them is no outer product.

    Parameters
    ----------
    weight : real array (kernels, k_0, k_1, ...)
    dtype : dtype of the factors, an integer or a real float
    """
    if dtype.kind in "iu":
        return _whole(weight.astype(dtype))
    if weight.dtype.kind in "iu":
        weight = weight.astype(dtype)
    if not np.isfinite(weight).all():
        return None
    if len(weight) > 1 and outer_factors(weight[:1], dtype) is None:
        return None  # as most weights show at once
    exact = _scaled(weight, dtype)
    return exact if exact is not None else _close(weight, dtype)


def _flat(weight: Array) -> Array:
    """Return (kernels, first axis, all others)."""
    return weight.reshape(*weight.shape[:2], math.prod(weight.shape[2:]))


def _whole(weight: Array) -> list[Array] | None:
    """Factor whole numbers exactly: a row over the divisor of its entries, and its multiples."""
    if weight.ndim <= 2:
        return [weight]
    flat = _flat(weight)
    kernels = np.arange(len(flat))
    pivot = (flat != 0).any(2).argmax(1)
    row = flat[kernels, pivot]
    row = row // np.maximum(np.gcd.reduce(row, axis=1), 1)[:, None]
    column = (row != 0).argmax(1)
    leading = row[kernels, column]
    first = flat[kernels, :, column] // np.where(leading == 0, 1, leading)[:, None]
    if not (first[:, :, None] * row[:, None] == flat).all():
        return None
    others = _whole(row.reshape(len(flat), *weight.shape[2:]))
    return None if others is None else [first, *others]


def _scaled(weight: Array, dtype: np.dtype[Any]) -> list[Array] | None:
    """Factor floats that are whole numbers times a power of two; exactly, or not at all."""
    axes = tuple(range(1, weight.ndim))
    largest = np.abs(weight).max(axis=axes, keepdims=True, initial=0)
    digits = np.finfo(weight.dtype).nmant + 1
    shift = np.maximum(-1000, np.minimum(1000, digits - np.frexp(largest)[1].astype(np.int64)))
    shift = np.where(largest == 0, 0, shift)
    whole = np.ldexp(weight.astype(np.float64), shift)
    if not ((whole == np.trunc(whole)) & (np.abs(whole) <= EXACT)).all():
        return None
    found = _whole(whole.astype(np.int64))
    if found is None:
        return None
    floats = [factor.astype(dtype) for factor in found]
    if any((made != one).any() for made, one in zip(floats, found, strict=True)):
        return None
    floats[0] = np.ldexp(floats[0], -shift.reshape(-1, 1)).astype(dtype)
    exact = np.ldexp(found[0].astype(np.float64), -shift.reshape(-1, 1))
    return floats if (floats[0] == exact).all() else None


def _close(weight: Array, dtype: np.dtype[Any]) -> list[Array] | None:
    """Factor floats up to rounding, in a wider precision where there is one."""
    wide = weight.astype(np.longdouble if weight.itemsize > 4 or dtype.itemsize > 4 else float)
    eps = float(np.finfo(dtype).eps)
    rest, factors = wide, []
    while rest.ndim > 2:
        first, second = _split(_flat(rest), eps * eps)
        factors.append(first)
        rest = second.reshape(len(rest), *rest.shape[2:])
    factors = [factor.astype(dtype) for factor in [*factors, rest]]
    product = factors[0].astype(wide.dtype)
    for factor in factors[1:]:
        product = product[..., None] * factor.reshape(
            len(factor), *(1,) * (product.ndim - 1), -1
        ).astype(wide.dtype)
    largest = np.abs(wide).max(axis=tuple(range(1, wide.ndim)), keepdims=True, initial=0)
    allowed = CLOSE * (wide.ndim - 1) * eps * np.abs(wide) + eps * eps * largest
    return factors if (np.abs(product - wide) <= allowed).all() else None


def _split(flat: Array, least: float) -> tuple[Array, Array]:
    """Return the outer factors (kernels, n), (kernels, m) of what is nearly their product.

    A row and a column through the largest entry, balanced, then each set to the mean of what the
    other implies: relative means, so that the smallest entries are as exact as the largest.
    """
    kernels = np.arange(len(flat))
    place = np.abs(flat).reshape(len(flat), -1).argmax(1)
    i, j = np.unravel_index(place, flat.shape[1:])
    pivot = flat[kernels, i, j]
    pivot = np.where(pivot == 0, 1, pivot)
    first, second = flat[kernels, :, j] / pivot[:, None], flat[kernels, i]
    for _ in range(ROUNDS):
        ratio, known = _ratios(flat, first, second, least)
        second = second * (ratio.sum(1) / np.maximum(known.sum(1), 1))
        ratio, known = _ratios(flat, first, second, least)
        first = first * (ratio.sum(2) / np.maximum(known.sum(2), 1))
    scale = np.sqrt(np.abs(pivot)).astype(float)
    balance = np.exp2(np.rint(np.log2(scale)))[:, None]  # a power of two: nothing is rounded
    return first * balance, second / balance


def _ratios(flat: Array, first: Array, second: Array, least: float) -> tuple[Array, Array]:
    """Return entries over products of factors, 0 and False where they are too small to tell."""
    product = first[:, :, None] * second[:, None]
    largest = np.abs(flat).max(axis=(1, 2), keepdims=True, initial=0)
    known = (np.abs(flat) > largest * least) & (product != 0)
    return np.where(known, flat / np.where(known, product, 1), 0), known
