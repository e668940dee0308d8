"""Files appear whole or not at all: written in a hidden folder beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from convmat.geometry.arguments import GeometryError

__all__ = [
    "FORMATS",
    "FULL",
    "Format",
    "check_suffix",
    "missing_folder",
    "missing_folder_of",
    "save_matrix",
    "staged",
    "written",
]

Format = Literal["csr", "csc", "coo", "bsr", "dia", "dok", "lil"]
FORMATS = get_args(Format)  # of SciPy; no file has the last two
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # said by a write, which names no file
EXACT = 2**53  # up to which a double holds every integer
INT32 = 2**31 - 1


@contextmanager
def staged(folder: str | os.PathLike[str]) -> Iterator[Callable[[str], Path]]:
    """Give temporary paths for files of a folder, and rename all of them when the block ends.

    If the block raises, the temporary files are removed and what the folder held before is
    untouched. What a process that was killed has left there is removed by the next one.

    Raises
    ------
    OSError
        The folder cannot be made or written, before anything is computed; or the disk is full,
        and then it names the file that was asked for.
    """
    place = Path(folder)
    new = missing_folder(place) is not None
    hidden = place / f"{_mark()}{os.getpid()}-{secrets.token_hex(6)}"
    waiting: dict[Path, Path] = {}

    def temporary(name: str) -> Path:
        target = place / name
        if target.is_dir():
            raise _error(errno.EISDIR, target)
        beside = hidden / name
        waiting[beside] = target
        return beside

    try:
        if new:
            place.mkdir()
        _remove_left_over(place)
        with _named_after({hidden: place}):
            hidden.mkdir()
        with _named_after(waiting):
            yield temporary
        for beside, target in waiting.items():
            beside.replace(target)
        new = False
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        if new and place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def missing_folder(place: Path) -> Path | None:
    """Return a folder if it must be made; refuse one that cannot be made or written.

    Raises
    ------
    OSError
        Its own folder is missing too, so that the path may be mistaken; or something else is
        there, or no right to write.
    """
    _refuse_broken_link(place)
    for path in (place, place.parent):
        if path.exists() and not path.is_dir():
            raise _error(errno.ENOTDIR, path)
    there = place if place.exists() else place.parent
    if not there.exists():
        raise OSError(errno.ENOENT, "no such folder: make it first, or mend the path", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise _error(errno.EROFS if _is_read_only(there) else errno.EACCES, there)
    return None if there == place else place


def missing_folder_of(target: Path) -> Path | None:
    """Return the folder of a file if it must be made; refuse a file that cannot be written."""
    _refuse_broken_link(target)
    if target.is_dir():
        raise _error(errno.EISDIR, target)
    return None if _is_device(target) else missing_folder(_itself(target).parent)


def _refuse_broken_link(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        there = path.readlink()
        raise OSError(errno.ENOENT, f"is a link to {there}, which is not there", str(path))


def _is_device(target: Path) -> bool:
    return target.exists() and not target.is_file() and not target.is_dir()


def _itself(target: Path) -> Path:
    return target.resolve() if target.is_symlink() else target


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _is_read_only(place: Path) -> bool:
    if not hasattr(os, "statvfs"):  # not on every system
        return False
    return bool(os.statvfs(place).f_flag & os.ST_RDONLY)


@contextmanager
def _named_after(waiting: dict[Path, Path]) -> Iterator[None]:
    """Tell errors of temporary files as those of the files that were asked for."""
    try:
        yield
    except OSError as error:
        named = error.filename and waiting.get(Path(os.fsdecode(error.filename)))
        latest = next(reversed(waiting.values()), None)
        target = named or (latest if error.errno in FULL and not error.filename else None)
        if target is None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(target)) from error


def _mark() -> str:
    """Return how names of temporary folders of this machine begin: others share network disks."""
    return f".convmat-{zlib.crc32(platform.node().encode()):08x}-"


def _remove_left_over(place: Path) -> None:
    """Remove temporary folders whose process has ended."""
    if os.name != "posix":  # elsewhere one cannot ask for a process without harm to it
        return
    for path in place.glob(f"{_mark()}*-*"):
        left = re.fullmatch(r"([0-9]{1,9})-[0-9a-f]{12}", path.name.removeprefix(_mark()))
        if left and not path.is_symlink() and not _is_alive(int(left[1])):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's
        return True
    return True


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path for one file; see `staged`.

    The file of a link is replaced, not the link. A device or a pipe is written to as it stands.
    """
    target = Path(path)
    missing_folder_of(target)
    if not _is_device(target):
        place = _itself(target)
        with staged(place.parent) as temporary:
            yield temporary(place.name)
        return
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / target.name
        with _named_after({beside: target}):
            yield beside
        with _named_after({target: target}), open(target, "wb") as device:
            device.write(beside.read_bytes())


def save_matrix(path: Path, matrix: Any) -> None:
    """Save a SciPy sparse array as ``.npz``, ``.mtx`` or ``.mat``, whole or not at all.

    Matrix Market's text holds integers, real and complex numbers exactly; MATLAB's files hold
    double precision alone, here of a variable A.

    Raises
    ------
    GeometryError
        Another suffix, a format that has no file form, or numbers or sizes that a file of MATLAB
        cannot hold.
    OSError
        The file cannot be written.
    """
    check_suffix(path)
    with written(path) as beside:
        WRITERS[path.suffix](beside, matrix)


def check_suffix(path: Path) -> None:
    """Refuse a name of which `save_matrix` knows no kind of file, before a matrix is built."""
    if path.suffix not in WRITERS:
        raise GeometryError(
            "output", str(path), f"must end in {', '.join(WRITERS)}", f"use {path.name}.npz"
        )


def _npz(path: Path, matrix: Any) -> None:
    from scipy import sparse

    try:
        sparse.save_npz(path, matrix)
    except NotImplementedError:
        raise GeometryError(
            "format", matrix.format, "cannot be saved by SciPy", "use csr, csc, coo, bsr or dia"
        ) from None


def _mtx(path: Path, matrix: Any) -> None:
    from scipy import io

    entries = matrix.tocoo()
    if entries.dtype.kind in "fc":  # whoever reads them reads doubles
        entries = entries.astype(complex if entries.dtype.kind == "c" else float)
    io.mmwrite(path, entries, symmetry="general")  # to look for a symmetry takes a copy


def _mat(path: Path, matrix: Any) -> None:
    from scipy import io

    if max(matrix.nnz, *matrix.shape) > INT32:
        raise GeometryError(
            "output", str(path), "numbers rows and entries in 32 bits", "use .npz or .mtx"
        )
    columns = matrix.tocsc()
    if columns.dtype.kind in "iu" and any(abs(int(m)) > EXACT for m in _extremes(columns.data)):
        raise GeometryError(
            "output",
            str(path),
            "would round integers: MATLAB's sparse matrices are double",
            "use .npz or .mtx",
        )
    double = columns.astype(complex if columns.dtype.kind == "c" else float)
    io.savemat(path, {"A": double}, appendmat=False)


def _extremes(values: Any) -> tuple[Any, Any]:
    return values.min(initial=0), values.max(initial=0)


WRITERS = {".npz": _npz, ".mtx": _mtx, ".mat": _mat}
