"""The schema of the file: what it consists of, whether a file has it, and how an older file gets it.

Rules. A schema is created in an empty file and migrated from an older one, both only when a process opens the file for the
first time; a newer one is refused. `PRAGMA application_id` tells the two layouts apart, `user_version` the releases.
"""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING, Any, Final

from cognito_session.core.errors import ConfigurationError
from cognito_session.sqlite.checksum import CHECKSUM_BYTES, Damage
from cognito_session.sqlite.directory import Directory
from cognito_session.sqlite.log import KEPT_BYTES
from cognito_session.sqlite.rows import Rows

if TYPE_CHECKING:
    from pathlib import Path
    from sqlite3 import Connection

__all__ = ["SCHEMA_VERSION", "Schema", "asked"]

SCHEMA_VERSION: Final = 2
_FIRST: Final = 1  # without checksums and directory
_APPLICATION_IDS: Final = {False: 0x436F6753, True: 0x436F6755}  # by one_row_per_user: "CogS", "CogU"
_SCHEMA: Final = (
    "CREATE TABLE about (id BLOB NOT NULL)",
    # `checksum` may not be null, so a worker of an older release cannot write a row without one.
    """CREATE TABLE sessions (sub TEXT NOT NULL, sid TEXT NOT NULL, attributes TEXT NOT NULL, ttl INTEGER,
       checksum BLOB NOT NULL, PRIMARY KEY (sub, sid)) WITHOUT ROWID""",
    "CREATE INDEX sessions_ttl ON sessions (ttl) WHERE ttl IS NOT NULL",
    "CREATE TABLE directory (bucket INTEGER PRIMARY KEY, entries BLOB NOT NULL, checksum BLOB NOT NULL)",
)
_SETTINGS: Final = (
    # WAL with NORMAL survives a crash of the process, not a power cut. After one, a rotated refresh token whose commit
    # was acknowledged would be gone and the old one look stolen, so every commit is synchronised: two per refresh.
    "PRAGMA synchronous = FULL",
    # A logout takes its tokens out of the file as well, not only out of the row.
    "PRAGMA secure_delete = ON",
    # SQLite reports a page whose cells overlap or point outside it instead of reading on.
    "PRAGMA cell_size_check = ON",
    f"PRAGMA journal_size_limit = {KEPT_BYTES}",
)


class Schema:
    """Of the file at `path`, in the layout that `one_row_per_user` names."""

    def __init__(self, path: Path, *, one_row_per_user: bool) -> None:
        self._path = path
        self._application_id = _APPLICATION_IDS[one_row_per_user]

    def version(self, connection: Connection) -> int:
        """0 for an empty file. Raises ConfigurationError for a file that is not ours or newer than this release."""
        tables = asked(connection, "SELECT count(*) FROM sqlite_master")  # first: another process may be creating ours
        found = asked(connection, "PRAGMA application_id")
        if found == self._application_id:
            version: int = asked(connection, "PRAGMA user_version")
            if not _FIRST <= version <= SCHEMA_VERSION:
                raise ConfigurationError(
                    f"SQLite: {self._path} has schema version {version}, this release knows {SCHEMA_VERSION}:"
                    " upgrade cognito-session, or name another file"
                )
            return version
        if found in _APPLICATION_IDS.values():
            raise ConfigurationError(
                f"SQLite: {self._path} was made with the other value of one_row_per_user: keep it, or name another file"
            )
        if found or tables:
            raise ConfigurationError(f"SQLite: {self._path} is another program's database: name a file of its own")
        return 0

    def settle(self, connection: Connection) -> None:
        """Settings of a connection; WAL also in a copy that was put here. Raises ConfigurationError where WAL cannot be."""
        for setting in _SETTINGS:
            connection.execute(setting)
        if asked(connection, "PRAGMA journal_mode = WAL") != b"wal":
            raise ConfigurationError(
                f"SQLite: the file system of {self._path} has no shared memory for WAL: use a local disk of one machine"
            )

    def create(self, connection: Connection) -> None:
        """In an empty file, inside the caller's transaction."""
        for statement in _SCHEMA:
            connection.execute(statement)
        file_id = urandom(CHECKSUM_BYTES)
        connection.execute("INSERT INTO about (id) VALUES (?)", (file_id,))
        Directory(file_id).create(connection)
        connection.execute(f"PRAGMA application_id = {self._application_id}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def migrate(self, connection: Connection) -> None:
        """From the first version, inside the caller's transaction: every row is kept and gets its checksum."""
        connection.execute("DROP INDEX sessions_ttl")
        connection.execute("ALTER TABLE sessions RENAME TO sessions_before")
        self.create(connection)
        file_id = self.file_id(connection)
        rows, directory = Rows(file_id), Directory(file_id)
        places = []
        for *values, ttl in connection.execute("SELECT sub, sid, attributes, ttl FROM sessions_before"):
            try:
                sub, sid, text = (str(value, "utf-8") for value in values)
            except (TypeError, UnicodeDecodeError):
                raise Damage("a session row is damaged, so the file cannot be migrated: restore a copy") from None
            places.append((sub, sid))
            row = (sub, sid, text, ttl, rows.checksum(sub, sid, text.encode()))
            connection.execute("INSERT INTO sessions (sub, sid, attributes, ttl, checksum) VALUES (?, ?, ?, ?, ?)", row)
        directory.add(connection, *places)
        connection.execute("DROP TABLE sessions_before")

    def file_id(self, connection: Connection) -> bytes:
        """16 random bytes that were chosen when the file was created; its copies have the same. Raises Damage."""
        found = connection.execute("SELECT id FROM about").fetchall()
        if len(found) == 1 and isinstance(found[0][0], bytes) and len(found[0][0]) == CHECKSUM_BYTES:
            file_id: bytes = found[0][0]
            return file_id
        raise Damage("its id cannot be read")


def asked(connection: Connection, statement: str) -> Any:
    """The first value of the first row."""
    return connection.execute(statement).fetchone()[0]
