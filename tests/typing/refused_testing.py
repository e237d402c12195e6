"""Mistakes of users of the kit and of whoever writes a store: each marked line must be refused, and no other."""

from __future__ import annotations

from collections.abc import Sequence

from cognito_session import SessionManager, store, testing
from cognito_session.store import Change, Row, SessionKey, SessionStore, SQLiteStore, Written
from cognito_session.testing import Cognito, ManualClock, MemoryStore

print(testing.Cognitos)  # refused
print(store.Chang)  # refused


def test_handler(cognito: Cognito) -> None:
    """Forms, services and arguments that do not exist."""
    cognito.attach("sessions")  # refused
    cognito.event("http-v3")  # refused
    cognito.event("rest", group=["admin"])  # refused
    cognito.event("rest", site="foreign")  # refused
    cognito.fail("s3")  # refused
    cognito.fail("dynamodb", time=1)  # refused
    cognito.advance("3600")  # refused
    print(cognito.calls.read)  # refused
    print(cognito.session().email)  # refused
    cognito.interleave(1, 2)  # refused


class NoStore:
    """It cannot write."""

    one_row_per_user = False


class WrongResult:
    """Its `write` returns no `Written`."""

    one_row_per_user = False

    def load(self, key: SessionKey) -> Row | None:
        """The row."""
        print(key.sub, key.user)  # refused
        return None

    def write(self, change: Change) -> bool:
        """Whether it was applied, without the row that it found."""
        print(change.purpose)  # refused
        return change.allowed_on(None)

    def write_all(self, changes: Sequence[Change]) -> bool:
        """Apply all."""
        print(Written(True))  # refused
        return bool(changes)

    def rows_of(self, sub: str) -> list[Row]:
        """All rows."""
        return [{"sub": sub}]


own: SessionStore = WrongResult()  # refused
SQLiteStore()  # refused
SessionManager.from_env(store=NoStore())  # refused
SessionManager.from_env(store=MemoryStore)  # refused
SessionManager.from_env(clock=7)  # refused
MemoryStore(False)  # refused
ManualClock().advance(None)  # refused
