"""Set-up shared by the whole suite."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from hypothesis import settings

import convmat

os.environ.setdefault("MPLBACKEND", "Agg")


def compiled_sources() -> str:
    """Return a digest of everything that Numba compiles.

    Its cache on disk notices a change in the file of a function, but not in the files of the
    functions that this one calls: tests would run the old machine code.
    """
    package = Path(convmat.__file__).parent
    digest = hashlib.sha256()
    for path in [package / "geometry" / "window.py", *sorted((package / "kernels").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


cache = Path(__file__).resolve().parent.parent / ".numba_cache" / compiled_sources()
os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))

# The same examples on every run: a red test is a change in the code, never bad luck. More of
# them, and new ones each time, with: pytest --hypothesis-profile=slow
settings.register_profile("default", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("slow", deadline=None, max_examples=2000)
settings.load_profile("default")

# Tests import the modules beside them by name; collected as well, each would run a second time.
collect_ignore = [
    path.name for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_")
]
