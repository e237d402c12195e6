"""Log: keeps the write-ahead log (-wal) short, and stops it from growing without end.

SQLite begins the log again only at a moment when no reader uses it, and it never makes the file shorter by itself. A program
that stays in a read transaction, such as a forgotten `sqlite3` shell, therefore makes the log grow with every write. At the
limit only those writes are taken that finish what was begun: the commit of new tokens, a sign-out, an end. Their number is
bounded, because what begins something is refused; reads go on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from cognito_session.core.errors import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection

__all__ = ["KEPT_BYTES", "Log"]

KEPT_BYTES: Final = 4 * 1024 * 1024  # SQLite's own checkpoint is at 1,000 pages, which are as many bytes
_LIMIT_BYTES: Final = 64 * 1024 * 1024
_EVERY_SECONDS: Final = 1.0  # an attempt beside a reader holds up the writers for the busy timeout


class Log:
    """The log of the database at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_attempt = 0.0

    def check(self, connection: Connection, size: int, *, finishes: bool) -> None:
        """Before a write. Raises StoreUnavailable where the log is too long for one that begins something."""
        if size <= _LIMIT_BYTES or finishes or self.shorten(connection, size):
            return
        raise StoreUnavailable(
            f"SQLite: {self._path}-wal has {size // 1024 // 1024} MiB and cannot be shortened, because another program"
            " stays in a transaction: end it (`fuser` names the programs that have the file open)"
        )

    def shorten(self, connection: Connection, size: int) -> bool:
        """After a commit: write the log back and cut it, if it is long; whether that was done. Raises sqlite3.Error."""
        now = time.monotonic()
        if size <= 2 * KEPT_BYTES or now < self._next_attempt:
            return False
        self._next_attempt = now + _EVERY_SECONDS
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
