"""The gate between SQLite and forks: a fork happens while no thread is inside SQLite and no connection is open.

SQLite keeps its locks in the process, where a fork copies them without the operating system's half. In the child even a
new connection, opened beside an inherited one, takes no lock; when the parent then closes its own, commits are lost
(https://www.sqlite.org/howtocorrupt.html 2.6). Its mutexes, held by a thread at that moment, would stay held.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final, Protocol
from weakref import WeakSet

__all__ = ["Guarded", "gate"]

_PATIENCE_SECONDS: Final = 10.0


class Guarded(Protocol):
    """Something that holds connections."""

    def close(self) -> None:
        """Close every idle connection."""
        ...

    def notice_fork(self) -> None:
        """This is a child: never touch what came over from the parent."""
        ...


class _Gate:
    """`with gate:` around every use of SQLite. `guarded` are the holders of connections."""

    def __init__(self) -> None:
        self.guarded: WeakSet[Any] = WeakSet()  # of Guarded
        self._renew()

    def _renew(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._forks = 0

    def __enter__(self) -> None:
        with self._condition:
            self._condition.wait_for(lambda: not self._forks)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._condition:
            self._inside -= 1
            self._condition.notify_all()

    def before_fork(self) -> None:
        """Keep threads out, wait for those inside, close all connections. Goes on after ten seconds: no fork is refused."""
        self._condition.acquire()
        self._forks += 1
        if self._condition.wait_for(lambda: self._inside < 1, _PATIENCE_SECONDS):
            for holder in list(self.guarded):
                holder.close()

    def after_fork_in_parent(self) -> None:
        """Let threads in again."""
        self._forks -= 1
        self._condition.notify_all()
        self._condition.release()

    def after_fork_in_child(self) -> None:
        """Start again: a thread that this process does not have may hold the lock."""
        self._renew()
        for holder in list(self.guarded):
            holder.notice_fork()


gate: Final = _Gate()

if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(
        before=gate.before_fork, after_in_parent=gate.after_fork_in_parent, after_in_child=gate.after_fork_in_child
    )
