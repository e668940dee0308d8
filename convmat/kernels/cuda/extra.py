"""What is installed: Numba's own package for GPUs, or its simulator, which needs none."""

from __future__ import annotations

from importlib.util import find_spec

from convmat.geometry.arguments import GeometryError

__all__ = ["check_installed", "simulated"]


def simulated() -> bool:
    """Say whether Numba was told to run kernels in Python: ``NUMBA_ENABLE_CUDASIM=1``."""
    from numba.core import config

    return bool(config.ENABLE_CUDASIM)


def check_installed(kind: str) -> None:
    """Refuse an array on a GPU where the extra is missing; `kind` is its type."""
    # Numba itself still has a module of this name, which is no longer tested.
    if find_spec("numba_cuda") is None and not simulated():
        raise GeometryError(
            "x",
            kind,
            "lies on a GPU, for which an extra is needed",
            "pip install 'convmat[cuda]', or 'convmat[cuda12]' for CUDA 12",
        )
