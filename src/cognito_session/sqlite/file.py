"""SQLiteFile: the database file under SQLiteStore; its connections, its schema and what its errors mean.

Rules. A connection is used by one thread at a time and only by the process that opened it; gate.py keeps forks away from
open ones. Every wait is bounded, and no error of SQLite reaches a caller. It knows nothing of sessions but the schema.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import finalize

from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.sqlite.gate import gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from sqlite3 import Connection, Error

__all__ = ["SQLiteFile"]

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 5.0
_BUSY_SECONDS: Final = 0.05  # short, because SQLite's own waiting grows to 100 ms a step and starves who waits long
_PAUSE_SECONDS: Final = 0.01
_SCHEMA_VERSION: Final = 1
_APPLICATION_IDS: Final = {False: 0x436F6753, True: 0x436F6755}  # by one_row_per_user: "CogS", "CogU"
_SCHEMA: Final = (
    """CREATE TABLE sessions (sub TEXT NOT NULL, sid TEXT NOT NULL, attributes TEXT NOT NULL, ttl INTEGER,
       PRIMARY KEY (sub, sid)) WITHOUT ROWID""",
    "CREATE INDEX sessions_ttl ON sessions (ttl) WHERE ttl IS NOT NULL",
)
_SETTINGS: Final = (
    # WAL with NORMAL survives a crash of the process, not a power cut. After one, a rotated refresh token whose commit
    # was acknowledged would be gone and the old one look stolen, so every commit is synchronised: two per refresh.
    "PRAGMA synchronous = FULL",
    # A logout takes its tokens out of the file as well, not only out of the row.
    "PRAGMA secure_delete = ON",
)
# https://www.sqlite.org/rescode.html
_BUSY: Final = frozenset({5, 6, 15})  # SQLITE_BUSY, _LOCKED, _PROTOCOL: somebody else is at work
_SET_UP_WRONG: Final = frozenset({3, 8, 14, 23})  # SQLITE_PERM, _READONLY, _CANTOPEN, _AUTH
_NO_DATABASE: Final = 26


class SQLiteFile:
    """The file at `path`, made with mode 0600 where it is missing, with the table `sessions` in it.

    Raises ConfigurationError where it cannot be one.
    """

    def __init__(self, path: Path, *, one_row_per_user: bool) -> None:
        self._path = path
        self._application_id = _APPLICATION_IDS[one_row_per_user]
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._pid = os.getpid()
        self._inherited = False
        gate.guarded.add(self)
        finalize(self, _close, self._idle, self._open)
        self._prove()

    def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` finds. It may be run again where somebody else was at work. Raises StoreUnavailable."""
        import sqlite3

        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with gate, self._borrowed() as connection:
                    return work(connection)
            except sqlite3.Error as error:
                if not (_code(error) in _BUSY and time.monotonic() < deadline):
                    raise self._unavailable(error) from error
            except OSError as error:
                raise StoreUnavailable(f"SQLite: the file {self._path} cannot be made") from error
            time.sleep(_PAUSE_SECONDS)

    def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, once its changes are committed; all of them or none. Raises StoreUnavailable."""

        def transaction(connection: Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            found = work(connection)
            connection.execute("COMMIT")
            return found

        return self.read(transaction)

    def close(self) -> None:
        """Close the connections that nobody uses; the next call opens another."""
        _close(self._idle, self._open)

    # --- connections

    @contextmanager
    def _borrowed(self) -> Iterator[Connection]:
        """A connection for this thread alone; after trouble it is closed, which rolls back."""
        self.notice_fork()
        if self._inherited:
            raise StoreUnavailable(
                "SQLite: this process was forked while a connection was in use, so it cannot use the file safely; restart it"
            )
        connection = self._idle_connection() or self._connect()
        try:
            yield connection
        except BaseException as error:
            if _code(error) in _BUSY and not connection.in_transaction:
                self._idle.append(connection)  # nothing has begun
            else:
                self._open.discard(connection)
                connection.close()
            raise
        self._idle.append(connection)

    def _idle_connection(self) -> Connection | None:
        with suppress(IndexError):  # another thread may be quicker
            return self._idle.pop()
        return None

    def notice_fork(self) -> None:
        """In a child, leave what it inherited alone for ever. There is nothing, unless the fork bypassed Python."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        if self._open:
            from cognito_session.aws.fork import leak

            self._inherited = True
            leak(list(self._open))
            self._open.clear()
            self._idle.clear()

    def _connect(self) -> Connection:
        import sqlite3

        with suppress(FileExistsError):  # never opened otherwise: closing a file drops this process's locks on it
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._open.add(connection)
        return connection

    # --- schema

    def _prepare(self, connection: Connection) -> None:
        """Settings of a connection; the table where there is none yet."""
        if self._is_new(connection):
            if _asked(connection, "PRAGMA journal_mode = WAL") != "wal":
                raise ConfigurationError(
                    f"SQLite: the file system of {self._path} has no shared memory for WAL: use a local disk of one machine"
                )
            connection.execute("BEGIN IMMEDIATE")
            if self._is_new(connection):  # another process may be quicker
                self._create(connection)
            connection.execute("COMMIT")
        for setting in _SETTINGS:
            connection.execute(setting)

    def _create(self, connection: Connection) -> None:
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self._application_id}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _is_new(self, connection: Connection) -> bool:
        """Whether the file is still empty. Raises ConfigurationError for one that is not ours."""
        tables = _asked(connection, "SELECT count(*) FROM sqlite_master")  # first: another process may be creating ours
        found = _asked(connection, "PRAGMA application_id")
        if found == self._application_id:
            version = _asked(connection, "PRAGMA user_version")
            if version != _SCHEMA_VERSION:
                raise ConfigurationError(
                    f"SQLite: {self._path} has schema version {version}, this release knows {_SCHEMA_VERSION}:"
                    " upgrade cognito-session, or name another file"
                )
            return False
        if found in _APPLICATION_IDS.values():
            raise ConfigurationError(
                f"SQLite: {self._path} was made with the other value of one_row_per_user: keep it, or name another file"
            )
        if found or tables:
            raise ConfigurationError(f"SQLite: {self._path} is another program's database: name a file of its own")
        return True

    # --- errors

    def _prove(self) -> None:
        """Write what is there already, and leave no connection behind: a server may fork soon."""
        import sqlite3

        if not self._path.parent.is_dir():
            raise ConfigurationError(f"SQLite: there is no folder {self._path.parent}: make it, writable for this process")
        try:
            self.write(lambda connection: connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}"))
        except StoreUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, OSError) or (isinstance(cause, sqlite3.Error) and _code(cause) in _SET_UP_WRONG):
                raise ConfigurationError(
                    f"SQLite: {self._path} cannot be opened for writing: check the file and its folder"
                ) from cause
            raise
        finally:
            self.close()

    def _unavailable(self, error: Error) -> ConfigurationError | StoreUnavailable:
        if _code(error) == _NO_DATABASE:
            return ConfigurationError(f"SQLite: {self._path} is no SQLite database: name another file")
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        return StoreUnavailable(f"SQLite: {self._path}: {error} ({name})")


def _close(idle: list[Connection], opened: set[Connection]) -> None:
    while idle:
        with suppress(Exception):  # another thread may be quicker; what cannot be closed is not used again either
            connection = idle.pop()
            opened.discard(connection)
            connection.close()


def _asked(connection: Connection, statement: str) -> Any:
    return connection.execute(statement).fetchone()[0]


def _code(error: BaseException) -> int:
    """SQLite's primary result code: the low eight bits; 0 for another's error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
