"""Presence: whether the files that are open are the files that the path names.

SQLite goes on reading and writing a file that was deleted, renamed or replaced, and says nothing
(https://www.sqlite.org/howtocorrupt.html 2.4): the users' sessions would be lost with the next restart. The operating system
knows a file by its device and inode, so three calls of stat before each operation, and after each commit, find out.

Rule: what this process opened first is what it uses for ever. The log (-wal) and its index (-shm) live as long as a
connection is open, so they must stay the same only for that long.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cognito_session.core.errors import StoreUnavailable

__all__ = ["Presence", "beside"]

_WAL_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")  # https://www.sqlite.org/fileformat2.html#walformat

Mark = tuple[int, int]


class Presence:
    """Of the database at `path`. Raises StoreUnavailable that names the file wherever something is not as it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = beside(path, "-wal")
        self._index = beside(path, "-shm")
        self._database: Mark | None = None
        self._beside: tuple[Mark, Mark] = ((0, 0), (0, 0))
        self._index_bytes = 0
        self._bytes = self._most_bytes = 0
        self._lost: str | None = None

    def before_opening(self, *, alone: bool) -> None:
        """A connection is about to be opened; `alone`: the process has no other one."""
        if self._database is None:
            return
        if alone:
            self._check_database(self._stat(self.path))
        else:
            self.check()

    def opened(self, *, alone: bool) -> None:
        """A connection has been opened and has read: what is there now is what it uses."""
        files = database, log, index = [self._stat(path) for path in (self.path, self._log, self._index)]
        if self._database is None:
            self._database = _mark(database)
        if alone:
            self._beside = (_mark(log), _mark(index))
            self._index_bytes = index.st_size
        self._compare(*files)

    def check(self) -> int:
        """Before an operation on an open connection, and after a commit. The size of the log in bytes."""
        files = database, log, _ = [self._stat(path) for path in (self.path, self._log, self._index)]
        self._compare(*files)
        self._bytes = database.st_size
        self._most_bytes = max(self._most_bytes, self._bytes)
        return log.st_size

    @property
    def shrunk(self) -> bool:
        """Whether the database was shorter at the last check than before."""
        return self._bytes < self._most_bytes

    def accept_size(self) -> None:
        """The database is shorter for a good reason."""
        self._most_bytes = self._bytes

    def check_log(self) -> None:
        """After a commit: a log that was cut off begins with zeros once it is written to again."""
        with self._log.open("rb", buffering=0) as file:  # SQLite locks the index, never the log, so closing it is safe
            begin = file.read(4)
        if begin and begin not in _WAL_MAGIC:
            raise self._trouble(self._log, "was truncated while it was in use")

    def close(self) -> None:
        """The connections are about to be closed. If the log is another one by now, no connection is opened again."""
        try:
            self._check_database(self._stat(self.path))
        except StoreUnavailable:
            return  # it may come back, and SQLite tidies up nothing beside a database that was moved
        try:
            self.check()
        except StoreUnavailable as error:
            self._lost = str(error)

    def _compare(self, database: os.stat_result, log: os.stat_result, index: os.stat_result) -> None:
        self._check_database(database)
        for path, found, expected in ((self._log, log, self._beside[0]), (self._index, index, self._beside[1])):
            if _mark(found) != expected:
                raise self._trouble(path, "was replaced while it was in use")
        if index.st_size < self._index_bytes:  # it is mapped into memory: SQLite would die of a bus error
            raise self._trouble(self._index, "was truncated while it was in use")

    def _check_database(self, found: os.stat_result) -> None:
        if self._lost is not None:
            raise StoreUnavailable(self._lost)
        if _mark(found) != self._database:
            raise self._trouble(self.path, "is another file than the one that was opened")

    def _stat(self, path: Path) -> os.stat_result:
        try:
            return path.stat()
        except FileNotFoundError:
            raise self._trouble(path, "is gone") from None
        except OSError as error:
            raise self._trouble(path, f"cannot be looked at ({error.strerror})") from None

    def _trouble(self, path: Path, what: str) -> StoreUnavailable:
        return StoreUnavailable(
            f"SQLite: {path} {what}. Put it back, or stop every worker, restore a copy and start them again"
        )


def beside(path: Path, suffix: str) -> Path:
    """The file that SQLite puts beside a database: beside the file itself, not beside a link to it."""
    return Path(os.path.realpath(path) + suffix)  # Path.resolve() raises for a link to itself


def _mark(found: os.stat_result) -> Mark:
    return found.st_dev, found.st_ino
