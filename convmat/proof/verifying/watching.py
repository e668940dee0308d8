"""Calling a stranger's code for a limited time: it may never return."""

from __future__ import annotations

import contextvars
import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["TookTooLong", "within"]

Value = TypeVar("Value")

GRACE = 0.2  # seconds for an interrupted call to end


class TookTooLong(Exception):  # noqa: N818, what happened
    """A call did not return in time."""


class _Interrupted(SystemExit):
    """Raised within a call that took too long; threads end silently with a `SystemExit`."""


def within(seconds: float, call: Callable[[], Value]) -> Value:
    """Return what a call returns, raise what it raises, or `TookTooLong`.

    The call runs in a thread of its own, as a copy of the caller's context. What runs in Python is
    interrupted when the time is over; a loop in C goes on until it ends by itself.
    """
    returned: list[Value] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            returned.append(call())
        except BaseException as reason:  # noqa: BLE001, raised again for the caller
            raised.append(reason)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        late = thread.is_alive()
    finally:  # also where the caller is interrupted
        if thread.is_alive():
            _interrupt(thread)
    if late:
        raise TookTooLong(f"a call took more than {seconds:g} seconds")
    if raised:
        raise raised[0]
    return returned[0]


def _interrupt(thread: threading.Thread) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Interrupted)
    )
    thread.join(GRACE)
