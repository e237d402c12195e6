"""Marker: the file `-created`, which says that a database was created here, and which one.

Without it a process that starts after the database was removed or emptied would create an empty one, and every user would be
signed out without an error. To begin with no sessions on purpose, an operator removes the marker as well.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from cognito_session.core.errors import ConfigurationError
from cognito_session.sqlite.presence import beside

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Marker"]


class Marker:
    """Beside the database at `path`."""

    def __init__(self, path: Path) -> None:
        self._database = path
        self._log = beside(path, "-wal")
        self._path = beside(path, "-created")

    @property
    def database_is_empty(self) -> bool:
        """Whether there is no database, or one of no bytes."""
        try:
            return not self._database.stat().st_size
        except OSError:
            return True

    def allow_creation(self) -> None:
        """Raises ConfigurationError where a database was here before and is missing, or empty."""
        left = self._path if self._path.exists() else self._log if self.database_is_empty and self._log.exists() else None
        if left is not None:
            raise ConfigurationError(
                f"SQLite: {self._database} is missing or empty and {left} is there, so sessions were stored here before."
                f" Restore a copy, or remove {left} to begin with no sessions"
            )

    def keep(self, file_id: bytes) -> None:
        """Write it where it is missing. Raises ConfigurationError where another database was created here."""
        try:
            found = self._path.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            self._write(file_id.hex())
            return
        if found != file_id.hex():
            raise ConfigurationError(
                f"SQLite: {self._database} is neither the database that was created here nor a copy of it. Restore it,"
                f" or remove {self._path} to use this one"
            )

    def _write(self, text: str) -> None:
        draft = self._path.with_name(f"{self._path.name}-{os.getpid()}")
        with suppress(FileNotFoundError):
            draft.unlink()
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(text)
        draft.replace(self._path)  # whole or not at all, whichever process is first
