"""What fits in the memory, asked before it is taken."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

__all__ = ["NotEnoughMemoryError", "check_memory", "check_symbolic_memory"]

NEGLIGIBLE = 1 << 25  # bytes: to ask what is available takes as long as to write them


class NotEnoughMemoryError(MemoryError):
    """What would not fit, and what to do about it in Python; the command line has other ways.

    Attributes
    ----------
    fact, repair : str
    """

    def __init__(self, fact: str, repair: str) -> None:
        super().__init__(fact, repair)
        self.fact = fact
        self.repair = repair

    def __str__(self) -> str:
        return f"{self.fact}; {self.repair}"


def check_memory(
    needed: int,
    repair: str = "build rows=slice(start, stop) at a time, or apply A(x) without a matrix",
) -> None:
    """Refuse what would not fit before allocating it."""
    if needed <= NEGLIGIBLE:
        return
    available = _available_memory()
    if available is not None and needed > available:
        size = Decimal(int(needed)) / 2**30  # it may be beyond the range of floats
        room = f"must fit in the {available / 2**30:.4g} GiB available"
        raise NotEnoughMemoryError(f"matrix = {size:.4g} GiB: {room}", repair)


def check_symbolic_memory(entries: int, beside: int = 0) -> None:
    """Refuse a SymPy matrix that would not fit: keys, tuples and numbers of two dictionaries."""
    check_memory(beside + 512 * entries, "use smaller sizes: such a matrix is made to be read")


def _available_memory() -> int | None:
    """Bytes that can be allocated now, or None where the system does not say."""
    known = [free for free in (_free_memory(), _group_memory()) if free is not None]
    return min(known, default=None)


def _free_memory() -> int | None:
    """Bytes that the machine has left."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _group_memory(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that the control group of a container has left, or None without a limit.

    Files that the group has read lately count as used but are dropped when memory is needed.
    """
    for folder, limit, used, cached in (
        (root, "memory.max", "memory.current", "inactive_file"),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((folder / limit).read_text(encoding="ascii"))
            now = int((folder / used).read_text(encoding="ascii"))
            lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
            spare = next((int(v) for n, v in map(str.split, lines) if n == cached), 0)
        except (OSError, ValueError):  # no such files, or "max": no limit
            continue
        return max(most - max(now - spare, 0), 0)
    return None
