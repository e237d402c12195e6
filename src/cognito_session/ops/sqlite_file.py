"""open_existing(): opens an existing SQLite store for a command, in the layout that the file has."""

from __future__ import annotations

from cognito_session.core.errors import ConfigurationError
from cognito_session.sqlite_store import SQLiteStore

__all__ = ["open_existing"]


def open_existing(url: str) -> SQLiteStore:
    """Raises ConfigurationError if the address does not name a file of this library."""
    path = SQLiteStore.path_of(url)
    if not path.exists():
        raise ConfigurationError(f"SESSION_STORE: there is no file {path}")
    with path.open("rb") as file:  # https://www.sqlite.org/fileformat2.html: the application id is at 68
        one_row_per_user = file.read(72)[68:] == b"CogU"
    return SQLiteStore(path, one_row_per_user=one_row_per_user)
