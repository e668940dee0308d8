"""Machine code on disk, which may be missing, broken or impossible to write: then it is made anew.

What cannot be read is compiled again and written over; what cannot be written serves this process
alone, which is said once. Nothing that happens to a file ends a computation.

Before a kernel is compiled that was not kept, one line says so, once for each room and dtype. The
logger ``convmat.kernels`` has it at the level INFO, and that nothing can be kept as a WARNING.
Where an application has set up no handlers, both are also written to stderr. To be told nothing:
``logging.getLogger("convmat.kernels").setLevel(logging.ERROR)``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import secrets
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numba
import numpy as np
from numba.core import caching, serialize
from numba.core.types import Array, Type

__all__ = ["Kept", "Unkept", "log", "write_whole"]

ROOMS = {  # of kernels: what they are for, and how many seconds they took to compile
    "conv": ("convolution", 8),
    "csr": ("matrix", 5),
    "kronecker": ("resizing", 8),
    "layout": ("convolution", 8),
    "max_pool": ("pooling", 4),
    "weight_gradient": ("gradient", 10),
}
DIGEST = 32  # bytes before machine code in a file, which vouch for it

_FUNCTION_CACHE: Any = caching.FunctionCache  # of which some releases of Numba know types
_NULL_CACHE: Any = caching.NullCache
_DUMPS: Any = serialize.dumps

log = logging.getLogger("convmat.kernels")
if log.level == logging.NOTSET:  # an application may have silenced it already
    log.setLevel(logging.INFO)
_TOLD: set[Any] = set()
_TELLING = Lock()


class _ToStderr(logging.Handler):
    """Write to stderr as it is now, unless an application takes care of messages itself."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers and sys.stderr is not None:
            with suppress(OSError, ValueError):  # nobody reads it, or it is closed
                print(f"convmat: {record.getMessage()}", file=sys.stderr, flush=True)


log.addHandler(_ToStderr())


def _first(*what: Any) -> bool:
    """Say whether this is told for the first time in the process."""
    with _TELLING:
        new = what not in _TOLD
        _TOLD.add(what)
    return new


def _announce(function: Callable[..., Any], types: Iterable[Type]) -> None:
    """Say what will be compiled, once for each room and dtype."""
    room = ROOMS.get(function.__module__.rpartition(".")[0].rpartition(".")[2])
    if room is None:
        return
    kinds = {kind for kind in map(_number, types) if kind is not None}
    kind = max(kinds, key=lambda dtype: (dtype.kind in "fc", dtype.itemsize), default=None)
    name, seconds = room
    text = name if kind is None or name == "matrix" else f"{kind} {name}"
    if _first("compiling", text):
        log.info("compiling the %s kernels, once, about %d s", text, seconds)


def _number(kind: Type) -> np.dtype[Any] | None:
    """Return the dtype of an array, also of one within a record."""
    if isinstance(kind, Array):
        try:
            return np.dtype(str(kind.dtype))
        except TypeError:
            return None
    inner = [one for one in map(_number, getattr(kind, "types", ())) if one is not None]
    return max(inner, key=lambda dtype: (dtype.kind in "fc", dtype.itemsize), default=None)


class Unkept(_NULL_CACHE):  # type: ignore[misc]  # a class of Numba
    """No place for machine code: it is compiled in every process."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def load_overload(self, sig: tuple[Type, ...], _target_context: Any) -> None:
        """Announce what will be compiled."""
        _announce(self._function, sig)


class Kept(_FUNCTION_CACHE):  # type: ignore[misc]  # the same
    """The machine code of one function: a file for each combination of types.

    A file bears the name of function and types, so that two processes cannot take the code of one
    for that of the other, and new code is written over the old.
    """

    def __init__(self, function: Callable[..., Any], stamp: str) -> None:
        super().__init__(function)
        self._cache_file = _Files(function, Path(self.cache_path), stamp)

    def load_overload(self, sig: tuple[Type, ...], target_context: Any) -> Any:
        """Return what was kept for these types; None, after an announcement, if there is none."""
        try:
            found = super().load_overload(sig, target_context)
        except Exception as error:  # noqa: BLE001, whatever it is, the code can be made again
            log.debug("%s cannot be read: %s", self._cache_file.folder, error)
            found = None
        if found is None:
            _announce(self._py_func, sig)
        return found

    def save_overload(self, sig: tuple[Type, ...], data: Any) -> None:
        """Keep the machine code if that is possible."""
        try:
            super().save_overload(sig, data)
        except Exception as error:  # noqa: BLE001, the code is there, if not for the next process
            if _first("unkept"):
                log.warning("compiled code cannot be kept: %s", error)


class _Files:
    """What `FunctionCache` asks of its files."""

    def __init__(self, function: Callable[..., Any], folder: Path, stamp: str) -> None:
        self.folder, self.stamp = folder, (stamp, numba.__version__)
        module = function.__module__.rpartition(".")[2]
        self.stem = f"{module}.{function.__name__}.{sys.implementation.cache_tag}"

    def path(self, key: Any) -> Path:
        """Return where the code of these types is, whatever the source that it was made of."""
        types, target, (_, closure) = key
        name = hashlib.blake2b(repr((types, target, closure)).encode(), digest_size=12)
        return self.folder / f"{self.stem}-{name.hexdigest()}.nbc"

    def load(self, key: Any) -> Any:
        """Return what was saved, or None if that is broken, or was made of other sources."""
        try:
            held = self.path(key).read_bytes()
        except FileNotFoundError:
            return None
        digest, content = held[:DIGEST], held[DIGEST:]
        if digest != _digest(content):
            return None
        made_for, stamp, data = pickle.loads(content)  # noqa: S301, in a folder where code is taken from
        return data if (made_for, stamp) == (key, self.stamp) else None

    def save(self, key: Any, data: Any) -> None:
        """Write the file whole or not at all."""
        content = _DUMPS((key, self.stamp, data))
        write_whole(self.path(key), _digest(content) + content)

    def flush(self) -> None:
        """Forget what was kept of the function."""
        for path in self.folder.glob(f"{self.stem}-*.nbc"):
            path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: another process may read it meanwhile, or write its own."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST).digest()
