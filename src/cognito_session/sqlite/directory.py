"""The directory: which rows exist. It proves that a row is missing where the b-tree of the rows does not find it.

A b-tree with a damaged page can miss a row without an error, and a missed row signs its user out. The directory is a second
table with a fixed number of buckets, all written when the file is created, each with a checksum. A user belongs to one
bucket, which lists that user's rows. Only a creation and a removal of a row write it, and only a miss reads it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cognito_session.sqlite.checksum import Damage, checksum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from sqlite3 import Connection

__all__ = ["Directory"]

_BUCKETS: Final = 1024
_HALF: Final = 8
_ENTRY: Final = 2 * _HALF  # 8 bytes for the user, 8 for the row


class Directory:
    """The directory of the file with this id. Every method works inside the caller's transaction."""

    def __init__(self, file_id: bytes) -> None:
        self._id = file_id

    def create(self, connection: Connection) -> None:
        """Write all buckets, empty."""
        connection.executemany(
            "INSERT INTO directory (bucket, entries, checksum) VALUES (?, ?, ?)",
            ((bucket, b"", self._checksum(bucket, b"")) for bucket in range(_BUCKETS)),
        )

    def lists(self, connection: Connection, sub: str, sid: str) -> bool:
        """Whether the row exists. Raises Damage."""
        return _entry(sub, sid) in set(_split(self._entries(connection, _bucket(sub))))

    def agrees(self, connection: Connection, sub: str, sids: Iterable[str]) -> bool:
        """Whether the user has exactly these rows. Raises Damage."""
        user = _user(sub)
        listed = {entry for entry in _split(self._entries(connection, _bucket(sub))) if entry.startswith(user)}
        return listed == {_entry(sub, sid) for sid in sids}

    def add(self, connection: Connection, *rows: tuple[str, str]) -> None:
        """List rows, each (sub, sid). Raises Damage."""
        self._change(connection, rows, keep=True)

    def remove(self, connection: Connection, *rows: tuple[str, str]) -> None:
        """List them no longer. Raises Damage."""
        self._change(connection, rows, keep=False)

    def _change(self, connection: Connection, rows: Iterable[tuple[str, str]], *, keep: bool) -> None:
        by_bucket: dict[int, set[bytes]] = {}
        for sub, sid in rows:
            by_bucket.setdefault(_bucket(sub), set()).add(_entry(sub, sid))
        for bucket, changed in by_bucket.items():
            before = set(_split(self._entries(connection, bucket)))
            entries = b"".join(sorted(before | changed if keep else before - changed))
            connection.execute(
                "UPDATE directory SET entries = ?, checksum = ? WHERE bucket = ?",
                (entries, self._checksum(bucket, entries), bucket),
            )

    def _entries(self, connection: Connection, bucket: int) -> bytes:
        found = connection.execute("SELECT entries, checksum FROM directory WHERE bucket = ?", (bucket,)).fetchone()
        if found is None or not isinstance(found[0], bytes) or found[1] != self._checksum(bucket, found[0]):
            raise Damage("the directory of the rows does not match its checksum")
        entries: bytes = found[0]
        return entries

    def _checksum(self, bucket: int, entries: bytes) -> bytes:
        return checksum(self._id, b"bucket", bucket.to_bytes(8, "big"), entries)


def _user(sub: str) -> bytes:
    return sha256(sub.encode()).digest()[:_HALF]


def _bucket(sub: str) -> int:
    return int.from_bytes(_user(sub), "big") % _BUCKETS


def _entry(sub: str, sid: str) -> bytes:
    return _user(sub) + checksum(sub.encode(), sid.encode())[:_HALF]


def _split(entries: bytes) -> Iterator[bytes]:
    return (entries[start : start + _ENTRY] for start in range(0, len(entries), _ENTRY))
