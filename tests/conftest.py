"""Set-up shared by the whole suite."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import settings

if TYPE_CHECKING:
    import pytest

os.environ.setdefault("MPLBACKEND", "Agg")

# The same examples on every run: a red test is a change in the code, never bad luck. More of
# them, and new ones each time, with: pytest --hypothesis-profile=slow
settings.register_profile("default", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("slow", deadline=None, max_examples=2000)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    known = {line.partition(":")[0].strip() for line in config.getini("markers")}
    if "slow" not in known:
        config.addinivalue_line("markers", "slow: takes more than a few seconds")
