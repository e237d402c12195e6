"""Mistakes of users of the kit and of whoever writes a store: each marked line must be refused, and no other."""

from __future__ import annotations

from cognito_session import SessionManager
from cognito_session.testing import Cognito, ManualClock, MemoryStore


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


SessionManager.from_env(store=NoStore())  # refused
SessionManager.from_env(store=MemoryStore)  # refused
SessionManager.from_env(clock=7)  # refused
MemoryStore(False)  # refused
ManualClock().advance(None)  # refused
