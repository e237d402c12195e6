"""Ownership: whether the database, and the files beside it, are this user's alone. They hold refresh tokens.

A file that others may read gives them every session. One that another user owns is that user's to read and to replace, and a
link can be led elsewhere by its owner. Links and owners are looked at before the file is opened or made, its
mode once it is known to be a database of ours.
"""

from __future__ import annotations

import os
from stat import S_IMODE
from typing import TYPE_CHECKING, Final

from cognito_session.core.errors import ConfigurationError
from cognito_session.sqlite.presence import beside

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_mode", "check_ownership"]

_OTHERS: Final = 0o077
_ROOT: Final = 0


def check_ownership(path: Path) -> None:
    """Before the file is opened. Raises ConfigurationError; Windows has neither owners nor modes in this sense."""
    if os.name != "posix":
        return
    if path.is_symlink():
        _check_link(path)
    for each in (path, beside(path, "-wal"), beside(path, "-shm")):
        found = _looked_at(each)
        if found is not None and found.st_uid != os.geteuid():
            raise ConfigurationError(
                f"SQLite: {each} belongs to another user (uid {found.st_uid}, this process has {os.geteuid()}): let it belong "
                "to the user that the application runs as, or run this as that user"
            )
        if each != path:
            check_mode(each)


def check_mode(path: Path) -> None:
    """Raises ConfigurationError for a file that is open to other users."""
    found = _looked_at(path)
    mode = 0 if found is None or os.name != "posix" else S_IMODE(found.st_mode)
    if mode & _OTHERS:
        raise ConfigurationError(
            f"SQLite: {path} is open to other users (mode {mode:04o}), and it holds refresh tokens: run chmod 600 on it; if "
            "others may have read it, sign out its users"
        )


def _check_link(path: Path) -> None:
    if _looked_at(path) is None:
        raise ConfigurationError(
            f"SQLite: {path} is a link to a file that does not exist: name the file itself, or remove the link"
        )
    owner = path.lstat().st_uid
    if owner not in (os.geteuid(), _ROOT):
        raise ConfigurationError(
            f"SQLite: {path} is a link that belongs to another user (uid {owner}), who can lead it elsewhere:"
            " name the file itself"
        )


def _looked_at(path: Path) -> os.stat_result | None:
    """None where there is no file, or where a folder on the way to it says no: opening it tells that."""
    try:
        return path.stat()
    except OSError:
        return None
