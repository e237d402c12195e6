"""What a forked child does with connections that it inherited: nothing, for ever.

Rule: an inherited connection is never used, closed or collected in the child. Its socket is shared with the parent:
using it mixes up answers, and even an orderly close may read bytes or send a TLS goodbye that belong to the parent.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ProcessLock", "leak", "renew_in_child"]

_inherited: list[object] = []


class ProcessLock:
    """A lock that a forked child finds open, also if a thread of the parent held it."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}  # by process id; setdefault is atomic, so that a process has one

    def __enter__(self) -> None:
        # Made at the first use, not before: gevent and eventlet may replace threading.Lock after a server has loaded us.
        pid = os.getpid()
        (self._locks.get(pid) or self._locks.setdefault(pid, threading.Lock())).acquire()

    def __exit__(self, *_: object) -> None:
        self._locks[os.getpid()].release()


def leak(thing: object) -> None:
    """Keep `thing`, and all that it refers to, alive to the very end of the process.

    A module-level list is not enough: interpreter shutdown empties it and would then close the connections.
    """
    import ctypes  # only a forked child that inherited connections pays for it

    _inherited.append(thing)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def renew_in_child(renew: Callable[[], None]) -> None:
    """Call `renew` in every child right after a fork, before any other code of the child runs (os.register_at_fork)."""
    if hasattr(os, "register_at_fork"):  # Windows has no fork
        os.register_at_fork(after_in_child=renew)
