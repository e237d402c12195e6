"""copy_to(): a consistent copy of a database that is in use, readable by its owner alone.

SQLite gives a copy the mode that the umask leaves, which is 0644 nearly everywhere, and the copy holds every session's
tokens. An empty file of mode 0600 that is there already keeps its mode.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from cognito_session.core.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from cognito_session.sqlite.file import SQLiteFile

__all__ = ["copy_to"]


def copy_to(file: SQLiteFile, path: Path) -> None:
    """Write the copy to a file that does not exist yet. Raises ConfigurationError and StoreUnavailable."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"SQLite: the copy {path} cannot be created ({error.strerror}): name a new file in a writable folder"
        ) from error
    try:
        file.read(lambda connection, _: connection.execute("VACUUM INTO ?", (str(path),)))
        with path.open("rb") as copy:
            os.fsync(copy.fileno())  # VACUUM INTO does not (https://www.sqlite.org/lang_vacuum.html)
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
