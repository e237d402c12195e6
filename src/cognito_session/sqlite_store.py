"""SQLiteStore: session rows in one SQLite file, for an application on one machine.

Rule: every write is one transaction that reads the row under the file's write lock and lets the core decide what may
change and how. The file holds refresh tokens; it is made with mode 0600. It needs a local disk: WAL does not work over a
network (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.change import Written
from cognito_session.core.errors import ConfigurationError
from cognito_session.sqlite.file import SQLiteFile
from cognito_session.sqlite.row import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection

    from cognito_session.core.change import Change
    from cognito_session.core.record import Row, SessionKey

__all__ = ["SQLiteStore"]

_SCHEME: Final = "sqlite:///"
_URL_FORM: Final = "expected sqlite:///folder/file (relative) or sqlite:////folder/file (absolute)"
_PURGE_ROWS: Final = 500
_INTEGERS: Final = range(-(2**63), 2**63)


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
        path = url.removeprefix(_SCHEME)
        if path == url or not path.strip("/") or path.endswith("/") or set("?#") & set(path):
            raise ConfigurationError(f"SESSION_STORE: {_URL_FORM}, without query")
        return cls(path, one_row_per_user=one_row_per_user)

    def __repr__(self) -> str:
        return f"SQLiteStore({str(self._path)!r}, one_row_per_user={self.one_row_per_user})"

    def load(self, key: SessionKey) -> Row | None:
        """The row as last committed, or None. Raises StoreUnavailable."""
        return self._file.read(lambda connection: self._found(connection, key))

    def write(self, change: Change) -> Written:
        """Apply the change if its conditions hold. Raises StoreUnavailable."""

        def decide(connection: Connection) -> Written:
            found = self._found(connection, change.key)
            applied = change.allowed_on(found)
            if applied:
                self._apply(connection, change, found)
            return Written(applied, found)

        return self._file.write(decide)

    def write_all(self, changes: Sequence[Change]) -> bool:
        """Apply all changes, each to another row, if the conditions of all hold. Raises StoreUnavailable."""

        def decide(connection: Connection) -> bool:
            rows = [(change, self._found(connection, change.key)) for change in changes]
            if not all(change.allowed_on(found) for change, found in rows):
                return False
            for change, found in rows:
                self._apply(connection, change, found)
            return True

        return self._file.write(decide)

    def rows_of(self, sub: str) -> list[Row]:
        """All rows of the user, in order of session id. Raises StoreUnavailable."""
        query = "SELECT sid, attributes FROM sessions WHERE sub = ? ORDER BY sid"
        found = self._file.read(lambda connection: connection.execute(query, (sub,)).fetchall())
        return [from_text(text) | self._keys(sub, sid) for sid, text in found]

    def purge(self, now: float) -> int:
        """Remove the rows whose `ttl` is before `now` (epoch seconds); how many. Nothing relies on its being called."""
        statement = "DELETE FROM sessions WHERE (sub, sid) IN (SELECT sub, sid FROM sessions WHERE ttl < ? LIMIT ?)"
        removed = 0
        while True:  # in small steps, between which sessions are served
            step = self._file.write(lambda connection: connection.execute(statement, (now, _PURGE_ROWS)).rowcount)
            removed += step
            if step < _PURGE_ROWS:
                return removed

    def close(self) -> None:
        """Close the connections that are not in use. A later call opens the file again."""
        self._file.close()

    # --- rows; the keys are columns, everything else is text

    def _found(self, connection: Connection, key: SessionKey) -> Row | None:
        query = "SELECT attributes FROM sessions WHERE sub = ? AND sid = ?"
        found = connection.execute(query, self._place(key)).fetchone()
        return None if found is None else from_text(found[0]) | self._keys(*key)

    def _apply(self, connection: Connection, change: Change, found: Row | None) -> None:
        if change.only_checks:
            return
        keys = self._keys(*change.key)
        row = {name: value for name, value in change.applied_to(found).items() if name not in keys}
        statement = "INSERT OR REPLACE INTO sessions (sub, sid, attributes, ttl) VALUES (?, ?, ?, ?)"
        connection.execute(statement, (*self._place(change.key), to_text(row), _instant(row.get("ttl"))))

    def _keys(self, sub: str, sid: str) -> Row:
        return {"sub": sub} if self.one_row_per_user else {"sub": sub, "sid": sid}

    def _place(self, key: SessionKey) -> tuple[str, str]:
        return (key.sub, "" if self.one_row_per_user else key.sid)


def _instant(ttl: Any) -> int | None:
    """What the column takes; a stranger's ttl of another kind never makes a row go."""
    return ttl if type(ttl) is int and ttl in _INTEGERS else None


def _absolute(path: str) -> Path:
    if path in ("", ":memory:") or "\0" in path:
        raise ConfigurationError("SQLiteStore: expected the path of a file (in memory, use the MemoryStore of the tests)")
    return Path(path).absolute()
