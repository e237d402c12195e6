"""Mistakes of users that type checkers must refuse, each in a line marked so. Never run."""

from __future__ import annotations

from typing import Any

from cognito_session import Active, Rejected, Session, SessionManager, SessionPolicy
from cognito_session.testing import Cognito
from cognito_session.web.csrf import Csrf
from cognito_session.web.fastapi import CognitoAuth

sessions = SessionManager.from_env()

SessionManager.from_env(cookei="token")  # refused
SessionManager.from_env(cookie="sealled")  # refused
SessionManager.from_env(policy=600)  # refused
SessionPolicy(idle_seconds="600")  # refused
Csrf(exempt=5)  # refused


@sessions.protect  # refused
def two_arguments(event: Any, context: Any) -> Any:
    """Called with three."""


@sessions.protect(optional=True)  # refused
def never_none(event: Any, context: Any, me: Session) -> Any:
    """Called with None as well."""


def nobody(event: Any, context: Any, me: Session | None) -> str:
    """Nobody has no name."""
    return me.username  # refused


outcome = sessions.resolve("a=b")
print(outcome.session)  # refused
if isinstance(outcome, Rejected):
    print(outcome.session)  # refused
if isinstance(outcome, Active):
    print(outcome.reason)  # refused


def change(me: Session) -> None:
    """A session is what it is."""
    me.sub = "another"  # refused
    me.require(any_groups=["admin"])  # refused
    me.require(max_age="5")  # refused


sessions.password_flows().sign_in("alice")  # refused
sessions.managed_login().sign_out({}, where="anywhere")  # refused
CognitoAuth(sessions).require(any_group=5)  # refused


def kit(cognito: Cognito) -> None:
    """The kit's forms of events are known by name."""
    cognito.event("http-v3")  # refused
