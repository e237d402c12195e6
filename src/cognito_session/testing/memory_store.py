"""MemoryStore: a SessionStore in a dictionary, for tests. It passes the same contract as the DynamoDB store."""

from __future__ import annotations

from copy import deepcopy
from threading import Lock
from typing import TYPE_CHECKING

from cognito_session.core.protocol.conditions import Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cognito_session.core.protocol.conditions import Change
    from cognito_session.core.protocol.record import Row, SessionKey

__all__ = ["MemoryStore"]


class MemoryStore:
    """Rows by key; `one_row_per_user` is the layout without a sort key."""

    def __init__(self, *, one_row_per_user: bool = False) -> None:
        self.one_row_per_user = one_row_per_user
        self.rows: dict[tuple[str, str], Row] = {}
        self._lock = Lock()

    def load(self, key: SessionKey) -> Row | None:
        """A copy of the row, or None."""
        with self._lock:
            row = self.rows.get(self._place(key))
            return deepcopy(row)

    def write(self, change: Change) -> Written:
        """Apply the change if its conditions hold."""
        with self._lock:
            row = self.rows.get(self._place(change.key))
            found = deepcopy(row)
            if not change.allowed_on(row):
                return Written(applied=False, found=found)
            if not change.only_checks:
                self._apply(change)
            return Written(applied=True, found=found)

    def write_all(self, changes: Sequence[Change]) -> bool:
        """Apply all changes if the conditions of all of them hold."""
        with self._lock:
            if not all(change.allowed_on(self.rows.get(self._place(change.key))) for change in changes):
                return False
            for change in changes:
                if not change.only_checks:
                    self._apply(change)
            return True

    def _apply(self, change: Change) -> None:
        place = self._place(change.key)
        keys = {"sub": change.key.sub} if self.one_row_per_user else {"sub": change.key.sub, "sid": change.key.sid}
        self.rows[place] = deepcopy(change.applied_to(self.rows.get(place))) | keys

    def rows_of(self, sub: str) -> list[Row]:
        """Copies of the user's rows."""
        with self._lock:
            return [deepcopy(row) for (owner, _), row in self.rows.items() if owner == sub]

    def attributes_of(self, sub: str, names: Sequence[str]) -> list[Row]:
        """The keys and the named attributes of the user's rows."""
        wanted = {"sub", "sid", *names}
        return [{name: value for name, value in row.items() if name in wanted} for row in self.rows_of(sub)]

    def _place(self, key: SessionKey) -> tuple[str, str]:
        return (key.sub, "" if self.one_row_per_user else key.sid)
