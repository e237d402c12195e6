"""SQLiteStore: session rows in one SQLite file, for an application on one machine.

Rule: every write is one transaction that reads the row under the file's write lock and lets the core decide what may
change and how. The file holds refresh tokens; it is made with mode 0600. It needs a local disk: WAL does not work over a
network (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol.conditions import WriteKind, Written
from cognito_session.sqlite.copy import copy_to
from cognito_session.sqlite.file import SQLiteFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

    from cognito_session.core.protocol.conditions import Change
    from cognito_session.core.protocol.record import Row, SessionKey
    from cognito_session.sqlite.rows import Rows

__all__ = ["SQLiteStore"]

_SCHEME: Final = "sqlite:///"
_URL_FORM: Final = "expected sqlite:///folder/file (relative) or sqlite:////folder/file (absolute)"
_PURGE_ROWS: Final = 500
# The writes that finish what was begun; they are taken even where the log is too long, see sqlite/log.py.
_FINISHING: Final = frozenset(
    {
        WriteKind.COMMIT,
        WriteKind.RELEASE,
        WriteKind.SUSPECT,
        WriteKind.VERDICT,
        WriteKind.REUSE,
        WriteKind.NOT_BEFORE,
        WriteKind.LOGOUT,
    }
)


class SQLiteStore:
    """A SessionStore in the file at `path`, which is made where it is missing; its folder must exist.

    Without `one_row_per_user` a user has a row for each session. Safe to share between threads; each process may open
    the same file, and forked ones may go on using the store. Raises ConfigurationError.
    """

    def __init__(self, path: str | os.PathLike[str], *, one_row_per_user: bool = False) -> None:
        self.one_row_per_user = one_row_per_user
        self._path = _absolute(os.fspath(path))
        self._file = SQLiteFile(self._path, one_row_per_user=one_row_per_user)

    @classmethod
    def from_url(cls, url: str, *, one_row_per_user: bool = False) -> SQLiteStore:
        """The store that SESSION_STORE names: sqlite:///relative/file or sqlite:////absolute/file, taken literally."""
        return cls(cls.path_of(url), one_row_per_user=one_row_per_user)

    @staticmethod
    def path_of(url: str) -> Path:
        """The absolute path of the file that an address names. Raises ConfigurationError."""
        path = url.removeprefix(_SCHEME)
        if path == url or not path.strip("/") or path.endswith("/") or set("?#") & set(path):
            raise ConfigurationError(f"SESSION_STORE: {_URL_FORM}, without query")
        return _absolute(path)

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._path)!r}, one_row_per_user={self.one_row_per_user})"

    def load(self, key: SessionKey) -> Row | None:
        """The row as last committed, or None where there provably is none. Raises StoreUnavailable."""
        return self._file.read(lambda connection, rows: self._found(connection, rows, key))

    def write(self, change: Change) -> Written:
        """Apply the change if its conditions hold. Raises StoreUnavailable."""

        def decide(connection: Connection, rows: Rows) -> Written:
            found = self._found(connection, rows, change.key)
            applied = change.allowed_on(found)
            if applied:
                self._apply(connection, rows, change, found)
            return Written(applied, found)

        return self._file.write(decide, finishes=change.kind in _FINISHING)

    def write_all(self, changes: Sequence[Change]) -> bool:
        """Apply all changes, each to another row, if the conditions of all hold. Raises StoreUnavailable."""

        def decide(connection: Connection, rows: Rows) -> bool:
            before = [(change, self._found(connection, rows, change.key)) for change in changes]
            if not all(change.allowed_on(found) for change, found in before):
                return False
            for change, found in before:
                self._apply(connection, rows, change, found)
            return True

        return self._file.write(decide, finishes=all(change.kind in _FINISHING for change in changes))

    def rows_of(self, sub: str) -> list[Row]:
        """All rows of the user, in order of session id. Raises StoreUnavailable."""
        found = self._file.read(lambda connection, rows: rows.of(connection, sub))
        return [row | self._keys(sub, sid) for sid, row in found]

    def attributes_of(self, sub: str, names: Sequence[str]) -> list[Row]:
        """The named attributes of the user's rows, beside the keys. Raises StoreUnavailable."""
        wanted = {"sub", "sid", *names}
        return [{name: value for name, value in row.items() if name in wanted} for row in self.rows_of(sub)]

    def purge(self, now: float) -> int:
        """Remove the rows whose `ttl` is before `now` (epoch seconds); how many. Nothing relies on its being called."""
        removed = 0
        while True:  # in small steps, between which sessions are served
            step = self._file.write(lambda connection, rows: rows.purge(connection, now, _PURGE_ROWS), finishes=True)
            removed += step
            if step < _PURGE_ROWS:
                return removed

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a consistent copy, with mode 0600, to a file that does not exist yet, while workers go on.

        Raises ConfigurationError where the file is there or cannot be written, StoreUnavailable where this one is in trouble.
        """
        copy_to(self._file, _absolute(os.fspath(path)))

    def close(self) -> None:
        """Close the connections that are not in use. A later call opens the file again."""
        self._file.close()

    # --- rows

    def _found(self, connection: Connection, rows: Rows, key: SessionKey) -> Row | None:
        found = rows.found(connection, *self._place(key))
        return None if found is None else found | self._keys(*key)

    def _apply(self, connection: Connection, rows: Rows, change: Change, found: Row | None) -> None:
        if change.only_checks:
            return
        keys = self._keys(*change.key)
        row = {name: value for name, value in change.applied_to(found).items() if name not in keys}
        rows.put(connection, self._place(change.key), row, new=found is None)

    def _keys(self, sub: str, sid: str) -> Row:
        return {"sub": sub} if self.one_row_per_user else {"sub": sub, "sid": sid}

    def _place(self, key: SessionKey) -> tuple[str, str]:
        return (key.sub, "" if self.one_row_per_user else key.sid)


def _absolute(path: str) -> Path:
    if path in ("", ":memory:") or "\0" in path:
        raise ConfigurationError("SQLiteStore: expected the path of a file (in memory, use the MemoryStore of the tests)")
    return Path(path).absolute()
