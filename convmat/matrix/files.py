"""Files appear whole or not at all: written beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from convmat.geometry.arguments import GeometryError

__all__ = ["save_matrix", "staged", "written"]


@contextmanager
def staged(folder: str | os.PathLike[str]) -> Iterator[Callable[[str], Path]]:
    """Give temporary paths for files of a folder, and rename all of them when the block ends.

    If the block raises, the temporary files are removed and what the folder held before is
    untouched. The suffix of the name is kept, for writers that go by it.

    Raises
    ------
    OSError
        The folder cannot be made or written, before anything is computed.
    """
    place = Path(folder)
    missing = [path for path in (place, *place.parents) if not path.exists()]
    waiting: dict[Path, Path] = {}

    def temporary(name: str) -> Path:
        target = place / name
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
        beside = place / f".{target.stem}-{secrets.token_hex(6)}{target.suffix}"
        waiting[beside] = target
        return beside

    done = False
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        yield temporary
        for beside, target in waiting.items():
            beside.replace(target)
        done = True
    finally:
        if not done:
            for beside in waiting:
                beside.unlink(missing_ok=True)
            for path in missing:
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path for one file; see `staged`."""
    target = Path(path)
    with staged(target.parent) as temporary:
        yield temporary(target.name)


def save_matrix(path: Path, matrix: Any) -> None:
    """Save a SciPy sparse array as ``.npz``, whole or not at all.

    Raises
    ------
    GeometryError
        Another suffix, or a format that has no file form.
    OSError
        The file cannot be written.
    """
    from scipy import sparse

    if path.suffix != ".npz":
        raise GeometryError("output", str(path), "must end in .npz", f"use {path.name}.npz")
    with written(path) as beside:
        try:
            sparse.save_npz(beside, matrix)
        except NotImplementedError:
            raise GeometryError(
                "format", matrix.format, "cannot be saved by SciPy", "use csr, csc, coo, bsr or dia"
            ) from None
