"""The autoencoder of autoencoder.py once more, in PyTorch: to check gradients, and to race."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812, as its users write it

Array = np.ndarray[Any, np.dtype[Any]]


def reconstruct(x: torch.Tensor, parameters: Sequence[torch.Tensor], decoder: str) -> torch.Tensor:
    """Return what the network makes of x (batch, 1, H, W)."""
    w1, b1, w2, b2, w3, b3, w4, b4 = parameters
    x, first = F.max_pool2d(F.relu(F.conv2d(x, w1, b1, padding=1)), 2, return_indices=True)
    x, second = F.max_pool2d(F.relu(F.conv2d(x, w2, b2, padding=1)), 2, return_indices=True)
    if decoder == "transposed":
        x = F.conv_transpose2d(F.relu(F.max_unpool2d(x, second, [2, 2])), w3, b3, padding=1)
        return F.conv_transpose2d(F.relu(F.max_unpool2d(x, first, [2, 2])), w4, b4, padding=1)
    x = F.conv2d(F.relu(F.interpolate(x, scale_factor=2)), w3, b3, padding=1)
    return F.conv2d(F.relu(F.interpolate(x, scale_factor=2)), w4, b4, padding=1)


def gradients(x: Array, parameters: Sequence[Array], decoder: str) -> list[Array]:
    """Return the gradients of the mean squared error, by automatic differentiation."""
    weights = [torch.tensor(array, requires_grad=True) for array in parameters]
    images = torch.tensor(x)
    F.mse_loss(reconstruct(images, weights, decoder), images).backward()  # type: ignore[no-untyped-call]  # PyTorch annotates it only in part
    return [np.asarray(weight.grad) for weight in weights]


def seconds_per_epoch(
    batches: Sequence[Array], parameters: Sequence[Array], decoder: str, rate: float, threads: int
) -> float:
    """Train for three epochs with PyTorch's own Adam; return the time of the fastest."""
    torch.set_num_threads(threads)
    weights = [torch.tensor(array, requires_grad=True) for array in parameters]
    optimizer = torch.optim.Adam(weights, lr=rate)
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        for batch in batches:
            images = torch.tensor(batch)
            optimizer.zero_grad()
            F.mse_loss(reconstruct(images, weights, decoder), images).backward()  # type: ignore[no-untyped-call]  # as above
            optimizer.step()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)
