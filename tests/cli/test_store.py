"""`cognito-session store`: a copy of the SQLite file."""

from __future__ import annotations

import os
import stat

from cognito_session.core.protocol.conditions import Change, WriteKind
from cognito_session.core.protocol.record import SessionKey
from cognito_session.sqlite_store import SQLiteStore

KEY = SessionKey("user", "sign-in")


def test_backup_writes_a_closed_copy(command, tmp_path):
    """The copy has mode 0600 whatever the umask, holds every row in the file's own layout, and replaces no file."""
    for name, one_row in (("many.db", False), ("one.db", True)):
        store = SQLiteStore(tmp_path / name, one_row_per_user=one_row)
        store.write(Change(WriteKind.MOVE_IDLE_END, KEY, (), put={"n": 1}))
        before = os.umask(0)
        try:
            copy = tmp_path / f"copy of {name}"
            said = command("store", "backup", str(copy), env={"SESSION_STORE": f"sqlite:///{tmp_path / name}"})
        finally:
            os.umask(before)
        assert said.stdout == ""
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        copied = SQLiteStore(copy, one_row_per_user=one_row)
        assert copied.load(KEY) == store.load(KEY)
        copied.close()
        store.close()
        said = command("store", "backup", str(copy), env={"SESSION_STORE": f"sqlite:///{tmp_path / name}"}, status=1)
        assert "name a new file" in said.stderr


def test_backup_creates_no_store(command, tmp_path):
    """Without SESSION_STORE, or with one that names no file, it is refused, and no file is made."""
    for env, expected in (
        ({}, "SESSION_STORE is not set"),
        ({"SESSION_STORE": f"sqlite:///{tmp_path}/x.db"}, "there is no file"),
    ):
        said = command("store", "backup", str(tmp_path / "copy.db"), env=env, status=1)
        assert expected in said.stderr
    assert list(tmp_path.iterdir()) == []
