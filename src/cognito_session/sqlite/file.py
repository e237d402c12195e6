"""SQLiteFile: the database file under SQLiteStore; its connections, and what its errors mean.

Rules. A connection is used by one thread at a time and only by the process that opened it; gate.py keeps forks away from
open ones. Every operation first finds out whether the file is still the one that was opened (presence.py) and has the schema
of this release. Every wait is bounded, and no error of SQLite reaches a caller.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import finalize

from cognito_session.core.errors import ConfigurationError, StoreUnavailable
from cognito_session.sqlite.checksum import Damage
from cognito_session.sqlite.gate import gate
from cognito_session.sqlite.log import Log
from cognito_session.sqlite.marker import Marker
from cognito_session.sqlite.ownership import check_mode, check_ownership
from cognito_session.sqlite.presence import Presence
from cognito_session.sqlite.rows import Rows
from cognito_session.sqlite.schema import SCHEMA_VERSION, Schema, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from sqlite3 import Connection, Error

__all__ = ["SQLiteFile"]

T = TypeVar("T")

_PATIENCE_SECONDS: Final = 5.0
_BUSY_SECONDS: Final = 0.05  # short, because SQLite's own waiting grows to 100 ms a step and starves who waits long
_PAUSE_SECONDS: Final = 0.01
# https://www.sqlite.org/rescode.html
_BUSY: Final = frozenset({5, 6, 15})  # SQLITE_BUSY, _LOCKED, _PROTOCOL: another connection is at work
_SET_UP_WRONG: Final = frozenset({3, 8, 14, 23})  # SQLITE_PERM, _READONLY, _CANTOPEN, _AUTH
_NO_DATABASE: Final = 26


class SQLiteFile:
    """The file at `path`, created with mode 0600 where it is missing, with the schema of this release.

    The constructor creates and migrates, and nothing else does: whatever becomes of the file later is a StoreUnavailable
    that names it. Raises ConfigurationError where the file cannot be used.
    """

    def __init__(self, path: Path, *, one_row_per_user: bool) -> None:
        self._path = path
        self._schema = Schema(path, one_row_per_user=one_row_per_user)
        self._marker = Marker(path)
        self._presence = Presence(path)
        self._log = Log(path)
        self._file_id = b""
        self._proven = False
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._opening = Lock()
        self._pid = os.getpid()
        self._inherited = False
        gate.guarded.add(self)
        finalize(self, _close, self._idle, self._open, self._presence)
        self._prove()

    def read(self, work: Callable[[Connection, Rows], T]) -> T:
        """What `work` finds. It runs again if another connection was at work. Raises StoreUnavailable."""

        def checked(connection: Connection) -> T:
            self._check(connection)
            return work(connection, self._rows)

        return self._patiently(checked)

    def write(self, work: Callable[[Connection, Rows], T], *, finishes: bool = False) -> T:
        """What `work` returns, once its changes are committed; all of them or none. Raises StoreUnavailable.

        `finishes`: the write finishes what was begun, so it is taken although the log is too long; see log.py.
        """

        def transaction(connection: Connection) -> T:
            self._log.check(connection, self._presence.check(), finishes=finishes)
            connection.execute("BEGIN IMMEDIATE")
            self._check(connection)
            found = work(connection, self._rows)
            connection.execute("COMMIT")
            size = self._presence.check()  # a commit into a file that was removed meanwhile is not acknowledged
            self._presence.check_log()
            self._log.shorten(connection, size)
            return found

        return self._patiently(transaction)

    def close(self) -> None:
        """Close the idle connections; the next call opens another."""
        _close(self._idle, self._open, self._presence)

    # --- an operation

    def _patiently(self, work: Callable[[Connection], T]) -> T:
        import sqlite3

        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with gate, self._borrowed() as connection:
                    return work(connection)
            except sqlite3.Error as error:
                if not (_code(error) in _BUSY and time.monotonic() < deadline):
                    raise self._unavailable(error) from error
            except Damage as error:
                text = f"SQLite: {self._path} is damaged: {error}. Restore a copy"
                raise StoreUnavailable(text, reason="unreadable_record") from None
            except MemoryError:  # what SQLite says to a length that is damaged
                raise StoreUnavailable(f"SQLite: {self._path} is damaged, or no memory is left") from None
            except OSError as error:
                raise StoreUnavailable(f"SQLite: the file {self._path} cannot be opened ({error.strerror})") from error
            time.sleep(_PAUSE_SECONDS)

    def _check(self, connection: Connection) -> None:
        """The files are those that were opened, and no newer release has changed their schema."""
        self._presence.check()
        if self._presence.shrunk:
            self._look_into()
        version = asked(connection, "PRAGMA user_version")
        if version != SCHEMA_VERSION and self._proven:
            known = f"this release knows {SCHEMA_VERSION}: upgrade cognito-session in every worker"
            raise StoreUnavailable(f"SQLite: {self._path} has schema version {version} now, {known}")

    def _look_into(self) -> None:
        """The database has become shorter, by VACUUM or by damage. A new connection has cached no page and can tell."""
        connection = self._connect()
        try:
            found = asked(connection, "PRAGMA quick_check(1)")
        finally:
            self._open.discard(connection)
            connection.close()
        if found != b"ok":
            raise StoreUnavailable(f"SQLite: {self._path} was truncated while it was in use. Restore a copy")
        self._presence.accept_size()

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
            self._after(error, connection)
            raise
        self._idle.append(connection)

    def _after(self, error: BaseException, connection: Connection) -> None:
        """Put the connection back where it is as it was; else close it, which drops what it has cached."""
        if isinstance(error, StoreUnavailable):  # the next one must meet the same files, so this one stays open
            with suppress(Exception):
                connection.rollback()
            self._idle.append(connection)
        elif _code(error) in _BUSY and not connection.in_transaction:
            self._idle.append(connection)  # nothing has begun
        else:
            self._open.discard(connection)
            connection.close()

    def _idle_connection(self) -> Connection | None:
        with suppress(IndexError):  # another thread may be quicker
            return self._idle.pop()
        return None

    def notice_fork(self) -> None:
        """In a child, leave what it inherited alone for ever. There is nothing, unless the fork bypassed Python."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._opening = Lock()
        if self._open:
            from cognito_session.fork import leak

            self._inherited = True
            leak(list(self._open))
            self._open.clear()
            self._idle.clear()

    def _connect(self) -> Connection:
        import sqlite3

        with self._opening:
            alone = not self._open
            self._presence.before_opening(alone=alone)
            if not self._proven:
                self._make()
            # `rw` never creates a file: not even one that was removed a moment ago.
            address = f"{self._path.as_uri()}?mode=rw"
            options: Any = {"uri": True, "isolation_level": None, "check_same_thread": False}
            connection: Connection = sqlite3.connect(address, timeout=_BUSY_SECONDS, **options)
            try:
                self._prepare(connection)
                self._presence.opened(alone=alone)
            except BaseException:
                connection.close()
                raise
            self._open.add(connection)
            return connection

    def _make(self) -> None:
        """Create the file where there is none, and never open it otherwise: closing it drops this process's locks on it."""
        if self._marker.database_is_empty:
            self._marker.allow_creation()
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))

    def _prepare(self, connection: Connection) -> None:
        """Settings of a connection, and the schema where the constructor asks for it."""
        connection.text_factory = bytes  # a damaged text is found by its checksum, before anything decodes it
        if self._proven:
            self._recognise(connection)
            self._schema.settle(connection)
            return
        version = self._schema.version(connection)
        check_mode(self._path)
        self._schema.settle(connection)
        if version != SCHEMA_VERSION:
            self._install(connection)
        self._file_id = self._schema.file_id(connection)
        self._marker.keep(self._file_id)
        self._rows = Rows(self._file_id)

    def _recognise(self, connection: Connection) -> None:
        """It is the database that the constructor found; before anything is written, settings included."""
        try:
            version = self._schema.version(connection)
        except ConfigurationError as error:
            raise StoreUnavailable(str(error)) from None
        if version != SCHEMA_VERSION:
            raise StoreUnavailable(f"SQLite: {self._path} has schema version {version} now (0: it is empty). Restore a copy")
        if self._schema.file_id(connection) != self._file_id:
            raise StoreUnavailable(f"SQLite: {self._path} is another database than the one that was opened")

    def _install(self, connection: Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        version = self._schema.version(connection)  # another process may have been quicker
        if not version:
            self._marker.allow_creation()
            self._schema.create(connection)
        elif version < SCHEMA_VERSION:
            self._schema.migrate(connection)
        connection.execute("COMMIT")

    # --- errors

    def _prove(self) -> None:
        """Write what is there already, and leave no connection behind: a server may fork soon."""
        import sqlite3

        if not self._path.parent.is_dir():
            raise ConfigurationError(f"SQLite: there is no folder {self._path.parent}: make it, writable for this process")
        check_ownership(self._path)
        try:
            self.write(lambda connection, _: connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}"))
            self._proven = True
        except StoreUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, OSError) or (isinstance(cause, sqlite3.Error) and _code(cause) in _SET_UP_WRONG):
                text = f"SQLite: {self._path} cannot be opened for writing: check the file and its folder"
                raise ConfigurationError(text) from cause
            raise
        finally:
            self.close()

    def _unavailable(self, error: Error) -> ConfigurationError | StoreUnavailable:
        if _code(error) == _NO_DATABASE and not self._proven:
            return ConfigurationError(f"SQLite: {self._path} is no SQLite database: name another file")
        return StoreUnavailable(f"SQLite: {self._path}: {error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})")


def _close(idle: list[Connection], opened: set[Connection], presence: Presence) -> None:
    if idle:
        presence.close()
    while idle:
        with suppress(Exception):  # another thread may be quicker; what cannot be closed is not used again either
            connection = idle.pop()
            opened.discard(connection)
            connection.close()


def _code(error: BaseException) -> int:
    """SQLite's primary result code: the low eight bits; 0 for another's error."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
