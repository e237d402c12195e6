"""Rows: the table `sessions`, each row with its checksum, each missing row proven by the directory.

The keys are columns and everything else is text. Every method but `found` works inside the caller's transaction.
Raises Damage where a row is not what was written, and where the two tables disagree about which rows exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cognito_session.sqlite.checksum import Damage, checksum
from cognito_session.sqlite.directory import Directory
from cognito_session.sqlite.row import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from sqlite3 import Connection

    from cognito_session.core.protocol.record import Row

__all__ = ["Rows"]

_INTEGERS: Final = range(-(2**63), 2**63)


class Rows:
    """The rows of the file with this id; a place is (sub, sid)."""

    def __init__(self, file_id: bytes) -> None:
        self._id = file_id
        self._directory = Directory(file_id)

    def found(self, connection: Connection, sub: str, sid: str) -> Row | None:
        """The row's attributes without its keys; None where the directory confirms that there is no such row."""
        query = "SELECT attributes, checksum FROM sessions WHERE sub = ? AND sid = ?"
        found = connection.execute(query, (sub, sid)).fetchone()
        if found is not None:
            return self._opened(sub, sid, *found)
        if not connection.in_transaction:  # a row created between the two reads is no damage: read both at one instant
            connection.execute("BEGIN")
            row = self.found(connection, sub, sid)
            connection.execute("COMMIT")
            return row
        if self._directory.lists(connection, sub, sid):
            raise Damage("a session row is missing that the directory lists")
        return None

    def of(self, connection: Connection, sub: str) -> list[tuple[str, Row]]:
        """All rows of the user as (sid, attributes), in order of sid."""
        query = "SELECT sid, attributes, checksum FROM sessions WHERE sub = ? ORDER BY sid"
        rows = []
        for sid, text, check in connection.execute(query, (sub,)).fetchall():
            name = _text(sid)
            rows.append((name, self._opened(sub, name, text, check)))
        if not self._directory.agrees(connection, sub, (sid for sid, _ in rows)):
            raise Damage("the rows of a user are not those that the directory lists")
        return rows

    def put(self, connection: Connection, place: tuple[str, str], row: Mapping[str, Any], *, new: bool) -> None:
        """Write the row; `new`: there was none. Raises TypeError for a value that rows do not have."""
        sub, sid = place
        text = to_text(row)
        connection.execute(
            "INSERT OR REPLACE INTO sessions (sub, sid, attributes, ttl, checksum) VALUES (?, ?, ?, ?, ?)",
            (sub, sid, text, _instant(row.get("ttl")), self.checksum(sub, sid, text.encode())),
        )
        if new:
            self._directory.add(connection, place)

    def purge(self, connection: Connection, now: float, most: int) -> int:
        """Remove at most so many rows whose `ttl` is before `now`; how many.

        What the index of the column says is not believed: a row goes by its own attributes.
        """
        query = "SELECT sub, sid FROM sessions WHERE ttl < ? LIMIT ?"
        past = [(_text(sub), _text(sid)) for sub, sid in connection.execute(query, (now, most)).fetchall()]
        for place in past:
            ttl = _instant((self.found(connection, *place) or {}).get("ttl"))
            if ttl is None or ttl >= now:
                raise Damage("the index of ttl names a row that is not past it")
        connection.executemany("DELETE FROM sessions WHERE sub = ? AND sid = ?", past)
        self._directory.remove(connection, *past)
        return len(past)

    def checksum(self, sub: str, sid: str, text: bytes) -> bytes:
        """What the column `checksum` holds for this row."""
        return checksum(self._id, b"row", sub.encode(), sid.encode(), text)

    def _opened(self, sub: str, sid: str, text: Any, check: Any) -> Row:
        if not isinstance(text, bytes) or check != self.checksum(sub, sid, text):
            raise Damage("a session row does not match its checksum")
        return from_text(text.decode("utf-8", "replace"))


def _text(found: Any) -> str:
    """A key as read. One that is damaged is no text any more."""
    try:
        return str(found, "utf-8")
    except (TypeError, UnicodeDecodeError):
        raise Damage("a session row has a damaged key") from None


def _instant(ttl: Any) -> int | None:
    """What the column takes; a stranger's ttl of another kind never makes a row go."""
    return ttl if type(ttl) is int and ttl in _INTEGERS else None
